/* The learned bit-lengths of a network: those that evaluation has, those that are expected in training, where gates are
 * drawn at random, and the target. Everything that shows them uses these words. */
#ifndef SRQ_EXPERIMENTS_INSPECT_LEARNED_BITS_H
#define SRQ_EXPERIMENTS_INSPECT_LEARNED_BITS_H

#include "core/graph.h"
#include "io/config.h"

typedef struct srq_learned_bits {
    bool learns;      /* dropbits.mode is "learn"; if not, nothing else is set */
    double expected;  /* mean bit-length in training; that of evaluation if gates are held (dropbits.until) */
    double evaluated; /* mean bit-length in evaluation */
    bool settled;     /* they differ by at most 0.1 bits */
    bool has_target;  /* dropbits.target; if not, the members below are not set */
    bool bops;        /* the target is one of bit operations, as a share of those at 8/8 */
    double wanted;    /* the target */
    double reached;   /* the same measure in evaluation */
    bool meets;       /* the difference is within the tolerance (core/target.h) */
} srq_learned_bits;

/* Whether dropbits.until is over at `step`. With steps_per_epoch 0 (not known), it is derived from total_steps if
 * train.epochs decides those; otherwise a span in epochs is taken as not over. */
bool srq_bits_are_held(const srq_settings *settings, long step, long total_steps, long steps_per_epoch);

/* From the network, or from its measures: mean bit-lengths and bit operations as a share of those at 8/8. */
srq_learned_bits srq_learned_bits_of(const srq_settings *settings, const srq_graph *graph, bool held);
srq_learned_bits srq_learned_bits_from(const srq_settings *settings, double expected, double evaluated,
                                       double relative_bops, bool held);

/* Whether there is reason for a warning: the target is not met, or the gates have not settled. */
bool srq_learned_bits_warn(const srq_learned_bits *bits);

/* "expected bits 4.74, evaluated 3.09", and with a target in bit operations ", BOPs 41.2 % of 8/8". "" if no
 * bit-lengths are learned. Returns `out`. */
char *srq_learned_bits_say(const srq_learned_bits *bits, char *out, size_t size);
/* The target, and what is to be warned of: "target 4 bits, reached 3.09 bits, which is not the target; the gates have
 * not settled: ...". "" if there is none of it. Returns `out`. */
char *srq_learned_bits_judge(const srq_learned_bits *bits, char *out, size_t size);
/* A value of the target's measure: "4 bits", "40 % of the BOPs at 8/8". Returns `out`. */
char *srq_learned_bits_measure(const srq_learned_bits *bits, double value, char *out, size_t size);
/* Members of a JSON object, each with a comma and a space after it: mean_gated_bits (expected), and, with a target,
 * target, target_measure, reached and target_reached. Returns `out`. */
char *srq_learned_bits_json(const srq_learned_bits *bits, char *out, size_t size);

#endif
