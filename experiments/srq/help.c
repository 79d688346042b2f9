/* srq help */
#include "core/quant/methods.h"
#include "experiments/srq/commands.h"
#include "io/layer_settings.h"

#include <stdio.h>
#include <string.h>

typedef struct topic {
    const char *name, *summary, *text;
} topic;

static const topic topics[] = {
    {"train", "train a network",
     "usage: [mpirun -n P] srq train CONFIG --out DIR [--set path=value]... [--resume never|auto|FILE]\n"
     "                               [--max-time SPAN] [--trace DIR [--trace-steps A:B]]\n"
     "\n"
     "Trains the network of a configuration and keeps everything about the run in DIR: config.cfg (resolved),\n"
     "log.jsonl, checkpoints/STEP.h5, last.h5 (a link to the newest checkpoint). The result does not depend on the\n"
     "number of ranks P, which may be 1 to train.shards.\n"
     "\n"
     "  --out DIR          the folder of the run; made if it is not there\n"
     "  --set path=value   overrides a setting, such as --set train.epochs=3; may be given several times\n"
     "  --resume never     (default) refuses a DIR that holds a run\n"
     "  --resume auto      goes on from the newest whole checkpoint in DIR, starts if there is none, and does nothing\n"
     "                     if the run is finished\n"
     "  --resume FILE      starts a run in a new DIR from the step, weights and optimizer state of a checkpoint\n"
     "  --max-time SPAN    ends the run after the step in which this time is over: 90s, 30m, 2h, 1d12h, 1:30:00; none\n"
     "                     also ignores the end of the SLURM job (SLURM_JOB_END_TIME)\n"
     "  --trace DIR        writes DIR/trace-A-B.json, a trace of all ranks for ui.perfetto.dev\n"
     "  --trace-steps A:B  the steps in it; without, the 20 after the first\n"
     "\n"
     "SIGTERM, SIGINT or SIGUSR1 to any rank ends the run after the step it is in, with a checkpoint (status 75); so "
     "do\n"
     "--max-time and the end of a SLURM job. If a rank dies, all end with one message and status 4 "
     "(docs/watching.md).\n"
     "`--set train.init=CHECKPOINT` (or an HDF5 file of tensors) starts from weights that are there:\n"
     "docs/fine-tuning.md. `srq help configuration` lists all settings."},
    {"ticket", "learned bit-lengths and pruning against controls, over seeds",
     "usage: [mpirun -n P] srq ticket CONFIG --out DIR [--seeds 1,2,...] [--stage NAME]...\n"
     "                                  [--set path=value]... [--max-time SPAN]\n"
     "\n"
     "CONFIG learns bit-lengths (dropbits.mode = \"learn\"), prunes weights (prune.levels above 0), or both. Each "
     "stage is\n"
     "a run in DIR/seed-S/STAGE, to the same bits on any P; the stages of a seed see the same samples in the same "
     "order:\n"
     "\n"
     "  learn          CONFIG itself: weights and bit-lengths together\n"
     "  rewind         the learned bit-lengths, from the weights that learn had after prune.rewind steps\n"
     "  scratch        the learned bit-lengths, from new random weights\n"
     "  uniform-below, uniform-above   from these too: the learned mean bit-length rounded down and up, in every "
     "layer\n"
     "  shuffled       and the learned bit-lengths dealt out to other layers\n"
     "  prune-01, ...  as rewind, without the share prune.rate of the least weights that the level before has left\n"
     "  reinit-01, ... as scratch, under the same masks\n"
     "\n"
     "  --seeds LIST   train.seed of each; the configuration's by default\n"
     "  --stage NAME   only these stages (uniform, prune, reinit: all of these; compare: none), as separate jobs\n"
     "  --max-time SPAN   of all stages together, as in `srq help train`\n"
     "\n"
     "The same command goes on after a stop (status 75) or a kill, and skips what is finished. It ends with the test\n"
     "errors, their paired differences with 95 % confidence intervals, and DIR/ticket.json. docs/tickets.md says "
     "more."},
    {"sweep", "train the rows of a table, with every seed",
     "usage: [mpirun -n P] srq sweep TABLE [--out DIR] [--only ROW]... [--seeds 1,2] [--index I] [--list | --dry-run]\n"
     "\n"
     "Trains what is missing of a table of experiments (experiments/tables/, docs/tables.md), run after run on the P "
     "ranks\n"
     "that it was started with. Finished runs stay as they are and those that were stopped or killed go on, so the "
     "same\n"
     "command completes a table. A run is DIR/ROW-seedS-HASH, where HASH is of the settings that decide its result: "
     "after\n"
     "a change of settings it has another folder. Several sweeps of one table may run at once: each leaves what "
     "another\n"
     "is working on. A run that fails does not stop the others; it is named at the end (status 4).\n"
     "\n"
     "  --out DIR     the folder of the runs; runs/TABLE by default\n"
     "  --only ROW    only this row; may be given several times\n"
     "  --seeds 1,2   these seeds instead of the table's\n"
     "  --index I     only run number I (from 0) of those that the other options leave, finished or not: for a job "
     "array\n"
     "  --list        trains nothing and prints a line for each run, CONFIG NAME OPTIONS as srq train takes them\n"
     "  --dry-run     trains nothing and shows where each run stands\n"
     "\n"
     "SIGTERM, SIGINT or SIGUSR1 ends the sweep after the step it is in, with a checkpoint (status 75).\n"
     "`srq report --table TABLE` puts the results beside the published ones."},
    {"eval", "test error and loss of a checkpoint",
     "usage: [mpirun -n P] srq eval CHECKPOINT [--data FILE]\n"
     "\n"
     "CHECKPOINT is a file or a run directory (its last checkpoint). The data set is the one the run was trained "
     "with,\n"
     "or FILE."},
    {"inspect", "layers, bits, codes in use, size and operations of a checkpoint; single tensors",
     "usage: srq inspect CHECKPOINT [--json]\n"
     "       srq inspect CHECKPOINT TENSOR [--json]\n"
     "       srq inspect CHECKPOINT --tensors [--json]\n"
     "\n"
     "CHECKPOINT is a file or a run directory (its last checkpoint, and where the run stands). One line for each "
     "layer\n"
     "with parameters or an activation quantizer, and one for each quantizer:\n"
     "\n"
     "  W/A           bits of its weights and of the activations it reads; 32 for what is not quantized, images too\n"
     "  size          packed: weights at their bits; step sizes, biases and batch-norm as float32\n"
     "  MACs, BOPs    multiply-accumulates for one image, and bit operations: MACs x W bits x A bits\n"
     "  alpha, sigma  step size and noise scale; smallest..largest where each output channel has its own\n"
     "  codes         grid points that some weight is on, of all grid points\n"
     "  zeros         share of weights whose value on the grid is 0\n"
     "  error         relative quantization error of the weights w, |w - value|^2 / |w|^2, with the value on the grid\n"
     "\n"
     "Of pruned layers, which weights their masks keep (docs/tickets.md): sizes count a mask as a bit a weight, MACs "
     "and\n"
     "BOPs the weights that are left.\n"
     "\n"
     "Below: the probability that each gate of DropBits is open; size and BOPs of the whole, these also relative to\n"
     "float32 (32/32) and to the same network with each quantized tensor at 8 bits; bit-lengths over training, where\n"
     "they changed. Sources are in docs/method.md.\n"
     "\n"
     "TENSOR is a data set of the file, such as layers/conv1/weight (\"layers/\" may be left out) or\n"
     "optimizer/m/fc1/bias: shape, range, mean, standard deviation, quantiles, zeros, what is not finite, and a\n"
     "histogram; of quantized weights over their codes, and over their distance from the grid. --tensors has a line "
     "for\n"
     "each. Both look into checkpoints that hold NaN as well, which no network can use.\n"
     "\n"
     "  --json        the same as one JSON object; what is not finite is null"},
    {"diff", "compare two checkpoints, bit for bit or within a tolerance",
     "usage: srq diff A B [--tolerance ABSOLUTE] [--relative SHARE] [--all] [--json]\n"
     "\n"
     "A and B are checkpoints or run directories. Status 0 if they are at the same step of the same training: step,\n"
     "penalty, weights, quantizers, bit-lengths and their history, and the optimizer's state are equal bit for bit;\n"
     "1 if not. Of each tensor that differs: how many numbers do, the largest difference, the same relative to the\n"
     "largest magnitude in both, and in which element; the relatively largest first, 10 of them.\n"
     "\n"
     "  --tolerance ABSOLUTE   takes floats as equal whose difference is not above ABSOLUTE ...\n"
     "  --relative SHARE       ... or not above SHARE of the largest magnitude in their tensor, in A or B\n"
     "  --all                  shows every difference\n"
     "  --json                 one JSON object with all of them; a difference that is not finite is null\n"
     "\n"
     "Infinities and NaN are equal to the same bits only, under a tolerance, too; integers and texts have none. Not\n"
     "compared: the configuration (the first setting that differs is named), what the file says of its versions and "
     "its\n"
     "digest, of the length of the plan, and of an evaluation, and what others have added at its root."},
    {"report", "tables and plots of runs, or one run live",
     "usage: srq report DIR... [--out FOLDER]\n"
     "       srq report --table TABLE [DIR...] [--out FOLDER]\n"
     "       srq report --follow DIR\n"
     "\n"
     "Each DIR is a run directory, or a folder below which there are some. FOLDER, DIR/report by default, gets\n"
     "report.html (one page that needs no other file), report.md, report.csv (a line for each configuration), "
     "runs.csv\n"
     "(a line for each run) and plots/ (SVG and PNG); of lottery tickets also tickets.csv (paired differences) and\n"
     "pruning.csv (error by weights left).\n"
     "\n"
     "Runs whose settings differ in train.seed alone, and a stage of a ticket (`srq ticket`) over its seeds, are one\n"
     "configuration: mean and standard deviation (of the sample) are over their last evaluations. What differs from\n"
     "other configurations names it. Plots: error against bit operations and size, learning curves, bit-lengths that\n"
     "change, and weights over the grid, from the checkpoints that are kept. They need gnuplot; without it the rest "
     "is\n"
     "made. Runs may be under way.\n"
     "\n"
     "  --table TABLE   the rows of a table of experiments in its order, published figures beside them, and what is "
     "missing;\n"
     "             DIR is runs/TABLE by default\n"
     "  --follow   shows the run in DIR, on a terminal or as plain lines on a pipe, until it ends or Ctrl-C\n"
     "\n"
     "docs/report.md says how to read it."},
    {"data", "import and describe data sets",
     "usage: [mpirun -n P] srq data import SOURCE DEST.h5 [--skip-bad]\n"
     "       srq data info FILE.h5\n"
     "\n"
     "import makes one HDF5 file of a folder, which holds one of:\n"
     "\n"
     "  train/CLASS/IMAGE, and test/CLASS/IMAGE or val/CLASS/IMAGE, where images are .jpg, .jpeg or .png\n"
     "  data_batch_1.bin to data_batch_5.bin, test_batch.bin, batches.meta.txt (CIFAR-10, binary version)\n"
     "  train.bin, test.bin, fine_label_names.txt (CIFAR-100, binary version)\n"
     "  train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, each plain\n"
     "  or with .gz (MNIST and its kin)\n"
     "\n"
     "A file at DEST.h5 is never overwritten; if it holds the same data, nothing is done. Images in folders are "
     "decoded\n"
     "by all P ranks, to the same file on any number of them; an import that was killed goes on where it was. Bad\n"
     "images are listed and end it with status 3, after all have been looked at:\n"
     "\n"
     "  --skip-bad         leaves them out and writes their list to DEST.h5.skipped.txt\n"
     "\n"
     "docs/data.md says more: what is stored how, and augmentation in training."},
    {"check", "kernels against golden cases",
     "usage: srq check golden FILE.h5\n"
     "\n"
     "Runs every case of a file of golden cases (format srq-golden) whose method this version has, and prints the "
     "worst\n"
     "error of each method, relative to the largest magnitude in the case. Status 1 if one is too large."},
    {"bench", "how fast quantizers, training steps and sums over ranks are here",
     "usage: srq bench quantizer [--json] [--elements N] [--bits LIST] [--seconds S] [--model FILE|none]\n"
     "       mpirun -n P srq bench step [--json] [--model FILE] [--batch N] [--shards V] [--engine E] [--method M]\n"
     "                                  [--estimator full|argmax] [--bits B] [--bucket-mb B]\n"
     "                                  [--wire float32|bfloat16] [--no-overlap] [--seconds S] [--layers]\n"
     "       mpirun -n P srq bench allreduce [--json] [--elements N] [--shards V] [--bucket-mb B]\n"
     "                                  [--wire float32|bfloat16] [--seconds S]\n"
     "\n"
     "quantizer times each quantizer on one core: forward with codes out, and backward, in elements a second, on "
     "weights drawn\n"
     "from a normal distribution with the step size of least mean square error and sigma = alpha / 3. Then training\n"
     "steps of a network at 2/2 bits on random images, batch 128 in 8 shards, and the share of them that quantizers\n"
     "take. Methods take turns in 5 rounds; the median of the rounds is printed with the [least..most].\n"
     "\n"
     "  --elements N   size of the tensors; 1000000 by default\n"
     "  --bits LIST    bit-lengths; 2,3,4,6,8 by default\n"
     "  --seconds S    of each measurement, over all rounds; 0.5 by default, which takes about half a minute in all\n"
     "  --model FILE   the network of the training steps, a model file; LeNet-5 by default; none leaves them out\n"
     "\n"
     "step times whole training steps (SGD with momentum) on random images: images a second, where the time of rank 0\n"
     "goes by operator and direction, memory by purpose, and how near convolutions come to the speed of a large 3 x 3\n"
     "one. The median of 5 rounds is printed with the [least..most].\n"
     "\n"
     "  --model FILE   a model file; LeNet-5 by default\n"
     "  --batch N, --shards V   128 images in 8 shards by default; each rank runs its shards one by one, and larger\n"
     "                 ones save sums of gradients\n"
     "  --engine E     auto (default), mixed, float32, reference: see train.engine in `srq help configuration`\n"
     "  --method M     any of `srq help methods`, the first by default, or float32\n"
     "  --bits B       of weights and activations, 4 by default\n"
     "  --bucket-mb B, --wire W, --no-overlap   as train.bucket_mb, train.wire, train.overlap = false\n"
     "  --seconds S    of all rounds; 5 by default\n"
     "  --layers       a line for every layer\n"
     "\n"
     "allreduce times what a step exchanges, without the step: the sum of a vector of gradients over shards, in "
     "buckets,\n"
     "and the gathering of new weights; beside MPI_Allreduce of the same vector, which adds in an order of its own. "
     "And\n"
     "messages between the first and the last rank, which give the latency and the bandwidth of docs/scaling.md.\n"
     "\n"
     "  --elements N   floats of the vector; 13000000 by default, the size of VGG-7\n"
     "  --shards V     as many as ranks by default;  --bucket-mb B  4 by default"},
    {"version", "versions of srq and its libraries", "usage: srq version"},
    {"help", "this list, or more on one command",
     "usage: srq help [COMMAND | configuration [--markdown] | methods | layers [--markdown]]"},
};
enum { TOPICS = sizeof topics / sizeof *topics };

