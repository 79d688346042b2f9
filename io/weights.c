#include "io/weights.h"

#include "io/checkpoint.h"
#include "io/escape.h"
#include "io/h5.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_MAX_LENGTH = 400, TENSORS_MAX = 100000, DEPTH_MAX = 8, SHAPE_SIZE = 200, SHOWN = 3 };

/* A tensor of the file. */
typedef struct tensor {
    char *path; /* "/layers/conv1/weight" */
    char *name; /* "conv1.weight" */
    bool floats, used;
    int rank;
    size_t shape[8];
} tensor;

/* A parameter of the network, and the tensor that was found for it. */
typedef struct match {
    const srq_parameter *parameter;
    tensor *found; /* NULL: missing */
    bool fits;
} match;

typedef struct matching {
    const srq_h5_reader *reader;
    size_t root;        /* length of the path before the names */
    bool is_checkpoint; /* a file of srq: it has tensors that are not used */
    tensor *tensors;
    int tensor_count, tensor_room;
    match *matches;
    int match_count, fitting;
} matching;

/* --- The tensors of the file */

static const char *last_part(const char *name)
{
    const char *point = strrchr(name, '.');
    return point ? point + 1 : name;
}

/* Step sizes and gates are initialized again; the number of batches is not used. */
static bool is_of_interest(const matching *m, const char *name)
{
    static const char *const kept[] = {"weight", "bias", "scale", "shift", "running_mean", "running_variance"};
    if (!m->is_checkpoint) return strcmp(last_part(name), "num_batches_tracked") != 0;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (strcmp(last_part(name), kept[i]) == 0) return true;
    return false;
}

static srq_status add_tensor(matching *m, const char *path)
{
    if (m->tensor_count == TENSORS_MAX)
        return srq_fail(SRQ_ERROR_DATA, "%s: more than %d tensors; name another file", srq_h5_reader_path(m->reader),
                        TENSORS_MAX);
    if (m->tensor_count == m->tensor_room) {
        const int room = m->tensor_room ? 2 * m->tensor_room : 64;
        tensor *larger = realloc(m->tensors, (size_t)room * sizeof *larger);
        if (!larger) return srq_fail_memory((size_t)room * sizeof *larger, "the names of tensors");
        m->tensors = larger;
        m->tensor_room = room;
    }
    tensor *t = &m->tensors[m->tensor_count];
    *t = (tensor){.path = strdup(path), .name = strdup(path + m->root)};
    if (!t->path || !t->name) {
        free(t->path);
        free(t->name);
        return srq_fail_memory(strlen(path), "the names of tensors");
    }
    /* srq's names have no control characters, which could affect a terminal. */
    for (char *c = t->name; *c; c++) *c = *c == '/' ? '.' : iscntrl((unsigned char)*c) ? '?' : *c;
    if (!is_of_interest(m, t->name)) {
        free(t->path);
        free(t->name);
        return SRQ_OK;
    }
    t->floats = srq_h5_shape(m->reader, path, H5T_FLOAT, &t->rank, t->shape) == SRQ_OK;
    m->tensor_count++;
    return SRQ_OK;
}

/* Lists all data sets of a group and of the groups in it. */
static srq_status list_tensors(matching *m, const char *group, int depth)
{
    size_t count = 0;
    char **names = NULL;
    SRQ_TRY(srq_h5_members(m->reader, group, &count, &names));
    srq_status status = SRQ_OK;
    for (size_t i = 0; i < count; i++) {
        char path[2 * PATH_MAX_LENGTH];
        const int length = snprintf(path, sizeof path, "%s%s%s", group, strcmp(group, "/") == 0 ? "" : "/", names[i]);
        free(names[i]);
        /* The name is too long for srq, or it is a broken link. */
        if (status != SRQ_OK || length >= PATH_MAX_LENGTH || !srq_h5_exists(m->reader, path)) continue;
        if (!srq_h5_is_group(m->reader, path))
            status = add_tensor(m, path);
        else if (depth < DEPTH_MAX)
            status = list_tensors(m, path, depth + 1);
    }
    free(names);
    return status;
}

