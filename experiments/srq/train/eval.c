/* srq eval: test error and loss of a checkpoint. */
#include "core/kernels/engine.h"
#include "experiments/srq/commands.h"
#include "experiments/srq/train/evaluate.h"
#include "experiments/srq/train/node_checks.h"
#include "io/checkpoint.h"
#include "io/escape.h"

#include <stdio.h>
#include <string.h>

typedef struct eval_options {
    char checkpoint[4200];
    const char *data;
} eval_options;

static srq_status usage(const char *what, const char *word)
{
    return srq_fail(SRQ_ERROR_USAGE, "eval: %s%s; usage: srq eval CHECKPOINT [--data FILE]", what, word);
}

static srq_status parse(int argc, char **argv, eval_options *options)
{
    *options = (eval_options){0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--data") == 0) {
            if (i + 1 == argc) return usage("a value is missing after ", argv[i]);
            options->data = argv[++i];
        } else if (argv[i][0] == '-') {
            return usage("no option is called ", argv[i]);
        } else if (options->checkpoint[0]) {
            return usage("one checkpoint is expected, but a second one is given: ", argv[i]);
        } else {
            srq_checkpoint_path(argv[i], options->checkpoint, sizeof options->checkpoint);
        }
    }
    return options->checkpoint[0] ? SRQ_OK : usage("no checkpoint is named", "");
}

/* Everything that evaluation needs; each rank has its own. */
typedef struct evaluation {
    srq_dataset *dataset;
    srq_batches batches;
    srq_graph *graph;
} evaluation;

static srq_status build(const srq_settings *settings, const eval_options *options, srq_isa isa, evaluation *e)
{
    enum { CAPACITY = 64 };
    const char *file = options->data ? options->data : settings->data.file;
    /* If this build lacks the engine of the checkpoint, another one evaluates it. */
    const char *engine = srq_kernels_find(settings->train.engine) ? settings->train.engine : "auto";
    const srq_graph_options graph = {.capacity = CAPACITY, .engine = engine, .isa = &isa};
    SRQ_TRY(srq_graph_create(&settings->model, &graph, &e->graph));
    SRQ_TRY(srq_checkpoint_read(options->checkpoint, e->graph, NULL, NULL, NULL));
    srq_status status = srq_dataset_load(file, SRQ_LOAD_TEST, &e->dataset);
    if (status != SRQ_OK && !options->data)
        return srq_fail(status, "%s (the data set that the checkpoint names; use --data FILE to name another)",
                        srq_message());
    SRQ_TRY(status);
    SRQ_TRY(srq_check_data_fits(e->graph, e->dataset, file));
    SRQ_TRY(srq_batches_create(e->dataset, settings, CAPACITY, 1, &e->batches));
    SRQ_TRY(srq_batches_start(&e->batches, 0, 0));
    return srq_graph_prepare(e->graph);
}

static srq_status evaluate(srq_comm *comm, const srq_settings *settings, const eval_options *options)
{
    evaluation e = {0};
    srq_metrics m;
    srq_isa isa;
    /* With the instruction set of the training, if all CPUs here have it. */
    if (srq_nodes_settle_isa(comm, settings->train.isa, &isa) != SRQ_OK)
        SRQ_TRY(srq_nodes_settle_isa(comm, "auto", &isa));
    srq_status status = srq_comm_agree(comm, build(settings, options, isa, &e));
    if (status == SRQ_OK) status = srq_evaluate(comm, e.graph, &e.batches, SRQ_TEST, &m);
    if (status == SRQ_OK && srq_comm_rank(comm) == 0)
        srq_say("test error %.2f %% (%ld of %ld), loss %.4f\n", 100.0 * (double)(m.count - m.correct) / (double)m.count,
                m.count - m.correct, m.count, m.loss / (double)m.count);
    srq_batches_destroy(&e.batches);
    srq_dataset_destroy(&e.dataset);
    srq_graph_destroy(&e.graph);
    return status;
}

srq_status srq_command_eval(srq_comm *comm, int argc, char **argv)
{
    eval_options options;
    srq_config *config = NULL;
    srq_status status = parse(argc, argv, &options);
    if (status == SRQ_OK && srq_comm_rank(comm) == 0) status = srq_checkpoint_read_config(options.checkpoint, &config);
    status = srq_share_config(comm, status, &config);
    if (status == SRQ_OK) status = evaluate(comm, srq_config_settings(config), &options);
    srq_config_destroy(&config);
    return status;
}
