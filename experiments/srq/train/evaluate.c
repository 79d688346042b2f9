#include "experiments/srq/train/evaluate.h"

#include <pthread.h>
#include <stdlib.h>

enum { LOSS, CORRECT, BAD, WIDTH };

/* What the workers of a rank do together: each takes the next group that is left. */
typedef struct groups {
    srq_graph *graph;
    srq_batches *batches;
    srq_part part;
    long images, count, stride; /* number of images, groups; ranks */
    pthread_mutex_t lock;       /* of `next`, the batches and the tally */
    srq_tally *tally;           /* or NULL */
    long next;
    int32_t *labels; /* [passes][capacity] */
    double *sums;    /* [count][WIDTH] */
} groups;

/* Fills the input of pass `pass` with the next group of this rank, and returns its number, or -1. */
static long next_group(groups *g, int pass, int32_t *labels, int *n)
{
    const int capacity = srq_graph_capacity(g->graph);
    pthread_mutex_lock(&g->lock);
    const long group = g->next < g->count ? g->next : -1;
    if (group >= 0) {
        const long first = group * capacity;
        *n = g->images - first < capacity ? (int)(g->images - first) : capacity;
        srq_batches_fill_range(g->batches, g->part, first, *n, g->graph, pass, labels);
        g->next += g->stride;
    }
    pthread_mutex_unlock(&g->lock);
    return group;
}

static void count_classes(groups *g, int pass, int n, const int32_t *labels)
{
    pthread_mutex_lock(&g->lock);
    srq_tally_add(g->tally, n, srq_graph_logits_of(g->graph, pass), labels);
    pthread_mutex_unlock(&g->lock);
}

static void run_groups(void *context, int worker)
{
    groups *g = context;
    int n;
    if (worker >= srq_graph_passes(g->graph)) return;
    int32_t *labels = g->labels + (size_t)worker * (size_t)srq_graph_capacity(g->graph);
    for (long group = next_group(g, worker, labels, &n); group >= 0; group = next_group(g, worker, labels, &n)) {
        srq_metrics metrics;
        const int bad = srq_graph_evaluate_on(g->graph, worker, n, labels, &metrics);
        double *sums = g->sums + group * WIDTH;
        if (g->tally && bad < 0) count_classes(g, worker, n, labels);
        sums[LOSS] = metrics.loss;
        sums[CORRECT] = (double)metrics.correct;
        sums[BAD] = bad + 1;
    }
}

srq_status srq_evaluate(const srq_comm *comm, srq_graph *graph, srq_batches *batches, srq_part part, srq_tally *tally,
                        srq_metrics *metrics)
{
    const long count = srq_batches_part(batches, part);
    const int capacity = srq_graph_capacity(graph), ranks = srq_comm_size(comm), rank = srq_comm_rank(comm);
    const long groups_of_all = (count + capacity - 1) / capacity;
    const size_t label_count = (size_t)capacity * (size_t)srq_graph_passes(graph);
    double *sums = calloc((size_t)groups_of_all * WIDTH, sizeof *sums);
    int32_t *labels = calloc(label_count, sizeof *labels);
    groups g = {.graph = graph,
                .batches = batches,
                .part = part,
                .tally = tally,
                .images = count,
                .count = groups_of_all,
                .stride = ranks,
                .next = rank,
                .labels = labels,
                .sums = sums};
    srq_status status =
        sums && labels ? SRQ_OK : srq_fail_memory((size_t)groups_of_all * WIDTH * sizeof *sums, "evaluation");
    status = srq_comm_agree(comm, status);
    srq_graph_set_fraction(graph, srq_view_fraction(&batches->view));
    if (status == SRQ_OK) {
        srq_batches_expect(batches, part, capacity, rank, ranks);
        pthread_mutex_init(&g.lock, NULL);
        srq_workers_run(srq_graph_workers(graph), run_groups, &g);
        pthread_mutex_destroy(&g.lock);
    }
    if (status == SRQ_OK) status = srq_comm_agree(comm, srq_batches_status(batches));
    if (status == SRQ_OK) srq_comm_sum(comm, sums, (int)(groups_of_all * WIDTH));
    if (status == SRQ_OK && tally) srq_tally_join(tally, comm);
    *metrics = (srq_metrics){.count = count};
    for (long i = 0; status == SRQ_OK && i < groups_of_all; i++) {
        metrics->loss += sums[i * WIDTH + LOSS];
        metrics->correct += (long)sums[i * WIDTH + CORRECT];
        if (sums[i * WIDTH + BAD] > 0)
            status = srq_fail(SRQ_ERROR_RUN,
                              "layer \"%s\" produces an infinity or NaN in the evaluation; train with a lower "
                              "optimizer.learning_rate",
                              srq_graph_layer(graph, (int)sums[i * WIDTH + BAD] - 1)->spec->name);
    }
    free(sums);
    free(labels);
    return status;
}

srq_status srq_evaluate_by_class(const srq_comm *comm, srq_graph *graph, srq_batches *batches, long step,
                                 const char *folder, srq_metrics *metrics)
{
    srq_tally tally;
    srq_class_results results = {0};
    srq_status status = srq_comm_agree(comm, srq_tally_create(srq_graph_classes(graph), &tally));
    if (status == SRQ_OK) status = srq_evaluate(comm, graph, batches, SRQ_PART_TEST, &tally, metrics);
    if (status == SRQ_OK && folder) {
        status = srq_tally_results(&tally, batches->dataset, step, &results);
        if (status == SRQ_OK) status = srq_class_results_write(folder, &results);
    }
    srq_class_results_free(&results);
    srq_tally_free(&tally);
    return srq_comm_agree(comm, status);
}

srq_status srq_check_data_fits(const srq_graph *graph, const srq_dataset *d, const char *path)
{
    const srq_model_spec *m = srq_graph_spec(graph);
    if (d->encoded && d->channels != m->channels)
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: its images have %d channels (RGB), but the model \"%s\" takes %d; choose "
                        "another data set or model",
                        path, d->channels, m->name, m->channels);
    if (!d->encoded && (d->height != m->height || d->width != m->width || d->channels != m->channels))
        return srq_fail(
            SRQ_ERROR_DATA,
            "%s: its images are %d x %d x %d (height x width x channels), but the model \"%s\" takes %d x %d x %d; "
            "choose another data set or model",
            path, d->height, d->width, d->channels, m->name, m->height, m->width, m->channels);
    if (d->classes != srq_graph_classes(graph))
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: it has %d classes, but the model \"%s\" gives %d logits; set data.classes to %d (where "
                        "the last layer of "
                        "the model file has out = \"classes\"), or that layer's out",
                        path, d->classes, m->name, srq_graph_classes(graph), d->classes);
    return SRQ_OK;
}
