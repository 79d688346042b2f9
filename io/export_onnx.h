/* The styles of `srq export --to onnx` that are in files of their own. */
#ifndef SRQ_IO_EXPORT_ONNX_H
#define SRQ_IO_EXPORT_ONNX_H

#include "io/export.h"

#include <stdbool.h>

/* --style qdq, and qdq-int2 with `two_bits`: weights of at most 2 bits are INT2. */
srq_status srq_export_qdq(const srq_export_request *request, bool two_bits, const char *path);

#endif
