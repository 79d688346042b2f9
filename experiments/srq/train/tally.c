#include "experiments/srq/train/tally.h"

#include <stdlib.h>

/* counts[0]: images whose class is not among the five most probable ones. Then the confusion matrix, or, for more
 * classes, the number of images and of errors of each class. */
enum { BEYOND5, FIRST };

static bool has_matrix(const srq_tally *t)
{
    return t->classes <= SRQ_CONFUSION_MAX;
}

srq_status srq_tally_create(int classes, srq_tally *t)
{
    *t = (srq_tally){.classes = classes};
    t->size = FIRST + classes * (has_matrix(t) ? classes : 2);
    t->counts = calloc((size_t)t->size, sizeof *t->counts);
    return t->counts ? SRQ_OK : srq_fail_memory((size_t)t->size * sizeof *t->counts, "the results by class");
}

void srq_tally_free(srq_tally *t)
{
    free(t->counts);
    t->counts = NULL;
}

/* Of equal logits, the first class counts as the larger one, as in the error. */
static void look(const float *logits, int classes, int label, int *best, int *rank)
{
    *best = *rank = 0;
    for (int c = 0; c < classes; c++) {
        if (logits[c] > logits[*best]) *best = c;
        *rank += logits[c] > logits[label] || (logits[c] == logits[label] && c < label);
    }
}

void srq_tally_add(srq_tally *t, int n, const float *logits, const int32_t *labels)
{
    double *counts = t->counts + FIRST;
    for (int i = 0; i < n; i++, logits += t->classes) {
        int best, rank;
        look(logits, t->classes, labels[i], &best, &rank);
        t->counts[BEYOND5] += rank >= 5;
        if (has_matrix(t)) {
            counts[(size_t)labels[i] * (size_t)t->classes + (size_t)best]++;
        } else {
            counts[2 * labels[i]]++;
            counts[2 * labels[i] + 1] += best != labels[i];
        }
    }
}

void srq_tally_join(srq_tally *t, const srq_comm *comm)
{
    srq_comm_sum(comm, t->counts, t->size);
}

srq_status srq_tally_results(const srq_tally *t, const srq_dataset *dataset, long step, srq_class_results *r)
{
    const double *counts = t->counts + FIRST;
    SRQ_TRY(srq_class_results_create(t->classes, dataset->class_names, r));
    r->step = step;
    r->beyond5 = (long)t->counts[BEYOND5];
    for (int i = 0; has_matrix(t) && i < t->classes * t->classes; i++) r->confusion[i] = (long)counts[i];
    for (int c = 0; !has_matrix(t) && c < t->classes; c++) {
        r->images[c] = (long)counts[2 * c];
        r->errors[c] = (long)counts[2 * c + 1];
    }
    srq_class_results_sum(r);
    return SRQ_OK;
}
