#include "io/schema.h"

#include <errno.h>
#include <float.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Bounds that are not in the range themselves. */
#define BELOW_ONE (1 - DBL_EPSILON / 2)
#define ABOVE_ZERO DBL_MIN

#define AT(member) offsetof(srq_settings, member), sizeof(((srq_settings *)0)->member)

const srq_setting srq_schema[] = {
    {"data.file", SRQ_SET_PATH, AT(data.file), NULL, 0, 0, NULL, false,
     "Data set made by `srq data import`; a relative path starts at the configuration's folder (with --set at the "
     "current one)."},
    {"data.classes", SRQ_SET_INT, AT(data.classes), "0", 0, 1048576, NULL, false,
     "Number of classes, for model files whose last layer has out = \"classes\"; 0 takes the number in the model "
     "file."},
    {"data.crop", SRQ_SET_TEXT, AT(data.crop), "\"plain\"", 0, 0, "plain|resized", true,
     "What training sees of an image: as much as the network takes, from the middle (or, with data.pad, from "
     "anywhere); or a random part, resized to that (random resized crop)."},
    {"data.pad", SRQ_SET_INT, AT(data.pad), "0", 0, 1024, NULL, true,
     "plain only: black pixels put around a training image, of which a random part is then taken."},
    {"data.flip", SRQ_SET_BOOL, AT(data.flip), "false", 0, 0, NULL, true,
     "Mirrors every other training image, left to right, at random."},
    {"data.scale_min", SRQ_SET_DOUBLE, AT(data.scale_min), "0.08", 1e-3, 1, NULL, true,
     "resized only: least share of an image's area that is taken."},
    {"data.scale_max", SRQ_SET_DOUBLE, AT(data.scale_max), "1.0", 1e-3, 1, NULL, true, "resized only: most."},
    {"data.ratio_min", SRQ_SET_DOUBLE, AT(data.ratio_min), "0.75", 0.01, 100, NULL, true,
     "resized only: least width / height of the part that is taken."},
    {"data.ratio_max", SRQ_SET_DOUBLE, AT(data.ratio_max), "1.3333333333333333", 0.01, 100, NULL, true,
     "resized only: most."},
    {"data.resize", SRQ_SET_INT, AT(data.resize), "0", 0, 8192, NULL, true,
     "Encoded images: the short side is brought to this before the middle is taken, for testing and for plain "
     "training; 0 is 8/7 of the network's input (256 for 224)."},
    {"data.normalize", SRQ_SET_TEXT, AT(data.normalize), "\"dataset\"", 0, 0, "dataset|none", true,
     "Pixels have the data set's mean taken off and are divided by its standard deviation, channel by channel; or are "
     "divided by 255 alone."},
    {"train.batch", SRQ_SET_INT, AT(train.batch), "128", 1, 1048576, NULL, true, "Images of a step, over all ranks."},
    {"train.shards", SRQ_SET_INT, AT(train.shards), "8", 1, 4096, NULL, true,
     "Logical shards that every batch is cut into; the most ranks that can share the work. Results depend on it, but "
     "not on the number of ranks."},
    {"train.epochs", SRQ_SET_EPOCHS, AT(train.epochs), "10", 0, 1e12, NULL, true,
     "Length of training: passes over the training images (160 or \"160ep\"), or steps (\"500it\")."},
    {"train.max_steps", SRQ_SET_SPAN, AT(train.max_steps), "\"0it\"", 0, 1e12, NULL, true,
     "End after so many steps (500 or \"500it\") or epochs (\"3ep\"), if that comes first; 0 is no limit."},
    {"train.seed", SRQ_SET_INT64, AT(train.seed), "1", 0, 0x1p63, NULL, true,
     "Decides initial weights and the order of samples."},
    {"train.init", SRQ_SET_PATH, AT(train.init), "\"random\"", 0, 0, NULL, true,
     "What weights start from: \"random\", a checkpoint, or any HDF5 file of tensors that are named like the layers' "
     "(docs/fine-tuning.md); step sizes start anew, from these weights and the first batch."},
    {"train.init_match", SRQ_SET_TEXT, AT(train.init_match), "\"all\"", 0, 0, "all|partial", true,
     "train.init: every tensor of the network and of the file must fit, or those that fit are taken and the others "
     "listed."},
    {"train.init_gain", SRQ_SET_DOUBLE, AT(train.init_gain), "1.4142135623730951", 1e-6, 1e6, NULL, true,
     "Random weights of convolutions and dense layers are normal, with this over the root of their fan-in as standard "
     "deviation; biases start at 0. The default is that of He et al. for ReLU; PyTorch's layers start with "
     "0.5773502691896258 (1 over the root of 3)."},
    {"train.init_draw", SRQ_SET_INT, AT(train.init_draw), "0", 0, 1000000, NULL, true,
     "Which of the random initial weights that belong to a seed: another number gives other weights, which see the "
     "same "
     "samples in the same order."},
    {"train.masks", SRQ_SET_PATH, AT(train.masks), "\"none\"", 0, 0, NULL, true,
     "Weights that are 0 and stay so: a file of masks that `srq ticket` made, or a checkpoint that has them "
     "(docs/tickets.md)."},
    {"train.engine", SRQ_SET_TEXT, AT(train.engine), "\"auto\"", 0, 0, "auto|mixed|float32|reference", true,
     "Arithmetic of convolutions and dense layers. `mixed`: where both operands are quantized, integers forward "
     "(exact) "
     "and bfloat16 gradients backward; else float32. `float32`: throughout. Both by oneDNN; `reference` is plain C and "
     "OpenBLAS. `auto` is the fastest that the CPU and the build have; the log says which."},
    {"train.wire", SRQ_SET_TEXT, AT(train.wire), "\"float32\"", 0, 0, "float32|bfloat16", true,
     "What gradients of weights are rounded to wherever shards are summed, and cross the network as; everything else "
     "is "
     "float32. Results depend on it, but with either not on the number of ranks."},
    {"train.bucket_mb", SRQ_SET_DOUBLE, AT(train.bucket_mb), "4.0", 0, 1e6, NULL, false,
     "Gradients of neighbouring layers are exchanged together, in buckets of at least so many megabytes, from the last "
     "layer to the first; 0 makes a bucket of every layer."},
    {"train.overlap", SRQ_SET_BOOL, AT(train.overlap), "true", 0, 0, NULL, false,
     "Buckets are sent while earlier layers still go backward; `false` sends them all after that, to compare."},
    {"train.stall_warn", SRQ_SET_DOUBLE, AT(train.stall_warn), "10.0", 0, 1e6, NULL, false,
     "Seconds that a rank waits for others in training before the ranks that have not arrived are named; 0 never."},
    {"train.stall_end", SRQ_SET_DOUBLE, AT(train.stall_end), "50.0", 0, 1e6, NULL, false,
     "Seconds of such a wait after which the job is ended, with exit status 4 and the last checkpoint kept; 0 never. "
     "Raise it where a file system may hang for longer."},
    {"train.isa", SRQ_SET_TEXT, AT(train.isa), "\"auto\"", 0, 0,
     "auto|x86-64|sse41|avx|avx2|avx2_vnni|avx512|avx512_vnni|avx512_bf16|avx512_amx", false,
     "CPU instruction set that all ranks compute with; last digits depend on it. `auto` is what their CPUs have in "
     "common "
     "(docs/reproducibility.md)."},
    {"train.checkpoint_every", SRQ_SET_SPAN, AT(train.checkpoint_every), "\"1ep\"", 0, 1e12, NULL, false,
     "Write a checkpoint so often (\"500it\" steps or \"1ep\" epochs); 0 only at the end."},
    {"train.keep", SRQ_SET_INT, AT(train.keep), "3", 1, 1000000, NULL, false,
     "Newest checkpoints that are kept; two whole ones stay in any case."},
    {"train.eval_every", SRQ_SET_SPAN, AT(train.eval_every), "\"1ep\"", 0, 1e12, NULL, false,
     "Evaluate on the test images so often; 0 only at the end."},
    {"train.log_every", SRQ_SET_SPAN, AT(train.log_every), "\"50it\"", 0, 1e12, NULL, false,
     "Write a step line to log.jsonl so often; 0 only at the end."},
    {"train.nonfinite", SRQ_SET_TEXT, AT(train.nonfinite), "\"stop\"", 0, 0, "stop|skip", true,
     "A step whose loss or gradient holds an infinity or NaN ends training, or is left out on all ranks alike: "
     "weights, "
     "batch-norm statistics and the optimizer stay as they were. 100 of them in a row end training "
     "(docs/watching.md)."},
    {"optimizer.method", SRQ_SET_TEXT, AT(optimizer.method), "\"adam\"", 0, 0, "adam|sgd", true,
     "Adam, or SGD with momentum."},
    {"optimizer.learning_rate", SRQ_SET_DOUBLE, AT(optimizer.learning_rate), "1e-3", 0, 1e6, NULL, true,
     "Of weights, biases and batch-norm."},
    {"optimizer.alpha_learning_rate", SRQ_SET_DOUBLE, AT(optimizer.alpha_learning_rate), "1e-3", 0, 1e6, NULL, true,
     "Of the step sizes alpha, in log alpha."},
    {"optimizer.sigma_learning_rate", SRQ_SET_DOUBLE, AT(optimizer.sigma_learning_rate), "1e-3", 0, 1e6, NULL, true,
     "Of the noise scales sigma, in log sigma, if they are learned."},
    {"optimizer.gate_learning_rate", SRQ_SET_DOUBLE, AT(optimizer.gate_learning_rate), "2e-3", 0, 1e6, NULL, true,
     "Of the logits of DropBits' gates."},
    {"optimizer.momentum", SRQ_SET_DOUBLE, AT(optimizer.momentum), "0.9", 0, BELOW_ONE, NULL, true, "SGD only."},
    {"optimizer.beta1", SRQ_SET_DOUBLE, AT(optimizer.beta1), "0.9", 0, BELOW_ONE, NULL, true,
     "Adam only: decay of the mean of gradients."},
    {"optimizer.beta2", SRQ_SET_DOUBLE, AT(optimizer.beta2), "0.999", 0, BELOW_ONE, NULL, true,
     "Adam only: decay of the mean of their squares."},
    {"optimizer.epsilon", SRQ_SET_DOUBLE, AT(optimizer.epsilon), "1e-8", 1e-30, 1, NULL, true,
     "Adam only: added to the root of that mean."},
    {"optimizer.weight_decay", SRQ_SET_DOUBLE, AT(optimizer.weight_decay), "0.0", 0, 1e6, NULL, true,
     "Times the weight, added to its gradient; convolution and dense weights only."},
    {"schedule.method", SRQ_SET_TEXT, AT(schedule.method), "\"cosine\"", 0, 0, "constant|step|linear|cosine", true,
     "Course of all learning rates over training."},
    {"schedule.warmup", SRQ_SET_SPAN, AT(schedule.warmup), "\"0it\"", 0, 1e12, NULL, true,
     "Linear rise from 0 before the method begins."},
    {"schedule.step_every", SRQ_SET_SPAN, AT(schedule.step_every), "\"10ep\"", 1, 1e12, NULL, true,
     "step only: multiply by the factor so often."},
    {"schedule.factor", SRQ_SET_DOUBLE, AT(schedule.factor), "0.1", ABOVE_ZERO, 1, NULL, true, "step only."},
    {"schedule.final", SRQ_SET_DOUBLE, AT(schedule.final), "0.0", 0, 1, NULL, true,
     "linear and cosine: share of the learning rate at the end."},
    {"quantizer.method", SRQ_SET_TEXT, AT(quantizer.method), "\"srq\"", 0, 0, "srq|lsq|ste|rq|rq_st|float32", true,
     "How weights and activations are quantized; float32 does not."},
    {"quantizer.estimator", SRQ_SET_TEXT, AT(quantizer.estimator), "\"full\"", 0, 0, "full|argmax", true,
     "srq only, weights: gradient through all categories, or through the chosen one."},
    {"quantizer.activation_estimator", SRQ_SET_TEXT, AT(quantizer.activation_estimator), "\"full\"", 0, 0,
     "full|argmax", true, "srq only, activations: the same."},
    {"quantizer.weight_bits", SRQ_SET_BITS, AT(quantizer.weight_bits), "2", 1, 8, NULL, true,
     "Bit-length of weights, or a schedule: \"8 until 5ep, then 4\" (docs/bit-lengths.md)."},
    {"quantizer.activation_bits", SRQ_SET_BITS, AT(quantizer.activation_bits), "2", 1, 8, NULL, true,
     "Bit-length of activations, or a schedule."},
    {"quantizer.granularity", SRQ_SET_TEXT, AT(quantizer.granularity), "\"tensor\"", 0, 0, "tensor|channel", true,
     "Weights have one (alpha, sigma) for each tensor, or for each output channel."},
    {"quantizer.sigma", SRQ_SET_TEXT, AT(quantizer.sigma), "\"learned\"", 0, 0, "learned|fixed|annealed", true,
     "srq, rq, rq_st: sigma is learned, stays as it starts, or falls from sigma_ratio to sigma_final times alpha, "
     "evenly in the logarithm."},
    {"quantizer.sigma_ratio", SRQ_SET_DOUBLE, AT(quantizer.sigma_ratio), "0.3333333333333333", 0.01, 10, NULL, true,
     "srq, rq, rq_st: sigma / alpha at the start."},
    {"quantizer.sigma_final", SRQ_SET_DOUBLE, AT(quantizer.sigma_final), "0.1", 0.01, 10, NULL, true,
     "sigma / alpha at the end, if annealed."},
    {"quantizer.temperature", SRQ_SET_DOUBLE, AT(quantizer.temperature), "1.0", 0.05, 100, NULL, true,
     "rq, rq_st: temperature of the Gumbel softmax."},
    {"quantizer.local_grid", SRQ_SET_DOUBLE, AT(quantizer.local_grid), "3.0", 0, 1000, NULL, true,
     "rq, rq_st: only codes within so many standard deviations of the noise are drawn; 0 takes all."},
    {"dropbits.mode", SRQ_SET_TEXT, AT(dropbits.mode), "\"off\"", 0, 0, "off|regularize|learn", true,
     "srq weights: gates on the levels of the grid, as a regulariser, or to learn each layer's bit-length."},
    {"dropbits.min_bits", SRQ_SET_INT, AT(dropbits.min_bits), "2", 1, 7, NULL, true,
     "Bit-length below which nothing is dropped."},
    {"dropbits.open", SRQ_SET_DOUBLE, AT(dropbits.open), "0.9", 1e-6, 1 - 1e-6, NULL, true,
     "Probability of each gate at the start."},
    {"dropbits.penalty", SRQ_SET_DOUBLE, AT(dropbits.penalty), "1e-2", 0, 1e6, NULL, true,
     "learn only: lambda, the price of an open gate in the loss."},
    {"dropbits.weights", SRQ_SET_TEXT, AT(dropbits.weights), "\"uniform\"", 0, 0, "uniform|params|bops", true,
     "learn only: a layer's share of the price, 1 or its share of the weights or of the bit operations."},
    {"dropbits.target", SRQ_SET_DOUBLE, AT(dropbits.target), "0.0", 0, 32, NULL, true,
     "learn only: where lambda is to lead, 0 leaves it alone."},
    {"dropbits.target_measure", SRQ_SET_TEXT, AT(dropbits.target_measure), "\"bits\"", 0, 0, "bits|bops", true,
     "learn only: the target is the mean bit-length of weights, or bit operations as a share of those at 8/8."},
    {"dropbits.follow", SRQ_SET_BOOL, AT(dropbits.follow), "false", 0, 0, NULL, true,
     "learn only: where the gates of a layer come to stand for another bit-length, alpha and sigma of its weights go "
     "over to that grid, as in a schedule. false leaves them to their gradients, as published, which from 8 bits down "
     "do not keep up (docs/bit-lengths.md)."},
    {"dropbits.until", SRQ_SET_SPAN, AT(dropbits.until), "\"0it\"", 0, 1e12, NULL, true,
     "Gates act for so long; then training goes on with the bit-lengths that evaluation has, learned ones as they are "
     "by then. 0 to the end."},
    {"prune.levels", SRQ_SET_INT, AT(prune.levels), "0", 0, 99, NULL, false,
     "`srq ticket` only: how often weights are pruned, each time rewound and trained again; 0 does not prune."},
    {"prune.rate", SRQ_SET_DOUBLE, AT(prune.rate), "0.2", ABOVE_ZERO, BELOW_ONE, NULL, true,
     "Share of the weights that are left which goes at each level, those of least magnitude."},
    {"prune.scope", SRQ_SET_TEXT, AT(prune.scope), "\"layer\"", 0, 0, "layer|global", true,
     "The rate holds for each layer, or for all layers together."},
    {"prune.rewind", SRQ_SET_SPAN, AT(prune.rewind), "\"0it\"", 0, 1e12, NULL, true,
     "`srq ticket`: the weights that stages rewind to are those of stage learn after so many steps; 0 are the initial "
     "ones. With or without pruning."},
};
const int srq_schema_count = sizeof srq_schema / sizeof *srq_schema;

