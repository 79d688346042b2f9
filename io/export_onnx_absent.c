/* The formats onnx and qonnx without protobuf-c: they say so. */
#include "io/export.h"

static srq_status refuse(const srq_export_request *request, const char *path)
{
    (void)request, (void)path;
    return srq_fail(
        SRQ_ERROR_USAGE,
        "export: this srq was built without protobuf-c, which ONNX files need; install libprotobuf-c-dev and "
        "protobuf-c-compiler and build again, or use --to c or --to h5");
}

static const char *const styles[] = {"integer", "qdq", NULL};

const srq_export_format srq_export_onnx = {
    .name = "onnx", .summary = "ONNX (not built in)", .suffix = ".onnx", .styles = styles, .write = refuse};
const srq_export_format srq_export_qonnx = {
    .name = "qonnx", .summary = "QONNX (not built in)", .suffix = ".onnx", .write = refuse};
