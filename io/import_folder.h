/* Imports of image folders (io/folder.h), by any number of processes.
 *
 * The sorted list of images is cut into parts. Whoever makes a part decodes its images and writes DEST.parts/part-N.h5;
 * a part that is there and was made from the same files (names, sizes, times) is taken as it is, so that an import that
 * was killed goes on where it was. When all parts are there, one process joins them into DEST and removes them. Nothing
 * in DEST depends on who made what. */
#ifndef SRQ_IO_IMPORT_FOLDER_H
#define SRQ_IO_IMPORT_FOLDER_H

#include "core/status.h"
#include "io/dataset_write.h"
#include "io/digest.h"
#include "io/folder.h"
#include "io/import_part.h"
#include "io/path.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef struct srq_import {
    srq_folder *folder;
    char dest[SRQ_PATH_SIZE], parts_folder[SRQ_PATH_SIZE];
    char name[64];
    size_t parts; /* of training images, then of test images */
} srq_import;

/* One process: lists the source, looks at the destination (*done_already as srq_dataset_import). The caller destroys
 * *import. */
srq_status srq_import_open(const char *source, const char *dest, bool *done_already, srq_import **import);
/* The same import in another process, from the text of the folder's list. */
srq_status srq_import_from_text(const char *source, const char *dest, const char *text, size_t size,
                                srq_import **import);
void srq_import_destroy(srq_import **import);

/* Makes part `part`, or finds it made, and adds to the counts, image by image: `tick`, if not NULL, is called after
 * each. Bad images are noted in the part and are no failure. */
srq_status srq_import_make_part(const srq_import *import, size_t part, srq_import_counts *counts, srq_import_tick tick,
                                void *context);

/* Joins all parts into the destination (io/import_join.c). Bad images are listed on `out`; they are SRQ_ERROR_DATA
 * unless `skip_bad`, which leaves them out and writes their list to DEST.skipped.txt. */
srq_status srq_import_join(const srq_import *import, bool skip_bad, FILE *out);

/* --- For io/import_join.c */

/* SRQ_TRAIN or SRQ_TEST: which an image of the folder's list is in. No part has images of both. */
int srq_import_split_of(const srq_import *import, size_t image);
/* Reads part `part`, as srq_part_read, whose first image is *first of the list. SRQ_ERROR_DATA if it cannot be used.
 * The caller destroys *read. */
srq_status srq_import_read_part(const srq_import *import, size_t part, unsigned what, size_t *first, srq_part **read);
/* Adds an image to the checksum of a folder, which is over the path and the SHA-256 ("" if it cannot be read) of every
 * file in order. */
void srq_import_add_checksum(srq_digest *digest, const char *path, const char *of_file);

#endif
