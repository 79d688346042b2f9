#include "dist/comm.h"

#include "dist/comm_mpi.h"
#include "dist/place.h"
#include "dist/watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct srq_comm {
    bool mpi; /* false: one process, MPI not started */
    srq_place place;
    int rank, size;
    int *counts, *offsets; /* [size], for srq_comm_gather */
    srq_watch *watch;      /* NULL without MPI */
};

MPI_Comm srq_comm_mpi(const srq_comm *comm)
{
    return comm->place.world;
}

MPI_Comm srq_comm_mates(const srq_comm *comm)
{
    return comm->place.mates;
}

void srq_comm_wait(const srq_comm *comm, int count, MPI_Request *requests, const char *what, int index)
{
    srq_watch_wait(comm->watch, count, requests, what, index);
}

static void wait_for(const srq_comm *comm, MPI_Request request, const char *what)
{
    srq_comm_wait(comm, 1, &request, what, 0);
}

/* Sleeps for the whole time, even if signals arrive. */
static void pause_for(time_t seconds)
{
    struct timespec left = {.tv_sec = seconds};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
}

/* MPI's error handler. The usual cause is a broken connection, so the ranks cannot agree on anything any more. If the
 * other rank has died, its supervisor prints a message, and the launcher ends this process during the pause. */
static void failed(MPI_Comm *world, int *code, ...)
{
    pause_for(5);
    char text[MPI_MAX_ERROR_STRING] = "", host[MPI_MAX_PROCESSOR_NAME] = "";
    int length, rank = -1;
    MPI_Error_string(*code, text, &length);
    MPI_Get_processor_name(host, &length);
    MPI_Comm_rank(*world, &rank);
    fprintf(stderr,
            "srq: rank %d (host %s): MPI reports \"%s\": a rank or the connection to it is lost. The job ends here. If "
            "it was training, its last checkpoint is kept: resume with `--resume auto`\n",
            rank, host, text);
    MPI_Abort(*world, SRQ_ERROR_RUN);
}

static int number_from_environment(const char *name)
{
    const char *text = getenv(name);
    return text ? atoi(text) : 0;
}

static bool launched(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (getenv(names[i])) return true;
    return false;
}

srq_status srq_comm_check_launcher(const srq_comm *comm)
{
    int tasks = number_from_environment("SLURM_STEP_NUM_TASKS");
    const char *by = "srun";
    if (tasks <= 1) {
        tasks = number_from_environment("PMI_SIZE");
        by = "the launcher";
    }
    if (comm->size > 1 || tasks <= 1 || number_from_environment("OMPI_COMM_WORLD_SIZE") > 0) return SRQ_OK;
    return srq_fail(
        SRQ_ERROR_USAGE,
        "%s started %d tasks, but no task sees the others, so each of them would do the same work by itself. Use "
        "`srun --mpi=pmix` (see `srun --mpi=list`) or `mpirun`",
        by, tasks);
}

srq_status srq_comm_create(bool parallel, srq_comm **out)
{
    srq_comm *comm = calloc(1, sizeof *comm);
    if (!comm) return srq_fail_memory(sizeof *comm, "the communicator");
    comm->size = 1;
    if (parallel || launched()) {
        int granted;
        /* A single process needs no Open MPI daemon, and no network: looking for one takes longer than all else that
         * srq does at its start. */
        if (!launched()) setenv("OMPI_MCA_ess_singleton_isolated", "1", 0), setenv("OMPI_MCA_pml", "ob1", 0);
        if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &granted) != MPI_SUCCESS) {
            free(comm);
            return srq_fail(SRQ_ERROR_RUN, "MPI could not be started; look at the messages above");
        }
        comm->mpi = true;
        MPI_Errhandler handler;
        MPI_Comm_create_errhandler(failed, &handler);
        MPI_Comm_set_errhandler(MPI_COMM_WORLD, handler); /* communicators made from it inherit this */
        MPI_Errhandler_free(&handler);
        *out = comm;
        MPI_Comm_rank(MPI_COMM_WORLD, &comm->rank); /* for messages, if the next call fails */
        SRQ_TRY(srq_place_create(MPI_COMM_WORLD, &comm->place));
        MPI_Comm_rank(comm->place.world, &comm->rank);
        MPI_Comm_size(comm->place.world, &comm->size);
    }
    *out = comm;
    if (comm->mpi) SRQ_TRY(srq_watch_create(comm->place.world, &comm->watch));
    comm->counts = calloc((size_t)comm->size, sizeof *comm->counts);
    comm->offsets = calloc((size_t)comm->size, sizeof *comm->offsets);
    if (!comm->counts || !comm->offsets) return srq_fail_memory((size_t)comm->size * 8, "the communicator");
    return SRQ_OK;
}

