#include "io/onnx_model.h"

#include "io/file.h"
#include "onnx.pb-c.h"

#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUTS_MAX = 16, SHAPE_MAX = 8 };

/* What is freed at once, at the end. */
typedef struct block {
    struct block *next;
} block;

struct srq_onnx {
    block *blocks;
    bool failed; /* no memory */
    SrqOnnx__ModelProto model;
    SrqOnnx__GraphProto graph;
    SrqOnnx__NodeProto *last;
};

/* --- Memory */

/* Zeros; NULL without memory, which is noted. */
static void *make(srq_onnx *m, size_t size)
{
    block *b = m->failed ? NULL : calloc(1, sizeof *b + size);
    m->failed = !b;
    if (!b) return NULL;
    b->next = m->blocks;
    m->blocks = b;
    return b + 1;
}

static void *copy(srq_onnx *m, const void *data, size_t size)
{
    void *made = make(m, size);
    if (made && size) memcpy(made, data, size);
    return made;
}

/* Never NULL, so that names can be used after a failure. */
static char *copy_text(srq_onnx *m, const char *text)
{
    static char none[] = "";
    char *made = copy(m, text, strlen(text) + 1);
    return made ? made : none;
}

/* Appends an element to a list of pointers. Its room is a power of two. */
static void append(srq_onnx *m, void ***list, size_t *count, void *element)
{
    const size_t n = *count;
    if ((n & (n - 1)) == 0) {
        void **larger = make(m, (n ? 2 * n : 1) * sizeof *larger);
        if (!larger) return;
        if (n) memcpy(larger, *list, n * sizeof *larger);
        *list = larger;
    }
    if (!element) return;
    (*list)[n] = element;
    ++*count;
}
#define APPEND(m, list, count, element)                                                                                \
    do {                                                                                                               \
        void **append_list_ = (void **)(list);                                                                         \
        append(m, &append_list_, &(count), element);                                                                   \
        (list) = (void *)append_list_;                                                                                 \
    } while (0)

srq_status srq_onnx_create(const char *name, int opset, srq_onnx **out)
{
    srq_onnx *m = calloc(1, sizeof *m);
    if (!m) return srq_fail_memory(sizeof *m, "the ONNX model");
    m->model = (SrqOnnx__ModelProto)SRQ_ONNX__MODEL_PROTO__INIT;
    m->graph = (SrqOnnx__GraphProto)SRQ_ONNX__GRAPH_PROTO__INIT;
    m->model.has_ir_version = true;
    /* Of the releases 1.20, 1.16 and 1.8, which have these operator sets. */
    m->model.ir_version = opset >= 25 ? 13 : opset >= 21 ? 10 : 7;
    m->model.producer_name = copy_text(m, "srq export");
    m->model.graph = &m->graph;
    m->graph.name = copy_text(m, name);
    srq_onnx_import(m, "", opset);
    *out = m;
    return SRQ_OK;
}

