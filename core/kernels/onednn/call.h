/* oneDNN's primitives with their arguments, for the back ends of this folder. */
#ifndef SRQ_CORE_KERNELS_ONEDNN_CALL_H
#define SRQ_CORE_KERNELS_ONEDNN_CALL_H

#include "core/status.h"

#include <dnnl.h>
#include <stdbool.h>
#include <stddef.h>

enum { SRQ_ONEDNN_ARGS_MAX = 5, SRQ_ONEDNN_LINE = 64 };

/* Returns from a function that returns srq_status if oneDNN rejects the call. */
#define TRY_DNNL(call, what) SRQ_TRY(srq_onednn_check((call), (what)))
srq_status srq_onednn_check(dnnl_status_t status, const char *what);

/* The engine of a plan, and a stream for each worker. */
typedef struct srq_onednn_device {
    dnnl_engine_t engine;
    int workers;
    dnnl_stream_t *streams; /* [workers] */
} srq_onednn_device;

srq_status srq_onednn_open(int workers, srq_onednn_device *device);
void srq_onednn_close(srq_onednn_device *device);

/* Attributes of primitives that use the caller's scratch memory. The caller destroys *attr. */
srq_status srq_onednn_attributes(dnnl_primitive_attr_t *attr);

/* A primitive and its arguments, whose addresses are set for every run. Each worker has arguments of its own, so that
 * several can run the primitive at the same time. */
typedef struct srq_onednn_call {
    dnnl_primitive_t primitive;
    int count, workers;
    dnnl_exec_arg_t (*args)[SRQ_ONEDNN_ARGS_MAX]; /* [workers] */
    size_t scratch;                               /* bytes of its scratchpad; if above 0, it is the last argument */
} srq_onednn_call;

typedef struct srq_onednn_argument {
    int name; /* DNNL_ARG_... */
    const dnnl_memory_desc_t *md;
} srq_onednn_argument;

/* Makes the primitive of `pd` with at most SRQ_ONEDNN_ARGS_MAX - 1 arguments. If it fails, *call is still to be
 * destroyed. */
srq_status srq_onednn_make(const srq_onednn_device *device, const_dnnl_primitive_desc_t pd, int count,
                           const srq_onednn_argument *arguments, srq_onednn_call *call);
/* The same, for a descriptor that knows the arguments: `queries` as in dnnl_primitive_desc_query_md. */
srq_status srq_onednn_make_from(const srq_onednn_device *device, const_dnnl_primitive_desc_t pd, int count,
                                const int *names, const dnnl_query_t *queries, srq_onednn_call *call);
/* A call that copies weights from one order to another. */
srq_status srq_onednn_make_reorder(const srq_onednn_device *device, const dnnl_memory_desc_t *from,
                                   const dnnl_memory_desc_t *to, const_dnnl_primitive_attr_t attr,
                                   srq_onednn_call *call);
void srq_onednn_destroy(srq_onednn_call *call);

/* Runs it. `data` are the addresses in the order of the arguments. Everything was allocated when the primitive was
 * made, so a failure here means a broken library. *result is then set to NaN, which every step checks for. */
void srq_onednn_run(const srq_onednn_device *device, const srq_onednn_call *call, int worker, const void *const *data,
                    float *result, char *scratch);

/* Whether it is one of oneDNN's reference loops, which are slower than a conversion to float32. */
bool srq_onednn_is_slow(const_dnnl_primitive_desc_t pd);
/* Memory for a tensor, in whole cache lines; NULL without memory. The caller frees it. */
void *srq_onednn_memory(const dnnl_memory_desc_t *md, size_t *size);
size_t srq_onednn_whole_lines(size_t bytes);

#endif
