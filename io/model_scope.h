/* Scopes of a model file, and reading values and reporting mistakes in them. Only for the files that read models
 * (io/model_read.c, which calls io/model_layer.c and io/model_names.c). */
#ifndef SRQ_IO_MODEL_SCOPE_H
#define SRQ_IO_MODEL_SCOPE_H

#include "io/expression.h"
#include "io/mistakes.h"
#include "io/schema.h"

enum { SRQ_PARAMETERS_MAX = 16 };

/* An instance of a block. Its name refers to its last layer. */
typedef struct srq_instance {
    char name[SRQ_NAME_SIZE], last[SRQ_NAME_SIZE];
    char origin[SRQ_ORIGIN_SIZE];
} srq_instance;

/* State of reading, for all scopes. */
typedef struct srq_reading {
    const char *file;
    const config_setting_t *blocks; /* NULL if there are none */
    srq_model_spec *model;
    int layer_room;
    srq_instance *instances;
    int instance_count, instance_room;
    srq_mistakes *mistakes;
    /* Blocks whose layers have mistakes: they are not read again in other instances. */
    const config_setting_t *bad_blocks[SRQ_MISTAKES_SHOWN];
    int bad_count;
} srq_reading;

/* The scope in which layers are read: the model, or an instance of a block. */
typedef struct srq_scope {
    const struct srq_scope *outer; /* NULL for the model */
    srq_reading *all;
    const char *block;         /* name of the block; NULL for the model */
    char name[SRQ_NAME_SIZE];  /* name of the instance; "" for the model */
    char where[512];           /* of the instance */
    char input[SRQ_NAME_SIZE]; /* the layer to which "input" refers */
    char last[SRQ_NAME_SIZE];  /* the default input of the next layer */
    int depth;
    int variable_count;
    srq_variable variables[SRQ_PARAMETERS_MAX + 1];
} srq_scope;

/* All of these fail with SRQ_ERROR_USAGE. The message begins with the place of `setting`, "FILE:LINE"; in a block, also
 * with that of the instance. */
srq_status srq_scope_bad(const srq_scope *in, const config_setting_t *setting, const char *what);
/* "KEY must be EXPECTED, but is ...". */
srq_status srq_scope_mistyped(const srq_scope *in, const config_setting_t *setting, const char *key,
                              const char *expected);
/* Checks that every member of the group is one of names[count]. Otherwise the message suggests one. `owner` includes
 * its verb: "a model has". */
srq_status srq_scope_check_members(const srq_scope *in, const config_setting_t *group, const char *const *names,
                                   int count, const char *owner);

/* Reads a whole number from min to max, or an expression with the scope's parameters. */
srq_status srq_scope_integer(const srq_scope *in, const config_setting_t *setting, int min, int max, int *value);
/* Reads the text `key` of the group, which must exist. */
srq_status srq_scope_text(const srq_scope *in, const config_setting_t *group, const char *key, const char **value);

#endif
