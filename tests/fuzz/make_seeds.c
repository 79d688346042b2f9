/* make_seeds FOLDER: writes the HDF5 files from which the harnesses start: FOLDER/checkpoint/, dataset/, weights/,
 * golden/ and deployed/, some kB each. They are made and not stored, so that they have today's format. */
#include "core/deploy_graph.h"
#include "core/mask.h"
#include "core/optimizer.h"
#include "core/prune.h"
#include "io/checkpoint.h"
#include "io/dataset_write.h"
#include "io/deployed.h"
#include "io/file.h"
#include "io/image.h"
#include "io/import_folder.h"
#include "io/masks.h"
#include "io/path.h"
#include "io/weights.h"
#include "tests/fuzz/h5_part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *folder;

static const char *at(const char *name)
{
    static char paths[4][SRQ_PATH_SIZE];
    static int next;
    next = (next + 1) % 4;
    snprintf(paths[next], SRQ_PATH_SIZE, "%s/%s", folder, name);
    return paths[next];
}

static void must(srq_status status)
{
    if (status == SRQ_OK) return;
    fprintf(stderr, "make_seeds: %s\n", srq_message());
    exit(1);
}

/* --- Checkpoints, weights and masks of one network */

static void write_checkpoint(const srq_config *config, srq_graph *graph, const char *name)
{
    srq_optimizer *optimizer = NULL;
    srq_snapshot *snapshot = NULL;
    srq_bits_history history = {0};
    const srq_settings *s = srq_config_settings(config);
    const srq_optimizer_options options = {.method = strcmp(s->optimizer.method, "sgd") == 0 ? SRQ_SGD : SRQ_ADAM,
                                           .learning_rate = 1e-3,
                                           .beta1 = 0.9,
                                           .beta2 = 0.999,
                                           .average = s->train.average};
    const srq_progress_point point = {.step = 20,
                                      .total_steps = 40,
                                      .evaluated = true,
                                      .test_loss = 0.5,
                                      .test_error = 0.25,
                                      .test_count = 4,
                                      .data_sha256 = "0123456789abcdef",
                                      .arithmetic = "none",
                                      .penalty = 0.01};
    must(srq_graph_set_statistics(graph, (float[]){0.25f}, (float[]){0.5f})); /* of one channel */
    must(srq_optimizer_create(graph, &options, &optimizer));
    srq_optimizer_set_steps(optimizer, 20);
    must(srq_bits_history_note(&history, graph, 0));
    must(srq_snapshot_create(config, graph, optimizer, "srq for fuzzing", &snapshot));
    must(srq_snapshot_take(snapshot, &point, &history));
    must(srq_checkpoint_write(at(name), snapshot));
    srq_snapshot_destroy(&snapshot);
    srq_bits_history_free(&history);
    srq_optimizer_destroy(&optimizer);
}

/* With initialized quantizers. `graph` is for one image. */
static void make_network(const char *text, srq_config **config, srq_graph **graph)
{
    const srq_graph_options options = {.capacity = 1, .engine = "reference"};
    must(srq_config_parse(text, "config", config));
    must(srq_graph_create(&srq_config_settings(*config)->model, &options, graph));
    const srq_model_spec *model = srq_graph_spec(*graph);
    srq_graph_initialize(*graph, 1, SRQ_GAIN_HE);
    for (int i = 0; i < model->height * model->width; i++) srq_graph_input(*graph)[i] = (float)(i % 5) / 4;
    must(srq_graph_start(*graph, 1));
    must(srq_graph_prepare(*graph));
}

static void write_deployed(srq_graph *graph, const char *name)
{
    static char *classes[] = {"no", "yes"};
    static float factor[] = {1.0f / 255}, summand[] = {-0.5f};
    const srq_deploy_input input = {
        .multiply = factor, .add = summand, .channels = 1, .classes = 2, .class_names = classes, .data_name = "none"};
    srq_deploy *net = NULL;
    must(srq_graph_prepare(graph));
    must(srq_deploy_create(graph, &input, &net));
    must(srq_deployed_write(at(name), net));
    srq_deploy_destroy(&net);
}

static void write_networks(void)
{
    srq_config *config = NULL;
    srq_graph *graph = NULL;
    make_network(SRQ_FUZZ_LEARN, &config, &graph);
    write_checkpoint(config, graph, "checkpoint/small.h5");
    srq_graph_destroy(&graph);
    srq_config_destroy(&config);
    make_network(SRQ_FUZZ_LAYERS, &config, &graph);
    must(srq_weights_write(at("weights/of-srq.h5"), graph, 20));
    write_deployed(graph, "deployed/whole.h5");
    must(srq_graph_prune(graph, 0.3, true));
    write_deployed(graph, "deployed/pruned.h5");
    write_checkpoint(config, graph, "checkpoint/pruned.h5");
    must(srq_masks_save(at("weights/masks.h5"), graph));
    srq_graph_destroy(&graph);
    srq_config_destroy(&config);
}

/* --- Weights as another program writes them: compressed, in chunks, big-endian, in groups, with a text */

static void put_set(hid_t file, const char *name, hid_t type, int rank, const hsize_t *shape, hid_t properties)
{
    float zeros[256] = {0};
    hid_t space = H5Screate_simple(rank, shape, NULL);
    hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    for (int i = 0; i < 256; i++) zeros[i] = (float)i / 256;
    H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros);
    H5Dclose(set);
    H5Sclose(space);
}

