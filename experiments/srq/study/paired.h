/* Paired differences and their confidence interval. */
#ifndef SRQ_EXPERIMENTS_STUDY_PAIRED_H
#define SRQ_EXPERIMENTS_STUDY_PAIRED_H

typedef struct srq_paired {
    int count;        /* pairs */
    double mean;      /* of a[i] - b[i]; NaN without pairs */
    double low, high; /* of the 95 % confidence interval of Student's t; NaN if there are fewer than two pairs */
} srq_paired;

srq_paired srq_paired_of(int count, const double *a, const double *b);

/* The probability that Student's t with `freedom` degrees of freedom is below x. */
double srq_student_below(double x, int freedom);
/* The x for which that probability is `share`, 1/2 <= share < 1. */
double srq_student_quantile(double share, int freedom);

#endif
