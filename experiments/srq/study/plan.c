#include "experiments/srq/study/plan.h"

#include "core/prune.h"
#include "core/random.h"
#include "experiments/srq/train/trainer.h"
#include "io/h5.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- The list of stages */

static bool learns_bits(const srq_settings *s)
{
    return strcmp(s->dropbits.mode, "learn") == 0;
}

static bool starts_from_file(const srq_settings *s)
{
    return strcmp(s->train.init, "random") != 0;
}

static const char *const names[] = {"learn",    "rewind",    "scratch",         "uniform-below",   "uniform-above",
                                    "shuffled", "fine-tune", "fine-tune-below", "fine-tune-above", "fine-tune-shuffled",
                                    "prune",    "reinit",    "random"};
enum { KINDS = sizeof names / sizeof *names, LEVELS_MAX = 99 };

static void add_stage(srq_stage *stages, int *count, srq_stage_kind kind, int level)
{
    srq_stage *stage = &stages[(*count)++];
    *stage = (srq_stage){.kind = kind, .level = level};
    if (level)
        snprintf(stage->name, sizeof stage->name, "%s-%02d", names[kind], level);
    else
        snprintf(stage->name, sizeof stage->name, "%s", names[kind]);
}

srq_status srq_stage_list(const srq_settings *s, srq_stage **stages, int *count)
{
    *count = 0;
    if (!learns_bits(s) && s->prune.levels == 0)
        return srq_fail(SRQ_ERROR_USAGE, "this configuration neither learns bit-lengths nor prunes weights; set "
                                         "dropbits.mode = \"learn\", prune.levels, or both");
    *stages = calloc(SRQ_STAGE_PRUNE + 3 * (size_t)s->prune.levels, sizeof **stages);
    if (!*stages) return srq_fail_memory(sizeof **stages, "the list of stages");
    add_stage(*stages, count, SRQ_STAGE_LEARN, 0);
    for (int kind = SRQ_STAGE_REWIND; learns_bits(s) && kind < SRQ_STAGE_PRUNE; kind++)
        if (kind <= SRQ_STAGE_TUNE || starts_from_file(s)) add_stage(*stages, count, (srq_stage_kind)kind, 0);
    for (int level = 1; level <= s->prune.levels; level++) {
        add_stage(*stages, count, SRQ_STAGE_PRUNE, level);
        add_stage(*stages, count, SRQ_STAGE_REINIT, level);
        if (s->prune.random) add_stage(*stages, count, SRQ_STAGE_RANDOM, level);
    }
    return SRQ_OK;
}

bool srq_stage_is_called(const srq_stage *stage, const char *word)
{
    if (strcmp(stage->name, word) == 0) return true;
    switch (stage->kind) {
    case SRQ_STAGE_BELOW:
    case SRQ_STAGE_ABOVE:
        return strcmp(word, "uniform") == 0;
    case SRQ_STAGE_TUNE_BELOW:
    case SRQ_STAGE_TUNE_ABOVE:
        return strcmp(word, "fine-tune-uniform") == 0;
    case SRQ_STAGE_PRUNE:
    case SRQ_STAGE_REINIT:
    case SRQ_STAGE_RANDOM:
        return strcmp(word, names[stage->kind]) == 0;
    default:
        return false;
    }
}

const char *srq_stage_twin(const srq_stage *stage, const srq_settings *s, bool *is_first)
{
    /* At step 0, stage learn has the initial weights of the configuration. */
    if (s->prune.rewind.count != 0) return NULL;
    *is_first = (stage->kind == SRQ_STAGE_TUNE) == starts_from_file(s);
    if (stage->kind == SRQ_STAGE_REWIND) return names[SRQ_STAGE_TUNE];
    return stage->kind == SRQ_STAGE_TUNE ? names[SRQ_STAGE_REWIND] : NULL;
}

void srq_stage_masks(const char *dir, const srq_stage *stage, char *path, size_t size)
{
    snprintf(path, size, "%s/masks-%s%02d.h5", dir, stage->kind == SRQ_STAGE_RANDOM ? "random-" : "", stage->level);
}

void srq_stage_before(int level, char *name, size_t size)
{
    if (level > 1)
        snprintf(name, size, "prune-%02d", level - 1);
    else
        snprintf(name, size, "learn");
}

/* --- Runs */

bool srq_stage_parse(const char *name, srq_stage *stage)
{
    for (int kind = 0; kind < KINDS; kind++)
        for (int level = kind < SRQ_STAGE_PRUNE ? 0 : 1; level <= (kind < SRQ_STAGE_PRUNE ? 0 : LEVELS_MAX); level++) {
            int count = 0;
            add_stage(stage, &count, (srq_stage_kind)kind, level);
            if (strcmp(stage->name, name) == 0) return true;
        }
    return false;
}

