#include "dist/halves.h"

#include "core/memory.h"
#include "dist/comm_mpi.h"
#include "dist/wire.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* A bucket on its way. */
typedef struct trip {
    bool taken;  /* by halves */
    bool coarse; /* sent as 16-bit numbers: sums if there are coarse ranges. New weights are floats */
    bool going;
    int round; /* the next one to be completed: the distance of the partner is 2^round */
    float *vector;
    char *outgoing, *incoming; /* room for half of the bucket */
    MPI_Request requests[2];
} trip;

struct srq_halves {
    const srq_comm *comm;
    srq_halves_plan plan;
    int rank, ranks, rounds;
    size_t memory;
    float *decoded;     /* a slice */
    trip *sums, *joins; /* [bucket_count] */
};

static bool is_power(long n)
{
    return n > 0 && (n & (n - 1)) == 0;
}

bool srq_halves_fit(int ranks, long leaves, size_t below)
{
    return ranks > 1 && (below || ranks >= SRQ_HALVES_RANKS) && is_power(ranks) && is_power(leaves) && leaves >= ranks;
}

static const size_t *slices_of(const srq_halves *h, int bucket)
{
    return h->plan.slices + (size_t)bucket * ((size_t)h->ranks + 1);
}

static size_t bytes_of(const srq_halves *h, const trip *t, size_t begin, size_t end)
{
    if (!t->coarse) return (end - begin) * sizeof(float);
    return srq_wire_size(begin, end, h->plan.coarse_count, h->plan.coarse) * sizeof(uint16_t);
}

/* Whether, among the slices of ranks that have the last `round` bits of this rank, rank i keeps its slice with this
 * rank (`own`) or with its partner. */
static bool is_of(const srq_halves *h, int round, int i, bool own)
{
    const int distance = 1 << round, apart = i ^ h->rank;
    return (apart & (distance - 1)) == 0 && ((apart & distance) == 0) == own;
}

/* --- Building */

/* The bytes of the largest message: of one half in the first round. */
static size_t largest(const srq_halves *h, const trip *t, int bucket)
{
    const size_t *slices = slices_of(h, bucket);
    size_t halves[2] = {0};
    for (int i = 0; i < h->ranks; i++) halves[i & 1] += bytes_of(h, t, slices[i], slices[i + 1]);
    return halves[0] > halves[1] ? halves[0] : halves[1];
}

static srq_status make_room(srq_halves *h, trip *t, int bucket)
{
    const size_t bytes = largest(h, t, bucket);
    t->taken = true;
    t->requests[0] = t->requests[1] = MPI_REQUEST_NULL;
    t->outgoing = srq_memory(bytes);
    t->incoming = srq_memory(bytes);
    h->memory += 2 * bytes;
    return t->outgoing && t->incoming ? SRQ_OK : srq_fail_memory(2 * bytes, "sums of gradients");
}

static srq_status build(srq_halves *h)
{
    const size_t buckets = (size_t)h->plan.bucket_count, below = h->plan.below ? h->plan.below : SRQ_HALVES_BELOW;
    size_t widest = 0;
    h->sums = calloc(buckets, sizeof *h->sums);
    h->joins = calloc(buckets, sizeof *h->joins);
    if (!h->sums || !h->joins) return srq_fail_memory(buckets * sizeof *h->sums, "sums of gradients");
    for (int b = 0; b < h->plan.bucket_count; b++) {
        const size_t *slices = slices_of(h, b), all = slices[h->ranks] - slices[0];
        if (all * sizeof(float) / (size_t)h->ranks >= below) continue;
        h->sums[b].coarse = h->plan.coarse_count > 0;
        SRQ_TRY(make_room(h, &h->sums[b], b));
        SRQ_TRY(make_room(h, &h->joins[b], b));
        for (int i = 0; i < h->ranks; i++)
            if (slices[i + 1] - slices[i] > widest) widest = slices[i + 1] - slices[i];
    }
    h->decoded = srq_memory(widest * sizeof(float));
    return h->decoded ? SRQ_OK : srq_fail_memory(widest * sizeof(float), "sums of gradients");
}