const srq_setting *srq_setting_find(const char *path)
{
    for (int i = 0; i < srq_schema_count; i++)
        if (strcmp(srq_schema[i].path, path) == 0) return &srq_schema[i];
    return NULL;
}

/* --- Values */

void srq_source(const config_t *tree, const char *file, const char *name, char *path, size_t size)
{
    const char *folder = config_get_include_dir(tree);
    if (file && strcmp(file, name) != 0 && folder && strcmp(folder, ".") != 0)
        snprintf(path, size, "%s/%s", folder, file);
    else
        snprintf(path, size, "%s", file ? file : name);
}

void srq_where(const config_setting_t *setting, const char *name, char *where, size_t size)
{
    char path[8192], line[16] = "";
    srq_source(setting->config, config_setting_source_file(setting), name, path, sizeof path);
    /* A whole file has no line. */
    if (config_setting_source_line(setting))
        snprintf(line, sizeof line, ":%u", (unsigned)config_setting_source_line(setting));
    const size_t length = strlen(path), room = size - 1 - strlen(line);
    if (length <= room)
        snprintf(where, size, "%s%s", path, line);
    else
        snprintf(where, size, "...%s%s", path + length - room + 3, line);
}

static const char *type_name(const config_setting_t *setting)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_GROUP:
        return "a group";
    case CONFIG_TYPE_LIST:
        return "a list";
    case CONFIG_TYPE_ARRAY:
        return "an array";
    default:
        return "a boolean";
    }
}

