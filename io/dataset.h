/* A data set is an HDF5 file with labelled images. io/import.h makes data sets.
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
    int32_t *labels; /* [count]; NULL, like the members below, if the split was not loaded */
    uint8_t *images; /* [count][height][width][channels]; NULL if they are encoded */
    /* For encoded images: */
    int64_t *offsets; /* [count + 1], relative to `begin` in the file */
    int64_t begin;
    int32_t (*sizes)[2]; /* [count]: height, width */
    uint32_t *checks;    /* [count]: CRC-32 */
} srq_split;

typedef struct srq_dataset {
    char name[64];
    char checksum[65]; /* source_sha256: hexadecimal SHA-256 over the imported files in the order of their names */
    bool encoded;      /* images have different sizes; height and width are 0 */
    int height, width, channels, classes;
    int smallest[2], largest[2]; /* if encoded: maxima over the images of the loaded splits */
    size_t largest_bytes;        /* size of the largest encoded image */
    int file;                    /* for srq_dataset_read, or -1 */
    char path[4352];
    float *mean, *std;       /* [channels] */
    char **class_names;      /* [classes] */
    srq_split splits[2];     /* indexed by srq_split_name */
    bool images_are_foreign; /* srq_dataset_use_images */
} srq_dataset;

/* SRQ_LOAD_LATER: leaves out images of one size, for srq_dataset_read_images. */
enum { SRQ_LOAD_TRAIN = 1, SRQ_LOAD_TEST = 2, SRQ_LOAD_LATER = 4 };

/* Reads the splits `which` (a sum of SRQ_LOAD_*) of `path` into memory. The counts of both splits are always set.
 * Encoded images stay in the file, and all ranks of a machine share them through the file cache. Everything is checked:
 * format, version, types, shapes, the range of labels, finite mean, positive std, and increasing offsets up to the
 * number of bytes. SRQ_ERROR_DATA, with a message that names the file and the data set. The caller destroys *dataset.
 */
srq_status srq_dataset_load(const char *path, unsigned which, srq_dataset **dataset);
void srq_dataset_destroy(srq_dataset **dataset);

/* For a data set that was loaded with SRQ_LOAD_LATER, so that processes can share its images: the bytes of all images
 * of the loaded splits (0 if they are encoded); reads them from the file to `images` (errors as above); and uses
 * `images` from now on, which must outlive the data set. */
size_t srq_dataset_images_size(const srq_dataset *dataset);
srq_status srq_dataset_read_images(const srq_dataset *dataset, uint8_t *images);
void srq_dataset_use_images(srq_dataset *dataset, uint8_t *images);

/* The factors from pixels of 0 to 255 to the numbers that a network reads: (float)pixel * multiply[c] + add[c]. All
 * arrays are [channels]. These numbers are (pixel / 255 - mean) / std, or, if mean and std are NULL, pixel / 255. */
void srq_normalization(int channels, const float *mean, const float *std, float *multiply, float *add);
/* Whether these are a mean and a standard deviation that give finite factors. */
bool srq_normalization_is_possible(float mean, float std);

/* Reads encoded image `index` of a loaded split into `bytes`, which has room for largest_bytes. *size is its size. Can
 * be called from any thread, because it is one pread(2). SRQ_ERROR_DATA if the checksum does not match. */
srq_status srq_dataset_read(const srq_dataset *dataset, srq_split_name split, size_t index, uint8_t *bytes,
                            size_t *size);

/* Prints what `srq data info` shows: sizes, classes with their counts, statistics, source. */
srq_status srq_dataset_info(const char *path, FILE *out);

#endif
