#include "experiments/srq/train/predict_network.h"

#include "core/kernels/engine.h"
#include "experiments/srq/train/evaluate.h"
#include "experiments/srq/train/restore.h"
#include "io/deployed.h"
#include "io/h5.h"
#include "io/input_statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- Opening */

/* The instruction set of the training, if this CPU has it. */
static srq_status choose_isa(const srq_settings *settings, srq_isa *isa)
{
    srq_isa wanted;
    SRQ_TRY(srq_isa_here(isa));
    if (strcmp(settings->train.isa, "auto") != 0 && srq_isa_parse(settings->train.isa, &wanted) == SRQ_OK &&
        (*isa & wanted) == wanted)
        *isa = wanted;
    return srq_kernels_limit(*isa);
}

static srq_status read_checkpoint(const srq_h5_reader *reader, srq_predict_network *n)
{
    srq_isa isa;
    srq_progress_point point;
    SRQ_TRY(srq_checkpoint_config(reader, &n->config));
    n->settings = srq_config_settings(n->config);
    SRQ_TRY(choose_isa(n->settings, &isa));
    SRQ_TRY(srq_restore(reader, n->config, isa, n->capacity, NULL, &n->graph, &point));
    n->step = point.step;
    memcpy(n->data_sha256, point.data_sha256, sizeof n->data_sha256);
    n->classes = srq_graph_classes(n->graph);
    n->normalization = srq_input_statistics_source(n->settings, n->graph);
    return srq_graph_prepare(n->graph);
}

static srq_status open_checkpoint(const char *path, srq_predict_network *n)
{
    srq_h5_reader *reader = NULL;
    SRQ_TRY(srq_checkpoint_open(path, &reader));
    const srq_status status = read_checkpoint(reader, n);
    srq_h5_reader_close(&reader);
    return status;
}

static size_t features(const srq_predict_network *n)
{
    const srq_model_spec *m = &n->settings->model;
    return (size_t)m->height * (size_t)m->width * (size_t)m->channels;
}

/* Images run one by one. They are only read in groups, which take a few megabytes. */
static int capacity_of(const srq_predict_network *n)
{
    enum { NUMBERS = 1 << 22 };
    const size_t most = NUMBERS / features(n) + 1;
    return most < (size_t)n->capacity ? (int)most : n->capacity;
}

static srq_status open_deployed(const char *path, srq_predict_network *n)
{
    SRQ_TRY(srq_deployed_read(path, &n->net));
    const srq_deploy_input *in = &n->net->input;
    n->own = (srq_settings){.data = {.resize = in->resize, .normalize = "none"}};
    n->own.model = (srq_model_spec){.height = in->height, .width = in->width, .channels = in->channels};
    n->settings = &n->own;
    n->step = n->net->step;
    n->classes = in->classes;
    n->normalization = "network";
    n->capacity = capacity_of(n);
    const size_t images = (size_t)n->capacity, size = images * (features(n) + (size_t)n->classes) * sizeof(float);
    n->input = malloc(images * features(n) * sizeof(float));
    n->logits = malloc(images * (size_t)n->classes * sizeof(float));
    if (!n->input || !n->logits) return srq_fail_memory(size, "the images");
    return srq_deploy_runner_create(n->net, &n->runner);
}

srq_status srq_predict_network_open(const char *path, int capacity, srq_predict_network *n)
{
    *n = (srq_predict_network){.deployed = srq_deployed_is(path), .path = path, .capacity = capacity};
    return n->deployed ? open_deployed(path, n) : open_checkpoint(path, n);
}

void srq_predict_network_close(srq_predict_network *n)
{
    srq_graph_destroy(&n->graph);
    srq_config_destroy(&n->config);
    srq_deploy_runner_destroy(&n->runner);
    srq_deploy_destroy(&n->net);
    free(n->input);
    free(n->logits);
}

/* --- Data */

