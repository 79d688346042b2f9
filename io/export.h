/* Formats of `srq export`. A format is one file that defines a srq_export_format, and one line in
 * io/export_formats.def. */
#ifndef SRQ_IO_EXPORT_H
#define SRQ_IO_EXPORT_H

#include "core/deploy.h"

#include <stdbool.h>

/* What is exported, beside the network. */
typedef struct srq_export_request {
    const srq_deploy *net;
    const char *source; /* the checkpoint, for comments in the file */
    const char *name;   /* --name, or NULL */
    const char *style;  /* --style, or NULL: the first one of the format */
    /* Some images as pixels [sample_count][height][width][channels], for formats that hold examples. */
    int sample_count;
    const uint8_t *samples;
} srq_export_request;

typedef struct srq_export_format {
    const char *name, *summary;
    const char *suffix;        /* that names of its files end with: ".onnx" */
    const char *const *styles; /* of --style; NULL ends the list, NULL without styles */
    bool samples;              /* reads `samples` */
    /* The name of another file that is written beside `path`, to `out`. Optional. */
    void (*second)(const char *path, char *out, size_t size);
    /* Writes the file (srq_file_write_atomic), or, with a failure, nothing. SRQ_ERROR_USAGE if the format cannot hold
     * the network; the message names the layer. */
    srq_status (*write)(const srq_export_request *request, const char *path);
} srq_export_format;

/* Format number `index`, from 0; NULL after the last one. */
const srq_export_format *srq_export_at(int index);
/* The format with a name. SRQ_ERROR_USAGE with a list of all. */
srq_status srq_export_find(const char *name, const srq_export_format **format);

/* The prefix of the names in a C file: `given`, or made of the name of the file if that is NULL. SRQ_ERROR_USAGE if
 * `given` is not an identifier that C and C++ leave to programs. */
enum { SRQ_EXPORT_NAME = 64 };
srq_status srq_export_name(const char *path, const char *given, char name[SRQ_EXPORT_NAME]);

/* What can be said before any work: SRQ_ERROR_USAGE for another suffix, a style that the format does not have, or a
 * file that exists. */
srq_status srq_export_check(const srq_export_format *format, const char *style, const char *path);
/* Does that, and calls the format. */
srq_status srq_export_write(const srq_export_format *format, const srq_export_request *request, const char *path);

#endif
