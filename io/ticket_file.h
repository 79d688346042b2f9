/* Reads ticket.json, the last comparison that `srq ticket` wrote (docs/tickets.md), to check it against the runs. */
#ifndef SRQ_IO_TICKET_FILE_H
#define SRQ_IO_TICKET_FILE_H

#include "core/status.h"

typedef struct srq_ticket_file srq_ticket_file;

/* SRQ_ERROR_DATA if the file is not a regular file, cannot be read or is not a comparison of a ticket. The caller destroys *file. */
srq_status srq_ticket_file_read(const char *path, srq_ticket_file **file);
void srq_ticket_file_destroy(srq_ticket_file **file);

/* The test error of a stage's run with this seed; NaN if it is not in the file. */
double srq_ticket_file_error(const srq_ticket_file *file, const char *stage, long long seed);

#endif
