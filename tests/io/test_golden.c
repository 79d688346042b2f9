/* Golden cases: the file of the repository is read completely, and mistakes in a file get one message. */
#include "io/golden.h"
#include "io/h5.h"
#include "tests/io/scratch.h"
#include "tests/suite.h"

#include <math.h>

/* The mistake of the next file: the name of an item, with '-' before it if it is missing. */
static const char *broken = "";
static srq_h5_writer *w;

static bool breaks(const char *name)
{
    return strcmp(broken, name) == 0;
}

static bool lacks(const char *name)
{
    return broken[0] == '-' && strcmp(broken + 1, name) == 0;
}

static void put_double(const char *name, double right, double wrong)
{
    if (lacks(name)) return;
    ck_assert_int_eq(srq_h5_write_attribute_double(w, "case", name, breaks(name) ? wrong : right), SRQ_OK);
}

static void put_int(const char *name, int64_t right, int64_t wrong)
{
    if (lacks(name)) return;
    ck_assert_int_eq(srq_h5_write_attribute_int(w, "case", name, breaks(name) ? wrong : right), SRQ_OK);
}

/* Numbers 1/2, but the last of them is `wrong` if "NAME value" is broken; one row too many if "NAME" is. */
static void put_set(const char *name, int rank, size_t rows, size_t columns, float wrong)
{
    float data[64];
    char path[64], value[64];
    const size_t shape[2] = {rows + breaks(name), columns};
    snprintf(path, sizeof path, "case/%s", name);
    snprintf(value, sizeof value, "%s value", name);
    if (lacks(name)) return;
    for (size_t i = 0; i < 64; i++) data[i] = 0.5f;
    if (breaks(value)) data[rows * columns - 1] = wrong;
    ck_assert_int_eq(srq_h5_write(w, path, H5T_NATIVE_FLOAT, rank, shape, data), SRQ_OK);
}

