#include "io/folder.h"

#include "io/path.h"
#include "io/readable.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { PATH_SIZE = 4352, PATHS_MAX = 1 << 30 };

/* --- Names in a folder, sorted byte by byte */

typedef struct names {
    size_t count, room;
    char **list;
} names;

static void free_names(names *n)
{
    for (size_t i = 0; i < n->count; i++) free(n->list[i]);
    free(n->list);
    *n = (names){0};
}

static srq_status add_name(names *n, const char *name)
{
    if (n->count == n->room) {
        const size_t room = n->room ? 2 * n->room : 64;
        char **larger = realloc(n->list, room * sizeof *larger);
        if (!larger) return srq_fail_memory(room * sizeof *larger, "the names of images");
        n->list = larger;
        n->room = room;
    }
    n->list[n->count] = strdup(name);
    if (!n->list[n->count]) return srq_fail_memory(strlen(name) + 1, "the name of an image");
    n->count++;
    return SRQ_OK;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Whether a directory entry is of the kind that is searched. */
typedef bool (*accept)(const char *folder, const struct dirent *entry);

static bool is_folder(const char *folder, const struct dirent *entry)
{
    char path[PATH_SIZE];
    struct stat info;
    if (entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK) return entry->d_type == DT_DIR;
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool is_image(const char *folder, const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    bool named = dot && (strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0 || strcasecmp(dot, ".png") == 0);
    return named && !is_folder(folder, entry);
}

static srq_status read_names(const char *folder, accept wanted, names *n, size_t *left_out)
{
    DIR *stream = opendir(folder);
    if (!stream) return srq_fail(SRQ_ERROR_DATA, "%s: %s; check its permissions", folder, strerror(errno));
    srq_status status = SRQ_OK;
    errno = 0;
    for (struct dirent *entry; status == SRQ_OK && (entry = readdir(stream)); errno = 0) {
        if (entry->d_name[0] == '.') continue;
        if (wanted(folder, entry))
            status = add_name(n, entry->d_name);
        else
            ++*left_out;
    }
    if (status == SRQ_OK && errno) status = srq_fail(SRQ_ERROR_DATA, "%s: %s", folder, strerror(errno));
    closedir(stream);
    if (n->count) qsort(n->list, n->count, sizeof *n->list, compare);
    return status;
}

/* --- Paths of a split */

static srq_status list_class(const char *source, const char *split, const char *name, FILE *text, size_t *left_out)
{
    char path[PATH_SIZE];
    names files = {0};
    if ((size_t)snprintf(path, sizeof path, "%s/%s/%s", source, split, name) >= sizeof path)
        return srq_fail(SRQ_ERROR_DATA, "%s/%s: the path of a class is too long", source, split);
    srq_status status = read_names(path, is_image, &files, left_out);
    if (status == SRQ_OK && files.count == 0)
        status = srq_fail(SRQ_ERROR_DATA,
                          "%s: a class without images: it must contain files that end in .jpg, .jpeg or .png; fill or "
                          "remove the folder",
                          path);
    for (size_t i = 0; status == SRQ_OK && i < files.count; i++)
        fprintf(text, "%s/%s/%s%c", split, name, files.list[i], '\0');
    free_names(&files);
    return status;
}

static srq_status list_split(const char *source, const char *split, FILE *text, size_t *left_out)
{
    char path[PATH_SIZE];
    names classes = {0};
    snprintf(path, sizeof path, "%s/%s", source, split);
    srq_status status = read_names(path, is_folder, &classes, left_out);
    if (status == SRQ_OK && classes.count == 0)
        status =
            srq_fail(SRQ_ERROR_DATA, "%s: it contains no folders; it must have one for each class (%s/CLASS/IMAGE.jpg)",
                     path, split);
    for (size_t i = 0; status == SRQ_OK && i < classes.count; i++)
        status = list_class(source, split, classes.list[i], text, left_out);
    free_names(&classes);
    return status;
}

static bool holds_folders(const char *source, const char *split)
{
    char path[PATH_SIZE];
    names classes = {0};
    size_t left_out = 0;
    snprintf(path, sizeof path, "%s/%s", source, split);
    read_names(path, is_folder, &classes, &left_out);
    const bool any = classes.count > 0;
    free_names(&classes);
    return any;
}

/* ImageNet's test folder holds images without classes. val is used then. */
static srq_status list_all(const char *source, FILE *text, size_t *left_out)
{
    char path[PATH_SIZE];
    struct stat info;
    bool there[2];
    static const char *const tests[2] = {"test", "val"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", source, tests[i]);
        there[i] = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    }
    if (!there[0] && !there[1])
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: there is train/, but neither test/ nor val/ with the images to test on; add one "
                        "(test/CLASS/IMAGE.jpg)",
                        source);
    SRQ_TRY(list_split(source, "train", text, left_out));
    return list_split(source, there[0] && (!there[1] || holds_folders(source, "test")) ? "test" : "val", text,
                      left_out);
}

/* --- From paths to classes */

/* The second part of "split/class/file". */
static const char *class_of(const char *path, size_t *length)
{
    const char *begin = strchr(path, '/');
    begin = begin ? begin + 1 : path;
    *length = strcspn(begin, "/");
    return begin;
}

static bool same_class(const char *path, const char *name)
{
    size_t length;
    const char *begin = class_of(path, &length);
    return strlen(name) == length && strncmp(begin, name, length) == 0;
}

/* The name is stored, and shown by this program and by others. */
static srq_status check_class_name(const srq_folder *f, const char *name)
{
    char readable[SRQ_PATH_SIZE];
    if (srq_name_is_readable(name)) return SRQ_OK;
    return srq_fail(SRQ_ERROR_DATA,
                    "%s/train/%s: the name of a class must be UTF-8 without control characters (\\x.. stands for the "
                    "bytes that are not); rename the folder",
                    f->source, srq_name_readable(name, readable, sizeof readable));
}

static srq_status label_training(srq_folder *f)
{
    names classes = {0};
    srq_status status = SRQ_OK;
    for (size_t i = 0; status == SRQ_OK && i < f->counts[SRQ_TRAIN]; i++) {
        if (classes.count == 0 || !same_class(f->paths[i], classes.list[classes.count - 1])) {
            size_t length;
            char name[PATH_SIZE];
            const char *begin = class_of(f->paths[i], &length);
            snprintf(name, sizeof name, "%.*s", (int)length, begin);
            status = check_class_name(f, name);
            if (status == SRQ_OK) status = add_name(&classes, name);
        }
        f->labels[i] = (int32_t)classes.count - 1;
    }
    f->classes = (int)classes.count;
    f->class_names = classes.list;
    if (status != SRQ_OK || f->classes >= 2) return status;
    return srq_fail(SRQ_ERROR_DATA, "%s/train: only one class, \"%s\"; at least 2 are expected, a folder for each",
                    f->source, f->classes ? f->class_names[0] : "");
}

static srq_status label_test(srq_folder *f)
{
    size_t c = 0;
    for (size_t i = f->counts[SRQ_TRAIN]; i < f->counts[SRQ_TRAIN] + f->counts[SRQ_TEST]; i++) {
        if (!same_class(f->paths[i], f->class_names[c])) {
            for (c = 0; c < (size_t)f->classes && !same_class(f->paths[i], f->class_names[c]);) c++;
            if (c == (size_t)f->classes)
                return srq_fail(SRQ_ERROR_DATA, "%s/%s: its class is not one of the %d in train/; is it misspelt?",
                                f->source, f->paths[i], f->classes);
        }
        f->labels[i] = (int32_t)c;
    }
    return SRQ_OK;
}

static srq_status take_text(srq_folder *f)
{
    size_t count = 0;
    for (size_t i = 0; i < f->size; i++) count += f->text[i] == '\0';
    if (count > PATHS_MAX) return srq_fail(SRQ_ERROR_DATA, "%s: more than %d images", f->source, PATHS_MAX);
    f->paths = calloc(count + 1, sizeof *f->paths);
    f->labels = calloc(count + 1, sizeof *f->labels);
    if (!f->paths || !f->labels) return srq_fail_memory(count * sizeof *f->paths, "the paths of images");
    const char *at = f->text;
    for (size_t i = 0; i < count; i++, at += strlen(at) + 1) {
        f->paths[i] = at;
        f->counts[strncmp(at, "train/", 6) == 0 ? SRQ_TRAIN : SRQ_TEST]++;
    }
    SRQ_TRY(label_training(f));
    return label_test(f);
}

static srq_status finish(srq_status status, srq_folder *made, srq_folder **folder)
{
    if (status != SRQ_OK)
        srq_folder_destroy(&made);
    else
        *folder = made;
    return status;
}

srq_status srq_folder_list(const char *source, srq_folder **folder)
{
    srq_folder *f = calloc(1, sizeof *f);
    if (!f || !(f->source = strdup(source))) {
        free(f);
        return srq_fail_memory(sizeof *f, source);
    }
    FILE *text = open_memstream(&f->text, &f->size);
    srq_status status = text ? list_all(source, text, &f->left_out) : srq_fail_memory(0, "the paths of images");
    if (text && fclose(text) != 0 && status == SRQ_OK) status = srq_fail_memory(f->size, "the paths of images");
    if (status == SRQ_OK) status = take_text(f);
    return finish(status, f, folder);
}

srq_status srq_folder_from_text(const char *source, const char *text, size_t size, srq_folder **folder)
{
    srq_folder *f = calloc(1, sizeof *f);
    srq_status status = SRQ_OK;
    if (!f || !(f->source = strdup(source)) || !(f->text = malloc(size + 1)))
        status = srq_fail_memory(size, "the paths of images");
    if (status == SRQ_OK) {
        memcpy(f->text, text, size);
        f->text[size] = '\0';
        f->size = size;
        status = take_text(f);
    }
    return finish(status, f, folder);
}

void srq_folder_destroy(srq_folder **folder)
{
    srq_folder *f = *folder;
    if (!f) return;
    for (int c = 0; c < f->classes; c++) free(f->class_names[c]);
    free(f->class_names);
    free(f->paths);
    free(f->labels);
    free(f->text);
    free(f->source);
    free(f);
    *folder = NULL;
}
