/* A model file. Small networks are built as well. */
#include "core/graph.h"
#include "io/config.h"
#include "tests/fuzz/fuzz.h"

static const char config_text[] = "model = \"model.cfg\";\ndata = { file = \"d.h5\"; };\n"
                                  "quantizer = { method = \"srq\"; weight_bits = 2; activation_bits = 3; };\n";

void srq_fuzz_start(void)
{
    srq_fuzz_file("config.cfg", config_text, sizeof config_text - 1);
}

/* A large network is a right answer to a text that asks for one, but takes too long here. */
static bool is_small(const srq_model_spec *model)
{
    double size = (double)model->height * model->width * model->channels;
    for (int i = 0; i < model->layer_count; i++) {
        const srq_layer_spec *l = &model->layers[i];
        const double weights = (double)l->out * l->kernel[0] * l->kernel[1];
        const double border = (1 + 2.0 * l->padding[0]) * (1 + 2.0 * l->padding[1]);
        size += weights * 256 + (double)l->out * border;
        if (border > 400) return false;
    }
    return size < 1 << 20 && model->layer_count <= 64;
}

static srq_status build(const srq_model_spec *model)
{
    srq_graph *graph = NULL;
    const srq_graph_options options = {.capacity = 1, .engine = "reference"};
    SRQ_TRY(srq_graph_create(model, &options, &graph));
    srq_graph_initialize(graph, 1, SRQ_GAIN_HE);
    srq_graph_start(graph, 1);
    srq_graph_destroy(&graph);
    return SRQ_OK;
}

srq_status srq_fuzz_read(const uint8_t *data, size_t size)
{
    srq_config *config = NULL;
    srq_fuzz_file("model.cfg", data, size);
    SRQ_TRY(srq_config_load(srq_fuzz_path("config.cfg"), 0, NULL, &config));
    const srq_model_spec *model = &srq_config_settings(config)->model;
    const srq_status status = is_small(model) ? build(model) : SRQ_OK;
    srq_config_destroy(&config);
    return status;
}
