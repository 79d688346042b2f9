#include "io/log.h"

#include "io/escape.h"
#include "io/file.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* A line of an evaluation has about 400 bytes per layer. srq writes no line that is longer than this. */
enum { LINE_MAX_SIZE = 16 << 20 };

/* --- Numbers from JSON */

static double number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* The first impossible number of a line. */
typedef struct fault {
    char text[128];
} fault;

/* A number from `least` to `most`. NaN if it is missing, or null because it was not finite. */
static double figure(const json_t *object, const char *name, double least, double most, fault *f)
{
    const json_t *value = json_object_get(object, name);
    if (!value || json_is_null(value)) return NAN;
    const double n = json_is_number(value) ? json_number_value(value) : NAN;
    if (n >= least && n <= most) return n;
    if (!f->text[0] && json_is_number(value))
        snprintf(f->text, sizeof f->text, "%s is %g, but must be from %g to %g", name, n, least, most);
    else if (!f->text[0])
        snprintf(f->text, sizeof f->text, "%s is not a number", name);
    return NAN;
}

/* Ranges: shares; losses, which float32 limits and which rounding may bring below 0; bit-lengths; and quantities. */
static double share(const json_t *object, const char *name, fault *f)
{
    return figure(object, name, 0, 1, f);
}

static double loss(const json_t *object, const char *name, fault *f)
{
    return figure(object, name, -1e-3, 1e39, f);
}

static double bit_length(const json_t *object, const char *name, fault *f)
{
    return figure(object, name, 0, 32, f);
}

static double quantity(const json_t *object, const char *name, fault *f)
{
    return figure(object, name, 0, 1e30, f);
}

/* An integer from 0 to `most`, or `otherwise`. */
static long integer(const json_t *object, const char *name, long most, long otherwise)
{
    const double value = number(object, name);
    return value >= 0 && value <= (double)most && value == floor(value) ? (long)value : otherwise;
}

static void text(const json_t *object, const char *name, char *out, size_t size)
{
    const char *value = json_string_value(json_object_get(object, name));
    snprintf(out, size, "%s", value ? value : "");
}

/* A digest must be comparable: bytes that were replaced because they were no UTF-8 could be any. */
static void digest(const json_t *object, const char *name, char *out, size_t size)
{
    text(object, name, out, size);
    const char *whole = json_string_value(json_object_get(object, name));
    bool plain = whole && strlen(whole) < size;
    for (const char *c = out; *c; c++) plain = plain && *c > ' ' && *c < 0x7f && *c != '?';
    if (!plain) out[0] = '\0';
}

/* "2026-11-24T14:53:36Z" as seconds since 1970, 0 for anything else. */
static double time_of(const json_t *line)
{
    const char *value = json_string_value(json_object_get(line, "time"));
    struct tm utc = {0};
    if (!value || sscanf(value, "%4d-%2d-%2dT%2d:%2d:%2dZ", &utc.tm_year, &utc.tm_mon, &utc.tm_mday, &utc.tm_hour,
                         &utc.tm_min, &utc.tm_sec) != 6)
        return 0;
    utc.tm_year -= 1900;
    utc.tm_mon--;
    const time_t seconds = timegm(&utc);
    return seconds > 0 ? (double)seconds : 0;
}

/* printf writes infinities and NaN as words that are not valid JSON. Outside of strings, they are replaced by null, in
 * place. */
static bool null_words(char *line, size_t size)
{
    static const char *const words[] = {"-nan", "nan", "-inf", "inf"};
    bool found = false, quoted = false;
    for (size_t i = 0; i < size; i++) {
        if (quoted && line[i] == '\\')
            i++;
        else if (line[i] == '"')
            quoted = !quoted;
        for (int w = 0; !quoted && w < 4; w++) {
            const size_t length = strlen(words[w]);
            /* "null" has four letters, so the space before a word of three letters is used as well. */
            if (i + length > size || memcmp(line + i, words[w], length) != 0) continue;
            const size_t from = length == 4 ? i : i - 1;
            if (length == 3 && (i == 0 || line[i - 1] != ' ')) continue;
            memcpy(line + from, "null", 4);
            found = true;
        }
    }
    return found;
}

