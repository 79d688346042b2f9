#include "experiments/srq/train/stepper.h"

#include "core/clip.h"
#include "dist/tree.h"
#include "io/progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_weight(const srq_parameter *p)
{
    return p->kind == SRQ_PARAMETER_WEIGHT;
}

static int group_count(const srq_stepper *s)
{
    return srq_finish_group_count(s->finish);
}

/* --- The small message: rows of shards, slots, and gradients of parameters that are not weights */

typedef enum direction { COUNT, PACK, UNPACK } direction;

/* Copies n doubles, or n floats if `floats` is not NULL. */
static size_t move(direction d, double *at, double *numbers, float *floats, size_t n)
{
    for (size_t i = 0; d != COUNT && i < n; i++) {
        if (d == PACK) at[i] = floats ? (double)floats[i] : numbers[i];
        if (d == UNPACK && floats) floats[i] = (float)at[i];
        if (d == UNPACK && numbers) numbers[i] = at[i];
    }
    return n;
}

/* The parameters in [begin, end) of the vector that are not weights. */
static size_t move_others(const srq_stepper *s, direction d, size_t begin, size_t end, double *at)
{
    size_t count = 0;
    for (int i = 0; i < srq_graph_parameter_count(s->graph); i++) {
        const srq_parameter *p = srq_graph_parameter(s->graph, i);
        if (is_weight(p)) continue;
        const size_t first = p->offset > begin ? p->offset : begin;
        const size_t last = p->offset + p->count < end ? p->offset + p->count : end;
        if (first >= last) continue;
        count += move(d, d == COUNT ? NULL : at + count, NULL, s->gradient ? s->gradient + first : NULL, last - first);
    }
    return count;
}

/* Copies between the message part of one rank and the places of its numbers. */
static size_t move_small(const srq_stepper *s, direction d, int rank)
{
    const int ranks = srq_comm_size(s->comm);
    long first, last;
    srq_tree_range(s->shards, ranks, rank, &first, &last);
    double *at = d == COUNT ? NULL : s->small + s->small_at[rank];
    size_t n = move(d, at, s->gathered + first * SRQ_SHARD_VALUES, NULL, (size_t)(last - first) * SRQ_SHARD_VALUES);
    for (int g = 0; g < group_count(s); g++) {
        const size_t slot = srq_finish_slots(s->finish, g, rank, ranks);
        n += move(d, d == COUNT ? NULL : at + n, s->slots + slot, NULL,
                  srq_finish_slots(s->finish, g, rank + 1, ranks) - slot);
        n += move_others(s, d, srq_finish_slice(s->finish, g, rank, ranks),
                         srq_finish_slice(s->finish, g, rank + 1, ranks), d == COUNT ? NULL : at + n);
    }
    return n;
}

/* --- Building */

static srq_status allocate_lanes(srq_stepper *s, int capacity)
{
    const size_t lanes = (size_t)srq_graph_lanes(s->graph), slices = (size_t)srq_graph_slices(s->graph);
    s->lanes = calloc(lanes, sizeof *s->lanes);
    bool whole = s->lanes != NULL;
    for (size_t l = 0; whole && l < lanes; l++) {
        srq_stepper_lane *lane = &s->lanes[l];
        lane->labels = calloc((size_t)capacity, sizeof *lane->labels);
        lane->gradients = calloc(slices, sizeof *lane->gradients);
        lane->metrics = calloc(slices, sizeof *lane->metrics);
        lane->bad = calloc(slices, sizeof *lane->bad);
        whole = lane->labels && lane->gradients && lane->metrics && lane->bad;
    }
    return whole ? SRQ_OK : srq_fail_memory(lanes * (size_t)capacity * sizeof(int32_t), "a step");
}

