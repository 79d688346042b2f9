/* Learned bit-lengths of a run, and their target. */
#ifndef SRQ_EXPERIMENTS_TRAIN_TRAINER_BITS_H
#define SRQ_EXPERIMENTS_TRAIN_TRAINER_BITS_H

#include "experiments/srq/inspect/learned_bits.h"
#include "experiments/srq/train/trainer.h"

/* The number of steps in which gates act: up to dropbits.until, or all. */
long srq_trainer_gate_steps(const srq_trainer *trainer);
/* The penalty lambda of the next step: it rises to dropbits.penalty during dropbits.ramp. */
double srq_trainer_penalty(const srq_trainer *trainer);
/* Whether dropbits.until is over. */
bool srq_trainer_holds_gates(const srq_trainer *trainer);

/* Makes trainer->target if dropbits.target is set. SRQ_ERROR_USAGE if the gates cannot reach it. */
srq_status srq_trainer_set_target(srq_trainer *trainer);

/* After the update of a step: moves the logits of the gates towards the target. */
void srq_trainer_steer(srq_trainer *trainer);

/* The bit-lengths now. */
srq_learned_bits srq_trainer_bits(const srq_trainer *trainer);

/* Lines about learned bit-lengths, before the first step and after the last one. */
void srq_trainer_show_bits_at_start(srq_trainer *trainer);
void srq_trainer_show_bits_at_end(const srq_trainer *trainer);

#endif
