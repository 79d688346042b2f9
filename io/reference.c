/* The reference of all settings, as `srq help configuration` prints it. */
#include "io/method_settings.h"
#include "io/schema.h"

#include <string.h>

static void print_allowed(const srq_setting *s, FILE *out)
{
    static const char *const types[] = {
        "integer", "integer",         "number",          "true or false", "text",
        "text",    "steps or epochs", "epochs or steps", "bit-length",    "number of images or share below 1"};
    fputs(types[s->type], out);
    char room[64];
    const char *choice;
    for (int i = 0; (choice = srq_setting_choice(s, i, room, sizeof room)); i++)
        fprintf(out, "%s%s", i ? ", " : ": ", choice);
    if (s->type != SRQ_SET_TEXT && s->type != SRQ_SET_PATH && s->type != SRQ_SET_BOOL) {
        char min[32], max[32];
        srq_setting_bound(s->min, min, sizeof min);
        srq_setting_bound(s->max, max, sizeof max);
        /* Bounds that only prevent overflow are not printed. */
        if (s->max < 1e12)
            fprintf(out, ", %s to %s", min, max);
        else
            fprintf(out, ", at least %s", min);
    }
}

static void print_group(const char *group, bool markdown, bool first, FILE *out)
{
    fprintf(out, "%s%s%s\n", first ? "" : "\n", markdown ? "### " : "", group);
    if (markdown) fputs("\n| setting | value | default | meaning |\n|---|---|---|---|\n", out);
}

/* Prints the meaning. "@" at the start stands for the methods with which the setting has an effect. */
static void print_doc(const srq_setting *s, FILE *out)
{
    char names[400] = "";
    if (s->doc[0] == '@') srq_method_settings_names(s->path, names, sizeof names);
    fprintf(out, "%s%s", names, s->doc + (s->doc[0] == '@'));
}

static void print_row(const srq_setting *s, bool markdown, FILE *out)
{
    fprintf(out, markdown ? "| `%s` | " : "  %-30s ", s->path);
    print_allowed(s, out);
    if (markdown)
        fprintf(out, " | %s%s%s | ", s->initial ? "`" : "", s->initial ? s->initial : "must be given",
                s->initial ? "`" : "");
    else
        fprintf(out, "; %s%s\n      ", s->initial ? "default " : "", s->initial ? s->initial : "must be given");
    print_doc(s, out);
    fputs(markdown ? " |\n" : "\n", out);
}

void srq_config_reference(FILE *out, bool markdown)
{
    static const srq_setting model = {.path = "model",
                                      .type = SRQ_SET_TEXT,
                                      .doc =
                                          "The network: the path of a model file (relative to the configuration's "
                                          "folder, with --set to the current folder), or the model itself as a group."};
    static const srq_setting overrides = {
        .path = "quantizer.layers",
        .type = SRQ_SET_TEXT,
        .initial = "none",
        .doc = "Settings of single layers: a list such as ( { name = \"conv1\"; bits = 8; }, ... ) with any of "
               "method, estimator, bits, granularity, sigma_ratio, dropbits (\"on\" or \"off\")."};
    char group[32] = "";
    print_group("model", markdown, true, out);
    print_row(&model, markdown, out);
    for (int i = 0; i < srq_schema_count; i++) {
        const srq_setting *s = &srq_schema[i];
        const int length = (int)strcspn(s->path, ".");
        if (strncmp(group, s->path, (size_t)length) != 0 || group[length] != '\0') {
            snprintf(group, sizeof group, "%.*s", length, s->path);
            print_group(group, markdown, false, out);
        }
        print_row(s, markdown, out);
        /* The list is the last setting of the group. */
        const bool last = i + 1 == srq_schema_count || strncmp(srq_schema[i + 1].path, "quantizer.", 10) != 0;
        if (last && strncmp(s->path, "quantizer.", 10) == 0) print_row(&overrides, markdown, out);
    }
}
