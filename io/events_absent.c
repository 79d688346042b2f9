/* io/events.h without protobuf-c: srq_events_check refuses, so that nothing is ever written. */
#include "io/events.h"

const char *srq_events_library(void)
{
    return "not built in";
}

srq_status srq_events_check(const char *dir)
{
    (void)dir;
    return srq_fail(
        SRQ_ERROR_USAGE,
        "train.tensorboard is true, but this srq was built without protobuf-c, which event files need; "
        "install libprotobuf-c-dev and protobuf-c-compiler and build again, or set train.tensorboard=false");
}

srq_status srq_events_create(const char *dir, long first, srq_events **events)
{
    (void)first;
    *events = NULL;
    return srq_events_check(dir);
}

void srq_events_destroy(srq_events **events)
{
    *events = NULL;
}

srq_status srq_events_add_scalar(srq_events *events, const char *tag, double value)
{
    (void)events, (void)tag, (void)value;
    return srq_events_check("");
}

srq_status srq_events_add_histogram(srq_events *events, const char *tag, size_t count, const float *values)
{
    (void)events, (void)tag, (void)count, (void)values;
    return srq_events_check("");
}

srq_status srq_events_write(srq_events *events, long step)
{
    (void)events, (void)step;
    return srq_events_check("");
}
