/* Compares and lists the settings that decide the results of a run. */
#include "io/schema.h"

#include <stdlib.h>
#include <string.h>

enum { VALUE_SIZE = 4096 };

static void print_to(char *out, size_t size, const srq_setting *setting, const srq_settings *settings)
{
    FILE *stream = fmemopen(out, size, "w");
    out[0] = '\0';
    if (!stream) return;
    srq_setting_print(setting, settings, stream);
    fclose(stream);
    out[size - 1] = '\0';
}

/* With validation images, evaluations select the best checkpoint, and they can end training. */
static bool decides(const srq_setting *setting)
{
    return setting->decides || strcmp(setting->path, "train.eval_every") == 0;
}

/* Without validation images, how often to evaluate does not change a result: then it counts as the default. */
static void print_choice(char *out, size_t size, const srq_setting *setting, const srq_settings *settings)
{
    if (!setting->decides && settings->data.validation == 0)
        snprintf(out, size, "%s", setting->initial);
    else
        print_to(out, size, setting, settings);
}

static bool overrides_differ(const srq_settings *here, const srq_settings *there)
{
    char *text[2] = {NULL, NULL};
    const srq_settings *both[2] = {here, there};
    for (int i = 0; i < 2; i++) {
        size_t size;
        FILE *out = open_memstream(&text[i], &size);
        if (!out) continue;
        srq_overrides_print(both[i], out);
        fclose(out);
    }
    const bool differ = !text[0] || !text[1] || strcmp(text[0], text[1]) != 0;
    free(text[0]);
    free(text[1]);
    return differ;
}

bool srq_config_differs(const srq_config *here, const srq_config *there, char *what, size_t what_size)
{
    const srq_settings *s = srq_config_settings(here), *t = srq_config_settings(there);
    for (int i = 0; i < srq_schema_count; i++) {
        char a[VALUE_SIZE], b[VALUE_SIZE];
        if (!decides(&srq_schema[i])) continue;
        print_choice(a, sizeof a, &srq_schema[i], s);
        print_choice(b, sizeof b, &srq_schema[i], t);
        if (strcmp(a, b) == 0) continue;
        snprintf(what, what_size, "%s is %s here and %s there", srq_schema[i].path, a, b);
        return true;
    }
    if (overrides_differ(s, t)) {
        snprintf(what, what_size, "quantizer.layers differs here and there");
        return true;
    }
    return srq_model_differs(&s->model, &t->model, what, what_size);
}

srq_status srq_config_visit_choices(const srq_config *config, srq_choice_visitor *visit, void *context)
{
    const srq_settings *s = srq_config_settings(config);
    for (int i = 0; i < srq_schema_count; i++) {
        char value[VALUE_SIZE];
        if (!decides(&srq_schema[i])) continue;
        print_choice(value, sizeof value, &srq_schema[i], s);
        visit(context, srq_schema[i].path, value);
    }
    for (int part = 0; part < 2; part++) {
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        if (!out) return srq_fail_memory(0, "a configuration's text");
        if (part == 0)
            srq_overrides_print(s, out);
        else
            srq_model_print(&s->model, out);
        const bool whole = fclose(out) == 0;
        if (whole) visit(context, part == 0 ? "quantizer.layers" : "model", text);
        free(text);
        if (!whole) return srq_fail_memory(size, "a configuration's text");
    }
    return SRQ_OK;
}
