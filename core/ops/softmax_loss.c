#include "core/ops/softmax_loss.h"

#include <math.h>

/* The mean of the logits under the target. */
static double target_logit(int classes, const float *logits, int label, double smoothing)
{
    double sum = 0;
    if (smoothing == 0) return (double)logits[label];
    for (int c = 0; c < classes; c++) sum += (double)logits[c];
    return (1 - smoothing) * (double)logits[label] + smoothing * sum / classes;
}

void srq_softmax_loss(int n, int classes, const float *logits, const int32_t *labels, double smoothing, float scale,
                      float *gradient, double *loss, long *correct)
{
    const double others = smoothing / classes, label = 1 - smoothing + others;
    for (int i = 0; i < n; i++, logits += classes) {
        int best = 0;
        for (int c = 1; c < classes; c++)
            if (logits[c] > logits[best]) best = c;
        const double largest = (double)logits[best];
        double sum = 0;
        for (int c = 0; c < classes; c++) sum += exp((double)logits[c] - largest);
        *loss += log(sum) + largest - target_logit(classes, logits, labels[i], smoothing);
        *correct += best == labels[i];
        if (!gradient) continue;
        for (int c = 0; c < classes; c++) {
            double p = exp((double)logits[c] - largest) / sum;
            *gradient++ = scale * (float)(p - (c == labels[i] ? label : others));
        }
    }
}