srq_status srq_halves_create(const srq_comm *comm, const srq_halves_plan *plan, srq_halves **out)
{
    srq_halves *h = calloc(1, sizeof *h);
    if (!h) return srq_fail_memory(sizeof *h, "sums of gradients");
    *h = (srq_halves){.comm = comm, .plan = *plan, .rank = srq_comm_rank(comm), .ranks = srq_comm_size(comm)};
    while (1 << h->rounds < h->ranks) h->rounds++;
    *out = h;
    return build(h);
}

void srq_halves_destroy(srq_halves **halves)
{
    srq_halves *h = *halves;
    if (!h) return;
    for (int b = 0; b < 2 * h->plan.bucket_count; b++) {
        trip *list = b % 2 ? h->sums : h->joins;
        if (!list) continue;
        free(list[b / 2].outgoing);
        free(list[b / 2].incoming);
    }
    free(h->sums);
    free(h->joins);
    free(h->decoded);
    free(h);
    *halves = NULL;
}

bool srq_halves_takes(const srq_halves *h, int bucket)
{
    return h && h->sums[bucket].taken;
}

/* --- A round */

/* Copies the slices of one half together, in the order of ranks. Returns the bytes. */
static size_t pack(const srq_halves *h, const trip *t, int bucket, bool own)
{
    const size_t *slices = slices_of(h, bucket);
    char *to = t->outgoing;
    for (int i = 0; i < h->ranks; i++) {
        if (!is_of(h, t->round, i, own)) continue;
        const size_t begin = slices[i], end = slices[i + 1], bytes = bytes_of(h, t, begin, end);
        if (t->coarse)
            srq_wire_encode(t->vector + begin, begin, end, h->plan.coarse_count, h->plan.coarse,
                            (uint16_t *)(void *)to);
        else if (bytes)
            memcpy(to, t->vector + begin, bytes);
        to += bytes;
    }
    return (size_t)(to - t->outgoing);
}

static void exchange(srq_halves *h, trip *t, int bucket, size_t leaving, size_t arriving)
{
    const int partner = h->rank ^ 1 << t->round;
    const bool joins = t == &h->joins[bucket];
    const int tag = joins ? h->plan.join_tag + bucket : bucket * h->plan.tag_step;
    MPI_Irecv(t->incoming, (int)(arriving / 2), MPI_UINT16_T, partner, tag, srq_comm_mpi(h->comm), &t->requests[0]);
    MPI_Isend(t->outgoing, (int)(leaving / 2), MPI_UINT16_T, partner, tag, srq_comm_mpi(h->comm), &t->requests[1]);
}

static size_t half_bytes(const srq_halves *h, const trip *t, int bucket, bool own)
{
    const size_t *slices = slices_of(h, bucket);
    size_t bytes = 0;
    for (int i = 0; i < h->ranks; i++)
        if (is_of(h, t->round, i, own)) bytes += bytes_of(h, t, slices[i], slices[i + 1]);
    return bytes;
}

/* The round of a sum: the partner's half leaves, and its sums for this rank's half arrive. */
static void start_sum(srq_halves *h, int bucket)
{
    trip *t = &h->sums[bucket];
    const size_t leaving = pack(h, t, bucket, false);
    exchange(h, t, bucket, leaving, half_bytes(h, t, bucket, true));
}

