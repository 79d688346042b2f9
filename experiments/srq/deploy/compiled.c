#include "experiments/srq/deploy/compiled.h"

#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_SIZE = 4400, WORDS_MAX = 32 };

struct srq_compiled {
    char folder[64], source[PATH_SIZE], program[128], main[128];
    size_t size;
    int classes;
    pid_t child;
    int to, from; /* pipes */
    void (*before)(int);
};

/* --- Processes */

/* Starts a program with pipes for its input and output, or, with NULL, with ours. */
static srq_status start(char *const *words, int *to, int *from, pid_t *child)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1};
    bool piped = true;
    if (to) piped = pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0;
    *child = piped ? fork() : -1;
    if (*child == 0) {
        if (to && (dup2(in[0], 0) < 0 || dup2(out[1], 1) < 0)) _exit(126);
        if (!to) dup2(2, 1); /* what a compiler says is not our output */
        signal(SIGPIPE, SIG_DFL);
        execvp(words[0], words);
        _exit(127);
    }
    const int error = errno;
    if (in[0] >= 0) close(in[0]);
    if (out[1] >= 0) close(out[1]);
    if (to) {
        *to = in[1];
        *from = out[0];
    }
    if (*child > 0) return SRQ_OK;
    return srq_fail(SRQ_ERROR_RUN, "cannot start %s: %s; end some processes, or leave out --check", words[0],
                    strerror(error));
}

