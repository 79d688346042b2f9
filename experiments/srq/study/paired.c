#include "experiments/srq/study/paired.h"

#include <math.h>

/* The regularized incomplete beta function I_x(a, b) for x below (a + 1) / (a + b + 2), by its continued fraction
 * (Numerical Recipes, section 6.4; DLMF 8.17.22), with Lentz's algorithm. */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1), result;
    d = 1 / (fabs(d) < tiny ? tiny : d);
    result = d;
    for (int m = 1; m < 500; m++) {
        for (int odd = 0; odd < 2; odd++) {
            const double term = odd ? -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
                                    : m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
            d = 1 + term * d;
            c = 1 + term / c;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = fabs(c) < tiny ? tiny : c;
            result *= d * c;
        }
        if (fabs(d * c - 1) < 1e-16) break;
    }
    return result * exp(a * log(x) + b * log1p(-x) + lgamma(a + b) - lgamma(a) - lgamma(b)) / a;
}

static double incomplete_beta(double a, double b, double x)
{
    if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
    return x < (a + 1) / (a + b + 2) ? beta_fraction(a, b, x) : 1 - beta_fraction(b, a, 1 - x);
}

double srq_student_below(double x, int freedom)
{
    const double tail = 0.5 * incomplete_beta(0.5 * freedom, 0.5, freedom / (freedom + x * x));
    return x < 0 ? tail : 1 - tail;
}

double srq_student_quantile(double share, int freedom)
{
    double low = 0, high = 1;
    while (srq_student_below(high, freedom) < share && high < 1e300) high *= 2;
    for (int i = 0; i < 200; i++) {
        const double middle = 0.5 * (low + high);
        if (srq_student_below(middle, freedom) < share)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

srq_paired srq_paired_of(int count, const double *a, const double *b)
{
    srq_paired p = {.count = count, .mean = NAN, .low = NAN, .high = NAN};
    double sum = 0, squares = 0;
    for (int i = 0; i < count; i++) sum += a[i] - b[i];
    if (count > 0) p.mean = sum / count;
    if (count < 2) return p;
    for (int i = 0; i < count; i++) squares += (a[i] - b[i] - p.mean) * (a[i] - b[i] - p.mean);
    const double reach = srq_student_quantile(0.975, count - 1) * sqrt(squares / (count - 1) / count);
    p.low = p.mean - reach;
    p.high = p.mean + reach;
    return p;
}
