/* Imports image folders (io/folder.h) with any number of processes.
 *
 * The sorted list of images is divided into parts. A process makes a part by decoding its images and writing
 * DEST.parts/part-N.h5. If a part exists already and was made from the same files (names, sizes, times), it is used
 * again, so an import resumes after a kill. When all parts are finished, one process joins them to DEST and removes
 * them. DEST does not depend on the number of processes. */
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
    srq_dest lock; /* of the destination; SRQ_DEST_NONE in all but one process */
    size_t parts;  /* number of parts: of training images, then of test images */
} srq_import;

/* In one process: locks the destination until *import is destroyed, checks it, and lists the source (*done_already as
 * for srq_dataset_import). The caller destroys *import. */
srq_status srq_import_open(const char *source, const char *dest, bool *done_already, srq_import **import);
/* In the other processes: the same import, from the text of the folder's list. */
srq_status srq_import_from_text(const char *source, const char *dest, const char *text, size_t size,
                                srq_import **import);
void srq_import_destroy(srq_import **import);

/* Makes part `part`, unless it exists, and adds to the counts. `tick`, if not NULL, is called after each image. Bad
 * images are recorded in the part and are not a failure. */
srq_status srq_import_make_part(const srq_import *import, size_t part, srq_import_counts *counts, srq_import_tick tick,
                                void *context);

/* Joins all parts to the destination (io/import_join.c). Bad images are listed on `out`, and the result is
 * SRQ_ERROR_DATA. With `skip_bad`, they are skipped instead, and their list is written to DEST.skipped.txt. */
srq_status srq_import_join(const srq_import *import, bool skip_bad, FILE *out);

/* --- For io/import_join.c */

/* The split of an image of the folder's list. No part has images of both splits. */
int srq_import_split_of(const srq_import *import, size_t image);
/* Reads part `part`, like srq_part_read. *first is the index of its first image in the list. SRQ_ERROR_DATA if it
 * cannot be used. The caller destroys *read. */
srq_status srq_import_read_part(const srq_import *import, size_t part, unsigned what, size_t *first, srq_part **read);
/* Adds an image to the checksum of the folder: its path and its SHA-256 ("" if it cannot be read). Images are added in
 * order. */
void srq_import_add_checksum(srq_digest *digest, const char *path, const char *of_file);

#endif
