#include "io/run_place.h"

#include "io/path.h"
#include "io/run.h"
#include "io/run_list.h"

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A search for runs looks at so many folders below the given one and at so many entries, because that one may be large:
 * a data set, or the root of a file system. */
enum { PATH_SIZE = 2 * SRQ_PATH_MAX, DEPTH = 3, ENTRIES = 5000 };

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool has(const char *folder, const char *name)
{
    char path[PATH_SIZE + 300];
    struct stat info;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return stat(path, &info) == 0;
}

static bool is_run(const char *folder)
{
    return has(folder, "config.cfg") && has(folder, "log.jsonl");
}

/* --- What a folder holds */

typedef struct contents {
    int runs, checkpoints, names; /* runs in and below it; checkpoints and other entries in it */
    char first_run[PATH_SIZE + 300];
    char last_checkpoint[64]; /* name of the newest */
    char some[200];           /* a few names */
    int looked_at;
} contents;

static void note_name(contents *c, const char *name)
{
    const long step = srq_run_step_of(name);
    if (step >= 0) {
        if (c->checkpoints++ == 0 || step > srq_run_step_of(c->last_checkpoint))
            snprintf(c->last_checkpoint, sizeof c->last_checkpoint, "%.63s", name);
        return;
    }
    const size_t n = strlen(c->some);
    if (c->names++ < 3) snprintf(c->some + n, sizeof c->some - n, "%s%.50s", n ? ", " : "", name);
    /* A name must not control the terminal. */
    for (char *at = c->some + n; *at; at++)
        if (iscntrl((unsigned char)*at)) *at = '?';
}

/* Looks for runs, the first by name. */
static void search(contents *c, const char *folder, int depth)
{
    DIR *stream = opendir(folder);
    if (!stream) return;
    for (struct dirent *entry; c->looked_at < ENTRIES && (entry = readdir(stream));) {
        char path[PATH_SIZE + 300];
        if (entry->d_name[0] == '.') continue;
        c->looked_at++;
        if (depth == 0) note_name(c, entry->d_name);
        snprintf(path, sizeof path, "%s%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/", entry->d_name);
        if (is_run(path)) {
            if (c->runs++ == 0 || strcmp(path, c->first_run) < 0)
                snprintf(c->first_run, sizeof c->first_run, "%s", path);
        } else if (depth + 1 < DEPTH && is_folder(path)) {
            search(c, path, depth + 1);
        }
    }
    closedir(stream);
}

static bool is_data(const char *folder)
{
    return (has(folder, "train") && (has(folder, "test") || has(folder, "val"))) || has(folder, "data_batch_1.bin") ||
           has(folder, "train-images-idx3-ubyte") || has(folder, "train-images-idx3-ubyte.gz");
}

static srq_status describe(const char *folder)
{
    if (is_data(folder))
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: this folder is no run directory, but a data set; `srq data import %s FILE.h5` imports it",
                        folder, folder);
    contents c = {0};
    search(&c, folder, 0);
    if (c.checkpoints)
        return srq_fail(
            SRQ_ERROR_DATA,
            "%s: this folder is no run directory, but holds checkpoints; name one of them, such as %s/%s, or "
            "the run directory that it belongs to",
            folder, folder, c.last_checkpoint);
    if (c.runs)
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: this folder is no run directory, but holds %d run%s; name %s %s, or use `srq report %s`",
                        folder, c.runs, c.runs == 1 ? "" : "s", c.runs == 1 ? "that one:" : "one of them, such as",
                        c.first_run, folder);
    if (!c.names)
        return srq_fail(SRQ_ERROR_DATA, "%s: this folder is empty; name a run directory or a checkpoint", folder);
    return srq_fail(SRQ_ERROR_DATA,
                    "%s: this folder is no run directory: it has no config.cfg and log.jsonl, but %s%s; name a run "
                    "directory or a checkpoint",
                    folder, c.some, c.names > 3 ? " and others" : "");
}

/* --- Runs */

/* A run directory that was copied without its link. */
static srq_status find_newest(const char *folder, char *out, size_t size)
{
    long *steps = NULL;
    int count = 0;
    SRQ_TRY(srq_run_list_steps(folder, &steps, &count));
    if (count) snprintf(out, size, "%s/checkpoints/%08ld.h5", folder, steps[count - 1]);
    free(steps);
    if (count) return SRQ_OK;
    return srq_fail(SRQ_ERROR_DATA,
                    "%s: this run has no checkpoint yet; wait for its first one, or continue the run with `srq train "
                    "... --out %s --resume auto`",
                    folder, folder);
}

srq_status srq_run_place(const char *path, char *out, size_t size)
{
    char folder[PATH_SIZE];
    snprintf(out, size, "%s", path);
    if (!is_folder(path)) return SRQ_OK;
    snprintf(folder, sizeof folder, "%s", path);
    for (size_t n = strlen(folder); n > 1 && folder[n - 1] == '/'; n--) folder[n - 1] = '\0';
    snprintf(out, size, "%s/last.h5", folder);
    if (has(folder, "last.h5")) return SRQ_OK;
    return is_run(folder) ? find_newest(folder, out, size) : describe(folder);
}
