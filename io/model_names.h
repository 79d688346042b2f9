/* Names in a model file: of layers and instances of blocks, and of what they read. */
#ifndef SRQ_IO_MODEL_NAMES_H
#define SRQ_IO_MODEL_NAMES_H

#include "io/model_scope.h"

/* The name of a model, a layer or an instance; inside a block behind the instance's and a point. */
srq_status srq_scope_name(const srq_scope *in, const config_setting_t *group, char name[SRQ_NAME_SIZE]);
/* The new name of a layer or instance must not be taken. */
srq_status srq_scope_check_name(const srq_scope *in, const config_setting_t *group, const char *name);
/* The list `inputs` of a layer or instance, NULL if it has none. */
srq_status srq_scope_inputs(const srq_scope *in, const config_setting_t *group, const config_setting_t **inputs);
/* One input of `layer`: "input", or the name of an earlier layer or block of the scope. The whole name of the layer
 * that makes it goes into `out`. */
srq_status srq_scope_input(const srq_scope *in, const config_setting_t *layer, const config_setting_t *setting,
                           char out[SRQ_NAME_SIZE]);

#endif
