#include "experiments/srq/train/restore.h"

#include "core/kernels/engine.h"

srq_status srq_restore(const srq_h5_reader *reader, const srq_config *config, srq_isa isa, int capacity,
                       srq_workers *workers, srq_graph **graph, srq_progress_point *point)
{
    const srq_settings *settings = srq_config_settings(config);
    const char *engine = srq_kernels_find(settings->train.engine) ? settings->train.engine : "auto";
    const srq_graph_options options = {.capacity = capacity, .engine = engine, .isa = &isa, .workers = workers};
    SRQ_TRY(srq_checkpoint_make_graph(reader, config, &options, graph));
    return srq_checkpoint_load(reader, *graph, NULL, point, NULL);
}