json_t *srq_log_parse(char *line, size_t size)
{
    json_t *value = json_loadb(line, size, 0, NULL);
    if (!value && null_words(line, size)) value = json_loadb(line, size, 0, NULL);
    /* Older versions of srq wrote the bytes of paths as they were. */
    if (!value && srq_text_repair(line, size)) value = json_loadb(line, size, 0, NULL);
    if (json_is_object(value)) return value;
    json_decref(value);
    return NULL;
}

/* --- Entries: in the order of steps, limited in number */

static srq_status make_room(void **items, int *room, int count, size_t size, const char *what)
{
    if (count < *room) return SRQ_OK;
    const int larger = *room ? 2 * *room : 64;
    void *moved = realloc(*items, (size_t)larger * size);
    if (!moved) return srq_fail_memory((size_t)larger * size, what);
    *items = moved;
    *room = larger;
    return SRQ_OK;
}

/* Two entries of training become one. */
static void thin_steps(srq_log *log)
{
    int n = 0;
    for (int i = 0; i + 1 < log->step_count; i += 2) {
        const srq_log_step *a = &log->steps[i], *b = &log->steps[i + 1];
        log->steps[n++] = (srq_log_step){.step = b->step,
                                         .epoch = b->epoch,
                                         .loss = (a->loss + b->loss) / 2,
                                         .error = (a->error + b->error) / 2,
                                         .rate = b->rate};
    }
    log->step_count = n;
}

static void thin_evals(srq_log *log)
{
    int n = 0;
    for (int i = 0; i < log->eval_count; i++) {
        if (i % 2)
            log->evals[n++] = log->evals[i];
        else
            free(log->evals[i].bits);
    }
    log->eval_count = n;
}

/* Removes entries after step `last`: these steps were lost or are done again. */
static void forget_steps(srq_log *log, long last)
{
    while (log->step_count > 0 && log->steps[log->step_count - 1].step > last) log->step_count--;
}

static void forget_evals(srq_log *log, long last)
{
    while (log->eval_count > 0 && log->evals[log->eval_count - 1].step > last) free(log->evals[--log->eval_count].bits);
    log->tested = log->tested && log->test.step <= last;
}

/* --- Lines */

static srq_status read_step(srq_log *log, const json_t *line, long step, fault *f)
{
    const srq_log_step entry = {.step = step,
                                .epoch = quantity(line, "epoch", f),
                                .loss = loss(line, "loss", f),
                                .error = share(line, "error", f),
                                .rate = quantity(line, "images_per_second", f)};
    if (f->text[0]) return SRQ_OK;
    forget_steps(log, step - 1);
    if (log->step_count == SRQ_LOG_STEPS_MAX) thin_steps(log);
    SRQ_TRY(make_room((void **)&log->steps, &log->step_room, log->step_count, sizeof *log->steps, "the log's steps"));
    log->steps[log->step_count++] = entry;
    return SRQ_OK;
}

static bool has_weights(const json_t *layer)
{
    return json_is_string(json_object_get(layer, "name")) && integer(layer, "weight_bits", 32, 0) > 0;
}

/* The first evaluation with layers defines the list of layers. */
static srq_status name_layers(srq_log *log, const json_t *layers)
{
    const size_t most = json_array_size(layers) < SRQ_LAYERS_MAX ? json_array_size(layers) : SRQ_LAYERS_MAX;
    if (log->layers || most == 0) return SRQ_OK;
    log->layers = calloc(most, sizeof *log->layers);
    if (!log->layers) return srq_fail_memory(most * sizeof *log->layers, "the log's layers");
    for (size_t i = 0; i < most; i++) {
        const json_t *layer = json_array_get(layers, i);
        if (has_weights(layer)) text(layer, "name", log->layers[log->layer_count++], SRQ_NAME_SIZE);
    }
    return SRQ_OK;
}

