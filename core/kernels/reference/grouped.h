/* Convolution in groups, for conv.c: the functions of srq_kernels if shape.groups > 1. */
#ifndef SRQ_CORE_KERNELS_REFERENCE_GROUPED_H
#define SRQ_CORE_KERNELS_REFERENCE_GROUPED_H

#include "core/kernels/kernels.h"

typedef struct srq_grouped srq_grouped;

srq_status srq_grouped_create(const srq_conv_shape *shape, const srq_vector *vector, srq_grouped **plan);
void srq_grouped_destroy(srq_grouped **plan);
void srq_grouped_pack(srq_grouped *plan, const srq_operand *weights);
/* Bytes of scratch memory that the functions below need. */
size_t srq_grouped_scratch(const srq_grouped *plan);
void srq_grouped_unpack(const srq_grouped *plan, float *dw, void *scratch);
void srq_grouped_forward(const srq_grouped *plan, int n, const srq_operand *x, float *y, void *scratch);
void srq_grouped_backward_data(const srq_grouped *plan, int n, const float *dy, float *dx);
void srq_grouped_backward_weights(const srq_grouped *plan, int n, const srq_operand *x, const float *dy, float *dw,
                                  void *scratch);

#endif
