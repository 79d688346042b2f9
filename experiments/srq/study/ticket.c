/* srq ticket: trains the stages of a quantized lottery ticket and compares them (docs/tickets.md). */
#include "core/prune.h"
#include "experiments/srq/commands.h"
#include "experiments/srq/options.h"
#include "experiments/srq/study/compare.h"
#include "experiments/srq/train/trainer_bits.h"
#include "io/escape.h"
#include "io/file.h"
#include "io/log.h"
#include "io/masks.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 4352, SEEDS_MAX = 1000 };

typedef struct ticket {
    srq_comm *comm;
    /* From the command line: */
    const char *config_path, *dir, *seed_list;
    srq_trainer_options options; /* --threads; --max-time, for all stages together */
    int set_count, word_count;
    const char **sets, **words; /* --set, --stage */
    /* Derived from it: */
    srq_config *base;
    srq_deadline deadline;
    int stage_count, seed_count;
    srq_stage *stages;
    long long *seeds;
    char versions[512];
} ticket;

/* --- The command line */

static srq_status usage(const char *what, const char *word)
{
    return srq_fail(SRQ_ERROR_USAGE,
                    "ticket: %s%s; usage: srq ticket CONFIG --out DIR [--seeds 1,2,...] [--stage NAME]... [--set "
                    "path=value]... [--threads N] [--max-time SPAN] [--quiet]",
                    what, word);
}

static srq_status unknown(const char *word)
{
    char hint[SRQ_HINT_SIZE];
    return usage("no option is called ", srq_option_hint("ticket", word, hint, sizeof hint));
}

static srq_status take_word(ticket *t, const char *word, const char *value, bool *took_value)
{
    *took_value = true;
    if (strcmp(word, "--out") == 0)
        t->dir = value;
    else if (strcmp(word, "--set") == 0)
        t->sets[t->set_count++] = value;
    else if (strcmp(word, "--stage") == 0)
        t->words[t->word_count++] = value;
    else if (strcmp(word, "--seeds") == 0)
        t->seed_list = value;
    else if (strcmp(word, "--max-time") == 0)
        t->options.max_time = value;
    else if (strcmp(word, "--threads") == 0)
        SRQ_TRY(value ? srq_threads_parse("ticket", value, &t->options.threads) : SRQ_OK);
    else
        *took_value = false;
    if (strcmp(word, "--quiet") == 0) {
        t->options.quiet = true;
        return SRQ_OK;
    }
    if (*took_value) return value ? SRQ_OK : usage("a value is missing after ", word);
    if (word[0] == '-') return unknown(word);
    if (t->config_path) return usage("one configuration is expected, but a second one is given: ", word);
    t->config_path = word;
    return SRQ_OK;
}

static srq_status parse(int argc, char **argv, ticket *t)
{
    t->sets = calloc((size_t)argc, sizeof *t->sets);
    t->words = calloc((size_t)argc, sizeof *t->words);
    if (!t->sets || !t->words) return srq_fail_memory((size_t)argc * sizeof *t->sets, "the command line");
    for (int i = 1; i < argc; i++) {
        bool took_value;
        SRQ_TRY(take_word(t, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &took_value));
        i += took_value;
    }
    if (!t->config_path) return usage("no configuration is named", "");
    if (!t->dir) return usage("no folder for the stages is named: add --out", " DIR");
    SRQ_TRY(srq_folder_check("--out", t->dir));
    /* Paths in this folder must fit into a setting. */
    if (strlen(t->dir) > 3000) return usage("the path of --out is longer than 3000 characters", "");
    return SRQ_OK;
}

static bool is_listed(const ticket *t, long long seed)
{
    for (int i = 0; i < t->seed_count; i++)
        if (t->seeds[i] == seed) return true;
    return false;
}

