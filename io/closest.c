#include "io/closest.h"

#include <limits.h>
#include <string.h>

enum { WORD_MAX = 64 };

static int smallest(int a, int b, int c)
{
    int ab = a < b ? a : b;
    return ab < c ? ab : c;
}

int srq_distance(const char *a, const char *b)
{
    int row[WORD_MAX + 1];
    const int n = (int)strnlen(a, WORD_MAX), m = (int)strnlen(b, WORD_MAX);
    for (int j = 0; j <= m; j++) row[j] = j;
    for (int i = 1; i <= n; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= m; j++) {
            int above = row[j];
            row[j] = smallest(row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[m];
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
