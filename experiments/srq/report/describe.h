/* A configuration in a few words. */
#ifndef SRQ_EXPERIMENTS_REPORT_DESCRIBE_H
#define SRQ_EXPERIMENTS_REPORT_DESCRIBE_H

#include "io/config.h"

/* Adds "srq argmax 2/2 + DropBits" to `out`. */
void srq_report_describe(const srq_settings *settings, char *out, size_t size);

#endif
