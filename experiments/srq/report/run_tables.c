#include "experiments/srq/report/run_tables.h"

#include "experiments/srq/report/arrange.h"
#include "experiments/srq/report/learned.h"
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

/* "0.76 ± 0.05", with a star if no run is finished. */
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

/* The published figure for a row of a table of experiments. */
static void add_published(srq_table *table, const srq_report *report, int row)
{
    if (!report->sweep) return;
    add_value(table, row < 0 ? NAN : report->sweep->rows[row].published, 1, 2);
    srq_table_add(table, "%s", row < 0 ? "" : report->sweep->rows[row].source);
}

/* The number of finished seeds, out of the existing ones or those of the table. */
static void add_seeds(srq_table *table, const srq_report *report, const srq_report_group *g)
{
    int seeds = 0;
    for (int i = 0; i < g->member_count; i++) seeds += report->runs.items[g->members[i]].counted;
    for (int i = 0; report->sweep && g->row >= 0 && i < report->sweep->seed_count; i++)
        seeds += srq_report_is_missing(report, g->row, report->sweep->seeds[i]);
    if (g->finished == seeds)
        srq_table_add(table, "%d", seeds);
    else
        srq_table_add(table, "%d of %d", g->finished, seeds);
}

static void add_group(srq_table *table, const srq_report *report, const srq_report_group *g)
{
    char size[32];
    srq_table_add(table, "%d", g->number);
    srq_table_add(table, "%s", g->name);
    add_seeds(table, report, g);
    add_statistic(table, &g->error, 100, 2, g->partial);
    add_published(table, report, g->row);
    if (srq_report_any_validates(report)) {
        srq_table_add(table, "%s", g->validates ? "best" : "last");
        add_statistic(table, &g->validation, 100, 2, g->partial);
    }
    add_statistic(table, &g->loss, 1, g->loss.mean >= 100 ? 0 : 4, g->partial);
    add_value(table, g->bits.mean, 1, g->bits.mean == rint(g->bits.mean) ? 0 : 2);
    add_value(table, g->zeros.mean, 100, 1);
    srq_table_add(table, "%s", g->bytes.count ? srq_size(g->bytes.mean, size, sizeof size) : "-");
    add_value(table, g->bops.mean, 1e-9, g->bops.mean >= 1e9 ? 2 : 4);
    add_value(table, g->relative_bops.mean, 100, 1);
}

/* A row of the table without any run. */
static void add_missing_row(srq_table *table, const srq_report *report, int row)
{
    srq_table_add(table, "-");
    srq_table_add(table, "%s", report->sweep->rows[row].name);
    srq_table_add(table, "0 of %d", report->sweep->seed_count);
    srq_table_add(table, "missing");
    add_published(table, report, row);
    for (int i = 0; i < (srq_report_any_validates(report) ? 8 : 6); i++) srq_table_add(table, "-");
}

/* Calls a function for every group and every row without a group, in the order of the table. */
static void visit_rows(const srq_report *report, srq_table *table,
                       void (*group)(srq_table *, const srq_report *, const srq_report_group *),
                       void (*missing)(srq_table *, const srq_report *, int))
{
    int at = 0;
    for (int r = 0; report->sweep && r < report->sweep->row_count; r++) {
        if (at == report->groups.count || report->groups.items[at].row != r) missing(table, report, r);
        for (; at < report->groups.count && report->groups.items[at].row == r; at++)
            group(table, report, &report->groups.items[at]);
    }
    for (; at < report->groups.count; at++) group(table, report, &report->groups.items[at]);
}

/* Columns of the table of groups, and when they are there. */
enum { ALWAYS, PUBLISHED, VALIDATED };
static const struct {
    srq_column column;
    int when;
} group_columns[] = {{{"#", SRQ_COLUMN_NUMBER}, ALWAYS},
                     {{"configuration", SRQ_COLUMN_TEXT}, ALWAYS},
                     {{"seeds", SRQ_COLUMN_NUMBER}, ALWAYS},
                     {{"test error, %", SRQ_COLUMN_NUMBER}, ALWAYS},
                     {{"published, %", SRQ_COLUMN_NUMBER}, PUBLISHED},
                     {{"by", SRQ_COLUMN_TEXT}, PUBLISHED},
                     {{"of checkpoint", SRQ_COLUMN_TEXT}, VALIDATED},
                     {{"validation error, %", SRQ_COLUMN_NUMBER}, VALIDATED},
                     {{"test loss", SRQ_COLUMN_NUMBER}, ALWAYS},
                     {{"weight bits", SRQ_COLUMN_NUMBER}, ALWAYS},
                     {{"zeros, %", SRQ_COLUMN_NUMBER}, ALWAYS},
                     {{"size", SRQ_COLUMN_NUMBER}, ALWAYS},
                     {{"BOPs, 10^9", SRQ_COLUMN_NUMBER}, ALWAYS},
                     {{"of 8/8, %", SRQ_COLUMN_NUMBER}, ALWAYS}};
