/* Tables of experiments (docs/tables.md): rows, which are configurations with some settings; the seeds for each row;
 * and published results. A run of a table is identified by its settings: its directory is ROW-seedS-HASH, where HASH is
 * the first digits of srq_config_digest. */
#ifndef SRQ_IO_SWEEP_H
#define SRQ_IO_SWEEP_H

#include "io/config.h"
#include "io/digest.h"

enum { SRQ_ROW_SIZE = 64, SRQ_RUN_NAME_SIZE = SRQ_ROW_SIZE + 48 };

typedef struct srq_sweep_row {
    char name[SRQ_ROW_SIZE];
    char *config; /* path of the configuration, relative to the current folder */
    int set_count;
    char **sets;      /* "path=value": those of the table, then those of the row */
    int init;         /* the earlier row from whose run, with the same seed, it starts; or -1 */
    double published; /* published test error in %, or NaN */
    char source[256]; /* source of the published figure, or "" */
    char digest[SRQ_DIGEST_SIZE];
    char where[512]; /* FILE:LINE */
} srq_sweep_row;

typedef struct srq_sweep {
    char name[SRQ_ROW_SIZE]; /* name of the file without its folder and ".cfg" */
    char title[256];
    int seed_count, row_count;
    long long *seeds;
    srq_sweep_row *rows;
} srq_sweep;

/* Reads a table and the configuration of every row. SRQ_ERROR_USAGE with one message, "FILE:LINE: ...". For an unknown
 * name, it suggests the most similar one. The caller destroys *sweep. */
srq_status srq_sweep_load(const char *path, srq_sweep **sweep);
/* The same from the text of a table in memory. `path` is the file that it is named after. Relative paths start at the
 * current folder. */
srq_status srq_sweep_parse(const char *text, const char *path, srq_sweep **sweep);
void srq_sweep_destroy(srq_sweep **sweep);

/* "ROW-seedS-HASH". Returns `out`. */
char *srq_sweep_run_name(const srq_sweep *sweep, int row, long long seed, char out[SRQ_RUN_NAME_SIZE]);

/* The settings of a run as arguments of --set: those of the row, the seed, and train.init if it starts from a run in
 * `folder`. The caller frees *sets with srq_sweep_free_sets. */
srq_status srq_sweep_sets(const srq_sweep *sweep, int row, long long seed, const char *folder, char ***sets,
                          int *count);
void srq_sweep_free_sets(char **sets, int count);
/* The configuration of a run. */
srq_status srq_sweep_config(const srq_sweep *sweep, int row, long long seed, const char *folder, srq_config **config);

/* The row that has the settings of a configuration, or -1. The seed and the folder of the run that it starts from are
 * ignored. */
srq_status srq_sweep_find(const srq_sweep *sweep, const srq_config *config, int *row);

/* The row with the name `name`, or -1; the most similar name of a row. */
int srq_sweep_row_called(const srq_sweep *sweep, const char *name);
const char *srq_sweep_row_closest(const srq_sweep *sweep, const char *name);

#endif
