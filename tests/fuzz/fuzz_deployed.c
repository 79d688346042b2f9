/* A deployed network, which runs if it can be read. */
#include "io/deployed.h"
#include "tests/fuzz/h5_part.h"

#include <stdlib.h>

void srq_fuzz_start(void)
{
    srq_fuzz_begin_limits();
}

/* Only small ones: the files are of some kB, but may name large activations. */
static void run(const srq_deploy *net)
{
    srq_deploy_runner *runner = NULL;
    const srq_deploy_tensor images = srq_deploy_tensor_at(net, SRQ_DEPLOY_IMAGES);
    double work = (double)srq_deploy_size(&images);
    for (int i = 0; i < net->op_count; i++) {
        const srq_deploy_op *op = &net->ops[i];
        const double window = op->kernel[0] ? (double)op->kernel[0] * (double)op->kernel[1] : 1;
        const double taps = op->kind == SRQ_DEPLOY_CONV ? srq_deploy_macs(op) : 0;
        work += (double)srq_deploy_size(&op->output) * window + taps;
    }
    if (work > 1e6) return;
    float *image = calloc(srq_deploy_size(&images), sizeof *image);
    float *logits = calloc((size_t)net->input.classes, sizeof *logits);
    if (image && logits && srq_deploy_runner_create(net, &runner) == SRQ_OK) {
        srq_deploy_run(runner, image, logits);
        srq_fuzz_note(logits, (size_t)net->input.classes * sizeof *logits);
    }
    srq_deploy_runner_destroy(&runner);
    free(image);
    free(logits);
}

srq_status srq_fuzz_read(const uint8_t *data, size_t size)
{
    srq_deploy *net = NULL;
    const srq_status status = srq_deployed_read(srq_fuzz_file("net.h5", data, size), &net);
    if (status == SRQ_OK) run(net);
    srq_deploy_destroy(&net);
    srq_fuzz_end_limits();
    return status;
}
