#include "io/run.h"

#include "io/class_results.h"
#include "io/escape.h"
#include "io/events.h"
#include "io/file.h"
#include "io/h5.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SIZE = 4352 };

/* A checkpoint in the folder, and whether it could be read completely. */
typedef struct judged {
    long step;
    bool whole;
    long best; /* step of the best checkpoint as of this one, or -1 */
} judged;

enum { JUDGED = 16 };

struct srq_run {
    char dir[4096];
    int log;                  /* its file, or -1 */
    pthread_mutex_t log_lock; /* two threads write lines */
    judged known[JUDGED];     /* a ring */
    int known_count;
    srq_events *events; /* for TensorBoard, or NULL */
};

static void path_in(const srq_run *run, const char *name, char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%s/%s", run->dir, name);
}

static srq_status cannot(const char *what, const char *path)
{
    return srq_fail(SRQ_ERROR_RUN,
                    "cannot %s %s: %s; check the permissions and the free space there, or choose another --out", what,
                    path, strerror(errno));
}

static bool exists(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

/* --- Opening */

/* Whether a run may begin here: the folder is empty, or has only files of a job that was killed before it wrote its
 * configuration. */
static bool is_free(const char *dir)
{
    DIR *stream = opendir(dir);
    if (!stream) return true;
    bool free_ = true;
    for (struct dirent *entry; (entry = readdir(stream));) {
        const char *name = entry->d_name;
        char path[PATH_SIZE];
        struct stat info;
        snprintf(path, sizeof path, "%s/%s", dir, name);
        bool empty_log = strcmp(name, "log.jsonl") == 0 && stat(path, &info) == 0 && info.st_size == 0;
        bool ours =
            strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || empty_log || srq_file_is_temporary(name, "config.cfg");
        free_ = free_ && ours;
    }
    closedir(stream);
    return free_;
}

/* Checks what the directory contains: nothing, this run, or something that must not be changed. */
static srq_status check_contents(const srq_run *run, const srq_config *config, srq_resume resume, bool *is_run)
{
    char path[PATH_SIZE], what[512];
    path_in(run, "config.cfg", path);
    *is_run = exists(path);
    if (!*is_run) {
        if (is_free(run->dir)) return SRQ_OK;
        return srq_fail(SRQ_ERROR_USAGE,
                        "--out %s: the folder holds other files and no run of srq; choose a new or an empty one",
                        run->dir);
    }
    if (resume != SRQ_RESUME_AUTO)
        return srq_fail(SRQ_ERROR_USAGE,
                        "--out %s: it holds a run already; resume it with `--resume auto`, or choose another folder",
                        run->dir);
    srq_config *old = NULL;
    SRQ_TRY(srq_config_load(path, 0, NULL, &old));
    /* `srq ticket` compares what it reads itself. */
    bool differs = srq_config_differs(config, old, false, what, sizeof what);
    srq_config_destroy(&old);
    if (!differs) return SRQ_OK;
    return srq_fail(
        SRQ_ERROR_USAGE,
        "--out %s: it holds a run of another configuration (%s); choose another folder, or start from its weights "
        "in a new one with `--resume %s/last.h5`",
        run->dir, what, run->dir);
}

/* Cuts off an incomplete line of a killed job. */
static srq_status repair_log(int file, const char *path)
{
    off_t size = lseek(file, 0, SEEK_END), end = size;
    char byte = '\n';
    while (end > 0 && pread(file, &byte, 1, end - 1) == 1 && byte != '\n') end--;
    return end != size ? srq_file_cut(file, path, end) : SRQ_OK;
}

static srq_status lock_log(const srq_run *run, const char *path, FILE *notes, bool *busy)
{
    srq_lock lock;
    const struct timespec moment = {.tv_nsec = 20 * 1000 * 1000};
    SRQ_TRY(srq_file_lock(run->log, path, &lock));
    /* srq_run_is_busy may hold the lock for a moment. */
    for (int i = 0; lock == SRQ_LOCK_HELD && i < 10; i++) {
        nanosleep(&moment, NULL);
        SRQ_TRY(srq_file_lock(run->log, path, &lock));
    }
    *busy = lock == SRQ_LOCK_HELD;
    if (*busy)
        return srq_fail(SRQ_ERROR_USAGE,
                        "--out %s: another job is running in it; wait until it has ended, or choose another folder",
                        run->dir);
    if (lock == SRQ_LOCK_NONE)
        srq_say_to(
            notes,
            "srq: --out %s: the file system has no locks (%s); make sure that no other job runs in this folder\n",
            run->dir, strerror(errno));
    return SRQ_OK;
}

static srq_status open_log(srq_run *run, FILE *notes, bool *busy)
{
    char path[PATH_SIZE];
    path_in(run, "log.jsonl", path);
    if (exists(path) && !srq_file_is_regular(path))
        return srq_fail(SRQ_ERROR_USAGE, "--out %s: its log.jsonl is not a regular file; choose another folder",
                        run->dir);
    SRQ_TRY(srq_file_open(path, O_RDWR | O_CREAT | O_APPEND, &run->log));
    SRQ_TRY(lock_log(run, path, notes, busy));
    return repair_log(run->log, path);
}

static srq_status write_config(const srq_run *run, const srq_config *config)
{
    char path[PATH_SIZE];
    path_in(run, "config.cfg", path);
    const char *text = srq_config_text(config);
    return srq_file_write_atomic(path, text, strlen(text));
}

/* Whether a file is a temporary file of a run. */
static bool is_temporary(const char *name)
{
    char file[64];
    const size_t digits = name[0] == '.' ? strspn(name + 1, "0123456789") : 0;
    if (digits >= 8 && digits < 32) {
        snprintf(file, sizeof file, "%.*s.h5", (int)digits, name + 1);
        return srq_file_is_temporary(name, file);
    }
    return srq_file_is_temporary(name, "config.cfg") || srq_file_is_temporary(name, "bits.cfg") ||
           srq_file_is_temporary(name, "last.h5") || srq_file_is_temporary(name, "best.h5") ||
           srq_file_is_temporary(name, SRQ_CLASS_RESULTS_FILE);
}

/* Removes temporary files of killed jobs. This job has the lock, so no other job is writing. Files that cannot be
 * removed do no harm. */
static void sweep_temporaries(const char *folder)
{
    DIR *stream = opendir(folder);
    if (!stream) return;
    for (struct dirent *entry; (entry = readdir(stream));) {
        char path[2 * PATH_SIZE];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (is_temporary(entry->d_name)) (void)srq_file_remove(path);
    }
    closedir(stream);
}

static srq_status open_run(srq_run *run, const srq_config *config, srq_resume resume, FILE *notes, bool *busy)
{
    struct stat info;
    bool is_run = false;
    char path[PATH_SIZE];
    if (stat(run->dir, &info) == 0) {
        if (!S_ISDIR(info.st_mode))
            return srq_fail(SRQ_ERROR_USAGE, "--out %s: it is a file; choose a folder", run->dir);
        SRQ_TRY(check_contents(run, config, resume, &is_run));
    }
    SRQ_TRY(srq_folder_create(run->dir));
    SRQ_TRY(open_log(run, notes, busy));
    /* Check again, now that no other job can change it. */
    SRQ_TRY(check_contents(run, config, resume, &is_run));
    if (!is_run) SRQ_TRY(write_config(run, config));
    path_in(run, "checkpoints", path);
    sweep_temporaries(run->dir);
    sweep_temporaries(path);
    SRQ_TRY(srq_folder_create(path));
    return srq_file_sync_folder(path);
}

srq_status srq_run_open(const char *dir, const srq_config *config, srq_resume resume, FILE *notes, bool *busy,
                        srq_run **out)
{
    srq_run *run = calloc(1, sizeof *run);
    if (!run) return srq_fail_memory(sizeof *run, "the run");
    *busy = false;
    run->log = -1;
    pthread_mutex_init(&run->log_lock, NULL);
    snprintf(run->dir, sizeof run->dir, "%s", dir);
    for (size_t n = strlen(run->dir); n > 1 && run->dir[n - 1] == '/'; n--) run->dir[n - 1] = '\0';
    srq_status status = open_run(run, config, resume, notes, busy);
    if (status != SRQ_OK)
        srq_run_close(&run);
    else
        *out = run;
    return status;
}

void srq_run_close(srq_run **run)
{
    if (!*run) return;
    if ((*run)->log >= 0) close((*run)->log);
    srq_events_destroy(&(*run)->events);
    pthread_mutex_destroy(&(*run)->log_lock);
    free(*run);
    *run = NULL;
}

const char *srq_run_folder(const srq_run *run)
{
    return run->dir;
}

/* --- Checkpoints */

long srq_run_step_of(const char *name)
{
    const size_t digits = strspn(name, "0123456789");
    if (digits < 8 || digits > 18 || strcmp(name + digits, ".h5") != 0) return -1;
    return strtol(name, NULL, 10);
}

static int newest_first(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* The steps of all checkpoints, newest first; the caller frees. */
static srq_status list_steps(const srq_run *run, long **steps, int *count)
{
    char folder[PATH_SIZE];
    path_in(run, "checkpoints", folder);
    *count = 0;
    *steps = NULL;
    DIR *stream = opendir(folder);
    if (!stream) return errno == ENOENT ? SRQ_OK : cannot("read", folder);
    srq_status status = SRQ_OK;
    int room = 0;
    for (struct dirent *entry; status == SRQ_OK && (entry = readdir(stream));) {
        long step = srq_run_step_of(entry->d_name);
        if (step < 0) continue;
        if (*count == room) {
            room = room ? 2 * room : 16;
            long *larger = realloc(*steps, (size_t)room * sizeof **steps);
            if (!larger) {
                status = srq_fail_memory((size_t)room * sizeof **steps, "the list of checkpoints");
                break;
            }
            *steps = larger;
        }
        (*steps)[(*count)++] = step;
    }
    closedir(stream);
    if (*count) qsort(*steps, (size_t)*count, sizeof **steps, newest_first);
    return status;
}

static void step_path(const srq_run *run, long step, char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%s/checkpoints/%08ld.h5", run->dir, step);
}

/* `best`: what the checkpoint says, or NULL if it cannot be read. */
static void remember(srq_run *run, long step, const srq_best *best)
{
    const judged found = {.step = step, .whole = best, .best = best && best->found ? best->step : -1};
    for (int i = 0; i < JUDGED; i++)
        if (i < run->known_count && run->known[i].step == step) {
            run->known[i] = found;
            return;
        }
    run->known[run->known_count++ % JUDGED] = found;
}

/* Whether a checkpoint can be read and matches its digest. It is read only once. *best is the step of the best
 * checkpoint as of this one, or -1. */
static bool is_readable(srq_run *run, long step, long *best)
{
    char path[PATH_SIZE];
    srq_progress_point point;
    *best = -1;
    for (int i = 0; i < JUDGED && i < run->known_count; i++) {
        if (run->known[i].step != step) continue;
        *best = run->known[i].best;
        return run->known[i].whole;
    }
    step_path(run, step, path);
    const bool whole = srq_checkpoint_read_point(path, &point) == SRQ_OK;
    remember(run, step, whole ? &point.best : NULL);
    if (whole && point.best.found) *best = point.best.step;
    return whole;
}

/* A run cannot resume from a checkpoint to the result of an uninterrupted one if its best checkpoint is lost. So both
 * must be whole. */
static bool is_whole(srq_run *run, long step, long *best)
{
    long of_best;
    return is_readable(run, step, best) && (*best < 0 || *best == step || is_readable(run, *best, &of_best));
}

/* Starting from the beginning would lose the run silently, so this is an error. */
static srq_status none_usable(const srq_run *run, int count)
{
    return srq_fail(SRQ_ERROR_DATA,
                    "%s: none of its %d checkpoints can be used (%s); restore one from a copy, or start again in "
                    "another folder",
                    run->dir, count, srq_message());
}

/* Whether the best checkpoint as of `point` can be used. */
static srq_status check_best(srq_run *run, const char *path, const srq_progress_point *point)
{
    char best[PATH_SIZE];
    srq_progress_point found;
    if (!point->best.found || point->best.step == point->step) return SRQ_OK;
    step_path(run, point->best.step, best);
    SRQ_TRY(srq_h5_wait(best));
    const srq_status status = srq_checkpoint_read_point(best, &found);
    if (status != SRQ_ERROR_RUN) remember(run, point->best.step, status == SRQ_OK ? &found.best : NULL);
    if (status == SRQ_OK) return SRQ_OK;
    return srq_fail(status,
                    "%s: its best checkpoint cannot be used: %s (restore it from a copy, or begin another run with "
                    "--resume and this checkpoint, in which the best one is sought anew)",
                    path, srq_message());
}

srq_status srq_run_restore(srq_run *run, srq_graph *graph, srq_optimizer *optimizer, srq_progress_point *point,
                           srq_bits_history *history, bool *found, FILE *notes)
{
    long *steps = NULL;
    int count = 0;
    *found = false;
    srq_status status = list_steps(run, &steps, &count);
    for (int i = 0; status == SRQ_OK && i < count && !*found; i++) {
        char path[PATH_SIZE];
        step_path(run, steps[i], path);
        /* In use is not damaged: an older checkpoint would silently lose steps. */
        status = srq_h5_wait(path);
        if (status != SRQ_OK) break;
        srq_status read = srq_checkpoint_read(path, graph, optimizer, point, history);
        remember(run, steps[i], read == SRQ_OK ? &point->best : NULL);
        if (read == SRQ_OK) read = check_best(run, path, point);
        *found = read == SRQ_OK;
        if (read == SRQ_ERROR_RUN) status = read; /* this host's fault, and not the file's */
        if (read == SRQ_ERROR_DATA)
            srq_say_to(notes, "srq: skipping a checkpoint that cannot be used: %s\n", srq_message());
    }
    if (status == SRQ_OK && count > 0 && !*found) status = none_usable(run, count);
    free(steps);
    return status;
}

srq_status srq_run_read_newest(const char *dir, srq_graph *graph, srq_optimizer *optimizer, srq_progress_point *point,
                               srq_bits_history *history, FILE *notes)
{
    bool found = false;
    srq_run *run = calloc(1, sizeof *run);
    if (!run) return srq_fail_memory(sizeof *run, "the run");
    snprintf(run->dir, sizeof run->dir, "%s", dir);
    srq_status status = srq_run_restore(run, graph, optimizer, point, history, &found, notes);
    free(run);
    if (status != SRQ_OK || found) return status;
    return srq_fail(SRQ_ERROR_DATA, "%s: the folder holds no checkpoint of a run; name a run directory or a checkpoint",
                    dir);
}

static srq_status link_to(const srq_run *run, const char *name, long step)
{
    char target[64], path[PATH_SIZE];
    snprintf(target, sizeof target, "checkpoints/%08ld.h5", step);
    path_in(run, name, path);
    return srq_file_link_atomic(path, target);
}

/* Removes checkpoints that are older than the `keep` newest, but only after two whole ones: if the newest are damaged,
 * older ones are kept. `written` is whole and is kept, even if there are damaged ones with later steps. So are the best
 * checkpoints as of these, because a resumed run needs them. */
static srq_status remove_old(srq_run *run, int keep, long written)
{
    enum { WHOLE = 2 };
    long *steps = NULL, best[WHOLE + 1], ignored;
    int count = 0, whole = 0;
    srq_status status = list_steps(run, &steps, &count);
    (void)is_readable(run, written, &best[WHOLE]);
    for (int i = 0; status == SRQ_OK && i < count; i++) {
        char path[PATH_SIZE];
        const bool needed = whole == WHOLE && (steps[i] == best[0] || steps[i] == best[1] || steps[i] == best[WHOLE]);
        step_path(run, steps[i], path);
        if (i >= keep && whole == WHOLE && steps[i] != written && !needed)
            status = srq_file_remove(path);
        else if (whole < WHOLE)
            whole += is_whole(run, steps[i], whole < WHOLE ? &best[whole] : &ignored);
    }
    free(steps);
    return status;
}

static srq_status write_bits(const srq_run *run, const srq_snapshot *snapshot)
{
    char path[PATH_SIZE], *text = NULL;
    size_t size;
    srq_status status = srq_snapshot_print_bits(snapshot, &text, &size);
    path_in(run, "bits.cfg", path);
    if (status == SRQ_OK) status = srq_file_write_atomic(path, text, size);
    free(text);
    return status;
}

srq_status srq_run_checkpoint(srq_run *run, const srq_snapshot *snapshot, int keep, bool learns_bits, srq_saved *saved)
{
    const long step = srq_snapshot_step(snapshot);
    char path[PATH_SIZE];
    struct stat info = {0};
    if (learns_bits) SRQ_TRY(write_bits(run, snapshot));
    step_path(run, step, path);
    SRQ_TRY(srq_checkpoint_write(path, snapshot));
    const srq_best *best = srq_snapshot_best(snapshot);
    remember(run, step, best);
    if (best->found) SRQ_TRY(srq_run_link_best(run, best));
    SRQ_TRY(link_to(run, "last.h5", step));
    SRQ_TRY(remove_old(run, keep, step));
    *saved = (srq_saved){.step = step, .bytes = stat(path, &info) == 0 ? (long)info.st_size : 0};
    snprintf(saved->file, sizeof saved->file, "checkpoints/%08ld.h5", step);
    return SRQ_OK;
}

void srq_run_checkpoint_path(const srq_run *run, long step, char *path, size_t size)
{
    char whole[PATH_SIZE];
    step_path(run, step, whole);
    snprintf(path, size, "%s", whole);
}

srq_status srq_run_link_best(srq_run *run, const srq_best *best)
{
    return link_to(run, "best.h5", best->step);
}

srq_status srq_run_checkpoint_again(srq_run *run, const srq_snapshot *snapshot, bool learns_bits)
{
    char path[PATH_SIZE];
    step_path(run, srq_snapshot_step(snapshot), path);
    SRQ_TRY(srq_checkpoint_write(path, snapshot));
    return learns_bits ? write_bits(run, snapshot) : SRQ_OK;
}

static srq_status read_bytes(const char *path, void **bytes, size_t *size)
{
    struct stat info;
    FILE *file = fopen(path, "rbe");
    if (!file || fstat(fileno(file), &info) != 0) {
        if (file) fclose(file);
        return srq_fail(SRQ_ERROR_DATA, "%s: %s; check its permissions", path, strerror(errno));
    }
    *size = (size_t)info.st_size;
    *bytes = malloc(*size + 1);
    srq_status status = *bytes ? SRQ_OK : srq_fail_memory(*size, "a checkpoint");
    if (status == SRQ_OK && fread(*bytes, 1, *size, file) != *size)
        status = srq_fail(SRQ_ERROR_DATA, "%s: it cannot be read to its end; use another copy", path);
    fclose(file);
    return status;
}

srq_status srq_run_copy_best(srq_run *run, const char *file, const srq_best *best)
{
    char path[PATH_SIZE];
    void *bytes = NULL;
    size_t size = 0;
    srq_progress_point point;
    SRQ_TRY(srq_h5_wait(file));
    SRQ_TRY(srq_checkpoint_read_point(file, &point));
    if (point.step != best->step || !point.best.found || point.best.step != best->step)
        return srq_fail(SRQ_ERROR_DATA, "%s: it is not the best checkpoint, that of step %ld", file, best->step);
    step_path(run, best->step, path);
    srq_status status = read_bytes(file, &bytes, &size);
    if (status == SRQ_OK) status = srq_file_write_atomic(path, bytes, size);
    free(bytes);
    if (status == SRQ_OK) remember(run, best->step, best);
    return status == SRQ_OK ? srq_run_link_best(run, best) : status;
}

/* --- Log */

/* Each line is one write. After a kill or with a full disk, only the last line can be incomplete, and repair_log cuts
 * it off. */
static srq_status append_line(srq_run *run, const char *path, const char *line, size_t size)
{
    pthread_mutex_lock(&run->log_lock);
    const off_t before = lseek(run->log, 0, SEEK_END);
    srq_status status = srq_file_append(run->log, path, line, size);
    int result = 0;
    if (status != SRQ_OK && before >= 0) do
            result = ftruncate(run->log, before);
        while (result != 0 && errno == EINTR);
    pthread_mutex_unlock(&run->log_lock);
    return status;
}

srq_status srq_run_record(srq_run *run, long first)
{
    srq_events_destroy(&run->events);
    return srq_events_create(run->dir, first, &run->events);
}

srq_status srq_run_record_graph(srq_run *run, const srq_graph *graph, long step)
{
    return run->events ? srq_events_write_graph(run->events, graph, step) : SRQ_OK;
}

/* Lines that hold numbers of training; other events may come from other threads. */
static bool is_recorded(const char *event)
{
    return strcmp(event, "step") == 0 || strcmp(event, "eval") == 0 || strcmp(event, "test") == 0;
}

srq_status srq_run_log(srq_run *run, const char *event, const char *format, ...)
{
    char *members = NULL, when[32], path[PATH_SIZE];
    va_list args;
    va_start(args, format);
    const int length = vasprintf(&members, format, args);
    va_end(args);
    if (length < 0) return srq_fail_memory(0, "a line of the log");
    time_t now = time(NULL);
    struct tm utc;
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    char *line = NULL;
    const int size =
        asprintf(&line, "{\"event\": \"%s\", \"time\": \"%s\"%s%s}\n", event, when, members[0] ? ", " : "", members);
    free(members);
    if (size < 0) return srq_fail_memory(0, "a line of the log");
    path_in(run, "log.jsonl", path);
    srq_status status = append_line(run, path, line, (size_t)size);
    if (status == SRQ_OK && run->events && is_recorded(event))
        status = srq_events_write_line(run->events, line, (size_t)size);
    free(line);
    return status;
}
