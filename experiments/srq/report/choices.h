/* What a run has chosen: its settings that decide results. */
#ifndef SRQ_EXPERIMENTS_REPORT_CHOICES_H
#define SRQ_EXPERIMENTS_REPORT_CHOICES_H

#include "experiments/srq/report/runs.h"

/* A setting that decides results, and its value; the model's name and "..." stand for long ones in `shown`. */
typedef struct srq_choice {
    const char *path;
    char *value, *shown;
} srq_choice;

typedef struct srq_choices {
    char digest[65]; /* of all paths and values: equal where the choices are */
    int count;
    srq_choice *items;
} srq_choices;

/* The choices of a run but for its seed, the data set among them. The caller frees *choices, whatever is returned. */
srq_status srq_choices_read(const srq_report_run *run, srq_choices *choices);
void srq_choices_free(srq_choices *choices);

#endif
