/* Models as they are held: types of layers, their quantizers, printing and comparison (see io/config.h). */
#include "core/quant/methods.h"
#include "io/layers.h"
#include "io/schema.h"

#include <stdlib.h>
#include <string.h>

const srq_layer_type srq_layer_types[SRQ_LAYER_TYPES] = {
    {"conv", SRQ_KEY_OUT | SRQ_KEY_KERNEL | SRQ_KEY_STRIDE | SRQ_KEY_PADDING | SRQ_KEY_GROUPS | SRQ_KEY_BIAS,
     SRQ_KEY_OUT | SRQ_KEY_KERNEL},
    {"dense", SRQ_KEY_OUT | SRQ_KEY_BIAS, SRQ_KEY_OUT},
    {"max_pool", SRQ_KEY_KERNEL | SRQ_KEY_STRIDE | SRQ_KEY_PADDING, SRQ_KEY_KERNEL},
    {"avg_pool", SRQ_KEY_KERNEL | SRQ_KEY_STRIDE | SRQ_KEY_PADDING, 0},
    {"batch_norm", SRQ_KEY_MOMENTUM | SRQ_KEY_EPSILON, 0},
    {"relu", SRQ_KEY_MAX, 0},
    {"add", 0, 0},
    {"quantize", 0, 0},
};

const srq_layer_key srq_layer_keys[SRQ_LAYER_KEYS] = {
    {"name", 0},
    {"type", 0},
    {"inputs", 0},
    {"out", SRQ_KEY_OUT},
    {"kernel", SRQ_KEY_KERNEL},
    {"stride", SRQ_KEY_STRIDE},
    {"padding", SRQ_KEY_PADDING},
    {"groups", SRQ_KEY_GROUPS},
    {"bias", SRQ_KEY_BIAS},
    {"momentum", SRQ_KEY_MOMENTUM},
    {"epsilon", SRQ_KEY_EPSILON},
    {"max", SRQ_KEY_MAX},
};

const srq_layer_type *srq_layer_type_find(const char *name)
{
    for (int i = 0; i < SRQ_LAYER_TYPES; i++)
        if (strcmp(srq_layer_types[i].name, name) == 0) return &srq_layer_types[i];
    return NULL;
}

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

static bool has_quantizer(const srq_layer_spec *layer)
{
    return strcmp(layer->type, "quantize") == 0 || (srq_layer_type_find(layer->type)->keys & SRQ_KEY_OUT);
}

static srq_status apply_override(const srq_layer_override *o, srq_model_spec *model)
{
    const char **names = malloc(((size_t)model->layer_count + 1) * sizeof *names);
    if (!names) return srq_fail_memory((size_t)model->layer_count * sizeof *names, "names of layers");
    int count = 0, found = -1;
    for (int i = 0; i < model->layer_count; i++) {
        if (!has_quantizer(&model->layers[i])) continue;
        names[count++] = model->layers[i].name;
        if (strcmp(model->layers[i].name, o->name) == 0) found = i;
    }
    const char *closest = srq_closest(o->name, names, count);
    free(names);
    if (found < 0)
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s: no conv, dense or quantize layer of the model is called \"%s\"; did you "
                        "mean \"%s\"?",
                        o->where, o->name, closest);
    srq_layer_spec *layer = &model->layers[found];
    if (strcmp(layer->type, "quantize") == 0 && (o->granularity[0] || o->dropbits[0]))
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s: \"%s\" quantizes an activation: granularity and dropbits are of weights; remove them",
                        o->where, o->name);
    override_quantizer(o, &layer->quantizer);
    return SRQ_OK;
}

/* DropBits that would drop nothing is a mistake. */
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
                    "%s: dropbits.mode is \"%s\", but there is no bit to drop: weights have at most %d and "
                    "dropbits.min_bits is %d; use more bits, or dropbits.min_bits = 1",
                    where, s->dropbits.mode, longest, s->dropbits.min_bits);
}

/* dropbits = "on" that would change nothing is a mistake. */
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
        if (has_quantizer(&model->layers[i]))
            model->layers[i].quantizer = base_quantizer(settings, strcmp(model->layers[i].type, "quantize") == 0);
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

static void print_value(const srq_layer_spec *layer, const char *key, FILE *out)
{
    if (strcmp(key, "name") == 0) srq_print_text(layer->name, out);
    if (strcmp(key, "type") == 0) srq_print_text(layer->type, out);
    if (strcmp(key, "inputs") == 0) print_inputs(layer, out);
    if (strcmp(key, "out") == 0) fprintf(out, "%d", layer->out);
    if (strcmp(key, "kernel") == 0) fprintf(out, "[%d, %d]", layer->kernel[0], layer->kernel[1]);
    if (strcmp(key, "stride") == 0) fprintf(out, "[%d, %d]", layer->stride[0], layer->stride[1]);
    if (strcmp(key, "padding") == 0) fprintf(out, "[%d, %d]", layer->padding[0], layer->padding[1]);
    if (strcmp(key, "groups") == 0) fprintf(out, "%d", layer->groups);
    if (strcmp(key, "bias") == 0) fputs(layer->bias ? "true" : "false", out);
    if (strcmp(key, "momentum") == 0) srq_print_float(layer->momentum, out);
    if (strcmp(key, "epsilon") == 0) srq_print_float(layer->epsilon, out);
    if (strcmp(key, "max") == 0) srq_print_float(layer->max, out);
}

/* Whether the layer has the k-th key; an avg_pool of the whole image has no sizes, a plain relu no ceiling. */
static bool has_key(const srq_layer_spec *layer, int k)
{
    const unsigned has = srq_layer_type_find(layer->type)->keys, key = srq_layer_keys[k].key;
    if (!key) return true;
    if (!(has & key)) return false;
    if (key == SRQ_KEY_MAX) return layer->max > 0;
    return !(key & (SRQ_KEY_KERNEL | SRQ_KEY_STRIDE | SRQ_KEY_PADDING)) || layer->kernel[0];
}

static void print_layer(const srq_layer_spec *layer, FILE *out)
{
    fputc('{', out);
    for (int k = 0; k < SRQ_LAYER_KEYS; k++) {
        if (!has_key(layer, k)) continue;
        fprintf(out, " %s = ", srq_layer_keys[k].name);
        print_value(layer, srq_layer_keys[k].name, out);
        fputc(';', out);
    }
    fputs(" }", out);
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

static void value_to(char *out, size_t size, const srq_layer_spec *layer, int k)
{
    snprintf(out, size, "not there");
    if (!has_key(layer, k)) return;
    FILE *stream = fmemopen(out, size, "w");
    if (!stream) return;
    print_value(layer, srq_layer_keys[k].name, stream);
    fclose(stream);
    out[size - 1] = '\0';
}

static bool layer_differs(const srq_layer_spec *here, const srq_layer_spec *there, int number, char *what,
                          size_t what_size)
{
    for (int k = 0; k < SRQ_LAYER_KEYS; k++) {
        char a[1024], b[1024];
        value_to(a, sizeof a, here, k);
        value_to(b, sizeof b, there, k);
        if (strcmp(a, b) == 0) continue;
        snprintf(what, what_size, "%s of layer %d of the model (\"%s\") is %s here and %s there",
                 srq_layer_keys[k].name, number, here->name, a, b);
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