srq_value srq_value_of(const config_setting_t *setting, const char *name)
{
    srq_value v = {.kind = SRQ_VALUE_OTHER, .text = type_name(setting)};
    srq_where(setting, name, v.where, sizeof v.where);
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        v.kind = SRQ_VALUE_INTEGER;
        v.integer = config_setting_get_int64(setting);
        /* libconfig 1.5 gives 0 for the 64-bit value of a 32-bit setting. */
        if (config_setting_type(setting) == CONFIG_TYPE_INT) v.integer = config_setting_get_int(setting);
        v.number = (double)v.integer;
        break;
    case CONFIG_TYPE_FLOAT:
        v.kind = SRQ_VALUE_FLOAT;
        v.number = config_setting_get_float(setting);
        break;
    case CONFIG_TYPE_STRING:
        v.kind = SRQ_VALUE_TEXT;
        v.text = config_setting_get_string(setting);
        break;
    case CONFIG_TYPE_BOOL:
        v.kind = SRQ_VALUE_BOOLEAN;
        v.integer = config_setting_get_bool(setting) != CONFIG_FALSE;
        break;
    default:
        break;
    }
    return v;
}

/* Whole text an integer, as libconfig writes them: decimal or 0x..., an L or two at the end. */
static bool is_integer(const char *text, long long *integer)
{
    char *end;
    const bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    errno = 0;
    *integer = strtoll(text, &end, hexadecimal ? 16 : 10);
    return end != text && errno == 0 && end[strspn(end, "L")] == '\0';
}

