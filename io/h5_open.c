/* Opens a file for reading: checks that it is there and not in use, that its bytes are those that were written, and
 * that it is an HDF5 file of the expected kind. */
#include "io/file.h"
#include "io/h5_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_SECONDS = 5, STEPS_A_SECOND = 10 };

/* --- The file */

/* The process that holds a lock on the file, according to Linux: " (process 4711, python3)", or "". */
static void name_holder(int file, char *out, size_t size)
{
    struct stat info;
    char line[256], name[64] = "";
    FILE *locks = fopen("/proc/locks", "r");
    out[0] = '\0';
    while (locks && fstat(file, &info) == 0 && fgets(line, sizeof line, locks)) {
        unsigned major, minor;
        unsigned long inode;
        long process;
        if (sscanf(line, "%*d: %*s %*s WRITE %ld %x:%x:%lu", &process, &major, &minor, &inode) != 4) continue;
        if (inode != info.st_ino || process <= 0) continue;
        snprintf(line, sizeof line, "/proc/%ld/comm", process);
        FILE *comm = fopen(line, "r");
        if (comm && fgets(name, sizeof name, comm)) name[strcspn(name, "\n")] = '\0';
        if (comm) fclose(comm);
        snprintf(out, size, " (process %ld%s%s)", process, name[0] ? ", " : "", name);
        break;
    }
    if (locks) fclose(locks);
}

static bool uses_locks(void)
{
    const char *set = getenv("HDF5_USE_FILE_LOCKING");
    return !set || strcmp(set, "FALSE") != 0;
}

/* A program that has an HDF5 file open for writing holds a lock on it. Waits a little for its end. */
static srq_status wait_for_lock(int file, const char *path)
{
    const struct timespec pause = {.tv_nsec = 1000000000 / STEPS_A_SECOND};
    for (int i = 0; uses_locks() && flock(file, LOCK_SH | LOCK_NB) != 0; i++) {
        char holder[128];
        if (errno == EINTR) continue;
        if (errno != EWOULDBLOCK) return SRQ_OK; /* a file system without locks */
        if (i < WAIT_SECONDS * STEPS_A_SECOND) {
            nanosleep(&pause, NULL);
            continue;
        }
        name_holder(file, holder, sizeof holder);
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: it is in use: another process%s has it open for writing; srq waited %d s: close it there, "
                        "and start again",
                        path, holder, (int)WAIT_SECONDS);
    }
    return SRQ_OK;
}

/* The marks that a writer leaves in the superblock (versions 2 and 3) until it closes the file. */
static srq_status check_marks(int file, const char *path)
{
    static const char signature[] = "\x89HDF\r\n\x1a\n";
    unsigned char start[12];
    if (pread(file, start, sizeof start, 0) != (ssize_t)sizeof start || memcmp(start, signature, 8) != 0) return SRQ_OK;
    if (start[8] != 3 || (start[11] & 5) == 0) return SRQ_OK;
    return srq_fail(SRQ_ERROR_DATA,
                    "%s: it is marked as open for writing: a program has it open, or ended without closing it; if none "
                    "writes to it, remove the mark with `h5clear -s %s`",
                    path, path);
}

/* Opens the file, and checks that it can be read now. The lock is held until `file` is closed. */
static srq_status open_unused(const char *path, const char *what, int *file, int64_t *size)
{
    off_t bytes;
    SRQ_TRY(srq_file_open_whole(path, what, file, &bytes));
    *size = bytes;
    srq_status status = wait_for_lock(*file, path);
    if (status == SRQ_OK) status = check_marks(*file, path);
    if (status != SRQ_OK) close(*file);
    return status;
}

srq_status srq_h5_wait(const char *path)
{
    struct stat info;
    const int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (file < 0 && (errno == ENOENT || errno == ELOOP)) return SRQ_OK;
    if (file < 0) return srq_fail(SRQ_ERROR_DATA, "%s: %s; check its permissions", path, strerror(errno));
    srq_status status = fstat(file, &info) == 0 && S_ISREG(info.st_mode) ? wait_for_lock(file, path) : SRQ_OK;
    if (status == SRQ_OK) status = check_marks(file, path);
    close(file);
    return status;
}

/* --- The format */

static srq_status check_format(const srq_h5_reader *reader, const char *what, const char *format, int64_t oldest,
                               int64_t newest, int64_t *version)
{
    char found[64] = "", range[64];
    if (!srq_h5_has_attribute(reader, "/", "format") || !srq_h5_has_attribute(reader, "/", "version"))
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: an HDF5 file, but not %s of srq: the attributes format and version are missing",
                        reader->path, what);
    SRQ_TRY(srq_h5_read_attribute_text(reader, "/", "format", found, sizeof found));
    if (strcmp(found, format) != 0)
        return srq_fail(SRQ_ERROR_DATA, "%s: its format is \"%s\", but %s (\"%s\") is expected; name another file",
                        reader->path, found, what, format);
    SRQ_TRY(srq_h5_read_attribute_int(reader, "/", "version", version));
    if (*version >= oldest && *version <= newest) return SRQ_OK;
    snprintf(range, sizeof range, oldest < newest ? "versions %lld to %lld" : "version %lld", (long long)oldest,
             (long long)newest);
    return srq_fail(SRQ_ERROR_DATA, "%s: version %lld of the format %s, but this srq reads %s; use a matching srq",
                    reader->path, (long long)*version, format, range);
}

