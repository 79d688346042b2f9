/* Training steps on images drawn at random, on one core: how long they take, and how much of it is quantizers. */
#ifndef SRQ_EXPERIMENTS_BENCH_STEP_TIMER_H
#define SRQ_EXPERIMENTS_BENCH_STEP_TIMER_H

#include "core/status.h"
#include "io/config.h"

typedef struct srq_step_timer srq_step_timer;

typedef struct srq_step_times {
    double step;       /* seconds of a whole step: forward, backward, sum over shards, optimizer */
    double quantizers; /* of them in quantizers: codes and gradients of weights and activations. Codes that a
                          convolution widens to float32 count as the convolution's */
} srq_step_times;

/* Builds the network of `config`, which must live as long, and what a step of train.batch images in train.shards
 * shards needs. SRQ_ERROR_* as srq_graph_create. The caller destroys *timer. */
srq_status srq_step_timer_create(const srq_config *config, srq_step_timer **timer);
void srq_step_timer_destroy(srq_step_timer **timer);

/* One step. Learning rates are next to nothing, so that every step finds the same work. SRQ_ERROR_RUN if the network
 * produces an infinity or NaN. From one thread: the clock is the process's. */
srq_status srq_step_timer_run(srq_step_timer *timer, srq_step_times *times);

#endif
