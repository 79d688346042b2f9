/* Starts the processes that read files with HDF5, and waits for their end.
 *
 *     srq (a rank) ──── requests ────> starter ── fork ──> reader of one file, with limits
 *          │                                                  ^
 *          └──────────────── one socket for each file ────────┘
 *
 * The starter is forked once, before MPI and before there are threads. From then on only the starter forks, because a
 * process that uses MPI cannot do that safely. It ends when its socket is closed, which happens when srq ends in
 * whatever way. */
#include "io/h5_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* To the starter: start a reader on the socket that comes along (bytes: the size of its file), or wait for the end of
 * `process`. Its answer is the process number, or -1, or the wait status. */
typedef struct order {
    int64_t bytes;
    pid_t process; /* 0: start one */
} order;

static int starter = -1;    /* our end of the socket */
static pid_t starter_owner; /* a process that was forked from the owner has to start its own */

/* Gives the process another command line, so that `pkill -f` and `pgrep -f` find only the processes that compute. */
static void set_title(const char *title)
{
    char line[4096], *own = program_invocation_name;
    FILE *stream = fopen("/proc/self/cmdline", "r");
    const size_t n = stream ? fread(line, 1, sizeof line, stream) : 0;
    if (stream) fclose(stream);
    /* The arguments follow each other in memory. */
    if (n <= strlen(title) || memcmp(own, line, n) != 0) return;
    memset(own, 0, n);
    memcpy(own, title, strlen(title));
    prctl(PR_SET_NAME, title);
}

/* --- In the starter */

/* What a library prints while it reads a damaged file, or a sanitizer when it stops it, does not concern the user: srq
 * prints one message. SRQ_READER_STDERR=1 shows it. */
static void leave_terminal(void)
{
    const char *keep = getenv("SRQ_READER_STDERR");
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nothing < 0) return;
    dup2(nothing, STDIN_FILENO);
    dup2(nothing, STDOUT_FILENO);
    if (!keep || !*keep) dup2(nothing, STDERR_FILENO);
    if (nothing > STDERR_FILENO) close(nothing);
}

/* Signals that a launcher or a terminal sends to all processes of a run concern the one that computes. */
static void ignore_signals(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGHUP, SIGQUIT, SIGTSTP, SIGPIPE};
    sigset_t none;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) signal(numbers[i], SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void become_reader(int orders, int socket, uint64_t bytes)
{
    close(orders);
    set_title("srq-reader");
    srq_h5_limit(bytes);
    srq_h5_serve(socket, bytes);
    _exit(0);
}

static int follow(int orders, const order *o, int socket)
{
    int status = 0;
    if (o->process > 0) return waitpid(o->process, &status, 0) == o->process ? status : -1;
    /* HDF5 starts here, once, and not in each reader. */
    srq_h5_quiet();
    const pid_t made = fork();
    if (made == 0) become_reader(orders, socket, (uint64_t)o->bytes);
    return made;
}

/* Files that srq has open, and their locks, are not the starter's. */
static void close_others(int kept)
{
    if (kept > STDERR_FILENO + 1) close_range(STDERR_FILENO + 1, (unsigned)kept - 1, 0);
    close_range((unsigned)kept + 1, ~0U, 0);
}

static _Noreturn void be_starter(int orders)
{
    order next;
    int socket;
    close_others(orders);
    set_title("srq-files");
    ignore_signals();
    leave_terminal();
    while (srq_h5_receive_with(orders, &next, sizeof next, &socket)) {
        const int answer = follow(orders, &next, socket);
        if (socket >= 0) close(socket);
        if (!srq_h5_send(orders, &answer, sizeof answer)) break;
    }
    _exit(0);
}

/* --- In srq */

static srq_status cannot_start(const char *what)
{
    return srq_fail(SRQ_ERROR_RUN,
                    "cannot start a process that reads files: %s: %s; check the limits of the job (ulimit -u, -n)",
                    what, strerror(errno));
}

srq_status srq_h5_start(void)
{
    int ends[2];
    if (starter >= 0 && starter_owner == getpid()) return SRQ_OK;
    if (starter >= 0) close(starter);
    starter = -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return cannot_start("socketpair");
    fflush(NULL);
    const pid_t made = fork();
    if (made == 0) {
        be_starter(ends[1]);
    }
    close(ends[1]);
    if (made < 0) {
        close(ends[0]);
        return cannot_start("fork");
    }
    starter = ends[0];
    starter_owner = getpid();
    return SRQ_OK;
}

static bool give_order(const order *o, int socket, int *answer)
{
    return srq_h5_send_with(starter, o, sizeof *o, socket) && srq_h5_receive(starter, answer, sizeof *answer);
}

srq_status srq_h5_child_start(srq_h5_child *child, uint64_t bytes)
{
    int ends[2], made = -1;
    const order o = {.bytes = (int64_t)bytes};
    *child = (srq_h5_child){.socket = -1};
    SRQ_TRY(srq_h5_start());
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return cannot_start("socketpair");
    const bool sent = give_order(&o, ends[1], &made);
    close(ends[1]);
    if (!sent || made <= 0) {
        close(ends[0]);
        return cannot_start("fork");
    }
    *child = (srq_h5_child){.socket = ends[0], .process = made};
    return SRQ_OK;
}

int srq_h5_child_end(srq_h5_child *child)
{
    int status = 0;
    if (child->socket < 0) return 0;
    close(child->socket);
    const order o = {.process = child->process};
    if (starter_owner != getpid() || !give_order(&o, -1, &status)) status = -1;
    child->socket = -1;
    return status;
}
