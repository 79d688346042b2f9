/* A setting: its allowed values, and how it is stored and printed. */
#include "io/method_settings.h"
#include "io/schema.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- Allowed values */

const char *srq_setting_choice(const srq_setting *s, int index, char *room, size_t size)
{
    if (s->choices && strcmp(s->choices, SRQ_CHOICES_METHODS) == 0) return srq_method_choice(index);
    const char *c = s->choices;
    for (; c && *c && index > 0; index--) {
        c += strcspn(c, "|");
        c += *c == '|';
    }
    if (!c || !*c) return NULL;
    snprintf(room, size, "%.*s", (int)strcspn(c, "|"), c);
    return room;
}

void srq_setting_bound(double bound, char *out, size_t size)
{
    if (bound == SRQ_BELOW_ONE)
        snprintf(out, size, "below 1");
    else if (bound == SRQ_ABOVE_ZERO)
        snprintf(out, size, "above 0");
    else if (bound >= 0x1p63)
        snprintf(out, size, "%lld", LLONG_MAX);
    else
        snprintf(out, size, "%.13g", bound);
}

static srq_status mistyped(const srq_setting *s, const srq_value *v, const char *expected)
{
    char found[160];
    return srq_fail(SRQ_ERROR_USAGE, "%s: %s must be %s, but is %s", v->where, s->path, expected,
                    srq_describe(v, found, sizeof found));
}

static srq_status check_range(const srq_setting *s, const srq_value *v, double number)
{
    /* Written so that NaN fails. */
    if (number >= s->min && number <= s->max) return SRQ_OK;
    char found[160], min[32], max[32];
    srq_setting_bound(s->min, min, sizeof min);
    srq_setting_bound(s->max, max, sizeof max);
    return srq_fail(SRQ_ERROR_USAGE, "%s: %s is %s, but must be from %s to %s", v->where, s->path,
                    srq_describe(v, found, sizeof found), min, max);
}

static bool is_choice(const srq_setting *s, const char *word)
{
    char room[64];
    const char *choice;
    if (!s->choices) return true;
    for (int i = 0; (choice = srq_setting_choice(s, i, room, sizeof room)); i++)
        if (strcmp(choice, word) == 0) return true;
    return false;
}

static srq_status not_a_choice(const srq_setting *s, const srq_value *v)
{
    char room[64], hint[96] = "", all[512] = "";
    const char *choice;
    size_t n = 0;
    int least = INT_MAX;
    for (int i = 0; (choice = srq_setting_choice(s, i, room, sizeof room)) && n < sizeof all; i++) {
        const bool same = srq_value_means(v->text, choice);
        const int distance = same ? 0 : srq_distance(v->text, choice);
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", i ? "|" : "", choice);
        if ((!same && !srq_is_near(v->text, choice)) || distance >= least) continue;
        least = distance;
        snprintf(hint, sizeof hint, "; did you mean \"%s\"?", choice);
    }
    return srq_fail(SRQ_ERROR_USAGE, "%s: %s is \"%.100s\", but must be one of %s%s", v->where, s->path, v->text, all,
                    hint);
}

/* --- Assignment */

static srq_status assign_text(const srq_setting *s, const srq_value *v, char *to)
{
    if (v->kind != SRQ_VALUE_TEXT) return mistyped(s, v, "a text in quotes");
    if (!is_choice(s, v->text)) return not_a_choice(s, v);
    if (!*v->text) return srq_fail(SRQ_ERROR_USAGE, "%s: %s is empty; enter a text", v->where, s->path);
    if (strlen(v->text) >= s->size)
        return srq_fail(SRQ_ERROR_USAGE, "%s: %s is longer than %zu characters; use a shorter one", v->where, s->path,
                        s->size - 1);
    snprintf(to, s->size, "%s", v->text);
    return SRQ_OK;
}

static srq_status assign_span(const srq_setting *s, const srq_value *v, srq_span *to)
{
    const bool counts_epochs = s->type == SRQ_SET_EPOCHS;
    const char *expected = counts_epochs ? "a number of epochs or steps such as 10, \"10ep\" or \"500it\""
                                         : "a number of steps or epochs such as 500, \"500it\" or \"3ep\"";
    long long count;
    bool epochs = counts_epochs;
    if (v->kind == SRQ_VALUE_TEXT) {
        char *end;
        count = strtoll(v->text, &end, 10);
        epochs = strcmp(end, "ep") == 0;
        if (end == v->text || (!epochs && strcmp(end, "it") != 0)) return mistyped(s, v, expected);
    } else if (!srq_value_whole(v, &count)) {
        return mistyped(s, v, expected);
    }
    SRQ_TRY(check_range(s, v, (double)count));
    *to = (srq_span){.count = (long)count, .epochs = epochs};
    return SRQ_OK;
}

