/* classes.json. */
#include "io/class_results.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

void srq_fuzz_start(void)
{
}

srq_status srq_fuzz_read(const uint8_t *data, size_t size)
{
    srq_class_results results;
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", srq_fuzz_file(SRQ_CLASS_RESULTS_FILE, data, size));
    *strrchr(folder, '/') = '\0';
    SRQ_TRY(srq_class_results_read(folder, &results));
    srq_fuzz_note(&results.wrong, sizeof results.wrong);
    srq_class_results_free(&results);
    return SRQ_OK;
}
