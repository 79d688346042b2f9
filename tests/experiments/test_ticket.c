/* Tickets without training: intervals against tables of Student's t, stages, and their configurations. */
#include "experiments/srq/study/paired.h"
#include "experiments/srq/study/plan.h"
#include "tests/suite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Abramowitz and Stegun, table 26.10, with more digits from R's qt(). */
static const struct {
    double share;
    int freedom;
    double x;
} quantiles[] = {{0.975, 1, 12.7062047364},   {0.975, 2, 4.30265272991}, {0.975, 3, 3.18244630528},
                 {0.975, 4, 2.7764451052},    {0.975, 9, 2.26215716279}, {0.975, 30, 2.0422724563},
                 {0.975, 999, 1.96234146113}, {0.95, 5, 2.01504837333},  {0.995, 4, 4.60409487142},
                 {0.9, 7, 1.41492392765}};

START_TEST(quantiles_of_student)
{
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
        const double x = srq_student_quantile(quantiles[i].share, quantiles[i].freedom);
        ck_assert_msg(fabs(x - quantiles[i].x) < 1e-8, "%g with %d: %.12g, not %.12g", quantiles[i].share,
                      quantiles[i].freedom, x, quantiles[i].x);
        ck_assert_double_eq_tol(srq_student_below(-x, quantiles[i].freedom), 1 - quantiles[i].share, 1e-12);
    }
    ck_assert_double_eq_tol(srq_student_below(0, 3), 0.5, 1e-14);
    ck_assert_double_eq_tol(srq_student_below(1, 1), 0.75, 1e-14); /* Cauchy: 1/2 + atan(x) / pi */
}
END_TEST

START_TEST(paired_differences)
{
    /* Differences 1, 2, 3, 6: mean 3, deviation sqrt(14 / 3), half an interval 3.18244630528 * sqrt(14 / 3 / 4). */
    const double a[] = {11, 22, 33, 46}, b[] = {10, 20, 30, 40};
    const srq_paired p = srq_paired_of(4, a, b);
    const double reach = 3.18244630528 * sqrt(14.0 / 3 / 4);
    ck_assert_int_eq(p.count, 4);
    ck_assert_double_eq_tol(p.mean, 3, 1e-12);
    ck_assert_double_eq_tol(p.low, 3 - reach, 1e-8);
    ck_assert_double_eq_tol(p.high, 3 + reach, 1e-8);
    const srq_paired one = srq_paired_of(1, a, b), none = srq_paired_of(0, a, b);
    ck_assert(one.mean == 1 && isnan(one.low) && isnan(one.high) && isnan(none.mean));
    const srq_paired equal = srq_paired_of(3, a, a);
    ck_assert(equal.mean == 0 && equal.low == 0 && equal.high == 0);
}
END_TEST

START_TEST(shuffles)
{
    enum { LAYERS = 5 };
    const srq_layer_bits bits[LAYERS] = {{"a", 2}, {"b", 3}, {"c", 3}, {"d", 8}, {"e", 2}};
    bool differ = false;
    srq_layer_bits first[LAYERS];
    for (uint64_t seed = 1; seed <= 50; seed++) {
        srq_layer_bits now[LAYERS], again[LAYERS];
        int count[9] = {0}, same = 0;
        ck_assert(srq_learned_shuffle(seed, LAYERS, bits, now));
        ck_assert(srq_learned_shuffle(seed, LAYERS, bits, again));
        for (int i = 0; i < LAYERS; i++) {
            ck_assert_str_eq(now[i].name, bits[i].name);
            ck_assert_int_eq(now[i].bits, again[i].bits);
            count[now[i].bits]++;
            same += now[i].bits == bits[i].bits;
        }
        ck_assert(count[2] == 2 && count[3] == 2 && count[8] == 1 && same < LAYERS);
        for (int i = 0; seed > 1 && i < LAYERS; i++) differ = differ || now[i].bits != first[i].bits;
        if (seed == 1) memcpy(first, now, sizeof first);
    }
    ck_assert(differ);
    const srq_layer_bits equal[2] = {{"a", 4}, {"b", 4}}, two[2] = {{"a", 4}, {"b", 5}};
    srq_layer_bits out[2];
    ck_assert(!srq_learned_shuffle(1, 2, equal, out) && !srq_learned_shuffle(1, 1, two, out) &&
              !srq_learned_shuffle(1, 0, two, out));
    ck_assert(srq_learned_shuffle(9, 2, two, out) && out[0].bits == 5 && out[1].bits == 4);
}
END_TEST

