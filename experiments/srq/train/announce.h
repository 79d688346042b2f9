/* What `srq train` says about quantization before it begins. */
#ifndef SRQ_EXPERIMENTS_TRAIN_ANNOUNCE_H
#define SRQ_EXPERIMENTS_TRAIN_ANNOUNCE_H

#include "core/graph.h"
#include "io/config.h"

#include <stddef.h>

/* Describes the quantizers that the network has, not those that the settings ask for: "srq, 3-bit weights, float32
 * activations". Where bit-lengths differ between layers, it gives their mean (weighted by the number of weights, or of
 * elements of the activations) and their range; tensors that are not quantized count 32 bits. Returns `out`. */
char *srq_announce_quantizers(const srq_graph *graph, const srq_settings *settings, char *out, size_t size);

/* Warns about quantized weights whose layer reads activations that are not quantized: its products are float32. Images
 * do not count. Returns `out`, which is "" if there are none. */
char *srq_announce_unquantized(const srq_graph *graph, char *out, size_t size);

#endif
