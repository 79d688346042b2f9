/* Data sets: labelled images in one HDF5 file (io/import.h makes them).
 *
 * File layout, format "srq-dataset" (attributes of the root group: format, version, name, source, source_sha256):
 *   /classes            strings [classes]: class names
 *   /mean, /std         float32 [channels]: of the training pixels divided by 255
 *   /train/labels       int32   [count], 0 .. classes-1
 * and in version 1, images of one size:
 *   /train/images       uint8   [count][height][width][channels]
 * in version 2, encoded RGB images of any sizes:
 *   /train/bytes        uint8   [total]: JPEG or PNG files one behind the other, contiguous, without a filter
 *   /train/offsets      int64   [count + 1]: image i is bytes[offsets[i] .. offsets[i + 1])
 *   /train/sizes        int32   [count][2]: its height and width
 *   /train/crc32        uint32  [count]: CRC-32 (zlib's) of its bytes
 * /test/... likewise. */
#ifndef SRQ_IO_DATASET_H
#define SRQ_IO_DATASET_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum srq_split_name { SRQ_TRAIN = 0, SRQ_TEST = 1 } srq_split_name;

typedef struct srq_split {
    size_t count;
    int32_t *labels; /* [count]; NULL, as all that follow, if the split was not asked for */
    uint8_t *images; /* [count][height][width][channels]; NULL if they are encoded */
    /* Of encoded images: */
    int64_t *offsets; /* [count + 1], from `begin` on in the file */
    int64_t begin;
    int32_t (*sizes)[2]; /* [count]: height, width */
    uint32_t *checks;    /* [count]: CRC-32 */
} srq_split;

typedef struct srq_dataset {
    char name[64];
    char checksum[65]; /* source_sha256: hexadecimal SHA-256 over the imported source files, in order of name */
    bool encoded;      /* images of any sizes; height and width are 0 */
    int height, width, channels, classes;
    int smallest[2], largest[2]; /* height and width over the images of the loaded splits, if encoded */
    size_t largest_bytes;        /* of one encoded image of these */
    int file;                    /* for srq_dataset_read, or -1 */
    char path[4352];
    float *mean, *std;   /* [channels] */
    char **class_names;  /* [classes] */
    srq_split splits[2]; /* by srq_split_name */
} srq_dataset;

enum { SRQ_LOAD_TRAIN = 1, SRQ_LOAD_TEST = 2 };

/* Reads `path`, the splits named by `which` (a sum of SRQ_LOAD_*; the counts of both are filled in any case), whole
 * into memory but for encoded images: those stay in the file, and in memory as the system's file cache holds them, once
 * for all ranks of a machine. Everything is checked: format, version, types, shapes, label range, finite mean and
 * positive std, offsets that rise and end where the bytes do.
 * SRQ_ERROR_DATA with a message that names the file and the data set. The caller destroys *dataset. */
srq_status srq_dataset_load(const char *path, unsigned which, srq_dataset **dataset);
void srq_dataset_destroy(srq_dataset **dataset);

/* The bytes of encoded image `index` of a loaded split into `bytes`, which has room for largest_bytes; *size is what
 * they are. From any thread: it is one pread(2). SRQ_ERROR_DATA if they are not what was written. */
srq_status srq_dataset_read(const srq_dataset *dataset, srq_split_name split, size_t index, uint8_t *bytes,
                            size_t *size);

/* Prints what `srq data info` shows: sizes, classes with their counts, statistics, source. */
srq_status srq_dataset_info(const char *path, FILE *out);

#endif
