/* A watch over one rank.
 *
 * MPI does not say who has died: a rank that runs out of memory leaves the others waiting, or a launcher's words that
 * name neither the reason nor what to do. So a process that a launcher started becomes two: the parent only waits, and
 * the child, which does everything else, may die of anything. Then the parent says which rank that was, what is kept
 * and how to go on, and ends with status 4; the launcher ends the other ranks, in silence, and ends with 4 too. */
#ifndef SRQ_EXPERIMENTS_TRAIN_SUPERVISOR_H
#define SRQ_EXPERIMENTS_TRAIN_SUPERVISOR_H

/* To be called before MPI is started and before there are threads. Returns in the child, and in a process that no
 * launcher started or that a debugger holds; the parent ends with the child's exit status. SIGTERM, SIGINT, SIGUSR1 and
 * the like are passed on to the child, which ends at once if its parent does. */
void srq_supervise(int argc, char **argv);

/* What the parent says of a child that signal `number` ended: who, why, what is kept, how to go on. `argv` is the
 * whole command line. Cut to `size`. */
void srq_supervisor_message(int number, int rank, int ranks, long process, int argc, char **argv, char *out,
                            unsigned long size);

#endif
