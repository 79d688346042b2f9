/* Which quantization methods there are. The list is core/quant/methods.def; methods know nothing of it. */
#ifndef SRQ_CORE_QUANT_METHODS_H
#define SRQ_CORE_QUANT_METHODS_H

#include "core/quant/quantizer.h"

/* The method called `name`, or NULL. "float32" is not a method: nothing is quantized. */
const srq_quantizer_method *srq_quantizer_find(const char *name);
/* The index-th method, NULL after the last. */
const srq_quantizer_method *srq_quantizer_list(int index);
/* Whether the method called `name` lists the setting (srq_quantizer_lists); false for "float32". */
bool srq_quantizer_reads(const char *name, const char *setting);
/* The names of all methods that `which` is true of (NULL: all), "srq, lsq or ste" with `last` = " or ", into `out`.
 * Returns `out`; "none" if there are none. */
char *srq_quantizer_names(bool (*which)(const srq_quantizer_method *method), const char *last, char *out, size_t size);
/* Whether the method has gates, to pass to it. */
bool srq_quantizer_has_gates(const srq_quantizer_method *method);

/* Fills `quantizer` for a tensor that may be negative (`is_signed`) or not, at the schedule's first bit-length and
 * outside training. SRQ_ERROR_USAGE for an unknown method or a bit-length outside 1..8. */
srq_status srq_quantizer_init(const srq_quantizer_spec *spec, bool is_signed, int channels, srq_quantizer *quantizer);

#endif
