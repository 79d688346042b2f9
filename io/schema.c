#include "io/schema.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(srq_settings, member), sizeof(((srq_settings *)0)->member)

const srq_setting srq_schema[] = {
    {"data.file", SRQ_SET_TEXT, AT(data.file), NULL, 0, 0, NULL, false,
     "Data set made by `srq data import`; a relative path starts at the configuration's folder (with --set at the "
     "current one)."},
    {"train.batch", SRQ_SET_INT, AT(train.batch), "128", 1, 1048576, NULL, true, "Images of a step, over all ranks."},
    {"train.shards", SRQ_SET_INT, AT(train.shards), "8", 1, 4096, NULL, true,
     "Logical shards that every batch is cut into; the most ranks that can share the work. Results depend on it, but "
     "not on the number of ranks."},
    {"train.epochs", SRQ_SET_INT, AT(train.epochs), "10", 0, 1000000, NULL, true, "Passes over the training images."},
    {"train.max_steps", SRQ_SET_LONG, AT(train.max_steps), "0", 0, 1e12, NULL, true,
     "End after so many steps, if that comes first; 0 is no limit."},
    {"train.seed", SRQ_SET_INT64, AT(train.seed), "1", 0, 9.2e18, NULL, true,
     "Decides initial weights and the order of samples."},
    {"train.engine", SRQ_SET_TEXT, AT(train.engine), "\"auto\"", 0, 0, "auto|float32", true,
     "Arithmetic of convolutions and dense layers: float32, or the fastest there is (in this version float32, too)."},
    {"train.checkpoint_every", SRQ_SET_SPAN, AT(train.checkpoint_every), "\"1ep\"", 0, 1e12, NULL, false,
     "Write a checkpoint so often (\"500it\" steps or \"1ep\" epochs); 0 only at the end."},
    {"train.keep", SRQ_SET_INT, AT(train.keep), "3", 1, 1000000, NULL, false, "Newest checkpoints that are kept."},
    {"train.eval_every", SRQ_SET_SPAN, AT(train.eval_every), "\"1ep\"", 0, 1e12, NULL, false,
     "Evaluate on the test images so often; 0 only at the end."},
    {"train.log_every", SRQ_SET_SPAN, AT(train.log_every), "\"50it\"", 0, 1e12, NULL, false,
     "Write a step line to log.jsonl so often; 0 only at the end."},
    {"optimizer.method", SRQ_SET_TEXT, AT(optimizer.method), "\"adam\"", 0, 0, "adam|sgd", true,
     "Adam, or SGD with momentum."},
    {"optimizer.learning_rate", SRQ_SET_DOUBLE, AT(optimizer.learning_rate), "1e-3", 0, 1e6, NULL, true,
     "Of weights, biases and batch-norm."},
    {"optimizer.alpha_learning_rate", SRQ_SET_DOUBLE, AT(optimizer.alpha_learning_rate), "1e-3", 0, 1e6, NULL, true,
     "Of the step sizes alpha, in log alpha."},
    {"optimizer.sigma_learning_rate", SRQ_SET_DOUBLE, AT(optimizer.sigma_learning_rate), "1e-3", 0, 1e6, NULL, true,
     "Of the noise scales sigma, in log sigma; 0 keeps each as it starts."},
    {"optimizer.momentum", SRQ_SET_DOUBLE, AT(optimizer.momentum), "0.9", 0, 0.999999, NULL, true, "SGD only."},
    {"optimizer.beta1", SRQ_SET_DOUBLE, AT(optimizer.beta1), "0.9", 0, 0.999999, NULL, true,
     "Adam only: decay of the mean of gradients."},
    {"optimizer.beta2", SRQ_SET_DOUBLE, AT(optimizer.beta2), "0.999", 0, 0.9999999, NULL, true,
     "Adam only: decay of the mean of their squares."},
    {"optimizer.epsilon", SRQ_SET_DOUBLE, AT(optimizer.epsilon), "1e-8", 1e-30, 1, NULL, true,
     "Adam only: added to the root of that mean."},
    {"optimizer.weight_decay", SRQ_SET_DOUBLE, AT(optimizer.weight_decay), "0.0", 0, 1e6, NULL, true,
     "Times the weight, added to its gradient; convolution and dense weights only."},
    {"schedule.method", SRQ_SET_TEXT, AT(schedule.method), "\"cosine\"", 0, 0, "constant|step|linear|cosine", true,
     "Course of all learning rates over training."},
    {"schedule.warmup", SRQ_SET_SPAN, AT(schedule.warmup), "\"0it\"", 0, 1e12, NULL, true,
     "Linear rise from 0 before the method begins."},
    {"schedule.step_every", SRQ_SET_SPAN, AT(schedule.step_every), "\"10ep\"", 1, 1e12, NULL, true,
     "step only: multiply by the factor so often."},
    {"schedule.factor", SRQ_SET_DOUBLE, AT(schedule.factor), "0.1", 1e-12, 1, NULL, true, "step only."},
    {"schedule.final", SRQ_SET_DOUBLE, AT(schedule.final), "0.0", 0, 1, NULL, true,
     "linear and cosine: share of the learning rate at the end."},
    {"quantizer.method", SRQ_SET_TEXT, AT(quantizer.method), "\"srq\"", 0, 0, "srq|lsq|ste|float32", true,
     "How weights and activations are quantized; float32 does not."},
    {"quantizer.estimator", SRQ_SET_TEXT, AT(quantizer.estimator), "\"full\"", 0, 0, "full|argmax", true,
     "srq only: gradient through all categories, or through the chosen one."},
    {"quantizer.weight_bits", SRQ_SET_INT, AT(quantizer.weight_bits), "2", 1, 8, NULL, true, "Bit-length of weights."},
    {"quantizer.activation_bits", SRQ_SET_INT, AT(quantizer.activation_bits), "2", 1, 8, NULL, true,
     "Bit-length of activations."},
    {"quantizer.sigma_ratio", SRQ_SET_DOUBLE, AT(quantizer.sigma_ratio), "0.3333333333333333", 0.01, 10, NULL, true,
     "srq only: sigma / alpha at the start."},
};
const int srq_schema_count = sizeof srq_schema / sizeof *srq_schema;

