#include "core/deploy_build.h"

#include <stdlib.h>
#include <string.h>

enum { NONE = -2 };

/* Where the output of a layer is: operations, or NONE. */
typedef struct place {
    int floats, codes, sums;
    bool deferred;        /* of sums: their only user may apply scales and bias */
    float *scales, *bias; /* [channels], of sums */
} place;

struct srq_deployer {
    srq_deploy *net;
    int room;
    int layer_count;
    place *places; /* [layer_count] */
};

/* --- Copies */

static char *copy_text(const char *text)
{
    return text ? strdup(text) : NULL;
}

static float *copy_floats(const float *from, int count)
{
    float *to = malloc((size_t)count * sizeof *to);
    if (to) memcpy(to, from, (size_t)count * sizeof *to);
    return to;
}

static srq_status copy_input(const srq_deploy_input *from, srq_deploy_input *to)
{
    *to = *from;
    to->multiply = copy_floats(from->multiply, from->channels);
    to->add = copy_floats(from->add, from->channels);
    to->class_names = calloc((size_t)from->classes, sizeof *to->class_names);
    bool whole = to->multiply && to->add && to->class_names;
    for (int i = 0; whole && i < from->classes; i++) whole = (to->class_names[i] = copy_text(from->class_names[i]));
    return whole ? SRQ_OK : srq_fail_memory((size_t)from->classes * sizeof(char *), "the names of classes");
}

srq_status srq_deployer_create(const srq_deploy_input *input, int layer_count, srq_deployer **out)
{
    srq_deployer *d = calloc(1, sizeof *d);
    if (!d) return srq_fail_memory(sizeof *d, "the deployed network");
    *out = d;
    d->layer_count = layer_count;
    d->net = calloc(1, sizeof *d->net);
    d->places = calloc((size_t)layer_count, sizeof *d->places);
    if (!d->net || !d->places) return srq_fail_memory(sizeof *d->net, "the deployed network");
    for (int i = 0; i < layer_count; i++) d->places[i] = (place){.floats = NONE, .codes = NONE, .sums = NONE};
    return copy_input(input, &d->net->input);
}

void srq_deployer_destroy(srq_deployer **deployer, srq_deploy **net)
{
    srq_deployer *d = *deployer;
    if (!d) return;
    if (net)
        *net = d->net;
    else
        srq_deploy_destroy(&d->net);
    for (int i = 0; d->places && i < d->layer_count; i++) {
        free(d->places[i].scales);
        free(d->places[i].bias);
    }
    free(d->places);
    free(d);
    *deployer = NULL;
}

/* --- Adding operations */

static srq_status append(srq_deployer *d, const srq_deploy_op *op, int *index)
{
    srq_deploy *net = d->net;
    if (net->op_count == d->room) {
        const int room = d->room ? 2 * d->room : 64;
        srq_deploy_op *larger = realloc(net->ops, (size_t)room * sizeof *larger);
        if (!larger) {
            srq_deploy_op lost = *op;
            srq_deploy_free_op(&lost);
            return srq_fail_memory((size_t)room * sizeof *larger, "the deployed network");
        }
        net->ops = larger;
        d->room = room;
    }
    *index = net->op_count;
    net->ops[net->op_count++] = *op;
    return SRQ_OK;
}

srq_status srq_deployer_add(srq_deployer *d, const srq_layer *layer, const srq_deploy_op *op, int *index)
{
    srq_deploy_op whole = *op;
    memcpy(whole.name, layer->spec->name, sizeof whole.name);
    whole.output.height = layer->output.height;
    whole.output.width = layer->output.width;
    whole.output.channels = layer->output.channels;
    srq_deploy_grid *grid = &whole.output.grid;
    if (grid->points) grid->points = copy_floats(grid->points, grid->max - grid->min + 1);
    if (op->output.grid.points && !grid->points) {
        srq_deploy_free_op(&whole);
        return srq_fail_memory(sizeof *grid->points, "the deployed network");
    }
    return append(d, &whole, index);
}

static srq_status add_affine(srq_deployer *d, const srq_deploy_tensor *shape, const char *name, int input,
                             const float *a, const float *b, int *index)
{
    srq_deploy_op op = {.kind = SRQ_DEPLOY_AFFINE,
                        .input_count = 1,
                        .inputs = {input},
                        .output = {.height = shape->height, .width = shape->width, .channels = shape->channels}};
    memcpy(op.name, name, sizeof op.name);
    op.a = copy_floats(a, shape->channels);
    op.b = copy_floats(b, shape->channels);
    if (op.a && op.b) return append(d, &op, index);
    srq_deploy_free_op(&op);
    return srq_fail_memory((size_t)shape->channels * sizeof *a, "the deployed network");
}

