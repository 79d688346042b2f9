#include "experiments/srq/report/pages.h"

#include "experiments/srq/report/arrange.h"
#include "experiments/srq/report/learned.h"
#include "experiments/srq/report/run_tables.h"
#include "experiments/srq/report/ticket_tables.h"
#include "io/escape.h"

#include <stdlib.h>
#include <string.h>

/* --- Words */

char *srq_report_summary(const srq_report *report, char *out, size_t size)
{
    enum { FINISHED, RUNNING, SILENT, STOPPED, FAILED, EMPTY, UNUSABLE, UNEVALUATED, STATES };
    static const char *const words[STATES] = {"finished", "running", "silent",         "stopped",
                                              "failed",   "empty",   "cannot be used", "without an evaluation"};
    int counts[STATES] = {0};
    for (int i = 0; i < report->runs.count; i++) {
        const srq_report_run *run = &report->runs.items[i];
        static const int of_log[] = {EMPTY, RUNNING, FINISHED, STOPPED, FAILED};
        const bool evaluated = srq_report_is_finished(run) || run->problem || run->log->state != SRQ_LOG_FINISHED;
        counts[run->problem ? UNUSABLE : run->silent ? SILENT : evaluated ? of_log[run->log->state] : UNEVALUATED]++;
    }
    out[0] = '\0';
    srq_text_append(out, size, "%d run%s of %d configuration%s:", report->runs.count,
                    report->runs.count == 1 ? "" : "s", report->groups.count, report->groups.count == 1 ? "" : "s");
    const char *comma = " ";
    for (int i = 0; i < STATES; i++) {
        if (!counts[i]) continue;
        srq_text_append(out, size, "%s%d %s", comma, counts[i], words[i]);
        comma = ", ";
    }
    if (report->sweep)
        srq_text_append(out, size, "; missing: %d of the table's %d", srq_report_missing(report),
                        report->sweep->row_count * report->sweep->seed_count);
    return out;
}

char *srq_report_remarks(const srq_report *report, char *out, size_t size)
{
    bool partial = false, again = false, unfinished = false;
    for (int i = 0; i < report->groups.count; i++) {
        const srq_report_group *g = &report->groups.items[i];
        partial = partial || (g->partial && (g->error.count || g->validation.count));
        for (int k = 0; k < g->member_count; k++) {
            const srq_report_run *run = &report->runs.items[g->members[k]];
            again = again || !run->counted;
            unfinished = unfinished || (run->counted && !g->partial && !srq_report_is_finished(run));
        }
    }
    out[0] = '\0';
    if (report->groups.common[0]) srq_text_append(out, size, "Common settings: %s. ", report->groups.common);
    if (srq_report_any_validates(report))
        srq_text_append(out, size,
                        "Test errors and the other figures are of this checkpoint: \"best\", the one with the lowest "
                        "validation error, evaluated on the test images once, at the end; \"last\", the one at the end "
                        "of training. ");
    if (unfinished) srq_text_append(out, size, "Figures cover finished runs only. ");
    if (partial)
        srq_text_append(out, size,
                        "* No run of the row is finished; the figures are from the last evaluations so far. ");
    if (again)
        srq_text_append(out, size,
                        "If several runs have the same settings and seed, only the one with the most steps counts. ");
    const size_t length = strlen(out);
    if (length) out[length - 1] = '\0'; /* the last space */
    return out;
}

static const char explanation[] =
    "Mean \xc2\xb1 sample standard deviation over seeds, at the end of training. Weight bits: in evaluation. Size: "
    "weights at their "
    "bit-lengths, everything else as float32. BOPs: multiply-accumulates of one image times weight bits times "
    "activation "
    "bits; \"of 8/8\": relative to the same network with each quantized tensor at 8 bits (of a float32 network: with "
    "all "
    "weights and quantize layers at 8 bits).";

static const char ticket_explanation[] =
    "Differences are paired by seed: the test error of the first stage minus that of the second, in percentage points, "
    "over the seeds for which both are finished. The interval is Student's t interval at 95 %, for each pair "
    "separately. If it contains 0, the difference is not significant.";

/* The heading of the table of configurations. */
static const char *heading(const srq_report *report)
{
    return report->sweep && report->sweep->title[0] ? report->sweep->title : "Configurations";
}

/* --- HTML */

/* A page with all of them would be too large; 12 have a picture. */
enum { TICKETS_MAX = 24 };

