#include "io/events.h"

#include "io/event_record.h"
#include "io/file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <events.pb-c.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TAG_SIZE = 192, BUCKETS = 64, PATH_SIZE = 4608 };
static const char prefix[] = "events.out.tfevents.";

/* A value of the next event: a scalar, or with buckets a histogram. */
typedef struct entry {
    char tag[TAG_SIZE];
    float scalar;
    int buckets;
    double min, max, num, sum, sum_squares;
    double limits[BUCKETS], counts[BUCKETS];
} entry;

struct srq_events {
    char dir[4096], path[PATH_SIZE]; /* path: "" until the file exists */
    long first;
    int file; /* -1 until then */
    int count, room;
    entry *entries;
};

const char *srq_events_library(void)
{
    return protobuf_c_version();
}

/* --- Names */

/* The number of bytes of the character at `c`, 0 if it is not valid UTF-8. */
static int utf8_length(const unsigned char *c)
{
    const int more = c[0] < 0x80 ? 0 : c[0] >= 0xc2 && c[0] < 0xe0 ? 1 : (c[0] & 0xf0) == 0xe0 ? 2 : 3;
    if (more == 3 && (c[0] < 0xf0 || c[0] > 0xf4)) return 0;
    for (int i = 1; i <= more; i++)
        if ((c[i] & 0xc0) != 0x80) return 0;
    /* Longer forms of short characters, surrogates, and what is above U+10FFFF. */
    if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f)) return 0;
    if ((c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f)) return 0;
    return 1 + more;
}

srq_status srq_events_check(const char *dir)
{
    for (const unsigned char *c = (const unsigned char *)dir; *c;) {
        const int length = utf8_length(c);
        if (length == 0)
            return srq_fail(
                SRQ_ERROR_USAGE,
                "--out %s: the path is not valid UTF-8 at byte %zu, which TensorBoard needs; choose another "
                "folder, or set train.tensorboard=false",
                dir, (size_t)(c - (const unsigned char *)dir) + 1);
        c += length;
    }
    return SRQ_OK;
}

/* The time in the name of the newest event file in the folder, or 0. */
static long newest_time(const char *dir)
{
    long newest = 0;
    DIR *stream = opendir(dir);
    if (!stream) return 0;
    for (struct dirent *item; (item = readdir(stream));) {
        const char *time_text = item->d_name + sizeof prefix - 1;
        if (strncmp(item->d_name, prefix, sizeof prefix - 1) != 0 || strspn(time_text, "0123456789") != 10) continue;
        const long found = strtol(time_text, NULL, 10);
        if (found > newest) newest = found;
    }
    closedir(stream);
    return newest;
}

/* Names are ordered by their times. The clocks of two hosts may differ, so the time can be moved. */
static void make_path(srq_events *e)
{
    char host[65] = "";
    const long now = (long)time(NULL), after = newest_time(e->dir) + 1;
    if (gethostname(host, sizeof host - 1) != 0 || !host[0]) snprintf(host, sizeof host, "host");
    for (char *c = host; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_') *c = '-';
    snprintf(e->path, sizeof e->path, "%s/%s%010ld.%s.%ld", e->dir, prefix, now > after ? now : after, host,
             (long)getpid());
}

/* --- Records */

static double clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static size_t packed(const SrqTb__Event *event)
{
    return SRQ_RECORD_HEAD + srq_tb__event__get_packed_size(event) + SRQ_RECORD_TAIL;
}

static uint8_t *pack(const SrqTb__Event *event, uint8_t *to)
{
    const size_t size = srq_tb__event__pack(event, to + SRQ_RECORD_HEAD);
    srq_record_seal(to, size);
    return to + SRQ_RECORD_HEAD + size + SRQ_RECORD_TAIL;
}

static srq_status append(srq_events *e, const uint8_t *bytes, size_t size)
{
    const off_t before = lseek(e->file, 0, SEEK_END);
    const srq_status status = srq_file_append(e->file, e->path, bytes, size);
    int result = 0;
    if (status != SRQ_OK && before >= 0) do
            result = ftruncate(e->file, before);
        while (result != 0 && errno == EINTR);
    return status;
}

/* Packs and appends a list of events. */
static srq_status append_events(srq_events *e, int count, const SrqTb__Event *events)
{
    size_t size = 0;
    for (int i = 0; i < count; i++) size += packed(&events[i]);
    uint8_t *bytes = malloc(size), *end = bytes;
    if (!bytes) return srq_fail_memory(size, "an event for TensorBoard");
    for (int i = 0; i < count; i++) end = pack(&events[i], end);
    const srq_status status = append(e, bytes, size);
    free(bytes);
    return status;
}

static srq_status open_file(srq_events *e)
{
    char version[] = "brain.Event:2";
    SrqTb__SessionLog start = SRQ_TB__SESSION_LOG__INIT;
    SrqTb__Event head[2] = {SRQ_TB__EVENT__INIT, SRQ_TB__EVENT__INIT};
    start.status = SRQ_TB__SESSION_LOG__SESSION_STATUS__START;
    head[0].wall_time = head[1].wall_time = clock_now();
    head[0].what_case = SRQ_TB__EVENT__WHAT_FILE_VERSION;
    head[0].file_version = version;
    head[1].step = e->first;
    head[1].what_case = SRQ_TB__EVENT__WHAT_SESSION_LOG;
    head[1].session_log = &start;
    make_path(e);
    SRQ_TRY(srq_file_open(e->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND, &e->file));
    const srq_status status = append_events(e, 2, head);
    if (status == SRQ_OK) return SRQ_OK;
    close(e->file);
    e->file = -1;
    (void)unlink(e->path);
    return status;
}

srq_status srq_events_create(const char *dir, long first, srq_events **out)
{
    SRQ_TRY(srq_events_check(dir));
    srq_events *e = calloc(1, sizeof *e);
    if (!e) return srq_fail_memory(sizeof *e, "events for TensorBoard");
    snprintf(e->dir, sizeof e->dir, "%s", dir);
    e->first = first;
    e->file = -1;
    *out = e;
    return SRQ_OK;
}

void srq_events_destroy(srq_events **events)
{
    if (!*events) return;
    if ((*events)->file >= 0) close((*events)->file);
    free((*events)->entries);
    free(*events);
    *events = NULL;
}

/* --- Values */

static srq_status add(srq_events *e, const char *tag, entry **added)
{
    if (e->count == e->room) {
        const int larger = e->room ? 2 * e->room : 64;
        entry *moved = realloc(e->entries, (size_t)larger * sizeof *moved);
        if (!moved) return srq_fail_memory((size_t)larger * sizeof *moved, "values for TensorBoard");
        e->entries = moved;
        e->room = larger;
    }
    *added = &e->entries[e->count++];
    snprintf((*added)->tag, TAG_SIZE, "%s", tag);
    (*added)->buckets = 0;
    return SRQ_OK;
}

srq_status srq_events_add_scalar(srq_events *e, const char *tag, double value)
{
    entry *added = NULL;
    SRQ_TRY(add(e, tag, &added));
    added->scalar = (float)value;
    return SRQ_OK;
}

static void count_values(entry *h, size_t count, const float *values)
{
    const double width = h->max - h->min;
    h->buckets = width > 0 ? BUCKETS : 1;
    for (int b = 0; b < h->buckets; b++) {
        h->limits[b] = h->min + width * (b + 1) / h->buckets;
        h->counts[b] = 0;
    }
    h->limits[h->buckets - 1] = h->max;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) continue;
        const double value = (double)values[i];
        const int bucket = width > 0 ? (int)((value - h->min) / width * BUCKETS) : 0;
        h->counts[bucket < h->buckets ? bucket : h->buckets - 1]++;
        h->num++;
        h->sum += value;
        h->sum_squares += value * value;
    }
}

