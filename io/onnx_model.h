/* Builds an ONNX model (io/onnx.proto) in memory and writes it. It knows no networks: io/export_onnx.c and
 * io/export_qonnx.c do.
 *
 * Functions that add something copy what they are given. The first failure, which can only be missing memory, is kept
 * and returned by srq_onnx_write; until then all functions can be called as if nothing had happened. Names of tensors
 * that are returned stay valid as long as the model. */
#ifndef SRQ_IO_ONNX_MODEL_H
#define SRQ_IO_ONNX_MODEL_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct srq_onnx srq_onnx;

/* Types of elements, with the numbers of ONNX. */
typedef enum srq_onnx_type {
    SRQ_ONNX_FLOAT = 1,
    SRQ_ONNX_UINT8 = 2,
    SRQ_ONNX_INT8 = 3,
    SRQ_ONNX_INT32 = 6,
    SRQ_ONNX_INT64 = 7,
    SRQ_ONNX_UINT4 = 21, /* from operator set 21 on, like the next */
    SRQ_ONNX_INT4 = 22,
    SRQ_ONNX_INT2 = 26 /* from operator set 25 on */
} srq_onnx_type;

/* A model of this name for a version of the operator set, and the version of the file format that goes with it. The
 * caller destroys *model. */
srq_status srq_onnx_create(const char *name, int opset, srq_onnx **model);
void srq_onnx_destroy(srq_onnx **model);
/* Another set of operators, "qonnx.custom_op.general". Nodes that are added with its `domain` are from it. */
void srq_onnx_import(srq_onnx *model, const char *domain, int version);
/* A text for people, and a pair of the metadata. */
void srq_onnx_describe(srq_onnx *model, const char *text);
void srq_onnx_property(srq_onnx *model, const char *key, const char *value);

/* An input or output [shape]; a side of 0 stands for any number, "N". Returns its name. */
const char *srq_onnx_input(srq_onnx *model, const char *name, srq_onnx_type type, int rank, const int64_t *shape);
void srq_onnx_output(srq_onnx *model, const char *name, srq_onnx_type type, int rank, const int64_t *shape);

/* Constants. Rank 0 is a scalar. Elements of `data` are floats, int64_t, or, for types of 8, 4 and 2 bits, one
 * int16_t each. Return the name. */
const char *srq_onnx_floats(srq_onnx *model, const char *name, int rank, const int64_t *shape, const float *data);
const char *srq_onnx_longs(srq_onnx *model, const char *name, int rank, const int64_t *shape, const int64_t *data);
const char *srq_onnx_codes(srq_onnx *model, const char *name, srq_onnx_type type, int rank, const int64_t *shape,
                           const int16_t *data);
const char *srq_onnx_float(srq_onnx *model, const char *name, float value);
const char *srq_onnx_code(srq_onnx *model, const char *name, srq_onnx_type type, int value);
/* A list of numbers such as a shape. */
const char *srq_onnx_list(srq_onnx *model, const char *name, int count, const int64_t *values);

/* Adds a node with one output, `name`, which is also the name of the node. Inputs follow; NULL ends them. Returns the
 * name of the output. The attributes below are those of the node that was added last. */
__attribute__((sentinel)) const char *srq_onnx_node(srq_onnx *model, const char *op, const char *name,
                                                    const char *input, ...);
const char *srq_onnx_node_of(srq_onnx *model, const char *op, const char *name, int count, const char *const *inputs);
void srq_onnx_domain(srq_onnx *model, const char *domain);
void srq_onnx_set_int(srq_onnx *model, const char *name, int64_t value);
void srq_onnx_set_ints(srq_onnx *model, const char *name, int count, const int64_t *values);
void srq_onnx_set_float(srq_onnx *model, const char *name, float value);
void srq_onnx_set_text(srq_onnx *model, const char *name, const char *value);

/* Writes the file, atomically. SRQ_ERROR_RUN, or SRQ_ERROR_USAGE above 2 GB, which no ONNX file can have. */
srq_status srq_onnx_write(srq_onnx *model, const char *path);

#endif
