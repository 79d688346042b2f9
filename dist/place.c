#include "dist/place.h"

#include "dist/pages.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a, as a color of MPI_Comm_split. */
static int color_of(const char *text)
{
    uint32_t hash = 2166136261u;
    for (; *text; text++) hash = (hash ^ (unsigned char)*text) * 16777619u;
    return (int)(hash >> 1);
}

/* Whether the processes of `mates` can share memory: an errno or 0, the same on all of them. */
static int try_to_share(MPI_Comm mates)
{
    int code = 0, size;
    srq_pages *pages = NULL;
    MPI_Comm_size(mates, &size);
    if (size == 1) return 0;
    bool made = srq_pages_create(mates, &pages) == SRQ_OK;
    MPI_Allreduce(MPI_IN_PLACE, &made, 1, MPI_C_BOOL, MPI_LAND, mates);
    if (made) srq_pages_connect(mates, pages, 1, &code);
    MPI_Allreduce(MPI_IN_PLACE, &code, 1, MPI_INT, MPI_MAX, mates);
    srq_pages_destroy(&pages);
    return code;
}

/* SRQ_SHARE in the environment. */
enum { SHARE_AUTO, SHARE_ALWAYS, SHARE_NEVER, SHARE_WRONG };

static int wish(void)
{
    const char *text = getenv("SRQ_SHARE");
    if (!text || !*text || strcmp(text, "auto") == 0) return SHARE_AUTO;
    return strcmp(text, "always") == 0 ? SHARE_ALWAYS : strcmp(text, "never") == 0 ? SHARE_NEVER : SHARE_WRONG;
}

/* Each rank has its own memory. */
static void part(MPI_Comm all, srq_place *p)
{
    int rank;
    MPI_Comm_rank(all, &rank);
    MPI_Comm_free(&p->mates);
    MPI_Comm_split(all, rank, rank, &p->mates);
}

/* If ranks of any machine cannot share memory, no ranks do, so that all nodes are alike. On one node nothing is sent
 * over a network, and sharing saves memory only, but costs time on systems that give it small pages (docs/threads.md).
 */
static void find_mates(MPI_Comm all, int how, srq_place *p)
{
    MPI_Comm machine;
    int rank, member;
    MPI_Comm_rank(all, &rank);
    MPI_Comm_split_type(all, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &machine);
    const char *text = getenv("SRQ_NODE");
    MPI_Comm_split(machine, color_of(text ? text : ""), rank, &p->mates);
    MPI_Comm_free(&machine);
    MPI_Comm_rank(p->mates, &member);
    p->nodes = member == 0;
    MPI_Allreduce(MPI_IN_PLACE, &p->nodes, 1, MPI_INT, MPI_SUM, all);
    if (how == SHARE_NEVER || (how == SHARE_AUTO && p->nodes == 1)) {
        part(all, p);
        return;
    }
    struct {
        int code, rank;
    } worst = {try_to_share(p->mates), rank};
    MPI_Allreduce(MPI_IN_PLACE, &worst, 1, MPI_2INT, MPI_MAXLOC, all);
    if (worst.code == 0) return;
    snprintf(p->note, sizeof p->note,
             "the ranks of one node cannot share memory (rank %d: %s), so each has memory of its own and sends to all "
             "others: let the ranks of a node see each other's processes in /proc, or start one rank on each node",
             worst.rank, strerror(worst.code));
    part(all, p);
}

/* Numbers the ranks by node, and nodes by their lowest rank. leaders[all]: the lowest rank of the node of each. */
static srq_status number_ranks(MPI_Comm all, srq_place *p, const int *leaders, int *places)
{
    int count, rank, at = 0;
    MPI_Comm_size(all, &count);
    MPI_Comm_rank(all, &rank);
    for (int r = 0; r < count; r++) p->node.count += leaders[r] == r;
    p->node.begin = calloc((size_t)p->node.count + 1, sizeof *p->node.begin);
    if (!p->node.begin) return srq_fail_memory((size_t)count * sizeof *p->node.begin, "the nodes of the job");
    /* places[l]: how many ranks the node led by l has, then where it begins. */
    for (int r = 0; r < count; r++) places[leaders[r]]++;
    for (int r = 0, node = 0; r < count; r++) {
        if (leaders[r] != r) continue;
        const int size = places[r];
        p->any_shares = p->any_shares || size > 1;
        if (r == leaders[rank]) p->node.index = node;
        places[r] = at;
        p->node.begin[node++] = at;
        at += size;
    }
    p->node.begin[p->node.count] = at;
    MPI_Comm_rank(p->mates, &p->node.member);
    MPI_Comm_size(p->mates, &p->node.size);
    const int number = places[leaders[rank]] + p->node.member;
    int moved = number != rank;
    MPI_Allreduce(MPI_IN_PLACE, &moved, 1, MPI_INT, MPI_MAX, all);
    p->renumbered = moved;
    MPI_Comm_split(all, 0, number, &p->world);
    MPI_Comm_split(p->world, p->node.member == 0 ? 0 : MPI_UNDEFINED, number, &p->leaders);
    return SRQ_OK;
}

srq_status srq_place_create(MPI_Comm all, srq_place *p)
{
    int count, rank;
    *p = (srq_place){.world = MPI_COMM_NULL, .mates = MPI_COMM_NULL, .leaders = MPI_COMM_NULL};
    MPI_Comm_size(all, &count);
    MPI_Comm_rank(all, &rank);
    int how = wish();
    MPI_Allreduce(MPI_IN_PLACE, &how, 1, MPI_INT, MPI_MAX, all);
    if (how == SHARE_WRONG)
        return srq_fail(SRQ_ERROR_USAGE, "SRQ_SHARE in the environment of a rank must be auto, always or never");
    int *leaders = calloc(2 * (size_t)count, sizeof *leaders);
    if (!leaders) return srq_fail_memory(2 * (size_t)count * sizeof *leaders, "the nodes of the job");
    find_mates(all, how, p);
    leaders[rank] = rank;
    MPI_Bcast(&leaders[rank], 1, MPI_INT, 0, p->mates);
    MPI_Allgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, leaders, 1, MPI_INT, all);
    const srq_status status = number_ranks(all, p, leaders, leaders + count);
    free(leaders);
    return status;
}

void srq_place_free(srq_place *p)
{
    if (p->leaders != MPI_COMM_NULL) MPI_Comm_free(&p->leaders);
    if (p->mates != MPI_COMM_NULL) MPI_Comm_free(&p->mates);
    if (p->world != MPI_COMM_NULL) MPI_Comm_free(&p->world);
    free(p->node.begin);
    p->node.begin = NULL;
}
