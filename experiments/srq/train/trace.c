#include "experiments/srq/train/trace.h"

#include "experiments/srq/numbers.h"
#include "io/escape.h"
#include "io/file.h"
#include "io/progress.h"
#include "io/run.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SIZE = 4352, HOST_SIZE = 64 };
/* Barriers by which clocks are compared; the first ones do not count. */
enum { ROUNDS = 20, FIRST_ROUNDS = 4 };
/* Largest number of events of one rank: 200 MB. */
enum { MOST_EVENTS = 8000000 };

typedef struct event {
    int64_t begin, end; /* nanoseconds */
    int32_t kind;       /* srq_event, or an operator */
    int32_t number;
} event;

typedef struct lane {
    event *events;
    long room;
    atomic_long count; /* written only by the lane's thread */
    atomic_long lost;  /* events that did not fit */
} lane;

/* What each rank sends to rank 0 before its events. */
typedef struct header {
    int64_t offset; /* difference between this rank's clock and that of rank 0 */
    long counts[SRQ_LANES], lost;
} header;

struct srq_trace {
    srq_comm *comm;
    char dir[4096];
    char path[PATH_SIZE];
    const srq_graph *graph;
    long first, last; /* steps to record; 0 before the start and after the end */
    atomic_bool open; /* events are recorded */
    bool operators;
    int64_t mark; /* when the last operator ended */
    int64_t origin, offset;
    lane lanes[SRQ_LANES];
    event *received; /* rank 0: the events of one lane of another rank */
};

static const char *const lane_names[SRQ_LANES] = {"compute", "communication", "loader", "checkpoint writer"};

static const char *const event_names[SRQ_EVENTS] = {
    [SRQ_EVENT_STEP] = "step",         [SRQ_EVENT_BEGIN] = "begin",
    [SRQ_EVENT_SHARD] = "shard",       [SRQ_EVENT_DATA] = "wait for data",
    [SRQ_EVENT_ADD] = "add",           [SRQ_EVENT_UNPACK] = "unpack",
    [SRQ_EVENT_SUM] = "sum",           [SRQ_EVENT_EXCHANGE] = "exchange",
    [SRQ_EVENT_FINISH] = "finish",     [SRQ_EVENT_UPDATE] = "update",
    [SRQ_EVENT_OPTIMIZE] = "optimize", [SRQ_EVENT_JOIN] = "join",
    [SRQ_EVENT_EVALUATE] = "evaluate", [SRQ_EVENT_CHECKPOINT] = "checkpoint",
    [SRQ_EVENT_LOAD] = "load",         [SRQ_EVENT_WRITE] = "write checkpoint"};

static const char *const phase_names[SRQ_PHASES] = {"prepare", "forward", "backward", "backward data",
                                                    "backward weights"};

/* --- Recording events */

static int64_t clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void keep(srq_trace *t, srq_lane where, int kind, long number, int64_t begin, int64_t end)
{
    lane *l = &t->lanes[where];
    const long at = atomic_load_explicit(&l->count, memory_order_relaxed);
    if (at == l->room) {
        atomic_fetch_add_explicit(&l->lost, 1, memory_order_relaxed);
        return;
    }
    l->events[at] = (event){.begin = begin, .end = end, .kind = kind, .number = (int32_t)number};
    atomic_store_explicit(&l->count, at + 1, memory_order_release);
}

static bool is_open(const srq_trace *t)
{
    return t && atomic_load_explicit(&t->open, memory_order_acquire);
}

int64_t srq_trace_now(const srq_trace *t)
{
    return is_open(t) ? clock_now() : 0;
}

void srq_trace_add(srq_trace *t, srq_lane where, srq_event kind, long number, int64_t begin)
{
    if (begin && is_open(t)) keep(t, where, (int)kind, number, begin, clock_now());
}

void srq_trace_add_span(srq_trace *t, srq_lane where, srq_event kind, double begin, double end)
{
    const int64_t from = (int64_t)(1e9 * begin + 0.5), to = (int64_t)(1e9 * end + 0.5);
    if (is_open(t) && to - from >= 1000) keep(t, where, (int)kind, 0, from, to);
}

