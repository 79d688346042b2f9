/* ticket.json. */
#include "io/ticket_file.h"
#include "tests/fuzz/fuzz.h"

void srq_fuzz_start(void)
{
}

srq_status srq_fuzz_read(const uint8_t *data, size_t size)
{
    srq_ticket_file *file = NULL;
    SRQ_TRY(srq_ticket_file_read(srq_fuzz_file("ticket.json", data, size), &file));
    const double error = srq_ticket_file_error(file, "prune1", 1);
    srq_fuzz_note(&error, sizeof error);
    srq_ticket_file_destroy(&file);
    return SRQ_OK;
}
