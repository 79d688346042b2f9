/* libFuzzer's side of a harness. */
#include "tests/fuzz/fuzz.h"

#include <pthread.h>
#include <signal.h>

#if __has_feature(address_sanitizer)
#include <sanitizer/common_interface_defs.h>
#endif

/* A process that reads an HDF5 file may crash. libFuzzer, which is in it as well, must not report that. */
static void leave_libfuzzer(void)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) signal(faults[i], SIG_DFL);
#if __has_feature(address_sanitizer)
    __sanitizer_set_death_callback(NULL);
#endif
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return pthread_atfork(NULL, NULL, leave_libfuzzer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    srq_fuzz_one(data, size);
    return 0;
}
