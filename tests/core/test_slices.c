/* Slices and workers: a shard in several slices has the gradients, batch-norm statistics and losses of the whole shard,
 * up to the order of sums, on every back end; and the same bits on any number of workers. */
#include "core/memory.h"
#include "tests/core/network.h"

#include <sched.h>

enum { SLICES_MOST = 5 };

/* Convolution, batch-norm, ReLU, pooling, a residual connection: with and without chains. */
static void make(net *n)
{
    start(n, 6, 4, 2);
    with_window(add(n, "conv1", "conv", "input"), 3, 3, 3, 1, 1, 1, 1)->bias = false;
    add(n, "bn1", "batch_norm", "conv1");
    add(n, "relu1", "relu", "bn1");
    with_window(add(n, "conv2", "conv", "relu1"), 3, 3, 3, 1, 1, 1, 1);
    add(n, "bn2", "batch_norm", "conv2");
    srq_layer_spec *sum = add(n, "sum", "add", "bn2");
    sum->input_count = 2;
    snprintf(sum->inputs[1], sizeof sum->inputs[1], "relu1");
    add(n, "relu2", "relu", "sum");
    with_window(add(n, "pool", "max_pool", "relu2"), 0, 2, 2, 2, 2, 0, 0);
    add(n, "fc", "dense", "pool")->out = 4;
}

/* The answers of one shard. */
typedef struct answers {
    size_t size;
    float *gradients[SLICES_MOST], *sum;
    srq_metrics metrics[SLICES_MOST];
    int bad[SLICES_MOST];
    double loss;
    long correct;
} answers;

typedef struct job {
    srq_graph *graph;
    const srq_shard *shard;
} job;

static void train(void *context, int worker)
{
    const job *j = context;
    bool leads;
    if (srq_graph_lane_of(j->graph, worker, &leads) == 0) srq_graph_train_part(j->graph, worker, j->shard);
}

static void compute(const net *n, int slices, int threads, int images, answers *a)
{
    srq_workers *workers = NULL;
    const srq_workers_options how = {.count = threads, .spin = threads % 2};
    ck_assert_int_eq(srq_workers_create(&how, &workers), SRQ_OK);
    const srq_graph_options options = {.capacity = IMAGES + 1,
                                       .engine = current->engine,
                                       .plain = current->plain,
                                       .slices = slices,
                                       .workers = workers,
                                       .lanes = 1};
    srq_graph *graph = NULL;
    ck_assert_int_eq(srq_graph_create(&n->spec, &options, &graph), SRQ_OK);
    *a = (answers){.size = srq_graph_size(graph)};
    memcpy(srq_graph_values(graph), srq_graph_values(n->graph), a->size * sizeof(float));
    for (int s = 0; s < slices; s++) a->gradients[s] = srq_memory_zeros(a->size * sizeof(float));
    const srq_shard shard = {.n = images,
                             .batch = IMAGES,
                             .labels = n->labels,
                             .gradients = a->gradients,
                             .metrics = a->metrics,
                             .bad = a->bad};
    ck_assert_int_eq(srq_graph_begin_step(graph, &first_step), SRQ_OK);
    srq_graph_set_images(graph, 0, images, srq_graph_input(n->graph));
    job j = {graph, &shard};
    srq_workers_run(workers, train, &j);
    a->sum = srq_memory_zeros(a->size * sizeof(float));
    for (int s = 0; s < slices; s++) {
        ck_assert_int_eq(a->bad[s], -1);
        for (size_t i = 0; i < a->size; i++) a->sum[i] += a->gradients[s][i];
        a->loss += a->metrics[s].loss;
        a->correct += a->metrics[s].correct;
        free(a->gradients[s]);
    }
    /* Convolutions leave the gradients of weights in the order of their kernels. */
    srq_finish *f = NULL;
    ck_assert_int_eq(srq_finish_create(graph, SIZE_MAX, &f), SRQ_OK);
    srq_finish_unpack(f, 0, threads - 1, a->sum);
    srq_finish_destroy(&f);
    srq_graph_destroy(&graph);
    srq_workers_destroy(&workers);
}

