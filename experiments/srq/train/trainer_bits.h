/* Learned bit-lengths of a run: what evaluation has, what is expected in training, and the target. */
#ifndef SRQ_EXPERIMENTS_TRAIN_TRAINER_BITS_H
#define SRQ_EXPERIMENTS_TRAIN_TRAINER_BITS_H

#include "experiments/srq/train/trainer.h"

/* The number of steps in which gates act: up to dropbits.until, or all. */
long srq_trainer_gate_steps(const srq_trainer *trainer);
/* Whether dropbits.until is over. */
bool srq_trainer_holds_gates(const srq_trainer *trainer);

/* Makes trainer->target if dropbits.target is set. SRQ_ERROR_USAGE if the gates cannot reach it. */
srq_status srq_trainer_set_target(srq_trainer *trainer);

/* "expected bits 4.74, evaluated 3.09", and with a target in bit operations also those of evaluation. "" if no
 * bit-lengths are learned. Returns `out`. */
char *srq_trainer_say_bits(const srq_trainer *trainer, char *out, size_t size);
/* Members of a JSON object, each with a comma after it: mean_gated_bits, and, with a target, target, target_measure,
 * reached (the same measure of the network in evaluation) and target_reached. Returns `out`. */
char *srq_trainer_bits_json(const srq_trainer *trainer, char *out, size_t size);

/* The same for lines without the measures of the network: also mean_weight_bits, the mean bit-length in evaluation. */
char *srq_trainer_step_bits_json(const srq_trainer *trainer, char *out, size_t size);

/* Lines about learned bit-lengths, before the first step and after the last one. */
void srq_trainer_show_bits_at_start(srq_trainer *trainer);
void srq_trainer_show_bits_at_end(const srq_trainer *trainer);

#endif
