#include "io/masks.h"

#include "io/checkpoint.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_SIZE = SRQ_PARAMETER_NAME_SIZE + 64 };

static void mask_name(const srq_layer *layer, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "layers/%s/" SRQ_CHECKPOINT_MASK, layer->spec->name);
}

static size_t weights_of(const srq_graph *graph, const srq_layer *layer)
{
    return srq_graph_parameter(graph, layer->weight)->count;
}

srq_status srq_masks_write(srq_h5_writer *writer, const srq_graph *graph)
{
    for (int i = 0; i < srq_graph_layer_count(graph); i++) {
        const srq_layer *layer = srq_graph_layer(graph, i);
        char name[NAME_SIZE];
        if (!layer->mask) continue;
        const size_t count = weights_of(graph, layer), bytes = srq_mask_bytes(count);
        mask_name(layer, name);
        SRQ_TRY(srq_h5_write(writer, name, H5T_NATIVE_UINT8, 1, &bytes, layer->mask));
        SRQ_TRY(srq_h5_write_attribute_int(writer, name, "count", (int64_t)count));
        SRQ_TRY(srq_h5_write_attribute_int(writer, name, "kept", (int64_t)layer->kept));
    }
    return SRQ_OK;
}

static srq_status check_mask(const srq_h5_reader *reader, const char *name, size_t count, const uint8_t *mask)
{
    int64_t weights, kept;
    SRQ_TRY(srq_h5_read_attribute_int(reader, name, "count", &weights));
    SRQ_TRY(srq_h5_read_attribute_int(reader, name, "kept", &kept));
    if (weights != (int64_t)count)
        return srq_fail(SRQ_ERROR_DATA, "%s: attribute count of %s is %lld, but the layer has %zu weights",
                        srq_h5_reader_path(reader), name, (long long)weights, count);
    if (!srq_mask_is_whole(mask, count))
        return srq_fail(SRQ_ERROR_DATA, "%s: data set %s: bits beyond the last weight, number %zu, are not 0",
                        srq_h5_reader_path(reader), name, count);
    const size_t found = srq_mask_count(mask, count);
    if (kept == (int64_t)found) return SRQ_OK;
    return srq_fail(SRQ_ERROR_DATA, "%s: attribute kept of %s is %lld, but the mask keeps %zu weights",
                    srq_h5_reader_path(reader), name, (long long)kept, found);
}

/* Reads the mask to *mask, which the caller frees; NULL if there is none. */
static srq_status read_mask(const srq_h5_reader *reader, const srq_graph *graph, const srq_layer *layer, uint8_t **mask)
{
    char name[NAME_SIZE];
    int rank;
    size_t shape[8];
    *mask = NULL;
    mask_name(layer, name);
    if (!srq_h5_exists(reader, name)) return SRQ_OK;
    const size_t count = weights_of(graph, layer), bytes = srq_mask_bytes(count);
    SRQ_TRY(srq_h5_shape(reader, name, H5T_INTEGER, &rank, shape));
    uint8_t *made = malloc(bytes);
    srq_status status = made ? SRQ_OK : srq_fail_memory(bytes, "a mask of weights");
    if (status == SRQ_OK) status = srq_h5_read(reader, name, H5T_NATIVE_UINT8, 1, &bytes, made);
    if (status == SRQ_OK) status = check_mask(reader, name, count, made);
    if (status == SRQ_OK)
        *mask = made;
    else
        free(made);
    return status;
}

static srq_status check_zeros(const srq_h5_reader *reader, const char *folder, const srq_parameter *p,
                              const uint8_t *mask, const float *values)
{
    static const float zero = 0;
    for (size_t i = 0; i < p->count; i++) {
        if (srq_mask_keeps(mask, i) || memcmp(&values[i], &zero, sizeof zero) == 0) continue;
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: data set %s/%s: element %zu is %g, but the mask of the layer does not keep it: it must "
                        "be 0; use an earlier checkpoint",
                        srq_h5_reader_path(reader), folder, p->name, i, (double)values[i]);
    }
    return SRQ_OK;
}

srq_status srq_masks_check(const srq_h5_reader *reader, const char *folder, const srq_graph *graph, const float *vector)
{
    for (int i = 0; i < srq_graph_layer_count(graph); i++) {
        const srq_layer *layer = srq_graph_layer(graph, i);
        if (!layer->mask) continue;
        const srq_parameter *p = srq_graph_parameter(graph, layer->weight);
        SRQ_TRY(check_zeros(reader, folder, p, layer->mask, vector + p->offset));
    }
    return SRQ_OK;
}

