#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4352 };

/* Repeats a system call that a signal has interrupted. */
#define AGAIN(result, call)                                                                                            \
    do (result) = (call);                                                                                              \
    while ((result) < 0 && errno == EINTR)

static srq_status cannot(const char *what, const char *path)
{
    return srq_fail(SRQ_ERROR_RUN,
                    "cannot %s %s: %s; check the permissions and the free space there, or choose another folder", what,
                    path, strerror(errno));
}

/* Some file systems report a failed write only here. After a signal, the file is closed nevertheless. */
static int close_file(int file)
{
    return close(file) != 0 && errno != EINTR ? -1 : 0;
}

srq_status srq_file_append(int file, const char *path, const void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n;
        AGAIN(n, write(file, (const char *)data + done, size - done));
        if (n == 0) errno = ENOSPC;
        if (n <= 0)
            return srq_fail(SRQ_ERROR_RUN,
                            "cannot write %s: %s (after %zu of %zu bytes); free some space or choose another folder",
                            path, strerror(errno), done, size);
        done += (size_t)n;
    }
    return SRQ_OK;
}

srq_status srq_file_cut(int file, const char *path, off_t size)
{
    int result;
    AGAIN(result, ftruncate(file, size));
    return result == 0 ? SRQ_OK : cannot("cut", path);
}

srq_status srq_file_open(const char *path, int flags, int *file)
{
    AGAIN(*file, open(path, flags | O_CLOEXEC, 0666));
    return *file >= 0 ? SRQ_OK : cannot(flags & O_CREAT ? "create" : "open", path);
}

srq_status srq_file_remove(const char *path)
{
    int result;
    AGAIN(result, unlink(path));
    return result == 0 || errno == ENOENT ? SRQ_OK : cannot("remove", path);
}

static srq_status rename_file(const char *from, const char *to)
{
    int result;
    AGAIN(result, rename(from, to));
    return result == 0 ? SRQ_OK : cannot("rename a file to", to);
}

/* The new name of a file is safe only after its folder has been synced. */
srq_status srq_file_sync_folder(const char *path)
{
    char copy[PATH_SIZE];
    int file, result;
    snprintf(copy, sizeof copy, "%s", path);
    const char *folder = dirname(copy);
    SRQ_TRY(srq_file_open(folder, O_RDONLY | O_DIRECTORY, &file));
    AGAIN(result, fsync(file));
    /* Some network file systems cannot sync folders and report this. Nothing more can be done then. */
    bool done = result == 0 || errno == EINVAL || errno == ENOTSUP;
    srq_status status = done ? SRQ_OK : cannot("sync", folder);
    close_file(file);
    return status;
}

