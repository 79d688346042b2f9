/* Pictures are drawn by gnuplot. It runs without a shell and without start-up files, in a temporary folder, on a script
 * that contains the data. */
#ifndef SRQ_EXPERIMENTS_REPORT_GNUPLOT_H
#define SRQ_EXPERIMENTS_REPORT_GNUPLOT_H

#include "core/status.h"

#include <stdbool.h>
#include <stdio.h>

/* Room for a title, which names a configuration (group.h) in full. */
enum { SRQ_PICTURE_TITLE = 600 };

/* A picture: FOLDER/plots/NAME.svg and .png. */
typedef struct srq_picture {
    char name[32];
    char title[SRQ_PICTURE_TITLE], caption[800];
    int width;     /* pixels */
    char *svg;     /* for a page: the root element, with ids that are different from those of other pictures */
    bool left_out; /* omitted from the page, which would be too large with it */
} srq_picture;

typedef struct srq_pictures {
    char folder[4200]; /* folder of the report */
    int count, room;
    srq_picture *items;
    bool none;      /* gnuplot is not installed */
    char note[512]; /* a note on missing gnuplot or failed pictures, or "" */
} srq_pictures;

/* Looks for gnuplot; without it, drawing does nothing. */
void srq_pictures_start(const char *folder, srq_pictures *pictures);
void srq_pictures_free(srq_pictures *pictures);

/* A script that is being written: data blocks ("$name << EOD") to `data`, commands to `body`. The commands run once
 * for each file format, after a `reset`. */
typedef struct srq_plot {
    int width, height; /* pixels */
    FILE *data, *body;
    char *texts[2]; /* private */
    size_t sizes[2];
} srq_plot;

srq_status srq_plot_start(int width, int height, srq_plot *plot);
/* Runs gnuplot on the script and adds the picture. If gnuplot fails, there is a note and no picture. Ends the plot in
 * any case. */
srq_status srq_plot_finish(srq_plot *plot, srq_pictures *pictures, const char *name, const char *title,
                           const char *caption);

/* Places the axes of the next plot in this part of the picture, in pixels from the lower left corner. */
void srq_plot_place(srq_plot *plot, int left, int bottom, int right, int top);
/* 1, 2 or 5 times a power of ten that divides a range into `parts` to 2.5 times `parts` parts. */
double srq_plot_step(double range, int parts);
/* A logarithmic axis ('x' or 'y') from least to most, with tics at 1, 2 and 5, or closer or wider ones. */
void srq_plot_log_axis(srq_plot *plot, char axis, double least, double most);
/* An entry of the key at a position of the picture: a line with a marker, and a text. */
void srq_plot_key(srq_plot *plot, int left, int bottom, const char *line, const char *marker, const char *text);

/* Style number n of a line, "lc rgb ... dt ...", and of its points, "pt ... lc rgb ...". The colours are those of Okabe
 * and Ito for colour-blind readers. Markers and dashes differ too, for readers without colours. */
enum { SRQ_STYLES = 7 };
const char *srq_plot_colour(int n);
const char *srq_plot_line(int n);
const char *srq_plot_marker(int n);
/* srq_plot_key with the line and the marker of style n. */
void srq_plot_key_of(srq_plot *plot, int left, int bottom, int n, const char *text);
/* The plot command of `count` lines with bars: line i, in style i, is the data $l<i> of x, y, lowest and highest y. */
void srq_plot_bars(srq_plot *plot, int count);

#endif
