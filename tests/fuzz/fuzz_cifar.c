/* The files of CIFAR-100: the names of the classes, a zero byte, and the two files of records, each a half of the
 * rest. */
#include "io/import_formats.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <unistd.h>

void srq_fuzz_start(void)
{
}

srq_status srq_fuzz_read(const uint8_t *data, size_t size)
{
    bool done_already;
    const uint8_t *zero = size ? memchr(data, '\0', size) : NULL;
    const uint8_t *records = zero ? zero + 1 : data + size;
    const size_t half = (size - (size_t)(records - data)) / 2;
    srq_fuzz_file("fine_label_names.txt", data, (size_t)((zero ? zero : data + size) - data));
    srq_fuzz_file("train.bin", records, half);
    srq_fuzz_file("test.bin", records + half, half);
    unlink(srq_fuzz_path("out.h5"));
    return srq_import_cifar(srq_fuzz_path("."), true, srq_fuzz_path("out.h5"), NULL, &done_already);
}
