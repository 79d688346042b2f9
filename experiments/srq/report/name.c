#include "experiments/srq/report/name.h"

#include "experiments/srq/report/describe.h"
#include "io/escape.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Settings that the short description includes already. */
static const char *const covered[] = {"model",         "quantizer.method",      "quantizer.estimator",
                                      "dropbits.mode", "quantizer.weight_bits", "quantizer.activation_bits"};

static bool is_covered(const char *path)
{
    for (size_t i = 0; i < sizeof covered / sizeof *covered; i++)
        if (strcmp(covered[i], path) == 0) return true;
    return false;
}

/* --- What else differs */

/* Groups without a ticket differ by their settings. Stages of a ticket have their own names. */
static int plain_count(const srq_report_groups *groups)
{
    int count = 0;
    while (count < groups->count && groups->items[count].ticket < 0) count++;
    return count;
}

/* Whether a group is compared with others: those of a task, or all if `task` is -1. */
static bool is_compared(const srq_report_groups *groups, int task, int i)
{
    return i < plain_count(groups) && (task < 0 || groups->items[i].task == task);
}

static int count_compared(const srq_report_groups *groups, int task)
{
    int count = 0;
    for (int i = 0; i < plain_count(groups); i++) count += is_compared(groups, task, i);
    return count;
}

static bool same_value(const srq_report_groups *groups, int a, int b, int choice)
{
    return strcmp(groups->items[a].choices.items[choice].value, groups->items[b].choices.items[choice].value) == 0;
}

/* The most frequent value of a choice: the index of a group with it, and the number of such groups. */
static int most_common(const srq_report_groups *groups, int task, int choice, int *count)
{
    int best = 0;
    *count = 0;
    for (int i = 0; i < plain_count(groups); i++) {
        int same = 0;
        if (!is_compared(groups, task, i)) continue;
        for (int k = 0; k < plain_count(groups); k++)
            same += is_compared(groups, task, k) && same_value(groups, i, k, choice);
        if (same <= *count) continue;
        *count = same;
        best = i;
    }
    return best;
}

/* The short name of "quantizer.sigma" is "sigma", if no other group of settings has the same name. */
static const char *short_path(const srq_report_group *group, const char *path)
{
    const char *point = strrchr(path, '.');
    if (!point) return path;
    for (int i = 0; i < group->choices.count; i++) {
        const char *other = strrchr(group->choices.items[i].path, '.');
        if (other && strcmp(group->choices.items[i].path, path) != 0 && strcmp(other, point) == 0) return path;
    }
    return point + 1;
}

static void append_choice(const srq_report_group *group, const srq_choice *choice, char *out, size_t size)
{
    if (choice->idle) return;
    srq_text_append(out, size, "%s%s=%s", out[0] ? ", " : "", short_path(group, choice->path), choice->shown);
}

/* The number of values of a choice. */
static int distinct(const srq_report_groups *groups, int task, int choice)
{
    int count = 0;
    for (int i = 0; i < plain_count(groups); i++) {
        int before = 0;
        if (!is_compared(groups, task, i)) continue;
        while (!is_compared(groups, task, before) || !same_value(groups, before, i, choice)) before++;
        count += before == i;
    }
    return count;
}

/* If more than half of the groups have the same value, only the others name theirs, and `common` gets it. */
static void name_by_choice(srq_report_groups *groups, int task, int choice, char *common, size_t size)
{
    int count;
    const int compared = count_compared(groups, task), best = most_common(groups, task, choice, &count);
    const srq_choice *most = &groups->items[best].choices.items[choice];
    if (count == compared || is_covered(most->path)) return;
    const bool majority = 2 * count > compared;
    for (int i = 0; i < plain_count(groups); i++) {
        srq_report_group *group = &groups->items[i];
        if (is_compared(groups, task, i) && (!majority || !same_value(groups, i, best, choice)))
            append_choice(group, &group->choices.items[choice], group->name, sizeof group->name);
    }
    if (majority) append_choice(&groups->items[best], most, common, size);
}

