/* Models in memory: quantizers of layers, printing and comparison (see io/config.h). */
#include "core/quant/methods.h"
#include "io/layer_settings.h"
#include "io/schema.h"

#include <stdlib.h>
#include <string.h>

void srq_model_free(srq_model_spec *model)
{
    free(model->layers);
    model->layers = NULL;
    model->layer_count = 0;
}

/* --- Quantizers */

static srq_estimator estimator_of(const char *name)
{
    return strcmp(name, "argmax") == 0 ? SRQ_ESTIMATOR_ARGMAX : SRQ_ESTIMATOR_FULL;
}

static srq_quantizer_spec base_quantizer(const srq_settings *s, bool activation)
{
    static const char *const modes[] = {"off", "regularize", "learn"};
    srq_quantizer_spec spec = {
        .estimator = estimator_of(activation ? s->quantizer.activation_estimator : s->quantizer.estimator),
        .bits = activation ? s->quantizer.activation_bits : s->quantizer.weight_bits,
        .per_channel = !activation && strcmp(s->quantizer.granularity, "channel") == 0,
        .sigma_ratio = (float)s->quantizer.sigma_ratio,
        .temperature = (float)s->quantizer.temperature,
        .reach = (float)s->quantizer.local_grid,
        .min_bits = s->dropbits.min_bits,
        .open = (float)s->dropbits.open,
        .follow = s->dropbits.follow};
    snprintf(spec.method, sizeof spec.method, "%s", s->quantizer.method);
    for (int i = 0; !activation && i < 3; i++)
        if (strcmp(s->dropbits.mode, modes[i]) == 0) spec.dropbits = (srq_dropbits)i;
    return spec;
}

static void override_quantizer(const srq_layer_override *o, srq_quantizer_spec *spec)
{
    if (o->method[0]) snprintf(spec->method, sizeof spec->method, "%s", o->method);
    if (o->estimator[0]) spec->estimator = estimator_of(o->estimator);
    if (o->bits.count) spec->bits = o->bits;
    if (o->granularity[0]) spec->per_channel = strcmp(o->granularity, "channel") == 0;
    if (o->sigma_ratio > 0) spec->sigma_ratio = (float)o->sigma_ratio;
    if (strcmp(o->dropbits, "off") == 0) spec->dropbits = SRQ_DROPBITS_OFF;
}

static srq_quantizes quantizes(const srq_layer_spec *layer)
{
    return srq_op_find(layer->type)->quantizes;
}

/* "conv, dense or quantize": the types of layers that quantize something. */
static const char *quantizing_types(char *out, size_t size)
{
    int left = 0;
    size_t used = 0;
    for (int i = 0; i < srq_op_count(); i++) left += srq_op_at(i)->quantizes != SRQ_QUANTIZES_NOTHING;
    out[0] = '\0';
    for (int i = 0; i < srq_op_count() && used < size; i++) {
        if (!srq_op_at(i)->quantizes) continue;
        left--;
        used += (size_t)snprintf(out + used, size - used, "%s%s", srq_op_at(i)->type,
                                 left > 1   ? ", "
                                 : left > 0 ? " or "
                                            : "");
    }
    return out;
}

static srq_status apply_override(const srq_layer_override *o, srq_model_spec *model)
{
    const char **names = malloc(((size_t)model->layer_count + 1) * sizeof *names);
    if (!names) return srq_fail_memory((size_t)model->layer_count * sizeof *names, "names of layers");
    int count = 0, found = -1;
    for (int i = 0; i < model->layer_count; i++) {
        if (!quantizes(&model->layers[i])) continue;
        names[count++] = model->layers[i].name;
        if (strcmp(model->layers[i].name, o->name) == 0) found = i;
    }
    const char *closest = srq_closest(o->name, names, count);
    free(names);
    char types[256];
    if (found < 0)
        return srq_fail(SRQ_ERROR_USAGE, "%s: no %s layer of the model is called \"%s\"; did you mean \"%s\"?",
                        o->where, quantizing_types(types, sizeof types), o->name, closest);
    srq_layer_spec *layer = &model->layers[found];
    if (quantizes(layer) == SRQ_QUANTIZES_OUTPUT && (o->granularity[0] || o->dropbits[0]))
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s: \"%s\" quantizes an activation, but granularity and dropbits are for weights; remove them",
                        o->where, o->name);
    override_quantizer(o, &layer->quantizer);
    return SRQ_OK;
}

