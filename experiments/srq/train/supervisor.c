#include "experiments/srq/train/supervisor.h"

#include "core/status.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* --- The rank according to the launcher, because MPI is not started yet */

/* The first of these variables that is set, or `otherwise`. */
static int number_of(const char *const *names, int otherwise)
{
    for (; *names; names++)
        if (getenv(*names)) return atoi(getenv(*names));
    return otherwise;
}

static int launched_rank(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID", NULL};
    return number_of(names, -1);
}

static int launched_ranks(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS", NULL};
    const int ranks = number_of(names, 1);
    return ranks > 0 ? ranks : 1;
}

/* A debugger works on the process that it started, so that one must compute. */
static bool is_traced(void)
{
    FILE *status = fopen("/proc/self/status", "r");
    char line[256];
    int tracer = 0;
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "TracerPid: %d", &tracer) == 1) break;
    if (status) fclose(status);
    return tracer != 0;
}

/* --- The message */

static const char *likely_reason(int number)
{
    switch (number) {
    case SIGKILL:
        return "the host ran out of memory (see `dmesg` or the record of the job; start fewer ranks on that host), or "
               "somebody sent the signal";
    case SIGBUS:
        return "/dev/shm or a disk of that host is full, or its memory is faulty";
    case SIGXCPU:
        return "the process reached its limit of CPU time (ulimit -t)";
    case SIGILL:
        return "the CPU lacks an instruction that srq or a library was built for";
    default:
        return "a fault in srq (please report it with the lines above), in a library or in that host";
    }
}

/* Appends `word`, quoted for a shell. */
static size_t quote(const char *word, char *out, size_t n, size_t size)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+./=:,@%";
    if (*word && strspn(word, plain) == strlen(word)) return n + (size_t)snprintf(out + n, size - n, " %s", word);
    n += (size_t)snprintf(out + n, size - n, " '");
    for (; *word && n + 8 < size; word++)
        n += (size_t)snprintf(out + n, size - n, *word == '\'' ? "'\\''" : "%c", *word);
    return n + (size_t)snprintf(out + n, size - n, "'");
}

/* The command line, with `--resume auto`. */
static void resume_command(int ranks, int argc, char **argv, char *out, size_t size)
{
    size_t n = (size_t)snprintf(out, size, "mpirun -n %d", ranks);
    for (int i = 0; i < argc && n + 64 < size; i++)
        if (strcmp(argv[i], "--resume") == 0)
            i++;
        else
            n = quote(argv[i], out, n, size);
    snprintf(n < size ? out + n : out, n < size ? size - n : 0, " --resume auto");
}

void srq_supervisor_message(int number, int rank, int ranks, long process, int argc, char **argv, char *out,
                            unsigned long size)
{
    char host[256] = "?", command[1024] = "";
    const bool trains = argc > 1 && strcmp(argv[1], "train") == 0;
    gethostname(host, sizeof host - 1);
    if (trains) resume_command(ranks, argc, argv, command, sizeof command);
    const char *name = sigabbrev_np(number);
    snprintf(out, size,
             "srq: rank %d (process %ld on %s) was ended by signal %d (SIG%s). The job ends as well. Likely cause: %s. "
             "%s%s\n",
             rank, process, host, number, name ? name : "?", likely_reason(number),
             trains ? "Checkpoints are kept. Resume on any number of ranks with\n  " : "Run the command again",
             command);
}

/* --- The parent */

static sigset_t passed_on(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) sigaddset(&set, numbers[i]);
    return set;
}

/* Passes signals on until the child has ended. Returns its wait status. */
static int watch(pid_t child)
{
    sigset_t set = passed_on();
    sigaddset(&set, SIGCHLD);
    for (;;) {
        int status;
        const pid_t ended = waitpid(child, &status, WNOHANG);
        if (ended == child) return status;
        if (ended < 0 && errno != EINTR) return SRQ_ERROR_RUN << 8;
        const int number = sigwaitinfo(&set, NULL);
        if (number > 0 && number != SIGCHLD) kill(child, number);
    }
}

/* Waits for a signal. Returns it, or -1 after so many seconds. */
static int wait_for(int first, int second, double seconds)
{
    const struct timespec room = {.tv_sec = (time_t)seconds,
                                  .tv_nsec = (long)(1e9 * (seconds - (double)(time_t)seconds))};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, first);
    sigaddset(&set, second);
    return sigtimedwait(&set, NULL, &room);
}

/* If several ranks die of the same cause, the lowest prints the message. The others wait a moment for the launcher to
 * end them. Open MPI sends SIGCONT a second before SIGTERM. */
static void leave_room_to_others(int rank, int ranks)
{
    const int number = wait_for(SIGTERM, SIGCONT, 0.1 + 0.9 * rank / ranks);
    if (number == SIGTERM || (number == SIGCONT && wait_for(SIGTERM, SIGTERM, 3) == SIGTERM)) _exit(SRQ_ERROR_RUN);
}

/* Ends by the same signal as the child. A signal that requests the end needs no message. */
static void end_by(int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    signal(number, SIG_DFL);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    _exit(128 + number);
}

/* _exit: do not flush buffers that the child has inherited. */
static _Noreturn void supervise(pid_t child, int rank, int argc, char **argv)
{
    char message[SRQ_MESSAGE_SIZE];
    prctl(PR_SET_NAME, "srq-supervisor");
    const int status = watch(child);
    if (!WIFSIGNALED(status)) _exit(WEXITSTATUS(status));
    const int number = WTERMSIG(status), ranks = launched_ranks();
    if (number == SIGTERM || number == SIGINT || number == SIGUSR1 || number == SIGUSR2 || number == SIGHUP)
        end_by(number);
    leave_room_to_others(rank, ranks);
    srq_supervisor_message(number, rank, ranks, (long)child, argc, argv, message, sizeof message);
    /* One write, so that lines of other ranks do not mix with it. */
    if (write(STDERR_FILENO, message, strlen(message)) < 0) _exit(SRQ_ERROR_RUN);
    _exit(SRQ_ERROR_RUN);
}

void srq_supervise(int argc, char **argv)
{
    const int rank = launched_rank();
    if (rank < 0 || is_traced()) return;
    char launcher[32];
    sigset_t set = passed_on(), before;
    const pid_t parent = getpid();
    /* io/progress.c looks at the output of this process. */
    snprintf(launcher, sizeof launcher, "%ld", (long)getppid());
    setenv("SRQ_LAUNCHER", launcher, 1);
    signal(SIGCHLD, SIG_DFL);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, &before);
    fflush(NULL);
    const pid_t child = fork();
    if (child > 0) supervise(child, rank, argc, argv);
    /* The child, or the only process if fork failed. */
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(SRQ_ERROR_RUN);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
}
