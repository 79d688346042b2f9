/* ticket.json: what `srq ticket` has last written of a ticket (docs/tickets.md), to be held against its runs. */
#ifndef SRQ_IO_TICKET_FILE_H
#define SRQ_IO_TICKET_FILE_H

#include "core/status.h"

typedef struct srq_ticket_file srq_ticket_file;

/* SRQ_ERROR_DATA if the file cannot be read or is no comparison of a ticket. The caller destroys *file. */
srq_status srq_ticket_file_read(const char *path, srq_ticket_file **file);
void srq_ticket_file_destroy(srq_ticket_file **file);

/* The test error of a stage's run with this seed; NaN if the file does not have it. */
double srq_ticket_file_error(const srq_ticket_file *file, const char *stage, long long seed);

#endif
