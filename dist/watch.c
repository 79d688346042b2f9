#include "dist/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HOST_SIZE = 64, WHAT_SIZE = 64, ASK = 1, ANSWER = 2 };

/* Seconds to wait for answers; and seconds to wait for the reporting rank to end the job. */
static const double patience = 1, last_patience = 3;

struct srq_watch {
    MPI_Comm comm; /* only for questions and answers */
    int rank, size;
    double warn, end; /* seconds; 0: no watch */
    srq_tell tell;
    void *context;
    long step;
    char (*hosts)[HOST_SIZE]; /* [size] */
    bool *heard;              /* [size]: whether this rank answered that it waits as well */
    char what[WHAT_SIZE];     /* what this rank waits for */
    double waited;            /* for how many seconds */
    MPI_Request *sends;       /* [size] questions, then [size] answers */
};

static double clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

srq_status srq_watch_create(MPI_Comm world, srq_watch **out)
{
    srq_watch *w = calloc(1, sizeof *w);
    if (!w) return srq_fail_memory(sizeof *w, "the watch over ranks");
    *out = w;
    MPI_Comm_dup(world, &w->comm);
    MPI_Comm_rank(world, &w->rank);
    MPI_Comm_size(world, &w->size);
    const size_t size = (size_t)w->size;
    w->hosts = calloc(size, sizeof *w->hosts);
    w->heard = calloc(size, sizeof *w->heard);
    w->sends = malloc(2 * size * sizeof(MPI_Request));
    if (!w->hosts || !w->heard || !w->sends) return srq_fail_memory(size * sizeof *w->hosts, "the watch over ranks");
    for (size_t i = 0; i < 2 * size; i++) w->sends[i] = MPI_REQUEST_NULL;
    char name[MPI_MAX_PROCESSOR_NAME] = "";
    int length;
    MPI_Get_processor_name(name, &length);
    name[HOST_SIZE - 1] = '\0';
    MPI_Allgather(name, HOST_SIZE, MPI_CHAR, w->hosts, HOST_SIZE, MPI_CHAR, w->comm);
    return SRQ_OK;
}

void srq_watch_destroy(srq_watch **watch)
{
    srq_watch *w = *watch;
    if (!w) return;
    for (int i = 0; w->sends && i < 2 * w->size; i++)
        if (w->sends[i] != MPI_REQUEST_NULL) MPI_Request_free(&w->sends[i]);
    MPI_Comm_free(&w->comm);
    free(w->hosts);
    free(w->heard);
    free(w->sends);
    free(w);
    *watch = NULL;
}

void srq_watch_set(srq_watch *w, double warn, double end, srq_tell tell, void *context)
{
    w->warn = warn;
    w->end = end;
    w->tell = tell;
    w->context = context;
}

void srq_watch_mark(srq_watch *w, long step)
{
    w->step = step;
}

const char *srq_watch_host(const srq_watch *w, int rank)
{
    return w->hosts[rank];
}

/* --- Questions and answers */

/* A rank that responds has received the previous message long ago. If it has not, another message is pointless. */
static void send_to(srq_watch *w, int rank, int tag)
{
    MPI_Request *request = &w->sends[tag == ASK ? rank : w->size + rank];
    int done;
    MPI_Test(request, &done, MPI_STATUS_IGNORE);
    if (!done) return;
    MPI_Isend(NULL, 0, MPI_BYTE, rank, tag, w->comm, request);
}

/* Answers questions and records answers. */
static void converse(srq_watch *w)
{
    for (;;) {
        int there;
        MPI_Status status;
        MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, w->comm, &there, &status);
        if (!there) return;
        const int from = status.MPI_SOURCE, tag = status.MPI_TAG;
        MPI_Recv(NULL, 0, MPI_BYTE, from, tag, w->comm, MPI_STATUS_IGNORE);
        if (tag == ASK)
            send_to(w, from, ANSWER);
        else
            w->heard[from] = true;
    }
}

static void ask(srq_watch *w)
{
    memset(w->heard, 0, (size_t)w->size * sizeof *w->heard);
    for (int r = 0; r < w->size; r++)
        if (r != w->rank) send_to(w, r, ASK);
}

