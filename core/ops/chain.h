/* A chain runs batch-norm, the sum with a shortcut, ReLU, max-pooling and the quantizer after a convolution as one
 * operator.
 *
 * Each of them alone is a pass over memory with little arithmetic. In the forward pass, a chain reads its input once
 * (and once more for batch statistics) and writes codes. Only the input is kept. The backward pass computes the values
 * in between again, one tile at a time, and a tile fits into the cache. Scales and bias of a convolution's output are
 * part of the same function y = a x + b as batch-norm. This is batch-norm folding, in training and in evaluation. */
#ifndef SRQ_CORE_OPS_CHAIN_H
#define SRQ_CORE_OPS_CHAIN_H

#include "core/ops/op.h"

typedef struct srq_chain srq_chain;

/* Whether `layer` can extend a chain of the `count` layers `members`. */
bool srq_chain_takes(const srq_layer *const *members, int count, const srq_layer *layer);

/* Whether a quantizer can be the next one although another layer also reads the output of the last of these members.
 * The chain then writes that output, too, if the member is `tapped` (layer.h). */
bool srq_chain_taps(const srq_layer *const *members, int count);

/* Makes a chain of `members`. Each must be the only user of the one before it that is not a tap. `producer` is NULL, or
 * the layer that makes the chain's input, if it has weights and no other user and is `deferred` (layer.h). The caller
 * destroys *chain, also after a failure.
 */
srq_status srq_chain_create(srq_layer *const *members, int count, const srq_layer *producer, srq_chain **chain);
void srq_chain_destroy(srq_chain **chain);

/* Replace the functions of the members, from the last member's chain_inputs to its input_gradients. */
srq_status srq_chain_start(srq_chain *chain, srq_pass *pass);
/* Whether the chain needs sums over the whole shard, and these sums for one slice (srq_op.measure). */
bool srq_chain_measures(const srq_chain *chain);
void srq_chain_measure(const srq_chain *chain, srq_pass *pass);
void srq_chain_measure_backward(const srq_chain *chain, srq_pass *pass);
void srq_chain_forward(const srq_chain *chain, srq_pass *pass);
void srq_chain_backward(const srq_chain *chain, srq_pass *pass);
/* The bytes that a training step reads and writes for one image in all passes over memory of one direction. For
 * benchmarks. */
size_t srq_chain_bytes(const srq_chain *chain, bool backward);

#endif