/* The index of a layer. It is usually `from`, the one after the previous layer. */
static int find_layer(const srq_log *log, const json_t *layer, int from)
{
    char name[SRQ_NAME_SIZE];
    text(layer, "name", name, sizeof name);
    for (int i = 0; i < log->layer_count; i++)
        if (strcmp(log->layers[(from + i) % log->layer_count], name) == 0) return (from + i) % log->layer_count;
    return -1;
}

static srq_status read_bits(srq_log *log, const json_t *line, unsigned char **bits)
{
    const json_t *layers = json_object_get(line, "layers");
    SRQ_TRY(name_layers(log, layers));
    if (log->layer_count == 0 || json_array_size(layers) == 0) return SRQ_OK;
    *bits = calloc((size_t)log->layer_count, 1);
    if (!*bits) return srq_fail_memory((size_t)log->layer_count, "the log's bit-lengths");
    const size_t most = json_array_size(layers) < SRQ_LAYERS_MAX ? json_array_size(layers) : SRQ_LAYERS_MAX;
    int next = 0;
    for (size_t i = 0; i < most; i++) {
        const json_t *layer = json_array_get(layers, i);
        const int place = has_weights(layer) ? find_layer(log, layer, next) : -1;
        if (place < 0) continue;
        (*bits)[place] = (unsigned char)integer(layer, "weight_bits", 32, 0);
        next = place + 1;
    }
    return SRQ_OK;
}

/* The number of kept weights is present only with masks. */
static double share_kept(const json_t *line)
{
    const double weights = number(line, "weights"), kept = number(line, "kept");
    if (!(weights > 0)) return NAN;
    return isnan(kept) ? 1 : kept >= 0 && kept <= weights ? kept / weights : NAN;
}

static srq_log_eval evaluation_of(const json_t *line, long step, fault *f)
{
    return (srq_log_eval){.step = step,
                          .epoch = quantity(line, "epoch", f),
                          .loss = loss(line, "test_loss", f),
                          .error = share(line, "test_error", f),
                          .validation_loss = loss(line, "validation_loss", f),
                          .validation_error = share(line, "validation_error", f),
                          .mean_bits = bit_length(line, "mean_weight_bits", f),
                          .gated_bits = bit_length(line, "mean_gated_bits", f),
                          .zeros = share(line, "zeros", f),
                          .kept = share_kept(line),
                          .bytes = quantity(line, "bytes", f),
                          .float32_bytes = quantity(line, "float32_bytes", f),
                          .bops = quantity(line, "bops", f),
                          .float32_bops = quantity(line, "float32_bops", f),
                          .w8a8_bops = quantity(line, "w8a8_bops", f)};
}

static void read_test(srq_log *log, const json_t *line, long step, fault *f)
{
    const srq_log_eval test = evaluation_of(line, step, f);
    if (f->text[0]) return;
    log->tested = true;
    log->test = test;
    log->best_step = integer(line, "best_step", (long)1e15, 0);
}

static srq_status read_eval(srq_log *log, const json_t *line, long step, fault *f)
{
    srq_log_eval eval = evaluation_of(line, step, f);
    if (f->text[0]) return SRQ_OK;
    forget_evals(log, step - 1);
    if (log->eval_count == SRQ_LOG_EVALS_MAX) thin_evals(log);
    SRQ_TRY(
        make_room((void **)&log->evals, &log->eval_room, log->eval_count, sizeof *log->evals, "the log's evaluations"));
    SRQ_TRY(read_bits(log, line, &eval.bits));
    log->evals[log->eval_count++] = eval;
    return SRQ_OK;
}

