#include "experiments/srq/report/ticket_tables.h"

#include <math.h>
#include <string.h>

/* --- Paired differences */

typedef struct pair_rows {
    srq_table *table;
    const char *ticket;
    double epochs;
    int series; /* 0: none */
} pair_rows;

static void add_pair(const srq_comparison *c, int a, int b, const srq_paired *p, int place, void *context)
{
    srq_table *table = ((pair_rows *)context)->table;
    (void)place;
    srq_table_add(table, "%s - %s", c->stages[a].name, c->stages[b].name);
    srq_table_add(table, "%d", p->count);
    srq_table_add(table, "%+.3f", 100 * p->mean);
    if (p->count > 1)
        srq_table_add(table, "%+.3f to %+.3f", 100 * p->low, 100 * p->high);
    else
        srq_table_add(table, "one seed: none");
}

srq_status srq_report_print_pairs(const srq_report_ticket *ticket, srq_table_format format, FILE *out)
{
    static const srq_column columns[] = {{"stages", SRQ_COLUMN_TEXT},
                                         {"seeds", SRQ_COLUMN_NUMBER},
                                         {"difference in test error, points", SRQ_COLUMN_NUMBER},
                                         {"95 % confidence interval", SRQ_COLUMN_NUMBER}};
    pair_rows rows = {.ticket = ticket->name};
    SRQ_TRY(srq_table_create(sizeof columns / sizeof *columns, columns, &rows.table));
    srq_comparison_visit(&ticket->comparison, add_pair, &rows);
    const srq_status status = srq_table_print(rows.table, format, out);
    srq_table_destroy(&rows.table);
    return status;
}

static void add_pair_numbers(const srq_comparison *c, int a, int b, const srq_paired *p, int place, void *context)
{
    const pair_rows *rows = context;
    (void)place;
    srq_table_add(rows->table, "%s", rows->ticket);
    srq_table_add(rows->table, "%s", c->stages[a].name);
    srq_table_add(rows->table, "%s", c->stages[b].name);
    srq_table_add(rows->table, "%d", p->count);
    srq_table_add_number(rows->table, p->mean);
    srq_table_add_number(rows->table, p->low);
    srq_table_add_number(rows->table, p->high);
    srq_table_add_number(rows->table, rows->epochs);
    srq_table_add(rows->table, rows->series ? "%d" : "", rows->series);
}

srq_status srq_report_print_pairs_csv(const srq_report *report, FILE *out)
{
    static const srq_column columns[] = {{.title = "ticket"},  {.title = "stage"},           {.title = "against"},
                                         {.title = "seeds"},   {.title = "difference_mean"}, {.title = "low_95"},
                                         {.title = "high_95"}, {.title = "epochs"},          {.title = "series"}};
    pair_rows rows = {0};
    SRQ_TRY(srq_table_create(sizeof columns / sizeof *columns, columns, &rows.table));
    for (int i = 0; i < report->tickets.count; i++) {
        rows.ticket = report->tickets.items[i].name;
        rows.epochs = report->tickets.items[i].epochs;
        rows.series = report->tickets.items[i].series;
        srq_comparison_visit(&report->tickets.items[i].comparison, add_pair_numbers, &rows);
    }
    const srq_status status = srq_table_print(rows.table, SRQ_TABLE_CSV, out);
    srq_table_destroy(&rows.table);
    return status;
}

/* --- Levels of pruning */

static void add_error(srq_table *table, const char *stage, const srq_statistic *error)
{
    if (!stage)
        srq_table_add(table, "-");
    else if (error->count == 1)
        srq_table_add(table, "%.2f (one seed)", 100 * error->mean);
    else
        srq_table_add(table, "%.2f \xc2\xb1 %.2f (%d seeds)", 100 * error->mean, 100 * error->deviation, error->count);
}

/* Level 0 has other stages than the other levels. */
static void add_level(srq_table *table, const srq_ticket_level *level, bool drawn)
{
    const char *rewound = level->rewound.stage, *random = level->random.stage;
    if (level->level)
        srq_table_add(table, "%d", level->level);
    else if (strcmp(rewound ? rewound : random, random ? random : rewound) == 0)
        srq_table_add(table, "none: %s", rewound ? rewound : random);
    else
        srq_table_add(table, "none: %s, %s", rewound, random);
    if (isfinite(level->kept))
        srq_table_add(table, "%.4g", 100 * level->kept);
    else
        srq_table_add(table, "-");
    add_error(table, rewound, &level->rewound.error);
    add_error(table, random, &level->random.error);
    if (drawn) add_error(table, level->drawn.stage, &level->drawn.error);
}

srq_status srq_report_print_levels(const srq_report_ticket *ticket, srq_table_format format, FILE *out)
{
    static const srq_column columns[] = {{"level of pruning", SRQ_COLUMN_TEXT},
                                         {"weights left, %", SRQ_COLUMN_NUMBER},
                                         {"test error rewound (prune), %", SRQ_COLUMN_NUMBER},
                                         {"test error of new weights (reinit), %", SRQ_COLUMN_NUMBER},
                                         {"test error with random masks (random), %", SRQ_COLUMN_NUMBER}};
    bool drawn = false;
    srq_ticket_level levels[SRQ_TICKET_LEVELS];
    srq_table *table = NULL;
    const int count = srq_report_ticket_levels(ticket, levels);
    for (int i = 0; i < count; i++) drawn = drawn || levels[i].drawn.stage;
    SRQ_TRY(srq_table_create((int)(sizeof columns / sizeof *columns) - !drawn, columns, &table));
    for (int i = 0; i < count; i++) add_level(table, &levels[i], drawn);
    const srq_status status = srq_table_print(table, format, out);
    srq_table_destroy(&table);
    return status;
}

static void add_level_numbers(srq_table *table, const char *ticket, const srq_ticket_level *level, const char *stage,
                              const srq_statistic *error)
{
    if (!stage) return;
    srq_table_add(table, "%s", ticket);
    srq_table_add(table, "%d", level->level);
    srq_table_add_number(table, level->kept);
    srq_table_add(table, "%s", stage);
    srq_table_add(table, "%d", error->count);
    srq_table_add_number(table, error->mean);
    srq_table_add_number(table, error->deviation);
}

/* If the same stage is level 0 of both, it is listed once. */
srq_status srq_report_print_levels_csv(const srq_report *report, FILE *out)
{
    static const srq_column columns[] = {
        {.title = "ticket"}, {.title = "level"},           {.title = "weights_left"},        {.title = "stage"},
        {.title = "seeds"},  {.title = "test_error_mean"}, {.title = "test_error_deviation"}};
    srq_ticket_level levels[SRQ_TICKET_LEVELS];
    srq_table *table = NULL;
    SRQ_TRY(srq_table_create(sizeof columns / sizeof *columns, columns, &table));
    for (int t = 0; t < report->tickets.count; t++) {
        const char *name = report->tickets.items[t].name;
        const int count = srq_report_ticket_levels(&report->tickets.items[t], levels);
        for (int i = 0; i < count; i++) {
            const srq_ticket_level *l = &levels[i];
            add_level_numbers(table, name, l, l->rewound.stage, &l->rewound.error);
            if (l->random.stage != l->rewound.stage)
                add_level_numbers(table, name, l, l->random.stage, &l->random.error);
            add_level_numbers(table, name, l, l->drawn.stage, &l->drawn.error);
        }
    }
    const srq_status status = srq_table_print(table, SRQ_TABLE_CSV, out);
    srq_table_destroy(&table);
    return status;
}
