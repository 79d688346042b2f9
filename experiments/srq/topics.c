#include "experiments/srq/topics.h"

#include "io/closest.h"

#include <string.h>

static const srq_topic topics[] = {
    {"train", "train a network",
     "usage: [mpirun -n P] srq train CONFIG --out DIR [--set path=value]... [--resume never|auto|FILE|DIR]\n"
     "                               [--threads N] [--max-time SPAN] [--quiet] [--trace DIR [--trace-steps A:B]]\n"
     "\n"
     "Trains the network of a configuration. DIR becomes the run directory: config.cfg (resolved), log.jsonl,\n"
     "checkpoints/STEP.h5, and last.h5 (a link to the newest checkpoint). The result does not depend on the number\n"
     "of ranks P, which can be 1 to train.shards, or of threads N.\n"
     "\n"
     "  --out DIR          the run directory; created if it does not exist\n"
     "  --set path=value   overrides a setting, for example --set train.epochs=3; can be given several times\n"
     "  --resume never     (default) refuses a DIR that holds a run\n"
     "  --resume auto      resumes from the newest whole checkpoint in DIR; starts the run if there is no checkpoint,\n"
     "                     and does nothing if the run is finished\n"
     "  --resume FILE      starts a run in a new DIR from the step, weights and optimizer state of a checkpoint; of a\n"
     "                     run directory, from its newest whole checkpoint. The directory of --out itself means auto\n"
     "  --threads N        threads of each rank; by default, all cores that it may use, divided among the ranks of "
     "the\n"
     "                     node (docs/threads.md)\n"
     "  --max-time SPAN    stops after the step in which this time ends: 90s, 30m, 2h, 1d12h or 1:30:00; none means\n"
     "                     no limit, and also ignores the end of the SLURM job (SLURM_JOB_END_TIME)\n"
     "  --quiet            prints only notes, warnings and errors; log.jsonl has the rest\n"
     "  --trace DIR        writes DIR/trace-A-B.json, a trace of all ranks for ui.perfetto.dev\n"
     "  --trace-steps A:B  the steps to trace; by default the 20 steps after the first\n"
     "\n"
     "SIGTERM, SIGINT or SIGUSR1 to any rank, --max-time and the end of a SLURM job stop the run after the current\n"
     "step and a checkpoint (status 75). If a rank dies, all ranks end with one message and status 4\n"
     "(docs/watching.md). `--set train.init=FILE` starts from the weights of a checkpoint or of an HDF5 file of\n"
     "tensors (docs/fine-tuning.md). `srq help configuration` lists all settings."},
    {"ticket", "compare learned bit-lengths and pruned weights with their controls, over seeds",
     "usage: [mpirun -n P] srq ticket CONFIG --out DIR [--seeds 1,2,...] [--stage NAME]...\n"
     "                                  [--set path=value]... [--threads N] [--max-time SPAN] [--quiet]\n"
     "\n"
     "CONFIG learns bit-lengths (dropbits.mode = \"learn\"), prunes weights (prune.levels above 0), or both. Each\n"
     "stage is a run in DIR/seed-S/STAGE, with the same bits on any number of ranks P. All stages of a seed see the\n"
     "same samples in the same order:\n"
     "\n"
     "  learn          CONFIG itself: trains weights and bit-lengths together\n"
     "  rewind         the learned bit-lengths, from the weights that learn had after prune.rewind steps\n"
     "  scratch        the learned bit-lengths, from new random weights\n"
     "  uniform-below, uniform-above\n"
     "                 the mean of the learned bit-lengths, rounded down and up, in every layer; weights as in "
     "scratch\n"
     "  shuffled       the learned bit-lengths in another order of layers; weights as in scratch\n"
     "  fine-tune      the learned bit-lengths, from the initial weights of CONFIG. With prune.rewind = 0 it is the\n"
     "                 same run as rewind, and only one of them is trained\n"
     "  fine-tune-below, fine-tune-above, fine-tune-shuffled\n"
     "                 as uniform and shuffled, from the same weights as fine-tune; only if train.init is a file\n"
     "  prune-01, ...  as rewind; each level prunes the share prune.rate of the weights that are left\n"
     "  reinit-01, ... as scratch, with the same masks as prune\n"
     "  random-01, ... as prune, with random masks that keep as many weights of each layer; with prune.random\n"
     "\n"
     "  --seeds LIST      the values of train.seed; by default, that of the configuration is trained, and all seeds\n"
     "                    in DIR are compared\n"
     "  --stage NAME      only this stage; can be given several times. uniform, fine-tune-uniform, prune, reinit and\n"
     "                    random stand for all stages of that kind; compare trains nothing and compares the\n"
     "                    finished stages\n"
     "  --threads N       threads of each rank, as in `srq help train`\n"
     "  --max-time SPAN   for all stages together, as in `srq help train`\n"
     "  --quiet           no progress: only notes, errors, finished stages and the comparison\n"
     "\n"
     "After a stop (status 75) or a kill, the same command resumes and skips finished stages. It ends with the test\n"
     "errors, their paired differences with 95 % confidence intervals, and DIR/ticket.json (docs/tickets.md)."},
    {"sweep", "train the rows of a table, or a configuration with several values, with every seed",
     "usage: [mpirun -n P] srq sweep TABLE [--out DIR] [--only ROW]... [--seeds 1,2] [--index I]\n"
     "                               [--threads N] [--quiet] [--list | --dry-run]\n"
     "       [mpirun -n P] srq sweep CONFIG --set path=value,value,... [--set ...]... [the same options]\n"
     "\n"
     "Trains the missing runs of a table of experiments (experiments/tables/, docs/tables.md), one after another on\n"
     "P ranks. Finished runs are not trained again, and stopped or killed runs resume, so the same command completes\n"
     "a table. A run has the directory DIR/ROW-seedS-HASH. HASH is computed from the settings that decide the\n"
     "result, so changed settings give another directory. Several sweeps of one table can run at the same time: each\n"
     "skips the runs that another one is training. If a run fails, the others continue; the failure is reported at\n"
     "the end (status 4).\n"
     "\n"
     "CONFIG with --set needs no table: every combination of the values is a row, and train.seed gives the seeds.\n"
     "A value with a comma needs quotes within the argument: --set 'quantizer.weight_bits=\"8 until 5ep, then 4\",2'.\n"
     "The runs have the names and settings that they would have in a table with these rows.\n"
     "\n"
     "  --out DIR     the folder of the runs; by default runs/TABLE, or runs/CONFIG\n"
     "  --only ROW    only this row; can be given several times\n"
     "  --seeds 1,2   these seeds instead of those of the table\n"
     "  --index I     only run number I of the selected runs, counted from 0, finished or not; for job arrays\n"
     "  --threads N   threads of each rank, as in `srq help train`\n"
     "  --quiet       no progress: only notes, errors, failures and the number of runs\n"
     "  --list        trains nothing and prints a line for each run: CONFIG NAME OPTIONS, the arguments of srq train\n"
     "  --dry-run     trains nothing and prints the state of each run\n"
     "\n"
     "SIGTERM, SIGINT or SIGUSR1 stops the sweep after the current step and a checkpoint (status 75).\n"
     "`srq report --table TABLE` shows the results beside the published ones."},
    {"eval", "test error and loss of a checkpoint, or of weights as they are",
     "usage: [mpirun -n P] srq eval CHECKPOINT [--data FILE] [--trained] [--classes] [--threads N] [--json]\n"
     "       [mpirun -n P] srq eval CONFIG.cfg [--set path=value]... [--classes] [--threads N] [--json]\n"
     "\n"
     "CHECKPOINT is a file, or a run directory (its last checkpoint). The data set is the one that the run was\n"
     "trained with, or FILE; the network keeps the mean and standard deviation of its training. A deployed network\n"
     "(`srq export --to h5`) is evaluated on FILE.\n"
     "\n"
     "CONFIG.cfg evaluates the state in which `srq train` would start: for example, with --set train.init=FILE, the\n"
     "weights of FILE as they are. Nothing is trained, and batch-norm statistics are those of FILE. Quantizers are\n"
     "initialized from the weights and the first batch of training images.\n"
     "\n"
     "  --data FILE        another data set\n"
     "  --set path=value   overrides a setting of the configuration; can be given several times\n"
     "  --threads N        threads of each rank; by default, all cores that it may use\n"
     "  --trained          in a run with train.average: the weights of training, not their average\n"
     "  --classes          also shows the error of each class and the confusion matrix (for more than 20 classes, the\n"
     "                     most frequent confusions); with 10 classes or more, the top-5 error: the share of images\n"
     "                     whose class is not among the five most probable ones\n"
     "  --json             prints one JSON object, with all digits; with --classes, the whole confusion matrix"},
    {"predict", "classes, probabilities and logits of images",
     "usage: srq predict CHECKPOINT IMAGE|FOLDER... [--data FILE] [--top K] [--logits] [--csv | --json]\n"
     "       srq predict CHECKPOINT DATA.h5 [--split test|train|validation] [the same options]\n"
     "\n"
     "CHECKPOINT is a file, or a run directory (its last checkpoint). Prints a line for each image: its most probable\n"
     "class, and the probability (softmax of the logits). It can also be a file of `srq export --to h5`, which needs "
     "no\n"
     "data set for single images.\n"
     "\n"
     "IMAGE is a JPEG or PNG of any size, and FOLDER is searched for .jpg, .jpeg and .png, also in the folders below\n"
     "it, in the order of their names. Images are prepared as in evaluation: resized to data.resize and cut in the\n"
     "middle for a data set of encoded images; otherwise resized so that they cover the network's input, and cut.\n"
     "For a network with one channel, colours become grey. The data set that the run was trained with, or that of\n"
     "--data, gives the names of classes. The network keeps the mean and standard deviation of its training.\n"
     "\n"
     "DATA.h5 is a data set made by `srq data import`. Its images are prepared as `srq eval --data DATA.h5` does, and\n"
     "give the same error.\n"
     "\n"
     "  --split NAME   test (default), train (the images that were trained on, without augmentation) or validation\n"
     "                 (those of data.validation)\n"
     "  --data FILE    another data set for the names of classes\n"
     "  --top K        the K most probable classes; by default 1\n"
     "  --logits       also prints the logits of all classes\n"
     "  --csv          prints a table for other programs, with all digits\n"
     "  --json         prints one JSON object, with all digits\n"
     "\n"
     "An image that cannot be read is named (\"bad image: ...\") and skipped; the status is then 3 (docs/predict.md)."},
    {"export", "write the network for other programs: ONNX, C, or tensors alone",
     "usage: srq export CHECKPOINT --to FORMAT OUT [--check FILE] [--data FILE] [--style NAME] [--name NAME]\n"
     "\n"
     "CHECKPOINT is a file, or a run directory (its last checkpoint). Writes the deployed network, which predicts as\n"
     "`srq eval` does, to OUT. An existing OUT is never overwritten. FORMAT is one of\n"
     "\n"
     "  onnx          OUT.onnx: with --style integer (default), ConvInteger and MatMulInteger, for ONNX Runtime, with "
     "the\n"
     "                logits of `srq eval --data` on OUT.h5; with --style qdq, QuantizeLinear and DequantizeLinear "
     "with\n"
     "                weights of 4 or 8 bits, for tools that fuse them; with --style qdq-int2, also of 2\n"
     "                bits (operator set 25)\n"
     "  qonnx         OUT.onnx: Quant nodes with the true bit-lengths, for tool chains of FPGAs\n"
     "  c             OUT.c and OUT.h: C99 without libraries or allocation; convolutions are sums of integers\n"
     "  h5            OUT.h5: codes at their bit-length, scales, and folded batch-norm; `srq inspect` and `srq eval`\n"
     "                read it\n"
     "\n"
     "  --check FILE  runs the result on the test images of a data set, and compares it with evaluation; the status is "
     "1\n"
     "                if a prediction differs. C is compiled with $CC, or cc; ONNX is run by onnxruntime-node, if it "
     "is\n"
     "                installed\n"
     "  --data FILE   the data set for class names and examples; by default, that of the checkpoint\n"
     "  --style NAME  for formats with several styles\n"
     "  --name NAME   for c: the prefix of its names; by default, OUT without .c\n"
     "\n"
     "docs/export.md describes the formats and compares them."},
    {"inspect", "layers, bits, codes in use, size and operations of a checkpoint; single tensors",
     "usage: srq inspect CHECKPOINT [--json]\n"
     "       srq inspect CHECKPOINT TENSOR [--json]\n"
     "       srq inspect CHECKPOINT --tensors [--json]\n"
     "       srq inspect CHECKPOINT --trained [--json]\n"
     "\n"
     "CHECKPOINT is a file, or a run directory (its last checkpoint, and the state of the run). Of a deployed network\n"
     "(`srq export --to h5`), prints the operations. Of others, prints one line for each layer with parameters or an\n"
     "activation quantizer, and one line for each quantizer:\n"
     "\n"
     "  W/A           bits of the layer's weights and of its input; 32 if not quantized (images are not)\n"
     "  size          packed size: weights at their bits; step sizes, biases and batch-norm as float32\n"
     "  MACs, BOPs    multiply-accumulates for one image, and bit operations: MACs x W bits x A bits\n"
     "  alpha, sigma  step size and noise scale; smallest..largest if each output channel has its own\n"
     "  codes         how many codes of the grid are used by weights, and how many there are\n"
     "  zeros         share of weights whose quantized value is 0\n"
     "  error         relative quantization error of the weights w, |w - q|^2 / |w|^2, with quantized values q\n"
     "\n"
     "For pruned layers, sizes include the mask, one bit per weight, and MACs and BOPs count only the weights that\n"
     "are left (docs/tickets.md).\n"
     "\n"
     "Below the layers: the probability that each gate of DropBits is open; total size and BOPs, also relative to\n"
     "float32 (32/32) and to the same network with each quantized tensor at 8 bits; and changes of bit-lengths during\n"
     "training. docs/method.md names the sources.\n"
     "\n"
     "In a run with train.average, the layers are those that evaluations have, with the average of the values;\n"
     "--trained shows those that training continues with.\n"
     "\n"
     "TENSOR is a data set of the file, for example conv1/weight (short for layers/conv1/weight) or\n"
     "optimizer/m/fc1/bias. Prints shape, range, mean, standard deviation, quantiles, zeros, numbers that are not\n"
     "finite, and a histogram. For quantized weights, the histograms are over codes and over the distance from the\n"
     "grid. --tensors prints a line for each tensor. Both also work on checkpoints with NaN.\n"
     "\n"
     "  --json        prints the same as one JSON object; numbers that are not finite are null"},
    {"diff", "compare two checkpoints, bit for bit or within a tolerance",
     "usage: srq diff A B [--tolerance ABSOLUTE] [--relative SHARE] [--all] [--json]\n"
     "\n"
     "A and B are checkpoints or run directories. The status is 0 if they are at the same step of the same training:\n"
     "step, penalty, weights, quantizers, bit-lengths with their history, and the state of the optimizer are equal\n"
     "bit for bit. Otherwise the status is 1. For each tensor that differs, prints how many numbers differ, the\n"
     "largest difference and its element, and that difference relative to the largest magnitude in both tensors. The\n"
     "10 relatively largest are shown first.\n"
     "\n"
     "  --tolerance ABSOLUTE   floats count as equal if they differ by at most ABSOLUTE ...\n"
     "  --relative SHARE       ... or by at most SHARE of the largest magnitude in their tensor, in A or B\n"
     "  --all                  shows all differences\n"
     "  --json                 prints one JSON object with all differences; those that are not finite are null\n"
     "\n"
     "Infinities and NaN are equal only to the same bits, also with a tolerance. Tolerances do not apply to integers\n"
     "and texts. Not compared: the configuration (the first setting that differs is printed), the file's versions\n"
     "and digest, the total number of steps, the results of evaluations, and attributes that others added."},
    {"report", "tables and plots of runs, or one run live",
     "usage: srq report DIR... [--out FOLDER]\n"
     "       srq report --table TABLE [DIR...] [--out FOLDER]\n"
     "       srq report --follow DIR\n"
     "\n"
     "Each DIR is a run directory, or a folder that contains some. Writes to FOLDER, by default DIR/report:\n"
     "report.html (one page that needs no other file), report.md, report.csv (a line for each configuration),\n"
     "runs.csv (a line for each run) and plots/ (SVG and PNG); for lottery tickets also tickets.csv (paired\n"
     "differences) and pruning.csv (error by weights left).\n"
     "\n"
     "Runs that differ only in train.seed form one configuration. So does a stage of a ticket (`srq ticket`) over its\n"
     "seeds. Mean and sample standard deviation are over the last evaluations of its runs. A configuration is named\n"
     "by the settings in which it differs from the others. The plots show error against bit operations and size,\n"
     "learning curves, changes of bit-lengths, and weights over their grid (from the last checkpoints). They need\n"
     "gnuplot; without it, the rest of the report is written. Runs may still be training.\n"
     "\n"
     "  --table TABLE   shows the rows of a table of experiments in its order, with published figures, and lists\n"
     "                  missing runs; by default DIR is runs/TABLE\n"
     "  --follow        shows the run in DIR until it ends or Ctrl-C: as a screen on a terminal, otherwise as lines\n"
     "\n"
     "docs/report.md explains how to read a report."},
    {"data", "import and describe data sets",
     "usage: [mpirun -n P] srq data import SOURCE DEST.h5 [--skip-bad] [--quiet]\n"
     "       srq data info FILE.h5\n"
     "\n"
     "import makes one HDF5 file from a folder with one of these contents:\n"
     "\n"
     "  train/CLASS/IMAGE, and test/CLASS/IMAGE or val/CLASS/IMAGE, with images .jpg, .jpeg or .png\n"
     "  data_batch_1.bin to data_batch_5.bin, test_batch.bin, batches.meta.txt (CIFAR-10, binary version)\n"
     "  train.bin, test.bin, fine_label_names.txt (CIFAR-100, binary version)\n"
     "  train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, plain or\n"
     "  with .gz (MNIST and similar data sets)\n"
     "\n"
     "An existing DEST.h5 is never overwritten; if it holds the same data, nothing is done. All P ranks decode the\n"
     "images of a folder, and the file is the same for any P. After a kill, the same command resumes the import. Bad\n"
     "images are listed after all images have been read, and the import fails with status 3:\n"
     "\n"
     "  --skip-bad         skips bad images, and writes their list to DEST.h5.skipped.txt\n"
     "  --quiet            no progress and no result: only notes and errors, on standard error\n"
     "\n"
     "docs/data.md describes the file format, and augmentation in training."},
    {"check", "compare kernels with golden cases",
     "usage: srq check golden FILE.h5\n"
     "\n"
     "Runs every case of a file of golden cases (format srq-golden) whose method this version has. Prints the\n"
     "largest error of each method, relative to the largest magnitude in the case. The status is 1 if an error is\n"
     "too large."},
    {"bench", "measure the speed of quantizers, training steps and sums over ranks; the quality of gradients",
     "usage: srq bench quantizer [--json] [--elements N] [--bits LIST] [--seconds S] [--model FILE|none]\n"
     "       mpirun -n P srq bench step [--json] [--model FILE] [--batch N] [--shards V] [--slices S] [--threads N]\n"
     "                                  [--engine E] [--method M] [--estimator full|argmax] [--bits B] [--bucket-mb "
     "B]\n"
     "                                  [--wire float32|bfloat16] [--no-overlap] [--seconds S] [--layers]\n"
     "       srq bench gradients RUN|FILE.h5 [--draws N] [--data FILE] [--json]\n"
     "       mpirun -n P srq bench allreduce [--json] [--elements N] [--shards V] [--bucket-mb B]\n"
     "                                  [--wire float32|bfloat16] [--seconds S]\n"
     "\n"
     "quantizer measures each quantizer on one core, in elements per second: the forward pass, which writes codes,\n"
     "and the backward pass. The weights are drawn from a normal distribution; the step size has the least mean\n"
     "square error, and sigma = alpha / 3. Then it measures training steps of a network at 2/2 bits on random images\n"
     "(batch 128 in 8 shards), and the share of time that quantizers take. The methods take turns in 5 rounds.\n"
     "Prints the median of the rounds with [smallest..largest].\n"
     "\n"
     "  --elements N   size of the tensors; by default 1000000\n"
     "  --bits LIST    bit-lengths; by default 2,3,4,6,8\n"
     "  --seconds S    time for each measurement, over all rounds; by default 0.5, about half a minute in total\n"
     "  --model FILE   the model file for the training steps; by default LeNet-5. none skips them\n"
     "\n"
     "step measures whole training steps (SGD with momentum) on random images. Prints images per second, the time of\n"
     "rank 0 by operator and direction, memory by purpose, and the speed of convolutions relative to a large 3 x 3\n"
     "convolution. Prints the median of 5 rounds with [smallest..largest].\n"
     "\n"
     "  --model FILE   a model file; by default LeNet-5\n"
     "  --threads N    threads of each rank; by default, all cores that it may use\n"
     "  --slices S     slices of each shard (train.slices); by default 1\n"
     "  --batch N, --shards V   by default 128 images in 8 shards. Each thread runs its shards one after another; "
     "with\n"
     "                 larger shards, there are fewer sums of gradients\n"
     "  --engine E     auto (default), mixed, integer, float32 or reference: see `srq help train.engine`\n"
     "  --method M     a method of `srq help methods` (by default the first one), or float32\n"
     "  --bits B       bit-length of weights and activations; by default 4\n"
     "  --bucket-mb B, --wire W, --no-overlap   as train.bucket_mb, train.wire, train.overlap = false\n"
     "  --seconds S    time for all rounds; by default 5\n"
     "  --layers       prints a line for every layer\n"
     "\n"
     "gradients compares the gradients of the engines mixed and integer with those of float32, at a checkpoint and on\n"
     "one shard of its training images: the cosine and the difference of one step, and the bias, which is the mean\n"
     "difference over many draws of the noise of rounding (docs/engine.md).\n"
     "\n"
     "  RUN|FILE.h5    a run directory, whose last checkpoint is taken, or a checkpoint\n"
     "  --draws N      by default 100\n"
     "  --data FILE    another data set than that of the run\n"
     "\n"
     "allreduce measures only the communication of a step: the sum of a vector of gradients over shards, in buckets,\n"
     "and the gathering of new weights. For comparison, it measures MPI_Allreduce of the same vector, in which MPI\n"
     "chooses the order of additions. It also measures messages between the first and the last rank, for the latency\n"
     "and bandwidth of docs/scaling.md.\n"
     "\n"
     "  --elements N   length of the vector in floats; by default 13000000, the size of VGG-7\n"
     "  --shards V     by default the number of ranks\n"
     "  --bucket-mb B  by default 4"},
    {"version", "versions of srq and its libraries", "usage: srq version"},
    {"help", "list of commands, or help on one command or setting",
     "usage: srq help [COMMAND | SETTING | GROUP | configuration [--markdown] | methods | layers [--markdown]]\n"
     "       srq help man|completion\n"
     "\n"
     "SETTING is a setting of configurations such as train.batch, and GROUP a group of them such as quantizer. "
     "`train.`\n"
     "with a point means the group of this name, not the command. man prints the man page, and completion a script "
     "that\n"
     "completes commands, options and settings in bash; `cmake --install` installs both."},
};
enum { TOPICS = sizeof topics / sizeof *topics };

