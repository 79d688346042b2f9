/* Event files of TensorBoard: scalars and histograms by step.
 *
 * An event file is a list of records (io/event_record.h), each a message of io/events.proto: the version, a SessionLog,
 * and then a Summary for each step. Only rank 0 writes it, and only one thread uses an srq_events. The module needs
 * protobuf-c. A build without it has the same functions, and srq_events_check says what is missing. */
#ifndef SRQ_IO_EVENTS_H
#define SRQ_IO_EVENTS_H

#include "core/graph.h"
#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct srq_events srq_events;

/* The version of protobuf-c, or "not built in". */
const char *srq_events_library(void);

/* Whether events of a run in `dir` can be written. SRQ_ERROR_USAGE if srq was built without protobuf-c, or if the path
 * is not valid UTF-8: TensorBoard stores the names of runs in messages that must be UTF-8. */
srq_status srq_events_check(const char *dir);

/* For the run in `dir`. The file DIR/events.out.tfevents.TIME.HOST.PID is created with the first event. Its name comes
 * after those of all event files there in the order of bytes, in which TensorBoard reads them. It begins with a
 * SessionLog START at step `first`: TensorBoard then drops what earlier files hold from that step on. `first` is the
 * step after the checkpoint from which a run resumes, and 0 for a run that begins. The caller destroys *events. */
srq_status srq_events_create(const char *dir, long first, srq_events **events);
void srq_events_destroy(srq_events **events);

/* Add a value to the event that is written next. `tag` is its name in TensorBoard, which groups names by the part
 * before the first slash; it is cut at 191 bytes. A scalar is stored in float32. A histogram counts the finite values
 * of `values` in 64 intervals of equal width; without a finite value, nothing is added. SRQ_ERROR_RUN without memory.
 */
srq_status srq_events_add_scalar(srq_events *events, const char *tag, double value);
srq_status srq_events_add_histogram(srq_events *events, const char *tag, size_t count, const float *values);

/* Appends the event with these values to the file, with one write; nothing if there are no values. SRQ_ERROR_RUN if it
 * cannot be written. The file then ends with its last whole record. The values are dropped in any case. */
srq_status srq_events_write(srq_events *events, long step);

/* io/event_values.c: */
/* Writes the numbers of a `step` or `eval` line of log.jsonl as scalars: train/NAME, eval/NAME, and for the list of
 * layers layers/LAYER/NAME. Members of objects and elements of lists have a further part of the name. `null` and
 * numbers that are not finite become NaN. Other events are left out. */
srq_status srq_events_write_line(srq_events *events, const char *line, size_t size);
/* Writes histograms of the graph's values at `step`: layers/LAYER/weight and, with one step size for each channel,
 * layers/LAYER/weight_alpha; and activation_alpha, the step sizes of all activations. */
srq_status srq_events_write_graph(srq_events *events, const srq_graph *graph, long step);

#endif
