/* The processor cores that this process may use. */
#ifndef SRQ_IO_CORES_H
#define SRQ_IO_CORES_H

#include <stddef.h>
#include <stdint.h>

/* CPUs as bits: CPU c is bit c % 64 of word c / 64. CPUs above the limit are not seen. */
enum { SRQ_CORES_MAX = 1024, SRQ_CORES_WORDS = SRQ_CORES_MAX / 64 };

typedef struct srq_cores {
    uint64_t granted[SRQ_CORES_WORDS]; /* CPUs that the system lets this process use (affinity) */
    double quota;                      /* CPUs that control groups grant at most; 0: no limit */
    int wanted;                        /* threads that the environment asks for; 0: it says nothing */
    const char *wanted_by;             /* the variable that says so */
} srq_cores;

/* Reads the affinity of the calling thread, the quotas of its control groups (versions 1 and 2), and the variables
 * OMP_NUM_THREADS and SLURM_CPUS_PER_TASK, of which the first that is set counts. What cannot be read sets no limit. */
void srq_cores_read(srq_cores *cores);

/* The same quota from a folder of control groups in place of /sys/fs/cgroup, and from the text of /proc/self/cgroup. */
double srq_cores_quota(const char *root, const char *membership);

/* The number of CPUs of a set. */
int srq_cores_count(const uint64_t *cpus);

#endif
