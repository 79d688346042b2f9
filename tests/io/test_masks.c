/* Masks in files: written masks are read back, and invalid ones are rejected with their name. */
#include "io/masks.h"
#include "tests/io/scratch.h"
#include "tests/suite.h"

#include <stdio.h>
#include <string.h>

enum { WEIGHTS = 3 * 4, BYTES = 2 };

typedef struct net {
    srq_model_spec spec;
    srq_layer_spec layers[2];
    srq_graph *graph;
} net;

static void build(net *n)
{
    *n = (net){.spec = {.name = "test", .height = 2, .width = 2, .channels = 1, .layer_count = 2}};
    n->spec.layers = n->layers;
    for (int i = 0; i < 2; i++) {
        srq_layer_spec *l = &n->layers[i];
        l->input_count = 1;
        l->out = 3;
        snprintf(l->name, sizeof l->name, i ? "b" : "a");
        snprintf(l->type, sizeof l->type, "dense");
        snprintf(l->inputs[0], sizeof l->inputs[0], i ? "a" : "input");
        snprintf(l->quantizer.method, sizeof l->quantizer.method, "float32");
    }
    const srq_graph_options options = {.capacity = 1, .engine = "reference"};
    ck_assert_msg(srq_graph_create(&n->spec, &options, &n->graph) == SRQ_OK, "%s", srq_message());
    srq_graph_initialize(n->graph, 1, SRQ_GAIN_HE);
}

static const uint8_t good[BYTES] = {0x5A, 0x0C};

START_TEST(read_back)
{
    net n, again;
    build(&n);
    build(&again);
    ck_assert_int_eq(srq_graph_set_mask(n.graph, 0, good), SRQ_OK);
    ck_assert_int_eq(srq_masks_save(scratch("m.h5"), n.graph), SRQ_OK);
    const uint8_t other[BYTES] = {0xFF, 0x01};
    ck_assert_int_eq(srq_graph_set_mask(again.graph, 1, other), SRQ_OK);
    ck_assert_msg(srq_masks_load(scratch("m.h5"), again.graph) == SRQ_OK, "%s", srq_message());
    const srq_layer *a = srq_graph_layer(again.graph, 0);
    ck_assert_ptr_null(srq_graph_layer(again.graph, 1)->mask);
    ck_assert_int_eq(memcmp(a->mask, good, BYTES), 0);
    ck_assert_uint_eq(a->kept, 6);
    for (size_t i = 0; i < WEIGHTS; i++)
        ck_assert_int_eq(srq_graph_values(again.graph)[i] != 0, srq_mask_keeps(good, i));
    srq_graph_destroy(&n.graph);
    srq_graph_destroy(&again.graph);
}
END_TEST

/* A file with one mask that is not right in one way. */
typedef struct mistake {
    const char *layer;
    size_t bytes;
    uint8_t mask[3];
    int64_t count, kept;
    const char *message;
} mistake;

static const mistake mistakes[] = {
    {"a", 3, {0xFF, 0x0F, 0}, 12, 12, "weight_mask"},
    {"a", 1, {0xFF}, 12, 8, "weight_mask"},
    {"a", 2, {0xFF, 0x1F}, 12, 13, "bits beyond the last weight, number 12, are not 0"},
    {"a", 2, {0xFF, 0x0F}, 11, 12, "attribute count of layers/a/weight_mask is 11, but the layer has 12 weights"},
    {"a", 2, {0xFF, 0x07}, 12, 12, "attribute kept of layers/a/weight_mask is 12, but the mask keeps 11 weights"},
    {"c", 2, {0xFF, 0x0F}, 12, 12, "it has a mask for layer \"c\", which the model \"test\" does not have"},
};

