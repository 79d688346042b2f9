#include "experiments/srq/report/run_stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Cuts off the last name of a path; NULL if there is no other. */
static char *cut_name(char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash || !slash[1]) return NULL;
    *slash = '\0';
    return slash + 1;
}

bool srq_report_find_stage(const char *run, const srq_settings *settings, srq_stage *stage, char **ticket)
{
    char expected[48];
    *ticket = realpath(run, NULL); /* the path may have been given relative to a folder of the ticket */
    if (!*ticket) return false;
    const char *name = cut_name(*ticket), *seed = name ? cut_name(*ticket) : NULL;
    snprintf(expected, sizeof expected, "seed-%lld", (long long)settings->train.seed);
    if (seed && strcmp(seed, expected) == 0 && srq_stage_parse(name, stage) && srq_stage_fits(stage, settings))
        return true;
    free(*ticket);
    *ticket = NULL;
    return false;
}

char *srq_report_name_ticket(const char *run, const char *folder)
{
    char *name = strdup(run);
    if (name && cut_name(name) && cut_name(name) && name[0] && strcmp(name, ".") != 0) return name;
    free(name);
    const char *slash = strrchr(folder, '/');
    return strdup(slash && slash[1] ? slash + 1 : "/");
}
