/* The tables of a report. */
#include "experiments/report/pages.h"

#include "io/progress.h"

#include <math.h>
#include <string.h>

/* --- For readers */

static void add_value(srq_table *table, double value, double scale, int digits)
{
    if (isfinite(value))
        srq_table_add(table, "%.*f", digits, value * scale);
    else
        srq_table_add(table, "-");
}

/* "0.76 ± 0.05", with a star where no run is finished. */
static void add_statistic(srq_table *table, const srq_statistic *s, double scale, int digits, bool star)
{
    if (s->count == 0)
        srq_table_add(table, "-");
    else if (s->count == 1)
        srq_table_add(table, "%.*f%s", digits, s->mean * scale, star ? " *" : "");
    else
        srq_table_add(table, "%.*f \xc2\xb1 %.*f%s", digits, s->mean * scale, digits, s->deviation * scale,
                      star ? " *" : "");
}

static void add_group(srq_table *table, const srq_report *report, const srq_report_group *g)
{
    int seeds = 0;
    char size[32];
    for (int i = 0; i < g->member_count; i++) seeds += report->runs[g->members[i]].counted;
    srq_table_add(table, "%d", g->number);
    srq_table_add(table, "%s", g->name);
    if (g->finished == seeds)
        srq_table_add(table, "%d", seeds);
    else
        srq_table_add(table, "%d of %d", g->finished, seeds);
    add_statistic(table, &g->error, 100, 2, g->partial);
    add_statistic(table, &g->loss, 1, g->loss.mean >= 100 ? 0 : 4, g->partial);
    add_value(table, g->bits.mean, 1, g->bits.mean == rint(g->bits.mean) ? 0 : 2);
    add_value(table, g->zeros.mean, 100, 1);
    srq_table_add(table, "%s", g->bytes.count ? srq_size(g->bytes.mean, size, sizeof size) : "-");
    add_value(table, g->bops.mean, 1e-9, g->bops.mean >= 1e9 ? 2 : 4);
    add_value(table, g->relative_bops.mean, 100, 1);
}

srq_status srq_report_print_groups(const srq_report *report, srq_table_format format, FILE *out)
{
    /* A published figure for a row would stand behind the test error. */
    static const srq_column columns[] = {{"#", SRQ_COLUMN_NUMBER},          {"configuration", SRQ_COLUMN_TEXT},
                                         {"seeds", SRQ_COLUMN_NUMBER},      {"test error, %", SRQ_COLUMN_NUMBER},
                                         {"test loss", SRQ_COLUMN_NUMBER},  {"weight bits", SRQ_COLUMN_NUMBER},
                                         {"zeros, %", SRQ_COLUMN_NUMBER},   {"size", SRQ_COLUMN_NUMBER},
                                         {"BOPs, 10^9", SRQ_COLUMN_NUMBER}, {"of 8/8, %", SRQ_COLUMN_NUMBER}};
    srq_table *table = NULL;
    SRQ_TRY(srq_table_create(sizeof columns / sizeof *columns, columns, &table));
    for (int i = 0; i < report->group_count; i++) add_group(table, report, &report->groups[i]);
    const srq_status status = srq_table_print(table, format, out);
    srq_table_destroy(&table);
    return status;
}

static double mean_rate(const srq_log *log)
{
    double sum = 0;
    int count = 0;
    for (int i = 0; i < log->step_count; i++) {
        if (!isfinite(log->steps[i].rate)) continue;
        sum += log->steps[i].rate;
        count++;
    }
    return count ? sum / count : NAN;
}

static void add_run(srq_table *table, const srq_report *report, const srq_report_run *run)
{
    char text[2400], seconds[32];
    const srq_log_eval *eval = srq_report_last_eval(run);
    srq_table_add(table, "%s", run->name);
    if (run->group < 0) {
        srq_table_add(table, "-");
        srq_table_add(table, "-");
    } else {
        srq_table_add(table, "%d", report->groups[run->group].number);
        srq_table_add(table, "%lld%s", run->seed, run->counted ? "" : " (again)");
    }
    srq_table_add(table, "%s", srq_report_place(run, text, sizeof text));
    add_value(table, eval ? eval->error : NAN, 100, 2);
    add_value(table, run->log ? mean_rate(run->log) : NAN, 1, 0);
    srq_table_add(table, "%ld", run->log ? run->log->ranks : 0);
    srq_table_add(table, "%s", run->log ? srq_duration(run->log->seconds, seconds, sizeof seconds) : "-");
    srq_table_add(table, "%s", srq_report_standing(report, run, text, sizeof text));
}

