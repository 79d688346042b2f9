/* Large blocks. */
#include "core/memory.h"
#include "tests/suite.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

START_TEST(blocks_are_aligned_and_whole)
{
    static const size_t sizes[] = {0, 1, 63, 64, 65, 4095, (4 << 20) - 1, 4 << 20, (4 << 20) + 1, 13 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *block = srq_memory(sizes[i]), *zeros = srq_memory_zeros(sizes[i]);
        ck_assert_ptr_nonnull(block);
        ck_assert_ptr_nonnull(zeros);
        ck_assert_uint_eq((uintptr_t)block % 64, 0);
        ck_assert_uint_eq((uintptr_t)zeros % 64, 0);
        memset(block, 1, sizes[i]);
        bool clear = true;
        for (size_t k = 0; k < sizes[i]; k++) clear = clear && zeros[k] == 0;
        ck_assert(clear);
        free(block);
        free(zeros);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory");
    TCase *tests = tcase_create("memory");
    tcase_add_test(tests, blocks_are_aligned_and_whole);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
