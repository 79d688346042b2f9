/* A trace: what every rank did when, over some steps, as one file for Perfetto (ui.perfetto.dev) or chrome://tracing.
 *
 * Each rank keeps events in arrays made at the start, one for each lane, so that a step allocates nothing and no thread
 * waits for another: a lane has one writer. When the last step of the window is over, rank 0 gathers them, brings their
 * clocks to its own, and writes the file. */
#ifndef SRQ_EXPERIMENTS_TRAIN_TRACE_H
#define SRQ_EXPERIMENTS_TRAIN_TRACE_H

#include "core/graph.h"
#include "dist/comm.h"

#include <stdint.h>

/* Threads of the file: each with one writer. */
typedef enum srq_lane {
    SRQ_LANE_COMPUTE,
    SRQ_LANE_COMMUNICATION, /* by the same thread; what computing does not hide */
    SRQ_LANE_LOADER,
    SRQ_LANE_WRITER, /* of checkpoints */
    SRQ_LANES
} srq_lane;

typedef enum srq_event {
    SRQ_EVENT_STEP,
    SRQ_EVENT_BEGIN,    /* gates, weights quantized and packed */
    SRQ_EVENT_SHARD,    /* one shard's forward and backward */
    SRQ_EVENT_DATA,     /* waiting for its images */
    SRQ_EVENT_ADD,      /* in it: gradients added to those of other shards, and sent off */
    SRQ_EVENT_UNPACK,   /* ... weights' gradients out of the kernels' order */
    SRQ_EVENT_SUM,      /* sums over ranks, with the quantizers' backward */
    SRQ_EVENT_EXCHANGE, /* ... waiting for other ranks and their sums */
    SRQ_EVENT_FINISH,   /* ... the weight quantizers' backward */
    SRQ_EVENT_UPDATE,   /* optimizer, and new weights from all ranks */
    SRQ_EVENT_OPTIMIZE,
    SRQ_EVENT_JOIN,
    SRQ_EVENT_EVALUATE,
    SRQ_EVENT_CHECKPOINT,
    SRQ_EVENT_LOAD,  /* a micro-batch made ahead */
    SRQ_EVENT_WRITE, /* a checkpoint written behind */
    SRQ_EVENTS       /* and from here on: operators, layer * SRQ_PHASES + phase */
} srq_event;

typedef struct srq_trace srq_trace;

/* For a file in folder `dir`, which is made by rank 0 when there is something to write. The caller destroys *trace. */
srq_status srq_trace_create(srq_comm *comm, const char *dir, srq_trace **trace);
void srq_trace_destroy(srq_trace **trace);
/* For the graph's options: operators are recorded while a shard is. */
srq_observer srq_trace_observer(srq_trace *trace);

/* Collective, before the first step: makes room for steps [first, last] of the network (1 is the first) and compares
 * the ranks' clocks. SRQ_ERROR_RUN agreed by all ranks. */
srq_status srq_trace_start(srq_trace *trace, const srq_graph *graph, long first, long last, long own_shards);

/* Everything below takes a trace of NULL, and then does nothing. */

/* Before step `step` (1 is the first): whether events are kept from now on. */
void srq_trace_begin_step(srq_trace *trace, long step);
/* Nanoseconds of this rank's clock; 0 when nothing is kept. */
int64_t srq_trace_now(const srq_trace *trace);
/* Something that began at `begin`, an srq_trace_now(), and has just ended; `number` is a step or a shard. Where `begin`
 * is 0 nothing was kept then. */
void srq_trace_add(srq_trace *trace, srq_lane lane, srq_event event, long number, int64_t begin);
/* The same of something between two moments of srq_seconds(); what took less than a microsecond is left out. */
void srq_trace_add_span(srq_trace *trace, srq_lane lane, srq_event event, double begin, double end);
/* Operators that are done from now on are kept, or are not (in evaluation). */
void srq_trace_operators(srq_trace *trace, bool kept);
/* The next operator begins now. */
void srq_trace_mark(srq_trace *trace);

/* Collective, between steps: if `step` was the last of the window, or `end` says that no more will come, writes the
 * file; *path then names it (valid until the trace is destroyed), else it is NULL. SRQ_ERROR_RUN on rank 0 alone if it
 * cannot be written. */
srq_status srq_trace_end_step(srq_trace *trace, long step, bool end, const char **path);

#endif
