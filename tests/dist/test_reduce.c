/* Sums over shards on 1, 2, 3, 4 and 8 ranks. Every rank checks its own copy of the result. */
#include "core/random.h"
#include "core/workers.h"
#include "dist/node.h"
#include "dist/reduce.h"
#include "dist/tree.h"
#include "dist/wire.h"
#include "tests/suite.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static srq_comm *comm;
static srq_shared *joined; /* a vector of the longest size for each node */
enum { LONGEST = 1000 };

static void add(size_t n, float *y, const float *x)
{
    for (size_t i = 0; i < n; i++) y[i] += x[i];
}

/* The definition: node (level, index) is left plus right; a missing right child is omitted. */
static float tree_value(const float *leaves, long count, long first, long width)
{
    if (width == 1) return leaves[first];
    float left = tree_value(leaves, count, first, width / 2);
    return first + width / 2 < count ? left + tree_value(leaves, count, first + width / 2, width / 2) : left;
}

/* The definition of a sum that is rounded at every node but its root. */
static float coarse_tree_value(const float *leaves, long count, long first, long width)
{
    if (width == 1) return srq_wire_round(leaves[first]);
    float sum = coarse_tree_value(leaves, count, first, width / 2);
    if (first + width / 2 < count) sum += coarse_tree_value(leaves, count, first + width / 2, width / 2);
    return width < count ? srq_wire_round(sum) : sum;
}

static float expected_sum(const float *leaves, long count, bool coarse)
{
    long width = 1;
    while (width < count) width *= 2;
    if (!coarse || count == 1) return tree_value(leaves, count, 0, width);
    return coarse_tree_value(leaves, count, 0, width);
}

/* Exact, and linear; a permutation is what it is used for. */
static void twice(void *context, int bucket, int thread, float *vector)
{
    const size_t *ends = context;
    (void)thread;
    for (size_t i = ends[bucket + 1]; i < ends[bucket]; i++) vector[i] *= 2;
}

typedef struct variant {
    int buckets;     /* 0: the plan's own single one */
    bool coarse;     /* every third 100 of the elements */
    bool late;       /* no overlap */
    bool convert;    /* times 2 */
    size_t progress; /* elements from one srq_reduce_ready to the next; 0: none */
    int threads;     /* that work on leaves at the same time; 0: the caller alone */
    int slices;      /* of each shard; 0: 1 */
    bool halves;     /* wherever the tree allows them: powers of two, one rank on every node */
} variant;

static bool is_coarse(const variant *v, size_t element)
{
    return v->coarse && element % 300 < 100;
}

/* The leaves of a rank, which its threads take in order. */
typedef struct leaves_at_work {
    srq_reduce *reduce;
    const variant *variant;
    size_t size;
    uint64_t step;
    pthread_mutex_t lock;
    long next, last;
} leaves_at_work;

static void write_leaves(void *context, int thread)
{
    leaves_at_work *w = context;
    for (;;) {
        pthread_mutex_lock(&w->lock);
        const long leaf = w->next < w->last ? w->next++ : -1;
        float *vector = leaf >= 0 ? srq_reduce_lease(w->reduce, leaf) : NULL;
        pthread_mutex_unlock(&w->lock);
        if (!vector) return;
        srq_random_normal(w->step, SRQ_RANDOM_TEST, (uint64_t)leaf, w->size, 1, vector);
        for (size_t left = w->size; w->variant->progress && left > 0;) {
            left = left > w->variant->progress ? left - w->variant->progress : 0;
            srq_reduce_ready(w->reduce, thread, leaf, left);
            if (thread == 0) srq_reduce_poll(w->reduce);
        }
        srq_reduce_ready(w->reduce, thread, leaf, 0);
    }
}

/* Where the slices of ranks begin: not equal, some empty. */
static void cut(size_t size, const size_t *ends, int buckets, size_t *slices)
{
    const size_t ranks = (size_t)srq_comm_size(comm);
    for (int b = 0; b < buckets; b++)
        for (size_t r = 0; r <= ranks; r++) {
            const size_t begin = buckets > 1 ? ends[b + 1] : 0, end = buckets > 1 ? ends[b] : size;
            slices[(size_t)b * (ranks + 1) + r] = begin + (end - begin) * r * r / (ranks * ranks);
        }
}

