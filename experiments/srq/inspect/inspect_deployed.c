#include "experiments/srq/inspect/inspect_deployed.h"

#include "core/mask.h"
#include "experiments/srq/inspect/tensors.h"
#include "io/deployed.h"
#include "io/escape.h"
#include "io/progress.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct totals {
    double macs, bytes; /* weights: mask, codes and scales */
    size_t weights;
} totals;

static double bytes_of(const srq_deploy_weights *w)
{
    return (double)srq_deploy_packed_size(w) + (srq_deploy_packs_mask(w) ? (double)srq_mask_bytes(w->count) : 0) +
           4 * (double)w->scales;
}

static totals add_up(const srq_deploy *net)
{
    totals t = {0};
    for (int i = 0; i < net->op_count; i++) {
        const srq_deploy_op *op = &net->ops[i];
        if (op->kind != SRQ_DEPLOY_CONV) continue;
        t.macs += srq_deploy_macs(op);
        t.bytes += bytes_of(&op->weights);
        t.weights += op->weights.count;
    }
    return t;
}

/* "4" or "32". */
static int bits_of(const srq_deploy_grid *grid)
{
    return grid->bits ? grid->bits : 32;
}

/* --- The table */

static void print_inputs(const srq_deploy_op *op, char *out, size_t size)
{
    size_t n = 0;
    for (int k = 0; k < op->input_count && n < size; k++)
        n += op->inputs[k] == SRQ_DEPLOY_IMAGES
                 ? (size_t)snprintf(out + n, size - n, "%simages", k ? " " : "")
                 : (size_t)snprintf(out + n, size - n, "%s%d", k ? " " : "", op->inputs[k]);
}

static void print_op(const srq_deploy *net, int index, int width)
{
    char inputs[128], shape[64], bits[48] = "", size[32] = "";
    const srq_deploy_op *op = &net->ops[index];
    const srq_deploy_grid *grid = &op->output.grid;
    print_inputs(op, inputs, sizeof inputs);
    snprintf(shape, sizeof shape, "%d x %d x %d", op->output.height, op->output.width, op->output.channels);
    if (grid->bits)
        snprintf(bits, sizeof bits, "%d-bit %s%s", grid->bits, grid->min < 0 ? "signed" : "unsigned",
                 grid->points ? ", own points" : "");
    if (op->kind == SRQ_DEPLOY_CONV) {
        snprintf(bits, sizeof bits, "weights of %d bits%s%s", bits_of(&op->weights.grid),
                 op->weights.scales > 1 ? ", per channel" : "", srq_deploy_packs_mask(&op->weights) ? ", masked" : "");
        srq_size(bytes_of(&op->weights), size, sizeof size);
    }
    srq_say("%4d  %-*s  %-11s  %-10s  %-16s  %8s  %s\n", index, width, op->name, srq_deploy_kind_name(op->kind), inputs,
            shape, size, bits);
}

static int longest_name(const srq_deploy *net)
{
    size_t longest = 5;
    for (int i = 0; i < net->op_count; i++)
        if (strlen(net->ops[i].name) > longest) longest = strlen(net->ops[i].name);
    return (int)longest;
}

static void print(const char *path, const srq_deploy *net)
{
    char size[32], macs[48];
    struct stat info;
    const srq_deploy_input *in = &net->input;
    const totals t = add_up(net);
    const int width = longest_name(net);
    srq_say("%s, %s, deployed after step %ld\n\nfile   %s", net->model, net->method, net->step, path);
    if (stat(path, &info) == 0) srq_say(", %s", srq_size((double)info.st_size, size, sizeof size));
    srq_say("\ndata   %s, images of %d x %d x %d, %d classes\n\n", in->data_name, in->height, in->width, in->channels,
            in->classes);
    srq_say("%4s  %-*s  %-11s  %-10s  %-16s  %8s  %s\n", "", width, "layer", "operation", "inputs", "output", "size",
            "codes");
    for (int i = 0; i < net->op_count; i++) print_op(net, i, width);
    srq_say("\nsize   %s of weights and their scales, %s weights\n", srq_size(t.bytes, size, sizeof size),
            srq_grouped((long)t.weights, macs, sizeof macs));
    srq_say("MACs   %.4g M an image\n", t.macs / 1e6);
}

/* --- JSON */

static void print_op_json(const srq_deploy *net, int index)
{
    char name[160];
    const srq_deploy_op *op = &net->ops[index];
    srq_say("%s\n    {\"layer\": %s, \"operation\": \"%s\", \"inputs\": [", index ? "," : "",
            srq_json_quote(op->name, name, sizeof name), srq_deploy_kind_name(op->kind));
    for (int k = 0; k < op->input_count; k++) srq_say("%s%d", k ? ", " : "", op->inputs[k]);
    srq_say("], \"output\": [%d, %d, %d], \"bits\": %d", op->output.height, op->output.width, op->output.channels,
            bits_of(&op->output.grid));
    if (op->kind == SRQ_DEPLOY_CONV)
        srq_say(", \"weights\": %zu, \"kept\": %zu, \"weight_bits\": %d, \"scales\": %d, \"bytes\": %.0f",
                op->weights.count, op->weights.kept, bits_of(&op->weights.grid), op->weights.scales,
                bytes_of(&op->weights));
    srq_say("}");
}

static void print_json(const char *path, const srq_deploy *net)
{
    char text[4600];
    const totals t = add_up(net);
    srq_say("{\"file\": %s,\n", srq_json_quote(path, text, sizeof text));
    srq_say(" \"format\": \"" SRQ_DEPLOYED_FORMAT "\", \"model\": %s, ", srq_json_quote(net->model, text, sizeof text));
    srq_say("\"method\": %s, \"step\": %ld,\n", srq_json_quote(net->method, text, sizeof text), net->step);
    srq_say(" \"data\": %s, ", srq_json_quote(net->input.data_name, text, sizeof text));
    srq_say("\"data_sha256\": %s,\n", srq_json_quote(net->input.data_sha256, text, sizeof text));
    srq_say(" \"classes\": [");
    for (int i = 0; i < net->input.classes; i++)
        srq_say("%s%s", i ? ", " : "", srq_json_quote(net->input.class_names[i], text, sizeof text));
    srq_say("],\n \"weights\": %zu, \"bytes\": %.0f, \"macs\": %.0f,\n \"operations\": [", t.weights, t.bytes, t.macs);
    for (int i = 0; i < net->op_count; i++) print_op_json(net, i);
    srq_say("]}\n");
}

srq_status srq_inspect_deployed(const char *path, bool json)
{
    srq_deploy *net = NULL;
    SRQ_TRY(srq_deployed_read(path, &net));
    if (json)
        print_json(path, net);
    else
        print(path, net);
    srq_deploy_destroy(&net);
    return SRQ_OK;
}