/* Messages name the target, because users do not know the temporary file. */
static srq_status write_temporary(const char *path, const char *target, const void *data, size_t size)
{
    int file, result;
    AGAIN(file, open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (file < 0) return cannot("create", target);
    srq_status status = srq_file_append(file, target, data, size);
    if (status == SRQ_OK) {
        AGAIN(result, fsync(file));
        if (result != 0) status = cannot("sync", target);
    }
    if (close_file(file) != 0 && status == SRQ_OK) status = cannot("close", target);
    return status;
}

/* ".NAME.tmp.PID" beside `path`. */
static srq_status temporary_name(const char *path, char temporary[PATH_SIZE])
{
    char folder[PATH_SIZE], name[PATH_SIZE];
    snprintf(folder, sizeof folder, "%s", path);
    snprintf(name, sizeof name, "%s", path);
    int n = snprintf(temporary, PATH_SIZE, "%s/.%s.tmp.%ld", dirname(folder), basename(name), (long)getpid());
    if (n >= 0 && n < PATH_SIZE) return SRQ_OK;
    return srq_fail(SRQ_ERROR_RUN, "%s: the path is too long; choose a shorter one", path);
}

bool srq_file_is_temporary(const char *name, const char *of)
{
    const size_t n = strlen(of);
    return name[0] == '.' && strncmp(name + 1, of, n) == 0 && strncmp(name + 1 + n, ".tmp.", 5) == 0;
}

/* Renames `temporary` to its final name, or removes it. */
static srq_status put_in_place(srq_status status, const char *temporary, const char *path)
{
    int removed;
    if (status == SRQ_OK) status = rename_file(temporary, path);
    if (status == SRQ_OK) return srq_file_sync_folder(path);
    AGAIN(removed, unlink(temporary));
    return status;
}

srq_status srq_file_write_atomic(const char *path, const void *data, size_t size)
{
    char temporary[PATH_SIZE];
    SRQ_TRY(temporary_name(path, temporary));
    return put_in_place(write_temporary(temporary, path, data, size), temporary, path);
}

srq_status srq_file_link_atomic(const char *path, const char *target)
{
    char temporary[PATH_SIZE];
    int result;
    SRQ_TRY(temporary_name(path, temporary));
    SRQ_TRY(srq_file_remove(temporary));
    AGAIN(result, symlink(target, temporary));
    return put_in_place(result == 0 ? SRQ_OK : cannot("link", path), temporary, path);
}

static srq_status sync_file(const char *path)
{
    int file, result;
    SRQ_TRY(srq_file_open(path, O_RDONLY, &file));
    AGAIN(result, fsync(file));
    srq_status status = result == 0 ? SRQ_OK : cannot("sync", path);
    close_file(file);
    return status;
}

srq_status srq_file_publish(const char *made, const char *path)
{
    SRQ_TRY(sync_file(made));
    SRQ_TRY(rename_file(made, path));
    return srq_file_sync_folder(path);
}

/* link(2) fails if the name is taken. Where the file system has no links, the name is only looked at ahead. */
srq_status srq_file_publish_new(const char *made, const char *path)
{
    int result;
    struct stat info;
    SRQ_TRY(sync_file(made));
    AGAIN(result, link(made, path));
    if (result == 0) {
        SRQ_TRY(srq_file_remove(made));
        return srq_file_sync_folder(path);
    }
    if (errno == EEXIST || lstat(path, &info) == 0)
        return srq_fail(
            SRQ_ERROR_USAGE,
            "%s: another program made it in the meantime; it is left as it is: look at it, and remove it or "
            "choose another name",
            path);
    SRQ_TRY(rename_file(made, path));
    return srq_file_sync_folder(path);
}

/* Like a lock of flock, this belongs to the open file description. It ends with the process, and not when another
 * descriptor is closed. */
static int lock_range(int file)
{
    int result;
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    AGAIN(result, fcntl(file, F_OFD_SETLK, &range));
    return result;
}

static bool no_locks_here(void)
{
    return errno == ENOLCK || errno == ENOSYS || errno == ENOTSUP || errno == EOPNOTSUPP || errno == EINVAL;
}

srq_status srq_file_lock(int file, const char *path, srq_lock *lock)
{
    int result;
    *lock = SRQ_LOCK_TAKEN;
    AGAIN(result, flock(file, LOCK_EX | LOCK_NB));
    if (result != 0 && no_locks_here()) result = lock_range(file);
    if (result == 0) return SRQ_OK;
    *lock = errno == EWOULDBLOCK ? SRQ_LOCK_HELD : SRQ_LOCK_NONE;
    return *lock == SRQ_LOCK_HELD || no_locks_here() ? SRQ_OK : cannot("lock", path);
}

srq_status srq_folder_check(const char *option, const char *path)
{
    struct stat info;
    if (!path[0]) return srq_fail(SRQ_ERROR_USAGE, "the name of %s is empty; name a folder", option);
    if (stat(path, &info) != 0 || S_ISDIR(info.st_mode)) return SRQ_OK;
    return srq_fail(SRQ_ERROR_USAGE, "%s %s: it is a file; choose a folder", option, path);
}

static srq_status make_folder(const char *path)
{
    int result;
    AGAIN(result, mkdir(path, 0777));
    return result == 0 || errno == EEXIST ? SRQ_OK : cannot("create the folder", path);
}

srq_status srq_folder_create(const char *path)
{
    char part[PATH_SIZE];
    if (!path[0]) return srq_fail(SRQ_ERROR_RUN, "cannot create a folder whose name is empty; name one");
    snprintf(part, sizeof part, "%s", path);
    for (char *slash = part + 1; *slash; slash++) {
        if (*slash != '/') continue;
        *slash = '\0';
        SRQ_TRY(make_folder(part));
        *slash = '/';
    }
    struct stat info;
    SRQ_TRY(make_folder(part));
    if (stat(part, &info) == 0 && S_ISDIR(info.st_mode)) return SRQ_OK;
    return srq_fail(SRQ_ERROR_RUN, "cannot create the folder %s: a file is in its place; choose another name", part);
}

/* Some editors begin a UTF-8 file with it. */
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

static srq_status read_stream(FILE *stream, const char *path, size_t limit, char **text)
{
    char *buffer = malloc(limit + 2);
    if (!buffer) return srq_fail_memory(limit + 2, path);
    size_t n = fread(buffer, 1, limit + 1, stream);
    buffer[n] = '\0';
    srq_status status = SRQ_OK;
    if (ferror(stream))
        status = srq_fail(SRQ_ERROR_DATA, "%s: cannot be read: %s", path, strerror(errno));
    else if (n > limit)
        status = srq_fail(SRQ_ERROR_DATA, "%s: larger than %zu bytes; is this the right file?", path, limit);
    else if (strlen(buffer) != n)
        status =
            srq_fail(SRQ_ERROR_DATA, "%s: not a text file: it has a zero byte at offset %zu", path, strlen(buffer));
    if (status == SRQ_OK) {
        if (strncmp(buffer, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
            memmove(buffer, buffer + strlen(BYTE_ORDER_MARK), n + 1 - strlen(BYTE_ORDER_MARK));
        *text = buffer;
    } else {
        free(buffer);
    }
    return status;
}

/* O_NONBLOCK: opening a FIFO returns at once. */
/* O_NONBLOCK: does not wait for the other end of a pipe. */
static srq_status open_regular(const char *path, const char *what, int *file, off_t *size)
{
    struct stat info = {0};
    AGAIN(*file, open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (*file < 0 && errno == ENOENT) return srq_fail(SRQ_ERROR_DATA, "%s: %s; name %s", path, strerror(errno), what);
    if (*file < 0) return srq_fail(SRQ_ERROR_DATA, "%s: %s; check its permissions", path, strerror(errno));
    if (fstat(*file, &info) == 0 && S_ISREG(info.st_mode)) {
        *size = info.st_size;
        return SRQ_OK;
    }
    close_file(*file);
    return srq_fail(SRQ_ERROR_DATA, "%s: it is %s; name %s", path,
                    S_ISDIR(info.st_mode) ? "a folder" : "not a regular file", what);
}

srq_status srq_file_open_whole(const char *path, const char *what, int *file, off_t *size)
{
    SRQ_TRY(open_regular(path, what, file, size));
    if (*size > 0) return SRQ_OK;
    close_file(*file);
    return srq_fail(SRQ_ERROR_DATA, "%s: it is empty; name %s", path, what);
}

srq_status srq_file_open_regular(const char *path, FILE **stream)
{
    int file;
    off_t size;
    *stream = NULL;
    SRQ_TRY(open_regular(path, "a file", &file, &size));
    *stream = fdopen(file, "rb");
    if (*stream) return SRQ_OK;
    close_file(file);
    return srq_fail_memory(0, path);
}

bool srq_file_is_regular(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

/* A network file system may report a full disk only when a descriptor is closed, so a copy of it is closed. */
srq_status srq_file_flush(FILE *stream, const char *name)
{
    errno = 0;
    bool failed = fflush(stream) != 0 || ferror(stream);
    const int copy = failed ? -1 : dup(fileno(stream));
    if (copy >= 0 && close_file(copy) != 0) failed = true;
    if (!failed) return SRQ_OK;
    return srq_fail(SRQ_ERROR_RUN, "cannot write %s: %s; free some space, or send it to another place", name,
                    errno ? strerror(errno) : "an earlier part of it could not be written");
}

srq_status srq_file_read_text(const char *path, size_t limit, char **text)
{
    FILE *stream = NULL;
    SRQ_TRY(srq_file_open_regular(path, &stream));
    srq_status status = read_stream(stream, path, limit, text);
    fclose(stream);
    return status;
}
