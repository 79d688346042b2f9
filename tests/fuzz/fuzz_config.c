/* The text of a configuration, with its model in it, as in a checkpoint. What is read is printed, and the print is
 * read again. */
#include "io/config.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

void srq_fuzz_start(void)
{
}

static void check_again(const srq_config *config)
{
    srq_config *again = NULL;
    const char *text = srq_config_text(config);
    srq_fuzz_check(srq_config_parse(text, "again.cfg", &again) == SRQ_OK, "a printed configuration can be read");
    srq_fuzz_check(strcmp(srq_config_text(again), text) == 0, "a printed configuration is printed the same again");
    srq_config_destroy(&again);
}

static void use(const srq_config *config)
{
    char digest[SRQ_DIGEST_SIZE];
    srq_config *derived = NULL;
    const char *const sets[] = {"train.seed=5"};
    srq_fuzz_check(srq_config_digest(config, NULL, digest) == SRQ_OK, "a configuration has a digest");
    srq_fuzz_check(srq_config_derive(config, 1, sets, 0, NULL, &derived) == SRQ_OK, "a seed can be set");
    srq_config_destroy(&derived);
}

srq_status srq_fuzz_read(const uint8_t *data, size_t size)
{
    srq_config *config = NULL;
    char *text = strndup((const char *)data, size);
    if (!text) abort();
    const srq_status status = srq_config_parse(text, "fuzz.cfg", &config);
    free(text);
    if (status != SRQ_OK) return status;
    check_again(config);
    use(config);
    srq_config_destroy(&config);
    return SRQ_OK;
}
