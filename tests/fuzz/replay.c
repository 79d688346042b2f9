/* Runs a harness over stored inputs, without libFuzzer.
 *
 *     fuzz_NAME FILE|FOLDER...                    gives it every file
 *     fuzz_NAME --bytes FIRST STEP FILE           gives it the file (an HDF5 file of srq) with one byte changed, for
 *                                                 every STEP-th byte from FIRST, in two ways: one bit, and all bits.
 *                                                 The trailer with the digest is removed. Prints how many were
 *                                                 refused, in how many the process that reads the file crashed or ran
 *                                                 out of time, how many gave the content of the unchanged file or
 *                                                 another one, and the most memory of srq and of a process that reads
 *
 * With SRQ_FUZZ_VERBOSE set, prints what became of each input. The status is 1 if there is no input. A wrong result
 * ends the process by abort(). */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TRAILER = 256 };

/* What became of the inputs. */
typedef struct tally {
    long inputs, refused, equal, other, crashes, timeouts;
} tally;

static uint8_t *read_file(const char *path, size_t *size)
{
    struct stat info;
    FILE *stream = fopen(path, "rb");
    if (!stream || fstat(fileno(stream), &info) != 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(1);
    }
    *size = (size_t)info.st_size;
    uint8_t *data = malloc(*size + 1);
    if (!data || fread(data, 1, *size, stream) != *size) exit(1);
    fclose(stream);
    return data;
}

/* The buffer has exactly the size of the input, so that a sanitizer sees a read past it. */
static srq_status give(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);
    if (!exact) exit(1);
    memcpy(exact, data, size);
    const srq_status status = srq_fuzz_one(exact, size);
    free(exact);
    return status;
}

static void replay_file(const char *path, tally *t)
{
    size_t size;
    uint8_t *data = read_file(path, &size);
    t->inputs++;
    if (getenv("SRQ_FUZZ_VERBOSE")) fprintf(stderr, "%s: ", path);
    const srq_status status = give(data, size);
    if (getenv("SRQ_FUZZ_VERBOSE")) fprintf(stderr, "%s\n", status == SRQ_OK ? "read" : srq_message());
    t->refused += status != SRQ_OK;
    free(data);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void replay(const char *path, tally *t)
{
    struct dirent **names = NULL;
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) {
        replay_file(path, t);
        return;
    }
    const int count = scandir(path, &names, NULL, by_name);
    for (int i = 0; i < count; i++) {
        char file[4096];
        snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.') replay_file(file, t);
        free(names[i]);
    }
    free(names);
}

/* --- One byte changed */

/* How the process that reads the file ended can be seen from the message alone. */
static void count(const uint8_t *data, size_t size, size_t place, uint64_t content, tally *t)
{
    const srq_status status = give(data, size);
    t->inputs++;
    t->refused += status != SRQ_OK;
    t->equal += status == SRQ_OK && srq_fuzz_noted() == content;
    t->other += status == SRQ_OK && srq_fuzz_noted() != content;
    if (getenv("SRQ_FUZZ_VERBOSE") && (status != SRQ_OK || srq_fuzz_noted() != content))
        fprintf(stderr, "byte %zu is %u: %s\n", place, data[place], status == SRQ_OK ? "other content" : srq_message());
    t->crashes += status != SRQ_OK && strstr(srq_message(), "crashes while") != NULL;
    t->timeouts += status != SRQ_OK && strstr(srq_message(), "far more time") != NULL;
}

/* Ends the process that starts readers, by closing every socket, and waits for it: only then its time and memory, and
 * those of its children, count. */
static void end_children(void)
{
    for (int file = STDERR_FILENO + 1; file < 64; file++) shutdown(file, SHUT_RDWR);
    while (wait(NULL) > 0) {
    }
}

static long seconds(const struct rusage *used)
{
    return used->ru_utime.tv_sec + used->ru_stime.tv_sec;
}

static void change_bytes(const char *path, size_t first, size_t step)
{
    size_t size;
    uint8_t *data = read_file(path, &size);
    tally t = {0};
    struct rusage own, children;
    if (size > TRAILER && memcmp(data + size - TRAILER, "\nsrq-raw", 8) == 0) size -= TRAILER;
    srq_fuzz_check(give(data, size) == SRQ_OK, "the file is read without a change");
    const uint64_t content = srq_fuzz_noted();
    for (size_t i = first; i < size; i += step) {
        const uint8_t kept = data[i];
        data[i] = kept ^ (uint8_t)(1 << i % 8);
        count(data, size, i, content, &t);
        data[i] = (uint8_t)(255 - kept);
        count(data, size, i, content, &t);
        data[i] = kept;
    }
    free(data);
    end_children();
    getrusage(RUSAGE_SELF, &own);
    getrusage(RUSAGE_CHILDREN, &children);
    printf("changes %ld refused %ld crashes %ld timeouts %ld equal %ld other %ld megabytes %ld reader_megabytes %ld "
           "cpu_seconds %ld\n",
           t.inputs, t.refused, t.crashes, t.timeouts, t.equal, t.other, own.ru_maxrss >> 10, children.ru_maxrss >> 10,
           seconds(&own) + seconds(&children));
}

int main(int argc, char **argv)
{
    tally t = {0};
    if (argc == 5 && strcmp(argv[1], "--bytes") == 0) {
        const long first = atol(argv[2]), step = atol(argv[3]);
        change_bytes(argv[4], first > 0 ? (size_t)first : 0, step > 0 ? (size_t)step : 1);
        return 0;
    }
    for (int i = 1; i < argc; i++) replay(argv[i], &t);
    printf("%ld inputs, %ld refused\n", t.inputs, t.refused);
    return t.inputs == 0;
}
