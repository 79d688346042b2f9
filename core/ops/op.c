#include "core/ops/op.h"

#include <string.h>

#define OPERATOR(name) extern const srq_op srq_op_##name;
#include "core/ops/operators.def"
#undef OPERATOR

#define OPERATOR(name) &srq_op_##name,
static const srq_op *const operators[] = {
#include "core/ops/operators.def"
};
#undef OPERATOR

int srq_op_count(void)
{
    return (int)(sizeof operators / sizeof *operators);
}

const srq_op *srq_op_at(int index)
{
    return operators[index];
}

const srq_op *srq_op_find(const char *type)
{
    for (int i = 0; i < srq_op_count(); i++)
        if (strcmp(operators[i]->type, type) == 0) return operators[i];
    return NULL;
}

int srq_op_setting_count(const srq_op *op)
{
    int count = 0;
    while (count < SRQ_OP_SETTINGS_MAX && op->settings[count].name) count++;
    return count;
}

const srq_op_setting *srq_op_setting_find(const srq_op *op, const char *name)
{
    for (int k = 0; k < srq_op_setting_count(op); k++)
        if (strcmp(op->settings[k].name, name) == 0) return &op->settings[k];
    return NULL;
}
