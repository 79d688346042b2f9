#include "experiments/srq/bench/conv_peak.h"

#include "io/progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double time_call(const srq_kernels *k, srq_conv_plan *plan, int n, const srq_operand *x, const srq_operand *dy,
                        void *out, void *scratch, bool backward)
{
    double best = INFINITY;
    for (int i = 0; i < 6; i++) {
        const double since = srq_seconds();
        if (backward)
            k->conv_backward_data(plan, 0, n, dy, out, scratch);
        else
            k->conv_forward(plan, 0, n, x, out, scratch);
        best = fmin(best, srq_seconds() - since);
    }
    return best;
}

srq_status srq_conv_peak_measure(const srq_kernels *k, const srq_vector *vector, bool codes, srq_conv_peak *p)
{
    enum { N = 8, SIDE = 16, CHANNELS = 256, FLOATS = N * SIDE * SIDE * CHANNELS, WEIGHTS = CHANNELS * CHANNELS * 9 };
    const srq_conv_shape shape = {.capacity = N,
                                  .workers = 1,
                                  .height = SIDE,
                                  .width = SIDE,
                                  .in = CHANNELS,
                                  .out_height = SIDE,
                                  .out_width = SIDE,
                                  .out = CHANNELS,
                                  .kernel = {3, 3},
                                  .stride = {1, 1},
                                  .padding = {1, 1},
                                  .groups = 1,
                                  .input_gradient = true,
                                  .input = codes ? SRQ_UINT8 : SRQ_FLOAT32,
                                  .weight_codes = codes,
                                  .input_most = 15,
                                  .weights_most = 8};
    srq_conv_plan *plan = NULL;
    SRQ_TRY(k->conv_create(&shape, vector, &plan));
    const size_t scratch_size = (k->conv_info(plan).scratch + 127) / 64 * 64;
    char *memory = aligned_alloc(64, 3 * FLOATS * sizeof(float) + WEIGHTS * sizeof(float) + scratch_size);
    if (!memory) {
        k->conv_destroy(&plan);
        return srq_fail_memory(scratch_size, "a convolution");
    }
    memset(memory, 0, 3 * FLOATS * sizeof(float) + WEIGHTS * sizeof(float));
    float *x = (float *)memory, *dy = x + FLOATS, *out = dy + FLOATS, *weights = out + FLOATS;
    void *scratch = weights + WEIGHTS;
    const srq_operand input = {.data = x, .dtype = shape.input, .scale = 1};
    const srq_operand gradient = {.data = dy, .dtype = k->conv_info(plan).gradient, .scale = 1};
    const srq_operand w = {.data = weights, .dtype = codes ? SRQ_INT8 : SRQ_FLOAT32, .scale = 1};
    k->conv_pack(plan, 0, &w, true, scratch);
    const double operations = 2.0 * WEIGHTS * N * SIDE * SIDE;
    p->forward = operations / time_call(k, plan, N, &input, &gradient, out, scratch, false);
    p->backward = operations / time_call(k, plan, N, &input, &gradient, out, scratch, true);
    p->backward_in = k->conv_info(plan).backward;
    k->conv_destroy(&plan);
    free(memory);
    return SRQ_OK;
}
