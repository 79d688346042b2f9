/* Layers in model files by the operators' tables: the tables are valid, and layers are read, rejected and printed. */
#include "core/ops/op.h"
#include "io/config.h"
#include "io/layer_settings.h"
#include "tests/suite.h"

#include <stdio.h>
#include <string.h>

static size_t size_of(const srq_op_setting *s)
{
    return s->kind == SRQ_OP_PAIR ? 2 * sizeof(int) : s->kind == SRQ_OP_FLAG ? sizeof(bool) : sizeof(int);
}

/* The setting called `name`, which must stand before `s` in the table and be of its kind, or NULL. */
static const srq_op_setting *before(const srq_op *op, const srq_op_setting *s, const char *name, bool same_kind)
{
    const srq_op_setting *found = srq_op_setting_find(op, name);
    return found && found < s && (!same_kind || found->kind == s->kind) ? found : NULL;
}

static void check_setting(const srq_op *op, const srq_op_setting *s)
{
    static const char *const taken[] = {"name", "type", "inputs", "block", "classes"};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) ck_assert_str_ne(s->name, taken[i]);
    ck_assert_msg(srq_op_setting_find(op, s->name) == s, "%s has two settings %s", op->type, s->name);
    ck_assert_msg(s->place + size_of(s) <= sizeof(srq_layer_spec), "%s: %s has no place", op->type, s->name);
    ck_assert_msg(!s->like || before(op, s, s->like, true), "%s: %s is like %s", op->type, s->name, s->like);
    ck_assert_msg(!s->with || before(op, s, s->with, false), "%s: %s is with %s", op->type, s->name, s->with);
    if (s->kind == SRQ_OP_FLAG || s->required || s->like) return;
    ck_assert_msg(s->least < s->most, "%s: %s has no range", op->type, s->name);
    const bool in = s->initial <= s->most && (s->above ? s->initial > s->least : s->initial >= s->least);
    ck_assert_msg(in == !s->absent, "%s: the default of %s is %g", op->type, s->name, s->initial);
}

START_TEST(tables_are_sound)
{
    for (int i = 0; i < srq_op_count(); i++) {
        const srq_op *op = srq_op_at(i);
        ck_assert(srq_op_find(op->type) == op);
        ck_assert_uint_lt(strlen(op->type), SRQ_TYPE_SIZE);
        ck_assert_msg(op->meaning && !strchr(op->meaning, '|'), "%s has no meaning", op->type);
        ck_assert(op->min_inputs >= 1 && op->max_inputs >= op->min_inputs && op->max_inputs <= SRQ_INPUTS_MAX);
        ck_assert(op->create && op->forward && op->backward);
        for (int k = 0; k < srq_op_setting_count(op); k++) check_setting(op, &op->settings[k]);
    }
}
END_TEST

#define HEAD "model = { name = \"net\"; input = { height = 8; width = 8; channels = 2; }; layers = (\n"
#define TAIL "); };\ndata = { file = \"d.h5\"; };\n"

static srq_status parse(const char *layers, srq_config **config)
{
    char text[2048];
    snprintf(text, sizeof text, HEAD "%s" TAIL, layers);
    return srq_config_parse(text, "c.cfg", config);
}

static const char settings[] =
    "{ name = \"a\"; type = \"conv\"; out = 4; kernel = [3, 1]; },\n"
    "{ name = \"b\"; type = \"leaky_relu\"; },\n{ name = \"c\"; type = \"leaky_relu\"; slope = 0.25; },\n"
    "{ name = \"d\"; type = \"concat\"; inputs = [\"a\", \"b\", \"c\"]; },\n"
    "{ name = \"e\"; type = \"sigmoid\"; },\n{ name = \"f\"; type = \"max_pool\"; kernel = [2, 4]; padding = 1; },\n"
    "{ name = \"g\"; type = \"avg_pool\"; }, { name = \"h\"; type = \"relu\"; },\n"
    "{ name = \"i\"; type = \"batch_norm\"; epsilon = 1e-3; }, { name = \"j\"; type = \"dense\"; out = 3; }";

