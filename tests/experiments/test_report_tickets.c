/* Tickets in a report: recognizing stages, names, differences, levels of pruning, and notes on a ticket.json that is
 * missing, broken or old. */
#include "experiments/srq/report/learned.h"
#include "experiments/srq/report/ticket_tables.h"
#include "tests/io/scratch.h"
#include "tests/suite.h"

#include <math.h>
#include <sys/stat.h>

#define DONE "{\"event\": \"stop\", \"step\": 10, \"reason\": \"done\", \"status\": 0}\n"
#define LEARN "dropbits = { mode = \"learn\"; }; quantizer = { weight_bits = 4; };"

/* A run directory of ticket and seed: its settings in `train` and besides, its last error, its share of 1000 weights.
 */
static void make_stage(const char *ticket, int seed, const char *stage, const char *train, const char *rest,
                       double error, int kept, const char *stop)
{
    static const char model[] =
        "model = { name = \"m\"; input = { height = 4; width = 4; channels = 1; }; layers = ( { name = \"fc\"; type = "
        "\"dense\"; out = 10; } ); };\ndata = { file = \"/nowhere/d.h5\"; };\ntrain = { epochs = 2; seed = %d; %s };\n"
        "%s\n";
    char path[300], file[400], text[4096];
    mkdir(scratch(ticket), 0777);
    snprintf(path, sizeof path, "%s/seed-%d", ticket, seed);
    mkdir(scratch(path), 0777);
    snprintf(path, sizeof path, "%s/seed-%d/%s", ticket, seed, stage);
    mkdir(scratch(path), 0777);
    snprintf(text, sizeof text, model, seed, train, rest);
    snprintf(file, sizeof file, "%s/config.cfg", path);
    scratch_write(file, text, strlen(text));
    snprintf(text, sizeof text,
             "{\"event\": \"start\", \"steps\": 10, \"steps_per_epoch\": 5, \"batch\": 10, \"data_sha256\": \"d\"}\n"
             "{\"event\": \"eval\", \"step\": 10, \"epoch\": 2, \"test_error\": %g, \"kept\": %d, \"weights\": 1000, "
             "\"bytes\": 9, \"bops\": 9}\n%s",
             error, kept, stop);
    snprintf(file, sizeof file, "%s/log.jsonl", path);
    scratch_write(file, text, strlen(text));
}

/* The results of stage learn for the seed: bit-lengths and weights. */
static void make_rewound(const char *ticket, int seed, const char *stage, double error, const char *stop)
{
    char train[200], rest[100];
    snprintf(train, sizeof train, "init = \"/gone/seed-%d/learn/rewind.h5\";", seed);
    snprintf(rest, sizeof rest, "quantizer = { layers = ( { name = \"fc\"; bits = %d; } ); };", 2 + seed);
    make_stage(ticket, seed, stage, train, rest, error, 1000, stop);
}

static void make_random(const char *ticket, int seed, const char *stage, double error, const char *stop)
{
    char rest[100];
    snprintf(rest, sizeof rest, "quantizer = { layers = ( { name = \"fc\"; bits = %d; } ); };", 2 + seed);
    make_stage(ticket, seed, stage, "init_draw = 1;", rest, error, 1000, stop);
}

static void make_pruned(const char *ticket, int seed, int level, int kept, double rewound, double random)
{
    char stage[32], train[300];
    snprintf(stage, sizeof stage, "prune-%02d", level);
    snprintf(train, sizeof train, "masks = \"/gone/seed-%d/masks-%02d.h5\"; init = \"/gone/seed-%d/learn/rewind.h5\";",
             seed, level, seed);
    make_stage(ticket, seed, stage, train, "prune = { levels = 3; };", rewound, kept, DONE);
    snprintf(stage, sizeof stage, "reinit-%02d", level);
    snprintf(train, sizeof train, "masks = \"/gone/seed-%d/masks-%02d.h5\"; init_draw = 1;", seed, level);
    make_stage(ticket, seed, stage, train, "prune = { levels = 3; };", random, kept, DONE);
    if (level > 1) return; /* random masks at the first level only */
    snprintf(stage, sizeof stage, "random-%02d", level);
    snprintf(train, sizeof train,
             "masks = \"/gone/seed-%d/masks-random-%02d.h5\"; init = \"/gone/seed-%d/learn/rewind.h5\";", seed, level,
             seed);
    make_stage(ticket, seed, stage, train, "prune = { levels = 3; };", random + 0.1, kept, DONE);
}

