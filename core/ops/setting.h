/* The settings of a layer type in model files. This is the part of an operator's table (op.h) that io/ reads. */
#ifndef SRQ_CORE_OPS_SETTING_H
#define SRQ_CORE_OPS_SETTING_H

#include "core/spec.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum srq_op_setting_kind {
    SRQ_OP_WHOLE, /* a whole number: int. It can be an expression of a block's parameters */
    SRQ_OP_PAIR,  /* [height, width], or one whole number for both: int[2] */
    SRQ_OP_REAL,  /* a number: float */
    SRQ_OP_FLAG   /* true or false: bool */
} srq_op_setting_kind;

typedef struct srq_op_setting {
    const char *name; /* in the model file: "kernel" */
    srq_op_setting_kind kind;
    size_t place;       /* offset of the value in srq_layer_spec: SRQ_PLACE(kernel), or SRQ_PLACE(own[0].real) */
    double least, most; /* smallest and largest value ... */
    bool above;         /* ... but `least` itself is not allowed */
    bool required;
    double initial; /* default: this value, ... */
    /* ... or the value of the setting `like`, which must come before it in the table, ... */
    const char *like;
    /* ... or `initial`, outside of least..most, if the layer then has no such value. This text describes it: "none",
     * "the whole image". */
    const char *absent;
    /* This setting is rejected without the setting of this name, which must come before it in the table. */
    const char *with;
} srq_op_setting;

#define SRQ_PLACE(member) offsetof(srq_layer_spec, member)

enum { SRQ_OP_SETTINGS_MAX = 8 };

#endif
