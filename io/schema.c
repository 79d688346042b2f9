/* The settings of a configuration. */
#include "io/schema.h"

#include <limits.h>
#include <string.h>

#define BELOW_ONE SRQ_BELOW_ONE
#define ABOVE_ZERO SRQ_ABOVE_ZERO
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
    {"quantizer.method", SRQ_SET_TEXT, AT(quantizer.method), "\"srq\"", 0, 0, SRQ_CHOICES_METHODS, true,
     "How weights and activations are quantized; float32 does not."},
    {"quantizer.estimator", SRQ_SET_TEXT, AT(quantizer.estimator), "\"full\"", 0, 0, "full|argmax", true,
     "@ only, weights: gradient through all categories, or through the chosen one."},
    {"quantizer.activation_estimator", SRQ_SET_TEXT, AT(quantizer.activation_estimator), "\"full\"", 0, 0,
     "full|argmax", true, "@ only, activations: the same."},
    {"quantizer.weight_bits", SRQ_SET_BITS, AT(quantizer.weight_bits), "2", 1, 8, NULL, true,
     "Bit-length of weights, or a schedule: \"8 until 5ep, then 4\" (docs/bit-lengths.md)."},
    {"quantizer.activation_bits", SRQ_SET_BITS, AT(quantizer.activation_bits), "2", 1, 8, NULL, true,
     "Bit-length of activations, or a schedule."},
    {"quantizer.granularity", SRQ_SET_TEXT, AT(quantizer.granularity), "\"tensor\"", 0, 0, "tensor|channel", true,
     "Weights have one (alpha, sigma) for each tensor, or for each output channel."},
    {"quantizer.sigma", SRQ_SET_TEXT, AT(quantizer.sigma), "\"learned\"", 0, 0, "learned|fixed|annealed", true,
     "@: sigma is learned, stays as it starts, or falls from sigma_ratio to sigma_final times alpha, "
     "evenly in the logarithm."},
    {"quantizer.sigma_ratio", SRQ_SET_DOUBLE, AT(quantizer.sigma_ratio), "0.3333333333333333", 0.01, 10, NULL, true,
     "@: sigma / alpha at the start."},
    {"quantizer.sigma_final", SRQ_SET_DOUBLE, AT(quantizer.sigma_final), "0.1", 0.01, 10, NULL, true,
     "sigma / alpha at the end, if annealed."},
    {"quantizer.temperature", SRQ_SET_DOUBLE, AT(quantizer.temperature), "1.0", 0.05, 100, NULL, true,
     "@: temperature of the Gumbel softmax."},
    {"quantizer.local_grid", SRQ_SET_DOUBLE, AT(quantizer.local_grid), "3.0", 0, 1000, NULL, true,
     "@: only codes within so many standard deviations of the noise are drawn; 0 takes all."},
    {"dropbits.mode", SRQ_SET_TEXT, AT(dropbits.mode), "\"off\"", 0, 0, "off|regularize|learn", true,
     "@ weights: gates on the levels of the grid, as a regulariser, or to learn each layer's bit-length."},
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
