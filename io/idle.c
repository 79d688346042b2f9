/* Settings that act only under others. */
#include "io/schema.h"

#include <string.h>

/* `paths` act where the text `on` is one of `values`. */
typedef struct condition {
    const char *paths[6];
    const char *on;
    const char *values[6];
} condition;

static const condition conditions[] = {
    {{"data.scale_min", "data.scale_max", "data.ratio_min", "data.ratio_max"}, "data.crop", {"resized"}},
    {{"train.init_gain", "train.init_draw"}, "train.init", {"random"}},
    {{"optimizer.momentum"}, "optimizer.method", {"sgd"}},
    {{"optimizer.beta1", "optimizer.beta2", "optimizer.epsilon"}, "optimizer.method", {"adam"}},
    {{"optimizer.sigma_learning_rate"}, "quantizer.sigma", {"learned"}},
    {{"optimizer.gate_learning_rate"}, "dropbits.mode", {"learn", "regularize"}},
    {{"schedule.step_every", "schedule.factor"}, "schedule.method", {"step"}},
    {{"schedule.final"}, "schedule.method", {"linear", "cosine"}},
    {{"quantizer.sigma_final"}, "quantizer.sigma", {"annealed"}},
    {{"quantizer.weight_bits", "quantizer.activation_bits", "quantizer.granularity", "optimizer.alpha_learning_rate"},
     "quantizer.method",
     {"srq", "lsq", "ste", "rq", "rq_st"}},
    {{"quantizer.estimator", "quantizer.activation_estimator"}, "quantizer.method", {"srq"}},
    {{"quantizer.sigma", "quantizer.sigma_ratio"}, "quantizer.method", {"srq", "rq", "rq_st"}},
    {{"quantizer.temperature", "quantizer.local_grid"}, "quantizer.method", {"rq", "rq_st"}},
    {{"dropbits.min_bits", "dropbits.open", "dropbits.until"}, "dropbits.mode", {"learn", "regularize"}},
    {{"dropbits.penalty", "dropbits.weights", "dropbits.target", "dropbits.target_measure", "dropbits.follow"},
     "dropbits.mode",
     {"learn"}},
};

/* Whether the setting `path`, of `length` characters, is among those of `c`. */
static bool is_of(const condition *c, const char *path, size_t length)
{
    for (int i = 0; i < 6 && c->paths[i]; i++)
        if (strlen(c->paths[i]) == length && memcmp(c->paths[i], path, length) == 0) return true;
    return false;
}

bool srq_config_is_idle(const srq_config *config, const char *set, char *why, size_t size)
{
    const srq_settings *s = srq_config_settings(config);
    const size_t length = strcspn(set, "=");
    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++) {
        const condition *c = &conditions[i];
        if (!is_of(c, set, length)) continue;
        /* A single layer may have the method that the others do not, or random weights that the file does not have. */
        if (strcmp(c->on, "quantizer.method") == 0 && s->quantizer.override_count > 0) return false;
        if (strcmp(c->on, "train.init") == 0 && strcmp(s->train.init_match, "partial") == 0) return false;
        const char *found = (const char *)s + srq_setting_find(c->on)->offset;
        size_t n = (size_t)snprintf(why, size, "it acts where %s is ", c->on);
        for (int k = 0; k < 6 && c->values[k]; k++) {
            if (strcmp(found, c->values[k]) == 0) return false;
            if (n < size) n += (size_t)snprintf(why + n, size - n, "%s\"%s\"", k ? " or " : "", c->values[k]);
        }
        if (n < size) snprintf(why + n, size - n, ", and it is \"%.200s\"", found);
        return true;
    }
    return false;
}
