/* srq inspect of a deployed network. */
#ifndef SRQ_EXPERIMENTS_INSPECT_INSPECT_DEPLOYED_H
#define SRQ_EXPERIMENTS_INSPECT_INSPECT_DEPLOYED_H

#include "core/status.h"

#include <stdbool.h>

/* Prints the operations of the file `path` (io/deployed.h), its sizes and where it comes from. */
srq_status srq_inspect_deployed(const char *path, bool json);

#endif
