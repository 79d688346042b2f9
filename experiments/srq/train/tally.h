/* Counts of an evaluation by class. Each rank counts its images; the sums are exact, because they are whole numbers. */
#ifndef SRQ_EXPERIMENTS_TRAIN_TALLY_H
#define SRQ_EXPERIMENTS_TRAIN_TALLY_H

#include "dist/comm.h"
#include "io/class_results.h"
#include "io/dataset.h"

typedef struct srq_tally {
    int classes;
    double *counts; /* [size] */
    int size;
} srq_tally;

/* All counts are 0. SRQ_ERROR_RUN without memory. The caller frees it, also after a failure. */
srq_status srq_tally_create(int classes, srq_tally *tally);
void srq_tally_free(srq_tally *tally);

/* Counts n images with finite logits[n][classes]. */
void srq_tally_add(srq_tally *tally, int n, const float *logits, const int32_t *labels);
/* Collective: the sums over ranks, on every rank. */
void srq_tally_join(srq_tally *tally, const srq_comm *comm);

/* The results, after srq_tally_join; the caller frees them, also after a failure. */
srq_status srq_tally_results(const srq_tally *tally, const srq_dataset *dataset, long step, srq_class_results *results);

#endif
