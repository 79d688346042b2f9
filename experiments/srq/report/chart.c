#include "experiments/srq/report/chart.h"

#include <math.h>

enum { COLUMNS_MAX = 512 };

/* Computes the mean of each column, NaN if it has no value. If there are fewer values than columns, each value has a
 * column. Returns the number of columns. */
static int squeeze(int count, const double *values, int columns, double *means)
{
    const int used = count < columns ? count : columns;
    for (int c = 0; c < used; c++) {
        const int from = (int)((double)c * count / used), to = (int)((double)(c + 1) * count / used);
        double sum = 0;
        int there = 0;
        for (int i = from; i < to; i++) {
            if (!isfinite(values[i])) continue;
            sum += values[i];
            there++;
        }
        means[c] = there ? sum / there : NAN;
    }
    return used;
}

/* A character that is filled to `eighths`. */
static const char *block(int eighths, bool utf8)
{
    static const char *const blocks[] = {" ",
                                         "\xe2\x96\x81",
                                         "\xe2\x96\x82",
                                         "\xe2\x96\x83",
                                         "\xe2\x96\x84",
                                         "\xe2\x96\x85",
                                         "\xe2\x96\x86",
                                         "\xe2\x96\x87",
                                         "\xe2\x96\x88"};
    static const char *const plain[] = {" ", ".", ".", ":", ":", "+", "+", "#", "#"};
    const int at = eighths < 0 ? 0 : eighths > 8 ? 8 : eighths;
    return utf8 ? blocks[at] : plain[at];
}

static void find_range(int count, const double *values, double *least, double *most)
{
    *least = INFINITY;
    *most = -INFINITY;
    for (int i = 0; i < count; i++) {
        if (!isfinite(values[i])) continue;
        *least = fmin(*least, values[i]);
        *most = fmax(*most, values[i]);
    }
}

static bool is_logarithmic(double least, double most)
{
    return least > 0 && most > 2 * least;
}

bool srq_chart_is_logarithmic(int count, const double *values, int columns)
{
    double means[COLUMNS_MAX], least, most;
    const int used = squeeze(count, values, columns < COLUMNS_MAX ? columns : COLUMNS_MAX, means);
    find_range(used, means, &least, &most);
    return is_logarithmic(least, most);
}

void srq_chart_print(int count, const double *values, int rows, int columns, int indent, bool logarithmic, bool utf8,
                     FILE *out)
{
    double means[COLUMNS_MAX], least, most;
    const int used = squeeze(count, values, columns < COLUMNS_MAX ? columns : COLUMNS_MAX, means);
    find_range(used, means, &least, &most);
    const bool logs = logarithmic && is_logarithmic(least, most);
    for (int r = 0; r < rows; r++) {
        if (isfinite(least) && (r == 0 || r + 1 == rows))
            fprintf(out, "%12.4g  %*s", r == 0 ? most : least, indent - 14, "");
        else
            fprintf(out, "%*s", indent, "");
        for (int c = 0; c < used; c++) {
            double height = logs ? log(means[c] / least) / log(most / least) : (means[c] - least) / (most - least);
            if (!(most > least)) height = 0.5;
            const double filled = 1 + height * (8 * rows - 1) - 8 * (rows - 1 - r);
            fputs(isfinite(means[c]) ? block((int)lround(fmax(-1, fmin(9, filled))), utf8) : " ", out);
        }
        fputc('\n', out);
    }
}

void srq_chart_print_line(int count, const double *values, double most, int columns, bool utf8, FILE *out)
{
    double means[COLUMNS_MAX];
    const int used = squeeze(count, values, columns < COLUMNS_MAX ? columns : COLUMNS_MAX, means);
    for (int c = 0; c < used; c++) fputs(isfinite(means[c]) ? block((int)lround(8 * means[c] / most), utf8) : " ", out);
}