static srq_status allocate(srq_stepper *s)
{
    const int ranks = srq_comm_size(s->comm);
    s->small_at = calloc((size_t)ranks + 1, sizeof *s->small_at);
    s->gathered = calloc((size_t)s->shards * SRQ_SHARD_VALUES, sizeof *s->gathered);
    s->slots = calloc(srq_finish_slot_count(s->finish) + 1, sizeof *s->slots);
    if (!s->small_at || !s->gathered || !s->slots) return srq_fail_memory(0, "a step");
    for (int r = 0; r < ranks; r++) s->small_at[r + 1] = s->small_at[r] + move_small(s, COUNT, r);
    s->small = calloc(s->small_at[ranks], sizeof *s->small);
    return s->small ? SRQ_OK : srq_fail_memory(s->small_at[ranks] * sizeof *s->small, "a step");
}

/* Adds the time since *since to a part of the step, and sets *since to now. */
static void book(srq_stepper *s, srq_step_part part, double *since)
{
    const double now = srq_seconds();
    s->seconds[part] += now - *since;
    *since = now;
}

/* The same for parts that are also events of the trace. */
static void book_event(srq_stepper *s, srq_step_part part, double *since)
{
    static const srq_event events[SRQ_STEP_PARTS] = {[SRQ_STEP_UNPACK] = SRQ_EVENT_UNPACK,
                                                     [SRQ_STEP_EXCHANGE] = SRQ_EVENT_EXCHANGE,
                                                     [SRQ_STEP_FINISH] = SRQ_EVENT_FINISH,
                                                     [SRQ_STEP_OPTIMIZE] = SRQ_EVENT_OPTIMIZE,
                                                     [SRQ_STEP_JOIN] = SRQ_EVENT_JOIN};
    const bool communicates = part == SRQ_STEP_EXCHANGE || part == SRQ_STEP_JOIN;
    const double begin = *since;
    book(s, part, since);
    srq_trace_add_span(s->trace, communicates ? SRQ_LANE_COMMUNICATION : SRQ_LANE_COMPUTE, events[part], begin, *since);
}

/* Called on any worker when a bucket is complete. */
static void unpack(void *context, int group, int worker, float *vector)
{
    srq_stepper *s = context;
    double since = srq_seconds();
    srq_finish_unpack(s->finish, group, worker, vector);
    if (worker == 0) book_event(s, SRQ_STEP_UNPACK, &since);
}

/* Called during the backward pass, on the worker that runs it. */
static void ready(void *context, const srq_pass *pass, size_t offset)
{
    srq_stepper *s = context;
    if (pass->worker > 0) {
        srq_reduce_ready(s->reduce, pass->worker, pass->leaf, offset);
        return;
    }
    const double unpacking = s->seconds[SRQ_STEP_UNPACK], begin = srq_seconds();
    double since = begin;
    srq_reduce_ready(s->reduce, 0, pass->leaf, offset);
    srq_reduce_poll(s->reduce);
    since += s->seconds[SRQ_STEP_UNPACK] - unpacking;
    book(s, SRQ_STEP_SUM, &since);
    srq_trace_add_span(s->trace, SRQ_LANE_COMPUTE, SRQ_EVENT_ADD, begin, since);
    srq_trace_mark(s->trace);
}

