/* The results of an evaluation by class: the file classes.json of a run directory, which is also what `srq eval
 * --classes --json` prints. One JSON object with at least these members:
 *
 *     "format": "srq-classes", "version": 1, "step": 2345
 *     "test_count": 10000, "test_wrong": 1017
 *     "top5_error": 0.0012                     with 10 classes or more
 *     "classes": [{"name": "Shirt", "count": 1000, "wrong": 310}, ...]
 *     "confusion": [[835, 1, ...], ...]        [label][prediction]: numbers of images; with at most 1000 classes
 */
#ifndef SRQ_IO_CLASS_RESULTS_H
#define SRQ_IO_CLASS_RESULTS_H

#include "core/status.h"

#include <stdio.h>

#define SRQ_CLASS_RESULTS_FILE "classes.json"
enum {
    SRQ_CLASSES_TOP5 = 10,   /* from so many classes on, the top-5 error is a result */
    SRQ_CONFUSION_MAX = 1000 /* largest number of classes with a confusion matrix */
};

typedef struct srq_class_results {
    long step;
    int classes;
    char **names;               /* [classes] */
    long count, wrong, beyond5; /* images; those predicted wrongly; those whose class is not among the first five */
    long *images, *errors;      /* [classes]: images of a class, and those of them that are predicted wrongly */
    long *confusion;            /* [classes][classes], or NULL above SRQ_CONFUSION_MAX */
} srq_class_results;

/* Allocates results of `classes` classes, all 0, with copies of the names. The caller frees them, also after a failure.
 */
srq_status srq_class_results_create(int classes, char *const *names, srq_class_results *results);
void srq_class_results_free(srq_class_results *results);

/* Computes count, wrong, and errors from the confusion matrix, if there is one. */
void srq_class_results_sum(srq_class_results *results);

/* Prints the members "top5_error", "classes" and "confusion", without a comma at the end. */
void srq_class_results_print_json(const srq_class_results *results, FILE *out);

/* Writes classes.json to a folder, atomically. */
srq_status srq_class_results_write(const char *folder, const srq_class_results *results);
/* Reads classes.json of a folder. SRQ_ERROR_DATA if it is missing, or not as above: counts that are negative, or that
 * contradict one another. */
srq_status srq_class_results_read(const char *folder, srq_class_results *results);

#endif
