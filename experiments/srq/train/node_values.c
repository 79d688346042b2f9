#include "experiments/srq/train/node_values.h"

#include <stdlib.h>
#include <string.h>

/* The pages of large weights, in bytes. Returns their number. */
static int find_pages(const srq_graph *graph, srq_pages_range *ranges)
{
    int count = 0;
    for (int i = 0; i < srq_graph_parameter_count(graph); i++) {
        const srq_parameter *p = srq_graph_parameter(graph, i);
        const size_t begin = p->offset * sizeof(float), bytes = p->count * sizeof(float);
        if (!srq_parameter_has_pages(p)) continue;
        ranges[count++] = (srq_pages_range){begin, begin + (bytes + SRQ_PAGE - 1) / SRQ_PAGE * SRQ_PAGE};
    }
    return count;
}

static srq_status share(const srq_comm *comm, srq_node_values *v, srq_pages_range *ranges)
{
    const srq_node *node = srq_comm_node(comm);
    const size_t bytes = srq_graph_size(v->graph) * sizeof(float);
    const bool alone = node->size == 1;
    void *view = NULL;
    SRQ_TRY(srq_shared_create(comm, node->member == 0 && !alone ? bytes : 0, "weights", &v->shared));
    SRQ_TRY(srq_shared_overlay(comm, v->shared, find_pages(v->graph, ranges), ranges, &view));
    if (alone) return SRQ_OK;
    v->whole = srq_shared_part(v->shared, 0);
    if (node->member == 0) memcpy(v->whole, srq_graph_values(v->graph), bytes);
    srq_node_meet(comm);
    srq_graph_move_values(v->graph, view);
    return SRQ_OK;
}

srq_status srq_node_values_create(const srq_comm *comm, srq_graph *graph, srq_node_values *v)
{
    *v = (srq_node_values){.graph = graph, .whole = srq_graph_values(graph)};
    if (!srq_comm_shares(comm)) return SRQ_OK;
    const size_t room = (size_t)srq_graph_parameter_count(graph) + 1;
    srq_pages_range *ranges = calloc(room, sizeof *ranges);
    srq_status status = ranges ? SRQ_OK : srq_fail_memory(room * sizeof *ranges, "weights");
    status = srq_comm_agree(comm, status);
    if (status == SRQ_OK) status = share(comm, v, ranges);
    free(ranges);
    return status;
}

void srq_node_values_free(srq_node_values *v)
{
    srq_shared_destroy(&v->shared);
}

void srq_node_values_put(const srq_node_values *v, size_t begin, size_t end)
{
    const float *values = srq_graph_values(v->graph);
    if (values == v->whole) return;
    for (int i = 0; i < srq_graph_parameter_count(v->graph); i++) {
        const srq_parameter *p = srq_graph_parameter(v->graph, i);
        const size_t first = p->offset > begin ? p->offset : begin;
        const size_t last = p->offset + p->count < end ? p->offset + p->count : end;
        if (!srq_parameter_has_pages(p) && first < last)
            memcpy(v->whole + first, values + first, (last - first) * sizeof *values);
    }
}

void srq_node_values_take(const srq_node_values *v)
{
    float *values = srq_graph_values(v->graph);
    if (values == v->whole) return;
    for (int i = 0; i < srq_graph_parameter_count(v->graph); i++) {
        const srq_parameter *p = srq_graph_parameter(v->graph, i);
        if (p->kind == SRQ_PARAMETER_WEIGHT && !srq_parameter_has_pages(p))
            memcpy(values + p->offset, v->whole + p->offset, p->count * sizeof *values);
    }
}
