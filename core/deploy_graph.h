/* From a trained network to its deployed network (deploy.h). */
#ifndef SRQ_CORE_DEPLOY_GRAPH_H
#define SRQ_CORE_DEPLOY_GRAPH_H

#include "core/deploy.h"
#include "core/graph.h"

/* Makes the deployed network of a graph that is prepared for evaluation (srq_graph_prepare). `input` has the
 * normalization and the names of classes; all of it is copied, except the shape, which is the graph's, and `fraction`,
 * which is computed. `model` is set; `method` and `step` are left to the caller. SRQ_ERROR_USAGE if the graph has an
 * operator without a deployed form (op.h) or something that a deployed network cannot hold; the message names the
 * layer. SRQ_ERROR_DATA for numbers that are not finite. The caller destroys *net. */
srq_status srq_deploy_create(srq_graph *graph, const srq_deploy_input *input, srq_deploy **net);

#endif
