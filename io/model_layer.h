/* Reads a layer of a model file: its type, and the settings from the operator's table (core/ops/op.h). */
#ifndef SRQ_IO_MODEL_LAYER_H
#define SRQ_IO_MODEL_LAYER_H

#include "io/model_scope.h"

/* Reads the group of a layer and adds it to the end of the model. SRQ_ERROR_USAGE for an unknown type, setting or
 * input, with the most similar name, and for values out of range. */
srq_status srq_model_read_layer(srq_scope *in, const config_setting_t *group);

#endif
