#include "experiments/srq/train/test_images.h"

#include <stdlib.h>

static srq_status check_fits(const srq_dataset *d, const srq_deploy *net, const char *file)
{
    const srq_deploy_input *in = &net->input;
    if (d->channels != in->channels || (!d->encoded && (d->height != in->height || d->width != in->width)))
        return srq_fail(
            SRQ_ERROR_DATA,
            "%s: its images are %d x %d x %d (height x width x channels), but the network \"%s\" takes %d x "
            "%d x %d; choose another data set",
            file, d->height, d->width, d->channels, net->model, in->height, in->width, in->channels);
    if (d->classes != in->classes)
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: it has %d classes, but the network \"%s\" gives %d logits; choose another data set", file,
                        d->classes, net->model, in->classes);
    return SRQ_OK;
}

static srq_status make_view(const srq_deploy *net, srq_test_images *t)
{
    const srq_deploy_input *in = &net->input;
    t->settings = (srq_settings){.data = {.resize = in->resize, .normalize = "none"}};
    t->settings.model = (srq_model_spec){.height = in->height, .width = in->width, .channels = in->channels};
    SRQ_TRY(srq_view_create(t->dataset, &t->settings, &t->view));
    for (size_t i = 0; i < (size_t)in->width * (size_t)in->channels; i++) { /* pixels as they are */
        t->view.multiply[i] = 1;
        t->view.add[i] = 0;
    }
    return srq_view_bench_create(&t->view, &t->bench);
}

srq_status srq_test_images_open(const char *file, const srq_deploy *net, srq_test_images *t)
{
    const srq_deploy_input *in = &net->input;
    *t = (srq_test_images){0};
    SRQ_TRY(srq_dataset_load(file, SRQ_LOAD_TEST, &t->dataset));
    SRQ_TRY(check_fits(t->dataset, net, file));
    t->count = (long)t->dataset->splits[SRQ_TEST].count;
    t->labels = t->dataset->splits[SRQ_TEST].labels;
    const size_t size = (size_t)in->height * (size_t)in->width * (size_t)in->channels;
    t->floats = malloc(size * sizeof *t->floats);
    return t->floats ? make_view(net, t) : srq_fail_memory(size * sizeof *t->floats, "an image");
}

void srq_test_images_close(srq_test_images *t)
{
    srq_view_bench_destroy(&t->bench);
    srq_view_destroy(&t->view);
    srq_dataset_destroy(&t->dataset);
    free(t->floats);
    *t = (srq_test_images){0};
}

srq_status srq_test_images_read(srq_test_images *t, long index, uint8_t *pixels)
{
    const size_t size = (size_t)t->view.height * (size_t)t->view.width * (size_t)t->view.channels;
    SRQ_TRY(srq_view_make(&t->view, &t->bench, SRQ_TEST, (size_t)index, SRQ_VIEW_TEST, t->floats));
    for (size_t i = 0; i < size; i++) pixels[i] = (uint8_t)t->floats[i];
    return SRQ_OK;
}
