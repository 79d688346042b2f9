#include "io/deployed.h"

#include "core/deploy_graph.h"
#include "io/checkpoint.h"
#include "io/dataset.h"
#include "io/h5.h"
#include "io/input_statistics.h"

#include <stdlib.h>
#include <string.h>

static srq_status check_fits(const srq_graph *graph, const srq_dataset *d, const char *path)
{
    const srq_model_spec *m = srq_graph_spec(graph);
    if (d->channels != m->channels)
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: its images have %d channels, but the model \"%s\" takes %d; name the data set of the "
                        "training with --data FILE",
                        path, d->channels, m->name, m->channels);
    if (d->classes != srq_graph_classes(graph))
        return srq_fail(
            SRQ_ERROR_DATA,
            "%s: it has %d classes, but the model \"%s\" gives %d logits; name the data set of the training "
            "with --data FILE",
            path, d->classes, m->name, srq_graph_classes(graph));
    return SRQ_OK;
}

/* A network keeps the statistics of its training. Older checkpoints do not have them. */
static void normalize(const srq_graph *graph, const srq_settings *s, const srq_dataset *d, srq_deploy_input *input)
{
    const bool own = srq_graph_mean(graph) != NULL, any = strcmp(s->data.normalize, "dataset") == 0;
    const float *mean = own ? srq_graph_mean(graph) : d->mean, *std = own ? srq_graph_std(graph) : d->std;
    srq_normalization(d->channels, any ? mean : NULL, any ? std : NULL, input->multiply, input->add);
}

static srq_status make(srq_graph *graph, const srq_settings *s, const srq_dataset *d, srq_deploy **net)
{
    const srq_model_spec *m = &s->model;
    const int side = m->height < m->width ? m->height : m->width;
    srq_deploy_input input = {.height = m->height,
                              .width = m->width,
                              .channels = m->channels,
                              .resize = !d->encoded      ? 0
                                        : s->data.resize ? s->data.resize
                                                         : (side * 8 + 3) / 7,
                              .classes = d->classes,
                              .class_names = d->class_names};
    memcpy(input.data_name, d->name, sizeof input.data_name);
    memcpy(input.data_sha256, d->checksum, sizeof input.data_sha256);
    input.multiply = malloc((size_t)d->channels * sizeof *input.multiply);
    input.add = malloc((size_t)d->channels * sizeof *input.add);
    srq_status status = SRQ_OK;
    if (input.multiply && input.add)
        normalize(graph, s, d, &input);
    else
        status = srq_fail_memory((size_t)d->channels * sizeof *input.add, "normalization");
    if (status == SRQ_OK) status = srq_deploy_create(graph, &input, net);
    free(input.multiply);
    free(input.add);
    return status;
}

static srq_status load(const srq_h5_reader *reader, const char *checkpoint, const char *data, const srq_config *config,
                       srq_graph *graph, FILE *notes, srq_deploy **net)
{
    const srq_settings *s = srq_config_settings(config);
    const char *file = data ? data : s->data.file;
    srq_progress_point point;
    srq_dataset *d = NULL;
    SRQ_TRY(srq_checkpoint_load(reader, graph, NULL, &point, NULL));
    SRQ_TRY(srq_graph_prepare(graph));
    if (!file || !*file)
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: its configuration names no data set, which has the names of classes; name one with --data "
                        "FILE",
                        checkpoint);
    srq_status status = srq_dataset_load(file, 0, &d);
    if (status != SRQ_OK && !data)
        return srq_fail(status, "%s (the data set that the checkpoint names; use --data FILE to name another)",
                        srq_message());
    if (status == SRQ_OK) status = check_fits(graph, d, file);
    if (status == SRQ_OK) srq_input_statistics_note(checkpoint, point.data_sha256, s, graph, d, notes);
    if (status == SRQ_OK) status = make(graph, s, d, net);
    if (status == SRQ_OK) {
        (*net)->step = point.step;
        snprintf((*net)->method, sizeof(*net)->method, "%s", s->quantizer.method);
    }
    srq_dataset_destroy(&d);
    return status;
}

srq_status srq_deployed_make(const char *checkpoint, const char *data, FILE *notes, srq_config **config_out,
                             srq_deploy **net)
{
    srq_h5_reader *reader = NULL;
    srq_config *config = NULL;
    srq_graph *graph = NULL;
    const srq_graph_options options = {.capacity = 1};
    SRQ_TRY(srq_checkpoint_open(checkpoint, &reader));
    srq_status status = srq_checkpoint_config(reader, &config);
    if (status == SRQ_OK) status = srq_checkpoint_make_graph(reader, config, &options, &graph);
    if (status == SRQ_OK) status = load(reader, checkpoint, data, config, graph, notes, net);
    srq_h5_reader_close(&reader);
    srq_graph_destroy(&graph);
    if (status == SRQ_OK && config_out)
        *config_out = config;
    else
        srq_config_destroy(&config);
    return status;
}
