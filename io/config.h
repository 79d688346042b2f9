/* Configurations are libconfig files. They are checked against a schema, can be overridden by --set, and have a
 * resolved text.
 *
 * A configuration names a model file (`model = "models/lenet5.cfg"`, relative to the configuration), or contains the
 * model as a group (`model = { name = ...; input = ...; layers = ( ... ); }`). The resolved text contains it, so a run
 * directory and a checkpoint need no other file. */
#ifndef SRQ_IO_CONFIG_H
#define SRQ_IO_CONFIG_H

#include "core/spec.h"
#include "core/status.h"
#include "io/digest.h"
#include "io/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Quantizer settings of a single layer, which override the quantizer group. */
typedef struct srq_layer_override {
    char name[SRQ_NAME_SIZE];
    unsigned given; /* bit i: setting i below is given */
    char method[16], estimator[16];
    srq_bits_schedule bits; /* bits of weights (conv, dense) or of the activation (quantize) */
    char granularity[16];
    double sigma_ratio;
    char dropbits[16]; /* "on" | "off" */
    char where[512];
} srq_layer_override;

/* All settings of a configuration, including defaults. Names and order are those of the file. Comments give the
 * default. */
typedef struct srq_settings {
    srq_model_spec model; /* its quantizer fields come from the quantizer group below */
    struct {
        char file[4096]; /* absolute; as given if the configuration was read from text without a folder */
        int classes;     /* 0: as the model file says */
        char crop[16];   /* "plain" | "resized" */
        int pad;         /* 0 */
        bool flip;       /* false */
        int cutout;      /* 0: none; otherwise the side of a square that is cut out */
        double brightness, contrast, saturation, hue;      /* 0: none; widths of random changes of colour */
        double scale_min, scale_max, ratio_min, ratio_max; /* 0.08, 1, 3/4, 4/3 */
        int resize;                                        /* 0: 8/7 of the network's input */
        char normalize[16];                                /* "dataset" | "none" */
        double validation; /* 0: none; below 1: a share of the training images; otherwise their number */
    } data;
    struct {
        int batch;           /* 128: images per step, over all ranks */
        int shards;          /* 8: logical shards per batch, at most `batch` */
        int slices;          /* 1: slices per shard; shards x slices is at most SRQ_SHARDS_MAX */
        srq_span epochs;     /* 10 */
        srq_span max_steps;  /* "0it": no limit other than epochs */
        int64_t seed;        /* 1: any integer >= 0 */
        char init[4096];     /* "random", or the path of a checkpoint or of an HDF5 file of tensors */
        double init_gain;    /* sqrt(2): standard deviation of random weights times sqrt(fan-in) */
        int init_draw;       /* 0: selects other random initial weights for the same seed */
        char masks[4096];    /* "none", or the path of a checkpoint or of a mask file */
        char init_match[16]; /* "all" | "partial": whether all tensors must fit */
        char isa[16];        /* "auto": what the CPUs of all ranks have in common; or a name of core/kernels/isa.h */
        char engine[16];     /* "auto" | "mixed" | "integer" | "float32" | "reference" */
        char wire[16];       /* "float32" | "bfloat16": format of gradients of weights between ranks */
        double bucket_mb;    /* 4: smallest size of a bucket of gradients */
        bool overlap;        /* true: send buckets during the backward pass */
        double stall_warn;   /* 10 seconds of waiting for other ranks; 0: no watch */
        double stall_end;    /* 50; 0: never */
        srq_span checkpoint_every; /* "1ep" */
        int keep;                  /* 3: number of newest checkpoints to keep */
        srq_span eval_every;       /* "1ep"; 0: evaluate only at the end */
        int patience;              /* 0: no early stopping; otherwise evaluations without improvement */
        srq_span log_every;        /* "50it" */
        bool tensorboard;          /* false: write event files for TensorBoard */
        double label_smoothing;    /* 0: share of the target that is spread over all classes */
        double average;            /* 0: none; otherwise the decay of the average of the weights */
        double clip_norm;          /* 0: no clipping; otherwise the largest norm of the gradient */
        char nonfinite[16];        /* "stop" | "skip": after an infinity or NaN in a loss or gradient */
    } train;
    struct {
        char method[16];            /* "adam" | "adamw" | "sgd" */
        double learning_rate;       /* 1e-3: weights, biases, batch-norm */
        double alpha_learning_rate; /* 1e-3: step sizes, in log alpha */
        double sigma_learning_rate; /* 1e-3: noise scales, in log sigma; 0: sigma keeps its initial value */
        double momentum;            /* 0.9: sgd */
        bool nesterov;              /* false: sgd */
        double beta1, beta2;        /* 0.9, 0.999: adam, adamw */
        double epsilon;             /* 1e-8: adam, adamw */
        double gate_learning_rate;  /* 2e-3: logits of DropBits' gates */
        double weight_decay;        /* 0: for conv and dense weights only */
    } optimizer;
    struct {
        char method[16];     /* "cosine" | "constant" | "step" | "linear": the learning-rate schedule */
        srq_span warmup;     /* "0it": length of a linear rise from 0 */
        srq_span step_every; /* "10ep": step only */
        double factor;       /* 0.1: step only */
        double final;        /* 0: final share of the learning rate, linear and cosine only */
    } schedule;
    struct {
        char method[16];                   /* a name of core/quant/methods.h, or "float32" */
        char estimator[16];                /* "full" | "argmax": of weights */
        char activation_estimator[16];     /* "full" | "argmax" */
        srq_bits_schedule weight_bits;     /* 2 */
        srq_bits_schedule activation_bits; /* 2 */
        char granularity[16];              /* "tensor" | "channel": one alpha and sigma of weights for each */
        char sigma[16];                    /* "learned" | "fixed" | "annealed" */
        double sigma_ratio;                /* 1/3 */
        double sigma_final;                /* 0.1: sigma / alpha at the end, annealed */
        double temperature;                /* 1: of the Gumbel softmax */
        double local_grid;                 /* 3: radius of the local grid in standard deviations of the noise */
        int override_count;
        srq_layer_override *overrides; /* `layers`: settings of single layers */
    } quantizer;
    struct {
        char mode[16];           /* "off" | "regularize" | "learn" */
        int min_bits;            /* 2 */
        double open;             /* 0.9: initial probability S(phi) of a gate */
        double penalty;          /* 1e-2: lambda, learn only */
        char weights[16];        /* "uniform" | "params" | "bops": w_l, learn only */
        double target;           /* 0: no target; otherwise gates are steered to it */
        char target_measure[16]; /* "bits" | "bops" */
        bool follow;             /* false: alpha and sigma follow learned bit-lengths */
        srq_span until;          /* "0it": gates act until the end */
        srq_span ramp;           /* "0it": lambda is constant, learn only */
    } dropbits;
    struct {
        int levels;      /* 0: no pruning */
        double rate;     /* 0.2 */
        char scope[16];  /* "layer" | "global" */
        srq_span rewind; /* "0it" */
        bool random;     /* false: no stages with random masks */
    } prune;             /* read by `srq ticket` */
} srq_settings;

