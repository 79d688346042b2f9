#include "core/deploy_graph.h"

#include "core/deploy_build.h"

#include <math.h>
#include <string.h>

static srq_status choose_fraction(srq_deploy_input *in)
{
    double most = 0;
    in->fraction = srq_deploy_fraction(in->multiply, in->add, in->channels);
    if (in->fraction >= 0) return SRQ_OK;
    for (int c = 0; c < in->channels; c++)
        for (int p = 0; p < 256; p += 255) most = fmax(most, fabs((double)srq_deploy_pixel(in, c, (uint8_t)p)));
    return srq_fail(
        SRQ_ERROR_USAGE,
        "pixels become numbers up to %g, of which a deployed network holds at most 2^30; use a data set with "
        "other mean and std, or data.normalize = \"none\"",
        most);
}

static srq_status add_layer(srq_deployer *d, const srq_graph *graph, int index)
{
    const srq_layer *layer = srq_graph_layer(graph, index);
    srq_status status;
    if (layer->op->deploy)
        status = layer->op->deploy(layer, d);
    else
        status = srq_fail(SRQ_ERROR_USAGE,
                          "layers of type %s cannot be exported, because its table has no function `deploy` "
                          "(docs/adding-an-operator.md); use another layer",
                          layer->op->type);
    return status == SRQ_OK ? SRQ_OK : srq_fail_in(status, "%s: layer \"%s\"", layer->spec->origin, layer->spec->name);
}

static srq_status build(srq_deployer *d, const srq_graph *graph)
{
    const int last = srq_graph_layer_count(graph) - 1;
    int index;
    for (int i = 0; i <= last; i++) SRQ_TRY(add_layer(d, graph, i));
    /* The logits are the output of the last layer as floats, so that must be the last operation. */
    return srq_deployer_output(d, srq_graph_layer(graph, last), &index);
}

srq_status srq_deploy_create(srq_graph *graph, const srq_deploy_input *input, srq_deploy **out)
{
    const srq_model_spec *spec = srq_graph_spec(graph);
    srq_deploy_input in = *input;
    srq_deployer *d = NULL;
    srq_deploy *net = NULL;
    in.height = spec->height;
    in.width = spec->width;
    in.channels = spec->channels;
    SRQ_TRY(choose_fraction(&in));
    srq_status status = srq_deployer_create(&in, srq_graph_layer_count(graph), &d);
    if (status == SRQ_OK) status = build(d, graph);
    srq_deployer_destroy(&d, &net);
    if (status == SRQ_OK) memcpy(net->model, spec->name, sizeof net->model);
    if (status == SRQ_OK) status = srq_deploy_check(net);
    if (status == SRQ_OK)
        *out = net;
    else
        srq_deploy_destroy(&net);
    return status;
}
