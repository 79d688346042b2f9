/* Weights for train.init, of srq or of another program; and masks. */
#include "io/config.h"
#include "io/masks.h"
#include "io/weights.h"
#include "tests/fuzz/h5_part.h"

static srq_config *config;

void srq_fuzz_start(void)
{
    srq_fuzz_check(srq_config_parse(SRQ_FUZZ_LAYERS, "config", &config) == SRQ_OK, "the configuration can be read");
    srq_fuzz_begin_limits();
}

srq_status srq_fuzz_read(const uint8_t *data, size_t size)
{
    srq_graph *graph = NULL;
    const srq_graph_options options = {.capacity = 1, .engine = "reference"};
    const char *path = srq_fuzz_file("weights.h5", data, size);
    SRQ_TRY(srq_graph_create(&srq_config_settings(config)->model, &options, &graph));
    srq_status status = srq_weights_read(path, true, graph, NULL);
    if (status == SRQ_OK) srq_fuzz_note_graph(graph);
    if (srq_masks_load(path, graph) == SRQ_OK) status = SRQ_OK;
    srq_graph_destroy(&graph);
    srq_fuzz_end_limits();
    return status;
}
