/* Reads texts in libconfig's syntax into its trees.
 *
 * libconfig 1.5 has bugs: it ends the process at an @include of a folder, leaks memory in a text without a closing
 * quote, cuts an integer of more than 32 bits without an L to its lower half, reads 1e-400 as 0, and takes everything
 * behind a comment without an end for a comment. Therefore a pass over comments, texts and numbers finds these first.
 * Every mistake is SRQ_ERROR_USAGE with its place, "FILE:LINE: ...". */
#ifndef SRQ_IO_CONFIG_TREE_H
#define SRQ_IO_CONFIG_TREE_H

#include "core/status.h"

#include <libconfig.h>

/* Reads the file `path`, of at most 1 MiB, and the files that it includes into `tree`. It may begin with a byte-order
 * mark. The caller initializes `tree` with config_init, and destroys it also after a failure. */
srq_status srq_tree_read(config_t *tree, const char *path);

/* The same from a text in memory, which must not include files: it comes from a checkpoint, or is complete by itself.
 * `name` is the file name in messages. */
srq_status srq_tree_parse(config_t *tree, const char *text, const char *name);

#endif
