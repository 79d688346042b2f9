/* Tables of experiments (docs/tables.md): rows that are configurations with a few settings, the seeds that each is run
 * with, and what has been published. A run of a table is known by its settings: its directory is called
 * ROW-seedS-HASH, HASH being the first digits of srq_config_digest. */
#ifndef SRQ_IO_SWEEP_H
#define SRQ_IO_SWEEP_H

#include "io/config.h"
#include "io/digest.h"

enum { SRQ_ROW_SIZE = 64, SRQ_RUN_NAME_SIZE = SRQ_ROW_SIZE + 48 };

typedef struct srq_sweep_row {
    char name[SRQ_ROW_SIZE];
    char *config; /* as the program can open it */
    int set_count;
    char **sets;      /* "path=value": the table's, then the row's own */
    int init;         /* the row above whose run of the same seed it starts from, or -1 */
    double published; /* test error in %; NaN if none is */
    char source[256]; /* who published it, or "" */
    char digest[SRQ_DIGEST_SIZE];
    char where[512]; /* FILE:LINE */
} srq_sweep_row;

typedef struct srq_sweep {
    char name[SRQ_ROW_SIZE]; /* of the file, without its folder and ".cfg" */
    char title[256];
    int seed_count, row_count;
    long long *seeds;
    srq_sweep_row *rows;
} srq_sweep;

/* Reads a table and the configuration of every row. SRQ_ERROR_USAGE with one message, "FILE:LINE: ...", naming the
 * closest valid name for an unknown one. The caller destroys *sweep. */
srq_status srq_sweep_load(const char *path, srq_sweep **sweep);
void srq_sweep_destroy(srq_sweep **sweep);

/* "ROW-seedS-HASH". Returns `out`. */
char *srq_sweep_run_name(const srq_sweep *sweep, int row, long long seed, char out[SRQ_RUN_NAME_SIZE]);

/* The settings of a run, as --set takes them: those of the row, its seed, and the run in `folder` that it starts from.
 * The caller frees *sets with srq_sweep_free_sets. */
srq_status srq_sweep_sets(const srq_sweep *sweep, int row, long long seed, const char *folder, char ***sets,
                          int *count);
void srq_sweep_free_sets(char **sets, int count);
/* The configuration of a run. */
srq_status srq_sweep_config(const srq_sweep *sweep, int row, long long seed, const char *folder, srq_config **config);

/* The row whose settings a configuration has, whatever its seed and wherever the run is that it starts from; -1 if
 * none. */
srq_status srq_sweep_find(const srq_sweep *sweep, const srq_config *config, int *row);

/* The row called `name`, or -1; and the name that is nearest. */
int srq_sweep_row_called(const srq_sweep *sweep, const char *name);
const char *srq_sweep_row_closest(const srq_sweep *sweep, const char *name);

#endif
