/* The data sets of a checkpoint, for commands that look at single ones. */
#ifndef SRQ_EXPERIMENTS_INSPECT_TENSORS_H
#define SRQ_EXPERIMENTS_INSPECT_TENSORS_H

#include "core/status.h"
#include "io/h5.h"

#include <stdio.h>

enum { SRQ_TENSOR_NAME_MAX = 400, SRQ_SHAPE_TEXT = 200 };

typedef struct srq_tensor_info {
    char *name;    /* "layers/conv1/weight" */
    char type[16]; /* srq_h5_type: "float32" */
    bool numbers;  /* floats or integers, at most 8 dimensions: can be read */
    int rank;      /* 0 for a scalar */
    size_t shape[8], count;
} srq_tensor_info;

typedef struct srq_tensors {
    const srq_h5_reader *reader;
    int count, room;
    srq_tensor_info *all; /* in alphabetical order */
} srq_tensors;

/* Lists the data sets of a file that stays open as long. SRQ_ERROR_DATA for what no checkpoint has: very many, groups
 * within groups without end, names with control characters. The caller frees, also after a failure. */
srq_status srq_tensors_list(const srq_h5_reader *reader, srq_tensors *tensors);
void srq_tensors_free(srq_tensors *tensors);

/* The one called `name`, where "layers/" and a slash ahead may be left out. SRQ_ERROR_USAGE if there is none, with the
 * names that are near. */
srq_status srq_tensors_find(const srq_tensors *tensors, const char *name, const srq_tensor_info **found);

/* The values of one that holds numbers as doubles, which the caller frees. */
srq_status srq_tensor_read(const srq_tensors *tensors, const srq_tensor_info *tensor, double **values);

/* "[6][1][5][5]", or "scalar". Returns `out`. */
char *srq_shape_print(int rank, const size_t *shape, char out[SRQ_SHAPE_TEXT]);
/* Which element the index-th is: "[5][0][4][4]", "" in a scalar. Returns `out`. */
char *srq_place_print(int rank, const size_t *shape, size_t index, char out[SRQ_SHAPE_TEXT]);

/* A number in JSON, with the digits that read back as the same number; null if it is not finite. Returns `out`. */
enum { SRQ_JSON_NUMBER = 32 };
char *srq_json_number(double value, char out[SRQ_JSON_NUMBER]);
/* The same for the nearest float32 of a value. */
char *srq_json_float(double value, char out[SRQ_JSON_NUMBER]);
/* A shape as a JSON list. */
void srq_json_shape(int rank, const size_t *shape, FILE *out);

#endif
