/* Cores: quotas of control groups of both versions, and what the environment asks for. */
#include "io/cores.h"
#include "tests/io/scratch.h"
#include "tests/suite.h"

#include <sched.h>
#include <sys/stat.h>

static void put(const char *folder, const char *name, const char *text)
{
    char path[600];
    for (const char *at = strchr(folder, '/'); at; at = strchr(at + 1, '/')) {
        snprintf(path, sizeof path, "%.*s", (int)(at - folder), folder);
        mkdir(scratch(path), 0777);
    }
    mkdir(scratch(folder), 0777);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(scratch(path), "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

START_TEST(quotas)
{
    char root[600];
    put("g", "cpu.stat", "");
    put("g/a", "cpu.max", "400000 100000\n");
    put("g/a/b", "cpu.max", "max 100000\n");
    put("g/half", "cpu.max", "50000 100000\n");
    put("g/broken", "cpu.max", "\n");
    put("g/cpu,cpuacct/job", "cpu.cfs_quota_us", "250000\n");
    put("g/cpu,cpuacct/job", "cpu.cfs_period_us", "100000\n");
    put("g/cpu,cpuacct/free", "cpu.cfs_quota_us", "-1\n");
    put("g/cpu,cpuacct/free", "cpu.cfs_period_us", "100000\n");
    snprintf(root, sizeof root, "%s", scratch("g"));
    static const struct {
        const char *membership;
        double quota;
    } cases[] = {{"0::/a/b\n", 4},
                 {"0::/half\n", 0.5},
                 {"0::/\n", 0},
                 {"0::/not/there\n", 0},
                 {"0::/broken\n", 0},
                 {"12:memory:/x\n4:cpu,cpuacct:/job\n", 2.5},
                 {"4:cpu,cpuacct:/free\n0::/a\n", 4},
                 {"4:cpu,cpuacct:/job\n0::/a/b\n", 2.5},
                 {"4:cpuset:/job\n", 0},
                 {"", 0},
                 {"no colons", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(srq_cores_quota(root, cases[i].membership) == cases[i].quota, "case %zu: %g, not %g", i,
                      srq_cores_quota(root, cases[i].membership), cases[i].quota);
}
END_TEST

START_TEST(environment)
{
    static const struct {
        const char *openmp, *slurm;
        int wanted;
        const char *by;
    } cases[] = {{"3", "5", 3, "OMP_NUM_THREADS"},
                 {"4,2", NULL, 4, "OMP_NUM_THREADS"},
                 {NULL, "5", 5, "SLURM_CPUS_PER_TASK"},
                 {"0", "5", 5, "SLURM_CPUS_PER_TASK"},
                 {"many", NULL, 0, NULL},
                 {"-2", NULL, 0, NULL},
                 {"99999999999", NULL, 0, NULL},
                 {NULL, NULL, 0, NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        srq_cores cores;
        unsetenv("OMP_NUM_THREADS");
        unsetenv("SLURM_CPUS_PER_TASK");
        if (cases[i].openmp) setenv("OMP_NUM_THREADS", cases[i].openmp, 1);
        if (cases[i].slurm) setenv("SLURM_CPUS_PER_TASK", cases[i].slurm, 1);
        srq_cores_read(&cores);
        ck_assert_int_eq(cores.wanted, cases[i].wanted);
        if (cases[i].wanted) ck_assert_str_eq(cores.wanted_by, cases[i].by);
    }
    /* The affinity is what the system says. */
    cpu_set_t set;
    srq_cores cores;
    srq_cores_read(&cores);
    ck_assert_int_eq(sched_getaffinity(0, sizeof set, &set), 0);
    ck_assert_int_eq(srq_cores_count(cores.granted), CPU_COUNT(&set));
}
END_TEST

int main(void)
{
    scratch_create();
    Suite *suite = suite_create("cores");
    TCase *tests = tcase_create("cores");
    tcase_add_test(tests, quotas);
    tcase_add_test(tests, environment);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