/* "1,2,3"; without a list, train.seed. */
static srq_status read_seeds(ticket *t)
{
    const char *at = t->seed_list;
    t->seeds = calloc(SEEDS_MAX, sizeof *t->seeds);
    if (!t->seeds) return srq_fail_memory(SEEDS_MAX * sizeof *t->seeds, "the seeds");
    if (!at) t->seeds[t->seed_count++] = (long long)srq_config_settings(t->base)->train.seed;
    while (at && *at) {
        char *end;
        const long long seed = strspn(at, "0123456789") <= 18 ? strtoll(at, &end, 10) : -1;
        if (*at < '0' || *at > '9' || seed < 0 || (*end && (*end != ',' || !end[1])))
            return usage("--seeds must be a list of integers, for example 1,2,3, but is ", t->seed_list);
        if (is_listed(t, seed)) return usage("a seed stands twice in --seeds ", t->seed_list);
        if (t->seed_count == SEEDS_MAX) return usage("more than 1000 seeds in --seeds ", t->seed_list);
        t->seeds[t->seed_count++] = seed;
        at = end + (*end == ',');
    }
    return t->seed_count ? SRQ_OK : usage("--seeds is empty", "");
}

static bool is_wanted(const ticket *t, const srq_stage *stage)
{
    for (int i = 0; i < t->word_count; i++)
        if (srq_stage_is_called(stage, t->words[i])) return true;
    return t->word_count == 0;
}

/* Every --stage must name a stage. */
static srq_status check_words(const ticket *t)
{
    for (int i = 0; i < t->word_count; i++) {
        bool known = strcmp(t->words[i], "compare") == 0;
        for (int k = 0; k < t->stage_count; k++) known = known || srq_stage_is_called(&t->stages[k], t->words[i]);
        if (known) continue;
        char names[600] = "";
        for (int k = 0, n = 0; k < t->stage_count && n < 500; k++)
            n += snprintf(names + n, sizeof names - (size_t)n, "%s, ", t->stages[k].name);
        return srq_fail(SRQ_ERROR_USAGE,
                        "ticket: --stage %.64s: this configuration has no such stage; it has %sand \"compare\", which "
                        "only compares finished stages",
                        t->words[i], names);
    }
    return SRQ_OK;
}

/* --- One stage */

static void seed_dir(const ticket *t, int seed, char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%s/seed-%lld", t->dir, t->seeds[seed]);
}

static void stage_dir(const ticket *t, int seed, const char *stage, char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%s/seed-%lld/%s", t->dir, t->seeds[seed], stage);
}

/* Loads a stage that another one needs. The caller frees *found, also after a failure. */
static srq_status need(const ticket *t, int seed, const char *name, const srq_stage *by, srq_found *found)
{
    char dir[PATH_SIZE], path[PATH_SIZE + 16];
    *found = (srq_found){0};
    stage_dir(t, seed, name, dir);
    snprintf(path, sizeof path, "%s/last.h5", dir);
    const bool there = access(path, F_OK) == 0;
    if (there) SRQ_TRY(srq_found_load(dir, found));
    if (there && srq_found_is_finished(found)) return SRQ_OK;
    return srq_fail(SRQ_ERROR_DATA, "stage %s of seed %lld needs stage %s, which %s (%s); first run it with --stage %s",
                    by->name, t->seeds[seed], name, there ? "is not finished" : "was not started", dir, name);
}

/* Reads what the other stages need from stage `learn`. (prune-XX, reinit-XX and random-XX get their masks from the
 * stage before them.) */
static srq_status take_learned(const ticket *t, int seed, const srq_stage *stage, srq_learned *learned)
{
    srq_found learn;
    char path[PATH_SIZE];
    srq_status status = need(t, seed, "learn", stage, &learn);
    if (status == SRQ_OK) status = srq_learned_take(&learn, learned);
    srq_found_free(&learn);
    stage_dir(t, seed, "learn/" SRQ_TRAINER_KEPT, path);
    if (status == SRQ_OK && access(path, F_OK) != 0)
        status = srq_fail(
            SRQ_ERROR_DATA,
            "%s: the weights to rewind to are missing; remove the folder of stage learn and run the stage again", path);
    return status;
}

