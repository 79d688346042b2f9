/* Settings that have an effect only with certain values of other settings. What decides results, digests and groups of
 * runs, and what is noted on the command line, all follow this file. */
#include "core/ops/op.h"
#include "io/method_settings.h"
#include "io/schema.h"

#include <string.h>

/* `paths` have an effect only if the setting `on` is one of `values`. Both lists end with NULL. */
typedef struct condition {
    const char *const *paths;
    const char *on;
    const char *const *values;
} condition;

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static const condition conditions[] = {
    {LIST("data.scale_min", "data.scale_max", "data.ratio_min", "data.ratio_max"), "data.crop", LIST("resized")},
    {LIST("train.init_gain", "train.init_draw"), "train.init", LIST("random")},
    {LIST("optimizer.momentum", "optimizer.nesterov"), "optimizer.method", LIST("sgd")},
    {LIST("optimizer.beta1", "optimizer.beta2", "optimizer.epsilon"), "optimizer.method", LIST("adam", "adamw")},
    {LIST("optimizer.sigma_learning_rate"), "quantizer.sigma", LIST("learned")},
    {LIST("optimizer.gate_learning_rate"), "dropbits.mode", LIST("learn", "regularize")},
    {LIST("schedule.step_every", "schedule.factor"), "schedule.method", LIST("step")},
    {LIST("schedule.final"), "schedule.method", LIST("linear", "cosine")},
    {LIST("quantizer.sigma_final"), "quantizer.sigma", LIST("annealed")},
    {LIST("dropbits.min_bits", "dropbits.open", "dropbits.until"), "dropbits.mode", LIST("learn", "regularize")},
    {LIST("dropbits.penalty", "dropbits.weights", "dropbits.target", "dropbits.target_measure", "dropbits.follow",
          "dropbits.ramp"),
     "dropbits.mode", LIST("learn")},
};

/* Writes `it acts only if ON is "a" or "b", but that is "found"`: call it with NULL, then with each value, then for the
 * end. */
typedef struct reason {
    char *text;
    size_t size, n;
    int values;
} reason;

static void add(reason *why, const char *format, const char *text)
{
    if (why->n < why->size) why->n += (size_t)snprintf(why->text + why->n, why->size - why->n, format, text);
}

static void add_value(reason *why, const char *value)
{
    add(why, why->values++ ? " or \"%s\"" : "\"%s\"", value);
}

static bool has_path(const condition *c, const char *path)
{
    for (int i = 0; c->paths[i]; i++)
        if (strcmp(c->paths[i], path) == 0) return true;
    return false;
}

/* Settings of weights only and of activations only; the others of the quantizer are of both. */
static const char *const of_weights[] = {"quantizer.weight_bits", "quantizer.estimator", "quantizer.granularity", NULL};
static const char *const of_activations[] = {"quantizer.activation_bits", "quantizer.activation_estimator", NULL};

static bool is_in(const char *const *list, const char *path)
{
    for (; *list; list++)
        if (strcmp(*list, path) == 0) return true;
    return false;
}

/* Whether the setting acts on a layer: single layers can have other methods than the rest. */
static bool acts_on_layer(const srq_layer_spec *layer, const char *path)
{
    const srq_quantizes what = srq_op_find(layer->type)->quantizes;
    if (what == SRQ_QUANTIZES_NOTHING) return false;
    if (what == SRQ_QUANTIZES_OUTPUT && is_in(of_weights, path)) return false;
    if (what != SRQ_QUANTIZES_OUTPUT && is_in(of_activations, path)) return false;
    return srq_method_settings_acts(path, srq_quantizer_find(layer->quantizer.method));
}

static bool is_idle_by_method(const srq_settings *s, const char *path, reason *why)
{
    const srq_quantizer_method *method;
    if (!srq_method_settings_has(path)) return false;
    for (int i = 0; i < s->model.layer_count; i++)
        if (acts_on_layer(&s->model.layers[i], path)) return false;
    if (srq_method_settings_acts(path, srq_quantizer_find(s->quantizer.method))) {
        add(why, "it acts only on %s, and the model has none",
            is_in(of_activations, path) ? "activations of quantize layers" : "layers that are quantized");
        return true;
    }
    add(why, "it acts only if %s is ", "quantizer.method");
    for (int i = 0; (method = srq_quantizer_list(i)); i++)
        if (srq_method_settings_acts(path, method)) add_value(why, method->name);
    add(why, ", but that is \"%.200s\"", s->quantizer.method);
    return true;
}

/* Settings that other settings turn off by a number, by "random", or by the command that reads them. */
static bool is_idle_otherwise(const srq_settings *s, bool ticket, const char *path, reason *why)
{
    if (strcmp(path, "dropbits.target_measure") == 0 && s->dropbits.target <= 0) {
        add(why, "it acts only if %s is above 0", "dropbits.target");
        return true;
    }
    if (strcmp(path, "train.init_match") == 0 && strcmp(s->train.init, "random") == 0) {
        add(why, "it acts only if %s names a file", "train.init");
        return true;
    }
    if (strncmp(path, "prune.", 6) != 0) return false;
    if (!ticket) add(why, "only %s reads it", "`srq ticket`");
    const bool of_levels =
        strcmp(path, "prune.rate") == 0 || strcmp(path, "prune.scope") == 0 || strcmp(path, "prune.random") == 0;
    if (ticket && of_levels && s->prune.levels == 0) add(why, "it acts only if %s is above 0", "prune.levels");
    return !ticket || (of_levels && s->prune.levels == 0);
}

static bool is_idle_by(const condition *c, const srq_settings *s, reason *why)
{
    const char *found = (const char *)s + srq_setting_find(c->on)->offset;
    /* Tensors that are missing in the file are initialized at random. */
    if (strcmp(c->on, "train.init") == 0 && strcmp(s->train.init_match, "partial") == 0) return false;
    for (int i = 0; c->values[i]; i++)
        if (strcmp(found, c->values[i]) == 0) return false;
    add(why, "it acts only if %s is ", c->on);
    for (int i = 0; c->values[i]; i++) add_value(why, c->values[i]);
    add(why, ", but that is \"%.200s\"", found);
    return true;
}

bool srq_setting_is_idle(const srq_settings *s, bool ticket, const char *path, char *why, size_t size)
{
    reason r = {.text = why, .size = size};
    if (is_idle_by_method(s, path, &r) || is_idle_otherwise(s, ticket, path, &r)) return true;
    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++)
        if (has_path(&conditions[i], path) && is_idle_by(&conditions[i], s, &r)) return true;
    return false;
}

bool srq_config_is_idle(const srq_config *config, const char *set, char *why, size_t size)
{
    char path[256];
    snprintf(path, sizeof path, "%.*s", (int)strcspn(set, "="), set);
    return srq_setting_is_idle(srq_config_settings(config), false, path, why, size);
}
