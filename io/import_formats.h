/* Imports of formats with a few files, by one process. Each has the arguments of srq_dataset_import (io/import.h),
 * which chooses the format. */
#ifndef SRQ_IO_IMPORT_FORMATS_H
#define SRQ_IO_IMPORT_FORMATS_H

#include "core/status.h"

#include <stdbool.h>
#include <stdio.h>

/* MNIST's four files. */
srq_status srq_import_idx(const char *source, const char *dest, FILE *progress, bool *done_already);
/* The binary files of CIFAR-10 or, with `fine`, those of CIFAR-100 with its 100 fine labels. */
srq_status srq_import_cifar(const char *source, bool fine, const char *dest, FILE *progress, bool *done_already);

#endif
