#include "experiments/srq/report/arrange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Looks for a run of the group that has the settings of a row. If the run starts from a renamed run, it is not found,
 * but a run with another seed may be. */
static srq_status find_row(const srq_report *report, srq_report_group *group)
{
    group->row = -1;
    for (int i = 0; i < group->member_count && group->row < 0; i++)
        SRQ_TRY(srq_sweep_find(report->sweep, report->runs.items[group->members[i]].config, &group->row));
    return SRQ_OK;
}

static int by_row(const void *a, const void *b)
{
    const srq_report_group *one = a, *other = b;
    const int x = one->row < 0 ? 1 << 30 : one->row, y = other->row < 0 ? 1 << 30 : other->row;
    return x != y ? (x > y) - (x < y) : one->number - other->number;
}

/* A row can have several groups: with different data sets of the same name, or with a stage of a ticket, which keeps
 * its name. */
static void name_by_row(srq_report *report, int index)
{
    srq_report_group *group = &report->groups.items[index];
    const bool again = index > 0 && group->row >= 0 && report->groups.items[index - 1].row == group->row;
    char own[sizeof group->name];
    if (group->row < 0) return;
    snprintf(own, sizeof own, "%s", group->name);
    snprintf(group->name, sizeof group->name, "%s%s%s", report->sweep->rows[group->row].name,
             group->ticket >= 0 ? ", ticket "
             : again            ? ", other data"
                                : "",
             group->ticket >= 0 ? own : "");
}

srq_status srq_report_arrange(srq_report *report, const srq_sweep *sweep)
{
    report->sweep = sweep;
    bool others = false;
    for (int i = 0; i < report->groups.count; i++) {
        SRQ_TRY(find_row(report, &report->groups.items[i]));
        others = others || report->groups.items[i].row < 0;
    }
    if (report->groups.count > 0)
        qsort(report->groups.items, (size_t)report->groups.count, sizeof *report->groups.items, by_row);
    for (int i = 0; i < report->groups.count; i++) {
        srq_report_group *group = &report->groups.items[i];
        group->number = i + 1;
        name_by_row(report, i);
        for (int k = 0; k < group->member_count; k++) report->runs.items[group->members[k]].group = i;
    }
    if (!others) report->groups.common[0] = '\0'; /* the common settings of rows are in their files */
    return SRQ_OK;
}

bool srq_report_is_missing(const srq_report *report, int row, long long seed)
{
    for (int i = 0; i < report->groups.count; i++) {
        const srq_report_group *group = &report->groups.items[i];
        for (int k = 0; group->row == row && k < group->member_count; k++)
            if (report->runs.items[group->members[k]].seed == seed) return false;
    }
    return true;
}

int srq_report_missing(const srq_report *report)
{
    int count = 0;
    for (int r = 0; report->sweep && r < report->sweep->row_count; r++)
        for (int s = 0; s < report->sweep->seed_count; s++)
            count += srq_report_is_missing(report, r, report->sweep->seeds[s]);
    return count;
}