/* Waits for a program. Its exit status, or -1 if a signal ended it. */
static int end_of(pid_t child)
{
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool move(int file, void *data, size_t size, bool writes)
{
    for (size_t done = 0; done < size;) {
        char *at = (char *)data + done;
        const ssize_t n = writes ? write(file, at, size - done) : read(file, at, size - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        done += (size_t)n;
    }
    return true;
}

/* --- Compiling */

static srq_status write_main(const srq_compiled *c, const char *path, const char *name)
{
    char whole[PATH_MAX], *text = NULL;
    size_t length = 0;
    if (!realpath(path, whole)) return srq_fail(SRQ_ERROR_RUN, "cannot find %s: %s", path, strerror(errno));
    FILE *out = open_memstream(&text, &length);
    if (!out) return srq_fail_memory(0, "the program that runs the C file");
    fprintf(out,
            "#include <stdint.h>\n#include <stdio.h>\n"
            "void %s_run(const uint8_t *pixels, float *logits);\n"
            "int main(void)\n{\n    static uint8_t pixels[%zu];\n    static float logits[%d];\n"
            "    while (fread(pixels, sizeof pixels, 1, stdin) == 1) {\n        %s_run(pixels, logits);\n"
            "        fwrite(logits, sizeof logits, 1, stdout);\n        fflush(stdout);\n    }\n    return 0;\n}\n",
            name, c->size, c->classes, name);
    srq_status status = fclose(out) == 0 ? SRQ_OK : srq_fail_memory(length, "the program that runs the C file");
    if (status == SRQ_OK) status = srq_file_write_atomic(c->main, text, length);
    free(text);
    return status;
}

static srq_status compile(srq_compiled *c, const char *path)
{
    const char *given = getenv("CC");
    char compiler[1024], *words[WORDS_MAX + 8], *rest = NULL;
    int n = 0;
    snprintf(compiler, sizeof compiler, "%s", given && *given ? given : "cc");
    /* Options of $CC come after ours, so that they decide. */
    for (char *w = strtok_r(compiler, " ", &rest); w && n < WORDS_MAX; w = strtok_r(NULL, " ", &rest)) {
        words[n++] = w;
        if (n > 1) continue;
        words[n++] = "-std=c99";
        words[n++] = "-O2";
    }
    if (n == 0) return srq_fail(SRQ_ERROR_USAGE, "export: CC names no compiler; set it to one, for example to gcc");
    snprintf(c->source, sizeof c->source, "%s%s", path[0] == '-' ? "./" : "", path);
    char *const arguments[] = {c->source, c->main, "-o", c->program, NULL};
    memcpy(words + n, arguments, sizeof arguments);
    pid_t child;
    SRQ_TRY(start(words, NULL, NULL, &child));
    const int status = end_of(child);
    if (status == 0) return SRQ_OK;
    if (status == 127)
        return srq_fail(SRQ_ERROR_RUN,
                        "there is no C compiler called %s, with which --check compiles %s; install one, set CC, or "
                        "leave out --check",
                        words[0], path);
    return srq_fail(
        SRQ_ERROR_RUN,
        "the C compiler %s failed on %s (status %d; its messages are above); set CC to another compiler, or "
        "leave out --check",
        words[0], path, status);
}

srq_status srq_compiled_open(const char *path, const char *name, size_t size, int classes, srq_compiled **out)
{
    srq_compiled *c = calloc(1, sizeof *c);
    if (!c) return srq_fail_memory(sizeof *c, "the C file");
    *out = c;
    c->size = size;
    c->classes = classes;
    c->to = c->from = -1;
    c->before = signal(SIGPIPE, SIG_IGN);
    snprintf(c->folder, sizeof c->folder, "/tmp/srq-export-XXXXXX");
    if (!mkdtemp(c->folder)) {
        c->folder[0] = '\0';
        return srq_fail(SRQ_ERROR_RUN, "cannot make a folder in /tmp: %s; free some space there, or leave out --check",
                        strerror(errno));
    }
    snprintf(c->program, sizeof c->program, "%s/run", c->folder);
    snprintf(c->main, sizeof c->main, "%s/main.c", c->folder);
    SRQ_TRY(write_main(c, path, name));
    SRQ_TRY(compile(c, path));
    char *const words[] = {c->program, NULL};
    return start(words, &c->to, &c->from, &c->child);
}

void srq_compiled_close(srq_compiled **compiled)
{
    srq_compiled *c = *compiled;
    if (!c) return;
    if (c->to >= 0) close(c->to);
    if (c->from >= 0) close(c->from);
    if (c->child > 0) end_of(c->child);
    if (c->folder[0]) {
        unlink(c->program);
        unlink(c->main);
        rmdir(c->folder);
    }
    signal(SIGPIPE, c->before);
    free(c);
    *compiled = NULL;
}

/* --- ONNX Runtime */

/* The script of an installed srq, or of the sources that this one was built from. */
static bool find_script(char script[PATH_SIZE])
{
    char own[PATH_MAX] = "";
    const ssize_t n = readlink("/proc/self/exe", own, sizeof own - 1);
    if (n > 0) own[n] = '\0';
    char *end = strrchr(own, '/');
    if (end) *end = '\0';
    snprintf(script, PATH_SIZE, "%.4000s/../share/srq/onnx/run.js", own);
    if (end && srq_file_is_regular(script)) return true;
    snprintf(script, PATH_SIZE, "%s", SRQ_ONNX_SCRIPT);
    return srq_file_is_regular(script);
}

/* The program is ready when it has written a letter. Otherwise it has ended. */
static srq_status wait_for_runtime(srq_compiled *c, char *why, size_t size)
{
    char ready = 0;
    if (move(c->from, &ready, 1, false) && ready == 'R') return SRQ_OK;
    const int status = end_of(c->child);
    c->child = 0;
    if (status == 127)
        snprintf(why, size, "Node.js is not installed (package nodejs)");
    else if (status == 77)
        snprintf(why, size,
                 "onnxruntime-node is not installed (`npm install --ignore-scripts onnxruntime-node` in this folder)");
    else
        return srq_fail(SRQ_ERROR_RUN,
                        "ONNX Runtime refused %s (status %d; its message is above); report this, or leave out --check",
                        c->source, status);
    return SRQ_OK;
}

srq_status srq_compiled_open_onnx(const char *path, const char *shape, size_t size, int classes, srq_compiled **out,
                                  char *why, size_t why_size)
{
    char script[PATH_SIZE], node[] = "node", sides[64];
    if (!find_script(script)) {
        snprintf(why, why_size, "tests/onnx/run.js of srq's sources is not here");
        return SRQ_OK;
    }
    srq_compiled *c = calloc(1, sizeof *c);
    if (!c) return srq_fail_memory(sizeof *c, "ONNX Runtime");
    *out = c;
    c->size = size;
    c->classes = classes;
    c->to = c->from = -1;
    c->before = signal(SIGPIPE, SIG_IGN);
    snprintf(c->source, sizeof c->source, "%s", path);
    snprintf(sides, sizeof sides, "%s", shape);
    char *const words[] = {node, script, c->source, sides, NULL};
    *why = '\0';
    SRQ_TRY(start(words, &c->to, &c->from, &c->child));
    SRQ_TRY(wait_for_runtime(c, why, why_size));
    if (*why) srq_compiled_close(out);
    return SRQ_OK;
}

srq_status srq_compiled_run(srq_compiled *c, const uint8_t *pixels, float *logits)
{
    if (move(c->to, (void *)pixels, c->size, true) && move(c->from, logits, (size_t)c->classes * sizeof *logits, false))
        return SRQ_OK;
    return srq_fail(SRQ_ERROR_RUN, "the program that runs %s ended before it gave its logits; report this", c->source);
}
