/* A table of experiments. */
#include "io/sweep.h"
#include "tests/fuzz/fuzz.h"

static const char config_text[] =
    "model = { name = \"net\"; input = { height = 4; width = 4; channels = 1; }; classes = 2;\n"
    "layers = ( { name = \"fc\"; type = \"dense\"; out = \"classes\"; } ); };\n"
    "data = { file = \"d.h5\"; };\nquantizer = { method = \"srq\"; };\n";

void srq_fuzz_start(void)
{
    srq_fuzz_file("base.cfg", config_text, sizeof config_text - 1);
}

srq_status srq_fuzz_read(const uint8_t *data, size_t size)
{
    srq_sweep *sweep = NULL;
    SRQ_TRY(srq_sweep_load(srq_fuzz_file("table.cfg", data, size), &sweep));
    for (int row = 0; row < sweep->row_count && row < 4; row++) {
        char name[SRQ_RUN_NAME_SIZE];
        srq_config *config = NULL;
        srq_sweep_run_name(sweep, row, sweep->seeds[0], name);
        const srq_status status = srq_sweep_config(sweep, row, sweep->seeds[0], "runs", &config);
        srq_fuzz_check(status == SRQ_OK, "a run of a table that was read has a configuration");
        srq_config_destroy(&config);
    }
    srq_sweep_destroy(&sweep);
    return SRQ_OK;
}
