#include "io/saver.h"

#include "io/escape.h"
#include "io/progress.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct srq_saver {
    srq_run *run;
    srq_saver_options options;
    srq_snapshot *snapshot; /* used only by the thread while `busy` */
    pthread_t thread;
    bool running; /* the thread was started */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* Protected by the lock: */
    bool busy, end;
    double last_begin, last_end; /* of the last complete checkpoint */
    double waited;               /* seconds that training has waited for this checkpoint */
    double since;                /* above 0: when training began to wait for its end */
    srq_status status;
    char message[SRQ_MESSAGE_SIZE];
};

/* --- The thread */

static srq_status log_saved(srq_saver *s, const srq_saved *saved, double took)
{
    char file[sizeof saved->file + 8];
    pthread_mutex_lock(&s->lock);
    const double waited = s->waited + (s->since > 0 ? srq_seconds() - s->since : 0);
    pthread_mutex_unlock(&s->lock);
    return srq_run_log(s->run, "checkpoint",
                       "\"step\": %ld, \"file\": %s, \"bytes\": %ld, \"waited\": %.4f, \"took\": %.4f", saved->step,
                       srq_json_quote(saved->file, file, sizeof file), saved->bytes, waited, took);
}

static srq_status write_checkpoint(srq_saver *s)
{
    srq_saved saved;
    const double since = srq_seconds();
    SRQ_TRY(srq_run_checkpoint(s->run, s->snapshot, s->options.keep, s->options.learns_bits, &saved));
    return log_saved(s, &saved, srq_seconds() - since);
}

static void *work(void *saver)
{
    srq_saver *s = saver;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (!s->busy && !s->end) pthread_cond_wait(&s->changed, &s->lock);
        if (!s->busy) break;
        pthread_mutex_unlock(&s->lock);
        const double since = srq_seconds();
        const srq_status status = write_checkpoint(s);
        pthread_mutex_lock(&s->lock);
        if (status == SRQ_OK) {
            s->last_begin = since;
            s->last_end = srq_seconds();
        }
        if (status != SRQ_OK && s->status == SRQ_OK) {
            s->status = status;
            snprintf(s->message, sizeof s->message, "%s", srq_message());
        }
        s->busy = false;
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* --- The caller */

static srq_status start_thread(srq_saver *s)
{
    sigset_t all, before;
    /* Only the main thread handles signals. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int code = pthread_create(&s->thread, NULL, work, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    s->running = code == 0;
    return s->running
               ? SRQ_OK
               : srq_fail(
                     SRQ_ERROR_RUN,
                     "cannot start the thread that writes checkpoints: %s; raise the limit of processes (ulimit -u)",
                     strerror(code));
}

srq_status srq_saver_create(srq_run *run, const srq_config *config, const srq_graph *graph, srq_optimizer *optimizer,
                            const char *versions, const srq_saver_options *options, srq_saver **out)
{
    srq_saver *s = calloc(1, sizeof *s);
    if (!s) return srq_fail_memory(sizeof *s, "checkpoints");
    s->run = run;
    s->options = *options;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    srq_status status = srq_snapshot_create(config, graph, optimizer, versions, &s->snapshot);
    if (status == SRQ_OK) status = start_thread(s);
    if (status != SRQ_OK)
        srq_saver_destroy(&s);
    else
        *out = s;
    return status;
}

void srq_saver_destroy(srq_saver **saver)
{
    srq_saver *s = *saver;
    if (!s) return;
    pthread_mutex_lock(&s->lock);
    s->end = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    if (s->running) pthread_join(s->thread, NULL);
    srq_snapshot_destroy(&s->snapshot);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
    *saver = NULL;
}

/* Call it with the lock. Makes the failure of the thread the failure of this thread. */
static srq_status report(const srq_saver *s)
{
    return s->status == SRQ_OK ? SRQ_OK : srq_fail(s->status, "%s", s->message);
}

srq_status srq_saver_save(srq_saver *s, const srq_progress_point *point, const srq_bits_history *history)
{
    const double since = srq_seconds();
    pthread_mutex_lock(&s->lock);
    while (s->busy) pthread_cond_wait(&s->changed, &s->lock);
    srq_status status = report(s);
    if (status == SRQ_OK) status = srq_snapshot_take(s->snapshot, point, history);
    if (status == SRQ_OK) {
        s->busy = true;
        s->since = 0;
        s->waited = srq_seconds() - since;
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
    return status;
}

srq_status srq_saver_status(srq_saver *s)
{
    pthread_mutex_lock(&s->lock);
    const srq_status status = report(s);
    pthread_mutex_unlock(&s->lock);
    return status;
}

bool srq_saver_last(srq_saver *s, double *begin, double *end)
{
    pthread_mutex_lock(&s->lock);
    *begin = s->last_begin;
    *end = s->last_end;
    pthread_mutex_unlock(&s->lock);
    return *end > 0;
}

srq_status srq_saver_finish(srq_saver *s)
{
    pthread_mutex_lock(&s->lock);
    s->since = srq_seconds();
    while (s->busy) pthread_cond_wait(&s->changed, &s->lock);
    const srq_status status = report(s);
    pthread_mutex_unlock(&s->lock);
    return status;
}
