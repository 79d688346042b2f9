/* srq export: writes the deployed network of a checkpoint in the format of another program. */
#include "io/export.h"
#include "experiments/srq/commands.h"
#include "experiments/srq/deploy/compare.h"
#include "experiments/srq/options.h"
#include "experiments/srq/train/test_images.h"
#include "io/deployed.h"
#include "io/escape.h"
#include "io/progress.h"
#include "io/run_place.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SAMPLES = 4 };

typedef struct export_options {
    const char *source, *to, *out;
    const char *data, *check, *style, *name;
    char checkpoint[4200];
} export_options;

/* --- The command line */

static srq_status usage(const char *what, const char *word)
{
    return srq_fail(SRQ_ERROR_USAGE,
                    "export: %s%s; usage: srq export CHECKPOINT --to FORMAT OUT [--data FILE] [--check FILE] [--style "
                    "NAME] [--name NAME]",
                    what, word);
}

static srq_status parse_word(int *at, int argc, char **argv, export_options *o)
{
    char hint[SRQ_HINT_SIZE];
    const struct {
        const char *name;
        const char **value;
    } options[] = {
        {"--to", &o->to}, {"--data", &o->data}, {"--check", &o->check}, {"--style", &o->style}, {"--name", &o->name}};
    const char *word = argv[*at];
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (strcmp(word, options[i].name) != 0) continue;
        if (*at + 1 == argc) return usage("a value is missing after ", word);
        *options[i].value = argv[++*at];
        return SRQ_OK;
    }
    if (word[0] == '-') return usage("no option is called ", srq_option_hint("export", word, hint, sizeof hint));
    if (o->out) return usage("one checkpoint and one file are expected, but a third name is given: ", word);
    *(o->source ? &o->out : &o->source) = word;
    return SRQ_OK;
}

static srq_status parse(int argc, char **argv, export_options *o)
{
    for (int i = 1; i < argc; i++) SRQ_TRY(parse_word(&i, argc, argv, o));
    if (!o->source) return usage("no checkpoint is named", "");
    if (!o->to) return usage("--to FORMAT is missing", "");
    if (!o->out) return usage("the file to write is not named", "");
    if (!*o->out) return usage("the name of the file to write is empty", "");
    return srq_run_place(o->source, o->checkpoint, sizeof o->checkpoint);
}

/* --- The export */

/* The first test images, for formats that hold examples. */
static srq_status take_samples(const char *file, srq_export_request *request, uint8_t **samples)
{
    srq_test_images images;
    const srq_deploy_tensor input = srq_deploy_tensor_at(request->net, SRQ_DEPLOY_IMAGES);
    const size_t size = srq_deploy_size(&input);
    srq_status status = srq_test_images_open(file, request->net, &images);
    *samples = malloc(SAMPLES * size);
    if (status == SRQ_OK && !*samples) status = srq_fail_memory(SAMPLES * size, "some images");
    request->sample_count = images.count < SAMPLES ? (int)images.count : SAMPLES;
    for (long i = 0; status == SRQ_OK && i < request->sample_count; i++)
        status = srq_test_images_read(&images, i, *samples + (size_t)i * size);
    request->samples = *samples;
    srq_test_images_close(&images);
    return status;
}

static void say_file(const char *path)
{
    char size[32];
    struct stat info;
    if (stat(path, &info) == 0) srq_say("%s: %s\n", path, srq_size((double)info.st_size, size, sizeof size));
}

static srq_status write(const export_options *o, const srq_export_format *format, const char *file,
                        const srq_deploy *net)
{
    char second[4400];
    uint8_t *samples = NULL;
    srq_export_request request = {.net = net, .source = o->checkpoint, .name = o->name, .style = o->style};
    srq_status status = format->samples ? take_samples(file, &request, &samples) : SRQ_OK;
    if (status == SRQ_OK) status = srq_export_write(format, &request, o->out);
    free(samples);
    SRQ_TRY(status);
    say_file(o->out);
    if (!format->second) return SRQ_OK;
    format->second(o->out, second, sizeof second);
    say_file(second);
    return SRQ_OK;
}

srq_status srq_command_export(int argc, char **argv)
{
    export_options o = {0};
    const srq_export_format *format;
    srq_config *config = NULL;
    srq_deploy *net = NULL;
    SRQ_TRY(parse(argc, argv, &o));
    SRQ_TRY(srq_export_find(o.to, &format));
    SRQ_TRY(srq_export_check(format, o.style, o.out));
    srq_status status = srq_deployed_make(o.checkpoint, o.data, stderr, &config, &net);
    const char *file = o.data || status != SRQ_OK ? o.data : srq_config_settings(config)->data.file;
    if (status == SRQ_OK) status = write(&o, format, file, net);
    if (status == SRQ_OK && o.check) {
        const srq_export_result result = {.checkpoint = o.checkpoint,
                                          .config = config,
                                          .net = net,
                                          .format = format->name,
                                          .path = o.out,
                                          .name = o.name};
        status = srq_export_compare(&result, o.check);
    }
    srq_deploy_destroy(&net);
    srq_config_destroy(&config);
    return status;
}