/* --- Messages */

/* Whether this rank is the lowest that waits. That rank reports for all, when its own time has come. */
static bool speaks(const srq_watch *w)
{
    for (int r = 0; r < w->rank; r++)
        if (w->heard[r]) return false;
    return true;
}

static size_t append(char *text, size_t size, size_t at, const char *format, int rank, const char *host)
{
    if (at >= size) return at;
    const int n = snprintf(text + at, size - at, format, rank, host);
    return n > 0 ? at + (size_t)n : at;
}

static void name_ranks(const srq_watch *w, char *text, size_t size)
{
    size_t at = 0;
    int count = 0;
    for (int r = 0; r < w->size; r++) {
        if (r == w->rank || w->heard[r]) continue;
        if (count < 8) at = append(text, size, at, count ? ", %d (host %s)" : "%d (host %s)", r, w->hosts[r]);
        count++;
    }
    if (count > 8) append(text, size, at, " and %d more%s", count - 8, "");
    if (count == 0) snprintf(text, size, "none, all ranks wait for something");
}

static void say(srq_watch *w, bool final)
{
    char ranks[1024], text[2048];
    name_ranks(w, ranks, sizeof ranks);
    if (!final)
        snprintf(text, sizeof text,
                 "step %ld: rank %d (host %s) has waited %.0f s for %s; ranks that have not arrived: %s%s", w->step,
                 w->rank, w->hosts[w->rank], w->waited, w->what, ranks,
                 w->end > 0 ? "" : "; train.stall_end is 0, so the job keeps waiting");
    else
        snprintf(text, sizeof text,
                 "step %ld: rank %d (host %s) has waited %.0f s for %s, longer than train.stall_end; ranks that have "
                 "not arrived: %s. The job ends here, and the last checkpoint is kept. Check the nodes of these ranks "
                 "and the network between them, then resume with `--resume auto`",
                 w->step, w->rank, w->hosts[w->rank], w->waited, w->what, ranks);
    w->tell(w->context, text, final);
}

/* The state of one wait. */
typedef struct wait_state {
    double since, next_look, ask_at, speak_at;
    bool asked, warned;
} wait_state;

static void look(srq_watch *w, wait_state *s, double now)
{
    w->waited = now - s->since;
    converse(w);
    if (w->end > 0 &&
        now - s->since >= w->end + last_patience) { /* the rank that should have reported is disconnected */
        say(w, true);
        MPI_Abort(w->comm, SRQ_ERROR_RUN);
    }
    if (!s->asked && now >= s->ask_at) {
        ask(w);
        s->asked = true;
        s->speak_at = now + patience;
    }
    if (!s->asked || now < s->speak_at) return;
    s->asked = false;
    const bool ending = w->end > 0 && now - s->since >= w->end;
    if (speaks(w) && (ending || !s->warned)) say(w, ending);
    if (speaks(w) && ending) MPI_Abort(w->comm, SRQ_ERROR_RUN);
    s->warned = true;
    /* Ask again just before the time limit. */
    const double left = s->since + w->end - patience - now;
    s->ask_at = w->end <= 0 ? now + 1e9 : now + (left > 0 ? left : patience);
}

void srq_watch_wait(srq_watch *w, int count, MPI_Request *requests, const char *what, int index)
{
    int done = 0;
    if (w->warn <= 0) {
        MPI_Waitall(count, requests, MPI_STATUSES_IGNORE);
        return;
    }
    wait_state s = {0};
    for (unsigned turn = 0; !done; turn++) {
        MPI_Testall(count, requests, &done, MPI_STATUSES_IGNORE);
        if (done || turn % 64 != 63) continue;
        const double now = clock_now();
        if (s.since == 0) { /* most waits end before the clock is read */
            s = (wait_state){.since = now, .ask_at = now + w->warn - patience};
            snprintf(w->what, sizeof w->what, what, index);
        }
        if (now < s.next_look) continue;
        s.next_look = now + 1e-3;
        look(w, &s, now);
    }
}
