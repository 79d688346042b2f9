/* Deployed networks (core/deploy.h) from checkpoints, and as files of the format "srq-deployed".
 *
 * File layout, version 1 (docs/export.md): attributes of the root group (format, version, model, method, step,
 * digests), /classes                 strings [classes] /input/multiply, add     float32 [channels]: factor and summand
 * for pixels of 0 to 255; attributes of /input: height, width, channels, fraction, resize, data_name, data_sha256
 *   /operations/layer, kind  strings [n]: the name of the layer, and a name of srq_deploy_kind_name
 *   /operations/table        int32 [n][22]; the columns are:
 *                            0-7    inputs: earlier operations, -1 for the images, -2 for none
 *                            8-10   height, width, channels of the output
 *                            11-12  bits of the output's codes, 0 for float32; 1 if the codes are signed
 *                            13-18  kernel, stride, padding, each for height and width; 0 for kinds without windows
 *                            19-20  convolutions: groups; 1 for a dense layer
 *                            21     convolutions: number of scales of the weights, 0 for float32
 *   /operations/numbers      float32 [n][4]: scale of the output's codes; low, high (Clip); slope (LeakyRelu)
 *   /operations/a, b         float32: factors and summands of all Affine operations, one after another
 *   /operations/scales       float32: scales of the weights of all convolutions, one after another
 *   /weights/LAYER           uint8 [bytes]: the codes of a convolution, `bits` bits each, in the order [out]
 *                            [in / groups][kernel 0][kernel 1], the first in the lowest bits of the first byte, in
 *                            two's complement; attributes bits and count. Or float32 [count], bits 32
 *   /masks/LAYER             uint8 [(count + 7) / 8], as in checkpoints (io/masks.h): then /weights/LAYER has only the
 *                            weights that it keeps
 *   /points/LAYER/weights, output   float32 [codes]: the points of a grid that is not uniform */
#ifndef SRQ_IO_DEPLOYED_H
#define SRQ_IO_DEPLOYED_H

#include "core/deploy.h"
#include "io/config.h"

#include <stdbool.h>
#include <stdio.h>

#define SRQ_DEPLOYED_FORMAT "srq-deployed"
enum { SRQ_DEPLOYED_VERSION = 1, SRQ_DEPLOYED_NO_INPUT = -2, SRQ_DEPLOYED_COLUMNS = 22, SRQ_DEPLOYED_NUMBERS = 4 };

/* Makes the deployed network of a checkpoint. Images are normalized as in its training. The names of classes are those
 * of the data set `data`, or, if it is NULL, of the one that the checkpoint names. Of an older checkpoint, which has no
 * statistics (io/input_statistics.h), those of this data set are used, too; `notes` gets a line if it is another one
 * than that of the training. Errors are those of srq_checkpoint_read, srq_dataset_load and srq_deploy_create. The
 * caller destroys *net. *config may be NULL; the caller destroys it. */
srq_status srq_deployed_make(const char *checkpoint, const char *data, FILE *notes, srq_config **config,
                             srq_deploy **net);

/* Writes a file, atomically. SRQ_ERROR_RUN. */
srq_status srq_deployed_write(const char *path, const srq_deploy *net);
/* Reads a file and checks everything in it (srq_deploy_check). SRQ_ERROR_DATA. The caller destroys *net. */
srq_status srq_deployed_read(const char *path, srq_deploy **net);
/* Whether `path` says that it is such a file: for what could not be read as a checkpoint. The message of that failure
 * stays as it is. */
bool srq_deployed_is(const char *path);

#endif