static const char style[] =
    "body{font:15px/1.45 system-ui,sans-serif;color:#111;background:#fff;max-width:1240px;margin:1.5em auto;padding:0 "
    "1em}\n"
    "h1{font-size:1.5em}h2{font-size:1.2em;margin:2em 0 .5em;border-bottom:1px solid "
    "#bbb}h3{font-size:1em;margin:1.5em 0 "
    ".3em}\n"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;font-size:13px}\n"
    "th,td{padding:.25em .7em;text-align:left;vertical-align:top;border-bottom:1px solid #ddd;overflow-wrap:anywhere}\n"
    "th{border-bottom:2px solid #555;white-space:nowrap}.n{text-align:right;white-space:nowrap;"
    "font-variant-numeric:tabular-nums}\n"
    "figure{margin:0 0 "
    "1.5em;break-inside:avoid}figcaption,.small{font-size:13px;color:#444}svg{width:100%;height:auto}\n"
    ".note{border-left:4px solid #D55E00;padding:.3em .8em}\n"
    "@media "
    "print{body{max-width:none;margin:0;padding:0;font-size:11px}table{font-size:8px}figcaption,.small{font-size:10px}"
    "tr{break-inside:avoid}"
    "thead{display:table-header-group}h2,h3{break-after:avoid}svg{max-height:225mm}@page{size:A4;margin:12mm}}\n";

static void paragraph(const char *kind, const char *text, FILE *out)
{
    if (!text[0]) return;
    fprintf(out, "<p%s%s%s>", kind[0] ? " class=\"" : "", kind, kind[0] ? "\"" : "");
    srq_print_escaped(text, SRQ_ESCAPE_HTML, out);
    fputs("</p>\n", out);
}

/* The heading is part of the figure, so that no page break comes between them. */
static void print_figure(const srq_picture *picture, FILE *out)
{
    if (picture->left_out) return;
    fprintf(out, "<figure style=\"max-width:%dpx\">\n<h3>", picture->width);
    srq_print_escaped(picture->title, SRQ_ESCAPE_HTML, out);
    fputs("</h3>\n<div role=\"img\" aria-label=\"", out);
    srq_print_escaped(picture->title, SRQ_ESCAPE_HTML, out);
    fprintf(out, "\">\n%s</div>\n<figcaption>", picture->svg);
    srq_print_escaped(picture->caption, SRQ_ESCAPE_HTML, out);
    fputs("</figcaption>\n</figure>\n", out);
}

/* Names the pictures that do not fit, with their files. */
static void print_left_out(const srq_pictures *pictures, FILE *out)
{
    const char *before =
        "<p class=\"note\">Not shown, to keep this page below 1 MB (`srq report` of fewer runs shows them): ";
    for (int i = 0; i < pictures->count; i++) {
        const srq_picture *p = &pictures->items[i];
        if (!p->left_out) continue;
        fputs(before, out);
        srq_print_escaped(p->title, SRQ_ESCAPE_HTML, out);
        fprintf(out, " (plots/%s.svg)", p->name);
        before = "; ";
    }
    if (before[0] == ';') fputs(".</p>\n", out);
}

/* Pictures of tickets are in the section of tickets. */
static bool is_of_tickets(const srq_picture *picture)
{
    return strncmp(picture->name, "ticket-", 7) == 0 || strncmp(picture->name, "pruning-", 8) == 0 ||
           strncmp(picture->name, "lengths-", 8) == 0;
}

static void print_ticket_figures(const srq_pictures *pictures, const char *kind, int number, FILE *out)
{
    char name[32];
    snprintf(name, sizeof name, "%s-%d", kind, number);
    for (int i = 0; i < pictures->count; i++) {
        const srq_picture *p = &pictures->items[i];
        const bool same = number > 0 ? strcmp(p->name, name) == 0 : strncmp(p->name, kind, strlen(kind)) == 0;
        if (same) print_figure(p, out);
    }
}

static srq_status print_scroll(srq_status (*print)(const srq_report_ticket *, srq_table_format, FILE *),
                               const srq_report_ticket *ticket, FILE *out)
{
    fputs("<div class=\"scroll\">\n", out);
    SRQ_TRY(print(ticket, SRQ_TABLE_HTML, out));
    fputs("</div>\n", out);
    return SRQ_OK;
}

