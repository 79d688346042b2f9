/* The reference of all settings, as `srq help configuration` prints it. */
#include "io/method_settings.h"
#include "io/schema.h"

#include <string.h>

char *srq_config_choices(int index, char *out, size_t size)
{
    const srq_setting *s = &srq_schema[index];
    char room[64];
    const char *choice;
    size_t n = 0;
    snprintf(out, size, "%s", s->type == SRQ_SET_BOOL ? "true false" : "");
    for (int i = 0; (choice = srq_setting_choice(s, i, room, sizeof room)) && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", i ? " " : "", choice);
    return out;
}

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

/* Which settings are printed, and how. */
typedef struct selection {
    const char *name; /* a setting, or a group with or without a point at its end; NULL: all */
    bool markdown;
    FILE *out;
    char group[32]; /* of the last row */
    int count;      /* rows so far */
} selection;

static bool is_selected(const selection *all, const char *path)
{
    if (!all->name) return true;
    size_t length = strlen(all->name);
    if (strcmp(path, all->name) == 0) return true;
    if (length && all->name[length - 1] == '.') length--;
    return strncmp(path, all->name, length) == 0 && path[length] == '.';
}

static void visit(selection *all, const srq_setting *s)
{
    if (!is_selected(all, s->path)) return;
    char group[32];
    snprintf(group, sizeof group, "%.*s", (int)strcspn(s->path, "."), s->path);
    const bool whole = !all->name || strcmp(s->path, all->name) != 0;
    if (whole && strcmp(group, all->group) != 0) print_group(group, all->markdown, !all->group[0], all->out);
    snprintf(all->group, sizeof all->group, "%s", group);
    print_row(s, all->markdown, all->out);
    all->count++;
}

static void visit_all(selection *all)
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
               "method, estimator, bits, granularity, sigma_ratio, dropbits (\"on\" or \"off\"). With --set: "
               "quantizer.layers.conv1.bits=8."};
    if (!all->name) print_group("model", all->markdown, true, all->out);
    snprintf(all->group, sizeof all->group, "%s", all->name ? "" : "model");
    if (is_selected(all, "model")) {
        print_row(&model, all->markdown, all->out);
        all->count++;
    }
    for (int i = 0; i < srq_schema_count; i++) {
        const srq_setting *s = &srq_schema[i];
        visit(all, s);
        /* The list is the last setting of the group. */
        const bool last = i + 1 == srq_schema_count || strncmp(srq_schema[i + 1].path, "quantizer.", 10) != 0;
        if (last && strncmp(s->path, "quantizer.", 10) == 0) visit(all, &overrides);
    }
}

void srq_config_reference(FILE *out, bool markdown)
{
    visit_all(&(selection){.markdown = markdown, .out = out});
}

bool srq_config_reference_of(FILE *out, const char *name)
{
    selection all = {.name = name, .out = out};
    visit_all(&all);
    const srq_setting *s = srq_setting_find(name);
    if (s && s->initial)
        fprintf(out, "\nIn a configuration: %.*s = { %s = %s; };\nOn the command line: --set %s=%s\n",
                (int)strcspn(name, "."), name, name + strcspn(name, ".") + 1, s->initial, name, s->initial);
    return all.count > 0;
}