/* Takes quotes and escapes off, by libconfig's rules. A line break could start an @include, so it stays text. */
static bool unquote(const char *text, char *room, size_t size)
{
    const size_t n = strlen(text);
    if (n < 2 || text[0] != '"' || text[n - 1] != '"' || strpbrk(text, "\r\n")) return false;
    char line[8192];
    if ((size_t)snprintf(line, sizeof line, "v = %s;", text) >= sizeof line) return false;
    config_t tree;
    const char *value;
    config_init(&tree);
    const bool whole = config_read_string(&tree, line) == CONFIG_TRUE &&
                       config_setting_length(config_root_setting(&tree)) == 1 &&
                       config_lookup_string(&tree, "v", &value) == CONFIG_TRUE;
    if (whole) snprintf(room, size, "%s", value);
    config_destroy(&tree);
    return whole;
}

srq_value srq_value_of_text(const char *text, char *room, size_t size)
{
    srq_value v = {.kind = SRQ_VALUE_INTEGER};
    if (is_integer(text, &v.integer)) {
        v.number = (double)v.integer;
        return v;
    }
    char *end;
    v = (srq_value){.kind = SRQ_VALUE_FLOAT, .number = strtod(text, &end)};
    /* strtod also takes "inf", "nan" and hexadecimal ones, which files do not. */
    if (*text && *end == '\0' && text[strspn(text, "+-.0123456789eE")] == '\0') return v;
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return (srq_value){.kind = SRQ_VALUE_BOOLEAN, .integer = text[0] == 't', .text = "a boolean"};
    if (!unquote(text, room, size)) snprintf(room, size, "%s", text);
    return (srq_value){.kind = SRQ_VALUE_TEXT, .text = room};
}

