/* How libFuzzer changes HDF5 files: changes that know a little of the format, beside its own, and then the digests,
 * which would otherwise refuse every change before HDF5 sees it. */
#include "tests/fuzz/h5_part.h"

#include "io/h5_internal.h"

#include <stdlib.h>
#include <string.h>

enum { HEX = 64 };

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);

static uint64_t state;

static uint64_t draw(uint64_t below)
{
    return srq_fuzz_draw(&state, below);
}

/* --- Changes */

/* Where an object header, a B-tree, a heap or another part with a signature begins, or anywhere. */
static size_t draw_place(const uint8_t *data, size_t size)
{
    static const char *const marks[] = {"TREE", "SNOD", "HEAP", "GCOL", "OHDR", "OCHK", "FRHP",
                                        "FHDB", "BTHD", "BTLF", "FSHD", "FADB", "EAHD", "\x89HDF"};
    const char *mark = marks[draw(sizeof marks / sizeof *marks)];
    const size_t from = draw(size);
    const uint8_t *found = memmem(data + from, size - from, mark, 4);
    if (!found) found = memmem(data, size, mark, 4);
    const size_t place = found && draw(3) ? (size_t)(found - data) + draw(96) : from;
    return place < size ? place : size - 1;
}

/* Numbers that sizes, counts and addresses may have. */
static uint64_t draw_number(const uint8_t *data, size_t size)
{
    uint64_t other = 0;
    switch (draw(8)) {
    case 0:
        return draw(9);
    case 1:
        return UINT64_MAX - draw(3);
    case 2:
        return size - draw(3);
    case 3:
        return (uint64_t)1 << draw(64);
    case 4:
        return draw(size);
    case 5:
        return ((uint64_t)1 << draw(64)) - 1;
    default: /* one that stands somewhere else, such as another address */
        if (size > 8) memcpy(&other, data + draw(size - 8) / 8 * 8, 8);
        return other;
    }
}

static void change(uint8_t *data, size_t size)
{
    const size_t place = draw_place(data, size), left = size - place;
    const size_t width = (size_t)1 << draw(4);
    const uint64_t number = draw_number(data, size);
    switch (draw(4)) {
    case 0:
        data[place] ^= (uint8_t)(1 << draw(8));
        break;
    case 1:
        data[place] = (uint8_t)draw(256);
        break;
    case 2:
        memcpy(data + place, &number, width < left ? width : left);
        break;
    default: { /* a part of the file in another place */
        const size_t from = draw_place(data, size), count = 1 + draw(64);
        const size_t most = left < size - from ? left : size - from;
        memmove(data + place, data + from, count < most ? count : most);
    }
    }
}

/* --- Digests */

/* What the reading process says about the digest of the content; false if it says nothing. */
static bool digest_content(const uint8_t *data, size_t size, char text[SRQ_DIGEST_SIZE])
{
    srq_h5_reader *reader = calloc(1, sizeof *reader);
    srq_h5_request request = {.verb = SRQ_H5_OPEN};
    char *found = NULL;
    size_t length = 0;
    if (!reader) abort();
    reader->bytes = size;
    snprintf(reader->path, sizeof reader->path, "%s", srq_fuzz_file("digest.h5", data, size));
    snprintf(request.name, sizeof request.name, "%s", reader->path);
    bool known = srq_h5_child_start(&reader->child, size) == SRQ_OK &&
                 srq_h5_ask(reader, &request, NULL, &reader->contents, &reader->contents_size) == SRQ_OK;
    request.verb = SRQ_H5_DIGEST_OF;
    known = known && srq_h5_ask(reader, &request, NULL, &found, &length) == SRQ_OK && length == HEX;
    if (known) memcpy(text, found, HEX);
    free(found);
    srq_h5_reader_close(&reader);
    return known;
}

static bool is_hex(const uint8_t *at)
{
    for (int i = 0; i < HEX; i++)
        if (!memchr("0123456789abcdef", at[i], 16)) return false;
    return true;
}

/* Puts it in place of the one that is there: the 64 digits behind the name of the attribute. */
static void renew_content_digest(uint8_t *data, size_t size)
{
    char text[SRQ_DIGEST_SIZE];
    const uint8_t *name = memmem(data, size, SRQ_H5_DIGEST, strlen(SRQ_H5_DIGEST));
    if (!name || !digest_content(data, size, text)) return;
    for (size_t at = (size_t)(name - data); at + HEX <= size && at < (size_t)(name - data) + 256; at++) {
        if (!is_hex(data + at)) continue;
        memcpy(data + at, text, HEX);
        return;
    }
}

static size_t without_trailer(const uint8_t *data, size_t size)
{
    static const char mark[] = "\nsrq-raw-sha256";
    const bool has = size > SRQ_H5_TRAILER && memcmp(data + size - SRQ_H5_TRAILER, mark, strlen(mark)) == 0;
    return has ? size - SRQ_H5_TRAILER : size;
}

/* A file with a right digest of its bytes, without one but with a right digest of its content, with neither, and once
 * in a while as it is. */
static size_t settle_digests(uint8_t *data, size_t size, size_t most)
{
    const size_t content = without_trailer(data, size);
    const uint64_t choice = draw(16);
    if (choice == 0) return size;
    if (choice <= 2) renew_content_digest(data, content);
    if (choice <= 5 || content + SRQ_H5_TRAILER > most) return content;
    char trailer[SRQ_H5_TRAILER];
    if (srq_h5_make_trailer(data, content, trailer) != SRQ_OK) abort();
    memcpy(data + content, trailer, sizeof trailer);
    return content + SRQ_H5_TRAILER;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    state = 0x9e3779b97f4a7c15u * (seed + 1u);
    size_t content = without_trailer(data, size);
    if (content < 16 || draw(12) == 0) {
        content = LLVMFuzzerMutate(data, content, most);
    } else {
        for (uint64_t i = 0, count = 1 + draw(4); i < count; i++) change(data, content);
        if (draw(40) == 0) content = 16 + draw(content - 16);
    }
    return settle_digests(data, content, most);
}
