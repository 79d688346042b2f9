/* A quantizer has the grid of a tensor, and its forward and backward functions (method.md, sections 1-4 and 7).
 *
 * A quantized tensor consists of integer codes, one byte each, and a step size alpha. The value of a code is alpha *
 * code, or alpha * point(code) if the method has a `point` function (points.h). Weights can have one (alpha, sigma) for
 * each output channel. These channels are the rows of the tensor, and have the same codes.
 *
 * A method is one file in core/quant/ with a table, and one line in core/quant/methods.def. Everything else is derived
 * from the table (docs/adding-a-quantizer.md). */
#ifndef SRQ_CORE_QUANT_QUANTIZER_H
#define SRQ_CORE_QUANT_QUANTIZER_H

#include "core/kernels/vector.h"
#include "core/quant/dropbits.h"
#include "core/quant/points.h"
#include "core/spec.h"
#include "core/status.h"

typedef struct srq_quantizer srq_quantizer;

/* A method. Its functions work on a row of n elements with the grid `grid`. Omitted members are false or NULL. */
typedef struct srq_quantizer_method {
    const char *name;    /* quantizer.method; at most 15 characters */
    const char *summary; /* one line for `srq help methods` */
    /* Settings of configurations that have an effect with this method but not with all, for example
     * "quantizer.temperature". NULL ends the list. Settings that belong to has_sigma and has_gates are not listed.
     * NULL: none. */
    const char *const *settings;
    bool has_sigma; /* sigma is a parameter and gets a gradient */
    bool floats;    /* a training step makes floats, not codes; activations are floats in evaluation as well */
    bool has_gates; /* supports DropBits */
    bool by_place;  /* its noise depends on the position of elements, so tensors must be processed whole */
    /* The points of the grid in units of alpha, if they are not the codes themselves. They must not decrease with
     * increasing codes. Kernels multiply codes, so such a method must set `floats`. Its tensors are floats in
     * evaluation as well, where an element is rounded to the nearest point. */
    srq_point *point;
    /* Called once a step, when alpha, sigma, bit-lengths and gates are known: computes what all calls of the step need.
     * Optional. */
    void (*begin)(srq_quantizer *quantizer);
    /* The forward pass in training: from x to codes or floats. Returns false if x holds an infinity or NaN. `row` is
     * the position of the row in the tensor. NULL: as in evaluation, the nearest code or its value. */
    bool (*forward)(const srq_quantizer *quantizer, const srq_vector *vector, const srq_grid *grid, size_t row,
                    size_t n, const float *x, void *out);
    /* The backward pass: computes dx = dL/dx from dy = dL/d(value), and the gradients of alpha and sigma. The gradients
     * of DropBits' masks are added to masks[]. dx may be dy. `features` is the number of elements of one sample
     * (activations) or of the tensor (weights). */
    void (*backward)(const srq_quantizer *quantizer, const srq_vector *vector, const srq_grid *grid, size_t row,
                     size_t n, size_t features, const float *x, const float *dy, float *dx, srq_grid_gradient *gradient,
                     double *masks);
} srq_quantizer_method;

struct srq_quantizer {
    const srq_quantizer_method *method; /* NULL: the tensor is not quantized */
    srq_quantizer_spec spec;
    bool is_signed;
    int channels;               /* number of rows with their own (alpha, sigma) */
    const float *alpha, *sigma; /* [channels]; NULL: those of `grid` */
    int trained_bits;           /* bit-length in training, from the schedule */
    int bits;                   /* bit-length in evaluation; smaller if gates are closed */
    srq_grid grid;              /* alpha and sigma of the first row; min and max of evaluation */
    /* Of the current step: */
    bool training;
    srq_gates gates;   /* count 0 without DropBits */
    srq_curves curves; /* srq with one row: curves of the grid in training, if they are accurate */
    /* The same with fractional gates. The owner provides the memory for its rows, and sets `elements` to the size of
     * the tensor, because fitting pays off only for large tensors. */
    srq_gate_curves gate_curves;
    size_t elements;
    uint64_t seed; /* keys of the noise ... */
    long step;
    uint64_t stream; /* ... which are different for all tensors of a step */
};

