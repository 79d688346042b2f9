#include "io/dataset_write.h"

#include "io/dataset.h"
#include "io/file.h"
#include "io/path.h"
#include "io/pixel_sums.h"
#include "io/readable.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- Name and destination */

void srq_source_name(const char *source, char *name, size_t size)
{
    char *real = realpath(source, NULL);
    const char *path = real ? real : source, *slash = strrchr(path, '/');
    srq_name_readable(slash && slash[1] ? slash + 1 : path, name, size);
    free(real);
}

srq_status srq_dest_check(const char *dest, const char *checksum, bool *done_already)
{
    struct stat info;
    *done_already = false;
    if (lstat(dest, &info) != 0) return SRQ_OK;
    srq_dataset *old = NULL;
    if (srq_dataset_load(dest, SRQ_LOAD_TRAIN | SRQ_LOAD_TEST, &old) != SRQ_OK)
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s: it exists already and is not a whole data set; remove it or choose another name", dest);
    *done_already = checksum && strcmp(old->checksum, checksum) == 0;
    srq_dataset_destroy(&old);
    if (*done_already || !checksum) return SRQ_OK;
    return srq_fail(SRQ_ERROR_USAGE,
                    "%s: it exists already and holds another data set; remove it or choose another name", dest);
}

static srq_status make_folder(const char *dest)
{
    char folder[SRQ_PATH_SIZE];
    snprintf(folder, sizeof folder, "%s", dest);
    char *slash = strrchr(folder, '/');
    if (!slash || slash == folder) return SRQ_OK;
    *slash = '\0';
    return srq_folder_create(folder);
}

/* --- The lock */

enum { ROOM_FOR_NAMES = 64 }; /* of what is put behind DEST: ".parts/part-000000.h5" */

srq_status srq_dest_check_name(const char *dest)
{
    struct stat info;
    const size_t length = strlen(dest);
    if (length == 0) return srq_fail(SRQ_ERROR_USAGE, "the name of the data set is empty; name a file such as data.h5");
    if (length + ROOM_FOR_NAMES > SRQ_PATH_MAX)
        return srq_fail(SRQ_ERROR_USAGE,
                        "%.200s...: the path has %zu bytes, but at most %d are possible; choose a "
                        "shorter one",
                        dest, length, SRQ_PATH_MAX - ROOM_FOR_NAMES);
    if (dest[length - 1] != '/' && (stat(dest, &info) != 0 || !S_ISDIR(info.st_mode))) return SRQ_OK;
    return srq_fail(SRQ_ERROR_USAGE, "%s: it is a folder; name the file to write, such as %s%sdata.h5", dest, dest,
                    dest[length - 1] == '/' ? "" : "/");
}

static void lock_path(const char *dest, char path[SRQ_PATH_SIZE])
{
    snprintf(path, SRQ_PATH_SIZE, "%.*s.lock", SRQ_PATH_SIZE - ROOM_FOR_NAMES, dest);
}

/* The other import may have finished and removed the file that was opened here. Its lock would protect nothing. */
static bool is_at(int file, const char *path)
{
    struct stat opened, named;
    return fstat(file, &opened) == 0 && stat(path, &named) == 0 && opened.st_dev == named.st_dev &&
           opened.st_ino == named.st_ino;
}

static srq_status in_use(int file, const char *dest)
{
    char holder[300] = "";
    const ssize_t n = pread(file, holder, sizeof holder - 1, 0);
    holder[n > 0 ? strcspn(holder, "\n") : 0] = '\0';
    return srq_fail(SRQ_ERROR_USAGE,
                    "%s: another import is writing it%s%s%s; wait until it has ended, or choose another name", dest,
                    *holder ? " (" : "", holder, *holder ? ")" : "");
}

/* For the message of another import. Its loss does no harm. */
static void leave_name(int file)
{
    char host[200] = "?", text[300];
    gethostname(host, sizeof host - 1);
    const int length = snprintf(text, sizeof text, "process %ld on %s\n", (long)getpid(), host);
    if (ftruncate(file, 0) == 0) (void)!pwrite(file, text, (size_t)length, 0);
}

