/* Learned bit-lengths in a report: what evaluation has, what was expected in training, and targets. */
#ifndef SRQ_EXPERIMENTS_REPORT_LEARNED_H
#define SRQ_EXPERIMENTS_REPORT_LEARNED_H

#include "experiments/srq/inspect/learned_bits.h"
#include "experiments/srq/report/contents.h"

/* Those of a run at its last evaluation; `learns` is false if there is none, or if the run learns no bit-lengths. */
srq_learned_bits srq_report_learned(const srq_report_run *run);

/* A sentence for each configuration that learns bit-lengths: "#2: expected bits 4.05, evaluated 4.04; target 4 bits,
 * reached 4.04 bits." The first 40 configurations. Returns `out`, "" if there is none. */
char *srq_report_learned_figures(const srq_report *report, char *out, size_t size);
/* Warnings of runs that miss their target, and of gates that have not settled, in the same way. */
char *srq_report_learned_warnings(const srq_report *report, char *out, size_t size);

#endif