static srq_status check_deployed_fits(const srq_predict_network *n, const srq_dataset *d, const char *file)
{
    const srq_deploy_input *in = &n->net->input;
    if (d->channels != in->channels || (!d->encoded && (d->height != in->height || d->width != in->width)))
        return srq_fail(
            SRQ_ERROR_DATA,
            "%s: its images are %d x %d x %d (height x width x channels), but the network \"%s\" takes %d x "
            "%d x %d; choose another data set",
            file, d->height, d->width, d->channels, n->net->model, in->height, in->width, in->channels);
    if (d->classes != in->classes)
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: it has %d classes, but the network \"%s\" gives %d logits; choose another data set", file,
                        d->classes, n->net->model, in->classes);
    return SRQ_OK;
}

/* A data set without images. `resize` is 0 if images of the training were of one size. */
static srq_status data_of_network(const srq_deploy_input *in, srq_dataset **out)
{
    srq_dataset *d = calloc(1, sizeof *d);
    if (!d) return srq_fail_memory(sizeof *d, "the names of classes");
    *out = d;
    d->file = -1;
    d->encoded = in->resize > 0;
    d->height = d->encoded ? 0 : in->height;
    d->width = d->encoded ? 0 : in->width;
    d->channels = in->channels;
    d->class_names = calloc((size_t)in->classes, sizeof *d->class_names);
    bool whole = d->class_names != NULL;
    for (; whole && d->classes < in->classes; d->classes++)
        whole = (d->class_names[d->classes] = strdup(in->class_names[d->classes])) != NULL;
    return whole ? SRQ_OK : srq_fail_memory((size_t)in->classes * sizeof(char *), "the names of classes");
}

srq_status srq_predict_network_data(const srq_predict_network *n, const char *file, unsigned which, srq_dataset **out)
{
    if (!file) return data_of_network(&n->net->input, out);
    SRQ_TRY(srq_dataset_load(file, which, out));
    return n->deployed ? check_deployed_fits(n, *out, file) : srq_check_data_fits(n->graph, *out, file);
}

srq_status srq_predict_network_view(const srq_predict_network *n, const srq_dataset *dataset, srq_view *view)
{
    SRQ_TRY(srq_view_create(dataset, n->settings, view));
    if (!n->deployed) {
        srq_input_statistics_note(n->path, n->data_sha256, n->settings, n->graph, dataset, stderr);
        srq_view_set_statistics(view, srq_graph_mean(n->graph), srq_graph_std(n->graph));
        srq_graph_set_fraction(n->graph, srq_view_fraction(view));
        return SRQ_OK;
    }
    const srq_deploy_input *in = &n->net->input;
    for (size_t i = 0; i < (size_t)in->width * (size_t)in->channels; i++) {
        view->multiply[i] = in->multiply[i % (size_t)in->channels];
        view->add[i] = in->add[i % (size_t)in->channels];
    }
    return SRQ_OK;
}

/* --- Running */

float *srq_predict_network_input(const srq_predict_network *n)
{
    return n->deployed ? n->input : srq_graph_input(n->graph);
}

static srq_status run_deployed(srq_predict_network *n, int count, const float **logits)
{
    const size_t classes = (size_t)n->classes;
    for (size_t i = 0; i < (size_t)count; i++) {
        float *to = n->logits + i * classes;
        srq_deploy_run(n->runner, n->input + i * features(n), to);
        for (size_t c = 0; c < classes; c++)
            if (!isfinite(to[c]))
                return srq_fail(SRQ_ERROR_RUN,
                                "the network \"%s\" gives an infinity or NaN; train with a lower "
                                "optimizer.learning_rate",
                                n->net->model);
    }
    *logits = n->logits;
    return SRQ_OK;
}

srq_status srq_predict_network_run(srq_predict_network *n, int count, const float **logits)
{
    srq_metrics metrics;
    static const int32_t labels[SRQ_RESTORE_CAPACITY]; /* what is right is not asked here */
    if (n->deployed) return run_deployed(n, count, logits);
    const int bad = srq_graph_evaluate(n->graph, count, labels, &metrics);
    if (bad >= 0)
        return srq_fail(SRQ_ERROR_RUN,
                        "layer \"%s\" produces an infinity or NaN; train with a lower optimizer.learning_rate",
                        srq_graph_layer(n->graph, bad)->spec->name);
    *logits = srq_graph_logits(n->graph);
    return SRQ_OK;
}
