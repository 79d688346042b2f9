/* Files of deployed networks, and the thresholds of the format c. */
#include "core/deploy_graph.h"
#include "io/deployed.h"
#include "io/export_c.h"
#include "tests/io/scratch.h"
#include "tests/suite.h"

#include <math.h>

static const char config_text[] =
    "model = { name = \"net\"; input = { height = 6; width = 6; channels = 2; }; classes = 3;\n"
    "  layers = ( { name = \"conv1\"; type = \"conv\"; out = 4; kernel = 3; padding = 1; },\n"
    "             { name = \"norm1\"; type = \"batch_norm\"; }, { name = \"relu1\"; type = \"relu\"; max = 2.0; },\n"
    "             { name = \"act1\"; type = \"quantize\"; },\n"
    "             { name = \"conv2\"; type = \"conv\"; out = 5; kernel = 3; }, { name = \"norm2\"; type = "
    "\"batch_norm\"; },\n"
    "             { name = \"leaky2\"; type = \"leaky_relu\"; }, { name = \"act2\"; type = \"quantize\"; },\n"
    "             { name = \"fc\"; type = \"dense\"; out = \"classes\"; } ); };\n"
    "data = { file = \"d.h5\"; };\nquantizer = { method = \"%s\"; weight_bits = 3; activation_bits = %d; };\n";

static char *classes[] = {"one", "two", "a third one"};
static float factors[] = {1.0f / 50, 1.0f / 70}, summands[] = {-2, -1};

/* A network with factors of batch-norm of both signs and 0. */
static srq_deploy *make(const char *method, int bits)
{
    char text[2048];
    srq_config *config = NULL;
    srq_graph *graph = NULL;
    srq_deploy *net = NULL;
    const srq_graph_options options = {.capacity = 1, .engine = "reference"};
    const srq_deploy_input input = {.multiply = factors,
                                    .add = summands,
                                    .channels = 2,
                                    .resize = 7,
                                    .classes = 3,
                                    .class_names = classes,
                                    .data_name = "data",
                                    .data_sha256 = "0123"};
    snprintf(text, sizeof text, config_text, method, bits);
    ck_assert_msg(srq_config_parse(text, "config", &config) == SRQ_OK, "%s", srq_message());
    ck_assert_int_eq(srq_graph_create(&srq_config_settings(config)->model, &options, &graph), SRQ_OK);
    srq_graph_initialize(graph, 3, SRQ_GAIN_HE);
    for (int i = 0; i < 72; i++) srq_graph_input(graph)[i] = (float)(i * 37 % 101) / 40 - 1;
    ck_assert_int_eq(srq_graph_start(graph, 1), SRQ_OK);
    for (int p = 0; p < srq_graph_parameter_count(graph); p++) {
        const srq_parameter *q = srq_graph_parameter(graph, p);
        for (size_t i = 0; i < q->count && strstr(q->name, "/scale"); i++)
            srq_graph_values(graph)[q->offset + i] = i == 2 ? 0 : i % 2 ? -0.7f : 1.3f;
    }
    ck_assert_int_eq(srq_graph_prepare(graph), SRQ_OK);
    ck_assert_msg(srq_deploy_create(graph, &input, &net) == SRQ_OK, "%s", srq_message());
    snprintf(net->method, sizeof net->method, "%s", method);
    net->step = 17;
    srq_graph_destroy(&graph);
    srq_config_destroy(&config);
    return net;
}

static void run(const srq_deploy *net, float logits[3])
{
    float image[72];
    srq_deploy_runner *runner = NULL;
    for (int i = 0; i < 72; i++) image[i] = srq_deploy_pixel(&net->input, i % 2, (uint8_t)(i * 53 % 256));
    ck_assert_int_eq(srq_deploy_runner_create(net, &runner), SRQ_OK);
    srq_deploy_run(runner, image, logits);
    srq_deploy_runner_destroy(&runner);
}

START_TEST(files_hold_everything)
{
    static const char *const methods[] = {"srq", "float32"};
    for (int m = 0; m < 2; m++) {
        srq_deploy *net = make(methods[m], 4), *read = NULL;
        float expected[3], found[3];
        ck_assert_msg(srq_deployed_write(scratch("net.h5"), net) == SRQ_OK, "%s", srq_message());
        ck_assert(srq_deployed_is(scratch("net.h5")));
        ck_assert_msg(srq_deployed_read(scratch("net.h5"), &read) == SRQ_OK, "%s", srq_message());
        run(net, expected);
        run(read, found);
        ck_assert_mem_eq(found, expected, sizeof found);
        ck_assert_str_eq(read->model, "net");
        ck_assert_str_eq(read->method, methods[m]);
        ck_assert_int_eq(read->step, 17);
        ck_assert_int_eq(read->input.resize, 7);
        ck_assert_int_eq(read->input.fraction, net->input.fraction);
        ck_assert_str_eq(read->input.class_names[2], "a third one");
        ck_assert_str_eq(read->input.data_sha256, "0123");
        ck_assert_int_eq(read->op_count, net->op_count);
        for (int i = 0; i < net->op_count; i++) ck_assert_str_eq(read->ops[i].name, net->ops[i].name);
        srq_deploy_destroy(&read);
        srq_deploy_destroy(&net);
    }
}
END_TEST

