#include "io/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

/* The handle is libcrypto's own. */
srq_status srq_digest_create(srq_digest **digest)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!context || !EVP_DigestInit_ex(context, EVP_sha256(), NULL)) {
        EVP_MD_CTX_free(context);
        return srq_fail_memory(0, "a checksum");
    }
    *digest = (srq_digest *)context;
    return SRQ_OK;
}

void srq_digest_add(srq_digest *digest, const void *data, size_t size)
{
    EVP_DigestUpdate((EVP_MD_CTX *)digest, data, size);
}

srq_status srq_digest_add_file(srq_digest *digest, const char *path)
{
    FILE *stream = fopen(path, "rb");
    if (!stream) return srq_fail(SRQ_ERROR_DATA, "%s: %s; check the path and its rights", path, strerror(errno));
    char buffer[1 << 16];
    for (size_t n; (n = fread(buffer, 1, sizeof buffer, stream)) > 0;) srq_digest_add(digest, buffer, n);
    int failed = ferror(stream);
    fclose(stream);
    return failed ? srq_fail(SRQ_ERROR_DATA, "%s: cannot be read: %s", path, strerror(errno)) : SRQ_OK;
}

void srq_digest_finish(srq_digest **digest, char text[SRQ_DIGEST_SIZE])
{
    unsigned char bytes[32] = {0};
    EVP_DigestFinal_ex((EVP_MD_CTX *)*digest, bytes, NULL);
    for (int i = 0; i < 32; i++) snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    EVP_MD_CTX_free((EVP_MD_CTX *)*digest);
    *digest = NULL;
}