int srq_stage_place(const srq_stage *stage)
{
    if (stage->kind < SRQ_STAGE_PRUNE) return (int)stage->kind;
    return (SRQ_STAGE_RANDOM - SRQ_STAGE_PRUNE + 1) * stage->level + (int)stage->kind;
}

/* Whether the run has validation images and has evaluated the test images. Then `path` becomes that of best.h5. */
static bool find_best(const char *dir, const srq_settings *s, char *path, size_t size)
{
    char best[4352];
    srq_progress_point point;
    snprintf(best, sizeof best, "%s/best.h5", dir);
    if (s->data.validation == 0 || access(best, F_OK) != 0) return false;
    if (srq_checkpoint_read_point(best, &point) != SRQ_OK || !point.evaluated) return false;
    snprintf(path, size, "%s", best);
    return true;
}

/* Of the last checkpoint, or of the best one where the run has one. */
static srq_status load(const char *dir, srq_h5_reader **reader, srq_found *found)
{
    char path[4352];
    const srq_graph_options options = {.capacity = 1};
    snprintf(path, sizeof path, "%s/last.h5", dir);
    SRQ_TRY(srq_checkpoint_open(path, reader));
    SRQ_TRY(srq_checkpoint_config(*reader, &found->config));
    found->is_best = find_best(dir, srq_config_settings(found->config), path, sizeof path);
    if (found->is_best) {
        srq_h5_reader_close(reader);
        SRQ_TRY(srq_checkpoint_open(path, reader));
    }
    SRQ_TRY(srq_checkpoint_make_graph(*reader, found->config, &options, &found->graph));
    SRQ_TRY(srq_checkpoint_load(*reader, found->graph, NULL, &found->point, NULL));
    return srq_graph_prepare(found->graph);
}

srq_status srq_found_load(const char *dir, srq_found *found)
{
    srq_h5_reader *reader = NULL;
    *found = (srq_found){0};
    const srq_status status = load(dir, &reader, found);
    srq_h5_reader_close(&reader);
    return status;
}

void srq_found_free(srq_found *found)
{
    srq_graph_destroy(&found->graph);
    srq_config_destroy(&found->config);
}

bool srq_found_is_finished(const srq_found *found)
{
    if (srq_config_settings(found->config)->data.validation > 0) return found->is_best;
    return found->point.step == found->point.total_steps && found->point.evaluated;
}

/* --- Learned bit-lengths */

srq_status srq_learned_take(const srq_found *learn, srq_learned *learned)
{
    const int layers = srq_graph_layer_count(learn->graph);
    double weights = 0, sum = 0;
    *learned = (srq_learned){.bits = calloc((size_t)layers, sizeof *learned->bits)};
    if (!learned->bits) return srq_fail_memory((size_t)layers * sizeof *learned->bits, "bit-lengths");
    for (int i = 0; i < layers; i++) {
        const srq_layer *layer = srq_graph_layer(learn->graph, i);
        if (layer->gates < 0 || layer->quantizer.spec.dropbits != SRQ_DROPBITS_LEARN) continue;
        srq_layer_bits *bits = &learned->bits[learned->count++];
        snprintf(bits->name, sizeof bits->name, "%s", layer->spec->name);
        bits->bits = layer->quantizer.bits;
        const double count = (double)srq_graph_parameter(learn->graph, layer->weight)->count;
        weights += count;
        sum += count * bits->bits;
    }
    if (weights > 0) learned->mean = sum / weights;
    return SRQ_OK;
}

void srq_learned_free(srq_learned *learned)
{
    free(learned->bits);
    *learned = (srq_learned){0};
}

bool srq_learned_shuffle(uint64_t seed, int count, const srq_layer_bits *bits, srq_layer_bits *shuffled)
{
    bool varied = false;
    for (int i = 1; i < count; i++) varied = varied || bits[i].bits != bits[0].bits;
    for (uint64_t turn = 0; varied; turn++) {
        bool moved = false;
        memcpy(shuffled, bits, (size_t)count * sizeof *bits);
        for (int i = count - 1; i > 0; i--) { /* Fisher-Yates shuffle */
            uint32_t draw[4];
            srq_random(seed, SRQ_RANDOM_SHUFFLE, turn, (uint64_t)i, draw);
            const int k = (int)((uint64_t)draw[0] * (uint64_t)(i + 1) >> 32), kept = shuffled[i].bits;
            shuffled[i].bits = shuffled[k].bits;
            shuffled[k].bits = kept;
        }
        for (int i = 0; i < count; i++) moved = moved || shuffled[i].bits != bits[i].bits;
        if (moved) return true;
    }
    return false;
}

/* --- Configurations */

enum { SETS_MAX = 8, SET_SIZE = 4400, DRAWS_MAX = 1000000 };

typedef struct set_list {
    int count;
    char text[SETS_MAX][SET_SIZE];
    const char *words[SETS_MAX];
} set_list;

