/* The validation images, against the rule of docs/validation.md done in another way. */
#include "core/random.h"
#include "experiments/srq/train/batches.h"
#include "tests/suite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { IMAGES = 1000, CLASSES = 7 };

static int32_t labels[IMAGES];
static srq_dataset dataset = {.classes = CLASSES, .file = -1, .path = "d.h5"};

/* Classes of very different sizes, down to one image, and one without any. */
static void setup(void)
{
    for (int i = 0; i < IMAGES; i++) labels[i] = i == 500 ? 5 : i % 3 == 0 ? 0 : i % 7 == 0 ? 3 : i % 5 == 0 ? 1 : 4;
    dataset.splits[SRQ_TRAIN] = (srq_split){.count = IMAGES, .labels = labels};
}

static srq_holdout make(double wanted, uint64_t seed)
{
    srq_holdout h;
    ck_assert_msg(srq_holdout_create(&dataset, wanted, seed, &h) == SRQ_OK, "%s", srq_message());
    return h;
}

static bool has(size_t count, const size_t *list, size_t image)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == image) return true;
    return false;
}

/* Both lists ascend, and have each image once. */
static void expect_parts(const srq_holdout *h)
{
    ck_assert_uint_eq(h->count + h->train_count, IMAGES);
    for (size_t i = 1; i < h->count; i++) ck_assert_msg(h->validation[i] > h->validation[i - 1], "%zu", i);
    for (size_t i = 1; i < h->train_count; i++) ck_assert_msg(h->train[i] > h->train[i - 1], "%zu", i);
    for (size_t i = 0; i < IMAGES; i++)
        ck_assert_msg(has(h->count, h->validation, i) != has(h->train_count, h->train, i), "image %zu", i);
}

static uint64_t number_of(uint64_t seed, size_t image)
{
    uint32_t bits[4];
    srq_random(seed, SRQ_RANDOM_VALIDATION, 0, image, bits);
    return (uint64_t)bits[1] << 32 | bits[0];
}

/* The place of an image among those of its class, by number. */
static size_t place_of(uint64_t seed, size_t image)
{
    size_t before = 0;
    for (size_t i = 0; i < IMAGES; i++)
        before += labels[i] == labels[image] && number_of(seed, i) < number_of(seed, image);
    return before;
}

START_TEST(by_class_and_number)
{
    static const double wanted[] = {1, 7, 100, 333, 500, 998, 999, 0.1, 0.25, 0.0004999, 0.0005001};
    static const size_t counts[] = {1, 7, 100, 333, 500, 998, 999, 100, 250, 0, 1};
    for (size_t k = 0; k < sizeof wanted / sizeof *wanted; k++) {
        if (counts[k] == 0) continue;
        const uint64_t seed = 3 + k;
        srq_holdout h = make(wanted[k], seed);
        ck_assert_uint_eq(h.count, counts[k]);
        expect_parts(&h);
        size_t of_class[CLASSES] = {0}, images[CLASSES] = {0};
        for (size_t i = 0; i < IMAGES; i++) images[labels[i]]++;
        for (size_t i = 0; i < h.count; i++) of_class[labels[h.validation[i]]]++;
        /* The share of each class, rounded up or down; those rounded up have the larger remainders. */
        double least_up = 2, most_down = -1;
        for (int c = 0; c < CLASSES; c++) {
            const double share = (double)h.count * (double)images[c] / IMAGES, rest = share - floor(share);
            const bool up = (double)of_class[c] > floor(share);
            ck_assert_msg((double)of_class[c] == floor(share) + up, "class %d has %zu of %g", c, of_class[c], share);
            if (up) least_up = fmin(least_up, rest);
            if (!up) most_down = fmax(most_down, rest);
        }
        ck_assert_msg(least_up >= most_down - 1e-9, "%g is rounded up, %g is not", least_up, most_down);
        for (size_t i = 0; i < IMAGES; i++)
            ck_assert_msg(has(h.count, h.validation, i) == (place_of(seed, i) < of_class[labels[i]]), "image %zu", i);
        srq_holdout_free(&h);
    }
}
END_TEST