/* A checkpoint's tensors are under /layers, those of another file under its root. */
static srq_status list_all(matching *m)
{
    char format[64] = "";
    if (srq_h5_has_attribute(m->reader, "/", "format") &&
        srq_h5_read_attribute_text(m->reader, "/", "format", format, sizeof format) != SRQ_OK)
        format[0] = '\0';
    const bool kept = strcmp(format, SRQ_WEIGHTS_FORMAT) == 0;
    m->is_checkpoint = strcmp(format, SRQ_CHECKPOINT_FORMAT) == 0 || kept;
    /* If there is a digest, it was checked when the file was opened. */
    if (kept && !srq_h5_has_attribute(m->reader, "/", SRQ_H5_DIGEST))
        return srq_fail(SRQ_ERROR_DATA, "%s: it has no digest (attribute " SRQ_H5_DIGEST "); the file was changed",
                        srq_h5_reader_path(m->reader));
    if (!m->is_checkpoint && strncmp(format, "srq-", 4) == 0)
        return srq_fail(
            SRQ_ERROR_DATA,
            "%s: its format is \"%s\", but a checkpoint or a file of tensors is expected; name another file",
            srq_h5_reader_path(m->reader), format);
    m->root = m->is_checkpoint ? strlen("/layers/") : strlen("/");
    return list_tensors(m, m->is_checkpoint ? "/layers" : "/", 0);
}

/* --- Matching */

static tensor *find_tensor(const matching *m, const char *layer, const char *suffix)
{
    char name[2 * SRQ_PARAMETER_NAME_SIZE];
    snprintf(name, sizeof name, "%s.%s", layer, suffix);
    for (int i = 0; i < m->tensor_count; i++)
        if (!m->tensors[i].used && strcmp(m->tensors[i].name, name) == 0) return &m->tensors[i];
    return NULL;
}

/* Finds a tensor by its name or, in a batch-norm, by PyTorch's name. */
static tensor *find_for(const matching *m, const srq_parameter *p)
{
    static const char *const others[][2] = {
        {"scale", "weight"}, {"shift", "bias"}, {"running_variance", "running_var"}};
    char layer[SRQ_PARAMETER_NAME_SIZE];
    const char *suffix = strrchr(p->name, '/') + 1;
    snprintf(layer, sizeof layer, "%.*s", (int)(suffix - p->name) - 1, p->name);
    tensor *found = find_tensor(m, layer, suffix);
    for (size_t i = 0; !found && i < sizeof others / sizeof *others; i++)
        if (strcmp(others[i][0], suffix) == 0) found = find_tensor(m, layer, others[i][1]);
    return found;
}

static bool same_shape(const tensor *t, const srq_parameter *p)
{
    bool same = t->floats && t->rank == p->rank;
    for (int i = 0; same && i < p->rank; i++) same = t->shape[i] == p->shape[i];
    return same;
}

static srq_status match_all(matching *m, const srq_graph *graph)
{
    const int count = srq_graph_parameter_count(graph);
    m->matches = calloc((size_t)count + 1, sizeof *m->matches);
    if (!m->matches) return srq_fail_memory((size_t)count * sizeof *m->matches, "the list of parameters");
    for (int i = 0; i < count; i++) {
        const srq_parameter *p = srq_graph_parameter(graph, i);
        if (p->kind != SRQ_PARAMETER_WEIGHT && p->kind != SRQ_PARAMETER_BIAS && p->kind != SRQ_PARAMETER_STATISTIC)
            continue;
        match *made = &m->matches[m->match_count++];
        *made = (match){.parameter = p, .found = find_for(m, p)};
        if (!made->found) continue;
        made->found->used = true;
        made->fits = same_shape(made->found, p);
        m->fitting += made->fits;
    }
    return SRQ_OK;
}

/* --- Messages */

