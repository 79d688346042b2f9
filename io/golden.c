#include "io/golden.h"

#include "io/h5.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Largest number of elements of a data set, so that a file with large shapes cannot allocate more memory. */
static const size_t elements_max = (size_t)1 << 30;

/* Above 0, also as float32. */
static bool is_positive(double v)
{
    return v >= (double)FLT_MIN && v <= (double)FLT_MAX;
}

/* The estimator of srq; other methods have none. */
static srq_status read_estimator(const srq_h5_reader *reader, srq_golden_case *c)
{
    if (strcmp(c->method, "srq") != 0) return SRQ_OK;
    SRQ_TRY(srq_h5_read_attribute_text(reader, c->name, "estimator", c->estimator, sizeof c->estimator));
    if (strcmp(c->estimator, "full") == 0 || strcmp(c->estimator, "argmax") == 0) return SRQ_OK;
    return srq_fail(SRQ_ERROR_DATA, "%s: case %s: estimator is \"%s\", but must be full or argmax",
                    srq_h5_reader_path(reader), c->name, c->estimator);
}

static srq_status read_attributes(const srq_h5_reader *reader, srq_golden_case *c)
{
    int64_t bits, is_signed;
    SRQ_TRY(srq_h5_read_attribute_int(reader, c->name, "bits", &bits));
    SRQ_TRY(srq_h5_read_attribute_int(reader, c->name, "signed", &is_signed));
    SRQ_TRY(srq_h5_read_attribute_double(reader, c->name, "alpha", &c->alpha));
    c->has_sigma = srq_h5_has_attribute(reader, c->name, "sigma");
    if (c->has_sigma) SRQ_TRY(srq_h5_read_attribute_double(reader, c->name, "sigma", &c->sigma));
    SRQ_TRY(read_estimator(reader, c));
    c->is_signed = is_signed != 0;
    if (bits < 1 || bits > 8 || !is_positive(c->alpha) || (c->has_sigma && !is_positive(c->sigma)))
        return srq_fail(SRQ_ERROR_DATA, "%s: case %s: bits must be 1 to 8, and alpha and sigma above 0 (in float32)",
                        srq_h5_reader_path(reader), c->name);
    c->bits = (int)bits;
    return SRQ_OK;
}

static srq_status read_array(const srq_h5_reader *reader, const srq_golden_case *c, const char *set, hid_t type,
                             size_t size, int rank, const size_t *shape, void **data)
{
    char name[128];
    snprintf(name, sizeof name, "%s/%s", c->name, set);
    size_t elements = rank == 2 ? shape[0] * shape[1] : shape[0];
    if (elements > elements_max)
        return srq_fail(SRQ_ERROR_DATA, "%s: data set %s is too large", srq_h5_reader_path(reader), name);
    *data = calloc(elements, size);
    if (!*data) return srq_fail_memory(elements * size, name);
    return srq_h5_read(reader, name, type, rank, shape, *data);
}

static srq_status not_finite(const srq_h5_reader *reader, const srq_golden_case *c, const char *set, size_t i)
{
    return srq_fail(SRQ_ERROR_DATA, "%s: case %s: element %zu of %s is infinite or not a number",
                    srq_h5_reader_path(reader), c->name, i, set);
}

static srq_status read_floats(const srq_h5_reader *reader, const srq_golden_case *c, const char *set, size_t count,
                              float **data)
{
    SRQ_TRY(read_array(reader, c, set, H5T_NATIVE_FLOAT, sizeof(float), 1, &count, (void **)data));
    for (size_t i = 0; i < count; i++)
        if (!isfinite((*data)[i])) return not_finite(reader, c, set, i);
    return SRQ_OK;
}

static srq_status read_doubles(const srq_h5_reader *reader, const srq_golden_case *c, const char *set, size_t count,
                               double **data)
{
    SRQ_TRY(read_array(reader, c, set, H5T_NATIVE_DOUBLE, sizeof(double), 1, &count, (void **)data));
    for (size_t i = 0; i < count; i++)
        if (!isfinite((*data)[i])) return not_finite(reader, c, set, i);
    return SRQ_OK;
}

static srq_status read_scalar(const srq_h5_reader *reader, const srq_golden_case *c, const char *set, double *value)
{
    char name[128];
    snprintf(name, sizeof name, "%s/%s", c->name, set);
    SRQ_TRY(srq_h5_read(reader, name, H5T_NATIVE_DOUBLE, 0, NULL, value));
    return isfinite(*value) ? SRQ_OK : not_finite(reader, c, set, 0);
}

