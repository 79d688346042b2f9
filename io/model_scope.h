/* Reading a model file: where layers stand, and how values and mistakes there are read and reported. For the files that
 * read models (io/model_read.c on top, io/model_layer.c, io/model_names.c). */
#ifndef SRQ_IO_MODEL_SCOPE_H
#define SRQ_IO_MODEL_SCOPE_H

#include "io/expression.h"
#include "io/schema.h"

enum { SRQ_PARAMETERS_MAX = 16 };

/* One instance of a block: its name stands for its last layer. */
typedef struct srq_instance {
    char name[SRQ_NAME_SIZE], last[SRQ_NAME_SIZE];
    char origin[SRQ_ORIGIN_SIZE];
} srq_instance;

/* What is being read, for all scopes. */
typedef struct srq_reading {
    const char *file;
    const config_setting_t *blocks; /* NULL without */
    srq_model_spec *model;
    int layer_room;
    srq_instance *instances;
    int instance_count, instance_room;
} srq_reading;

/* Where layers are being read: the model itself, or one instance of a block. */
typedef struct srq_scope {
    const struct srq_scope *outer; /* NULL for the model */
    srq_reading *all;
    const char *block;         /* its name; NULL for the model */
    char name[SRQ_NAME_SIZE];  /* of the instance; "" for the model */
    char where[512];           /* of the instance */
    char input[SRQ_NAME_SIZE]; /* what "input" stands for */
    char last[SRQ_NAME_SIZE];  /* what the next layer reads unless it says otherwise */
    int depth;
    int variable_count;
    srq_variable variables[SRQ_PARAMETERS_MAX + 1];
} srq_scope;

/* All of these fail with SRQ_ERROR_USAGE; the message begins with the place of `setting`, "FILE:LINE", and in a block
 * that of the instance. */
srq_status srq_scope_bad(const srq_scope *in, const config_setting_t *setting, const char *what);
/* "KEY must be EXPECTED, but is ...". */
srq_status srq_scope_mistyped(const srq_scope *in, const config_setting_t *setting, const char *key,
                              const char *expected);
/* Every member of the group must be one of names[count]; "did you mean" otherwise. `owner` has its verb: "a model has".
 */
srq_status srq_scope_check_members(const srq_scope *in, const config_setting_t *group, const char *const *names,
                                   int count, const char *owner);

/* A whole number from min to max, or an expression over the scope's parameters. */
srq_status srq_scope_integer(const srq_scope *in, const config_setting_t *setting, int min, int max, int *value);
/* The text called `key` in the group, which must have it. */
srq_status srq_scope_text(const srq_scope *in, const config_setting_t *group, const char *key, const char **value);

#endif
