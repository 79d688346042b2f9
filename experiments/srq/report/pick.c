#include "experiments/srq/report/pick.h"

#include <math.h>
#include <stdlib.h>

static const srq_report *sorted;

/* Lowest error first; groups without an error last. */
static int by_error(const void *a, const void *b)
{
    const srq_report_group *one = &sorted->groups.items[*(const int *)a],
                           *other = &sorted->groups.items[*(const int *)b];
    const double x = isfinite(one->error.mean) ? one->error.mean : 2,
                 y = isfinite(other->error.mean) ? other->error.mean : 2;
    return x != y ? (x > y) - (x < y) : one->number - other->number;
}

static int by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

int srq_report_pick(const srq_report *report, int task, bool (*wanted)(const srq_report *, const srq_report_group *),
                    int most, int *picked)
{
    int count = 0;
    for (int i = 0; i < report->groups.count; i++)
        if ((task < 0 || report->groups.items[i].task == task) && wanted(report, &report->groups.items[i]))
            picked[count++] = i;
    if (count > most) {
        sorted = report;
        qsort(picked, (size_t)count, sizeof *picked, by_error);
        count = most;
        qsort(picked, (size_t)count, sizeof *picked, by_number);
    }
    return count;
}