/* A part of a smaller number is in the part of a larger one; another seed gives another part. */
START_TEST(keyed_by_the_seed)
{
    srq_holdout a = make(200, 1), again = make(0.2, 1), b = make(200, 2);
    size_t common = 0;
    ck_assert(memcmp(a.validation, again.validation, 200 * sizeof *a.validation) == 0);
    for (size_t i = 0; i < 200; i++) common += has(200, b.validation, a.validation[i]);
    ck_assert_msg(common > 15 && common < 75, "%zu images are common", common); /* 40 are expected */
    srq_holdout_free(&a);
    srq_holdout_free(&again);
    srq_holdout_free(&b);
}
END_TEST

START_TEST(without_and_refused)
{
    srq_holdout h = make(0, 1);
    ck_assert(h.count == 0 && h.train_count == IMAGES && !h.train && !h.validation);
    srq_holdout_free(&h);
    static const double bad[] = {0.0004999, 1000, 1e9, 0.9999};
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(srq_holdout_create(&dataset, bad[i], 1, &h), SRQ_ERROR_USAGE);
        ck_assert_msg(strstr(srq_message(), "data.validation is ") && strstr(srq_message(), "d.h5"), "%s",
                      srq_message());
    }
}
END_TEST

/* Training sees each training image once an epoch and no validation image. */
START_TEST(what_training_sees)
{
    enum { EACH = 12, COUNT = 30 };
    static uint8_t pixels[COUNT];
    static int32_t classes[COUNT];
    static float mean[1] = {0}, deviation[1] = {1};
    srq_dataset d = {.height = 1, .width = 1, .channels = 1, .classes = 2, .file = -1, .mean = mean, .std = deviation};
    for (int i = 0; i < COUNT; i++) pixels[i] = (uint8_t)i, classes[i] = i % 2;
    d.splits[SRQ_TRAIN] = (srq_split){.count = COUNT, .images = pixels, .labels = classes};
    d.splits[SRQ_TEST] = (srq_split){.count = 1, .images = pixels, .labels = classes};
    srq_settings s = {.train = {.seed = 5}, .data = {.validation = 6, .normalize = "none", .crop = "plain"}};
    srq_layer_spec layers[1] = {{.name = "fc",
                                 .type = "dense",
                                 .out = 2,
                                 .inputs = {"input"},
                                 .input_count = 1,
                                 .quantizer.method = "float32"}};
    s.model = (srq_model_spec){.name = "m", .height = 1, .width = 1, .channels = 1, .layer_count = 1, .layers = layers};
    srq_graph *graph = NULL;
    const srq_graph_options options = {.capacity = EACH, .engine = "float32"};
    ck_assert_msg(srq_graph_create(&s.model, &options, &graph) == SRQ_OK, "%s", srq_message());
    srq_batches b;
    int32_t seen_labels[EACH];
    ck_assert_int_eq(srq_batches_create(&d, &s, EACH, 1, &b), SRQ_OK);
    ck_assert(b.count == 24 && b.steps_per_epoch == 2 && srq_batches_part(&b, SRQ_PART_VALIDATION) == 6);
    for (long epoch = 0; epoch < 3; epoch++) {
        int seen[COUNT] = {0};
        for (long step = 2 * epoch; step < 2 * epoch + 2; step++) {
            ck_assert_int_eq(srq_batches_fill(&b, step, 0, graph, 0, seen_labels), EACH);
            for (int i = 0; i < EACH; i++) {
                const int image = (int)lrintf(srq_graph_input(graph)[i] * 255);
                seen[image]++;
                ck_assert_int_eq(seen_labels[i], image % 2);
            }
        }
        for (size_t i = 0; i < COUNT; i++) ck_assert_int_eq(seen[i], has(24, b.holdout.train, i));
    }
    srq_batches_fill_range(&b, SRQ_PART_VALIDATION, 2, 4, graph, 0, seen_labels);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq((int)lrintf(srq_graph_input(graph)[i] * 255), (int)b.holdout.validation[2 + i]);
        ck_assert_int_eq(seen_labels[i], (int)b.holdout.validation[2 + i] % 2);
    }
    srq_batches_destroy(&b);
    srq_graph_destroy(&graph);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("experiments/holdout");
    TCase *tests = tcase_create("holdout");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, by_class_and_number);
    tcase_add_test(tests, keyed_by_the_seed);
    tcase_add_test(tests, without_and_refused);
    tcase_add_test(tests, what_training_sees);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
