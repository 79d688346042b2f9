/* An IDX file, plain or gzipped. */
#include "io/idx.h"
#include "tests/fuzz/fuzz.h"

void srq_fuzz_start(void)
{
}

srq_status srq_fuzz_read(const uint8_t *data, size_t size)
{
    srq_idx idx;
    SRQ_TRY(srq_idx_read(srq_fuzz_file("file.idx", data, size), &idx));
    srq_fuzz_note(idx.data, idx.size);
    srq_idx_free(&idx);
    return SRQ_OK;
}