/* Checks the digest of the content of files that have one. Another version of the format may have another rule. */
static srq_status check_digest(const srq_h5_reader *reader)
{
    char found[SRQ_DIGEST_SIZE + 1], expected[SRQ_DIGEST_SIZE];
    if (!srq_h5_has_attribute(reader, "/", SRQ_H5_DIGEST)) return SRQ_OK;
    SRQ_TRY(srq_h5_read_attribute_text(reader, "/", SRQ_H5_DIGEST, found, sizeof found));
    SRQ_TRY(srq_h5_digest(reader, expected));
    if (strcmp(found, expected) == 0) return SRQ_OK;
    return srq_fail(SRQ_ERROR_DATA,
                    "%s: its content does not match its digest (%.12s..., not %.12s...): it was damaged or changed "
                    "after it was written; use an earlier checkpoint or another copy",
                    reader->path, expected, found);
}

/* The child works in the folder where srq was started. */
static srq_status absolute(const char *path, char out[SRQ_H5_PATH_SIZE])
{
    char folder[PATH_MAX] = "";
    if (path[0] != '/' && !getcwd(folder, sizeof folder))
        return srq_fail(SRQ_ERROR_DATA, "%s: the current folder cannot be found: %s; name the whole path", path,
                        strerror(errno));
    const int n = snprintf(out, SRQ_H5_PATH_SIZE, "%s%s%s", folder, folder[0] ? "/" : "", path);
    return n < SRQ_H5_PATH_SIZE ? SRQ_OK : srq_fail(SRQ_ERROR_DATA, "%s: the path is too long", path);
}

/* Messages of the child have the path as srq's caller named it. */
static srq_status ask_to_open(srq_h5_reader *reader)
{
    srq_h5_request request = {.verb = SRQ_H5_OPEN};
    SRQ_TRY(absolute(reader->path, request.name));
    snprintf(request.shown, sizeof request.shown, "%s", reader->path);
    SRQ_TRY(srq_h5_ask(reader, &request, NULL, &reader->contents, &reader->contents_size));
    return srq_h5_read_contents(reader);
}

static srq_status open_with(srq_h5_reader *reader, const char *what, const char *format, int64_t oldest, int64_t newest,
                            int64_t *version)
{
    int file;
    int64_t size = 0;
    bool whole = false;
    SRQ_TRY(srq_h5_start());
    SRQ_TRY(open_unused(reader->path, what, &file, &size));
    reader->bytes = (uint64_t)size;
    srq_status status = srq_h5_check_trailer(file, size, reader->path, &whole);
    if (status == SRQ_OK) status = srq_h5_child_start(&reader->child, reader->bytes);
    if (status == SRQ_OK) status = ask_to_open(reader);
    close(file);
    if (status == SRQ_OK && format) status = check_format(reader, what, format, oldest, newest, version);
    return status == SRQ_OK && !whole ? check_digest(reader) : status;
}

static srq_status open_reader(const char *path, const char *what, const char *format, int64_t oldest, int64_t newest,
                              int64_t *version, srq_h5_reader **out)
{
    srq_h5_reader *reader = calloc(1, sizeof *reader);
    if (!reader) return srq_fail_memory(sizeof *reader, path);
    reader->child.socket = -1;
    if (snprintf(reader->path, sizeof reader->path, "%s", path) >= (int)sizeof reader->path) {
        free(reader);
        return srq_fail(SRQ_ERROR_DATA, "%.80s...: the path is too long", path);
    }
    const srq_status status = open_with(reader, what, format, oldest, newest, version);
    if (status != SRQ_OK)
        srq_h5_reader_close(&reader);
    else
        *out = reader;
    return status;
}

srq_status srq_h5_reader_open(const char *path, const char *what, const char *format, int64_t version,
                              srq_h5_reader **reader)
{
    int64_t found;
    return open_reader(path, what, format, version, version, &found, reader);
}

srq_status srq_h5_reader_open_versions(const char *path, const char *what, const char *format, int64_t newest,
                                       int64_t *version, srq_h5_reader **reader)
{
    return open_reader(path, what, format, 1, newest, version, reader);
}

void srq_h5_reader_close(srq_h5_reader **reader)
{
    if (!*reader) return;
    srq_h5_child_end(&(*reader)->child);
    srq_h5_free_contents(*reader);
    free(*reader);
    *reader = NULL;
}
