/* Makes data sets, for `srq data import`. */
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

/* Detects the format of `source` from the files in it. If there is none, the message of SRQ_ERROR_DATA lists the
 * supported formats. */
srq_status srq_source_find(const char *source, srq_source_kind *kind);

/* Imports `source` to a new file `dest`. It is written to a temporary file, which is renamed when it is complete.
 * `source` is a folder of IDX files (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-..., each plain or with
 * .gz), of the binary files of CIFAR-10 or CIFAR-100, or of images (io/import_folder.h imports these in parts, with
 * several processes). An existing `dest` is never changed: if it holds the same source (by checksum), returns SRQ_OK
 * with *done_already true, otherwise SRQ_ERROR_USAGE. The name of the data set is the last part of the path of
 * `source`. `progress` gets one line for each file; it may be NULL.
 *
 * Images of a folder are stored as RGB. If all have the same size with sides up to 64, they are stored as pixels,
 * otherwise encoded. An encoded image is the unchanged file or, if its short side is above 256, a JPEG of quality 95
 * that is resized to 256. */
srq_status srq_dataset_import(const char *source, const char *dest, FILE *progress, bool *done_already);

#endif
