#include "experiments/srq/train/restore.h"

#include "core/kernels/engine.h"

srq_status srq_restore(const srq_settings *settings, const char *path, srq_isa isa, int capacity, srq_graph **graph,
                       srq_progress_point *point)
{
    const char *engine = srq_kernels_find(settings->train.engine) ? settings->train.engine : "auto";
    const srq_graph_options options = {.capacity = capacity, .engine = engine, .isa = &isa};
    SRQ_TRY(srq_graph_create(&settings->model, &options, graph));
    return srq_checkpoint_read(path, *graph, NULL, point, NULL);
}
