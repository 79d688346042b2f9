#include "experiments/srq/train/eval_deployed.h"

#include "core/ops/softmax_loss.h"
#include "experiments/srq/inspect/tensors.h"
#include "experiments/srq/train/say_classes.h"
#include "experiments/srq/train/tally.h"
#include "experiments/srq/train/test_images.h"
#include "experiments/srq/train/threads.h"
#include "io/deployed.h"
#include "io/escape.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* Images are evaluated in groups, so that the loss is the same sum on any number of ranks and threads. */
enum { GROUP = 64, LOSS = 0, CORRECT = 1, WIDTH = 2 };

/* What a thread has for itself. */
typedef struct bench {
    srq_deploy_runner *runner;
    uint8_t *pixels;
    float *input, *logits;
} bench;

typedef struct evaluation {
    srq_deploy *net;
    srq_threads threads;
    bench *benches;       /* [threads] */
    pthread_mutex_t lock; /* of what follows, while threads evaluate */
    srq_test_images images;
    long next, stride; /* the next group of this rank; ranks */
    double *sums;      /* [groups][WIDTH] */
    srq_tally tally;   /* with --classes */
    srq_status status; /* the first failure, and its message */
    char message[SRQ_MESSAGE_SIZE];
    srq_class_results results; /* with --classes */
} evaluation;

static srq_status make_bench(const srq_deploy *net, bench *b)
{
    const srq_deploy_tensor images = srq_deploy_tensor_at(net, SRQ_DEPLOY_IMAGES);
    const size_t size = srq_deploy_size(&images);
    SRQ_TRY(srq_deploy_runner_create(net, &b->runner));
    b->pixels = malloc(size);
    b->input = malloc(size * sizeof *b->input);
    b->logits = malloc((size_t)net->input.classes * sizeof *b->logits);
    return b->pixels && b->input && b->logits ? SRQ_OK : srq_fail_memory(size * sizeof *b->input, "an image");
}

static srq_status build(const char *path, const char *data, evaluation *e)
{
    SRQ_TRY(srq_deployed_read(path, &e->net));
    if (!data)
        return srq_fail(SRQ_ERROR_USAGE,
                        "eval: %s is a deployed network, which names no file with images; use --data FILE (its "
                        "training was on \"%s\")",
                        path, e->net->input.data_name);
    SRQ_TRY(srq_test_images_open(data, e->net, &e->images));
    e->benches = calloc((size_t)e->threads.count, sizeof *e->benches);
    if (!e->benches) return srq_fail_memory((size_t)e->threads.count * sizeof *e->benches, "evaluation");
    for (int i = 0; i < e->threads.count; i++) SRQ_TRY(make_bench(e->net, &e->benches[i]));
    return SRQ_OK;
}

static void destroy(evaluation *e)
{
    for (int i = 0; e->benches && i < e->threads.count; i++) {
        srq_deploy_runner_destroy(&e->benches[i].runner);
        free(e->benches[i].pixels);
        free(e->benches[i].input);
        free(e->benches[i].logits);
    }
    free(e->benches);
    srq_threads_destroy(&e->threads);
    srq_class_results_free(&e->results);
    srq_tally_free(&e->tally);
    srq_test_images_close(&e->images);
    srq_deploy_destroy(&e->net);
}

/* Images are read by one thread at a time, and interpreted by all. */
static srq_status read_image(evaluation *e, long index, uint8_t *pixels)
{
    pthread_mutex_lock(&e->lock);
    srq_status status = e->status;
    if (status == SRQ_OK) status = srq_test_images_read(&e->images, index, pixels);
    if (status != SRQ_OK && e->status == SRQ_OK) {
        e->status = status;
        snprintf(e->message, sizeof e->message, "%s", srq_message());
    }
    pthread_mutex_unlock(&e->lock);
    return status;
}

static void run_group(evaluation *e, bench *b, long group)
{
    const long first = group * GROUP, last = first + GROUP < e->images.count ? first + GROUP : e->images.count;
    const srq_deploy_tensor images = srq_deploy_tensor_at(e->net, SRQ_DEPLOY_IMAGES);
    const size_t size = srq_deploy_size(&images), channels = (size_t)images.channels;
    double *sums = e->sums + group * WIDTH;
    for (long i = first; i < last; i++) {
        long correct = 0;
        if (read_image(e, i, b->pixels) != SRQ_OK) return;
        for (size_t k = 0; k < size; k++)
            b->input[k] = srq_deploy_pixel(&e->net->input, (int)(k % channels), b->pixels[k]);
        srq_deploy_run(b->runner, b->input, b->logits);
        srq_softmax_loss(1, e->net->input.classes, b->logits, &e->images.labels[i], 0, 0, NULL, &sums[LOSS], &correct);
        sums[CORRECT] += (double)correct;
        if (!e->tally.counts) continue;
        pthread_mutex_lock(&e->lock);
        srq_tally_add(&e->tally, 1, b->logits, &e->images.labels[i]);
        pthread_mutex_unlock(&e->lock);
    }
}

