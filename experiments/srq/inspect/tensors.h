/* The data sets of a checkpoint, for commands that show single tensors. */
#ifndef SRQ_EXPERIMENTS_INSPECT_TENSORS_H
#define SRQ_EXPERIMENTS_INSPECT_TENSORS_H

#include "core/status.h"
#include "io/h5.h"

#include <stdio.h>

enum { SRQ_TENSOR_NAME_MAX = 400, SRQ_SHAPE_TEXT = 200 };

typedef struct srq_tensor_info {
    char *name;    /* "layers/conv1/weight" */
    char type[16]; /* srq_h5_type: "float32" */
    bool numbers;  /* can be read: floats or integers with at most 8 dimensions */
    int rank;      /* 0 for a scalar */
    size_t shape[8], count;
} srq_tensor_info;

typedef struct srq_tensors {
    const srq_h5_reader *reader;
    int count, room;
    srq_tensor_info *all; /* in alphabetical order */
} srq_tensors;

/* Lists the data sets of a file, which must stay open as long as the list is used. SRQ_ERROR_DATA for files that cannot
 * be checkpoints: too many data sets, too deeply nested groups, names with control characters. The caller frees the
 * list, also after a failure. */
srq_status srq_tensors_list(const srq_h5_reader *reader, srq_tensors *tensors);
void srq_tensors_free(srq_tensors *tensors);

/* Finds the tensor `name`; "layers/" and a slash before it are optional. If there is none, SRQ_ERROR_USAGE with similar
 * names. */
srq_status srq_tensors_find(const srq_tensors *tensors, const char *name, const srq_tensor_info **found);

/* Reads the values of a tensor of numbers as doubles. The caller frees them. */
srq_status srq_tensor_read(const srq_tensors *tensors, const srq_tensor_info *tensor, double **values);

/* "[6][1][5][5]", or "scalar". Returns `out`. */
char *srq_shape_print(int rank, const size_t *shape, char out[SRQ_SHAPE_TEXT]);
/* The position of element `index`: "[5][0][4][4]", "" for a scalar. Returns `out`. */
char *srq_place_print(int rank, const size_t *shape, size_t index, char out[SRQ_SHAPE_TEXT]);

/* A JSON number with enough digits to read back the same number; null if it is not finite. Returns `out`. */
enum { SRQ_JSON_NUMBER = 32 };
char *srq_json_number(double value, char out[SRQ_JSON_NUMBER]);
/* The same for the float32 nearest to a value. */
char *srq_json_float(double value, char out[SRQ_JSON_NUMBER]);
/* A shape as a JSON list. */
void srq_json_shape(int rank, const size_t *shape, FILE *out);

#endif
