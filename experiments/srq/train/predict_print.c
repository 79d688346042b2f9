#include "experiments/srq/train/predict_print.h"

#include "experiments/srq/inspect/tensors.h"
#include "io/escape.h"

#include <math.h>
#include <stdlib.h>

enum { CLASS_WIDTH = 24 };

int srq_predict_best(const float *logits, int classes)
{
    int best = 0;
    for (int c = 1; c < classes; c++)
        if (logits[c] > logits[best]) best = c;
    return best;
}

/* Puts the `top` most probable classes first. Of equal ones, the lower number comes first. */
static void sort(srq_predict_printer *p, const float *logits)
{
    for (int c = 0; c < p->classes; c++) p->order[c] = c;
    for (int i = 0; i < p->top; i++) {
        int best = i;
        for (int k = i + 1; k < p->classes; k++) {
            const float a = logits[p->order[k]], b = logits[p->order[best]];
            if (a > b || (!(a < b) && p->order[k] < p->order[best])) best = k;
        }
        const int kept = p->order[i];
        p->order[i] = p->order[best];
        p->order[best] = kept;
    }
}

static double sum_of(const float *logits, int classes)
{
    const double largest = (double)logits[srq_predict_best(logits, classes)];
    double sum = 0;
    for (int c = 0; c < classes; c++) sum += exp((double)logits[c] - largest);
    return sum;
}

static double probability(const float *logits, int classes, int c)
{
    const double largest = (double)logits[srq_predict_best(logits, classes)];
    return exp((double)logits[c] - largest) / sum_of(logits, classes);
}

/* --- A table */

static void pad(const srq_predict_printer *p, const char *text, int width)
{
    char cut[160];
    srq_text_cut(text, width, cut, sizeof cut);
    srq_print_escaped(cut, SRQ_ESCAPE_TERMINAL, p->out);
    for (int n = srq_text_width(cut); n < width + 2; n++) fputc(' ', p->out);
}

static int class_width(const srq_predict_printer *p)
{
    int width = 5;
    for (int c = 0; c < p->classes; c++) {
        const int columns = srq_text_width(p->names[c]);
        if (columns > width) width = columns;
    }
    return width < CLASS_WIDTH ? width : CLASS_WIDTH;
}

/* Names of images are never cut: they can be copied. */
static void pad_name(const srq_predict_printer *p, const char *name)
{
    srq_print_escaped(name, SRQ_ESCAPE_TERMINAL, p->out);
    for (int n = srq_text_width(name); n < p->name_width + 2; n++) fputc(' ', p->out);
}

static void print_heading(const srq_predict_printer *p)
{
    const int width = class_width(p);
    pad_name(p, "image");
    if (p->labels) pad(p, "label", width);
    pad(p, "class", width);
    fputs("probability\n", p->out);
}

static void print_row(srq_predict_printer *p, const srq_prediction *x)
{
    const int width = class_width(p);
    pad_name(p, x->image);
    if (p->labels) pad(p, p->names[x->label], width);
    for (int i = 0; i < p->top; i++) {
        if (i) fputs("   ", p->out);
        pad(p, p->names[p->order[i]], width);
        srq_say_to(p->out, "%9.2f %%", 100 * probability(x->logits, p->classes, p->order[i]));
    }
    if (p->logits) fputs("   logits", p->out);
    for (int c = 0; p->logits && c < p->classes; c++) srq_say_to(p->out, " %.6g", (double)x->logits[c]);
    fputc('\n', p->out);
}

/* --- CSV */

static void print_csv_heading(const srq_predict_printer *p)
{
    fputs(p->labels ? "image,label" : "image", p->out);
    fputs(",class,index,probability", p->out);
    for (int i = 2; i <= p->top; i++) srq_say_to(p->out, ",class_%d,index_%d,probability_%d", i, i, i);
    for (int c = 0; p->logits && c < p->classes; c++) srq_say_to(p->out, ",logit_%d", c);
    fputc('\n', p->out);
}

