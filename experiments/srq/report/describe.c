#include "experiments/srq/report/describe.h"

#include "core/ops/op.h"
#include "core/quant/methods.h"
#include "io/escape.h"

#include <string.h>

enum { FLOAT32_BITS = 32 };

/* The bit-lengths of the weights, or of the activations, of a network. */
typedef struct bit_lengths {
    int count, least, most;          /* number of tensors, and their bits: of a schedule, those at its end */
    const srq_bits_schedule *common; /* the schedule of all of them, or NULL */
} bit_lengths;

static bool is_same(const srq_bits_schedule *a, const srq_bits_schedule *b)
{
    return a->count == b->count && memcmp(a->bits, b->bits, (size_t)a->count * sizeof *a->bits) == 0;
}

static bool is_plain(const srq_quantizer_spec *q)
{
    return srq_quantizer_find(q->method) == NULL;
}

static bit_lengths count(const srq_model_spec *model, srq_quantizes kind)
{
    bit_lengths all = {.least = FLOAT32_BITS};
    for (int i = 0; i < model->layer_count; i++) {
        const srq_layer_spec *layer = &model->layers[i];
        const srq_quantizer_spec *q = &layer->quantizer;
        if (srq_op_find(layer->type)->quantizes != kind) continue;
        const int bits = is_plain(q) ? FLOAT32_BITS : q->bits.bits[q->bits.count - 1];
        if (bits < all.least) all.least = bits;
        if (bits > all.most) all.most = bits;
        if (all.count++ == 0) all.common = &q->bits;
        if (is_plain(q) || (all.common && !is_same(all.common, &q->bits))) all.common = NULL;
    }
    return all;
}

/* "3"; "8,4" for a schedule; "2-8" if layers differ; "32" if nothing is quantized. */
static void append_bits(const bit_lengths *all, char *out, size_t size)
{
    if (all->common)
        for (int i = 0; i < all->common->count; i++)
            srq_text_append(out, size, "%s%d", i ? "," : "", all->common->bits[i]);
    else if (all->count && all->least < all->most)
        srq_text_append(out, size, "%d-%d", all->least, all->most);
    else
        srq_text_append(out, size, "%d", all->count ? all->least : FLOAT32_BITS);
}

/* The method of the settings, or of the first layer with one, where only single layers are quantized. */
static const char *method_of(const srq_settings *s)
{
    const srq_model_spec *model = &s->model;
    const char *method = NULL;
    for (int i = 0; i < model->layer_count; i++) {
        const srq_layer_spec *layer = &model->layers[i];
        if (srq_op_find(layer->type)->quantizes == SRQ_QUANTIZES_NOTHING || is_plain(&layer->quantizer)) continue;
        if (!method || strcmp(layer->quantizer.method, s->quantizer.method) == 0) method = layer->quantizer.method;
    }
    return method;
}

void srq_report_describe(const srq_settings *s, char *out, size_t size)
{
    const char *method = method_of(s);
    if (!method) {
        srq_text_append(out, size, "float32");
        return;
    }
    const bool estimates = srq_quantizer_reads(method, "quantizer.estimator");
    const bit_lengths weights = count(&s->model, SRQ_QUANTIZES_WEIGHTS);
    const bit_lengths activations = count(&s->model, SRQ_QUANTIZES_OUTPUT);
    srq_text_append(out, size, "%s%s ", method,
                    estimates && strcmp(s->quantizer.estimator, "argmax") == 0 ? " argmax" : "");
    append_bits(&weights, out, size);
    srq_text_append(out, size, "/");
    append_bits(&activations, out, size);
    if (strcmp(s->dropbits.mode, "regularize") == 0) srq_text_append(out, size, " + DropBits");
    if (strcmp(s->dropbits.mode, "learn") == 0) srq_text_append(out, size, ", bits learned");
}