static srq_status make_masks(const ticket *t, int seed, const srq_stage *stage)
{
    char dir[PATH_SIZE], path[PATH_SIZE + 32], before[32];
    const srq_settings *s = srq_config_settings(t->base);
    srq_found found;
    srq_stage_before(stage->level, before, sizeof before);
    srq_status status = need(t, seed, before, stage, &found);
    seed_dir(t, seed, dir);
    srq_stage_masks(dir, stage, path, sizeof path);
    if (status == SRQ_OK) status = srq_graph_prune(found.graph, s->prune.rate, strcmp(s->prune.scope, "global") == 0);
    if (status == SRQ_OK && stage->kind == SRQ_STAGE_RANDOM)
        status = srq_graph_mask_random(found.graph, (uint64_t)t->seeds[seed]);
    if (status == SRQ_OK) status = srq_masks_save(path, found.graph);
    srq_found_free(&found);
    return status;
}

/* What to do for a stage of a seed. */
typedef enum task { TRAIN, FINISHED, LEFT_OUT } task;

/* A stage may have been killed between its last checkpoint and the last line of its log. It is resumed and ends at
 * once, because according to its log it would never end. */
static bool has_ended_log(const char *dir)
{
    srq_log *log = NULL;
    const bool ended = srq_log_create_of(dir, &log) == SRQ_OK && log->state == SRQ_LOG_FINISHED;
    srq_log_destroy(&log);
    return ended;
}

/* Determines whether the stage is finished, with the settings of this configuration. */
static srq_status look(const char *dir, const srq_config *config, task *what, bool *begun)
{
    char path[PATH_SIZE + 16], difference[512];
    srq_config *old = NULL;
    srq_found found;
    *what = TRAIN;
    snprintf(path, sizeof path, "%s/config.cfg", dir);
    *begun = access(path, F_OK) == 0;
    if (!*begun) return SRQ_OK;
    SRQ_TRY(srq_config_load(path, 0, NULL, &old));
    const bool differs = srq_config_differs(config, old, true, difference, sizeof difference);
    srq_config_destroy(&old);
    if (differs)
        return srq_fail(
            SRQ_ERROR_USAGE,
            "%s: the stage there is one of another configuration (%s); use another --out, or remove this folder", dir,
            difference);
    /* If the checkpoint cannot be read, the trainer deals with it. */
    if (srq_found_load(dir, &found) == SRQ_OK && srq_found_is_finished(&found) && has_ended_log(dir)) *what = FINISHED;
    srq_found_free(&found);
    return SRQ_OK;
}

static bool is_begun(const ticket *t, int seed, const char *stage)
{
    char dir[PATH_SIZE], path[PATH_SIZE + 16];
    stage_dir(t, seed, stage, dir);
    snprintf(path, sizeof path, "%s/config.cfg", dir);
    return access(path, F_OK) == 0;
}

/* The stage that has the run of this one, or NULL. If the folder has neither of two equal stages, the first is trained.
 * A folder of an older version may have the other one. */
static const char *replaced_by(const ticket *t, int seed, const srq_stage *stage)
{
    bool is_first;
    const char *twin = srq_stage_twin(stage, srq_config_settings(t->base), &is_first);
    if (!twin || is_begun(t, seed, stage->name)) return NULL;
    return is_first && !is_begun(t, seed, twin) ? NULL : twin;
}

