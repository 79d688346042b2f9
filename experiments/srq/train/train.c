/* srq train: trains a network of a configuration. */
#include "experiments/srq/commands.h"
#include "experiments/srq/options.h"
#include "experiments/srq/train/announce.h"
#include "experiments/srq/train/trainer_bits.h"
#include "experiments/srq/train/validation.h"
#include "io/escape.h"
#include "io/file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct train_options {
    const char *config;
    const char *out;
    srq_resume resume;
    const char *resume_file;
    int set_count;
    const char **sets;
    srq_trainer_options trainer;
} train_options;

static srq_status usage(const char *what, const char *word)
{
    return srq_fail(SRQ_ERROR_USAGE,
                    "train: %s%s; usage: srq train CONFIG --out DIR [--set path=value]... [--resume "
                    "never|auto|FILE|DIR] [--threads N] [--max-time SPAN] [--quiet] [--trace DIR [--trace-steps A:B]]",
                    what, word);
}

static srq_status unknown(const char *word)
{
    char hint[SRQ_HINT_SIZE];
    return usage("no option is called ", srq_option_hint("train", word, hint, sizeof hint));
}

static bool is_same_folder(const char *a, const char *b)
{
    struct stat one, other;
    return stat(a, &one) == 0 && stat(b, &other) == 0 && S_ISDIR(one.st_mode) && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

/* The run directory itself as the one to resume from means auto. */
static void set_resume(train_options *options)
{
    const char *word = options->resume_file;
    options->resume = !word || strcmp(word, "never") == 0                               ? SRQ_RESUME_NEVER
                      : strcmp(word, "auto") == 0 || is_same_folder(word, options->out) ? SRQ_RESUME_AUTO
                                                                                        : SRQ_RESUME_FILE;
}

/* "A:B" */
static srq_status set_trace_steps(srq_trainer_options *options, const char *word)
{
    int used = 0;
    const bool read = sscanf(word, "%9ld:%9ld%n", &options->trace_first, &options->trace_last, &used) == 2;
    if (read && !word[used] && options->trace_first >= 1 && options->trace_first <= options->trace_last) return SRQ_OK;
    return srq_fail(SRQ_ERROR_USAGE,
                    "train: --trace-steps is \"%.64s\", but must be the first and the last step, for example 100:119",
                    word);
}

static bool takes_value(const char *word)
{
    static const char *const options[] = {"--out",      "--set",   "--resume",     "--threads",
                                          "--max-time", "--trace", "--trace-steps"};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (strcmp(word, options[i]) == 0) return true;
    return false;
}

static srq_status parse(int argc, char **argv, train_options *options)
{
    options->sets = calloc((size_t)argc, sizeof *options->sets);
    if (!options->sets) return srq_fail_memory((size_t)argc * sizeof *options->sets, "the command line");
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (takes_value(word) && !value) return usage("a value is missing after ", word);
        if (strcmp(word, "--out") == 0)
            options->out = value;
        else if (strcmp(word, "--set") == 0)
            options->sets[options->set_count++] = value;
        else if (strcmp(word, "--resume") == 0)
            options->resume_file = value;
        else if (strcmp(word, "--quiet") == 0)
            options->trainer.quiet = true;
        else if (strcmp(word, "--threads") == 0)
            SRQ_TRY(srq_threads_parse("train", value, &options->trainer.threads));
        else if (strcmp(word, "--max-time") == 0)
            options->trainer.max_time = value;
        else if (strcmp(word, "--trace") == 0)
            options->trainer.trace = value;
        else if (strcmp(word, "--trace-steps") == 0)
            SRQ_TRY(set_trace_steps(&options->trainer, value));
        else if (word[0] == '-')
            return unknown(word);
        else if (options->config)
            return usage("one configuration is expected, but a second one is given: ", word);
        else
            options->config = word;
        i += takes_value(word);
    }
    if (!options->config) return usage("no configuration is named", "");
    if (options->trainer.trace_first && !options->trainer.trace)
        return usage("--trace-steps needs a folder for the trace: add --trace", " DIR");
    if (options->trainer.trace) SRQ_TRY(srq_folder_check("--trace", options->trainer.trace));
    if (!options->out) return usage("no folder for the run is named: add --out", " DIR");
    SRQ_TRY(srq_folder_check("--out", options->out));
    set_resume(options);
    return SRQ_OK;
}

