/* A folder of images by class, in ImageNet's layout: train/CLASS/IMAGE, and test/CLASS/IMAGE or val/CLASS/IMAGE. IMAGE
 * ends in .jpg, .jpeg or .png, in upper or lower case. Hidden files are ignored. */
#ifndef SRQ_IO_FOLDER_H
#define SRQ_IO_FOLDER_H

#include "core/status.h"
#include "io/dataset.h"

#include <stddef.h>
#include <stdint.h>

typedef struct srq_folder {
    char *source; /* path of the folder */
    char *text; /* the paths of all images below it, each with a terminating zero: training, then test; ordered by class
                   and name */
    size_t size;        /* size of the text */
    size_t counts[2];   /* number of images, indexed by srq_split_name */
    const char **paths; /* [counts[0] + counts[1]], pointers into the text */
    int32_t *labels;    /* for each image: index of its class in the sorted names of training classes */
    int classes;
    char **class_names; /* [classes] */
    size_t left_out;    /* number of other files beside the images, and of folders below the classes */
} srq_folder;

/* Lists `source`. SRQ_ERROR_DATA if a part is missing or cannot be read, a class folder is empty, there are fewer than
 * two classes, or a test class is not a training class. The caller destroys *folder. */
srq_status srq_folder_list(const char *source, srq_folder **folder);
/* Makes the same folder from the text, in another process. */
srq_status srq_folder_from_text(const char *source, const char *text, size_t size, srq_folder **folder);
void srq_folder_destroy(srq_folder **folder);

#endif