/* Rank 0: decides what to do. *config is set if the stage is to be trained. */
static srq_status plan(const ticket *t, int seed, const srq_stage *stage, srq_config **config, task *what)
{
    char base[PATH_SIZE], dir[PATH_SIZE], note[256];
    srq_learned learned = {0};
    bool begun = false;
    srq_status status = SRQ_OK;
    const char *twin = replaced_by(t, seed, stage);
    *what = LEFT_OUT;
    if (twin) srq_say("seed %lld, %s: not needed: the same run as %s\n", t->seeds[seed], stage->name, twin);
    if (twin) return SRQ_OK;
    seed_dir(t, seed, base);
    stage_dir(t, seed, stage->name, dir);
    if (stage->kind != SRQ_STAGE_LEARN) status = take_learned(t, seed, stage, &learned);
    if (status == SRQ_OK)
        status = srq_stage_config(t->base, stage, t->seeds[seed], base, &learned, config, note, sizeof note);
    srq_learned_free(&learned);
    SRQ_TRY(status);
    if (*config)
        SRQ_TRY(look(dir, *config, what, &begun));
    else
        srq_say("seed %lld, %s: not needed: %s\n", t->seeds[seed], stage->name, note);
    if (*what == FINISHED) srq_say("seed %lld, %s: finished before (%s)\n", t->seeds[seed], stage->name, dir);
    if (*what == TRAIN && stage->level > 0 && !begun) return make_masks(t, seed, stage);
    return SRQ_OK;
}

/* Makes stage learn keep the weights that other stages rewind to. */
static srq_status set_rewind(srq_trainer *trainer, const char *dir)
{
    char path[PATH_SIZE + 16];
    const srq_span span = trainer->settings->prune.rewind;
    trainer->keep_at = srq_span_steps(span, trainer->batches.steps_per_epoch);
    if (trainer->keep_at >= trainer->point.total_steps)
        return srq_fail(SRQ_ERROR_USAGE,
                        "prune.rewind is step %ld, but training ends after %ld steps; rewind to an earlier step",
                        trainer->keep_at, trainer->point.total_steps);
    snprintf(path, sizeof path, "%s/" SRQ_TRAINER_KEPT, dir);
    if (!trainer->run || trainer->point.step <= trainer->keep_at || access(path, F_OK) == 0) return SRQ_OK;
    return srq_fail(SRQ_ERROR_DATA,
                    "%s: the weights to rewind to are missing, and this run is past step %ld, at which they are "
                    "stored; remove %s to start again",
                    path, trainer->keep_at, dir);
}

static srq_status train(ticket *t, int seed, const srq_stage *stage, const srq_config *config)
{
    char dir[PATH_SIZE];
    srq_trainer trainer;
    stage_dir(t, seed, stage->name, dir);
    srq_status status = srq_trainer_create(t->comm, config, t->versions, &t->options, &trainer);
    trainer.deadline.max_time = t->deadline.max_time;
    if (status == SRQ_OK && stage->kind == SRQ_STAGE_LEARN) status = srq_comm_agree(t->comm, set_rewind(&trainer, dir));
    if (status == SRQ_OK) status = srq_trainer_open(&trainer, dir, SRQ_RESUME_AUTO, NULL);
    if (status == SRQ_OK && stage->kind == SRQ_STAGE_LEARN) status = srq_comm_agree(t->comm, set_rewind(&trainer, dir));
    if (status == SRQ_OK) {
        if (trainer.point.step > 0) srq_progress_line(trainer.progress, "resuming from step %ld", trainer.point.step);
        srq_trainer_show_bits_at_start(&trainer);
        status = srq_trainer_run(&trainer);
    }
    if (status == SRQ_OK) srq_trainer_show_bits_at_end(&trainer);
    if (status == SRQ_STOPPED)
        srq_progress_line(trainer.progress, "stopped after step %ld of %ld (%s), saved; the same command resumes",
                          trainer.point.step, trainer.point.total_steps, trainer.stop_reason);
    srq_trainer_destroy(&trainer);
    return status;
}