/* `segments` receives the offsets of layers, from which the gradient is ready one after another. */
static srq_status make_reduce(srq_stepper *s, const srq_stepper_options *options, size_t *ends, size_t *slices,
                              size_t *segments, srq_reduce_range *coarse)
{
    const int ranks = srq_comm_size(s->comm), groups = group_count(s);
    int coarse_count = 0;
    ends[0] = srq_graph_size(s->graph);
    for (int g = 0; g < groups; g++) {
        ends[g + 1] = srq_finish_begin(s->finish, g);
        for (int r = 0; r <= ranks; r++) slices[g * (ranks + 1) + r] = srq_finish_slice(s->finish, g, r, ranks);
    }
    for (int i = 0; options->coarse && i < srq_graph_parameter_count(s->graph); i++) {
        const srq_parameter *p = srq_graph_parameter(s->graph, i);
        if (is_weight(p)) coarse[coarse_count++] = (srq_reduce_range){p->offset, p->offset + p->count};
    }
    const int layers = srq_graph_layer_count(s->graph);
    for (int i = 0; i < layers; i++) segments[i] = srq_graph_layer(s->graph, layers - 1 - i)->offset;
    const srq_reduce_plan plan = {.shards = s->shards,
                                  .shard_slices = srq_graph_slices(s->graph),
                                  .at_work = srq_graph_lanes(s->graph) * srq_graph_slices(s->graph),
                                  .segment_count = layers,
                                  .segments = segments,
                                  .size = srq_graph_size(s->graph),
                                  .bucket_count = groups,
                                  .ends = ends,
                                  .slices = slices,
                                  .add = srq_graph_vector(s->graph)->add,
                                  .convert = unpack,
                                  .context = s,
                                  .late = options->late,
                                  .coarse_count = coarse_count,
                                  .coarse = coarse};
    return srq_reduce_create(s->comm, &plan, &s->reduce);
}

/* What a stepper needs before it makes anything with other ranks. */
static srq_status prepare(srq_stepper *s, const srq_stepper_options *options)
{
    SRQ_TRY(allocate_lanes(s, options->capacity));
    /* The number of buckets is limited by the number of message tags. */
    const size_t least = srq_graph_size(s->graph) * sizeof(float) / (SRQ_BUCKETS_MAX - 1) + 1;
    SRQ_TRY(srq_finish_create(s->graph, options->bucket_bytes > least ? options->bucket_bytes : least, &s->finish));
    if (s->clip_norm > 0) srq_finish_measure(s->finish);
    return allocate(s);
}

srq_status srq_stepper_create(srq_comm *comm, srq_graph *graph, srq_optimizer *optimizer,
                              const srq_stepper_options *options, srq_stepper *s)
{
    *s = (srq_stepper){.comm = comm,
                       .graph = graph,
                       .optimizer = optimizer,
                       .shards = options->shards,
                       .clip_norm = options->clip_norm};
    pthread_mutex_init(&s->next_lock, NULL);
    s->values = (srq_node_values){.graph = graph, .whole = srq_graph_values(graph)};
    SRQ_TRY(srq_comm_agree(comm, prepare(s, options)));
    const size_t groups = (size_t)group_count(s), ranks = (size_t)srq_comm_size(comm);
    size_t *ends = calloc(groups + 1, sizeof *ends), *slices = calloc(groups * (ranks + 1), sizeof *slices);
    size_t *segments = calloc((size_t)srq_graph_layer_count(graph), sizeof *segments);
    srq_reduce_range *coarse = calloc((size_t)srq_graph_parameter_count(graph) + 1, sizeof *coarse);
    srq_status status = ends && slices && segments && coarse
                            ? SRQ_OK
                            : srq_fail_memory(groups * (ranks + 1) * sizeof *slices, "a step");
    status = srq_comm_agree(comm, status);
    if (status == SRQ_OK) status = make_reduce(s, options, ends, slices, segments, coarse);
    free(segments);
    free(ends);
    free(slices);
    free(coarse);
    if (status == SRQ_OK) srq_graph_on_ready(graph, ready, s);
    return status;
}

void srq_stepper_destroy(srq_stepper *s)
{
    if (!s->graph) return;
    for (int l = 0; s->lanes && l < srq_graph_lanes(s->graph); l++) {
        free(s->lanes[l].labels);
        free(s->lanes[l].gradients);
        free(s->lanes[l].metrics);
        free(s->lanes[l].bad);
    }
    free(s->lanes);
    pthread_mutex_destroy(&s->next_lock);
    srq_reduce_destroy(&s->reduce);
    srq_node_values_free(&s->values);
    srq_finish_destroy(&s->finish);
    free(s->gathered);
    free(s->slots);
    free(s->small);
    free(s->small_at);
    *s = (srq_stepper){0};
}

srq_status srq_stepper_share_values(srq_stepper *s)
{
    return srq_node_values_create(s->comm, s->graph, &s->values);
}

