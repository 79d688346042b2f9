/* Golden cases are inputs and float64 results of quantizers, in an HDF5 file of format "srq-golden" version 1. Each
 * group is a case with the attribute method:
 *   srq, lsq, ste: attributes bits, signed, alpha, sigma (if the method has it), estimator (srq); data sets x, grad_out
 *     (inputs), code, y, grad_x, grad_alpha, grad_sigma (answers);
 *   srq with gates on its levels (DropBits): also the attribute min_bits, the input mask, one gate for each bit above
 *     min_bits, and the answer grad_mask, which counts for gates between 0 and 1 and may be missing without any;
 *   rq, rq_st: as srq without estimator and code; also the attribute tau (the temperature) and the input gumbel, one
 *     number for each element and code;
 *   hard_concrete: attributes tau, gamma, zeta; inputs phi, u, grad_out; answers z, z_eval, p_open, grad_phi,
 *     grad_p_open. */
#ifndef SRQ_IO_GOLDEN_H
#define SRQ_IO_GOLDEN_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct srq_golden_case {
    char name[64], method[32], estimator[16];
    bool masked;   /* the case has gates on its levels (DropBits) */
    bool complete; /* the method is one of the above, and the fields below that it has are filled */
    int bits;
    bool is_signed, has_sigma;
    double alpha, sigma;
    size_t count;
    float *x, *grad_out;                    /* [count] */
    int32_t *code;                          /* [count]; NULL for rq and rq_st */
    double *y;                              /* [count] */
    double *grad_x, grad_alpha, grad_sigma; /* grad_x [count] */
    /* Gates */
    int min_bits;
    size_t gates;      /* bits - min_bits */
    float *mask;       /* [gates], 0 to 1 */
    double *grad_mask; /* [gates] or NULL */
    /* rq, rq_st, and tau of hard_concrete */
    double tau;
    float *gumbel; /* [count][2^bits] */
    /* hard_concrete; all [count] */
    double gamma, zeta;
    float *phi, *u;
    double *z, *z_eval, *p_open, *grad_phi, *grad_p_open;
} srq_golden_case;

/* Reads all cases of a file; SRQ_ERROR_DATA as for any HDF5 input. The caller frees with srq_golden_free. */
srq_status srq_golden_read(const char *path, srq_golden_case **cases, size_t *count);
void srq_golden_free(srq_golden_case *cases, size_t count);

#endif