void srq_onnx_destroy(srq_onnx **model)
{
    srq_onnx *m = *model;
    if (!m) return;
    for (block *b = m->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(m);
    *model = NULL;
}

/* --- The model */

void srq_onnx_import(srq_onnx *m, const char *domain, int version)
{
    SrqOnnx__OperatorSetIdProto *set = make(m, sizeof *set);
    if (!set) return;
    srq_onnx__operator_set_id_proto__init(set);
    set->domain = copy_text(m, domain);
    set->has_version = true;
    set->version = version;
    APPEND(m, m->model.opset_import, m->model.n_opset_import, set);
}

void srq_onnx_describe(srq_onnx *m, const char *text)
{
    m->model.doc_string = copy_text(m, text);
}

void srq_onnx_property(srq_onnx *m, const char *key, const char *value)
{
    SrqOnnx__StringStringEntryProto *pair = make(m, sizeof *pair);
    if (!pair) return;
    srq_onnx__string_string_entry_proto__init(pair);
    pair->key = copy_text(m, key);
    pair->value = copy_text(m, value);
    APPEND(m, m->model.metadata_props, m->model.n_metadata_props, pair);
}

static SrqOnnx__TensorShapeProto *make_shape(srq_onnx *m, int rank, const int64_t *sides)
{
    SrqOnnx__TensorShapeProto *shape = make(m, sizeof *shape);
    if (!shape) return NULL;
    srq_onnx__tensor_shape_proto__init(shape);
    for (int i = 0; i < rank; i++) {
        SrqOnnx__TensorShapeProto__Dimension *side = make(m, sizeof *side);
        if (!side) return NULL;
        srq_onnx__tensor_shape_proto__dimension__init(side);
        if (sides[i] > 0) {
            side->value_case = SRQ_ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            side->dim_value = sides[i];
        } else {
            side->value_case = SRQ_ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
            side->dim_param = copy_text(m, "N");
        }
        APPEND(m, shape->dim, shape->n_dim, side);
    }
    return shape;
}

static SrqOnnx__ValueInfoProto *make_value(srq_onnx *m, const char *name, srq_onnx_type type, int rank,
                                           const int64_t *shape)
{
    SrqOnnx__ValueInfoProto *value = make(m, sizeof *value);
    SrqOnnx__TypeProto *of = make(m, sizeof *of);
    SrqOnnx__TypeProto__Tensor *tensor = make(m, sizeof *tensor);
    if (!tensor) return NULL;
    srq_onnx__value_info_proto__init(value);
    srq_onnx__type_proto__init(of);
    srq_onnx__type_proto__tensor__init(tensor);
    value->name = copy_text(m, name);
    value->type = of;
    of->value_case = SRQ_ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    of->tensor_type = tensor;
    tensor->has_elem_type = true;
    tensor->elem_type = (int32_t)type;
    tensor->shape = make_shape(m, rank, shape);
    return value;
}

const char *srq_onnx_input(srq_onnx *m, const char *name, srq_onnx_type type, int rank, const int64_t *shape)
{
    SrqOnnx__ValueInfoProto *value = make_value(m, name, type, rank, shape);
    APPEND(m, m->graph.input, m->graph.n_input, value);
    return value ? value->name : "";
}

void srq_onnx_output(srq_onnx *m, const char *name, srq_onnx_type type, int rank, const int64_t *shape)
{
    SrqOnnx__ValueInfoProto *value = make_value(m, name, type, rank, shape);
    APPEND(m, m->graph.output, m->graph.n_output, value);
}

/* --- Constants */

static size_t count_of(int rank, const int64_t *shape)
{
    size_t count = 1;
    for (int i = 0; i < rank; i++) count *= (size_t)shape[i];
    return count;
}

/* `size` bytes of raw data; NULL without memory. */
static uint8_t *add_constant(srq_onnx *m, const char *name, srq_onnx_type type, int rank, const int64_t *shape,
                             size_t size, const char **as)
{
    SrqOnnx__TensorProto *tensor = make(m, sizeof *tensor);
    uint8_t *bytes = make(m, size + 1);
    *as = "";
    if (!bytes) return NULL;
    srq_onnx__tensor_proto__init(tensor);
    tensor->n_dims = (size_t)rank;
    tensor->dims = copy(m, shape, (size_t)rank * sizeof *shape);
    tensor->has_data_type = true;
    tensor->data_type = (int32_t)type;
    *as = tensor->name = copy_text(m, name);
    tensor->has_raw_data = true;
    tensor->raw_data = (ProtobufCBinaryData){.len = size, .data = bytes};
    APPEND(m, m->graph.initializer, m->graph.n_initializer, tensor);
    return bytes;
}

/* The bytes of a number, the lowest first on any machine. */
static void put(uint8_t *to, uint64_t bits, int bytes)
{
    for (int i = 0; i < bytes; i++) to[i] = (uint8_t)(bits >> 8 * i);
}

const char *srq_onnx_floats(srq_onnx *m, const char *name, int rank, const int64_t *shape, const float *data)
{
    const char *as;
    const size_t count = count_of(rank, shape);
    uint8_t *to = add_constant(m, name, SRQ_ONNX_FLOAT, rank, shape, 4 * count, &as);
    for (size_t i = 0; to && i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &data[i], sizeof bits);
        put(to + 4 * i, bits, 4);
    }
    return as;
}

const char *srq_onnx_longs(srq_onnx *m, const char *name, int rank, const int64_t *shape, const int64_t *data)
{
    const char *as;
    const size_t count = count_of(rank, shape);
    uint8_t *to = add_constant(m, name, SRQ_ONNX_INT64, rank, shape, 8 * count, &as);
    for (size_t i = 0; to && i < count; i++) put(to + 8 * i, (uint64_t)data[i], 8);
    return as;
}

const char *srq_onnx_codes(srq_onnx *m, const char *name, srq_onnx_type type, int rank, const int64_t *shape,
                           const int16_t *data)
{
    const char *as;
    const size_t bits = type == SRQ_ONNX_INT2 ? 2 : type == SRQ_ONNX_UINT4 || type == SRQ_ONNX_INT4 ? 4 : 8;
    const size_t count = count_of(rank, shape), share = 8 / bits;
    uint8_t *to = add_constant(m, name, type, rank, shape, (count + share - 1) / share, &as);
    for (size_t i = 0; to && i < count; i++)
        to[i / share] = (uint8_t)(to[i / share] | (data[i] & ((1 << bits) - 1)) << (i % share * bits));
    return as;
}