/* The number of elements of the case: that of its input `set`. */
static srq_status read_count(const srq_h5_reader *reader, srq_golden_case *c, const char *set)
{
    char name[128];
    int rank = 0;
    size_t shape[8];
    snprintf(name, sizeof name, "%s/%s", c->name, set);
    SRQ_TRY(srq_h5_shape(reader, name, H5T_FLOAT, &rank, shape));
    if (rank != 1 || shape[0] < 1 || shape[0] > elements_max)
        return srq_fail(SRQ_ERROR_DATA, "%s: data set %s must have one dimension", srq_h5_reader_path(reader), name);
    c->count = shape[0];
    return SRQ_OK;
}

/* The common part of all quantizer cases. */
static srq_status read_numbers(const srq_h5_reader *reader, srq_golden_case *c)
{
    SRQ_TRY(read_count(reader, c, "x"));
    SRQ_TRY(read_floats(reader, c, "x", c->count, &c->x));
    SRQ_TRY(read_floats(reader, c, "grad_out", c->count, &c->grad_out));
    SRQ_TRY(read_doubles(reader, c, "y", c->count, &c->y));
    SRQ_TRY(read_doubles(reader, c, "grad_x", c->count, &c->grad_x));
    SRQ_TRY(read_scalar(reader, c, "grad_alpha", &c->grad_alpha));
    return c->has_sigma ? read_scalar(reader, c, "grad_sigma", &c->grad_sigma) : SRQ_OK;
}

static srq_status read_gates(const srq_h5_reader *reader, srq_golden_case *c)
{
    char name[128];
    int64_t min_bits;
    if (strcmp(c->method, "srq") != 0 || !c->is_signed)
        return srq_fail(SRQ_ERROR_DATA, "%s: case %s has a mask, which only cases of srq on a signed grid may have",
                        srq_h5_reader_path(reader), c->name);
    SRQ_TRY(srq_h5_read_attribute_int(reader, c->name, "min_bits", &min_bits));
    if (min_bits < 1 || min_bits >= c->bits)
        return srq_fail(SRQ_ERROR_DATA, "%s: case %s: min_bits must be 1 to %d, one below bits",
                        srq_h5_reader_path(reader), c->name, c->bits - 1);
    c->min_bits = (int)min_bits;
    c->gates = (size_t)(c->bits - c->min_bits);
    SRQ_TRY(read_floats(reader, c, "mask", c->gates, &c->mask));
    for (size_t i = 0; i < c->gates; i++)
        if (!(c->mask[i] >= 0 && c->mask[i] <= 1))
            return srq_fail(SRQ_ERROR_DATA, "%s: case %s: gate %zu is not 0 to 1", srq_h5_reader_path(reader), c->name,
                            i);
    snprintf(name, sizeof name, "%s/grad_mask", c->name);
    return srq_h5_exists(reader, name) ? read_doubles(reader, c, "grad_mask", c->gates, &c->grad_mask) : SRQ_OK;
}

static srq_status read_tau(const srq_h5_reader *reader, srq_golden_case *c)
{
    SRQ_TRY(srq_h5_read_attribute_double(reader, c->name, "tau", &c->tau));
    if (is_positive(c->tau)) return SRQ_OK;
    return srq_fail(SRQ_ERROR_DATA, "%s: case %s: tau must be above 0 (in float32)", srq_h5_reader_path(reader),
                    c->name);
}

static srq_status read_relaxed(const srq_h5_reader *reader, srq_golden_case *c)
{
    SRQ_TRY(read_attributes(reader, c));
    if (!c->has_sigma)
        return srq_fail(SRQ_ERROR_DATA, "%s: case %s: %s needs the attribute sigma", srq_h5_reader_path(reader),
                        c->name, c->method);
    SRQ_TRY(read_tau(reader, c));
    SRQ_TRY(read_numbers(reader, c));
    const size_t shape[2] = {c->count, (size_t)1 << c->bits};
    SRQ_TRY(read_array(reader, c, "gumbel", H5T_NATIVE_FLOAT, sizeof(float), 2, shape, (void **)&c->gumbel));
    for (size_t i = 0; i < shape[0] * shape[1]; i++)
        if (!isfinite(c->gumbel[i])) return not_finite(reader, c, "gumbel", i);
    return SRQ_OK;
}

