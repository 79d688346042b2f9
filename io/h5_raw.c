/* The digest of the raw bytes of a file, in a trailer of 256 bytes behind it.
 *
 *     HDF5 file, N bytes │ "\nsrq-raw-sha256 1 N A B C D DIGEST" and spaces, "\n" at the end
 *
 * The digest is that of bytes 0 to N, without those from A to A + B and from C to C + D: the encoded images of a data
 * set, which have a checksum each and are never read by HDF5 (0 if there are none). HDF5 ignores what follows the end
 * that it has noted, so the file stays an ordinary HDF5 file. A program that opens it for writing cuts the trailer off,
 * so that a file changed on purpose has none, and one with a wrong trailer is damaged. */
#include "io/h5_internal.h"

#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char mark[] = "\nsrq-raw-sha256 1 ";
enum { BUFFER = 1 << 20 };

typedef struct trailer {
    int64_t size;
    srq_h5_span without[2];
    char digest[SRQ_DIGEST_SIZE];
} trailer;

static void print(const trailer *t, char out[SRQ_H5_TRAILER])
{
    char text[SRQ_H5_TRAILER];
    const int n = snprintf(text, sizeof text, "%s%lld %lld %lld %lld %lld %s", mark, (long long)t->size,
                           (long long)t->without[0].offset, (long long)t->without[0].size,
                           (long long)t->without[1].offset, (long long)t->without[1].size, t->digest);
    memset(out, ' ', SRQ_H5_TRAILER);
    memcpy(out, text, (size_t)n);
    out[SRQ_H5_TRAILER - 1] = '\n';
}

/* False if the text is not exactly what print() makes. */
static bool parse(const char text[SRQ_H5_TRAILER], trailer *t)
{
    long long numbers[5];
    char copy[SRQ_H5_TRAILER + 1], again[SRQ_H5_TRAILER];
    memcpy(copy, text, SRQ_H5_TRAILER);
    copy[SRQ_H5_TRAILER] = '\0';
    if (sscanf(copy + strlen(mark), "%lld %lld %lld %lld %lld %64s", &numbers[0], &numbers[1], &numbers[2], &numbers[3],
               &numbers[4], t->digest) != 6)
        return false;
    t->size = numbers[0];
    for (int i = 0; i < 2; i++) t->without[i] = (srq_h5_span){numbers[1 + 2 * i], numbers[2 + 2 * i]};
    print(t, again);
    return memcmp(again, text, SRQ_H5_TRAILER) == 0;
}

/* The spans are in order and within the file. */
static bool spans_are_inside(const trailer *t)
{
    int64_t end = 0;
    for (int i = 0; i < 2; i++) {
        const srq_h5_span s = t->without[i];
        if (s.size == 0 && s.offset == 0) continue;
        if (s.offset < end || s.size < 0 || s.size > t->size || s.offset > t->size - s.size) return false;
        end = s.offset + s.size;
    }
    return true;
}

/* --- Reading */

static srq_status cannot_read(const char *path, const char *reason)
{
    return srq_fail(SRQ_ERROR_DATA, "%s: cannot be read: %s; use another copy", path, reason);
}

static srq_status read_at(int file, const char *path, void *data, size_t size, int64_t at)
{
    for (char *to = data; size > 0;) {
        const ssize_t n = pread(file, to, size, at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return cannot_read(path, n < 0 ? strerror(errno) : "it became shorter");
        to += n;
        size -= (size_t)n;
        at += n;
    }
    return SRQ_OK;
}

static srq_status add_bytes(srq_digest *digest, int file, const char *path, char *buffer, int64_t from, int64_t to)
{
    while (from < to) {
        const size_t part = to - from < BUFFER ? (size_t)(to - from) : BUFFER;
        SRQ_TRY(read_at(file, path, buffer, part, from));
        srq_digest_add(digest, buffer, part);
        from += (int64_t)part;
    }
    return SRQ_OK;
}

/* The digest of the bytes of an open file that a trailer is about. */
static srq_status compute(int file, const char *path, const trailer *t, char text[SRQ_DIGEST_SIZE])
{
    srq_digest *digest;
    int64_t at = 0;
    char *buffer = malloc(BUFFER);
    if (!buffer) return srq_fail_memory(BUFFER, path);
    srq_status status = srq_digest_create(&digest);
    const bool created = status == SRQ_OK;
    for (int i = 0; status == SRQ_OK && i < 2; i++) {
        if (t->without[i].size == 0) continue;
        status = add_bytes(digest, file, path, buffer, at, t->without[i].offset);
        at = t->without[i].offset + t->without[i].size;
    }
    if (status == SRQ_OK) status = add_bytes(digest, file, path, buffer, at, t->size);
    if (created) srq_digest_finish(&digest, text);
    free(buffer);
    return status;
}

srq_status srq_h5_check_trailer(int file, int64_t size, const char *path, bool *whole)
{
    char tail[2 * SRQ_H5_TRAILER], found[SRQ_DIGEST_SIZE] = "";
    trailer t = {0};
    *whole = false;
    if (size < SRQ_H5_TRAILER) return SRQ_OK;
    const size_t length = size < (int64_t)sizeof tail ? (size_t)size : sizeof tail;
    SRQ_TRY(read_at(file, path, tail, length, size - (int64_t)length));
    const char *text = tail + length - SRQ_H5_TRAILER, *begin = memmem(tail, length, mark, strlen(mark));
    if (!begin) return SRQ_OK;
    if (begin != text)
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: it is damaged: %lld bytes at its end are %s; use an earlier checkpoint or another copy",
                        path, (long long)(begin > text ? begin - text : text - begin),
                        begin > text ? "missing" : "not those of srq");
    const bool sound = parse(text, &t) && t.size == size - SRQ_H5_TRAILER && spans_are_inside(&t);
    if (sound) SRQ_TRY(compute(file, path, &t, found));
    *whole = sound && strcmp(found, t.digest) == 0;
    if (*whole) return SRQ_OK;
    return srq_fail(SRQ_ERROR_DATA,
                    "%s: it is damaged: its bytes are not those that were written (their SHA-256 is %.12s..., not "
                    "%.12s...); use an earlier checkpoint or another copy",
                    path, sound ? found : "unknown", t.digest);
}

/* --- Writing */

srq_status srq_h5_make_trailer(const void *image, size_t size, char out[SRQ_H5_TRAILER])
{
    srq_digest *digest;
    trailer t = {.size = (int64_t)size};
    SRQ_TRY(srq_digest_create(&digest));
    srq_digest_add(digest, image, size);
    srq_digest_finish(&digest, t.digest);
    print(&t, out);
    return SRQ_OK;
}

static srq_status add_trailer(int file, const char *path, const srq_h5_span without[2])
{
    char text[SRQ_H5_TRAILER];
    struct stat info;
    trailer t = {.without = {without[0], without[1]}};
    if (fstat(file, &info) != 0) return cannot_read(path, strerror(errno));
    t.size = info.st_size;
    SRQ_TRY(compute(file, path, &t, t.digest));
    print(&t, text);
    if (lseek(file, 0, SEEK_END) != t.size) return cannot_read(path, "it changes while it is read");
    return srq_file_append(file, path, text, sizeof text);
}

srq_status srq_h5_finish(const char *path, const srq_h5_span without[2])
{
    int file;
    SRQ_TRY(srq_file_open(path, O_RDWR | O_CLOEXEC, &file));
    srq_status status = add_trailer(file, path, without);
    if (close(file) != 0 && status == SRQ_OK)
        status = srq_fail(SRQ_ERROR_RUN, "cannot close %s: %s; free some space", path, strerror(errno));
    return status;
}
