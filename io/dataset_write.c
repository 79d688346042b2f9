#include "io/dataset_write.h"

#include "io/dataset.h"
#include "io/file.h"
#include "io/path.h"
#include "io/pixel_sums.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* --- Name and destination */

void srq_source_name(const char *source, char *name, size_t size)
{
    char *real = realpath(source, NULL);
    const char *path = real ? real : source, *slash = strrchr(path, '/');
    snprintf(name, size, "%s", slash && slash[1] ? slash + 1 : path);
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

srq_status srq_dest_make_folder(const char *dest)
{
    char folder[SRQ_PATH_SIZE];
    snprintf(folder, sizeof folder, "%s", dest);
    char *slash = strrchr(folder, '/');
    if (!slash || slash == folder) return SRQ_OK;
    *slash = '\0';
    return srq_folder_create(folder);
}

/* --- Contents */

srq_status srq_about_write(const srq_about *about, srq_h5_writer *writer)
{
    SRQ_TRY(srq_h5_write_attribute_text(writer, "/", "name", about->name));
    SRQ_TRY(srq_h5_write_attribute_text(writer, "/", "source", about->source));
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
