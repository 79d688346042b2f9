#include "experiments/srq/train/node_checks.h"

#include "core/kernels/engine.h"
#include "dist/same.h"
#include "experiments/srq/commands.h"
#include "io/digest.h"
#include "io/escape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void tell(const srq_comm *comm, const char *text)
{
    if (srq_comm_rank(comm) == 0) srq_say_to(stderr, "srq: %s\n", text);
}

/* --- Programs and libraries */

/* The command line. A long one is cut, and its digest is appended. */
static srq_status join_words(int argc, char **argv, char text[SRQ_SAME_SIZE])
{
    char digits[SRQ_DIGEST_SIZE];
    srq_digest *digest = NULL;
    size_t at = 0;
    SRQ_TRY(srq_digest_create(&digest));
    for (int i = 0; i < argc; i++) {
        srq_digest_add(digest, argv[i], strlen(argv[i]) + 1);
        if (at < SRQ_SAME_SIZE)
            at += (size_t)snprintf(text + at, SRQ_SAME_SIZE - at, "%s%s", i ? " " : "srq ", argv[i]);
    }
    srq_digest_finish(&digest, digits);
    if (at >= SRQ_SAME_SIZE) snprintf(text + 240, SRQ_SAME_SIZE - 240, "... (SHA-256 %s)", digits);
    return SRQ_OK;
}

/* Versions are compared before command lines, because another version may have other options. */
static srq_status check_versions(const srq_comm *comm)
{
    char exact[SRQ_SAME_SIZE], others[SRQ_SAME_SIZE];
    srq_exact_versions(exact, sizeof exact);
    srq_other_versions(others, sizeof others);
    SRQ_TRY(srq_comm_same(comm, SRQ_ERROR_USAGE, "programs or libraries", exact,
                          "their results would differ; start the same srq with the same libraries on all nodes"));
    if (srq_comm_same(
            comm, SRQ_ERROR_USAGE, "versions", others,
            "results do not depend on them, but they are a possible cause if the job hangs or ends at once") != SRQ_OK)
        tell(comm, srq_message());
    return SRQ_OK;
}

srq_status srq_nodes_check(const srq_comm *comm, int argc, char **argv)
{
    char words[SRQ_SAME_SIZE];
    if (srq_comm_size(comm) == 1) return SRQ_OK;
    SRQ_TRY(check_versions(comm));
    SRQ_TRY(srq_comm_agree(comm, join_words(argc, argv, words)));
    return srq_comm_same(comm, SRQ_ERROR_USAGE, "command lines", words, "start all ranks with the same command line");
}

/* --- Instruction sets */

static srq_status refuse(const srq_comm *comm, const srq_isa *all, srq_isa wanted, srq_isa common, bool *marks)
{
    char ranks[512];
    srq_isa has = SRQ_ISA_BASELINE;
    for (int r = 0; r < srq_comm_size(comm); r++) {
        marks[r] = (all[r] & wanted) != wanted;
        if (marks[r]) has = all[r];
    }
    return srq_fail(SRQ_ERROR_USAGE,
                    "train.isa is \"%s\", but the CPU of %s has only %s (SRQ_MAX_ISA and ONEDNN_MAX_CPU_ISA can also "
                    "limit it); use train.isa = \"%s\" or \"auto\"",
                    srq_isa_name(wanted), srq_comm_name_ranks(comm, marks, ranks, sizeof ranks), srq_isa_name(has),
                    srq_isa_name(common));
}

static void tell_lowered(const srq_comm *comm, const srq_isa *all, srq_isa common, bool *marks)
{
    char ranks[512], text[1024];
    int count = 0;
    for (int r = 0; r < srq_comm_size(comm); r++) {
        marks[r] = all[r] != common;
        count += marks[r];
    }
    if (count == 0) return;
    snprintf(text, sizeof text,
             "ranks have different CPUs: all of them compute with %s, which they have in common, and give the bits of "
             "train.isa = \"%s\"; %s could use a larger instruction set",
             srq_isa_name(common), srq_isa_name(common), srq_comm_name_ranks(comm, marks, ranks, sizeof ranks));
    tell(comm, text);
}

