/* The gradient of a convolution's weights from unsigned codes and a gradient of 8 bits, with exact integer sums.
 *
 *     dw[o][i][ky][kx] = scale * sum over n, y, x of dy[n][y][x][o] * x[n][y s0 + ky - p0][x s1 + kx - p1][i]
 *
 * Four images share the 32-bit lanes of the products, so positions of the kernel are only different addresses. The
 * products are added in 32 bits, which are converted to float32 before they can overflow, in an order that only the
 * shape and n determine. */
#ifndef SRQ_CORE_KERNELS_VNNI_BY_WEIGHTS_H
#define SRQ_CORE_KERNELS_VNNI_BY_WEIGHTS_H

#include "core/kernels/kernels.h"

typedef struct srq_by_weights srq_by_weights;

/* A plan for a shape without groups whose input is SRQ_UINT8. With `plain`, it uses plain C, to which tests compare the
 * instructions of AVX-512 with VNNI; otherwise the CPU must have these. SRQ_ERROR_RUN without memory. The caller
 * destroys *plan. */
srq_status srq_by_weights_create(const srq_conv_shape *shape, bool plain, srq_by_weights **plan);
void srq_by_weights_destroy(srq_by_weights **plan);
/* Whether this build has the instructions, for CPUs that have them. */
bool srq_by_weights_built(void);
/* Bytes of scratch memory for the functions below, 64-byte aligned. */
size_t srq_by_weights_scratch(const srq_by_weights *plan);
/* Overwrites dw, which has as many floats as there are weights, in the plan's own order. Threads may run a plan at the
 * same time, with scratch memory of their own. n may be less than the shape's capacity; other images are not read. */
void srq_by_weights_run(const srq_by_weights *plan, int n, const uint8_t *x, const int8_t *dy, float scale, float *dw,
                        void *scratch);
/* Reorders dw to [out][in][kernel 0][kernel 1], in place. */
void srq_by_weights_unpack(const srq_by_weights *plan, float *dw, void *scratch);

#endif
