/* For the files of dist/ only: how numbers are sent, as float32 or, in coarse ranges, as bfloat16. */
#ifndef SRQ_DIST_WIRE_H
#define SRQ_DIST_WIRE_H

#include "dist/reduce.h"

#include <stdint.h>

/* Rounds to the nearest bfloat16, ties to even. Infinities and NaN are kept. */
float srq_wire_round(float x);
/* Rounds the coarse parts of elements [begin, end). Here and below, x points to element `begin`. */
void srq_wire_round_ranges(float *x, size_t begin, size_t end, int count, const srq_reduce_range *coarse);

/* How many 16-bit numbers encode elements [begin, end); the encoding, for elements whose coarse parts have been
 * rounded; and the decoding. */
size_t srq_wire_size(size_t begin, size_t end, int count, const srq_reduce_range *coarse);
void srq_wire_encode(const float *x, size_t begin, size_t end, int count, const srq_reduce_range *coarse, uint16_t *to);
void srq_wire_decode(const uint16_t *from, size_t begin, size_t end, int count, const srq_reduce_range *coarse,
                     float *to);

#endif
