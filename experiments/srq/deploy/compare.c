#include "experiments/srq/deploy/compare.h"

#include "experiments/srq/deploy/compiled.h"
#include "experiments/srq/train/restore.h"
#include "experiments/srq/train/test_images.h"
#include "io/deployed.h"
#include "io/escape.h"
#include "io/export.h"
#include "io/h5.h"
#include "io/progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GROUP = SRQ_RESTORE_CAPACITY };

/* Three ways to the logits of an image: evaluation, the interpreter, and what was exported. */
typedef struct comparison {
    const srq_export_result *result;
    const srq_deploy *net;
    srq_graph *graph;
    srq_deploy_runner *runner;
    srq_compiled *compiled; /* of C or ONNX, or NULL */
    char why[256];          /* it is not run, or "" */
    srq_deploy *read;       /* of h5, or NULL */
    srq_deploy_runner *read_runner;
    srq_test_images images;
    size_t size;
    int classes;
    uint8_t *pixels;                   /* [GROUP] */
    float *interpreted, *exported;     /* an image's */
    long differ, other_bits, all_bits; /* predictions unlike evaluation; images whose bits differ, from the interpreter
                                          and between that and evaluation */
    double largest, magnitude;         /* difference of a logit from evaluation; magnitude of logits */
} comparison;

/* --- Building */

static srq_status build_graph(comparison *c)
{
    srq_isa isa;
    srq_progress_point point;
    srq_h5_reader *reader = NULL;
    SRQ_TRY(srq_isa_here(&isa));
    SRQ_TRY(srq_checkpoint_open(c->result->checkpoint, &reader));
    const srq_status status = srq_restore(reader, c->result->config, isa, GROUP, NULL, &c->graph, &point);
    srq_h5_reader_close(&reader);
    SRQ_TRY(status);
    srq_graph_set_fraction(c->graph, c->net->input.fraction);
    return srq_graph_prepare(c->graph);
}

/* What runs the exported file, if something here can. */
static srq_status open_exported(comparison *c)
{
    char name[SRQ_EXPORT_NAME];
    const srq_export_result *r = c->result;
    if (strcmp(r->format, "c") == 0) {
        SRQ_TRY(srq_export_name(r->path, r->name, name));
        return srq_compiled_open(r->path, name, c->size, c->classes, &c->compiled);
    }
    if (strcmp(r->format, "onnx") == 0) {
        char shape[64];
        const srq_deploy_input *in = &c->net->input;
        snprintf(shape, sizeof shape, "%dx%dx%d", in->channels, in->height, in->width);
        return srq_compiled_open_onnx(r->path, shape, c->size, c->classes, &c->compiled, c->why, sizeof c->why);
    }
    snprintf(c->why, sizeof c->why, "nothing here runs the format %s", r->format);
    if (strcmp(r->format, "h5") != 0) return SRQ_OK;
    SRQ_TRY(srq_deployed_read(r->path, &c->read));
    return srq_deploy_runner_create(c->read, &c->read_runner);
}

static srq_status build(comparison *c, const char *data)
{
    const srq_deploy_tensor images = srq_deploy_tensor_at(c->net, SRQ_DEPLOY_IMAGES);
    c->size = srq_deploy_size(&images);
    c->classes = c->net->input.classes;
    c->pixels = malloc(GROUP * c->size);
    c->interpreted = malloc((size_t)c->classes * sizeof(float));
    c->exported = malloc((size_t)c->classes * sizeof(float));
    if (!c->pixels || !c->interpreted || !c->exported) return srq_fail_memory(GROUP * c->size, "the images");
    SRQ_TRY(srq_test_images_open(data, c->net, &c->images));
    SRQ_TRY(build_graph(c));
    SRQ_TRY(srq_deploy_runner_create(c->net, &c->runner));
    return open_exported(c);
}

static void destroy(comparison *c)
{
    srq_compiled_close(&c->compiled);
    srq_deploy_runner_destroy(&c->read_runner);
    srq_deploy_destroy(&c->read);
    srq_deploy_runner_destroy(&c->runner);
    srq_graph_destroy(&c->graph);
    srq_test_images_close(&c->images);
    free(c->pixels);
    free(c->interpreted);
    free(c->exported);
}

/* --- Comparing */

static int largest_of(const float *logits, int classes)
{
    int best = 0;
    for (int c = 1; c < classes; c++)
        if (logits[c] > logits[best]) best = c;
    return best;
}

