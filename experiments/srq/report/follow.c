#include "experiments/srq/report/follow.h"

#include "experiments/srq/report/chart.h"
#include "experiments/srq/report/contents.h"
#include "io/escape.h"
#include "io/progress.h"

#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { SECONDS = 2, QUIET_SECONDS = 10, LAYERS_SHOWN = 16, INDENT = 18, WIDTH_MAX = 140 };

static volatile sig_atomic_t interrupted;

static void interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

typedef struct follower {
    srq_report report;
    const srq_report_run *run;
    srq_log *log;
    bool terminal, utf8;
    int width;
    long said_step, said_eval; /* of the lines on a pipe */
    bool said_test;
    double said; /* when */
} follower;

/* --- The screen */

static double share_done(const srq_log *log)
{
    return log->total_steps > 0 ? fmin(1, (double)log->last_step / (double)log->total_steps) : 0;
}

static void print_bar(const follower *f)
{
    const int width = f->width / 3, full = (int)(share_done(f->log) * width);
    char place[64], rate[32], left[32];
    fputs("[", stdout);
    for (int i = 0; i < width; i++) fputc(i < full ? '#' : '-', stdout);
    srq_say("] %3.0f %%", 100 * share_done(f->log));
    if (srq_report_place(f->run, place, sizeof place)[0]) srq_say("  epoch %s", place);
    srq_say("  step %ld", f->log->last_step);
    if (f->log->step_count && isfinite(f->log->steps[f->log->step_count - 1].rate))
        srq_say("  %s images/s", srq_grouped(lround(f->log->steps[f->log->step_count - 1].rate), rate, sizeof rate));
    if (f->log->state == SRQ_LOG_OPEN && isfinite(srq_report_time_left(f->log)))
        srq_say("  %s left", srq_duration(srq_report_time_left(f->log), left, sizeof left));
    fputs("\n\n", stdout);
}

static void print_curve(const follower *f, const char *name, int count, const double *values, const char *last)
{
    const bool logs = count > 1 && srq_chart_is_logarithmic(count, values, f->width - INDENT - 1);
    srq_say("%s%s%s\n", name, last, logs ? "  (log scale)" : "");
    if (count > 1) srq_chart_print(count, values, 4, f->width - INDENT - 1, INDENT, true, f->utf8, stdout);
    fputc('\n', stdout);
}

static void print_loss(const follower *f, double *values)
{
    const srq_log *log = f->log;
    char last[64] = ": nothing yet";
    for (int i = 0; i < log->step_count; i++) values[i] = log->steps[i].loss;
    if (log->step_count) snprintf(last, sizeof last, ": %.4g", values[log->step_count - 1]);
    print_curve(f, "training loss, nats", log->step_count, values, last);
}

static void print_error(const follower *f, double *values)
{
    const srq_log *log = f->log;
    char last[96] = ": no evaluation yet";
    double best = INFINITY;
    for (int i = 0; i < log->eval_count; i++) {
        values[i] = 100 * srq_log_training_error(&log->evals[i]);
        best = fmin(best, values[i]);
    }
    if (log->eval_count)
        snprintf(last, sizeof last, ": %.2f after epoch %.4g, lowest %.2f", values[log->eval_count - 1],
                 log->evals[log->eval_count - 1].epoch, best);
    print_curve(f, srq_report_validates(f->run) ? "validation error, %" : "test error, %", log->eval_count, values,
                last);
    if (log->tested)
        srq_say("test error %.2f %% of the checkpoint with the lowest validation error (best.h5: step %ld, validation "
                "error "
                "%.2f %%)\n\n",
                100 * log->test.error, log->best_step, 100 * log->test.validation_error);
}

static bool layer_changes(const srq_log *log, int layer)
{
    const unsigned char *first = log->evals[0].bits;
    for (int i = 1; first && i < log->eval_count; i++)
        if (log->evals[i].bits && log->evals[i].bits[layer] != first[layer]) return true;
    return false;
}

/* Shows layers that learn their bit-length, or whose bit-length has changed. */
static void print_bits(const follower *f, double *values)
{
    const srq_log *log = f->log;
    const srq_log_eval *last = log->eval_count ? &log->evals[log->eval_count - 1] : NULL;
    int shown = 0;
    for (int l = 0; last && last->bits && l < log->layer_count; l++) {
        const bool wanted = isfinite(last->gated_bits) || layer_changes(log, l);
        if (!wanted || shown++ >= LAYERS_SHOWN) continue;
        char name[SRQ_NAME_SIZE];
        for (int i = 0; i < log->eval_count; i++) values[i] = log->evals[i].bits ? log->evals[i].bits[l] : NAN;
        if (shown == 1) fputs("bit-lengths\n", stdout);
        srq_say("%-16s %d  ", srq_text_cut(log->layers[l], 16, name, sizeof name), last->bits[l]);
        srq_chart_print_line(log->eval_count, values, 8, f->width - 22, f->utf8, stdout);
        fputc('\n', stdout);
    }
    if (shown > LAYERS_SHOWN) srq_say("and %d more layers\n", shown - LAYERS_SHOWN);
    if (shown && isfinite(last->gated_bits))
        srq_say("mean             expected bits %.2f, evaluated %.2f\n", last->gated_bits, last->mean_bits);
}

