/* SGD with momentum, Adam and AdamW, with learning rates for each kind of parameter and learning-rate schedules. */
#ifndef SRQ_CORE_OPTIMIZER_H
#define SRQ_CORE_OPTIMIZER_H

#include "core/average.h"

typedef enum srq_optimizer_method { SRQ_SGD, SRQ_ADAM, SRQ_ADAMW } srq_optimizer_method;

typedef struct srq_optimizer_options {
    srq_optimizer_method method;
    double learning_rate;         /* weights, biases, batch-norm */
    double alpha_learning_rate;   /* log alpha */
    double sigma_learning_rate;   /* log sigma */
    double gate_learning_rate;    /* logits of DropBits' gates */
    double momentum;              /* sgd */
    bool nesterov;                /* sgd: a step goes by g + momentum * m instead of m, the momentum after the step */
    double beta1, beta2, epsilon; /* adam, adamw */
    double weight_decay; /* weights only: times w added to the gradient; adamw: w <- w (1 - rate * decay) first */
    double average;      /* decay of the average of the values (core/average.h); 0: none */
    bool in_parts;       /* this process updates only some of the weights: state of others takes no memory */
} srq_optimizer_options;

typedef enum srq_schedule_method { SRQ_CONSTANT, SRQ_STEP, SRQ_LINEAR, SRQ_COSINE } srq_schedule_method;

/* A learning-rate schedule: a factor on every learning rate. */
typedef struct srq_schedule {
    srq_schedule_method method;
    long total;      /* number of training steps */
    long warmup;     /* number of steps in which the factor rises linearly from 0 */
    long step_every; /* step: the factor is multiplied by `factor` after every step_every steps */
    double factor;
    double final; /* linear, cosine: the factor at the end */
} srq_schedule;

/* The factor for `step` (0 is the first): warm-up first, then the method over the remaining steps. */
double srq_schedule_factor(const srq_schedule *schedule, long step);

typedef struct srq_optimizer srq_optimizer;

/* Makes an optimizer with zero state for the graph's parameters. The caller destroys *optimizer. */
srq_status srq_optimizer_create(const srq_graph *graph, const srq_optimizer_options *options,
                                srq_optimizer **optimizer);
/* From now on, the gates' logits stay unchanged, whatever their gradient and momentum. */
void srq_optimizer_hold_gates(srq_optimizer *optimizer);
void srq_optimizer_destroy(srq_optimizer **optimizer);
/* Whether steps change parameters of this kind by their gradient: their learning rate is above 0. */
bool srq_optimizer_learns(const srq_optimizer *optimizer, srq_parameter_kind kind);

/* One step: updates the graph's values from `gradient`, with every learning rate multiplied by `factor`. alpha and
 * sigma are updated as logarithms, v <- v e^(-d), so they stay positive; d is clipped to [-1, 1]. Statistics move
 * towards those of the batch. Call srq_graph_prepare afterwards. */
void srq_optimizer_step(srq_optimizer *optimizer, srq_graph *graph, const float *gradient, double factor);
/* The same in parts: first the weights in [begin, end) of the vector, in as many calls as needed; then all other
 * parameters, which ends the step. */
void srq_optimizer_step_weights(srq_optimizer *optimizer, srq_graph *graph, const float *gradient, size_t begin,
                                size_t end, double factor);
void srq_optimizer_step_others(srq_optimizer *optimizer, srq_graph *graph, const float *gradient, double factor);

/* The average of the graph's values, with their layout; NULL without one. Its weights are updated in the same parts as
 * the values. Only the kinds of srq_average_has are used. */
float *srq_optimizer_average(srq_optimizer *optimizer);
/* Sets the average to the graph's values. */
void srq_optimizer_begin_average(srq_optimizer *optimizer, const srq_graph *graph);
/* Puts the average in the place of the graph's values, for an evaluation, or puts those back, before the next step: the
 * two are exchanged. Call srq_graph_prepare afterwards. Does nothing without an average, or if it is already so. */
void srq_optimizer_show_average(srq_optimizer *optimizer, srq_graph *graph, bool shown);
/* The same in parts: first the weights in [begin, end) of the vector, in as many calls as needed, while it is not yet
 * so; then everything else, which says that it is so. */
void srq_optimizer_exchange_weights(srq_optimizer *optimizer, srq_graph *graph, size_t begin, size_t end);
void srq_optimizer_exchange_others(srq_optimizer *optimizer, srq_graph *graph, bool shown);
bool srq_optimizer_shows_average(const srq_optimizer *optimizer);

/* The state for a checkpoint: the number of steps, and the state vectors with the layout of the graph's values. */
long srq_optimizer_steps(const srq_optimizer *optimizer);
void srq_optimizer_set_steps(srq_optimizer *optimizer, long steps);
int srq_optimizer_state_count(const srq_optimizer *optimizer);
const char *srq_optimizer_state_name(const srq_optimizer *optimizer, int index); /* "momentum"; "m", "v" */
float *srq_optimizer_state(srq_optimizer *optimizer, int index);

#endif
