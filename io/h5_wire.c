/* Bytes between the process that reads a file with HDF5 and the one that asks it. */
#include "io/h5_internal.h"

#include <errno.h>
#include <string.h>
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

/* Room for one descriptor beside a message. */
typedef union control {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
} control;

bool srq_h5_send_with(int socket, const void *data, size_t size, int descriptor)
{
    control beside = {{0}};
    struct iovec part = {(void *)(uintptr_t)data, size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (descriptor >= 0) {
        message.msg_control = beside.bytes;
        message.msg_controllen = sizeof beside.bytes;
        struct cmsghdr *first = CMSG_FIRSTHDR(&message);
        first->cmsg_level = SOL_SOCKET;
        first->cmsg_type = SCM_RIGHTS;
        first->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(first), &descriptor, sizeof descriptor);
    }
    ssize_t n;
    do n = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)size;
}

bool srq_h5_receive_with(int socket, void *data, size_t size, int *descriptor)
{
    control beside = {{0}};
    struct iovec part = {data, size};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = beside.bytes, .msg_controllen = sizeof beside.bytes};
    ssize_t n;
    do n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL);
    while (n < 0 && errno == EINTR);
    const struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    *descriptor = -1;
    if (n == (ssize_t)size && first && first->cmsg_type == SCM_RIGHTS)
        memcpy(descriptor, CMSG_DATA(first), sizeof *descriptor);
    return n == (ssize_t)size;
}