/* --- A step */

void srq_stepper_range(const srq_stepper *s, long *first, long *last)
{
    srq_reduce_shards(s->reduce, first, last);
}

static double inside(const srq_stepper *s)
{
    return s->seconds[SRQ_STEP_SUM] + s->seconds[SRQ_STEP_UNPACK];
}

/* Gives a lane its next shard: images, labels and vectors for its gradients. */
static void next_shard(srq_stepper *s, int index)
{
    srq_stepper_lane *lane = &s->lanes[index];
    const int slices = srq_graph_slices(s->graph);
    long first, last;
    srq_stepper_range(s, &first, &last);
    pthread_mutex_lock(&s->next_lock);
    const long shard = s->next_shard < last ? s->next_shard++ : -1;
    lane->shard = (srq_shard){.number = (int)shard,
                              .batch = s->source->batch,
                              .labels = lane->labels,
                              .gradients = lane->gradients,
                              .metrics = lane->metrics,
                              .bad = lane->bad};
    if (shard >= 0) {
        lane->shard.n = s->source->fill(s->source->context, shard, index, lane->labels, &lane->stop);
        for (int i = 0; i < slices; i++) lane->gradients[i] = srq_reduce_lease(s->reduce, shard * slices + i);
    }
    pthread_mutex_unlock(&s->next_lock);
}

/* Sums the values of a shard over its slices, in their order. */
static void note_shard(srq_stepper *s, const srq_stepper_lane *lane)
{
    double *row = s->gathered + (long)lane->shard.number * SRQ_SHARD_VALUES;
    memset(row, 0, SRQ_SHARD_VALUES * sizeof *row);
    for (int i = 0; i < srq_graph_slices(s->graph); i++) {
        const int bad = lane->bad[i] + 1;
        row[SRQ_SHARD_LOSS] += lane->metrics[i].loss;
        row[SRQ_SHARD_CORRECT] += (double)lane->metrics[i].correct;
        if (bad > 0 && (row[SRQ_SHARD_BAD_LAYER] == 0 || bad < row[SRQ_SHARD_BAD_LAYER]))
            row[SRQ_SHARD_BAD_LAYER] = bad;
    }
    row[SRQ_SHARD_COUNT] = lane->shard.n;
    row[SRQ_SHARD_STOP] = lane->stop;
}

/* Books the time of a shard on worker 0, without what is booked elsewhere. */
static void train_part(srq_stepper *s, int worker, const srq_stepper_lane *lane)
{
    if (worker > 0) {
        srq_graph_train_part(s->graph, worker, &lane->shard);
        return;
    }
    const double before = inside(s);
    const int64_t begin = srq_trace_now(s->trace);
    srq_trace_mark(s->trace); /* the first operator begins within the shard */
    double since = srq_seconds();
    srq_graph_train_part(s->graph, worker, &lane->shard);
    since += inside(s) - before;
    book(s, SRQ_STEP_COMPUTE, &since);
    srq_trace_add(s->trace, SRQ_LANE_COMPUTE, SRQ_EVENT_SHARD, lane->shard.number, begin);
}

/* Only worker 0 may send. When it has no more shards, it sends what the others complete. */
static void wait_for_others(srq_stepper *s)
{
    int turn = 0;
    double since = srq_seconds();
    while (!srq_reduce_complete(s->reduce)) {
        srq_reduce_poll(s->reduce);
        srq_workers_pause(srq_graph_workers(s->graph), &turn);
    }
    srq_reduce_poll(s->reduce);
    book(s, SRQ_STEP_COMPUTE, &since);
}

static void run_shards(void *context, int worker)
{
    srq_stepper *s = context;
    bool leads;
    const int index = srq_graph_lane_of(s->graph, worker, &leads);
    if (index < 0) return;
    srq_stepper_lane *lane = &s->lanes[index];
    for (;;) {
        if (leads) next_shard(s, index);
        srq_graph_meet(s->graph, index);
        if (lane->shard.number < 0) break;
        train_part(s, worker, lane);
        srq_graph_meet(s->graph, index);
        if (leads) note_shard(s, lane);
    }
    if (worker == 0) wait_for_others(s);
}