const char *srq_describe(const srq_value *v, char *out, size_t size)
{
    if (v->kind == SRQ_VALUE_INTEGER)
        snprintf(out, size, "%lld", v->integer);
    else if (v->kind == SRQ_VALUE_FLOAT)
        snprintf(out, size, "%.12g", v->number);
    else if (v->kind == SRQ_VALUE_TEXT)
        snprintf(out, size, "the text \"%.100s\"", v->text);
    else
        snprintf(out, size, "%s", v->text);
    return out;
}

static srq_status mistyped(const srq_setting *s, const srq_value *v, const char *expected)
{
    char found[160];
    return srq_fail(SRQ_ERROR_USAGE, "%s: %s must be %s, but is %s", v->where, s->path, expected,
                    srq_describe(v, found, sizeof found));
}

static void print_bound(double bound, char *out, size_t size)
{
    if (bound == BELOW_ONE)
        snprintf(out, size, "below 1");
    else if (bound == ABOVE_ZERO)
        snprintf(out, size, "above 0");
    else if (bound >= 0x1p63)
        snprintf(out, size, "%lld", LLONG_MAX);
    else
        snprintf(out, size, "%.13g", bound);
}

static srq_status check_range(const srq_setting *s, const srq_value *v, double number)
{
    /* So written that NaN fails. */
    if (number >= s->min && number <= s->max) return SRQ_OK;
    char found[160], min[32], max[32];
    print_bound(s->min, min, sizeof min);
    print_bound(s->max, max, sizeof max);
    return srq_fail(SRQ_ERROR_USAGE, "%s: %s is %s, but must be from %s to %s", v->where, s->path,
                    srq_describe(v, found, sizeof found), min, max);
}

