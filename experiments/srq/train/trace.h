/* A trace records what every rank does during some steps, in one file for Perfetto (ui.perfetto.dev) or
 * chrome://tracing.
 *
 * Each rank stores events in arrays that are allocated at the start, one for each lane. Only one thread writes to a
 * lane. So a step allocates nothing, and no thread waits for another. After the last step, rank 0 gathers all events,
 * converts their times to its own clock, and writes the file. */
#ifndef SRQ_EXPERIMENTS_TRAIN_TRACE_H
#define SRQ_EXPERIMENTS_TRAIN_TRACE_H

#include "core/graph.h"
#include "dist/comm.h"

#include <stdint.h>

/* Lanes are the threads shown in the file. Each has one writer. */
typedef enum srq_lane {
    SRQ_LANE_COMPUTE,
    SRQ_LANE_COMMUNICATION, /* written by the same thread; communication that computation does not hide */
    SRQ_LANE_LOADER,
    SRQ_LANE_WRITER, /* the checkpoint writer */
    SRQ_LANES
} srq_lane;

typedef enum srq_event {
    SRQ_EVENT_STEP,
    SRQ_EVENT_BEGIN,    /* gates are drawn, weights are quantized and packed */
    SRQ_EVENT_SHARD,    /* forward and backward pass of one shard */
    SRQ_EVENT_DATA,     /* waiting for its images */
    SRQ_EVENT_ADD,      /* part of SHARD: gradients are added to those of other shards and sent */
    SRQ_EVENT_UNPACK,   /* part of ADD: gradients are reordered from the kernels' order */
    SRQ_EVENT_SUM,      /* sums over ranks, with the backward pass of the weight quantizers */
    SRQ_EVENT_EXCHANGE, /* part of SUM: waiting for other ranks and their sums */
    SRQ_EVENT_FINISH,   /* part of SUM: backward pass of the weight quantizers */
    SRQ_EVENT_UPDATE,   /* optimizer, and gathering new weights */
    SRQ_EVENT_OPTIMIZE,
    SRQ_EVENT_JOIN,
    SRQ_EVENT_EVALUATE,
    SRQ_EVENT_CHECKPOINT,
    SRQ_EVENT_LOAD,  /* a micro-batch is made in advance */
    SRQ_EVENT_WRITE, /* a checkpoint is written in the background */
    SRQ_EVENTS       /* operators follow: SRQ_EVENTS + layer * SRQ_PHASES + phase */
} srq_event;

typedef struct srq_trace srq_trace;

/* Prepares a trace with a file in folder `dir`. Rank 0 makes the folder when it writes the file. The caller destroys
 * *trace. */
srq_status srq_trace_create(srq_comm *comm, const char *dir, srq_trace **trace);
void srq_trace_destroy(srq_trace **trace);
/* The observer for the graph's options. Operators are recorded during shards. */
srq_observer srq_trace_observer(srq_trace *trace);

/* Collective, before the first step: allocates memory for steps first to last (1 is the first) and compares the clocks
 * of the ranks. SRQ_ERROR_RUN, agreed by all ranks. */
srq_status srq_trace_start(srq_trace *trace, const srq_graph *graph, long first, long last, long own_shards);

/* All functions below accept NULL as the trace, and then do nothing. */

/* To be called before step `step` (1 is the first). Decides whether events are recorded from now on. */
void srq_trace_begin_step(srq_trace *trace, long step);
/* This rank's clock in nanoseconds; 0 while nothing is recorded. */
int64_t srq_trace_now(const srq_trace *trace);
/* Records an event that began at `begin`, a value of srq_trace_now(), and ends now. `number` is a step or a shard. If
 * `begin` is 0, nothing is recorded. */
void srq_trace_add(srq_trace *trace, srq_lane lane, srq_event event, long number, int64_t begin);
/* Records an event between two values of srq_seconds(). Events shorter than a microsecond are not recorded. */
void srq_trace_add_span(srq_trace *trace, srq_lane lane, srq_event event, double begin, double end);
/* Whether operators are recorded from now on. They are not during evaluation. */
void srq_trace_operators(srq_trace *trace, bool kept);
/* Sets the beginning of the next operator to now. */
void srq_trace_mark(srq_trace *trace);

/* Collective, between steps: writes the file if `step` was the last one to record, or if `end` says that no more steps
 * follow. *path is then its name (valid until the trace is destroyed); otherwise it is NULL. SRQ_ERROR_RUN, on rank 0
 * only, if the file cannot be written. */
srq_status srq_trace_end_step(srq_trace *trace, long step, bool end, const char **path);

#endif
