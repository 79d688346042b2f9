#include "experiments/srq/train/say_classes.h"

#include "io/escape.h"

#include <stdbool.h>

enum { NAME_WIDTH = 24, MATRIX_MAX = 20, CONFUSIONS = 20 };

static int name_width(const srq_class_results *r)
{
    int width = 5;
    for (int c = 0; c < r->classes; c++) {
        const int columns = srq_text_width(r->names[c]);
        if (columns > width) width = columns;
    }
    return width < NAME_WIDTH ? width : NAME_WIDTH;
}

static void say_name(const char *name, int width)
{
    char cut[160];
    srq_text_cut(name, width, cut, sizeof cut);
    srq_say("%s%*s", cut, width - srq_text_width(cut), "");
}

static long cell(const srq_class_results *r, int label, int class)
{
    return r->confusion[(size_t)label * (size_t)r->classes + (size_t) class];
}

/* The class that images of `label` are most often taken for, or -1. */
static int most_frequent(const srq_class_results *r, int label)
{
    int best = -1;
    for (int c = 0; r->confusion && c < r->classes; c++)
        if (c != label && cell(r, label, c) > 0 && (best < 0 || cell(r, label, c) > cell(r, label, best))) best = c;
    return best;
}

static void say_class(const srq_class_results *r, int c, int width)
{
    char name[160];
    const int other = most_frequent(r, c);
    srq_say("%4d  ", c);
    say_name(r->names[c], width);
    srq_say("%8ld%8ld", r->images[c], r->errors[c]);
    if (r->images[c])
        srq_say("%8.2f %%", 100.0 * (double)r->errors[c] / (double)r->images[c]);
    else
        srq_say("%10s", "-");
    if (other >= 0)
        srq_say("  %s (%ld)", srq_text_cut(r->names[other], NAME_WIDTH, name, sizeof name), cell(r, c, other));
    srq_say("\n");
}

static void say_matrix(const srq_class_results *r, int width)
{
    int digits = 4;
    for (long most = 9999; most < r->count; most = most * 10 + 9) digits++;
    srq_say(
        "\nConfusion matrix: images of the class in the row that are predicted to be of the class in the column\n\n");
    srq_say("%*s", 6 + width, "");
    for (int c = 0; c < r->classes; c++) srq_say(" %*d", digits, c);
    for (int c = 0; c < r->classes; c++) {
        srq_say("\n%4d  ", c);
        say_name(r->names[c], width);
        for (int k = 0; k < r->classes; k++) srq_say(" %*ld", digits, cell(r, c, k));
    }
    srq_say("\n");
}

/* Whether (label, class) comes after (l, c) in the list: it is less frequent, or equal and later in the matrix. */
static bool is_after(const srq_class_results *r, int label, int class, int l, int c)
{
    const long here = cell(r, label, class), there = cell(r, l, c);
    return here != there ? here < there : label != l ? label > l : class > c;
}

static void say_confusions(const srq_class_results *r)
{
    int last[2] = {-1, -1};
    srq_say("\nMost frequent confusions\n\n");
    for (int n = 0; n < CONFUSIONS; n++) {
        int next[2] = {-1, -1};
        for (int l = 0; l < r->classes; l++)
            for (int c = 0; c < r->classes; c++) {
                if (l == c || !cell(r, l, c) || (n && !is_after(r, l, c, last[0], last[1]))) continue;
                if (next[0] < 0 || is_after(r, next[0], next[1], l, c)) next[0] = l, next[1] = c;
            }
        if (next[0] < 0) break;
        char name[160], other[160];
        srq_say("%8ld  %s taken for %s\n", cell(r, next[0], next[1]),
                srq_text_cut(r->names[next[0]], NAME_WIDTH, name, sizeof name),
                srq_text_cut(r->names[next[1]], NAME_WIDTH, other, sizeof other));
        last[0] = next[0];
        last[1] = next[1];
    }
}

void srq_say_classes(const srq_class_results *r)
{
    const int width = name_width(r);
    if (r->classes >= SRQ_CLASSES_TOP5)
        srq_say("top-5 error %.2f %% (%ld of %ld)\n", 100.0 * (double)r->beyond5 / (double)r->count, r->beyond5,
                r->count);
    srq_say("\n      ");
    say_name("class", width);
    srq_say("%8s%8s%10s%s\n", "images", "wrong", "error", r->confusion ? "  most often taken for" : "");
    for (int c = 0; c < r->classes; c++) say_class(r, c, width);
    if (!r->confusion) return;
    if (r->classes <= MATRIX_MAX)
        say_matrix(r, width);
    else
        say_confusions(r);
}
