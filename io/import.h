/* The imports behind `srq data import`: what they share, and image folders, which are imported in parts. */
#ifndef SRQ_IO_IMPORT_H
#define SRQ_IO_IMPORT_H

#include "core/status.h"
#include "io/dataset.h"
#include "io/digest.h"
#include "io/folder.h"
#include "io/h5.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SRQ_PATH_SIZE = 4352 };

typedef enum srq_source_kind {
    SRQ_SOURCE_IDX,      /* MNIST's four files */
    SRQ_SOURCE_CIFAR10,  /* data_batch_1.bin ... */
    SRQ_SOURCE_CIFAR100, /* train.bin, test.bin */
    SRQ_SOURCE_FOLDER    /* train/CLASS/IMAGE.jpg */
} srq_source_kind;

/* What `source` is, from what it holds. SRQ_ERROR_DATA lists what is taken if it is none of them. */
srq_status srq_source_find(const char *source, srq_source_kind *kind);
/* The name of its data set: the last part of its real path. */
void srq_source_name(const char *source, char *name, size_t size);

/* A destination that is there is left alone: fine (*done_already) if it holds the data of this checksum, else
 * SRQ_ERROR_USAGE. Without a checksum (NULL) only what is no data set at all is refused. */
srq_status srq_dest_check(const char *dest, const char *checksum, bool *done_already);
/* The folder that it is to be in. */
srq_status srq_dest_make_folder(const char *dest);

/* Sums of bytes, exact in integers: the same in whatever order they are added. */
enum { SRQ_SUMS_CHANNELS = 256 };
typedef struct srq_sums {
    uint64_t pixels, sum[SRQ_SUMS_CHANNELS], squares[SRQ_SUMS_CHANNELS];
} srq_sums;
void srq_sums_add(srq_sums *sums, const uint8_t *bytes, size_t pixels, size_t channels);
void srq_sums_join(srq_sums *sums, const srq_sums *others);
/* Writes /mean and /std. */
srq_status srq_sums_write(const srq_sums *sums, size_t channels, srq_h5_writer *writer);

/* What every data set has. */
typedef struct srq_about {
    const char *name, *source, *checksum;
    int classes;
    const char *const *class_names;
} srq_about;
srq_status srq_about_write(const srq_about *about, srq_h5_writer *writer);

/* Images of one size, in memory. */
typedef struct srq_plain_split {
    size_t count;
    const uint8_t *images; /* [count][height][width][channels] */
    const int32_t *labels;
} srq_plain_split;
/* Writes a decoded data set to `path`, atomically. */
srq_status srq_plain_write(const srq_about *about, const size_t shape[3], const srq_plain_split splits[2],
                           const char *path);

/* The kinds that one process imports at once; see srq_dataset_import. */
srq_status srq_import_idx(const char *source, const char *dest, FILE *progress, bool *done_already);
srq_status srq_import_cifar(const char *source, bool fine, const char *dest, FILE *progress, bool *done_already);

/* --- Image folders, by any number of processes
 *
 * The sorted list of images is cut into parts. Whoever makes a part decodes its images and writes DEST.parts/part-N.h5;
 * a part that is there and was made from the same files (names, sizes, times) is taken as it is, so that an import that
 * was killed goes on where it was. When all parts are there, one process joins them into DEST and removes them. Nothing
 * in DEST depends on who made what. */

enum { SRQ_PART_IMAGES = 512 };

typedef struct srq_import {
    srq_folder *folder;
    char dest[SRQ_PATH_SIZE], parts_folder[SRQ_PATH_SIZE];
    char name[64];
    size_t parts; /* of training images, then of test images */
} srq_import;

/* What has been done, or found. */
typedef struct srq_import_counts {
    double images, bad, bytes;
    double reused; /* images of parts that were there */
} srq_import_counts;

/* One process: lists the source, looks at the destination (*done_already as srq_dataset_import). The caller destroys
 * *import. */
srq_status srq_import_open(const char *source, const char *dest, bool *done_already, srq_import **import);
/* The same import in another process, from the text of the folder's list. */
srq_status srq_import_from_text(const char *source, const char *dest, const char *text, size_t size,
                                srq_import **import);
void srq_import_destroy(srq_import **import);

/* Makes part `part`, or finds it made, and adds to the counts, image by image: `tick`, if not NULL, is called after
 * each. Bad images are noted in the part and are no failure. */
typedef void (*srq_import_tick)(void *context, const srq_import_counts *counts);
srq_status srq_import_make_part(const srq_import *import, size_t part, srq_import_counts *counts, srq_import_tick tick,
                                void *context);

/* Joins all parts into the destination. Bad images are listed on `out`; they are SRQ_ERROR_DATA unless `skip_bad`,
 * which leaves them out and writes their list to DEST.skipped.txt. */
srq_status srq_import_join(const srq_import *import, bool skip_bad, FILE *out);

/* The images of a part; for srq_import_make_part and srq_import_join. */
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

enum { SRQ_PART_BYTES = 1, SRQ_PART_PIXELS = 2 };
srq_status srq_part_make(const srq_folder *folder, size_t first, size_t count, srq_import_counts *counts,
                         srq_import_tick tick, void *context, srq_part **part);
srq_status srq_part_write(const srq_part *part, const char *fingerprint, const char *path);
/* Reads a part without bytes and pixels but those in `what`. SRQ_ERROR_DATA if it is not one of this fingerprint. */
srq_status srq_part_read(const char *path, const char *fingerprint, unsigned what, srq_part **part);
void srq_part_destroy(srq_part **part);

#endif
