/* In the sanitizer build only: decides which processes look for leaks. LeakSanitizer looks up the stack of every leak
 * before it applies the suppressions of tests/lsan.supp, which takes most of the time of a short process. */
#include <sanitizer/lsan_interface.h>
#include <stdlib.h>

extern int dlclose(void *handle);
extern int MPI_Init_thread(int *argc, char ***argv, int required, int *provided);
extern int PMPI_Init_thread(int *argc, char ***argv, int required, int *provided) __attribute__((weak));

/* Libraries stay loaded, so that a leak in an MPI plugin is reported with the name of the plugin. tests/lsan.supp
 * suppresses it by that name. */
int dlclose(void *handle)
{
    (void)handle;
    return 0;
}

/* Leaks of what Open MPI allocates while it starts are ignored. (PMPI is the standard's way to wrap an MPI function. It
 * does not exist in programs without MPI.) */
int MPI_Init_thread(int *argc, char ***argv, int required, int *provided)
{
    __lsan_disable();
    const int status = PMPI_Init_thread(argc, argv, required, provided);
    __lsan_enable();
    return status;
}

/* Of several ranks, one looks for leaks: the first if their number is even, the last if it is odd. */
int __lsan_is_turned_off(void)
{
    const char *rank = getenv("OMPI_COMM_WORLD_RANK"), *ranks = getenv("OMPI_COMM_WORLD_SIZE");
    if (!rank || !ranks) return 0;
    const int size = atoi(ranks);
    return atoi(rank) != (size % 2 == 0 ? 0 : size - 1);
}
