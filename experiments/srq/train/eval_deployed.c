#include "experiments/srq/train/eval_deployed.h"

#include "core/ops/softmax_loss.h"
#include "experiments/srq/inspect/tensors.h"
#include "experiments/srq/train/say_classes.h"
#include "experiments/srq/train/tally.h"
#include "experiments/srq/train/test_images.h"
#include "io/deployed.h"
#include "io/escape.h"

#include <stdlib.h>

/* Images are evaluated in groups, so that the loss is the same sum on any number of ranks. */
enum { GROUP = 64, LOSS = 0, CORRECT = 1, WIDTH = 2 };

typedef struct evaluation {
    srq_deploy *net;
    srq_deploy_runner *runner;
    srq_test_images images;
    uint8_t *pixels;
    float *input, *logits;
    srq_tally tally;           /* with --classes */
    srq_class_results results; /* likewise */
} evaluation;

static srq_status build(const char *path, const char *data, evaluation *e)
{
    SRQ_TRY(srq_deployed_read(path, &e->net));
    if (!data)
        return srq_fail(SRQ_ERROR_USAGE,
                        "eval: %s is a deployed network, which names no file with images; use --data FILE (its "
                        "training was on \"%s\")",
                        path, e->net->input.data_name);
    SRQ_TRY(srq_test_images_open(data, e->net, &e->images));
    SRQ_TRY(srq_deploy_runner_create(e->net, &e->runner));
    const srq_deploy_tensor images = srq_deploy_tensor_at(e->net, SRQ_DEPLOY_IMAGES);
    const size_t size = srq_deploy_size(&images);
    e->pixels = malloc(size);
    e->input = malloc(size * sizeof *e->input);
    e->logits = malloc((size_t)e->net->input.classes * sizeof *e->logits);
    return e->pixels && e->input && e->logits ? SRQ_OK : srq_fail_memory(size * sizeof *e->input, "an image");
}

static void destroy(evaluation *e)
{
    srq_class_results_free(&e->results);
    srq_tally_free(&e->tally);
    srq_test_images_close(&e->images);
    srq_deploy_runner_destroy(&e->runner);
    srq_deploy_destroy(&e->net);
    free(e->pixels);
    free(e->input);
    free(e->logits);
}

static srq_status run_group(evaluation *e, long group, double *sums)
{
    const long first = group * GROUP, last = first + GROUP < e->images.count ? first + GROUP : e->images.count;
    const srq_deploy_tensor images = srq_deploy_tensor_at(e->net, SRQ_DEPLOY_IMAGES);
    const size_t size = srq_deploy_size(&images), channels = (size_t)images.channels;
    for (long i = first; i < last; i++) {
        long correct = 0;
        SRQ_TRY(srq_test_images_read(&e->images, i, e->pixels));
        for (size_t k = 0; k < size; k++)
            e->input[k] = srq_deploy_pixel(&e->net->input, (int)(k % channels), e->pixels[k]);
        srq_deploy_run(e->runner, e->input, e->logits);
        srq_softmax_loss(1, e->net->input.classes, e->logits, &e->images.labels[i], 0, 0, NULL, &sums[LOSS], &correct);
        sums[CORRECT] += (double)correct;
        if (e->tally.counts) srq_tally_add(&e->tally, 1, e->logits, &e->images.labels[i]);
    }
    return SRQ_OK;
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
        for (long g = srq_comm_rank(comm); status == SRQ_OK && g < groups; g += srq_comm_size(comm))
            status = run_group(e, g, sums + g * WIDTH);
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

srq_status srq_eval_deployed(srq_comm *comm, const char *path, const char *data, bool classes, bool json)
{
    evaluation e = {0};
    double loss;
    long wrong;
    srq_status status = build(path, data, &e);
    if (status == SRQ_OK && classes) status = srq_tally_create(e.net->input.classes, &e.tally);
    status = srq_comm_agree(comm, status);
    if (status == SRQ_OK) status = run(comm, &e, &loss, &wrong);
    if (status == SRQ_OK && srq_comm_rank(comm) == 0) print(&e, path, data, json, loss, wrong);
    destroy(&e);
    return status;
}
