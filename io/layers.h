/* The types of layers and the settings they have in model files, for io/model.c and io/model_read.c. */
#ifndef SRQ_IO_LAYERS_H
#define SRQ_IO_LAYERS_H

/* Which settings a layer type has. */
enum {
    SRQ_KEY_OUT = 1,
    SRQ_KEY_KERNEL = 2,
    SRQ_KEY_STRIDE = 4,
    SRQ_KEY_PADDING = 8,
    SRQ_KEY_GROUPS = 16,
    SRQ_KEY_BIAS = 32,
    SRQ_KEY_MOMENTUM = 64,
    SRQ_KEY_EPSILON = 128,
    SRQ_KEY_MAX = 256
};

typedef struct srq_layer_type {
    const char *name;
    unsigned keys, required;
} srq_layer_type;

/* One setting in a model file; key 0 is of every layer. */
typedef struct srq_layer_key {
    const char *name;
    unsigned key;
} srq_layer_key;

enum { SRQ_LAYER_TYPES = 8, SRQ_LAYER_KEYS = 12 };
extern const srq_layer_type srq_layer_types[SRQ_LAYER_TYPES];
extern const srq_layer_key srq_layer_keys[SRQ_LAYER_KEYS];

/* The type called `name`, or NULL. */
const srq_layer_type *srq_layer_type_find(const char *name);

#endif