/* Collective. */
static srq_status run_stage(ticket *t, int seed, const srq_stage *stage)
{
    srq_config *config = NULL;
    task what = LEFT_OUT;
    srq_status status = SRQ_OK;
    const bool root = srq_comm_rank(t->comm) == 0;
    if (root) status = plan(t, seed, stage, &config, &what);
    status = srq_comm_agree(t->comm, status);
    srq_comm_share(t->comm, &what, sizeof what);
    if (status == SRQ_OK && what == TRAIN) {
        if (root && !t->options.quiet)
            srq_say("seed %lld, %s: %s/seed-%lld/%s\n", t->seeds[seed], stage->name, t->dir, t->seeds[seed],
                    stage->name);
        status = srq_share_config(t->comm, SRQ_OK, &config);
        if (status == SRQ_OK) status = train(t, seed, stage, config);
    }
    if (root) fflush(stdout);
    srq_config_destroy(&config);
    if (status == SRQ_OK || status == SRQ_STOPPED) return status;
    return srq_fail_in(status, "seed %lld, stage %s", t->seeds[seed], stage->name);
}

/* --- The comparison, by rank 0 */

static srq_status add_run(const ticket *t, srq_comparison *c, int stage, int seed)
{
    char dir[PATH_SIZE], path[PATH_SIZE + 16];
    srq_found found;
    stage_dir(t, seed, t->stages[stage].name, dir);
    snprintf(path, sizeof path, "%s/last.h5", dir);
    if (access(path, F_OK) != 0) return SRQ_OK;
    srq_status status = srq_found_load(dir, &found);
    if (status == SRQ_OK && t->stages[stage].kind == SRQ_STAGE_LEARN)
        srq_comparison_take_learn(c, srq_config_settings(found.config));
    if (status == SRQ_OK && srq_found_is_finished(&found)) status = srq_comparison_add(c, stage, seed, dir, &found);
    srq_found_free(&found);
    return status;
}

static srq_status write_json(const ticket *t, const srq_comparison *c)
{
    char path[PATH_SIZE], *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out) return srq_fail_memory(0, "the comparison");
    srq_comparison_print_json(c, out);
    srq_status status = fclose(out) == 0 ? SRQ_OK : srq_fail_memory(size, "the comparison");
    snprintf(path, sizeof path, "%s/ticket.json", t->dir);
    if (status == SRQ_OK) status = srq_file_write_atomic(path, text, size);
    free(text);
    return status;
}

static int by_value(const void *a, const void *b)
{
    const long long x = *(const long long *)a, y = *(const long long *)b;
    return (x > y) - (x < y);
}

/* The 3 of "seed-3", or -1. */
static long long seed_of_folder(const char *name)
{
    const char *digits = strncmp(name, "seed-", 5) == 0 ? name + 5 : "";
    const size_t count = strspn(digits, "0123456789");
    const bool plain = count > 0 && count <= 18 && digits[count] == '\0' && (digits[0] != '0' || count == 1);
    return plain ? strtoll(digits, NULL, 10) : -1;
}

/* Without --seeds, all seeds in the folder are compared: a comparison of some would replace one of all. */
static void compare_seeds_found(ticket *t)
{
    const long long own = t->seeds[0];
    DIR *stream = t->seed_list ? NULL : opendir(t->dir);
    if (!stream) return; /* without the folder, no stage is finished, which is reported */
    t->seed_count = 0;
    for (struct dirent *entry; (entry = readdir(stream)) && t->seed_count < SEEDS_MAX;) {
        const long long seed = seed_of_folder(entry->d_name);
        if (seed >= 0) t->seeds[t->seed_count++] = seed;
    }
    closedir(stream);
    if (t->seed_count == 0) t->seeds[t->seed_count++] = own;
    qsort(t->seeds, (size_t)t->seed_count, sizeof *t->seeds, by_value);
}

static int by_place(const void *a, const void *b)
{
    return srq_stage_place(a) - srq_stage_place(b);
}

