/* In the sanitizer build only: where leaks are looked for. Each leak that is left to a suppression of tests/lsan.supp
 * has its stack looked up first, which took most of a short process's time. */
#include <sanitizer/lsan_interface.h>
#include <stdlib.h>

extern int dlclose(void *handle);
extern int MPI_Init_thread(int *argc, char ***argv, int required, int *provided);
extern int PMPI_Init_thread(int *argc, char ***argv, int required, int *provided) __attribute__((weak));

/* Libraries stay loaded, so that a leak inside a plugin of MPI is reported under the plugin's name, which
 * tests/lsan.supp knows, and not as one of an unknown module. */
int dlclose(void *handle)
{
    (void)handle;
    return 0;
}

/* What Open MPI allocates while it starts is its own to free. (PMPI is the standard's way to put a function before one
 * of MPI's; it is not there in programs without MPI.) */
int MPI_Init_thread(int *argc, char ***argv, int required, int *provided)
{
    __lsan_disable();
    const int status = PMPI_Init_thread(argc, argv, required, provided);
    __lsan_enable();
    return status;
}

/* One rank of several looks: the first of an even number, the last of an odd one. */
int __lsan_is_turned_off(void)
{
    const char *rank = getenv("OMPI_COMM_WORLD_RANK"), *ranks = getenv("OMPI_COMM_WORLD_SIZE");
    if (!rank || !ranks) return 0;
    const int size = atoi(ranks);
    return atoi(rank) != (size % 2 == 0 ? 0 : size - 1);
}