/* Two tickets of two seeds below one folder: "bits" learns bit-lengths and is under way, "masks" prunes. */
static void make_tickets(void)
{
    mkdir(scratch("two"), 0777);
    for (int seed = 1; seed <= 2; seed++) {
        make_stage("two/bits", seed, "learn", "", LEARN, 0.1 * seed, 1000, DONE);
        make_rewound("two/bits", seed, "rewind", 0.3, DONE);
        make_random("two/bits", seed, "scratch", 0.15 + 0.2 * seed, DONE);
        make_random("two/bits", seed, "uniform-above", 0.25, seed == 1 ? DONE : "");
        make_stage("two/masks", seed, "learn", "", "prune = { levels = 3; };", 0.1 * seed, 1000, DONE);
        make_pruned("two/masks", seed, 1, 800, 0.2, 0.2 + 0.1 * seed);
        make_pruned("two/masks", seed, 2, 640, 0.3, 0.5);
    }
}

static srq_report load(const char *folder)
{
    srq_report report;
    char path[512];
    snprintf(path, sizeof path, "%s", scratch(folder));
    ck_assert_msg(srq_report_create(1, (char *[]){path}, 1e9, &report) == SRQ_OK, "%s", srq_message());
    return report;
}

static const srq_report_group *group_of(const srq_report *report, const char *run)
{
    for (int i = 0; i < report->runs.count; i++)
        if (strcmp(report->runs.items[i].name, run) == 0) return &report->groups.items[report->runs.items[i].group];
    ck_abort_msg("no run %s", run);
}

START_TEST(stages_are_configurations)
{
    static const char *const expected[] = {"bits: learn",
                                           "bits: rewind",
                                           "bits: scratch",
                                           "bits: uniform-above",
                                           "masks: learn",
                                           "masks: prune-01 (80 % of weights)",
                                           "masks: reinit-01 (80 % of weights)",
                                           "masks: random-01 (80 % of weights)",
                                           "masks: prune-02 (64 % of weights)",
                                           "masks: reinit-02 (64 % of weights)"};
    make_tickets();
    srq_report report = load("two");
    ck_assert_int_eq(report.tickets.count, 2);
    ck_assert_int_eq(report.groups.count, 10);
    for (int i = 0; i < 10; i++) {
        ck_assert_str_eq(report.groups.items[i].name, expected[i]);
        ck_assert_int_eq(report.groups.items[i].number, i + 1);
        ck_assert_int_eq(report.groups.items[i].member_count, 2);
    }
    const srq_report_group *learn = group_of(&report, "bits/seed-1/learn");
    ck_assert_ptr_eq(learn, group_of(&report, "bits/seed-2/learn"));
    ck_assert_ptr_ne(learn, group_of(&report, "masks/seed-1/learn"));
    ck_assert_double_eq_tol(learn->error.mean, 0.15, 1e-12);
    ck_assert_double_eq_tol(learn->error.deviation, sqrt(0.005), 1e-12);
    ck_assert_int_eq(group_of(&report, "bits/seed-2/uniform-above")->finished, 1);
    srq_report_destroy(&report);

    /* A ticket that is all of the report needs no name. */
    report = load("two/masks");
    ck_assert_str_eq(report.groups.items[0].name, "learn");
    ck_assert_str_eq(report.groups.items[4].name, "prune-02 (64 % of weights)");
    ck_assert_str_eq(report.tickets.items[0].name, "masks");
    srq_report_destroy(&report);
    report = load("two/masks/seed-1");
    ck_assert(report.tickets.count == 1 && report.tickets.items[0].seed_count == 1);
    srq_report_destroy(&report);
}
END_TEST

