/* How `srq predict` prints: a table for people, CSV or JSON. Names of images and classes are made safe (io/escape.h).
 */
#ifndef SRQ_EXPERIMENTS_TRAIN_PREDICT_PRINT_H
#define SRQ_EXPERIMENTS_TRAIN_PREDICT_PRINT_H

#include "core/status.h"

#include <stdbool.h>
#include <stdio.h>

typedef enum srq_predict_form { SRQ_PREDICT_TABLE, SRQ_PREDICT_CSV, SRQ_PREDICT_JSON } srq_predict_form;

typedef struct srq_predict_printer {
    srq_predict_form form;
    FILE *out;
    int classes, top;       /* top: 1 to classes */
    bool labels, logits;    /* whether images have labels; whether logits are printed */
    int name_width;         /* table: columns of the longest name of an image */
    char *const *names;     /* [classes] */
    const char *checkpoint; /* JSON, like the next three */
    long step;
    const char *data, *normalization;
    /* Private: */
    int *order; /* [classes]: the classes from the most to the least probable */
    long printed;
} srq_predict_printer;

/* An image and what the network says. */
typedef struct srq_prediction {
    const char *image;
    int label;           /* -1: none */
    const float *logits; /* [classes], finite */
    const char *problem; /* not NULL: the image is bad, for this reason, and there are no logits */
} srq_prediction;

/* Prints what comes before the first image. SRQ_ERROR_RUN without memory. srq_predict_print_end frees it. */
srq_status srq_predict_print_begin(srq_predict_printer *printer);
/* Prints a line. For a bad image, only JSON has one; it is also a line on stderr. */
void srq_predict_print(srq_predict_printer *printer, const srq_prediction *prediction);
/* Prints the end. Of images with labels, `wrong` of `count` are predicted wrongly. */
void srq_predict_print_end(srq_predict_printer *printer, long wrong, long count);

/* The class with the largest logit; of equal ones, the first, as in evaluation. */
int srq_predict_best(const float *logits, int classes);

#endif
