/* A file of golden cases. */
#include "io/golden.h"
#include "tests/fuzz/h5_part.h"

void srq_fuzz_start(void)
{
    srq_fuzz_begin_limits();
}

srq_status srq_fuzz_read(const uint8_t *data, size_t size)
{
    srq_golden_case *cases = NULL;
    size_t count = 0;
    const srq_status status = srq_golden_read(srq_fuzz_file("golden.h5", data, size), &cases, &count);
    for (size_t i = 0; status == SRQ_OK && i < count; i++) {
        if (cases[i].x) srq_fuzz_note(cases[i].x, cases[i].count * sizeof *cases[i].x);
        if (cases[i].y) srq_fuzz_note(cases[i].y, cases[i].count * sizeof *cases[i].y);
    }
    if (status == SRQ_OK) srq_golden_free(cases, count);
    srq_fuzz_end_limits();
    return status;
}
