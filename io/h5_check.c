/* Checks that what a data set claims is in the file itself, before HDF5 reads it. */
#include "io/h5_internal.h"

#include <string.h>

static srq_status not_whole(const srq_h5_file *file, const char *name, hsize_t stored)
{
    return srq_fail(SRQ_ERROR_DATA, "%s: data set %s was not written whole (%llu bytes are stored); use another copy",
                    file->path, name, (unsigned long long)stored);
}

srq_status srq_h5_take(srq_h5_file *file, const char *name, uint64_t bytes)
{
    if (bytes > file->left)
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: %s holds more than a file of %llu bytes can; the file is damaged or was made to do harm: "
                        "use another copy",
                        file->path, name, (unsigned long long)file->bytes);
    file->left -= bytes;
    return SRQ_OK;
}

/* External storage and virtual data sets read other files. */
static srq_status check_layout(const srq_h5_file *file, const char *name, hid_t set)
{
    hid_t properties = H5Dget_create_plist(set);
    if (properties < 0) return srq_h5_broken(file->path, name);
    const H5D_layout_t layout = H5Pget_layout(properties);
    const int outside = H5Pget_external_count(properties);
    H5Pclose(properties);
    if (outside == 0 && (layout == H5D_COMPACT || layout == H5D_CONTIGUOUS || layout == H5D_CHUNKED)) return SRQ_OK;
    return srq_fail(SRQ_ERROR_DATA,
                    "%s: data set %s is stored in other files, which srq never reads; write its content into the file",
                    file->path, name);
}

srq_status srq_h5_open_any(const srq_h5_file *file, const char *name, hid_t *set)
{
    *set = H5Dopen2(file->file, name, H5P_DEFAULT);
    if (*set < 0) return srq_h5_broken(file->path, name);
    const srq_status status = check_layout(file, name, *set);
    if (status != SRQ_OK) H5Dclose(*set);
    return status;
}

/* --- Types */

static bool is_inside(size_t place, size_t count, size_t end)
{
    return count <= end && place <= end - count;
}

static bool is_sound(hid_t type)
{
    size_t sign, exponent, exponent_bits, mantissa, mantissa_bits;
    const H5T_class_t found = H5Tget_class(type);
    if (found != H5T_INTEGER && found != H5T_FLOAT) return true;
    const int offset = H5Tget_offset(type);
    const size_t bits = H5Tget_precision(type);
    if (offset < 0 || bits == 0 || !is_inside((size_t)offset, bits, 8 * H5Tget_size(type))) return false;
    if (found == H5T_INTEGER) return true;
    if (H5Tget_fields(type, &sign, &exponent, &exponent_bits, &mantissa, &mantissa_bits) < 0) return false;
    return is_inside(sign, 1, bits) && is_inside(exponent, exponent_bits, bits) &&
           is_inside(mantissa, mantissa_bits, bits);
}

/* HDF5 1.10 takes the bits from where the type says. Behind the number it finds whatever is in memory, so that two
 * reads give two numbers. */
srq_status srq_h5_check_type(const srq_h5_file *file, const char *name, hid_t type)
{
    if (is_sound(type)) return SRQ_OK;
    return srq_fail(
        SRQ_ERROR_DATA,
        "%s: the type of %s describes bits that its numbers do not have; the file is damaged: use another copy",
        file->path, name);
}

/* --- Chunks */

typedef struct chunks {
    hid_t set;
    int rank;
    hsize_t side[SRQ_H5_RANK_MAX], count[SRQ_H5_RANK_MAX], bytes; /* of one chunk */
    bool plain;                                                   /* stored as it is, apart from a checksum */
    bool checksum;
} chunks;

/* What the filters do to the chunks. They must be there. */
static srq_status find_filters(const srq_h5_file *file, const char *name, hid_t properties, chunks *c)
{
    const int filters = H5Pget_nfilters(properties);
    c->plain = true;
    for (int i = 0; i < filters; i++) {
        unsigned flags;
        size_t values = 0;
        char title[64] = "";
        const H5Z_filter_t filter =
            H5Pget_filter2(properties, (unsigned)i, &flags, &values, NULL, sizeof title, title, NULL);
        if (filter < 0 || H5Zfilter_avail(filter) <= 0)
            return srq_fail(
                SRQ_ERROR_DATA,
                "%s: data set %s is compressed by the filter \"%.60s\" (number %d), which HDF5 does not have "
                "here; write it with gzip or without compression",
                file->path, name, title, (int)filter);
        if (filter == H5Z_FILTER_FLETCHER32)
            c->checksum = true;
        else if (filter != H5Z_FILTER_SHUFFLE)
            c->plain = false;
    }
    return filters >= 0 ? SRQ_OK : srq_h5_broken(file->path, name);
}

