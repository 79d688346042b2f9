/* The permanent part of a network: parameters, memory that all passes read, and the plan of the memory that each pass
 * has for itself. Layers request memory here while they are created (core/ops/op.h). core/graph.h runs them.
 *
 *     network    parameters, packed weights and codes, tables      one
 *     pass       activations and their gradients                   one for each slice that is computed at the same time
 *     worker     scratch memory                                    one for each thread
 *
 * Operators write only to the memory of their pass and to the scratch memory of the worker that runs it. So workers can
 * run passes over one network at the same time. */
#ifndef SRQ_CORE_NETWORK_H
#define SRQ_CORE_NETWORK_H

#include "core/kernels/kernels.h"
#include "core/plan.h"
#include "core/spec.h"
#include "core/status.h"

#include <stdbool.h>

/* The kind of a parameter decides how a step changes it. */
typedef enum srq_parameter_kind {
    SRQ_PARAMETER_WEIGHT,    /* conv and dense weights: the only ones with weight decay */
    SRQ_PARAMETER_BIAS,      /* biases, batch-norm scale and shift */
    SRQ_PARAMETER_ALPHA,     /* step size: stays positive, learned as log alpha */
    SRQ_PARAMETER_SIGMA,     /* noise scale: stays positive, learned as log sigma */
    SRQ_PARAMETER_GATE,      /* logit phi of a DropBits gate */
    SRQ_PARAMETER_STATISTIC, /* not learned: moves by `momentum` towards the statistic of the batch, which is stored in
                              * place of its gradient
                              */
} srq_parameter_kind;

enum { SRQ_PARAMETER_NAME_SIZE = SRQ_NAME_SIZE + 32 };

typedef struct srq_parameter {
    char name[SRQ_PARAMETER_NAME_SIZE]; /* "conv1/weight" */
    srq_parameter_kind kind;
    int rank;        /* 0 for a scalar */
    size_t shape[4]; /* weights [out][in / groups][kernel 0][kernel 1] or [out][in] */
    size_t count;    /* product of the shape */
    size_t offset;   /* of its first element in the vectors of values and gradients */
    float momentum;  /* statistics only */
} srq_parameter;

/* Whether a parameter has pages of memory of its own: weights of at least 512 KB. Their offset, and that of whatever
 * follows, is a multiple of SRQ_PAGE_FLOATS, so that processes of one machine can share them. */
enum { SRQ_PAGE_FLOATS = 1024 };
bool srq_parameter_has_pages(const srq_parameter *parameter);

/* A request of a layer for memory: shared by all passes (`slot`), or in each pass (`place`). */
typedef struct srq_request {
    srq_buffer buffer;
    void **slot;
    size_t *place;
} srq_request;

typedef struct srq_network {
    int capacity;    /* largest number of images in a pass */
    int workers;     /* number of threads that run passes */
    int fraction;    /* of pixels in evaluation (core/kernels/image_sums.h); below 0: sums of pixels are float32 */
    int layer_count; /* L: layer i runs forward at time i of a pass, backward at time 2 L - i */
    const srq_kernels *kernels;
    const srq_vector *vector;
    int parameter_count, parameter_room;
    srq_parameter *parameters;
    size_t numbers, numbers_max; /* of all parameters, and how many there may be; 0: any number */
    size_t size;                 /* floats of `values`; each parameter starts on a 64-byte boundary, the gaps stay 0 */
    float *values;
    bool values_are_foreign; /* the memory of `values` is the caller's */
    int request_count, request_room;
    srq_request *requests;
    char *shared; /* the memory that all passes share */
    size_t shared_size;
    size_t pass_size;    /* bytes of a pass */
    size_t scratch_size; /* bytes, for each worker */
} srq_network;

/* Frees what the network holds. */
void srq_network_free(srq_network *network);

/* --- While layers are created */

/* Limits, so that no product of sizes overflows: an image, a filter and an output have at most this many numbers
 * (kernels count them with int), and a buffer has at most 2^44 bytes. */
enum { SRQ_NUMBERS_MAX = 0x7fffffff };
#define SRQ_BUFFER_BYTES_MAX ((size_t)1 << 44)
/* SRQ_ERROR_USAGE if the product of the factors, each 0 or more, is above `most`. The message names `what`, "an output
 * of 9 x 9 x 6 numbers"; the caller adds the layer. */
srq_status srq_network_check_product(int count, const size_t *factors, size_t most, const char *what);

/* Adds a parameter with the name LAYER/suffix, and returns its index in *index. SRQ_ERROR_USAGE if it is too large,
 * SRQ_ERROR_DATA above numbers_max. */
srq_status srq_network_add_parameter(srq_network *network, const srq_layer_spec *layer, const char *suffix,
                                     srq_parameter_kind kind, int rank, const size_t *shape, int *index);
/* Requests `bytes` of memory that all passes share, for codes, tables and the like. SRQ_ERROR_USAGE above the limit.
 * *slot receives its address when the network is planned. Until then *slot is undefined. */
srq_status srq_network_share(srq_network *network, size_t bytes, void **slot);
/* Requests `bytes` of memory in every pass, kept from the forward to the backward pass of layer `index`. Its address is
 * srq_pass_at(pass, *place). */
srq_status srq_network_reserve(srq_network *network, int index, size_t bytes, size_t *place);
/* The same, kept from time `birth` to time `death`. Always: from -1 to srq_network_end. */
srq_status srq_network_reserve_for(srq_network *network, int birth, int death, size_t bytes, size_t *place);
/* Requests scratch memory of at least `bytes` for every worker, aligned to 64 bytes. Its contents are lost when the
 * next operator runs. */
void srq_network_need_scratch(srq_network *network, size_t bytes);

static inline int srq_network_backward_time(const srq_network *network, int layer)
{
    return 2 * network->layer_count - layer;
}

static inline int srq_network_end(const srq_network *network)
{
    return 2 * network->layer_count + 1;
}

/* --- Once all layers are created */

/* Plans all requested memory. Allocates the values (all 0) and the shared memory. */
srq_status srq_network_plan(srq_network *network);

/* --- Any time */

/* The address of a parameter in `vector`, which holds values or gradients [size]. NULL if the index is -1 or there is
 * no vector. */
static inline float *srq_network_in(const srq_network *network, float *vector, int index)
{
    return index < 0 || !vector ? NULL : vector + network->parameters[index].offset;
}

#endif
