/* Configurations: libconfig files checked against a schema, with --set overrides, and their resolved text.
 *
 * A configuration names a model file (`model = "models/lenet5.cfg"`, relative to the configuration) or holds the
 * model itself as a group (`model = { name = ...; input = ...; layers = ( ... ); }`), which is what the resolved
 * text does: a run directory and a checkpoint need no other file. */
#ifndef SRQ_IO_CONFIG_H
#define SRQ_IO_CONFIG_H

#include "core/spec.h"
#include "core/status.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A length of training: `count` steps or epochs. Written "500it", "3ep", or a plain integer for steps. */
typedef struct srq_span {
    long count;
    bool epochs;
} srq_span;

/* Steps of a span, with `steps_per_epoch` steps in an epoch. */
long srq_span_steps(srq_span span, long steps_per_epoch);

/* Every setting of a configuration, with defaults filled in. Names and order are those of the file. */
typedef struct srq_settings {
    srq_model_spec model; /* its quantizer fields are filled from the quantizer group below */
    struct {
        char file[4096]; /* absolute, or as given when it came from text without a folder */
    } data;
    struct {
        int batch;                 /* 128: images of a step, over all ranks */
        int shards;                /* 8: logical shards of a batch, at most `batch` */
        int epochs;                /* 10 */
        long max_steps;            /* 0: no limit besides epochs */
        int64_t seed;              /* 1: any integer >= 0 */
        char init[4096];           /* "random", or the path of a checkpoint */
        char engine[16];           /* "auto" | "float32" */
        srq_span checkpoint_every; /* "1ep" */
        int keep;                  /* 3: newest checkpoints kept */
        srq_span eval_every;       /* "1ep"; 0 evaluates at the end only */
        srq_span log_every;        /* "50it" */
    } train;
    struct {
        char method[16];            /* "adam" | "sgd" */
        double learning_rate;       /* 1e-3: weights, biases, batch-norm */
        double alpha_learning_rate; /* 1e-3: step sizes, in log alpha */
        double sigma_learning_rate; /* 1e-3: noise scales, in log sigma; 0 keeps sigma as it starts */
        double momentum;            /* 0.9: sgd */
        double beta1, beta2;        /* 0.9, 0.999: adam */
        double epsilon;             /* 1e-8: adam */
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
        char method[16];     /* "srq" | "lsq" | "ste" | "float32" */
        char estimator[16];  /* "full" | "argmax" */
        int weight_bits;     /* 2 */
        int activation_bits; /* 2 */
        double sigma_ratio;  /* 1/3 */
    } quantizer;
} srq_settings;

typedef struct srq_config srq_config;

/* Reads `path`, applies `sets` ("train.epochs=3", in order; text values may go without quotes), checks all of it.
 * On failure SRQ_ERROR_USAGE with one message: "FILE:LINE: ..." (or "--set a.b=v: ..."), naming the closest valid
 * name for an unknown one. The caller destroys *config. */
srq_status srq_config_load(const char *path, int set_count, const char *const *sets, srq_config **config);

/* The same from text in memory (a checkpoint's resolved configuration); `name` stands for the file in messages. */
srq_status srq_config_parse(const char *text, const char *name, srq_config **config);

void srq_config_destroy(srq_config **config);

/* The settings, owned by the configuration. */
const srq_settings *srq_config_settings(const srq_config *config);

/* The resolved configuration as text in libconfig syntax: every setting in schema order, the model inlined. Reading
 * it back gives the same settings and the same text. Owned by the configuration. */
const char *srq_config_text(const srq_config *config);

/* Finds the first setting that differs between two configurations among those that decide a run's results (not
 * data.file, train.keep, train.checkpoint_every, train.log_every, train.eval_every). Returns false if none does;
 * otherwise true and writes into `what` e.g. `train.batch is 128 here and 64 there`. */
bool srq_config_differs(const srq_config *here, const srq_config *there, char *what, size_t what_size);

/* Prints the reference of every setting: path, type, range or choices, default, meaning. As Markdown it is the body
 * of docs/configuration.md, else plain text for `srq help configuration`. */
void srq_config_reference(FILE *out, bool markdown);

#endif