/* Rejects DropBits if it would drop nothing. */
static srq_status check_dropbits(const srq_settings *s, const char *where)
{
    if (strcmp(s->dropbits.mode, "off") == 0) return SRQ_OK;
    int longest = 0;
    for (int i = 0; i < s->model.layer_count; i++) {
        const srq_quantizer_spec *q = &s->model.layers[i].quantizer;
        if (q->dropbits == SRQ_DROPBITS_OFF) continue;
        for (int k = 0; k < q->bits.count; k++)
            if (q->bits.bits[k] > longest) longest = q->bits.bits[k];
    }
    char names[200];
    srq_quantizer_names(srq_quantizer_has_gates, " or ", names, sizeof names);
    if (longest == 0)
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s: dropbits.mode is \"%s\", but no weights are quantized by %s; use that as quantizer.method "
                        "or dropbits.mode = \"off\"",
                        where, s->dropbits.mode, names);
    if (longest > s->dropbits.min_bits) return SRQ_OK;
    return srq_fail(SRQ_ERROR_USAGE,
                    "%s: dropbits.mode is \"%s\", but there is no bit to drop: weights have at most %d bits, and "
                    "dropbits.min_bits is %d; use more bits, or dropbits.min_bits = 1",
                    where, s->dropbits.mode, longest, s->dropbits.min_bits);
}

/* Rejects dropbits = "on" without effect. */
static srq_status check_override(const srq_layer_override *o, const srq_settings *s)
{
    char names[200];
    if (strcmp(o->dropbits, "on") != 0) return SRQ_OK;
    if (strcmp(s->dropbits.mode, "off") == 0)
        return srq_fail(
            SRQ_ERROR_USAGE,
            "%s: layer \"%s\" has dropbits = \"on\", but dropbits.mode is \"off\"; set it to \"regularize\" or "
            "\"learn\"",
            o->where, o->name);
    for (int i = 0; i < s->model.layer_count; i++) {
        const srq_layer_spec *layer = &s->model.layers[i];
        if (strcmp(layer->name, o->name) == 0 && layer->quantizer.dropbits == SRQ_DROPBITS_OFF)
            return srq_fail(
                SRQ_ERROR_USAGE, "%s: layer \"%s\" has dropbits = \"on\", but only weights quantized by %s have gates",
                o->where, o->name, srq_quantizer_names(srq_quantizer_has_gates, " or ", names, sizeof names));
    }
    return SRQ_OK;
}

srq_status srq_model_set_quantizers(srq_settings *settings, const char *where)
{
    srq_model_spec *model = &settings->model;
    for (int i = 0; i < model->layer_count; i++)
        if (quantizes(&model->layers[i]))
            model->layers[i].quantizer = base_quantizer(settings, quantizes(&model->layers[i]) == SRQ_QUANTIZES_OUTPUT);
    for (int i = 0; i < settings->quantizer.override_count; i++)
        SRQ_TRY(apply_override(&settings->quantizer.overrides[i], model));
    for (int i = 0; i < model->layer_count; i++) {
        const srq_quantizer_method *method = srq_quantizer_find(model->layers[i].quantizer.method);
        if (!method || !method->has_gates) model->layers[i].quantizer.dropbits = SRQ_DROPBITS_OFF;
    }
    for (int i = 0; i < settings->quantizer.override_count; i++)
        SRQ_TRY(check_override(&settings->quantizer.overrides[i], settings));
    return check_dropbits(settings, where);
}

/* --- Printing */

