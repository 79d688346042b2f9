/* Makes SVG pictures of gnuplot smaller. */
#ifndef SRQ_EXPERIMENTS_REPORT_SVG_H
#define SRQ_EXPERIMENTS_REPORT_SVG_H

/* Rewrites a picture so that it looks the same with about a tenth of the bytes. Lines with the same style become one
 * path, with relative coordinates that are rounded to a tenth of a pixel. Invisible elements are removed: empty groups,
 * unused markers, and gnuplot's titles, which browsers show beside the mouse. Unknown elements are copied. `prefix` is
 * added to each id, so that several pictures can be on one page. Returns the root element, for a page; NULL if there is
 * none, or without memory. The caller frees it. */
char *srq_svg_compact(const char *svg, const char *prefix);

#endif