/* A vector that all ranks of a node have, with this rank's slices of `sum`. */
static float *put_slices(float *sum, int buckets, const size_t *slices)
{
    const int rank = srq_comm_rank(comm), ranks = srq_comm_size(comm);
    float *vector = srq_shared_part(joined, 0);
    for (int b = 0; b < buckets; b++) {
        const size_t *slice = slices + b * (ranks + 1) + rank;
        memcpy(vector + slice[0], sum + slice[0], (slice[1] - slice[0]) * sizeof *vector);
    }
    return vector;
}

static void check_sum(long shards, size_t size, const variant *v)
{
    const int slices = v->slices ? v->slices : 1;
    srq_workers *workers = NULL;
    const srq_workers_options how = {.count = v->threads};
    if (v->threads) ck_assert_int_eq(srq_workers_create(&how, &workers), SRQ_OK);
    size_t ends[8] = {size};
    srq_reduce_range coarse[64];
    int coarse_count = 0;
    for (int b = 0; b < v->buckets; b++) ends[b + 1] = size * (size_t)(v->buckets - 1 - b) / (size_t)v->buckets;
    for (size_t at = 0; v->coarse && at < size; at += 300)
        coarse[coarse_count++] = (srq_reduce_range){at, at + 100 < size ? at + 100 : size};
    const int buckets = v->buckets ? v->buckets : 1;
    size_t slices_of_ranks[7 * 9];
    cut(size, ends, buckets, slices_of_ranks);
    const srq_reduce_plan plan = {.shards = shards,
                                  .slices = slices_of_ranks,
                                  .shard_slices = v->slices,
                                  .at_work = v->threads,
                                  .size = size,
                                  .bucket_count = v->buckets,
                                  .ends = ends,
                                  .add = add,
                                  .convert = v->convert ? twice : NULL,
                                  .context = ends,
                                  .late = v->late,
                                  .halves_below = v->halves ? SIZE_MAX : 0,
                                  .coarse_count = coarse_count,
                                  .coarse = coarse};
    srq_reduce *r = NULL;
    ck_assert_int_eq(srq_reduce_create(comm, &plan, &r), SRQ_OK);
    const long all = shards * slices;
    float *leaves = malloc((size_t)all * sizeof *leaves), *column = malloc((size_t)all * size * sizeof *column);
    for (uint64_t step = 0; step < 3; step++) {
        long first, last;
        srq_reduce_shards(r, &first, &last);
        leaves_at_work w = {
            .reduce = r, .variant = v, .size = size, .step = step, .next = first * slices, .last = last * slices};
        pthread_mutex_init(&w.lock, NULL);
        srq_workers_run(workers, write_leaves, &w);
        pthread_mutex_destroy(&w.lock);
        ck_assert(srq_reduce_complete(r));
        float *sum = NULL;
        for (int b = 0; b < srq_reduce_bucket_count(r); b++) sum = srq_reduce_finish(r, b);
        sum = put_slices(sum, buckets, slices_of_ranks);
        srq_reduce_join(r, sum);
        for (long s = 0; s < all; s++)
            srq_random_normal(step, SRQ_RANDOM_TEST, (uint64_t)s, size, 1, column + (size_t)s * size);
        for (size_t i = 0; i < size; i++) {
            for (long s = 0; s < all; s++) leaves[s] = column[(size_t)s * size + i];
            /* Times 2 after the rounding is the same as before it. */
            const float expected = (v->convert ? 2 : 1) * expected_sum(leaves, all, is_coarse(v, i));
            ck_assert_msg(memcmp(&expected, &sum[i], sizeof expected) == 0,
                          "V = %ld, size %zu, %d buckets, step %d, element %zu: %.9g, not %.9g", shards, size,
                          v->buckets, (int)step, i, (double)sum[i], (double)expected);
        }
        srq_node_meet(comm); /* before others change the shared vector */
    }
    free(column);
    free(leaves);
    srq_reduce_destroy(&r);
    srq_workers_destroy(&workers);
}

