/* srq export --check: whether what was exported predicts as evaluation does. */
#ifndef SRQ_EXPERIMENTS_DEPLOY_COMPARE_H
#define SRQ_EXPERIMENTS_DEPLOY_COMPARE_H

#include "core/deploy.h"
#include "io/config.h"

/* What was exported. */
typedef struct srq_export_result {
    const char *checkpoint;
    const srq_config *config;
    const srq_deploy *net;
    const char *format, *path;
    const char *name; /* --name, or NULL */
} srq_export_result;

/* Runs it on the test images of the data set `data`. Prints how many predictions and logits differ. SRQ_NO if a
 * prediction differs from evaluation, or a bit of a logit from the interpreter (core/deploy.h). */
srq_status srq_export_compare(const srq_export_result *result, const char *data);

#endif
