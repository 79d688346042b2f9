#include "io/input_statistics.h"

#include "io/escape.h"

#include <stdlib.h>
#include <string.h>

#define MEAN SRQ_INPUT_STATISTICS "/mean"
#define STD SRQ_INPUT_STATISTICS "/std"

srq_status srq_input_statistics_write(srq_h5_writer *writer, const srq_graph *graph)
{
    const size_t channels = (size_t)srq_graph_spec(graph)->channels;
    if (!srq_graph_mean(graph)) return SRQ_OK;
    SRQ_TRY(srq_h5_write(writer, MEAN, H5T_NATIVE_FLOAT, 1, &channels, srq_graph_mean(graph)));
    return srq_h5_write(writer, STD, H5T_NATIVE_FLOAT, 1, &channels, srq_graph_std(graph));
}

static srq_status read_one(const srq_h5_reader *reader, const char *name, size_t channels, float *x)
{
    char type[32];
    if (srq_h5_exists(reader, name) && strcmp(srq_h5_type(reader, name, type, sizeof type), "float32") != 0)
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: data set %s is of type %s, but float32 is expected; use an earlier checkpoint",
                        srq_h5_reader_path(reader), name, type);
    return srq_h5_read(reader, name, H5T_NATIVE_FLOAT, 1, &channels, x);
}

static srq_status read_both(const srq_h5_reader *reader, size_t channels, float *mean, float *std)
{
    SRQ_TRY(read_one(reader, MEAN, channels, mean));
    SRQ_TRY(read_one(reader, STD, channels, std));
    for (size_t c = 0; c < channels; c++)
        if (!srq_normalization_is_possible(mean[c], std[c]))
            return srq_fail(SRQ_ERROR_DATA,
                            "%s: data sets " MEAN " and " STD
                            ": element %zu is %g and %g, but both must be finite, std "
                            "above 0, and 1 / std and mean / std finite; use an earlier checkpoint",
                            srq_h5_reader_path(reader), c, (double)mean[c], (double)std[c]);
    return SRQ_OK;
}

srq_status srq_input_statistics_read(const srq_h5_reader *reader, srq_graph *graph)
{
    const size_t channels = (size_t)srq_graph_spec(graph)->channels;
    if (!srq_h5_exists(reader, SRQ_INPUT_STATISTICS)) return srq_graph_set_statistics(graph, NULL, NULL);
    float *mean = malloc(2 * channels * sizeof *mean);
    if (!mean) return srq_fail_memory(2 * channels * sizeof *mean, MEAN);
    srq_status status = read_both(reader, channels, mean, mean + channels);
    if (status == SRQ_OK) status = srq_graph_set_statistics(graph, mean, mean + channels);
    free(mean);
    return status;
}

const char *srq_input_statistics_source(const srq_settings *settings, const srq_graph *graph)
{
    if (strcmp(settings->data.normalize, "dataset") != 0) return "none";
    return srq_graph_mean(graph) ? "network" : "data";
}

void srq_input_statistics_note(const char *checkpoint, const char *data_sha256, const srq_settings *settings,
                               const srq_graph *graph, const srq_dataset *dataset, FILE *notes)
{
    const bool others = strcmp(srq_input_statistics_source(settings, graph), "data") == 0;
    if (!others || strcmp(data_sha256, dataset->checksum) == 0) return;
    srq_say_to(
        notes,
        "srq: note: %s, of an earlier version of srq, has no mean and standard deviation of its training images; "
        "those of %s are used\n",
        checkpoint, dataset->path);
}
