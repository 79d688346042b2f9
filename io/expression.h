/* Integer expressions in model files: "channels", "in * expansion", "(kernel - 1) / 2". */
#ifndef SRQ_IO_EXPRESSION_H
#define SRQ_IO_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>

/* A name with its value. */
typedef struct srq_variable {
    const char *name;
    long value;
} srq_variable;

/* Whether the text can be an expression: it contains a name or a number. */
bool srq_expression_is(const char *text);

/* Evaluates + - * / and parentheses over integers and `variables`. Divisions must be exact, and all numbers must be
 * below 2^31. Otherwise returns false, with the reason in `what`: "no parameter is called \"chanels\"; did you mean
 * ..." */
bool srq_expression_evaluate(const char *text, int count, const srq_variable *variables, long *value, char *what,
                             size_t what_size);

#endif