/* Otherwise, the variant is one of the others. */
static bool halves_fit(long shards)
{
    return (shards & (shards - 1)) == 0 && srq_comm_node(comm)->count == srq_comm_size(comm);
}

START_TEST(sums_follow_the_tree)
{
    static const long shards[] = {1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 16, 31, 64};
    static const size_t sizes[] = {1, 15, 16, 17, LONGEST};
    static const variant variants[] = {{.buckets = 0},
                                       {.buckets = 1, .convert = true, .progress = 7},
                                       {.buckets = 5, .convert = true, .progress = 130},
                                       {.buckets = 7, .late = true, .progress = 400},
                                       {.buckets = 0, .coarse = true},
                                       {.buckets = 3, .coarse = true, .convert = true, .progress = 90},
                                       {.buckets = 5, .convert = true, .progress = 130, .threads = 3},
                                       {.buckets = 3, .coarse = true, .progress = 90, .threads = 2, .slices = 3},
                                       {.buckets = 0, .late = true, .threads = 8, .slices = 2},
                                       {.buckets = 0, .halves = true},
                                       {.buckets = 5, .convert = true, .progress = 130, .halves = true},
                                       {.buckets = 3, .coarse = true, .progress = 90, .slices = 2, .halves = true}};
    /* All cases on two ranks of a node, and on ranks that share nothing. */
    const bool few = srq_comm_shares(comm) && srq_comm_size(comm) > 2;
    const size_t room = srq_comm_node(comm)->member == 0 ? LONGEST * sizeof(float) : 0;
    ck_assert_int_eq(srq_shared_create(comm, room, "a test", &joined), SRQ_OK);
    for (size_t v = few ? 7 : 0; v < sizeof shards / sizeof *shards; v += few ? 2 : 1)
        for (size_t s = few ? 2 : 0; s < sizeof sizes / sizeof *sizes; s += few ? 2 : 1)
            for (size_t k = 0; k < sizeof variants / sizeof *variants; k++)
                if (shards[v] >= srq_comm_size(comm) && (!variants[k].halves || halves_fit(shards[v])))
                    check_sum(shards[v], sizes[s], &variants[k]);
    srq_shared_destroy(&joined);
}
END_TEST

/* A node reports that it sends 2 (N-1)/N of the vector, if the number of nodes N divides V, and all have the same
 * number of ranks. */
START_TEST(traffic_is_the_least_possible)
{
    const srq_node *node = srq_comm_node(comm);
    const size_t ranks = (size_t)srq_comm_size(comm), nodes = (size_t)node->count, size = 16 * ranks * 10;
    const srq_reduce_plan plan = {.shards = 64 / srq_comm_size(comm) * srq_comm_size(comm), .size = size, .add = add};
    srq_reduce *r = NULL;
    ck_assert_int_eq(srq_reduce_create(comm, &plan, &r), SRQ_OK);
    double sums = 0;
    for (int i = 0; i < srq_comm_size(comm); i++) {
        const bool here = i >= node->begin[node->index] && i < node->begin[node->index + 1];
        double part = i == srq_comm_rank(comm) ? (double)srq_reduce_sum_traffic(r) : 0;
        srq_comm_sum(comm, &part, 1);
        sums += here ? part : 0;
    }
    ck_assert_uint_eq(srq_reduce_join_traffic(r), size / ranks * (nodes - 1) * sizeof(float));
    const size_t share = size * (nodes - 1) / nodes * sizeof(float);
    const bool even = nodes * (size_t)node->size == ranks;
    if (even && (nodes & (nodes - 1)) == 0)
        ck_assert_double_eq(sums, (double)share);
    else /* a run of leaves of a node is no node of the tree */
        ck_assert(nodes == 1 ? sums == 0 : sums > 0);
    srq_reduce_destroy(&r);
}
END_TEST

