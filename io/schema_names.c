/* The setting or value that someone meant: similar names, and what other programs call them. */
#include "io/schema.h"

#include <limits.h>
#include <string.h>

static const srq_synonym settings[] = {
    {"lr|alpha_lr|base_lr|initial_lr|rate|eta|step_length", "optimizer.learning_rate"},
    {"weight_decay|wd|l2|decay|l2_regularization", "optimizer.weight_decay"},
    {"optim|opt|optimiser", "optimizer.method"},
    {"betas|beta", "optimizer.beta1"},
    {"eps", "optimizer.epsilon"},
    {"batch_size|bs|mini_batch|minibatch_size|global_batch_size|images_per_step", "train.batch"},
    {"epoch|num_epochs|n_epochs|max_epochs|nb_epochs|total_epochs", "train.epochs"},
    {"steps|iterations|iters|max_iter|max_iters|num_steps|total_steps|max_iterations|train_steps", "train.max_steps"},
    {"clip_grad_norm|max_grad_norm|grad_clip|clip_grad|clip|gradient_clip|gradient_clipping|clip_gradient|"
     "gradient_clip_val|clip_value|clipnorm|global_clipnorm|grad_norm|grad_clip_norm",
     "train.clip_norm"},
    {"ema|use_ema|ema_decay|model_ema|model_ema_decay|weight_ema|averaging|weight_averaging|average_decay|swa|polyak|"
     "polyak_averaging|moving_average",
     "train.average"},
    {"random_seed|manual_seed|random_state|rng_seed|seeds", "train.seed"},
    {"pretrained|pretrained_weights|init_from|load|load_from|initial_weights|finetune|fine_tune", "train.init"},
    {"mask|mask_file", "train.masks"},
    {"amp|precision|mixed_precision|dtype|backend", "train.engine"},
    {"save_every|save_freq|save_interval|save_steps|checkpoint_freq|checkpoint_interval|ckpt_every|ckpt_freq",
     "train.checkpoint_every"},
    {"keep_last|max_to_keep|save_total_limit|keep_checkpoints", "train.keep"},
    {"eval_freq|eval_interval|eval_steps|test_every|test_interval|val_every|validate_every|validation_interval",
     "train.eval_every"},
    {"log_interval|log_freq|logging_steps|print_freq|print_every|log_steps", "train.log_every"},
    {"micro_batches|world_size|ranks", "train.shards"},
    {"scheduler|lr_schedule|lr_scheduler|lr_policy", "schedule.method"},
    {"warmup_steps|warmup_epochs|warm_up|lr_warmup", "schedule.warmup"},
    {"gamma|lr_gamma|lr_decay|decay_rate|lr_factor", "schedule.factor"},
    {"step_size|lr_step|lr_steps|decay_steps|decay_every|milestones", "schedule.step_every"},
    {"min_lr|eta_min|final_lr|lr_min|end_lr", "schedule.final"},
    {"dataset|data_path|data_dir|data_root|data_file|dataset_path|train_data|root", "data.file"},
    {"num_classes|n_classes|nb_classes", "data.classes"},
    {"val|val_split|val_size|val_fraction|validation_split|validation_size|valid_size|holdout|dev_size",
     "data.validation"},
    {"early_stopping|early_stop|early_stopping_patience|early_stopping_rounds|stop_patience", "train.patience"},
    {"hflip|horizontal_flip|random_flip|random_horizontal_flip|mirror", "data.flip"},
    {"padding|random_crop|crop_padding", "data.pad"},
    {"cutout_length|cutout_size|cut_out|random_erasing|random_erase|erasing|erase|mask_size", "data.cutout"},
    {"color_jitter|colour_jitter|jitter|color_jitter_brightness|random_brightness", "data.brightness"},
    {"color_jitter_contrast|random_contrast", "data.contrast"},
    {"color_jitter_saturation|random_saturation|color|colour", "data.saturation"},
    {"color_jitter_hue|random_hue|hue_shift", "data.hue"},
    {"random_resized_crop|crop_mode", "data.crop"},
    {"resize_size|short_side|val_resize_size", "data.resize"},
    {"normalization|normalisation|standardize", "data.normalize"},
    {"network|arch|architecture|net|model_file|model_path", "model"},
    {"bits|w_bits|wbit|weight_bit|weights_bits|bit_width|bitwidth|n_bits|num_bits|nbits|precision_bits|weight_bitwidth",
     "quantizer.weight_bits"},
    {"a_bits|abit|act_bits|act_bit|activation_bit|activations_bits|activation_bitwidth", "quantizer.activation_bits"},
    {"method|quant|quantization|quantisation|quant_method|quantizer_method|quantizer_type", "quantizer.method"},
    {"per_channel|channelwise|channel_wise", "quantizer.granularity"},
    {"tau|temp|gumbel_temperature|softmax_temperature", "quantizer.temperature"},
    {"lambda|bit_penalty|bits_penalty", "dropbits.penalty"},
    {"target_bits|bits_target|target_bops", "dropbits.target"},
    {"sparsity|prune_ratio|pruning_rate|prune_rate|prune_share", "prune.rate"},
    {"prune_levels|rounds|pruning_rounds", "prune.levels"},
};

