/* A small folder of images, and its import. */
#ifndef SRQ_TESTS_IO_IMPORT_SOURCE_H
#define SRQ_TESTS_IO_IMPORT_SOURCE_H

#include "core/random.h"
#include "io/dataset.h"
#include "io/file.h"
#include "io/h5.h"
#include "io/image.h"
#include "io/import.h"
#include "io/import_folder.h"
#include "tests/io/scratch.h"
#include "tests/suite.h"

#include <sys/stat.h>

static inline void run(const char *format, const char *path)
{
    char command[1200];
    snprintf(command, sizeof command, format, path);
    if (system(command) != 0) abort();
}

/* --- Making folders */

static inline uint8_t value_at(int y, int x, int c, int seed)
{
    return (uint8_t)(60 + 5 * ((y + seed) % 16) + 4 * (x % 16) + 10 * c);
}

static inline void add_image(const char *name, int height, int width, int seed)
{
    char folder[600];
    uint8_t *bytes = NULL;
    size_t size = 0;
    srq_image image = {0};
    snprintf(folder, sizeof folder, "%s", scratch(name));
    *strrchr(folder, '/') = '\0';
    ck_assert_int_eq(srq_folder_create(folder), SRQ_OK);
    ck_assert_int_eq(srq_image_reserve(&image, height, width), SRQ_OK);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < 3; c++) image.pixels[(y * width + x) * 3 + c] = value_at(y, x, c, seed);
    ck_assert_int_eq(srq_image_encode(&image, 95, &bytes, &size), SRQ_OK);
    scratch_write(name, bytes, size);
    free(bytes);
    srq_image_free(&image);
}

static inline void make_source(void)
{
    add_image("src/train/cat/1.jpg", 8, 10, 1);
    add_image("src/train/cat/2.JPEG", 8, 10, 2);
    add_image("src/train/dog/1.jpg", 8, 10, 3);
    add_image("src/val/dog/1.jpg", 8, 10, 4);
    add_image("src/val/cat/1.jpg", 8, 10, 5);
}

/* After every test: nothing of HDF5 is open. */
static inline void clear_source(void)
{
    ck_assert_int_eq(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
    run("rm -rf '%s'/*", scratch_folder);
}

/* --- Expectations */

static inline srq_status import_with(bool skip_bad, FILE *out)
{
    bool done = false;
    srq_import *import = NULL;
    srq_import_counts counts = {0};
    srq_status status = srq_import_open(scratch("src"), scratch("out.h5"), &done, &import);
    for (size_t p = 0; status == SRQ_OK && p < import->parts; p++)
        status = srq_import_make_part(import, p, &counts, NULL, NULL);
    if (status == SRQ_OK) status = srq_import_join(import, skip_bad, out);
    srq_import_destroy(&import);
    return status;
}

static inline void expect_import(srq_status status, const char *words)
{
    bool done;
    struct stat info;
    srq_status found = srq_dataset_import(scratch("src"), scratch("out.h5"), NULL, &done);
    ck_assert_msg(found == status, "status %d, not %d: %s", found, status, srq_message());
    if (words) ck_assert_msg(strstr(srq_message(), words) != NULL, "\"%s\" is not in: %s", words, srq_message());
    if (status != SRQ_OK) ck_assert_int_ne(stat(scratch("out.h5"), &info), 0);
}

static inline srq_dataset *load(void)
{
    srq_dataset *d = NULL;
    ck_assert_msg(srq_dataset_load(scratch("out.h5"), 3, &d) == SRQ_OK, "%s", srq_message());
    return d;
}

#endif