START_TEST(rounding_is_to_the_nearest_bfloat16)
{
    static const struct {
        uint32_t from, to;
    } cases[] = {{0x3f800000, 0x3f800000}, {0x3f808000, 0x3f800000}, {0x3f818000, 0x3f820000}, {0x3f808001, 0x3f810000},
                 {0xbf80ffff, 0xbf810000}, {0x7f7fffff, 0x7f800000}, {0x7f800000, 0x7f800000}, {0xff800000, 0xff800000},
                 {0x7f800001, 0x7fc00000}, {0xffffffff, 0xffff0000}, {0x00000001, 0x00000000}, {0x80000000, 0x80000000},
                 {0x00008001, 0x00010000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float x, y;
        uint32_t bits;
        memcpy(&x, &cases[i].from, sizeof x);
        y = srq_wire_round(x);
        memcpy(&bits, &y, sizeof bits);
        ck_assert_msg(bits == cases[i].to, "%08x becomes %08x, not %08x", cases[i].from, bits, cases[i].to);
    }
}
END_TEST

START_TEST(gather_brings_every_part)
{
    const int rank = srq_comm_rank(comm), ranks = srq_comm_size(comm);
    double values[8 * 3];
    size_t begin[9] = {0};
    for (int r = 0; r < ranks; r++) begin[r + 1] = begin[r] + (size_t)(r % 3);
    memset(values, 0, sizeof values);
    for (size_t i = begin[rank]; i < begin[rank + 1]; i++) values[i] = (double)(i * i + 1);
    srq_comm_gather(comm, values, begin, sizeof *values);
    for (size_t i = 0; i < begin[ranks]; i++) ck_assert_double_eq(values[i], (double)(i * i + 1));
}
END_TEST

/* Every rank reads what every rank of its node has written, and views of the leader's memory are its own elsewhere. */
START_TEST(ranks_of_a_node_share_memory)
{
    const srq_node *node = srq_comm_node(comm);
    const srq_pages_range ranges[] = {{SRQ_PAGE, 2 * SRQ_PAGE}, {3 * SRQ_PAGE, 4 * SRQ_PAGE}};
    const int rank = srq_comm_rank(comm), first = node->begin[node->index];
    srq_shared *shared = NULL;
    void *view;
    ck_assert_int_eq(first + node->member, rank);
    ck_assert_int_eq(node->begin[node->count], srq_comm_size(comm));
    ck_assert_int_eq(srq_shared_create(comm, 5 * SRQ_PAGE, "a test", &shared), SRQ_OK);
    ck_assert_int_eq(srq_shared_overlay(comm, shared, 2, ranges, &view), SRQ_OK);
    *(int *)srq_shared_part(shared, node->member) = 100 + rank;
    srq_node_meet(comm);
    for (int i = 0; i < node->size; i++) ck_assert_int_eq(*(int *)srq_shared_part(shared, i), 100 + first + i);
    char *bytes = view, *leader = srq_shared_part(shared, 0);
    ck_assert_int_eq(bytes[0], 0); /* not the leader's number */
    bytes[2 * SRQ_PAGE] = (char)rank;
    if (node->member == node->size - 1) bytes[SRQ_PAGE + 7] = bytes[4 * SRQ_PAGE - 1] = 'x';
    srq_node_meet(comm);
    ck_assert_int_eq(leader[SRQ_PAGE + 7], 'x');
    ck_assert_int_eq(bytes[4 * SRQ_PAGE - 1], 'x');
    ck_assert_int_eq(leader[2 * SRQ_PAGE], 0);
    ck_assert_int_eq(bytes[2 * SRQ_PAGE], (char)rank);
    ck_assert_int_eq(srq_node_least(comm, 1000 - rank), 1000 - (first + node->size - 1));
    srq_shared_destroy(&shared);
}
END_TEST

/* Bytes of the mapping at `at` that are in huge pages. */
static size_t huge_bytes(const void *at)
{
    char line[512];
    size_t begin, end, kilobytes = 0;
    bool inside = false, found = false;
    FILE *file = fopen("/proc/self/smaps", "r");
    while (file && !found && fgets(line, sizeof line, file)) {
        if (sscanf(line, "%zx-%zx ", &begin, &end) == 2) inside = begin <= (size_t)at && (size_t)at < end;
        found = inside && sscanf(line, "ShmemPmdMapped: %zu kB", &kilobytes) == 1;
    }
    if (file) fclose(file);
    return kilobytes * 1024;
}

/* Whether this system gives a process huge pages of shared memory if it asks for them (Linux 6.1 does). */
static bool has_huge_pages(size_t huge)
{
    const size_t all = 2 * huge;
    const int file = memfd_create("srq-test", 0);
    char *reserved = mmap(NULL, all + huge, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(file >= 0 && reserved != MAP_FAILED && ftruncate(file, (off_t)all) == 0);
    char *at = reserved + (huge - (size_t)reserved % huge) % huge;
    ck_assert(mmap(at, all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) == at);
    for (size_t i = 0; i < all; i += huge) at[i] = 1;
    const bool has = madvise(at, all, 25 /* MADV_COLLAPSE */) == 0 && huge_bytes(at) == all;
    munmap(reserved, all + huge);
    close(file);
    return has;
}

/* Large shared memory is in huge pages for every rank, in views as well, and holds the same bytes as small pages do. */
START_TEST(shared_memory_has_huge_pages)
{
    enum { HUGE = 2 << 20, END = 2 * HUGE + 3 * SRQ_PAGE };
    const srq_node *node = srq_comm_node(comm);
    const srq_pages_range ranges[] = {{SRQ_PAGE, 2 * SRQ_PAGE}, {HUGE - SRQ_PAGE, END - SRQ_PAGE}};
    const size_t places[] = {0, SRQ_PAGE, HUGE - 1, HUGE, 2 * HUGE - 1, 2 * HUGE, END - SRQ_PAGE - 1, END - 1};
    srq_shared *shared = NULL;
    void *view;
    ck_assert_int_eq(srq_shared_create(comm, END, "a test", &shared), SRQ_OK);
    ck_assert_int_eq(srq_shared_overlay(comm, shared, 2, ranges, &view), SRQ_OK);
    char *own = srq_shared_part(shared, node->member), *leader = srq_shared_part(shared, 0), *bytes = view;
    size_t wrong = 0;
    for (size_t i = 0; i < END; i++) wrong += own[i] != 0;
    ck_assert_uint_eq(wrong, 0);
    srq_node_meet(comm);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) own[places[i]] = (char)(1 + node->member + 10 * (int)i);
    srq_node_meet(comm);
    for (int k = 0; k < node->size; k++)
        for (size_t i = 0; i < sizeof places / sizeof *places; i++)
            ck_assert_int_eq(((char *)srq_shared_part(shared, k))[places[i]], (char)(1 + k + 10 * (int)i));
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const bool seen = (places[i] >= ranges[0].begin && places[i] < ranges[0].end) ||
                          (places[i] >= ranges[1].begin && places[i] < ranges[1].end);
        ck_assert_int_eq(bytes[places[i]], seen ? leader[places[i]] : 0);
    }
    if (has_huge_pages(HUGE)) {
        ck_assert_uint_eq(huge_bytes(own), 2 * HUGE);
        ck_assert_uint_eq(huge_bytes(leader), 2 * HUGE);
        ck_assert_uint_eq(huge_bytes(bytes + HUGE), HUGE);
    }
    srq_node_meet(comm);
    srq_shared_destroy(&shared);
}
END_TEST