/* core/quant/methods.h has the list of methods, and initializes quantizers. */

/* Whether the method's list has the setting `setting`. */
bool srq_quantizer_lists(const srq_quantizer_method *method, const char *setting);
/* The largest and the smallest bit-length of a schedule. */
int srq_bits_longest(const srq_bits_schedule *schedule);
int srq_bits_shortest(const srq_bits_schedule *schedule);
/* Sets the bit-lengths in training and in evaluation, `bits` <= trained_bits. */
void srq_quantizer_set_bits(srq_quantizer *quantizer, int trained_bits, int bits);

/* The grid of a row. In a training step with gates, it is the smaller one that the gates leave. */
srq_grid srq_quantizer_grid(const srq_quantizer *quantizer, size_t row);

/* Call it once in a training step, after everything else is set. Without it, the backward pass gives the same result up
 * to rounding. */
void srq_quantizer_begin(srq_quantizer *quantizer);

/* The points of the grid in evaluation. */
void srq_quantizer_points(const srq_quantizer *quantizer, srq_points *points);

/* Computes the codes of x[n] to `out`, or floats in a training step of a method that makes floats. n is a multiple of
 * the channels. Returns false if x holds an infinity or NaN; the codes are then clamped, or the smallest one. */
bool srq_quantizer_forward(const srq_quantizer *quantizer, const srq_vector *vector, size_t n, const float *x,
                           void *out);
/* The values of evaluation, as floats. */
bool srq_quantizer_values(const srq_quantizer *quantizer, const srq_vector *vector, size_t n, const float *x,
                          float *values);
/* The backward pass of a training step. dx may be dy. Overwrites alpha[channels], sigma[channels] (NULL if the method
 * has none) and, with DropBits, gates[spec's levels] = dL/dphi. */
void srq_quantizer_backward(const srq_quantizer *quantizer, const srq_vector *vector, size_t n, size_t features,
                            const float *x, const float *dy, float *dx, float *alpha, float *sigma, float *gates);

/* The same for n elements of row `row`. The contributions to alpha and sigma are added to *sums, and those to masks,
 * with DropBits, to masks[SRQ_LEVELS_MAX]. */
void srq_quantizer_backward_part(const srq_quantizer *quantizer, const srq_vector *vector, size_t row, size_t n,
                                 size_t features, const float *x, const float *dy, float *dx, srq_grid_gradient *sums,
                                 double *masks);
/* Computes gates[spec's levels] = dL/dphi from masks[] = dL/dm. */
void srq_quantizer_gate_gradients(const srq_quantizer *quantizer, const double *masks, float *gates);

/* Bounds of step sizes and noise scales, when they start and while they are learned: divided by a smaller one, a float
 * would become infinite. Rows of smaller values than this get the code 0. */
#define SRQ_STEP_MIN 1e-30f
#define SRQ_STEP_MAX 1e30f
/* The step size with the least mean square error on x[n] among 64 candidates of at least SRQ_STEP_MIN, on the uniform
 * grid min..max. If all x are zero, 1e-3. */
float srq_quantizer_best_step(const srq_vector *vector, int min, int max, size_t n, const float *x);
/* Sets alpha[channels] to each row's best step size, and sigma[channels] to sigma_ratio times that, unless it is NULL.
 */
void srq_quantizer_start(const srq_quantizer *quantizer, const srq_vector *vector, size_t n, const float *x,
                         float *alpha, float *sigma);
/* Adapts alpha and sigma to a change from `from` to `to` bits. Those of each row are multiplied by the ratio of the
 * best step sizes of the two grids on x[n], so that training is not lost. The quantizer's own grid is not changed. */
void srq_quantizer_rescale(const srq_quantizer *quantizer, const srq_vector *vector, int from, int to, size_t n,
                           const float *x, float *alpha, float *sigma);

#endif