static srq_config *load(int count, const char *const *sets)
{
    srq_config *config = NULL;
    ck_assert_msg(srq_config_load(SRQ_SOURCE_DIR "/experiments/lenet5-mnist/base.cfg", count, sets, &config) == SRQ_OK,
                  "%s", srq_message());
    return config;
}

/* A configuration and its stages. */
typedef struct listed {
    srq_config *config;
    const srq_settings *settings;
    int count;
    srq_stage *stages;
} listed;

static listed list(int count, const char *const *sets)
{
    listed l = {.config = load(count, sets)};
    l.settings = srq_config_settings(l.config);
    ck_assert_msg(srq_stage_list(l.settings, &l.stages, &l.count) == SRQ_OK, "%s", srq_message());
    return l;
}

static void free_list(listed *l)
{
    free(l->stages);
    srq_config_destroy(&l->config);
}

static void check_names(const listed *l, int count, const char *const *names)
{
    ck_assert_int_eq(l->count, count);
    for (int i = 0; i < count; i++) ck_assert_str_eq(l->stages[i].name, names[i]);
}

START_TEST(stages)
{
    static const char *const learn[] = {"dropbits.mode=learn", "quantizer.weight_bits=6", "prune.levels=2"};
    static const char *const expected[] = {"learn",         "rewind",   "scratch",   "uniform-below",
                                           "uniform-above", "shuffled", "fine-tune", "prune-01",
                                           "reinit-01",     "prune-02", "reinit-02"};
    listed l = list(3, learn);
    check_names(&l, 11, expected);
    ck_assert(srq_stage_is_called(&l.stages[3], "uniform") && srq_stage_is_called(&l.stages[4], "uniform"));
    ck_assert(srq_stage_is_called(&l.stages[9], "prune") && srq_stage_is_called(&l.stages[9], "prune-02"));
    ck_assert(!srq_stage_is_called(&l.stages[9], "prune-01") && !srq_stage_is_called(&l.stages[0], "uniform"));
    free_list(&l);
    l = list(1, &learn[2]);
    ck_assert_int_eq(l.count, 5);
    ck_assert_str_eq(l.stages[1].name, "prune-01");
    free_list(&l);
    srq_stage *none = NULL;
    int count;
    srq_config *config = load(0, NULL);
    ck_assert_int_eq(srq_stage_list(srq_config_settings(config), &none, &count), SRQ_ERROR_USAGE);
    srq_config_destroy(&config);
}
END_TEST

/* From a file, all bit-lengths are also trained from its weights. Random masks are on by prune.random. */
START_TEST(stages_from_a_file)
{
    static const char *const sets[] = {"dropbits.mode=learn", "quantizer.weight_bits=6", "train.init=/w.h5",
                                       "prune.levels=2", "prune.random=true"};
    static const char *const expected[] = {
        "learn",     "rewind",          "scratch",         "uniform-below",      "uniform-above", "shuffled",
        "fine-tune", "fine-tune-below", "fine-tune-above", "fine-tune-shuffled", "prune-01",      "reinit-01",
        "random-01", "prune-02",        "reinit-02",       "random-02"};
    listed l = list(5, sets);
    check_names(&l, 16, expected);
    for (int i = 0; i < l.count; i++) {
        ck_assert_int_eq(srq_stage_is_called(&l.stages[i], "uniform"), i == 3 || i == 4);
        ck_assert_int_eq(srq_stage_is_called(&l.stages[i], "fine-tune"), i == 6);
        ck_assert_int_eq(srq_stage_is_called(&l.stages[i], "fine-tune-uniform"), i == 7 || i == 8);
        ck_assert_int_eq(srq_stage_is_called(&l.stages[i], "random"), i == 12 || i == 15);
    }
    free_list(&l);
}
END_TEST

