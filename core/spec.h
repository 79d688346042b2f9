/* What a network is, in plain numbers: read by io/ from a model file, built by core/graph.h. */
#ifndef SRQ_CORE_SPEC_H
#define SRQ_CORE_SPEC_H

#include <stdbool.h>

enum {
    SRQ_NAME_SIZE = 64,    /* layer and model names with their zero: [A-Za-z0-9_.-]+ */
    SRQ_INPUTS_MAX = 8,    /* inputs of one layer */
    SRQ_ORIGIN_SIZE = 256, /* "FILE:LINE" */
    SRQ_TYPE_SIZE = 32,    /* names of layer types with their zero */
    SRQ_OWN_MAX = 8,       /* srq_layer_spec's `own` */
    SRQ_LAYERS_MAX = 4096,
    SRQ_SHARDS_MAX = 4096
};

/* A length of training: `count` steps or epochs. Written "500it", "3ep", or a plain integer for steps. */
typedef struct srq_span {
    long count;
    bool epochs;
} srq_span;

/* Bit-lengths over training: bits[0] until until[0], then bits[1] until until[1], ... and bits[count - 1] to the end.
 */
enum { SRQ_STAGES_MAX = 8 };
typedef struct srq_bits_schedule {
    int count;
    int bits[SRQ_STAGES_MAX];
    srq_span until[SRQ_STAGES_MAX - 1];
} srq_bits_schedule;

typedef enum srq_dropbits {
    SRQ_DROPBITS_OFF,
    SRQ_DROPBITS_REGULARIZE, /* gates in training; the whole grid otherwise */
    SRQ_DROPBITS_LEARN       /* the gates decide the bit-length */
} srq_dropbits;

typedef enum srq_estimator { SRQ_ESTIMATOR_FULL, SRQ_ESTIMATOR_ARGMAX } srq_estimator;

/* How one tensor is quantized (method.md, sections 1-3). */
typedef struct srq_quantizer_spec {
    char method[16];         /* a name of core/quant/methods.h; "float32" leaves the tensor as it is */
    srq_estimator estimator; /* of methods that list quantizer.estimator */
    srq_bits_schedule bits;  /* bit-length b, 1..8 */
    bool per_channel;        /* weights: one (alpha, sigma) for each output channel */
    float sigma_ratio;       /* of methods with sigma: sigma / alpha at the start */
    float temperature;       /* of the Gumbel softmax, of methods that list quantizer.temperature */
    float reach;             /* of these, too: the local grid in standard deviations of the noise; 0 takes all codes */
    srq_dropbits dropbits;   /* weights, of methods with gates */
    int min_bits;            /* DropBits: c0, below which nothing is dropped */
    float open;              /* DropBits: S(phi) at the start */
    bool follow;             /* SRQ_DROPBITS_LEARN: alpha and sigma go over to each bit-length that gates stand for */
} srq_quantizer_spec;

/* The value of a setting of one operator, in the member that its kind names (core/ops/setting.h). */
typedef union srq_own_value {
    int whole, pair[2];
    float real;
    bool flag;
} srq_own_value;

/* One layer. A setting that the layer's type does not have is 0, and the reader refuses it in the file. */
typedef struct srq_layer_spec {
    char name[SRQ_NAME_SIZE];
    char type[SRQ_TYPE_SIZE]; /* of an operator in core/ops/operators.def */
    int input_count;
    char inputs[SRQ_INPUTS_MAX][SRQ_NAME_SIZE]; /* names of earlier layers, or "input" for the images */
    int out;                                    /* conv, dense: output channels */
    int kernel[2];                  /* conv, pools: height, width; 0, 0 for avg_pool means the whole image */
    int stride[2];                  /* conv: 1 by default; pools: the kernel by default */
    int padding[2];                 /* conv: zeros added on each side; 0 by default */
    int groups;                     /* conv: parts that channels are cut into, each convolved alone; 1 by default, and 0
                                       is 1 */
    bool bias;                      /* conv, dense: true by default */
    float momentum;                 /* batch_norm: weight of the new batch in the running statistics, 0.1 by default */
    float epsilon;                  /* batch_norm: 1e-5 by default */
    float max;                      /* relu: the ceiling, 6 for ReLU6; 0, the default, for none */
    srq_quantizer_spec quantizer;   /* conv, dense: of the weights; quantize: of the activation */
    srq_own_value own[SRQ_OWN_MAX]; /* what the type's own table says, for settings without a field above */
    char origin[SRQ_ORIGIN_SIZE];   /* where it was declared, for messages: "models/lenet5.cfg:7" */
} srq_layer_spec;

/* A network: layers in an order in which every input comes before its users. The last layer gives the logits. */
typedef struct srq_model_spec {
    char name[SRQ_NAME_SIZE];
    int height, width, channels; /* of the input images */
    int layer_count;
    srq_layer_spec *layers; /* [layer_count] */
    char origin[SRQ_ORIGIN_SIZE];
} srq_model_spec;

#endif
