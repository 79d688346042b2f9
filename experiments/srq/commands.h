/* The subcommands of srq, one file each. */
#ifndef SRQ_EXPERIMENTS_COMMANDS_H
#define SRQ_EXPERIMENTS_COMMANDS_H

#include "core/graph.h"
#include "core/status.h"
#include "dist/comm.h"
#include "io/config.h"
#include "io/run.h"

#include <stddef.h>

/* Commands that run on all ranks. argv[0] is the name of the command. */
srq_status srq_command_train(srq_comm *comm, int argc, char **argv);
srq_status srq_command_ticket(srq_comm *comm, int argc, char **argv);
srq_status srq_command_eval(srq_comm *comm, int argc, char **argv);
srq_status srq_command_sweep(srq_comm *comm, int argc, char **argv);
srq_status srq_command_bench(srq_comm *comm, int argc, char **argv);

/* Commands that run on all ranks, or in one process without MPI. */
srq_status srq_command_data(srq_comm *comm, int argc, char **argv);

/* Commands that run in one process. */
srq_status srq_command_predict(int argc, char **argv);
srq_status srq_command_export(int argc, char **argv);
srq_status srq_command_inspect(int argc, char **argv);
srq_status srq_command_diff(int argc, char **argv);
srq_status srq_command_report(int argc, char **argv);
srq_status srq_command_check(int argc, char **argv);
srq_status srq_command_help(int argc, char **argv);
srq_status srq_command_version(int argc, char **argv);

/* Collective, train.c: trains a configuration in the run directory `dir`, and prints its progress. `file` is used with
 * SRQ_RESUME_FILE only. */
struct srq_trainer_options;
srq_status srq_train(srq_comm *comm, const srq_config *config, const struct srq_trainer_options *how, const char *dir,
                     srq_resume resume, const char *file);

/* srq bench step; argv[0] is "step". */
srq_status srq_bench_step(srq_comm *comm, int argc, char **argv);
srq_status srq_bench_allreduce(srq_comm *comm, int argc, char **argv);
/* srq bench gradients, on one rank. */
srq_status srq_bench_gradients(int argc, char **argv);
/* The text of experiments/models/lenet5.cfg, compiled in so that a benchmark needs no file. */
extern const char srq_lenet5[];

/* One line with the versions of srq and of the libraries it runs with. */
void srq_versions(char *text, size_t size);
/* The part of these versions that the bits of results depend on, and the rest. */
void srq_exact_versions(char *text, size_t size);
void srq_other_versions(char *text, size_t size);
/* The CPU model whose kernels OpenBLAS has chosen. */
const char *srq_blas_core(void);

/* Collective: rank 0 reads the configuration (and model) from a checkpoint or run directory. The caller destroys it.
 */
srq_status srq_share_config(const srq_comm *comm, srq_status status, srq_config **config);

#endif