srq_status srq_deployer_add_affine(srq_deployer *d, const srq_layer *layer, int input, const float *a, const float *b,
                                   int *index)
{
    const srq_deploy_tensor shape = {
        .height = layer->output.height, .width = layer->output.width, .channels = layer->output.channels};
    return add_affine(d, &shape, layer->spec->name, input, a, b, index);
}

/* --- Outputs of layers */

void srq_deployer_put(srq_deployer *d, const srq_layer *layer, int index)
{
    place *p = &d->places[layer->index];
    if (index != SRQ_DEPLOY_IMAGES && d->net->ops[index].output.grid.bits)
        p->codes = index;
    else
        p->floats = index;
}

srq_status srq_deployer_put_sums(srq_deployer *d, const srq_layer *layer, int index, const float *scales,
                                 const float *bias)
{
    place *p = &d->places[layer->index];
    p->sums = index;
    p->deferred = layer->deferred;
    p->scales = copy_floats(scales, layer->output.channels);
    p->bias = copy_floats(bias, layer->output.channels);
    return p->scales && p->bias ? SRQ_OK : srq_fail_memory(sizeof *scales, "the deployed network");
}

static srq_status dequantize(srq_deployer *d, place *p)
{
    const srq_deploy_op *from = &d->net->ops[p->codes];
    srq_deploy_op op = {.kind = SRQ_DEPLOY_DEQUANTIZE, .input_count = 1, .inputs = {p->codes}, .output = from->output};
    memcpy(op.name, from->name, sizeof op.name);
    op.output.grid = (srq_deploy_grid){0};
    op.output.scale = 0;
    return append(d, &op, &p->floats);
}

static srq_status as_floats(srq_deployer *d, int producer, int *index)
{
    *index = SRQ_DEPLOY_IMAGES;
    if (producer < 0) return SRQ_OK;
    place *p = &d->places[producer];
    if (p->floats == NONE && p->sums != NONE) {
        const srq_deploy_op *from = &d->net->ops[p->sums];
        const srq_deploy_tensor shape = from->output;
        char name[SRQ_NAME_SIZE];
        memcpy(name, from->name, sizeof name);
        SRQ_TRY(add_affine(d, &shape, name, p->sums, p->scales, p->bias, &p->floats));
    }
    if (p->floats == NONE && p->codes != NONE) SRQ_TRY(dequantize(d, p));
    *index = p->floats;
    return SRQ_OK;
}

srq_status srq_deployer_floats(srq_deployer *d, const srq_layer *layer, int k, int *index)
{
    return as_floats(d, layer->producers[k], index);
}

srq_status srq_deployer_output(srq_deployer *d, const srq_layer *layer, int *index)
{
    return as_floats(d, layer->index, index);
}

srq_status srq_deployer_operand(srq_deployer *d, const srq_layer *layer, int k, int *index, srq_deploy_tensor *tensor)
{
    const int producer = layer->producers[k];
    if (producer >= 0 && d->places[producer].codes != NONE)
        *index = d->places[producer].codes;
    else
        SRQ_TRY(as_floats(d, producer, index));
    *tensor = srq_deploy_tensor_at(d->net, *index);
    return SRQ_OK;
}

srq_status srq_deployer_sums(srq_deployer *d, const srq_layer *layer, bool *sums, const float **scales,
                             const float **bias, int *index)
{
    const int producer = layer->producers[0];
    const place *p = producer < 0 ? NULL : &d->places[producer];
    *sums = p && p->sums != NONE && p->deferred;
    if (!*sums) return srq_deployer_floats(d, layer, 0, index);
    *scales = p->scales;
    *bias = p->bias;
    *index = p->sums;
    return SRQ_OK;
}

srq_status srq_deployer_simple(srq_deployer *d, const srq_layer *layer, const srq_deploy_op *op)
{
    int index;
    srq_deploy_op whole = *op;
    whole.input_count = layer->input_count;
    for (int k = 0; k < layer->input_count; k++) SRQ_TRY(srq_deployer_floats(d, layer, k, &whole.inputs[k]));
    SRQ_TRY(srq_deployer_add(d, layer, &whole, &index));
    srq_deployer_put(d, layer, index);
    return SRQ_OK;
}