srq_status srq_dest_lock(const char *dest, srq_dest *lock)
{
    char path[SRQ_PATH_SIZE];
    struct stat info;
    srq_lock state = SRQ_LOCK_NONE;
    srq_status status = SRQ_OK;
    if (lstat(dest, &info) == 0) return SRQ_OK;
    SRQ_TRY(make_folder(dest));
    lock_path(dest, path);
    do {
        if (lock->file >= 0) close(lock->file);
        lock->file = -1;
        SRQ_TRY(srq_file_open(path, O_RDWR | O_CREAT, &lock->file));
        status = srq_file_lock(lock->file, path, &state);
        if (status == SRQ_OK && state == SRQ_LOCK_HELD) status = in_use(lock->file, dest);
    } while (status == SRQ_OK && !is_at(lock->file, path));
    if (status == SRQ_OK) {
        lock->exclusive = state == SRQ_LOCK_TAKEN;
        leave_name(lock->file);
        return SRQ_OK;
    }
    close(lock->file);
    *lock = SRQ_DEST_NONE;
    return status;
}

void srq_dest_unlock(const char *dest, srq_dest *lock)
{
    char path[SRQ_PATH_SIZE];
    if (lock->file < 0) return;
    lock_path(dest, path);
    unlink(path); /* ahead of the unlocking: whoever locks it later sees that it is gone */
    close(lock->file);
    *lock = SRQ_DEST_NONE;
}

/* --- Contents */

srq_status srq_about_write(const srq_about *about, srq_h5_writer *writer)
{
    char source[4 * SRQ_PATH_SIZE], name[1024];
    for (int c = 0; c < about->classes; c++)
        if (!srq_name_is_readable(about->class_names[c]))
            return srq_fail(SRQ_ERROR_DATA,
                            "%s: the name of class %d is \"%s\", but names must be UTF-8 without control characters "
                            "(\\x.. stands for the bytes that are not); change it in the file of names",
                            about->source, c, srq_name_readable(about->class_names[c], name, sizeof name));
    SRQ_TRY(srq_h5_write_attribute_text(writer, "/", "name", about->name));
    SRQ_TRY(
        srq_h5_write_attribute_text(writer, "/", "source", srq_name_readable(about->source, source, sizeof source)));
    SRQ_TRY(srq_h5_write_attribute_text(writer, "/", "source_sha256", about->checksum));
    return srq_h5_write_texts(writer, "classes", (size_t)about->classes, about->class_names);
}

static srq_status fill(const srq_about *about, const size_t image[3], const srq_plain_split splits[2],
                       srq_h5_writer *writer)
{
    static const char *const names[2][2] = {{"train/images", "train/labels"}, {"test/images", "test/labels"}};
    srq_sums sums = {0};
    if (image[2] > SRQ_SUMS_CHANNELS)
        return srq_fail(SRQ_ERROR_DATA, "images of %zu channels: at most %d are expected", image[2], SRQ_SUMS_CHANNELS);
    srq_sums_add(&sums, splits[SRQ_TRAIN].images, splits[SRQ_TRAIN].count * image[0] * image[1], image[2]);
    SRQ_TRY(srq_about_write(about, writer));
    SRQ_TRY(srq_sums_write(&sums, image[2], writer));
    for (int s = 0; s < 2; s++) {
        const size_t shape[4] = {splits[s].count, image[0], image[1], image[2]};
        SRQ_TRY(srq_h5_write(writer, names[s][0], H5T_NATIVE_UINT8, 4, shape, splits[s].images));
        SRQ_TRY(srq_h5_write(writer, names[s][1], H5T_NATIVE_INT32, 1, shape, splits[s].labels));
    }
    return SRQ_OK;
}

srq_status srq_plain_write(const srq_about *about, const size_t shape[3], const srq_plain_split splits[2],
                           const char *path)
{
    srq_h5_writer *writer = NULL;
    SRQ_TRY(srq_h5_writer_create("srq-dataset", 1, &writer));
    srq_status status = fill(about, shape, splits, writer);
    if (status == SRQ_OK) status = srq_h5_writer_commit(writer, path);
    srq_h5_writer_destroy(&writer);
    return status;
}