static void print_csv_row(srq_predict_printer *p, const srq_prediction *x)
{
    char number[SRQ_JSON_NUMBER];
    srq_print_escaped(x->image, SRQ_ESCAPE_CSV, p->out);
    if (p->labels) {
        fputc(',', p->out);
        srq_print_escaped(p->names[x->label], SRQ_ESCAPE_CSV, p->out);
    }
    for (int i = 0; i < p->top; i++) {
        const int c = p->order[i];
        fputc(',', p->out);
        srq_print_escaped(p->names[c], SRQ_ESCAPE_CSV, p->out);
        srq_say_to(p->out, ",%d,%s", c, srq_json_number(probability(x->logits, p->classes, c), number));
    }
    for (int c = 0; p->logits && c < p->classes; c++)
        srq_say_to(p->out, ",%s", srq_json_float((double)x->logits[c], number));
    fputc('\n', p->out);
}

/* --- JSON */

static void print_json_text(const srq_predict_printer *p, const char *before, const char *text)
{
    fputs(before, p->out);
    srq_print_escaped(text, SRQ_ESCAPE_JSON, p->out);
}

static void print_json_begin(const srq_predict_printer *p)
{
    print_json_text(p, "{\"checkpoint\": ", p->checkpoint);
    srq_say_to(p->out, ",\n \"step\": %ld", p->step);
    print_json_text(p, ",\n \"data\": ", p->data);
    print_json_text(p, ",\n \"normalization\": ", p->normalization);
    for (int c = 0; c < p->classes; c++) print_json_text(p, c ? ", " : ",\n \"classes\": [", p->names[c]);
    fputs("],\n \"images\": [", p->out);
}

static void print_json_row(srq_predict_printer *p, const srq_prediction *x)
{
    char number[SRQ_JSON_NUMBER];
    print_json_text(p, p->printed ? ",\n  {\"image\": " : "\n  {\"image\": ", x->image);
    if (x->problem) {
        print_json_text(p, ", \"error\": ", x->problem);
        fputc('}', p->out);
        return;
    }
    if (p->labels) srq_say_to(p->out, ", \"label\": %d", x->label);
    fputs(", \"top\": [", p->out);
    for (int i = 0; i < p->top; i++) {
        const int c = p->order[i];
        print_json_text(p, i ? ", {\"class\": " : "{\"class\": ", p->names[c]);
        srq_say_to(p->out, ", \"index\": %d, \"probability\": %s}", c,
                   srq_json_number(probability(x->logits, p->classes, c), number));
    }
    fputc(']', p->out);
    for (int c = 0; p->logits && c < p->classes; c++)
        srq_say_to(p->out, "%s%s", c ? ", " : ", \"logits\": [", srq_json_float((double)x->logits[c], number));
    fputs(p->logits ? "]}" : "}", p->out);
}

/* --- All forms */

srq_status srq_predict_print_begin(srq_predict_printer *p)
{
    p->order = calloc((size_t)p->classes, sizeof *p->order);
    if (!p->order) return srq_fail_memory((size_t)p->classes * sizeof *p->order, "the classes");
    if (p->form == SRQ_PREDICT_TABLE) print_heading(p);
    if (p->form == SRQ_PREDICT_CSV) print_csv_heading(p);
    if (p->form == SRQ_PREDICT_JSON) print_json_begin(p);
    return SRQ_OK;
}

void srq_predict_print(srq_predict_printer *p, const srq_prediction *x)
{
    if (x->problem) {
        fflush(p->out); /* on a terminal, the line comes at the place of the image */
        srq_say_to(stderr, "bad image: %s: %s\n", x->image, x->problem);
        if (p->form != SRQ_PREDICT_JSON) return;
    } else {
        sort(p, x->logits);
    }
    if (p->form == SRQ_PREDICT_TABLE) print_row(p, x);
    if (p->form == SRQ_PREDICT_CSV) print_csv_row(p, x);
    if (p->form == SRQ_PREDICT_JSON) print_json_row(p, x);
    p->printed++;
}

void srq_predict_print_end(srq_predict_printer *p, long wrong, long count)
{
    if (p->form == SRQ_PREDICT_JSON) {
        fputs("\n ]", p->out);
        if (p->labels) srq_say_to(p->out, ",\n \"wrong\": %ld,\n \"count\": %ld", wrong, count);
        fputs("}\n", p->out);
    }
    if (p->form == SRQ_PREDICT_TABLE && p->labels && count)
        srq_say_to(p->out, "error %.2f %% (%ld of %ld)\n", 100.0 * (double)wrong / (double)count, wrong, count);
    free(p->order);
    p->order = NULL;
}
