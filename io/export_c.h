/* The parts of the format c of `srq export`, for the files that write it (io/export_c*.c). */
#ifndef SRQ_IO_EXPORT_C_H
#define SRQ_IO_EXPORT_C_H

#include "core/deploy.h"
#include "io/export.h"

#include <stdio.h>

/* --- Steps: what the C file computes, one function call each */

typedef enum srq_c_kind {
    SRQ_C_CODES,  /* sums of a convolution -> codes, by thresholds */
    SRQ_C_SUMS,   /* sums of a convolution -> float32 */
    SRQ_C_REALS,  /* a convolution of which a factor is no integer -> float32 */
    SRQ_C_SIMPLE, /* the operation itself */
} srq_c_kind;

/* Codes of up to this many bits have integer thresholds for each channel. For more bits they would take more memory
 * than the weights, so the sum becomes a float32, and the thresholds, which then are floats, are those of all channels.
 */
enum { SRQ_C_INTEGER_BITS = 4 };

typedef struct srq_c_step {
    srq_c_kind kind;
    int op;      /* the operation, or the convolution */
    int affine;  /* operation that applies scales to its sums, or -1 */
    int pool;    /* operation that takes the maximum of windows before codes, or -1 */
    int last;    /* the operation whose output this step gives; `op` if nothing follows */
    bool wide;   /* sums need 64 bits */
    int row;     /* convolutions: number of weights of an output */
    double most; /* a bound of the magnitude of integer sums */
    /* Where its output is: in the array of codes (bytes) or floats, at this element. */
    size_t place;
    bool in_place; /* it overwrites its first input */
} srq_c_step;

typedef struct srq_c_plan {
    const srq_deploy *net;
    int step_count;
    srq_c_step *steps;
    int *step_of;         /* [op_count]: the step that gives the output of an operation, or -1 inside of a step */
    size_t codes, floats; /* elements of the two arrays of activations */
    size_t row, real_row; /* largest number of weights of an output, of integer and of other sums */
    size_t values;        /* elements of the array for values of codes that REALS read; 0: none */
    bool fixed, pixels;   /* the images are needed as integers X; as floats */
    size_t images;        /* elements of an image */
} srq_c_plan;

/* SRQ_ERROR_USAGE if the network is too large for the sizes of the C file. The caller frees the plan. */
srq_status srq_c_plan_make(const srq_deploy *net, srq_c_plan *plan);
void srq_c_plan_free(srq_c_plan *plan);
const srq_c_step *srq_c_input(const srq_c_plan *plan, const srq_c_step *step, int k); /* NULL for the images */

/* --- Thresholds */

/* The code of a sum, as the interpreter computes it: from the exact sum of channel c to the code of the step's output.
 */
int srq_c_code_of_sum(const srq_c_plan *plan, const srq_c_step *step, int c, int64_t sum);
/* Whether codes fall with the sum of channel c: thresholds are then compared with -1 - sum. */
bool srq_c_falls(const srq_c_plan *plan, const srq_c_step *step, int c);
/* thresholds[max - min] of channel c: the code is min + the number of thresholds that are not above the sum. INT64_MAX
 * for one that no sum reaches. */
void srq_c_thresholds(const srq_c_plan *plan, const srq_c_step *step, int c, int64_t *thresholds);
/* The same for floats after the step's affine function: for all channels. INFINITY for one that is not reached. */
void srq_c_float_thresholds(const srq_c_plan *plan, const srq_c_step *step, float *thresholds);

/* --- Text */

/* Tables of a step: weights, thresholds, factors. Adds their bytes to *flash. */
srq_status srq_c_write_tables(const srq_c_plan *plan, int step, FILE *out, size_t *flash);
/* The functions that the steps call. */
void srq_c_write_kernels(const srq_c_plan *plan, FILE *out);
/* The suffix of the functions for a convolution: "u8" for unsigned codes. */
const char *srq_c_suffix(const srq_c_plan *plan, const srq_c_step *step);
/* The call of a step. */
void srq_c_write_call(const srq_c_plan *plan, int step, FILE *out);
/* Lists of numbers, wrapped. */
void srq_c_write_bytes(const uint8_t *bytes, size_t count, FILE *out);
void srq_c_write_floats(const float *x, size_t count, FILE *out);
void srq_c_write_integers(const int64_t *x, size_t count, bool wide, FILE *out);

#endif
