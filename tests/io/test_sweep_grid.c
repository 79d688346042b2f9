/* Sweeps without a table file are those of a table with the same rows. */
#include "io/sweep_grid.h"
#include "tests/io/scratch.h"
#include "tests/suite.h"

#include <sys/stat.h>

static const char model[] =
    "name = \"net\";\ninput = { height = 4; width = 4; channels = 1; };\n"
    "layers = ( { name = \"a\"; type = \"quantize\"; }, { name = \"fc\"; type = \"dense\"; out = 10; } );\n";
static const char config[] = "model = \"model.cfg\"; data = { file = \"d.h5\"; }; train = { seed = 7; };\n";
static const char table[] =
    "seeds = [3, 5];\nrows = (\n"
    "{ name = \"net-weight_bits2-a.bits4\"; config = \"net.cfg\"; sets = [\"train.epochs=3\", "
    "\"quantizer.weight_bits=2\", \"quantizer.layers.a.bits=4\"]; },\n"
    "{ name = \"net-weight_bits2-a.bits6\"; config = \"net.cfg\"; sets = [\"train.epochs=3\", "
    "\"quantizer.weight_bits=2\", \"quantizer.layers.a.bits=6\"]; },\n"
    "{ name = \"net-weight_bits8_until_1ep__then_4-a.bits4\"; config = \"net.cfg\"; sets = [\"train.epochs=3\", "
    "\"quantizer.weight_bits=8 until 1ep, then 4\", \"quantizer.layers.a.bits=4\"]; },\n"
    "{ name = \"net-weight_bits8_until_1ep__then_4-a.bits6\"; config = \"net.cfg\"; sets = [\"train.epochs=3\", "
    "\"quantizer.weight_bits=8 until 1ep, then 4\", \"quantizer.layers.a.bits=6\"]; } );\n";

static void setup(void)
{
    scratch_write("model.cfg", model, sizeof model - 1);
    scratch_write("net.cfg", config, sizeof config - 1);
    scratch_write("table.cfg", table, sizeof table - 1);
}

START_TEST(as_a_table)
{
    srq_sweep *grid = NULL, *file = NULL;
    static const char *const sets[] = {"train.epochs=3", "train.seed=3,5",
                                       "quantizer.weight_bits=2,\"8 until 1ep, then 4\"",
                                       "quantizer.layers.a.bits=4,6"};
    ck_assert_msg(srq_sweep_load(scratch("table.cfg"), &file) == SRQ_OK, "%s", srq_message());
    ck_assert_msg(srq_sweep_grid(scratch("net.cfg"), 4, sets, &grid) == SRQ_OK, "%s", srq_message());
    ck_assert_str_eq(grid->name, "net");
    ck_assert(grid->row_count == 4 && file->row_count == 4 && grid->seed_count == 2);
    ck_assert(grid->seeds[0] == 3 && grid->seeds[1] == 5);
    for (int i = 0; i < 4; i++) {
        char here[SRQ_RUN_NAME_SIZE], there[SRQ_RUN_NAME_SIZE];
        ck_assert_str_eq(srq_sweep_run_name(grid, i, 5, here), srq_sweep_run_name(file, i, 5, there));
        ck_assert_str_eq(grid->rows[i].digest, file->rows[i].digest);
        ck_assert_str_eq(grid->rows[i].config, scratch("net.cfg"));
    }
    srq_sweep_destroy(&file);
    srq_sweep_destroy(&grid);
}
END_TEST

START_TEST(seeds_and_names)
{
    srq_sweep *grid = NULL;
    char name[SRQ_RUN_NAME_SIZE];
    /* The seed of the configuration; no other values: one row with its name. */
    ck_assert_int_eq(srq_sweep_grid(scratch("net.cfg"), 1, (const char *const[]){"train.epochs=2"}, &grid), SRQ_OK);
    ck_assert(grid->row_count == 1 && grid->seed_count == 1 && grid->seeds[0] == 7);
    ck_assert_str_eq(grid->rows[0].name, "net");
    srq_sweep_destroy(&grid);
    /* Names that are cut differ all the same. */
    static const char *const sets[] = {
        "data.file=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1.h5,"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa2.h5,a b.h5,a_b.h5"};
    ck_assert_msg(srq_sweep_grid(scratch("net.cfg"), 1, sets, &grid) == SRQ_OK, "%s", srq_message());
    ck_assert_int_eq(grid->row_count, 4);
    for (int i = 0; i < 4; i++) {
        ck_assert_uint_lt(strlen(srq_sweep_run_name(grid, i, 1, name)), SRQ_RUN_NAME_SIZE - 1);
        for (int k = 0; k < i; k++) ck_assert_str_ne(grid->rows[i].name, grid->rows[k].name);
    }
    srq_sweep_destroy(&grid);
}
END_TEST

START_TEST(mistakes)
{
    static const struct {
        const char *file, *sets[2], *words;
    } cases[] = {
        {"net.cfg", {"train.seed=1,x", NULL}, "--set train.seed=1,x: \"x\" is no seed"},
        {"net.cfg", {"train.seed=1,-2", NULL}, "\"-2\" is no seed"},
        {"net.cfg", {"train.seed=1,01", NULL}, "seed 01 is there twice"},
        {"net.cfg", {"train.seed=,1", NULL}, "a value is empty"},
        {"net.cfg", {"train.seed=1,", NULL}, "a value is empty"},
        {"net.cfg", {"train.seed=", NULL}, "a value is empty"},
        {"net.cfg", {"train.seed", NULL}, "it must be path=value"},
        {"net.cfg", {"train.epochs=1", "train.epochs=2"}, "train.epochs is set twice"},
        {"net.cfg", {"lr=1,2", NULL}, "--set lr=1: no setting is called lr; did you mean optimizer.learning_rate?"},
        {"net.cfg",
         {"quantizer.weight_bits=3,9", NULL},
         "net.cfg: row net-weight_bits9: --set quantizer.weight_bits=9: "},
        {"net.cfg", {"quantizer.weight_bits=3,3", NULL}, "has the same settings as row "},
        {"table.cfg", {"train.seed=1", NULL}, "table.cfg: this is a table"},
        {"none.cfg", {"train.seed=1", NULL}, "none.cfg: No such file"},
    };
    srq_sweep *sweep = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const srq_status status =
            srq_sweep_grid(scratch(cases[i].file), cases[i].sets[1] ? 2 : 1, cases[i].sets, &sweep);
        ck_assert_msg(status == SRQ_ERROR_USAGE && strstr(srq_message(), cases[i].words), "%s: %d, %s",
                      cases[i].sets[0], status, srq_message());
    }
    /* 1001 combinations */
    char many[8000] = "train.epochs=1";
    for (int i = 2; i <= 1001; i++) snprintf(many + strlen(many), sizeof many - strlen(many), ",%d", i);
    ck_assert_int_eq(srq_sweep_grid(scratch("net.cfg"), 1, (const char *const[]){many}, &sweep), SRQ_ERROR_USAGE);
    ck_assert_ptr_nonnull(strstr(srq_message(), "more than 1000 combinations"));
    ck_assert_int_eq(srq_sweep_load(scratch("net.cfg"), &sweep), SRQ_ERROR_USAGE);
    ck_assert_ptr_nonnull(strstr(srq_message(), "this is a configuration, not a table"));
}
END_TEST

int main(void)
{
    scratch_create();
    setenv("CK_FORK", "no", 1);
    Suite *suite = suite_create("sweep_grid");
    TCase *tests = tcase_create("sweep_grid");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, as_a_table);
    tcase_add_test(tests, seeds_and_names);
    tcase_add_test(tests, mistakes);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
