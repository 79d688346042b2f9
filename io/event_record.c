#include "io/event_record.h"

/* 0x1edc6f41 with its bits reversed, because the lowest bit of a byte comes first. */
#define POLYNOMIAL UINT32_C(0x82f63b78)

/* The change of the CRC by a byte, in two steps of four bits: the table is small enough to be computed for each call.
 */
uint32_t srq_crc32c(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint32_t table[16], crc = UINT32_MAX;
    for (uint32_t i = 0; i < 16; i++) {
        table[i] = i;
        for (int bit = 0; bit < 4; bit++) table[i] = table[i] & 1 ? table[i] >> 1 ^ POLYNOMIAL : table[i] >> 1;
    }
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

static void put(uint8_t *to, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) to[i] = (uint8_t)(value >> 8 * i);
}

/* The CRC of data that contains its own CRC is a weak check. TensorFlow therefore stores it rotated and shifted. */
static uint32_t masked(uint32_t crc)
{
    return (crc >> 15 | crc << 17) + UINT32_C(0xa282ead8);
}

void srq_record_seal(uint8_t *record, size_t size)
{
    put(record, size, 8);
    put(record + 8, masked(srq_crc32c(record, 8)), 4);
    put(record + SRQ_RECORD_HEAD + size, masked(srq_crc32c(record + SRQ_RECORD_HEAD, size)), 4);
}
