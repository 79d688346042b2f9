/* The log of a run: read at once, and in two parts, as while a run writes it. */
#include "io/log.h"
#include "tests/fuzz/fuzz.h"

void srq_fuzz_start(void)
{
}

static srq_status read_in_parts(const uint8_t *data, size_t size)
{
    srq_log *log = NULL;
    SRQ_TRY(srq_log_create(srq_fuzz_file("log.jsonl", data, size / 2), &log));
    srq_fuzz_file("log.jsonl", data, size);
    const srq_status status = srq_log_update(log, NULL);
    srq_log_destroy(&log);
    return status;
}

srq_status srq_fuzz_read(const uint8_t *data, size_t size)
{
    srq_log *log = NULL;
    SRQ_TRY(srq_log_create(srq_fuzz_file("log.jsonl", data, size), &log));
    for (int i = 1; i < log->step_count; i++)
        srq_fuzz_check(log->steps[i - 1].step < log->steps[i].step, "steps are in order");
    for (int i = 1; i < log->eval_count; i++)
        srq_fuzz_check(log->evals[i - 1].step < log->evals[i].step, "evaluations are in order");
    srq_log_destroy(&log);
    return read_in_parts(data, size);
}
