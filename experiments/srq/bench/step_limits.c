#include "experiments/srq/bench/step_limits.h"

#include "core/kernels/engine.h"
#include "core/memory.h"
#include "core/ops/chain.h"
#include "core/ops/weighted.h"
#include "io/escape.h"
#include "io/progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- The machine */

/* y += x, in arrays that no cache holds: three numbers of 4 bytes for each element. */
static srq_status measure_bandwidth(const srq_vector *vector, double *bandwidth)
{
    enum { FLOATS = 12 << 20, ROUNDS = 5 };
    float *x = srq_memory_zeros(2 * (size_t)FLOATS * sizeof *x);
    if (!x) return srq_fail_memory(2 * (size_t)FLOATS * sizeof *x, "the speed of memory");
    memset(x, 0, 2 * (size_t)FLOATS * sizeof *x); /* all zeros may be one page */
    double best = INFINITY;
    for (int i = 0; i < ROUNDS; i++) {
        const double since = srq_seconds();
        vector->add(FLOATS, x, x + FLOATS);
        best = fmin(best, srq_seconds() - since);
    }
    free(x);
    *bandwidth = 3.0 * sizeof *x * FLOATS / best;
    return SRQ_OK;
}

srq_status srq_machine_measure(const srq_graph *graph, srq_machine *m)
{
    const srq_kernels *kernels = srq_graph_kernels(graph), *mixed = srq_kernels_find("mixed");
    const srq_vector *vector = srq_graph_vector(graph);
    SRQ_TRY(measure_bandwidth(vector, &m->bandwidth));
    SRQ_TRY(srq_conv_peak_measure(kernels, vector, true, &m->codes));
    SRQ_TRY(srq_conv_peak_measure(kernels, vector, false, &m->floats));
    return srq_conv_peak_measure(mixed ? mixed : kernels, vector, true, &m->mixed);
}

/* Operations per second of a large convolution in a number format; 0 if it is not known. */
static double peak_of(const srq_machine *m, bool backward, const char *type)
{
    if (strcmp(type, "f32") == 0) return backward ? m->floats.backward : m->floats.forward;
    if (!backward) return m->codes.forward;
    if (strcmp(type, m->codes.backward_in) == 0) return m->codes.backward;
    return strcmp(type, m->mixed.backward_in) == 0 ? m->mixed.backward : 0;
}

/* --- Layers */

const char srq_chain_family[] = "chain";

const char *srq_op_family(const srq_op *op)
{
    return op->family ? op->family : op->type;
}

bool srq_op_begins_family(int op)
{
    for (int i = 0; i < op; i++)
        if (strcmp(srq_op_family(srq_op_at(i)), srq_op_family(srq_op_at(op))) == 0) return false;
    return true;
}

const char *srq_layer_family(const srq_layer *layer)
{
    return layer->chain ? srq_chain_family : srq_op_family(layer->op);
}

static double tensor_bytes(const srq_tensor *t)
{
    return (double)t->features * (double)srq_dtype_size(t->dtype);
}

static double weighted_bytes(const srq_layer *l, srq_phase phase)
{
    const double in = (double)l->inputs[0]->features, out = (double)l->output.features;
    const double gradient = out * (double)srq_dtype_size(l->gradient_type);
    if (phase == SRQ_PHASE_FORWARD) return tensor_bytes(l->inputs[0]) + out * sizeof(float);
    if (phase == SRQ_PHASE_BACKWARD_DATA) return l->producers[0] < 0 ? 0 : gradient + in * sizeof(float);
    return phase == SRQ_PHASE_BACKWARD_WEIGHTS ? gradient + tensor_bytes(l->inputs[0]) : 0;
}

/* An operator of its own: forward reads inputs and writes the output; backward reads the gradient and what the operator
 * keeps, and writes the gradients of the inputs. */
static double simple_bytes(const srq_layer *l, srq_phase phase)
{
    double in = 0, gradients = 0;
    for (int k = 0; k < l->input_count; k++) {
        in += tensor_bytes(l->inputs[k]);
        if (l->producers[k] >= 0) gradients += (double)l->inputs[k]->features * sizeof(float);
    }
    if (phase == SRQ_PHASE_FORWARD) return in + tensor_bytes(&l->output);
    if (phase != SRQ_PHASE_BACKWARD) return 0;
    return gradients + (double)l->output.features * sizeof(float) + (l->op->keeps_input ? in : 0) +
           (l->op->keeps_output ? tensor_bytes(&l->output) : 0);
}

double srq_layer_bytes(const srq_layer *l, srq_phase phase)
{
    if (l->in_chain) return 0;
    if (l->weight >= 0) return weighted_bytes(l, phase);
    if (!l->chain) return simple_bytes(l, phase);
    const bool backward = phase == SRQ_PHASE_BACKWARD;
    return backward || phase == SRQ_PHASE_FORWARD ? (double)srq_chain_bytes(l->chain, backward) : 0;
}