/* --- Values */

void srq_where(const config_setting_t *setting, const char *name, char *where, size_t size)
{
    const char *file = config_setting_source_file(setting);
    snprintf(where, size, "%s:%u", file ? file : name, config_setting_source_line(setting));
}

srq_value srq_value_of(const config_setting_t *setting, const char *name)
{
    srq_value v = {.kind = SRQ_VALUE_OTHER};
    srq_where(setting, name, v.where, sizeof v.where);
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        v.kind = SRQ_VALUE_INTEGER;
        v.integer = config_setting_get_int64(setting);
        /* libconfig 1.5 gives 0 for the 64-bit value of a 32-bit setting. */
        if (config_setting_type(setting) == CONFIG_TYPE_INT) v.integer = config_setting_get_int(setting);
        v.number = (double)v.integer;
        break;
    case CONFIG_TYPE_FLOAT:
        v.kind = SRQ_VALUE_FLOAT;
        v.number = config_setting_get_float(setting);
        break;
    case CONFIG_TYPE_STRING:
        v.kind = SRQ_VALUE_TEXT;
        v.text = config_setting_get_string(setting);
        break;
    default:
        break;
    }
    return v;
}

srq_value srq_value_of_text(const char *text, char *room, size_t size)
{
    srq_value v = {.kind = SRQ_VALUE_TEXT, .text = room};
    char *end;
    const long long integer = strtoll(text, &end, 10);
    if (*text && *end == '\0') {
        v.kind = SRQ_VALUE_INTEGER;
        v.integer = integer;
        v.number = (double)integer;
        return v;
    }
    const double number = strtod(text, &end);
    if (*text && *end == '\0') {
        v.kind = SRQ_VALUE_FLOAT;
        v.number = number;
        return v;
    }
    size_t n = strlen(text);
    bool quoted = n >= 2 && text[0] == '"' && text[n - 1] == '"';
    snprintf(room, size, "%.*s", (int)(quoted ? n - 2 : n), quoted ? text + 1 : text);
    return v;
}

static const char *describe(const srq_value *v, char *out, size_t size)
{
    if (v->kind == SRQ_VALUE_INTEGER)
        snprintf(out, size, "%lld", v->integer);
    else if (v->kind == SRQ_VALUE_FLOAT)
        snprintf(out, size, "%g", v->number);
    else if (v->kind == SRQ_VALUE_TEXT)
        snprintf(out, size, "the text \"%.100s\"", v->text);
    else
        snprintf(out, size, "a group, list, array or boolean");
    return out;
}

