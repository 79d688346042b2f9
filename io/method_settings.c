#include "io/method_settings.h"

#include <stdio.h>
#include <string.h>

const char *srq_method_choice(int index)
{
    const srq_quantizer_method *method = srq_quantizer_list(index);
    if (method) return method->name;
    return index == 0 || srq_quantizer_list(index - 1) ? "float32" : NULL;
}

static bool is_in(const char *const *list, const char *path)
{
    for (; *list; list++)
        if (strcmp(*list, path) == 0) return true;
    return false;
}

/* Settings that have an effect with every method. */
static const char *const of_all[] = {"quantizer.weight_bits", "quantizer.activation_bits", "quantizer.granularity",
                                     "optimizer.alpha_learning_rate", NULL};
/* With every method that has sigma. */
static const char *const of_sigma[] = {"quantizer.sigma", "quantizer.sigma_ratio", "quantizer.sigma_final",
                                       "optimizer.sigma_learning_rate", NULL};

static bool is_of_gates(const char *path)
{
    return strncmp(path, "dropbits.", 9) == 0;
}

bool srq_method_settings_has(const char *path)
{
    const srq_quantizer_method *method;
    if (is_in(of_all, path) || is_in(of_sigma, path)) return true;
    for (int i = 0; (method = srq_quantizer_list(i)); i++)
        if (srq_quantizer_lists(method, path)) return true;
    return false;
}

bool srq_method_settings_acts(const char *path, const srq_quantizer_method *method)
{
    if (!method) return false;
    if (is_in(of_all, path)) return true;
    if (is_in(of_sigma, path)) return method->has_sigma;
    return is_of_gates(path) ? method->has_gates : srq_quantizer_lists(method, path);
}

void srq_method_settings_names(const char *path, char *out, size_t size)
{
    const srq_quantizer_method *method;
    size_t n = 0;
    out[0] = '\0';
    for (int i = 0; (method = srq_quantizer_list(i)) && n < size; i++)
        if (srq_method_settings_acts(path, method))
            n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : "", method->name);
}
