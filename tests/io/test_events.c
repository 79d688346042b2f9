/* Event files: records, names, and failures. What a whole file says is read by tests/e2e/read_events.py. */
#include "io/event_record.h"
#include "io/events.h"
#include "tests/io/faults.h"
#include "tests/io/scratch.h"
#include "tests/suite.h"

#include <dirent.h>
#include <math.h>

static srq_events *events;
static char folder[512];

static void setup(void)
{
    static int number;
    char name[32];
    snprintf(name, sizeof name, "run%d", number++);
    snprintf(folder, sizeof folder, "%s", scratch(name));
    ck_assert_int_eq(mkdir(folder, 0777), 0);
}

static void teardown(void)
{
    srq_events_destroy(&events);
}

static void open_events(long first)
{
    srq_events_destroy(&events);
    ck_assert_msg(srq_events_create(folder, first, &events) == SRQ_OK, "%s", srq_message());
}

static srq_status write_loss(long step)
{
    ck_assert_int_eq(srq_events_add_scalar(events, "train/loss", 0.5), SRQ_OK);
    return srq_events_write(events, step);
}

static bool can_write(void)
{
    return srq_events_check("here") == SRQ_OK;
}

/* The event files in the order of their names; returns their number. */
static int list_files(char names[][256], int most)
{
    struct dirent **items;
    int count = 0;
    const int found = scandir(folder, &items, NULL, alphasort);
    for (int i = 0; i < found; i++) {
        if (items[i]->d_name[0] != '.' && count < most) snprintf(names[count++], 256, "%s", items[i]->d_name);
        free(items[i]);
    }
    free(items);
    return count;
}

