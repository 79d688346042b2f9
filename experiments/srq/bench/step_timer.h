/* Measures training steps on random images on one core, and the time of quantizers in them. */
#ifndef SRQ_EXPERIMENTS_BENCH_STEP_TIMER_H
#define SRQ_EXPERIMENTS_BENCH_STEP_TIMER_H

#include "core/status.h"
#include "io/config.h"

typedef struct srq_step_timer srq_step_timer;

typedef struct srq_step_times {
    double step;       /* seconds of a whole step: forward, backward, sum over shards, optimizer */
    double quantizers; /* seconds of quantizers: codes and gradients of weights and activations. Converting codes to
                          float32 for a convolution counts as the convolution */
} srq_step_times;

/* Builds the network of `config`, which must outlive the timer, and everything for a step of train.batch images in
 * train.shards shards. SRQ_ERROR_* like srq_graph_create. The caller destroys *timer. */
srq_status srq_step_timer_create(const srq_config *config, srq_step_timer **timer);
void srq_step_timer_destroy(srq_step_timer **timer);

/* Runs one step. Learning rates are tiny, so that all steps do the same work. SRQ_ERROR_RUN if the network produces an
 * infinity or NaN. Call it from one thread only, because the clock is global. */
srq_status srq_step_timer_run(srq_step_timer *timer, srq_step_times *times);

#endif