/* HDF5 divides by the sides, and loops if the ranks differ. A chunk is at most as large as the data, but for what
 * padding adds to each side. */
static bool describe_chunks(hid_t properties, size_t element, const size_t *shape, chunks *c)
{
    hsize_t whole = element;
    c->bytes = element;
    if (H5Pget_chunk(properties, SRQ_H5_RANK_MAX, c->side) != c->rank) return false;
    for (int i = 0; i < c->rank; i++) {
        const hsize_t side = c->side[i];
        if (side == 0 || shape[i] > UINT64_MAX - side || c->bytes > UINT32_MAX / side) return false;
        c->count[i] = (shape[i] + side - 1) / side;
        c->bytes *= side;
        if (c->count[i] && whole > UINT64_MAX / (c->count[i] * side)) return false;
        whole *= c->count[i] * side;
    }
    return true;
}

/* One chunk: whole if plain, and not impossibly small otherwise. HDF5 1.10 reads past its memory if it is smaller. */
static bool chunk_is_stored(const chunks *c, const hsize_t *at, hsize_t *stored)
{
    unsigned skipped = 0;
    haddr_t place = HADDR_UNDEF;
    hsize_t size = 0, expected = c->bytes + (c->checksum ? 4 : 0);
    if (H5Dget_chunk_info_by_coord(c->set, at, &skipped, &place, &size) < 0 || place == HADDR_UNDEF) return false;
    *stored += size;
    /* A filter that made nothing smaller may have been left out; the chunk is then as it was. */
    if (skipped) return size == c->bytes || size == c->bytes + 4;
    return c->plain ? size == expected : size > 0 && c->bytes / size <= SRQ_H5_RATIO;
}

/* Goes to the next chunk. False after the last one. */
static bool next_chunk(const chunks *c, hsize_t *at)
{
    for (int i = c->rank - 1; i >= 0; i--) {
        at[i] += c->side[i];
        if (at[i] < c->count[i] * c->side[i]) return true;
        at[i] = 0;
    }
    return false;
}

static srq_status check_chunks(const srq_h5_file *file, const char *name, const chunks *c)
{
    hsize_t at[SRQ_H5_RANK_MAX] = {0}, stored = 0, all = 0;
    /* Every stored chunk has a byte at least. */
    for (int i = 0; i < c->rank; i++)
        if (c->count[i] > file->bytes) return not_whole(file, name, 0);
    do {
        if (++all > file->bytes || !chunk_is_stored(c, at, &stored)) return not_whole(file, name, stored);
        if (stored > file->bytes) return not_whole(file, name, file->bytes);
    } while (next_chunk(c, at));
    return SRQ_OK;
}

/* --- All layouts */

/* Bytes of the whole content; false if that is no number. */
static bool content_bytes(size_t element, int rank, const size_t *shape, hsize_t *bytes)
{
    *bytes = element;
    for (int i = 0; i < rank; i++) {
        if (shape[i] && *bytes > ((hsize_t)1 << 48) / shape[i]) return false;
        *bytes *= shape[i];
    }
    return element > 0;
}

static srq_status check_layout_of(const srq_h5_file *file, const char *name, hid_t set, hid_t properties,
                                  size_t element, int rank, const size_t *shape)
{
    const hsize_t stored = H5Dget_storage_size(set);
    hsize_t bytes;
    if (!content_bytes(element, rank, shape, &bytes)) return not_whole(file, name, stored);
    if (bytes == 0) return SRQ_OK;
    if (H5Pget_layout(properties) == H5D_CHUNKED) {
        chunks c = {.set = set, .rank = rank};
        SRQ_TRY(find_filters(file, name, properties, &c));
        if (!describe_chunks(properties, element, shape, &c)) return not_whole(file, name, stored);
        if (c.bytes / 4 > bytes + (1 << 18)) return not_whole(file, name, stored); /* memory for padding alone */
        return check_chunks(file, name, &c);
    }
    const haddr_t place = H5Dget_offset(set);
    const bool inside = place == HADDR_UNDEF ? H5Pget_layout(properties) == H5D_COMPACT
                                             : place <= file->bytes && bytes <= file->bytes - place;
    return stored == bytes && inside ? SRQ_OK : not_whole(file, name, stored);
}

srq_status srq_h5_check_stored(const srq_h5_file *file, const char *name, hid_t set, int rank, const size_t *shape)
{
    hid_t properties = H5Dget_create_plist(set), type = H5Dget_type(set);
    /* In the file, a string of variable length is a length, an address and an index. */
    const size_t element = H5Tis_variable_str(type) > 0 ? 16 : H5Tget_size(type);
    const srq_status status = check_layout_of(file, name, set, properties, element, rank, shape);
    H5Tclose(type);
    H5Pclose(properties);
    return status;
}
