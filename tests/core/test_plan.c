#include "core/plan.h"
#include "core/random.h"
#include "tests/suite.h"

/* Random buffers never overlap while both live, and the block is no smaller than the busiest moment. */
START_TEST(no_two_share_a_byte)
{
    enum { COUNT = 60, TIMES = 40 };
    for (uint64_t trial = 0; trial < 50; trial++) {
        srq_buffer b[COUNT];
        size_t total, busy[TIMES] = {0}, busiest = 0;
        for (int i = 0; i < COUNT; i++) {
            uint32_t r[4];
            srq_random(trial, SRQ_RANDOM_TEST, 0, (uint64_t)i, r);
            int x = (int)(r[0] % TIMES), y = (int)(r[1] % TIMES);
            b[i] = (srq_buffer){.bytes = 1 + r[2] % 5000, .birth = x < y ? x : y, .death = x < y ? y : x};
            for (int t = b[i].birth; t <= b[i].death; t++) busy[t] += b[i].bytes;
        }
        ck_assert_int_eq(srq_plan_buffers(b, COUNT, &total), SRQ_OK);
        for (int t = 0; t < TIMES; t++)
            if (busy[t] > busiest) busiest = busy[t];
        ck_assert_uint_ge(total, busiest);
        for (int i = 0; i < COUNT; i++) {
            ck_assert_uint_eq(b[i].offset % 64, 0);
            ck_assert_uint_le(b[i].offset + b[i].bytes, total);
            for (int k = 0; k < i; k++) {
                int in_time = b[i].birth <= b[k].death && b[k].birth <= b[i].death;
                int in_space = b[i].offset < b[k].offset + b[k].bytes && b[k].offset < b[i].offset + b[i].bytes;
                ck_assert_msg(!(in_time && in_space), "trial %lu: buffers %d and %d overlap", (unsigned long)trial, i,
                              k);
            }
        }
    }
}
END_TEST

START_TEST(memory_is_used_again)
{
    srq_buffer b[] = {{1000, 0, 1, 0}, {1000, 2, 3, 0}, {1000, 4, 5, 0}};
    size_t total;
    ck_assert_int_eq(srq_plan_buffers(b, 3, &total), SRQ_OK);
    ck_assert_uint_eq(total, 1024);
    ck_assert_int_eq(srq_plan_buffers(b, 0, &total), SRQ_OK);
    ck_assert_uint_eq(total, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan");
    TCase *tests = tcase_create("plan");
    tcase_add_test(tests, no_two_share_a_byte);
    tcase_add_test(tests, memory_is_used_again);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
