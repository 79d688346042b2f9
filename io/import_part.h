/* One part of an image folder: its images decoded, judged, kept, and in a file of its own until all parts are joined
 * (io/import_folder.h). */
#ifndef SRQ_IO_IMPORT_PART_H
#define SRQ_IO_IMPORT_PART_H

#include "core/status.h"
#include "io/digest.h"
#include "io/folder.h"
#include "io/pixel_sums.h"

#include <stddef.h>
#include <stdint.h>

enum { SRQ_PART_IMAGES = 512 }; /* at most */

typedef struct srq_part {
    size_t count;
    char (*digests)[SRQ_DIGEST_SIZE]; /* SHA-256 of each file; "" where it could not be read */
    char **messages;                  /* what is wrong with each; "" if nothing is */
    int32_t (*sizes)[2];              /* height, width as kept; 0 of bad ones */
    int64_t *offsets;                 /* [count + 1] in the bytes */
    uint8_t *bytes;                   /* as kept: the file's own, or re-encoded */
    uint32_t *checks;                 /* CRC-32 of those */
    srq_sums sums;                    /* of the images as kept */
    int height, width;                /* if all good images are small and of this size, else 0 */
    uint8_t *pixels;                  /* [count][height][width][3], then */
} srq_part;

/* What has been done, or found. */
typedef struct srq_import_counts {
    double images, bad, bytes;
    double reused; /* images of parts that were there */
} srq_import_counts;

/* Called after each image. */
typedef void (*srq_import_tick)(void *context, const srq_import_counts *counts);

/* Makes a part of the `count` images of the folder from `first` on, adding to the counts; `tick` may be NULL. A bad
 * image is noted in the part and no failure. The caller destroys *part. */
srq_status srq_part_make(const srq_folder *folder, size_t first, size_t count, srq_import_counts *counts,
                         srq_import_tick tick, void *context, srq_part **part);
void srq_part_destroy(srq_part **part);

/* Writes a part to `path`, atomically; `fingerprint` says what it was made from. */
srq_status srq_part_write(const srq_part *part, const char *fingerprint, const char *path);

/* Reads a part, with bytes and pixels only as far as `what` asks for them (a sum of SRQ_PART_*). SRQ_ERROR_DATA if it
 * is not one of this fingerprint. The caller destroys *part. */
enum { SRQ_PART_BYTES = 1, SRQ_PART_PIXELS = 2 };
srq_status srq_part_read(const char *path, const char *fingerprint, unsigned what, srq_part **part);

#endif
