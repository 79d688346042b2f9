/* The choices of a run: its settings that decide results. */
#ifndef SRQ_EXPERIMENTS_REPORT_CHOICES_H
#define SRQ_EXPERIMENTS_REPORT_CHOICES_H

#include "experiments/srq/report/runs.h"

/* A setting that decides results, and its value. In `shown`, long values are replaced by the model's name, or
 * by a short list of layers. */
typedef struct srq_choice {
    const char *path;
    char *value, *shown;
    bool idle; /* it has no effect because of others: the value is the default */
} srq_choice;

typedef struct srq_choices {
    char digest[65]; /* digest of all paths and values; equal if the choices are equal */
    int count;
    srq_choice *items;
} srq_choices;

/* The choices of a run without its seed, but with its data set. The caller frees *choices, also after a failure. */
srq_status srq_choices_read(const srq_report_run *run, srq_choices *choices);
void srq_choices_free(srq_choices *choices);
/* The choice of a path, for example "model", "data" or "train.batch"; NULL if there is none. */
const srq_choice *srq_choices_find(const srq_choices *choices, const char *path);

#endif
