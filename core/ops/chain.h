/* Chains: batch-norm, ReLU, max-pooling and the quantizer after a convolution, run as one operator.
 *
 * Each of them alone is a pass over memory with little arithmetic. A chain reads its input once in the forward pass
 * (and once for batch statistics) and writes codes; the backward pass computes again what is in between, a tile that
 * caches hold at a time, and keeps nothing but its input. Scales and bias of a convolution's output go into the same
 * line y = a x + b as batch-norm, which is batch-norm folding, in training and evaluation alike. */
#ifndef SRQ_CORE_OPS_CHAIN_H
#define SRQ_CORE_OPS_CHAIN_H

#include "core/ops/op.h"

typedef struct srq_chain srq_chain;

/* Whether `layer` can follow in a chain that has taken the layers `members` (their number is `count`) so far. */
bool srq_chain_takes(const srq_layer *const *members, int count, const srq_layer *layer);

/* The chain of `members`, in order, each the only user of the one before. `producer` makes its input: it has weights
 * and no other user, and defers to the chain (layer.h); or is NULL. The caller destroys *chain, also after a failure.
 */
srq_status srq_chain_create(srq_layer *const *members, int count, const srq_layer *producer, srq_chain **chain);
void srq_chain_destroy(srq_chain **chain);

/* In place of the members' own functions, from the last member's chain_input to its input_gradients[0]. */
srq_status srq_chain_start(srq_chain *chain, srq_pass *pass);
void srq_chain_forward(const srq_chain *chain, srq_pass *pass);
void srq_chain_backward(const srq_chain *chain, srq_pass *pass);

#endif
