/* Opens a file for reading: checks that it is an HDF5 file of the expected kind with unchanged content. */
#include "io/h5_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static srq_status check_regular(const char *path, const char *what)
{
    struct stat info;
    if (stat(path, &info) != 0) return srq_fail(SRQ_ERROR_DATA, "%s: %s; name %s", path, strerror(errno), what);
    if (!S_ISREG(info.st_mode))
        return srq_fail(SRQ_ERROR_DATA, "%s: it is %s; name %s", path,
                        S_ISDIR(info.st_mode) ? "a folder" : "not a regular file", what);
    if (info.st_size == 0) return srq_fail(SRQ_ERROR_DATA, "%s: it is empty; name %s", path, what);
    FILE *stream = fopen(path, "rb");
    if (!stream) return srq_fail(SRQ_ERROR_DATA, "%s: %s; check its permissions", path, strerror(errno));
    fclose(stream);
    return SRQ_OK;
}

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

/* Checks the digest of files that have one. */
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

static srq_status open_reader(const char *path, const char *what, const char *format, int64_t oldest, int64_t newest,
                              int64_t *version, srq_h5_reader **out)
{
    srq_h5_quiet();
    SRQ_TRY(check_regular(path, what));
    srq_h5_reader *reader = calloc(1, sizeof *reader);
    if (!reader) return srq_fail_memory(sizeof *reader, path);
    snprintf(reader->path, sizeof reader->path, "%s", path);
    reader->file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    srq_status status;
    if (reader->file < 0) {
        char reason[SRQ_H5_REASON_SIZE];
        bool lock =
            strstr(srq_h5_reason(reason), "unable to lock file") != NULL; /* "lock" alone would also match "sblock" */
        status = srq_fail(SRQ_ERROR_DATA, "%s: not a whole HDF5 file (%s); %s", path, reason,
                          lock ? "set HDF5_USE_FILE_LOCKING=FALSE if the file system has no locks"
                               : "it may have been cut short: use another copy");
    } else {
        status = format ? check_format(reader, what, format, oldest, newest, version) : SRQ_OK;
        if (status == SRQ_OK) status = check_digest(reader);
    }
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
    if ((*reader)->file >= 0) H5Fclose((*reader)->file);
    free(*reader);
    *reader = NULL;
}

const char *srq_h5_reader_path(const srq_h5_reader *reader)
{
    return reader->path;
}
