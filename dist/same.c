#include "dist/same.h"

#include "dist/comm_mpi.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMED = 6, GROUPS = 4, GROUP_TEXT = 240 }; /* how much of a list fits into a message */

void srq_comm_collect(const srq_comm *comm, const void *mine, size_t bytes, void *all)
{
    if (srq_comm_size(comm) == 1)
        memcpy(all, mine, bytes);
    else
        MPI_Allgather(mine, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE, srq_comm_mpi(comm));
}

/* --- Names */

__attribute__((format(printf, 4, 5))) static void append(char *out, size_t size, size_t *at, const char *format, ...)
{
    va_list words;
    va_start(words, format);
    const int n = *at < size ? vsnprintf(out + *at, size - *at, format, words) : 0;
    va_end(words);
    *at += n > 0 ? (size_t)n : 0;
}

/* Consecutive ranks are joined: "0 to 2, 5". */
static void name_numbers(const bool *marked, int ranks, char *out, size_t size, size_t *at)
{
    int runs = 0;
    for (int r = 0; r < ranks; r++) {
        if (!marked[r]) continue;
        const int first = r;
        while (r + 1 < ranks && marked[r + 1]) r++;
        if (runs++ == NAMED) {
            append(out, size, at, " and others");
            return;
        }
        append(out, size, at, "%s%d", runs > 1 ? ", " : "", first);
        if (r > first) append(out, size, at, "%s%d", r > first + 1 ? " to " : ", ", r);
    }
}

/* The ranks of a host are usually consecutive. A host whose ranks are not is named more than once. */
static void name_hosts(const srq_comm *comm, const bool *marked, char *out, size_t size, size_t *at)
{
    const char *last = NULL;
    int hosts = 0;
    for (int r = 0; r < srq_comm_size(comm); r++) {
        const char *host = srq_comm_host(comm, r);
        if (!marked[r] || (last && strcmp(host, last) == 0)) continue;
        last = host;
        if (hosts++ == NAMED) {
            append(out, size, at, " and others");
            return;
        }
        append(out, size, at, "%s%s", hosts > 1 ? ", " : "host ", host);
    }
}

char *srq_comm_name_ranks(const srq_comm *comm, const bool *marked, char *out, size_t out_size)
{
    size_t at = 0;
    int count = 0;
    for (int r = 0; r < srq_comm_size(comm); r++) count += marked[r];
    append(out, out_size, &at, count == 1 ? "rank " : "ranks ");
    name_numbers(marked, srq_comm_size(comm), out, out_size, &at);
    append(out, out_size, &at, " (");
    name_hosts(comm, marked, out, out_size, &at);
    append(out, out_size, &at, ")");
    return out;
}

/* --- Comparing */

/* Marks the ranks that have the same text as rank `first`. */
static void mark_group(const srq_comm *comm, const char (*texts)[SRQ_SAME_SIZE], int first, bool *marked, bool *named)
{
    for (int r = 0; r < srq_comm_size(comm); r++) {
        marked[r] = strcmp(texts[r], texts[first]) == 0;
        named[r] = named[r] || marked[r];
    }
}

static void describe(const srq_comm *comm, const char (*texts)[SRQ_SAME_SIZE], bool *marked, bool *named, char *out,
                     size_t size)
{
    size_t at = 0;
    int groups = 0;
    for (int r = 0; r < srq_comm_size(comm); r++) {
        char ranks[512];
        if (named[r]) continue;
        if (groups++ == GROUPS) {
            append(out, size, &at, "; and others");
            return;
        }
        mark_group(comm, texts, r, marked, named);
        append(out, size, &at, "%s%s: %.*s%s", groups > 1 ? "; " : "",
               srq_comm_name_ranks(comm, marked, ranks, sizeof ranks), GROUP_TEXT, texts[r],
               strlen(texts[r]) > GROUP_TEXT ? "..." : "");
    }
}

srq_status srq_comm_same(const srq_comm *comm, srq_status status, const char *what, const char *text,
                         const char *advice)
{
    const int size = srq_comm_size(comm);
    char mine[SRQ_SAME_SIZE] = "", first[SRQ_SAME_SIZE];
    if (size == 1) return SRQ_OK;
    snprintf(mine, sizeof mine, "%s", text);
    memcpy(first, mine, sizeof first);
    srq_comm_share(comm, first, sizeof first);
    double differing = strcmp(mine, first) != 0;
    srq_comm_sum(comm, &differing, 1);
    if (differing == 0) return SRQ_OK;
    char(*texts)[SRQ_SAME_SIZE] = calloc((size_t)size, sizeof *texts);
    bool *marks = calloc(2 * (size_t)size, sizeof *marks);
    srq_status room =
        texts && marks ? SRQ_OK : srq_fail_memory((size_t)size * sizeof *texts, "the comparison of ranks");
    room = srq_comm_agree(comm, room);
    if (room == SRQ_OK) {
        char groups[SRQ_MESSAGE_SIZE];
        srq_comm_collect(comm, mine, sizeof mine, texts);
        describe(comm, (const char(*)[SRQ_SAME_SIZE])texts, marks, marks + size, groups, sizeof groups);
        room = srq_fail(status, "ranks have different %s: %s; %s", what, groups, advice);
    }
    free(texts);
    free(marks);
    return room;
}
