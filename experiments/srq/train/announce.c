#include "experiments/srq/train/announce.h"

#include "core/bits.h"
#include "core/quant/methods.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FLOAT32_BITS = 32, NAMED = 3 };

__attribute__((format(printf, 3, 4))) static void append(char *out, size_t size, const char *format, ...)
{
    const size_t length = strlen(out);
    va_list args;
    va_start(args, format);
    vsnprintf(out + length, size - length, format, args);
    va_end(args);
}

/* --- The bit-lengths of one kind of tensors: weights, or activations */

typedef struct bit_lengths {
    int quantized, plain;            /* number of tensors */
    const srq_bits_schedule *common; /* the schedule of all quantized tensors; NULL if they differ */
    bool differ;
    int least, most;
    double sum, elements;
} bit_lengths;

static bool is_same(const srq_bits_schedule *a, const srq_bits_schedule *b)
{
    bool same = a->count == b->count;
    for (int i = 0; same && i < a->count; i++)
        same =
            a->bits[i] == b->bits[i] &&
            (i + 1 == a->count || (a->until[i].count == b->until[i].count && a->until[i].epochs == b->until[i].epochs));
    return same;
}

static void count(bit_lengths *all, const srq_quantizer *q, double elements)
{
    const int bits = q->method ? q->bits : FLOAT32_BITS;
    if (all->quantized + all->plain == 0) all->least = all->most = bits;
    if (bits < all->least) all->least = bits;
    if (bits > all->most) all->most = bits;
    all->sum += elements * bits;
    all->elements += elements;
    if (!q->method) {
        all->plain++;
        return;
    }
    if (all->quantized++ == 0) all->common = &q->spec.bits;
    all->differ = all->differ || !is_same(all->common, &q->spec.bits);
}

static void describe(const bit_lengths *all, const char *kind, char *out, size_t size)
{
    if (all->quantized == 0) {
        append(out, size, ", float32 %s", kind);
    } else if (all->differ || all->plain) {
        append(out, size, ", %s of %.4g bits in the mean (%d to %d)", kind, all->sum / all->elements, all->least,
               all->most);
    } else {
        append(out, size, ", ");
        for (int i = 0; i < all->common->count; i++)
            append(out, size, "%s%d", i ? ", then " : "", all->common->bits[i]);
        append(out, size, "-bit %s", kind);
    }
}

/* --- The network */

static bool has_method_before(const srq_graph *graph, int index)
{
    for (int i = 0; i < index; i++)
        if (srq_graph_layer(graph, i)->quantizer.method == srq_graph_layer(graph, index)->quantizer.method) return true;
    return false;
}

/* The name of the method, or "A and B" where layers have methods of their own. */
static int append_methods(const srq_graph *graph, const srq_settings *s, char *out, size_t size)
{
    int methods = 0;
    for (int i = 0; i < srq_graph_layer_count(graph); i++) {
        const srq_quantizer *q = &srq_graph_layer(graph, i)->quantizer;
        if (!q->method || has_method_before(graph, i)) continue;
        append(out, size, "%s%s", methods++ ? " and " : "", q->method->name);
        if (srq_quantizer_reads(q->method->name, "quantizer.estimator") &&
            strcmp(s->quantizer.estimator, "argmax") == 0)
            append(out, size, " argmax");
    }
    return methods;
}

char *srq_announce_quantizers(const srq_graph *graph, const srq_settings *s, char *out, size_t size)
{
    bit_lengths weights = {0}, activations = {0};
    out[0] = '\0';
    if (append_methods(graph, s, out, size) == 0) {
        append(out, size, "float32");
        return out;
    }
    for (int i = 0; i < srq_graph_layer_count(graph); i++) {
        const srq_layer *layer = srq_graph_layer(graph, i);
        if (layer->weight >= 0)
            count(&weights, &layer->quantizer, (double)srq_graph_parameter(graph, layer->weight)->count);
        else if (layer->quantizer.method)
            count(&activations, &layer->quantizer, (double)layer->output.features);
    }
    describe(&weights, "weights", out, size);
    describe(&activations, "activations", out, size);
    if (strcmp(s->dropbits.mode, "learn") == 0) append(out, size, " at the start, bit-lengths learned");
    if (strcmp(s->dropbits.mode, "regularize") == 0) append(out, size, ", DropBits");
    return out;
}

/* Whether a layer's input is images, perhaps through layers without weights and quantizers. */
static bool reads_images(const srq_graph *graph, const srq_layer *layer)
{
    for (int i = 0; i < layer->input_count; i++) {
        if (layer->producers[i] < 0) continue;
        const srq_layer *producer = srq_graph_layer(graph, layer->producers[i]);
        if (producer->weight >= 0 || producer->quantizer.method || !reads_images(graph, producer)) return false;
    }
    return true;
}

char *srq_announce_unquantized(const srq_graph *graph, char *out, size_t size)
{
    int found = 0;
    out[0] = '\0';
    for (int i = 0; i < srq_graph_layer_count(graph); i++) {
        const srq_layer *layer = srq_graph_layer(graph, i);
        if (layer->weight < 0 || !layer->quantizer.method || reads_images(graph, layer)) continue;
        if (srq_graph_input_bits(graph, layer) < FLOAT32_BITS) continue;
        if (found < NAMED)
            append(out, size, "%s%s",
                   found ? ", " : "quantized weights that read float32 activations: ", layer->spec->name);
        found++;
    }
    if (found > NAMED) append(out, size, " and %d more", found - NAMED);
    if (found)
        append(out, size,
               "; their products are computed in float32: put a layer of type \"quantize\" ahead of %s in the model",
               found == 1 ? "it" : "each");
    return out;
}
