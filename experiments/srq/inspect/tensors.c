#include "experiments/srq/inspect/tensors.h"

#include "io/closest.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TENSORS_MAX = 100000, DEPTH_MAX = 8, NEAR = 3, MEMBERS_SHOWN = 8 };

/* --- The list */

static size_t count_of(int rank, const size_t *shape, bool *fits)
{
    const size_t most = (size_t)1 << 40;
    size_t count = 1;
    *fits = true;
    for (int i = 0; i < rank; i++) {
        *fits = *fits && (shape[i] == 0 || count <= most / shape[i]);
        count *= shape[i];
    }
    return count;
}

static void describe(const srq_h5_reader *reader, srq_tensor_info *t)
{
    bool fits = false;
    srq_h5_type(reader, t->name, t->type, sizeof t->type);
    const bool floats = strncmp(t->type, "float", 5) == 0;
    if (!floats && !strstr(t->type, "int")) return;
    if (srq_h5_shape(reader, t->name, floats ? H5T_FLOAT : H5T_INTEGER, &t->rank, t->shape) != SRQ_OK) return;
    t->count = count_of(t->rank, t->shape, &fits);
    t->numbers = fits;
}

static srq_status add(srq_tensors *list, const char *name)
{
    if (list->count == TENSORS_MAX)
        return srq_fail(SRQ_ERROR_DATA, "%s: it has more than %d data sets, so it is not a checkpoint",
                        srq_h5_reader_path(list->reader), TENSORS_MAX);
    if (list->count == list->room) {
        const int room = list->room ? 2 * list->room : 64;
        srq_tensor_info *larger = realloc(list->all, (size_t)room * sizeof *larger);
        if (!larger) return srq_fail_memory((size_t)room * sizeof *larger, "the names of tensors");
        list->all = larger;
        list->room = room;
    }
    srq_tensor_info *t = &list->all[list->count];
    *t = (srq_tensor_info){.name = strdup(name)};
    if (!t->name) return srq_fail_memory(strlen(name), "the names of tensors");
    list->count++;
    describe(list->reader, t);
    return SRQ_OK;
}

/* Names are printed. srq's names have no control characters, which could affect a terminal. */
static bool is_plain(const char *name)
{
    for (const char *c = name; *c; c++)
        if (iscntrl((unsigned char)*c)) return false;
    return true;
}

static srq_status list_group(srq_tensors *list, const char *group, int depth);

static srq_status list_member(srq_tensors *list, const char *group, const char *member, int depth)
{
    char name[2 * SRQ_TENSOR_NAME_MAX];
    const bool root = strcmp(group, "/") == 0;
    const int length = snprintf(name, sizeof name, "%s%s%s", root ? "" : group, root ? "" : "/", member);
    if (length >= SRQ_TENSOR_NAME_MAX || depth > DEPTH_MAX || !is_plain(name))
        return srq_fail(
            SRQ_ERROR_DATA,
            "%s: it is not a checkpoint: it has names that are nested too deeply, too long, or not plain text",
            srq_h5_reader_path(list->reader));
    return srq_h5_is_group(list->reader, name) ? list_group(list, name, depth + 1) : add(list, name);
}

static srq_status list_group(srq_tensors *list, const char *group, int depth)
{
    size_t count = 0;
    char **names = NULL;
    SRQ_TRY(srq_h5_members(list->reader, group, &count, &names));
    srq_status status = SRQ_OK;
    for (size_t i = 0; i < count; i++) {
        if (status == SRQ_OK) status = list_member(list, group, names[i], depth);
        free(names[i]);
    }
    free(names);
    return status;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const srq_tensor_info *)a)->name, ((const srq_tensor_info *)b)->name);
}

srq_status srq_tensors_list(const srq_h5_reader *reader, srq_tensors *list)
{
    *list = (srq_tensors){.reader = reader};
    SRQ_TRY(list_group(list, "/", 0));
    if (list->count) qsort(list->all, (size_t)list->count, sizeof *list->all, by_name);
    return SRQ_OK;
}

void srq_tensors_free(srq_tensors *list)
{
    for (int i = 0; i < list->count; i++) free(list->all[i].name);
    free(list->all);
    *list = (srq_tensors){0};
}

/* --- By name */

/* Lists the tensors of the layer or group `name`. False if there is no such group. */
static bool name_members(const srq_tensors *list, const char *name, char *out, size_t size)
{
    int members = 0;
    size_t n = 0;
    size_t length = strlen(name);
    while (length > 0 && name[length - 1] == '/') length--;
    for (int i = 0; i < list->count; i++) {
        const char *full = list->all[i].name;
        const bool below = strncmp(full, name, length) == 0 && full[length] == '/';
        const char *rest = strncmp(full, "layers/", 7) == 0 ? full + 7 : "";
        if (length == 0 || (!below && !(strncmp(rest, name, length) == 0 && rest[length] == '/'))) continue;
        if (members++ < MEMBERS_SHOWN) n += (size_t)snprintf(out + n, size - n, "%s %s", members > 1 ? "," : "", full);
    }
    if (members > MEMBERS_SHOWN) snprintf(out + n, size - n, " and %d more", members - MEMBERS_SHOWN);
    return members > 0;
}

