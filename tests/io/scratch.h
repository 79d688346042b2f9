/* A temporary folder for a test program, which is removed at its end. */
#ifndef SRQ_TESTS_IO_SCRATCH_H
#define SRQ_TESTS_IO_SCRATCH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char scratch_folder[256];

static void scratch_remove(void)
{
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", scratch_folder);
    if (system(command) != 0) fprintf(stderr, "could not remove %s\n", scratch_folder);
}

static inline void scratch_create(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(scratch_folder, sizeof scratch_folder, "%s/srq-test-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(scratch_folder)) abort();
    atexit(scratch_remove);
}

/* The path of a file in it; the last four stay valid. */
static inline const char *scratch(const char *name)
{
    static char paths[4][512];
    static int next;
    next = (next + 1) % 4;
    snprintf(paths[next], sizeof paths[next], "%s/%s", scratch_folder, name);
    return paths[next];
}

static inline void scratch_write(const char *name, const void *data, size_t size)
{
    FILE *stream = fopen(scratch(name), "wb");
    if (!stream || fwrite(data, 1, size, stream) != size || fclose(stream) != 0) abort();
}

/* A whole file; the caller frees. */
static inline unsigned char *scratch_read(const char *name, size_t *size)
{
    FILE *stream = fopen(scratch(name), "rb");
    if (!stream) abort();
    fseek(stream, 0, SEEK_END);
    *size = (size_t)ftell(stream);
    rewind(stream);
    unsigned char *data = malloc(*size + 1);
    if (!data || fread(data, 1, *size, stream) != *size) abort();
    fclose(stream);
    return data;
}

#endif
