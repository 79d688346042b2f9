#include "io/idx.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

static srq_status check_regular(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0) return srq_fail(SRQ_ERROR_DATA, "%s: %s; check the path", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return srq_fail(SRQ_ERROR_DATA, "%s: it is %s, but an IDX file is expected", path,
                        S_ISDIR(info.st_mode) ? "a folder" : "not a regular file");
    if (info.st_size == 0) return srq_fail(SRQ_ERROR_DATA, "%s: it is empty, but an IDX file is expected", path);
    return SRQ_OK;
}

/* Calls gzread for at most 1 GiB at a time, and reports its errors. *got is less than `size` at the end of the file. */
static srq_status read_bytes(gzFile stream, const char *path, void *to, size_t size, size_t *got)
{
    *got = 0;
    while (*got < size) {
        size_t left = size - *got;
        int n = gzread(stream, (char *)to + *got, left > (1u << 30) ? 1u << 30 : (unsigned)left);
        if (n < 0) {
            int code;
            const char *why = gzerror(stream, &code);
            return srq_fail(SRQ_ERROR_DATA, "%s: the gzip stream is damaged or cut short (%s); fetch the file again",
                            path, code == Z_ERRNO ? strerror(errno) : why);
        }
        if (n == 0) break;
        *got += (size_t)n;
    }
    return SRQ_OK;
}

static srq_status read_header(gzFile stream, const char *path, srq_idx *idx)
{
    uint8_t head[4], sizes[16];
    size_t got;
    SRQ_TRY(read_bytes(stream, path, head, sizeof head, &got));
    if (got < sizeof head || head[0] != 0 || head[1] != 0)
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: not an IDX file: it does not start with two zero bytes, a type and a number of "
                        "dimensions; check the path",
                        path);
    if (head[2] != 0x08)
        return srq_fail(SRQ_ERROR_DATA, "%s: elements of IDX type 0x%02x, but unsigned bytes (0x08) are expected", path,
                        head[2]);
    if (head[3] < 1 || head[3] > 4)
        return srq_fail(SRQ_ERROR_DATA, "%s: %d dimensions, but 1 to 4 are expected", path, head[3]);
    idx->rank = head[3];
    SRQ_TRY(read_bytes(stream, path, sizes, 4 * (size_t)idx->rank, &got));
    if (got < 4 * (size_t)idx->rank)
        return srq_fail(SRQ_ERROR_DATA, "%s: cut short inside its header; fetch the file again", path);
    idx->size = 1;
    for (int i = 0; i < idx->rank; i++) {
        const uint8_t *b = sizes + 4 * i;
        idx->shape[i] = (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
        if (idx->shape[i] != 0 && idx->size > ((size_t)1 << 40) / idx->shape[i])
            return srq_fail(SRQ_ERROR_DATA, "%s: its header claims more than 2^40 bytes; the file is damaged", path);
        idx->size *= idx->shape[i];
    }
    if (idx->size == 0) return srq_fail(SRQ_ERROR_DATA, "%s: its header claims no elements at all", path);
    return SRQ_OK;
}

static srq_status read_data(gzFile stream, const char *path, srq_idx *idx)
{
    enum { FIRST = 1 << 20 };
    size_t room = 0, filled = 0, got = 0;
    do {
        size_t wanted = room ? 2 * room : FIRST;
        room = wanted < idx->size ? wanted : idx->size;
        uint8_t *larger = realloc(idx->data, room);
        if (!larger) return srq_fail_memory(room, path);
        idx->data = larger;
        SRQ_TRY(read_bytes(stream, path, idx->data + filled, room - filled, &got));
        filled += got;
    } while (filled == room && room < idx->size);
    if (filled < idx->size)
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: cut short: %zu bytes of data, but its header claims %zu; fetch the file again", path,
                        filled, idx->size);
    /* After a read past the end, zlib checks the length and checksum of a gzip stream. */
    uint8_t extra;
    SRQ_TRY(read_bytes(stream, path, &extra, 1, &got));
    if (got)
        return srq_fail(SRQ_ERROR_DATA, "%s: longer than the %zu bytes its header claims; the file is damaged", path,
                        idx->size);
    return SRQ_OK;
}

srq_status srq_idx_read(const char *path, srq_idx *idx)
{
    *idx = (srq_idx){0};
    SRQ_TRY(check_regular(path));
    gzFile stream = gzopen(path, "rb");
    if (!stream) return srq_fail(SRQ_ERROR_DATA, "%s: %s; check its permissions", path, strerror(errno));
    srq_status status = read_header(stream, path, idx);
    if (status == SRQ_OK) status = read_data(stream, path, idx);
    int closed = gzclose(stream);
    if (status == SRQ_OK && closed != Z_OK)
        status = srq_fail(SRQ_ERROR_DATA, "%s: the gzip stream is cut short; fetch the file again", path);
    if (status != SRQ_OK) srq_idx_free(idx);
    return status;
}

void srq_idx_free(srq_idx *idx)
{
    free(idx->data);
    idx->data = NULL;
}
