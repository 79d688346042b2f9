/* The settings of layers from the operators' tables (core/ops/setting.h): defaults, printing, and the reference. */
#ifndef SRQ_IO_LAYER_SETTINGS_H
#define SRQ_IO_LAYER_SETTINGS_H

#include "core/ops/op.h"

#include <stdio.h>

/* Sets the default of a setting. The settings before it in the table must have their values already. */
void srq_layer_setting_default(const srq_op *type, const srq_op_setting *setting, srq_layer_spec *layer);

/* Whether the layer has a value for the setting. An average pooling of the whole image has no kernel, and a plain ReLU
 * has no ceiling. */
bool srq_layer_setting_is_there(const srq_layer_spec *layer, const srq_op_setting *setting);

/* The value in libconfig syntax: "[2, 2]". */
void srq_layer_setting_print(const srq_layer_spec *layer, const srq_op_setting *setting, FILE *out);

/* The names of the settings, "kernel, stride, padding", or "none". Returns `out`. */
const char *srq_layer_setting_names(const srq_op *type, char *out, size_t size);

/* Prints the reference of all layer types. It is the table in docs/configuration.md if `markdown`, otherwise the text
 * of `srq help layers`. */
void srq_layer_reference(FILE *out, bool markdown);

#endif
