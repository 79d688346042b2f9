/* The results of an evaluation by class, for people. */
#ifndef SRQ_EXPERIMENTS_TRAIN_SAY_CLASSES_H
#define SRQ_EXPERIMENTS_TRAIN_SAY_CLASSES_H

#include "io/class_results.h"

/* Prints the top-5 error, a line for each class, and the confusion matrix; for more than 20 classes, the most frequent
 * confusions. */
void srq_say_classes(const srq_class_results *results);

#endif
