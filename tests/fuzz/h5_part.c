#include "tests/fuzz/h5_part.h"

#include "io/h5.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* --- Limits */

enum { MEGABYTES_MAX = 200 };

static long first_kilobytes;

static long kilobytes(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return used.ru_maxrss;
}

void srq_fuzz_begin_limits(void)
{
    srq_fuzz_check(srq_h5_start() == SRQ_OK, "the process that reads files starts");
    first_kilobytes = kilobytes();
}

/* Sanitizers keep what was freed, and have memory of their own beside all other. */
void srq_fuzz_end_limits(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(SRQ_FUZZ_LIBFUZZER)
    enum { TIMES = 8 };
#else
    enum { TIMES = 1 };
#endif
    srq_fuzz_check(kilobytes() - first_kilobytes < MEGABYTES_MAX * 1024L * TIMES, "srq stays below 200 MB");
}

/* --- Reading everything */

static srq_status read_numbers(const srq_h5_reader *reader, const char *path, bool floats)
{
    size_t shape[8], count = 1;
    int rank = 0;
    SRQ_TRY(srq_h5_shape(reader, path, floats ? H5T_FLOAT : H5T_INTEGER, &rank, shape));
    for (int i = 0; i < rank; i++) {
        if (shape[i] && count > ((size_t)1 << 40) / shape[i]) return SRQ_OK; /* inspect shows no such tensor */
        count *= shape[i];
    }
    double *values = malloc((count + 1) * sizeof *values);
    if (!values) return srq_fail(SRQ_ERROR_DATA, "%s is too large for the memory", path);
    const srq_status status =
        srq_h5_read(reader, path, floats ? H5T_NATIVE_DOUBLE : H5T_NATIVE_INT64, rank, shape, values);
    if (status == SRQ_OK) srq_fuzz_note(values, count * sizeof *values);
    free(values);
    return status;
}

static srq_status read_texts(const srq_h5_reader *reader, const char *path)
{
    char **texts = NULL, *text = NULL;
    size_t count = 0, shape[8];
    int rank = 0;
    SRQ_TRY(srq_h5_shape(reader, path, H5T_STRING, &rank, shape));
    if (rank == 0) {
        SRQ_TRY(srq_h5_read_text(reader, path, &text));
        srq_fuzz_note(text, strlen(text) + 1);
        free(text);
        return SRQ_OK;
    }
    SRQ_TRY(srq_h5_read_texts(reader, path, &count, &texts));
    for (size_t i = 0; i < count; i++) {
        srq_fuzz_note(texts[i], strlen(texts[i]) + 1);
        free(texts[i]);
    }
    free(texts);
    return SRQ_OK;
}

static srq_status read_set(const srq_h5_reader *reader, const char *path)
{
    char type[32];
    srq_h5_type(reader, path, type, sizeof type);
    srq_fuzz_note(type, strlen(type));
    if (strcmp(type, "text") == 0) return read_texts(reader, path);
    if (strncmp(type, "float", 5) == 0 || strstr(type, "int")) return read_numbers(reader, path, type[0] == 'f');
    return SRQ_OK;
}

static srq_status note_attributes(const srq_h5_reader *reader, const char *path)
{
    size_t count = 0;
    char **names = NULL;
    SRQ_TRY(srq_h5_attributes(reader, path, &count, &names));
    for (size_t i = 0; i < count; i++) {
        char text[512] = "";
        srq_h5_print_attribute(reader, path, names[i], text, sizeof text);
        srq_fuzz_note(names[i], strlen(names[i]) + 1);
        srq_fuzz_note(text, strlen(text) + 1);
        free(names[i]);
    }
    free(names);
    return SRQ_OK;
}

static srq_status read_object(const srq_h5_reader *reader, const char *path);

static srq_status read_members(const srq_h5_reader *reader, const char *path)
{
    size_t count = 0;
    char **names = NULL;
    srq_status status = srq_h5_members(reader, path, &count, &names);
    for (size_t i = 0; i < count; i++) {
        char member[1024];
        const int n = snprintf(member, sizeof member, "%s/%s", path[1] ? path : "", names[i]);
        if (status == SRQ_OK && n < (int)sizeof member) status = read_object(reader, member);
        free(names[i]);
    }
    free(names);
    return status;
}

static srq_status read_object(const srq_h5_reader *reader, const char *path)
{
    srq_fuzz_note(path, strlen(path) + 1);
    SRQ_TRY(note_attributes(reader, path));
    return srq_h5_is_group(reader, path) ? read_members(reader, path) : read_set(reader, path);
}

srq_status srq_fuzz_read_everything(const char *path, const char *what)
{
    char digest[SRQ_DIGEST_SIZE];
    srq_h5_reader *reader = NULL;
    SRQ_TRY(srq_h5_reader_open(path, what, NULL, 0, &reader));
    srq_status status = read_object(reader, "/");
    if (status == SRQ_OK) status = srq_h5_digest(reader, digest);
    srq_h5_reader_close(&reader);
    return status;
}

void srq_fuzz_note_graph(const srq_graph *graph)
{
    for (int i = 0; i < srq_graph_parameter_count(graph); i++) {
        const srq_parameter *p = srq_graph_parameter(graph, i);
        srq_fuzz_note(srq_graph_values(graph) + p->offset, p->count * sizeof(float));
    }
}
