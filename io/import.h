/* What makes data sets: `srq data import`. */
#ifndef SRQ_IO_IMPORT_H
#define SRQ_IO_IMPORT_H

#include "core/status.h"

#include <stdbool.h>
#include <stdio.h>

typedef enum srq_source_kind {
    SRQ_SOURCE_IDX,      /* MNIST's four files */
    SRQ_SOURCE_CIFAR10,  /* data_batch_1.bin ... */
    SRQ_SOURCE_CIFAR100, /* train.bin, test.bin */
    SRQ_SOURCE_FOLDER    /* train/CLASS/IMAGE.jpg */
} srq_source_kind;

/* What `source` is, from what it holds. SRQ_ERROR_DATA lists what is taken if it is none of them. */
srq_status srq_source_find(const char *source, srq_source_kind *kind);

/* Imports `source` into a new file at `dest`, written beside it and renamed when whole: a folder of IDX files
 * (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-..., each plain or with .gz), of CIFAR-10's or CIFAR-100's
 * binary files, or of images (io/import_folder.h has these in parts, for several processes). An existing `dest` is left
 * alone: if it holds the same source (by checksum) this is SRQ_OK and *done_already is true, else SRQ_ERROR_USAGE. The
 * data set's name is the last part of the source folder's path. `progress` gets one plain line a file, or NULL.
 *
 * Images of a folder are RGB. If all are of one size with sides up to 64 they are stored as pixels; else encoded: the
 * file's own bytes, or, if the short side is above 256, resized to that and as JPEG of quality 95. */
srq_status srq_dataset_import(const char *source, const char *dest, FILE *progress, bool *done_already);

#endif