void srq_stepper_run(srq_stepper *s, const srq_stepper_source *source)
{
    long last;
    s->source = source;
    srq_stepper_range(s, &s->next_shard, &last);
    srq_workers_run(srq_graph_workers(s->graph), run_shards, s);
}

static void exchange_small(srq_stepper *s)
{
    const int rank = srq_comm_rank(s->comm), ranks = srq_comm_size(s->comm);
    if (ranks == 1) return;
    move_small(s, PACK, rank);
    srq_comm_gather(s->comm, s->small, s->small_at, sizeof *s->small);
    for (int r = 0; r < ranks; r++)
        if (r != rank) move_small(s, UNPACK, r);
}

/* The part of a worker in this rank's slice of a group: parts are finer slices, with the same borders. */
static int part_of(const srq_stepper *s, int worker, int *parts)
{
    const int workers = srq_workers_count(srq_graph_workers(s->graph));
    *parts = srq_comm_size(s->comm) * workers;
    return srq_comm_rank(s->comm) * workers + worker;
}

static void finish_part(void *context, int worker)
{
    srq_stepper *s = context;
    int parts;
    const int part = part_of(s, worker, &parts);
    float *gradient = srq_reduce_add_range(s->reduce, s->group, srq_finish_slice(s->finish, s->group, part, parts),
                                           srq_finish_slice(s->finish, s->group, part + 1, parts));
    srq_finish_run(s->finish, gradient, s->group, part, parts, s->slots);
    if (worker == 0) s->gradient = gradient;
}

void srq_stepper_sum(srq_stepper *s, int *bad)
{
    double since = srq_seconds();
    for (s->group = 0; s->group < group_count(s); s->group++) {
        srq_reduce_wait(s->reduce, s->group);
        book_event(s, SRQ_STEP_EXCHANGE, &since);
        srq_workers_run(srq_graph_workers(s->graph), finish_part, s);
        book_event(s, SRQ_STEP_FINISH, &since);
    }
    srq_reduce_end(s->reduce);
    exchange_small(s);
    book_event(s, SRQ_STEP_EXCHANGE, &since);
    *bad = srq_finish_collect(s->finish, s->slots, s->gradient);
    book_event(s, SRQ_STEP_FINISH, &since);
}

double srq_stepper_clip(srq_stepper *s)
{
    const int rank = srq_comm_rank(s->comm), ranks = srq_comm_size(s->comm);
    double since = srq_seconds();
    const double weights =
        srq_optimizer_learns(s->optimizer, SRQ_PARAMETER_WEIGHT) ? srq_finish_squares(s->finish, s->slots) : 0;
    const double norm = sqrt(weights + srq_clip_squares_of_others(s->optimizer, s->graph, s->gradient));
    const float factor = (float)(s->clip_norm / norm);
    for (int g = 0; norm > s->clip_norm && g < group_count(s); g++)
        srq_clip_weights(s->graph, s->gradient, srq_finish_slice(s->finish, g, rank, ranks),
                         srq_finish_slice(s->finish, g, rank + 1, ranks), factor);
    if (norm > s->clip_norm) srq_clip_others(s->graph, s->gradient, factor);
    book_event(s, SRQ_STEP_OPTIMIZE, &since);
    return norm;
}

static void update_part(void *context, int worker)
{
    srq_stepper *s = context;
    int parts;
    const int part = part_of(s, worker, &parts);
    srq_optimizer_step_weights(s->optimizer, s->graph, s->gradient, srq_finish_slice(s->finish, s->group, part, parts),
                               srq_finish_slice(s->finish, s->group, part + 1, parts), s->factor);
}

