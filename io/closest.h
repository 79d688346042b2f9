/* Finds the name that someone meant, for "did you mean".
 *
 * Upper and lower case count as equal, and so do names with and without - and _: "batchSize" is "batch_size". */
#ifndef SRQ_IO_CLOSEST_H
#define SRQ_IO_CLOSEST_H

#include <stdbool.h>

/* The number of letters to insert, remove, replace or swap with their neighbour to get from `a` to `b` (optimal string
 * alignment), of their first 64 characters. At most 1 if one of them, of 3 or more letters, begins the other:
 * "MaxPool2d" and "max_pool". */
int srq_distance(const char *a, const char *b);
/* Whether the distance is so small that `word` may be a slip for `name`: at most a third of the longer one, rounded
 * up. */
bool srq_is_near(const char *word, const char *name);
/* The word in `words[count]` with the least distance to `word`; "" if count is 0. */
const char *srq_closest(const char *word, const char *const *words, int count);
/* The same if it is near, otherwise NULL. */
const char *srq_near(const char *word, const char *const *words, int count);

/* A word of the field, and srq's name for it. */
typedef struct srq_synonym {
    const char *words; /* in one text: "lr|rate" */
    const char *name;
} srq_synonym;

/* The name for which `word` is a synonym in `table`, or NULL. */
const char *srq_synonym_find(const srq_synonym *table, int count, const char *word);

#endif