/* The distance between a name and the requested one, with and without the optional "layers/". */
static int distance_to(const srq_tensor_info *t, const char *name)
{
    const int whole = srq_distance(name, t->name);
    if (strncmp(t->name, "layers/", 7) != 0) return whole;
    const int rest = srq_distance(name, t->name + 7);
    return rest < whole ? rest : whole;
}

static void name_nearest(const srq_tensors *list, const char *name, char *out, size_t size)
{
    int nearest[NEAR], found = 0;
    size_t n = 0;
    for (int i = 0; i < list->count; i++) {
        int at = found < NEAR ? found++ : NEAR;
        const int distance = distance_to(&list->all[i], name);
        for (; at > 0 && distance < distance_to(&list->all[nearest[at - 1]], name); at--)
            if (at < NEAR) nearest[at] = nearest[at - 1];
        if (at < NEAR) nearest[at] = i;
    }
    for (int k = 0; k < found; k++)
        n += (size_t)snprintf(out + n, size - n, "%s%s",
                              k == 0          ? ""
                              : k + 1 < found ? ", "
                                              : " or ",
                              list->all[nearest[k]].name);
}

srq_status srq_tensors_find(const srq_tensors *list, const char *name, const srq_tensor_info **found)
{
    char what[MEMBERS_SHOWN * (SRQ_TENSOR_NAME_MAX + 2) + 64] = "";
    const char *path = srq_h5_reader_path(list->reader);
    while (*name == '/') name++;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < list->count; i++) {
            const char *full = list->all[i].name;
            if (pass == 1) full = strncmp(full, "layers/", 7) == 0 ? full + 7 : "/";
            if (strcmp(full, name) != 0) continue;
            *found = &list->all[i];
            return SRQ_OK;
        }
    if (name_members(list, name, what, sizeof what))
        return srq_fail(SRQ_ERROR_USAGE, "%s: \"%.200s\" is a group, not one tensor; it has%s", path, name, what);
    if (list->count == 0) return srq_fail(SRQ_ERROR_USAGE, "%s: it has no tensors at all", path);
    name_nearest(list, name, what, sizeof what);
    return srq_fail(SRQ_ERROR_USAGE,
                    "%s: no tensor is called \"%.200s\"; did you mean %s? `srq inspect %s --tensors` lists all %d",
                    path, name, what, path, list->count);
}

srq_status srq_tensor_read(const srq_tensors *list, const srq_tensor_info *t, double **values)
{
    if (!t->numbers)
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s: %s is not a tensor of numbers, but of type \"%s\"; show it with `h5dump -d /%s`",
                        srq_h5_reader_path(list->reader), t->name, t->type, t->name);
    const bool floats = t->type[0] == 'f';
    double *x = malloc((t->count + 1) * sizeof *x);
    if (!x)
        return srq_fail(SRQ_ERROR_DATA, "%s: %s has %zu numbers, for which this host has no memory; is the file whole?",
                        srq_h5_reader_path(list->reader), t->name, t->count);
    /* Integers are read to the same memory: both types have 8 bytes. */
    srq_status status =
        srq_h5_read(list->reader, t->name, floats ? H5T_NATIVE_DOUBLE : H5T_NATIVE_INT64, t->rank, t->shape, x);
    for (size_t i = 0; status == SRQ_OK && !floats && i < t->count; i++) {
        int64_t integer;
        memcpy(&integer, &x[i], sizeof integer);
        x[i] = (double)integer;
    }
    if (status != SRQ_OK)
        free(x);
    else
        *values = x;
    return status;
}

/* --- As text */

char *srq_shape_print(int rank, const size_t *shape, char out[SRQ_SHAPE_TEXT])
{
    size_t n = 0;
    snprintf(out, SRQ_SHAPE_TEXT, "scalar");
    for (int i = 0; i < rank; i++) n += (size_t)snprintf(out + n, SRQ_SHAPE_TEXT - n, "[%zu]", shape[i]);
    return out;
}

char *srq_place_print(int rank, const size_t *shape, size_t index, char out[SRQ_SHAPE_TEXT])
{
    size_t place[8] = {0};
    for (int i = rank; i-- > 0 && shape[i];) {
        place[i] = index % shape[i];
        index /= shape[i];
    }
    srq_shape_print(rank, place, out);
    if (rank == 0) out[0] = '\0';
    return out;
}

char *srq_json_number(double value, char out[SRQ_JSON_NUMBER])
{
    snprintf(out, SRQ_JSON_NUMBER, isfinite(value) ? "%.17g" : "null", value);
    return out;
}

char *srq_json_float(double value, char out[SRQ_JSON_NUMBER])
{
    snprintf(out, SRQ_JSON_NUMBER, isfinite(value) ? "%.9g" : "null", value);
    return out;
}

void srq_json_shape(int rank, const size_t *shape, FILE *out)
{
    fputc('[', out);
    for (int i = 0; i < rank; i++) fprintf(out, "%s%zu", i ? ", " : "", shape[i]);
    fputc(']', out);
}
