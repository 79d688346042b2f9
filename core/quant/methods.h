/* The list of quantization methods, core/quant/methods.def. The methods themselves do not use this header. */
#ifndef SRQ_CORE_QUANT_METHODS_H
#define SRQ_CORE_QUANT_METHODS_H

#include "core/quant/quantizer.h"

/* The method with the name `name`, or NULL. "float32" is not a method: it means no quantization. */
const srq_quantizer_method *srq_quantizer_find(const char *name);
/* Method number `index`; NULL after the last one. */
const srq_quantizer_method *srq_quantizer_list(int index);
/* Whether the method `name` lists the setting (srq_quantizer_lists); false for "float32". */
bool srq_quantizer_reads(const char *name, const char *setting);
/* Writes the names of all methods for which `which` is true (NULL: all) to `out`: "srq, lsq or ste" if `last` is " or
 * ". Writes "none" if there are none. Returns `out`. */
char *srq_quantizer_names(bool (*which)(const srq_quantizer_method *method), const char *last, char *out, size_t size);
/* Whether the method has gates. Can be passed as `which`. */
bool srq_quantizer_has_gates(const srq_quantizer_method *method);

/* Initializes `quantizer` for evaluation, at the first bit-length of the schedule. `is_signed`: the tensor may have
 * negative values. SRQ_ERROR_USAGE for an unknown method or a bit-length outside of 1..8. */
srq_status srq_quantizer_init(const srq_quantizer_spec *spec, bool is_signed, int channels, srq_quantizer *quantizer);

#endif
