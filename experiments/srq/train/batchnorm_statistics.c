#include "experiments/srq/train/batchnorm_statistics.h"

enum { BATCHES = 64 };

bool srq_settles(const srq_graph *graph)
{
    bool statistics = false, gates = false;
    for (int i = 0; i < srq_graph_parameter_count(graph); i++) {
        statistics = statistics || srq_graph_parameter(graph, i)->kind == SRQ_PARAMETER_STATISTIC;
        gates = gates || srq_graph_parameter(graph, i)->kind == SRQ_PARAMETER_GATE;
    }
    return statistics && gates;
}

srq_status srq_settle(srq_graph *graph, srq_batches *batches, long step, int32_t *labels, float *scratch)
{
    int before = 0;
    SRQ_TRY(srq_graph_prepare(graph));
    for (long batch = step; batch < step + BATCHES; batch++) {
        const int n = srq_batches_fill(batches, batch, 0, graph, 0, labels);
        SRQ_TRY(srq_batches_status(batches));
        if (n < srq_batches_capacity(batches))
            continue; /* the end of an epoch: a variance of few values is inaccurate */
        const int bad = srq_graph_take_statistics(graph, n, before++, scratch);
        if (bad >= 0)
            return srq_fail(SRQ_ERROR_RUN,
                            "layer \"%s\" produces an infinity or NaN while batch-norm statistics are computed for "
                            "evaluation; train with a lower optimizer.learning_rate",
                            srq_graph_layer(graph, bad)->spec->name);
    }
    return SRQ_OK;
}