/* rewind and fine-tune are the same run if stages rewind to step 0; which of them is trained depends on the start. */
START_TEST(equal_stages)
{
    static const struct {
        const char *init, *rewind;
        bool same, tune_is_first;
    } cases[] = {{"train.init=random", "prune.rewind=0it", true, false},
                 {"train.init=/w.h5", "prune.rewind=0ep", true, true},
                 {"train.init=random", "prune.rewind=1it", false, false},
                 {"train.init=/w.h5", "prune.rewind=2ep", false, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const sets[] = {"dropbits.mode=learn", "quantizer.weight_bits=6", cases[i].init, cases[i].rewind};
        listed l = list(4, sets);
        for (int k = 0; k < l.count; k++) {
            const srq_stage *stage = &l.stages[k];
            bool first = false;
            const char *twin = srq_stage_twin(stage, l.settings, &first);
            const bool tune = stage->kind == SRQ_STAGE_TUNE, rewind = stage->kind == SRQ_STAGE_REWIND;
            ck_assert_msg((twin != NULL) == (cases[i].same && (tune || rewind)), "%zu %s", i, stage->name);
            if (!twin) continue;
            ck_assert_str_eq(twin, tune ? "rewind" : "fine-tune");
            ck_assert_int_eq(first, tune == cases[i].tune_is_first);
        }
        free_list(&l);
    }
}
END_TEST

START_TEST(names_of_stages)
{
    static const char *const wrong[] = {"",         "learn-01", "prune",     "prune-00",   "prune-1",
                                        "prune-1x", "Rewind",   "prune-99x", "reinit-100", "uniform"};
    srq_stage stage;
    ck_assert(srq_stage_parse("prune-37", &stage) && stage.kind == SRQ_STAGE_PRUNE && stage.level == 37);
    ck_assert(srq_stage_parse("uniform-above", &stage) && stage.kind == SRQ_STAGE_ABOVE && stage.level == 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_msg(!srq_stage_parse(wrong[i], &stage), "%s", wrong[i]);
    /* Places are in the order of the list. */
    static const char *const order[] = {
        "learn",     "rewind",          "scratch",         "uniform-below",      "uniform-above", "shuffled",
        "fine-tune", "fine-tune-below", "fine-tune-above", "fine-tune-shuffled", "prune-01",      "reinit-01",
        "random-01", "prune-02",        "reinit-02",       "random-02"};
    for (size_t i = 1; i < sizeof order / sizeof *order; i++) {
        srq_stage before, after;
        ck_assert(srq_stage_parse(order[i - 1], &before) && srq_stage_parse(order[i], &after));
        ck_assert_msg(srq_stage_place(&before) < srq_stage_place(&after), "%s", order[i]);
    }
}
END_TEST

static const srq_quantizer_spec *weights_of(const srq_config *config, const char *layer)
{
    const srq_model_spec *model = &srq_config_settings(config)->model;
    for (int i = 0; i < model->layer_count; i++)
        if (strcmp(model->layers[i].name, layer) == 0) return &model->layers[i].quantizer;
    return NULL;
}

static srq_config *stage_config(const srq_config *base, srq_stage_kind kind, int level, const srq_learned *learned)
{
    const srq_stage stage = {.kind = kind, .level = level};
    char note[256];
    srq_config *config = NULL;
    ck_assert_msg(srq_stage_config(base, &stage, 7, "/d", learned, &config, note, sizeof note) == SRQ_OK, "%s",
                  srq_message());
    return config;
}

/* What stage learn of the tests has learned. */
static srq_layer_bits bits_of_learned[] = {{"conv1", 5}, {"conv2", 2}};
static const srq_learned learned_bits = {.count = 2, .bits = bits_of_learned, .mean = 2.25};

/* The settings of every stage fit that stage, and no stage with other initial weights or masks. */
START_TEST(settings_fit_stages)
{
    static const char *const sets[] = {"dropbits.mode=learn", "quantizer.weight_bits=6", "prune.levels=2",
                                       "prune.random=true"};
    listed l = list(4, sets);
    /* Initial weights: L, those of stage learn; N, new ones; C, those of the configuration. Masks: by their file. */
    static const char starts[] = "?LNNNNCLNLLNL";
    static const int masks[] = {0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 3, 4};
    for (int i = 0; i < l.count; i++) {
        srq_config *c = stage_config(l.config, l.stages[i].kind, l.stages[i].level, &learned_bits);
        for (int k = 0; k < l.count; k++) {
            /* fine-tune may start from any weights, also from those that another ticket left. */
            const bool start = starts[k] == 'C' || starts[i] == starts[k];
            const bool fits = i == 0 ? k == 0 : k == 0 || (start && (masks[k] == 0 || masks[k] == masks[i]));
            ck_assert_msg(srq_stage_fits(&l.stages[k], srq_config_settings(c)) == fits, "%s as %s", l.stages[i].name,
                          l.stages[k].name);
        }
        srq_config_destroy(&c);
    }
    free_list(&l);
}
END_TEST

/* What the configuration of a stage is expected to have. */
typedef struct expected_stage {
    srq_stage_kind kind;
    int level, conv1, conv2; /* bit-lengths */
    const char *init, *masks;
    int draw;
} expected_stage;

static void check_stage(const srq_config *base, const expected_stage *e)
{
    srq_config *c = stage_config(base, e->kind, e->level, &learned_bits);
    const srq_settings *s = srq_config_settings(c);
    ck_assert_int_eq(s->train.seed, 7);
    ck_assert_str_eq(s->train.init, e->init);
    ck_assert_int_eq(s->train.init_draw, e->draw);
    ck_assert_str_eq(s->train.masks, e->masks);
    ck_assert_str_eq(s->dropbits.mode, "off");
    ck_assert_int_eq(weights_of(c, "conv1")->bits.bits[0], e->conv1);
    ck_assert_int_eq(weights_of(c, "conv2")->bits.bits[0], e->conv2);
    ck_assert(weights_of(c, "fc1")->bits.bits[0] == 6 && weights_of(c, "conv1")->dropbits == SRQ_DROPBITS_OFF);
    srq_config_destroy(&c);
}

START_TEST(configurations_of_stages)
{
    static const char *const sets[] = {"dropbits.mode=learn", "quantizer.weight_bits=6", "prune.levels=2"};
    static const char kept[] = "/d/learn/rewind.h5", fresh[] = "random", none[] = "none";
    static const expected_stage expected[] = {
        {SRQ_STAGE_REWIND, 0, 5, 2, kept, none, 0},
        {SRQ_STAGE_SCRATCH, 0, 5, 2, fresh, none, 1},
        {SRQ_STAGE_BELOW, 0, 2, 2, fresh, none, 1},
        {SRQ_STAGE_ABOVE, 0, 3, 3, fresh, none, 1},
        {SRQ_STAGE_SHUFFLE, 0, 2, 5, fresh, none, 1},
        /* From the configuration's own start: nothing of the start is set. */
        {SRQ_STAGE_TUNE, 0, 5, 2, fresh, none, 0},
        {SRQ_STAGE_TUNE_BELOW, 0, 2, 2, fresh, none, 0},
        {SRQ_STAGE_TUNE_ABOVE, 0, 3, 3, fresh, none, 0},
        {SRQ_STAGE_TUNE_SHUFFLE, 0, 2, 5, fresh, none, 0},
        {SRQ_STAGE_RANDOM, 2, 5, 2, kept, "/d/masks-random-02.h5", 0},
        {SRQ_STAGE_PRUNE, 2, 5, 2, kept, "/d/masks-02.h5", 0},
        {SRQ_STAGE_REINIT, 2, 5, 2, fresh, "/d/masks-02.h5", 1},
    };
    srq_config *base = load(3, sets), *c = stage_config(base, SRQ_STAGE_LEARN, 0, NULL);
    ck_assert_int_eq(srq_config_settings(c)->train.seed, 7);
    ck_assert(weights_of(c, "conv1")->dropbits == SRQ_DROPBITS_LEARN);
    srq_config_destroy(&c);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) check_stage(base, &expected[i]);
    srq_config_destroy(&base);
}
END_TEST

/* A start from a file is kept. New weights are new whatever draw the configuration has. */
START_TEST(configurations_from_a_file)
{
    static const char *const sets[] = {"dropbits.mode=learn", "quantizer.weight_bits=6", "train.init=/w.h5",
                                       "train.init_match=partial", "train.init_draw=4"};
    static const expected_stage expected[] = {{SRQ_STAGE_TUNE, 0, 5, 2, "/w.h5", "none", 4},
                                              {SRQ_STAGE_SCRATCH, 0, 5, 2, "random", "none", 5}};
    srq_config *base = load(5, sets), *c = stage_config(base, SRQ_STAGE_TUNE, 0, &learned_bits);
    ck_assert_str_eq(srq_config_settings(c)->train.init_match, "partial");
    srq_config_destroy(&c);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) check_stage(base, &expected[i]);
    srq_config_destroy(&base);
}
END_TEST

