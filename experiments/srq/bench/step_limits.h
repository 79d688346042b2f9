/* What limits the operators of a training step: the bytes that they move and the operations that they make, beside what
 * one core of the machine can do. */
#ifndef SRQ_EXPERIMENTS_BENCH_STEP_LIMITS_H
#define SRQ_EXPERIMENTS_BENCH_STEP_LIMITS_H

#include "core/graph.h"
#include "core/ops/op.h"
#include "experiments/srq/bench/conv_peak.h"

/* Measured on one core while the others may be idle. */
typedef struct srq_machine {
    double bandwidth;     /* bytes per second between the core and memory */
    srq_conv_peak codes;  /* a large convolution of codes with the back end of the step, ... */
    srq_conv_peak floats; /* of float32, ... */
    srq_conv_peak mixed;  /* and of codes with "mixed", if it exists: dense layers use it in "integer" */
} srq_machine;

/* The times of a step on one core. */
typedef struct srq_step_sample {
    const srq_graph *graph;
    double (*phases)[SRQ_PHASES]; /* [layers]: seconds */
    double images;                /* that took them */
} srq_step_sample;

/* Measures for about a quarter of a second. SRQ_ERROR_RUN without memory. */
srq_status srq_machine_measure(const srq_graph *graph, srq_machine *machine);

/* The entry of the tables to which a layer belongs: its operator, or "chain". */
const char *srq_layer_family(const srq_layer *layer);
/* The name of the family of chains, and of an operator. */
extern const char srq_chain_family[];
const char *srq_op_family(const srq_op *op);
/* Whether operator `op` (core/ops/op.h) is the first one of its family. */
bool srq_op_begins_family(int op);

/* What a layer reads and writes in a phase for one image, in bytes, if all of it comes from memory, and how many
 * operations it makes: a multiply-accumulate counts as two. 0 in phases that a layer does not have. */
double srq_layer_bytes(const srq_layer *layer, srq_phase phase);
double srq_layer_operations(const srq_layer *layer, srq_phase phase);

/* Prints both tables: all operators, and layers with weights by number format. */
void srq_step_limits_print(const srq_step_sample *sample, const srq_machine *machine);

#endif
