/* What the stages of a ticket have come to, over seeds. */
#ifndef SRQ_EXPERIMENTS_STUDY_COMPARE_H
#define SRQ_EXPERIMENTS_STUDY_COMPARE_H

#include "experiments/srq/statistics.h"
#include "experiments/srq/study/paired.h"
#include "experiments/srq/study/plan.h"

#include <stdio.h>

/* One finished run. */
typedef struct srq_outcome {
    bool there;
    double error, loss;   /* of the test images: 0..1, nats */
    double mean_bits;     /* of a weight that is kept */
    double bytes, bops;   /* experiments/srq/inspect/measure.h */
    double relative_bops; /* of the same network at 8/8, without masks */
    double kept;          /* share of weights */
    char data_sha256[65];
} srq_outcome;

typedef struct srq_comparison {
    int stage_count, seed_count;
    const srq_stage *stages;
    const long long *seeds;
    srq_outcome *outcomes; /* [stage_count][seed_count] */
} srq_comparison;

/* Nothing is there yet. The stages and seeds must live as long. The caller destroys it. */
srq_status srq_comparison_create(int stage_count, const srq_stage *stages, int seed_count, const long long *seeds,
                                 srq_comparison *comparison);
void srq_comparison_destroy(srq_comparison *comparison);

/* Adds a finished run. SRQ_ERROR_DATA if it was trained on other data than one that is there, named by `dir`. */
srq_status srq_comparison_add(srq_comparison *comparison, int stage, int seed, const char *dir, const srq_found *found);

/* The same of what is known otherwise. SRQ_ERROR_DATA likewise. */
srq_status srq_comparison_set(srq_comparison *comparison, int stage, int seed, const char *dir,
                              const srq_outcome *outcome);

/* What a stage has come to, over the seeds that are there. */
typedef struct srq_stage_figures {
    srq_statistic error, loss, bits, bytes, bops, relative, kept; /* as in srq_outcome */
} srq_stage_figures;
srq_stage_figures srq_comparison_figures(const srq_comparison *comparison, int stage);

/* The difference in test error between two stages over the seeds that both are there for. */
srq_paired srq_comparison_difference(const srq_comparison *comparison, int a, int b);
/* Calls `visit` for every two stages that are set against each other and have a seed in common; `place` counts from 0.
 * Returns how many there are. `visit` may be NULL. */
typedef void srq_pair_visitor(const srq_comparison *comparison, int a, int b, const srq_paired *paired, int place,
                              void *context);
int srq_comparison_visit(const srq_comparison *comparison, srq_pair_visitor *visit, void *context);

/* In one sentence, what the comparison says; "" if it says nothing yet. Returns `out`. */
char *srq_comparison_say(const srq_comparison *comparison, char *out, size_t size);

void srq_comparison_print(const srq_comparison *comparison, FILE *out);
/* The same for programs, as one JSON object. */
void srq_comparison_print_json(const srq_comparison *comparison, FILE *out);

#endif