/* Files whose bytes are whole but whose content is not possible. */
START_TEST(impossible_content_is_refused)
{
    srq_deploy *net = make("lsq", 2);
    srq_deploy_op *conv = &net->ops[0], *last = &net->ops[net->op_count - 1];
    ck_assert_int_eq(conv->kind, SRQ_DEPLOY_CONV);
    int *const places[] = {&conv->output.channels, &conv->groups,       &conv->kernel[0],
                           &conv->inputs[0],       &last->inputs[0],    &last->output.channels,
                           &net->input.height,     &net->input.classes, &conv->output.height};
    static const int values[] = {0, 3, -5, 90, 1 << 20};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
            srq_deploy *read = NULL;
            const int kept = *places[i];
            /* The writer reads as many numbers as these say. */
            const bool counts = places[i] == &last->output.channels || places[i] == &net->input.classes;
            if (values[k] == kept || (counts && values[k] != 2)) continue;
            *places[i] = values[k];
            ck_assert_msg(srq_deployed_write(scratch("bad.h5"), net) == SRQ_OK, "place %zu, %d: %s", i, values[k],
                          srq_message());
            const srq_status status = srq_deployed_read(scratch("bad.h5"), &read);
            ck_assert_msg(status == SRQ_ERROR_DATA, "place %zu, %d: status %d", i, values[k], (int)status);
            ck_assert_ptr_nonnull(strstr(srq_message(), "bad.h5"));
            *places[i] = kept;
        }
    conv->weights.scale[0] = -1;
    ck_assert_int_eq(srq_deployed_write(scratch("bad.h5"), net), SRQ_OK);
    srq_deploy *read = NULL;
    ck_assert_int_eq(srq_deployed_read(scratch("bad.h5"), &read), SRQ_ERROR_DATA);
    ck_assert_ptr_nonnull(strstr(srq_message(), "layer \"conv1\""));
    srq_deploy_destroy(&net);
}
END_TEST

/* Every sum that can occur, for every channel, has the code that the interpreter gives it. */
START_TEST(thresholds_are_exact)
{
    for (int bits = 1; bits <= SRQ_C_INTEGER_BITS; bits++) {
        srq_deploy *net = make("lsq", bits);
        srq_c_plan plan;
        bool rises = false, falls = false;
        int checked = 0;
        ck_assert_int_eq(srq_c_plan_make(net, &plan), SRQ_OK);
        for (int s = 0; s < plan.step_count; s++) {
            const srq_c_step *step = &plan.steps[s];
            if (step->kind != SRQ_C_CODES) continue;
            const srq_deploy_grid *grid = &net->ops[step->last].output.grid;
            const int64_t most = (int64_t)step->most, stride = most > 100000 ? most / 50000 : 1;
            for (int c = 0; c < net->ops[step->op].output.channels; c++) {
                int64_t thresholds[15];
                srq_c_thresholds(&plan, step, c, thresholds);
                const bool fall = srq_c_falls(&plan, step, c);
                rises = rises || !fall, falls = falls || fall;
                for (int64_t sum = -most; sum <= most; sum += stride) {
                    int code = grid->min;
                    for (int k = 0; k < grid->max - grid->min; k++)
                        code += thresholds[k] != INT64_MAX && (fall ? -1 - sum : sum) >= thresholds[k];
                    ck_assert_int_eq(code, srq_c_code_of_sum(&plan, step, c, sum));
                    checked++;
                }
                /* And beside each threshold. */
                for (int k = 0; k < grid->max - grid->min; k++)
                    for (int64_t v = thresholds[k] - 1; thresholds[k] != INT64_MAX && v <= thresholds[k]; v++) {
                        if (v < -most - 1) continue; /* every sum reaches this one */
                        const int code = srq_c_code_of_sum(&plan, step, c, fall ? -1 - v : v);
                        ck_assert(v < thresholds[k] ? code <= grid->min + k : code > grid->min + k);
                    }
            }
        }
        ck_assert(rises && falls);
        ck_assert_int_gt(checked, 10000);
        srq_c_plan_free(&plan);
        srq_deploy_destroy(&net);
    }
}
END_TEST

/* The names in a C file. */
START_TEST(names_are_identifiers)
{
    char name[SRQ_EXPORT_NAME];
    const struct {
        const char *path, *given, *name;
    } cases[] = {{"net.c", NULL, "net"},         {"dir.d/my net-2.c", NULL, "my_net_2"},
                 {"3.c", NULL, "net_3"},         {"_x.c", NULL, "net__x"},
                 {"\xc3\xa9.c", NULL, "net___"}, {"net.c", "other", "other"},
                 {"net.c", "9", NULL},           {"net.c", "_x", NULL},
                 {"net.c", "a b", NULL},         {"net.c", "", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const srq_status status = srq_export_name(cases[i].path, cases[i].given, name);
        ck_assert_int_eq(status, cases[i].name ? SRQ_OK : SRQ_ERROR_USAGE);
        if (cases[i].name) ck_assert_str_eq(name, cases[i].name);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("deployed");
    TCase *cases = tcase_create("deployed");
    tcase_set_timeout(cases, 120);
    tcase_add_checked_fixture(cases, scratch_create, NULL);
    tcase_add_test(cases, files_hold_everything);
    tcase_add_test(cases, impossible_content_is_refused);
    tcase_add_test(cases, thresholds_are_exact);
    tcase_add_test(cases, names_are_identifiers);
    suite_add_tcase(suite, cases);
    return srq_suite_run(suite);
}
