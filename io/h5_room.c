/* Data sets whose bytes are written without HDF5: their disk space, and their place in the file. */
#include "io/h5_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Allocates disk space for the whole file, so that neither HDF5 nor the caller fails later because of a full disk. */
static srq_status take_room(const char *path, size_t total)
{
    enum { HEADERS = 1 << 16 };
    struct stat info;
    int file = open(path, O_RDWR | O_CLOEXEC), code = 0;
    if (file < 0 || fstat(file, &info) != 0)
        code = errno;
    else
        do code = posix_fallocate(file, info.st_size, (off_t)total + HEADERS);
        while (code == EINTR);
    if (file >= 0) close(file);
    if (code == 0) return SRQ_OK;
    return srq_fail(SRQ_ERROR_RUN,
                    "cannot write %s: %s (%zu bytes are needed); free some space or choose another folder", path,
                    strerror(code), total);
}

static hid_t add_bytes(hid_t file, const char *name, size_t total)
{
    const hsize_t size = total;
    hid_t space = H5Screate_simple(1, &size, NULL), properties = H5Pcreate(H5P_DATASET_CREATE),
          link = srq_h5_link_properties();
    H5Pset_obj_track_times(properties, 0);
    H5Pset_layout(properties, H5D_CONTIGUOUS);
    H5Pset_alloc_time(properties, H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(properties, H5D_FILL_TIME_NEVER);
    hid_t set = H5Dcreate2(file, name, H5T_STD_U8LE, space, link, properties, H5P_DEFAULT);
    H5Pclose(link);
    H5Pclose(properties);
    H5Sclose(space);
    return set;
}

srq_status srq_h5_add_room(const char *path, const char *name, size_t total, int64_t *offset)
{
    srq_h5_quiet();
    SRQ_TRY(take_room(path, total));
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t set = file < 0 ? H5I_INVALID_HID : add_bytes(file, name, total);
    const haddr_t place = set < 0 ? HADDR_UNDEF : H5Dget_offset(set);
    bool whole = place != HADDR_UNDEF;
    if (set >= 0) whole = H5Dclose(set) >= 0 && whole;
    if (file >= 0) whole = H5Fclose(file) >= 0 && whole;
    *offset = (int64_t)place;
    return whole ? SRQ_OK : srq_h5_cannot_build(name);
}
