/* srq data: imports and describes data sets. */
#include "experiments/commands.h"
#include "io/dataset.h"
#include "io/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static srq_status import(const char *source, const char *dest)
{
    bool done_already;
    srq_dataset *d = NULL;
    struct stat info;
    char size[32];
    SRQ_TRY(srq_dataset_import(source, dest, stdout, &done_already));
    if (done_already) {
        printf("%s is there already and holds this data set: nothing to do\n", dest);
        return SRQ_OK;
    }
    SRQ_TRY(srq_dataset_load(dest, 0, &d));
    if (stat(dest, &info) != 0) info.st_size = 0;
    printf("wrote %s: %zu training and %zu test images of %d x %d x %d in %d classes, %s\n", dest,
           d->splits[SRQ_TRAIN].count, d->splits[SRQ_TEST].count, d->height, d->width, d->channels, d->classes,
           srq_size((double)info.st_size, size, sizeof size));
    printf("look at it with `srq data info %s`, train on it with `--set data.file=%s`\n", dest, dest);
    srq_dataset_destroy(&d);
    return SRQ_OK;
}

srq_status srq_command_data(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "import") == 0) return import(argv[2], argv[3]);
    if (argc == 3 && strcmp(argv[1], "info") == 0) return srq_dataset_info(argv[2], stdout);
    return srq_fail(SRQ_ERROR_USAGE, "data: usage: srq data import SOURCE DEST.h5, or srq data info FILE.h5");
}