/* If the mean is a whole bit-length, there is no uniform-below. Equal bit-lengths cannot be shuffled. */
START_TEST(stages_without_a_configuration)
{
    static const char *const sets[] = {"dropbits.mode=learn", "quantizer.weight_bits=6"};
    static const srq_stage_kind kinds[] = {SRQ_STAGE_BELOW, SRQ_STAGE_SHUFFLE, SRQ_STAGE_TUNE_BELOW,
                                           SRQ_STAGE_TUNE_SHUFFLE};
    srq_layer_bits equal[] = {{"conv1", 3}, {"conv2", 3}};
    const srq_learned whole = {.count = 2, .bits = equal, .mean = 3};
    srq_config *base = load(2, sets);
    for (int i = 0; i < 4; i++) ck_assert_ptr_null(stage_config(base, kinds[i], 0, &whole));
    srq_config_destroy(&base);
}
END_TEST

/* Entries of quantizer.layers keep what is not a bit-length. */
START_TEST(derived_configurations)
{
    static const char text[] =
        "model = { name = \"m\"; input = { height = 4; width = 4; channels = 1; };"
        "layers = ( { name = \"a\"; type = \"dense\"; out = 3; }, { name = \"b\"; type = \"dense\"; out = 2; } ); };"
        "data = { file = \"/d.h5\"; }; dropbits = { mode = \"learn\"; };"
        "quantizer = { weight_bits = 8; layers = ( { name = \"a\"; granularity = \"channel\"; bits = 7; dropbits = "
        "\"on\"; } ); };";
    static const char *const off[] = {"dropbits.mode=off"}, *const wrong[] = {"train.epoch=3"};
    const srq_layer_bits bits[] = {{"a", 3}, {"b", 5}}, unknown[] = {{"c", 3}};
    srq_config *base = NULL, *c = NULL;
    ck_assert_msg(srq_config_parse(text, "text", &base) == SRQ_OK, "%s", srq_message());
    ck_assert_msg(srq_config_derive(base, 1, off, 2, bits, &c) == SRQ_OK, "%s", srq_message());
    ck_assert(weights_of(c, "a")->bits.bits[0] == 3 && weights_of(c, "a")->per_channel);
    ck_assert(weights_of(c, "b")->bits.bits[0] == 5 && !weights_of(c, "b")->per_channel);
    srq_config_destroy(&c);
    ck_assert_msg(srq_config_derive(base, 0, NULL, 1, bits, &c) == SRQ_OK, "%s", srq_message());
    ck_assert(weights_of(c, "a")->dropbits == SRQ_DROPBITS_LEARN && weights_of(c, "b")->bits.bits[0] == 8);
    srq_config_destroy(&c);
    ck_assert_int_eq(srq_config_derive(base, 1, off, 1, unknown, &c), SRQ_ERROR_USAGE);
    ck_assert_int_eq(srq_config_derive(base, 1, wrong, 2, bits, &c), SRQ_ERROR_USAGE);
    srq_config_destroy(&base);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ticket");
    TCase *tests = tcase_create("ticket");
    tcase_add_test(tests, quantiles_of_student);
    tcase_add_test(tests, paired_differences);
    tcase_add_test(tests, shuffles);
    tcase_add_test(tests, stages);
    tcase_add_test(tests, stages_from_a_file);
    tcase_add_test(tests, equal_stages);
    tcase_add_test(tests, names_of_stages);
    tcase_add_test(tests, settings_fit_stages);
    tcase_add_test(tests, configurations_of_stages);
    tcase_add_test(tests, configurations_from_a_file);
    tcase_add_test(tests, stages_without_a_configuration);
    tcase_add_test(tests, derived_configurations);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