enum { GROUP_COLUMNS = sizeof group_columns / sizeof *group_columns };

srq_status srq_report_print_groups(const srq_report *report, srq_table_format format, FILE *out)
{
    srq_column columns[GROUP_COLUMNS];
    srq_table *table = NULL;
    int count = 0;
    for (int i = 0; i < GROUP_COLUMNS; i++) {
        if (group_columns[i].when == PUBLISHED && !report->sweep) continue;
        if (group_columns[i].when == VALIDATED && !srq_report_any_validates(report)) continue;
        columns[count++] = group_columns[i].column;
    }
    if (report->sweep) columns[1].title = "row";
    SRQ_TRY(srq_table_create(count, columns, &table));
    visit_rows(report, table, add_group, add_missing_row);
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
        srq_table_add(table, "%d", report->groups.items[run->group].number);
        srq_table_add(table, "%lld%s", run->seed, run->counted ? "" : " (again)");
    }
    srq_table_add(table, "%s", srq_report_place(run, text, sizeof text));
    if (eval && !isfinite(eval->error) && isfinite(eval->validation_error))
        srq_table_add(table, "%.2f (validation)", 100 * eval->validation_error);
    else
        add_value(table, eval ? eval->error : NAN, 100, 2);
    add_value(table, run->log ? mean_rate(run->log) : NAN, 1, 0);
    srq_table_add(table, "%ld", run->log ? run->log->ranks : 0);
    srq_table_add(table, "%s", run->log ? srq_duration(run->log->seconds, seconds, sizeof seconds) : "-");
    srq_table_add(table, "%s", srq_report_standing(run, report->runs.now, text, sizeof text));
}

/* Missing runs of a table of experiments. */
static void add_missing_runs(srq_table *table, const srq_report *report)
{
    char name[SRQ_RUN_NAME_SIZE];
    const srq_sweep *sweep = report->sweep;
    for (int s = 0; sweep && s < sweep->seed_count; s++)
        for (int r = 0; r < sweep->row_count; r++) {
            if (!srq_report_is_missing(report, r, sweep->seeds[s])) continue;
            srq_table_add(table, "%s", srq_sweep_run_name(sweep, r, sweep->seeds[s], name));
            srq_table_add(table, "-");
            srq_table_add(table, "%lld", sweep->seeds[s]);
            for (int i = 0; i < 5; i++) srq_table_add(table, "-");
            srq_table_add(table, "missing");
        }
}

srq_status srq_report_print_runs(const srq_report *report, srq_table_format format, FILE *out)
{
    static const srq_column columns[] = {
        {"run", SRQ_COLUMN_TEXT},     {"#", SRQ_COLUMN_NUMBER},        {"seed", SRQ_COLUMN_NUMBER},
        {"epoch", SRQ_COLUMN_NUMBER}, {"error, %", SRQ_COLUMN_NUMBER}, {"images/s", SRQ_COLUMN_NUMBER},
        {"ranks", SRQ_COLUMN_NUMBER}, {"time", SRQ_COLUMN_NUMBER},     {"state", SRQ_COLUMN_TEXT}};
    srq_table *table = NULL;
    SRQ_TRY(srq_table_create(sizeof columns / sizeof *columns, columns, &table));
    for (int i = 0; i < report->runs.count; i++) add_run(table, report, &report->runs.items[i]);
    add_missing_runs(table, report);
    const srq_status status = srq_table_print(table, format, out);
    srq_table_destroy(&table);
    return status;
}

/* --- For programs: exact numbers, and empty fields for missing ones */

static void add_published_numbers(srq_table *table, const srq_report *report, int row)
{
    const srq_sweep_row *r = report->sweep && row >= 0 ? &report->sweep->rows[row] : NULL;
    srq_table_add(table, "%s", r ? r->name : "");
    srq_table_add_number(table, r ? r->published / 100 : NAN);
    srq_table_add(table, "%s", r ? r->source : "");
}

