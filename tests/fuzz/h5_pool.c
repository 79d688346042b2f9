/* Takes the place of io/h5_process.c in many_NAME: one process reads many files, one after another, where srq starts
 * one for each. That takes a tenth of the time. A reader that dies is replaced, and its death is told as in srq. */
#include "io/h5_internal.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILES = 64 }; /* that a reader reads: a file may leave traces in its memory, and the limit on its time is one */

static int orders = -1;
static pid_t reader;
static int given;

/* --- In the reader */

/* srq_h5_serve leaves its file open, because its process ends. */
static void close_files(void)
{
    hid_t files[16];
    const ssize_t count = H5Fget_obj_ids(H5F_OBJ_ALL, H5F_OBJ_FILE, 16, files);
    for (ssize_t i = 0; i < count; i++) H5Fclose(files[i]);
}

static _Noreturn void read_files(int from)
{
    uint64_t bytes;
    int socket;
    const char done = 1;
    signal(SIGPIPE, SIG_IGN);
    srq_h5_quiet();
    while (srq_h5_receive_with(from, &bytes, sizeof bytes, &socket)) { /* an order is the size of a file */
        srq_h5_limit(bytes);
        srq_h5_serve(socket, bytes);
        close(socket);
        close_files();
        if (!srq_h5_send(from, &done, 1)) break;
    }
    _exit(0);
}

/* --- In the harness */

static int end_reader(void)
{
    int status = 0;
    if (reader <= 0) return 0;
    close(orders);
    waitpid(reader, &status, 0);
    orders = -1;
    reader = 0;
    return status;
}

srq_status srq_h5_start(void)
{
    int ends[2];
    if (reader > 0) return SRQ_OK;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) abort();
    reader = fork();
    if (reader < 0) abort();
    if (reader == 0) {
        close(ends[0]);
        read_files(ends[1]);
    }
    close(ends[1]);
    orders = ends[0];
    given = 0;
    return SRQ_OK;
}

srq_status srq_h5_child_start(srq_h5_child *child, uint64_t bytes)
{
    int ends[2];
    if (given == FILES) end_reader();
    SRQ_TRY(srq_h5_start());
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) abort();
    if (!srq_h5_send_with(orders, &bytes, sizeof bytes, ends[1])) abort();
    close(ends[1]);
    given++;
    *child = (srq_h5_child){.socket = ends[0], .process = reader};
    return SRQ_OK;
}

/* The reader is done with the file once it says so. */
int srq_h5_child_end(srq_h5_child *child)
{
    char done;
    if (child->socket < 0) return 0;
    close(child->socket);
    child->socket = -1;
    return srq_h5_receive(orders, &done, 1) ? 0 : end_reader();
}
