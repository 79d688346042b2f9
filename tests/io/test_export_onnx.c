/* What ONNX cannot hold is refused with the name of the layer, and nothing is written; the bytes of a small model. */
#include "io/export.h"
#include "tests/io/scratch.h"
#include "tests/suite.h"

#include <math.h>

/* A dense layer with 4-bit codes on images of height x width, and its scales. */
static float multiply = 1.0f / 255, zero, scales[2] = {0.5f, 0.25f}, a[2] = {0.5f, 0.25f}, b[2] = {1, 2};
static char *classes[2] = {"\"a\"", "b"};
static int8_t *codes;

static srq_deploy_op ops[4];

static srq_deploy make(int height, int width)
{
    const size_t count = 2 * (size_t)height * (size_t)width;
    free(codes);
    codes = calloc(count, 1);
    if (!codes) abort();
    for (size_t i = 0; i < count; i++) codes[i] = (int8_t)((int)(i % 16) - 8);
    ops[0] = (srq_deploy_op){
        .kind = SRQ_DEPLOY_CONV,
        .name = "fc",
        .input_count = 1,
        .inputs = {SRQ_DEPLOY_IMAGES},
        .output = {1, 1, 2, .scale = 0},
        .kernel = {height, width},
        .stride = {1, 1},
        .groups = 1,
        .dense = true,
        .weights = {
            .count = count, .grid = {.bits = 4, .min = -8, .max = 7}, .codes = codes, .scales = 2, .scale = scales}};
    ops[1] = (srq_deploy_op){.kind = SRQ_DEPLOY_AFFINE,
                             .name = "fc",
                             .input_count = 1,
                             .inputs = {0},
                             .output = {1, 1, 2, .scale = 0},
                             .a = a,
                             .b = b};
    return (srq_deploy){.model = "m",
                        .method = "m",
                        .input = {.height = height,
                                  .width = width,
                                  .channels = 1,
                                  .multiply = &multiply,
                                  .add = &zero,
                                  .fraction = 28,
                                  .classes = 2,
                                  .class_names = classes},
                        .op_count = 2,
                        .ops = ops};
}

static srq_status export_as(const srq_deploy *net, const char *to, const char *style, const char *file)
{
    const srq_export_format *format;
    const srq_export_request request = {.net = net, .source = "run", .style = style};
    ck_assert_int_eq(srq_export_find(to, &format), SRQ_OK);
    return srq_export_write(format, &request, scratch(file));
}

static bool exists(const char *file)
{
    FILE *stream = fopen(scratch(file), "rb");
    if (stream) fclose(stream);
    return stream != NULL;
}

/* The activation grid of a method whose points are not evenly spaced. */
START_TEST(uneven_grid)
{
    float points[4] = {0, 0.25f, 0.5f, 1};
    srq_deploy net = make(2, 2);
    ops[2] = (srq_deploy_op){.kind = SRQ_DEPLOY_QUANTIZE,
                             .name = "act7",
                             .input_count = 1,
                             .inputs = {1},
                             .output = {1, 1, 2, {2, 0, 3, points}, 0.5f}};
    net.op_count = 3;
    static const char *const formats[3][2] = {{"onnx", "integer"}, {"onnx", "qdq"}, {"qonnx", NULL}};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(export_as(&net, formats[i][0], formats[i][1], "uneven.onnx"), SRQ_ERROR_USAGE);
        ck_assert_ptr_nonnull(strstr(srq_message(), "layer \"act7\" has an activation grid that is not evenly spaced"));
        ck_assert(!exists("uneven.onnx"));
    }
}
END_TEST

/* Sums of an image's digits that 32 bits do not hold. */
START_TEST(large_sums)
{
    const srq_deploy net = make(260, 260);
    ck_assert_int_eq(export_as(&net, "onnx", "integer", "large.onnx"), SRQ_ERROR_USAGE);
    ck_assert_ptr_nonnull(strstr(srq_message(), "layer \"fc\" has sums of up to"));
    ck_assert(!exists("large.onnx"));
    ck_assert_msg(export_as(&net, "onnx", "qdq", "large.onnx") == SRQ_OK, "%s", srq_message());
    ck_assert_int_eq(export_as(&net, "onnx", "qdq", "large.onnx"), SRQ_ERROR_USAGE); /* it exists now */
    ck_assert_ptr_nonnull(strstr(srq_message(), "exists already"));
}
END_TEST

