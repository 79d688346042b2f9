/* Sweeps without a table file: a configuration, and settings with several values each. */
#ifndef SRQ_IO_SWEEP_GRID_H
#define SRQ_IO_SWEEP_GRID_H

#include "io/sweep.h"

/* Makes the table of all combinations. A set is "path=value,value,...", and a value with a comma in it has quotes:
 * "quantizer.weight_bits=\"8 until 5ep, then 4\",2". train.seed gives the seeds; without it, there is the one of the
 * configuration. There is one row for each combination of the others, the last set varying fastest. A row is called
 * after the configuration's file and the values of the settings with more than one: "lenet-weight_bits3". Runs have the
 * digests that they would have in a table file. Relative paths start at the current folder. SRQ_ERROR_USAGE with a
 * message as of srq_sweep_load. The caller destroys *sweep. */
srq_status srq_sweep_grid(const char *config, int set_count, const char *const *sets, srq_sweep **sweep);

#endif