typedef struct srq_config srq_config;

/* Reads `path`, applies `sets` in order ("train.epochs=3"; text needs no quotes), and checks everything.
 * SRQ_ERROR_USAGE with a line for each mistake, "FILE:LINE: ..." or "--set a.b=v: ..." (io/mistakes.h). For an unknown
 * name, it suggests the most similar one. The caller destroys *config. */
srq_status srq_config_load(const char *path, int set_count, const char *const *sets, srq_config **config);

/* The same from text in memory, for example a checkpoint's resolved configuration. `name` is the file name in messages.
 */
srq_status srq_config_parse(const char *text, const char *name, srq_config **config);

void srq_config_destroy(srq_config **config);

/* The bit-length of a layer's weights. */
typedef struct srq_layer_bits {
    char name[SRQ_NAME_SIZE];
    int bits;
} srq_layer_bits;

/* Copies `from`, applies `sets` as in srq_config_load, and then these bit-lengths, which replace those of
 * quantizer.layers. If dropbits.mode is now "off", `dropbits` is removed from quantizer.layers. SRQ_ERROR_USAGE as
 * above. */
srq_status srq_config_derive(const srq_config *from, int set_count, const char *const *sets, int bit_count,
                             const srq_layer_bits *bits, srq_config **config);

/* The settings, owned by the configuration. */
const srq_settings *srq_config_settings(const srq_config *config);

