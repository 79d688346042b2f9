/* A folder of images by class, ImageNet's layout: train/CLASS/IMAGE, and test/CLASS/IMAGE or val/CLASS/IMAGE, where
 * IMAGE ends in .jpg, .jpeg or .png in any case. Hidden files are no part of it. */
#ifndef SRQ_IO_FOLDER_H
#define SRQ_IO_FOLDER_H

#include "core/status.h"
#include "io/dataset.h"

#include <stddef.h>
#include <stdint.h>

typedef struct srq_folder {
    char *source; /* path of the folder */
    char *text;   /* the paths of all images below it, each ended by a zero: training, then test; by class, by name */
    size_t size;  /* of the text */
    size_t counts[2];   /* images, by srq_split_name */
    const char **paths; /* [counts[0] + counts[1]], in the text */
    int32_t *labels;    /* likewise: place of the class among the sorted names of training classes */
    int classes;
    char **class_names; /* [classes] */
    size_t left_out;    /* other files beside the images, and folders below the classes */
} srq_folder;

/* Lists `source`. SRQ_ERROR_DATA if a part is missing or cannot be read, a class folder is empty, there are fewer than
 * two classes, or a test class is none of training. The caller destroys *folder. */
srq_status srq_folder_list(const char *source, srq_folder **folder);
/* The same folder from the text of another process. */
srq_status srq_folder_from_text(const char *source, const char *text, size_t size, srq_folder **folder);
void srq_folder_destroy(srq_folder **folder);

#endif
