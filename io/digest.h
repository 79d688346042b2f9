/* SHA-256 of memory and files, with OpenSSL's libcrypto. */
#ifndef SRQ_IO_DIGEST_H
#define SRQ_IO_DIGEST_H

#include "core/status.h"

#include <stddef.h>

enum { SRQ_DIGEST_SIZE = 65 }; /* 64 hexadecimal digits and the terminating zero */

typedef struct srq_digest srq_digest;

srq_status srq_digest_create(srq_digest **digest);
void srq_digest_add(srq_digest *digest, const void *data, size_t size);
/* Adds the bytes of a file. SRQ_ERROR_DATA if it cannot be read. */
srq_status srq_digest_add_file(srq_digest *digest, const char *path);
/* Returns the digest of everything that was added, and frees *digest. */
void srq_digest_finish(srq_digest **digest, char text[SRQ_DIGEST_SIZE]);

#endif