/* Reports settings of the command line that have no effect. A sweep over such a setting would repeat one run. */
static void say_idle(const train_options *options, const srq_config *config)
{
    char why[400];
    for (int i = 0; i < options->set_count; i++) {
        const char *set = options->sets[i];
        if (srq_config_is_idle(config, set, why, sizeof why))
            srq_say_to(stderr, "srq: note: --set %.200s changes nothing: %s\n", set, why);
    }
}

/* Rank 0 reads the files. The other ranks get the resolved text, so that all have the same settings. */
static srq_status read_config(srq_comm *comm, int argc, char **argv, train_options *options, srq_config **config)
{
    srq_status status = parse(argc, argv, options);
    if (status == SRQ_OK && srq_comm_rank(comm) == 0)
        status = srq_config_load(options->config, options->set_count, options->sets, config);
    if (*config) say_idle(options, *config);
    return srq_share_config(comm, status, config);
}

/* Also with --quiet. */
static void warn(const srq_trainer *t, const char *text)
{
    srq_progress_line(t->progress, "note: %s", text);
    if (t->run && t->options->quiet) srq_say_to(stderr, "srq: note: %s\n", text);
}

/* Threads that wait for cores, or for something to do. */
static void say_threads(srq_trainer *t)
{
    char text[400];
    const srq_settings *s = t->settings;
    const int useful = (s->train.shards + srq_comm_size(t->comm) - 1) / srq_comm_size(t->comm) * s->train.slices;
    if (t->threads.crowded) {
        snprintf(text, sizeof text,
                 "%d thread%s (%s) are more than the cores that this rank may use, so they take turns; results are the "
                 "same",
                 t->threads.count, srq_plural(t->threads.count), t->threads.source);
        warn(t, text);
    }
    if (t->threads.count > useful) {
        snprintf(text, sizeof text,
                 "a rank has at most %d slice%s of shards, so that %d of its %d threads only evaluate; more shards "
                 "(train.shards) or slices (train.slices) give them work, and change the results",
                 useful, srq_plural(useful), t->threads.count - useful, t->threads.count);
        warn(t, text);
    }
}

static void say_start(srq_trainer *t, const char *dir)
{
    const srq_settings *s = t->settings;
    char parameters[32], images[32];
    long count = 0;
    for (int i = 0; i < srq_graph_parameter_count(t->graph); i++) {
        const srq_parameter *p = srq_graph_parameter(t->graph, i);
        if (p->kind == SRQ_PARAMETER_WEIGHT || p->kind == SRQ_PARAMETER_BIAS) count += (long)p->count;
    }
    char bits[400], unquantized[600], slices[48] = "";
    if (s->train.slices > 1) snprintf(slices, sizeof slices, " of %d slices", s->train.slices);
    srq_announce_quantizers(t->graph, s, bits, sizeof bits);
    srq_progress_line(t->progress, "%s (%s parameters; %s) on %s (%s image%s)", s->model.name,
                      srq_grouped(count, parameters, sizeof parameters), bits, t->dataset->name,
                      srq_grouped(t->batches.count, images, sizeof images), srq_plural(t->batches.count));
    if (t->batches.holdout.count)
        srq_progress_line(
            t->progress,
            "%s more training image%s for validation (data.validation); test images are evaluated once, at "
            "the end, with the best checkpoint",
            srq_grouped((long)t->batches.holdout.count, images, sizeof images),
            t->batches.holdout.count == 1 ? " is" : "s are");
    srq_progress_line(
        t->progress, "%d rank%s x %d thread%s, %s kernels (%s), %ld step%s of %d image%s in %d shard%s%s -> %s",
        srq_comm_size(t->comm), srq_plural(srq_comm_size(t->comm)), t->threads.count, srq_plural(t->threads.count),
        srq_graph_kernels(t->graph)->name, srq_isa_name(t->isa), t->point.total_steps, srq_plural(t->point.total_steps),
        s->train.batch, srq_plural(s->train.batch), s->train.shards, srq_plural(s->train.shards), slices, dir);
    say_threads(t);
    if (srq_comm_note(t->comm)[0]) warn(t, srq_comm_note(t->comm));
    if (s->train.average > 0)
        srq_progress_line(t->progress,
                          "evaluations and checkpoints have the average of the weights over steps (train.average = %g)",
                          s->train.average);
    if (srq_announce_unquantized(t->graph, unquantized, sizeof unquantized)[0]) warn(t, unquantized);
    srq_trainer_show_bits_at_start(t);
    if (t->learns_bits && !s->dropbits.follow)
        warn(t, "dropbits.follow is false: when bit-lengths fall, step sizes change only by their gradients, which may "
                "be too slow");
    if (t->point.step > 0 && !srq_trainer_is_over(t))
        srq_progress_line(t->progress, "resuming from step %ld", t->point.step);
}

