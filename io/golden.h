/* Golden cases: inputs and float64 answers for quantizers, in an HDF5 file of format "srq-golden" version 1. Each group
 * is a case: attributes method, estimator, bits, signed, alpha, sigma; data sets x, grad_out (inputs), code, y, grad_x,
 * grad_alpha, grad_sigma (answers). */
#ifndef SRQ_IO_GOLDEN_H
#define SRQ_IO_GOLDEN_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct srq_golden_case {
    char name[64], method[32], estimator[16];
    bool masked;   /* the case has gates on its levels (DropBits) */
    bool complete; /* the fields below are filled: method is srq, lsq or ste without gates */
    int bits;
    bool is_signed, has_sigma;
    double alpha, sigma;
    size_t count;
    float *x, *grad_out;                    /* [count] */
    int32_t *code;                          /* [count] */
    double *grad_x, grad_alpha, grad_sigma; /* grad_x [count] */
} srq_golden_case;

/* Reads all cases of a file; SRQ_ERROR_DATA as for any HDF5 input. The caller frees with srq_golden_free. */
srq_status srq_golden_read(const char *path, srq_golden_case **cases, size_t *count);
void srq_golden_free(srq_golden_case *cases, size_t count);

#endif
