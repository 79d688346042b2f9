#include "io/run.h"

#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SIZE = 4352 };

struct srq_run {
    char dir[4096];
    FILE *log;
};

static void path_in(const srq_run *run, const char *name, char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%s/%s", run->dir, name);
}

static srq_status cannot(const char *what, const char *path)
{
    return srq_fail(SRQ_ERROR_RUN,
                    "cannot %s %s: %s; check the rights and the free space there, or choose another --out", what, path,
                    strerror(errno));
}

static bool exists(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

/* --- Opening */

/* Whether a run may begin here: nothing in it but what a job leaves that was killed before its configuration was
 * written. */
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
        bool ours = strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || empty_log ||
                    strncmp(name, ".config.cfg.tmp.", 16) == 0;
        free_ = free_ && ours;
    }
    closedir(stream);
    return free_;
}

/* What is in the directory already: nothing, this run, or something that must be left alone. */
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
                        "--out %s: it holds a run already; continue it with `--resume auto`, or choose another folder",
                        run->dir);
    srq_config *old = NULL;
    SRQ_TRY(srq_config_load(path, 0, NULL, &old));
    bool differs = srq_config_differs(config, old, what, sizeof what);
    srq_config_destroy(&old);
    if (!differs) return SRQ_OK;
    return srq_fail(
        SRQ_ERROR_USAGE,
        "--out %s: it holds a run of another configuration (%s); choose another folder, or start from its weights "
        "in a new one with `--resume %s/last.h5`",
        run->dir, what, run->dir);
}

/* A line that a killed job left half written is cut off. */
static srq_status repair_log(int file, const char *path)
{
    off_t size = lseek(file, 0, SEEK_END), end = size;
    char byte = '\n';
    while (end > 0 && pread(file, &byte, 1, end - 1) == 1 && byte != '\n') end--;
    if (end != size && ftruncate(file, end) != 0) return cannot("repair", path);
    return SRQ_OK;
}

static srq_status open_log(srq_run *run)
{
    char path[PATH_SIZE];
    path_in(run, "log.jsonl", path);
    int file = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file < 0) return cannot("open", path);
    if (flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        close(file);
        return srq_fail(SRQ_ERROR_USAGE,
                        "--out %s: another job is running in it; wait for its end, or choose another folder", run->dir);
    }
    srq_status status = repair_log(file, path);
    if (status == SRQ_OK) {
        run->log = fdopen(file, "a");
        if (!run->log) status = cannot("open", path);
    }
    if (!run->log) close(file);
    return status;
}

static srq_status write_config(const srq_run *run, const srq_config *config)
{
    char path[PATH_SIZE];
    path_in(run, "config.cfg", path);
    const char *text = srq_config_text(config);
    return srq_file_write_atomic(path, text, strlen(text));
}

/* What a killed job left of a checkpoint that it was writing: of nobody else, since the lock is ours. */
static void sweep_temporaries(const srq_run *run)
{
    char folder[PATH_SIZE], path[2 * PATH_SIZE];
    path_in(run, "checkpoints", folder);
    DIR *stream = opendir(folder);
    if (!stream) return;
    for (struct dirent *entry; (entry = readdir(stream));) {
        const char *name = entry->d_name;
        size_t digits = name[0] == '.' ? strspn(name + 1, "0123456789") : 0;
        if (digits < 8 || strncmp(name + 1 + digits, ".h5.tmp.", 8) != 0) continue;
        snprintf(path, sizeof path, "%s/%s", folder, name);
        unlink(path);
    }
    closedir(stream);
}

static srq_status open_run(srq_run *run, const srq_config *config, srq_resume resume)
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
    SRQ_TRY(open_log(run));
    /* Again, now that no other job can change it. */
    SRQ_TRY(check_contents(run, config, resume, &is_run));
    if (!is_run) SRQ_TRY(write_config(run, config));
    sweep_temporaries(run);
    path_in(run, "checkpoints", path);
    return srq_folder_create(path);
}

srq_status srq_run_open(const char *dir, const srq_config *config, srq_resume resume, srq_run **out)
{
    srq_run *run = calloc(1, sizeof *run);
    if (!run) return srq_fail_memory(sizeof *run, "the run");
    snprintf(run->dir, sizeof run->dir, "%s", dir);
    for (size_t n = strlen(run->dir); n > 1 && run->dir[n - 1] == '/'; n--) run->dir[n - 1] = '\0';
    srq_status status = open_run(run, config, resume);
    if (status != SRQ_OK)
        srq_run_close(&run);
    else
        *out = run;
    return status;
}

void srq_run_close(srq_run **run)
{
    if (!*run) return;
    if ((*run)->log) fclose((*run)->log);
    free(*run);
    *run = NULL;
}

