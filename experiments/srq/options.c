#include "experiments/srq/options.h"

#include "io/closest.h"
#include "io/config.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static const char letters[] = "abcdefghijklmnopqrstuvwxyz-";

/* Whether the option of `length` letters at `at` also occurs earlier in the usage lines. */
static bool is_repeated(const char *text, const char *at, size_t length)
{
    for (const char *other = strstr(text, "--"); other && other < at; other = strstr(other + 2, "--"))
        if (strncmp(other, at, length) == 0 && !strchr(letters, other[length])) return true;
    return false;
}

bool srq_option_next(const srq_topic *topic, int *place, srq_option *option)
{
    const char *end = strstr(topic->text, "\n\n");
    for (const char *at = topic->text + *place; (at = strstr(at, "--")) && (!end || at < end);) {
        const size_t length = strspn(at, letters);
        const char *value = at + length, *next = value;
        *option = (srq_option){0};
        if (*value == ' ' && !strchr(" [|-\n", value[1])) next = value + 1 + strcspn(value + 1, " ]\n");
        snprintf(option->name, sizeof option->name, "%.*s", (int)length, at);
        if (next > value) snprintf(option->value, sizeof option->value, "%.*s", (int)(next - value - 1), value + 1);
        *place = (int)(next - topic->text);
        if (!is_repeated(topic->text, at, length)) return true;
        at = next;
    }
    return false;
}

static bool has_option(const srq_topic *topic, const char *name)
{
    srq_option option;
    for (int place = 0; srq_option_next(topic, &place, &option);)
        if (strcmp(option.name, name) == 0) return true;
    return false;
}

/* What other programs call an option, if the command has it. */
static const char *find_synonym(const srq_topic *topic, const char *word)
{
    static const srq_synonym synonyms[] = {
        {"output|outdir|output-dir|out-dir|dir|save-dir|save-path|folder|run-dir|logdir|log-dir|work-dir", "--out"},
        {"restart|continue|checkpoint|ckpt|from|load", "--resume"},
        {"override|option|param|cfg-options", "--set"},
        {"time|walltime|time-limit|timeout|max-hours|limit", "--max-time"},
        {"silent|no-progress", "--quiet"},
        {"profile|profiler|tracing", "--trace"},
        {"dataset|data-file|data-path", "--data"},
        {"skip-broken|skip-errors|ignore-errors|skip", "--skip-bad"},
        {"eps|epsilon|abs|atol|tol|absolute", "--tolerance"},
        {"rtol|rel", "--relative"},
        {"full|verbose", "--all"},
        {"row|rows|filter|select", "--only"},
        {"task|array-index|number|job", "--index"},
        {"print|show|commands", "--list"},
        {"simulate|preview", "--dry-run"},
        {"live|watch|tail", "--follow"},
        {"format|type|target", "--to"},
        {"verify|test|compare", "--check"},
        {"prefix|identifier", "--name"},
    };
    const char *found = srq_synonym_find(synonyms, sizeof synonyms / sizeof *synonyms, word);
    return found && has_option(topic, found) ? found : NULL;
}

/* The most similar option; for a single letter, the first one that begins with it. Returns its distance, or INT_MAX. */
static int find_near(const srq_topic *topic, const char *word, char best[32])
{
    srq_option option;
    int least = INT_MAX;
    for (int place = 0; srq_option_next(topic, &place, &option);) {
        const bool initial = word[0] && !word[1] && word[0] == option.name[2];
        const int distance = initial ? 0 : srq_distance(word, option.name);
        if ((!initial && !srq_is_near(word, option.name)) || distance >= least) continue;
        least = distance;
        snprintf(best, 32, "%s", option.name);
    }
    return least;
}

char *srq_option_hint(const char *command, const char *word, char *out, size_t size)
{
    char name[64], best[32], setting[64];
    const srq_topic *topic = srq_topic_find(command);
    const char *plain = word + strspn(word, "-");
    snprintf(name, sizeof name, "%.*s", (int)strcspn(plain, "="), plain);
    const char *found = topic ? find_synonym(topic, name) : NULL;
    const int distance = topic && !found ? find_near(topic, name, best) : INT_MAX;
    const bool sets = topic && has_option(topic, "--set") && srq_config_names(name, setting, sizeof setting);
    if (distance <= 1 || (distance < INT_MAX && !sets)) found = best;
    const char *value = strchr(word, '=');
    if (found && value)
        snprintf(out, size, "%.100s (did you mean %s %.100s?)", word, found, value + 1);
    else if (found && strcmp(found, word) != 0) /* the same: an option of another measurement of `srq bench` */
        snprintf(out, size, "%.100s (did you mean %s?)", word, found);
    else if (sets)
        snprintf(out, size, "%.100s (did you mean --set %s=VALUE?)", word, setting);
    else
        snprintf(out, size, "%.100s", word);
    return out;
}
