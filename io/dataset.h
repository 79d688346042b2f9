/* Data sets: labelled images in one HDF5 file, and what makes them.
 *
 * File layout, format "srq-dataset" version 1 (attributes of the root group: format, version, name, source,
 * source_sha256):
 *   /classes            strings [classes]: class names
 *   /mean, /std         float32 [channels]: of the training pixels divided by 255
 *   /train/images       uint8   [count][height][width][channels]
 *   /train/labels       int32   [count], 0 .. classes-1
 *   /test/images, /test/labels  likewise */
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
    uint8_t *images; /* [count][height][width][channels]; NULL if the split was not asked for */
    int32_t *labels; /* [count] */
} srq_split;

typedef struct srq_dataset {
    char name[64];
    char checksum[65]; /* source_sha256: hexadecimal SHA-256 over the imported source files, in order of name */
    int height, width, channels, classes;
    float *mean, *std;   /* [channels] */
    char **class_names;  /* [classes] */
    srq_split splits[2]; /* by srq_split_name */
} srq_dataset;

enum { SRQ_LOAD_TRAIN = 1, SRQ_LOAD_TEST = 2 };

/* Reads `path` whole into memory, the splits named by `which` (a sum of SRQ_LOAD_*; the counts of both are filled
 * in any case). Everything is checked: format, version, types, shapes, label range, finite mean and positive std.
 * SRQ_ERROR_DATA with a message that names the file and the data set. The caller destroys *dataset. */
srq_status srq_dataset_load(const char *path, unsigned which, srq_dataset **dataset);
void srq_dataset_destroy(srq_dataset **dataset);

/* Imports a folder of IDX files (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-..., each plain or with .gz)
 * into a new file at `dest`, written beside it and renamed when whole. An existing `dest` is left alone: if it holds
 * the same source (by checksum) this is SRQ_OK and *done_already is true, else SRQ_ERROR_USAGE. The data set's name is
 * the last part of the source folder's path. `progress` gets one plain line a file, or NULL. */
srq_status srq_dataset_import(const char *source, const char *dest, FILE *progress, bool *done_already);

/* Prints what `srq data info` shows: sizes, classes with their counts, statistics, source. */
srq_status srq_dataset_info(const char *path, FILE *out);

#endif