static void read_start(srq_log *log, const json_t *line)
{
    log->before = log->seconds;
    log->session = time_of(line);
    log->starts++;
    log->state = SRQ_LOG_OPEN;
    free(log->reason);
    log->reason = NULL;
    log->status = 0;
    log->last_step = 0;
    log->total_steps = integer(line, "steps", (long)1e15, 0);
    log->steps_per_epoch = integer(line, "steps_per_epoch", (long)1e15, 0);
    log->batch = integer(line, "batch", (long)1e9, 0);
    log->ranks = integer(line, "ranks", (long)1e9, 0);
    text(line, "engine", log->engine, sizeof log->engine);
    digest(line, "data_sha256", log->data_sha256, sizeof log->data_sha256);
}

static srq_status read_stop(srq_log *log, const json_t *line)
{
    const char *reason = json_string_value(json_object_get(line, "reason"));
    log->status = (int)integer(line, "status", 255, SRQ_ERROR_RUN);
    log->state = log->status == SRQ_OK        ? SRQ_LOG_FINISHED
                 : log->status == SRQ_STOPPED ? SRQ_LOG_STOPPED
                                              : SRQ_LOG_FAILED;
    free(log->reason);
    log->reason = strdup(reason ? reason : "");
    return log->reason ? SRQ_OK : srq_fail_memory(1, "the reason of a stop");
}

/* Reads one event. *known is false if it is not valid. */
static srq_status read_event(srq_log *log, const json_t *line, bool *known)
{
    const char *event = json_string_value(json_object_get(line, "event"));
    const long step = integer(line, "step", (long)1e15, -1);
    *known = event != NULL;
    if (!event) return SRQ_OK;
    if (strcmp(event, "start") == 0) {
        read_start(log, line);
        return SRQ_OK;
    }
    if (strcmp(event, "stop") == 0) SRQ_TRY(read_stop(log, line));
    const bool train = strcmp(event, "step") == 0, eval = strcmp(event, "eval") == 0;
    if ((train || eval) && step < 0) {
        *known = false;
        return SRQ_OK;
    }
    if (step >= 0) log->last_step = step;
    if (strcmp(event, "resume") == 0 && step >= 0) {
        forget_steps(log, step);
        forget_evals(log, step);
    }
    fault f = {""};
    srq_status status = SRQ_OK;
    if (train) status = read_step(log, line, step, &f);
    if (strcmp(event, "test") == 0 && step >= 0) read_test(log, line, step, &f);
    if (eval) status = read_eval(log, line, step, &f);
    *known = !f.text[0];
    if (f.text[0] && !log->impossible[0])
        snprintf(log->impossible, sizeof log->impossible, "line %ld: %s", log->lines, f.text);
    return status;
}

static void note_time(srq_log *log, double time)
{
    if (time <= 0) return;
    if (log->first_time <= 0) log->first_time = time;
    log->time = time;
    if (log->session > 0 && time >= log->session) log->seconds = log->before + (time - log->session);
}

static srq_status read_line(srq_log *log, char *line, size_t size)
{
    if (size == 0) return SRQ_OK;
    bool known = false;
    json_t *value = srq_log_parse(line, size);
    srq_status status = value ? read_event(log, value, &known) : SRQ_OK;
    if (known) note_time(log, time_of(value));
    log->bad_lines += !known;
    json_decref(value);
    return status;
}

/* --- The file */

static srq_status cannot_read(const srq_log *log)
{
    return srq_fail(SRQ_ERROR_DATA, "%s: cannot be read: %s", log->path, strerror(errno));
}

/* Reads whole lines, beginning where the last call ended. An incomplete line waits for the next call. `room` is the
 * size of the buffer: LINE_MAX_SIZE, or enough for the rest of the file, which may have grown since. */