/* Whether a file holds these bytes. */
static bool holds(const char *file, const void *bytes, size_t size)
{
    size_t length;
    unsigned char *data = scratch_read(file, &length);
    const bool found = memmem(data, length, bytes, size) != NULL;
    free(data);
    return found;
}

/* Codes of 2 bits in quarters of bytes, the first in the lowest bits; those of more bits stay as they are. */
START_TEST(bytes_of_quarters)
{
    srq_deploy net = make(3, 3);
    static const unsigned char quarters[5] = {0x4e, 0xc9, 0x39, 0x27, 0x0d},
                               halves[9] = {0x98, 0xba, 0xdc, 0xfe, 0x10, 0x32, 0x54, 0x76, 0x98};
    ck_assert_msg(export_as(&net, "onnx", "qdq-int2", "four.onnx") == SRQ_OK, "%s", srq_message());
    ck_assert(holds("four.onnx", halves, sizeof halves));
    /* -2 -1 0 1 1 -2 ... = 10 11 00 01, 01 10 00 11, ... */
    static const int8_t two[18] = {-2, -1, 0, 1, 1, -2, 0, -1, 1, -2, -1, 0, -1, 1, -2, 0, 1, -1};
    memcpy(codes, two, sizeof two);
    ops[0].weights.grid = (srq_deploy_grid){.bits = 2, .min = -2, .max = 1};
    ck_assert_msg(export_as(&net, "onnx", "qdq-int2", "two.onnx") == SRQ_OK, "%s", srq_message());
    ck_assert_msg(export_as(&net, "onnx", "qdq", "two-as-four.onnx") == SRQ_OK, "%s", srq_message());
    ck_assert(holds("two.onnx", quarters, sizeof quarters) && !holds("two-as-four.onnx", quarters, sizeof quarters));
}
END_TEST

/* Codes of 4 bits are stored in halves of bytes, the first in the lower one, and as code + 128 for integer sums. */
START_TEST(bytes_of_codes)
{
    const srq_deploy net = make(2, 4);
    static const unsigned char halves[8] = {0x98, 0xba, 0xdc, 0xfe, 0x10, 0x32, 0x54, 0x76};
    /* [in][out] */
    static const unsigned char wide[16] = {120, 128, 121, 129, 122, 130, 123, 131,
                                           124, 132, 125, 133, 126, 134, 127, 135};
    ck_assert_msg(export_as(&net, "onnx", NULL, "small.onnx") == SRQ_OK, "%s", srq_message());
    ck_assert_msg(export_as(&net, "onnx", "qdq", "small-qdq.onnx") == SRQ_OK, "%s", srq_message());
    ck_assert_msg(export_as(&net, "qonnx", NULL, "small-q.onnx") == SRQ_OK, "%s", srq_message());
    ck_assert(holds("small.onnx", wide, sizeof wide) && holds("small-qdq.onnx", halves, sizeof halves));
    ck_assert(holds("small.onnx", "[\"\\\"a\\\"\", \"b\"]", 13) &&
              holds("small-q.onnx", "qonnx.custom_op.general", 23));
    ck_assert(holds("small.onnx", "MatMulInteger", 13) && !holds("small-qdq.onnx", "MatMulInteger", 13));
}
END_TEST

int main(void)
{
    setenv("CK_FORK", "no", 1);
    scratch_create();
    const srq_deploy net = make(2, 2);
    if (export_as(&net, "onnx", NULL, "first.onnx") != SRQ_OK && strstr(srq_message(), "built without protobuf-c")) {
        printf("skipped: built without protobuf-c\n");
        free(codes);
        return 0;
    }
    Suite *suite = suite_create("export_onnx");
    TCase *tests = tcase_create("export_onnx");
    tcase_add_test(tests, uneven_grid);
    tcase_add_test(tests, large_sums);
    tcase_add_test(tests, bytes_of_codes);
    tcase_add_test(tests, bytes_of_quarters);
    suite_add_tcase(suite, tests);
    const int failed = srq_suite_run(suite);
    free(codes);
    return failed;
}
