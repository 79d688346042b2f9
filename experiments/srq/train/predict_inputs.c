#include "experiments/srq/train/predict_inputs.h"

#include "io/file.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { FILE_MAX = 1 << 28 }; /* bytes, as for an image of a data set */

static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), part = strlen(end);
    return length >= part && strcasecmp(text + length - part, end) == 0;
}

bool srq_predict_is_dataset(const char *path)
{
    static const char signature[] = "\x89HDF\r\n\x1a\n";
    char start[sizeof signature - 1] = "";
    FILE *file = NULL;
    struct stat info;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) return false;
    if (ends_with(path, ".h5")) return true;
    if (srq_file_open_regular(path, &file) != SRQ_OK) return false;
    const size_t n = fread(start, 1, sizeof start, file);
    fclose(file);
    return n == sizeof start && memcmp(start, signature, n) == 0;
}

/* --- Files */

/* `problem` may be NULL. */
static srq_status add(srq_predict_inputs *inputs, const char *path, const char *problem)
{
    if (inputs->count == inputs->room) {
        const long room = inputs->room ? 2 * inputs->room : 64;
        srq_predict_file *larger = realloc(inputs->files, (size_t)room * sizeof *larger);
        if (!larger) return srq_fail_memory((size_t)room * sizeof *larger, "the list of images");
        inputs->files = larger;
        inputs->room = room;
    }
    srq_predict_file *file = &inputs->files[inputs->count];
    *file = (srq_predict_file){.path = strdup(path), .problem = problem ? strdup(problem) : NULL};
    inputs->count++;
    if (file->path && (file->problem || !problem)) return SRQ_OK;
    return srq_fail_memory(strlen(path), "the list of images");
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool is_image(const char *name)
{
    return ends_with(name, ".jpg") || ends_with(name, ".jpeg") || ends_with(name, ".png");
}

/* The input itself is taken whatever its name is. */
static srq_status take(srq_predict_inputs *inputs, FTS *tree, FTSENT *entry)
{
    const bool named = entry->fts_level == 0, hidden = !named && entry->fts_name[0] == '.';
    switch (entry->fts_info) {
    case FTS_DP:
        return SRQ_OK;
    case FTS_D:
        if (hidden) fts_set(tree, entry, FTS_SKIP);
        return SRQ_OK;
    case FTS_F:
        if (named || (!hidden && is_image(entry->fts_name))) return add(inputs, entry->fts_path, NULL);
        break;
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        return add(inputs, entry->fts_path, strerror(entry->fts_errno));
    case FTS_SLNONE:
        if (named || (!hidden && is_image(entry->fts_name)))
            return add(inputs, entry->fts_path, "a link to a file that does not exist");
        break;
    default: /* a FIFO or a device; a folder that a link leads back to */
        if (named) return add(inputs, entry->fts_path, "not a regular file");
    }
    inputs->left_out += !hidden;
    return SRQ_OK;
}

static srq_status list_one(srq_predict_inputs *inputs, const char *path)
{
    char *copy = strdup(path), *roots[] = {copy, NULL};
    const long before = inputs->count;
    FTS *tree = copy ? fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, by_name) : NULL;
    srq_status status = SRQ_OK;
    bool folder = false;
    if (!tree) status = copy && errno != ENOMEM ? add(inputs, path, strerror(errno)) : srq_fail_memory(0, "a folder");
    for (FTSENT *entry; tree && status == SRQ_OK && (errno = 0, entry = fts_read(tree));) {
        folder = folder || (entry->fts_level == 0 && entry->fts_info == FTS_D);
        status = take(inputs, tree, entry);
    }
    if (tree && status == SRQ_OK && errno) status = add(inputs, path, strerror(errno));
    if (status == SRQ_OK && folder && inputs->count == before)
        status = add(inputs, path, "this folder and those below it hold no .jpg, .jpeg or .png file");
    if (tree) fts_close(tree);
    free(copy);
    return status;
}

srq_status srq_predict_list(int count, char *const *paths, srq_predict_inputs *inputs)
{
    *inputs = (srq_predict_inputs){0};
    for (int i = 0; i < count; i++) SRQ_TRY(list_one(inputs, paths[i]));
    return SRQ_OK;
}