static long next_group(evaluation *e)
{
    pthread_mutex_lock(&e->lock);
    const long group = e->next * GROUP < e->images.count && e->status == SRQ_OK ? e->next : -1;
    e->next += e->stride;
    pthread_mutex_unlock(&e->lock);
    return group;
}

static void run_groups(void *context, int worker)
{
    evaluation *e = context;
    for (long group = next_group(e); group >= 0; group = next_group(e)) run_group(e, &e->benches[worker], group);
}

static void print(const evaluation *e, const char *path, const char *data, bool json, double loss, long wrong)
{
    char text[8500], number[SRQ_JSON_NUMBER];
    const long count = e->images.count;
    if (!json) {
        srq_say("test error %.2f %% (%ld of %ld), loss %.4f\n", 100.0 * (double)wrong / (double)count, wrong, count,
                loss / (double)count);
        if (e->tally.counts) srq_say_classes(&e->results);
        return;
    }
    srq_say(e->tally.counts ? "{\"format\": \"srq-classes\",\n \"version\": 1,\n " : "{");
    srq_say("\"deployed\": %s,\n", srq_json_quote(path, text, sizeof text));
    srq_say(" \"step\": %ld,\n", e->net->step);
    srq_say(" \"data\": %s,\n", srq_json_quote(data, text, sizeof text));
    srq_say(" \"data_sha256\": %s,\n", srq_json_quote(e->images.dataset->checksum, text, sizeof text));
    srq_say(" \"normalization\": \"network\",\n");
    srq_say(" \"test_error\": %s,\n", srq_json_number((double)wrong / (double)count, number));
    srq_say(" \"test_loss\": %s,\n", srq_json_number(loss / (double)count, number));
    srq_say(" \"test_wrong\": %ld,\n \"test_count\": %ld%s", wrong, count, e->tally.counts ? ",\n " : "}\n");
    if (!e->tally.counts) return;
    srq_class_results_print_json(&e->results, stdout);
    srq_say("}\n");
}

static srq_status run(srq_comm *comm, evaluation *e, double *loss, long *wrong)
{
    const long groups = (e->images.count + GROUP - 1) / GROUP;
    double *sums = calloc((size_t)groups * WIDTH, sizeof *sums);
    srq_status status =
        srq_comm_agree(comm, sums ? SRQ_OK : srq_fail_memory((size_t)groups * WIDTH * sizeof *sums, "evaluation"));
    if (status == SRQ_OK) {
        e->sums = sums;
        e->next = srq_comm_rank(comm);
        e->stride = srq_comm_size(comm);
        pthread_mutex_init(&e->lock, NULL);
        srq_workers_run(e->threads.workers, run_groups, e);
        pthread_mutex_destroy(&e->lock);
        /* Messages are kept for each thread. */
        if (e->status != SRQ_OK) status = srq_fail(e->status, "%s", e->message);
        status = srq_comm_agree(comm, status);
    }
    if (status == SRQ_OK) srq_comm_sum(comm, sums, (int)(groups * WIDTH));
    if (status == SRQ_OK && e->tally.counts) {
        srq_tally_join(&e->tally, comm);
        status = srq_comm_agree(comm, srq_tally_results(&e->tally, e->images.dataset, e->net->step, &e->results));
    }
    *loss = 0;
    *wrong = e->images.count;
    for (long g = 0; status == SRQ_OK && g < groups; g++) {
        *loss += sums[g * WIDTH + LOSS];
        *wrong -= (long)sums[g * WIDTH + CORRECT];
    }
    free(sums);
    return status;
}

srq_status srq_eval_deployed(srq_comm *comm, const char *path, const char *data, int threads, bool classes, bool json)
{
    evaluation e = {0};
    double loss;
    long wrong;
    SRQ_TRY(srq_threads_create(comm, threads, &e.threads));
    srq_status status = build(path, data, &e);
    if (status == SRQ_OK && classes) status = srq_tally_create(e.net->input.classes, &e.tally);
    status = srq_comm_agree(comm, status);
    if (status == SRQ_OK) status = run(comm, &e, &loss, &wrong);
    if (status == SRQ_OK && srq_comm_rank(comm) == 0) print(&e, path, data, json, loss, wrong);
    destroy(&e);
    return status;
}