static srq_status run_exported(comparison *c, const uint8_t *pixels, const float *image)
{
    if (c->compiled) return srq_compiled_run(c->compiled, pixels, c->exported);
    if (c->read_runner)
        srq_deploy_run(c->read_runner, image, c->exported);
    else
        memcpy(c->exported, c->interpreted, (size_t)c->classes * sizeof(float));
    return SRQ_OK;
}

static srq_status compare_image(comparison *c, const uint8_t *pixels, const float *image, const float *evaluated)
{
    srq_deploy_run(c->runner, image, c->interpreted);
    SRQ_TRY(run_exported(c, pixels, image));
    const size_t bytes = (size_t)c->classes * sizeof(float);
    c->other_bits += memcmp(c->exported, c->interpreted, bytes) != 0;
    c->all_bits += memcmp(c->exported, evaluated, bytes) != 0;
    c->differ += largest_of(c->exported, c->classes) != largest_of(evaluated, c->classes);
    for (int k = 0; k < c->classes; k++) {
        const double difference = fabs((double)c->exported[k] - (double)evaluated[k]);
        if (!(difference <= c->largest)) c->largest = difference;
        c->magnitude = fmax(c->magnitude, fabs((double)evaluated[k]));
    }
    return SRQ_OK;
}

static srq_status compare_group(comparison *c, long first, int n)
{
    int32_t labels[GROUP] = {0};
    srq_metrics metrics;
    float *images = srq_graph_input(c->graph);
    const size_t channels = (size_t)c->net->input.channels;
    for (int i = 0; i < n; i++) {
        uint8_t *pixels = c->pixels + (size_t)i * c->size;
        SRQ_TRY(srq_test_images_read(&c->images, first + i, pixels));
        for (size_t k = 0; k < c->size; k++)
            images[(size_t)i * c->size + k] = srq_deploy_pixel(&c->net->input, (int)(k % channels), pixels[k]);
    }
    float *copy = malloc((size_t)n * c->size * sizeof *copy);
    if (!copy) return srq_fail_memory((size_t)n * c->size * sizeof *copy, "the images");
    memcpy(copy, images, (size_t)n * c->size * sizeof *copy); /* a pass may overwrite its input */
    srq_graph_evaluate(c->graph, n, labels, &metrics);
    srq_status status = SRQ_OK;
    for (int i = 0; status == SRQ_OK && i < n; i++)
        status = compare_image(c, c->pixels + (size_t)i * c->size, copy + (size_t)i * c->size,
                               srq_graph_logits(c->graph) + i * c->classes);
    free(copy);
    return status;
}

static srq_status say_result(const comparison *c)
{
    char count[32], differ[32];
    const srq_export_result *r = c->result;
    srq_grouped(c->images.count, count, sizeof count);
    const bool ran = c->compiled || c->read;
    if (!ran)
        srq_say("%s itself was not run: %s; so what follows is of srq's interpreter\n", r->path, c->why);
    else
        srq_say("%s image%s: logits of %s have other bits than srq's interpreter\n", count, srq_plural(c->images.count),
                c->other_bits ? srq_grouped(c->other_bits, differ, sizeof differ) : "none");
    srq_say("%s image%s: predictions of %s differ from evaluation", count, srq_plural(c->images.count),
            c->differ ? srq_grouped(c->differ, differ, sizeof differ) : "none");
    if (c->all_bits == 0)
        srq_say("; all logits have its bits\n");
    else
        srq_say("; logits of %s differ, by at most %.3g (they reach %.3g)\n",
                srq_grouped(c->all_bits, differ, sizeof differ), c->largest, c->magnitude);
    /* ONNX leaves the order of sums of floats open. */
    const bool exact = strcmp(r->format, "onnx") != 0;
    return c->differ || (exact && c->other_bits) ? SRQ_NO : SRQ_OK;
}

srq_status srq_export_compare(const srq_export_result *result, const char *data)
{
    comparison c = {.result = result, .net = result->net};
    srq_status status = build(&c, data);
    srq_progress *progress = status == SRQ_OK ? srq_progress_create(stderr) : NULL;
    for (long i = 0; status == SRQ_OK && i < c.images.count; i += GROUP) {
        status = compare_group(&c, i, c.images.count - i < GROUP ? (int)(c.images.count - i) : GROUP);
        srq_progress_update(progress, "comparing: %ld of %ld images", i, c.images.count);
    }
    srq_progress_destroy(&progress);
    if (status == SRQ_OK) status = say_result(&c);
    destroy(&c);
    return status;
}
