#include "io/closest.h"

#include <ctype.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

enum { WORD_MAX = 64, LEAST_PREFIX = 3 };

/* Copies a word in lower case, without - and _. Returns its length. */
static int simplify(const char *word, size_t length, char out[WORD_MAX + 1])
{
    int n = 0;
    for (size_t i = 0; i < length && word[i] && n < WORD_MAX; i++)
        if (word[i] != '-' && word[i] != '_') out[n++] = (char)tolower((unsigned char)word[i]);
    out[n] = '\0';
    return n;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

int srq_distance(const char *first, const char *second)
{
    char a[WORD_MAX + 1], b[WORD_MAX + 1];
    int rows[3][WORD_MAX + 1]; /* of a[i - 2], a[i - 1] and a[i] */
    const int n = simplify(first, SIZE_MAX, a), m = simplify(second, SIZE_MAX, b);
    for (int j = 0; j <= m; j++) rows[0][j] = j;
    for (int i = 1; i <= n; i++) {
        int *row = rows[i % 3];
        const int *above = rows[(i + 2) % 3], *over = rows[(i + 1) % 3];
        row[0] = i;
        for (int j = 1; j <= m; j++) {
            row[j] = smaller(smaller(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = smaller(row[j], over[j - 2] + 1);
        }
    }
    const int shorter = smaller(n, m), distance = rows[n % 3][m];
    return distance > 1 && shorter >= LEAST_PREFIX && strncmp(a, b, (size_t)shorter) == 0 ? 1 : distance;
}

bool srq_is_near(const char *word, const char *name)
{
    char room[WORD_MAX + 1];
    const int n = simplify(word, SIZE_MAX, room), m = simplify(name, SIZE_MAX, room);
    return srq_distance(word, name) <= ((n > m ? n : m) + 2) / 3;
}

const char *srq_closest(const char *word, const char *const *words, int count)
{
    const char *best = count ? words[0] : "";
    int least = INT_MAX;
    for (int i = 0; i < count; i++) {
        int d = srq_distance(word, words[i]);
        if (d < least) {
            least = d;
            best = words[i];
        }
    }
    return best;
}

const char *srq_near(const char *word, const char *const *words, int count)
{
    const char *best = srq_closest(word, words, count);
    return count && srq_is_near(word, best) ? best : NULL;
}

const char *srq_synonym_find(const srq_synonym *table, int count, const char *word)
{
    char wanted[WORD_MAX + 1], found[WORD_MAX + 1];
    simplify(word, SIZE_MAX, wanted);
    for (int i = 0; i < count; i++)
        for (const char *at = table[i].words; *at; at += strspn(at, "|")) {
            const size_t length = strcspn(at, "|");
            simplify(at, length, found);
            if (strcmp(found, wanted) == 0) return table[i].name;
            at += length;
        }
    return NULL;
}
