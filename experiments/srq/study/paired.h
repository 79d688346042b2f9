/* Paired differences, and what a confidence interval says of them. */
#ifndef SRQ_EXPERIMENTS_STUDY_PAIRED_H
#define SRQ_EXPERIMENTS_STUDY_PAIRED_H

typedef struct srq_paired {
    int count;        /* pairs */
    double mean;      /* of a[i] - b[i]; NaN of none */
    double low, high; /* of the 95 % confidence interval of Student's t; NaN of fewer than two */
} srq_paired;

srq_paired srq_paired_of(int count, const double *a, const double *b);

/* The probability that Student's t of `freedom` degrees is below x. */
double srq_student_below(double x, int freedom);
/* Which x that probability is `share` for, 1/2 <= share < 1. */
double srq_student_quantile(double share, int freedom);

#endif
