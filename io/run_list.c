#include "io/run_list.h"

#include "io/file.h"
#include "io/run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4352, DEPTH_MAX = 8, FOLDERS_MAX = 100000 };

static bool holds(const char *folder, const char *name)
{
    char path[PATH_SIZE];
    struct stat info;
    return snprintf(path, sizeof path, "%s/%s", folder, name) < PATH_SIZE && stat(path, &info) == 0 &&
           S_ISREG(info.st_mode);
}

static bool same_folder(const char *a, const char *b)
{
    struct stat one, other;
    return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

static srq_status add_run(srq_run_list *list, const char *folder)
{
    for (int i = 0; i < list->count; i++)
        if (same_folder(list->paths[i], folder)) return SRQ_OK;
    char **larger = realloc(list->paths, (size_t)(list->count + 1) * sizeof *larger);
    if (larger) list->paths = larger;
    char *copy = larger ? strdup(folder) : NULL;
    if (!copy) return srq_fail_memory(strlen(folder), "the list of runs");
    list->paths[list->count++] = copy;
    return SRQ_OK;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static bool is_folder(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static srq_status look(srq_run_list *list, const char *folder, int depth, int *looked);

static srq_status look_below(srq_run_list *list, const char *folder, int depth, int *looked)
{
    struct dirent **entries = NULL;
    const int count = scandir(folder, &entries, visible, versionsort);
    if (count < 0 && depth > 0) return SRQ_OK; /* no permission to read it */
    if (count < 0)
        return srq_fail(SRQ_ERROR_DATA, "%s: %s; name a run directory, or a folder that holds some", folder,
                        strerror(errno));
    srq_status status = SRQ_OK;
    for (int i = 0; i < count; i++) {
        char path[PATH_SIZE];
        const int n = snprintf(path, sizeof path, "%s%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/",
                               entries[i]->d_name);
        if (status == SRQ_OK && n < PATH_SIZE && is_folder(path)) status = look(list, path, depth + 1, looked);
        free(entries[i]);
    }
    free(entries);
    return status;
}

static srq_status look(srq_run_list *list, const char *folder, int depth, int *looked)
{
    if (++*looked > FOLDERS_MAX)
        return srq_fail(SRQ_ERROR_USAGE, "%s: there are more than %d folders to search; name the folders of runs",
                        folder, FOLDERS_MAX);
    if (holds(folder, "config.cfg") && holds(folder, "log.jsonl")) return add_run(list, folder);
    return depth < DEPTH_MAX ? look_below(list, folder, depth, looked) : SRQ_OK;
}

srq_status srq_run_list_add(srq_run_list *list, const char *folder)
{
    int looked = 0;
    char path[PATH_SIZE];
    size_t n = (size_t)snprintf(path, sizeof path, "%s", folder);
    if (n == 0 || n >= sizeof path)
        return srq_fail(SRQ_ERROR_DATA, "\"%.80s\" is not a folder; name a run directory", folder);
    while (n > 1 && path[n - 1] == '/') path[--n] = '\0';
    return look(list, path, 0, &looked);
}

void srq_run_list_free(srq_run_list *list)
{
    for (int i = 0; i < list->count; i++) free(list->paths[i]);
    free(list->paths);
    *list = (srq_run_list){0};
}

/* --- Checkpoints */

static int is_checkpoint(const struct dirent *entry)
{
    return srq_run_step_of(entry->d_name) >= 0;
}

static int by_value(const void *a, const void *b)
{
    const long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

srq_status srq_run_list_steps(const char *run, long **steps, int *count)
{
    char folder[PATH_SIZE];
    struct dirent **entries = NULL;
    snprintf(folder, sizeof folder, "%s/checkpoints", run);
    const int found = scandir(folder, &entries, is_checkpoint, NULL);
    *count = found > 0 ? found : 0;
    *steps = calloc((size_t)*count + 1, sizeof **steps);
    for (int i = 0; i < *count; i++) {
        if (*steps) (*steps)[i] = srq_run_step_of(entries[i]->d_name);
        free(entries[i]);
    }
    if (found >= 0) free(entries);
    if (!*steps) return srq_fail_memory((size_t)found * sizeof **steps, "the list of checkpoints");
    qsort(*steps, (size_t)*count, sizeof **steps, by_value);
    return SRQ_OK;
}

bool srq_run_is_busy(const char *run)
{
    char path[PATH_SIZE];
    srq_lock lock = SRQ_LOCK_NONE;
    snprintf(path, sizeof path, "%s/log.jsonl", run);
    const int file = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) return false;
    if (srq_file_lock(file, path, &lock) != SRQ_OK) lock = SRQ_LOCK_NONE;
    close(file);
    return lock == SRQ_LOCK_HELD;
}
