#include "core/ops/softmax_loss.h"

#include <math.h>

void srq_softmax_loss(int n, int classes, const float *logits, const int32_t *labels, float scale, float *gradient,
                      double *loss, long *correct)
{
    for (int i = 0; i < n; i++, logits += classes) {
        int best = 0;
        for (int c = 1; c < classes; c++)
            if (logits[c] > logits[best]) best = c;
        const double largest = (double)logits[best];
        double sum = 0;
        for (int c = 0; c < classes; c++) sum += exp((double)logits[c] - largest);
        *loss += log(sum) + largest - (double)logits[labels[i]];
        *correct += best == labels[i];
        if (!gradient) continue;
        for (int c = 0; c < classes; c++) {
            double p = exp((double)logits[c] - largest) / sum;
            *gradient++ = scale * (float)(p - (c == labels[i]));
        }
    }
}