/* Folders with names of stages that are not stages; different settings in the same stage; runs beside a ticket. */
START_TEST(what_is_no_stage)
{
    mkdir(scratch("no"), 0777);
    make_random("no/t", 1, "scratch", 0.1, DONE);
    make_stage("no/t", 2, "scratch", "init_draw = 1; batch = 64;", "", 0.2, 1000, DONE);
    make_stage("no/t", 1, "rewind", "", "", 0.3, 1000, DONE);
    make_stage("no/t", 1, "learn", "", "", 0.3, 1000, DONE);
    make_random("no/t", 1, "prune-01", 0.4, DONE);
    make_random("no/t", 1, "scratch-2", 0.4, DONE);
    mkdir(scratch("no/u"), 0777);
    make_stage("no/u", 1, "learn", "", LEARN, 0.5, 1000, DONE);
    ck_assert_int_eq(rename(scratch("no/u/seed-1"), scratch("no/u/seed-7")), 0);
    srq_report report = load("no");
    ck_assert_int_eq(report.tickets.count, 1);
    for (int i = 0; i < report.runs.count; i++)
        ck_assert_msg((report.runs.items[i].ticket == 0) == (strstr(report.runs.items[i].name, "/scratch") &&
                                                             !strstr(report.runs.items[i].name, "scratch-2")),
                      "%s", report.runs.items[i].name);
    const srq_report_group *one = group_of(&report, "t/seed-1/scratch"), *other = group_of(&report, "t/seed-2/scratch");
    ck_assert_ptr_ne(one, other);
    ck_assert_str_eq(one->name, "t: scratch");
    ck_assert_msg(strstr(other->name, "t: scratch, batch=64"), "%s", other->name);
    ck_assert_int_eq(report.groups.items[report.groups.count - 1].ticket, 0);
    srq_report_destroy(&report);
}
END_TEST

START_TEST(differences_and_levels)
{
    char text[SRQ_COMPARISON_TEXT];
    srq_ticket_level levels[SRQ_TICKET_LEVELS];
    make_tickets();
    srq_report report = load("two");
    const srq_report_ticket *bits = &report.tickets.items[0], *masks = &report.tickets.items[1];
    /* learn 0.1, 0.2; scratch 0.35, 0.55: differences -0.25 and -0.35. */
    const srq_paired p = srq_comparison_difference(&bits->comparison, 0, 2);
    ck_assert_int_eq(p.count, 2);
    ck_assert_double_eq_tol(p.mean, -0.3, 1e-12);
    ck_assert_double_eq_tol(p.low, -0.3 - 12.7062047364 * 0.05, 1e-8);
    ck_assert_ptr_nonnull(strstr(srq_comparison_say(&bits->comparison, text, sizeof text), "Over 2 seeds"));
    /* The run that is not finished is in no pair. */
    ck_assert_int_eq(srq_comparison_difference(&bits->comparison, 0, 3).count, 1);
    ck_assert_ptr_nonnull(strstr(bits->about, "seeds 1, 2; 7 of 8 started runs"));
    ck_assert_int_eq(srq_report_ticket_levels(bits, levels), 0);

    ck_assert_ptr_nonnull(strstr(masks->about, "pruning is at level 2 of 3"));
    ck_assert_int_eq(srq_report_ticket_levels(masks, levels), 3);
    ck_assert(levels[0].level == 0 && levels[0].kept == 1);
    ck_assert_str_eq(levels[0].rewound.stage, "learn");
    ck_assert_str_eq(levels[0].random.stage, "learn");
    ck_assert_str_eq(levels[1].rewound.stage, "prune-01");
    ck_assert_str_eq(levels[2].random.stage, "reinit-02");
    ck_assert_double_eq_tol(levels[2].kept, 0.64, 1e-12);
    ck_assert_double_eq_tol(levels[1].random.error.mean, 0.35, 1e-12);
    ck_assert_double_eq_tol(levels[1].random.error.deviation, sqrt(0.005), 1e-12);
    ck_assert_str_eq(levels[1].drawn.stage, "random-01");
    ck_assert_double_eq_tol(levels[1].drawn.error.mean, 0.45, 1e-12);
    ck_assert(!levels[0].drawn.stage && !levels[2].drawn.stage);
    srq_report_destroy(&report);
}
END_TEST