static void check_near(const answers *whole, const answers *parts)
{
    double largest = 1e-12; /* an empty shard has none */
    for (size_t i = 0; i < whole->size; i++) largest = fmax(largest, fabs((double)whole->sum[i]));
    for (size_t i = 0; i < whole->size; i++)
        ck_assert_double_eq_tol((double)parts->sum[i], (double)whole->sum[i], current->tolerance * largest);
    ck_assert_double_eq_tol(parts->loss, whole->loss, 1e-5 * IMAGES);
    ck_assert_int_eq(parts->correct, whole->correct);
}

START_TEST(slices_are_the_whole_shard)
{
    static const int threads[] = {1, 2, 3, 7};
    net n;
    if (!take_way(_i)) return;
    make(&n);
    build(&n);
    for (int images = 0; images <= IMAGES; images += images ? 1 : 2) {
        answers whole;
        compute(&n, 1, 1, images, &whole);
        for (int slices = 2; slices <= SLICES_MOST; slices++) {
            answers first;
            compute(&n, slices, 1, images, &first);
            check_near(&whole, &first);
            for (size_t t = 1; t < sizeof threads / sizeof *threads; t++) {
                answers other;
                compute(&n, slices, threads[t], images, &other);
                ck_assert_mem_eq(other.sum, first.sum, first.size * sizeof *first.sum);
                ck_assert(other.loss == first.loss && other.correct == first.correct);
                free(other.sum);
            }
            free(first.sum);
        }
        free(whole.sum);
    }
    finish(&n);
}
END_TEST

/* Each worker adds its number in every round, and sees those of all others after the barrier. */
typedef struct count {
    srq_barrier barrier;
    int workers;
    int rounds[8];
    atomic_int wrong;
} count;

static void add_up(void *context, int worker)
{
    count *c = context;
    for (int round = 1; round <= 200; round++) {
        c->rounds[worker] = round;
        srq_barrier_wait(&c->barrier);
        for (int w = 0; w < c->workers; w++)
            if (c->rounds[w] != round) atomic_fetch_add(&c->wrong, 1);
        srq_barrier_wait(&c->barrier);
    }
}

START_TEST(workers_meet)
{
    for (int workers = 1; workers <= 8; workers++)
        for (int spin = 0; spin < 2; spin++) {
            srq_workers *team = NULL;
            const srq_workers_options how = {.count = workers, .spin = spin};
            count c = {.workers = workers};
            ck_assert_int_eq(srq_workers_create(&how, &team), SRQ_OK);
            ck_assert_int_eq(srq_workers_count(team), workers);
            srq_barrier_init(&c.barrier, workers, spin);
            atomic_init(&c.wrong, 0);
            for (int i = 0; i < 3; i++) srq_workers_run(team, add_up, &c);
            ck_assert_int_eq(atomic_load(&c.wrong), 0);
            srq_barrier_destroy(&c.barrier);
            srq_workers_destroy(&team);
        }
    /* Workers that are bound leave the caller as it was, for the threads that it starts and for later teams. */
    cpu_set_t before, during, after;
    const int cpus[2] = {0, 0};
    srq_workers *bound = NULL;
    const srq_workers_options how = {.count = 2, .cpus = cpus};
    ck_assert_int_eq(sched_getaffinity(0, sizeof before, &before), 0);
    ck_assert_int_eq(srq_workers_create(&how, &bound), SRQ_OK);
    ck_assert_int_eq(sched_getaffinity(0, sizeof during, &during), 0);
    srq_workers_destroy(&bound);
    ck_assert_int_eq(sched_getaffinity(0, sizeof after, &after), 0);
    ck_assert(CPU_EQUAL(&before, &during) && CPU_EQUAL(&before, &after));
    /* Without a team, there is one worker, the caller. */
    count alone = {.workers = 1};
    srq_barrier_init(&alone.barrier, 1, false);
    srq_workers_run(NULL, add_up, &alone);
    ck_assert_int_eq(alone.rounds[0], 200);
    srq_barrier_destroy(&alone.barrier);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slices");
    TCase *tests = tcase_create("slices");
    tcase_set_timeout(tests, 300);
    tcase_add_loop_test(tests, slices_are_the_whole_shard, 0, WAYS);
    tcase_add_test(tests, workers_meet);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