static srq_status print_html_ticket(const srq_report_ticket *ticket, const srq_pictures *pictures, int number,
                                    FILE *out)
{
    char text[SRQ_COMPARISON_TEXT];
    srq_ticket_level levels[SRQ_TICKET_LEVELS];
    fputs("<h3>", out);
    srq_print_escaped(ticket->name, SRQ_ESCAPE_HTML, out);
    fputs("</h3>\n", out);
    paragraph("", srq_comparison_say(&ticket->comparison, text, sizeof text), out);
    paragraph("small", ticket->about, out);
    paragraph("note", ticket->note, out);
    if (srq_comparison_visit(&ticket->comparison, NULL, NULL))
        SRQ_TRY(print_scroll(srq_report_print_pairs, ticket, out));
    print_ticket_figures(pictures, "ticket", number, out);
    if (srq_report_ticket_levels(ticket, levels)) SRQ_TRY(print_scroll(srq_report_print_levels, ticket, out));
    return SRQ_OK;
}

static srq_status print_html_tickets(const srq_report *report, const srq_pictures *pictures, FILE *out)
{
    const int count = report->tickets.count, shown = count < TICKETS_MAX ? count : TICKETS_MAX;
    if (count) fputs("<h2>Lottery tickets</h2>\n", out);
    for (int i = 0; i < shown; i++) SRQ_TRY(print_html_ticket(&report->tickets.items[i], pictures, i + 1, out));
    if (shown < count)
        fprintf(out, "<p class=\"note\">%d more tickets are in tickets.csv and pruning.csv, and in report.md.</p>\n",
                count - shown);
    print_ticket_figures(pictures, "pruning", 0, out);
    print_ticket_figures(pictures, "lengths", 0, out);
    if (count) paragraph("small", ticket_explanation, out);
    return SRQ_OK;
}

static srq_status print_html(const srq_report *report, const srq_pictures *pictures, const char *made, FILE *out)
{
    char text[4800];
    fprintf(
        out,
        "<!DOCTYPE html>\n" SRQ_REPORT_MARK "\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width\">\n<title>Report of srq</title>\n<style>\n%s</style>\n"
        "</head>\n<body>\n<h1>Report of srq</h1>\n",
        style);
    paragraph("", srq_report_summary(report, text, sizeof text), out);
    paragraph("", srq_report_list_tasks(&report->tasks, text, sizeof text), out);
    paragraph("note", pictures->note, out);
    fputs("<h2>", out);
    srq_print_escaped(heading(report), SRQ_ESCAPE_HTML, out);
    fputs("</h2>\n<div class=\"scroll\">\n", out);
    SRQ_TRY(srq_report_print_groups(report, SRQ_TABLE_HTML, out));
    fputs("</div>\n", out);
    paragraph("note", srq_report_learned_warnings(report, text, sizeof text), out);
    paragraph("small", srq_report_remarks(report, text, sizeof text), out);
    paragraph("small", srq_report_learned_figures(report, text, sizeof text), out);
    paragraph("small", explanation, out);
    SRQ_TRY(print_html_tickets(report, pictures, out));
    int others = 0;
    for (int i = 0; i < pictures->count; i++) {
        if (is_of_tickets(&pictures->items[i])) continue;
        if (others++ == 0) fputs("<h2>Pictures</h2>\n", out);
        print_figure(&pictures->items[i], out);
    }
    print_left_out(pictures, out);
    fputs("<h2>Runs</h2>\n<div class=\"scroll\">\n", out);
    SRQ_TRY(srq_report_print_runs(report, SRQ_TABLE_HTML, out));
    fputs("</div>\n", out);
    paragraph("small", made, out);
    fputs("</body>\n</html>\n", out);
    return SRQ_OK;
}

/* --- Selecting pictures for a page */

/* Prints to memory, to determine the size. */
static srq_status measure_page(const srq_report *report, const srq_pictures *pictures, const char *made, size_t *size)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, size);
    if (!out) return srq_fail_memory(0, "a page");
    srq_status status = print_html(report, pictures, made, out);
    if (fclose(out) != 0 && status == SRQ_OK) status = srq_fail_memory(*size, "a page");
    free(text);
    return status;
}

static srq_status measure_figure(const srq_picture *picture, size_t *size)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, size);
    if (!out) return srq_fail_memory(0, "a page");
    print_figure(picture, out);
    const bool closed = fclose(out) == 0;
    free(text);
    return closed ? SRQ_OK : srq_fail_memory(*size, "a page");
}