/* Within a task. Settings with many values come first, because long names are cut at the end. */
static void name_by_task(srq_report_groups *groups, int task, char *common, size_t size)
{
    const int choices = groups->items[0].choices.count;
    int most = 0;
    for (int c = 0; c < choices; c++) most = distinct(groups, task, c) > most ? distinct(groups, task, c) : most;
    for (int values = most; values > 1; values--)
        for (int c = 0; c < choices; c++)
            if (distinct(groups, task, c) == values) name_by_choice(groups, task, c, common, size);
}

/* Two groups may still have the same name: if they differ in a setting that their method does not use, or whose texts
 * are equal for several values. */
static void tell_apart(srq_report_groups *groups)
{
    for (int i = 0; i < groups->count; i++) {
        int same = 0;
        for (int k = 0; k < i; k++) same += strcmp(groups->items[k].name, groups->items[i].name) == 0;
        for (int k = 0; same && k < i; k++) {
            if (strcmp(groups->items[k].name, groups->items[i].name) != 0) continue;
            for (int c = 0; c < groups->items[i].choices.count; c++) {
                const srq_choice *own = &groups->items[i].choices.items[c], *other = &groups->items[k].choices.items[c];
                if (strcmp(own->value, other->value) == 0) continue;
                if (strcmp(own->shown, other->shown) != 0)
                    append_choice(&groups->items[i], own, groups->items[i].name, sizeof groups->items[i].name);
                else
                    srq_text_append(groups->items[i].name, sizeof groups->items[i].name, ", another %s", own->path);
            }
        }
    }
}

/* "prune-03 (9.13 % of weights)", and the ticket if there are several. */
static void name_stage(const srq_report_runs *runs, bool only, srq_report_group *group)
{
    if (!only) srq_text_append(group->name, sizeof group->name, "%.120s: ", runs->tickets[group->ticket].name);
    srq_text_append(group->name, sizeof group->name, "%s", group->stage.name);
    if (group->stage.level > 0 && isfinite(group->kept.mean))
        srq_text_append(group->name, sizeof group->name, " (%.3g %% of weights)", 100 * group->kept.mean);
}

static void describe_groups(srq_report_groups *groups)
{
    bool models = false;
    const int count = plain_count(groups);
    for (int i = 1; i < count; i++)
        models = models || strcmp(srq_config_settings(groups->items[i].config)->model.name,
                                  srq_config_settings(groups->items[0].config)->model.name) != 0;
    for (int i = 0; i < count; i++) {
        srq_report_group *group = &groups->items[i];
        const srq_settings *s = srq_config_settings(group->config);
        snprintf(group->name, sizeof group->name, "%s%s", models ? s->model.name : "", models ? ": " : "");
        srq_report_describe(s, group->name, sizeof group->name);
    }
}

/* Settings are compared within each task, where they matter, and data sets over all tasks. */
static void name_plain_groups(const srq_report_tasks *tasks, srq_report_groups *groups)
{
    char common[sizeof groups->common];
    describe_groups(groups);
    for (int t = 0; t < tasks->count; t++) {
        common[0] = '\0';
        if (count_compared(groups, t) > 0) name_by_task(groups, t, common, sizeof common);
        if (!common[0]) continue;
        srq_text_append(groups->common, sizeof groups->common, "%s", groups->common[0] ? "; " : "");
        if (tasks->count > 1) srq_text_append(groups->common, sizeof groups->common, "%s: ", tasks->items[t].name);
        srq_text_append(groups->common, sizeof groups->common, "%s", common);
    }
    for (int c = 0; c < groups->items[0].choices.count; c++)
        if (strcmp(groups->items[0].choices.items[c].path, "data") == 0)
            name_by_choice(groups, -1, c, common, sizeof common);
}

void srq_report_name_groups(const srq_report_runs *runs, const srq_report_tasks *tasks, srq_report_groups *groups)
{
    const int count = plain_count(groups);
    if (count > 0) name_plain_groups(tasks, groups);
    for (int i = count; i < groups->count; i++)
        name_stage(runs, runs->ticket_count == 1 && count == 0, &groups->items[i]);
    tell_apart(groups);
}
