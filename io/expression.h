/* Integer expressions of model files: "channels", "in * expansion", "(kernel - 1) / 2". */
#ifndef SRQ_IO_EXPRESSION_H
#define SRQ_IO_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>

/* A name that stands for a number. */
typedef struct srq_variable {
    const char *name;
    long value;
} srq_variable;

/* Whether the text is meant as one: it names something. Digits in quotes are a mistake of type. */
bool srq_expression_is(const char *text);

/* Evaluates + - * / and parentheses over integers and `variables`. Division must leave nothing over, and nothing may
 * reach 2^31. Returns false and writes why into `what`: "no parameter is called \"chanels\"; did you mean ..." */
bool srq_expression_evaluate(const char *text, int count, const srq_variable *variables, long *value, char *what,
                             size_t what_size);

#endif
