/* Configurations: libconfig files checked against a schema, with --set overrides, and their resolved text.
 *
 * A configuration names a model file (`model = "models/lenet5.cfg"`, relative to the configuration) or holds the
 * model itself as a group (`model = { name = ...; input = ...; layers = ( ... ); }`), which is what the resolved
 * text does: a run directory and a checkpoint need no other file. */
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

/* What one layer's quantizer does differently from the quantizer group. */
typedef struct srq_layer_override {
    char name[SRQ_NAME_SIZE];
    unsigned given; /* bit i: the i-th setting below is given */
    char method[16], estimator[16];
    srq_bits_schedule bits; /* of weights (conv, dense) or of the activation (quantize) */
    char granularity[16];
    double sigma_ratio;
    char dropbits[16]; /* "on" | "off" */
    char where[512];
} srq_layer_override;

/* Every setting of a configuration, with defaults filled in. Names and order are those of the file. */
typedef struct srq_settings {
    srq_model_spec model; /* its quantizer fields are filled from the quantizer group below */
    struct {
        char file[4096]; /* absolute, or as given when it came from text without a folder */
        int classes;     /* 0: as the model file says */
        char crop[16];   /* "plain" | "resized" */
        int pad;         /* 0 */
        bool flip;       /* false */
        double scale_min, scale_max, ratio_min, ratio_max; /* 0.08, 1, 3/4, 4/3 */
        int resize;                                        /* 0: 8/7 of the network's input */
        char normalize[16];                                /* "dataset" | "none" */
    } data;
    struct {
        int batch;                 /* 128: images of a step, over all ranks */
        int shards;                /* 8: logical shards of a batch, at most `batch` */
        srq_span epochs;           /* 10 */
        srq_span max_steps;        /* "0it": no limit besides epochs */
        int64_t seed;              /* 1: any integer >= 0 */
        char init[4096];           /* "random", or the path of a checkpoint or of an HDF5 file of tensors */
        double init_gain;          /* sqrt(2): deviation of random weights times sqrt(fan-in) */
        int init_draw;             /* 0: which of the random initial weights that belong to the seed */
        char masks[4096];          /* "none", or the path of a checkpoint or of a file of masks */
        char init_match[16];       /* "all" | "partial": whether every tensor must fit */
        char isa[16];              /* "auto": what all ranks' CPUs have; else a name of core/kernels/isa.h */
        char engine[16];           /* "auto" | "mixed" | "float32" | "reference" */
        char wire[16];             /* "float32" | "bfloat16": gradients of weights between ranks */
        double bucket_mb;          /* 4: gradients exchanged together, at least */
        bool overlap;              /* true: buckets are sent during the backward pass */
        double stall_warn;         /* 10 seconds of waiting for other ranks; 0: no watch */
        double stall_end;          /* 50; 0: never */
        srq_span checkpoint_every; /* "1ep" */
        int keep;                  /* 3: newest checkpoints kept */
        srq_span eval_every;       /* "1ep"; 0 evaluates at the end only */
        srq_span log_every;        /* "50it" */
        char nonfinite[16];        /* "stop" | "skip": a step whose loss or gradient holds an infinity or NaN */
    } train;
    struct {
        char method[16];            /* "adam" | "sgd" */
        double learning_rate;       /* 1e-3: weights, biases, batch-norm */
        double alpha_learning_rate; /* 1e-3: step sizes, in log alpha */
        double sigma_learning_rate; /* 1e-3: noise scales, in log sigma; 0 keeps sigma as it starts */
        double momentum;            /* 0.9: sgd */
        double beta1, beta2;        /* 0.9, 0.999: adam */
        double epsilon;             /* 1e-8: adam */
        double gate_learning_rate;  /* 2e-3: logits of DropBits' gates */
        double weight_decay;        /* 0: on conv and dense weights only, added to the gradient */
    } optimizer;
    struct {
        char method[16];     /* "cosine" | "constant" | "step" | "linear": shape of every learning rate over training */
        srq_span warmup;     /* "0it": linear from 0 */
        srq_span step_every; /* "10ep": step only */
        double factor;       /* 0.1: step only */
        double final;        /* 0: linear and cosine end at this share of the initial rate */
    } schedule;
    struct {
        char method[16];                   /* a name of core/quant/methods.h, or "float32" */
        char estimator[16];                /* "full" | "argmax": of weights */
        char activation_estimator[16];     /* "full" | "argmax" */
        srq_bits_schedule weight_bits;     /* 2 */
        srq_bits_schedule activation_bits; /* 2 */
        char granularity[16];              /* "tensor" | "channel": of the weights' alpha and sigma */
        char sigma[16];                    /* "learned" | "fixed" | "annealed" */
        double sigma_ratio;                /* 1/3 */
        double sigma_final;                /* 0.1: sigma / alpha at the end, annealed */
        double temperature;                /* 1: of the Gumbel softmax */
        double local_grid;                 /* 3: in standard deviations of the noise */
        int override_count;
        srq_layer_override *overrides; /* `layers`: what single layers do differently */
    } quantizer;
    struct {
        char mode[16];           /* "off" | "regularize" | "learn" */
        int min_bits;            /* 2 */
        double open;             /* 0.9: probability S(phi) of a gate at the start */
        double penalty;          /* 1e-2: lambda, learn only */
        char weights[16];        /* "uniform" | "params" | "bops": w_l, learn only */
        double target;           /* 0: none; else lambda is adapted to end there */
        char target_measure[16]; /* "bits" | "bops" */
        bool follow;             /* false: alpha and sigma follow learned bit-lengths */
        srq_span until;          /* "0it": gates act to the end */
    } dropbits;
    struct {
        int levels;      /* 0: no pruning */
        double rate;     /* 0.2 */
        char scope[16];  /* "layer" | "global" */
        srq_span rewind; /* "0it" */
    } prune;             /* read by `srq ticket` */
} srq_settings;

