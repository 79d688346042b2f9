/* The schema of configurations, for io/config.c and io/model.c: what settings there are, and how values are checked. */
#ifndef SRQ_IO_SCHEMA_H
#define SRQ_IO_SCHEMA_H

#include "io/config.h"

#include <libconfig.h>

/* A value from a file or from --set, and where it stands ("FILE:LINE" or "--set a.b=v"). */
typedef struct srq_value {
    enum { SRQ_VALUE_INTEGER, SRQ_VALUE_FLOAT, SRQ_VALUE_TEXT, SRQ_VALUE_OTHER } kind;
    long long integer;
    double number; /* of an integer, too */
    const char *text;
    char where[512];
} srq_value;

typedef enum srq_setting_type {
    SRQ_SET_INT,
    SRQ_SET_LONG,
    SRQ_SET_INT64,
    SRQ_SET_DOUBLE,
    SRQ_SET_TEXT,
    SRQ_SET_SPAN
} srq_setting_type;

typedef struct srq_setting {
    const char *path; /* "train.batch" */
    srq_setting_type type;
    size_t offset, size; /* in srq_settings; of a text's room */
    const char *initial; /* default as it would be written, NULL if the setting must be given */
    double min, max;     /* of numbers */
    const char *choices; /* of texts: "adam|sgd", or NULL */
    bool decides;        /* whether results depend on it */
    const char *doc;
} srq_setting;

extern const srq_setting srq_schema[];
extern const int srq_schema_count;

/* Checks `value` against the setting and stores it. */
srq_status srq_setting_assign(const srq_setting *setting, const srq_value *value, srq_settings *settings);
/* The setting's value as libconfig text, into `out`. */
void srq_setting_print(const srq_setting *setting, const srq_settings *settings, FILE *out);

/* "FILE:LINE" of a setting; `name` where libconfig knows no file. */
void srq_where(const config_setting_t *setting, const char *name, char *where, size_t size);
/* What a libconfig setting holds. */
srq_value srq_value_of(const config_setting_t *setting, const char *name);
/* What the text of --set holds: an integer or a number if it is one, else the text, without quotes around it. `room`
 * takes the text. */
srq_value srq_value_of_text(const char *text, char *room, size_t size);

/* The word in `words[count]` nearest to `word` by edit distance. */
const char *srq_closest(const char *word, const char *const *words, int count);
/* Text in libconfig syntax, with quotes and escapes. */
void srq_print_text(const char *text, FILE *out);
/* The shortest digits that read back as the same number, always with a point or an exponent. */
void srq_print_number(double number, FILE *out);

/* io/model.c: reads a model group; `name` is its file for messages. */
srq_status srq_model_read(const config_setting_t *group, const char *name, srq_model_spec *model);
void srq_model_free(srq_model_spec *model);
/* Fills every layer's quantizer from the settings. */
void srq_model_set_quantizers(srq_settings *settings);
void srq_model_print(const srq_model_spec *model, FILE *out);
void srq_model_print_layer(const srq_layer_spec *layer, FILE *out);

#endif
