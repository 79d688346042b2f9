#include "core/kernels/isa.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#ifdef SRQ_HAVE_X86
#include <cpuid.h>
#endif

static const struct {
    const char *name;
    srq_isa isa;
} names[] = {
    {"x86-64", SRQ_ISA_BASELINE},
    {"sse41", SRQ_ISA_SSE41},
    {"avx", SRQ_ISA_AVX},
    {"avx2", SRQ_ISA_AVX2},
    {"avx2_vnni", SRQ_ISA_AVX2_VNNI},
    {"avx512", SRQ_ISA_AVX512},
    {"avx512_vnni", SRQ_ISA_AVX512_VNNI},
    {"avx512_bf16", SRQ_ISA_AVX512_BF16},
    {"avx512_amx", SRQ_ISA_AVX512_AMX},
};
enum { NAMES = sizeof names / sizeof *names };

const char *srq_isa_name(srq_isa isa)
{
    for (int i = 0; i < NAMES; i++)
        if (names[i].isa == isa) return names[i].name;
    return "unknown";
}

/* "AVX512_CORE_VNNI" and "avx512_vnni" are equal. */
static bool is_name(const char *text, const char *name)
{
    for (; *text || *name; text++, name++) {
        if (strncasecmp(text, "_core", 5) == 0) text += 5;
        if (tolower((unsigned char)*text) != *name) return false;
        if (!*name) return true;
    }
    return true;
}

srq_status srq_isa_parse(const char *name, srq_isa *isa)
{
    for (int i = 0; i < NAMES; i++) {
        if (!is_name(name, names[i].name)) continue;
        *isa = names[i].isa;
        return SRQ_OK;
    }
    return srq_fail(SRQ_ERROR_USAGE,
                    "\"%s\" is not an instruction set; use x86-64, sse41, avx, avx2, avx2_vnni, avx512, "
                    "avx512_vnni, avx512_bf16 or avx512_amx",
                    name);
}

#ifdef SRQ_HAVE_X86
/* From leaf 7 of cpuid: instruction sets that not every compiler knows by name. */
static bool has_avx_vnni(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 4);
}

static bool has_avx512_bf16(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 5);
}

/* Tiles of bfloat16 and of bytes, and support by the operating system. */
static bool has_amx(void)
{
    unsigned a, b, c, d, low, high;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & 1u << 22) || !(d & 1u << 24) || !(d & 1u << 25)) return false;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low >> 17 & 3) == 3;
}

static srq_isa of_cpu(void)
{
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("sse4.1")) return SRQ_ISA_BASELINE;
    if (!__builtin_cpu_supports("avx")) return SRQ_ISA_SSE41;
    /* Two of the tables of vector.h are compiled for all of x86-64-v3 and -v4, so every feature is checked. */
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("bmi") ||
        !__builtin_cpu_supports("bmi2") || !__builtin_cpu_supports("popcnt"))
        return SRQ_ISA_AVX;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512cd") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512vl"))
        return has_avx_vnni() ? SRQ_ISA_AVX2_VNNI : SRQ_ISA_AVX2;
    if (!__builtin_cpu_supports("avx512vnni")) return SRQ_ISA_AVX512;
    if (!has_avx512_bf16()) return SRQ_ISA_AVX512_VNNI;
    return has_amx() ? SRQ_ISA_AVX512_AMX : SRQ_ISA_AVX512_BF16;
}

bool srq_isa_has_fma(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("fma");
}
#else
static srq_isa of_cpu(void)
{
    return SRQ_ISA_BASELINE;
}

bool srq_isa_has_fma(void)
{
    return true;
}
#endif

srq_status srq_isa_here(srq_isa *isa)
{
    const char *ours = getenv("SRQ_MAX_ISA"), *theirs = getenv("ONEDNN_MAX_CPU_ISA");
    srq_isa limit;
    *isa = of_cpu();
    if (!theirs) theirs = getenv("DNNL_MAX_CPU_ISA");
    /* Other values of oneDNN's variable limit nothing, or nothing that matters here. */
    if (theirs && srq_isa_parse(theirs, &limit) == SRQ_OK) *isa &= limit;
    if (!ours || !*ours) return SRQ_OK;
    if (srq_isa_parse(ours, &limit) != SRQ_OK) return srq_fail_in(SRQ_ERROR_USAGE, "SRQ_MAX_ISA");
    *isa &= limit;
    return SRQ_OK;
}