void srq_comm_destroy(srq_comm **comm)
{
    if (!*comm) return;
    if ((*comm)->mpi) {
        srq_watch_destroy(&(*comm)->watch);
        srq_place_free(&(*comm)->place);
        MPI_Finalize();
    }
    free((*comm)->counts);
    free((*comm)->offsets);
    free(*comm);
    *comm = NULL;
}

int srq_comm_rank(const srq_comm *comm)
{
    return comm->rank;
}

int srq_comm_size(const srq_comm *comm)
{
    return comm->size;
}

const srq_node *srq_comm_node(const srq_comm *comm)
{
    static int begin[] = {0, 1};
    static const srq_node alone = {.count = 1, .begin = begin, .size = 1};
    return comm->mpi ? &comm->place.node : &alone;
}

int srq_comm_nodes(const srq_comm *comm)
{
    return comm->mpi ? comm->place.nodes : 1;
}

bool srq_comm_shares(const srq_comm *comm)
{
    return comm->mpi && comm->place.any_shares;
}

const char *srq_comm_note(const srq_comm *comm)
{
    if (!comm->mpi) return "";
    if (comm->place.note[0] || !comm->place.renumbered) return comm->place.note;
    return "the launcher has not placed the ranks by node, so srq numbers them by node; in its messages, ranks have "
           "these numbers and not the launcher's";
}

srq_status srq_comm_agree(const srq_comm *comm, srq_status status)
{
    if (comm->size == 1) return status;
    struct {
        int status, rank;
    } mine = {(int)status, comm->rank}, worst;
    /* MPI_MAXLOC returns the lowest rank among equals. */
    MPI_Request request;
    MPI_Iallreduce(&mine, &worst, 1, MPI_2INT, MPI_MAXLOC, comm->place.world, &request);
    wait_for(comm, request, "an agreement of all ranks");
    if (worst.status == SRQ_OK) return SRQ_OK;
    char message[SRQ_MESSAGE_SIZE] = "";
    if (comm->rank == worst.rank) strncpy(message, srq_message(), sizeof message - 1);
    MPI_Ibcast(message, (int)sizeof message, MPI_CHAR, worst.rank, comm->place.world, &request);
    wait_for(comm, request, "a message");
    return srq_fail((srq_status)worst.status, "%s", message);
}

void srq_comm_share(const srq_comm *comm, void *data, size_t bytes)
{
    if (comm->size == 1) return;
    /* MPI counts are ints, so large data is sent in pieces. */
    for (char *at = data; bytes > 0;) {
        int piece = bytes > INT_MAX / 2 ? INT_MAX / 2 : (int)bytes;
        MPI_Request request;
        MPI_Ibcast(at, piece, MPI_BYTE, 0, comm->place.world, &request);
        wait_for(comm, request, "data from rank 0");
        at += piece;
        bytes -= (size_t)piece;
    }
}

void srq_comm_sum(const srq_comm *comm, double *values, int count)
{
    if (comm->size == 1) return;
    MPI_Request request;
    MPI_Iallreduce(MPI_IN_PLACE, values, count, MPI_DOUBLE, MPI_SUM, comm->place.world, &request);
    wait_for(comm, request, "the sum over ranks");
}

/* Elements [begin[first], begin[last]) for each i below count: first = at[i], last = at[i + 1]. */
static void set_parts(const srq_comm *comm, const size_t *begin, const int *at, int count)
{
    for (int i = 0; i < count; i++) {
        const int first = at ? at[i] : i, last = at ? at[i + 1] : i + 1;
        comm->counts[i] = (int)(begin[last] - begin[first]);
        comm->offsets[i] = (int)begin[first];
    }
}

/* Every rank of this node brings its part to the leader of the node. */
static void gather_in_node(const srq_comm *comm, void *data, const size_t *begin, size_t size, MPI_Datatype type)
{
    const srq_node *node = &comm->place.node;
    const int first = node->begin[node->index];
    MPI_Request request;
    for (int i = 0; i < node->size; i++) {
        comm->counts[i] = (int)(begin[first + i + 1] - begin[first + i]);
        comm->offsets[i] = (int)begin[first + i];
    }
    const void *own = node->member ? (char *)data + begin[comm->rank] * size : MPI_IN_PLACE;
    MPI_Igatherv(own, comm->counts[node->member], type, data, comm->counts, comm->offsets, type, 0, comm->place.mates,
                 &request);
    wait_for(comm, request, "values of every rank");
}