static void add_arrived(srq_halves *h, int bucket)
{
    const trip *t = &h->sums[bucket];
    const size_t *slices = slices_of(h, bucket);
    const char *from = t->incoming;
    for (int i = 0; i < h->ranks; i++) {
        if (!is_of(h, t->round, i, true)) continue;
        const size_t begin = slices[i], end = slices[i + 1];
        float *sum = t->vector + begin;
        if (t->coarse) {
            srq_wire_decode((const uint16_t *)(const void *)from, begin, end, h->plan.coarse_count, h->plan.coarse,
                            h->decoded);
            h->plan.add(end - begin, sum, h->decoded);
            if (t->round + 1 < h->rounds) srq_wire_round_ranges(sum, begin, end, h->plan.coarse_count, h->plan.coarse);
        } else
            h->plan.add(end - begin, sum, (const float *)(const void *)from);
        from += bytes_of(h, t, begin, end);
    }
}

static void finish_round(srq_halves *h, int bucket)
{
    trip *t = &h->sums[bucket];
    add_arrived(h, bucket);
    t->going = ++t->round < h->rounds;
    if (t->going) start_sum(h, bucket);
}

/* --- Sums */

bool srq_halves_start(srq_halves *h, int bucket, float *vector)
{
    if (!srq_halves_takes(h, bucket)) return false;
    trip *t = &h->sums[bucket];
    t->vector = vector;
    t->round = 0;
    t->going = true;
    start_sum(h, bucket);
    return true;
}

void srq_halves_poll(srq_halves *h)
{
    for (int b = 0; h && b < h->plan.bucket_count; b++) {
        int done = 1;
        while (h->sums[b].going && done) {
            MPI_Testall(2, h->sums[b].requests, &done, MPI_STATUSES_IGNORE);
            if (done) finish_round(h, b);
        }
    }
}

bool srq_halves_wait(srq_halves *h, int bucket)
{
    if (!srq_halves_takes(h, bucket)) return false;
    while (h->sums[bucket].going) {
        srq_comm_wait(h->comm, 2, h->sums[bucket].requests, "the gradients of bucket %d", bucket);
        finish_round(h, bucket);
    }
    return true;
}

/* --- Joins: rounds in the opposite order. What this rank has leaves, and the partner's part arrives. */

static void start_join(srq_halves *h, int bucket)
{
    trip *t = &h->joins[bucket];
    const size_t leaving = pack(h, t, bucket, true);
    exchange(h, t, bucket, leaving, half_bytes(h, t, bucket, false));
}

static void put_arrived(srq_halves *h, int bucket)
{
    const trip *t = &h->joins[bucket];
    const size_t *slices = slices_of(h, bucket);
    const char *from = t->incoming;
    for (int i = 0; i < h->ranks; i++) {
        if (!is_of(h, t->round, i, false)) continue;
        const size_t bytes = bytes_of(h, t, slices[i], slices[i + 1]);
        if (bytes) memcpy(t->vector + slices[i], from, bytes);
        from += bytes;
    }
}

bool srq_halves_join_start(srq_halves *h, int bucket, float *vector)
{
    if (!srq_halves_takes(h, bucket)) return false;
    trip *t = &h->joins[bucket];
    t->vector = vector;
    t->round = h->rounds - 1;
    t->going = true;
    start_join(h, bucket);
    return true;
}

void srq_halves_join_wait(srq_halves *h)
{
    for (int b = 0; h && b < h->plan.bucket_count; b++) {
        trip *t = &h->joins[b];
        while (t->going) {
            srq_comm_wait(h->comm, 2, t->requests, "new weights", 0);
            put_arrived(h, b);
            t->going = --t->round >= 0;
            if (t->going) start_join(h, b);
        }
    }
}

/* --- Memory and traffic */

size_t srq_halves_memory(const srq_halves *h)
{
    return h ? h->memory : 0;
}

size_t srq_halves_sum_traffic(const srq_halves *h, int bucket)
{
    trip t = h->sums[bucket];
    size_t bytes = 0;
    const size_t *slices = slices_of(h, bucket);
    for (t.round = 0; t.round < h->rounds; t.round++)
        for (int i = 0; i < h->ranks; i++)
            if (is_of(h, t.round, i, false)) bytes += bytes_of(h, &t, slices[i], slices[i + 1]);
    return bytes;
}
