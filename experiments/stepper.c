#include "experiments/stepper.h"

#include "io/progress.h"

#include <stdlib.h>
#include <string.h>

static bool is_weight(const srq_parameter *p)
{
    return p->kind == SRQ_PARAMETER_WEIGHT;
}

/* The part of parameter p that lies in [begin, end) of the vector. */
static size_t part_of(const srq_parameter *p, size_t begin, size_t end, size_t *first)
{
    const size_t last = p->offset + p->count < end ? p->offset + p->count : end;
    *first = p->offset > begin ? p->offset : begin;
    return last > *first ? last - *first : 0;
}

static size_t count_others(const srq_graph *graph, size_t begin, size_t end)
{
    size_t count = 0, first;
    for (int i = 0; i < srq_graph_parameter_count(graph); i++)
        if (!is_weight(srq_graph_parameter(graph, i)))
            count += part_of(srq_graph_parameter(graph, i), begin, end, &first);
    return count;
}

static srq_status allocate(srq_stepper *s)
{
    const int ranks = srq_comm_size(s->comm);
    const size_t borders = (size_t)ranks + 1;
    s->slices = calloc(3 * borders, sizeof *s->slices);
    s->gathered = calloc((size_t)s->shards * SRQ_SHARD_VALUES, sizeof *s->gathered);
    if (!s->slices || !s->gathered) return srq_fail_memory(3 * borders * sizeof *s->slices, "a step");
    s->slot_slices = s->slices + borders;
    s->other_slices = s->slot_slices + borders;
    for (int r = 0; r <= ranks; r++) {
        s->slices[r] = srq_finish_slice(s->finish, r, ranks);
        s->slot_slices[r] = srq_finish_slots(s->finish, r, ranks);
        s->other_slices[r] = count_others(s->graph, 0, s->slices[r]);
    }
    s->slots = calloc(s->slot_slices[ranks] + 1, sizeof *s->slots);
    s->others = calloc(s->other_slices[ranks] + 1, sizeof *s->others);
    if (!s->slots || !s->others) return srq_fail_memory(s->slot_slices[ranks] * sizeof *s->slots, "a step");
    return SRQ_OK;
}

srq_status srq_stepper_create(srq_comm *comm, srq_graph *graph, srq_optimizer *optimizer, long shards, srq_stepper *s)
{
    *s = (srq_stepper){.comm = comm, .graph = graph, .optimizer = optimizer, .shards = shards};
    SRQ_TRY(srq_finish_create(graph, &s->finish));
    SRQ_TRY(allocate(s));
    return srq_reduce_create(comm, shards, srq_graph_size(graph), s->slices, srq_graph_vector(graph)->add, &s->reduce);
}

void srq_stepper_destroy(srq_stepper *s)
{
    srq_reduce_destroy(&s->reduce);
    srq_finish_destroy(&s->finish);
    free(s->slices);
    free(s->gathered);
    free(s->slots);
    free(s->others);
    *s = (srq_stepper){0};
}

void srq_stepper_range(const srq_stepper *s, long *first, long *last)
{
    srq_reduce_range(s->reduce, first, last);
}

/* Books the time since *since, and sets that to now. */
static void book(srq_stepper *s, srq_step_part part, double *since)
{
    const double now = srq_seconds();
    s->seconds[part] += now - *since;
    *since = now;
}

void srq_stepper_run(srq_stepper *s, long shard, int n, const int32_t *labels, int batch, bool stop)
{
    srq_metrics metrics;
    double since = srq_seconds();
    const int bad = srq_graph_train(s->graph, (int)shard, n, labels, batch, srq_reduce_leaf(s->reduce), &metrics);
    srq_reduce_push(s->reduce);
    book(s, SRQ_STEP_COMPUTE, &since);
    double *row = s->gathered + shard * SRQ_SHARD_VALUES;
    row[SRQ_SHARD_LOSS] = metrics.loss;
    row[SRQ_SHARD_CORRECT] = (double)metrics.correct;
    row[SRQ_SHARD_COUNT] = n;
    row[SRQ_SHARD_BAD_LAYER] = bad + 1;
    row[SRQ_SHARD_STOP] = stop;
}

static void unpack(const void *context, float *vector)
{
    srq_finish_unpack(context, vector);
}

/* Parameters that are no weights, between the gradient and `others`; those of slice `rank`, or all of them (-1). */
static void move_others(srq_stepper *s, int rank, bool back)
{
    const size_t begin = rank < 0 ? 0 : s->slices[rank], end = rank < 0 ? SIZE_MAX : s->slices[rank + 1];
    float *at = s->others + (rank < 0 ? 0 : s->other_slices[rank]);
    for (int i = 0; i < srq_graph_parameter_count(s->graph); i++) {
        const srq_parameter *p = srq_graph_parameter(s->graph, i);
        if (is_weight(p)) continue;
        size_t first;
        const size_t count = part_of(p, begin, end, &first);
        if (count == 0) continue;
        memcpy(back ? s->gradient + first : at, back ? at : s->gradient + first, count * sizeof *at);
        at += count;
    }
}

void srq_stepper_sum(srq_stepper *s, int *bad)
{
    const int rank = srq_comm_rank(s->comm), ranks = srq_comm_size(s->comm);
    double since = srq_seconds();
    srq_reduce_convert(s->reduce, unpack, s->finish);
    book(s, SRQ_STEP_UNPACK, &since);
    srq_reduce_gather(s->reduce, s->gathered, SRQ_SHARD_VALUES);
    s->gradient = srq_reduce_scatter(s->reduce);
    book(s, SRQ_STEP_EXCHANGE, &since);
    srq_finish_run(s->finish, s->gradient, rank, ranks, s->slots);
    book(s, SRQ_STEP_FINISH, &since);
    if (ranks > 1) {
        move_others(s, rank, false);
        srq_comm_gather(s->comm, s->others, s->other_slices, sizeof *s->others);
        srq_comm_gather(s->comm, s->slots, s->slot_slices, sizeof *s->slots);
        move_others(s, -1, true);
        book(s, SRQ_STEP_EXCHANGE, &since);
    }
    *bad = srq_finish_collect(s->finish, s->slots, s->gradient);
    book(s, SRQ_STEP_FINISH, &since);
}

void srq_stepper_update(srq_stepper *s, double factor)
{
    const int rank = srq_comm_rank(s->comm);
    double since = srq_seconds();
    srq_optimizer_step(s->optimizer, s->graph, s->gradient, s->slices[rank], s->slices[rank + 1], factor);
    book(s, SRQ_STEP_OPTIMIZE, &since);
    srq_reduce_join(s->reduce, srq_graph_values(s->graph));
    book(s, SRQ_STEP_JOIN, &since);
}

double srq_stepper_total(const srq_stepper *s, int value)
{
    double sum = 0;
    for (long i = 0; i < s->shards; i++) sum += s->gathered[i * SRQ_SHARD_VALUES + value];
    return sum;
}

void srq_stepper_join_state(srq_stepper *s)
{
    for (int i = 0; i < srq_optimizer_state_count(s->optimizer); i++)
        srq_reduce_join(s->reduce, srq_optimizer_state(s->optimizer, i));
}