static srq_status mistyped(const srq_setting *s, const srq_value *v, const char *expected)
{
    char found[160];
    return srq_fail(SRQ_ERROR_USAGE, "%s: %s must be %s, but is %s", v->where, s->path, expected,
                    describe(v, found, sizeof found));
}

static srq_status check_range(const srq_setting *s, const srq_value *v, double number)
{
    if (number >= s->min && number <= s->max) return SRQ_OK;
    return srq_fail(SRQ_ERROR_USAGE, "%s: %s is %.12g, but must be from %.12g to %.12g", v->where, s->path, number,
                    s->min, s->max);
}

/* --- Assignment */

/* One of "a|b|c", whole. */
static bool is_choice(const char *choices, const char *word)
{
    size_t n = strlen(word);
    for (const char *c = choices; *c;) {
        size_t length = strcspn(c, "|");
        if (length == n && strncmp(c, word, n) == 0) return true;
        c += length + (c[length] == '|');
    }
    return false;
}

static srq_status assign_text(const srq_setting *s, const srq_value *v, char *to)
{
    if (v->kind != SRQ_VALUE_TEXT) return mistyped(s, v, "a text in quotes");
    if (s->choices && !is_choice(s->choices, v->text)) {
        const char *words[8];
        char copy[128];
        int count = 0;
        snprintf(copy, sizeof copy, "%s", s->choices);
        for (char *word = strtok(copy, "|"); word && count < 8; word = strtok(NULL, "|")) words[count++] = word;
        return srq_fail(SRQ_ERROR_USAGE, "%s: %s is \"%.100s\", but must be one of %s; did you mean \"%s\"?", v->where,
                        s->path, v->text, s->choices, srq_closest(v->text, words, count));
    }
    if (!*v->text) return srq_fail(SRQ_ERROR_USAGE, "%s: %s is empty", v->where, s->path);
    if (strlen(v->text) >= s->size)
        return srq_fail(SRQ_ERROR_USAGE, "%s: %s is longer than %zu characters", v->where, s->path, s->size - 1);
    snprintf(to, s->size, "%s", v->text);
    return SRQ_OK;
}

static srq_status assign_span(const srq_setting *s, const srq_value *v, srq_span *to)
{
    static const char expected[] = "a number of steps or epochs such as 500, \"500it\" or \"3ep\"";
    long long count = v->integer;
    bool epochs = false;
    if (v->kind == SRQ_VALUE_TEXT) {
        char *end;
        count = strtoll(v->text, &end, 10);
        epochs = strcmp(end, "ep") == 0;
        if (end == v->text || (!epochs && strcmp(end, "it") != 0)) return mistyped(s, v, expected);
    } else if (v->kind != SRQ_VALUE_INTEGER) {
        return mistyped(s, v, expected);
    }
    SRQ_TRY(check_range(s, v, (double)count));
    *to = (srq_span){.count = (long)count, .epochs = epochs};
    return SRQ_OK;
}

static srq_status assign_integer(const srq_setting *s, const srq_value *v, char *to)
{
    if (v->kind != SRQ_VALUE_INTEGER) return mistyped(s, v, "an integer");
    SRQ_TRY(check_range(s, v, v->number));
    const int narrow = (int)v->integer;
    const long wide = (long)v->integer;
    const int64_t exact = v->integer;
    if (s->type == SRQ_SET_INT)
        memcpy(to, &narrow, sizeof narrow);
    else if (s->type == SRQ_SET_LONG)
        memcpy(to, &wide, sizeof wide);
    else
        memcpy(to, &exact, sizeof exact);
    return SRQ_OK;
}

static srq_status assign_double(const srq_setting *s, const srq_value *v, char *to)
{
    if (v->kind != SRQ_VALUE_INTEGER && v->kind != SRQ_VALUE_FLOAT) return mistyped(s, v, "a number");
    SRQ_TRY(check_range(s, v, v->number));
    memcpy(to, &v->number, sizeof v->number);
    return SRQ_OK;
}

srq_status srq_setting_assign(const srq_setting *s, const srq_value *v, srq_settings *settings)
{
    char *to = (char *)settings + s->offset;
    switch (s->type) {
    case SRQ_SET_TEXT:
        return assign_text(s, v, to);
    case SRQ_SET_SPAN:
        return assign_span(s, v, (srq_span *)(void *)to);
    case SRQ_SET_DOUBLE:
        return assign_double(s, v, to);
    default:
        return assign_integer(s, v, to);
    }
}