srq_status srq_events_add_histogram(srq_events *e, const char *tag, size_t count, const float *values)
{
    double min = INFINITY, max = -INFINITY;
    entry *added = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) continue;
        min = fmin(min, (double)values[i]);
        max = fmax(max, (double)values[i]);
    }
    if (min > max) return SRQ_OK;
    SRQ_TRY(add(e, tag, &added));
    added->min = min;
    added->max = max;
    added->num = added->sum = added->sum_squares = 0;
    count_values(added, count, values);
    return SRQ_OK;
}

/* A Summary message whose parts are all in these arrays [count]. */
typedef struct message {
    SrqTb__Summary__Value *values, **list;
    SrqTb__HistogramProto *histograms;
} message;

static void fill(const srq_events *e, message *m)
{
    for (int i = 0; i < e->count; i++) {
        entry *from = &e->entries[i];
        SrqTb__Summary__Value *value = m->list[i] = &m->values[i];
        SrqTb__HistogramProto *h = &m->histograms[i];
        srq_tb__summary__value__init(value);
        srq_tb__histogram_proto__init(h);
        value->tag = from->tag;
        value->value_case =
            from->buckets ? SRQ_TB__SUMMARY__VALUE__VALUE_HISTO : SRQ_TB__SUMMARY__VALUE__VALUE_SIMPLE_VALUE;
        if (!from->buckets) {
            value->simple_value = from->scalar;
            continue;
        }
        value->histo = h;
        h->min = from->min;
        h->max = from->max;
        h->num = from->num;
        h->sum = from->sum;
        h->sum_squares = from->sum_squares;
        h->n_bucket_limit = h->n_bucket = (size_t)from->buckets;
        h->bucket_limit = from->limits;
        h->bucket = from->counts;
    }
}

static srq_status write_values(srq_events *e, long step)
{
    const size_t count = (size_t)e->count;
    message m = {calloc(count, sizeof *m.values), calloc(count, sizeof *m.list), calloc(count, sizeof *m.histograms)};
    srq_status status = m.values && m.list && m.histograms
                            ? SRQ_OK
                            : srq_fail_memory(count * sizeof *m.histograms, "an event for TensorBoard");
    if (status == SRQ_OK && e->file < 0) status = open_file(e);
    if (status == SRQ_OK) {
        SrqTb__Summary summary = SRQ_TB__SUMMARY__INIT;
        SrqTb__Event event = SRQ_TB__EVENT__INIT;
        fill(e, &m);
        summary.n_value = count;
        summary.value = m.list;
        event.wall_time = clock_now();
        event.step = step;
        event.what_case = SRQ_TB__EVENT__WHAT_SUMMARY;
        event.summary = &summary;
        status = append_events(e, 1, &event);
    }
    free(m.values);
    free(m.list);
    free(m.histograms);
    return status;
}

srq_status srq_events_write(srq_events *e, long step)
{
    const srq_status status = e->count ? write_values(e, step) : SRQ_OK;
    e->count = 0;
    return status;
}
