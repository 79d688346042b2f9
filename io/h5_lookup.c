/* What a file holds, from the table that the child sent: no call here reaches HDF5. And requests for data. */
#include "io/h5_internal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { PAYLOAD_MAX_TIMES = 64, PAYLOAD_RESERVE = 64 << 20 };

/* --- Requests */

/* The message about a process that did not answer, with its reason: SRQ_ERROR_DATA, because it is the file's fault, or
 * SRQ_ERROR_RUN if the host killed it. */
static srq_status child_died(srq_h5_reader *reader)
{
    const int status = srq_h5_child_end(&reader->child), number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (number == SIGXCPU)
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: HDF5 needs far more time for it than a whole file of its size does, and was stopped; the "
                        "file is damaged or was made to do harm: use another copy",
                        reader->path);
    if (number == SIGKILL)
        return srq_fail(SRQ_ERROR_RUN,
                        "%s: the process that reads it was killed, probably because the host ran out of memory; start "
                        "fewer ranks on that host",
                        reader->path);
    const char *name = number ? sigabbrev_np(number) : NULL;
    return srq_fail(SRQ_ERROR_DATA,
                    "%s: the HDF5 library crashes while it reads it (%s%s); the file is damaged or was made to do "
                    "harm: use another copy",
                    reader->path, name ? "SIG" : "", name ? name : "it ended early");
}

static srq_status take_payload(srq_h5_reader *reader, const srq_h5_answer *head, char **payload)
{
    if (head->size > PAYLOAD_RESERVE + PAYLOAD_MAX_TIMES * reader->bytes)
        return srq_fail(SRQ_ERROR_DATA, "%s: it holds far more than a file of its size can; use another copy",
                        reader->path);
    *payload = malloc((size_t)head->size + 1);
    if (!*payload) return srq_fail_memory((size_t)head->size, reader->path);
    if (!srq_h5_receive(reader->child.socket, *payload, (size_t)head->size)) {
        free(*payload);
        return child_died(reader);
    }
    (*payload)[head->size] = '\0';
    return SRQ_OK;
}

srq_status srq_h5_ask(srq_h5_reader *reader, const srq_h5_request *request, void *into, char **payload, size_t *size)
{
    srq_h5_answer head = {0};
    char *text = NULL;
    if (reader->child.socket < 0)
        return srq_fail(SRQ_ERROR_DATA, "%s: it cannot be read any more; use another copy", reader->path);
    if (!srq_h5_send(reader->child.socket, request, sizeof *request) ||
        !srq_h5_receive(reader->child.socket, &head, sizeof head))
        return child_died(reader);
    if (head.status == SRQ_OK && into) {
        if (head.size == *size && srq_h5_receive(reader->child.socket, into, *size)) return SRQ_OK;
        return child_died(reader);
    }
    SRQ_TRY(take_payload(reader, &head, &text));
    if (head.status == SRQ_OK) {
        *payload = text;
        *size = (size_t)head.size;
        return SRQ_OK;
    }
    const srq_status status = head.status == SRQ_ERROR_RUN ? SRQ_ERROR_RUN : SRQ_ERROR_DATA;
    srq_fail(status, "%s", text);
    free(text);
    return status;
}

/* --- The table of contents */

/* The part of the table that is not read yet. */
typedef struct cursor {
    const char *at, *end;
} cursor;

static bool take(cursor *c, void *out, size_t size)
{
    if ((size_t)(c->end - c->at) < size) return false;
    memcpy(out, c->at, size);
    c->at += size;
    return true;
}

static bool take_text(cursor *c, const char **text)
{
    const char *zero = memchr(c->at, '\0', (size_t)(c->end - c->at));
    if (!zero) return false;
    *text = c->at;
    c->at = zero + 1;
    return true;
}

static bool take_value(cursor *c, srq_h5_value *v)
{
    *v = (srq_h5_value){0};
    if (!take_text(c, &v->name) || !take(c, &v->kind, 1)) return false;
    switch (v->kind) {
    case 'i':
        return take(c, &v->integer, sizeof v->integer);
    case 'd':
        return take(c, &v->number, sizeof v->number);
    case 't':
        return take_text(c, &v->text);
    default:
        return v->kind == 'x';
    }
}

static bool take_type(cursor *c, srq_h5_object *o)
{
    static const H5T_class_t classes[] = {H5T_INTEGER, H5T_FLOAT, H5T_STRING, H5T_OPAQUE};
    unsigned char kind[2];
    int32_t rank = 0;
    if (!take(c, kind, 2) || kind[0] > 3 || !take(c, &o->type.size, 4) || !take(c, &rank, 4)) return false;
    if (rank < -1 || rank > SRQ_H5_RANK_MAX) return false;
    o->type.type_class = classes[kind[0]];
    o->type.is_signed = kind[1] != 0;
    o->rank = rank;
    for (int i = 0; i < rank; i++) {
        uint64_t side;
        if (!take(c, &side, sizeof side)) return false;
        o->shape[i] = (size_t)side;
    }
    return true;
}

