/* What `srq predict` looks at: image files, also those in folders, or the images of a split of a data set. */
#ifndef SRQ_EXPERIMENTS_TRAIN_PREDICT_INPUTS_H
#define SRQ_EXPERIMENTS_TRAIN_PREDICT_INPUTS_H

#include "experiments/srq/train/holdout.h"
#include "experiments/srq/train/image_view.h"

typedef struct srq_predict_file {
    char *path;
    char *problem; /* why it cannot be read, if that is known already; otherwise NULL */
} srq_predict_file;

typedef struct srq_predict_inputs {
    long count;
    /* Files: */
    srq_predict_file *files; /* [count], or NULL */
    long room;
    long left_out; /* number of other files in folders */
    uint8_t *bytes;
    size_t bytes_room;
    /* A split: */
    const srq_dataset *dataset;
    srq_split_name split;
    const char *split_name;
    srq_holdout holdout;
    const size_t *indices; /* [count]: of the images in the split; NULL: all of them in order */
} srq_predict_inputs;

/* Whether `path` is meant to be a data set: it is a file that ends in .h5 or begins like an HDF5 file. */
bool srq_predict_is_dataset(const char *path);

/* Lists files and the images (.jpg, .jpeg, .png, in upper or lower case) in folders and in the folders below them.
 * Inputs keep their order; within a folder, names are in the order of their bytes. Hidden files are ignored. What
 * cannot be read becomes a file with a problem. SRQ_ERROR_RUN without memory. The caller frees *inputs, also after a
 * failure.
 */
srq_status srq_predict_list(int count, char *const *paths, srq_predict_inputs *inputs);
/* The names of splits are "test", "train" (without validation images) and "validation" (those of the settings). The
 * split must be loaded. SRQ_ERROR_USAGE if the settings have no validation images. */
srq_status srq_predict_list_split(const srq_dataset *dataset, const srq_settings *settings, const char *split,
                                  srq_predict_inputs *inputs);
void srq_predict_inputs_free(srq_predict_inputs *inputs);

/* The name of image `index`: its path, or "test/17". Returns it, or `out`. */
const char *srq_predict_name(const srq_predict_inputs *inputs, long index, char *out, size_t size);
/* The class that the data set gives the image, or -1. */
int srq_predict_label(const srq_predict_inputs *inputs, long index);
/* Writes the view of image `index` to to[height][width][channels]. SRQ_ERROR_DATA if it cannot be read; the message
 * does not name the image. */
srq_status srq_predict_make(srq_predict_inputs *inputs, const srq_view *view, srq_view_bench *bench, long index,
                            float *to);

#endif
