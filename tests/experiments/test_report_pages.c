/* Pages of a report stay below their size, and pictures are made small without being changed. */
#include "experiments/srq/report/pages.h"
#include "experiments/srq/report/svg.h"
#include "tests/suite.h"

#include <stdlib.h>
#include <string.h>

START_TEST(large_pages)
{
    enum { RUNS = 3000, PICTURES = 5 };
    static srq_report_run runs[RUNS];
    static char name[200];
    static const char *const names[PICTURES] = {"cost", "curves-1", "curves-2", "bits-1", "bits-2"};
    static srq_picture items[PICTURES];
    char problem[] = "config.cfg: nothing in it";
    memset(name, 'x', sizeof name - 1);
    for (int i = 0; i < RUNS; i++)
        runs[i] = (srq_report_run){.path = name, .name = name, .problem = problem, .group = -1};
    for (int i = 0; i < PICTURES; i++) {
        snprintf(items[i].name, sizeof items[i].name, "%s", names[i]);
        ck_assert_ptr_nonnull(items[i].svg = malloc(200001));
        memset(items[i].svg, ' ', 200000);
        items[i].svg[200000] = '\0';
    }
    const srq_report report = {.runs = {.count = RUNS, .items = runs}};
    srq_pictures pictures = {.count = PICTURES, .items = items};
    char *page = NULL;
    size_t size;
    FILE *stream = open_memstream(&page, &size);
    ck_assert_msg(stream != NULL, "no memory");
    ck_assert_int_eq(srq_report_print_html(&report, &pictures, "Made.", stream), SRQ_OK);
    fclose(stream);
    ck_assert(size <= SRQ_PAGE_MOST);
    ck_assert_ptr_nonnull(strstr(page, "more rows are in the .csv file"));
    /* The first of each kind before the second of any. */
    ck_assert(!items[0].left_out && !items[1].left_out && items[2].left_out && !items[3].left_out && items[4].left_out);
    ck_assert_ptr_nonnull(strstr(page, "(plots/curves-2.svg)"));
    ck_assert_ptr_null(strstr(page, "(plots/curves-1.svg)"));
    free(page);
    for (int i = 0; i < PICTURES; i++) free(items[i].svg);
}
END_TEST

START_TEST(compact_pictures)
{
    static const char drawn[] =
        "<?xml version=\"1.0\"?>\n<svg width=\"9\" viewBox=\"0 0 90 50\"\n "
        "xmlns=\"x\">\n<title>no</title><desc>no</desc>\n"
        "<g id=\"gnuplot_canvas\">\n<defs>\n<circle id='gpDot' r='0.5'/>\n<circle id='gpPt5' r='1'/>\n"
        "<use xlink:href='#gpPt5' id='gpPt6' stroke='none'/>\n<filter id='f'>\n<feFlood/>\n</filter>\n</defs>\n"
        "<g fill=\"none\" color=\"black\" stroke=\"currentColor\" stroke-width=\"1.00\">\n"
        "<path stroke='black'  d='M10.00,20.04 L5.13,20.04  '/><g transform=\"translate(1.00,2.25)\" stroke=\"none\" "
        "fill=\"black\" font-family=\"sans-serif\" font-size=\"10.00\"  text-anchor=\"end\">\n<text><tspan "
        "font-family=\"sans-serif\" > 0 &lt; 10</tspan><tspan font-family=\"sans-serif\"  font-size=\"8.0\" "
        "dy=\"-6.50px\">9</tspan></text>\n</g>\n</g>\n"
        "<g fill=\"none\" color=\"black\" stroke=\"currentColor\" stroke-width=\"1.00\">\n"
        "<path stroke='black'  d='M1,1 L2,1 L3,1 L3,4 L2.5,5 L2.5,5 L1.45,6.33 '/></g>\n<g fill=\"none\" "
        "color=\"gray\" "
        "stroke=\"currentColor\" stroke-width=\"0.70\">\n</g>\n"
        "<g stroke='none' shape-rendering='crispEdges'>\n<polygon fill = 'rgb(158, 202, 225)' points = '1,1 1,2 3,2 "
        "'/>\n</g>\n"
        "<use xlink:href='#gpPt6' transform='translate(1.26,2.00) scale(3.58)' color='rgb(  0, 114, 178)'/>\n<new "
        "id='a'/>\n</g>\n</svg>\n";
    static const char expected[] =
        "<svg viewBox=\"0 0 90 50\" xmlns=\"http://www.w3.org/2000/svg\" "
        "xmlns:xlink=\"http://www.w3.org/1999/xlink\" fill=\"none\" font-family=\"sans-serif\">\n"
        "<defs>\n<circle id='p-gpPt5' r='1'/>\n<use xlink:href='#p-gpPt5' id='p-gpPt6' stroke='none'/>\n</defs>\n"
        "<path stroke=\"#000\" d=\"M10 20h-4.9M1 1h2v3l-0.5 1-1 1.3\"/>\n"
        "<text x=\"1\" y=\"2.3\" fill=\"#000\" font-size=\"10\" text-anchor=\"end\">0 &lt; 10<tspan font-size=\"8.0\" "
        "dy=\"-6.50px\">9</tspan></text>\n"
        "<path fill=\"#9ecae1\" shape-rendering=\"crispEdges\" d=\"M1 1v1h2z\"/>\n"
        "<use xlink:href=\"#p-gpPt6\" transform=\"translate(1.3 2)scale(3.58)\" color=\"#0072b2\"/>\n"
        "<new id='p-a'/></svg>\n";
    char *small = srq_svg_compact(drawn, "p");
    ck_assert_str_eq(small, expected);
    free(small);
    ck_assert_ptr_null(srq_svg_compact("no picture", "p"));
    ck_assert_ptr_null(srq_svg_compact("<svg viewBox='0 0 1 1'><path d='M1,", "p"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("experiments/report_pages");
    TCase *cases = tcase_create("report_pages");
    tcase_add_test(cases, large_pages);
    tcase_add_test(cases, compact_pictures);
    suite_add_tcase(suite, cases);
    return srq_suite_run(suite);
}
