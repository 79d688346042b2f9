/* The specification of a network. io/ reads it from a model file, and core/graph.h builds the network. */
#ifndef SRQ_CORE_SPEC_H
#define SRQ_CORE_SPEC_H

#include <stdbool.h>

enum {
    SRQ_NAME_SIZE = 64,    /* layer and model names with their terminating zero: [A-Za-z0-9_.-]+ */
    SRQ_INPUTS_MAX = 8,    /* inputs of one layer */
    SRQ_ORIGIN_SIZE = 256, /* "FILE:LINE" */
    SRQ_TYPE_SIZE = 32,    /* names of layer types with their terminating zero */
    SRQ_OWN_MAX = 8,       /* srq_layer_spec's `own` */
    SRQ_LAYERS_MAX = 4096,
    SRQ_SHARDS_MAX = 4096
};

/* A length of training in steps or epochs. Written "500it", "3ep", or a plain integer for steps. */
typedef struct srq_span {
    long count;
    bool epochs;
} srq_span;

/* A schedule of bit-lengths: bits[0] until until[0], then bits[1] until until[1], ..., and bits[count - 1] to the end
 * of training. */
enum { SRQ_STAGES_MAX = 8 };
typedef struct srq_bits_schedule {
    int count;
    int bits[SRQ_STAGES_MAX];
    srq_span until[SRQ_STAGES_MAX - 1];
} srq_bits_schedule;

typedef enum srq_dropbits {
    SRQ_DROPBITS_OFF,
    SRQ_DROPBITS_REGULARIZE, /* gates in training; evaluation uses the whole grid */
    SRQ_DROPBITS_LEARN       /* the gates select the bit-length */
} srq_dropbits;

typedef enum srq_estimator { SRQ_ESTIMATOR_FULL, SRQ_ESTIMATOR_ARGMAX } srq_estimator;

/* How one tensor is quantized (method.md, sections 1-3). */
typedef struct srq_quantizer_spec {
    char method[16];         /* a name of core/quant/methods.h; "float32": no quantization */
    srq_estimator estimator; /* for methods that list quantizer.estimator */
    srq_bits_schedule bits;  /* bit-length b, 1..8 */
    bool per_channel;        /* weights: one (alpha, sigma) for each output channel */
    float sigma_ratio;       /* for methods with sigma: initial sigma / alpha */
    float temperature;       /* of the Gumbel softmax, for methods that list quantizer.temperature */
    float reach; /* for these methods: radius of the local grid in standard deviations of the noise; 0: all codes */
    srq_dropbits dropbits; /* for weights and methods with gates */
    int min_bits;          /* DropBits: c0, the bits that are never dropped */
    float open;            /* DropBits: initial S(phi) */
    bool follow;           /* SRQ_DROPBITS_LEARN: alpha and sigma are adapted when gates select another bit-length */
} srq_quantizer_spec;

/* The value of an operator's setting, in the member for its kind (core/ops/setting.h). */
typedef union srq_own_value {
    int whole, pair[2];
    float real;
    bool flag;
} srq_own_value;

/* A layer. Settings that its type does not have are 0, and the reader rejects them in the file. */
typedef struct srq_layer_spec {
    char name[SRQ_NAME_SIZE];
    char type[SRQ_TYPE_SIZE]; /* the name of an operator in core/ops/operators.def */
    int input_count;
    char inputs[SRQ_INPUTS_MAX][SRQ_NAME_SIZE]; /* names of earlier layers, or "input" for the images */
    int out;                                    /* conv, dense: output channels */
    int kernel[2];                  /* conv, pools: height, width; for avg_pool, 0, 0 means the whole image */
    int stride[2];                  /* conv: 1 by default; pools: the kernel by default */
    int padding[2];                 /* conv: zeros added on each side; 0 by default */
    int groups;                     /* conv: number of groups of channels; 1 by default; 0 means 1 */
    bool bias;                      /* conv, dense: true by default */
    float momentum;                 /* batch_norm: weight of the new batch in the running statistics, 0.1 by default */
    float epsilon;                  /* batch_norm: 1e-5 by default */
    float max;                      /* relu: the ceiling, 6 for ReLU6; 0, the default, for none */
    srq_quantizer_spec quantizer;   /* conv, dense: for the weights; quantize: for the activation */
    srq_own_value own[SRQ_OWN_MAX]; /* settings of the type's table that have no field above */
    char origin[SRQ_ORIGIN_SIZE];   /* place in the file, for messages: "models/lenet5.cfg:7" */
} srq_layer_spec;

/* A network. Every layer comes after its inputs. The last layer gives the logits. */
typedef struct srq_model_spec {
    char name[SRQ_NAME_SIZE];
    int height, width, channels; /* shape of the input images */
    int layer_count;
    srq_layer_spec *layers; /* [layer_count] */
    char origin[SRQ_ORIGIN_SIZE];
} srq_model_spec;

#endif
