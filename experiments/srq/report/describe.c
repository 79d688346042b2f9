#include "experiments/srq/report/describe.h"

#include "core/quant/methods.h"
#include "io/escape.h"

#include <string.h>

/* "3", or "8,4" for a schedule. */
static void append_bits(const srq_bits_schedule *bits, char *out, size_t size)
{
    for (int i = 0; i < bits->count; i++) srq_text_append(out, size, "%s%d", i ? "," : "", bits->bits[i]);
}

void srq_report_describe(const srq_settings *s, char *out, size_t size)
{
    const bool estimates = srq_quantizer_reads(s->quantizer.method, "quantizer.estimator");
    srq_text_append(out, size, "%s%s", s->quantizer.method,
                    estimates && strcmp(s->quantizer.estimator, "argmax") == 0 ? " argmax" : "");
    if (strcmp(s->quantizer.method, "float32") == 0) return;
    srq_text_append(out, size, " ");
    append_bits(&s->quantizer.weight_bits, out, size);
    srq_text_append(out, size, "/");
    append_bits(&s->quantizer.activation_bits, out, size);
    if (strcmp(s->dropbits.mode, "regularize") == 0) srq_text_append(out, size, " + DropBits");
    if (strcmp(s->dropbits.mode, "learn") == 0) srq_text_append(out, size, ", bits learned");
}
