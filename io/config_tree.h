/* Texts in libconfig's syntax, read into its trees.
 *
 * libconfig 1.5 ends the process when it meets an @include of a folder, loses memory in a text without a closing quote,
 * and cuts an integer of more than 32 bits without an L to its lower half. A pass of our own over comments, texts and
 * numbers goes first and finds these. Every mistake is SRQ_ERROR_USAGE with its place, "FILE:LINE: ...". */
#ifndef SRQ_IO_CONFIG_TREE_H
#define SRQ_IO_CONFIG_TREE_H

#include "core/status.h"

#include <libconfig.h>

/* Reads the file `path`, of at most 1 MiB, and those that it includes into `tree`, which the caller has made by
 * config_init and destroys whatever the outcome. */
srq_status srq_tree_read(config_t *tree, const char *path);

/* The same from a text in memory; `name` stands for the file in messages. */
srq_status srq_tree_parse(config_t *tree, const char *text, const char *name);

#endif
