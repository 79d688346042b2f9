/* The network that benchmarks train without a model file. */
#include "experiments/srq/commands.h"

/* The text of experiments/models/lenet5.cfg, so that the program needs no file. */
const char srq_lenet5[] =
    "{ name = \"lenet5\"; input = { height = 28; width = 28; channels = 1; }; classes = 10; layers = ("
    "{ name = \"conv1\"; type = \"conv\"; out = 32; kernel = 5; }, { name = \"relu1\"; type = \"relu\"; },"
    "{ name = \"pool1\"; type = \"max_pool\"; kernel = 2; }, { name = \"act1\"; type = \"quantize\"; },"
    "{ name = \"conv2\"; type = \"conv\"; out = 64; kernel = 5; }, { name = \"relu2\"; type = \"relu\"; },"
    "{ name = \"pool2\"; type = \"max_pool\"; kernel = 2; }, { name = \"act2\"; type = \"quantize\"; },"
    "{ name = \"fc1\"; type = \"dense\"; out = 512; }, { name = \"relu3\"; type = \"relu\"; },"
    "{ name = \"act3\"; type = \"quantize\"; }, { name = \"fc2\"; type = \"dense\"; out = \"classes\"; } ); }";