/* The resolved configuration as text in libconfig syntax: all settings in the order of the schema, and the model.
 * Reading it again gives the same settings and the same text. Owned by the configuration. */
const char *srq_config_text(const srq_config *config);

/* Compares the settings that decide a run's results (not data.file, train.keep, train.checkpoint_every,
 * train.log_every, nor settings that have no effect because of others; train.eval_every only
 * with data.validation). `ticket`: as stages of `srq
 * ticket`, for which prune.* decides as well. Returns false if they are equal. Otherwise returns true, and describes
 * the first difference in `what`: "train.batch is 128 here and 64 there". */
bool srq_config_differs(const srq_config *here, const srq_config *there, bool ticket, char *what, size_t what_size);

/* Whether `set` ("path=value", as for srq_config_load) has no effect on training because of other settings of `config`.
 * Then `why` gets the reason: `it acts only if dropbits.mode is "learn", but that is "off"`. Cases that depend on the
 * data set (data.resize, a train.max_steps beyond train.epochs) are not known. */
bool srq_config_is_idle(const srq_config *config, const char *set, char *why, size_t size);

/* Calls `visit` for every setting that decides a run's results, in the order of the schema, with its value in libconfig
 * syntax. For a setting that has no effect because of others, `idle` is its default; otherwise it is NULL. `ticket`: as
 * in srq_config_differs. At the end come "quantizer.layers" and "model", whose values can be long. SRQ_ERROR_RUN
 * without memory. */
typedef void srq_choice_visitor(void *context, const char *path, const char *value, const char *idle);
srq_status srq_config_visit_choices(const srq_config *config, bool ticket, srq_choice_visitor *visit, void *context);

/* The SHA-256 of the model and of the settings that decide a run's results and differ from their defaults, in a fixed
 * order. So settings that are added later, settings that are given although they have the default value, and settings
 * that have no effect on training do not change it. train.seed is not included. Of data.file, only the name without the
 * folder is included. `init` replaces train.init unless it is NULL. Run directories are named by this digest
 * (io/sweep.h), so it must never change. */
srq_status srq_config_digest(const srq_config *config, const char *init, char text[SRQ_DIGEST_SIZE]);

/* Whether a word alone names a setting: its name without the group ("epochs"), or what other programs call it ("lr").
 * `path` is then the setting. */
bool srq_config_names(const char *word, char *path, size_t size);

/* Prints the reference of all settings: path, type, range or choices, default, meaning. It is the body of
 * docs/configuration.md if `markdown`, otherwise the text of `srq help configuration`. */
void srq_config_reference(FILE *out, bool markdown);
/* The same of one setting, or of the settings of a group ("train" or "train."). False if there is none of this name. */
bool srq_config_reference_of(FILE *out, const char *name);
/* The setting or group that `path` may be meant for, a synonym or a similar name; NULL if there is none. */
const char *srq_setting_closest(const char *path);
/* The path of setting number `index`, in the order of the reference, without "model"; NULL after the last one. */
const char *srq_config_path(int index);
/* The values that it can have, if they are words: "adam sgd" or "true false"; otherwise "". Returns `out`. */
char *srq_config_choices(int index, char *out, size_t size);

#endif
