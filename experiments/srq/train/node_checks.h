/* What ranks on different nodes must have in common, and what they are brought to (docs/cluster-guide.md). */
#ifndef SRQ_EXPERIMENTS_TRAIN_NODE_CHECKS_H
#define SRQ_EXPERIMENTS_TRAIN_NODE_CHECKS_H

#include "core/kernels/isa.h"
#include "dist/comm.h"

#include <stddef.h>

/* Collective, before anything else: SRQ_ERROR_USAGE if ranks were started with different command lines, are different
 * versions of srq, or have libraries whose results may differ; a line on stderr if only MPI or HDF5 differ. */
srq_status srq_nodes_check(const srq_comm *comm, int argc, char **argv);

/* Collective, before the first network: the instruction set that all ranks compute with. `wanted` is train.isa: "auto"
 * is what they have in common, of which a line on stderr tells where that is not what each of them has. Else
 * SRQ_ERROR_USAGE, naming ranks and hosts, if one of them does not have it. */
srq_status srq_nodes_settle_isa(const srq_comm *comm, const char *wanted, srq_isa *isa);

/* What the bits of a result depend on besides configuration and data: program, engine, instruction set, libraries, and
 * the sizes of caches, by which oneDNN cuts its sums. */
void srq_nodes_arithmetic(const char *engine, srq_isa isa, char *text, size_t size);

/* Collective: SRQ_ERROR_USAGE if ranks would compute different bits by the CPU model that OpenBLAS goes by; a line on
 * stderr if caches differ. */
srq_status srq_nodes_check_arithmetic(const srq_comm *comm, const char *engine);

#endif
