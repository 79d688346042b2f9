/* Counts of an evaluation by class: against counts by sorting, with equal logits, and with too many classes for a
 * matrix. */
#include "core/random.h"
#include "experiments/srq/train/tally.h"
#include "tests/suite.h"

#include <stdio.h>
#include <string.h>

/* The place of the label among all classes, from the largest logit on; of equal ones, the first class comes first. */
static int place_of(const float *logits, int classes, int label)
{
    int place = 0;
    for (int c = 0; c < classes; c++)
        if (c != label && (logits[c] > logits[label] || (logits[c] == logits[label] && c < label))) place++;
    return place;
}

static void check(int classes, int images)
{
    srq_tally tally;
    srq_class_results r;
    srq_dataset dataset = {.classes = classes};
    float *logits = calloc((size_t)(images * classes), sizeof *logits);
    int32_t *labels = calloc((size_t)images, sizeof *labels);
    char name[] = "x", **names = calloc((size_t)classes, sizeof *names);
    for (int c = 0; c < classes; c++) names[c] = name;
    dataset.class_names = names;
    for (int i = 0; i < images; i++) {
        uint32_t bits[4];
        srq_random(3, SRQ_RANDOM_TEST, 0, (uint64_t)i, bits);
        labels[i] = (int32_t)(bits[0] % (unsigned)classes);
        for (int c = 0; c < classes; c++) {
            srq_random(4, SRQ_RANDOM_TEST, (uint64_t)c, (uint64_t)i, bits);
            logits[i * classes + c] = (float)(bits[0] % 7); /* many are equal */
        }
        logits[i * classes + labels[i]] += (float)(bits[1] % 3);
    }
    ck_assert_int_eq(srq_tally_create(classes, &tally), SRQ_OK);
    srq_tally_add(&tally, images / 3, logits, labels);
    srq_tally_add(&tally, images - images / 3, logits + images / 3 * classes, labels + images / 3);
    ck_assert_int_eq(srq_tally_results(&tally, &dataset, 5, &r), SRQ_OK);
    long beyond5 = 0, wrong = 0;
    for (int i = 0; i < images; i++) {
        const int place = place_of(logits + i * classes, classes, labels[i]);
        beyond5 += place >= 5;
        wrong += place > 0;
    }
    ck_assert(wrong > 0 && wrong < images && beyond5 > 0);
    ck_assert(r.count == images && r.wrong == wrong && r.beyond5 == beyond5 && r.step == 5);
    ck_assert((r.confusion != NULL) == (classes <= SRQ_CONFUSION_MAX));
    long sum = 0, errors = 0;
    for (int c = 0; c < classes; c++) {
        sum += r.images[c];
        errors += r.errors[c];
    }
    ck_assert(sum == images && errors == wrong);
    srq_class_results_free(&r);
    srq_tally_free(&tally);
    free(logits);
    free(labels);
    free(names);
}

START_TEST(counts)
{
    check(8, 500);
    check(SRQ_CONFUSION_MAX + 3, 40);
}
END_TEST

/* The first of equal logits is the prediction, as for the error. */
START_TEST(equal_logits)
{
    srq_tally tally;
    srq_class_results r;
    char name[] = "x", *names[6] = {name, name, name, name, name, name};
    srq_dataset dataset = {.classes = 6, .class_names = names};
    const float logits[12] = {1, 1, 1, 1, 1, 1, 0, 0, 3, 0, 3, 0};
    const int32_t labels[2] = {5, 4};
    ck_assert_int_eq(srq_tally_create(6, &tally), SRQ_OK);
    srq_tally_add(&tally, 2, logits, labels);
    ck_assert_int_eq(srq_tally_results(&tally, &dataset, 0, &r), SRQ_OK);
    ck_assert(r.confusion[5 * 6 + 0] == 1 && r.confusion[4 * 6 + 2] == 1 && r.wrong == 2 && r.beyond5 == 1);
    srq_class_results_free(&r);
    srq_tally_free(&tally);
}
END_TEST

int main(void)
{
    setenv("CK_FORK", "no", 1);
    Suite *suite = suite_create("tally");
    TCase *tests = tcase_create("tally");
    tcase_add_test(tests, counts);
    tcase_add_test(tests, equal_logits);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
