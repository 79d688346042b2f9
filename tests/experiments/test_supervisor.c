/* The supervisor of a rank: its message, and its exit status. */
#include "experiments/srq/train/supervisor.h"
#include "tests/suite.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char *const train[] = {"./srq", "train",     "a b.cfg", "--resume",     "never",
                              "--out", "runs/it's", "--set",   "train.seed=2", NULL};

static const char *message_of(int number, char *const *argv, int argc)
{
    static char text[2048];
    srq_supervisor_message(number, 3, 8, 4711, argc, (char **)argv, text, sizeof text);
    return text;
}

START_TEST(messages)
{
    const char *text = message_of(SIGKILL, train, 9);
    ck_assert_ptr_nonnull(strstr(text, "srq: rank 3 (process 4711 on "));
    ck_assert_ptr_nonnull(strstr(text, "signal 9 (SIGKILL)"));
    ck_assert_ptr_nonnull(strstr(text, "memory"));
    ck_assert_ptr_nonnull(
        strstr(text, "\n  mpirun -n 8 ./srq train 'a b.cfg' --out 'runs/it'\\''s' --set train.seed=2 --resume auto\n"));
    ck_assert_ptr_nonnull(strstr(message_of(SIGSEGV, train, 9), "signal 11 (SIGSEGV)"));
    ck_assert_ptr_nonnull(strstr(message_of(SIGBUS, train, 9), "/dev/shm"));
    char *const eval[] = {"srq", "eval", "runs/x", NULL};
    ck_assert_ptr_null(strstr(message_of(SIGSEGV, eval, 3), "--resume"));
}
END_TEST

/* Cut, and ended, wherever it is too long. */
START_TEST(long_command_lines)
{
    char words[40][200], *argv[41] = {0};
    for (int i = 0; i < 40; i++) {
        memset(words[i], i % 3 ? 'x' : '\'', sizeof words[i] - 1);
        words[i][150 + i] = '\0';
        argv[i] = words[i];
    }
    argv[1] = "train";
    for (unsigned long size = 1; size < 3000; size += 37) {
        char *room = malloc(size);
        srq_supervisor_message(SIGKILL, 0, 1, 1, 40, argv, room, size);
        ck_assert_uint_lt(strlen(room), size);
        free(room);
    }
}
END_TEST

typedef void (*deed)(void);

/* Runs `act` in a supervised process, like a launcher. Returns its wait status; its output is in `said`. */
static int supervised(deed act, int signal_to_watch, char *said, size_t size)
{
    int out[2], status;
    ck_assert_int_eq(pipe(out), 0);
    fflush(NULL);
    const pid_t watch = fork();
    if (watch == 0) {
        setenv("OMPI_COMM_WORLD_RANK", "0", 1);
        dup2(out[1], STDERR_FILENO);
        close(out[0]);
        srq_supervise(9, (char **)train);
        act();
        _exit(99);
    }
    close(out[1]);
    usleep(200000);
    if (signal_to_watch) kill(watch, signal_to_watch);
    size_t n = 0;
    for (ssize_t got; n + 1 < size && (got = read(out[0], said + n, size - 1 - n)) > 0;) n += (size_t)got;
    said[n] = '\0';
    close(out[0]);
    ck_assert_int_eq(waitpid(watch, &status, 0), watch);
    return status;
}

static volatile sig_atomic_t asked;

static void note(int number)
{
    asked = number;
}

static void end_by_status(void)
{
    _exit(75);
}

static void die(void)
{
    raise(SIGKILL);
}

static void wait_to_be_asked(void)
{
    signal(SIGUSR1, note);
    for (int i = 0; i < 500 && !asked; i++) usleep(10000);
    _exit(asked == SIGUSR1 ? 7 : 8);
}

static void wait_without_a_handler(void)
{
    signal(SIGTERM, SIG_DFL); /* Check has one */
    sleep(20);
}

START_TEST(ends)
{
    char said[4096];
    int status = supervised(end_by_status, 0, said, sizeof said);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 75);
    ck_assert_str_eq(said, "");
    status = supervised(die, 0, said, sizeof said);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 4);
    ck_assert_ptr_nonnull(strstr(said, "signal 9 (SIGKILL)"));
    status = supervised(wait_to_be_asked, SIGUSR1, said, sizeof said);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 7, "%x", (unsigned)status);
    ck_assert_str_eq(said, "");
    /* Before a handler is installed, a request to stop ends the rank without a message. */
    status = supervised(wait_without_a_handler, SIGTERM, said, sizeof said);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "%x", (unsigned)status);
    ck_assert_str_eq(said, "");
    /* The rank holds the other end of the pipe. It is closed, so the rank has ended with its supervisor. */
    status = supervised(wait_without_a_handler, SIGKILL, said, sizeof said);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
END_TEST

int main(void)
{
    setenv("CK_FORK", "no", 1);
    Suite *suite = suite_create("supervisor");
    TCase *tests = tcase_create("supervisor");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, messages);
    tcase_add_test(tests, long_command_lines);
    tcase_add_test(tests, ends);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