static uint64_t little(const uint8_t *bytes, int count)
{
    uint64_t value = 0;
    for (int i = 0; i < count; i++) value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

static uint32_t unmasked(uint32_t masked)
{
    const uint32_t rotated = masked - UINT32_C(0xa282ead8);
    return rotated >> 17 | rotated << 15;
}

/* Walks over the records of a file, which must end with a whole one, and returns their number. */
static int count_records(const char *name)
{
    char path[800];
    size_t size, at = 0;
    int count = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    static uint8_t bytes[1 << 16];
    size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (; at < size; count++) {
        const uint64_t length = little(bytes + at, 8);
        ck_assert_uint_le(length, size - at - SRQ_RECORD_HEAD - SRQ_RECORD_TAIL);
        ck_assert_uint_eq(unmasked((uint32_t)little(bytes + at + 8, 4)), srq_crc32c(bytes + at, 8));
        at += SRQ_RECORD_HEAD + length;
        ck_assert_uint_eq(unmasked((uint32_t)little(bytes + at, 4)), srq_crc32c(bytes + at - length, length));
        at += SRQ_RECORD_TAIL;
    }
    ck_assert_uint_eq(at, size);
    return count;
}

/* The examples of RFC 3720, B.4. */
START_TEST(the_crc_is_that_of_the_standard)
{
    uint8_t bytes[32] = {0};
    ck_assert_uint_eq(srq_crc32c("123456789", 9), 0xe3069283u);
    ck_assert_uint_eq(srq_crc32c(bytes, sizeof bytes), 0x8a9136aau);
    memset(bytes, 0xff, sizeof bytes);
    ck_assert_uint_eq(srq_crc32c(bytes, sizeof bytes), 0x62a8ab43u);
    for (int i = 0; i < 32; i++) bytes[i] = (uint8_t)i;
    ck_assert_uint_eq(srq_crc32c(bytes, sizeof bytes), 0x46dd794eu);
    ck_assert_uint_eq(srq_crc32c(NULL, 0), 0);
}
END_TEST

/* A record with content, length and checksums that TensorFlow and TensorBoard know. */
START_TEST(a_record_is_that_of_tensorflow)
{
    static const char content[] = "\x1a\x11"
                                  "CRC test, one two";
    uint8_t record[40];
    memcpy(record + SRQ_RECORD_HEAD, content, 19);
    srq_record_seal(record, 19);
    ck_assert_uint_eq(little(record, 8), 19);
    ck_assert_uint_eq(little(record + SRQ_RECORD_HEAD + 19, 4), 0x5794d08au);
    srq_record_seal(record, 24);
    ck_assert_mem_eq(record, "\x18\0\0\0\0\0\0\0\xa3\x7f\x4b\x22", SRQ_RECORD_HEAD);
}
END_TEST

/* TensorBoard reads files in the order of their names, whatever the clocks say. No file without an event is made. */
START_TEST(files_follow_each_other)
{
    char names[8][256], path[800];
    if (!can_write()) return;
    snprintf(path, sizeof path, "%s/events.out.tfevents.9000000000.other-host.1", folder);
    fclose(fopen(path, "w"));
    open_events(0);
    ck_assert_int_eq(list_files(names, 8), 1);
    ck_assert_int_eq(srq_events_write(events, 1), SRQ_OK); /* nothing to write */
    ck_assert_int_eq(list_files(names, 8), 1);
    for (int i = 0; i < 3; i++) {
        open_events(i);
        ck_assert_int_eq(write_loss(1), SRQ_OK);
        ck_assert_int_eq(write_loss(2), SRQ_OK);
    }
    ck_assert_int_eq(list_files(names, 8), 4);
    for (int i = 1; i < 4; i++) {
        char prefix[64];
        snprintf(prefix, sizeof prefix, "events.out.tfevents.900000000%d.", i);
        ck_assert_msg(strncmp(names[i], prefix, strlen(prefix)) == 0, "%s", names[i]);
        ck_assert_int_eq(count_records(names[i]), 4);
    }
}
END_TEST

START_TEST(every_call_may_fail)
{
    char names[4][256];
    if (!can_write()) return;
    open_events(0);
    int records = 0, failed = 0;
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        for (int i = 0; faults_arm((fault_kind)kind, i), i < 4; i++) {
            const srq_status status = write_loss(i);
            const bool fails = faults_disarm() && kind != FAULT_SHORT && kind != FAULT_EINTR;
            ck_assert_msg(status == (fails ? SRQ_ERROR_RUN : SRQ_OK), "%d %d: %s", kind, i, srq_message());
            if (fails)
                ck_assert_msg(strstr(srq_message(), fault_reason((fault_kind)kind)) != NULL, "%s", srq_message());
            failed += fails;
            records += !fails;
            const int files = list_files(names, 4);
            ck_assert(files == 1 || (files == 0 && records == 0));
            if (files) ck_assert_int_eq(count_records(names[0]), 2 + records);
        }
    faults_disarm();
    ck_assert_int_ge(failed, 4);
}
END_TEST

START_TEST(values_that_are_not_finite_are_left_out_of_histograms)
{
    const float values[] = {NAN, 1, INFINITY, -1, 0, 1}, none[] = {NAN, -INFINITY};
    char names[4][256];
    if (!can_write()) return;
    open_events(0);
    ck_assert_int_eq(srq_events_add_histogram(events, "a", 2, none), SRQ_OK);
    ck_assert_int_eq(srq_events_add_histogram(events, "b", 0, NULL), SRQ_OK);
    ck_assert_int_eq(srq_events_write(events, 1), SRQ_OK);
    ck_assert_int_eq(list_files(names, 4), 0);
    ck_assert_int_eq(srq_events_add_histogram(events, "c", 6, values), SRQ_OK);
    ck_assert_int_eq(srq_events_add_histogram(events, "d", 1, values + 1), SRQ_OK);
    ck_assert_int_eq(srq_events_add_scalar(events, "e", NAN), SRQ_OK);
    ck_assert_int_eq(srq_events_write(events, 2), SRQ_OK);
    ck_assert_int_eq(list_files(names, 4), 1);
    ck_assert_int_eq(count_records(names[0]), 3);
}
END_TEST

/* The content of the only file, which the caller frees. */
static uint8_t *read_file(size_t *size)
{
    char names[4][256], path[800];
    uint8_t *bytes = malloc(1 << 16);
    ck_assert_int_eq(list_files(names, 4), 1);
    snprintf(path, sizeof path, "%s/%s", folder, names[0]);
    FILE *file = fopen(path, "rb");
    ck_assert(file && bytes);
    *size = fread(bytes, 1, 1 << 16, file);
    fclose(file);
    return bytes;
}

/* Whether a scalar is in the file: tag, length, name; tag and number. */
static bool has_scalar(const char *name, float value)
{
    uint8_t sought[80] = {0x0a, (uint8_t)strlen(name)};
    size_t size, n = 2 + strlen(name);
    memcpy(sought + 2, name, strlen(name));
    sought[n++] = 0x15;
    memcpy(sought + n, &value, 4);
    uint8_t *bytes = read_file(&size);
    const bool found = memmem(bytes, size, sought, n + 4) != NULL;
    free(bytes);
    return found;
}

START_TEST(lines_of_the_log_are_scalars)
{
    static const char *const lines[] = {
        "{\"event\": \"start\", \"ranks\": 2}\n", "{\"event\": \"slow\", \"step\": 3, \"host\": \"\xff\"}\n",
        "{\"event\": \"step\", \"step\": 3, \"loss\": nan, \"error\": -inf, \"slowest\": {\"rank\": 1}, \"text\": "
        "\"nan\"}\n",
        "{\"event\": \"eval\", \"step\": 4, \"bits\": 2.5, \"layers\": [{\"name\": \"a\", \"gates\": [0.5, 0.25]}]}\n"};
    if (!can_write()) return;
    open_events(0);
    for (int i = 0; i < 4; i++) ck_assert_int_eq(srq_events_write_line(events, lines[i], strlen(lines[i])), SRQ_OK);
    ck_assert(has_scalar("train/loss", NAN) && has_scalar("train/error", NAN) && has_scalar("train/slowest/rank", 1));
    ck_assert(has_scalar("eval/bits", 2.5F) && has_scalar("layers/a/gates/1", 0.25F) && !has_scalar("train/text", NAN));
    char names[4][256];
    ck_assert_int_eq(list_files(names, 4), 1);
    ck_assert_int_eq(count_records(names[0]), 4);
}
END_TEST

START_TEST(paths_must_be_utf8)
{
    static const char *const good[] = {"runs/a",           "\xc3\xa4",         "\xe2\x82\xac",
                                       "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf", ""};
    static const char *const bad[] = {"a\xff",
                                      "\xc3",
                                      "\xc0\xaf",
                                      "\xe0\x80\xaf",
                                      "\xed\xa0\x80",
                                      "\xf0\x80\x80\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xe2\x82",
                                      "\x80"};
    if (!can_write()) {
        ck_assert_int_eq(srq_events_check("a"), SRQ_ERROR_USAGE);
        ck_assert_ptr_nonnull(strstr(srq_message(), "built without protobuf-c"));
        return;
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) ck_assert_int_eq(srq_events_check(good[i]), SRQ_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(srq_events_check(bad[i]) == SRQ_ERROR_USAGE, "number %zu is taken", i);
    ck_assert_int_eq(srq_events_check("ab\xff"), SRQ_ERROR_USAGE);
    ck_assert_ptr_nonnull(strstr(srq_message(), "not valid UTF-8 at byte 3"));
}
END_TEST

int main(void)
{
    scratch_create();
    setenv("CK_FORK", "no", 1); /* the folder is removed at the end of a process */
    Suite *suite = suite_create("io/events");
    TCase *cases = tcase_create("events");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, the_crc_is_that_of_the_standard);
    tcase_add_test(cases, a_record_is_that_of_tensorflow);
    tcase_add_test(cases, files_follow_each_other);
    tcase_add_test(cases, every_call_may_fail);
    tcase_add_test(cases, values_that_are_not_finite_are_left_out_of_histograms);
    tcase_add_test(cases, lines_of_the_log_are_scalars);
    tcase_add_test(cases, paths_must_be_utf8);
    suite_add_tcase(suite, cases);
    return srq_suite_run(suite);
}