static void print_overview(void)
{
    printf("srq trains low-bit neural networks with Semi-Relaxed Quantization on many ranks, exactly.\n\n"
           "usage: srq COMMAND ...\n\n");
    for (int i = 0; i < TOPICS; i++) printf("  %-9s %s\n", topics[i].name, topics[i].summary);
    printf(
        "\n`srq help COMMAND` says more; `srq help configuration` lists the settings of configurations,\n"
        "`srq help methods` the methods of quantization, and `srq help layers` the types of layers in model files.\n\n"
        "Exit status: 0 done; 1 the answer is no (diff, check); 2 usage or configuration; 3 data or checkpoint;\n"
        "4 run-time failure; 75 stopped on request after saving.\n\n"
        "First run:\n"
        "  srq data import /usr/share/datasets/fashion-mnist data/fashion-mnist.h5\n"
        "  mpirun -n 2 srq train experiments/quickstart.cfg --out runs/first\n");
}

/* What the tables of the methods say. */
static void print_methods(void)
{
    const srq_quantizer_method *method;
    printf("Methods of quantization, for quantizer.method:\n\n");
    for (int i = 0; (method = srq_quantizer_list(i)); i++) {
        printf("  %-9s %s\n", method->name, method->summary);
        for (int k = 0; method->settings && method->settings[k]; k++)
            printf("%s%s", k ? ", " : "            settings of its own: ", method->settings[k]);
        if (method->settings) printf("\n");
        if (method->has_sigma) printf("            learns the scale of its noise, sigma\n");
        if (method->has_gates) printf("            can be under DropBits (dropbits.mode)\n");
        if (method->point) printf("            its grid is not evenly spaced\n");
    }
    printf("  %-9s no quantization\n", "float32");
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
    if (strcmp(argv[1], "methods") == 0) {
        print_methods();
        return SRQ_OK;
    }
    for (int i = 0; i < TOPICS; i++) {
        if (strcmp(topics[i].name, argv[1]) != 0) continue;
        printf("srq %s: %s\n\n%s\n", topics[i].name, topics[i].summary, topics[i].text);
        return SRQ_OK;
    }
    return srq_fail(SRQ_ERROR_USAGE, "help: no command is called \"%s\"; `srq help` lists them", argv[1]);
}