const char *srq_run_folder(const srq_run *run)
{
    return run->dir;
}

/* --- Checkpoints */

/* The step of "00001234.h5", or -1 for any other name: nothing else in the folder is ours. */
static long step_of(const char *name)
{
    if (strlen(name) < 11 || strspn(name, "0123456789") != strlen(name) - 3 ||
        strcmp(name + strlen(name) - 3, ".h5") != 0)
        return -1;
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
        long step = step_of(entry->d_name);
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
        if (srq_checkpoint_read(path, graph, optimizer, point, history) == SRQ_OK)
            *found = true;
        else
            fprintf(notes, "srq: passing over a checkpoint that cannot be used: %s\n", srq_message());
    }
    free(steps);
    return status;
}

/* last.h5 is replaced in one step: a reader finds the old link or the new one. */
static srq_status link_last(const srq_run *run, long step)
{
    char target[64], temporary[PATH_SIZE], path[PATH_SIZE];
    snprintf(target, sizeof target, "checkpoints/%08ld.h5", step);
    path_in(run, "last.h5", path);
    path_in(run, ".last.h5.tmp", temporary);
    unlink(temporary);
    if (symlink(target, temporary) != 0 || rename(temporary, path) != 0) return cannot("link", path);
    return SRQ_OK;
}

static srq_status remove_old(const srq_run *run, int keep)
{
    long *steps = NULL;
    int count = 0;
    srq_status status = list_steps(run, &steps, &count);
    for (int i = keep; status == SRQ_OK && i < count; i++) {
        char path[PATH_SIZE];
        step_path(run, steps[i], path);
        if (unlink(path) != 0 && errno != ENOENT) status = cannot("remove", path);
    }
    free(steps);
    return status;
}

srq_status srq_run_checkpoint(srq_run *run, const srq_config *config, const srq_graph *graph, srq_optimizer *optimizer,
                              const srq_progress_point *point, const srq_bits_history *history, const char *versions,
                              int keep)
{
    char path[PATH_SIZE];
    step_path(run, point->step, path);
    SRQ_TRY(srq_checkpoint_write(path, config, graph, optimizer, point, history, versions));
    SRQ_TRY(link_last(run, point->step));
    SRQ_TRY(remove_old(run, keep));
    char quoted[PATH_SIZE];
    return srq_run_log(run, "checkpoint", "\"step\": %ld, \"file\": %s", point->step,
                       srq_json_quote(path + strlen(run->dir) + 1, quoted, sizeof quoted));
}

srq_status srq_run_write_bits(srq_run *run, const srq_graph *graph, long step)
{
    char path[PATH_SIZE], *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out) return srq_fail_memory(0, "the bit-lengths");
    fprintf(out,
            "# Learned bit-lengths after %ld steps. Use them in another configuration:\n"
            "#     quantizer = { method = \"srq\"; ...\n#       @include \"THIS FILE\"\n#     };\n"
            "layers = (",
            step);
    const char *comma = "\n";
    for (int i = 0; i < srq_graph_layer_count(graph); i++) {
        const srq_layer *layer = srq_graph_layer(graph, i);
        if (layer->weight < 0 || !layer->quantizer.method) continue;
        fprintf(out, "%s  { name = \"%s\"; bits = %d; }", comma, layer->spec->name, layer->quantizer.bits);
        comma = ",\n";
    }
    fputs("\n);\n", out);
    srq_status status = fclose(out) == 0 ? SRQ_OK : srq_fail_memory(size, "the bit-lengths");
    path_in(run, "bits.cfg", path);
    if (status == SRQ_OK) status = srq_file_write_atomic(path, text, size);
    free(text);
    return status;
}

/* --- Log */

char *srq_json_quote(const char *text, char *out, size_t size)
{
    size_t n = 0;
    out[n++] = '"';
    for (const unsigned char *c = (const unsigned char *)text; *c && n + 8 < size; c++) {
        if (*c == '"' || *c == '\\') {
            out[n++] = '\\';
            out[n++] = (char)*c;
        } else if (*c < 0x20) {
            n += (size_t)snprintf(out + n, 7, "\\u%04x", *c);
        } else {
            out[n++] = (char)*c;
        }
    }
    out[n++] = '"';
    out[n] = '\0';
    return out;
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
    /* One write for a line: a kill leaves whole lines, or a last one that repair_log cuts off. */
    fprintf(run->log, "{\"event\": \"%s\", \"time\": \"%s\"%s%s}\n", event, when, members[0] ? ", " : "", members);
    free(members);
    if (fflush(run->log) == 0) return SRQ_OK;
    path_in(run, "log.jsonl", path);
    return cannot("write", path);
}
