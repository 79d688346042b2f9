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

static bool is_idle(const srq_settings *s, bool ticket, const srq_setting *setting)
{
    char why[512] = "";
    if (!setting->decides) return s->data.validation == 0; /* how often to evaluate */
    return srq_setting_is_idle(s, ticket, setting->path, why, sizeof why);
}

/* If a setting acts only here or only there, the setting that decides this differs as well. */
bool srq_config_differs(const srq_config *here, const srq_config *there, bool ticket, char *what, size_t what_size)
{
    const srq_settings *s = srq_config_settings(here), *t = srq_config_settings(there);
    for (int i = 0; i < srq_schema_count; i++) {
        char a[VALUE_SIZE], b[VALUE_SIZE];
        if (!decides(&srq_schema[i]) || is_idle(s, ticket, &srq_schema[i]) || is_idle(t, ticket, &srq_schema[i]))
            continue;
        print_to(a, sizeof a, &srq_schema[i], s);
        print_to(b, sizeof b, &srq_schema[i], t);
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

/* Prints the default of a setting. `room` is space for it. */
static srq_status print_default(const srq_setting *setting, srq_settings *room, char value[VALUE_SIZE])
{
    char text[64];
    const srq_value initial = srq_value_of_text(setting->initial, text, sizeof text);
    SRQ_TRY(srq_setting_assign(setting, &initial, room));
    print_to(value, VALUE_SIZE, setting, room);
    return SRQ_OK;
}

static srq_status visit_settings(const srq_settings *s, bool ticket, srq_choice_visitor *visit, void *context)
{
    srq_settings *room = calloc(1, sizeof *room);
    srq_status status = room ? SRQ_OK : srq_fail_memory(sizeof *room, "the settings");
    for (int i = 0; i < srq_schema_count && status == SRQ_OK; i++) {
        char value[VALUE_SIZE], initial[VALUE_SIZE];
        const srq_setting *setting = &srq_schema[i];
        if (!decides(setting)) continue;
        const bool idle = setting->initial && is_idle(s, ticket, setting);
        print_to(value, sizeof value, setting, s);
        if (idle) status = print_default(setting, room, initial);
        if (status == SRQ_OK) visit(context, setting->path, value, idle ? initial : NULL);
    }
    free(room);
    return status;
}

srq_status srq_config_visit_choices(const srq_config *config, bool ticket, srq_choice_visitor *visit, void *context)
{
    const srq_settings *s = srq_config_settings(config);
    SRQ_TRY(visit_settings(s, ticket, visit, context));
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
        if (whole) visit(context, part == 0 ? "quantizer.layers" : "model", text, NULL);
        free(text);
        if (!whole) return srq_fail_memory(size, "a configuration's text");
    }
    return SRQ_OK;
}
