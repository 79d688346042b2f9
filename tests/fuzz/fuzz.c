#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[256];
static uint64_t noted;

static void remove_folder(void)
{
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) fprintf(stderr, "could not remove %s\n", folder);
}

/* In memory where that is possible: libFuzzer makes thousands of files. */
static void make_folder(void)
{
    const char *base = getenv("TMPDIR");
    if (!base) base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(folder, sizeof folder, "%s/srq-fuzz-XXXXXX", base);
    srq_fuzz_check(mkdtemp(folder) != NULL, "a temporary folder can be made");
    atexit(remove_folder);
}

void srq_fuzz_check(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "fuzz: it does not hold that %s; srq's last message: %s\n", what, srq_message());
    abort();
}

const char *srq_fuzz_path(const char *name)
{
    static char paths[4][512];
    static int next;
    next = (next + 1) % 4;
    snprintf(paths[next], sizeof paths[next], "%s/%s", folder, name);
    return paths[next];
}

const char *srq_fuzz_file(const char *name, const void *data, size_t size)
{
    const char *path = srq_fuzz_path(name);
    FILE *stream = fopen(path, "wb");
    srq_fuzz_check(stream && fwrite(data, 1, size, stream) == size && fclose(stream) == 0, "an input can be written");
    return path;
}

/* FNV-1a */
void srq_fuzz_note(const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++) noted = (noted ^ bytes[i]) * 0x100000001b3u;
}

uint64_t srq_fuzz_noted(void)
{
    return noted;
}

uint64_t srq_fuzz_draw(uint64_t *state, uint64_t below)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return below ? *state % below : 0;
}

srq_status srq_fuzz_one(const uint8_t *data, size_t size)
{
    static bool started;
    if (!started) {
        make_folder();
        srq_fuzz_start();
        started = true;
    }
    noted = 0xcbf29ce484222325u;
    const srq_status status = srq_fuzz_read(data, size);
    if (status == SRQ_OK) return status;
    srq_fuzz_check(status == SRQ_ERROR_DATA || status == SRQ_ERROR_USAGE, "a refusal is about the input");
    srq_fuzz_check(srq_message()[0] != '\0', "a refusal has a message");
    return status;
}