/* Reads one stage: "8", "8 until 5ep", "8 until epoch 5", or in steps "8 until 500it", "8 until step 500". Moves *text
 * past it. */
static bool read_stage(const char **text, long long *bits, srq_span *until, bool *last)
{
    int used = 0;
    char unit[6] = "", *end;
    *until = (srq_span){0};
    *bits = strtoll(*text, &end, 10); /* at the ends of its range if it does not fit */
    if (end == *text) return false;
    *text = end;
    *last = sscanf(*text, " until %9ld%2[a-z]%n", &until->count, unit, &used) != 2 &&
            sscanf(*text, " until %5[a-z] %9ld%n", unit, &until->count, &used) != 2;
    if (*last) return (*text)[strspn(*text, " ")] == '\0';
    *text += used;
    until->epochs = strcmp(unit, "ep") == 0 || strcmp(unit, "epoch") == 0;
    *text += strspn(*text, " ,");
    if (strncmp(*text, "then ", 5) == 0) *text += 5;
    return until->count > 0 && (until->epochs || strcmp(unit, "it") == 0 || strcmp(unit, "step") == 0);
}

static srq_status assign_bits(const srq_setting *s, const srq_value *v, srq_bits_schedule *to)
{
    static const char expected[] = "a bit-length, or a schedule such as \"8 until 5ep, then 4\"";
    srq_bits_schedule made = {.count = 1};
    long long bits;
    if (srq_value_whole(v, &bits)) {
        SRQ_TRY(check_range(s, v, v->number));
        made.bits[0] = (int)bits;
        *to = made;
        return SRQ_OK;
    }
    if (v->kind != SRQ_VALUE_TEXT) return mistyped(s, v, expected);
    const char *text = v->text;
    bool last = false;
    for (made.count = 0; !last; made.count++) {
        srq_span until;
        if (made.count == SRQ_STAGES_MAX)
            return srq_fail(SRQ_ERROR_USAGE, "%s: %s has more than %d stages; use fewer", v->where, s->path,
                            SRQ_STAGES_MAX);
        if (!read_stage(&text, &bits, &until, &last)) return mistyped(s, v, expected);
        if (bits < 1 || bits > 8)
            return srq_fail(SRQ_ERROR_USAGE, "%s: %s has a bit-length of %lld, but it must be from 1 to 8", v->where,
                            s->path, bits);
        made.bits[made.count] = (int)bits;
        if (!last && made.count + 1 < SRQ_STAGES_MAX) made.until[made.count] = until;
    }
    /* Checked as far as possible without the data set. */
    for (int i = 0; i + 2 < made.count; i++)
        if (made.until[i].epochs == made.until[i + 1].epochs && made.until[i].count >= made.until[i + 1].count)
            return srq_fail(SRQ_ERROR_USAGE, "%s: %s: each stage must end after the one before it", v->where, s->path);
    *to = made;
    return SRQ_OK;
}

static srq_status assign_integer(const srq_setting *s, const srq_value *v, char *to)
{
    long long whole;
    if (!srq_value_whole(v, &whole)) return mistyped(s, v, "an integer");
    SRQ_TRY(check_range(s, v, v->number));
    const int narrow = (int)whole;
    const int64_t exact = whole;
    if (s->type == SRQ_SET_INT)
        memcpy(to, &narrow, sizeof narrow);
    else
        memcpy(to, &exact, sizeof exact);
    return SRQ_OK;
}

static srq_status assign_bool(const srq_setting *s, const srq_value *v, char *to)
{
    const char *meant = srq_value_closest_flag(v);
    char found[160];
    if (v->kind != SRQ_VALUE_BOOLEAN && meant)
        return srq_fail(SRQ_ERROR_USAGE, "%s: %s must be true or false, but is %s; did you mean %s?", v->where, s->path,
                        srq_describe(v, found, sizeof found), meant);
    if (v->kind != SRQ_VALUE_BOOLEAN) return mistyped(s, v, "true or false");
    const bool value = v->integer != 0;
    memcpy(to, &value, sizeof value);
    return SRQ_OK;
}

