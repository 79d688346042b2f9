#include "io/import.h"

#include "io/dataset_write.h"
#include "io/import_folder.h"
#include "io/import_formats.h"
#include "io/path.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static bool holds(const char *source, const char *name, bool folder)
{
    char path[SRQ_PATH_SIZE];
    struct stat info;
    snprintf(path, sizeof path, "%s/%s", source, name);
    return stat(path, &info) == 0 && (S_ISDIR(info.st_mode) != 0) == folder;
}

static bool holds_any(const char *source, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (holds(source, names[i], false)) return true;
    return false;
}

srq_status srq_source_find(const char *source, srq_source_kind *kind)
{
    static const char *const cifar10[] = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                          "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"};
    static const char *const cifar100[] = {"train.bin", "test.bin"};
    static const char *const idx[] = {"train-images-idx3-ubyte", "train-images-idx3-ubyte.gz",
                                      "train-labels-idx1-ubyte", "train-labels-idx1-ubyte.gz",
                                      "t10k-images-idx3-ubyte",  "t10k-images-idx3-ubyte.gz",
                                      "t10k-labels-idx1-ubyte",  "t10k-labels-idx1-ubyte.gz"};
    struct stat info;
    if (!source[0])
        return srq_fail(SRQ_ERROR_USAGE, "the name of the source is empty; name the folder that holds the data");
    if (stat(source, &info) != 0)
        return srq_fail(SRQ_ERROR_DATA, "%s: %s; name the folder that holds the data", source, strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return srq_fail(SRQ_ERROR_DATA, "%s: it is a file; name the folder that holds the data", source);
    *kind = holds_any(source, idx, sizeof idx / sizeof *idx)                  ? SRQ_SOURCE_IDX
            : holds_any(source, cifar10, sizeof cifar10 / sizeof *cifar10)    ? SRQ_SOURCE_CIFAR10
            : holds_any(source, cifar100, sizeof cifar100 / sizeof *cifar100) ? SRQ_SOURCE_CIFAR100
                                                                              : SRQ_SOURCE_FOLDER;
    if (*kind != SRQ_SOURCE_FOLDER || holds(source, "train", true)) return SRQ_OK;
    return srq_fail(
        SRQ_ERROR_DATA,
        "%s: it contains no known format; it must contain one of: images as train/CLASS/IMAGE.jpg (or .jpeg, "
        ".png) and test/CLASS/... or val/CLASS/...; CIFAR-10 as data_batch_1.bin to data_batch_5.bin, "
        "test_batch.bin and batches.meta.txt; CIFAR-100 as train.bin, test.bin and fine_label_names.txt; "
        "IDX files as train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
        "t10k-labels-idx1-ubyte, plain or with .gz",
        source);
}

static srq_status import_files(const char *source, srq_source_kind kind, const char *dest, FILE *progress,
                               bool *done_already)
{
    srq_dest lock = SRQ_DEST_NONE;
    SRQ_TRY(srq_dest_lock(dest, &lock));
    srq_status status = kind == SRQ_SOURCE_IDX
                            ? srq_import_idx(source, dest, progress, done_already)
                            : srq_import_cifar(source, kind == SRQ_SOURCE_CIFAR100, dest, progress, done_already);
    srq_dest_unlock(dest, &lock);
    return status;
}

srq_status srq_dataset_import(const char *source, const char *dest, FILE *progress, bool *done_already)
{
    srq_source_kind kind;
    srq_import *import = NULL;
    srq_import_counts counts = {0};
    *done_already = false;
    SRQ_TRY(srq_dest_check_name(dest));
    SRQ_TRY(srq_source_find(source, &kind));
    if (kind != SRQ_SOURCE_FOLDER) return import_files(source, kind, dest, progress, done_already);
    srq_status status = srq_import_open(source, dest, done_already, &import);
    if (status == SRQ_OK && !*done_already) {
        for (size_t p = 0; status == SRQ_OK && p < import->parts; p++)
            status = srq_import_make_part(import, p, &counts, NULL, NULL);
        if (status == SRQ_OK) status = srq_import_join(import, false, progress);
    }
    srq_import_destroy(&import);
    return status;
}
