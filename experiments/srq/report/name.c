/* Names of groups: what a configuration is, in a few words, and what else sets it apart from the others. */
#include "core/quant/methods.h"
#include "experiments/srq/report/escape.h"
#include "experiments/srq/report/tickets.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the few words say already. */
static const char *const covered[] = {"model",         "quantizer.method",      "quantizer.estimator",
                                      "dropbits.mode", "quantizer.weight_bits", "quantizer.activation_bits"};

static bool is_covered(const char *path)
{
    for (size_t i = 0; i < sizeof covered / sizeof *covered; i++)
        if (strcmp(covered[i], path) == 0) return true;
    return false;
}

/* --- The few words: "srq argmax 2/2 + DropBits" */

/* "3", or "8,4" of a schedule. */
static void append_bits(const srq_bits_schedule *bits, char *out, size_t size)
{
    for (int i = 0; i < bits->count; i++) srq_text_append(out, size, "%s%d", i ? "," : "", bits->bits[i]);
}

void srq_report_describe(const srq_settings *s, char *out, size_t size)
{
    const bool estimates = srq_quantizer_reads(s->quantizer.method, "quantizer.estimator");
    srq_text_append(out, size, "%s%s", s->quantizer.method,
                    estimates && strcmp(s->quantizer.estimator, "argmax") == 0 ? " argmax" : "");
    if (strcmp(s->quantizer.method, "float32") == 0) return;
    srq_text_append(out, size, " ");
    append_bits(&s->quantizer.weight_bits, out, size);
    srq_text_append(out, size, "/");
    append_bits(&s->quantizer.activation_bits, out, size);
    if (strcmp(s->dropbits.mode, "regularize") == 0) srq_text_append(out, size, " + DropBits");
    if (strcmp(s->dropbits.mode, "learn") == 0) srq_text_append(out, size, ", bits learned");
}

/* --- What else differs */

/* Groups that are no stages of a ticket: these are told apart by their settings, stages by what they are. */
static int plain_count(const srq_report *report)
{
    int count = 0;
    while (count < report->group_count && report->groups[count].ticket < 0) count++;
    return count;
}

/* The value that most groups have for a choice: the index of one of them, and how many there are. */
static int most_common(const srq_report *report, int choice, int *count)
{
    int best = 0;
    *count = 0;
    for (int i = 0; i < plain_count(report); i++) {
        int same = 0;
        for (int k = 0; k < plain_count(report); k++)
            same += strcmp(report->groups[i].choices[choice].value, report->groups[k].choices[choice].value) == 0;
        if (same <= *count) continue;
        *count = same;
        best = i;
    }
    return best;
}

/* "quantizer.sigma" is called "sigma", where no other group of settings has one of that name. */
static const char *short_path(const srq_report_group *group, const char *path)
{
    const char *point = strrchr(path, '.');
    if (!point) return path;
    for (int i = 0; i < group->choice_count; i++) {
        const char *other = strrchr(group->choices[i].path, '.');
        if (other && strcmp(group->choices[i].path, path) != 0 && strcmp(other, point) == 0) return path;
    }
    return point + 1;
}

static void append_choice(const srq_report_group *group, const srq_choice *choice, char *out, size_t size)
{
    srq_text_append(out, size, "%s%s=%s", out[0] ? ", " : "", short_path(group, choice->path), choice->shown);
}

/* How many values a choice has. */
static int distinct(const srq_report *report, int choice)
{
    int count = 0;
    for (int i = 0; i < plain_count(report); i++) {
        int before = 0;
        while (strcmp(report->groups[before].choices[choice].value, report->groups[i].choices[choice].value) != 0)
            before++;
        count += before == i;
    }
    return count;
}

/* Where more than half have one value, only the others name theirs. */
static void name_by_choice(srq_report *report, int choice)
{
    int count;
    const srq_choice *common = &report->groups[most_common(report, choice, &count)].choices[choice];
    if (count == plain_count(report) || is_covered(common->path)) return;
    const bool majority = 2 * count > plain_count(report);
    for (int i = 0; i < plain_count(report); i++) {
        const srq_choice *own = &report->groups[i].choices[choice];
        if (!majority || strcmp(own->value, common->value) != 0)
            append_choice(&report->groups[i], own, report->groups[i].name, sizeof report->groups[i].name);
    }
    if (majority) append_choice(&report->groups[0], common, report->common, sizeof report->common);
}

/* Two groups may still be called alike: by a setting that their method does not read, or one whose words are the same
 * for several values. */
static void tell_apart(srq_report *report)
{
    for (int i = 0; i < report->group_count; i++) {
        int same = 0;
        for (int k = 0; k < i; k++) same += strcmp(report->groups[k].name, report->groups[i].name) == 0;
        for (int k = 0; same && k < i; k++) {
            if (strcmp(report->groups[k].name, report->groups[i].name) != 0) continue;
            for (int c = 0; c < report->groups[i].choice_count; c++) {
                const srq_choice *own = &report->groups[i].choices[c], *other = &report->groups[k].choices[c];
                if (strcmp(own->value, other->value) == 0) continue;
                if (strcmp(own->shown, other->shown) != 0)
                    append_choice(&report->groups[i], own, report->groups[i].name, sizeof report->groups[i].name);
                else
                    srq_text_append(report->groups[i].name, sizeof report->groups[i].name, ", another %s", own->path);
            }
        }
    }
}

/* "prune-03 (9.13 % of weights)", and of which ticket where that is not plain. */
static void name_stage(const srq_report *report, srq_report_group *group)
{
    const bool only = report->ticket_count == 1 && plain_count(report) == 0;
    if (!only) srq_text_append(group->name, sizeof group->name, "%.120s: ", report->tickets[group->ticket].name);
    srq_text_append(group->name, sizeof group->name, "%s", group->stage.name);
    if (group->stage.level > 0 && isfinite(group->kept.mean))
        srq_text_append(group->name, sizeof group->name, " (%.3g %% of weights)", 100 * group->kept.mean);
}

void srq_report_name_groups(srq_report *report)
{
    const int count = plain_count(report);
    bool models = false;
    for (int i = 1; i < count; i++)
        models = models || strcmp(srq_config_settings(report->groups[i].config)->model.name,
                                  srq_config_settings(report->groups[0].config)->model.name) != 0;
    for (int i = 0; i < count; i++) {
        srq_report_group *group = &report->groups[i];
        const srq_settings *s = srq_config_settings(group->config);
        snprintf(group->name, sizeof group->name, "%s%s", models ? s->model.name : "", models ? ": " : "");
        srq_report_describe(s, group->name, sizeof group->name);
    }
    /* What has many values comes first: a long name is cut at its end. */
    const int choices = count > 0 ? report->groups[0].choice_count : 0;
    int most = 0;
    for (int c = 0; c < choices; c++) most = distinct(report, c) > most ? distinct(report, c) : most;
    for (int values = most; values > 1; values--)
        for (int c = 0; c < choices; c++)
            if (distinct(report, c) == values) name_by_choice(report, c);
    for (int i = count; i < report->group_count; i++) name_stage(report, &report->groups[i]);
    tell_apart(report);
}
