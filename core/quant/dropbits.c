#include "core/quant/dropbits.h"

#include "core/random.h"

#include <math.h>

const srq_concrete srq_dropbits_concrete = {.gamma = -0.1, .zeta = 1.1, .tau = 2.0 / 3.0};

static double sigmoid(double t)
{
    return t < 0 ? exp(t) / (1 + exp(t)) : 1 / (1 + exp(-t));
}

double srq_concrete_gate(const srq_concrete *concrete, double phi, double u, double *slope)
{
    const double stretch = concrete->zeta - concrete->gamma;
    const double s = sigmoid((log(u) - log1p(-u) + phi) / concrete->tau);
    const double z = s * stretch + concrete->gamma;
    *slope = z > 0 && z < 1 ? stretch * s * (1 - s) / concrete->tau : 0;
    return fmin(1, fmax(0, z));
}

double srq_concrete_mean(const srq_concrete *concrete, double phi)
{
    return fmin(1, fmax(0, sigmoid(phi) * (concrete->zeta - concrete->gamma) + concrete->gamma));
}

double srq_concrete_open(const srq_concrete *concrete, double phi, double *slope)
{
    const double p = sigmoid(phi - concrete->tau * log(-concrete->gamma / concrete->zeta));
    *slope = p * (1 - p);
    return p;
}

static void find_levels(srq_gates *gates)
{
    double mask = 1;
    gates->levels = (srq_levels){.min_bits = gates->min_bits};
    for (int i = 0; i < gates->count; i++) {
        mask *= gates->z[i];
        /* Below this, the factor is negligible in float32, and the level is dropped as if its gate were 0. */
        if (mask < 1e-12) return;
        if (mask < 1)
            gates->levels.mask[gates->levels.count++] = (float)mask;
        else
            gates->levels.min_bits++;
    }
}

void srq_gates_set(srq_gates *gates, const double *z)
{
    for (int i = 0; i < gates->count; i++) {
        gates->z[i] = z[i];
        gates->slope[i] = 0;
    }
    find_levels(gates);
}

void srq_gates_draw(srq_gates *gates, uint64_t seed, long step, int layer, const float *phi)
{
    for (int i = 0; i < gates->count; i++) {
        uint32_t bits[4];
        srq_random(seed, SRQ_RANDOM_GATES, (uint64_t)step, (uint64_t)layer * SRQ_LEVELS_MAX + (uint64_t)i, bits);
        const double u = ((double)bits[0] + 0.5) / 4294967296.0;
        gates->z[i] = srq_concrete_gate(&srq_dropbits_concrete, (double)phi[i], u, &gates->slope[i]);
    }
    find_levels(gates);
}

void srq_gates_backward(const srq_gates *gates, const double *masks, double *z)
{
    /* dm_c'/dZ_c = m_c' / Z_c for c <= c'. */
    const int first = gates->levels.min_bits - gates->min_bits, last = first + gates->levels.count;
    double sum = 0;
    for (int i = gates->count - 1; i >= 0; i--) {
        const bool fractional = i >= first && i < last;
        if (fractional) sum += masks[i - first] * (double)gates->levels.mask[i - first];
        z[i] = fractional && gates->z[i] < 1 ? sum / gates->z[i] : 0;
    }
}

int srq_gates_bits(int min_bits, int count, const float *phi)
{
    int open = 0;
    while (open < count && phi[open] > 0) open++;
    return min_bits + open;
}

double srq_gates_mean_bits(int min_bits, int count, const float *phi)
{
    double bits = min_bits, open = 1, slope;
    for (int i = 0; i < count; i++) {
        open *= srq_concrete_open(&srq_dropbits_concrete, (double)phi[i], &slope);
        bits += open;
    }
    return bits;
}