/* A ticket of two seeds that learned for this many epochs, as the log says, with a difference to `control`. */
static void make_length(const char *ticket, int epochs, const char *train, const char *control, double difference)
{
    for (int seed = 1; seed <= 2; seed++) {
        char path[300], text[600], rest[200];
        snprintf(rest, sizeof rest,
                 "dropbits = { mode = \"learn\"; until = \"%dep\"; }; quantizer = { weight_bits = 4; };", epochs / 2);
        make_stage(ticket, seed, "learn", train, rest, 0.2 + 0.1 * seed + difference, 1000, DONE);
        make_stage(ticket, seed, control, train, "", 0.2 + 0.1 * seed, 1000, DONE);
        snprintf(path, sizeof path, "%s/seed-%d/learn/log.jsonl", ticket, seed);
        snprintf(text, sizeof text,
                 "{\"event\": \"start\", \"steps\": %d, \"steps_per_epoch\": 5, \"data_sha256\": \"d\"}\n"
                 "{\"event\": \"eval\", \"step\": %d, \"test_error\": %g, \"weights\": 1000, \"bops\": 9}\n" DONE,
                 5 * epochs, 5 * epochs, 0.2 + 0.1 * seed + difference);
        scratch_write(path, text, strlen(text));
    }
}

/* The conclusion of a ticket from a file is about the control that has the same start. Tickets that differ only in
 * lengths are a series; another batch, or a second ticket of the same length, is in none or in another. */
START_TEST(lengths_of_tickets)
{
    char says[SRQ_COMPARISON_TEXT];
    static const char file[] = "init = \"/w.h5\";";
    mkdir(scratch("lengths"), 0777);
    make_length("lengths/a5", 5, file, "fine-tune", 0.02);
    make_length("lengths/b20", 20, file, "fine-tune", 0.01);
    make_length("lengths/c60", 60, file, "fine-tune", -0.01);
    make_length("lengths/d20", 20, file, "fine-tune", 0.03);
    make_length("lengths/e20", 20, "init = \"/w.h5\"; batch = 64;", "fine-tune", 0.03);
    make_length("lengths/f20", 20, "init = \"/v.h5\";", "rewind", 0.03);
    static const int series[] = {1, 1, 1, 0, 0, 0};
    static const double epochs[] = {5, 20, 60, 20, 20, 20};
    srq_report report = load("lengths");
    ck_assert_int_eq(report.tickets.count, 6);
    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(report.tickets.items[i].series, series[i]);
        ck_assert_double_eq(report.tickets.items[i].epochs, epochs[i]);
    }
    srq_comparison_say(&report.tickets.items[0].comparison, says, sizeof says);
    ck_assert_msg(strstr(says, "training the same initial weights at the learned bit-lengths (fine-tune), by 2 points"),
                  "%s", says);
    srq_report_destroy(&report);
}
END_TEST

/* Writes the log of stage learn of ticket "two/bits" with these mean bit-lengths. */
static void make_learned(int seed, double expected, double evaluated)
{
    char path[300], text[1000];
    snprintf(path, sizeof path, "two/bits/seed-%d/learn/log.jsonl", seed);
    snprintf(text, sizeof text,
             "{\"event\": \"start\", \"steps\": 10, \"steps_per_epoch\": 5, \"batch\": 10, \"data_sha256\": \"d\"}\n"
             "{\"event\": \"eval\", \"step\": 10, \"epoch\": 2, \"test_error\": %g, \"weights\": 1000, "
             "\"mean_gated_bits\": %g, \"mean_weight_bits\": %g, \"bytes\": 9, \"bops\": 9}\n" DONE,
             0.1 * seed, expected, evaluated);
    scratch_write(path, text, strlen(text));
}

/* The sentences about learned bit-lengths, and after a bar the warnings. */
static char *learned(const srq_report *report, char *out, size_t size)
{
    srq_report_learned_figures(report, out, size);
    const size_t n = strlen(out);
    out[n] = '|';
    srq_report_learned_warnings(report, out + n + 1, size - n - 1);
    return out;
}

/* Gates that have not settled are named beside the verdict and in the report, with both bit-lengths; a target that was
 * missed likewise. Gates that were held at the end (dropbits.until) have settled, whatever their logits. */
