/* srq version: the versions of srq and its libraries, and the CPU. */
#include "core/kernels/isa.h"
#include "experiments/srq/commands.h"
#include "io/events.h"
#include "srq_version.h"

#include <cblas.h>
#include <hdf5.h>
#include <libconfig.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif
#ifdef SRQ_HAVE_ONEDNN
#include <dnnl.h>
#endif

static void hdf5_version(char *text, size_t size)
{
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    snprintf(text, size, "%u.%u.%u", major, minor, release);
}

static void onednn_version(char *text, size_t size)
{
#ifdef SRQ_HAVE_ONEDNN
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, size, "%d.%d.%d", v->major, v->minor, v->patch);
#else
    snprintf(text, size, "not built in");
#endif
}

/* "OpenBLAS 0.3.21 DYNAMIC_ARCH ... SkylakeX ...": the first two words. */
static void blas_version(char *text, size_t size)
{
    const char *all = openblas_get_config();
    const char *first = strchr(all, ' ');
    size_t n = first ? (size_t)(first - all) + 1 + strcspn(first + 1, " ") : strlen(all);
    snprintf(text, size, "%.*s", (int)n, all);
}

static const char *libc_version(void)
{
#ifdef __GLIBC__
    return gnu_get_libc_version();
#else
    return "unknown";
#endif
}

const char *srq_blas_core(void)
{
    return openblas_get_corename();
}

void srq_exact_versions(char *text, size_t size)
{
    char blas[64], onednn[32];
    blas_version(blas, sizeof blas);
    onednn_version(onednn, sizeof onednn);
    snprintf(text, size, "srq %s (%s); %s; oneDNN %s; C library %s", SRQ_VERSION, SRQ_REVISION, blas, onednn,
             libc_version());
}

void srq_other_versions(char *text, size_t size)
{
    char mpi[64], hdf5[32];
    srq_comm_version(mpi, sizeof mpi);
    hdf5_version(hdf5, sizeof hdf5);
    snprintf(text, size, "%s; HDF5 %s", mpi, hdf5);
}

/* The instruction set of this machine. That of a run is in its log. */
static const char *isa_here(void)
{
    srq_isa isa;
    (void)srq_isa_here(&isa);
    return srq_isa_name(isa);
}

void srq_versions(char *text, size_t size)
{
    char mpi[64], hdf5[32], blas[64], onednn[32];
    srq_comm_version(mpi, sizeof mpi);
    hdf5_version(hdf5, sizeof hdf5);
    blas_version(blas, sizeof blas);
    onednn_version(onednn, sizeof onednn);
    snprintf(text, size, "srq %s (%s); %s; HDF5 %s; %s (%s); oneDNN %s; ISA %s", SRQ_VERSION, SRQ_REVISION, mpi, hdf5,
             blas, openblas_get_corename(), onednn, isa_here());
}

srq_status srq_command_version(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) return srq_fail(SRQ_ERROR_USAGE, "version: there are no arguments; usage: srq version");
    char mpi[64], hdf5[32], blas[64], onednn[32];
    srq_comm_version(mpi, sizeof mpi);
    hdf5_version(hdf5, sizeof hdf5);
    blas_version(blas, sizeof blas);
    onednn_version(onednn, sizeof onednn);
    printf("srq        %s (%s)\n", SRQ_VERSION, SRQ_REVISION);
    printf("MPI        %s\n", mpi);
    printf("BLAS       %s, kernels for %s\n", blas, openblas_get_corename());
    printf("HDF5       %s\n", hdf5);
    printf("libconfig  %d.%d.%d\n", LIBCONFIG_VER_MAJOR, LIBCONFIG_VER_MINOR, LIBCONFIG_VER_REVISION);
    printf("zlib       %s\n", zlibVersion());
    printf("libcrypto  %s\n", OpenSSL_version(OPENSSL_VERSION_STRING));
    printf("protobuf-c %s\n", srq_events_library());
    printf("oneDNN     %s\n", onednn);
    printf("compiler   %s\n", __VERSION__);
    printf("CPU        instruction set used: %s\n", isa_here());
    return SRQ_OK;
}
