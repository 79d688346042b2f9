/* Which stages a ticket has, and the configuration of each (method.md, section 6; docs/tickets.md). */
#ifndef SRQ_EXPERIMENTS_STUDY_PLAN_H
#define SRQ_EXPERIMENTS_STUDY_PLAN_H

#include "core/graph.h"
#include "io/checkpoint.h"
#include "io/config.h"

typedef enum srq_stage_kind {
    SRQ_STAGE_LEARN,   /* weights and bit-lengths together; without learned bit-lengths, weights alone */
    SRQ_STAGE_REWIND,  /* the learned bit-lengths, from the weights that stage learn had at prune.rewind */
    SRQ_STAGE_SCRATCH, /* the learned bit-lengths, from new random weights */
    SRQ_STAGE_BELOW,   /* from these weights too: one bit-length, the mean of the learned ones rounded down ... */
    SRQ_STAGE_ABOVE,   /* ... and up */
    SRQ_STAGE_SHUFFLE, /* and the learned ones dealt out to other layers */
    SRQ_STAGE_PRUNE,   /* as rewind, under the masks of a level */
    SRQ_STAGE_REINIT   /* as scratch, under the same masks */
} srq_stage_kind;

typedef struct srq_stage {
    srq_stage_kind kind;
    int level;     /* of pruning, from 1 */
    char name[32]; /* "learn", "prune-03" */
} srq_stage;

/* The stages that `settings` call for, in the order in which they can run, into a list that the caller frees.
 * SRQ_ERROR_USAGE if there is nothing to find. */
srq_status srq_stage_list(const srq_settings *settings, srq_stage **stages, int *count);
/* Whether the word of --stage names it: its name, or "uniform", "prune", "reinit" for all of these. */
bool srq_stage_is_called(const srq_stage *stage, const char *word);

/* A run that is there: its newest checkpoint, in a network. */
typedef struct srq_found {
    srq_config *config;
    srq_graph *graph;
    srq_progress_point point;
} srq_found;

/* SRQ_ERROR_DATA if it cannot be read. The caller frees *found, whatever is returned. */
srq_status srq_found_load(const char *dir, srq_found *found);
void srq_found_free(srq_found *found);
/* Whether it is trained and evaluated to its end. */
bool srq_found_is_finished(const srq_found *found);

/* What stage learn has found. */
typedef struct srq_learned {
    int count; /* layers whose bit-length was learned */
    srq_layer_bits *bits;
    double mean; /* over their weights */
} srq_learned;

srq_status srq_learned_take(const srq_found *learn, srq_learned *learned);
void srq_learned_free(srq_learned *learned);

/* Deals bits[count] out anew, as `seed` says, so that shuffled[] is another list; false if all are equal. */
bool srq_learned_shuffle(uint64_t seed, int count, const srq_layer_bits *bits, srq_layer_bits *shuffled);

/* The configuration of a stage for a seed, whose stages are in the folder `dir`; `learned` is not looked at for stage
 * learn. *config is NULL where there is nothing to run, and `note` says why. */
srq_status srq_stage_config(const srq_config *base, const srq_stage *stage, long long seed, const char *dir,
                            const srq_learned *learned, srq_config **config, char *note, size_t note_size);

/* The stage of that name; false if there is none. */
bool srq_stage_parse(const char *name, srq_stage *stage);
/* Whether a run with these settings can be that stage, in a folder that is called like it: what it starts from, and
 * under which masks. */
bool srq_stage_fits(const srq_stage *stage, const srq_settings *settings);
/* Its place among the stages of a ticket, in the order of srq_stage_list. */
int srq_stage_place(const srq_stage *stage);

/* The file of the masks of a level. */
void srq_stage_masks(const char *dir, int level, char *path, size_t size);
/* The stage whose weights the masks of `level` are made from: its name into `name`. */
void srq_stage_before(int level, char *name, size_t size);

#endif