/* The 3 of "curves-3"; 1 if there is only one picture of a kind. */
static int number_of(const srq_picture *picture)
{
    const char *dash = strrchr(picture->name, '-');
    return dash ? atoi(dash + 1) : 1;
}

/* Selects pictures until the page is full: the first of each kind, then the second of each, and so on. */
static srq_status fit(const srq_report *report, srq_pictures *pictures, const char *made)
{
    size_t size = 0, figure = 0;
    int last = 0;
    for (int i = 0; i < pictures->count; i++) {
        pictures->items[i].left_out = true;
        if (number_of(&pictures->items[i]) > last) last = number_of(&pictures->items[i]);
    }
    SRQ_TRY(measure_page(report, pictures, made, &size));
    for (int number = 1; number <= last; number++)
        for (int i = 0; i < pictures->count; i++) {
            srq_picture *picture = &pictures->items[i];
            if (number_of(picture) != number) continue;
            picture->left_out = false;
            SRQ_TRY(measure_figure(picture, &figure));
            picture->left_out = size + figure > SRQ_PAGE_MOST;
            if (!picture->left_out) size += figure;
        }
    return SRQ_OK;
}

srq_status srq_report_print_html(const srq_report *report, srq_pictures *pictures, const char *made, FILE *out)
{
    SRQ_TRY(fit(report, pictures, made));
    return print_html(report, pictures, made, out);
}

/* --- Markdown */

static void line(const char *text, FILE *out)
{
    if (!text[0]) return;
    srq_print_escaped(text, SRQ_ESCAPE_MARKDOWN, out);
    fputs("\n\n", out);
}

static srq_status print_markdown_tickets(const srq_report *report, FILE *out)
{
    char text[SRQ_COMPARISON_TEXT];
    srq_ticket_level levels[SRQ_TICKET_LEVELS];
    if (report->tickets.count) fputs("## Lottery tickets\n\n", out);
    for (int i = 0; i < report->tickets.count; i++) {
        const srq_report_ticket *ticket = &report->tickets.items[i];
        fputs("### ", out);
        line(ticket->name, out);
        line(srq_comparison_say(&ticket->comparison, text, sizeof text), out);
        line(ticket->about, out);
        line(ticket->note, out);
        if (srq_comparison_visit(&ticket->comparison, NULL, NULL)) {
            SRQ_TRY(srq_report_print_pairs(ticket, SRQ_TABLE_MARKDOWN, out));
            fputc('\n', out);
        }
        if (!srq_report_ticket_levels(ticket, levels)) continue;
        SRQ_TRY(srq_report_print_levels(ticket, SRQ_TABLE_MARKDOWN, out));
        fputc('\n', out);
    }
    if (report->tickets.count) line(ticket_explanation, out);
    return SRQ_OK;
}

srq_status srq_report_print_markdown(const srq_report *report, srq_pictures *pictures, const char *made, FILE *out)
{
    char text[4800];
    fputs(SRQ_REPORT_MARK "\n# Report of srq\n\n", out);
    line(srq_report_summary(report, text, sizeof text), out);
    line(srq_report_list_tasks(&report->tasks, text, sizeof text), out);
    line(pictures->note, out);
    fputs("## ", out);
    line(heading(report), out);
    SRQ_TRY(srq_report_print_groups(report, SRQ_TABLE_MARKDOWN, out));
    fputc('\n', out);
    line(srq_report_learned_warnings(report, text, sizeof text), out);
    line(srq_report_remarks(report, text, sizeof text), out);
    line(srq_report_learned_figures(report, text, sizeof text), out);
    line(explanation, out);
    SRQ_TRY(print_markdown_tickets(report, out));
    if (pictures->count) fputs("## Pictures\n\n", out);
    for (int i = 0; i < pictures->count; i++) {
        const srq_picture *p = &pictures->items[i];
        fputs("![", out);
        srq_print_escaped(p->title, SRQ_ESCAPE_MARKDOWN, out);
        fprintf(out, "](plots/%s.svg)\n\n", p->name);
        line(p->title, out);
        line(p->caption, out);
    }
    fputs("## Runs\n\n", out);
    SRQ_TRY(srq_report_print_runs(report, SRQ_TABLE_MARKDOWN, out));
    fputc('\n', out);
    line(made, out);
    return SRQ_OK;
}
