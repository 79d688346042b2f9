/* The pictures of a report, each kind in its own file (plot_*.c). If there is nothing to draw, no picture is added. */
#ifndef SRQ_EXPERIMENTS_REPORT_PLOTS_H
#define SRQ_EXPERIMENTS_REPORT_PLOTS_H

#include "experiments/srq/report/contents.h"
#include "experiments/srq/report/gnuplot.h"

srq_status srq_draw_pairs(const srq_report *report, srq_pictures *pictures);
srq_status srq_draw_pruning(const srq_report *report, srq_pictures *pictures);
srq_status srq_draw_lengths(const srq_report *report, srq_pictures *pictures);
srq_status srq_draw_curves(const srq_report *report, srq_pictures *pictures);
srq_status srq_draw_cost(const srq_report *report, srq_pictures *pictures);
srq_status srq_draw_bits(const srq_report *report, srq_pictures *pictures);
srq_status srq_draw_classes(const srq_report *report, srq_pictures *pictures);
srq_status srq_draw_weights(const srq_report *report, srq_pictures *pictures);

#endif