void srq_trace_mark(srq_trace *t)
{
    if (t && t->operators) t->mark = clock_now();
}

void srq_trace_operators(srq_trace *t, bool kept)
{
    if (!t) return;
    t->operators = kept && is_open(t);
    if (t->operators) t->mark = clock_now();
}

/* A layer has finished. It began when the previous one finished. */
static void operator_done(void *context, const srq_layer *layer, srq_phase phase)
{
    srq_trace *t = context;
    if (!t->operators) return;
    const int64_t now = clock_now();
    keep(t, SRQ_LANE_COMPUTE, SRQ_EVENTS + layer->index * SRQ_PHASES + (int)phase, layer->index, t->mark, now);
    t->mark = now;
}

srq_observer srq_trace_observer(srq_trace *t)
{
    return (srq_observer){.done = t ? operator_done : NULL, .context = t};
}

void srq_trace_begin_step(srq_trace *t, long step)
{
    if (t && step >= t->first && step <= t->last) atomic_store_explicit(&t->open, true, memory_order_release);
}

/* --- Creating a trace */

srq_status srq_trace_create(srq_comm *comm, const char *dir, srq_trace **out)
{
    if (strlen(dir) >= sizeof(((srq_trace *)0)->dir))
        return srq_fail(SRQ_ERROR_USAGE, "train: --trace: the name of the folder is too long; use a shorter name");
    srq_trace *t = calloc(1, sizeof *t);
    if (!t) return srq_fail_memory(sizeof *t, "the trace");
    t->comm = comm;
    snprintf(t->dir, sizeof t->dir, "%s", dir);
    *out = t;
    return SRQ_OK;
}

void srq_trace_destroy(srq_trace **trace)
{
    if (!*trace) return;
    for (int i = 0; i < SRQ_LANES; i++) free((*trace)->lanes[i].events);
    free((*trace)->received);
    free(*trace);
    *trace = NULL;
}

/* Estimates the number of events. In each of the `own` shards of a step, a layer has up to three events, one for its
 * sum and one for its unpacking; it has one more at the beginning of the step. There are at most as many buckets as
 * layers. */
static srq_status make_room(srq_trace *t, long steps, long own)
{
    const long layers = srq_graph_layer_count(t->graph);
    const long each[SRQ_LANES] = {own * (5 * layers + 4) + 4 * layers + 16, 3 * layers + 4, own, 1};
    long sum = 0;
    for (int i = 0; i < SRQ_LANES; i++) {
        if (steps > MOST_EVENTS / each[i])
            return srq_fail(SRQ_ERROR_USAGE, "train: --trace-steps: %ld steps have too many events; use fewer", steps);
        t->lanes[i].room = steps * each[i] + 64;
        t->lanes[i].events = calloc((size_t)t->lanes[i].room, sizeof(event));
        if (!t->lanes[i].events) return srq_fail_memory((size_t)t->lanes[i].room * sizeof(event), "the trace");
        sum += t->lanes[i].room;
    }
    if (srq_comm_rank(t->comm) > 0) return SRQ_OK;
    t->received = calloc((size_t)sum, sizeof *t->received);
    return t->received ? SRQ_OK : srq_fail_memory((size_t)sum * sizeof *t->received, "the trace");
}

/* Whether this rank and rank 0 run on the same kernel and therefore use the same clock. */
static bool shares_clock(const srq_trace *t)
{
    char own[64] = "", first[64];
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "r");
    if (file && !fgets(own, sizeof own, file)) own[0] = '\0';
    if (file) fclose(file);
    memcpy(first, own, sizeof first);
    srq_comm_share(t->comm, first, sizeof first);
    return own[0] && strcmp(own, first) == 0;
}

/* All ranks leave a barrier at about the same time. The median difference over many barriers is the difference of the
 * clocks, to within some microseconds. `times` is work space [ranks][ROUNDS], `borders` is work space [ranks + 1]. */
