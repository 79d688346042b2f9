/* The schema of configurations: the list of settings, and how values are checked. Only for io/. */
#ifndef SRQ_IO_SCHEMA_H
#define SRQ_IO_SCHEMA_H

#include "io/closest.h"
#include "io/config.h"
#include "io/mistakes.h"

#include <float.h>
#include <libconfig.h>

/* A value from a file or from --set, and its place ("FILE:LINE" or "--set a.b=v"). */
typedef struct srq_value {
    enum { SRQ_VALUE_INTEGER, SRQ_VALUE_FLOAT, SRQ_VALUE_TEXT, SRQ_VALUE_BOOLEAN, SRQ_VALUE_OTHER } kind;
    long long integer; /* also of a boolean: 0 or 1 */
    double number;     /* also of an integer */
    const char *text;  /* for SRQ_VALUE_BOOLEAN and SRQ_VALUE_OTHER: a description, "a group"; for SRQ_VALUE_FLOAT: the
                          digits, if a double cannot hold them, or NULL */
    char where[512];
} srq_value;

/* Which bounds of a setting are excluded from its range. */
#define SRQ_BELOW_ONE (1 - DBL_EPSILON / 2)
#define SRQ_ABOVE_ZERO DBL_MIN

typedef enum srq_setting_type {
    SRQ_SET_INT,
    SRQ_SET_INT64,
    SRQ_SET_DOUBLE,
    SRQ_SET_BOOL,
    SRQ_SET_TEXT,
    SRQ_SET_PATH, /* a text: a path, unless it is the default */
    SRQ_SET_SPAN,
    SRQ_SET_EPOCHS, /* a span; a plain integer means epochs */
    SRQ_SET_BITS,   /* a bit-length or a schedule */
    SRQ_SET_PART    /* a share below 1, or an integer: a number of images */
} srq_setting_type;

/* The choices of quantizer.method: the methods of core/quant/methods.h, and float32. */
#define SRQ_CHOICES_METHODS "@methods"

typedef struct srq_setting {
    const char *path; /* "train.batch" */
    srq_setting_type type;
    size_t offset, size; /* offset in srq_settings; for texts, size of the array */
    const char *initial; /* default value as text; NULL if the setting is required */
    double min, max;     /* range of numbers */
    const char *choices; /* for texts: "adam|sgd"; SRQ_CHOICES_METHODS; or NULL: any text */
    bool decides;        /* whether results depend on it */
    const char
        *doc; /* "@" at the start stands for the methods with which the setting has an effect (io/method_settings.h) */
} srq_setting;

extern const srq_setting srq_schema[];
extern const int srq_schema_count;
/* The setting with the name `path`, or NULL. */
const srq_setting *srq_setting_find(const char *path);

/* io/schema_names.c: */
/* The setting that other programs call so ("lr"), or NULL. The group in `path` is ignored. */
const char *srq_setting_synonym(const char *path);
/* The same as the end of a message: "did you mean train.batch?", or where all settings are listed. Returns `out`. */
char *srq_setting_suggest(const char *path, char *out, size_t size);
/* Whether other programs call the choice of a setting so: "fp32" for "float32". */
bool srq_value_means(const char *word, const char *choice);
/* "true" or "false", if the value is another word for it, or NULL. */
const char *srq_value_closest_flag(const srq_value *value);

/* io/setting.c: */
/* Choice number `index` of a setting, possibly stored in `room`. NULL after the last one, or if any text is allowed. */
const char *srq_setting_choice(const srq_setting *setting, int index, char *room, size_t size);
/* A bound of its range for messages: "below 1". */
void srq_setting_bound(double bound, char *out, size_t size);
/* Checks `value` and stores it in `settings`, an srq_settings or srq_layer_override. */
srq_status srq_setting_assign(const srq_setting *setting, const srq_value *value, void *settings);
/* Prints the setting's value in libconfig syntax to `out`. */
void srq_setting_print(const srq_setting *setting, const void *settings, FILE *out);

/* io/overrides.c: the list quantizer.layers. */
srq_status srq_overrides_read(const config_setting_t *list, const char *name, srq_mistakes *mistakes,
                              srq_settings *settings);
/* Sets bit-lengths after the list was read; see srq_config_derive. */
srq_status srq_overrides_set_bits(srq_settings *settings, int count, const srq_layer_bits *bits);
/* Applies `--set quantizer.layers.LAYER.KEY=VALUE`. `path` is all before "=", and value->where the place. */
srq_status srq_overrides_assign(srq_settings *settings, const char *path, const srq_value *value);
/* Whether `path` belongs to the call above. */
bool srq_overrides_has(const char *path);
void srq_overrides_free(srq_settings *settings);
/* Prints "layers = ( ... );" and a newline, or nothing. */
void srq_overrides_print(const srq_settings *settings, FILE *out);
/* The settings of an entry, for the reference. */
extern const srq_setting srq_override_schema[];
extern const int srq_override_count;

/* io/values.c: */
/* The path of a source file of `tree`, which was read from `name`. `file` is libconfig's name: for an included file,
 * the one in @include; for the main file, NULL or `name`. */
void srq_source(const config_t *tree, const char *file, const char *name, char *path, size_t size);
/* "FILE:LINE" of a setting. The beginning of a long path is cut. */
void srq_where(const config_setting_t *setting, const char *name, char *where, size_t size);
/* The value of a libconfig setting. */
srq_value srq_value_of(const config_setting_t *setting, const char *name);
/* The value of the text of --set: a libconfig scalar, or otherwise the text itself, stored in `room`. */
srq_value srq_value_of_text(const char *text, char *room, size_t size);

/* Whether the value is a whole number, also as 128.0; it is stored in *whole. */
bool srq_value_whole(const srq_value *value, long long *whole);

/* A value for messages: "3", "the text \"x\"", "a group". Returns `out`. */
const char *srq_describe(const srq_value *value, char *out, size_t size);

/* Prints a text in libconfig syntax, with quotes and escapes. */
void srq_print_text(const char *text, FILE *out);
/* Prints the shortest digits that read back as the same number, always with a point or an exponent. */
void srq_print_number(double number, FILE *out);
/* The same for a float. */
void srq_print_float(float number, FILE *out);

/* io/model_read.c: reads a model group. `name` is its file, for messages. `classes` is the value of that name in
 * expressions; 0 means the model's own number. Every mistake is noted, in the order of the file, but not again where it
 * follows from another one. */
srq_status srq_model_read(const config_setting_t *group, const char *name, int classes, srq_mistakes *mistakes,
                          srq_model_spec *model);
/* io/model.c: */
void srq_model_free(srq_model_spec *model);
/* Sets the quantizers of conv, dense and quantize layers from the settings, and checks them. `where` is the place of
 * dropbits.mode, for messages. */
srq_status srq_model_set_quantizers(srq_settings *settings, const char *where);
void srq_model_print(const srq_model_spec *model, FILE *out);
/* Whether a setting has no effect because of others. `ticket`: in a run of `srq ticket`, which reads prune.*. `why`
 * gets the reason, and is unchanged if it has an effect. */
bool srq_setting_is_idle(const srq_settings *settings, bool ticket, const char *path, char *why, size_t size);
/* Like srq_config_differs, for models. */
bool srq_model_differs(const srq_model_spec *here, const srq_model_spec *there, char *what, size_t what_size);

#endif
