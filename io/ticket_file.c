#include "io/ticket_file.h"

#include "io/file.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct srq_ticket_file {
    json_t *root;
};

srq_status srq_ticket_file_read(const char *path, srq_ticket_file **file)
{
    json_error_t error;
    FILE *stream = NULL;
    *file = NULL;
    SRQ_TRY(srq_file_open_regular(path, &stream));
    json_t *root = json_loadf(stream, 0, &error);
    fclose(stream);
    if (!root && error.line > 0)
        return srq_fail(SRQ_ERROR_DATA, "%s:%d: not valid JSON: %s", path, error.line, error.text);
    if (!root) return srq_fail(SRQ_ERROR_DATA, "%s: cannot be read: %s", path, error.text);
    if (!json_is_array(json_object_get(root, "stages"))) {
        json_decref(root);
        return srq_fail(SRQ_ERROR_DATA, "%s: not a comparison of a ticket: it has no list \"stages\"", path);
    }
    *file = malloc(sizeof **file);
    if (!*file) {
        json_decref(root);
        return srq_fail_memory(sizeof **file, "ticket.json");
    }
    (*file)->root = root;
    return SRQ_OK;
}

void srq_ticket_file_destroy(srq_ticket_file **file)
{
    if (!*file) return;
    json_decref((*file)->root);
    free(*file);
    *file = NULL;
}

static double error_of(const json_t *runs, long long seed)
{
    for (size_t i = 0; i < json_array_size(runs); i++) {
        const json_t *run = json_array_get(runs, i), *number = json_object_get(run, "seed"),
                     *error = json_object_get(run, "test_error");
        if (json_is_integer(number) && json_integer_value(number) == seed)
            return json_is_number(error) ? json_number_value(error) : NAN;
    }
    return NAN;
}

double srq_ticket_file_error(const srq_ticket_file *file, const char *stage, long long seed)
{
    const json_t *stages = json_object_get(file->root, "stages");
    for (size_t i = 0; i < json_array_size(stages); i++) {
        const json_t *entry = json_array_get(stages, i);
        const char *name = json_string_value(json_object_get(entry, "stage"));
        if (name && strcmp(name, stage) == 0) return error_of(json_object_get(entry, "runs"), seed);
    }
    return NAN;
}
