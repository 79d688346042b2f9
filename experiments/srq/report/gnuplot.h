/* Pictures by gnuplot, a program of its own: it is run without a shell and without anybody's start-up file, in a
 * temporary folder, on a script that holds the data. */
#ifndef SRQ_EXPERIMENTS_REPORT_GNUPLOT_H
#define SRQ_EXPERIMENTS_REPORT_GNUPLOT_H

#include "core/status.h"

#include <stdbool.h>
#include <stdio.h>

/* A picture that was made: FOLDER/plots/NAME.svg and .png. */
typedef struct srq_picture {
    char name[32];
    char title[160], caption[640];
    int width;     /* pixels */
    char *svg;     /* to be put into a page: the root element, its ids different from those of other pictures */
    bool left_out; /* of the page, which would be too large with it */
} srq_picture;

typedef struct srq_pictures {
    char folder[4200]; /* of the report */
    int count, room;
    srq_picture *items;
    bool none;      /* gnuplot is not there */
    char note[512]; /* what there is to say about that, or about pictures that failed; "" */
} srq_pictures;

/* Looks for gnuplot; without it, drawing does nothing. */
void srq_pictures_start(const char *folder, srq_pictures *pictures);
void srq_pictures_free(srq_pictures *pictures);

/* A script being written: data blocks ("$name << EOD") to `data`, commands to `body`. It is run for each file format.
 */
typedef struct srq_plot {
    int width, height; /* pixels */
    FILE *data, *body;
    char *texts[2]; /* private */
    size_t sizes[2];
} srq_plot;

srq_status srq_plot_start(int width, int height, srq_plot *plot);
/* Runs gnuplot on the script and adds the picture. A gnuplot that fails leaves a note and no picture. Ends the plot,
 * whatever happens. */
srq_status srq_plot_finish(srq_plot *plot, srq_pictures *pictures, const char *name, const char *title,
                           const char *caption);

/* The next plot's axes stand in this part of the picture, in pixels from the lower left corner. */
void srq_plot_place(srq_plot *plot, int left, int bottom, int right, int top);
/* 1, 2 or 5 times a power of ten that cuts a range into `parts` parts, or up to twice and a half as many. */
double srq_plot_step(double range, int parts);
/* A logarithmic axis ('x' or 'y') that shows least..most, with its tics at 1, 2 and 5, or closer, or farther. */
void srq_plot_log_axis(srq_plot *plot, char axis, double least, double most);
/* An entry of the key that stands at a place of the picture: a line with a marker, and its text. */
void srq_plot_key(srq_plot *plot, int left, int bottom, const char *line, const char *marker, const char *text);

/* Okabe and Ito's colours, which colour-blind eyes tell apart, with a marker and a dash for those who see none: the
 * n-th way to draw a line, "lc rgb ... dt ...", and its points, "pt ... lc rgb ...". */
enum { SRQ_STYLES = 7 };
const char *srq_plot_colour(int n);
const char *srq_plot_line(int n);
const char *srq_plot_marker(int n);

#endif