static const char *print_shape(int rank, const size_t *shape, char out[SHAPE_SIZE])
{
    size_t n = 0;
    snprintf(out, SHAPE_SIZE, "a scalar");
    for (int i = 0; i < rank; i++) n += (size_t)snprintf(out + n, SHAPE_SIZE - n, "[%zu]", shape[i]);
    return out;
}

static void print_tensor(const tensor *t, char *out, size_t size)
{
    char shape[SHAPE_SIZE];
    if (t->floats)
        snprintf(out, size, "%s", print_shape(t->rank, t->shape, shape));
    else
        snprintf(out, size, "not of type float");
}

static void print_match(const match *m, FILE *notes)
{
    char here[SHAPE_SIZE], there[SHAPE_SIZE];
    print_shape(m->parameter->rank, m->parameter->shape, here);
    if (m->found) print_tensor(m->found, there, sizeof there);
    if (m->fits)
        srq_say_to(notes, "  taken     %s %s\n", m->parameter->name, here);
    else if (m->found)
        srq_say_to(notes, "  differs   %s is %s here, and in the file %s\n", m->parameter->name, here, there);
    else
        srq_say_to(notes, "  missing   %s %s: not in the file\n", m->parameter->name, here);
}

static int count_unused(const matching *m)
{
    int unused = 0;
    for (int i = 0; i < m->tensor_count; i++) unused += !m->tensors[i].used;
    return unused;
}

static void print_list(const matching *m, FILE *notes)
{
    const bool all = m->fitting == m->match_count && count_unused(m) == 0;
    srq_say_to(notes, "train.init: %s: %d of %d tensors of the network read%s\n", srq_h5_reader_path(m->reader),
               m->fitting, m->match_count, all ? "" : ":");
    for (int i = 0; !all && i < m->match_count; i++) print_match(&m->matches[i], notes);
    for (int i = 0; !all && i < m->tensor_count; i++) {
        char shape[SHAPE_SIZE];
        if (m->tensors[i].used) continue;
        print_tensor(&m->tensors[i], shape, sizeof shape);
        srq_say_to(notes, "  not used  %s %s: in the file only\n", m->tensors[i].name, shape);
    }
    fflush(notes);
}

/* Names the first few tensors that do not fit for the same reason. */
static void add_names(const matching *m, const char *title, bool missing, char *out, size_t size)
{
    int count = 0;
    size_t n = strlen(out);
    for (int i = 0; i < m->match_count; i++) {
        const match *of = &m->matches[i];
        if (of->fits || missing != !of->found) continue;
        if (count++ < SHOWN)
            n += (size_t)snprintf(out + n, size - n, "%s %s", count > 1 ? "," : title, of->parameter->name);
    }
    if (count > SHOWN) snprintf(out + n, size - n, " and %d more", count - SHOWN);
}

static void add_unused(const matching *m, char *out, size_t size)
{
    int count = 0;
    size_t n = strlen(out);
    for (int i = 0; i < m->tensor_count; i++) {
        if (m->tensors[i].used) continue;
        if (count++ < SHOWN)
            n += (size_t)snprintf(out + n, size - n, "%s %.100s",
                                  count > 1 ? "," : "; not used from the file:", m->tensors[i].name);
    }
    if (count > SHOWN) snprintf(out + n, size - n, " and %d more", count - SHOWN);
}

static srq_status judge(const matching *m, bool partial)
{
    char what[1200] = "";
    if (m->fitting == m->match_count && (partial || count_unused(m) == 0)) return SRQ_OK;
    if (partial && m->fitting > 0) return SRQ_OK;
    if (m->fitting == 0)
        return srq_fail(
            SRQ_ERROR_DATA,
            "%s: none of its tensors fits the network by name and shape: the file has %s%.100s%s, the network %s",
            srq_h5_reader_path(m->reader), m->tensor_count ? "" : "no tensors",
            m->tensor_count ? m->tensors[0].name : "", m->tensor_count > 1 ? ", ..." : "",
            m->match_count ? m->matches[0].parameter->name : "none");
    add_names(m, "; missing in the file:", true, what, sizeof what);
    add_names(m, "; of another shape:", false, what, sizeof what);
    add_unused(m, what, sizeof what);
    return srq_fail(SRQ_ERROR_DATA,
                    "%s: it belongs to another network: %d of %d tensors fit%s; use train.init_match = \"partial\" to "
                    "read those that fit",
                    srq_h5_reader_path(m->reader), m->fitting, m->match_count, what);
}

