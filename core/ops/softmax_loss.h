/* Softmax cross-entropy, the loss of every network. */
#ifndef SRQ_CORE_OPS_SOFTMAX_LOSS_H
#define SRQ_CORE_OPS_SOFTMAX_LOSS_H

#include <stdint.h>

/* For logits [n][classes] and labels [n] (0 .. classes-1): adds the sum of -log softmax at the label to *loss, and the
 * number of images whose first largest logit is at the label to *correct. If `gradient` [n][classes] is not NULL, it is
 * set to scale * (softmax - target). With label smoothing s (0 to below 1), the target is (1 - s) one-hot + s /
 * classes, and the loss is the cross-entropy with it. */
void srq_softmax_loss(int n, int classes, const float *logits, const int32_t *labels, double smoothing, float scale,
                      float *gradient, double *loss, long *correct);

#endif
