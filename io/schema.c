/* The list of settings of a configuration. */
#include "io/schema.h"

#include <string.h>

#define BELOW_ONE SRQ_BELOW_ONE
#define ABOVE_ZERO SRQ_ABOVE_ZERO
#define AT(member) offsetof(srq_settings, member), sizeof(((srq_settings *)0)->member)

const srq_setting srq_schema[] = {
    {"data.file", SRQ_SET_PATH, AT(data.file), NULL, 0, 0, NULL, false,
     "The data set, a file made by `srq data import`. A relative path starts at the configuration's folder (with "
     "--set, at the current folder)."},
    {"data.classes", SRQ_SET_INT, AT(data.classes), "0", 0, 1048576, NULL, false,
     "Number of classes, for model files whose last layer has out = \"classes\". 0: the number in the model file."},
    {"data.crop", SRQ_SET_TEXT, AT(data.crop), "\"plain\"", 0, 0, "plain|resized", true,
     "Crop of training images. plain: a window of the network's input size, from the middle or, with data.pad, from a "
     "random place. resized: a random part that is resized to the input size (random resized crop)."},
    {"data.pad", SRQ_SET_INT, AT(data.pad), "0", 0, 1024, NULL, true,
     "plain only: number of black pixels added on each side of a training image before a random window is taken."},
    {"data.flip", SRQ_SET_BOOL, AT(data.flip), "false", 0, 0, NULL, true,
     "Mirrors training images left to right at random, with probability 1/2."},
    {"data.cutout", SRQ_SET_INT, AT(data.cutout), "0", 0, 8192, NULL, true,
     "Side in pixels of a square around a random pixel of each training image that is set to the mean colour "
     "(docs/data.md). "
     "0: none."},
    {"data.brightness", SRQ_SET_DOUBLE, AT(data.brightness), "0.0", 0, 10, NULL, true,
     "Color jitter of training images: brightness is multiplied by a random factor of 1 - this number (at least 0) to "
     "1 + "
     "this number (docs/data.md). 0: unchanged."},
    {"data.contrast", SRQ_SET_DOUBLE, AT(data.contrast), "0.0", 0, 10, NULL, true,
     "Color jitter: the same for contrast."},
    {"data.saturation", SRQ_SET_DOUBLE, AT(data.saturation), "0.0", 0, 10, NULL, true,
     "Color jitter: the same for saturation, of RGB images."},
    {"data.hue", SRQ_SET_DOUBLE, AT(data.hue), "0.0", 0, 0.5, NULL, true,
     "Color jitter: largest random shift of the hue in either direction, in turns of the colour circle, of RGB images. "
     "0: "
     "unchanged."},
    {"data.scale_min", SRQ_SET_DOUBLE, AT(data.scale_min), "0.08", 1e-3, 1, NULL, true,
     "resized only: smallest share of the image's area."},
    {"data.scale_max", SRQ_SET_DOUBLE, AT(data.scale_max), "1.0", 1e-3, 1, NULL, true,
     "resized only: largest share of the image's area."},
    {"data.ratio_min", SRQ_SET_DOUBLE, AT(data.ratio_min), "0.75", 0.01, 100, NULL, true,
     "resized only: smallest width / height of the part."},
    {"data.ratio_max", SRQ_SET_DOUBLE, AT(data.ratio_max), "1.3333333333333333", 0.01, 100, NULL, true,
     "resized only: largest width / height of the part."},
    {"data.resize", SRQ_SET_INT, AT(data.resize), "0", 0, 8192, NULL, true,
     "For encoded images: the short side is resized to this length before the middle is cropped, in evaluation and in "
     "training with plain crops. 0: 8/7 of the network's input (256 for 224)."},
    {"data.normalize", SRQ_SET_TEXT, AT(data.normalize), "\"dataset\"", 0, 0, "dataset|none", true,
     "dataset: the data set's mean is subtracted from each channel, and the result is divided by its standard "
     "deviation. none: pixels are only divided by 255."},
    {"data.validation", SRQ_SET_PART, AT(data.validation), "0", 0, 1e9, NULL, true,
     "Number of training images, or a share below 1, that are not trained on but evaluated during training, instead of "
     "the test images. They are drawn by class from train.seed. The checkpoint with the lowest validation error is "
     "kept as best.h5; the test images are evaluated once, at the end, with that checkpoint (docs/validation.md). 0: "
     "no validation images."},
    {"train.batch", SRQ_SET_INT, AT(train.batch), "128", 1, 1048576, NULL, true, "Images per step, over all ranks."},
    {"train.shards", SRQ_SET_INT, AT(train.shards), "8", 1, 4096, NULL, true,
     "Number of logical shards into which every batch is divided. It is the largest number of ranks that can be used. "
     "Results depend on it, but not on the number of ranks."},
    {"train.slices", SRQ_SET_INT, AT(train.slices), "1", 1, 256, NULL, true,
     "Number of slices into which every shard is divided, for the threads of a rank. Batch-norm takes its statistics "
     "over the whole shard. At most shards x slices threads can be used. Results depend on it, but not on the number "
     "of threads (docs/threads.md)."},
    {"train.epochs", SRQ_SET_EPOCHS, AT(train.epochs), "10", 0, 1e12, NULL, true,
     "Length of training: epochs (160 or \"160ep\") or steps (\"500it\")."},
    {"train.max_steps", SRQ_SET_SPAN, AT(train.max_steps), "\"0it\"", 0, 1e12, NULL, true,
     "Limit of training: steps (500 or \"500it\") or epochs (\"3ep\"), if this is less than train.epochs. 0: no "
     "limit."},
    {"train.seed", SRQ_SET_INT64, AT(train.seed), "1", 0, 0x1p63, NULL, true,
     "Seed of the initial weights and of the order of samples."},
    {"train.init", SRQ_SET_PATH, AT(train.init), "\"random\"", 0, 0, NULL, true,
     "Initial weights: \"random\", a checkpoint, or any HDF5 file of tensors with the layers' names "
     "(docs/fine-tuning.md). Step sizes are initialized from these weights and the first batch."},
    {"train.init_match", SRQ_SET_TEXT, AT(train.init_match), "\"all\"", 0, 0, "all|partial", true,
     "For train.init. all: every tensor of the network and of the file must fit. partial: tensors that fit are read, "
     "and the others are listed."},
    {"train.init_gain", SRQ_SET_DOUBLE, AT(train.init_gain), "1.4142135623730951", 1e-6, 1e6, NULL, true,
     "The standard deviation of random weights of convolutions and dense layers is this number divided by the square "
     "root of their fan-in. Biases are initially 0. The default is that of He et al. for ReLU; PyTorch uses "
     "0.5773502691896258 (1 / sqrt(3))."},
    {"train.init_draw", SRQ_SET_INT, AT(train.init_draw), "0", 0, 1000000, NULL, true,
     "Another number gives other random initial weights for the same seed. The order of samples stays the same."},
    {"train.masks", SRQ_SET_PATH, AT(train.masks), "\"none\"", 0, 0, NULL, true,
     "Masks of weights that are 0 and stay 0: a mask file of `srq ticket`, or a checkpoint with masks "
     "(docs/tickets.md)."},
    {"train.engine", SRQ_SET_TEXT, AT(train.engine), "\"auto\"", 0, 0, "auto|mixed|integer|float32|reference", true,
     "Arithmetic of convolutions and dense layers. `mixed`: if both operands are quantized, integers in the forward "
     "pass (exact) and bfloat16 gradients in the backward pass; otherwise float32. `integer`: `mixed`, but gradients "
     "of convolutions are rounded stochastically to 8 bits, and the backward pass has integers too (needs AVX-512 "
     "with VNNI; docs/engine.md). `float32`: float32 only. These three use oneDNN. `reference`: plain C and OpenBLAS. "
     "`auto`: `mixed`, or `float32` if this CPU or build lacks it; the log names it."},
    {"train.wire", SRQ_SET_TEXT, AT(train.wire), "\"float32\"", 0, 0, "float32|bfloat16", true,
     "Format to which gradients of weights are rounded when shards are summed, and in which they are sent. Everything "
     "else is float32. Results depend on this setting, but in both cases not on the number of ranks."},
    {"train.bucket_mb", SRQ_SET_DOUBLE, AT(train.bucket_mb), "4.0", 0, 1e6, NULL, false,
     "Gradients of neighbouring layers are exchanged in buckets of at least this many megabytes, from the last layer "
     "to the first. 0: one bucket for each layer."},
    {"train.overlap", SRQ_SET_BOOL, AT(train.overlap), "true", 0, 0, NULL, false,
     "Buckets are sent during the backward pass of earlier layers. `false`: they are sent after the backward pass, for "
     "comparison."},
    {"train.stall_warn", SRQ_SET_DOUBLE, AT(train.stall_warn), "10.0", 0, 1e6, NULL, false,
     "If a rank waits for other ranks longer than this many seconds in training, it names the ranks that have not "
     "arrived. 0: never."},
    {"train.stall_end", SRQ_SET_DOUBLE, AT(train.stall_end), "50.0", 0, 1e6, NULL, false,
     "After this many seconds of such a wait, the job ends with exit status 4, and the last checkpoint is kept. 0: "
     "never. Increase it if a file system can hang for longer."},
    {"train.isa", SRQ_SET_TEXT, AT(train.isa), "\"auto\"", 0, 0,
     "auto|x86-64|sse41|avx|avx2|avx2_vnni|avx512|avx512_vnni|avx512_bf16|avx512_amx", false,
     "CPU instruction set of all ranks. The last digits of results depend on it. `auto`: what the CPUs have in common "
     "(docs/reproducibility.md)."},
    {"train.checkpoint_every", SRQ_SET_SPAN, AT(train.checkpoint_every), "\"1ep\"", 0, 1e12, NULL, false,
     "How often a checkpoint is written, in steps (\"500it\") or epochs (\"1ep\"). 0: only at the end."},
    {"train.keep", SRQ_SET_INT, AT(train.keep), "3", 1, 1000000, NULL, false,
     "Number of newest checkpoints to keep. At least two whole ones are always kept."},
    {"train.eval_every", SRQ_SET_SPAN, AT(train.eval_every), "\"1ep\"", 0, 1e12, NULL, false,
     "How often the test images, or with data.validation the validation images, are evaluated. 0: only at the end."},
    {"train.patience", SRQ_SET_INT, AT(train.patience), "0", 0, 1000000, NULL, true,
     "With data.validation: training ends early after this many evaluations in a row without a new best checkpoint. "
     "Schedules still follow train.epochs. 0: never."},
    {"train.log_every", SRQ_SET_SPAN, AT(train.log_every), "\"50it\"", 0, 1e12, NULL, false,
     "How often a `step` line is written to log.jsonl. 0: only at the end."},
    {"train.tensorboard", SRQ_SET_BOOL, AT(train.tensorboard), "false", 0, 0, NULL, false,
     "Writes event files for TensorBoard into the folder of the run: the numbers of log.jsonl, and histograms of "
     "weights "
     "and step sizes (docs/watching.md)."},
    {"train.label_smoothing", SRQ_SET_DOUBLE, AT(train.label_smoothing), "0.0", 0, BELOW_ONE, NULL, true,
     "Share of the target that is spread evenly over all classes, in training only: the loss of an evaluation has "
     "none."},
    {"train.clip_norm", SRQ_SET_DOUBLE, AT(train.clip_norm), "0.0", 0, 1e30, NULL, true,
     "Largest norm of the gradient of a step, over everything that is learned. A longer gradient is multiplied by this "
     "number divided by its norm. 0: no clipping (docs/method.md)."},
    {"train.average", SRQ_SET_DOUBLE, AT(train.average), "0.0", 0, BELOW_ONE, NULL, true,
     "Decay of an exponential moving average of weights, biases and batch-norm, for example 0.999. Evaluations and "
     "checkpoints then have the average. 0: no average (docs/method.md)."},
    {"train.nonfinite", SRQ_SET_TEXT, AT(train.nonfinite), "\"stop\"", 0, 0, "stop|skip", true,
     "What happens if the loss or a gradient of a step holds an infinity or NaN. stop: training ends. skip: the step "
     "is skipped on all ranks; weights, batch-norm statistics and the optimizer stay unchanged. 100 skipped steps in a "
     "row end training (docs/watching.md)."},
    {"optimizer.method", SRQ_SET_TEXT, AT(optimizer.method), "\"adam\"", 0, 0, "adam|adamw|sgd", true,
     "Adam, Adam with decoupled weight decay (AdamW), or SGD with momentum."},
    {"optimizer.learning_rate", SRQ_SET_DOUBLE, AT(optimizer.learning_rate), "1e-3", 0, 1e6, NULL, true,
     "Learning rate of weights, biases and batch-norm."},
    {"optimizer.alpha_learning_rate", SRQ_SET_DOUBLE, AT(optimizer.alpha_learning_rate), "1e-3", 0, 1e6, NULL, true,
     "Learning rate of the step sizes alpha, in log alpha."},
    {"optimizer.sigma_learning_rate", SRQ_SET_DOUBLE, AT(optimizer.sigma_learning_rate), "1e-3", 0, 1e6, NULL, true,
     "Learning rate of the noise scales sigma, in log sigma, if they are learned."},
    {"optimizer.gate_learning_rate", SRQ_SET_DOUBLE, AT(optimizer.gate_learning_rate), "2e-3", 0, 1e6, NULL, true,
     "Learning rate of the logits of DropBits' gates."},
    {"optimizer.momentum", SRQ_SET_DOUBLE, AT(optimizer.momentum), "0.9", 0, BELOW_ONE, NULL, true, "SGD only."},
    {"optimizer.nesterov", SRQ_SET_BOOL, AT(optimizer.nesterov), "false", 0, 0, NULL, true,
     "SGD only: Nesterov's momentum, as in PyTorch."},
    {"optimizer.beta1", SRQ_SET_DOUBLE, AT(optimizer.beta1), "0.9", 0, BELOW_ONE, NULL, true,
     "Adam and AdamW: decay of the mean of gradients."},
    {"optimizer.beta2", SRQ_SET_DOUBLE, AT(optimizer.beta2), "0.999", 0, BELOW_ONE, NULL, true,
     "Adam and AdamW: decay of the mean of their squares."},
    {"optimizer.epsilon", SRQ_SET_DOUBLE, AT(optimizer.epsilon), "1e-8", 1e-30, 1, NULL, true,
     "Adam and AdamW: added to the square root of that mean."},
    {"optimizer.weight_decay", SRQ_SET_DOUBLE, AT(optimizer.weight_decay), "0.0", 0, 1e6, NULL, true,
     "This number times the weight is added to its gradient, for weights of convolutions and dense layers only. AdamW: "
     "the "
     "weight is multiplied by 1 minus this number times the learning rate instead."},
    {"schedule.method", SRQ_SET_TEXT, AT(schedule.method), "\"cosine\"", 0, 0, "constant|step|linear|cosine", true,
     "The learning-rate schedule, for all learning rates."},
    {"schedule.warmup", SRQ_SET_SPAN, AT(schedule.warmup), "\"0it\"", 0, 1e12, NULL, true,
     "Length of a linear rise from 0 before the method begins."},
    {"schedule.step_every", SRQ_SET_SPAN, AT(schedule.step_every), "\"10ep\"", 1, 1e12, NULL, true,
     "step only: how often learning rates are multiplied by the factor."},
    {"schedule.factor", SRQ_SET_DOUBLE, AT(schedule.factor), "0.1", ABOVE_ZERO, 1, NULL, true, "step only."},
    {"schedule.final", SRQ_SET_DOUBLE, AT(schedule.final), "0.0", 0, 1, NULL, true,
     "linear and cosine: the final learning rate as a share of the initial one."},
    {"quantizer.method", SRQ_SET_TEXT, AT(quantizer.method), "\"srq\"", 0, 0, SRQ_CHOICES_METHODS, true,
     "Quantization method of weights and activations. float32: no quantization."},
    {"quantizer.estimator", SRQ_SET_TEXT, AT(quantizer.estimator), "\"full\"", 0, 0, "full|argmax", true,
     "@ only, for weights. full: gradient through all codes. argmax: gradient through the chosen code."},
    {"quantizer.activation_estimator", SRQ_SET_TEXT, AT(quantizer.activation_estimator), "\"full\"", 0, 0,
     "full|argmax", true, "@ only, for activations: the same."},
    {"quantizer.weight_bits", SRQ_SET_BITS, AT(quantizer.weight_bits), "2", 1, 8, NULL, true,
     "Bit-length of weights, or a schedule: \"8 until 5ep, then 4\" (docs/bit-lengths.md)."},
    {"quantizer.activation_bits", SRQ_SET_BITS, AT(quantizer.activation_bits), "2", 1, 8, NULL, true,
     "Bit-length of activations, or a schedule."},
    {"quantizer.granularity", SRQ_SET_TEXT, AT(quantizer.granularity), "\"tensor\"", 0, 0, "tensor|channel", true,
     "One (alpha, sigma) of weights for each tensor, or for each output channel."},
    {"quantizer.sigma", SRQ_SET_TEXT, AT(quantizer.sigma), "\"learned\"", 0, 0, "learned|fixed|annealed", true,
     "@: sigma is learned, keeps its initial value, or falls from sigma_ratio to sigma_final times alpha (annealed, "
     "linearly in the logarithm)."},
    {"quantizer.sigma_ratio", SRQ_SET_DOUBLE, AT(quantizer.sigma_ratio), "0.3333333333333333", 0.01, 10, NULL, true,
     "@: initial sigma / alpha."},
    {"quantizer.sigma_final", SRQ_SET_DOUBLE, AT(quantizer.sigma_final), "0.1", 0.01, 10, NULL, true,
     "Final sigma / alpha, annealed only."},
    {"quantizer.temperature", SRQ_SET_DOUBLE, AT(quantizer.temperature), "1.0", 0.05, 100, NULL, true,
     "@: temperature of the Gumbel softmax."},
    {"quantizer.local_grid", SRQ_SET_DOUBLE, AT(quantizer.local_grid), "3.0", 0, 1000, NULL, true,
     "@: only codes within this many standard deviations of the noise are drawn. 0: all codes."},
    {"dropbits.mode", SRQ_SET_TEXT, AT(dropbits.mode), "\"off\"", 0, 0, "off|regularize|learn", true,
     "@ weights: gates on the levels of the grid, as a regularizer or to learn the bit-length of each layer."},
    {"dropbits.min_bits", SRQ_SET_INT, AT(dropbits.min_bits), "2", 1, 7, NULL, true,
     "Number of bits that are never dropped."},
    {"dropbits.open", SRQ_SET_DOUBLE, AT(dropbits.open), "0.9", 1e-6, 1 - 1e-6, NULL, true,
     "Initial probability of each gate."},
    {"dropbits.penalty", SRQ_SET_DOUBLE, AT(dropbits.penalty), "1e-2", 0, 1e6, NULL, true,
     "learn only: lambda, the penalty of an open gate in the loss."},
    {"dropbits.weights", SRQ_SET_TEXT, AT(dropbits.weights), "\"uniform\"", 0, 0, "uniform|params|bops", true,
     "learn only: factor of a layer in the penalty: 1, its share of the weights, or its share of the bit operations."},
    {"dropbits.target", SRQ_SET_DOUBLE, AT(dropbits.target), "0.0", 0, 32, NULL, true,
     "learn only: the bit-lengths of evaluation are steered to this target, from 40 % of the steps with gates on "
     "(docs/bit-lengths.md). 0: no target."},
    {"dropbits.target_measure", SRQ_SET_TEXT, AT(dropbits.target_measure), "\"bits\"", 0, 0, "bits|bops", true,
     "learn only: the target is the mean bit-length of weights, or the bit operations as a share of those at 8/8."},
    {"dropbits.follow", SRQ_SET_BOOL, AT(dropbits.follow), "false", 0, 0, NULL, true,
     "learn only: if the gates of a layer select another bit-length, alpha and sigma of its weights are adapted to "
     "that grid, as in a schedule. false: they change only by their gradients, which is too slow from 8 "
     "bits down (docs/bit-lengths.md)."},
    {"dropbits.until", SRQ_SET_SPAN, AT(dropbits.until), "\"0it\"", 0, 1e12, NULL, true,
     "Gates are used until this step or epoch. After that, training continues with the bit-lengths of evaluation; "
     "learned ones are fixed. 0: until the end."},
    {"dropbits.ramp", SRQ_SET_SPAN, AT(dropbits.ramp), "\"0it\"", 0, 1e12, NULL, true,
     "learn only: lambda rises linearly from 0 to dropbits.penalty in these steps or epochs, so that weights can adapt "
     "to their "
     "grids before gates close. 0: it is constant."},
    {"prune.levels", SRQ_SET_INT, AT(prune.levels), "0", 0, 99, NULL, false,
     "`srq ticket` only: number of times that weights are pruned, rewound and trained again. 0: no pruning."},
    {"prune.rate", SRQ_SET_DOUBLE, AT(prune.rate), "0.2", ABOVE_ZERO, BELOW_ONE, NULL, true,
     "Share of the remaining weights that each level prunes: those of the smallest magnitude."},
    {"prune.scope", SRQ_SET_TEXT, AT(prune.scope), "\"layer\"", 0, 0, "layer|global", true,
     "Whether the rate applies to each layer, or to all layers together."},
    {"prune.rewind", SRQ_SET_SPAN, AT(prune.rewind), "\"0it\"", 0, 1e12, NULL, true,
     "`srq ticket`: stages rewind to the weights of stage learn after this many steps. 0: the initial weights. Also "
     "used without pruning."},
    {"prune.random", SRQ_SET_BOOL, AT(prune.random), "false", 0, 0, NULL, false,
     "`srq ticket`: a further stage for each level, with masks drawn at random that keep as many weights of each layer "
     "(docs/tickets.md)."},
};
const int srq_schema_count = sizeof srq_schema / sizeof *srq_schema;

const char *srq_config_path(int index)
{
    return index >= 0 && index < srq_schema_count ? srq_schema[index].path : NULL;
}

const srq_setting *srq_setting_find(const char *path)
{
    for (int i = 0; i < srq_schema_count; i++)
        if (strcmp(srq_schema[i].path, path) == 0) return &srq_schema[i];
    return NULL;
}