typedef struct srq_config srq_config;

/* Reads `path`, applies `sets` ("train.epochs=3", in order; text values may go without quotes), checks all of it.
 * On failure SRQ_ERROR_USAGE with one message: "FILE:LINE: ..." (or "--set a.b=v: ..."), naming the closest valid
 * name for an unknown one. The caller destroys *config. */
srq_status srq_config_load(const char *path, int set_count, const char *const *sets, srq_config **config);

/* The same from text in memory (a checkpoint's resolved configuration); `name` stands for the file in messages. */
srq_status srq_config_parse(const char *text, const char *name, srq_config **config);

void srq_config_destroy(srq_config **config);

/* A bit-length of one layer's weights. */
typedef struct srq_layer_bits {
    char name[SRQ_NAME_SIZE];
    int bits;
} srq_layer_bits;

/* `from` with `sets`, as in srq_config_load, and then with these bit-lengths, which replace what quantizer.layers says
 * of them; an entry's dropbits goes where dropbits.mode is "off" now. SRQ_ERROR_USAGE as above. */
srq_status srq_config_derive(const srq_config *from, int set_count, const char *const *sets, int bit_count,
                             const srq_layer_bits *bits, srq_config **config);

/* The settings, owned by the configuration. */
const srq_settings *srq_config_settings(const srq_config *config);

/* The resolved configuration as text in libconfig syntax: every setting in schema order, the model inlined. Reading
 * it back gives the same settings and the same text. Owned by the configuration. */
const char *srq_config_text(const srq_config *config);

/* Finds the first setting that differs between two configurations among those that decide a run's results (not
 * data.file, train.keep, train.checkpoint_every, train.log_every, train.eval_every). Returns false if none does;
 * otherwise true and writes into `what` e.g. `train.batch is 128 here and 64 there`. */
bool srq_config_differs(const srq_config *here, const srq_config *there, char *what, size_t what_size);

/* Whether `set` ("path=value", as srq_config_load took it) says what other settings of `config` leave without effect;
 * then writes why into `why`: `it acts where dropbits.mode is "learn", and it is "off"`. Not all of them are known. */
bool srq_config_is_idle(const srq_config *config, const char *set, char *why, size_t size);

/* Calls `visit` for every setting that decides a run's results, in the order of the schema, with its value as libconfig
 * text; at the end for "quantizer.layers" and "model", whose values may be long. SRQ_ERROR_RUN without memory. */
typedef void srq_choice_visitor(void *context, const char *path, const char *value);
srq_status srq_config_visit_choices(const srq_config *config, srq_choice_visitor *visit, void *context);

/* SHA-256 of the settings that decide a run's results and are not at their defaults, and of the model, in an order of
 * its own: settings that are added later, or said although they are defaults, change nothing. Without train.seed; the
 * data set counts by its file's name, without the folder. `init` stands for train.init, NULL for what that says.
 * Directories of runs are named by it (io/sweep.h): it must never change. */
srq_status srq_config_digest(const srq_config *config, const char *init, char text[SRQ_DIGEST_SIZE]);

/* Prints the reference of every setting: path, type, range or choices, default, meaning. As Markdown it is the body
 * of docs/configuration.md, else plain text for `srq help configuration`. */
void srq_config_reference(FILE *out, bool markdown);

#endif