static void print_screen(const follower *f)
{
    char standing[2400], line[2400];
    struct winsize size;
    follower now = *f;
    now.width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40 ? size.ws_col : 80;
    if (now.width > WIDTH_MAX) now.width = WIDTH_MAX;
    const size_t most = (size_t)(f->log->step_count > f->log->eval_count ? f->log->step_count : f->log->eval_count);
    double *values = calloc(most + 1, sizeof *values);
    if (!values) return; /* the next screen tries again */
    srq_report_standing(f->run, f->report.runs.now, standing, sizeof standing);
    fputs("\033[H\033[2J", stdout);
    srq_print_escaped(srq_text_cut(f->run->path, now.width - 2, line, sizeof line), SRQ_ESCAPE_TERMINAL, stdout);
    srq_say("\n%s, %s, seed %lld: ", srq_config_settings(f->run->config)->model.name, f->report.groups.items[0].name,
            f->run->seed);
    srq_print_escaped(standing, SRQ_ESCAPE_TERMINAL, stdout);
    fputs("\n\n", stdout);
    print_bar(&now);
    print_loss(&now, values);
    print_error(&now, values);
    print_bits(&now, values);
    fflush(stdout);
    free(values);
}

/* --- Lines, on a pipe */

static void print_lines(follower *f)
{
    const srq_log *log = f->log;
    for (int i = 0; i < log->eval_count; i++) {
        const srq_log_eval *e = &log->evals[i];
        if (e->step <= f->said_eval) continue;
        const bool validates = isfinite(e->validation_error);
        const char *images = validates ? "validation" : "test";
        srq_say("step %ld  epoch %.4g  %s error %.2f %%  %s loss %.4f", e->step, e->epoch, images,
                100 * srq_log_training_error(e), images, validates ? e->validation_loss : e->loss);
        if (isfinite(e->gated_bits)) srq_say("  expected bits %.2f, evaluated %.2f", e->gated_bits, e->mean_bits);
        fputc('\n', stdout);
        f->said_eval = e->step;
    }
    if (log->tested && !f->said_test) {
        srq_say("test error %.2f %%  test loss %.4f  of best.h5 (step %ld, validation error %.2f %%)\n",
                100 * log->test.error, log->test.loss, log->best_step, 100 * log->test.validation_error);
        f->said_test = true;
    }
    if (log->step_count && log->steps[log->step_count - 1].step > f->said_step &&
        srq_seconds() - f->said >= QUIET_SECONDS) {
        const srq_log_step *s = &log->steps[log->step_count - 1];
        char rate[32], left[32];
        srq_say("step %ld  epoch %.4g  loss %.4f  error %.2f %%  %s images/s", s->step, s->epoch, s->loss,
                100 * s->error, srq_grouped(isfinite(s->rate) ? lround(s->rate) : 0, rate, sizeof rate));
        if (log->state == SRQ_LOG_OPEN && isfinite(srq_report_time_left(log)))
            srq_say("  %s left", srq_duration(srq_report_time_left(log), left, sizeof left));
        fputc('\n', stdout);
        f->said_step = s->step;
        f->said = srq_seconds();
    }
    fflush(stdout);
}

/* --- Following */

static srq_status show_to_end(follower *f)
{
    for (;;) {
        bool changed;
        SRQ_TRY(srq_log_update(f->log, &changed));
        f->report.runs.now = (double)time(NULL);
        if (f->terminal)
            print_screen(f);
        else
            print_lines(f);
        const bool ended = f->log->state != SRQ_LOG_OPEN && f->log->state != SRQ_LOG_EMPTY;
        if (ended || interrupted) return SRQ_OK;
        sleep(SECONDS); /* a signal interrupts it */
    }
}

static srq_status find_run(const char *folder, follower *f)
{
    SRQ_TRY(srq_report_create(1, (char *[]){(char *)(uintptr_t)folder}, (double)time(NULL), &f->report));
    f->run = &f->report.runs.items[0];
    f->log = f->report.runs.items[0].log;
    if (f->report.runs.count > 1)
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s: it contains %d runs, but only one can be followed at a time; name one, for example %s",
                        folder, f->report.runs.count, f->run->path);
    return f->run->problem ? srq_fail(SRQ_ERROR_DATA, "%s: %s", folder, f->run->problem) : SRQ_OK;
}

srq_status srq_report_follow(const char *folder)
{
    follower f = {.terminal = isatty(STDOUT_FILENO), .said_step = -1, .said_eval = -1};
    char standing[2400];
    setlocale(LC_CTYPE, "");
    f.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    srq_status status = find_run(folder, &f);
    if (status == SRQ_OK) {
        struct sigaction action = {.sa_handler = interrupt};
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        status = show_to_end(&f);
    }
    if (status == SRQ_OK) {
        srq_say("%s\n", srq_report_standing(f.run, f.report.runs.now, standing, sizeof standing));
    }
    srq_report_destroy(&f.report);
    return status;
}
