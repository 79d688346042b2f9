/* Finds the most similar name, for "did you mean". */
#ifndef SRQ_IO_CLOSEST_H
#define SRQ_IO_CLOSEST_H

/* Levenshtein distance of the first 64 characters. */
int srq_distance(const char *a, const char *b);
/* The word in `words[count]` with the least distance to `word`; "" if count is 0. */
const char *srq_closest(const char *word, const char *const *words, int count);

#endif
