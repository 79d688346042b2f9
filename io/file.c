#include "io/file.h"

#include "io/file_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4352 };

static int system_open(const char *path, int flags, mode_t mode)
{
    return open(path, flags, mode);
}

const srq_file_calls srq_file_system = {
    .open = system_open, .write = write, .fsync = fsync, .close = close, .rename = rename};

static srq_status cannot(const char *what, const char *path)
{
    return srq_fail(SRQ_ERROR_RUN,
                    "cannot %s %s: %s; check the rights and the free space there, or choose another folder", what, path,
                    strerror(errno));
}

static srq_status write_all(const srq_file_calls *calls, int file, const char *path, const char *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = calls->write(file, data + done, size - done);
        if (n < 0 && errno == EINTR) continue;
        if (n == 0) errno = ENOSPC;
        if (n <= 0)
            return srq_fail(SRQ_ERROR_RUN,
                            "cannot write %s: %s (after %zu of %zu bytes); free some space or choose another folder",
                            path, strerror(errno), done, size);
        done += (size_t)n;
    }
    return SRQ_OK;
}

/* fsync, gone on with after a signal; 0 or -1 with errno. */
static int sync_whole(const srq_file_calls *calls, int file)
{
    int result;
    do result = calls->fsync(file);
    while (result != 0 && errno == EINTR);
    return result;
}

/* The name of a renamed file is safe only when its folder has been written out, too. */
static srq_status sync_folder(const srq_file_calls *calls, const char *path)
{
    char copy[PATH_SIZE];
    snprintf(copy, sizeof copy, "%s", path);
    const char *folder = dirname(copy);
    int file = calls->open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (file < 0) return cannot("open", folder);
    const int result = sync_whole(calls, file);
    /* Some network file systems sync no folders at all, and say so: there is nothing more to be done there. */
    bool done = result == 0 || errno == EINVAL || errno == ENOTSUP;
    srq_status status = done ? SRQ_OK : cannot("sync", folder);
    calls->close(file);
    return status;
}

/* Messages name the target: the temporary file is nothing that the user knows of. */
static srq_status write_temporary(const srq_file_calls *calls, const char *path, const char *target, const void *data,
                                  size_t size)
{
    int file;
    do file = calls->open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    while (file < 0 && errno == EINTR);
    if (file < 0) return cannot("create", target);
    srq_status status = write_all(calls, file, target, data, size);
    if (status == SRQ_OK && sync_whole(calls, file) != 0) status = cannot("sync", target);
    /* Some file systems report a failed write only here. */
    if (calls->close(file) != 0 && errno != EINTR && status == SRQ_OK) status = cannot("close", target);
    return status;
}

srq_status srq_file_write_with(const srq_file_calls *calls, const char *path, const void *data, size_t size)
{
    char temporary[PATH_SIZE], folder[PATH_SIZE], name[PATH_SIZE];
    snprintf(folder, sizeof folder, "%s", path);
    snprintf(name, sizeof name, "%s", path);
    int n = snprintf(temporary, sizeof temporary, "%s/.%s.tmp.%ld", dirname(folder), basename(name), (long)getpid());
    if (n < 0 || (size_t)n >= sizeof temporary)
        return srq_fail(SRQ_ERROR_RUN, "%s: the path is too long; choose a shorter one", path);
    srq_status status = write_temporary(calls, temporary, path, data, size);
    if (status == SRQ_OK && calls->rename(temporary, path) != 0) status = cannot("rename a file to", path);
    if (status != SRQ_OK) {
        unlink(temporary);
        return status;
    }
    return sync_folder(calls, path);
}

srq_status srq_file_write_atomic(const char *path, const void *data, size_t size)
{
    return srq_file_write_with(&srq_file_system, path, data, size);
}

srq_status srq_file_publish(const char *made, const char *path)
{
    const srq_file_calls *calls = &srq_file_system;
    int file = calls->open(made, O_RDONLY | O_CLOEXEC, 0);
    if (file < 0) return cannot("open", made);
    srq_status status = sync_whole(calls, file) == 0 ? SRQ_OK : cannot("sync", made);
    calls->close(file);
    if (status == SRQ_OK && calls->rename(made, path) != 0) status = cannot("rename a file to", path);
    return status == SRQ_OK ? sync_folder(calls, path) : status;
}

srq_status srq_folder_create(const char *path)
{
    char part[PATH_SIZE];
    if (!path[0]) return srq_fail(SRQ_ERROR_RUN, "cannot create a folder whose name is empty; name one");
    snprintf(part, sizeof part, "%s", path);
    for (char *slash = part + 1; *slash; slash++) {
        if (*slash != '/') continue;
        *slash = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST) return cannot("create the folder", part);
        *slash = '/';
    }
    struct stat info;
    if (mkdir(part, 0777) != 0 && errno != EEXIST) return cannot("create the folder", part);
    if (stat(part, &info) == 0 && S_ISDIR(info.st_mode)) return SRQ_OK;
    return srq_fail(SRQ_ERROR_RUN, "cannot create the folder %s: a file is in its place; choose another name", part);
}

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
    if (status == SRQ_OK)
        *text = buffer;
    else
        free(buffer);
    return status;
}

srq_status srq_file_read_text(const char *path, size_t limit, char **text)
{
    struct stat info;
    if (stat(path, &info) != 0) return srq_fail(SRQ_ERROR_DATA, "%s: %s; check the path", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return srq_fail(SRQ_ERROR_DATA, "%s: %s; name a file", path,
                        S_ISDIR(info.st_mode) ? "it is a folder" : "it is not a regular file");
    FILE *stream = fopen(path, "rb");
    if (!stream) return srq_fail(SRQ_ERROR_DATA, "%s: %s; check its rights", path, strerror(errno));
    srq_status status = read_stream(stream, path, limit, text);
    fclose(stream);
    return status;
}