/* `strict`: the graph's values come from the file, so weights that are not kept must be 0. */
static srq_status read_masks(const srq_h5_reader *reader, srq_graph *graph, bool strict)
{
    for (int i = 0; i < srq_graph_layer_count(graph); i++) {
        const srq_layer *layer = srq_graph_layer(graph, i);
        uint8_t *mask;
        if (layer->weight < 0) continue;
        SRQ_TRY(read_mask(reader, graph, layer, &mask));
        const srq_parameter *p = srq_graph_parameter(graph, layer->weight);
        srq_status status = SRQ_OK;
        if (mask && strict) status = check_zeros(reader, "layers", p, mask, srq_graph_values(graph) + p->offset);
        if (status == SRQ_OK) status = srq_graph_set_mask(graph, i, mask);
        free(mask);
        SRQ_TRY(status);
    }
    return SRQ_OK;
}

srq_status srq_masks_read(const srq_h5_reader *reader, srq_graph *graph)
{
    return read_masks(reader, graph, true);
}

/* --- Mask files */

srq_status srq_masks_save(const char *path, const srq_graph *graph)
{
    srq_h5_writer *writer = NULL;
    SRQ_TRY(srq_h5_writer_create(SRQ_MASKS_FORMAT, SRQ_MASKS_VERSION, &writer));
    srq_status status = srq_h5_write_group(writer, "layers");
    if (status == SRQ_OK) status = srq_masks_write(writer, graph);
    if (status == SRQ_OK) status = srq_h5_writer_seal(writer);
    if (status == SRQ_OK) status = srq_h5_writer_commit(writer, path);
    srq_h5_writer_destroy(&writer);
    return status;
}

/* Checks that every mask of the file belongs to a layer with weights of the graph. */
static srq_status check_layers(const srq_h5_reader *reader, const srq_graph *graph)
{
    size_t count = 0;
    int masks = 0;
    char **names = NULL;
    SRQ_TRY(srq_h5_members(reader, "layers", &count, &names));
    srq_status status = SRQ_OK;
    for (size_t i = 0; i < count; i++) {
        char name[NAME_SIZE];
        bool known = false;
        snprintf(name, sizeof name, "layers/%.200s/" SRQ_CHECKPOINT_MASK, names[i]);
        const bool has = srq_h5_exists(reader, name);
        for (int k = 0; k < srq_graph_layer_count(graph); k++) {
            const srq_layer *layer = srq_graph_layer(graph, k);
            known = known || (layer->weight >= 0 && strcmp(layer->spec->name, names[i]) == 0);
        }
        masks += has;
        if (has && !known && status == SRQ_OK)
            status =
                srq_fail(SRQ_ERROR_DATA, "%s: it has a mask for layer \"%s\", which the model \"%s\" does not have",
                         srq_h5_reader_path(reader), names[i], srq_graph_spec(graph)->name);
        free(names[i]);
    }
    free(names);
    if (status == SRQ_OK && masks == 0)
        status = srq_fail(SRQ_ERROR_DATA,
                          "%s: it has no mask; name a mask file of `srq ticket` or a checkpoint of a pruned run",
                          srq_h5_reader_path(reader));
    return status;
}

static srq_status open_any(const char *path, srq_h5_reader **reader)
{
    char format[64] = "";
    SRQ_TRY(srq_h5_reader_open(path, "a checkpoint or a file of masks", NULL, 0, reader));
    srq_status status = SRQ_OK;
    if (srq_h5_has_attribute(*reader, "/", "format"))
        status = srq_h5_read_attribute_text(*reader, "/", "format", format, sizeof format);
    if (status == SRQ_OK && strcmp(format, SRQ_MASKS_FORMAT) != 0 && strcmp(format, SRQ_CHECKPOINT_FORMAT) != 0)
        status = srq_fail(SRQ_ERROR_DATA, "%s: an HDF5 file, but neither a checkpoint nor a mask file of srq", path);
    if (status != SRQ_OK) srq_h5_reader_close(reader);
    return status;
}

srq_status srq_masks_load(const char *path, srq_graph *graph)
{
    srq_h5_reader *reader = NULL;
    SRQ_TRY(open_any(path, &reader));
    srq_status status = check_layers(reader, graph);
    if (status == SRQ_OK) status = read_masks(reader, graph, false);
    srq_h5_reader_close(&reader);
    return status;
}
