/* Checks that the ranks on different nodes are alike, and chooses their instruction set (docs/cluster-guide.md). */
#ifndef SRQ_EXPERIMENTS_TRAIN_NODE_CHECKS_H
#define SRQ_EXPERIMENTS_TRAIN_NODE_CHECKS_H

#include "core/kernels/isa.h"
#include "dist/comm.h"

#include <stddef.h>

/* Collective, to be called first: SRQ_ERROR_USAGE if ranks have different command lines, different versions of srq, or
 * libraries whose results may differ. If only MPI or HDF5 differ, prints a line on stderr. */
srq_status srq_nodes_check(const srq_comm *comm, int argc, char **argv);

/* Collective, before the first network is built: sets *isa to the instruction set that all ranks compute with. `wanted`
 * is train.isa. "auto" chooses the largest set that all CPUs have; if some CPUs have more, a line on stderr says so.
 * With any other value, SRQ_ERROR_USAGE names the ranks and hosts that do not have it. */
srq_status srq_nodes_settle_isa(const srq_comm *comm, const char *wanted, srq_isa *isa);

/* Describes what the bits of a result depend on besides configuration and data: program, engine, instruction set,
 * libraries, and the sizes of the caches, because oneDNN divides its sums by them. */
void srq_nodes_arithmetic(const char *engine, srq_isa isa, char *text, size_t size);

/* Collective: SRQ_ERROR_USAGE if ranks would compute different bits, because OpenBLAS chose different kernels or
 * because only some CPUs have FMA. If caches differ, prints a line on stderr. */
srq_status srq_nodes_check_arithmetic(const srq_comm *comm, const char *engine);

#endif
