/* A checkpoint: what `srq inspect`, `srq eval` and `--resume` read of it. */
#include "core/optimizer.h"
#include "io/checkpoint.h"
#include "io/h5.h"
#include "tests/fuzz/h5_part.h"

#include <string.h>

void srq_fuzz_start(void)
{
    srq_fuzz_begin_limits();
}

/* A network of another size than that of the seeds is refused here, because it is made before the file is read. */
static bool is_small(const srq_model_spec *model)
{
    double size = (double)model->height * model->width * model->channels;
    for (int i = 0; i < model->layer_count; i++) size *= 1 + model->layers[i].out + 2.0 * model->layers[i].padding[0];
    return size < 1e6;
}

static srq_status read_state(const srq_h5_reader *reader, const srq_config *config, srq_graph *graph)
{
    const srq_settings *s = srq_config_settings(config);
    srq_optimizer *optimizer = NULL;
    srq_progress_point point = {0};
    srq_bits_history history = {0};
    const srq_optimizer_options options = {.method = strcmp(s->optimizer.method, "sgd") == 0 ? SRQ_SGD : SRQ_ADAM,
                                           .learning_rate = 1e-3,
                                           .beta1 = 0.9,
                                           .beta2 = 0.999,
                                           .average = s->train.average};
    SRQ_TRY(srq_optimizer_create(graph, &options, &optimizer));
    srq_status status = srq_checkpoint_load(reader, graph, optimizer, &point, &history);
    if (status == SRQ_OK) {
        srq_fuzz_note_graph(graph);
        const size_t channels = (size_t)srq_graph_spec(graph)->channels;
        if (srq_graph_mean(graph)) srq_fuzz_note(srq_graph_mean(graph), channels * sizeof(float));
        if (srq_graph_mean(graph)) srq_fuzz_note(srq_graph_std(graph), channels * sizeof(float));
        srq_optimizer_show_average(optimizer, graph, true);
        srq_fuzz_note_graph(graph);
        srq_fuzz_note(&point.step, sizeof point.step);
        srq_fuzz_note(&point.test_error, sizeof point.test_error);
        srq_fuzz_note(history.changes, (size_t)history.count * sizeof *history.changes);
        status = srq_graph_prepare(graph);
    }
    srq_bits_history_free(&history);
    srq_optimizer_destroy(&optimizer);
    return status;
}

static srq_status read_network(const srq_h5_reader *reader)
{
    srq_config *config = NULL;
    srq_graph *graph = NULL;
    const srq_graph_options options = {.capacity = 1, .engine = "reference"};
    SRQ_TRY(srq_checkpoint_config(reader, &config));
    const srq_model_spec *model = &srq_config_settings(config)->model;
    srq_fuzz_note(srq_config_text(config), strlen(srq_config_text(config)));
    srq_status status = is_small(model) ? srq_checkpoint_make_graph(reader, config, &options, &graph)
                                        : srq_fail(SRQ_ERROR_DATA, "a network of another size");
    if (status == SRQ_OK) status = read_state(reader, config, graph);
    srq_graph_destroy(&graph);
    srq_config_destroy(&config);
    return status;
}

/* The network needs all that srq writes. Objects that it does not need, or that do not fit it, are read one by one. */
srq_status srq_fuzz_read(const uint8_t *data, size_t size)
{
    const char *path = srq_fuzz_file("checkpoint.h5", data, size);
    srq_h5_reader *reader = NULL;
    srq_status status = srq_checkpoint_open(path, &reader);
    if (status == SRQ_OK) status = read_network(reader);
    srq_h5_reader_close(&reader);
    if (status != SRQ_OK) srq_fuzz_read_everything(path, "a checkpoint");
    srq_fuzz_end_limits();
    return status;
}
