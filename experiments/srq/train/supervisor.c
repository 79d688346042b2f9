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

/* --- Who this is, as the launcher says: MPI is not there yet */

/* The first of these that is set, or `otherwise`. */
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

/* A debugger wants the process that it started. */
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
        return "memory ran out there (`dmesg` or the job's record says so; start fewer ranks on that host), or "
               "somebody "
               "sent it";
    case SIGBUS:
        return "/dev/shm or a disk is full there, or its memory is faulty";
    case SIGXCPU:
        return "its limit of CPU time is reached (ulimit -t)";
    case SIGILL:
        return "its CPU lacks an instruction that srq or a library was built for";
    default:
        return "a fault of srq (please report it, with the lines above), of a library or of that host";
    }
}

/* Appends `word` as a shell takes it. */
static size_t quote(const char *word, char *out, size_t n, size_t size)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+./=:,@%";
    if (*word && strspn(word, plain) == strlen(word)) return n + (size_t)snprintf(out + n, size - n, " %s", word);
    n += (size_t)snprintf(out + n, size - n, " '");
    for (; *word && n + 8 < size; word++)
        n += (size_t)snprintf(out + n, size - n, *word == '\'' ? "'\\''" : "%c", *word);
    return n + (size_t)snprintf(out + n, size - n, "'");
}

/* The command line again, but with `--resume auto`. */
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
             "srq: rank %d (process %ld on %s) was ended by signal %d (SIG%s), and the job with it. Likely: %s. %s%s\n",
             rank, process, host, number, name ? name : "?", likely_reason(number),
             trains ? "Checkpoints are kept; go on, on any number of ranks, with\n  " : "Run the command again",
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

/* Passes signals on until the child has ended; its wait status. */
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

/* Waits for a signal; it, or -1 after so many seconds. */
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

/* Where several die of one cause, the lowest speaks: the launcher then ends the others, which wait a moment for that.
 * Open MPI announces it by SIGCONT, a second before SIGTERM. */
static void leave_room_to_others(int rank, int ranks)
{
    const int number = wait_for(SIGTERM, SIGCONT, 0.1 + 0.9 * rank / ranks);
    if (number == SIGTERM || (number == SIGCONT && wait_for(SIGTERM, SIGTERM, 3) == SIGTERM)) _exit(SRQ_ERROR_RUN);
}

/* Ends as the child was: a signal that asks for an end needs no words. */
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

/* _exit: what the process has open is the child's. */
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
    /* One write: lines of other ranks come before or after. */
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
    /* Whose output is the user's (io/progress.h). */
    snprintf(launcher, sizeof launcher, "%ld", (long)getppid());
    setenv("SRQ_LAUNCHER", launcher, 1);
    signal(SIGCHLD, SIG_DFL);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, &before);
    fflush(NULL);
    const pid_t child = fork();
    if (child > 0) supervise(child, rank, argc, argv);
    /* The child; or no second process can be had: then without. */
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(SRQ_ERROR_RUN);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
}
