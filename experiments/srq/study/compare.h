/* Compares the stages of a ticket over seeds. */
#ifndef SRQ_EXPERIMENTS_STUDY_COMPARE_H
#define SRQ_EXPERIMENTS_STUDY_COMPARE_H

#include "experiments/srq/inspect/learned_bits.h"
#include "experiments/srq/statistics.h"
#include "experiments/srq/study/paired.h"
#include "experiments/srq/study/plan.h"

#include <stdio.h>

/* One finished run. */
typedef struct srq_outcome {
    bool there;
    double error, loss;       /* on the test images: error 0..1, loss in nats */
    double mean_bits;         /* mean bit-length of the kept weights */
    double bytes, bops;       /* experiments/srq/inspect/measure.h */
    double relative_bops;     /* bit operations of the same network at 8/8, without masks */
    double kept;              /* share of weights that the masks keep */
    srq_learned_bits learned; /* of a stage that learns bit-lengths */
    bool of_best;             /* of the checkpoint with the lowest validation error, not of the last one */
    char data_sha256[65];
} srq_outcome;

typedef struct srq_comparison {
    int stage_count, seed_count;
    const srq_stage *stages;
    const long long *seeds;
    srq_outcome *outcomes;      /* [stage_count][seed_count] */
    bool from_file, from_start; /* of stage learn: see srq_comparison_take_learn */
} srq_comparison;

/* Makes an empty comparison. The stages and seeds must outlive it. The caller destroys it. */
srq_status srq_comparison_create(int stage_count, const srq_stage *stages, int seed_count, const long long *seeds,
                                 srq_comparison *comparison);
void srq_comparison_destroy(srq_comparison *comparison);

/* Tells with which settings stage learn trains. They decide to which control the conclusion refers: to scratch, or to
 * fine-tune if learn starts from a file (train.init). With prune.rewind = 0, rewind and fine-tune are the same run. */
void srq_comparison_take_learn(srq_comparison *comparison, const srq_settings *settings);

/* Adds a finished run. SRQ_ERROR_DATA if it was trained on other data than a run added before; the message names it by
 * `dir`. */
srq_status srq_comparison_add(srq_comparison *comparison, int stage, int seed, const char *dir, const srq_found *found);

/* The same for a run whose outcome is known already. */
srq_status srq_comparison_set(srq_comparison *comparison, int stage, int seed, const char *dir,
                              const srq_outcome *outcome);

/* Statistics of a stage over the seeds that were added. */
typedef struct srq_stage_figures {
    srq_statistic error, loss, bits, bytes, bops, relative, kept; /* as in srq_outcome */
} srq_stage_figures;
srq_stage_figures srq_comparison_figures(const srq_comparison *comparison, int stage);

/* The difference in test error between two stages, over the seeds that both have. */
srq_paired srq_comparison_difference(const srq_comparison *comparison, int a, int b);
/* Calls `visit` for every pair of stages that are compared and have a seed in common. `place` counts from 0. Returns
 * the number of pairs. `visit` may be NULL. */
typedef void srq_pair_visitor(const srq_comparison *comparison, int a, int b, const srq_paired *paired, int place,
                              void *context);
int srq_comparison_visit(const srq_comparison *comparison, srq_pair_visitor *visit, void *context);

/* The conclusion in one sentence, or "" if there is none yet, and what limits it: a stage whose gates have not settled
 * or that misses its target. `size` should be SRQ_COMPARISON_TEXT. Returns `out`. */
enum { SRQ_COMPARISON_TEXT = 1400 };
char *srq_comparison_say(const srq_comparison *comparison, char *out, size_t size);

void srq_comparison_print(const srq_comparison *comparison, FILE *out);
/* The whole comparison as one JSON object. */
void srq_comparison_print_json(const srq_comparison *comparison, FILE *out);

#endif
