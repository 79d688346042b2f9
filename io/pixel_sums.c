#include "io/pixel_sums.h"

#include <math.h>

void srq_sums_add(srq_sums *sums, const uint8_t *bytes, size_t pixels, size_t channels)
{
    sums->pixels += pixels;
    for (size_t c = 0; c < channels; c++) {
        uint64_t sum = 0, squares = 0;
        for (size_t i = 0; i < pixels; i++) {
            const uint64_t v = bytes[i * channels + c];
            sum += v;
            squares += v * v;
        }
        sums->sum[c] += sum;
        sums->squares[c] += squares;
    }
}

void srq_sums_join(srq_sums *sums, const srq_sums *others)
{
    sums->pixels += others->pixels;
    for (int c = 0; c < SRQ_SUMS_CHANNELS; c++) {
        sums->sum[c] += others->sum[c];
        sums->squares[c] += others->squares[c];
    }
}

srq_status srq_sums_write(const srq_sums *sums, size_t channels, srq_h5_writer *writer)
{
    float mean[SRQ_SUMS_CHANNELS], std[SRQ_SUMS_CHANNELS];
    for (size_t c = 0; c < channels; c++) {
        const double n = (double)sums->pixels, m = (double)sums->sum[c] / n;
        const double variance = (double)sums->squares[c] / n - m * m;
        mean[c] = (float)(m / 255);
        /* A constant channel has no information, so any scale is correct. */
        std[c] = variance > 0 ? (float)(sqrt(variance) / 255) : 1;
    }
    SRQ_TRY(srq_h5_write(writer, "mean", H5T_NATIVE_FLOAT, 1, &channels, mean));
    return srq_h5_write(writer, "std", H5T_NATIVE_FLOAT, 1, &channels, std);
}
