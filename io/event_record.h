/* The record format of TensorFlow (TFRecord), in which TensorBoard's event files are written.
 *
 * A record is the length of its content (uint64), the masked CRC-32C of these 8 bytes (uint32), the content, and the
 * masked CRC-32C of the content (uint32), all little-endian. */
#ifndef SRQ_IO_EVENT_RECORD_H
#define SRQ_IO_EVENT_RECORD_H

#include <stddef.h>
#include <stdint.h>

/* Bytes before and after the content of a record. */
enum { SRQ_RECORD_HEAD = 12, SRQ_RECORD_TAIL = 4 };

/* CRC-32C (Castagnoli): 0xe3069283 for "123456789". */
uint32_t srq_crc32c(const void *data, size_t size);

/* Completes a record around the content of `size` bytes at record + SRQ_RECORD_HEAD. */
void srq_record_seal(uint8_t *record, size_t size);

#endif
