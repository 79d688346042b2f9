/* The attainable speed of convolutions: that of a large one, 3 x 3 on 256 channels, with a back end. */
#ifndef SRQ_EXPERIMENTS_BENCH_CONV_PEAK_H
#define SRQ_EXPERIMENTS_BENCH_CONV_PEAK_H

#include "core/graph.h"

typedef struct srq_conv_peak {
    double forward, backward; /* operations per second on one thread; a multiply-accumulate counts as two */
    const char *backward_in;  /* number format of the backward pass, as in srq_conv_info */
} srq_conv_peak;

/* Measures it for some hundredths of a second, with codes or with float32. SRQ_ERROR_RUN without memory. */
srq_status srq_conv_peak_measure(const srq_kernels *kernels, const srq_vector *vector, bool codes, srq_conv_peak *peak);

#endif
