/* Used by several commands: share a configuration with all ranks. */
#include "experiments/srq/commands.h"

#include <stdlib.h>
#include <string.h>

srq_status srq_share_config(const srq_comm *comm, srq_status status, srq_config **config)
{
    const bool root = srq_comm_rank(comm) == 0;
    SRQ_TRY(srq_comm_agree(comm, status));
    size_t size = root ? strlen(srq_config_text(*config)) + 1 : 0;
    srq_comm_share(comm, &size, sizeof size);
    char *text = malloc(size);
    status = srq_comm_agree(comm, text ? SRQ_OK : srq_fail_memory(size, "the configuration"));
    if (status == SRQ_OK) {
        if (root) memcpy(text, srq_config_text(*config), size);
        srq_comm_share(comm, text, size);
        if (!root) status = srq_config_parse(text, "the configuration of rank 0", config);
        status = srq_comm_agree(comm, status);
    }
    free(text);
    return status;
}