/* --- Printing */

void srq_print_text(const char *text, FILE *out)
{
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fprintf(out, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            fprintf(out, "\\x%02x", (unsigned char)*text);
        else
            fputc(*text, out);
    }
    fputc('"', out);
}

void srq_print_number(double number, FILE *out)
{
    char text[64];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number) break;
    }
    fputs(text, out);
    if (!strpbrk(text, ".e")) fputs(".0", out);
}

void srq_setting_print(const srq_setting *s, const srq_settings *settings, FILE *out)
{
    const char *from = (const char *)settings + s->offset;
    const srq_span *span = (const void *)from;
    switch (s->type) {
    case SRQ_SET_INT:
        fprintf(out, "%d", *(const int *)(const void *)from);
        break;
    case SRQ_SET_LONG:
        fprintf(out, "%ld%s", *(const long *)(const void *)from,
                *(const long *)(const void *)from > INT_MAX ? "L" : "");
        break;
    case SRQ_SET_INT64: {
        const long long value = (long long)*(const int64_t *)(const void *)from;
        fprintf(out, "%lld%s", value, value > INT_MAX ? "L" : "");
        break;
    }
    case SRQ_SET_DOUBLE:
        srq_print_number(*(const double *)(const void *)from, out);
        break;
    case SRQ_SET_TEXT:
        srq_print_text(from, out);
        break;
    case SRQ_SET_SPAN:
        fprintf(out, "\"%ld%s\"", span->count, span->epochs ? "ep" : "it");
        break;
    }
}

/* --- The closest name */

enum { WORD_MAX = 64 };

static int smallest(int a, int b, int c)
{
    int ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Levenshtein distance of the first WORD_MAX characters. */
static int distance(const char *a, const char *b)
{
    int row[WORD_MAX + 1];
    const int n = (int)strnlen(a, WORD_MAX), m = (int)strnlen(b, WORD_MAX);
    for (int j = 0; j <= m; j++) row[j] = j;
    for (int i = 1; i <= n; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= m; j++) {
            int above = row[j];
            row[j] = smallest(row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[m];
}

const char *srq_closest(const char *word, const char *const *words, int count)
{
    const char *best = count ? words[0] : "";
    int least = INT_MAX;
    for (int i = 0; i < count; i++) {
        int d = distance(word, words[i]);
        if (d < least) {
            least = d;
            best = words[i];
        }
    }
    return best;
}

/* --- The reference */

static void print_allowed(const srq_setting *s, FILE *out)
{
    static const char *const types[] = {"integer", "integer", "integer", "number", "text", "steps or epochs"};
    fputs(types[s->type], out);
    if (s->choices) {
        fputs(": ", out);
        for (const char *c = s->choices; *c; c++)
            if (*c == '|')
                fputs(", ", out);
            else
                fputc(*c, out);
    } else if (s->type != SRQ_SET_TEXT && s->max < 1e12) {
        fprintf(out, ", %.12g to %.12g", s->min, s->max);
    }
}

void srq_config_reference(FILE *out, bool markdown)
{
    char group[32] = "";
    for (int i = 0; i < srq_schema_count; i++) {
        const srq_setting *s = &srq_schema[i];
        const int length = (int)strcspn(s->path, ".");
        if (strncmp(group, s->path, (size_t)length) != 0 || group[length] != '\0') {
            snprintf(group, sizeof group, "%.*s", length, s->path);
            if (markdown)
                fprintf(out, "%s### %s\n\n| setting | value | default | meaning |\n|---|---|---|---|\n", i ? "\n" : "",
                        group);
            else
                fprintf(out, "%s%s\n", i ? "\n" : "", group);
        }
        fprintf(out, markdown ? "| `%s` | " : "  %-30s ", s->path);
        print_allowed(s, out);
        if (markdown)
            fprintf(out, " | %s%s%s | %s |\n", s->initial ? "`" : "", s->initial ? s->initial : "must be given",
                    s->initial ? "`" : "", s->doc);
        else
            fprintf(out, "; %s%s\n      %s\n", s->initial ? "default " : "", s->initial ? s->initial : "must be given",
                    s->doc);
    }
}
