#include "core/kernels/onednn/call.h"

#include "core/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

srq_status srq_onednn_check(dnnl_status_t status, const char *what)
{
    if (status == dnnl_success) return SRQ_OK;
    if (status == dnnl_out_of_memory) return srq_fail_memory(0, what);
    return srq_fail(SRQ_ERROR_RUN, "oneDNN rejects %s (status %d); use train.engine = \"reference\"", what,
                    (int)status);
}

srq_status srq_onednn_attributes(dnnl_primitive_attr_t *attr)
{
    TRY_DNNL(dnnl_primitive_attr_create(attr), "to start");
    const srq_status status =
        srq_onednn_check(dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user), "our memory");
    if (status != SRQ_OK) dnnl_primitive_attr_destroy(*attr);
    return status;
}

srq_status srq_onednn_open(int workers, srq_onednn_device *device)
{
    TRY_DNNL(dnnl_engine_create(&device->engine, dnnl_cpu, 0), "to start");
    device->streams = calloc((size_t)workers, sizeof(dnnl_stream_t));
    if (!device->streams) return srq_fail_memory(0, "a convolution");
    device->workers = workers;
    for (int w = 0; w < workers; w++)
        TRY_DNNL(dnnl_stream_create(&device->streams[w], device->engine, dnnl_stream_default_flags), "to start");
    return SRQ_OK;
}

void srq_onednn_close(srq_onednn_device *device)
{
    for (int w = 0; device->streams && w < device->workers; w++)
        if (device->streams[w]) dnnl_stream_destroy(device->streams[w]);
    free(device->streams);
    if (device->engine) dnnl_engine_destroy(device->engine);
    *device = (srq_onednn_device){0};
}

static srq_status add_argument(const srq_onednn_device *device, srq_onednn_call *c, int name,
                               const dnnl_memory_desc_t *md)
{
    for (int w = 0; w < c->workers; w++) {
        c->args[w][c->count].arg = name;
        TRY_DNNL(dnnl_memory_create(&c->args[w][c->count].memory, md, device->engine, DNNL_MEMORY_NONE), "a tensor");
    }
    c->count++;
    return SRQ_OK;
}

srq_status srq_onednn_make(const srq_onednn_device *device, const_dnnl_primitive_desc_t pd, int count,
                           const srq_onednn_argument *arguments, srq_onednn_call *c)
{
    c->args = calloc((size_t)device->workers, sizeof *c->args);
    if (!c->args) return srq_fail_memory((size_t)device->workers * sizeof *c->args, "a convolution");
    c->workers = device->workers;
    for (int i = 0; i < count; i++) SRQ_TRY(add_argument(device, c, arguments[i].name, arguments[i].md));
    const dnnl_memory_desc_t *scratchpad = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    c->scratch = scratchpad ? dnnl_memory_desc_get_size(scratchpad) : 0;
    if (c->scratch) SRQ_TRY(add_argument(device, c, DNNL_ARG_SCRATCHPAD, scratchpad));
    TRY_DNNL(dnnl_primitive_create(&c->primitive, pd), "a kernel");
    return SRQ_OK;
}

srq_status srq_onednn_make_from(const srq_onednn_device *device, const_dnnl_primitive_desc_t pd, int count,
                                const int *names, const dnnl_query_t *queries, srq_onednn_call *c)
{
    srq_onednn_argument arguments[SRQ_ONEDNN_ARGS_MAX];
    for (int i = 0; i < count; i++)
        arguments[i] = (srq_onednn_argument){.name = names[i], .md = dnnl_primitive_desc_query_md(pd, queries[i], 0)};
    return srq_onednn_make(device, pd, count, arguments, c);
}

srq_status srq_onednn_make_reorder(const srq_onednn_device *device, const dnnl_memory_desc_t *from,
                                   const dnnl_memory_desc_t *to, const_dnnl_primitive_attr_t attr, srq_onednn_call *c)
{
    static const int names[] = {DNNL_ARG_FROM, DNNL_ARG_TO};
    static const dnnl_query_t queries[] = {dnnl_query_src_md, dnnl_query_dst_md};
    dnnl_primitive_desc_t pd;
    TRY_DNNL(dnnl_reorder_primitive_desc_create(&pd, from, device->engine, to, device->engine, attr),
             "reordering weights");
    srq_status status = srq_onednn_make_from(device, pd, 2, names, queries, c);
    dnnl_primitive_desc_destroy(pd);
    return status;
}

void srq_onednn_destroy(srq_onednn_call *c)
{
    for (int w = 0; w < c->workers; w++)
        for (int i = 0; i < SRQ_ONEDNN_ARGS_MAX; i++)
            if (c->args[w][i].memory) dnnl_memory_destroy(c->args[w][i].memory);
    free(c->args);
    if (c->primitive) dnnl_primitive_destroy(c->primitive);
    *c = (srq_onednn_call){0};
}

void srq_onednn_run(const srq_onednn_device *device, const srq_onednn_call *c, int worker, const void *const *data,
                    float *result, char *scratch)
{
    const int count = c->count - (c->scratch > 0);
    const dnnl_exec_arg_t *args = c->args[worker];
    const dnnl_stream_t stream = device->streams[worker];
    bool good = true;
    for (int i = 0; i < count; i++)
        good = dnnl_memory_set_data_handle(args[i].memory, (void *)data[i]) == dnnl_success && good;
    if (c->scratch) good = dnnl_memory_set_data_handle(args[count].memory, scratch) == dnnl_success && good;
    good = good && dnnl_primitive_execute(c->primitive, stream, c->count, args) == dnnl_success;
    good = good && dnnl_stream_wait(stream) == dnnl_success;
    if (!good && result) *result = NAN;
}

bool srq_onednn_is_slow(const_dnnl_primitive_desc_t pd)
{
    const char *name = NULL;
    return dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name) == dnnl_success && name &&
           strncmp(name, "ref", 3) == 0;
}

size_t srq_onednn_whole_lines(size_t bytes)
{
    return (bytes + SRQ_ONEDNN_LINE - 1) / SRQ_ONEDNN_LINE * SRQ_ONEDNN_LINE;
}

void *srq_onednn_memory(const dnnl_memory_desc_t *md, size_t *size)
{
    *size = srq_onednn_whole_lines(dnnl_memory_desc_get_size(md));
    return srq_memory(*size);
}
