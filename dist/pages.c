#include "dist/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* The size of a huge page. */
enum { HUGE = 2 << 20 };

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

/* A part, as its owner describes it to the others. */
typedef struct part {
    size_t bytes; /* whole pages */
    long process;
    int file;  /* of its owner; -1: none */
    int error; /* of its owner: 0 or an errno */
    /* The file's identity, because the process may have another number in another container. */
    unsigned long device, number;
} part;

struct srq_pages {
    int size, member;
    void **parts; /* [size]; NULL: not mapped */
    part *owners; /* [size] */
    int first;    /* this process' descriptor of the part of process 0, or -1 */
    void *view;   /* srq_pages_overlay, or NULL */
};

srq_status srq_pages_create(MPI_Comm comm, srq_pages **out)
{
    srq_pages *p = calloc(1, sizeof *p);
    if (!p) return srq_fail_memory(sizeof *p, "shared memory");
    MPI_Comm_size(comm, &p->size);
    MPI_Comm_rank(comm, &p->member);
    p->parts = calloc((size_t)p->size, sizeof *p->parts);
    p->owners = calloc((size_t)p->size, sizeof *p->owners);
    p->first = -1;
    if (!p->parts || !p->owners) {
        srq_pages_destroy(&p);
        return srq_fail_memory(sizeof *p->owners, "shared memory");
    }
    for (int i = 0; i < p->size; i++) p->owners[i].file = -1;
    *out = p;
    return SRQ_OK;
}

void srq_pages_destroy(srq_pages **pages)
{
    srq_pages *p = *pages;
    if (!p) return;
    if (p->owners) srq_pages_settle(p);
    if (p->view) munmap(p->view, p->owners[0].bytes);
    for (int i = 0; p->parts && i < p->size; i++)
        if (p->parts[i]) munmap(p->parts[i], p->owners[i].bytes);
    if (p->first >= 0) close(p->first);
    free(p->parts);
    free(p->owners);
    free(p);
    *pages = NULL;
}

void *srq_pages_part(const srq_pages *pages, int member)
{
    return pages->parts[member];
}

/* Whether a file may have this size. Otherwise, the system would end the process with a signal. */
static bool is_allowed(size_t bytes)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || bytes <= limit.rlim_cur;
}

/* Whether the machine has so much memory left. Otherwise, the system would end processes to find it. */
static bool is_available(size_t bytes)
{
    char line[128];
    unsigned long long kilobytes = 0;
    bool found = false;
    FILE *file = fopen("/proc/meminfo", "r");
    if (!file) return true;
    while (!found && fgets(line, sizeof line, file)) found = sscanf(line, "MemAvailable: %llu kB", &kilobytes) == 1;
    fclose(file);
    return !found || bytes / 1024 <= kilobytes;
}

/* Reserves addresses that begin at the border of a huge page; NULL, with errno set, if there are none. */
static void *reserve(size_t bytes)
{
    char *all = mmap(NULL, bytes + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED) return NULL;
    const size_t skipped = (HUGE - (uintptr_t)all % HUGE) % HUGE;
    if (skipped) munmap(all, skipped);
    munmap(all + skipped + bytes, HUGE - skipped);
    return all + skipped;
}

/* Maps a file at addresses where huge pages of the file can be huge pages of the process. Returns 0 or an errno. */
static int map_file(int file, size_t bytes, void **out)
{
    void *at = reserve(bytes);
    if (!at) return errno;
    if (mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) == MAP_FAILED) {
        const int code = errno;
        munmap(at, bytes);
        return code;
    }
    (void)madvise(at, bytes, MADV_HUGEPAGE); /* if shmem_enabled allows it */
    *out = at;
    return 0;
}

/* Asks for a huge page. False if there is none and it is of no use to ask for others. EAGAIN means that a page was in
 * use at that moment. */
static bool collapse(void *at)
{
    enum { TRIES = 4 };
    bool busy = false;
    for (int i = 0; i == 0 || (busy && i < TRIES); i++) {
        if (madvise(at, HUGE, MADV_COLLAPSE) == 0) return true;
        busy = errno == EAGAIN;
    }
    return busy;
}

