/* The thread that makes items in advance: items are in order, also if sequences are dropped or items fail. */
#include "core/random.h"
#include "experiments/srq/train/loader.h"
#include "tests/suite.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SLOTS = 4, FLOATS = 8, BAD_ITEM = 1000000 };

static atomic_long made; /* read only when the threads have ended */

static srq_status fill(void *context, int thread, const srq_sequence *sequence, long item, srq_slot *slot)
{
    (void)context, (void)thread;
    made++;
    slot->n = sequence->size;
    for (int i = 0; i < FLOATS; i++) slot->images[i] = (float)(item * 10 + sequence->kind);
    slot->labels[0] = (int32_t)item;
    if (item % 7 == 3) usleep(300);
    return item == BAD_ITEM ? srq_fail(SRQ_ERROR_DATA, "item %ld is bad", item) : SRQ_OK;
}

static void expect_item(srq_loader *l, const srq_sequence *s, long item)
{
    double waited = 0;
    const srq_slot *slot = srq_loader_take(l, &waited);
    ck_assert_int_eq(slot->status, item == BAD_ITEM ? SRQ_ERROR_DATA : SRQ_OK);
    if (item == BAD_ITEM) ck_assert_str_eq(slot->message, "item 1000000 is bad");
    ck_assert_int_eq(slot->n, s->size);
    ck_assert_int_eq(slot->labels[0], (int)item);
    for (int i = 0; i < FLOATS; i++) ck_assert(slot->images[i] == (float)(item * 10 + s->kind));
    ck_assert(waited >= 0 && waited < 60);
    srq_loader_release(l);
}

START_TEST(in_order)
{
    srq_loader *l = NULL;
    const srq_sequence s = {.kind = 1, .first = 5, .stride = 3, .end = 3000, .size = 2};
    ck_assert_int_eq(srq_loader_create(_i ? 3 : 1, SLOTS, FLOATS, 1, fill, NULL, &l), SRQ_OK);
    srq_loader_start(l, &s);
    for (long item = 5; item < 3000; item += 3) expect_item(l, &s, item);
    srq_loader_destroy(&l);
    ck_assert_ptr_null(l);
    srq_loader_destroy(&l);
}
END_TEST

/* Sequences that begin before the previous one has ended, at once or after some items. */
START_TEST(begun_anew)
{
    srq_loader *l = NULL;
    ck_assert_int_eq(srq_loader_create(_i ? 3 : 1, SLOTS, FLOATS, 1, fill, NULL, &l), SRQ_OK);
    for (uint64_t i = 0; i < 400; i++) {
        uint32_t r[4];
        srq_random(1, SRQ_RANDOM_TEST, 0, i, r);
        const long first = (long)(r[0] % 500), stride = 1 + (long)(r[1] % 3), items = (long)(r[2] % 12);
        const srq_sequence s = {
            .kind = (int)(i % 9), .first = first, .stride = stride, .end = first + 20 * stride, .size = (int)i};
        srq_loader_start(l, &s);
        for (long k = 0; k < items; k++) expect_item(l, &s, first + k * stride);
        if (r[3] % 4 == 0) usleep(200);
    }
    srq_loader_destroy(&l);
}
END_TEST

START_TEST(failures_and_ends)
{
    srq_loader *l = NULL;
    const srq_sequence s = {.kind = 2, .first = BAD_ITEM - 2, .stride = 1, .end = BAD_ITEM + 2, .size = 1};
    ck_assert_int_eq(srq_loader_create(_i ? 3 : 1, SLOTS, FLOATS, 1, fill, NULL, &l), SRQ_OK);
    /* Ended without ever having begun. */
    srq_loader_destroy(&l);
    ck_assert_int_eq(srq_loader_create(_i ? 3 : 1, SLOTS, FLOATS, 1, fill, NULL, &l), SRQ_OK);
    srq_loader_start(l, &s);
    for (long item = BAD_ITEM - 2; item < BAD_ITEM + 2; item++) expect_item(l, &s, item);
    srq_loader_destroy(&l);
    /* No further ahead than there are slots. */
    const srq_sequence endless = {.first = 0, .stride = 1, .end = 1L << 40};
    made = 0;
    ck_assert_int_eq(srq_loader_create(_i ? 3 : 1, SLOTS, FLOATS, 1, fill, NULL, &l), SRQ_OK);
    srq_loader_start(l, &endless);
    expect_item(l, &endless, 0);
    usleep(20000);
    srq_loader_destroy(&l);
    ck_assert(made >= 1 && made <= SLOTS + 1);
}
END_TEST

int main(void)
{
    setenv("CK_FORK", "no", 1);
    Suite *suite = suite_create("loader");
    TCase *tests = tcase_create("loader");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, in_order, 0, 2); /* on one thread, on three */
    tcase_add_loop_test(tests, begun_anew, 0, 2); /* on one thread, on three */
    tcase_add_loop_test(tests, failures_and_ends, 0, 2); /* on one thread, on three */
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
