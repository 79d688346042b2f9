#include "experiments/srq/train/loader.h"

#include "io/progress.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct thread {
    struct srq_loader *loader;
    int number;
    bool running; /* it was started */
    pthread_t handle;
} thread;

struct srq_loader {
    thread *threads;
    int thread_count;
    pthread_mutex_t lock;
    pthread_cond_t made_one, taken_one, idle;
    srq_slot_fill fill;
    void *context;
    srq_slot *slots; /* a ring of `count` slots */
    long count;
    /* Protected by the lock: */
    bool *made; /* [count]: whether the item of a slot is complete */
    bool end;
    srq_sequence sequence;
    long begun, taken; /* items of this sequence that a thread has begun, and that the caller has taken */
    int busy;          /* threads that make an item */
};

/* --- The threads */

/* Waits for a free slot for the next item. Returns false if the thread has to end. */
static bool next_item(srq_loader *l, srq_sequence *sequence, long *item, long *slot)
{
    pthread_mutex_lock(&l->lock);
    for (;;) {
        *item = l->sequence.first + l->begun * l->sequence.stride;
        if (l->end || (l->begun - l->taken < l->count && *item < l->sequence.end)) break;
        pthread_cond_wait(&l->taken_one, &l->lock);
    }
    *sequence = l->sequence;
    *slot = l->begun % l->count;
    const bool continues = !l->end;
    if (continues) {
        l->made[*slot] = false;
        l->begun++;
        l->busy++;
    }
    pthread_mutex_unlock(&l->lock);
    return continues;
}

static void *work(void *context)
{
    const thread *t = context;
    srq_loader *l = t->loader;
    srq_sequence sequence;
    long item, at;
    while (next_item(l, &sequence, &item, &at)) {
        srq_slot *slot = &l->slots[at];
        slot->status = l->fill(l->context, t->number, &sequence, item, slot);
        if (slot->status != SRQ_OK) snprintf(slot->message, sizeof slot->message, "%s", srq_message());
        pthread_mutex_lock(&l->lock);
        l->made[at] = true;
        if (--l->busy == 0) pthread_cond_signal(&l->idle);
        pthread_cond_broadcast(&l->made_one);
        pthread_mutex_unlock(&l->lock);
    }
    return NULL;
}

/* --- The caller */

static srq_status start_thread(thread *t)
{
    sigset_t all, before;
    /* Only the main thread handles signals. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int code = pthread_create(&t->handle, NULL, work, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    t->running = code == 0;
    return t->running
               ? SRQ_OK
               : srq_fail(SRQ_ERROR_RUN,
                          "cannot start the thread that reads data: %s; raise the limit of processes (ulimit -u)",
                          strerror(code));
}

static srq_status start_threads(srq_loader *l)
{
    for (int i = 0; i < l->thread_count; i++) {
        l->threads[i] = (thread){.loader = l, .number = i};
        SRQ_TRY(start_thread(&l->threads[i]));
    }
    return SRQ_OK;
}

srq_status srq_loader_create(int threads, int slots, size_t floats, size_t labels, srq_slot_fill fill, void *context,
                             srq_loader **loader)
{
    srq_loader *l = calloc(1, sizeof *l);
    if (!l) return srq_fail_memory(sizeof *l, "reading ahead");
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->made_one, NULL);
    pthread_cond_init(&l->taken_one, NULL);
    pthread_cond_init(&l->idle, NULL);
    l->fill = fill;
    l->context = context;
    l->count = slots;
    l->thread_count = threads;
    l->threads = calloc((size_t)threads, sizeof *l->threads);
    l->slots = calloc((size_t)slots, sizeof *l->slots);
    l->made = calloc((size_t)slots, sizeof *l->made);
    bool whole = l->slots && l->threads && l->made;
    for (int i = 0; whole && i < slots; i++) {
        l->slots[i].images = calloc(floats, sizeof(float));
        l->slots[i].labels = calloc(labels, sizeof(int32_t));
        whole = l->slots[i].images && l->slots[i].labels;
    }
    srq_status status =
        whole ? start_threads(l) : srq_fail_memory((size_t)slots * floats * sizeof(float), "images read ahead");
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
    pthread_cond_broadcast(&l->taken_one);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; l->threads && i < l->thread_count; i++)
        if (l->threads[i].running) pthread_join(l->threads[i].handle, NULL);
    for (long i = 0; l->slots && i < l->count; i++) {
        free(l->slots[i].images);
        free(l->slots[i].labels);
    }
    free(l->slots);
    free(l->made);
    free(l->threads);
    pthread_cond_destroy(&l->idle);
    pthread_cond_destroy(&l->taken_one);
    pthread_cond_destroy(&l->made_one);
    pthread_mutex_destroy(&l->lock);
    free(l);
    *loader = NULL;
}

void srq_loader_start(srq_loader *l, const srq_sequence *sequence)
{
    pthread_mutex_lock(&l->lock);
    l->sequence.end = l->sequence.first; /* begin no more items */
    while (l->busy) pthread_cond_wait(&l->idle, &l->lock);
    l->sequence = *sequence;
    l->begun = l->taken = 0;
    pthread_cond_broadcast(&l->taken_one);
    pthread_mutex_unlock(&l->lock);
}

/* Whether the next item to be taken is there. */
static bool has_next(const srq_loader *l)
{
    return l->begun > l->taken && l->made[l->taken % l->count];
}

const srq_slot *srq_loader_take(srq_loader *l, double *waited)
{
    pthread_mutex_lock(&l->lock);
    if (!has_next(l)) {
        const double since = srq_seconds();
        while (!has_next(l)) pthread_cond_wait(&l->made_one, &l->lock);
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
