#include "io/golden.h"

#include "io/h5.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static srq_status read_attributes(const srq_h5_reader *reader, srq_golden_case *c)
{
    int64_t bits, is_signed;
    SRQ_TRY(srq_h5_read_attribute_int(reader, c->name, "bits", &bits));
    SRQ_TRY(srq_h5_read_attribute_int(reader, c->name, "signed", &is_signed));
    SRQ_TRY(srq_h5_read_attribute_double(reader, c->name, "alpha", &c->alpha));
    c->has_sigma = srq_h5_has_attribute(reader, c->name, "sigma");
    if (c->has_sigma) SRQ_TRY(srq_h5_read_attribute_double(reader, c->name, "sigma", &c->sigma));
    if (srq_h5_has_attribute(reader, c->name, "estimator"))
        SRQ_TRY(srq_h5_read_attribute_text(reader, c->name, "estimator", c->estimator, sizeof c->estimator));
    c->bits = (int)bits;
    c->is_signed = is_signed != 0;
    bool sane = bits >= 1 && bits <= 8 && isfinite(c->alpha) && c->alpha > 0 &&
                (!c->has_sigma || (isfinite(c->sigma) && c->sigma > 0));
    if (sane) return SRQ_OK;
    return srq_fail(SRQ_ERROR_DATA, "%s: case %s: bits must be 1 to 8, and alpha and sigma above 0",
                    srq_h5_reader_path(reader), c->name);
}

static srq_status read_set(const srq_h5_reader *reader, const srq_golden_case *c, const char *set, hid_t type,
                           size_t size, void **data)
{
    char name[128];
    snprintf(name, sizeof name, "%s/%s", c->name, set);
    *data = calloc(c->count, size);
    if (!*data) return srq_fail_memory(c->count * size, name);
    return srq_h5_read(reader, name, type, 1, &c->count, *data);
}

static srq_status read_scalar(const srq_h5_reader *reader, const srq_golden_case *c, const char *set, double *value)
{
    char name[128];
    snprintf(name, sizeof name, "%s/%s", c->name, set);
    return srq_h5_read(reader, name, H5T_NATIVE_DOUBLE, 0, NULL, value);
}

static srq_status read_numbers(const srq_h5_reader *reader, srq_golden_case *c)
{
    char name[128];
    int rank = 0;
    size_t shape[8];
    snprintf(name, sizeof name, "%s/x", c->name);
    SRQ_TRY(srq_h5_shape(reader, name, H5T_FLOAT, &rank, shape));
    if (rank != 1 || shape[0] < 1 || shape[0] > ((size_t)1 << 30))
        return srq_fail(SRQ_ERROR_DATA, "%s: data set %s must have one dimension", srq_h5_reader_path(reader), name);
    c->count = shape[0];
    SRQ_TRY(read_set(reader, c, "x", H5T_NATIVE_FLOAT, sizeof(float), (void **)&c->x));
    SRQ_TRY(read_set(reader, c, "grad_out", H5T_NATIVE_FLOAT, sizeof(float), (void **)&c->grad_out));
    SRQ_TRY(read_set(reader, c, "code", H5T_NATIVE_INT32, sizeof(int32_t), (void **)&c->code));
    SRQ_TRY(read_set(reader, c, "grad_x", H5T_NATIVE_DOUBLE, sizeof(double), (void **)&c->grad_x));
    SRQ_TRY(read_scalar(reader, c, "grad_alpha", &c->grad_alpha));
    return c->has_sigma ? read_scalar(reader, c, "grad_sigma", &c->grad_sigma) : SRQ_OK;
}

static srq_status read_case(const srq_h5_reader *reader, const char *name, srq_golden_case *c)
{
    char mask[96];
    if (strlen(name) >= sizeof c->name)
        return srq_fail(SRQ_ERROR_DATA, "%s: the name of case %s is too long", srq_h5_reader_path(reader), name);
    snprintf(c->name, sizeof c->name, "%s", name);
    SRQ_TRY(srq_h5_read_attribute_text(reader, name, "method", c->method, sizeof c->method));
    snprintf(mask, sizeof mask, "%s/mask", name);
    c->masked = srq_h5_exists(reader, mask);
    bool known = strcmp(c->method, "srq") == 0 || strcmp(c->method, "lsq") == 0 || strcmp(c->method, "ste") == 0;
    if (c->masked || !known) return SRQ_OK;
    SRQ_TRY(read_attributes(reader, c));
    SRQ_TRY(read_numbers(reader, c));
    c->complete = true;
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
        free(cases[i].x);
        free(cases[i].grad_out);
        free(cases[i].code);
        free(cases[i].grad_x);
    }
    free(cases);
}