START_TEST(learned_bits_beside_the_verdict)
{
    char text[4000], says[SRQ_COMPARISON_TEXT];
    make_tickets();
    make_learned(1, 4.74, 3.09);
    make_learned(2, 3.05, 3);
    srq_report report = load("two/bits");
    srq_comparison_say(&report.tickets.items[0].comparison, says, sizeof says);
    ck_assert_msg(strstr(says, "Over 2 seeds") && strstr(says, "The gates of stage learn have not settled with 1 of 2 "
                                                               "seeds (expected bits 4.74, evaluated 3.09)"),
                  "%s", says);
    ck_assert_msg(strstr(learned(&report, text, sizeof text),
                         "#1: expected bits 3.90, evaluated 3.04.|#1: the gates of 1 of 2 runs have not settled "
                         "(expected bits 4.74, evaluated 3.09)"),
                  "%s", text);
    srq_report_destroy(&report);

    make_learned(1, 3.05, 3);
    report = load("two/bits");
    srq_comparison_say(&report.tickets.items[0].comparison, says, sizeof says);
    ck_assert_msg(!strstr(says, "settled"), "%s", says);
    ck_assert_str_eq(learned(&report, text, sizeof text), "#1: expected bits 3.05, evaluated 3.00.|");
    srq_report_destroy(&report);

    for (int seed = 1; seed <= 2; seed++) {
        make_stage("two/bits", seed, "learn", "",
                   "dropbits = { mode = \"learn\"; until = \"1ep\"; target = 3.2; }; quantizer = { weight_bits = 4; };",
                   0.1 * seed, 1000, DONE);
        make_learned(seed, 4.74, seed == 1 ? 3.09 : 3.21);
    }
    report = load("two/bits");
    srq_comparison_say(&report.tickets.items[0].comparison, says, sizeof says);
    ck_assert_msg(!strstr(says, "settled") && strstr(says, "Stage learn misses dropbits.target with 1 of 2 seeds."),
                  "%s", says);
    ck_assert_str_eq(learned(&report, text, sizeof text),
                     "#1: expected bits 3.15, evaluated 3.15; target 3.2 bits, reached 3.15 bits.|#1: 1 of 2 runs miss "
                     "dropbits.target, 3.2 bits (they have 3.09 bits to 3.21 bits).");
    srq_report_destroy(&report);
}
END_TEST

static char *printed(const srq_report *report, srq_status (*print)(const srq_report *, FILE *))
{
    char *out = NULL;
    size_t size;
    FILE *stream = open_memstream(&out, &size);
    ck_assert_ptr_nonnull(stream);
    ck_assert_int_eq(print(report, stream), SRQ_OK);
    fclose(stream);
    return out;
}

START_TEST(tables_for_programs)
{
    make_tickets();
    srq_report report = load("two");
    char *pairs = printed(&report, srq_report_print_pairs_csv), *levels = printed(&report, srq_report_print_levels_csv);
    ck_assert_msg(strstr(pairs, "\r\nbits,learn,scratch,2,-0.3,-0.935310237,0.335310237,2,\r\n"), "%s", pairs);
    ck_assert_msg(strstr(pairs, "\r\nbits,learn,uniform-above,1,-0.15,,,2,\r\n"), "%s", pairs);
    ck_assert_msg(strstr(pairs, "\r\nmasks,prune-01,reinit-01,2,-0.15,"), "%s", pairs);
    ck_assert_str_eq(levels, "ticket,level,weights_left,stage,seeds,test_error_mean,test_error_deviation\r\n"
                             "masks,0,1,learn,2,0.15,0.0707106781\r\n"
                             "masks,1,0.8,prune-01,2,0.2,0\r\n"
                             "masks,1,0.8,reinit-01,2,0.35,0.0707106781\r\n"
                             "masks,1,0.8,random-01,2,0.45,0.0707106781\r\n"
                             "masks,2,0.64,prune-02,2,0.3,0\r\n"
                             "masks,2,0.64,reinit-02,2,0.5,0\r\n");
    free(pairs);
    free(levels);
    srq_report_destroy(&report);
}
END_TEST

