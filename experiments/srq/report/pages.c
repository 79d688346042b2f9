#include "experiments/srq/report/pages.h"

#include "experiments/srq/report/arrange.h"
#include "experiments/srq/report/escape.h"
#include "experiments/srq/report/run_tables.h"
#include "experiments/srq/report/ticket_tables.h"

#include <string.h>

/* --- Words */

char *srq_report_summary(const srq_report *report, char *out, size_t size)
{
    enum { FINISHED, RUNNING, SILENT, STOPPED, FAILED, EMPTY, UNUSABLE, STATES };
    static const char *const words[STATES] = {"finished", "running", "silent",        "stopped",
                                              "failed",   "empty",   "cannot be used"};
    int counts[STATES] = {0};
    for (int i = 0; i < report->runs.count; i++) {
        const srq_report_run *run = &report->runs.items[i];
        static const int of_log[] = {EMPTY, RUNNING, FINISHED, STOPPED, FAILED};
        counts[run->problem ? UNUSABLE : run->silent ? SILENT : of_log[run->log->state]]++;
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
        srq_text_append(out, size, "; of the table's %d runs %d are missing",
                        report->sweep->row_count * report->sweep->seed_count, srq_report_missing(report));
    return out;
}

char *srq_report_remarks(const srq_report *report, char *out, size_t size)
{
    bool partial = false, again = false, unfinished = false;
    for (int i = 0; i < report->groups.count; i++) {
        const srq_report_group *g = &report->groups.items[i];
        partial = partial || (g->partial && g->error.count);
        for (int k = 0; k < g->member_count; k++) {
            const srq_report_run *run = &report->runs.items[g->members[k]];
            again = again || !run->counted;
            unfinished = unfinished || (run->counted && !g->partial && !srq_report_is_finished(run));
        }
    }
    out[0] = '\0';
    if (report->groups.common[0])
        srq_text_append(out, size, "Where a row says nothing else: %s. ", report->groups.common);
    if (unfinished) srq_text_append(out, size, "Figures are of finished runs only. ");
    if (partial) srq_text_append(out, size, "* No run of the row is finished: the last evaluations so far. ");
    if (again)
        srq_text_append(out, size,
                        "Of runs with the same settings and seed, one counts: the one that has come furthest. ");
    const size_t length = strlen(out);
    if (length) out[length - 1] = '\0'; /* the last space */
    return out;
}

static const char explanation[] =
    "Mean \xc2\xb1 standard deviation (of the sample) over seeds, at the end of training. Size: weights at their "
    "bit-lengths, everything else as float32. BOPs: multiply-accumulates of one image times weight bits times "
    "activation "
    "bits; \"of 8/8\": beside the same network with each quantized tensor at 8 bits.";

static const char ticket_explanation[] = "Differences pair stages seed by seed: the first one's test error less the "
                                         "second one's, in percentage points, over "
                                         "the seeds that both are finished for. The interval is Student's t at 95 %, "
                                         "for each pair by itself; one that holds 0 "
                                         "tells no difference.";

/* The heading of the table of configurations. */
static const char *heading(const srq_report *report)
{
    return report->sweep && report->sweep->title[0] ? report->sweep->title : "Configurations";
}

/* --- HTML */

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

/* The heading belongs to the figure: no page ends between them. */
static void print_figure(const srq_picture *picture, FILE *out)
{
    fprintf(out, "<figure style=\"max-width:%dpx\">\n<h3>", picture->width);
    srq_print_escaped(picture->title, SRQ_ESCAPE_HTML, out);
    fputs("</h3>\n<div role=\"img\" aria-label=\"", out);
    srq_print_escaped(picture->title, SRQ_ESCAPE_HTML, out);
    fprintf(out, "\">\n%s</div>\n<figcaption>", picture->svg);
    srq_print_escaped(picture->caption, SRQ_ESCAPE_HTML, out);
    fputs("</figcaption>\n</figure>\n", out);
}

/* Pictures of tickets stand in their section. */
static bool is_of_tickets(const srq_picture *picture)
{
    return strncmp(picture->name, "ticket-", 7) == 0 || strncmp(picture->name, "pruning-", 8) == 0;
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

static srq_status print_html_tickets(const srq_report *report, const srq_pictures *pictures, FILE *out)
{
    char text[600];
    srq_ticket_level levels[SRQ_TICKET_LEVELS];
    if (report->tickets.count) fputs("<h2>Lottery tickets</h2>\n", out);
    for (int i = 0; i < report->tickets.count; i++) {
        const srq_report_ticket *ticket = &report->tickets.items[i];
        fputs("<h3>", out);
        srq_print_escaped(ticket->name, SRQ_ESCAPE_HTML, out);
        fputs("</h3>\n", out);
        paragraph("", srq_comparison_say(&ticket->comparison, text, sizeof text), out);
        paragraph("small", ticket->about, out);
        paragraph("note", ticket->note, out);
        if (srq_comparison_visit(&ticket->comparison, NULL, NULL))
            SRQ_TRY(print_scroll(srq_report_print_pairs, ticket, out));
        print_ticket_figures(pictures, "ticket", i + 1, out);
        if (srq_report_ticket_levels(ticket, levels)) SRQ_TRY(print_scroll(srq_report_print_levels, ticket, out));
    }
    print_ticket_figures(pictures, "pruning", 0, out);
    if (report->tickets.count) paragraph("small", ticket_explanation, out);
    return SRQ_OK;
}

srq_status srq_report_print_html(const srq_report *report, const srq_pictures *pictures, const char *made, FILE *out)
{
    char text[2048];
    fprintf(
        out,
        "<!DOCTYPE html>\n" SRQ_REPORT_MARK "\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width\">\n<title>Report of srq</title>\n<style>\n%s</style>\n"
        "</head>\n<body>\n<h1>Report of srq</h1>\n",
        style);
    paragraph("", srq_report_summary(report, text, sizeof text), out);
    paragraph("note", pictures->note, out);
    fputs("<h2>", out);
    srq_print_escaped(heading(report), SRQ_ESCAPE_HTML, out);
    fputs("</h2>\n<div class=\"scroll\">\n", out);
    SRQ_TRY(srq_report_print_groups(report, SRQ_TABLE_HTML, out));
    fputs("</div>\n", out);
    paragraph("small", srq_report_remarks(report, text, sizeof text), out);
    paragraph("small", explanation, out);
    SRQ_TRY(print_html_tickets(report, pictures, out));
    int others = 0;
    for (int i = 0; i < pictures->count; i++) {
        if (is_of_tickets(&pictures->items[i])) continue;
        if (others++ == 0) fputs("<h2>Pictures</h2>\n", out);
        print_figure(&pictures->items[i], out);
    }
    fputs("<h2>Runs</h2>\n<div class=\"scroll\">\n", out);
    SRQ_TRY(srq_report_print_runs(report, SRQ_TABLE_HTML, out));
    fputs("</div>\n", out);
    paragraph("small", made, out);
    fputs("</body>\n</html>\n", out);
    return SRQ_OK;
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
    char text[600];
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

srq_status srq_report_print_markdown(const srq_report *report, const srq_pictures *pictures, const char *made,
                                     FILE *out)
{
    char text[2048];
    fputs(SRQ_REPORT_MARK "\n# Report of srq\n\n", out);
    line(srq_report_summary(report, text, sizeof text), out);
    line(pictures->note, out);
    fputs("## ", out);
    line(heading(report), out);
    SRQ_TRY(srq_report_print_groups(report, SRQ_TABLE_MARKDOWN, out));
    fputc('\n', out);
    line(srq_report_remarks(report, text, sizeof text), out);
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
