/* srq bench allreduce: measures the communication of a step, without the step. */
#include "core/kernels/vector.h"
#include "core/memory.h"
#include "dist/node.h"
#include "dist/reduce.h"
#include "experiments/srq/commands.h"
#include "experiments/srq/numbers.h"
#include "experiments/srq/options.h"
#include "io/escape.h"
#include "io/progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 5, PING_BYTES = 4 << 20 };

typedef struct allreduce_options {
    bool json, coarse;
    size_t elements;
    int shards;
    double bucket_mb, seconds;
} allreduce_options;

/* Sorted seconds. */
typedef struct rounds {
    double of[ROUNDS];
} rounds;

typedef struct bench {
    srq_comm *comm;
    const allreduce_options *options;
    srq_reduce *reduce;
    size_t *ends;
    float *vector;
    srq_shared *joined; /* of this node: the slices of all ranks */
    rounds ours, mpis;
    double latency, transfer; /* seconds of an empty message and of a message with PING_BYTES */
} bench;

/* --- Running */

static srq_status build(bench *b)
{
    const allreduce_options *o = b->options;
    const size_t bucket = (size_t)(o->bucket_mb * 1e6 / sizeof(float)) + 1;
    size_t count = (o->elements + bucket - 1) / bucket;
    if (count > SRQ_BUCKETS_MAX) count = SRQ_BUCKETS_MAX;
    b->ends = calloc(count + 1, sizeof *b->ends);
    b->vector = srq_memory_zeros((o->elements > PING_BYTES ? o->elements : PING_BYTES) * sizeof(float));
    srq_status status = SRQ_OK;
    if (!b->ends || !b->vector) status = srq_fail_memory(o->elements * sizeof(float), "the vector to be summed");
    SRQ_TRY(srq_comm_agree(b->comm, status));
    const size_t room = srq_comm_node(b->comm)->member == 0 ? o->elements * sizeof(float) : 0;
    SRQ_TRY(srq_shared_create(b->comm, room, "the summed vector", &b->joined));
    for (size_t i = 0; i <= count; i++) b->ends[i] = o->elements / 16 * (count - i) / count * 16;
    b->ends[0] = o->elements;
    const srq_reduce_range all = {0, o->elements};
    const srq_reduce_plan plan = {.shards = o->shards,
                                  .size = o->elements,
                                  .bucket_count = (int)count,
                                  .ends = b->ends,
                                  .add = srq_vector_best(NULL)->add,
                                  .coarse_count = o->coarse ? 1 : 0,
                                  .coarse = &all};
    return srq_reduce_create(b->comm, &plan, &b->reduce);
}

/* Like the end of a step: this rank's sums are complete; afterwards, all ranks have the same vector. */
static void exchange(bench *b)
{
    long first, last;
    srq_reduce_shards(b->reduce, &first, &last);
    for (long s = first; s < last; s++) {
        srq_reduce_lease(b->reduce, s);
        srq_reduce_ready(b->reduce, 0, s, 0);
    }
    srq_reduce_poll(b->reduce);
    for (int i = 0; i < srq_reduce_bucket_count(b->reduce); i++) {
        srq_reduce_finish(b->reduce, i);
        srq_reduce_join_start(b->reduce, i, srq_shared_part(b->joined, 0));
    }
    srq_reduce_join_wait(b->reduce);
}

static void sum_by_mpi(bench *b)
{
    srq_comm_sum_floats(b->comm, b->vector, b->options->elements);
}

/* The number of repetitions is the same on every rank. */
static long times_for(bench *b, void (*run)(bench *))
{
    run(b);
    srq_comm_barrier(b->comm);
    const double since = srq_seconds();
    run(b);
    srq_comm_barrier(b->comm);
    double once = srq_seconds() - since;
    srq_comm_share(b->comm, &once, sizeof once);
    return (long)fmax(1, b->options->seconds / ROUNDS / fmax(1e-9, once));
}

static double time_round(bench *b, void (*run)(bench *), long times)
{
    srq_comm_barrier(b->comm);
    const double since = srq_seconds();
    for (long i = 0; i < times; i++) run(b);
    srq_comm_barrier(b->comm);
    return (srq_seconds() - since) / (double)times;
}

static void run(bench *b)
{
    const long ours = times_for(b, exchange), mpis = times_for(b, sum_by_mpi);
    for (int r = 0; r < ROUNDS; r++) {
        b->ours.of[r] = time_round(b, exchange, ours);
        b->mpis.of[r] = time_round(b, sum_by_mpi, mpis);
    }
    qsort(b->ours.of, ROUNDS, sizeof(double), srq_ascending);
    qsort(b->mpis.of, ROUNDS, sizeof(double), srq_ascending);
    srq_comm_ping(b->comm, b->vector, 0, 10);
    b->latency = srq_comm_ping(b->comm, b->vector, 0, 100);
    srq_comm_ping(b->comm, b->vector, PING_BYTES, 1);
    b->transfer = srq_comm_ping(b->comm, b->vector, PING_BYTES, 5);
}

/* --- Printing */

static double bandwidth(const bench *b)
{
    return b->transfer > b->latency ? PING_BYTES / (b->transfer - b->latency) : 0;
}

static void print_line(const char *what, const rounds *r)
{
    srq_say("  %-34s %10.3f ms [%.3f..%.3f]\n", what, 1e3 * r->of[ROUNDS / 2], 1e3 * r->of[0], 1e3 * r->of[ROUNDS - 1]);
}

