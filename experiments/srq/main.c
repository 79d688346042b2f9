/* srq: the program. main() finds the command, starts MPI if the command needs it, prints the message of a failure, and
 * exits with the status that the command returned. No other file does this. */
#include "experiments/srq/commands.h"
#include "experiments/srq/topics.h"
#include "experiments/srq/train/node_checks.h"
#include "experiments/srq/train/supervisor.h"
#include "io/escape.h"
#include "io/file.h"
#include "io/h5.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

typedef struct command {
    const char *name;
    srq_status (*parallel)(srq_comm *comm, int argc, char **argv);
    srq_status (*serial)(int argc, char **argv);
    bool alone;  /* parallel; without a launcher, one process runs it without MPI */
    bool trains; /* its results are in files, and what it prints is progress */
} command;

static const command commands[] = {
    {.name = "train", .parallel = srq_command_train, .trains = true},
    {.name = "ticket", .parallel = srq_command_ticket, .trains = true},
    {.name = "sweep", .parallel = srq_command_sweep, .trains = true},
    {.name = "eval", .parallel = srq_command_eval},
    {.name = "predict", .serial = srq_command_predict},
    {.name = "export", .serial = srq_command_export},
    {.name = "inspect", .serial = srq_command_inspect},
    {.name = "diff", .serial = srq_command_diff},
    {.name = "report", .serial = srq_command_report},
    {.name = "data", .parallel = srq_command_data, .alone = true},
    {.name = "check", .serial = srq_command_check},
    {.name = "bench", .parallel = srq_command_bench},
    {.name = "help", .serial = srq_command_help},
    {.name = "version", .serial = srq_command_version},
};

static const command *find(const char *name)
{
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
    if (strcmp(name, "--version") == 0) name = "version";
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
    return NULL;
}

static srq_status unknown(const char *word)
{
    const char *closest = srq_topic_closest(word);
    return srq_fail(SRQ_ERROR_USAGE, "no command is called \"%.100s\"; %s%s%s`srq help` lists all commands", word,
                    closest ? "did you mean " : "", closest ? closest : "", closest ? "? " : "");
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
    return false;
}

static srq_status run(const command *chosen, srq_comm *comm, int argc, char **argv)
{
    if (chosen->parallel) {
        if (!chosen->alone) SRQ_TRY(srq_comm_agree(comm, srq_comm_check_launcher(comm)));
        SRQ_TRY(srq_nodes_check(comm, argc, argv));
        return srq_comm_agree(comm, chosen->parallel(comm, argc, argv));
    }
    return srq_comm_agree(comm, srq_comm_rank(comm) == 0 ? chosen->serial(argc, argv) : SRQ_OK);
}

/* A closed standard stream would give its number to the next file that is opened, and progress would be written into a
 * log. /dev/null is opened the wrong way round, so that writing fails, as it does on a closed stream. */
static void open_standard_streams(void)
{
    for (int i = 0; i < 3; i++)
        if (fcntl(i, F_GETFD) < 0) (void)open("/dev/null", i == 0 ? O_WRONLY : O_RDONLY);
}

/* Output that could not be written is a failure, except progress: the reader of a pipe may end before training does. */
static srq_status check_output(const command *chosen, srq_status status)
{
    if ((chosen && chosen->trains) || (status != SRQ_OK && status != SRQ_NO)) {
        fflush(stdout);
        return status;
    }
    const srq_status written = srq_file_flush(stdout, "the output");
    return written == SRQ_OK ? status : written;
}

static int show_help(const char *asked)
{
    char name[32];
    snprintf(name, sizeof name, "%s", asked);
    char *words[] = {"help", name, NULL};
    const srq_status status = check_output(NULL, srq_command_help(2, words));
    if (status != SRQ_OK) srq_say_to(stderr, "srq: %s\n", srq_message());
    return (int)status;
}

int main(int argc, char **argv)
{
    open_standard_streams();
    const command *chosen = argc < 2 ? find("help") : find(argv[1]);
    /* `srq train --help` means `srq help train`, and `srq --version --help` means `srq help version`. */
    if (argc >= 3 && chosen && asks_for_help(argc - 1, argv + 1)) return show_help(chosen->name);
    if (chosen && chosen->trains) signal(SIGPIPE, SIG_IGN);
    if (chosen && chosen->parallel) {
        srq_supervise(argc, argv);
        srq_h5_start(); /* if it fails, the first file that is read says so */
    }
    srq_comm *comm = NULL;
    srq_status status = srq_comm_create(chosen && chosen->parallel && !chosen->alone, &comm);
    if (status == SRQ_OK && !chosen) status = unknown(argv[1]);
    if (status == SRQ_OK) status = run(chosen, comm, argc < 2 ? 0 : argc - 1, argv + 1);
    const bool speaks = !comm || srq_comm_rank(comm) == 0;
    if (speaks) status = check_output(chosen, status);
    if (speaks && status != SRQ_OK && status != SRQ_NO && status != SRQ_STOPPED) {
        fputs("srq: ", stderr);
        srq_print_lines(srq_message(), stderr);
        fputc('\n', stderr);
    }
    srq_comm_destroy(&comm);
    return (int)status;
}