static bool has_stage(const ticket *t, const char *name)
{
    for (int i = 0; i < t->stage_count; i++)
        if (strcmp(t->stages[i].name, name) == 0) return true;
    return false;
}

/* The folders of a seed may have stages that this configuration does not have, for example fewer levels of pruning than
 * before. They are compared, too. */
static srq_status add_stages_found(ticket *t, int seed)
{
    char dir[PATH_SIZE];
    srq_stage stage;
    seed_dir(t, seed, dir);
    DIR *stream = opendir(dir);
    srq_status status = SRQ_OK;
    for (struct dirent *entry; stream && status == SRQ_OK && (entry = readdir(stream));) {
        if (!srq_stage_parse(entry->d_name, &stage) || has_stage(t, stage.name)) continue;
        srq_stage *larger = realloc(t->stages, ((size_t)t->stage_count + 1) * sizeof *larger);
        if (larger) t->stages = larger;
        if (larger) t->stages[t->stage_count++] = stage;
        if (!larger) status = srq_fail_memory(((size_t)t->stage_count + 1) * sizeof *larger, "the list of stages");
    }
    if (stream) closedir(stream);
    qsort(t->stages, (size_t)t->stage_count, sizeof *t->stages, by_place);
    return status;
}

static srq_status compare(ticket *t)
{
    srq_comparison c;
    compare_seeds_found(t);
    for (int seed = 0; seed < t->seed_count; seed++) SRQ_TRY(add_stages_found(t, seed));
    SRQ_TRY(srq_comparison_create(t->stage_count, t->stages, t->seed_count, t->seeds, &c));
    srq_comparison_take_learn(&c, srq_config_settings(t->base));
    srq_status status = SRQ_OK;
    int finished = 0;
    for (int i = 0; status == SRQ_OK && i < t->stage_count * t->seed_count; i++)
        status = add_run(t, &c, i / t->seed_count, i % t->seed_count);
    for (int i = 0; i < t->stage_count * t->seed_count; i++) finished += c.outcomes[i].there;
    if (status == SRQ_OK && finished == 0)
        status =
            srq_fail(SRQ_ERROR_DATA, "%s: no stage of these seeds is finished, so there is nothing to compare", t->dir);
    if (status == SRQ_OK) {
        srq_say("\n");
        srq_comparison_print(&c, stdout);
        status = write_json(t, &c);
    }
    srq_comparison_destroy(&c);
    return status;
}

/* --- The command */

static srq_status prepare(srq_comm *comm, int argc, char **argv, ticket *t)
{
    srq_status status = parse(argc, argv, t);
    if (status == SRQ_OK && srq_comm_rank(comm) == 0)
        status = srq_config_load(t->config_path, t->set_count, t->sets, &t->base);
    SRQ_TRY(srq_share_config(comm, status, &t->base));
    SRQ_TRY(srq_deadline_create(t->options.max_time, &t->deadline));
    SRQ_TRY(read_seeds(t));
    SRQ_TRY(srq_stage_list(srq_config_settings(t->base), &t->stages, &t->stage_count));
    return check_words(t);
}

static srq_status run_all(ticket *t)
{
    for (int seed = 0; seed < t->seed_count; seed++)
        for (int i = 0; i < t->stage_count; i++)
            if (is_wanted(t, &t->stages[i])) SRQ_TRY(run_stage(t, seed, &t->stages[i]));
    return srq_comm_agree(t->comm, srq_comm_rank(t->comm) == 0 ? compare(t) : SRQ_OK);
}

srq_status srq_command_ticket(srq_comm *comm, int argc, char **argv)
{
    ticket t = {.comm = comm};
    srq_versions(t.versions, sizeof t.versions);
    srq_status status = srq_comm_agree(comm, prepare(comm, argc, argv, &t));
    if (status == SRQ_OK) status = run_all(&t);
    srq_config_destroy(&t.base);
    free(t.stages);
    free(t.seeds);
    free(t.sets);
    free(t.words);
    return status;
}
