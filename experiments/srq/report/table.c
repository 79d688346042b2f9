#include "experiments/srq/report/table.h"

#include "io/escape.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>

enum {
    WIDTH_MAX = 72,    /* width of a column on a terminal */
    HTML_MOST = 200000 /* bytes; further rows are omitted from a page, so that it stays below 1 MB */
};

struct srq_table {
    int columns, count, room; /* count: number of cells */
    const srq_column *titles;
    char **cells;
    bool failed;
};

srq_status srq_table_create(int columns, const srq_column *titles, srq_table **table)
{
    *table = calloc(1, sizeof **table);
    if (!*table) return srq_fail_memory(sizeof **table, "a table");
    **table = (srq_table){.columns = columns, .titles = titles};
    return SRQ_OK;
}

void srq_table_destroy(srq_table **table)
{
    if (!*table) return;
    for (int i = 0; i < (*table)->count; i++) free((*table)->cells[i]);
    free((*table)->cells);
    free(*table);
    *table = NULL;
}

void srq_table_add(srq_table *t, const char *format, ...)
{
    if (t->count == t->room) {
        const int room = t->room ? 2 * t->room : 64;
        char **larger = realloc(t->cells, (size_t)room * sizeof *larger);
        t->failed = t->failed || !larger;
        if (!larger) return;
        t->cells = larger;
        t->room = room;
    }
    va_list args;
    char *cell = NULL;
    va_start(args, format);
    if (vasprintf(&cell, format, args) < 0) cell = NULL;
    va_end(args);
    t->failed = t->failed || !cell;
    if (cell) t->cells[t->count++] = cell;
}

void srq_table_add_number(srq_table *table, double value)
{
    if (isfinite(value))
        srq_table_add(table, "%.9g", value);
    else
        srq_table_add(table, "%s", "");
}

static int width_of(const srq_table *t, int column)
{
    int width = srq_text_width(t->titles[column].title);
    for (int i = column; i < t->count; i += t->columns) {
        const int cell = srq_text_width(t->cells[i]);
        if (cell > width) width = cell;
    }
    return width < WIDTH_MAX ? width : WIDTH_MAX;
}

/* The next line of a cell. A cell that is wider than its column has several. */
static void print_text_cell(const srq_table *t, int column, int width, const char **rest, FILE *out)
{
    char line[4 * WIDTH_MAX + 8];
    srq_text_next_line(rest, width, line, sizeof line);
    const int space = width - srq_text_width(line), last = column + 1 == t->columns;
    const bool right = t->titles[column].kind == SRQ_COLUMN_NUMBER;
    fprintf(out, "%*s%s%*s%s", right ? space : 0, "", line, right || last ? 0 : space, "", last ? "\n" : "  ");
}

/* `rest` is room for t->columns texts. Titles if `cells` is NULL. */
static void print_text_row(const srq_table *t, const int *widths, char *const *cells, const char **rest, FILE *out)
{
    for (int c = 0; c < t->columns; c++) rest[c] = cells ? cells[c] : t->titles[c].title;
    for (bool more = true; more;) {
        more = false;
        for (int c = 0; c < t->columns; c++) {
            print_text_cell(t, c, widths[c], &rest[c], out);
            more = more || *rest[c];
        }
    }
}

static srq_status print_text(const srq_table *t, FILE *out)
{
    int *widths = calloc((size_t)t->columns, sizeof *widths);
    const char **rest = calloc((size_t)t->columns, sizeof *rest);
    if (widths && rest) {
        for (int c = 0; c < t->columns; c++) widths[c] = width_of(t, c);
        print_text_row(t, widths, NULL, rest, out);
        for (int i = 0; i + t->columns <= t->count; i += t->columns) print_text_row(t, widths, t->cells + i, rest, out);
    }
    const bool made = widths && rest;
    free(widths);
    free(rest);
    return made ? SRQ_OK : srq_fail_memory((size_t)t->columns * sizeof *rest, "a table");
}

static void print_html_row(const srq_table *t, const char *tag, char *const *cells, FILE *out)
{
    fputs("<tr>", out);
    for (int c = 0; c < t->columns; c++) {
        fprintf(out, "<%s%s>", tag, t->titles[c].kind == SRQ_COLUMN_NUMBER ? " class=\"n\"" : "");
        srq_print_escaped(cells ? cells[c] : t->titles[c].title, SRQ_ESCAPE_HTML, out);
        fprintf(out, "</%s>", tag);
    }
    fputs("</tr>\n", out);
}

static void print_html(const srq_table *t, FILE *out)
{
    const int rows = t->count / t->columns;
    const long start = ftell(out);
    fputs("<table>\n<thead>\n", out);
    print_html_row(t, "th", NULL, out);
    fputs("</thead>\n<tbody>\n", out);
    int row = 0;
    for (; row < rows && ftell(out) - start < HTML_MOST; row++)
        print_html_row(t, "td", t->cells + row * t->columns, out);
    if (row < rows)
        fprintf(out, "<tr><td colspan=\"%d\">%d more rows are in the .csv file beside this page.</td></tr>\n",
                t->columns, rows - row);
    fputs("</tbody>\n</table>\n", out);
}

static void print_markdown(const srq_table *t, FILE *out)
{
    for (int c = 0; c < t->columns; c++) {
        fputs(c ? " | " : "| ", out);
        srq_print_escaped(t->titles[c].title, SRQ_ESCAPE_MARKDOWN, out);
    }
    fputs(" |\n", out);
    for (int c = 0; c < t->columns; c++) fputs(t->titles[c].kind == SRQ_COLUMN_NUMBER ? "|---:" : "|---", out);
    fputs("|\n", out);
    for (int i = 0; i < t->count; i++) {
        fputs(i % t->columns ? " | " : "| ", out);
        srq_print_escaped(t->cells[i], SRQ_ESCAPE_MARKDOWN, out);
        if (i % t->columns + 1 == t->columns) fputs(" |\n", out);
    }
}

static void print_csv(const srq_table *t, FILE *out)
{
    for (int i = -t->columns; i < t->count; i++) {
        const int column = (i + t->columns) % t->columns;
        srq_print_escaped(i < 0 ? t->titles[column].title : t->cells[i], SRQ_ESCAPE_CSV, out);
        fputs(column + 1 == t->columns ? "\r\n" : ",", out);
    }
}

srq_status srq_table_print(const srq_table *t, srq_table_format format, FILE *out)
{
    if (t->failed) return srq_fail_memory(0, "a table");
    if (format == SRQ_TABLE_TEXT) return print_text(t, out);
    if (format == SRQ_TABLE_HTML) print_html(t, out);
    if (format == SRQ_TABLE_MARKDOWN) print_markdown(t, out);
    if (format == SRQ_TABLE_CSV) print_csv(t, out);
    return SRQ_OK;
}
