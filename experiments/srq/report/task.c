#include "experiments/srq/report/task.h"

#include "io/escape.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const srq_choice *choice_of(const srq_report_group *group, const char *path)
{
    return srq_choices_find(&group->choices, path);
}

static bool same(const srq_report_group *a, const srq_report_group *b, const char *path)
{
    return strcmp(choice_of(a, path)->value, choice_of(b, path)->value) == 0;
}

/* --- Names */

/* Whether an earlier task has the same network and file by name, though not by content. */
static bool is_named_before(const srq_report_groups *groups, const srq_report_tasks *tasks, const char *path, int index)
{
    const srq_report_group *own = &groups->items[tasks->items[index].group];
    for (int i = 0; i < index; i++) {
        const srq_report_group *other = &groups->items[tasks->items[i].group];
        if (!same(own, other, path) && strcmp(choice_of(own, path)->shown, choice_of(other, path)->shown) == 0)
            return true;
    }
    return false;
}

static void name_task(const srq_report_groups *groups, srq_report_tasks *tasks, int index)
{
    srq_report_task *task = &tasks->items[index];
    const srq_report_group *group = &groups->items[task->group];
    const srq_choice *data = choice_of(group, "data");
    snprintf(task->name, sizeof task->name, "%.80s%s on %.80s", srq_config_settings(group->config)->model.name,
             is_named_before(groups, tasks, "model", index) ? " (another model)" : "", data->shown);
    if (is_named_before(groups, tasks, "data", index))
        srq_text_append(task->name, sizeof task->name, " (SHA-256 %.8s...)", data->value);
}

/* --- Tasks */

static int find(const srq_report_groups *groups, const srq_report_tasks *tasks, const srq_report_group *group)
{
    int at = 0;
    while (at < tasks->count && !(same(&groups->items[tasks->items[at].group], group, "data") &&
                                  same(&groups->items[tasks->items[at].group], group, "model")))
        at++;
    return at;
}

static void add_epochs(const srq_report_runs *runs, const srq_report_group *group, srq_report_task *task)
{
    for (int i = 0; i < group->member_count; i++) {
        const srq_log *log = runs->items[group->members[i]].log;
        if (log->steps_per_epoch <= 0) continue;
        const double epochs = (double)log->total_steps / (double)log->steps_per_epoch;
        task->epochs[0] = fmin(task->epochs[0], epochs); /* fmin and fmax ignore NaN */
        task->epochs[1] = fmax(task->epochs[1], epochs);
    }
}

srq_status srq_report_find_tasks(const srq_report_runs *runs, srq_report_groups *groups, srq_report_tasks *tasks)
{
    *tasks = (srq_report_tasks){0};
    tasks->items = calloc((size_t)groups->count + 1, sizeof *tasks->items);
    if (!tasks->items) return srq_fail_memory((size_t)groups->count * sizeof *tasks->items, "the report");
    for (int i = 0; i < groups->count; i++) {
        srq_report_group *group = &groups->items[i];
        group->task = find(groups, tasks, group);
        srq_report_task *task = &tasks->items[group->task];
        if (group->task == tasks->count) {
            *task = (srq_report_task){.group = i, .epochs = {NAN, NAN}};
            name_task(groups, tasks, tasks->count);
            tasks->count++;
        }
        task->group_count++;
        add_epochs(runs, group, task);
    }
    return SRQ_OK;
}

void srq_report_free_tasks(srq_report_tasks *tasks)
{
    free(tasks->items);
    *tasks = (srq_report_tasks){0};
}

/* --- As text */

static void append_epochs(const srq_report_task *task, char *out, size_t size)
{
    if (!isfinite(task->epochs[1])) return;
    srq_text_append(out, size, ", ");
    if (task->epochs[0] < task->epochs[1]) srq_text_append(out, size, "%.4g to ", task->epochs[0]);
    srq_text_append(out, size, "%.4g epoch%s", task->epochs[1], task->epochs[1] == 1 ? "" : "s");
}

char *srq_report_list_tasks(const srq_report_tasks *tasks, char *out, size_t size)
{
    enum { MOST = 8 };
    out[0] = '\0';
    for (int i = 0; i < tasks->count && i < MOST; i++) {
        const srq_report_task *task = &tasks->items[i];
        srq_text_append(out, size, "%s%s", i ? "; " : "", task->name);
        append_epochs(task, out, size);
        if (tasks->count > 1)
            srq_text_append(out, size, " (%d configuration%s)", task->group_count, task->group_count == 1 ? "" : "s");
    }
    if (tasks->count > MOST) srq_text_append(out, size, "; and %d more", tasks->count - MOST);
    if (tasks->count) srq_text_append(out, size, ".");
    return out;
}
