#include "io/layer_settings.h"

#include "io/schema.h"

#include <string.h>

/* --- Values */

static size_t size_of(const srq_op_setting *s)
{
    static const size_t sizes[] = {[SRQ_OP_WHOLE] = sizeof(int),
                                   [SRQ_OP_PAIR] = 2 * sizeof(int),
                                   [SRQ_OP_REAL] = sizeof(float),
                                   [SRQ_OP_FLAG] = sizeof(bool)};
    return sizes[s->kind];
}

void srq_layer_setting_default(const srq_op *type, const srq_op_setting *s, srq_layer_spec *layer)
{
    void *to = (char *)layer + s->place;
    const srq_op_setting *like = s->like ? srq_op_setting_find(type, s->like) : NULL;
    const int whole = (int)s->initial, pair[2] = {whole, whole};
    const float real = (float)s->initial;
    const bool flag = s->initial != 0;
    const void *initial = s->kind == SRQ_OP_WHOLE  ? (const void *)&whole
                          : s->kind == SRQ_OP_PAIR ? (const void *)pair
                          : s->kind == SRQ_OP_REAL ? (const void *)&real
                                                   : (const void *)&flag;
    memcpy(to, like ? (const char *)layer + like->place : initial, size_of(s));
}

/* The first number of a pair is compared for both. */
static double number_of(const srq_layer_spec *layer, const srq_op_setting *s)
{
    const void *at = (const char *)layer + s->place;
    if (s->kind == SRQ_OP_FLAG) return *(const bool *)at;
    return s->kind == SRQ_OP_REAL ? (double)*(const float *)at : *(const int *)at;
}

bool srq_layer_setting_is_there(const srq_layer_spec *layer, const srq_op_setting *s)
{
    const srq_op_setting *with = s->with ? srq_op_setting_find(srq_op_find(layer->type), s->with) : NULL;
    if (with && !srq_layer_setting_is_there(layer, with)) return false;
    return !s->absent || number_of(layer, s) != (double)(float)s->initial;
}

void srq_layer_setting_print(const srq_layer_spec *layer, const srq_op_setting *s, FILE *out)
{
    const int *numbers = (const int *)(const void *)((const char *)layer + s->place);
    if (s->kind == SRQ_OP_WHOLE) fprintf(out, "%d", numbers[0]);
    if (s->kind == SRQ_OP_PAIR) fprintf(out, "[%d, %d]", numbers[0], numbers[1]);
    if (s->kind == SRQ_OP_REAL) srq_print_float((float)number_of(layer, s), out);
    if (s->kind == SRQ_OP_FLAG) fputs(number_of(layer, s) != 0 ? "true" : "false", out);
}

/* --- The reference */

const char *srq_layer_setting_names(const srq_op *type, char *out, size_t size)
{
    snprintf(out, size, "none");
    for (int k = 0, used = 0; k < srq_op_setting_count(type) && (size_t)used < size; k++)
        used += snprintf(out + used, size - (size_t)used, "%s%s", k ? ", " : "", type->settings[k].name);
    return out;
}

/* "1e-5" for 1e-05. */
static void print_number(double number, FILE *out)
{
    char text[32];
    snprintf(text, sizeof text, "%g", number);
    const char *zero = strstr(text, "e-0");
    if (zero)
        fprintf(out, "%.*s%s", (int)(zero - text) + 2, text, zero + 3);
    else
        fputs(text, out);
}

/* The default: "the kernel", "true", "0.1", "none". */
static void print_default(const srq_op_setting *s, FILE *out)
{
    if (s->like)
        fprintf(out, "the %s", s->like);
    else if (s->absent)
        fputs(s->absent, out);
    else if (s->kind == SRQ_OP_FLAG)
        fputs(s->initial != 0 ? "true" : "false", out);
    else
        print_number(s->initial, out);
}

static void print_range(const srq_op_setting *s, FILE *out)
{
    if (s->kind == SRQ_OP_FLAG)
        fputs("true or false", out);
    else if (s->kind == SRQ_OP_REAL)
        fprintf(out, s->above ? "number above %g, at most %g" : "number, %g to %g", s->least, s->most);
    else
        fprintf(out, "%s, %.0f to %.0f", s->kind == SRQ_OP_PAIR ? "integer or [height, width]" : "integer", s->least,
                s->most);
}

static void print_row(const srq_op *op, FILE *out)
{
    const char *separator = "";
    fprintf(out, "| `%s` | ", op->type);
    if (op->max_inputs > 1) {
        fprintf(out, "`inputs` (%d to %d)", op->min_inputs, op->max_inputs);
        separator = ", ";
    }
    for (int k = 0; k < srq_op_setting_count(op); k++) {
        const srq_op_setting *s = &op->settings[k];
        fprintf(out, "%s`%s`", separator, s->name);
        separator = ", ";
        if (s->required) continue;
        fputs(" (", out);
        print_default(s, out);
        fputc(')', out);
    }
    fprintf(out, "%s| %s |\n", *separator ? " " : "", op->meaning);
}

static void print_topic(const srq_op *op, FILE *out)
{
    fprintf(out, "%s: %s\n", op->type, op->meaning);
    if (op->max_inputs > 1)
        fprintf(out, "  %-10s a list of %d to %d layers\n", "inputs", op->min_inputs, op->max_inputs);
    for (int k = 0; k < srq_op_setting_count(op); k++) {
        const srq_op_setting *s = &op->settings[k];
        fprintf(out, "  %-10s ", s->name);
        print_range(s, out);
        fputs(s->required ? "; must be given" : "; default: ", out);
        if (!s->required) print_default(s, out);
        if (s->with) fprintf(out, "; only with %s", s->with);
        fputc('\n', out);
    }
    fputc('\n', out);
}

void srq_layer_reference(FILE *out, bool markdown)
{
    if (markdown)
        fputs("| type | settings (default) | meaning |\n|---|---|---|\n", out);
    else
        fputs("Layer types in model files. Every layer has a name and a type. inputs = [\"NAME\", ...] lists its "
              "inputs;\nby default, the input of a layer is the layer above it.\n\n",
              out);
    for (int i = 0; i < srq_op_count(); i++) {
        if (markdown)
            print_row(srq_op_at(i), out);
        else
            print_topic(srq_op_at(i), out);
    }
}