static void compare_clocks(srq_trace *t, double *times, size_t *borders)
{
    const int rank = srq_comm_rank(t->comm), ranks = srq_comm_size(t->comm);
    double differences[ROUNDS - FIRST_ROUNDS];
    t->origin = clock_now();
    srq_comm_share(t->comm, &t->origin, sizeof t->origin); /* small numbers are exact */
    for (int i = 0; i < ROUNDS; i++) {
        srq_comm_barrier(t->comm);
        times[rank * ROUNDS + i] = (double)(clock_now() - t->origin);
    }
    for (int r = 0; r <= ranks; r++) borders[r] = (size_t)r * ROUNDS;
    srq_comm_gather(t->comm, times, borders, sizeof *times);
    for (int i = FIRST_ROUNDS; i < ROUNDS; i++) differences[i - FIRST_ROUNDS] = times[rank * ROUNDS + i] - times[i];
    qsort(differences, ROUNDS - FIRST_ROUNDS, sizeof *differences, srq_ascending);
    t->offset = shares_clock(t) ? 0 : (int64_t)differences[(ROUNDS - FIRST_ROUNDS) / 2];
}

srq_status srq_trace_start(srq_trace *t, const srq_graph *graph, long first, long last, long own)
{
    const size_t ranks = (size_t)srq_comm_size(t->comm);
    t->graph = graph;
    double *times = calloc(ranks * ROUNDS, sizeof *times);
    size_t *borders = calloc(ranks + 1, sizeof *borders);
    /* The number of shards differs by at most one between ranks. Rank 0 must be able to receive the events of the rank
     * with most. */
    srq_status status =
        times && borders ? make_room(t, last - first + 1, own + 1) : srq_fail_memory(ranks, "the trace");
    status = srq_comm_agree(t->comm, status);
    if (status == SRQ_OK) compare_clocks(t, times, borders);
    free(times);
    free(borders);
    t->first = first;
    t->last = status == SRQ_OK ? last : 0;
    return status;
}

/* --- Writing the file */

static void write_name(const srq_trace *t, const event *e, FILE *out)
{
    char name[SRQ_NAME_SIZE + 64];
    if (e->kind >= SRQ_EVENTS) {
        const int at = e->kind - SRQ_EVENTS;
        const srq_layer *layer = srq_graph_layer(t->graph, at / SRQ_PHASES);
        fprintf(out, "\"name\":%s,\"cat\":\"%s\",\"args\":{\"type\":\"%s\"}",
                srq_json_quote(layer->spec->name, name, sizeof name), phase_names[at % SRQ_PHASES], layer->spec->type);
    } else if (e->kind == SRQ_EVENT_STEP || e->kind == SRQ_EVENT_SHARD) {
        fprintf(out, "\"name\":\"%s %d\",\"cat\":\"%s\"", event_names[e->kind], (int)e->number, event_names[e->kind]);
    } else {
        fprintf(out, "\"name\":\"%s\",\"cat\":\"%s\"", event_names[e->kind], event_names[e->kind]);
    }
}

static void write_process(const srq_trace *t, int rank, FILE *out)
{
    char name[HOST_SIZE + 64], quoted[2 * HOST_SIZE + 128];
    snprintf(name, sizeof name, "rank %d on %s", rank, srq_comm_host(t->comm, rank));
    fprintf(out, ",\n{\"ph\":\"M\",\"pid\":%d,\"name\":\"process_name\",\"args\":{\"name\":%s}}", rank,
            srq_json_quote(name, quoted, sizeof quoted));
    fprintf(out, ",\n{\"ph\":\"M\",\"pid\":%d,\"name\":\"process_sort_index\",\"args\":{\"sort_index\":%d}}", rank,
            rank);
    for (int i = 0; i < SRQ_LANES; i++)
        fprintf(out, ",\n{\"ph\":\"M\",\"pid\":%d,\"tid\":%d,\"name\":\"thread_name\",\"args\":{\"name\":\"%s\"}}",
                rank, i, lane_names[i]);
}

/* Times are in microseconds of rank 0's clock since the clocks were compared. */
static void write_events(const srq_trace *t, const header *h, int rank, int tid, const event *events, FILE *out)
{
    for (long i = 0; i < h->counts[tid]; i++) {
        const event *e = &events[i];
        const int64_t begin = e->begin - h->offset - t->origin, length = e->end - e->begin;
        fprintf(out, ",\n{\"ph\":\"X\",\"pid\":%d,\"tid\":%d,\"ts\":%s%lld.%03lld,\"dur\":%lld.%03lld,", rank, tid,
                begin < 0 ? "-" : "", (long long)llabs(begin) / 1000, (long long)llabs(begin) % 1000,
                (long long)length / 1000, (long long)length % 1000);
        write_name(t, e, out);
        fputc('}', out);
    }
}