static srq_status assign_double(const srq_setting *s, const srq_value *v, char *to)
{
    if (v->kind != SRQ_VALUE_INTEGER && v->kind != SRQ_VALUE_FLOAT) return mistyped(s, v, "a number");
    SRQ_TRY(check_range(s, v, v->number));
    /* Training computes with float32, in which a number must not become 0, or the bound that it must stay below. */
    const double kept = (double)(float)v->number;
    if ((v->kind == SRQ_VALUE_FLOAT && v->text) || (v->number != 0 && fabs(v->number) < FLT_MIN) ||
        (s->max == SRQ_BELOW_ONE && kept >= 1))
        return mistyped(s, v,
                        kept >= 1 ? "further below 1, so that float32 can hold it" : "0 or at least 1.2e-38 (float32)");
    memcpy(to, &v->number, sizeof v->number);
    return SRQ_OK;
}

static srq_status assign_part(const srq_setting *s, const srq_value *v, char *to)
{
    static const char expected[] = "a number of images such as 5000, or a share below 1 such as 0.1";
    if (v->kind != SRQ_VALUE_INTEGER && v->kind != SRQ_VALUE_FLOAT) return mistyped(s, v, expected);
    SRQ_TRY(check_range(s, v, v->number));
    if (v->number >= 1 && v->number != rint(v->number)) return mistyped(s, v, expected);
    memcpy(to, &v->number, sizeof v->number);
    return SRQ_OK;
}

srq_status srq_setting_assign(const srq_setting *s, const srq_value *v, void *settings)
{
    char *to = (char *)settings + s->offset;
    switch (s->type) {
    case SRQ_SET_TEXT:
    case SRQ_SET_PATH:
        return assign_text(s, v, to);
    case SRQ_SET_SPAN:
    case SRQ_SET_EPOCHS:
        return assign_span(s, v, (srq_span *)(void *)to);
    case SRQ_SET_BITS:
        return assign_bits(s, v, (srq_bits_schedule *)(void *)to);
    case SRQ_SET_DOUBLE:
        return assign_double(s, v, to);
    case SRQ_SET_PART:
        return assign_part(s, v, to);
    case SRQ_SET_BOOL:
        return assign_bool(s, v, to);
    default:
        return assign_integer(s, v, to);
    }
}

/* --- Printing */

static void print_bits(const srq_bits_schedule *bits, FILE *out)
{
    if (bits->count == 1) {
        fprintf(out, "%d", bits->bits[0]);
        return;
    }
    fputc('"', out);
    for (int i = 0; i + 1 < bits->count; i++)
        fprintf(out, "%d until %ld%s, then ", bits->bits[i], bits->until[i].count, bits->until[i].epochs ? "ep" : "it");
    fprintf(out, "%d\"", bits->bits[bits->count - 1]);
}

void srq_setting_print(const srq_setting *s, const void *settings, FILE *out)
{
    const char *from = (const char *)settings + s->offset;
    const srq_span *span = (const void *)from;
    switch (s->type) {
    case SRQ_SET_INT:
        fprintf(out, "%d", *(const int *)(const void *)from);
        break;
    case SRQ_SET_INT64: {
        const long long value = (long long)*(const int64_t *)(const void *)from;
        fprintf(out, "%lld%s", value, value > INT_MAX ? "L" : "");
        break;
    }
    case SRQ_SET_DOUBLE:
        srq_print_number(*(const double *)(const void *)from, out);
        break;
    case SRQ_SET_PART: {
        const double part = *(const double *)(const void *)from;
        if (part == 0 || part >= 1)
            fprintf(out, "%.0f", part);
        else
            srq_print_number(part, out);
        break;
    }
    case SRQ_SET_BOOL:
        fputs(*(const bool *)(const void *)from ? "true" : "false", out);
        break;
    case SRQ_SET_TEXT:
    case SRQ_SET_PATH:
        srq_print_text(from, out);
        break;
    case SRQ_SET_BITS:
        print_bits((const void *)from, out);
        break;
    case SRQ_SET_SPAN:
        fprintf(out, "\"%ld%s\"", span->count, span->epochs ? "ep" : "it");
        break;
    case SRQ_SET_EPOCHS:
        if (span->epochs && span->count <= INT_MAX)
            fprintf(out, "%ld", span->count);
        else
            fprintf(out, "\"%ld%s\"", span->count, span->epochs ? "ep" : "it");
        break;
    }
}