/* Which checkpoint the test error is of, and why training ended. */
static void say_tested(const srq_trainer *t, const char *dir, bool was_done)
{
    const srq_progress_point *p = &t->tested;
    srq_progress_line(t->progress,
                      "%s: test error %.2f %% of the checkpoint with the lowest validation error (best.h5: step %ld, "
                      "validation error %.2f %%) after %ld steps; run directory %s",
                      was_done ? "finished before, nothing to do" : "done", 100 * p->test_error, p->step,
                      100 * p->best.error, t->point.step, dir);
}

static void say_end(const srq_trainer *t, const char *dir, srq_status status, bool was_done)
{
    if (status == SRQ_STOPPED) {
        srq_progress_line(t->progress, "stopped after step %ld of %ld (%s), saved; resume with `--resume auto`",
                          t->point.step, t->point.total_steps, t->stop_reason);
        return;
    }
    if (srq_trainer_validates(t))
        say_tested(t, dir, was_done);
    else
        srq_progress_line(t->progress, "%s: test error %.2f %% after %ld step%s; run directory %s",
                          was_done ? "finished before, nothing to do" : "done", 100 * t->point.test_error,
                          t->point.step, srq_plural(t->point.step), dir);
    if (t->learns_bits)
        srq_progress_line(t->progress, "learned bit-lengths, to be included in another configuration: %s/bits.cfg",
                          dir);
    srq_trainer_show_bits_at_end(t);
}

srq_status srq_train(srq_comm *comm, const srq_config *config, const srq_trainer_options *how, const char *dir,
                     srq_resume resume, const char *file)
{
    char versions[512];
    srq_trainer trainer;
    srq_versions(versions, sizeof versions);
    srq_status status = srq_trainer_create(comm, config, versions, how, &trainer);
    if (status == SRQ_OK) status = srq_trainer_open(&trainer, dir, resume, file);
    if (status == SRQ_OK) {
        const bool was_done = srq_trainer_was_done(&trainer);
        say_start(&trainer, dir);
        status = srq_trainer_run(
            &trainer); /* also if the run was finished before, so that its log ends with a `stop` line */
        if (status == SRQ_OK || status == SRQ_STOPPED) say_end(&trainer, dir, status, was_done);
    }
    srq_trainer_destroy(&trainer);
    return status;
}

srq_status srq_command_train(srq_comm *comm, int argc, char **argv)
{
    train_options options = {0};
    srq_config *config = NULL;
    srq_status status = read_config(comm, argc, argv, &options, &config);
    if (status == SRQ_OK)
        status = srq_train(comm, config, &options.trainer, options.out, options.resume, options.resume_file);
    srq_config_destroy(&config);
    free(options.sets);
    return status;
}
