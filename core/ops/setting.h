/* The settings that a type of layer has in model files: the part of an operator's table (op.h) that io/ reads. */
#ifndef SRQ_CORE_OPS_SETTING_H
#define SRQ_CORE_OPS_SETTING_H

#include "core/spec.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum srq_op_setting_kind {
    SRQ_OP_WHOLE, /* a whole number: int. A block's parameters may stand in it */
    SRQ_OP_PAIR,  /* [height, width], or one whole number for both: int[2] */
    SRQ_OP_REAL,  /* a number: float */
    SRQ_OP_FLAG   /* true or false: bool */
} srq_op_setting_kind;

typedef struct srq_op_setting {
    const char *name; /* in the model file: "kernel" */
    srq_op_setting_kind kind;
    size_t place;       /* of the value in srq_layer_spec: SRQ_PLACE(kernel), or SRQ_PLACE(own[0].real) */
    double least, most; /* both are allowed ... */
    bool above;         /* ... but `least` itself is not */
    bool required;
    double initial; /* without it in the file: this, ... */
    /* ... or the value of the setting called `like`, which stands before it in the table. */
    const char *like;
    /* ... or `initial` (outside of least..most), which means that the layer has no such value: "none", "the whole
     * image". */
    const char *absent;
    /* The setting, before it in the table, without which this one means nothing and is refused. */
    const char *with;
} srq_op_setting;

#define SRQ_PLACE(member) offsetof(srq_layer_spec, member)

enum { SRQ_OP_SETTINGS_MAX = 8 };

#endif
