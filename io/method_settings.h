/* What settings have to do with the methods of quantization: all of it comes from the methods' tables. */
#ifndef SRQ_IO_METHOD_SETTINGS_H
#define SRQ_IO_METHOD_SETTINGS_H

#include "core/quant/methods.h"

/* What quantizer.method may be: the index-th method, then "float32", then NULL. */
const char *srq_method_choice(int index);

/* Whether the setting `path` acts under some methods and not under others; "float32" counts as one under which none of
 * them does. Settings of DropBits are not among them: they act by dropbits.mode. */
bool srq_method_settings_has(const char *path);
/* Whether one of them acts under `method`, NULL for "float32". */
bool srq_method_settings_acts(const char *path, const srq_quantizer_method *method);
/* "srq, rq, rq_st": under which a setting acts (those of DropBits: which methods have gates), into `out`. */
void srq_method_settings_names(const char *path, char *out, size_t size);

#endif
