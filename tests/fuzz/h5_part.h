/* What the harnesses of HDF5 files share. srq reads such a file in a process of its own, whose death is a refusal
 * (io/h5_internal.h). What must not happen is that srq itself dies, hangs, or takes much memory. */
#ifndef SRQ_TESTS_FUZZ_H5_PART_H
#define SRQ_TESTS_FUZZ_H5_PART_H

#include "core/graph.h"
#include "tests/fuzz/fuzz.h"

/* The configurations of the small networks that the seeds are made with: one layer that learns its bit-length, and
 * several layers. */
#define SRQ_FUZZ_LEARN                                                                                                 \
    "model = { name = \"net\"; input = { height = 2; width = 2; channels = 1; }; classes = 2;\n"                       \
    "  layers = ( { name = \"fc1\"; type = \"dense\"; out = 2; bias = false; } ); };\n"                                \
    "data = { file = \"d.h5\"; };\noptimizer = { method = \"sgd\"; };\n"                                               \
    "quantizer = { method = \"srq\"; weight_bits = 4; };\ndropbits = { mode = \"learn\"; };\n"
#define SRQ_FUZZ_LAYERS                                                                                                \
    "model = { name = \"net\"; input = { height = 4; width = 4; channels = 1; }; classes = 2;\n"                       \
    "  layers = ( { name = \"conv1\"; type = \"conv\"; out = 2; kernel = 3; },\n"                                      \
    "             { name = \"norm1\"; type = \"batch_norm\"; }, { name = \"act1\"; type = \"quantize\"; },\n"          \
    "             { name = \"fc1\"; type = \"dense\"; out = \"classes\"; } ); };\n"                                    \
    "data = { file = \"d.h5\"; }; train = { average = 0.9; };\n"                                                       \
    "quantizer = { method = \"srq\"; weight_bits = 2; activation_bits = 3; };\n"

/* Checks that srq, without the process that reads, needs at most 200 MB of memory more than at the start. Call `begin`
 * in srq_fuzz_start, and `end` after each input. (libFuzzer and CTest limit the time.) */
void srq_fuzz_begin_limits(void);
void srq_fuzz_end_limits(void);

/* Reads all objects and attributes of a file of any format, as `srq inspect --tensors` does. */
srq_status srq_fuzz_read_everything(const char *path, const char *what);
/* Notes the parameters of a network. */
void srq_fuzz_note_graph(const srq_graph *graph);

#endif
