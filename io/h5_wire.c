/* Bytes between the process that reads a file with HDF5 and the one that asks it. */
#include "io/h5_internal.h"

#include <errno.h>
#include <sys/socket.h>

/* MSG_NOSIGNAL: if the other process has died, that is an error here and not a signal. */
bool srq_h5_send(int socket, const void *data, size_t size)
{
    for (const char *at = data; size > 0;) {
        const ssize_t n = send(socket, at, size, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

bool srq_h5_receive(int socket, void *data, size_t size)
{
    for (char *at = data; size > 0;) {
        const ssize_t n = recv(socket, at, size, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}