double srq_layer_operations(const srq_layer *l, srq_phase phase)
{
    const bool has = phase == SRQ_PHASE_FORWARD || phase == SRQ_PHASE_BACKWARD_WEIGHTS ||
                     (phase == SRQ_PHASE_BACKWARD_DATA && l->producers[0] >= 0);
    return has ? 2.0 * (double)l->macs : 0;
}

/* --- Tables */

/* Sums over the layers of a line. */
typedef struct line {
    double seconds, bytes, operations, least; /* `least`: the seconds that the operations take at their peaks */
} line;

static void add_layer(const srq_step_sample *s, const srq_machine *m, const srq_layer *l, srq_phase phase, line *sums)
{
    const srq_conv_info *info = srq_weighted_info(l);
    const double operations = srq_layer_operations(l, phase) * s->images;
    sums->seconds += s->phases[l->index][phase];
    sums->bytes += srq_layer_bytes(l, phase) * s->images;
    if (!info || operations <= 0) return;
    const bool backward = phase != SRQ_PHASE_FORWARD;
    const double peak = peak_of(m, backward, backward ? info->backward : info->forward);
    sums->operations += operations;
    if (peak > 0) sums->least += operations / peak;
}

static void print_line(const char *family, const char *direction, const line *l, const srq_machine *m)
{
    char operations[32] = "-", share[32] = "-";
    if (l->operations > 0) {
        snprintf(operations, sizeof operations, "%.0f", l->operations / l->seconds * 1e-9);
        snprintf(share, sizeof share, "%.0f %%", 100 * l->least / l->seconds);
    }
    srq_say("  %-14s %-10s %9.3f %9.1f %8.1f %6.0f %% %9s %8s\n", family, direction, 1e3 * l->seconds, 1e-6 * l->bytes,
            1e-9 * l->bytes / l->seconds, 100 * l->bytes / l->seconds / m->bandwidth, operations, share);
}

/* A line for each direction that takes a thousandth of all directions or more. */
static void print_family(const srq_step_sample *s, const srq_machine *m, const char *family, double all)
{
    static const char *const directions[SRQ_PHASES] = {NULL, "forward", "backward", "by data", "by weights"};
    for (int p = SRQ_PHASE_FORWARD; p < SRQ_PHASES; p++) {
        line sums = {0};
        for (int i = 0; i < srq_graph_layer_count(s->graph); i++) {
            const srq_layer *l = srq_graph_layer(s->graph, i);
            if (!l->in_chain && strcmp(srq_layer_family(l), family) == 0) add_layer(s, m, l, (srq_phase)p, &sums);
        }
        if (sums.seconds > 1e-3 * all && sums.bytes > 0) print_line(family, directions[p], &sums, m);
    }
}

static void print_operators(const srq_step_sample *s, const srq_machine *m)
{
    double all = 0;
    for (int i = 0; i < srq_graph_layer_count(s->graph); i++)
        for (int p = SRQ_PHASE_FORWARD; p < SRQ_PHASES; p++) all += s->phases[i][p];
    srq_say("\nLimits on one core: %.1f GB/s from memory; operations of a large 3 x 3 convolution\n",
            1e-9 * m->bandwidth);
    srq_say("  %-25s %9s %9s %8s %8s %9s %8s\n", "", "ms", "MB", "GB/s", "memory", "Gop/s", "product");
    for (int i = 0; i < srq_op_count(); i++)
        if (srq_op_begins_family(i)) print_family(s, m, srq_op_family(srq_op_at(i)), all);
    print_family(s, m, srq_chain_family, all);
}

/* One direction of all layers with weights whose kernels have the same number formats. */
static void print_type(const srq_step_sample *s, const srq_machine *m, bool backward, const char *type)
{
    const double reachable = peak_of(m, backward, type);
    line sums = {0};
    for (int i = 0; i < srq_graph_layer_count(s->graph); i++) {
        const srq_layer *l = srq_graph_layer(s->graph, i);
        const srq_conv_info *info = srq_weighted_info(l);
        if (!info || strcmp(backward ? info->backward : info->forward, type) != 0) continue;
        for (int p = SRQ_PHASE_FORWARD; p < SRQ_PHASES; p++)
            if (backward == (p != SRQ_PHASE_FORWARD)) add_layer(s, m, l, (srq_phase)p, &sums);
    }
    if (sums.operations <= 0 || sums.seconds <= 0 || reachable <= 0) return;
    srq_say("  %-8s in %-5s %7.0f Gop/s, %3.0f %% of a large 3 x 3 convolution's %.0f\n",
            backward ? "backward" : "forward", type, sums.operations / sums.seconds * 1e-9,
            100 * sums.operations / sums.seconds / reachable, reachable * 1e-9);
}

void srq_step_limits_print(const srq_step_sample *s, const srq_machine *m)
{
    static const char *const forward[] = {"u8s8", "s8s8", "f32"}, *const backward[] = {"s8", "bf16", "f32"};
    print_operators(s, m);
    srq_say("\nLayers with weights, one core\n");
    for (int i = 0; i < 3; i++) print_type(s, m, false, forward[i]);
    for (int i = 0; i < 3; i++) print_type(s, m, true, backward[i]);
}