/* --- Assignment */

/* One of "a|b|c", whole. */
static bool is_choice(const char *choices, const char *word)
{
    size_t n = strlen(word);
    for (const char *c = choices; *c;) {
        size_t length = strcspn(c, "|");
        if (length == n && strncmp(c, word, n) == 0) return true;
        c += length + (c[length] == '|');
    }
    return false;
}

static srq_status assign_text(const srq_setting *s, const srq_value *v, char *to)
{
    if (v->kind != SRQ_VALUE_TEXT) return mistyped(s, v, "a text in quotes");
    if (s->choices && !is_choice(s->choices, v->text)) {
        const char *words[8];
        char copy[128];
        int count = 0;
        snprintf(copy, sizeof copy, "%s", s->choices);
        for (char *word = strtok(copy, "|"); word && count < 8; word = strtok(NULL, "|")) words[count++] = word;
        return srq_fail(SRQ_ERROR_USAGE, "%s: %s is \"%.100s\", but must be one of %s; did you mean \"%s\"?", v->where,
                        s->path, v->text, s->choices, srq_closest(v->text, words, count));
    }
    if (!*v->text) return srq_fail(SRQ_ERROR_USAGE, "%s: %s is empty; give it a text", v->where, s->path);
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
    long long count = v->integer;
    bool epochs = counts_epochs;
    if (v->kind == SRQ_VALUE_TEXT) {
        char *end;
        count = strtoll(v->text, &end, 10);
        epochs = strcmp(end, "ep") == 0;
        if (end == v->text || (!epochs && strcmp(end, "it") != 0)) return mistyped(s, v, expected);
    } else if (v->kind != SRQ_VALUE_INTEGER) {
        return mistyped(s, v, expected);
    }
    SRQ_TRY(check_range(s, v, (double)count));
    *to = (srq_span){.count = (long)count, .epochs = epochs};
    return SRQ_OK;
}