/* Three elements, 3 bits, 2 gates above 1 bit. */
static srq_status read_case(const char *method, const char *what, srq_golden_case **cases, size_t *count)
{
    const size_t three = 3;
    const int32_t codes[3] = {-4, 0, 3};
    broken = what;
    ck_assert_int_eq(srq_h5_writer_create("srq-golden", 1, &w), SRQ_OK);
    ck_assert_int_eq(srq_h5_write_group(w, "case"), SRQ_OK);
    ck_assert_int_eq(srq_h5_write_attribute_text(w, "case", "method", method), SRQ_OK);
    if (!lacks("estimator"))
        ck_assert_int_eq(srq_h5_write_attribute_text(w, "case", "estimator", breaks("estimator") ? "half" : "argmax"),
                         SRQ_OK);
    put_int("bits", 3, 9);
    put_int("signed", 1, 0);
    put_int("min_bits", 1, 3);
    put_double("alpha", 0.25, -1);
    put_double("sigma", 0.125, 0);
    put_double("tau", 0.75, NAN);
    put_double("gamma", -0.1, 0);
    put_double("zeta", 1.1, INFINITY);
    static const char *const sets[] = {"x", "grad_out", "y",      "grad_x",   "phi",        "u",
                                       "z", "z_eval",   "p_open", "grad_phi", "grad_p_open"};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        put_set(sets[i], 1, 3, 1, strcmp(sets[i], "u") == 0 ? 1 : NAN);
    ck_assert_int_eq(srq_h5_write(w, "case/code", H5T_NATIVE_INT32, 1, &three, codes), SRQ_OK);
    put_set("grad_alpha", 0, 1, 1, INFINITY);
    put_set("grad_sigma", 0, 1, 1, 0);
    put_set("gumbel", 2, 3, 8, -INFINITY);
    if (strcmp(method, "srq") == 0 || breaks("masked")) put_set("mask", 1, 2, 1, -0.5f);
    put_set("grad_mask", 1, 2, 1, 0);
    ck_assert_int_eq(srq_h5_writer_commit(w, scratch("golden.h5")), SRQ_OK);
    srq_h5_writer_destroy(&w);
    srq_status status = srq_golden_read(scratch("golden.h5"), cases, count);
    ck_assert_int_eq(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
    return status;
}

START_TEST(what_is_right_is_read)
{
    static const char *const methods[] = {"srq", "lsq", "ste", "rq", "rq_st", "hard_concrete", "another"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        srq_golden_case *c;
        size_t count;
        ck_assert_int_eq(read_case(methods[i], "", &c, &count), SRQ_OK);
        ck_assert_uint_eq(count, 1);
        ck_assert_str_eq(c->method, methods[i]);
        ck_assert_int_eq(c->complete, i < 6);
        ck_assert_int_eq(c->masked, i == 0);
        if (i < 6) ck_assert_uint_eq(c->count, 3);
        ck_assert((c->x != NULL) == (i < 5) && (c->code != NULL) == (i < 3));
        ck_assert((c->gumbel != NULL) == (i == 3 || i == 4));
        if (c->gumbel) ck_assert(c->gumbel[23] == 0.5f && c->tau == 0.75);
        if (i == 0) ck_assert(c->gates == 2 && c->mask[1] == 0.5f && c->grad_mask[1] == 0.5);
        if (i == 5) ck_assert(c->phi && c->u[2] == 0.5f && c->z && c->z_eval && c->p_open && c->grad_phi);
        if (i == 5) ck_assert(c->grad_p_open[2] == 0.5 && c->gamma == -0.1 && c->zeta == 1.1 && c->grad_out);
        srq_golden_free(c, count);
    }
}
END_TEST

START_TEST(what_is_wrong_is_said)
{
    static const struct {
        const char *method, *broken, *words;
    } files[] = {
        {"srq", "bits", "bits must be 1 to 8"},
        {"srq", "-bits", "bits"},
        {"srq", "-estimator", "estimator"},
        {"srq", "estimator", "estimator is \"half\", but must be full or argmax"},
        {"srq", "signed", "only cases of srq on a signed grid"},
        {"lsq", "masked", "only cases of srq on a signed grid"},
        {"srq", "x value", "element 2 of x is infinite or not a number"},
        {"lsq", "grad_x value", "element 2 of grad_x is infinite or not a number"},
        {"lsq", "grad_alpha value", "element 0 of grad_alpha is infinite or not a number"},
        {"rq", "gumbel value", "element 23 of gumbel is infinite or not a number"},
        {"hard_concrete", "phi value", "element 2 of phi is infinite or not a number"},
        {"srq", "-sigma", "srq needs the attribute sigma"},
        {"srq", "min_bits", "min_bits must be 1 to 2"},
        {"srq", "mask", "case/mask"},
        {"srq", "mask value", "gate 1 is not 0 to 1"},
        {"srq", "grad_mask", "case/grad_mask"},
        {"lsq", "alpha", "alpha and sigma above 0"},
        {"lsq", "grad_out", "case/grad_out"},
        {"lsq", "-y", "case/y"},
        {"rq", "sigma", "alpha and sigma above 0"},
        {"rq", "-sigma", "rq needs the attribute sigma"},
        {"rq", "tau", "tau must be above 0"},
        {"rq", "-tau", "tau"},
        {"rq", "gumbel", "case/gumbel"},
        {"rq_st", "-gumbel", "case/gumbel"},
        {"rq_st", "grad_x", "case/grad_x"},
        {"rq_st", "-grad_sigma", "case/grad_sigma"},
        {"hard_concrete", "tau", "tau must be above 0"},
        {"hard_concrete", "gamma", "gamma must be below 0"},
        {"hard_concrete", "zeta", "zeta above 1"},
        {"hard_concrete", "u value", "element 2 of u"},
        {"hard_concrete", "z_eval", "case/z_eval"},
        {"hard_concrete", "-grad_p_open", "case/grad_p_open"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        srq_golden_case *cases;
        size_t count;
        srq_status status = read_case(files[i].method, files[i].broken, &cases, &count);
        ck_assert_msg(status == SRQ_ERROR_DATA, "%s, %s: status %d", files[i].method, files[i].broken, status);
        ck_assert_msg(strstr(srq_message(), files[i].words) != NULL, "\"%s\" is not in: %s", files[i].words,
                      srq_message());
        ck_assert_ptr_null(cases);
    }
}
END_TEST

START_TEST(the_repository_file_is_read_whole)
{
    srq_golden_case *cases;
    size_t count, complete = 0, masked = 0;
    ck_assert_int_eq(srq_golden_read(SRQ_SOURCE_DIR "/tests/golden/quantizers.h5", &cases, &count), SRQ_OK);
    for (size_t i = 0; i < count; i++) {
        complete += cases[i].complete;
        masked += cases[i].masked;
    }
    ck_assert_uint_eq(count, 98);
    ck_assert_uint_eq(complete, 98);
    ck_assert_uint_eq(masked, 12);
    srq_golden_free(cases, count);
}
END_TEST

int main(void)
{
    scratch_create();
    setenv("CK_FORK", "no", 1);
    Suite *suite = suite_create("golden");
    TCase *tests = tcase_create("golden");
    tcase_add_test(tests, what_is_right_is_read);
    tcase_add_test(tests, what_is_wrong_is_said);
    tcase_add_test(tests, the_repository_file_is_read_whole);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
