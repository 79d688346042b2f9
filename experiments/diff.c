/* srq diff: whether two checkpoints hold the same run at the same step, bit for bit. */
#include "experiments/commands.h"
#include "io/checkpoint.h"
#include "io/h5.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 10 };

typedef struct comparison {
    srq_h5_reader *a, *b;
    long tensors, numbers, different; /* data sets and numbers compared; data sets that differ */
} comparison;

static void report(comparison *c, const char *name, const char *what)
{
    if (c->different++ < SHOWN) printf("%s: %s\n", name, what);
}

static size_t count_of(int rank, const size_t *shape)
{
    size_t count = 1;
    for (int i = 0; i < rank; i++) count *= shape[i];
    return count;
}

static void compare_numbers(comparison *c, const char *name, size_t count, const float *x, const float *y)
{
    size_t different = 0, first = 0;
    for (size_t i = count; i-- > 0;) {
        if (memcmp(&x[i], &y[i], sizeof *x) == 0) continue;
        different++;
        first = i;
    }
    c->tensors++;
    c->numbers += (long)count;
    if (!different) return;
    char what[160];
    snprintf(what, sizeof what, "%zu of %zu numbers differ, first at %zu: %.9g and %.9g", different, count, first,
             (double)x[first], (double)y[first]);
    report(c, name, what);
}

static srq_status compare_set(comparison *c, const char *name)
{
    int rank_a = 0, rank_b = 0;
    size_t shape_a[8], shape_b[8];
    SRQ_TRY(srq_h5_shape(c->a, name, H5T_FLOAT, &rank_a, shape_a));
    SRQ_TRY(srq_h5_shape(c->b, name, H5T_FLOAT, &rank_b, shape_b));
    if (rank_a != rank_b || memcmp(shape_a, shape_b, (size_t)rank_a * sizeof *shape_a) != 0) {
        report(c, name, "the shapes differ");
        return SRQ_OK;
    }
    const size_t count = count_of(rank_a, shape_a);
    if (count > ((size_t)1 << 40))
        return srq_fail(SRQ_ERROR_DATA, "%s: data set %s is too large", srq_h5_reader_path(c->a), name);
    float *x = malloc((count + 1) * sizeof *x), *y = malloc((count + 1) * sizeof *y);
    srq_status status = x && y ? SRQ_OK : srq_fail_memory(2 * count * sizeof *x, name);
    if (status == SRQ_OK) status = srq_h5_read(c->a, name, H5T_NATIVE_FLOAT, rank_a, shape_a, x);
    if (status == SRQ_OK) status = srq_h5_read(c->b, name, H5T_NATIVE_FLOAT, rank_b, shape_b, y);
    if (status == SRQ_OK) compare_numbers(c, name, count, x, y);
    free(x);
    free(y);
    return status;
}

static srq_status compare_group(comparison *c, const char *group, int depth);

static srq_status compare_member(comparison *c, const char *name, int depth)
{
    bool in_a = srq_h5_exists(c->a, name), in_b = srq_h5_exists(c->b, name);
    if (!in_a || !in_b) {
        report(c, name, in_a ? "only in the first" : "only in the second");
        return SRQ_OK;
    }
    bool group_a = srq_h5_is_group(c->a, name), group_b = srq_h5_is_group(c->b, name);
    if (group_a != group_b) {
        report(c, name, "a group in one and a data set in the other");
        return SRQ_OK;
    }
    return group_a ? compare_group(c, name, depth + 1) : compare_set(c, name);
}

/* Names of both, those of `only_new` readers that the first does not have included. */
static srq_status compare_names(comparison *c, const char *group, const srq_h5_reader *from, bool skip_common,
                                int depth)
{
    size_t count = 0;
    char **names = NULL;
    srq_status status = srq_h5_members(from, group, &count, &names);
    for (size_t i = 0; i < count; i++) {
        char name[1024];
        snprintf(name, sizeof name, "%s/%s", group, names[i]);
        bool common = srq_h5_exists(c->a, name) && srq_h5_exists(c->b, name);
        if (status == SRQ_OK && !(skip_common && common)) status = compare_member(c, name, depth);
        free(names[i]);
    }
    free(names);
    return status;
}

static srq_status compare_group(comparison *c, const char *group, int depth)
{
    /* Deeper than any checkpoint: a file whose groups hold each other. */
    if (depth > 8)
        return srq_fail(SRQ_ERROR_DATA, "%s: groups are nested too deeply at %s", srq_h5_reader_path(c->a), group);
    SRQ_TRY(compare_names(c, group, c->a, false, depth));
    return compare_names(c, group, c->b, true, depth);
}

static srq_status compare_integer(comparison *c, const char *object, const char *attribute)
{
    int64_t x, y;
    char what[96], name[64];
    SRQ_TRY(srq_h5_read_attribute_int(c->a, object, attribute, &x));
    SRQ_TRY(srq_h5_read_attribute_int(c->b, object, attribute, &y));
    snprintf(what, sizeof what, "%lld and %lld", (long long)x, (long long)y);
    snprintf(name, sizeof name, "%s of %s", attribute, object);
    if (x != y) report(c, name, what);
    return SRQ_OK;
}

static srq_status compare(comparison *c)
{
    SRQ_TRY(compare_integer(c, "/", "step"));
    SRQ_TRY(compare_integer(c, "optimizer", "steps"));
    SRQ_TRY(compare_group(c, "layers", 0));
    return compare_group(c, "optimizer", 0);
}

static srq_status open_both(comparison *c, char **argv)
{
    char path[4200];
    srq_checkpoint_path(argv[1], path, sizeof path);
    SRQ_TRY(srq_checkpoint_open(path, &c->a));
    srq_checkpoint_path(argv[2], path, sizeof path);
    return srq_checkpoint_open(path, &c->b);
}

srq_status srq_command_diff(int argc, char **argv)
{
    if (argc != 3) return srq_fail(SRQ_ERROR_USAGE, "diff: two checkpoints are needed; usage: srq diff A B");
    comparison c = {0};
    srq_status status = open_both(&c, argv);
    if (status == SRQ_OK) status = compare(&c);
    srq_h5_reader_close(&c.a);
    srq_h5_reader_close(&c.b);
    if (status != SRQ_OK) return status;
    if (c.different == 0) {
        printf("equal: %ld tensors, %ld numbers, bit for bit\n", c.tensors, c.numbers);
        return SRQ_OK;
    }
    if (c.different > SHOWN) printf("... and %ld more\n", c.different - SHOWN);
    printf("different: %ld of %ld tensors and attributes\n", c.different, c.tensors + 2);
    return SRQ_NO;
}