/* Sends this rank's new weights of a group to all nodes. */
static void send_slice(srq_stepper *s, int group)
{
    const int rank = srq_comm_rank(s->comm), ranks = srq_comm_size(s->comm);
    srq_node_values_put(&s->values, srq_finish_slice(s->finish, group, rank, ranks),
                        srq_finish_slice(s->finish, group, rank + 1, ranks));
    srq_reduce_join_start(s->reduce, group, s->values.whole);
}

void srq_stepper_update(srq_stepper *s, double factor)
{
    double since = srq_seconds();
    s->factor = factor;
    for (s->group = 0; s->group < group_count(s); s->group++) {
        srq_workers_run(srq_graph_workers(s->graph), update_part, s);
        book_event(s, SRQ_STEP_OPTIMIZE, &since);
        send_slice(s, s->group);
        book_event(s, SRQ_STEP_JOIN, &since);
    }
    /* Parameters that are not weights are sent with the slices around them. They are the same on every rank, before and
     * after the update below. */
    srq_reduce_join_wait(s->reduce);
    srq_node_values_take(&s->values);
    book_event(s, SRQ_STEP_JOIN, &since);
    srq_optimizer_step_others(s->optimizer, s->graph, s->gradient, factor);
    book_event(s, SRQ_STEP_OPTIMIZE, &since);
}

double srq_stepper_total(const srq_stepper *s, int value)
{
    double sum = 0;
    for (long i = 0; i < s->shards; i++) sum += s->gathered[i * SRQ_SHARD_VALUES + value];
    return sum;
}

size_t srq_stepper_traffic(const srq_stepper *s)
{
    const srq_node *node = srq_comm_node(s->comm);
    const int first = node->begin[node->index], last = node->begin[node->index + 1];
    const size_t small = node->member ? 0 : (s->small_at[last] - s->small_at[first]) * sizeof *s->small;
    return srq_reduce_sum_traffic(s->reduce) + srq_reduce_join_traffic(s->reduce) + small * (size_t)(node->count - 1);
}

/* Each rank exchanges its own slices, and all nodes gather them. No rank may read weights meanwhile. */
void srq_stepper_show_average(srq_stepper *s, bool shown)
{
    const int rank = srq_comm_rank(s->comm), ranks = srq_comm_size(s->comm);
    if (!srq_optimizer_average(s->optimizer) || srq_optimizer_shows_average(s->optimizer) == shown) return;
    srq_node_meet(s->comm);
    for (int g = 0; g < group_count(s); g++) {
        srq_optimizer_exchange_weights(s->optimizer, s->graph, srq_finish_slice(s->finish, g, rank, ranks),
                                       srq_finish_slice(s->finish, g, rank + 1, ranks));
        send_slice(s, g);
    }
    srq_reduce_join_wait(s->reduce);
    srq_node_values_take(&s->values);
    srq_optimizer_exchange_others(s->optimizer, s->graph, shown);
}

void srq_stepper_join_state(srq_stepper *s)
{
    for (int i = 0; i < srq_optimizer_state_count(s->optimizer); i++)
        srq_reduce_fetch(s->reduce, srq_optimizer_state(s->optimizer, i));
    if (srq_optimizer_average(s->optimizer)) srq_reduce_fetch(s->reduce, srq_optimizer_average(s->optimizer));
}

/* The slices of weights, and all of the other parameters. */
static void hand_out(srq_stepper *s, float *vector)
{
    srq_reduce_hand_out(s->reduce, vector);
    for (int i = 0; i < srq_graph_parameter_count(s->graph); i++) {
        const srq_parameter *p = srq_graph_parameter(s->graph, i);
        if (!is_weight(p)) srq_comm_share(s->comm, vector + p->offset, p->count * sizeof *vector);
    }
}

void srq_stepper_hand_out_state(srq_stepper *s)
{
    for (int i = 0; i < srq_optimizer_state_count(s->optimizer); i++) hand_out(s, srq_optimizer_state(s->optimizer, i));
    if (srq_optimizer_average(s->optimizer)) hand_out(s, srq_optimizer_average(s->optimizer));
}
