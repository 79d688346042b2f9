/* The name that was meant: nearest by edit distance. */
#ifndef SRQ_IO_CLOSEST_H
#define SRQ_IO_CLOSEST_H

/* Levenshtein distance of the first 64 characters. */
int srq_distance(const char *a, const char *b);
/* The word in `words[count]` nearest to `word`; "" if there are none. */
const char *srq_closest(const char *word, const char *const *words, int count);

#endif