/* Fills a new file of `bytes` bytes at `at` with memory, in huge pages as far as there are any. Linux gives shared
 * memory small pages by default (shmem_enabled), but collapses them into huge ones if a process asks for it, from
 * version 6.1 on. One small page of each is enough for that, and nothing needs to be copied. Returns 0 or an errno. */
static int fill_file(int file, char *at, size_t bytes)
{
    bool collapses = true;
    for (size_t i = 0; collapses && i + HUGE <= bytes; i += HUGE) {
        const int code = posix_fallocate(file, (off_t)i, SRQ_PAGE);
        if (code) return code;
        collapses = collapse(at + i);
    }
    return posix_fallocate(file, 0, (off_t)bytes);
}

/* Makes the part of this process, and maps it to *at. Returns 0 or an errno. */
static int make_part(part *own, size_t bytes, void **at)
{
    struct stat info;
    *own = (part){.bytes = (bytes + SRQ_PAGE - 1) / SRQ_PAGE * SRQ_PAGE, .process = (long)getpid(), .file = -1};
    if (!bytes) return 0;
    if (!is_allowed(own->bytes)) return EFBIG;
    if (!is_available(own->bytes)) return ENOMEM;
    own->file = memfd_create("srq-shared", MFD_CLOEXEC);
    if (own->file < 0) return errno;
    if (ftruncate(own->file, (off_t)own->bytes) != 0) return errno;
    int code = map_file(own->file, own->bytes, at);
    if (code == 0) code = fill_file(own->file, *at, own->bytes);
    if (code) return code;
    if (fstat(own->file, &info) != 0) return errno;
    own->device = (unsigned long)info.st_dev;
    own->number = (unsigned long)info.st_ino;
    return 0;
}

/* Opens the file of another process. Returns 0 or an errno. */
static int open_part(const part *p, int *file)
{
    struct stat info;
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/fd/%d", p->process, p->file);
    *file = open(path, O_RDWR | O_CLOEXEC);
    if (*file < 0 || fstat(*file, &info) != 0) return errno;
    return (unsigned long)info.st_dev == p->device && (unsigned long)info.st_ino == p->number ? 0 : ESRCH;
}

/* Maps the part of another process. Returns 0 or an errno. */
static int map_part(srq_pages *p, int member)
{
    const part *owner = &p->owners[member];
    int file = -1, code = owner->error;
    if (code || !owner->bytes) return code;
    code = open_part(owner, &file);
    if (code == 0) code = map_file(file, owner->bytes, &p->parts[member]);
    if (member == 0)
        p->first = file;
    else if (file >= 0)
        close(file);
    return code;
}

void srq_pages_connect(MPI_Comm comm, srq_pages *p, size_t bytes, int *code)
{
    *code = make_part(&p->owners[p->member], bytes, &p->parts[p->member]);
    p->owners[p->member].error = *code;
    MPI_Allgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, p->owners, (int)sizeof *p->owners, MPI_BYTE, comm);
    for (int i = 0; *code == 0 && i < p->size; i++)
        if (i != p->member) *code = map_part(p, i);
}

/* The others have opened the file of this process. */
void srq_pages_settle(srq_pages *p)
{
    part *own = &p->owners[p->member];
    if (own->file < 0) return;
    if (p->member == 0)
        p->first = own->file;
    else
        close(own->file);
    own->file = -1;
}

int srq_pages_overlay(srq_pages *p, int count, const srq_pages_range *ranges, void **view)
{
    *view = NULL;
    if (!p->owners[0].bytes) return 0;
    p->view = reserve(p->owners[0].bytes);
    if (!p->view || mprotect(p->view, p->owners[0].bytes, PROT_READ | PROT_WRITE) != 0) return errno;
    for (int i = 0; i < count; i++)
        if (mmap((char *)p->view + ranges[i].begin, ranges[i].end - ranges[i].begin, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_FIXED, p->first, (off_t)ranges[i].begin) == MAP_FAILED)
            return errno;
    *view = p->view;
    return 0;
}
