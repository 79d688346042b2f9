/* Quantizers: one tensor's grid and how its gradient passes (method.md, sections 1-4 and 7), behind one table.
 *
 * A quantized tensor is integer codes, one byte each, and the step size alpha: the value is alpha * code, or, where the
 * method has points of its own, alpha * point(code) (points.h). Weights may have one (alpha, sigma) for each output
 * channel: rows of the tensor, all with the same codes.
 *
 * A method is one file in core/quant/ with a table, and one line in core/quant/methods.def; all that others need to
 * know of it is in the table (docs/adding-a-quantizer.md). */
#ifndef SRQ_CORE_QUANT_QUANTIZER_H
#define SRQ_CORE_QUANT_QUANTIZER_H

#include "core/kernels/vector.h"
#include "core/quant/dropbits.h"
#include "core/quant/points.h"
#include "core/spec.h"
#include "core/status.h"

typedef struct srq_quantizer srq_quantizer;

/* One method, on a row of n elements with the grid `grid`. Members that are left out are false or NULL. */
typedef struct srq_quantizer_method {
    const char *name;    /* quantizer.method; at most 15 characters */
    const char *summary; /* a line for `srq help methods` */
    /* Settings of a configuration that act under this method but not under all, ended by NULL: "quantizer.temperature".
     * What has_sigma and has_gates bring along is not listed. NULL: none. */
    const char *const *settings;
    bool has_sigma; /* sigma is a parameter and gets a gradient */
    bool floats;    /* a training step gives floats, not codes; activations are floats in evaluation, too */
    bool has_gates; /* can be under DropBits */
    bool by_place;  /* its noise depends on where an element stands: tensors are taken whole */
    /* The points of the grid in units of alpha, where they are not the codes themselves. They must not fall as codes
     * rise. Kernels multiply codes, so such a method must have `floats`, and its tensors are floats in evaluation, too;
     * there an element goes to the nearest point. */
    srq_point *point;
    /* Once a step, when alpha, sigma, bit-lengths and gates are known: what all calls of the step share. Optional. */
    void (*begin)(srq_quantizer *quantizer);
    /* What a training step makes of x: codes, or floats; false if x holds an infinity or NaN. NULL: as in evaluation,
     * the nearest code or its value. `row` is the row's place in the tensor. */
    bool (*forward)(const srq_quantizer *quantizer, const srq_vector *vector, const srq_grid *grid, size_t row,
                    size_t n, const float *x, void *out);
    /* dx = dL/dx from dy = dL/d(value), and the gradients of alpha and sigma, and of DropBits' masks, which are
     * added to masks[]. dx may be dy. `features` is the number of elements for one sample (activations) or in all
     * (weights). */
    void (*backward)(const srq_quantizer *quantizer, const srq_vector *vector, const srq_grid *grid, size_t row,
                     size_t n, size_t features, const float *x, const float *dy, float *dx, srq_grid_gradient *gradient,
                     double *masks);
} srq_quantizer_method;

struct srq_quantizer {
    const srq_quantizer_method *method; /* NULL: the tensor is not quantized */
    srq_quantizer_spec spec;
    bool is_signed;
    int channels;               /* rows with an (alpha, sigma) of their own */
    const float *alpha, *sigma; /* [channels]; NULL: those of `grid` */
    int trained_bits;           /* of the grid in training, as the schedule says */
    int bits;                   /* of the grid in evaluation: fewer if gates have closed for good */
    srq_grid grid;              /* alpha and sigma of the first row; min, max of evaluation */
    /* This step: */
    bool training;
    srq_gates gates;   /* count 0 without DropBits */
    srq_curves curves; /* srq, one row: of the grid in training, if they fit */
    /* The same under fractional gates, where the owner has set its rows to memory. They are worth fitting for
     * `elements` or more, which the owner sets to the size of the tensor. */
    srq_gate_curves gate_curves;
    size_t elements;
    uint64_t seed; /* what methods that draw noise key it with ... */
    long step;
    uint64_t stream; /* ... different for all tensors of a step */
};

/* core/quant/methods.h has the list of methods and makes quantizers. */

/* Whether the setting called `setting` is in the method's list. */
bool srq_quantizer_lists(const srq_quantizer_method *method, const char *setting);
/* The longest and the shortest bit-length of a schedule. */
int srq_bits_longest(const srq_bits_schedule *schedule);
int srq_bits_shortest(const srq_bits_schedule *schedule);
/* The grid from now on; `bits` <= trained_bits is that of evaluation. */
void srq_quantizer_set_bits(srq_quantizer *quantizer, int trained_bits, int bits);

/* The grid of a row: in a training step under gates the smaller one that they leave. */
srq_grid srq_quantizer_grid(const srq_quantizer *quantizer, size_t row);

/* Once a step of training, after everything else is set; without, backward still gives the same but for rounding. */
void srq_quantizer_begin(srq_quantizer *quantizer);

/* The points of the grid in evaluation. */
void srq_quantizer_points(const srq_quantizer *quantizer, srq_points *points);

/* Codes of x[n], n a multiple of the channels; false if x holds an infinity or NaN (the codes are then clamped or the
 * smallest one). In a training step of a method that gives floats: those, into `out`. */
bool srq_quantizer_forward(const srq_quantizer *quantizer, const srq_vector *vector, size_t n, const float *x,
                           void *out);
/* The values that evaluation works with, as floats. */
bool srq_quantizer_values(const srq_quantizer *quantizer, const srq_vector *vector, size_t n, const float *x,
                          float *values);
/* Backward of the training step: dx may be dy; alpha[channels], sigma[channels] (NULL where the method has none) and,
 * under DropBits, gates[spec's levels] = dL/dphi are overwritten. */
void srq_quantizer_backward(const srq_quantizer *quantizer, const srq_vector *vector, size_t n, size_t features,
                            const float *x, const float *dy, float *dx, float *alpha, float *sigma, float *gates);

/* The same for n elements of row `row`: what belongs to alpha and sigma is added to *sums, and to masks[SRQ_LEVELS_MAX]
 * under DropBits. */
void srq_quantizer_backward_part(const srq_quantizer *quantizer, const srq_vector *vector, size_t row, size_t n,
                                 size_t features, const float *x, const float *dy, float *dx, srq_grid_gradient *sums,
                                 double *masks);
/* gates[spec's levels] = dL/dphi from masks[] = dL/dm. */
void srq_quantizer_gate_gradients(const srq_quantizer *quantizer, const double *masks, float *gates);

/* The step size with the least mean square error on x[n] among 64 candidates, on the uniform grid min..max. All zeros
 * give 1e-3. */
float srq_quantizer_best_step(const srq_vector *vector, int min, int max, size_t n, const float *x);
/* Each row's best step size into alpha[channels], and sigma_ratio times that into sigma[channels] unless NULL. */
void srq_quantizer_start(const srq_quantizer *quantizer, const srq_vector *vector, size_t n, const float *x,
                         float *alpha, float *sigma);
/* From a grid of `from` bits to one of `to`: each row's alpha and sigma change by the ratio of the best step sizes on
 * x[n] of the two, so that what training has made of them is kept. The quantizer's own grid stays as it is. */
void srq_quantizer_rescale(const srq_quantizer *quantizer, const srq_vector *vector, int from, int to, size_t n,
                           const float *x, float *alpha, float *sigma);

#endif
