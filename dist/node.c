#include "dist/node.h"

#include "dist/comm_mpi.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct srq_shared {
    srq_pages *pages;
    size_t bytes;
    const char *what;
};

void srq_node_meet(const srq_comm *comm)
{
    (void)srq_node_least(comm, 0);
}

int srq_node_least(const srq_comm *comm, int value)
{
    int least = value;
    MPI_Request request;
    if (srq_comm_node(comm)->size == 1) return value;
    atomic_thread_fence(memory_order_seq_cst);
    MPI_Iallreduce(&value, &least, 1, MPI_INT, MPI_MIN, srq_comm_mates(comm), &request);
    srq_comm_wait(comm, 1, &request, "the other ranks of its node", 0);
    atomic_thread_fence(memory_order_seq_cst);
    return least;
}

static srq_status check(const srq_comm *comm, const srq_shared *s, int code)
{
    srq_status status = SRQ_OK;
    if (code)
        status = srq_fail(SRQ_ERROR_RUN,
                          "host %s: the ranks cannot share %.1f MB of memory, for %s: %s; start fewer ranks, or raise "
                          "the limits of memory and of the size of files (ulimit -f)",
                          srq_comm_host(comm, srq_comm_rank(comm)), (double)s->bytes / 1e6, s->what, strerror(code));
    return srq_comm_agree(comm, status);
}

srq_status srq_shared_create(const srq_comm *comm, size_t bytes, const char *what, srq_shared **out)
{
    int code = 0;
    srq_shared *s = calloc(1, sizeof *s);
    srq_status status = s ? srq_pages_create(srq_comm_mates(comm), &s->pages) : srq_fail_memory(sizeof *s, what);
    status = srq_comm_agree(comm, status);
    if (status == SRQ_OK) {
        s->bytes = bytes;
        s->what = what;
        srq_pages_connect(srq_comm_mates(comm), s->pages, bytes, &code);
        status = check(comm, s, code);
    }
    if (status != SRQ_OK) {
        srq_shared_destroy(&s);
        return status;
    }
    srq_pages_settle(s->pages); /* all ranks have opened all files */
    *out = s;
    return SRQ_OK;
}

void srq_shared_destroy(srq_shared **shared)
{
    if (!*shared) return;
    srq_pages_destroy(&(*shared)->pages);
    free(*shared);
    *shared = NULL;
}

void *srq_shared_part(const srq_shared *shared, int member)
{
    return srq_pages_part(shared->pages, member);
}

srq_status srq_shared_overlay(const srq_comm *comm, srq_shared *s, int count, const srq_pages_range *ranges,
                              void **view)
{
    return check(comm, s, srq_pages_overlay(s->pages, count, ranges, view));
}
