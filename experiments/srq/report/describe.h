/* A short description of a configuration. */
#ifndef SRQ_EXPERIMENTS_REPORT_DESCRIBE_H
#define SRQ_EXPERIMENTS_REPORT_DESCRIBE_H

#include "io/config.h"

/* Appends it to `out`: "srq argmax 2/2 + DropBits". */
void srq_report_describe(const srq_settings *settings, char *out, size_t size);

#endif