/* One stage: "8", "8 until 5ep", "8 until epoch 5", in steps "8 until 500it", "8 until step 500"; *text moves past it.
 */
static bool read_stage(const char **text, int *bits, srq_span *until, bool *last)
{
    int used = 0;
    char unit[6] = "";
    *until = (srq_span){0};
    if (sscanf(*text, " %d%n", bits, &used) != 1) return false;
    *text += used;
    used = 0;
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
    if (v->kind == SRQ_VALUE_INTEGER) {
        SRQ_TRY(check_range(s, v, v->number));
        made.bits[0] = (int)v->integer;
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
        if (!read_stage(&text, &made.bits[made.count], &until, &last)) return mistyped(s, v, expected);
        if (made.bits[made.count] < 1 || made.bits[made.count] > 8)
            return srq_fail(SRQ_ERROR_USAGE, "%s: %s has a bit-length of %d, but it must be from 1 to 8", v->where,
                            s->path, made.bits[made.count]);
        if (!last && made.count + 1 < SRQ_STAGES_MAX) made.until[made.count] = until;
    }
    /* As far as that can be said without knowing the data set. */
    for (int i = 0; i + 2 < made.count; i++)
        if (made.until[i].epochs == made.until[i + 1].epochs && made.until[i].count >= made.until[i + 1].count)
            return srq_fail(SRQ_ERROR_USAGE, "%s: %s: each stage must end after the one before it", v->where, s->path);
    *to = made;
    return SRQ_OK;
}

static srq_status assign_integer(const srq_setting *s, const srq_value *v, char *to)
{
    if (v->kind != SRQ_VALUE_INTEGER) return mistyped(s, v, "an integer");
    SRQ_TRY(check_range(s, v, v->number));
    const int narrow = (int)v->integer;
    const int64_t exact = v->integer;
    if (s->type == SRQ_SET_INT)
        memcpy(to, &narrow, sizeof narrow);
    else
        memcpy(to, &exact, sizeof exact);
    return SRQ_OK;
}

static srq_status assign_bool(const srq_setting *s, const srq_value *v, char *to)
{
    if (v->kind != SRQ_VALUE_BOOLEAN) return mistyped(s, v, "true or false");
    const bool value = v->integer != 0;
    memcpy(to, &value, sizeof value);
    return SRQ_OK;
}

static srq_status assign_double(const srq_setting *s, const srq_value *v, char *to)
{
    if (v->kind != SRQ_VALUE_INTEGER && v->kind != SRQ_VALUE_FLOAT) return mistyped(s, v, "a number");
    SRQ_TRY(check_range(s, v, v->number));
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
    case SRQ_SET_BOOL:
        return assign_bool(s, v, to);
    default:
        return assign_integer(s, v, to);
    }
}

/* --- Printing */

void srq_print_text(const char *text, FILE *out)
{
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fprintf(out, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            fprintf(out, "\\x%02x", (unsigned char)*text);
        else
            fputc(*text, out);
    }
    fputc('"', out);
}

static void print_literal(const char *digits, FILE *out)
{
    fputs(digits, out);
    if (!strpbrk(digits, ".e")) fputs(".0", out);
}

void srq_print_number(double number, FILE *out)
{
    char text[64];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number) break;
    }
    print_literal(text, out);
}

void srq_print_float(float number, FILE *out)
{
    char text[64];
    /* Read back as it will be: through a double. */
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)number);
        if ((float)strtod(text, NULL) == number) break;
    }
    print_literal(text, out);
}

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

/* --- The closest name */

static const char *last_part(const char *path)
{
    const char *point = strrchr(path, '.');
    return point ? point + 1 : path;
}

