#include "experiments/srq/train/evaluate.h"

#include <stdlib.h>

enum { LOSS, CORRECT, BAD, WIDTH };

static void run_group(srq_graph *graph, srq_batches *batches, srq_part part, long first, int n, int32_t *labels,
                      srq_tally *tally, double *sums)
{
    srq_metrics metrics;
    srq_batches_fill_range(batches, part, first, n, graph, labels);
    int bad = srq_graph_evaluate(graph, n, labels, &metrics);
    if (tally && bad < 0) srq_tally_add(tally, n, srq_graph_logits(graph), labels);
    sums[LOSS] = metrics.loss;
    sums[CORRECT] = (double)metrics.correct;
    sums[BAD] = bad + 1;
}

srq_status srq_evaluate(const srq_comm *comm, srq_graph *graph, srq_batches *batches, srq_part part, srq_tally *tally,
                        srq_metrics *metrics)
{
    const long count = srq_batches_part(batches, part);
    const int capacity = srq_graph_capacity(graph), ranks = srq_comm_size(comm);
    const long groups = (count + capacity - 1) / capacity;
    double *sums = calloc((size_t)groups * WIDTH, sizeof *sums);
    int32_t *labels = calloc((size_t)capacity, sizeof *labels);
    srq_status status = sums && labels ? SRQ_OK : srq_fail_memory((size_t)groups * WIDTH * sizeof *sums, "evaluation");
    status = srq_comm_agree(comm, status);
    if (status == SRQ_OK) srq_batches_expect(batches, part, capacity, srq_comm_rank(comm), ranks);
    for (long g = srq_comm_rank(comm); status == SRQ_OK && g < groups; g += ranks) {
        long first = g * capacity;
        int n = count - first < capacity ? (int)(count - first) : capacity;
        run_group(graph, batches, part, first, n, labels, tally, sums + g * WIDTH);
    }
    if (status == SRQ_OK) status = srq_comm_agree(comm, srq_batches_status(batches));
    if (status == SRQ_OK) srq_comm_sum(comm, sums, (int)(groups * WIDTH));
    if (status == SRQ_OK && tally) srq_tally_join(tally, comm);
    *metrics = (srq_metrics){.count = count};
    for (long g = 0; status == SRQ_OK && g < groups; g++) {
        metrics->loss += sums[g * WIDTH + LOSS];
        metrics->correct += (long)sums[g * WIDTH + CORRECT];
        if (sums[g * WIDTH + BAD] > 0)
            status = srq_fail(SRQ_ERROR_RUN,
                              "layer \"%s\" produces an infinity or NaN in the evaluation; train with a lower "
                              "optimizer.learning_rate",
                              srq_graph_layer(graph, (int)sums[g * WIDTH + BAD] - 1)->spec->name);
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
