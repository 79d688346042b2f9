/* Limits on what a process that reads a file may use. */
#include "io/h5_internal.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif
#else
enum { SANITIZED = 0 };
#endif

/* What a reader may use beside what a file of its size needs. */
enum { SECONDS = 5, BYTES_A_SECOND = 16 << 20, MEMORY = 96 << 20 };

/* Sets the soft limit, up to the hard one, which stays. */
static void limit(int what, rlim_t value)
{
    struct rlimit both;
    if (getrlimit(what, &both) != 0) return;
    both.rlim_cur = value < both.rlim_max ? value : both.rlim_max;
    setrlimit(what, &both);
}

static size_t memory_now(void)
{
    unsigned long pages = 0;
    FILE *stream = fopen("/proc/self/statm", "r");
    if (stream && fscanf(stream, "%lu", &pages) != 1) pages = 0;
    if (stream) fclose(stream);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

void srq_h5_allow_memory(uint64_t bytes)
{
    const size_t now = memory_now();
    if (!SANITIZED && now > 0) limit(RLIMIT_AS, (rlim_t)(now + MEMORY + bytes));
}

/* Sanitizers use terabytes of address space, and several times as much time. */
void srq_h5_limit(uint64_t bytes)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGXCPU};
    for (size_t i = 0; !SANITIZED && i < sizeof faults / sizeof *faults; i++) signal(faults[i], SIG_DFL);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_CPU, (rlim_t)((SECONDS + bytes / BYTES_A_SECOND) * (SANITIZED ? 8 : 1)));
    srq_h5_allow_memory(2 * bytes);
}
