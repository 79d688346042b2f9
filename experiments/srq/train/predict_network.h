/* The network that `srq predict` asks: that of a checkpoint, or a deployed one (io/deployed.h), which also has the
 * names of classes. */
#ifndef SRQ_EXPERIMENTS_TRAIN_PREDICT_NETWORK_H
#define SRQ_EXPERIMENTS_TRAIN_PREDICT_NETWORK_H

#include "core/deploy.h"
#include "core/graph.h"
#include "experiments/srq/train/image_view.h"

typedef struct srq_predict_network {
    const srq_settings *settings; /* how images are prepared; data.file is "" if it is deployed */
    long step;
    int classes;
    bool deployed;
    int capacity;              /* images of the input; of a deployed network, fewer than asked for if they are large */
    const char *normalization; /* srq_input_statistics_source */
    /* Private: */
    const char *path;
    char data_sha256[65]; /* of the training */
    srq_config *config;
    srq_graph *graph;
    srq_settings own; /* of a deployed network */
    srq_deploy *net;
    srq_deploy_runner *runner;
    float *input, *logits; /* of a deployed network: [capacity][...] */
} srq_predict_network;

/* Reads the file `path`, which must stay valid. `capacity` is the number of images in its input, at most
 * SRQ_RESTORE_CAPACITY. SRQ_ERROR_DATA. The caller closes *network, also after a failure; do not move it in memory
 * before. */
srq_status srq_predict_network_open(const char *path, int capacity, srq_predict_network *network);
void srq_predict_network_close(srq_predict_network *network);

/* The data set whose images and names of classes are used: `file`, with the splits `which`; or, if
 * `file` is NULL and the network is deployed, one without images, of which the network has what is needed.
 * SRQ_ERROR_DATA if it does not fit. The caller destroys *dataset. */
srq_status srq_predict_network_data(const srq_predict_network *network, const char *file, unsigned which,
                                    srq_dataset **dataset);
/* The view of such a data set, normalized as in the training of the network; for a checkpoint of an earlier version, by
 * the statistics of the data set, with a note on stderr if it is another one. The caller destroys *view. */
srq_status srq_predict_network_view(const srq_predict_network *network, const srq_dataset *dataset, srq_view *view);

/* The input [capacity][height][width][channels]. */
float *srq_predict_network_input(const srq_predict_network *network);
/* Runs the first n images of the input. *logits is [n][classes]. SRQ_ERROR_RUN after an infinity or NaN. */
srq_status srq_predict_network_run(srq_predict_network *network, int n, const float **logits);

#endif
