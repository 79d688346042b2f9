/* srq data: imports and describes data sets. */
#include "experiments/srq/commands.h"
#include "experiments/srq/options.h"
#include "io/closest.h"
#include "io/dataset.h"
#include "io/escape.h"
#include "io/import.h"
#include "io/import_folder.h"
#include "io/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct import_options {
    const char *source, *dest;
    bool skip_bad, quiet;
} import_options;

/* What rank 0 has found, shared with all ranks. */
typedef struct finding {
    bool is_folder, done_already;
    size_t text_size;
} finding;

/* --- Image folders, over all ranks */

typedef struct watch {
    srq_progress *progress; /* rank 0 only */
    double total;           /* images */
    double before, reused;  /* in finished rounds: images, and images of parts that existed already */
    int sharing;            /* number of ranks with a part in this round */
    double started;
} watch;

/* During a round, progress is estimated from the images of rank 0. */
static void show(void *context, const srq_import_counts *counts)
{
    watch *w = context;
    const double made = w->before - w->reused + counts->images * w->sharing, left = w->total - made - w->reused;
    const double rate = made / (srq_seconds() - w->started + 1e-9);
    char images[32], all[32], speed[32], time_left[32];
    srq_progress_update(w->progress, "%s of %s images  %s images/s  %s left",
                        srq_grouped((long)(made + w->reused), images, sizeof images),
                        srq_grouped((long)w->total, all, sizeof all), srq_grouped((long)rate, speed, sizeof speed),
                        srq_duration(rate > 0 && left > 0 ? left / rate : 0, time_left, sizeof time_left));
}

/* In a round, every rank makes one part. The ranks share the counts before the next round. */
static srq_status make_parts(srq_comm *comm, const srq_import *import, watch *w)
{
    const size_t ranks = (size_t)srq_comm_size(comm), rank = (size_t)srq_comm_rank(comm);
    for (size_t first = 0; first < import->parts; first += ranks) {
        srq_import_counts counts = {0};
        srq_status status = SRQ_OK;
        w->sharing = (int)(import->parts - first < ranks ? import->parts - first : ranks);
        if (first + rank < import->parts)
            status = srq_import_make_part(import, first + rank, &counts, w->progress ? show : NULL, w);
        SRQ_TRY(srq_comm_agree(comm, status));
        double sums[2] = {counts.images, counts.reused};
        srq_comm_sum(comm, sums, 2);
        w->before += sums[0];
        w->reused += sums[1];
    }
    return SRQ_OK;
}

static void say_folder(const srq_import *import, int ranks, srq_progress *progress)
{
    const srq_folder *f = import->folder;
    char train[32], test[32];
    srq_progress_line(progress, "%s: %s training and %s test images in %d classes, on %d rank%s", import->name,
                      srq_grouped((long)f->counts[SRQ_TRAIN], train, sizeof train),
                      srq_grouped((long)f->counts[SRQ_TEST], test, sizeof test), f->classes, ranks,
                      ranks == 1 ? "" : "s");
    if (f->left_out)
        srq_progress_line(progress, "%zu entries that are not .jpg, .jpeg or .png files are ignored", f->left_out);
}

static srq_status import_parts(srq_comm *comm, const srq_import *import, const import_options *o)
{
    const bool root = srq_comm_rank(comm) == 0;
    watch w = {.total = (double)(import->folder->counts[0] + import->folder->counts[1]), .started = srq_seconds()};
    if (root && !o->quiet) w.progress = srq_progress_create(stdout);
    say_folder(import, srq_comm_size(comm), w.progress);
    srq_status status = make_parts(comm, import, &w);
    if (status == SRQ_OK && w.reused > 0)
        srq_progress_line(w.progress, "%.0f of %.0f images were imported before", w.reused, w.total);
    if (status == SRQ_OK)
        status = srq_comm_agree(comm, root ? srq_import_join(import, o->skip_bad, o->quiet ? stderr : stdout) : SRQ_OK);
    srq_progress_destroy(&w.progress);
    return status;
}

/* All ranks use the list of rank 0, because the folder may change. */
static srq_status share_import(srq_comm *comm, const import_options *o, const finding *found, srq_import **import)
{
    const bool root = *import != NULL;
    char *text = root ? (*import)->folder->text : malloc(found->text_size);
    srq_status status = srq_comm_agree(comm, text ? SRQ_OK : srq_fail_memory(found->text_size, "the list of images"));
    if (status == SRQ_OK) {
        srq_comm_share(comm, text, found->text_size);
        if (!root) status = srq_import_from_text(o->source, o->dest, text, found->text_size, import);
        status = srq_comm_agree(comm, status);
    }
    if (!root) free(text);
    return status;
}

/* --- All kinds */