srq_status srq_report_print_runs(const srq_report *report, srq_table_format format, FILE *out)
{
    static const srq_column columns[] = {
        {"run", SRQ_COLUMN_TEXT},     {"#", SRQ_COLUMN_NUMBER},        {"seed", SRQ_COLUMN_NUMBER},
        {"epoch", SRQ_COLUMN_NUMBER}, {"error, %", SRQ_COLUMN_NUMBER}, {"images/s", SRQ_COLUMN_NUMBER},
        {"ranks", SRQ_COLUMN_NUMBER}, {"time", SRQ_COLUMN_NUMBER},     {"where it stands", SRQ_COLUMN_TEXT}};
    srq_table *table = NULL;
    SRQ_TRY(srq_table_create(sizeof columns / sizeof *columns, columns, &table));
    for (int i = 0; i < report->run_count; i++) add_run(table, report, &report->runs[i]);
    const srq_status status = srq_table_print(table, format, out);
    srq_table_destroy(&table);
    return status;
}

/* --- For programs: numbers as they are, nothing where there is none */

static void add_number(srq_table *table, double value)
{
    if (isfinite(value))
        srq_table_add(table, "%.9g", value);
    else
        srq_table_add(table, "%s", "");
}

srq_status srq_report_print_groups_csv(const srq_report *report, FILE *out)
{
    static const srq_column columns[] = {{.title = "number"},
                                         {.title = "configuration"},
                                         {.title = "settings_sha256"},
                                         {.title = "finished"},
                                         {.title = "in_figures"},
                                         {.title = "test_error_mean"},
                                         {.title = "test_error_deviation"},
                                         {.title = "test_loss_mean"},
                                         {.title = "test_loss_deviation"},
                                         {.title = "weight_bits_mean"},
                                         {.title = "zeros_mean"},
                                         {.title = "bytes_mean"},
                                         {.title = "bops_mean"},
                                         {.title = "bops_of_w8a8_mean"},
                                         {.title = "images_per_second_mean"}};
    srq_table *table = NULL;
    SRQ_TRY(srq_table_create(sizeof columns / sizeof *columns, columns, &table));
    for (int i = 0; i < report->group_count; i++) {
        const srq_report_group *g = &report->groups[i];
        srq_table_add(table, "%d", g->number);
        srq_table_add(table, "%s", g->name);
        srq_table_add(table, "%s", g->digest);
        srq_table_add(table, "%d", g->finished);
        srq_table_add(table, "%d", g->error.count);
        const double values[] = {g->error.mean, g->error.deviation, g->loss.mean, g->loss.deviation,     g->bits.mean,
                                 g->zeros.mean, g->bytes.mean,      g->bops.mean, g->relative_bops.mean, g->rate.mean};
        for (size_t k = 0; k < sizeof values / sizeof *values; k++) add_number(table, values[k]);
    }
    const srq_status status = srq_table_print(table, SRQ_TABLE_CSV, out);
    srq_table_destroy(&table);
    return status;
}

static const char *state_word(const srq_report_run *run)
{
    static const char *const words[] = {"empty", "running", "finished", "stopped", "failed"};
    return run->problem ? "unusable" : run->silent ? "silent" : words[run->log->state];
}

static void add_run_numbers(srq_table *table, const srq_report *report, const srq_report_run *run)
{
    const srq_log *log = run->log;
    const srq_log_eval *e = srq_report_last_eval(run);
    srq_table_add(table, "%s", run->path);
    srq_table_add(table, "%d", run->group < 0 ? 0 : report->groups[run->group].number);
    srq_table_add(table, "%lld", run->seed);
    srq_table_add(table, "%s", state_word(run));
    const char *message = run->problem ? run->problem : log->state == SRQ_LOG_FAILED ? log->reason : "";
    srq_table_add(table, "%s", message);
    srq_table_add(table, "%ld", log ? log->last_step : 0);
    srq_table_add(table, "%ld", log ? log->total_steps : 0);
    const double values[] = {e ? e->epoch : NAN,      e ? e->error : NAN,     e ? e->loss : NAN,
                             e ? e->mean_bits : NAN,  e ? e->zeros : NAN,     e ? e->bytes : NAN,
                             e ? e->bops : NAN,       e ? e->w8a8_bops : NAN, log ? mean_rate(log) : NAN,
                             log ? log->seconds : NAN};
    for (size_t k = 0; k < sizeof values / sizeof *values; k++) add_number(table, values[k]);
}

srq_status srq_report_print_runs_csv(const srq_report *report, FILE *out)
{
    static const srq_column columns[] = {
        {.title = "run"},        {.title = "number"},    {.title = "seed"},        {.title = "state"},
        {.title = "message"},    {.title = "step"},      {.title = "total_steps"}, {.title = "evaluated_epoch"},
        {.title = "test_error"}, {.title = "test_loss"}, {.title = "weight_bits"}, {.title = "zeros"},
        {.title = "bytes"},      {.title = "bops"},      {.title = "w8a8_bops"},   {.title = "images_per_second"},
        {.title = "seconds"}};
    srq_table *table = NULL;
    SRQ_TRY(srq_table_create(sizeof columns / sizeof *columns, columns, &table));
    for (int i = 0; i < report->run_count; i++) add_run_numbers(table, report, &report->runs[i]);
    const srq_status status = srq_table_print(table, SRQ_TABLE_CSV, out);
    srq_table_destroy(&table);
    return status;
}
