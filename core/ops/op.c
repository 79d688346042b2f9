#include "core/ops/op.h"

#include <string.h>

extern const srq_op srq_op_conv, srq_op_dense, srq_op_batch_norm, srq_op_max_pool, srq_op_avg_pool, srq_op_relu,
    srq_op_add, srq_op_quantize;

const srq_op *srq_op_find(const char *type)
{
    static const srq_op *const ops[] = {&srq_op_conv,     &srq_op_dense, &srq_op_batch_norm, &srq_op_max_pool,
                                        &srq_op_avg_pool, &srq_op_relu,  &srq_op_add,        &srq_op_quantize};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (strcmp(ops[i]->type, type) == 0) return ops[i];
    return NULL;
}
