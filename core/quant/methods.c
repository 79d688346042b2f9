#include "core/quant/methods.h"

#include <stdio.h>
#include <string.h>

#define METHOD(name) extern const srq_quantizer_method srq_quantizer_##name;
#include "core/quant/methods.def"
#undef METHOD

const srq_quantizer_method *srq_quantizer_list(int index)
{
#define METHOD(name) &srq_quantizer_##name,
    static const srq_quantizer_method *const methods[] = {
#include "core/quant/methods.def"
    };
#undef METHOD
    return index < (int)(sizeof methods / sizeof *methods) ? methods[index] : NULL;
}

const srq_quantizer_method *srq_quantizer_find(const char *name)
{
    const srq_quantizer_method *method;
    for (int i = 0; (method = srq_quantizer_list(i)); i++)
        if (strcmp(method->name, name) == 0) return method;
    return NULL;
}

bool srq_quantizer_reads(const char *name, const char *setting)
{
    const srq_quantizer_method *method = srq_quantizer_find(name);
    return method && srq_quantizer_lists(method, setting);
}

bool srq_quantizer_has_gates(const srq_quantizer_method *method)
{
    return method->has_gates;
}

char *srq_quantizer_names(bool (*which)(const srq_quantizer_method *method), const char *last, char *out, size_t size)
{
    const srq_quantizer_method *method, *before = NULL;
    size_t n = 0;
    int count = 0;
    out[0] = '\0';
    /* A name is written when it is known whether another one follows. */
    for (int i = 0; n < size; i++) {
        method = srq_quantizer_list(i);
        if (method && which && !which(method)) continue;
        const char *separator = count < 2 ? "" : method ? ", " : last;
        if (before) n += (size_t)snprintf(out + n, size - n, "%s%s", separator, before->name);
        if (!method) break;
        before = method;
        count++;
    }
    if (count == 0) snprintf(out, size, "none");
    return out;
}

static srq_status check_gates(const srq_quantizer *q)
{
    char names[200];
    if (q->spec.dropbits == SRQ_DROPBITS_OFF || (q->method->has_gates && q->is_signed)) return SRQ_OK;
    srq_quantizer_names(srq_quantizer_has_gates, " or ", names, sizeof names);
    return srq_fail(SRQ_ERROR_USAGE,
                    "DropBits needs weights quantized by %s, but this is %s; use %s or dropbits.mode = \"off\"", names,
                    q->method->name, names);
}

srq_status srq_quantizer_init(const srq_quantizer_spec *spec, bool is_signed, int channels, srq_quantizer *q)
{
    *q = (srq_quantizer){.spec = *spec, .is_signed = is_signed, .grid = {.alpha = 1, .sigma = 1}};
    q->channels = spec->per_channel ? channels : 1;
    if (strcmp(spec->method, "float32") == 0) return SRQ_OK;
    q->method = srq_quantizer_find(spec->method);
    if (!q->method) {
        char names[400];
        return srq_fail(SRQ_ERROR_USAGE, "no quantizer is called \"%s\"; use float32, %s", spec->method,
                        srq_quantizer_names(NULL, " or ", names, sizeof names));
    }
    if (q->method->point && !q->method->floats)
        return srq_fail(SRQ_ERROR_RUN, "the table of the method %s has a `point` function, so `floats` must be true",
                        q->method->name);
    for (int i = 0; i < spec->bits.count; i++)
        if (spec->bits.bits[i] < 1 || spec->bits.bits[i] > 8)
            return srq_fail(SRQ_ERROR_USAGE, "a bit-length of %d: it must be 1 to 8", spec->bits.bits[i]);
    if (spec->bits.count < 1) return srq_fail(SRQ_ERROR_USAGE, "the bit-length is missing; it must be 1 to 8");
    q->gates.min_bits = spec->min_bits;
    srq_quantizer_set_bits(q, spec->bits.bits[0], spec->bits.bits[0]);
    return check_gates(q);
}
