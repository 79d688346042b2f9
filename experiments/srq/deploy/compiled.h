/* Runs what was exported in a process of its own, which reads images from its input and writes logits: a C file,
 * compiled with a main; an ONNX file, by ONNX Runtime in Node.js (tests/onnx/run.js). */
#ifndef SRQ_EXPERIMENTS_DEPLOY_COMPILED_H
#define SRQ_EXPERIMENTS_DEPLOY_COMPILED_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct srq_compiled srq_compiled;

/* Compiles the file `path` by $CC, or cc, in a temporary folder, and starts it. `name` is the prefix of its names, and
 * an image has `size` bytes. SRQ_ERROR_RUN if there is no compiler, or if it fails; what it prints is left to the user.
 * The caller closes *compiled. */
srq_status srq_compiled_open(const char *path, const char *name, size_t size, int classes, srq_compiled **compiled);
void srq_compiled_close(srq_compiled **compiled);
/* Starts ONNX Runtime on the file `path`, whose images have `shape`, "3x32x32" (channels, height, width). If Node.js or
 * onnxruntime-node is not installed, *compiled is NULL, and `why` says so. SRQ_ERROR_RUN if it refuses the file; what
 * it prints is left to the user. The caller closes *compiled. */
srq_status srq_compiled_open_onnx(const char *path, const char *shape, size_t size, int classes,
                                  srq_compiled **compiled, char *why, size_t why_size);
/* From an image to its logits. SRQ_ERROR_RUN if the program ends. */
srq_status srq_compiled_run(srq_compiled *compiled, const uint8_t *pixels, float *logits);

#endif