static const char *last_part(const char *path)
{
    const char *point = strrchr(path, '.');
    return point ? point + 1 : path;
}

static bool has_last_part(const char *word)
{
    for (int i = 0; i < srq_schema_count; i++)
        if (srq_distance(last_part(srq_schema[i].path), word) == 0) return true;
    return false;
}

const char *srq_setting_synonym(const char *path)
{
    const char *word = last_part(path);
    /* A setting of this name in another group comes first. Several are called "method". */
    if (has_last_part(word) && strcmp(path, "method") != 0) return NULL;
    return srq_synonym_find(settings, sizeof settings / sizeof *settings, word);
}

bool srq_config_names(const char *word, char *path, size_t size)
{
    const char *found = srq_setting_find(word) ? word : srq_setting_synonym(word);
    for (int i = 0; !found && i < srq_schema_count; i++)
        if (srq_distance(last_part(srq_schema[i].path), word) == 0) found = srq_schema[i].path;
    if (found) snprintf(path, size, "%s", found);
    return found != NULL;
}

/* How far a setting or group is from `path`; *near: whether that is near. */
static int measure(const char *path, const char *name, bool is_group, bool *near)
{
    const size_t length = strlen(path);
    int d = srq_distance(path, name);
    /* With a group, the rest of the name decides: most of "train.foo" and "train.isa" is the group. */
    *near = strchr(path, '.') && !is_group ? srq_is_near(last_part(path), last_part(name)) : srq_is_near(path, name);
    /* Returns a setting, not the group itself. */
    if (strncmp(path, name, length) == 0 && name[length] == '.') {
        *near = true;
        return 0;
    }
    if (is_group) return strchr(path, '.') || d == 0 ? INT_MAX : d;
    /* Finds the right name in the wrong group, or without a group. */
    const int moved = 2 + srq_distance(last_part(path), last_part(name));
    if (moved >= d) return d;
    *near = *near || srq_is_near(last_part(path), last_part(name));
    return moved;
}

const char *srq_setting_closest(const char *path)
{
    static const char *const groups[] = {"model",    "data",      "train",    "optimizer",
                                         "schedule", "quantizer", "dropbits", "prune"};
    enum { GROUPS = sizeof groups / sizeof *groups };
    const char *best = srq_setting_synonym(path);
    if (best) return best;
    int least = INT_MAX;
    for (int i = 0; i < GROUPS + srq_schema_count; i++) {
        const char *name = i < GROUPS ? groups[i] : srq_schema[i - GROUPS].path;
        bool near;
        const int d = measure(path, name, i < GROUPS, &near);
        if (!near || d >= least) continue;
        least = d;
        best = name;
    }
    return best;
}

char *srq_setting_suggest(const char *path, char *out, size_t size)
{
    const char *closest = srq_setting_closest(path);
    if (closest)
        snprintf(out, size, "did you mean %s?", closest);
    else
        snprintf(out, size, "`srq help configuration` lists all");
    return out;
}

/* --- Values */

static const srq_synonym values[] = {
    {"none|off|no|fp32|float|full|full_precision|32", "float32"},
    {"bf16|brain_float", "bfloat16"},
    {"amp|bf16|fp16", "mixed"},
    {"int8|int|integers|vnni", "integer"},
    {"momentum|nesterov|stochastic_gradient_descent", "sgd"},
    {"none|off|fixed", "constant"},
    {"steplr|multistep|staircase|exponential", "step"},
    {"linear_decay|polynomial|poly", "linear"},
    {"cos", "cosine"},
    {"random_resized_crop|random_resized|rrc", "resized"},
    {"center|centre|random|none", "plain"},
    {"true|mean_std|standardize|imagenet|yes|on", "dataset"},
    {"false|no|off", "none"},
    {"per_channel|channel_wise|channels", "channel"},
    {"per_tensor|per_layer|layer|tensor_wise", "tensor"},
    {"true|yes|learnt|learned|trainable", "learn"},
    {"true|yes|learnable|trainable|train", "learned"},
    {"regularise|regularization|on|dropout", "regularize"},
    {"false|no|none|0", "off"},
    {"true|yes|1", "on"},
    {"native|best|default", "auto"},
};

/* One word can stand for values of several settings. */
bool srq_value_means(const char *word, const char *choice)
{
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (strcmp(values[i].name, choice) == 0 && srq_synonym_find(&values[i], 1, word)) return true;
    return false;
}

const char *srq_value_closest_flag(const srq_value *value)
{
    static const srq_synonym flags[] = {{"true|yes|on|1|y|t", "true"}, {"false|no|off|0|n|f|none", "false"}};
    if (value->kind == SRQ_VALUE_INTEGER) return value->integer == 1 ? "true" : value->integer == 0 ? "false" : NULL;
    return value->kind == SRQ_VALUE_TEXT ? srq_synonym_find(flags, 2, value->text) : NULL;
}