__attribute__((format(printf, 2, 3))) static void add_set(set_list *sets, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(sets->text[sets->count], SET_SIZE, format, args);
    va_end(args);
    sets->words[sets->count] = sets->text[sets->count];
    sets->count++;
}

static bool rewinds(srq_stage_kind kind)
{
    return kind == SRQ_STAGE_REWIND || kind == SRQ_STAGE_PRUNE || kind == SRQ_STAGE_RANDOM;
}

static bool tunes(srq_stage_kind kind)
{
    return kind >= SRQ_STAGE_TUNE && kind <= SRQ_STAGE_TUNE_SHUFFLE;
}

static bool ends_in(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    return strcmp(slash ? slash + 1 : path, name) == 0;
}

bool srq_stage_fits(const srq_stage *stage, const srq_settings *s)
{
    char masks[64];
    if (stage->kind == SRQ_STAGE_LEARN) return learns_bits(s) || s->prune.levels > 0;
    srq_stage_masks("", stage, masks, sizeof masks);
    if (learns_bits(s) || (stage->level > 0 && !ends_in(s->train.masks, masks + 1))) return false;
    if (rewinds(stage->kind)) return ends_in(s->train.init, SRQ_TRAINER_KEPT);
    if (tunes(stage->kind)) return stage->kind == SRQ_STAGE_TUNE || starts_from_file(s);
    return !starts_from_file(s) && s->train.init_draw > 0;
}

static void add_start(const srq_settings *base, const srq_stage *stage, const char *dir, set_list *sets)
{
    if (tunes(stage->kind)) return;
    if (rewinds(stage->kind)) {
        add_set(sets, "train.init=%s/learn/" SRQ_TRAINER_KEPT, dir);
        add_set(sets, "train.init_match=all");
    } else {
        add_set(sets, "train.init=random");
        add_set(sets, "train.init_draw=%d", base->train.init_draw < DRAWS_MAX ? base->train.init_draw + 1 : 1);
    }
    if (stage->level == 0) return;
    char path[4352];
    srq_stage_masks(dir, stage, path, sizeof path);
    add_set(sets, "train.masks=%s", path);
}

/* Sets the bit-lengths of the stage. Returns false, with the reason, if there is nothing to run. */
static bool choose_bits(const srq_stage *stage, long long seed, const srq_learned *learned, srq_layer_bits *bits,
                        char *note, size_t note_size)
{
    const double below = floor(learned->mean), above = ceil(learned->mean);
    const bool lower = stage->kind == SRQ_STAGE_BELOW || stage->kind == SRQ_STAGE_TUNE_BELOW;
    const bool upper = stage->kind == SRQ_STAGE_ABOVE || stage->kind == SRQ_STAGE_TUNE_ABOVE;
    memcpy(bits, learned->bits, (size_t)learned->count * sizeof *bits);
    if (stage->kind == SRQ_STAGE_SHUFFLE || stage->kind == SRQ_STAGE_TUNE_SHUFFLE) {
        snprintf(note, note_size, "all layers have learned the same bit-length, so there is nothing to shuffle");
        return srq_learned_shuffle((uint64_t)seed, learned->count, learned->bits, bits);
    }
    snprintf(note, note_size, "the learned mean is exactly %g bits, so it is the same as %s", learned->mean,
             names[stage->kind == SRQ_STAGE_TUNE_BELOW ? SRQ_STAGE_TUNE_ABOVE : SRQ_STAGE_ABOVE]);
    if (lower && below == above) return false;
    for (int i = 0; i < learned->count; i++) {
        if (lower) bits[i].bits = (int)below;
        if (upper) bits[i].bits = (int)above;
    }
    return true;
}

srq_status srq_stage_config(const srq_config *base, const srq_stage *stage, long long seed, const char *dir,
                            const srq_learned *learned, srq_config **config, char *note, size_t note_size)
{
    set_list *sets = calloc(1, sizeof *sets);
    const bool first = stage->kind == SRQ_STAGE_LEARN;
    srq_layer_bits *bits = calloc(first ? 1 : (size_t)learned->count + 1, sizeof *bits);
    srq_status status = sets && bits ? SRQ_OK : srq_fail_memory(sizeof *sets, "a configuration");
    *config = NULL;
    if (status == SRQ_OK) add_set(sets, "train.seed=%lld", seed);
    if (status == SRQ_OK && !first) {
        if (learns_bits(srq_config_settings(base))) add_set(sets, "dropbits.mode=off");
        add_start(srq_config_settings(base), stage, dir, sets);
    }
    if (status == SRQ_OK && (first || choose_bits(stage, seed, learned, bits, note, note_size)))
        status = srq_config_derive(base, sets->count, sets->words, first ? 0 : learned->count, bits, config);
    free(bits);
    free(sets);
    return status;
}
