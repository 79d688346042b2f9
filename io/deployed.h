/* Deployed networks (core/deploy.h) from checkpoints, and as files of the format "srq-deployed".
 *
 * File layout, version 1 (docs/export.md): attributes of the root group (format, version, model, method, step,
 * digests), /classes                 strings [classes] /input/multiply, add     float32 [channels]: factor and summand
 * for pixels of 0 to 255; attributes of /input: height, width, channels, fraction, resize, data_name, data_sha256
 *   /operations/layer, kind  strings [n]; the name of the layer, and a name of srq_deploy_kind_name
 *   /operations/inputs       int32 [n][8]: earlier operations, -1 for the images, -2 for none
 *   /operations/output       int32 [n][3]: height, width, channels
 *   /operations/window       int32 [n][6]: kernel, stride, padding; 0 for kinds without windows
 *   /operations/convolution  int32 [n][2]: groups, and 1 for a dense layer
 *   /operations/grid         int32 [n][2]: bits of the output's codes (0: float32), and 1 if they are signed
 *   /operations/scale        float32 [n][1]: of the output's codes
 *   /operations/limits       float32 [n][3]: low, high and slope
 *   /affine/I/a, b           float32 [channels]: of operation I
 *   /points/I                float32 [codes]: the points of the output's grid, if it is not uniform
 *   /weights/LAYER/codes     uint8 [bytes]: the codes of a convolution, bits b each, in the order [out][in / groups]
 *                            [kernel 0][kernel 1], the first in the lowest bits of the first byte, in two's complement;
 *                            attributes bits, count. With weight_mask, only the codes of kept weights
 *   /weights/LAYER/scale     float32 [1] or [out]
 *   /weights/LAYER/points    float32 [codes], if the grid is not uniform
 *   /weights/LAYER/values    float32 [count], in place of codes, if the weights are not quantized
 *   /weights/LAYER/weight_mask  as in checkpoints (io/masks.h), if that makes the file smaller */
#ifndef SRQ_IO_DEPLOYED_H
#define SRQ_IO_DEPLOYED_H

#include "core/deploy.h"
#include "io/config.h"

#include <stdbool.h>

#define SRQ_DEPLOYED_FORMAT "srq-deployed"
enum { SRQ_DEPLOYED_VERSION = 1, SRQ_DEPLOYED_NO_INPUT = -2 };

/* Makes the deployed network of a checkpoint. Normalization and names of classes are those of the data set `data`, or,
 * if it is NULL, of the one that the checkpoint names. Errors are those of srq_checkpoint_read, srq_dataset_load and
 * srq_deploy_create. The caller destroys *net. *config may be NULL; the caller destroys it. */
srq_status srq_deployed_make(const char *checkpoint, const char *data, srq_config **config, srq_deploy **net);

/* Writes a file, atomically. SRQ_ERROR_RUN. */
srq_status srq_deployed_write(const char *path, const srq_deploy *net);
/* Reads a file and checks everything in it (srq_deploy_check). SRQ_ERROR_DATA. The caller destroys *net. */
srq_status srq_deployed_read(const char *path, srq_deploy **net);
/* Whether `path` says that it is such a file. False if it cannot be opened: whoever opens it next says why. */
bool srq_deployed_is(const char *path);

#endif
