/* A data set, of either version, with its encoded images. */
#include "io/dataset.h"
#include "tests/fuzz/h5_part.h"

#include <stdlib.h>

void srq_fuzz_start(void)
{
    srq_fuzz_begin_limits();
}

static void note_split(const srq_dataset *set, srq_split_name name)
{
    const srq_split *s = &set->splits[name];
    const size_t image = (size_t)set->height * (size_t)set->width * (size_t)set->channels;
    uint8_t *bytes = malloc(set->largest_bytes + 1);
    srq_fuzz_note(s->labels, s->count * sizeof *s->labels);
    if (s->images) srq_fuzz_note(s->images, s->count * image);
    for (size_t i = 0; set->encoded && bytes && i < s->count; i++) {
        size_t size = 0;
        if (srq_dataset_read(set, name, i, bytes, &size) == SRQ_OK) srq_fuzz_note(bytes, size);
    }
    free(bytes);
}

srq_status srq_fuzz_read(const uint8_t *data, size_t size)
{
    srq_dataset *set = NULL;
    const srq_status status =
        srq_dataset_load(srq_fuzz_file("data.h5", data, size), SRQ_LOAD_TRAIN | SRQ_LOAD_TEST, &set);
    if (status == SRQ_OK) {
        note_split(set, SRQ_TRAIN);
        note_split(set, SRQ_TEST);
        srq_fuzz_note(set->mean, (size_t)set->channels * sizeof *set->mean);
        srq_fuzz_note(set->std, (size_t)set->channels * sizeof *set->std);
        srq_dataset_destroy(&set);
    }
    srq_fuzz_end_limits();
    return status;
}