START_TEST(values_and_defaults)
{
    srq_config *c = NULL;
    ck_assert_msg(parse(settings, &c) == SRQ_OK, "%s", srq_message());
    const srq_layer_spec *l = srq_config_settings(c)->model.layers;
    ck_assert(l[0].kernel[0] == 3 && l[0].kernel[1] == 1 && l[0].stride[0] == 1 && l[0].stride[1] == 1);
    ck_assert(l[0].padding[0] == 0 && l[0].groups == 1 && l[0].bias && l[0].out == 4);
    ck_assert_float_eq(l[1].own[0].real, 0.01f);
    ck_assert_float_eq(l[2].own[0].real, 0.25f);
    ck_assert_int_eq(l[3].input_count, 3);
    ck_assert(l[5].kernel[1] == 4 && l[5].stride[0] == 2 && l[5].stride[1] == 4 && l[5].padding[1] == 1);
    ck_assert_int_eq(l[6].kernel[0], 0);
    ck_assert_float_eq(l[7].max, 0);
    ck_assert_float_eq(l[8].momentum, 0.1f);
    ck_assert_float_eq(l[8].epsilon, 1e-3f);
    const char *text = srq_config_text(c);
    static const char *const lines[] = {
        "{ name = \"a\"; type = \"conv\"; inputs = [\"input\"]; out = 4; kernel = [3, 1]; stride = [1, 1]; "
        "padding = [0, 0]; groups = 1; bias = true; }",
        "{ name = \"b\"; type = \"leaky_relu\"; inputs = [\"a\"]; slope = 0.01; }",
        "{ name = \"d\"; type = \"concat\"; inputs = [\"a\", \"b\", \"c\"]; }",
        "{ name = \"e\"; type = \"sigmoid\"; inputs = [\"d\"]; }",
        "{ name = \"f\"; type = \"max_pool\"; inputs = [\"e\"]; kernel = [2, 4]; stride = [2, 4]; padding = [1, 1]; }",
        "{ name = \"g\"; type = \"avg_pool\"; inputs = [\"f\"]; }",
        "{ name = \"h\"; type = \"relu\"; inputs = [\"g\"]; }",
        "{ name = \"i\"; type = \"batch_norm\"; inputs = [\"h\"]; momentum = 0.1; epsilon = 0.001; }"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        ck_assert_msg(strstr(text, lines[i]) != NULL, "%s is not in: %s", lines[i], text);
    /* What is printed is read back to the same. */
    srq_config *again = NULL;
    ck_assert_msg(srq_config_parse(text, "again.cfg", &again) == SRQ_OK, "%s", srq_message());
    ck_assert_str_eq(srq_config_text(again), text);
    srq_config_destroy(&again);
    srq_config_destroy(&c);
}
END_TEST

START_TEST(differences)
{
    srq_config *here = NULL, *there = NULL;
    char changed[sizeof settings], what[256];
    memcpy(changed, settings, sizeof settings);
    memcpy(strstr(changed, "0.25"), "0.75", 4);
    ck_assert_int_eq(parse(settings, &here), SRQ_OK);
    ck_assert_int_eq(parse(changed, &there), SRQ_OK);
    ck_assert(!srq_config_differs(here, here, false, what, sizeof what));
    ck_assert(srq_config_differs(here, there, false, what, sizeof what));
    ck_assert_str_eq(what, "slope of layer 3 of the model (\"c\") is 0.25 here and 0.75 there");
    srq_config_destroy(&here);
    srq_config_destroy(&there);
}
END_TEST

START_TEST(mistakes)
{
    static const char *const cases[][2] = {
        {"{ name = \"a\"; type = \"leaky_relu\"; slope = 0; }",
         "c.cfg:2: slope must be a number above 0 and at most 1, but is 0"},
        {"{ name = \"a\"; type = \"leaky_relu\"; slope = 1.5; }", "slope must be a number above 0 and at most 1"},
        {"{ name = \"a\"; type = \"leaky_relu\"; slope = \"x\"; }", "slope must be a number above 0 and at most 1"},
        {"{ name = \"a\"; type = \"leaky_relu\"; slop = 0.1; }",
         "c.cfg:2: layers have no setting \"slop\"; did you mean \"slope\"?"},
        {"{ name = \"a\"; type = \"leaky_relu\"; kernel = 2; }",
         "a layer of type leaky_relu has no setting \"kernel\"; remove it (its settings: slope)"},
        {"{ name = \"a\"; type = \"sigmoid\"; slope = 0.1; }",
         "a layer of type sigmoid has no setting \"slope\"; remove it (its settings: none)"},
        {"{ name = \"a\"; type = \"sigmiod\"; }",
         "c.cfg:2: no layer type is called \"sigmiod\"; did you mean \"sigmoid\"? `srq help layers` lists all"},
        {"{ name = \"a\"; type = \"concat\"; }", "a layer of type concat has 2 to 8 inputs, but this one has 1"},
        {"{ name = \"a\"; type = \"avg_pool\"; stride = 2; }",
         "c.cfg:2: stride of a layer of type avg_pool has no effect without kernel; add kernel, or remove stride"},
        {"{ name = \"a\"; type = \"batch_norm\"; momentum = -0.1; }",
         "c.cfg:2: momentum must be a number from 0 to 1, but is -0.1"},
        {"{ name = \"a\"; type = \"max_pool\"; kernel = 4097; }", "kernel is 4097, but must be from 1 to 4096"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        srq_config *c = NULL;
        ck_assert_msg(parse(cases[i][0], &c) == SRQ_ERROR_USAGE, "taken: %s", cases[i][0]);
        ck_assert_msg(strstr(srq_message(), cases[i][1]) != NULL, "\"%s\" is not in: %s", cases[i][1], srq_message());
    }
}
END_TEST

static char *reference(bool markdown)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    srq_layer_reference(out, markdown);
    fclose(out);
    return text;
}

START_TEST(the_reference_names_all)
{
    char *rows = reference(true), *text = reference(false), row[SRQ_TYPE_SIZE + 16];
    for (int i = 0; i < srq_op_count(); i++) {
        snprintf(row, sizeof row, "\n| `%s` | ", srq_op_at(i)->type);
        ck_assert_msg(strstr(rows, row) != NULL, "no row for %s: %s", srq_op_at(i)->type, rows);
    }
    ck_assert_ptr_nonnull(
        strstr(rows, "| `avg_pool` | `kernel` (the whole image), `stride` (the kernel), `padding` (0) | "));
    ck_assert_ptr_nonnull(strstr(rows, "| `leaky_relu` | `slope` (0.01) | "));
    ck_assert_ptr_nonnull(strstr(rows, "| `concat` | `inputs` (2 to 8) | "));
    ck_assert_ptr_nonnull(strstr(rows, "| `sigmoid` | | "));
    ck_assert_ptr_nonnull(strstr(text, "slope      number above 0, at most 1; default: 0.01\n"));
    ck_assert_ptr_nonnull(strstr(text, "kernel     integer or [height, width], 1 to 4096; must be given\n"));
    free(rows);
    free(text);
}
END_TEST

/* docs/configuration.md holds what `srq help layers --markdown` prints. */
START_TEST(the_page_is_current)
{
    char *rows = reference(true), *found = calloc(1, 1 << 18);
    FILE *page = fopen(SRQ_SOURCE_DIR "/docs/configuration.md", "rb");
    ck_assert_msg(page != NULL, "docs/configuration.md is missing");
    ck_assert_uint_gt(fread(found, 1, (1 << 18) - 1, page), 0);
    fclose(page);
    ck_assert_msg(strstr(found, rows) != NULL,
                  "docs/configuration.md is not current: put the output of `srq help layers --markdown` into it");
    free(found);
    free(rows);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("layers");
    TCase *tests = tcase_create("layers");
    tcase_add_test(tests, tables_are_sound);
    tcase_add_test(tests, values_and_defaults);
    tcase_add_test(tests, differences);
    tcase_add_test(tests, mistakes);
    tcase_add_test(tests, the_reference_names_all);
    tcase_add_test(tests, the_page_is_current);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