static void print_inputs(const srq_layer_spec *layer, FILE *out)
{
    for (int i = 0; i < layer->input_count; i++) fprintf(out, "%s\"%s\"", i ? ", " : "[", layer->inputs[i]);
    fputc(']', out);
}

static void print_layer(const srq_layer_spec *layer, FILE *out)
{
    const srq_op *op = srq_op_find(layer->type);
    fputs("{ name = ", out);
    srq_print_text(layer->name, out);
    fputs("; type = ", out);
    srq_print_text(layer->type, out);
    fputs("; inputs = ", out);
    print_inputs(layer, out);
    for (int k = 0; k < srq_op_setting_count(op); k++) {
        const srq_op_setting *setting = &op->settings[k];
        if (!srq_layer_setting_is_there(layer, setting)) continue;
        fprintf(out, "; %s = ", setting->name);
        srq_layer_setting_print(layer, setting, out);
    }
    fputs("; }", out);
}

void srq_model_print(const srq_model_spec *model, FILE *out)
{
    fprintf(out, "model = {\n  name = \"%s\";\n  input = { height = %d; width = %d; channels = %d; };\n  layers = (\n",
            model->name, model->height, model->width, model->channels);
    for (int i = 0; i < model->layer_count; i++) {
        fputs("    ", out);
        print_layer(&model->layers[i], out);
        fputs(i + 1 < model->layer_count ? ",\n" : "\n", out);
    }
    fputs("  );\n};\n", out);
}

/* --- Comparison */

enum { VALUE_SIZE = 1024 };

/* The value of a setting, or of "name", "type" or "inputs" if `setting` is NULL. */
static void value_to(char out[VALUE_SIZE], const srq_layer_spec *layer, const srq_op_setting *setting, const char *key)
{
    snprintf(out, VALUE_SIZE, "not there");
    if (setting && !srq_layer_setting_is_there(layer, setting)) return;
    FILE *stream = fmemopen(out, VALUE_SIZE, "w");
    if (!stream) return;
    if (setting)
        srq_layer_setting_print(layer, setting, stream);
    else if (strcmp(key, "inputs") == 0)
        print_inputs(layer, stream);
    else
        srq_print_text(strcmp(key, "name") == 0 ? layer->name : layer->type, stream);
    fclose(stream);
    out[VALUE_SIZE - 1] = '\0';
}

static bool layer_differs(const srq_layer_spec *here, const srq_layer_spec *there, int number, char *what,
                          size_t what_size)
{
    static const char *const common[] = {"name", "type", "inputs"};
    const srq_op *op = srq_op_find(here->type);
    for (int k = 0; k < 3 + srq_op_setting_count(op); k++) {
        const srq_op_setting *setting = k < 3 ? NULL : &op->settings[k - 3]; /* the types are equal here */
        const char *key = setting ? setting->name : common[k];
        char a[VALUE_SIZE], b[VALUE_SIZE];
        value_to(a, here, setting, key);
        value_to(b, there, setting, key);
        if (strcmp(a, b) == 0) continue;
        snprintf(what, what_size, "%s of layer %d of the model (\"%s\") is %s here and %s there", key, number,
                 here->name, a, b);
        return true;
    }
    return false;
}

bool srq_model_differs(const srq_model_spec *here, const srq_model_spec *there, char *what, size_t what_size)
{
    if (here->height != there->height || here->width != there->width || here->channels != there->channels) {
        snprintf(what, what_size, "the model's input is %d x %d x %d here and %d x %d x %d there", here->height,
                 here->width, here->channels, there->height, there->width, there->channels);
        return true;
    }
    for (int i = 0; i < here->layer_count && i < there->layer_count; i++)
        if (layer_differs(&here->layers[i], &there->layers[i], i + 1, what, what_size)) return true;
    if (here->layer_count == there->layer_count) return false;
    snprintf(what, what_size, "the model has %d layers here and %d there", here->layer_count, there->layer_count);
    return true;
}
