/* Which checkpoint a path names, and what is said about folders that name none. */
#include "io/run_place.h"
#include "tests/io/scratch.h"
#include "tests/suite.h"

#include <sys/stat.h>

static void make(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s", name);
    for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(scratch(path), 0777);
        *slash = '/';
    }
    if (name[strlen(name) - 1] != '/') scratch_write(name, "x", 1);
}

static void setup(void)
{
    static const char *const files[] = {"run/config.cfg",
                                        "run/log.jsonl",
                                        "run/last.h5",
                                        "run/checkpoints/00000010.h5",
                                        "unlinked/config.cfg",
                                        "unlinked/log.jsonl",
                                        "unlinked/checkpoints/00000010.h5",
                                        "unlinked/checkpoints/00000020.h5",
                                        "begun/config.cfg",
                                        "begun/log.jsonl",
                                        "begun/checkpoints/",
                                        "empty/",
                                        "sweep/a-seed1/config.cfg",
                                        "sweep/a-seed1/log.jsonl",
                                        "sweep/b/seed-2/learn/config.cfg",
                                        "sweep/b/seed-2/learn/log.jsonl",
                                        "other/letter.txt",
                                        "other/\033[2Jx",
                                        "images/train/cat/1.png",
                                        "images/val/cat/1.png",
                                        "digits/train-images-idx3-ubyte.gz"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) make(files[i]);
}

static void expect(srq_status expected, const char *name, const char *words)
{
    char out[600], where[600];
    const srq_status found = srq_run_place(scratch(name), out, sizeof out);
    const char *text = found == SRQ_OK ? out : srq_message();
    ck_assert_msg(found == expected && strstr(text, words), "%s: %d, %s", name, found, text);
    snprintf(where, sizeof where, "%s", scratch_folder);
    ck_assert_msg(strstr(text, where) == text, "%s: does not begin with its path: %s", name, text);
    for (const char *at = text; *at; at++) ck_assert(*at != '\033');
}

START_TEST(places)
{
    setup();
    expect(SRQ_OK, "run", "/run/last.h5");
    expect(SRQ_OK, "run/", "/run/last.h5");
    expect(SRQ_OK, "run/last.h5", "/run/last.h5");
    expect(SRQ_OK, "none.h5", "/none.h5");
    expect(SRQ_OK, "unlinked", "/unlinked/checkpoints/00000020.h5");
    expect(SRQ_ERROR_DATA, "begun", "this run has no checkpoint yet; wait for its first one");
    expect(SRQ_ERROR_DATA, "empty", "this folder is empty");
    expect(SRQ_ERROR_DATA, "unlinked/checkpoints", "holds checkpoints; name one of them, such as ");
    expect(SRQ_ERROR_DATA, "unlinked/checkpoints", "/unlinked/checkpoints/00000020.h5");
    expect(SRQ_ERROR_DATA, "sweep", "holds 2 runs; name one of them, such as ");
    expect(SRQ_ERROR_DATA, "sweep", "/sweep/a-seed1, or use `srq report ");
    expect(SRQ_ERROR_DATA, "sweep/b", "holds 1 run; name that one: ");
    expect(SRQ_ERROR_DATA, "other", "it has no config.cfg and log.jsonl, but ");
    expect(SRQ_ERROR_DATA, "other", "letter.txt");
    expect(SRQ_ERROR_DATA, "images", "but a data set; `srq data import ");
    expect(SRQ_ERROR_DATA, "digits", "but a data set");
}
END_TEST

int main(void)
{
    scratch_create();
    setenv("CK_FORK", "no", 1);
    Suite *suite = suite_create("io/run_place");
    TCase *tests = tcase_create("run_place");
    tcase_add_test(tests, places);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
