#include "core/network.h"

#include "core/memory.h"

#include <stdio.h>
#include <stdlib.h>

static void *grown(void *array, int count, int *room, size_t size)
{
    if (count < *room) return array;
    int wanted = *room ? 2 * *room : 16;
    void *larger = realloc(array, (size_t)wanted * size);
    if (larger) *room = wanted;
    return larger;
}

void srq_network_free(srq_network *network)
{
    free(network->parameters);
    free(network->requests);
    free(network->shared);
    if (!network->values_are_foreign) free(network->values);
}

bool srq_parameter_has_pages(const srq_parameter *p)
{
    enum { LEAST = 512 << 10 };
    return p->kind == SRQ_PARAMETER_WEIGHT && p->count >= LEAST / sizeof(float);
}

static size_t round_up(size_t count, size_t to)
{
    return (count + to - 1) / to * to;
}

/* --- While layers are created */

srq_status srq_network_add_parameter(srq_network *network, const srq_layer_spec *layer, const char *suffix,
                                     srq_parameter_kind kind, int rank, const size_t *shape, int *index)
{
    srq_parameter *larger =
        grown(network->parameters, network->parameter_count, &network->parameter_room, sizeof *larger);
    if (!larger) return srq_fail_memory(sizeof *larger, "the list of parameters");
    network->parameters = larger;
    srq_parameter *p = &network->parameters[network->parameter_count];
    *p = (srq_parameter){.kind = kind, .rank = rank, .count = 1, .momentum = layer->momentum};
    snprintf(p->name, sizeof p->name, "%s/%s", layer->name, suffix);
    for (int i = 0; i < rank; i++) {
        p->shape[i] = shape[i];
        if (shape[i] > ((size_t)1 << 33) / p->count)
            return srq_fail(SRQ_ERROR_USAGE, "more than 2^33 weights in one layer; make it smaller");
        p->count *= shape[i];
    }
    network->numbers += p->count;
    if (network->numbers_max && network->numbers > network->numbers_max)
        return srq_fail(SRQ_ERROR_DATA, "with it, the network has %zu numbers, but at most %zu are expected",
                        network->numbers, network->numbers_max);
    const size_t unit = srq_parameter_has_pages(p) ? SRQ_PAGE_FLOATS : 16;
    p->offset = round_up(network->size, unit);
    network->size = p->offset + round_up(p->count, unit);
    *index = network->parameter_count++;
    return SRQ_OK;
}

srq_status srq_network_check_product(int count, const size_t *factors, size_t most, const char *what)
{
    size_t product = 1;
    for (int i = 0; i < count; i++)
        if (__builtin_mul_overflow(product, factors[i], &product) || product > most)
            return srq_fail(SRQ_ERROR_USAGE, "%s is too large: at most %zu are possible; make it smaller", what, most);
    return SRQ_OK;
}

static srq_status add_request(srq_network *network, srq_request request)
{
    SRQ_TRY(
        srq_network_check_product(1, &request.buffer.bytes, SRQ_BUFFER_BYTES_MAX, "the number of bytes of a buffer"));
    srq_request *larger = grown(network->requests, network->request_count, &network->request_room, sizeof *larger);
    if (!larger) return srq_fail_memory(sizeof *larger, "the memory plan");
    network->requests = larger;
    network->requests[network->request_count++] = request;
    return SRQ_OK;
}

srq_status srq_network_share(srq_network *network, size_t bytes, void **slot)
{
    return add_request(network, (srq_request){.buffer = {.bytes = bytes}, .slot = slot});
}

srq_status srq_network_reserve(srq_network *network, int index, size_t bytes, size_t *place)
{
    return srq_network_reserve_for(network, index, srq_network_backward_time(network, index), bytes, place);
}

srq_status srq_network_reserve_for(srq_network *network, int birth, int death, size_t bytes, size_t *place)
{
    return add_request(network,
                       (srq_request){.buffer = {.bytes = bytes, .birth = birth, .death = death}, .place = place});
}

void srq_network_need_scratch(srq_network *network, size_t bytes)
{
    if (bytes > network->scratch_size) network->scratch_size = bytes;
}

/* --- The plan */

/* Plans one of the two blocks, the shared one or that of a pass. buffers[request_count] is work space. */
static srq_status plan_block(srq_network *network, bool shared, srq_buffer *buffers, size_t *size)
{
    int count = 0;
    for (int i = 0; i < network->request_count; i++)
        if ((network->requests[i].slot != NULL) == shared) buffers[count++] = network->requests[i].buffer;
    SRQ_TRY(srq_plan_buffers(buffers, count, size));
    count = 0;
    for (int i = 0; i < network->request_count; i++)
        if ((network->requests[i].slot != NULL) == shared) network->requests[i].buffer = buffers[count++];
    return SRQ_OK;
}

static srq_status plan_blocks(srq_network *network)
{
    const size_t bytes = (size_t)(network->request_count + 1) * sizeof(srq_buffer);
    srq_buffer *buffers = malloc(bytes);
    if (!buffers) return srq_fail_memory(bytes, "the memory plan");
    srq_status status = plan_block(network, true, buffers, &network->shared_size);
    if (status == SRQ_OK) status = plan_block(network, false, buffers, &network->pass_size);
    free(buffers);
    return status;
}

srq_status srq_network_plan(srq_network *network)
{
    SRQ_TRY(plan_blocks(network));
    /* One cache line more than planned, so that a vector read at the end of a buffer stays inside the block. */
    network->shared = srq_memory(network->shared_size + 64);
    if (!network->shared) return srq_fail_memory(network->shared_size, "codes of weights");
    for (int i = 0; i < network->request_count; i++) {
        const srq_request *r = &network->requests[i];
        if (r->slot)
            *r->slot = network->shared + r->buffer.offset;
        else
            *r->place = r->buffer.offset;
    }
    const size_t bytes = network->size * sizeof *network->values;
    network->values = srq_memory_zeros(bytes);
    if (!network->values) return srq_fail_memory(bytes, "the parameters");
    return SRQ_OK;
}