static srq_status read_lines(srq_log *log, FILE *file, char *buffer, size_t room)
{
    srq_status status = SRQ_OK;
    bool skipping = false;
    while (status == SRQ_OK && fgets(buffer, (int)room, file)) {
        /* A line may contain zero bytes, so its length is computed from the position in the file and not by strlen. */
        const long long here = ftello(file);
        size_t size = here > log->offset ? (size_t)(here - log->offset) : 0;
        if (size >= room) size = room - 1;
        const bool whole = size > 0 && buffer[size - 1] == '\n';
        if (!whole && (size < room - 1 || room < LINE_MAX_SIZE)) {
            log->half_line = true;
            log->foreign = size > 0 && buffer[0] != '{';
            break;
        }
        log->lines += !skipping;
        if (whole && !skipping) status = read_line(log, buffer, size - 1);
        log->bad_lines += !whole && !skipping;
        skipping = !whole;
        log->offset = here;
    }
    if (status == SRQ_OK && ferror(file)) return cannot_read(log);
    return status;
}

/* If a log has become shorter, it is another log, and is read again. */
static void begin_again(srq_log *log)
{
    char *path = log->path;
    forget_evals(log, -1);
    free(log->steps);
    free(log->evals);
    free(log->layers);
    free(log->reason);
    *log = (srq_log){.path = path};
}

srq_status srq_log_update(srq_log *log, bool *changed)
{
    struct stat info = {0};
    FILE *file = NULL;
    SRQ_TRY(srq_file_open_regular(log->path, &file));
    if (fstat(fileno(file), &info) == 0 && info.st_size < log->offset) begin_again(log);
    const long long before = log->offset;
    const long long left = info.st_size - before + 2; /* one byte more than fits is seen, and a zero */
    const size_t room = left > 1 && left < LINE_MAX_SIZE ? (size_t)left : LINE_MAX_SIZE;
    char *buffer = malloc(room);
    srq_status status = buffer ? SRQ_OK : srq_fail_memory(room, "a line of the log");
    log->half_line = log->foreign = false;
    if (status == SRQ_OK && fseeko(file, log->offset, SEEK_SET) != 0) status = cannot_read(log);
    if (status == SRQ_OK) status = read_lines(log, file, buffer, room);
    if (changed) *changed = log->offset != before;
    free(buffer);
    fclose(file);
    return status;
}

double srq_log_training_error(const srq_log_eval *eval)
{
    return isfinite(eval->validation_error) ? eval->validation_error : eval->error;
}

srq_status srq_log_create(const char *path, srq_log **out)
{
    srq_log *log = calloc(1, sizeof *log);
    if (log) log->path = strdup(path);
    srq_status status = log && log->path ? srq_log_update(log, NULL) : srq_fail_memory(sizeof *log, "the log");
    if (status != SRQ_OK)
        srq_log_destroy(&log);
    else
        *out = log;
    return status;
}

srq_status srq_log_create_of(const char *run, srq_log **log)
{
    char path[4400];
    snprintf(path, sizeof path, "%s/log.jsonl", run);
    return srq_log_create(path, log);
}

void srq_log_destroy(srq_log **log)
{
    if (!*log) return;
    begin_again(*log);
    free((*log)->path);
    free(*log);
    *log = NULL;
}

double srq_log_relative_bops(const srq_log_eval *eval)
{
    return eval->w8a8_bops > 0 && !(eval->w8a8_bops >= eval->float32_bops) ? eval->bops / eval->w8a8_bops : NAN;
}

srq_status srq_log_check(const srq_log *log)
{
    if (log->impossible[0])
        return srq_fail(SRQ_ERROR_DATA, "%s: %s; restore the log from a copy, or train the run again", log->path,
                        log->impossible);
    if (log->state == SRQ_LOG_EMPTY && log->step_count == 0 && log->eval_count == 0 &&
        (log->bad_lines > 0 || log->foreign))
        return srq_fail(
            SRQ_ERROR_DATA,
            "%s: none of its lines is a JSON object with an \"event\"; restore the log of the run from a copy",
            log->path);
    return SRQ_OK;
}