static bool take_object(cursor *c, srq_h5_object *o, uint32_t *values)
{
    *o = (srq_h5_object){.rank = -1};
    if (!take(c, &o->kind, 1) || !take_text(c, &o->path)) return false;
    if (o->kind == 'd' && !take_type(c, o)) return false;
    return take(c, values, sizeof *values);
}

/* Counts (with objects NULL), or fills the tables. */
static bool walk(const srq_h5_reader *reader, srq_h5_object *objects, srq_h5_value *values, size_t *object_count,
                 size_t *value_count)
{
    cursor c = {reader->contents, reader->contents + reader->contents_size};
    *object_count = *value_count = 0;
    while (c.at < c.end) {
        srq_h5_object o;
        uint32_t count;
        if (!take_object(&c, &o, &count)) return false;
        o.first = *value_count;
        o.values = count;
        for (uint32_t i = 0; i < count; i++) {
            srq_h5_value v;
            if (!take_value(&c, &v)) return false;
            if (values) values[*value_count] = v;
            ++*value_count;
        }
        if (objects) objects[*object_count] = o;
        ++*object_count;
    }
    return true;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const srq_h5_object *)a)->path, ((const srq_h5_object *)b)->path);
}

srq_status srq_h5_read_contents(srq_h5_reader *reader)
{
    size_t objects = 0, values = 0;
    if (!walk(reader, NULL, NULL, &objects, &values) || objects == 0)
        return srq_fail(SRQ_ERROR_DATA, "%s: its table of contents is not valid; use another copy", reader->path);
    reader->objects = calloc(objects, sizeof *reader->objects);
    reader->values = calloc(values + 1, sizeof *reader->values);
    if (!reader->objects || !reader->values)
        return srq_fail_memory(objects * sizeof *reader->objects + values * sizeof *reader->values, reader->path);
    walk(reader, reader->objects, reader->values, &reader->object_count, &reader->value_count);
    qsort(reader->objects, reader->object_count, sizeof *reader->objects, by_path);
    return SRQ_OK;
}

void srq_h5_free_contents(srq_h5_reader *reader)
{
    free(reader->contents);
    free(reader->objects);
    free(reader->values);
}

/* --- Objects */

static const srq_h5_object *find(const srq_h5_reader *reader, const char *name)
{
    const srq_h5_object key = {.path = name + (name[0] == '/')};
    return bsearch(&key, reader->objects, reader->object_count, sizeof key, by_path);
}

bool srq_h5_exists(const srq_h5_reader *reader, const char *name)
{
    return find(reader, name) != NULL;
}

bool srq_h5_is_group(const srq_h5_reader *reader, const char *name)
{
    const srq_h5_object *o = find(reader, name);
    return o && o->kind == 'g';
}

char *srq_h5_type(const srq_h5_reader *reader, const char *name, char *out, size_t size)
{
    const srq_h5_object *o = find(reader, name);
    if (o && o->kind == 'd') return srq_h5_type_name(&o->type, out, size);
    snprintf(out, size, "other");
    return out;
}

/* A data set of a class. */
static srq_status find_set(const srq_h5_reader *reader, const char *name, H5T_class_t type_class,
                           const srq_h5_object **set)
{
    *set = find(reader, name);
    if (!*set)
        return srq_fail(SRQ_ERROR_DATA, "%s: data set %s is missing; the file is not what is expected here",
                        reader->path, name);
    if ((*set)->kind != 'd')
        return srq_fail(SRQ_ERROR_DATA, "%s: %s is %s, but a data set is expected", reader->path, name,
                        (*set)->kind == 'g' ? "a group" : "no data set");
    const H5T_class_t found = (*set)->type.type_class;
    if (found != type_class)
        return srq_fail(SRQ_ERROR_DATA, "%s: data set %s holds %s, but %s are expected", reader->path, name,
                        srq_h5_class_name(found), srq_h5_class_name(type_class));
    if ((*set)->rank < 0)
        return srq_fail(SRQ_ERROR_DATA, "%s: data set %s is empty or has more than 8 dimensions; write the file again",
                        reader->path, name);
    return SRQ_OK;
}

srq_status srq_h5_shape(const srq_h5_reader *reader, const char *name, H5T_class_t type_class, int *rank,
                        size_t shape[8])
{
    const srq_h5_object *set;
    SRQ_TRY(find_set(reader, name, type_class, &set));
    *rank = set->rank;
    memcpy(shape, set->shape, sizeof set->shape);
    return SRQ_OK;
}