/* Rank 0: imports a small source at once, and only lists a folder of images. */
static srq_status look(const import_options *o, finding *found, srq_import **import)
{
    srq_source_kind kind;
    SRQ_TRY(srq_dest_check_name(o->dest));
    SRQ_TRY(srq_source_find(o->source, &kind));
    found->is_folder = kind == SRQ_SOURCE_FOLDER;
    if (!found->is_folder)
        return srq_dataset_import(o->source, o->dest, o->quiet ? stderr : stdout, &found->done_already);
    SRQ_TRY(srq_import_open(o->source, o->dest, &found->done_already, import));
    found->text_size = (*import)->folder->size;
    return SRQ_OK;
}

static srq_status describe(const import_options *o, bool done_already)
{
    srq_dataset *d = NULL;
    struct stat info;
    char size[32], images[64] = "(encoded)";
    if (done_already) {
        srq_say("%s exists already and holds this data set: nothing to do\n", o->dest);
        return SRQ_OK;
    }
    SRQ_TRY(srq_dataset_load(o->dest, 0, &d));
    if (stat(o->dest, &info) != 0) info.st_size = 0;
    if (d->height) snprintf(images, sizeof images, "of %d x %d x %d", d->height, d->width, d->channels);
    srq_say("wrote %s: %zu training and %zu test images %s in %d classes, %s\n", o->dest, d->splits[SRQ_TRAIN].count,
            d->splits[SRQ_TEST].count, images, d->classes, srq_size((double)info.st_size, size, sizeof size));
    srq_say("show it with `srq data info %s`, train on it with `--set data.file=%s`\n", o->dest, o->dest);
    srq_dataset_destroy(&d);
    return SRQ_OK;
}

static srq_status import(srq_comm *comm, const import_options *o)
{
    finding found = {0};
    srq_import *import = NULL;
    const bool root = srq_comm_rank(comm) == 0;
    srq_status status = srq_comm_agree(comm, root ? look(o, &found, &import) : SRQ_OK);
    if (status == SRQ_OK) {
        srq_comm_share(comm, &found, sizeof found);
        if (found.is_folder && !found.done_already) {
            status = share_import(comm, o, &found, &import);
            if (status == SRQ_OK) status = import_parts(comm, import, o);
        }
    }
    srq_import_destroy(&import);
    return status == SRQ_OK && root && !o->quiet ? describe(o, found.done_already) : status;
}

#define USAGE "usage: srq data import SOURCE DEST.h5 [--skip-bad] [--quiet], or srq data info FILE.h5"

static srq_status usage(const char *what, const char *word)
{
    return srq_fail(SRQ_ERROR_USAGE, "data: %s%.200s; " USAGE, what, word);
}

static srq_status unknown_action(const char *word)
{
    static const srq_synonym synonyms[] = {
        {"convert|make|create|prepare|build|download|load|add|write", "import"},
        {"show|inspect|describe|list|print|stat|view|check|summary", "info"},
    };
    static const char *const actions[] = {"import", "info"};
    const char *meant = srq_synonym_find(synonyms, sizeof synonyms / sizeof *synonyms, word);
    if (!meant) meant = srq_near(word, actions, 2);
    if (!meant) return usage("import or info is expected, but this is ", word);
    return srq_fail(SRQ_ERROR_USAGE, "data: import or info is expected, but this is %.200s (did you mean %s?); " USAGE,
                    word, meant);
}

static srq_status parse_import(int argc, char **argv, import_options *o)
{
    char hint[SRQ_HINT_SIZE];
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--skip-bad") == 0)
            o->skip_bad = true;
        else if (strcmp(argv[i], "--quiet") == 0)
            o->quiet = true;
        else if (argv[i][0] == '-')
            return usage("no option is called ", srq_option_hint("data", argv[i], hint, sizeof hint));
        else if (o->dest)
            return usage("a source and a file are expected, but a third name is given: ", argv[i]);
        else
            *(o->source ? &o->dest : &o->source) = argv[i];
    }
    if (!o->source) return usage("no source is named", "");
    return o->dest ? SRQ_OK : usage("no file to make is named; add DEST.h5 behind ", o->source);
}

static srq_status parse_info(int argc, char **argv)
{
    char hint[SRQ_HINT_SIZE];
    for (int i = 2; i < argc; i++)
        if (argv[i][0] == '-')
            return usage("info has no options, but this is one: ", srq_option_hint("data", argv[i], hint, sizeof hint));
    if (argc < 3) return usage("no file is named", "");
    return argc == 3 ? SRQ_OK : usage("one file is expected, but a second one is given: ", argv[3]);
}

srq_status srq_command_data(srq_comm *comm, int argc, char **argv)
{
    import_options options = {0};
    if (argc < 2) return usage("import or info is expected", "");
    if (strcmp(argv[1], "info") == 0) {
        SRQ_TRY(parse_info(argc, argv));
        return srq_comm_rank(comm) == 0 ? srq_dataset_info(argv[2], stdout) : SRQ_OK;
    }
    if (strcmp(argv[1], "import") != 0) return unknown_action(argv[1]);
    SRQ_TRY(parse_import(argc, argv, &options));
    SRQ_TRY(srq_comm_check_launcher(comm));
    return import(comm, &options);
}