const char *srq_setting_closest(const char *path)
{
    static const char *const groups[] = {"model",    "data",      "train",    "optimizer",
                                         "schedule", "quantizer", "dropbits", "prune"};
    enum { GROUPS = sizeof groups / sizeof *groups };
    const char *best = groups[0];
    int least = INT_MAX;
    for (int i = 0; i < GROUPS + srq_schema_count; i++) {
        const char *name = i < GROUPS ? groups[i] : srq_schema[i - GROUPS].path;
        int d = srq_distance(path, name);
        /* The right name in the wrong group, or in none. */
        const int moved = 2 + srq_distance(last_part(path), last_part(name));
        if (i >= GROUPS && moved < d) d = moved;
        /* A group alone is not what is looked for, but a setting in it. */
        if (d == 0) d = INT_MAX;
        const size_t length = strlen(path);
        if (strncmp(path, name, length) == 0 && name[length] == '.') d = 0;
        if (d < least) {
            least = d;
            best = name;
        }
    }
    return best;
}

/* --- The reference */

static void print_allowed(const srq_setting *s, FILE *out)
{
    static const char *const types[] = {"integer", "integer",         "number",          "true or false", "text",
                                        "text",    "steps or epochs", "epochs or steps", "bit-length"};
    fputs(types[s->type], out);
    if (s->choices) {
        fputs(": ", out);
        for (const char *c = s->choices; *c; c++)
            if (*c == '|')
                fputs(", ", out);
            else
                fputc(*c, out);
    } else if (s->type != SRQ_SET_TEXT && s->type != SRQ_SET_PATH && s->type != SRQ_SET_BOOL) {
        char min[32], max[32];
        print_bound(s->min, min, sizeof min);
        print_bound(s->max, max, sizeof max);
        /* Bounds that only keep arithmetic from overflowing would distract. */
        if (s->max < 1e12)
            fprintf(out, ", %s to %s", min, max);
        else
            fprintf(out, ", at least %s", min);
    }
}

static void print_group(const char *group, bool markdown, bool first, FILE *out)
{
    fprintf(out, "%s%s%s\n", first ? "" : "\n", markdown ? "### " : "", group);
    if (markdown) fputs("\n| setting | value | default | meaning |\n|---|---|---|---|\n", out);
}

static void print_row(const srq_setting *s, bool markdown, FILE *out)
{
    fprintf(out, markdown ? "| `%s` | " : "  %-30s ", s->path);
    print_allowed(s, out);
    if (markdown)
        fprintf(out, " | %s%s%s | %s |\n", s->initial ? "`" : "", s->initial ? s->initial : "must be given",
                s->initial ? "`" : "", s->doc);
    else
        fprintf(out, "; %s%s\n      %s\n", s->initial ? "default " : "", s->initial ? s->initial : "must be given",
                s->doc);
}

void srq_config_reference(FILE *out, bool markdown)
{
    static const srq_setting model = {
        .path = "model",
        .type = SRQ_SET_TEXT,
        .doc = "The network: the path of a model file (relative to the configuration's folder, with --set to the "
               "current one), or the model itself as a group."};
    static const srq_setting overrides = {
        .path = "quantizer.layers",
        .type = SRQ_SET_TEXT,
        .initial = "none",
        .doc = "What single layers do differently: a list such as ( { name = \"conv1\"; bits = 8; }, ... ) with any of "
               "method, estimator, bits, granularity, sigma_ratio, dropbits (\"on\" or \"off\")."};
    char group[32] = "";
    print_group("model", markdown, true, out);
    print_row(&model, markdown, out);
    for (int i = 0; i < srq_schema_count; i++) {
        const srq_setting *s = &srq_schema[i];
        const int length = (int)strcspn(s->path, ".");
        if (strncmp(group, s->path, (size_t)length) != 0 || group[length] != '\0') {
            snprintf(group, sizeof group, "%.*s", length, s->path);
            print_group(group, markdown, false, out);
        }
        print_row(s, markdown, out);
        /* The list ends the group. */
        const bool last = i + 1 == srq_schema_count || strncmp(srq_schema[i + 1].path, "quantizer.", 10) != 0;
        if (last && strncmp(s->path, "quantizer.", 10) == 0) print_row(&overrides, markdown, out);
    }
}
