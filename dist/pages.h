/* For the files of dist/ only: memory that processes of one machine share.
 *
 * It has no name: it is a file of its owner (memfd_create) that the others open through /proc. So it needs no room in
 * /dev/shm, which containers limit, and it is gone with the last process that has it, however that ends. With
 * MPI_Win_allocate_shared, both would depend on the MPI library; Open MPI keeps windows in files in /dev/shm.
 *
 * It has huge pages where the system gives them on request (Linux 6.1), because kernels that add to memory with small
 * pages are slower by a fifth (docs/threads.md). */
#ifndef SRQ_DIST_PAGES_H
#define SRQ_DIST_PAGES_H

#include "core/status.h"

#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>

/* The size of a page; sizes are rounded up to it. */
enum { SRQ_PAGE = 4096 };

/* [begin, end) in bytes. */
typedef struct srq_pages_range {
    size_t begin, end;
} srq_pages_range;

typedef struct srq_pages srq_pages;

/* Collective over `comm`, whose processes must be on one machine. Each provides `bytes` bytes (may be 0), filled with
 * zeros. They are reserved at once, so that no later access fails. *code is 0 or, on this process, an errno. Then, once
 * all processes have returned, srq_pages_settle must be called. SRQ_ERROR_RUN only if there is no memory for *pages,
 * before any communication. The caller destroys *pages. */
srq_status srq_pages_create(MPI_Comm comm, srq_pages **pages);
void srq_pages_connect(MPI_Comm comm, srq_pages *pages, size_t bytes, int *code);
void srq_pages_settle(srq_pages *pages);
void srq_pages_destroy(srq_pages **pages);

/* What process `member` provides, and its size. */
void *srq_pages_part(const srq_pages *pages, int member);

/* An address at which the ranges, ascending and on borders of pages, are the memory of process 0, while all other bytes
 * are the caller's own and 0; NULL if process 0 provides nothing. Returns 0 or an errno. *view is valid until
 * srq_pages_destroy; there can be one. */
int srq_pages_overlay(srq_pages *pages, int count, const srq_pages_range *ranges, void **view);

#endif