static srq_status read_stream(srq_predict_inputs *inputs, FILE *stream, size_t *size)
{
    struct stat info;
    if (fstat(fileno(stream), &info) != 0) return srq_fail(SRQ_ERROR_DATA, "%s", strerror(errno));
    if (info.st_size > FILE_MAX) return srq_fail(SRQ_ERROR_DATA, "larger than %d bytes; is it an image?", FILE_MAX);
    const size_t wanted = (size_t)info.st_size;
    if (wanted + 1 > inputs->bytes_room) {
        uint8_t *larger = realloc(inputs->bytes, wanted + 1);
        if (!larger) return srq_fail_memory(wanted + 1, "an image file");
        inputs->bytes = larger;
        inputs->bytes_room = wanted + 1;
    }
    *size = fread(inputs->bytes, 1, wanted, stream);
    if (ferror(stream)) return srq_fail(SRQ_ERROR_DATA, "cannot be read: %s", strerror(errno));
    return SRQ_OK;
}

static srq_status make_from_file(srq_predict_inputs *inputs, const srq_view *view, srq_view_bench *bench,
                                 const srq_predict_file *file, float *to)
{
    size_t size = 0;
    struct stat info;
    if (file->problem) return srq_fail(SRQ_ERROR_DATA, "%s", file->problem);
    if (stat(file->path, &info) != 0) return srq_fail(SRQ_ERROR_DATA, "%s", strerror(errno));
    if (!S_ISREG(info.st_mode)) return srq_fail(SRQ_ERROR_DATA, "not a regular file");
    FILE *stream = fopen(file->path, "rb");
    if (!stream) return srq_fail(SRQ_ERROR_DATA, "%s", strerror(errno));
    const srq_status status = read_stream(inputs, stream, &size);
    fclose(stream);
    SRQ_TRY(status);
    return srq_view_make_encoded(view, bench, inputs->bytes, size, to);
}

/* --- A split */

srq_status srq_predict_list_split(const srq_dataset *dataset, const srq_settings *settings, const char *split,
                                  srq_predict_inputs *inputs)
{
    const bool test = strcmp(split, "test") == 0, train = strcmp(split, "train") == 0;
    *inputs = (srq_predict_inputs){.dataset = dataset, .split = test ? SRQ_TEST : SRQ_TRAIN, .split_name = split};
    if (test) {
        inputs->count = (long)dataset->splits[SRQ_TEST].count;
        return SRQ_OK;
    }
    if (!train && settings->data.validation <= 0)
        return srq_fail(SRQ_ERROR_USAGE,
                        "predict: --split validation: this network was trained without validation images "
                        "(data.validation is 0); use --split test or --split train");
    SRQ_TRY(srq_holdout_create(dataset, settings->data.validation, (uint64_t)settings->train.seed, &inputs->holdout));
    inputs->indices = train ? inputs->holdout.train : inputs->holdout.validation;
    inputs->count = (long)(train ? inputs->holdout.train_count : inputs->holdout.count);
    return SRQ_OK;
}

void srq_predict_inputs_free(srq_predict_inputs *inputs)
{
    for (long i = 0; inputs->files && i < inputs->count; i++) {
        free(inputs->files[i].path);
        free(inputs->files[i].problem);
    }
    free(inputs->files);
    free(inputs->bytes);
    srq_holdout_free(&inputs->holdout);
    *inputs = (srq_predict_inputs){0};
}

/* --- Images */

static size_t index_in_split(const srq_predict_inputs *inputs, long index)
{
    return inputs->indices ? inputs->indices[index] : (size_t)index;
}

const char *srq_predict_name(const srq_predict_inputs *inputs, long index, char *out, size_t size)
{
    if (inputs->files) return inputs->files[index].path;
    /* The number is that of the image in the file, where validation images are in the training split. */
    snprintf(out, size, "%s/%zu", inputs->split_name, index_in_split(inputs, index));
    return out;
}

int srq_predict_label(const srq_predict_inputs *inputs, long index)
{
    if (!inputs->dataset) return -1;
    return inputs->dataset->splits[inputs->split].labels[index_in_split(inputs, index)];
}

srq_status srq_predict_make(srq_predict_inputs *inputs, const srq_view *view, srq_view_bench *bench, long index,
                            float *to)
{
    if (inputs->files) return make_from_file(inputs, view, bench, &inputs->files[index], to);
    return srq_view_make(view, bench, inputs->split, index_in_split(inputs, index), SRQ_VIEW_TEST, to);
}
