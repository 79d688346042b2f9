/* The schema of configurations, for io/config.c and io/model.c: what settings there are, and how values are checked. */
#ifndef SRQ_IO_SCHEMA_H
#define SRQ_IO_SCHEMA_H

#include "io/closest.h"
#include "io/config.h"

#include <float.h>
#include <libconfig.h>

/* A value from a file or from --set, and where it stands ("FILE:LINE" or "--set a.b=v"). */
typedef struct srq_value {
    enum { SRQ_VALUE_INTEGER, SRQ_VALUE_FLOAT, SRQ_VALUE_TEXT, SRQ_VALUE_BOOLEAN, SRQ_VALUE_OTHER } kind;
    long long integer; /* of a boolean: 0 or 1 */
    double number;     /* of an integer, too */
    const char *text;  /* of SRQ_VALUE_BOOLEAN and SRQ_VALUE_OTHER: what it is, "a group" */
    char where[512];
} srq_value;

/* Bounds of a setting that are not in the range themselves. */
#define SRQ_BELOW_ONE (1 - DBL_EPSILON / 2)
#define SRQ_ABOVE_ZERO DBL_MIN

typedef enum srq_setting_type {
    SRQ_SET_INT,
    SRQ_SET_INT64,
    SRQ_SET_DOUBLE,
    SRQ_SET_BOOL,
    SRQ_SET_TEXT,
    SRQ_SET_PATH, /* a text; a file's path unless it is the default word */
    SRQ_SET_SPAN,
    SRQ_SET_EPOCHS, /* a span whose plain integers are epochs */
    SRQ_SET_BITS    /* a bit-length, or a schedule of them */
} srq_setting_type;

/* What quantizer.method may be: a method of core/quant/methods.h, or float32. */
#define SRQ_CHOICES_METHODS "@methods"

typedef struct srq_setting {
    const char *path; /* "train.batch" */
    srq_setting_type type;
    size_t offset, size; /* in srq_settings; of a text's room */
    const char *initial; /* default as it would be written, NULL if the setting must be given */
    double min, max;     /* of numbers */
    const char *choices; /* of texts: "adam|sgd"; SRQ_CHOICES_METHODS; or NULL: any */
    bool decides;        /* whether results depend on it */
    const char *doc;     /* "@" at the start stands for the methods under which it acts (io/method_settings.h) */
} srq_setting;

extern const srq_setting srq_schema[];
extern const int srq_schema_count;
/* The setting called `path`, or NULL. */
const srq_setting *srq_setting_find(const char *path);
/* The setting or group whose name is closest to `path`. */
const char *srq_setting_closest(const char *path);

/* io/setting.c: */
/* The index-th text that the setting may be, perhaps in `room`; NULL after the last, and where it may be any. */
const char *srq_setting_choice(const srq_setting *setting, int index, char *room, size_t size);
/* A bound of its range as messages name it: "below 1". */
void srq_setting_bound(double bound, char *out, size_t size);
/* Checks `value` against the setting and stores it in the srq_settings (or srq_layer_override) that it belongs to. */
srq_status srq_setting_assign(const srq_setting *setting, const srq_value *value, void *settings);
/* The setting's value as libconfig text, into `out`. */
void srq_setting_print(const srq_setting *setting, const void *settings, FILE *out);

/* io/overrides.c: the list quantizer.layers. */
srq_status srq_overrides_read(const config_setting_t *list, const char *name, srq_settings *settings);
/* After them: these bit-lengths, see srq_config_derive. */
srq_status srq_overrides_set_bits(srq_settings *settings, int count, const srq_layer_bits *bits);
void srq_overrides_free(srq_settings *settings);
/* "layers = ( ... );" with its line's end, or nothing. */
void srq_overrides_print(const srq_settings *settings, FILE *out);
/* The settings that an entry may have, for the reference. */
extern const srq_setting srq_override_schema[];
extern const int srq_override_count;

/* io/values.c: */
/* The path of a source file of `tree`, which was read from `name`. libconfig calls an included file as the @include
 * does (`file`), and the main one NULL or `name`. */
void srq_source(const config_t *tree, const char *file, const char *name, char *path, size_t size);
/* "FILE:LINE" of a setting. A long path loses its beginning. */
void srq_where(const config_setting_t *setting, const char *name, char *where, size_t size);
/* What a libconfig setting holds. */
srq_value srq_value_of(const config_setting_t *setting, const char *name);
/* What the text of --set holds: the libconfig scalar if it is one, else the text itself. `room` takes the text. */
srq_value srq_value_of_text(const char *text, char *room, size_t size);

/* "3", "the text \"x\"", "a group": a value as messages name it. Returns `out`. */
const char *srq_describe(const srq_value *value, char *out, size_t size);

/* Text in libconfig syntax, with quotes and escapes. */
void srq_print_text(const char *text, FILE *out);
/* The shortest digits that read back as the same number, always with a point or an exponent. */
void srq_print_number(double number, FILE *out);
/* The same for a float: the digits that read back as this float. */
void srq_print_float(float number, FILE *out);

/* io/model_read.c: reads a model group; `name` is its file for messages, `classes` what expressions know under this
 * name, or 0 for the model's own number. */
srq_status srq_model_read(const config_setting_t *group, const char *name, int classes, srq_model_spec *model);
/* io/model.c: the rest. */
void srq_model_free(srq_model_spec *model);
/* Fills the quantizers of conv, dense and quantize layers from the settings and checks that they go together; `where`
 * is where dropbits.mode stands, for messages. */
srq_status srq_model_set_quantizers(srq_settings *settings, const char *where);
void srq_model_print(const srq_model_spec *model, FILE *out);
/* As srq_config_differs, for models. */
bool srq_model_differs(const srq_model_spec *here, const srq_model_spec *there, char *what, size_t what_size);

#endif