START_TEST(what_cannot_be_reserved_is_refused)
{
    srq_shared *shared = NULL;
    if (!srq_comm_shares(comm)) return;
    const size_t bytes = srq_comm_rank(comm) == srq_comm_size(comm) - 1 ? (size_t)1 << 60 : SRQ_PAGE;
    ck_assert_int_eq(srq_shared_create(comm, bytes, "a test", &shared), SRQ_ERROR_RUN);
    ck_assert_ptr_nonnull(strstr(srq_message(), "of memory, for a test: "));
    ck_assert_ptr_null(shared);
}
END_TEST

START_TEST(more_ranks_than_shards_are_refused)
{
    srq_reduce *r = NULL;
    if (srq_comm_size(comm) == 1) return;
    const srq_reduce_plan plan = {.shards = srq_comm_size(comm) - 1, .size = 10, .add = add};
    ck_assert_int_eq(srq_reduce_create(comm, &plan, &r), SRQ_ERROR_USAGE);
    ck_assert_ptr_nonnull(strstr(srq_message(), "train.shards"));
}
END_TEST

START_TEST(the_worst_status_wins_with_its_message)
{
    const int rank = srq_comm_rank(comm), last = srq_comm_size(comm) - 1;
    ck_assert_int_eq(srq_comm_agree(comm, SRQ_OK), SRQ_OK);
    srq_status mine = rank == last ? srq_fail(SRQ_ERROR_DATA, "rank %d has no data", rank)
                                   : (rank == 0 ? srq_fail(SRQ_ERROR_USAGE, "less bad") : SRQ_OK);
    char expected[64];
    snprintf(expected, sizeof expected, "rank %d has no data", last);
    ck_assert_int_eq(srq_comm_agree(comm, mine), SRQ_ERROR_DATA);
    ck_assert_str_eq(srq_message(), expected);
}
END_TEST

