/* What the help says about each command. The usage lines are also where options are listed for messages, the man page
 * and the completion of shells (options.h). */
#ifndef SRQ_EXPERIMENTS_TOPICS_H
#define SRQ_EXPERIMENTS_TOPICS_H

typedef struct srq_topic {
    const char *name, *summary;
    const char *text; /* usage lines, then after an empty line an explanation */
} srq_topic;

/* Topic number `index`, from 0 and in the order of the help; NULL after the last one. */
const srq_topic *srq_topic_at(int index);
/* The topic of a command, or NULL. */
const srq_topic *srq_topic_find(const char *name);
/* Exit status number `index` and what it means: "0 done"; NULL after the last one. */
const char *srq_topic_status(int index);
/* The command that `word` may be meant for: a similar name, or a synonym; NULL if there is none. */
const char *srq_topic_closest(const char *word);

#endif
