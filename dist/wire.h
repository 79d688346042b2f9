/* For the files of dist/ alone: numbers as they cross the network, float32 or, in coarse ranges, bfloat16. */
#ifndef SRQ_DIST_WIRE_H
#define SRQ_DIST_WIRE_H

#include "dist/reduce.h"

#include <stdint.h>

/* To the nearest bfloat16, ties to even; infinities and NaN stay what they are. */
float srq_wire_round(float x);
/* Of those parts of elements [begin, end) that are coarse; x is where element `begin` is, here and below. */
void srq_wire_round_ranges(float *x, size_t begin, size_t end, int count, const srq_reduce_range *coarse);

/* Numbers of 16 bits that elements [begin, end) make; these numbers, of elements whose coarse parts have been rounded;
 * and the elements again. */
size_t srq_wire_size(size_t begin, size_t end, int count, const srq_reduce_range *coarse);
void srq_wire_encode(const float *x, size_t begin, size_t end, int count, const srq_reduce_range *coarse, uint16_t *to);
void srq_wire_decode(const uint16_t *from, size_t begin, size_t end, int count, const srq_reduce_range *coarse,
                     float *to);

#endif
