/* A part of an image folder: its images are decoded, checked, and stored in a file until all parts are joined
 * (io/import_folder.h). */
#ifndef SRQ_IO_IMPORT_PART_H
#define SRQ_IO_IMPORT_PART_H

#include "core/status.h"
#include "io/digest.h"
#include "io/folder.h"
#include "io/pixel_sums.h"

#include <stddef.h>
#include <stdint.h>

enum { SRQ_PART_IMAGES = 512 }; /* largest number of images */

typedef struct srq_part {
    size_t count;
    char (*digests)[SRQ_DIGEST_SIZE]; /* SHA-256 of each file; "" where it could not be read */
    char **messages;                  /* what is wrong with each image, or "" */
    int32_t (*sizes)[2];              /* height, width of the stored image; 0 if it is bad */
    int64_t *offsets;                 /* [count + 1], into `bytes` */
    uint8_t *bytes;                   /* stored images: the unchanged files, or encoded again */
    uint32_t *checks;                 /* CRC-32 of each stored image */
    size_t cmyk;                      /* number of good images that were CMYK or YCCK JPEGs */
    srq_sums sums;                    /* sums over the stored images */
    int height, width;                /* the size of all good images if it is the same and small, else 0 */
    uint8_t *pixels;                  /* then [count][height][width][3] */
} srq_part;

/* Counts for messages. */
typedef struct srq_import_counts {
    double images, bad, bytes;
    double reused; /* images of parts that existed already */
} srq_import_counts;

/* Called after each image. */
typedef void (*srq_import_tick)(void *context, const srq_import_counts *counts);

/* Makes a part from `count` images of the folder, beginning with `first`, and adds to the counts. `tick` may be NULL. A
 * bad image is recorded in the part and is not a failure. The caller destroys *part. */
srq_status srq_part_make(const srq_folder *folder, size_t first, size_t count, srq_import_counts *counts,
                         srq_import_tick tick, void *context, srq_part **part);
void srq_part_destroy(srq_part **part);

/* Writes a part to `path`, atomically. `fingerprint` identifies the files from which it was made. */
srq_status srq_part_write(const srq_part *part, const char *fingerprint, const char *path);

/* Reads a part. Bytes and pixels are read only if `what` contains them (a sum of SRQ_PART_*). SRQ_ERROR_DATA if it has
 * another fingerprint. The caller destroys *part. */
enum { SRQ_PART_BYTES = 1, SRQ_PART_PIXELS = 2 };
srq_status srq_part_read(const char *path, const char *fingerprint, unsigned what, srq_part **part);

#endif
