/* Sums over the pixels of images, for their mean and deviation: exact in integers, so the same in whatever order they
 * are added. */
#ifndef SRQ_IO_PIXEL_SUMS_H
#define SRQ_IO_PIXEL_SUMS_H

#include "core/status.h"
#include "io/h5.h"

#include <stddef.h>
#include <stdint.h>

enum { SRQ_SUMS_CHANNELS = 256 }; /* at most */

/* Start from {0}. */
typedef struct srq_sums {
    uint64_t pixels, sum[SRQ_SUMS_CHANNELS], squares[SRQ_SUMS_CHANNELS];
} srq_sums;

/* Adds `bytes`, [pixels][channels]. */
void srq_sums_add(srq_sums *sums, const uint8_t *bytes, size_t pixels, size_t channels);
void srq_sums_join(srq_sums *sums, const srq_sums *others);

/* Writes /mean and /std, float32 [channels], of the pixels divided by 255. */
srq_status srq_sums_write(const srq_sums *sums, size_t channels, srq_h5_writer *writer);

#endif
