/* How settings depend on the quantization method, according to the tables of the methods. */
#ifndef SRQ_IO_METHOD_SETTINGS_H
#define SRQ_IO_METHOD_SETTINGS_H

#include "core/quant/methods.h"

/* The values of quantizer.method: method number `index`, then "float32", then NULL. */
const char *srq_method_choice(int index);

/* Whether the setting `path` has an effect with some methods only. With "float32", none of these settings has an
 * effect. Settings of DropBits are not included; they depend on dropbits.mode. */
bool srq_method_settings_has(const char *path);
/* Whether such a setting has an effect with `method`, which is NULL for "float32". */
bool srq_method_settings_acts(const char *path, const srq_quantizer_method *method);
/* The methods with which a setting has an effect: "srq, rq, rq_st". For settings of DropBits, the methods with gates.
 * Returns `out`. */
void srq_method_settings_names(const char *path, char *out, size_t size);

#endif
