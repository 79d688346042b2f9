/* Quantizers: one tensor's grid and how its gradient passes (method.md, sections 1-3 and 7), behind one table.
 *
 * A quantized tensor is integer codes, one byte each, and the step size alpha: the value is alpha * code. */
#ifndef SRQ_CORE_QUANT_QUANTIZER_H
#define SRQ_CORE_QUANT_QUANTIZER_H

#include "core/kernels/vector.h"
#include "core/spec.h"
#include "core/status.h"

typedef struct srq_quantizer srq_quantizer;

/* One method. All functions see whole tensors; `vector` is the arithmetic to use. */
typedef struct srq_quantizer_method {
    const char *name;
    bool has_sigma; /* sigma is a parameter and gets a gradient */
    /* dx = dL/dx from dy = dL/d(alpha * code), and the gradients of alpha and sigma. dx may be dy.
     * `features` is the number of elements for one sample (activations) or in all (weights). */
    void (*backward)(const srq_quantizer *quantizer, const srq_vector *vector, size_t n, size_t features,
                     const float *x, const float *dy, float *dx, srq_grid_gradient *gradient);
} srq_quantizer_method;

struct srq_quantizer {
    const srq_quantizer_method *method; /* NULL: the tensor is not quantized */
    srq_quantizer_spec spec;
    srq_grid grid; /* alpha and sigma as they are now; min, max from the bit-length */
};

/* The method called `name`, or NULL. "float32" is not a method: nothing is quantized. */
const srq_quantizer_method *srq_quantizer_find(const char *name);

/* Fills `quantizer` for a tensor that may be negative (`is_signed`) or not. SRQ_ERROR_USAGE for an unknown method
 * or a bit-length outside 1..8. */
srq_status srq_quantizer_init(const srq_quantizer_spec *spec, bool is_signed, srq_quantizer *quantizer);

/* Codes of x[n]; false if x holds an infinity or NaN (the codes are then clamped or the smallest one). */
bool srq_quantizer_forward(const srq_quantizer *quantizer, const srq_vector *vector, size_t n, const float *x,
                           void *codes);

/* Sets alpha to the step size with the least mean square error on x[n] among 64 candidates, and sigma to
 * sigma_ratio * alpha. All zeros give alpha = 1e-3. */
void srq_quantizer_start(srq_quantizer *quantizer, const srq_vector *vector, size_t n, const float *x);

#endif