const char *srq_onnx_float(srq_onnx *m, const char *name, float value)
{
    return srq_onnx_floats(m, name, 0, NULL, &value);
}

const char *srq_onnx_code(srq_onnx *m, const char *name, srq_onnx_type type, int value)
{
    const int16_t code = (int16_t)value;
    return srq_onnx_codes(m, name, type, 0, NULL, &code);
}

const char *srq_onnx_list(srq_onnx *m, const char *name, int count, const int64_t *values)
{
    const int64_t shape = count;
    return srq_onnx_longs(m, name, 1, &shape, values);
}

/* --- Nodes */

const char *srq_onnx_node_of(srq_onnx *m, const char *op, const char *name, int count, const char *const *inputs)
{
    SrqOnnx__NodeProto *node = make(m, sizeof *node);
    if (!node) return "";
    srq_onnx__node_proto__init(node);
    node->op_type = copy_text(m, op);
    node->name = copy_text(m, name);
    for (int i = 0; i < count; i++) APPEND(m, node->input, node->n_input, copy_text(m, inputs[i]));
    APPEND(m, node->output, node->n_output, copy_text(m, name));
    APPEND(m, m->graph.node, m->graph.n_node, node);
    m->last = node;
    return m->failed ? "" : node->output[0];
}

const char *srq_onnx_node(srq_onnx *m, const char *op, const char *name, const char *input, ...)
{
    const char *inputs[INPUTS_MAX];
    int count = 0;
    va_list more;
    va_start(more, input);
    for (const char *next = input; next && count < INPUTS_MAX; next = va_arg(more, const char *))
        inputs[count++] = next;
    va_end(more);
    return srq_onnx_node_of(m, op, name, count, inputs);
}

void srq_onnx_domain(srq_onnx *m, const char *domain)
{
    if (m->last) m->last->domain = copy_text(m, domain);
}

static SrqOnnx__AttributeProto *add_attribute(srq_onnx *m, const char *name,
                                              SrqOnnx__AttributeProto__AttributeType type)
{
    SrqOnnx__AttributeProto *attribute = m->last ? make(m, sizeof *attribute) : NULL;
    if (!attribute) return NULL;
    srq_onnx__attribute_proto__init(attribute);
    attribute->name = copy_text(m, name);
    attribute->has_type = true;
    attribute->type = type;
    APPEND(m, m->last->attribute, m->last->n_attribute, attribute);
    return attribute;
}

void srq_onnx_set_int(srq_onnx *m, const char *name, int64_t value)
{
    SrqOnnx__AttributeProto *a = add_attribute(m, name, SRQ_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    if (!a) return;
    a->has_i = true;
    a->i = value;
}

void srq_onnx_set_ints(srq_onnx *m, const char *name, int count, const int64_t *values)
{
    SrqOnnx__AttributeProto *a = add_attribute(m, name, SRQ_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    if (!a) return;
    a->ints = copy(m, values, (size_t)count * sizeof *values);
    a->n_ints = a->ints ? (size_t)count : 0;
}

void srq_onnx_set_float(srq_onnx *m, const char *name, float value)
{
    SrqOnnx__AttributeProto *a = add_attribute(m, name, SRQ_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    if (!a) return;
    a->has_f = true;
    a->f = value;
}

void srq_onnx_set_text(srq_onnx *m, const char *name, const char *value)
{
    SrqOnnx__AttributeProto *a = add_attribute(m, name, SRQ_ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    if (!a) return;
    a->has_s = true;
    a->s = (ProtobufCBinaryData){.len = strlen(value), .data = (uint8_t *)copy_text(m, value)};
}

/* --- Writing */

srq_status srq_onnx_write(srq_onnx *m, const char *path)
{
    if (m->failed) return srq_fail_memory(0, "the ONNX model");
    const size_t size = srq_onnx__model_proto__get_packed_size(&m->model);
    if (size > INT_MAX)
        return srq_fail(SRQ_ERROR_USAGE,
                        "export: %s would have %zu bytes, but an ONNX file has at most 2^31 - 1; export to another "
                        "format",
                        path, size);
    uint8_t *bytes = malloc(size + 1);
    if (!bytes) return srq_fail_memory(size, "the ONNX file");
    srq_onnx__model_proto__pack(&m->model, bytes);
    const srq_status status = srq_file_write_atomic(path, bytes, size);
    free(bytes);
    return status;
}
