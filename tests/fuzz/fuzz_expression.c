/* An expression of a model file. */
#include "io/expression.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

void srq_fuzz_start(void)
{
}

srq_status srq_fuzz_read(const uint8_t *data, size_t size)
{
    static const srq_variable variables[] = {{"in", 64}, {"out", 128}, {"stride", 2}, {"zero", 0}};
    char what[256] = "", *text = strndup((const char *)data, size);
    long value = 0;
    if (!text) abort();
    const bool is = srq_expression_is(text);
    const bool done = srq_expression_evaluate(text, 4, variables, &value, what, sizeof what);
    srq_fuzz_check(done || (what[0] && strlen(what) < sizeof what), "a refusal has a reason");
    srq_fuzz_check(!done || labs(value) < 1L << 31, "a result is below 2^31");
    free(text);
    return is && done ? SRQ_OK : srq_fail(SRQ_ERROR_USAGE, "not an expression");
}