static void add_group_numbers(srq_table *table, const srq_report *report, const srq_report_group *g)
{
    srq_table_add(table, "%d", g->number);
    srq_table_add(table, "%s", g->name);
    srq_table_add(table, "%s", g->choices.digest);
    srq_table_add(table, "%d", g->finished);
    srq_table_add(table, "%d", g->error.count);
    const double values[] = {g->error.mean, g->error.deviation, g->loss.mean, g->loss.deviation,     g->bits.mean,
                             g->zeros.mean, g->bytes.mean,      g->bops.mean, g->relative_bops.mean, g->rate.mean};
    for (size_t k = 0; k < sizeof values / sizeof *values; k++) srq_table_add_number(table, values[k]);
    add_published_numbers(table, report, g->row);
    srq_table_add(table, "%s", g->validates ? "best" : "last");
    srq_table_add_number(table, g->validation.mean);
    srq_table_add_number(table, g->validation.deviation);
}

static void add_missing_numbers(srq_table *table, const srq_report *report, int row)
{
    srq_table_add(table, "%s", "");
    srq_table_add(table, "%s", report->sweep->rows[row].name);
    srq_table_add(table, "%s", "");
    for (int i = 0; i < 2; i++) srq_table_add(table, "0");
    for (int i = 0; i < 10; i++) srq_table_add(table, "%s", "");
    add_published_numbers(table, report, row);
    for (int i = 0; i < 3; i++) srq_table_add(table, "%s", "");
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
                                         {.title = "images_per_second_mean"},
                                         {.title = "row"},
                                         {.title = "published_error"},
                                         {.title = "published_by"},
                                         {.title = "of_checkpoint"},
                                         {.title = "validation_error_mean"},
                                         {.title = "validation_error_deviation"}};
    srq_table *table = NULL;
    SRQ_TRY(srq_table_create(sizeof columns / sizeof *columns, columns, &table));
    visit_rows(report, table, add_group_numbers, add_missing_numbers);
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
    srq_table_add(table, "%d", run->group < 0 ? 0 : report->groups.items[run->group].number);
    srq_table_add(table, "%lld", run->seed);
    srq_table_add(table, "%s", state_word(run));
    const char *message = run->problem ? run->problem : log->state == SRQ_LOG_FAILED ? log->reason : "";
    srq_table_add(table, "%s", message);
    srq_table_add(table, "%ld", log ? log->last_step : 0);
    srq_table_add(table, "%ld", log ? log->total_steps : 0);
    const srq_learned_bits b = srq_report_learned(run);
    const double values[] = {e ? e->epoch : NAN,
                             e ? e->error : NAN,
                             e ? e->loss : NAN,
                             e ? e->mean_bits : NAN,
                             e ? e->zeros : NAN,
                             e ? e->bytes : NAN,
                             e ? e->bops : NAN,
                             e ? e->w8a8_bops : NAN,
                             log ? mean_rate(log) : NAN,
                             log ? log->seconds : NAN,
                             b.learns ? b.expected : NAN,
                             b.has_target ? b.wanted : NAN,
                             b.has_target ? b.reached : NAN};
    for (size_t k = 0; k < sizeof values / sizeof *values; k++) srq_table_add_number(table, values[k]);
    srq_table_add(table, "%s", srq_report_validates(run) ? "best" : "last");
    srq_table_add_number(table, srq_report_validation_error(run));
}

srq_status srq_report_print_runs_csv(const srq_report *report, FILE *out)
{
    static const srq_column columns[] = {{.title = "run"},           {.title = "number"},
                                         {.title = "seed"},          {.title = "state"},
                                         {.title = "message"},       {.title = "step"},
                                         {.title = "total_steps"},   {.title = "evaluated_epoch"},
                                         {.title = "test_error"},    {.title = "test_loss"},
                                         {.title = "weight_bits"},   {.title = "zeros"},
                                         {.title = "bytes"},         {.title = "bops"},
                                         {.title = "w8a8_bops"},     {.title = "images_per_second"},
                                         {.title = "seconds"},       {.title = "expected_bits"},
                                         {.title = "target"},        {.title = "reached"},
                                         {.title = "of_checkpoint"}, {.title = "validation_error"}};
    srq_table *table = NULL;
    SRQ_TRY(srq_table_create(sizeof columns / sizeof *columns, columns, &table));
    for (int i = 0; i < report->runs.count; i++) add_run_numbers(table, report, &report->runs.items[i]);
    const srq_status status = srq_table_print(table, SRQ_TABLE_CSV, out);
    srq_table_destroy(&table);
    return status;
}
