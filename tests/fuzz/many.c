/* Reads many changed copies of HDF5 files, without libFuzzer.
 *
 *     many_NAME COUNT SEED FILE|FOLDER...
 *
 * Copy i of SEED is one of the files, changed as libFuzzer would change it, with digests that are right again
 * (h5_mutate.c). One process reads 64 files, one after another (h5_pool.c). Prints how many were refused, in how many
 * the process that reads crashed or ran out of time, and the most memory of srq. A wrong result ends the program by
 * abort(), which leaves the file in $TMPDIR; the same file is SEED's last one, of the number that is printed. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);

enum { SIZE_MAX_FILE = 1 << 17, FILES_MAX = 64 };

typedef struct file {
    size_t size;
    uint8_t *data;
} file;

static file files[FILES_MAX];
static int file_count;
static uint64_t state;

static uint64_t draw(uint64_t below)
{
    return srq_fuzz_draw(&state, below);
}

/* In place of libFuzzer's: some bytes changed, a part removed, a part doubled, or the end cut off. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most)
{
    if (size < 2) return size;
    const size_t place = draw(size), left = size - place, count = 1 + draw(left < 64 ? left : 64);
    switch (draw(4)) {
    case 0:
        memmove(data + place, data + place + count, left - count);
        return size - count;
    case 1:
        if (size + count > most) return size;
        memmove(data + place + count, data + place, left);
        return size + count;
    case 2:
        return 1 + draw(size);
    default:
        for (uint64_t i = 0, n = 1 + draw(8); i < n; i++) data[draw(size)] = (uint8_t)draw(256);
        return size;
    }
}

static void add_file(const char *path)
{
    struct stat info;
    FILE *stream = fopen(path, "rb");
    srq_fuzz_check(stream && fstat(fileno(stream), &info) == 0, "a file can be opened");
    file *f = &files[file_count++];
    f->size = (size_t)info.st_size;
    f->data = malloc(f->size + 1);
    srq_fuzz_check(f->size < SIZE_MAX_FILE && f->data && fread(f->data, 1, f->size, stream) == f->size,
                   "a file can be read");
    fclose(stream);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void add(const char *path)
{
    struct dirent **names = NULL;
    const int count = scandir(path, &names, NULL, by_name);
    if (count < 0) add_file(path);
    for (int i = 0; i < count; i++) {
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.' && file_count < FILES_MAX) add_file(name);
        free(names[i]);
    }
    free(names);
}

int main(int argc, char **argv)
{
    static uint8_t data[SIZE_MAX_FILE + 256];
    struct rusage own;
    long refused = 0, crashes = 0, timeouts = 0;
    if (argc < 4) {
        fprintf(stderr, "usage: %s COUNT SEED FILE|FOLDER...\n", argv[0]);
        return 1;
    }
    const long count = atol(argv[1]);
    const uint64_t seed = strtoull(argv[2], NULL, 10);
    for (int i = 3; i < argc; i++) add(argv[i]);
    for (long i = 0; i < count; i++) {
        const file *f = &files[i % file_count];
        state = (seed + 1) * 0x9e3779b97f4a7c15u ^ (uint64_t)(i + 1) * 0xbf58476d1ce4e5b9u;
        draw(0);
        memcpy(data, f->data, f->size);
        const size_t size = LLVMFuzzerCustomMutator(data, f->size, SIZE_MAX_FILE, (unsigned)draw(1u << 31));
        uint8_t *exact = malloc(size); /* so that a sanitizer sees a read past it */
        srq_fuzz_check(exact != NULL, "there is memory for a file");
        memcpy(exact, data, size);
        const srq_status status = srq_fuzz_one(exact, size);
        free(exact);
        refused += status != SRQ_OK;
        crashes += status != SRQ_OK && strstr(srq_message(), "crashes while") != NULL;
        timeouts += status != SRQ_OK && strstr(srq_message(), "far more time") != NULL;
        if ((i + 1) % 10000 == 0) fprintf(stderr, "%ld files\n", i + 1);
    }
    getrusage(RUSAGE_SELF, &own);
    printf("files %ld refused %ld crashes %ld timeouts %ld megabytes %ld\n", count, refused, crashes, timeouts,
           own.ru_maxrss >> 10);
    for (int i = 0; i < file_count; i++) free(files[i].data);
    return count == 0 || file_count == 0;
}
