/* A supervisor process for each rank.
 *
 * MPI does not report which rank died. If a rank runs out of memory, the others wait for it, or the launcher prints a
 * message that names neither the reason nor what to do. Therefore a process that a launcher started forks. The child
 * does all the work; the parent only waits for it. If a signal ends the child, the parent prints which rank it was,
 * what is kept and how to resume, and exits with status 4. The launcher then ends the other ranks, which print nothing,
 * and exits with 4 as well. */
#ifndef SRQ_EXPERIMENTS_TRAIN_SUPERVISOR_H
#define SRQ_EXPERIMENTS_TRAIN_SUPERVISOR_H

/* To be called before MPI is started and before there are threads. Returns in the child. It does not fork, and returns,
 * in a process that no launcher started or that a debugger controls. The parent exits with the child's exit status. It
 * passes on SIGTERM, SIGINT, SIGUSR1 and similar signals to the child. The child ends at once if its parent does. */
void srq_supervise(int argc, char **argv);

/* The parent's message about a child that signal `number` ended: which rank, why, what is kept, how to resume. `argv`
 * is the whole command line. The message is cut to `size`. */
void srq_supervisor_message(int number, int rank, int ranks, long process, int argc, char **argv, char *out,
                            unsigned long size);

#endif
