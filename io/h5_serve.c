/* The child process: opens one file with HDF5 and answers requests about it. */
#include "io/h5_internal.h"

#include <stdlib.h>
#include <string.h>

/* What may be read of a file in all: as much as compressed content can reasonably be, several times over. */
enum { RESERVE = 64 << 20, TIMES = 32 };

typedef struct session {
    int socket;
    char path[SRQ_H5_PATH_SIZE];
    srq_h5_file file;
} session;

/* Locks are taken by srq, which asks for one file after another; HDF5 takes its own as well. */
static srq_status open_file(session *s, const srq_h5_request *request, FILE *out)
{
    srq_h5_quiet();
    snprintf(s->path, sizeof s->path, "%s", request->shown);
    s->file.path = s->path;
    s->file.file = H5Fopen(request->name, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (s->file.file < 0) {
        char reason[SRQ_H5_REASON_SIZE];
        /* "lock" alone would also match "sblock". */
        const bool lock = strstr(srq_h5_reason(reason), "unable to lock file") != NULL;
        return srq_fail(SRQ_ERROR_DATA, "%s: not a whole HDF5 file (%s); %s", s->path, reason,
                        lock ? "set HDF5_USE_FILE_LOCKING=FALSE if the file system has no locks"
                             : "it may have been cut short: use another copy");
    }
    return srq_h5_send_contents(&s->file, out);
}

static srq_status send_digest(session *s, FILE *out)
{
    char text[SRQ_DIGEST_SIZE];
    SRQ_TRY(srq_h5_digest_of(&s->file, text));
    fputs(text, out);
    return SRQ_OK;
}

static srq_status follow(session *s, const srq_h5_request *request, FILE *out)
{
    if (request->verb == SRQ_H5_OPEN) return open_file(s, request, out);
    if (s->file.file < 0) return srq_fail(SRQ_ERROR_DATA, "%s: it is not open", s->path);
    switch (request->verb) {
    case SRQ_H5_DIGEST_OF:
        return send_digest(s, out);
    case SRQ_H5_TEXTS:
        return srq_h5_send_texts(&s->file, request, out);
    default:
        return srq_h5_send_room(&s->file, request, out);
    }
}

/* Everything but numbers is built as a stream in memory. */
static srq_status print_answer(session *s, const srq_h5_request *request, char **payload, size_t *size)
{
    FILE *out = open_memstream(payload, size);
    if (!out) return srq_fail_memory(0, s->path);
    const srq_status status = follow(s, request, out);
    const bool failed = ferror(out) != 0;
    return fclose(out) == 0 && !failed ? status : srq_fail_memory(*size, s->path);
}

static srq_status make_answer(session *s, const srq_h5_request *request, char **payload, size_t *size)
{
    if (request->verb == SRQ_H5_NUMBERS && s->file.file >= 0)
        return srq_h5_load_numbers(&s->file, request, payload, size);
    return print_answer(s, request, payload, size);
}

/* The status and the size of an answer come first. */
static bool answer(session *s, const srq_h5_request *request)
{
    char *payload = NULL;
    size_t size = 0;
    const srq_status status = make_answer(s, request, &payload, &size);
    const char *sent = status == SRQ_OK ? payload : srq_message();
    const srq_h5_answer head = {.status = (int32_t)status, .size = status == SRQ_OK ? size : strlen(sent)};
    const bool whole = srq_h5_send(s->socket, &head, sizeof head) && srq_h5_send(s->socket, sent, head.size);
    free(payload);
    return whole;
}

void srq_h5_serve(int socket, uint64_t bytes)
{
    session *s = calloc(1, sizeof *s);
    srq_h5_request *request = calloc(1, sizeof *request);
    if (!s || !request) return;
    s->socket = socket;
    s->file = (srq_h5_file){.file = H5I_INVALID_HID, .bytes = bytes, .left = RESERVE + TIMES * bytes};
    while (srq_h5_receive(socket, request, sizeof *request) && answer(s, request)) {
    }
}
