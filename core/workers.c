#include "core/workers.h"

#include "core/kernels/engine.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* About 20 microseconds, which is longer than the differences between the parts of one operator. */
enum { SPINS = 2000 };

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* --- Barrier */

void srq_barrier_init(srq_barrier *b, int count, bool spin)
{
    b->count = count;
    b->spin = spin;
    atomic_init(&b->arrived, 0);
    atomic_init(&b->round, 0);
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->passed, NULL);
}

void srq_barrier_destroy(srq_barrier *b)
{
    pthread_mutex_destroy(&b->lock);
    pthread_cond_destroy(&b->passed);
}

/* Waits until *number is not `before` any more: it spins, then sleeps on the condition. */
static void wait_for_change(atomic_uint *number, unsigned before, bool spin, pthread_mutex_t *lock,
                            pthread_cond_t *condition)
{
    for (int i = 0; spin && i < SPINS; i++) {
        if (atomic_load_explicit(number, memory_order_acquire) != before) return;
        relax();
    }
    pthread_mutex_lock(lock);
    while (atomic_load_explicit(number, memory_order_acquire) == before) pthread_cond_wait(condition, lock);
    pthread_mutex_unlock(lock);
}

/* Changes the number and wakes all who wait for that. Without the lock, a thread could look at the number, and then
 * sleep through the broadcast. */
static void change(atomic_uint *number, pthread_mutex_t *lock, pthread_cond_t *condition)
{
    pthread_mutex_lock(lock);
    atomic_fetch_add_explicit(number, 1, memory_order_release);
    pthread_cond_broadcast(condition);
    pthread_mutex_unlock(lock);
}

void srq_barrier_wait(srq_barrier *b)
{
    if (b->count <= 1) return;
    const unsigned round = atomic_load_explicit(&b->round, memory_order_acquire);
    if (atomic_fetch_add_explicit(&b->arrived, 1, memory_order_acq_rel) + 1 < b->count) {
        wait_for_change(&b->round, round, b->spin, &b->lock, &b->passed);
        return;
    }
    atomic_store_explicit(&b->arrived, 0, memory_order_relaxed);
    change(&b->round, &b->lock, &b->passed);
}

/* --- Team */

typedef struct member {
    srq_workers *team;
    int worker;
    int cpu; /* -1: not bound */
    bool started;
    pthread_t thread;
} member;

struct srq_workers {
    int count;
    bool spin;
    member *members; /* [count]; the thread of member 0 is the creator's */
    pthread_mutex_t lock;
    pthread_cond_t begun, ended;
    atomic_uint run;         /* number of runs that were begun */
    atomic_uint completions; /* number of runs that every thread has completed */
    atomic_int busy;         /* threads that have not completed this run */
    bool end;                /* set before the last run */
    void (*work)(void *context, int worker);
    void *context;
};

static void bind_to(int cpu)
{
    cpu_set_t set;
    if (cpu < 0 || cpu >= CPU_SETSIZE) return;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    (void)sched_setaffinity(0, sizeof set, &set); /* a hint: without it the system chooses */
}

static void *serve(void *context)
{
    const member *m = context;
    srq_workers *team = m->team;
    srq_kernels_enter_thread();
    bind_to(m->cpu);
    for (unsigned run = 0;; run++) {
        wait_for_change(&team->run, run, team->spin, &team->lock, &team->begun);
        if (team->end) return NULL;
        team->work(team->context, m->worker);
        if (atomic_fetch_sub_explicit(&team->busy, 1, memory_order_acq_rel) == 1)
            change(&team->completions, &team->lock, &team->ended);
    }
}

static srq_status start_thread(member *m)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int code = pthread_create(&m->thread, NULL, serve, m);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    m->started = code == 0;
    if (code == 0) return SRQ_OK;
    return srq_fail(SRQ_ERROR_RUN,
                    "cannot start thread %d of %d: %s; use fewer with --threads, or raise the limit of processes "
                    "(ulimit -u)",
                    m->worker + 1, m->team->count, strerror(code));
}

srq_status srq_workers_create(const srq_workers_options *options, srq_workers **out)
{
    srq_workers *team = calloc(1, sizeof *team);
    if (!team) return srq_fail_memory(sizeof *team, "threads");
    team->count = options->count;
    team->spin = options->spin;
    pthread_mutex_init(&team->lock, NULL);
    pthread_cond_init(&team->begun, NULL);
    pthread_cond_init(&team->ended, NULL);
    atomic_init(&team->run, 0);
    atomic_init(&team->completions, 0);
    atomic_init(&team->busy, 0);
    team->members = calloc((size_t)team->count, sizeof *team->members);
    srq_status status =
        team->members ? SRQ_OK : srq_fail_memory((size_t)team->count * sizeof *team->members, "threads");
    for (int w = 0; status == SRQ_OK && w < team->count; w++) {
        team->members[w] = (member){.team = team, .worker = w, .cpu = options->cpus ? options->cpus[w] : -1};
        if (w > 0) status = start_thread(&team->members[w]);
    }
    if (status != SRQ_OK) {
        srq_workers_destroy(&team);
        return status;
    }
    *out = team;
    return SRQ_OK;
}

void srq_workers_destroy(srq_workers **workers)
{
    srq_workers *team = *workers;
    if (!team) return;
    team->end = true;
    change(&team->run, &team->lock, &team->begun);
    for (int w = 1; team->members && w < team->count; w++)
        if (team->members[w].started) pthread_join(team->members[w].thread, NULL);
    free(team->members);
    pthread_cond_destroy(&team->ended);
    pthread_cond_destroy(&team->begun);
    pthread_mutex_destroy(&team->lock);
    free(team);
    *workers = NULL;
}

int srq_workers_count(const srq_workers *workers)
{
    return workers ? workers->count : 1;
}

bool srq_workers_spin(const srq_workers *workers)
{
    return workers && workers->spin;
}

void srq_workers_run(srq_workers *team, void (*work)(void *context, int worker), void *context)
{
    if (!team || team->count == 1) {
        work(context, 0);
        return;
    }
    const unsigned completions = atomic_load_explicit(&team->completions, memory_order_acquire);
    team->work = work;
    team->context = context;
    atomic_store_explicit(&team->busy, team->count - 1, memory_order_relaxed);
    change(&team->run, &team->lock, &team->begun);
    work(context, 0);
    wait_for_change(&team->completions, completions, team->spin, &team->lock, &team->ended);
}

void srq_workers_pause(const srq_workers *workers, int *turn)
{
    const struct timespec nap = {.tv_nsec = 20000};
    if (srq_workers_spin(workers) && (*turn)++ < SPINS)
        relax();
    else
        nanosleep(&nap, NULL);
}
