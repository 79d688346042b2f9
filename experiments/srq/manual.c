#include "experiments/srq/manual.h"

#include "experiments/srq/options.h"
#include "experiments/srq/topics.h"
#include "io/config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* --- srq(1) */

/* Prints `length` characters of plain text. A point or quote at the start of a line would be a request. */
static void print_roff(const char *text, size_t length, FILE *out)
{
    for (size_t i = 0; i < length; i++) {
        const bool starts = i == 0 || text[i - 1] == '\n';
        if (starts && (text[i] == '.' || text[i] == '\'')) fputs("\\&", out);
        if (text[i] == '\\')
            fputs("\\e", out);
        else if (text[i] == '-')
            fputs("\\-", out);
        else if (text[i] == '`')
            fputs("\\(ga", out);
        else if (text[i] == '\'')
            fputs("\\(aq", out);
        else if (text[i] == '^')
            fputs("\\(ha", out);
        else
            fputc(text[i], out);
    }
}

static void print_verbatim(const char *text, FILE *out)
{
    fputs(".nf\n", out);
    print_roff(text, strlen(text), out);
    fputs("\n.fi\n", out);
}

static void print_settings(FILE *out)
{
    char *text = NULL;
    size_t size;
    FILE *memory = open_memstream(&text, &size);
    if (!memory) return;
    srq_config_reference(memory, false);
    if (fclose(memory) == 0) print_verbatim(text, out);
    free(text);
}

void srq_print_man(FILE *out)
{
    const srq_topic *topic;
    fputs(".\\\" Made by `srq help man`.\n"
          ".TH SRQ 1 \"\" \"srq\" \"User commands\"\n"
          ".SH NAME\nsrq \\- train low\\-bit neural networks on one or many computers\n"
          ".SH SYNOPSIS\n.B srq\n.I COMMAND\n.RI [ ARGUMENTS ]\n.br\n"
          ".B mpirun \\-n\n.I P\n.B srq\n.I COMMAND\n.RI [ ARGUMENTS ]\n"
          ".SH DESCRIPTION\nsrq trains low\\-bit neural networks data\\-parallel over MPI. The result has the same "
          "bits on\n"
          "any number of ranks. Each command is explained below, as by\n.BR \"srq help\" \" \\fICOMMAND\\fR.\n"
          ".SH COMMANDS\n",
          out);
    for (int i = 0; (topic = srq_topic_at(i)); i++) {
        fprintf(out, ".SS \"srq %s: ", topic->name);
        print_roff(topic->summary, strlen(topic->summary), out);
        fputs("\"\n", out);
        print_verbatim(topic->text, out);
    }
    fputs(".SH SETTINGS\nThe settings of configurations, which\n.B \\-\\-set\nalso sets on the command line:\n.PP\n",
          out);
    print_settings(out);
    fputs(".SH \"EXIT STATUS\"\n", out);
    for (int i = 0; srq_topic_status(i); i++) {
        const char *line = srq_topic_status(i);
        const size_t digits = strspn(line, "0123456789");
        fprintf(out, ".TP\n.B %.*s\n", (int)digits, line);
        print_roff(line + digits + 1, strlen(line + digits + 1), out);
        fputc('\n', out);
    }
}

/* --- Completion */

static bool takes_files(const char *value)
{
    return strstr(value, "FILE") || strstr(value, "DIR") || strstr(value, "FOLDER") || strstr(value, "TABLE");
}

/* The words of "never|auto|FILE" that are to be typed as they are. */
static void print_words(const char *value, FILE *out)
{
    for (const char *at = value; *at; at += strspn(at, "|")) {
        const size_t length = strcspn(at, "|");
        if (islower((unsigned char)*at) && !strchr(value, '=')) fprintf(out, "%.*s ", (int)length, at);
        at += length;
    }
}

/* The words that follow "srq NAME " in the usage lines: "import info". */
static void print_subcommands(const srq_topic *topic, FILE *out)
{
    char start[40];
    const char *end = strstr(topic->text, "\n\n");
    snprintf(start, sizeof start, "srq %s ", topic->name);
    for (const char *at = topic->text; (at = strstr(at, start)) && (!end || at < end);) {
        at += strlen(start);
        const size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyz|");
        for (size_t i = 0; i < length; i++) fputc(at[i] == '|' ? ' ' : at[i], out);
        if (length) fputc(' ', out);
    }
}

