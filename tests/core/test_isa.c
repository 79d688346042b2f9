/* Names of instruction sets, and the limits of the environment. */
#include "core/kernels/isa.h"
#include "core/kernels/vector.h"
#include "tests/suite.h"

#include <string.h>

static const char *const names[] = {"x86-64", "sse41",       "avx",         "avx2",      "avx2_vnni",
                                    "avx512", "avx512_vnni", "avx512_bf16", "avx512_amx"};
enum { NAMES = sizeof names / sizeof *names };

START_TEST(test_names)
{
    srq_isa isa, other;
    for (int i = 0; i < NAMES; i++) {
        ck_assert_int_eq(srq_isa_parse(names[i], &isa), SRQ_OK);
        ck_assert_str_eq(srq_isa_name(isa), names[i]);
    }
    ck_assert_int_eq(srq_isa_parse("AVX512_CORE_VNNI", &other), SRQ_OK);
    ck_assert_int_eq(other, SRQ_ISA_AVX512_VNNI);
    ck_assert_int_eq(srq_isa_parse("AVX512_CORE", &other), SRQ_OK);
    ck_assert_int_eq(other, SRQ_ISA_AVX512);
    const char *const wrong[] = {"", "avx5", "avx5120", "avx512_", "avx512_core_", "mmx", "avx2 "};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_msg(srq_isa_parse(wrong[i], &other) == SRQ_ERROR_USAGE, "\"%s\" is taken", wrong[i]);
        ck_assert_ptr_nonnull(strstr(srq_message(), "avx512_bf16"));
    }
}
END_TEST

/* The common part of any two CPUs is an instruction set with a name, and no larger than either. */
START_TEST(test_common)
{
    for (int i = 0; i < NAMES; i++)
        for (int j = 0; j < NAMES; j++) {
            srq_isa a, b;
            ck_assert_int_eq(srq_isa_parse(names[i], &a), SRQ_OK);
            ck_assert_int_eq(srq_isa_parse(names[j], &b), SRQ_OK);
            ck_assert_str_ne(srq_isa_name(a & b), "unknown");
        }
    ck_assert_int_eq(SRQ_ISA_AVX2_VNNI & SRQ_ISA_AVX512_AMX, SRQ_ISA_AVX2);
}
END_TEST

START_TEST(test_environment)
{
    srq_isa all, limited;
    unsetenv("SRQ_MAX_ISA");
    unsetenv("ONEDNN_MAX_CPU_ISA");
    unsetenv("DNNL_MAX_CPU_ISA");
    ck_assert_int_eq(srq_isa_here(&all), SRQ_OK);
    for (int i = 0; i < NAMES; i++) {
        srq_isa limit;
        ck_assert_int_eq(srq_isa_parse(names[i], &limit), SRQ_OK);
        setenv("SRQ_MAX_ISA", names[i], 1);
        ck_assert_int_eq(srq_isa_here(&limited), SRQ_OK);
        ck_assert_int_eq(limited, all & limit);
        ck_assert_ptr_eq(srq_vector_best(NULL), srq_vector_of(all & limit));
        unsetenv("SRQ_MAX_ISA");
        setenv("ONEDNN_MAX_CPU_ISA", names[i], 1);
        ck_assert_int_eq(srq_isa_here(&limited), SRQ_OK);
        ck_assert_int_eq(limited, all & limit);
        unsetenv("ONEDNN_MAX_CPU_ISA");
    }
    setenv("ONEDNN_MAX_CPU_ISA", "ALL", 1);
    ck_assert_int_eq(srq_isa_here(&limited), SRQ_OK);
    ck_assert_int_eq(limited, all);
    setenv("SRQ_MAX_ISA", "fast", 1);
    ck_assert_int_eq(srq_isa_here(&limited), SRQ_ERROR_USAGE);
    ck_assert_ptr_nonnull(strstr(srq_message(), "SRQ_MAX_ISA: \"fast\""));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("isa");
    TCase *tests = tcase_create("isa");
    tcase_add_test(tests, test_names);
    tcase_add_test(tests, test_common);
    tcase_add_test(tests, test_environment);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