START_TEST(shares_and_sums)
{
    const int rank = srq_comm_rank(comm), size = srq_comm_size(comm);
    char text[100000];
    memset(text, rank == 0 ? 'x' : ' ', sizeof text);
    srq_comm_share(comm, text, sizeof text);
    ck_assert_int_eq(text[0], 'x');
    ck_assert_int_eq(text[sizeof text - 1], 'x');
    double values[2] = {1, rank};
    srq_comm_sum(comm, values, 2);
    ck_assert_double_eq(values[0], size);
    ck_assert_double_eq(values[1], size * (size - 1) / 2.0);
}
END_TEST

/* Without MPI: ranges cover every shard once, in order, and differ by at most one. */
START_TEST(ranges_cover_all_shards)
{
    for (long shards = 1; shards <= 20; shards++)
        for (int ranks = 1; ranks <= shards; ranks++) {
            long at = 0;
            for (int r = 0; r < ranks; r++) {
                long first, last;
                srq_tree_range(shards, ranks, r, &first, &last);
                ck_assert_int_eq(first, at);
                ck_assert_int_ge(last - first, shards / ranks);
                ck_assert_int_le(last - first, (shards + ranks - 1) / ranks);
                at = last;
            }
            ck_assert_int_eq(at, shards);
        }
}
END_TEST

START_TEST(tree_sum_by_hand)
{
    /* ((1e16 + 1) + (-1e16 + 1)) + 1: the result depends on the order, because of rounding. */
    const double values[] = {1e16, 1, -1e16, 1, 1};
    ck_assert_double_eq(srq_tree_sum(5, values, 1), ((1e16 + 1) + (-1e16 + 1)) + 1);
}
END_TEST

int main(void)
{
    if (srq_comm_create(true, &comm) != SRQ_OK) return EXIT_FAILURE;
    Suite *suite = suite_create("reduce");
    TCase *tests = tcase_create("reduce");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, sums_follow_the_tree);
    tcase_add_test(tests, traffic_is_the_least_possible);
    tcase_add_test(tests, rounding_is_to_the_nearest_bfloat16);
    tcase_add_test(tests, gather_brings_every_part);
    tcase_add_test(tests, ranks_of_a_node_share_memory);
    tcase_add_test(tests, shared_memory_has_huge_pages);
    tcase_add_test(tests, what_cannot_be_reserved_is_refused);
    tcase_add_test(tests, more_ranks_than_shards_are_refused);
    tcase_add_test(tests, the_worst_status_wins_with_its_message);
    tcase_add_test(tests, shares_and_sums);
    tcase_add_test(tests, ranges_cover_all_shards);
    tcase_add_test(tests, tree_sum_by_hand);
    suite_add_tcase(suite, tests);
    int failed = srq_suite_run(suite);
    srq_comm_destroy(&comm);
    return failed;
}
