#include "experiments/srq/train/loader.h"

#include "io/progress.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct srq_loader {
    pthread_t thread;
    bool running; /* the thread was started */
    pthread_mutex_t lock;
    pthread_cond_t made_one, taken_one;
    srq_slot_fill fill;
    void *context;
    srq_slot *slots; /* a ring of `count` slots */
    long count;
    /* Protected by the lock: */
    bool end;
    srq_sequence sequence;
    long generation;  /* number of the sequence */
    long made, taken; /* items of this sequence in the ring */
};

/* --- The thread */

/* Waits for a free slot for the next item. Returns false if the thread has to end. */
static bool next_item(srq_loader *l, srq_sequence *sequence, long *item, long *generation, srq_slot **slot)
{
    pthread_mutex_lock(&l->lock);
    for (;;) {
        *item = l->sequence.first + l->made * l->sequence.stride;
        if (l->end || (l->made - l->taken < l->count && *item < l->sequence.end)) break;
        pthread_cond_wait(&l->taken_one, &l->lock);
    }
    *sequence = l->sequence;
    *generation = l->generation;
    *slot = &l->slots[l->made % l->count];
    const bool go_on = !l->end;
    pthread_mutex_unlock(&l->lock);
    return go_on;
}

static void *work(void *loader)
{
    srq_loader *l = loader;
    srq_sequence sequence;
    long item, generation;
    srq_slot *slot;
    while (next_item(l, &sequence, &item, &generation, &slot)) {
        slot->status = l->fill(l->context, &sequence, item, slot);
        if (slot->status != SRQ_OK) snprintf(slot->message, sizeof slot->message, "%s", srq_message());
        pthread_mutex_lock(&l->lock);
        /* If another sequence has begun in the meantime, the item is dropped. */
        if (generation == l->generation) l->made++;
        pthread_cond_signal(&l->made_one);
        pthread_mutex_unlock(&l->lock);
    }
    return NULL;
}

/* --- The caller */

static srq_status start_thread(srq_loader *l)
{
    sigset_t all, before;
    /* Only the main thread handles signals. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int code = pthread_create(&l->thread, NULL, work, l);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    l->running = code == 0;
    return l->running
               ? SRQ_OK
               : srq_fail(SRQ_ERROR_RUN,
                          "cannot start the thread that reads data: %s; raise the limit of processes (ulimit -u)",
                          strerror(code));
}

srq_status srq_loader_create(int slots, size_t floats, size_t labels, srq_slot_fill fill, void *context,
                             srq_loader **loader)
{
    srq_loader *l = calloc(1, sizeof *l);
    if (!l) return srq_fail_memory(sizeof *l, "reading ahead");
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->made_one, NULL);
    pthread_cond_init(&l->taken_one, NULL);
    l->fill = fill;
    l->context = context;
    l->count = slots;
    l->slots = calloc((size_t)slots, sizeof *l->slots);
    bool whole = l->slots != NULL;
    for (int i = 0; whole && i < slots; i++) {
        l->slots[i].images = calloc(floats, sizeof(float));
        l->slots[i].labels = calloc(labels, sizeof(int32_t));
        whole = l->slots[i].images && l->slots[i].labels;
    }
    srq_status status =
        whole ? start_thread(l) : srq_fail_memory((size_t)slots * floats * sizeof(float), "images read ahead");
    if (status != SRQ_OK)
        srq_loader_destroy(&l);
    else
        *loader = l;
    return status;
}

void srq_loader_destroy(srq_loader **loader)
{
    srq_loader *l = *loader;
    if (!l) return;
    pthread_mutex_lock(&l->lock);
    l->end = true;
    pthread_cond_signal(&l->taken_one);
    pthread_mutex_unlock(&l->lock);
    if (l->running) pthread_join(l->thread, NULL);
    for (long i = 0; l->slots && i < l->count; i++) {
        free(l->slots[i].images);
        free(l->slots[i].labels);
    }
    free(l->slots);
    pthread_cond_destroy(&l->taken_one);
    pthread_cond_destroy(&l->made_one);
    pthread_mutex_destroy(&l->lock);
    free(l);
    *loader = NULL;
}

void srq_loader_start(srq_loader *l, const srq_sequence *sequence)
{
    pthread_mutex_lock(&l->lock);
    l->sequence = *sequence;
    l->generation++;
    l->made = l->taken = 0;
    pthread_cond_signal(&l->taken_one);
    pthread_mutex_unlock(&l->lock);
}

const srq_slot *srq_loader_take(srq_loader *l, double *waited)
{
    pthread_mutex_lock(&l->lock);
    if (l->made == l->taken) {
        const double since = srq_seconds();
        while (l->made == l->taken) pthread_cond_wait(&l->made_one, &l->lock);
        *waited += srq_seconds() - since;
    }
    const srq_slot *slot = &l->slots[l->taken % l->count];
    pthread_mutex_unlock(&l->lock);
    return slot;
}

void srq_loader_release(srq_loader *l)
{
    pthread_mutex_lock(&l->lock);
    l->taken++;
    pthread_cond_signal(&l->taken_one);
    pthread_mutex_unlock(&l->lock);
}