const srq_topic *srq_topic_at(int index)
{
    return index >= 0 && index < TOPICS ? &topics[index] : NULL;
}

const srq_topic *srq_topic_find(const char *name)
{
    for (int i = 0; i < TOPICS; i++)
        if (strcmp(topics[i].name, name) == 0) return &topics[i];
    return NULL;
}

const char *srq_topic_status(int index)
{
    static const char *const lines[] = {"0 done",
                                        "1 the answer is no (diff, check)",
                                        "2 usage or configuration",
                                        "3 data or checkpoint",
                                        "4 run-time failure",
                                        "75 stopped on request after saving"};
    return index >= 0 && index < (int)(sizeof lines / sizeof *lines) ? lines[index] : NULL;
}

const char *srq_topic_closest(const char *word)
{
    static const srq_synonym synonyms[] = {
        {"fit|run|resume|continue|restart|finetune|learn", "train"},
        {"evaluate|evaluation|test|validate|validation|val|score", "eval"},
        {"classify|inference|infer|run_inference|predictions|prediction|forward|label", "predict"},
        {"deploy|deployment|codegen|generate|compile|to-c|save", "export"},
        {"show|describe|summary|print|dump|view|ls|stat", "inspect"},
        {"compare|cmp|difference|equal", "diff"},
        {"plot|plots|results|logs|log|watch|tail|monitor|table|follow|status", "report"},
        {"import|convert|prepare|dataset|datasets|info|download", "data"},
        {"benchmark|speed|profile|time|perf", "bench"},
        {"grid|search|array|seeds|hyperparameters", "sweep"},
        {"lottery|lottery_ticket|prune|pruning", "ticket"},
        {"verify|golden|selftest|self_test", "check"},
        {"usage|man|commands|list|config|configuration|settings|options", "help"},
        {"v|about", "version"},
    };
    const char *names[TOPICS];
    const char *found = srq_synonym_find(synonyms, sizeof synonyms / sizeof *synonyms, word);
    for (int i = 0; i < TOPICS; i++) names[i] = topics[i].name;
    return found ? found : srq_near(word, names, TOPICS);
}