static header make_header(srq_trace *t)
{
    header h = {.offset = t->offset};
    for (int i = 0; i < SRQ_LANES; i++) {
        h.counts[i] = atomic_load_explicit(&t->lanes[i].count, memory_order_acquire);
        h.lost += atomic_load_explicit(&t->lanes[i].lost, memory_order_relaxed);
    }
    return h;
}

/* Gathers the events on rank 0, one rank after another. `out` is NULL on other ranks, or if the file could not be
 * opened. */
static void gather_events(srq_trace *t, FILE *out)
{
    const int own = srq_comm_rank(t->comm);
    for (int rank = 0; rank < srq_comm_size(t->comm); rank++) {
        header h = {0};
        if (rank == own) h = make_header(t);
        srq_comm_fetch(t->comm, rank, &h, sizeof h);
        if (out) write_process(t, rank, out);
        if (out && h.lost)
            fprintf(out, ",\n{\"ph\":\"M\",\"pid\":%d,\"name\":\"lost\",\"args\":{\"events\":%ld}}", rank, h.lost);
        for (int i = 0; i < SRQ_LANES; i++) {
            event *events = rank == own ? t->lanes[i].events : t->received;
            if (own == 0 || rank == own) srq_comm_fetch(t->comm, rank, events, (size_t)h.counts[i] * sizeof *events);
            if (out) write_events(t, &h, rank, i, events, out);
        }
    }
}

/* An existing file is never overwritten. */
static void choose_path(srq_trace *t)
{
    const long first = t->first, last = t->last;
    snprintf(t->path, sizeof t->path, "%s/trace-%08ld-%08ld.json", t->dir, first, last);
    for (int i = 2; access(t->path, F_OK) == 0 && i < 10000; i++)
        snprintf(t->path, sizeof t->path, "%s/trace-%08ld-%08ld-%d.json", t->dir, first, last, i);
}

static srq_status write_file(srq_trace *t)
{
    char made[PATH_SIZE + 64];
    srq_status status = srq_folder_create(t->dir);
    choose_path(t);
    snprintf(made, sizeof made, "%s.tmp.%ld", t->path, (long)getpid());
    FILE *out = status == SRQ_OK ? fopen(made, "w") : NULL;
    if (out)
        fprintf(out,
                "{\"displayTimeUnit\":\"ms\",\"otherData\":{\"program\":\"srq\",\"ranks\":%d,\"first_step\":%ld,"
                "\"last_step\":%ld},\n\"traceEvents\":[\n"
                "{\"ph\":\"M\",\"pid\":0,\"name\":\"process_labels\",\"args\":{\"labels\":\"srq\"}}",
                srq_comm_size(t->comm), t->first, t->last);
    gather_events(t, out);
    if (status != SRQ_OK) return status;
    if (out) fputs("\n]}\n", out);
    const bool whole = out && !ferror(out);
    if ((out && fclose(out) != 0) || !whole) {
        unlink(made);
        return srq_fail(SRQ_ERROR_RUN,
                        "cannot write %s; check the permissions and the free space there, or choose another --trace",
                        t->path);
    }
    status = srq_file_publish(made, t->path);
    if (status != SRQ_OK) unlink(made);
    return status;
}

srq_status srq_trace_end_step(srq_trace *t, long step, bool end, const char **path)
{
    *path = NULL;
    if (!t || t->last == 0 || (!end && step < t->last)) return SRQ_OK;
    const bool began = step >= t->first;
    atomic_store_explicit(&t->open, false, memory_order_release);
    if (step < t->last) t->last = step;
    srq_status status = SRQ_OK;
    if (began && srq_comm_rank(t->comm) == 0) {
        status = write_file(t);
        *path = t->path;
    } else if (began) {
        gather_events(t, NULL);
    }
    t->last = 0;
    return status;
}