static srq_status read_hard_concrete(const srq_h5_reader *reader, srq_golden_case *c)
{
    SRQ_TRY(read_tau(reader, c));
    SRQ_TRY(srq_h5_read_attribute_double(reader, c->name, "gamma", &c->gamma));
    SRQ_TRY(srq_h5_read_attribute_double(reader, c->name, "zeta", &c->zeta));
    if (!(isfinite(c->gamma) && c->gamma < 0 && isfinite(c->zeta) && c->zeta > 1))
        return srq_fail(SRQ_ERROR_DATA, "%s: case %s: gamma must be below 0, and zeta above 1",
                        srq_h5_reader_path(reader), c->name);
    SRQ_TRY(read_count(reader, c, "phi"));
    SRQ_TRY(read_floats(reader, c, "phi", c->count, &c->phi));
    SRQ_TRY(read_floats(reader, c, "u", c->count, &c->u));
    for (size_t i = 0; i < c->count; i++)
        if (!(c->u[i] > 0 && c->u[i] < 1))
            return srq_fail(SRQ_ERROR_DATA, "%s: case %s: element %zu of u is not between 0 and 1",
                            srq_h5_reader_path(reader), c->name, i);
    SRQ_TRY(read_floats(reader, c, "grad_out", c->count, &c->grad_out));
    SRQ_TRY(read_doubles(reader, c, "z", c->count, &c->z));
    SRQ_TRY(read_doubles(reader, c, "z_eval", c->count, &c->z_eval));
    SRQ_TRY(read_doubles(reader, c, "p_open", c->count, &c->p_open));
    SRQ_TRY(read_doubles(reader, c, "grad_phi", c->count, &c->grad_phi));
    return read_doubles(reader, c, "grad_p_open", c->count, &c->grad_p_open);
}

/* srq, with gates or without, lsq and ste */
static srq_status read_rounding(const srq_h5_reader *reader, srq_golden_case *c)
{
    SRQ_TRY(read_attributes(reader, c));
    if (!c->has_sigma && strcmp(c->method, "srq") == 0)
        return srq_fail(SRQ_ERROR_DATA, "%s: case %s: srq needs the attribute sigma", srq_h5_reader_path(reader),
                        c->name);
    SRQ_TRY(read_numbers(reader, c));
    SRQ_TRY(read_array(reader, c, "code", H5T_NATIVE_INT32, sizeof(int32_t), 1, &c->count, (void **)&c->code));
    return c->masked ? read_gates(reader, c) : SRQ_OK;
}

static srq_status read_case(const srq_h5_reader *reader, const char *name, srq_golden_case *c)
{
    static const struct {
        const char *method;
        srq_status (*read)(const srq_h5_reader *reader, srq_golden_case *c);
    } kinds[] = {{"srq", read_rounding}, {"lsq", read_rounding},  {"ste", read_rounding},
                 {"rq", read_relaxed},   {"rq_st", read_relaxed}, {"hard_concrete", read_hard_concrete}};
    char mask[96];
    if (strlen(name) >= sizeof c->name)
        return srq_fail(SRQ_ERROR_DATA, "%s: the name of case %s is too long", srq_h5_reader_path(reader), name);
    snprintf(c->name, sizeof c->name, "%s", name);
    SRQ_TRY(srq_h5_read_attribute_text(reader, name, "method", c->method, sizeof c->method));
    snprintf(mask, sizeof mask, "%s/mask", name);
    c->masked = srq_h5_exists(reader, mask);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(c->method, kinds[i].method) != 0) continue;
        SRQ_TRY(kinds[i].read(reader, c));
        c->complete = true;
    }
    return SRQ_OK;
}

srq_status srq_golden_read(const char *path, srq_golden_case **cases, size_t *count)
{
    srq_h5_reader *reader = NULL;
    char **names = NULL;
    *cases = NULL;
    *count = 0;
    SRQ_TRY(srq_h5_reader_open(path, "a file of golden cases", "srq-golden", 1, &reader));
    srq_status status = srq_h5_members(reader, "/", count, &names);
    if (status == SRQ_OK) {
        *cases = calloc(*count + 1, sizeof **cases);
        if (!*cases) status = srq_fail_memory(*count * sizeof **cases, "golden cases");
    }
    for (size_t i = 0; names && i < *count; i++) {
        if (status == SRQ_OK) status = read_case(reader, names[i], &(*cases)[i]);
        free(names[i]);
    }
    free(names);
    srq_h5_reader_close(&reader);
    if (status != SRQ_OK && *cases) {
        srq_golden_free(*cases, *count);
        *cases = NULL;
    }
    return status;
}

void srq_golden_free(srq_golden_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        srq_golden_case *c = &cases[i];
        float *floats[] = {c->x, c->grad_out, c->mask, c->gumbel, c->phi, c->u};
        double *doubles[] = {c->y, c->grad_x, c->grad_mask, c->z, c->z_eval, c->p_open, c->grad_phi, c->grad_p_open};
        for (size_t k = 0; k < sizeof floats / sizeof *floats; k++) free(floats[k]);
        for (size_t k = 0; k < sizeof doubles / sizeof *doubles; k++) free(doubles[k]);
        free(c->code);
    }
    free(cases);
}