static srq_status choose(const srq_comm *comm, const char *wanted, const srq_isa *all, bool *marks, srq_isa *isa)
{
    srq_isa common = all[0];
    for (int r = 1; r < srq_comm_size(comm); r++) common &= all[r];
    *isa = common;
    if (strcmp(wanted, "auto") == 0) {
        tell_lowered(comm, all, common, marks);
        return SRQ_OK;
    }
    SRQ_TRY(srq_isa_parse(wanted, isa));
    return (common & *isa) == *isa ? SRQ_OK : refuse(comm, all, *isa, common, marks);
}

srq_status srq_nodes_settle_isa(const srq_comm *comm, const char *wanted, srq_isa *isa)
{
    const size_t size = (size_t)srq_comm_size(comm);
    srq_isa here = SRQ_ISA_BASELINE, *all = calloc(size, sizeof *all);
    bool *marks = calloc(size, sizeof *marks);
    srq_status status = all && marks ? srq_isa_here(&here) : srq_fail_memory(size * sizeof *all, "the ranks' CPUs");
    status = srq_comm_agree(comm, status);
    if (status == SRQ_OK) {
        srq_comm_collect(comm, &here, sizeof here, all);
        status = choose(comm, wanted, all, marks, isa);
        if (status == SRQ_OK) status = srq_kernels_limit(*isa);
        status = srq_comm_agree(comm, status);
    }
    free(all);
    free(marks);
    return status;
}

/* --- Other causes of different bits */

static void describe_caches(char *text, size_t size)
{
    snprintf(text, size, "caches %ld + %ld + %ld KiB", sysconf(_SC_LEVEL1_DCACHE_SIZE) / 1024,
             sysconf(_SC_LEVEL2_CACHE_SIZE) / 1024, sysconf(_SC_LEVEL3_CACHE_SIZE) / 1024);
}

static bool uses_blas(const char *engine)
{
    return strcmp(engine, srq_kernels_reference.name) == 0;
}

void srq_nodes_arithmetic(const char *engine, srq_isa isa, char *text, size_t size)
{
    char exact[256], caches[96];
    srq_exact_versions(exact, sizeof exact);
    describe_caches(caches, sizeof caches);
    snprintf(text, size, "%s; engine %s; %s; BLAS for %s; FMA %s; %s", exact, engine, srq_isa_name(isa),
             uses_blas(engine) ? srq_blas_core() : "nothing", srq_isa_has_fma() ? "yes" : "no", caches);
}

srq_status srq_nodes_check_arithmetic(const srq_comm *comm, const char *engine)
{
    char caches[96];
    SRQ_TRY(
        srq_comm_same(comm, SRQ_ERROR_USAGE, "engines", engine, "set train.engine to an engine that all nodes have"));
    SRQ_TRY(srq_comm_same(comm, SRQ_ERROR_USAGE, "CPUs, with and without fused multiply-add",
                          srq_isa_has_fma() ? "with" : "without",
                          "the C library computes other last digits with it; use nodes of one kind"));
    if (uses_blas(engine))
        SRQ_TRY(srq_comm_same(comm, SRQ_ERROR_USAGE, "kernels of OpenBLAS", srq_blas_core(),
                              "set OPENBLAS_CORETYPE in the environment of all ranks (mpirun -x OPENBLAS_CORETYPE) to "
                              "one of these that all nodes can run"));
    describe_caches(caches, sizeof caches);
    if (srq_comm_same(comm, SRQ_ERROR_USAGE, "CPU caches", caches,
                      "oneDNN may divide its sums by cache sizes, so the bits may differ from those of a run on nodes "
                      "of one kind") != SRQ_OK)
        tell(comm, srq_message());
    return SRQ_OK;
}
