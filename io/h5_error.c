/* Converts HDF5's errors to our messages. */
#include "io/h5_internal.h"

static herr_t take_reason(unsigned n, const H5E_error2_t *error, void *data)
{
    (void)n;
    char *text = data;
    if (error->desc && error->desc[0]) snprintf(text, SRQ_H5_REASON_SIZE, "%s", error->desc);
    return 0;
}

/* The walk goes down from the call and ends with the innermost error, which is the most specific. */
const char *srq_h5_reason(char text[SRQ_H5_REASON_SIZE])
{
    snprintf(text, SRQ_H5_REASON_SIZE, "no reason given");
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, take_reason, text);
    return text;
}

void srq_h5_quiet(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

srq_status srq_h5_cannot_build(const char *name)
{
    char reason[SRQ_H5_REASON_SIZE];
    return srq_fail(SRQ_ERROR_RUN, "data set %s cannot be put into a file in memory: %s; free some memory", name,
                    srq_h5_reason(reason));
}

srq_status srq_h5_broken(const char *path, const char *name)
{
    char reason[SRQ_H5_REASON_SIZE];
    return srq_fail(SRQ_ERROR_DATA, "%s: data set %s cannot be read (%s); the file is damaged: use another copy", path,
                    name, srq_h5_reason(reason));
}
