#include "io/cores.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int srq_cores_count(const uint64_t *cpus)
{
    int count = 0;
    for (int i = 0; i < SRQ_CORES_WORDS; i++) count += __builtin_popcountll(cpus[i]);
    return count;
}

static void read_affinity(uint64_t *cpus)
{
    const size_t bytes = CPU_ALLOC_SIZE(SRQ_CORES_MAX * 8); /* the kernel may know more CPUs than we count */
    cpu_set_t *set = CPU_ALLOC(SRQ_CORES_MAX * 8);
    if (set && sched_getaffinity(0, bytes, set) == 0)
        for (int c = 0; c < SRQ_CORES_MAX; c++)
            if (CPU_ISSET_S((size_t)c, bytes, set)) cpus[c / 64] |= (uint64_t)1 << (c % 64);
    CPU_FREE(set);
}

/* The first one or two numbers of a file; "max" is -1. Returns how many there are. */
static int read_numbers(const char *root, const char *group, const char *name, double *numbers)
{
    char path[PATH_MAX], words[2][32];
    if (snprintf(path, sizeof path, "%s%s/%s", root, group, name) >= (int)sizeof path) return 0;
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    int count = fscanf(file, "%31s %31s", words[0], words[1]);
    fclose(file);
    for (int i = 0; i < count; i++) numbers[i] = strcmp(words[i], "max") == 0 ? -1 : strtod(words[i], NULL);
    return count < 0 ? 0 : count;
}

static void lower(double *quota, double numbers, double period)
{
    if (numbers <= 0 || period <= 0) return;
    if (*quota == 0 || numbers / period < *quota) *quota = numbers / period;
}

/* The limits of a group and of all groups that contain it. */
static void walk(const char *root, char *group, bool second, double *quota)
{
    for (;;) {
        double numbers[2], period[2];
        if (second && read_numbers(root, group, "cpu.max", numbers) == 2) lower(quota, numbers[0], numbers[1]);
        if (!second && read_numbers(root, group, "cpu.cfs_quota_us", numbers) >= 1 &&
            read_numbers(root, group, "cpu.cfs_period_us", period) >= 1)
            lower(quota, numbers[0], period[0]);
        char *slash = strrchr(group, '/');
        if (!slash) return;
        *slash = 0;
    }
}

/* Lines are "0::/path" for version 2 and "4:cpu,cpuacct:/path" for version 1. In a container, the path may be that of
 * the host, and its root the group itself; then only the root is found. */
double srq_cores_quota(const char *root, const char *membership)
{
    double quota = 0;
    for (const char *line = membership; *line;) {
        const size_t length = strcspn(line, "\n");
        char text[PATH_MAX], first[PATH_MAX + 32];
        snprintf(text, sizeof text, "%.*s", (int)(length < sizeof text ? length : sizeof text - 1), line);
        char *controllers = strchr(text, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (group) {
            *group++ = 0;
            controllers++;
            if (!*controllers) walk(root, group, true, &quota);
            char padded[PATH_MAX + 2];
            snprintf(padded, sizeof padded, ",%s,", controllers);
            if (strstr(padded, ",cpu,")) {
                snprintf(first, sizeof first, "%s/%s", root, controllers);
                walk(first, group, false, &quota);
            }
        }
        line += length + (line[length] == '\n');
    }
    return quota;
}

static double read_quota(void)
{
    char text[8192];
    FILE *file = fopen("/proc/self/cgroup", "r");
    if (!file) return 0;
    const size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = 0;
    return srq_cores_quota("/sys/fs/cgroup", text);
}

/* OMP_NUM_THREADS may be a list, of which the first number counts. */
static int read_variable(const char *name)
{
    const char *text = getenv(name);
    char *end;
    if (!text) return 0;
    const long number = strtol(text, &end, 10);
    return end != text && (!*end || *end == ',') && number > 0 && number <= INT_MAX ? (int)number : 0;
}

void srq_cores_read(srq_cores *cores)
{
    static const char *const variables[] = {"OMP_NUM_THREADS", "SLURM_CPUS_PER_TASK"};
    *cores = (srq_cores){.quota = read_quota()};
    read_affinity(cores->granted);
    for (size_t i = 0; i < sizeof variables / sizeof *variables && !cores->wanted; i++) {
        cores->wanted = read_variable(variables[i]);
        cores->wanted_by = variables[i];
    }
}
