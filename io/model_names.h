/* Names in a model file: of layers, of instances of blocks, and of their inputs. */
#ifndef SRQ_IO_MODEL_NAMES_H
#define SRQ_IO_MODEL_NAMES_H

#include "io/model_scope.h"

/* The name of a model, a layer or an instance. Inside a block, it is INSTANCE.NAME. */
srq_status srq_scope_name(const srq_scope *in, const config_setting_t *group, char name[SRQ_NAME_SIZE]);
/* Checks that the name of a new layer or instance is not used yet. */
srq_status srq_scope_check_name(const srq_scope *in, const config_setting_t *group, const char *name);
/* The list `inputs` of a layer or instance, or NULL. */
srq_status srq_scope_inputs(const srq_scope *in, const config_setting_t *group, const config_setting_t **inputs);
/* Resolves an input of `layer`: "input", or the name of an earlier layer or block of the scope. Writes the full name of
 * the layer that produces it to `out`. */
srq_status srq_scope_input(const srq_scope *in, const config_setting_t *layer, const config_setting_t *setting,
                           char out[SRQ_NAME_SIZE]);

#endif
