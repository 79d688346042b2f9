/* The styles of `srq export --to onnx` that are in files of their own. */
#ifndef SRQ_IO_EXPORT_ONNX_H
#define SRQ_IO_EXPORT_ONNX_H

#include "io/export.h"

/* --style qdq */
srq_status srq_export_qdq(const srq_export_request *request, const char *path);

#endif