static void print_text(const bench *b)
{
    const allreduce_options *o = b->options;
    const int ranks = srq_comm_size(b->comm);
    char size[32], sum[32], join[32];
    srq_say("A sum of %zu floats (%s) over %d shards on %d rank%s, in %d bucket%s, %s on the wire\n\n", o->elements,
            srq_size((double)o->elements * sizeof(float), size, sizeof size), o->shards, ranks, ranks == 1 ? "" : "s",
            srq_reduce_bucket_count(b->reduce), srq_reduce_bucket_count(b->reduce) == 1 ? "" : "s",
            o->coarse ? "bfloat16" : "float32");
    print_line("sum over shards, and gathering", &b->ours);
    print_line("MPI_Allreduce (MPI's own order)", &b->mpis);
    if (ranks == 1) return;
    srq_say("\n  rank 0 sends %s for the sum and %s to gather\n",
            srq_size((double)srq_reduce_sum_traffic(b->reduce), sum, sizeof sum),
            srq_size((double)srq_reduce_join_traffic(b->reduce), join, sizeof join));
    srq_say("  rank 0 (%s) to rank %d (%s): %.1f us per message, %s per second\n", srq_comm_host(b->comm, 0), ranks - 1,
            srq_comm_host(b->comm, ranks - 1), 1e6 * b->latency, srq_size(bandwidth(b), size, sizeof size));
}

static void print_json(const bench *b)
{
    const allreduce_options *o = b->options;
    srq_say("{\"elements\": %zu, \"shards\": %d, \"ranks\": %d, \"buckets\": %d, \"wire\": \"%s\",\n"
            " \"seconds\": %.6g, \"least\": %.6g, \"most\": %.6g, \"mpi_allreduce_seconds\": %.6g,\n"
            " \"bytes_sum\": %zu, \"bytes_join\": %zu, \"latency_seconds\": %.6g, \"bytes_per_second\": %.6g}\n",
            o->elements, o->shards, srq_comm_size(b->comm), srq_reduce_bucket_count(b->reduce),
            o->coarse ? "bfloat16" : "float32", b->ours.of[ROUNDS / 2], b->ours.of[0], b->ours.of[ROUNDS - 1],
            b->mpis.of[ROUNDS / 2], srq_reduce_sum_traffic(b->reduce), srq_reduce_join_traffic(b->reduce), b->latency,
            bandwidth(b));
}

/* --- The command */

static srq_status usage(const char *what, const char *word)
{
    return srq_fail(SRQ_ERROR_USAGE,
                    "bench: %s%s; usage: mpirun -n P srq bench allreduce [--json] [--elements N] [--shards V] "
                    "[--bucket-mb B] [--wire float32|bfloat16] [--seconds S]",
                    what, word);
}

static srq_status unknown(const char *word)
{
    char hint[SRQ_HINT_SIZE];
    return usage("no option is called ", srq_option_hint("bench", word, hint, sizeof hint));
}

static srq_status parse_value(const char *word, const char *value, allreduce_options *o)
{
    long number;
    if (strcmp(word, "--elements") == 0) {
        if (!srq_parse_whole(value, 1, 1000000000, &number))
            return usage("--elements must be 1 to 1000000000, but is ", value);
        o->elements = (size_t)number;
    } else if (strcmp(word, "--shards") == 0) {
        if (!srq_parse_whole(value, 1, SRQ_SHARDS_MAX, &number))
            return usage("--shards must be 1 to 4096, but is ", value);
        o->shards = (int)number;
    } else if (strcmp(word, "--bucket-mb") == 0) {
        if (!srq_parse_number(value, 0, 1e6, &o->bucket_mb))
            return usage("--bucket-mb must be a number from 0 to 1000000, but is ", value);
    } else if (strcmp(word, "--seconds") == 0) {
        if (!srq_parse_number(value, 0, 3600, &o->seconds))
            return usage("--seconds must be a number from 0 to 3600, but is ", value);
    } else if (strcmp(word, "--wire") == 0) {
        o->coarse = strcmp(value, "bfloat16") == 0;
        if (!o->coarse && strcmp(value, "float32") != 0)
            return usage("--wire must be float32 or bfloat16, but is ", value);
    } else {
        return unknown(word);
    }
    return SRQ_OK;
}

static srq_status parse(int argc, char **argv, allreduce_options *o)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            o->json = true;
            continue;
        }
        if (argv[i][0] != '-') return usage("this is not expected: ", argv[i]);
        if (i + 1 == argc) return usage("a value is missing after ", argv[i]);
        SRQ_TRY(parse_value(argv[i], argv[i + 1], o));
        i++;
    }
    return SRQ_OK;
}

srq_status srq_bench_allreduce(srq_comm *comm, int argc, char **argv)
{
    allreduce_options o = {.elements = 13000000, .shards = srq_comm_size(comm), .bucket_mb = 4, .seconds = 5};
    SRQ_TRY(parse(argc, argv, &o));
    bench b = {.comm = comm, .options = &o};
    srq_status status = srq_comm_agree(comm, build(&b));
    if (status == SRQ_OK) run(&b);
    if (status == SRQ_OK && srq_comm_rank(comm) == 0) o.json ? print_json(&b) : print_text(&b);
    srq_reduce_destroy(&b.reduce);
    srq_shared_destroy(&b.joined);
    free(b.ends);
    free(b.vector);
    return status;
}