static void note_is(const char *json, const char *expected)
{
    if (json) scratch_write("two/masks/ticket.json", json, strlen(json));
    srq_report report = load("two/masks");
    const char *note = report.tickets.items[0].note;
    ck_assert_msg(expected ? strstr(note, expected) && !strstr(note, "\n") : !note[0], "%s: %s", json, note);
    ck_assert(srq_comparison_visit(&report.tickets.items[0].comparison, NULL, NULL) ==
              5); /* of the runs, whatever it says */
    srq_report_destroy(&report);
}

START_TEST(ticket_files)
{
    make_tickets();
    note_is(NULL, "There is no ticket.json yet");
    note_is("", "ticket.json:1: not valid JSON");
    /* A FIFO without a writer would block for ever. */
    ck_assert_int_eq(unlink(scratch("two/masks/ticket.json")), 0);
    ck_assert_int_eq(mkfifo(scratch("two/masks/ticket.json"), 0600), 0);
    note_is(NULL, "it is not a regular file");
    ck_assert_int_eq(unlink(scratch("two/masks/ticket.json")), 0);
    note_is("{\"stages\": [{\"sta", "ticket.json:1: not valid JSON");
    note_is("[1, 2]", "not a comparison of a ticket");
    note_is("{\"stages\": 3}", "not a comparison of a ticket");
    note_is("{\"stages\": [7, {\"stage\": \"learn\", \"runs\": 1}, {}]}", "older than 12 of the finished runs");
    note_is("{\"stages\": [{\"stage\": \"learn\", \"runs\": [{\"seed\": 1, \"test_error\": 0.1}, {\"seed\": 2, "
            "\"test_error\": 0.3}]}]}",
            "older than 11 of the finished runs");
    /* What `srq ticket` writes of these runs. */
    srq_report report = load("two/masks");
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(out);
    srq_comparison_print_json(&report.tickets.items[0].comparison, out);
    fclose(out);
    srq_report_destroy(&report);
    note_is(text, NULL);
    free(text);
}
END_TEST

/* A stage on another data set is not compared. */
START_TEST(other_data)
{
    static const char log[] = "{\"event\": \"start\", \"steps\": 10, \"data_sha256\": \"other\"}\n"
                              "{\"event\": \"eval\", \"step\": 10, \"epoch\": 2, \"test_error\": 0.1}\n" DONE;
    mkdir(scratch("data"), 0777);
    make_stage("data/t", 1, "learn", "", LEARN, 0.1, 1000, DONE);
    make_random("data/t", 1, "scratch", 0.2, DONE);
    scratch_write("data/t/seed-1/scratch/log.jsonl", log, strlen(log));
    srq_report report = load("data");
    ck_assert_msg(strstr(report.tickets.items[0].note, "another data set"), "%s", report.tickets.items[0].note);
    ck_assert_int_eq(srq_comparison_visit(&report.tickets.items[0].comparison, NULL, NULL), 0);
    srq_report_destroy(&report);
    /* Nor are two stages that do not say on which data set they were trained. */
    for (int i = 0; i < 2; i++) {
        char path[64];
        snprintf(path, sizeof path, "data/t/seed-1/%s/log.jsonl", i ? "scratch" : "learn");
        scratch_write(path, strchr(log, '\n') + 1, strlen(strchr(log, '\n') + 1));
    }
    report = load("data");
    ck_assert_msg(strstr(report.tickets.items[0].note, "no digest of its data set"), "%s",
                  report.tickets.items[0].note);
    ck_assert_int_eq(srq_comparison_visit(&report.tickets.items[0].comparison, NULL, NULL), 0);
    srq_report_destroy(&report);
}
END_TEST

int main(void)
{
    scratch_create();
    setenv("CK_FORK", "no", 1); /* the folder is removed at the end of a process */
    Suite *suite = suite_create("experiments/report_tickets");
    TCase *cases = tcase_create("tickets");
    tcase_add_test(cases, stages_are_configurations);
    tcase_add_test(cases, what_is_no_stage);
    tcase_add_test(cases, differences_and_levels);
    tcase_add_test(cases, lengths_of_tickets);
    tcase_add_test(cases, learned_bits_beside_the_verdict);
    tcase_add_test(cases, tables_for_programs);
    tcase_add_test(cases, ticket_files);
    tcase_add_test(cases, other_data);
    suite_add_tcase(suite, cases);
    return srq_suite_run(suite);
}