static void write_other(const char *name, H5F_libver_t version)
{
    const hsize_t conv[4] = {2, 1, 3, 3}, dense[2] = {2, 8}, two = 2;
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_libver_bounds(access, version, H5F_LIBVER_LATEST);
    H5Pset_chunk(properties, 2, (const hsize_t[]){1, 8});
    H5Pset_shuffle(properties);
    H5Pset_deflate(properties, 6);
    hid_t file = H5Fcreate(at(name), H5F_ACC_TRUNC, H5P_DEFAULT, access);
    put_set(file, "conv1.weight", H5T_IEEE_F32BE, 4, conv, H5P_DEFAULT);
    put_set(file, "conv1.bias", H5T_IEEE_F32LE, 1, &two, H5P_DEFAULT);
    hid_t group = H5Gcreate2(file, "fc1", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    put_set(group, "weight", H5T_IEEE_F64LE, 2, dense, properties);
    H5Gclose(group);
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    const char *text = "made by another program";
    H5Tset_size(type, H5T_VARIABLE);
    hid_t attribute = H5Acreate2(file, "comment", type, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, type, &text);
    H5Aclose(attribute), H5Tclose(type), H5Sclose(space);
    if (H5Fclose(file) < 0) exit(1);
    H5Pclose(properties), H5Pclose(access);
}

/* --- Data sets */

static void write_plain_dataset(void)
{
    enum { IMAGES = 4, PIXELS = 16 };
    static const char *const classes[] = {"cat", "dog"};
    const srq_about about = {"seed", "/data/seed", "0123456789abcdef", 2, classes};
    const size_t shape[3] = {4, 4, 1};
    const int32_t labels[IMAGES] = {0, 1, 1, 0};
    uint8_t pixels[IMAGES * PIXELS];
    for (int i = 0; i < IMAGES * PIXELS; i++) pixels[i] = (uint8_t)(37 * i);
    const srq_plain_split split = {IMAGES, pixels, labels};
    must(srq_plain_write(&about, shape, (const srq_plain_split[]){split, split}, at("dataset/plain.h5")));
}

static void write_image(const char *name, int height, int width)
{
    srq_image image = {0};
    uint8_t *bytes = NULL;
    size_t size = 0;
    must(srq_image_reserve(&image, height, width));
    for (int i = 0; i < height * width * SRQ_IMAGE_CHANNELS; i++) image.pixels[i] = (uint8_t)(11 * i);
    must(srq_image_encode(&image, 60, &bytes, &size));
    must(srq_file_write_atomic(at(name), bytes, size));
    free(bytes);
    srq_image_free(&image);
}

static void write_encoded_dataset(void)
{
    static const char *const images[] = {"images/train/cat/a.jpg", "images/train/dog/b.jpg", "images/val/cat/c.jpg",
                                         "images/val/dog/d.jpg"};
    bool done_already;
    srq_import *import = NULL;
    srq_import_counts counts = {0};
    for (int i = 0; i < 4; i++) {
        char path[SRQ_PATH_SIZE];
        snprintf(path, sizeof path, "%s", at(images[i]));
        *strrchr(path, '/') = '\0';
        must(srq_folder_create(path));
        write_image(images[i], 8 + i, 12 - i);
    }
    must(srq_file_remove(at("dataset/encoded.h5")));
    must(srq_import_open(at("images"), at("dataset/encoded.h5"), &done_already, &import));
    for (size_t i = 0; i < import->parts; i++) must(srq_import_make_part(import, i, &counts, NULL, NULL));
    must(srq_import_join(import, false, NULL));
    srq_import_destroy(&import);
}

/* --- A golden case */

static void write_golden(void)
{
    enum { COUNT = 3 };
    static const char *const sets[] = {"case/x", "case/grad_out", "case/y", "case/grad_x"};
    const size_t three = COUNT;
    const int32_t codes[COUNT] = {-4, 0, 3};
    const float values[COUNT] = {-1, 0, 0.75f}, one = 0.5f;
    srq_h5_writer *w = NULL;
    must(srq_h5_writer_create("srq-golden", 1, &w));
    must(srq_h5_write_group(w, "case"));
    must(srq_h5_write_attribute_text(w, "case", "method", "lsq"));
    must(srq_h5_write_attribute_int(w, "case", "bits", 3));
    must(srq_h5_write_attribute_int(w, "case", "signed", 1));
    must(srq_h5_write_attribute_double(w, "case", "alpha", 0.25));
    for (int i = 0; i < 4; i++) must(srq_h5_write(w, sets[i], H5T_NATIVE_FLOAT, 1, &three, values));
    must(srq_h5_write(w, "case/code", H5T_NATIVE_INT32, 1, &three, codes));
    must(srq_h5_write(w, "case/grad_alpha", H5T_NATIVE_FLOAT, 0, NULL, &one));
    must(srq_h5_writer_commit(w, at("golden/lsq.h5")));
    srq_h5_writer_destroy(&w);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: make_seeds FOLDER\n");
        return 2;
    }
    folder = argv[1];
    static const char *const kinds[] = {"checkpoint", "dataset", "weights", "golden", "deployed"};
    for (int i = 0; i < 5; i++) must(srq_folder_create(at(kinds[i])));
    write_networks();
    write_other("weights/of-another-program.h5", H5F_LIBVER_EARLIEST);
    write_other("weights/of-another-program-new.h5", H5F_LIBVER_LATEST);
    write_plain_dataset();
    write_encoded_dataset();
    write_golden();
    return 0;
}