/* Through the leaders, so that a node sends its values once and receives those of others once. */
static void gather_by_node(const srq_comm *comm, void *data, const size_t *begin, size_t size, MPI_Datatype type)
{
    const srq_node *node = &comm->place.node;
    MPI_Request request;
    gather_in_node(comm, data, begin, size, type);
    if (node->member == 0) {
        set_parts(comm, begin, node->begin, node->count);
        MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, data, comm->counts, comm->offsets, type,
                        comm->place.leaders, &request);
        wait_for(comm, request, "values of every node");
    }
    MPI_Ibcast(data, (int)begin[comm->size], type, 0, comm->place.mates, &request);
    wait_for(comm, request, "values of every rank");
}

void srq_comm_gather(const srq_comm *comm, void *data, const size_t *begin, size_t size)
{
    const MPI_Datatype type = size == sizeof(double) ? MPI_DOUBLE : MPI_FLOAT;
    if (comm->size == 1) return;
    if (comm->place.any_shares && comm->place.node.count > 1) {
        gather_by_node(comm, data, begin, size, type);
        return;
    }
    MPI_Request request;
    set_parts(comm, begin, NULL, comm->size);
    MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, data, comm->counts, comm->offsets, type, comm->place.world,
                    &request);
    wait_for(comm, request, "values of every rank");
}

void srq_comm_fetch(const srq_comm *comm, int from, void *data, size_t bytes)
{
    if (from == 0 || (comm->rank != 0 && comm->rank != from)) return;
    for (char *at = data; bytes > 0;) {
        const int piece = bytes > INT_MAX / 2 ? INT_MAX / 2 : (int)bytes;
        MPI_Request request;
        if (comm->rank == 0)
            MPI_Irecv(at, piece, MPI_BYTE, from, 0, comm->place.world, &request);
        else
            MPI_Isend(at, piece, MPI_BYTE, 0, 0, comm->place.world, &request);
        wait_for(comm, request, "data of one rank for rank 0");
        at += piece;
        bytes -= (size_t)piece;
    }
}

void srq_comm_barrier(const srq_comm *comm)
{
    if (comm->size == 1) return;
    MPI_Request request;
    MPI_Ibarrier(comm->place.world, &request);
    wait_for(comm, request, "all ranks");
}

double srq_comm_ping(const srq_comm *comm, void *data, size_t bytes, int count)
{
    const int last = comm->size - 1, other = comm->rank == 0 ? last : 0;
    double seconds = 0;
    if (comm->size == 1) return 0;
    if (comm->rank == 0 || comm->rank == last) {
        const double since = MPI_Wtime();
        for (int i = 0; i < 2 * count; i++) {
            if ((i % 2 == 0) == (comm->rank == 0))
                MPI_Send(data, (int)bytes, MPI_BYTE, other, 0, comm->place.world);
            else
                MPI_Recv(data, (int)bytes, MPI_BYTE, other, 0, comm->place.world, MPI_STATUS_IGNORE);
        }
        seconds = (MPI_Wtime() - since) / (2 * count);
    }
    srq_comm_share(comm, &seconds, sizeof seconds);
    return seconds;
}

void srq_comm_sum_floats(const srq_comm *comm, float *values, size_t count)
{
    if (comm->size > 1) MPI_Allreduce(MPI_IN_PLACE, values, (int)count, MPI_FLOAT, MPI_SUM, comm->place.world);
}

void srq_comm_watch(srq_comm *comm, double warn, double end, srq_tell tell, void *context)
{
    if (comm->watch) srq_watch_set(comm->watch, warn, end, tell, context);
}

void srq_comm_mark(srq_comm *comm, long step)
{
    if (comm->watch) srq_watch_mark(comm->watch, step);
}

const char *srq_comm_host(const srq_comm *comm, int rank)
{
    return comm->watch ? srq_watch_host(comm->watch, rank) : "localhost";
}

void srq_comm_version(char *text, size_t size)
{
    char full[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    MPI_Get_library_version(full, &length);
    size_t end = strcspn(full, ",\n");
    if (end >= size) end = size - 1;
    memcpy(text, full, end);
    text[end] = '\0';
}
