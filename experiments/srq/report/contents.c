#include "experiments/srq/report/contents.h"

#include "experiments/srq/report/name.h"

srq_status srq_report_create(int count, char *const *folders, double now, srq_report *report)
{
    *report = (srq_report){0};
    srq_status status = srq_report_read_runs(count, folders, now, &report->runs);
    if (status == SRQ_OK) status = srq_report_group_runs(&report->runs, &report->groups);
    if (status == SRQ_OK) status = srq_report_find_tasks(&report->runs, &report->groups, &report->tasks);
    if (status == SRQ_OK) srq_report_name_groups(&report->runs, &report->tasks, &report->groups);
    if (status == SRQ_OK) status = srq_report_compare_tickets(&report->runs, &report->groups, &report->tickets);
    if (status != SRQ_OK) srq_report_destroy(report);
    return status;
}

void srq_report_destroy(srq_report *report)
{
    srq_report_free_tickets(&report->tickets);
    srq_report_free_tasks(&report->tasks);
    srq_report_free_groups(&report->groups);
    srq_report_free_runs(&report->runs);
    *report = (srq_report){0};
}

bool srq_report_any_validates(const srq_report *report)
{
    for (int i = 0; i < report->groups.count; i++)
        if (report->groups.items[i].validates) return true;
    return false;
}