/* The first object whose path is not before `prefix`. */
static size_t lower_bound(const srq_h5_reader *reader, const char *prefix)
{
    size_t low = 0, high = reader->object_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(reader->objects[middle].path, prefix) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The names of all members; the list has room for them. */
static size_t collect(const srq_h5_reader *reader, const char *group, char **list, bool *whole)
{
    char prefix[SRQ_H5_PATH_SIZE];
    const size_t length = (size_t)snprintf(prefix, sizeof prefix, "%s%s", group, group[0] ? "/" : "");
    size_t count = 0;
    *whole = length < sizeof prefix;
    for (size_t i = lower_bound(reader, prefix); *whole && i < reader->object_count; i++) {
        const char *path = reader->objects[i].path;
        if (strncmp(path, prefix, length) != 0) break;
        if (path[length] == '\0' || strchr(path + length, '/')) continue;
        if (list && !(list[count] = strdup(path + length))) *whole = false;
        count++;
    }
    return count;
}

srq_status srq_h5_members(const srq_h5_reader *reader, const char *name, size_t *count, char ***names)
{
    const char *group = name + (name[0] == '/');
    bool whole;
    if (!srq_h5_is_group(reader, name))
        return srq_fail(SRQ_ERROR_DATA, "%s: group %s is missing; the file is not what is expected here", reader->path,
                        name);
    *count = collect(reader, group, NULL, &whole);
    *names = calloc(*count + 1, sizeof **names);
    if (*names) collect(reader, group, *names, &whole);
    if (*names && whole) return SRQ_OK;
    for (size_t i = 0; *names && i < *count; i++) free((*names)[i]);
    free(*names);
    return srq_fail_memory(*count * sizeof **names, name);
}

/* --- Attributes */

static const srq_h5_value *find_value(const srq_h5_reader *reader, const char *name, const char *attribute)
{
    const srq_h5_object *o = find(reader, name);
    for (size_t i = 0; o && i < o->values; i++)
        if (strcmp(reader->values[o->first + i].name, attribute) == 0) return &reader->values[o->first + i];
    return NULL;
}

static srq_status find_kind(const srq_h5_reader *reader, const char *name, const char *attribute, char kind,
                            const srq_h5_value **value)
{
    *value = find_value(reader, name, attribute);
    if (!*value)
        return srq_fail(SRQ_ERROR_DATA, "%s: attribute %s of %s is missing; the file is not what is expected here",
                        reader->path, attribute, name);
    if ((*value)->kind == kind) return SRQ_OK;
    return srq_fail(SRQ_ERROR_DATA, "%s: attribute %s of %s must be one of %s", reader->path, attribute, name,
                    kind == 'i'   ? "integers"
                    : kind == 'd' ? "floats"
                                  : "strings");
}

bool srq_h5_has_attribute(const srq_h5_reader *reader, const char *name, const char *attribute)
{
    return find_value(reader, name, attribute) != NULL;
}

srq_status srq_h5_read_attribute_text(const srq_h5_reader *reader, const char *name, const char *attribute, char *text,
                                      size_t size)
{
    const srq_h5_value *value;
    SRQ_TRY(find_kind(reader, name, attribute, 't', &value));
    snprintf(text, size, "%s", value->text);
    return SRQ_OK;
}

srq_status srq_h5_read_attribute_int(const srq_h5_reader *reader, const char *name, const char *attribute,
                                     int64_t *number)
{
    const srq_h5_value *value;
    SRQ_TRY(find_kind(reader, name, attribute, 'i', &value));
    *number = value->integer;
    return SRQ_OK;
}

srq_status srq_h5_read_attribute_double(const srq_h5_reader *reader, const char *name, const char *attribute,
                                        double *number)
{
    const srq_h5_value *value;
    SRQ_TRY(find_kind(reader, name, attribute, 'd', &value));
    *number = value->number;
    return SRQ_OK;
}

srq_status srq_h5_print_attribute(const srq_h5_reader *reader, const char *name, const char *attribute, char *out,
                                  size_t size)
{
    const srq_h5_value *value = find_value(reader, name, attribute);
    if (value && value->kind == 't')
        snprintf(out, size, "%s", value->text);
    else if (value && value->kind == 'd')
        snprintf(out, size, "%.17g", value->number);
    else {
        SRQ_TRY(find_kind(reader, name, attribute, 'i', &value));
        snprintf(out, size, "%lld", (long long)value->integer);
    }
    return SRQ_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

srq_status srq_h5_attributes(const srq_h5_reader *reader, const char *name, size_t *count, char ***names)
{
    const srq_h5_object *o = find(reader, name);
    if (!o)
        return srq_fail(SRQ_ERROR_DATA, "%s: %s is missing; the file is not what is expected here", reader->path, name);
    bool whole = true;
    char **list = calloc(o->values + 1, sizeof *list);
    for (size_t i = 0; list && i < o->values; i++)
        if (!(list[i] = strdup(reader->values[o->first + i].name))) whole = false;
    if (list && whole) {
        qsort(list, o->values, sizeof *list, by_name);
        *count = o->values;
        *names = list;
        return SRQ_OK;
    }
    for (size_t i = 0; list && i < o->values; i++) free(list[i]);
    free(list);
    return srq_fail_memory(o->values * sizeof *list, name);
}

/* --- Content */

static srq_status ask_about(const srq_h5_reader *reader, srq_h5_verb verb, const char *name, int rank, void *into,
                            char **payload, size_t *size)
{
    srq_h5_request request = {.verb = verb, .rank = rank};
    snprintf(request.name, sizeof request.name, "%s", name);
    return srq_h5_ask((srq_h5_reader *)reader, &request, into, payload, size);
}

srq_status srq_h5_read(const srq_h5_reader *reader, const char *name, hid_t type, int rank, const size_t *shape,
                       void *data)
{
    const srq_h5_object *set;
    srq_h5_request request = {.verb = SRQ_H5_NUMBERS, .type = srq_h5_type_of(type), .rank = rank};
    size_t bytes = request.type.size;
    SRQ_TRY(find_set(reader, name, request.type.type_class, &set));
    for (int i = 0; i < rank; i++) {
        request.shape[i] = shape[i];
        bytes *= shape[i];
    }
    snprintf(request.name, sizeof request.name, "%s", name);
    return srq_h5_ask((srq_h5_reader *)reader, &request, data, NULL, &bytes);
}

srq_status srq_h5_read_text(const srq_h5_reader *reader, const char *name, char **text)
{
    const srq_h5_object *set;
    size_t size = 0;
    SRQ_TRY(find_set(reader, name, H5T_STRING, &set));
    return ask_about(reader, SRQ_H5_TEXTS, name, 0, NULL, text, &size);
}

/* Cuts a payload of strings into a list of copies. */
static srq_status split(const char *payload, size_t size, const char *name, size_t *count, char ***texts)
{
    size_t strings = 0;
    bool whole = true;
    for (size_t i = 0; i < size; i++) strings += payload[i] == '\0';
    char **list = calloc(strings + 1, sizeof *list);
    const char *at = payload;
    for (size_t i = 0; list && i < strings; i++) {
        whole = (list[i] = strdup(at)) && whole;
        at += strlen(at) + 1;
    }
    if (list && whole) {
        *count = strings;
        *texts = list;
        return SRQ_OK;
    }
    for (size_t i = 0; list && i < strings; i++) free(list[i]);
    free(list);
    return srq_fail_memory(size, name);
}

srq_status srq_h5_read_texts(const srq_h5_reader *reader, const char *name, size_t *count, char ***texts)
{
    const srq_h5_object *set;
    char *payload = NULL;
    size_t size = 0;
    SRQ_TRY(find_set(reader, name, H5T_STRING, &set));
    SRQ_TRY(ask_about(reader, SRQ_H5_TEXTS, name, 1, NULL, &payload, &size));
    const srq_status status = split(payload, size, name, count, texts);
    free(payload);
    return status;
}

srq_status srq_h5_room(const srq_h5_reader *reader, const char *name, int64_t *offset, size_t *total)
{
    const srq_h5_object *set;
    int64_t answer[2];
    size_t size = sizeof answer;
    SRQ_TRY(find_set(reader, name, H5T_INTEGER, &set));
    SRQ_TRY(ask_about(reader, SRQ_H5_ROOM, name, 0, answer, NULL, &size));
    *offset = answer[0];
    *total = (size_t)answer[1];
    return SRQ_OK;
}

srq_status srq_h5_digest(const srq_h5_reader *reader, char text[SRQ_DIGEST_SIZE])
{
    char *found = NULL;
    size_t size = 0;
    SRQ_TRY(ask_about(reader, SRQ_H5_DIGEST_OF, "/", 0, NULL, &found, &size));
    snprintf(text, SRQ_DIGEST_SIZE, "%s", found);
    free(found);
    return SRQ_OK;
}

uint64_t srq_h5_most_bytes(const srq_h5_reader *reader)
{
    return reader->bytes > UINT64_MAX / SRQ_H5_RATIO ? UINT64_MAX : reader->bytes * SRQ_H5_RATIO;
}

const char *srq_h5_reader_path(const srq_h5_reader *reader)
{
    return reader->path;
}