static void write_file(const mistake *m, const char *format, hid_t type)
{
    char name[64];
    srq_h5_writer *writer = NULL;
    ck_assert_int_eq(srq_h5_writer_create(format, 1, &writer), SRQ_OK);
    ck_assert_int_eq(srq_h5_write_group(writer, "layers"), SRQ_OK);
    if (m) {
        snprintf(name, sizeof name, "layers/%s/weight_mask", m->layer);
        ck_assert_int_eq(srq_h5_write(writer, name, type, 1, &m->bytes, m->mask), SRQ_OK);
        ck_assert_int_eq(srq_h5_write_attribute_int(writer, name, "count", m->count), SRQ_OK);
        ck_assert_int_eq(srq_h5_write_attribute_int(writer, name, "kept", m->kept), SRQ_OK);
    }
    ck_assert_int_eq(srq_h5_writer_commit(writer, scratch("bad.h5")), SRQ_OK);
    srq_h5_writer_destroy(&writer);
}

static void expect_refused(net *n, const char *message)
{
    ck_assert_int_eq(srq_masks_load(scratch("bad.h5"), n->graph), SRQ_ERROR_DATA);
    ck_assert_msg(strstr(srq_message(), message) != NULL, "%s", srq_message());
    ck_assert_msg(strstr(srq_message(), "bad.h5") != NULL, "%s", srq_message());
}

START_TEST(mistakes_are_named)
{
    net n;
    build(&n);
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        write_file(&mistakes[i], SRQ_MASKS_FORMAT, H5T_NATIVE_UINT8);
        expect_refused(&n, mistakes[i].message);
    }
    write_file(NULL, SRQ_MASKS_FORMAT, H5T_NATIVE_UINT8);
    expect_refused(&n, "it has no mask");
    write_file(&mistakes[0], "srq-dataset", H5T_NATIVE_UINT8);
    expect_refused(&n, "neither a checkpoint nor a mask file");
    const mistake floats = {"a", 0, {0}, 12, 0, "weight_mask"};
    write_file(&floats, SRQ_MASKS_FORMAT, H5T_NATIVE_FLOAT);
    expect_refused(&n, floats.message);
    ck_assert(!srq_graph_has_masks(n.graph));
    srq_graph_destroy(&n.graph);
}
END_TEST

/* As in a checkpoint, which has the values: a weight that the mask does not keep must be 0, and not -0. */
START_TEST(weights_under_a_mask_are_zero)
{
    static const float wrong[] = {1e-30f, -0.0f};
    for (int i = 0; i < 2; i++) {
        net n;
        srq_h5_reader *reader = NULL;
        const mistake whole = {"a", 2, {0x5A, 0x0C}, 12, 6, ""};
        build(&n);
        write_file(&whole, SRQ_MASKS_FORMAT, H5T_NATIVE_UINT8);
        ck_assert_int_eq(srq_h5_reader_open(scratch("bad.h5"), "masks", SRQ_MASKS_FORMAT, 1, &reader), SRQ_OK);
        ck_assert_int_eq(srq_masks_read(reader, n.graph), SRQ_ERROR_DATA); /* none of them is 0 */
        srq_mask_floats(good, 0, WEIGHTS, srq_graph_values(n.graph));
        ck_assert_int_eq(srq_masks_read(reader, n.graph), SRQ_OK);
        srq_graph_values(n.graph)[9] = wrong[i];
        ck_assert_int_eq(srq_masks_read(reader, n.graph), SRQ_ERROR_DATA);
        ck_assert_msg(strstr(srq_message(), "data set layers/a/weight: element 9 is ") != NULL, "%s", srq_message());
        ck_assert_int_eq(srq_masks_check(reader, "optimizer/m", n.graph, srq_graph_values(n.graph)), SRQ_ERROR_DATA);
        ck_assert_msg(strstr(srq_message(), "optimizer/m/a/weight: element 9") != NULL, "%s", srq_message());
        srq_h5_reader_close(&reader);
        srq_graph_destroy(&n.graph);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("masks");
    TCase *tests = tcase_create("masks");
    tcase_add_checked_fixture(tests, scratch_create, NULL);
    tcase_add_test(tests, read_back);
    tcase_add_test(tests, mistakes_are_named);
    tcase_add_test(tests, weights_under_a_mask_are_zero);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
