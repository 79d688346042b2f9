/* Threads that make items in advance, in a ring of slots.
 *
 * The caller defines the items. Item k is a function of k and of its sequence, so it does not matter who makes it or
 * when. Items are taken in order. The threads call neither MPI nor HDF5. */
#ifndef SRQ_EXPERIMENTS_TRAIN_LOADER_H
#define SRQ_EXPERIMENTS_TRAIN_LOADER_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

/* A micro-batch, or the reason why it could not be made. */
typedef struct srq_slot {
    float *images;
    int32_t *labels;
    int n;
    srq_status status;
    char message[SRQ_MESSAGE_SIZE];
} srq_slot;

/* Items first, first + stride, ... below end. */
typedef struct srq_sequence {
    int kind; /* the caller's */
    long first, stride, end;
    int size; /* the caller's */
} srq_sequence;

/* Makes item `item` of a sequence. Runs in thread `thread`, from 0. After a failure, srq_message() is the message. */
typedef srq_status (*srq_slot_fill)(void *context, int thread, const srq_sequence *sequence, long item, srq_slot *slot);

typedef struct srq_loader srq_loader;

/* Allocates slots with so many floats and labels each, and starts the threads, which wait for a sequence.
 * SRQ_ERROR_RUN. */
srq_status srq_loader_create(int threads, int slots, size_t floats, size_t labels, srq_slot_fill fill, void *context,
                             srq_loader **loader);
/* Ends the threads. */
void srq_loader_destroy(srq_loader **loader);

/* Begins a sequence. Items of the previous one are dropped; it waits for those that are being made. */
void srq_loader_start(srq_loader *loader, const srq_sequence *sequence);
/* Waits for the next item of the sequence, and adds the seconds of waiting to *waited. The item is valid until
 * srq_loader_release. */
const srq_slot *srq_loader_take(srq_loader *loader, double *waited);
void srq_loader_release(srq_loader *loader);

#endif
