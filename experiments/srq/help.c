/* srq help */
#include "core/quant/methods.h"
#include "experiments/srq/commands.h"
#include "experiments/srq/manual.h"
#include "experiments/srq/topics.h"
#include "io/layer_settings.h"

#include <stdio.h>
#include <string.h>

static void print_overview(void)
{
    printf("srq trains low-bit neural networks data-parallel over MPI. The result has the same bits on any number of "
           "ranks.\n\n"
           "usage: srq COMMAND ...\n\n");
    const srq_topic *topic;
    for (int i = 0; (topic = srq_topic_at(i)); i++) printf("  %-9s %s\n", topic->name, topic->summary);
    printf("\n`srq help COMMAND` explains a command. `srq help configuration` lists all settings,\n"
           "`srq help train.batch` or `srq help quantizer` some of them, `srq help methods` the quantization methods, "
           "and\n"
           "`srq help layers` the layer types of model files.\n\nExit status:");
    for (int i = 0; srq_topic_status(i); i++) printf("%s %s", i == 4 ? ";\n" : i ? ";" : "", srq_topic_status(i));
    printf(".\n\n"
           "First run:\n"
           "  srq data import /usr/share/datasets/fashion-mnist data/fashion-mnist.h5\n"
           "  mpirun -n 2 srq train experiments/quickstart.cfg --out runs/first\n");
}

/* From the tables of the methods. */
static void print_methods(void)
{
    const srq_quantizer_method *method;
    printf("Quantization methods, the values of quantizer.method:\n\n");
    for (int i = 0; (method = srq_quantizer_list(i)); i++) {
        printf("  %-9s %s\n", method->name, method->summary);
        for (int k = 0; method->settings && method->settings[k]; k++)
            printf("%s%s", k ? ", " : "            own settings: ", method->settings[k]);
        if (method->settings) printf("\n");
        if (method->has_sigma) printf("            learns a noise scale, sigma\n");
        if (method->has_gates) printf("            supports DropBits (dropbits.mode)\n");
        if (method->point) printf("            its grid is not evenly spaced\n");
    }
    printf("  %-9s no quantization\n", "float32");
}

static void print_topic(const srq_topic *topic)
{
    const char *path;
    printf("srq %s: %s\n\n%s\n", topic->name, topic->summary, topic->text);
    for (int i = 0; (path = srq_config_path(i)); i++) {
        const size_t length = strlen(topic->name);
        if (strncmp(path, topic->name, length) != 0 || path[length] != '.') continue;
        printf("`srq help %s.` explains the settings %s and others.\n", topic->name, path);
        return;
    }
}

static srq_status unknown(const char *word)
{
    const char *closest = srq_topic_closest(word);
    if (!closest) closest = srq_setting_closest(word);
    return srq_fail(
        SRQ_ERROR_USAGE,
        "help: no command or setting is called \"%.100s\"; %s%s%s`srq help` and `srq help configuration` list "
        "them",
        word, closest ? "did you mean " : "", closest ? closest : "", closest ? "? " : "");
}

srq_status srq_command_help(int argc, char **argv)
{
    if (argc < 2) {
        print_overview();
        return SRQ_OK;
    }
    const bool markdown = argc > 2 && strcmp(argv[2], "--markdown") == 0;
    if (strcmp(argv[1], "configuration") == 0) {
        srq_config_reference(stdout, markdown);
        return SRQ_OK;
    }
    if (strcmp(argv[1], "layers") == 0) {
        srq_layer_reference(stdout, markdown);
        return SRQ_OK;
    }
    if (strcmp(argv[1], "man") == 0 || strcmp(argv[1], "completion") == 0) {
        argv[1][0] == 'm' ? srq_print_man(stdout) : srq_print_completion(stdout);
        return SRQ_OK;
    }
    if (strcmp(argv[1], "methods") == 0) {
        print_methods();
        return SRQ_OK;
    }
    const srq_topic *topic = srq_topic_find(argv[1]);
    if (topic) {
        print_topic(topic);
        return SRQ_OK;
    }
    return srq_config_reference_of(stdout, argv[1]) ? SRQ_OK : unknown(argv[1]);
}