static void print_options(const srq_topic *topic, FILE *out)
{
    srq_option option;
    fprintf(out, "    %s)\n      options='", topic->name);
    for (int place = 0; srq_option_next(topic, &place, &option);) fprintf(out, "%s ", option.name);
    fputs("'\n      actions='", out);
    print_subcommands(topic, out);
    fputs("'\n      case $before in\n", out);
    for (int place = 0; srq_option_next(topic, &place, &option);) {
        if (!option.value[0] || strcmp(option.name, "--set") == 0) continue;
        fprintf(out, "        %s) words='", option.name);
        print_words(option.value, out);
        fprintf(out, "' files=%s value=yes ;;\n", takes_files(option.value) ? "yes" : "''");
    }
    fputs("      esac\n      ;;\n", out);
}

static void print_choices(FILE *out)
{
    char choices[400];
    for (int i = 0; srq_config_path(i); i++)
        if (srq_config_choices(i, choices, sizeof choices)[0])
            fprintf(out, "    %s) words='%s' ;;\n", srq_config_path(i), choices);
}

static void print_names(FILE *out)
{
    const srq_topic *topic;
    fputs("  local commands='", out);
    for (int i = 0; (topic = srq_topic_at(i)); i++) fprintf(out, "%s ", topic->name);
    fputs("'\n  local settings='model ", out);
    for (int i = 0; srq_config_path(i); i++) fprintf(out, "%s ", srq_config_path(i));
    fputs("'\n", out);
}

void srq_print_completion(FILE *out)
{
    const srq_topic *topic;
    fputs("# Completion of srq for bash. Made by `srq help completion`.\n"
          "_srq_values() { # SETTING: sets words, or fails\n"
          "  case $1 in\n",
          out);
    print_choices(out);
    fputs("    *) return 1 ;;\n  esac\n}\n\n_srq() {\n", out);
    print_names(out);
    /* Bash splits words at "=", so --set path=value is four words. */
    fputs("  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}\n"
          "  local options='' actions='' words='' files=yes value=''\n"
          "  COMPREPLY=()\n"
          "  if [ \"$COMP_CWORD\" = 1 ]; then\n"
          "    mapfile -t COMPREPLY < <(compgen -W \"$commands --help --version\" -- \"$word\")\n"
          "    return\n"
          "  fi\n"
          "  case $command in\n",
          out);
    for (int i = 0; (topic = srq_topic_at(i)); i++) print_options(topic, out);
    fputs(
        "  esac\n"
        "  if [ \"$command\" = help ]; then\n"
        "    words=\"$commands $settings $actions configuration methods layers\" files=''\n"
        "  elif [ \"$before\" = --set ]; then\n"
        "    type compopt > /dev/null 2>&1 && compopt -o nospace 2> /dev/null\n"
        "    mapfile -t COMPREPLY < <(compgen -W \"$settings\" -S = -- \"$word\")\n"
        "    return\n"
        "  elif [ \"$word\" = = ] && [ \"${COMP_WORDS[COMP_CWORD-2]}\" = --set ]; then\n"
        "    _srq_values \"$before\" && files=''\n"
        "    word=''\n"
        "  elif [ \"$before\" = = ] && [ \"${COMP_WORDS[COMP_CWORD-3]}\" = --set ]; then\n"
        "    _srq_values \"${COMP_WORDS[COMP_CWORD-2]}\" && files=''\n"
        "  elif [ \"$COMP_CWORD\" = 2 ] && [ -n \"$actions\" ]; then\n"
        "    words=$actions files=''\n"
        "  elif [ -z \"$value\" ]; then\n"
        "    words=$options\n"
        "    [[ $word = -* ]] && files=''\n"
        "    [ -z \"$word\" ] && words=''\n"
        "  fi\n"
        "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\"; [ -z \"$files\" ] || compgen -f -- \"$word\")\n"
        "}\n"
        "complete -o filenames -F _srq srq\n",
        out);
}
