/* SVG as gnuplot writes it, made small. */
#ifndef SRQ_EXPERIMENTS_REPORT_SVG_H
#define SRQ_EXPERIMENTS_REPORT_SVG_H

/* Rewrites a picture to look the same in about a tenth of the bytes: lines of one look are one path, whose coordinates
 * are relative and rounded to a tenth of a pixel, and what is not seen is left out (empty groups, unused markers,
 * gnuplot's titles, which browsers show beside the mouse). An element that gnuplot is not known to write is copied.
 * `prefix` comes before each id, so that pictures can share a page. Returns the root element alone, for a page; NULL
 * if there is none, or without memory. The caller frees. */
char *srq_svg_compact(const char *svg, const char *prefix);

#endif
