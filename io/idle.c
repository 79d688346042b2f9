/* Settings that have an effect only with certain values of other settings. */
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
    {LIST("optimizer.momentum"), "optimizer.method", LIST("sgd")},
    {LIST("optimizer.beta1", "optimizer.beta2", "optimizer.epsilon"), "optimizer.method", LIST("adam")},
    {LIST("optimizer.sigma_learning_rate"), "quantizer.sigma", LIST("learned")},
    {LIST("optimizer.gate_learning_rate"), "dropbits.mode", LIST("learn", "regularize")},
    {LIST("schedule.step_every", "schedule.factor"), "schedule.method", LIST("step")},
    {LIST("schedule.final"), "schedule.method", LIST("linear", "cosine")},
    {LIST("quantizer.sigma_final"), "quantizer.sigma", LIST("annealed")},
    {LIST("dropbits.min_bits", "dropbits.open", "dropbits.until"), "dropbits.mode", LIST("learn", "regularize")},
    {LIST("dropbits.penalty", "dropbits.weights", "dropbits.target", "dropbits.target_measure", "dropbits.follow"),
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

/* Whether the setting has no effect with the method. Single layers can have other methods. */
static bool is_idle_by_method(const srq_settings *s, const char *path, reason *why)
{
    const srq_quantizer_method *method;
    if (s->quantizer.override_count > 0 || !srq_method_settings_has(path)) return false;
    if (srq_method_settings_acts(path, srq_quantizer_find(s->quantizer.method))) return false;
    add(why, "it acts only if %s is ", "quantizer.method");
    for (int i = 0; (method = srq_quantizer_list(i)); i++)
        if (srq_method_settings_acts(path, method)) add_value(why, method->name);
    add(why, ", but that is \"%.200s\"", s->quantizer.method);
    return true;
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

bool srq_config_is_idle(const srq_config *config, const char *set, char *why, size_t size)
{
    const srq_settings *s = srq_config_settings(config);
    reason r = {.text = why, .size = size};
    char path[256];
    snprintf(path, sizeof path, "%.*s", (int)strcspn(set, "="), set);
    if (is_idle_by_method(s, path, &r)) return true;
    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++)
        if (has_path(&conditions[i], path) && is_idle_by(&conditions[i], s, &r)) return true;
    return false;
}