/* --- Reading */

static srq_status check_numbers(const matching *m, const match *of, const float *values)
{
    const bool variance = strstr(of->parameter->name, "/running_variance") != NULL;
    for (size_t i = 0; i < of->parameter->count; i++) {
        if (isfinite(values[i]) && (!variance || values[i] >= 0)) continue;
        return srq_fail(SRQ_ERROR_DATA, "%s: data set %s: element %zu is %g, but it must be finite%s; use another file",
                        srq_h5_reader_path(m->reader), of->found->path, i, (double)values[i],
                        variance ? " and not below 0" : "");
    }
    return SRQ_OK;
}

static srq_status read_all(const matching *m, srq_graph *graph)
{
    for (int i = 0; i < m->match_count; i++) {
        const match *of = &m->matches[i];
        const srq_parameter *p = of->parameter;
        float *values = srq_graph_values(graph) + p->offset;
        if (!of->fits) continue;
        SRQ_TRY(srq_h5_read(m->reader, of->found->path, H5T_NATIVE_FLOAT, p->rank, p->shape, values));
        SRQ_TRY(check_numbers(m, of, values));
    }
    return SRQ_OK;
}

static srq_status read_from(matching *m, bool partial, srq_graph *graph, FILE *notes)
{
    SRQ_TRY(list_all(m));
    SRQ_TRY(match_all(m, graph));
    if (notes) print_list(m, notes);
    SRQ_TRY(judge(m, partial));
    return read_all(m, graph);
}

srq_status srq_weights_read(const char *path, bool partial, srq_graph *graph, FILE *notes)
{
    srq_h5_reader *reader = NULL;
    SRQ_TRY(srq_h5_reader_open(path, "a checkpoint or an HDF5 file of tensors", NULL, 0, &reader));
    matching m = {.reader = reader};
    srq_status status = read_from(&m, partial, graph, notes);
    for (int i = 0; i < m.tensor_count; i++) {
        free(m.tensors[i].path);
        free(m.tensors[i].name);
    }
    free(m.tensors);
    free(m.matches);
    srq_h5_reader_close(&reader);
    return status;
}

/* --- Writing */

static srq_status write_tensor(srq_h5_writer *writer, const srq_parameter *p, const float *values)
{
    char name[SRQ_PARAMETER_NAME_SIZE + 8];
    snprintf(name, sizeof name, "layers/%s", p->name);
    return srq_h5_write(writer, name, H5T_NATIVE_FLOAT, p->rank, p->shape, values);
}

static srq_status write_all(srq_h5_writer *writer, const srq_graph *graph, long step)
{
    SRQ_TRY(srq_h5_write_attribute_int(writer, "/", "step", step));
    for (int i = 0; i < srq_graph_parameter_count(graph); i++) {
        const srq_parameter *p = srq_graph_parameter(graph, i);
        if (p->kind == SRQ_PARAMETER_WEIGHT || p->kind == SRQ_PARAMETER_BIAS || p->kind == SRQ_PARAMETER_STATISTIC)
            SRQ_TRY(write_tensor(writer, p, srq_graph_values(graph) + p->offset));
    }
    return srq_h5_writer_seal(writer);
}

srq_status srq_weights_write(const char *path, const srq_graph *graph, long step)
{
    srq_h5_writer *writer = NULL;
    SRQ_TRY(srq_h5_writer_create(SRQ_WEIGHTS_FORMAT, 1, &writer));
    srq_status status = write_all(writer, graph, step);
    if (status == SRQ_OK) status = srq_h5_writer_commit(writer, path);
    srq_h5_writer_destroy(&writer);
    return status;
}
