/* The stages of a ticket and their configurations (docs/tickets.md). */
#ifndef SRQ_EXPERIMENTS_STUDY_PLAN_H
#define SRQ_EXPERIMENTS_STUDY_PLAN_H

#include "core/graph.h"
#include "io/checkpoint.h"
#include "io/config.h"

typedef enum srq_stage_kind {
    SRQ_STAGE_LEARN,      /* trains weights and bit-lengths together, or only weights if no bit-length is learned */
    SRQ_STAGE_REWIND,     /* the learned bit-lengths, from the weights that stage learn had at prune.rewind */
    SRQ_STAGE_SCRATCH,    /* the learned bit-lengths, from new random weights */
    SRQ_STAGE_BELOW,      /* one bit-length: the mean of the learned ones, rounded down; weights as in scratch */
    SRQ_STAGE_ABOVE,      /* the same, rounded up */
    SRQ_STAGE_SHUFFLE,    /* the learned bit-lengths in another order of layers; weights as in scratch */
    SRQ_STAGE_TUNE,       /* the learned bit-lengths, from the initial weights of the configuration */
    SRQ_STAGE_TUNE_BELOW, /* bit-lengths as in BELOW, ABOVE and SHUFFLE; weights as in TUNE. Only if train.init names a
                             file */
    SRQ_STAGE_TUNE_ABOVE,
    SRQ_STAGE_TUNE_SHUFFLE,
    SRQ_STAGE_PRUNE,  /* as rewind, with the masks of a level */
    SRQ_STAGE_REINIT, /* as scratch, with the same masks */
    SRQ_STAGE_RANDOM  /* as rewind, with random masks that keep as many weights of each layer. Only with prune.random */
} srq_stage_kind;

typedef struct srq_stage {
    srq_stage_kind kind;
    int level;     /* level of pruning, from 1 */
    char name[32]; /* "learn", "prune-03" */
} srq_stage;

/* Lists the stages for `settings` in an order in which they can run. The caller frees the list. SRQ_ERROR_USAGE if
 * neither bit-lengths are learned nor weights pruned. */
srq_status srq_stage_list(const srq_settings *settings, srq_stage **stages, int *count);
/* Whether the value of --stage selects the stage: its name, or "uniform", "fine-tune-uniform", "prune", "reinit" or
 * "random" for all stages of that kind. */
bool srq_stage_is_called(const srq_stage *stage, const char *word);
/* The stage that would be the same run as this one, or NULL: rewind and fine-tune, if prune.rewind is 0. Only one of
 * them is trained. *is_first says whether it is this one (in a folder that has neither). */
const char *srq_stage_twin(const srq_stage *stage, const srq_settings *settings, bool *is_first);

/* A checkpoint of a run, loaded into a network: the newest one or, at the end of a run with validation images, the one
 * with the lowest validation error, which has the result on the test images. */
typedef struct srq_found {
    srq_config *config;
    srq_graph *graph;
    srq_progress_point point;
    bool is_best; /* best.h5 of a run that has ended */
} srq_found;

/* SRQ_ERROR_DATA if it cannot be read. The caller frees *found, also after a failure. */
srq_status srq_found_load(const char *dir, srq_found *found);
void srq_found_free(srq_found *found);
/* Whether the run is trained to its end and evaluated. */
bool srq_found_is_finished(const srq_found *found);

/* The bit-lengths that stage learn has found. */
typedef struct srq_learned {
    int count; /* number of layers whose bit-length was learned */
    srq_layer_bits *bits;
    double mean; /* mean over the weights of these layers */
} srq_learned;

srq_status srq_learned_take(const srq_found *learn, srq_learned *learned);
void srq_learned_free(srq_learned *learned);

/* Shuffles bits[count] by `seed`, so that shuffled[] differs from bits[]. Returns false if all bit-lengths are equal.
 */
bool srq_learned_shuffle(uint64_t seed, int count, const srq_layer_bits *bits, srq_layer_bits *shuffled);

/* The configuration of a stage for a seed. The stages of the seed are in folder `dir`. `learned` is not used for stage
 * learn. If there is nothing to run, *config is NULL and `note` says why. */
srq_status srq_stage_config(const srq_config *base, const srq_stage *stage, long long seed, const char *dir,
                            const srq_learned *learned, srq_config **config, char *note, size_t note_size);

/* Finds the stage of that name. False if there is none. */
bool srq_stage_parse(const char *name, srq_stage *stage);
/* Whether a run with these settings can be that stage. Its initial weights and masks are checked; the caller has found
 * the stage by the name of the folder. */
bool srq_stage_fits(const srq_stage *stage, const srq_settings *settings);
/* Its position in the order of srq_stage_list. */
int srq_stage_place(const srq_stage *stage);

/* The path of the masks of a stage with level > 0. */
void srq_stage_masks(const char *dir, const srq_stage *stage, char *path, size_t size);
/* The name of the stage whose weights determine the masks of `level`. */
void srq_stage_before(int level, char *name, size_t size);

#endif
