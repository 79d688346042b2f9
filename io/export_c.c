/* The format c of `srq export`: OUT.c and OUT.h. What the C file computes is planned first (export_c_plan.c); then its
 * functions (export_c_kernels.c), tables (export_c_tables.c) and calls (export_c_calls.c) are written. */
#include "io/export_c.h"

#include "io/file.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 4400, SAMPLE_BYTES = 1 << 16 };

typedef struct c_file {
    const srq_export_request *request;
    const srq_deploy *net;
    srq_c_plan plan;
    char name[SRQ_EXPORT_NAME], upper[SRQ_EXPORT_NAME]; /* the prefix of its names */
    char header[PATH_SIZE];                             /* the name of OUT.h without its folder */
    size_t flash;
} c_file;

/* --- Names */

static void header_of(const char *path, char *out, size_t size)
{
    snprintf(out, size, "%.*sh", (int)strlen(path) - 1, path);
}

/* The prefix of names, and the name of the header. */
static srq_status choose_name(c_file *f, const char *path)
{
    const char *slash = strrchr(path, '/');
    SRQ_TRY(srq_export_name(path, f->request->name, f->name));
    for (size_t i = 0; i < sizeof f->upper; i++) f->upper[i] = (char)toupper((unsigned char)f->name[i]);
    header_of(slash ? slash + 1 : path, f->header, sizeof f->header);
    return SRQ_OK;
}

/* --- Text of others in comments and strings */

static void put_comment(const char *text, FILE *out)
{
    for (const char *c = text; *c; c++) fputc(isprint((unsigned char)*c) && *c != '*' && *c != '\\' ? *c : '?', out);
}

static void put_string(const char *text, FILE *out)
{
    fputc('"', out);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if (isalnum(*c) || *c == ' ' || *c == '_' || *c == '-' || *c == '.')
            fputc(*c, out);
        else
            fprintf(out, "\\%03o", *c);
    fputc('"', out);
}

/* --- OUT.h */

static void write_header(const c_file *f, FILE *out)
{
    const srq_deploy_input *in = &f->net->input;
    const char *name = f->name, *upper = f->upper;
    fprintf(out, "/* A network that srq exported; %s.c has what it was made of. */\n", name);
    fprintf(out, "#ifndef %s_H\n#define %s_H\n\n#include <stdint.h>\n\n", upper, upper);
    fprintf(out, "#define %s_HEIGHT %d\n#define %s_WIDTH %d\n#define %s_CHANNELS %d\n#define %s_CLASSES %d\n\n", upper,
            in->height, upper, in->width, upper, in->channels, upper, in->classes);
    fputs("#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n", out);
    fprintf(
        out,
        "/* From an image of bytes, [HEIGHT][WIDTH][CHANNELS], to a logit for each class. Not for two threads at the\n"
        " * same time: activations are in static memory. */\n"
        "void %s_run(const uint8_t *image, float *logits);\n"
        "/* The class with the largest logit; the first one if several are equal. */\n"
        "int %s_predict(const uint8_t *image);\n"
        "/* The names of the classes. */\n"
        "extern const char *const %s_classes[%s_CLASSES];\n\n",
        name, name, name, upper);
    fputs("#ifdef __cplusplus\n}\n#endif\n\n#endif\n", out);
}

/* --- OUT.c: the comment */

static size_t rams_of(const srq_c_plan *plan)
{
    const size_t images = plan->images * ((plan->fixed ? sizeof(int32_t) : 0) + (plan->pixels ? sizeof(float) : 0));
    return plan->codes + plan->floats * sizeof(float) + plan->row + plan->real_row * sizeof(float) +
           plan->values * sizeof(float) + images + (size_t)plan->net->input.classes * sizeof(float);
}

static double macs_of(const srq_deploy *net)
{
    double macs = 0;
    for (int i = 0; i < net->op_count; i++)
        if (net->ops[i].kind == SRQ_DEPLOY_CONV) macs += srq_deploy_macs(&net->ops[i]);
    return macs;
}

static void write_buffer(const char *name, size_t bytes, const char *what, FILE *out)
{
    if (bytes) fprintf(out, " *   %-10s %9zu bytes  %s\n", name, bytes, what);
}

static void write_comment(const c_file *f, FILE *out)
{
    const srq_c_plan *plan = &f->plan;
    const srq_deploy *net = f->net;
    fputs("/* The network \"", out);
    put_comment(net->model, out);
    fprintf(out, "\" after %ld steps of training on \"", net->step);
    put_comment(net->input.data_name, out);
    fputs("\", exported by srq from\n * ", out);
    put_comment(f->request->source, out);
    fprintf(out, "\n *\n * Memory: %zu bytes of tables in flash (without the code), %zu bytes of static RAM:\n",
            f->flash, rams_of(plan));
    write_buffer("codes", plan->codes, "activations that are codes, a byte each", out);
    write_buffer("floats", plan->floats * sizeof(float), "activations that are float", out);
    write_buffer("fixed", plan->fixed ? plan->images * sizeof(int32_t) : 0, "the image as fixed-point numbers", out);
    write_buffer("image", plan->pixels ? plan->images * sizeof(float) : 0, "the image as floats", out);
    write_buffer("row", plan->row, "unpacked weights of one output", out);
    write_buffer("real_row", plan->real_row * sizeof(float), "the same, of weights that are not integers", out);
    write_buffer("values", plan->values * sizeof(float), "values of codes that meet such weights", out);
    write_buffer("logits", (size_t)net->input.classes * sizeof(float), "of the function that predicts", out);
    fprintf(
        out,
        " * An image takes %.0f multiply-accumulates.\n"
        " *\n"
        " * Pixels are read as numbers of %d fraction bits. Sums of codes are exact integers. Batch-norm, ReLU, "
        "pooling\n"
        " * and rounding to a code are thresholds of the sum. What is float is done in single operations, so that the\n"
        " * logits have the same bits everywhere; sums of residual connections are float.\n"
        " *\n"
        " * C99. Needs a compiler that keeps IEEE 754: no -ffast-math. With -DSRQ_SELFTEST, the file has a main that\n"
        " * compares some images with the logits of srq. */\n",
        macs_of(net), net->input.fraction);
}

/* --- OUT.c: the parts */

static void write_start(const c_file *f, FILE *out)
{
    const srq_c_plan *plan = &f->plan;
    fprintf(out, "#include \"%s\"\n\n#include <string.h>\n#ifdef SRQ_SELFTEST\n#include <stdio.h>\n#endif\n\n",
            f->header);
    fputs("#if defined __FAST_MATH__\n#error \"compile this file without -ffast-math: its results are exact\"\n#endif\n"
          "#if defined __FLT_EVAL_METHOD__ && __FLT_EVAL_METHOD__ != 0 && __FLT_EVAL_METHOD__ != 16\n"
          "#error \"float operations must be rounded to float; on 32-bit x86, use -msse2 -mfpmath=sse\"\n#endif\n\n",
          out);
    fputs(
        "#ifdef __GNUC__\n#define NEVER __builtin_inff()\n#else\n#include <math.h>\n#define NEVER HUGE_VALF\n#endif\n",
        out);
    if (plan->row) fprintf(out, "#define ROW %zu\n", plan->row);
    if (plan->real_row) fprintf(out, "#define REAL_ROW %zu\n", plan->real_row);
    fputc('\n', out);
}

static void write_arrays(const srq_c_plan *plan, FILE *out)
{
    if (plan->codes) fprintf(out, "static uint8_t codes[%zu];\n", plan->codes);
    if (plan->floats) fprintf(out, "static float floats[%zu];\n", plan->floats);
    if (plan->fixed) fprintf(out, "static int32_t fixed[%zu];\n", plan->images);
    if (plan->pixels) fprintf(out, "static float image[%zu];\n", plan->images);
    if (plan->values) fprintf(out, "static float values[%zu];\n", plan->values);
    fputc('\n', out);
}

/* The numbers of a pixel, [channels][256]. */
static void write_pixels(c_file *f, FILE *out)
{
    const srq_deploy_input *in = &f->net->input;
    const size_t count = (size_t)in->channels * 256;
    if (f->plan.fixed) {
        fprintf(out, "static const int32_t fixed_pixels[%d][256] = {", in->channels);
        for (int c = 0; c < in->channels; c++) {
            int64_t x[256];
            for (int p = 0; p < 256; p++) x[p] = srq_deploy_fixed(in, srq_deploy_pixel(in, c, (uint8_t)p));
            fputs(c ? "\n}, {" : "{", out);
            srq_c_write_integers(x, 256, false, out);
        }
        fputs("\n}};\n", out);
        f->flash += count * sizeof(int32_t);
    }
    if (f->plan.pixels) {
        fprintf(out, "static const float float_pixels[%d][256] = {", in->channels);
        for (int c = 0; c < in->channels; c++) {
            float x[256];
            for (int p = 0; p < 256; p++) x[p] = srq_deploy_pixel(in, c, (uint8_t)p);
            fputs(c ? "\n}, {" : "{", out);
            srq_c_write_floats(x, 256, out);
        }
        fputs("\n}};\n", out);
        f->flash += count * sizeof(float);
    }
}

static void write_run(const c_file *f, FILE *out)
{
    const srq_c_plan *plan = &f->plan;
    const srq_deploy_input *in = &f->net->input;
    const srq_c_step *end = &plan->steps[plan->step_of[f->net->op_count - 1]];
    fprintf(out, "\nvoid %s_run(const uint8_t *pixels, float *logits)\n{\n", f->name);
    if (plan->fixed || plan->pixels) {
        fprintf(out, "    for (uint32_t i = 0; i < %zuu; i++) {\n", plan->images);
        if (plan->fixed) fprintf(out, "        fixed[i] = fixed_pixels[i %% %d][pixels[i]];\n", in->channels);
        if (plan->pixels) fprintf(out, "        image[i] = float_pixels[i %% %d][pixels[i]];\n", in->channels);
        fputs("    }\n", out);
    }
    for (int i = 0; i < plan->step_count; i++) srq_c_write_call(plan, i, out);
    fprintf(out, "    memcpy(logits, floats + %zu, %d * sizeof *logits);\n}\n\n", end->place, in->classes);
    fprintf(out,
            "int %s_predict(const uint8_t *pixels)\n{\n    static float logits[%d];\n    int best = 0;\n"
            "    %s_run(pixels, logits);\n    for (int c = 1; c < %d; c++)\n"
            "        if (logits[c] > logits[best]) best = c;\n    return best;\n}\n\n",
            f->name, in->classes, f->name, in->classes);
    fprintf(out, "const char *const %s_classes[%d] = {\n", f->name, in->classes);
    for (int c = 0; c < in->classes; c++) {
        fputs("    ", out);
        put_string(in->class_names[c], out);
        fputs(",\n", out);
    }
    fputs("};\n", out);
}

/* --- OUT.c: the self-test */

static srq_status logits_of(const c_file *f, int count, float *logits)
{
    srq_deploy_runner *runner = NULL;
    const srq_deploy_input *in = &f->net->input;
    const size_t size = f->plan.images;
    float *image = malloc(size * sizeof *image);
    srq_status status = image ? srq_deploy_runner_create(f->net, &runner) : srq_fail_memory(size * 4, "an image");
    for (int i = 0; status == SRQ_OK && i < count; i++) {
        for (size_t k = 0; k < size; k++)
            image[k] = srq_deploy_pixel(in, (int)(k % (size_t)in->channels), f->request->samples[(size_t)i * size + k]);
        srq_deploy_run(runner, image, logits + i * in->classes);
    }
    srq_deploy_runner_destroy(&runner);
    free(image);
    return status;
}

static srq_status write_selftest(const c_file *f, FILE *out)
{
    const int classes = f->net->input.classes;
    const size_t size = f->plan.images, room = SAMPLE_BYTES / size;
    int count = f->request->sample_count;
    if ((size_t)count > room) count = room ? (int)room : 1; /* images of a reasonable size in the file */
    if (f->request->sample_count < 1) return SRQ_OK;
    float *logits = malloc((size_t)count * (size_t)classes * sizeof *logits);
    srq_status status =
        logits ? logits_of(f, count, logits) : srq_fail_memory((size_t)count * (size_t)classes, "logits");
    if (status == SRQ_OK) {
        fprintf(out, "\n#ifdef SRQ_SELFTEST\nstatic const uint8_t images[%d][%zu] = {{", count, size);
        for (int i = 0; i < count; i++) {
            if (i) fputs("\n}, {", out);
            srq_c_write_bytes(f->request->samples + (size_t)i * size, size, out);
        }
        fprintf(out, "\n}};\nstatic const float expected[%d][%d] = {{", count, classes);
        for (int i = 0; i < count; i++) {
            if (i) fputs("\n}, {", out);
            srq_c_write_floats(logits + i * classes, (size_t)classes, out);
        }
        fprintf(out,
                "\n}};\n\nint main(void)\n{\n    int wrong = 0;\n    for (int i = 0; i < %d; i++) {\n"
                "        float logits[%d];\n        %s_run(images[i], logits);\n"
                "        wrong += memcmp(logits, expected[i], sizeof logits) != 0;\n    }\n"
                "    printf(\"%%d of %d images have other logits\\n\", wrong);\n    return wrong != 0;\n}\n#endif\n",
                count, classes, f->name, count);
    }
    free(logits);
    return status;
}

/* --- The files */

static srq_status write_body(c_file *f, FILE *out)
{
    write_start(f, out);
    srq_c_write_kernels(&f->plan, out);
    write_arrays(&f->plan, out);
    write_pixels(f, out);
    for (int i = 0; i < f->plan.step_count; i++) SRQ_TRY(srq_c_write_tables(&f->plan, i, out, &f->flash));
    write_run(f, out);
    return write_selftest(f, out);
}

/* The comment names the size of the tables, so it is made last. */
static srq_status write_source(c_file *f, char **text, size_t *size)
{
    char *body = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&body, &length);
    if (!out) return srq_fail_memory(0, "the C file");
    srq_status status = write_body(f, out);
    if (fclose(out) != 0 && status == SRQ_OK) status = srq_fail_memory(length, "the C file");
    out = status == SRQ_OK ? open_memstream(text, size) : NULL;
    if (status == SRQ_OK && !out) status = srq_fail_memory(length, "the C file");
    if (out) {
        write_comment(f, out);
        fwrite(body, 1, length, out);
        if (fclose(out) != 0) status = srq_fail_memory(length, "the C file");
    }
    free(body);
    return status;
}

static srq_status save(c_file *f, const char *path, const char *source, size_t size)
{
    char header[PATH_SIZE], *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (!out) return srq_fail_memory(0, "the header");
    write_header(f, out);
    srq_status status = fclose(out) == 0 ? SRQ_OK : srq_fail_memory(length, "the header");
    header_of(path, header, sizeof header);
    if (status == SRQ_OK) status = srq_file_write_atomic(header, text, length);
    if (status == SRQ_OK) {
        status = srq_file_write_atomic(path, source, size);
        if (status != SRQ_OK) unlink(header); /* both files or none */
    }
    free(text);
    return status;
}

static srq_status export(const srq_export_request *request, const char *path)
{
    c_file f = {.request = request, .net = request->net};
    char *source = NULL;
    size_t size = 0;
    SRQ_TRY(choose_name(&f, path));
    SRQ_TRY(srq_c_plan_make(request->net, &f.plan));
    srq_status status = write_source(&f, &source, &size);
    if (status == SRQ_OK) status = save(&f, path, source, size);
    free(source);
    srq_c_plan_free(&f.plan);
    return status;
}

extern const srq_export_format srq_export_c;
const srq_export_format srq_export_c = {
    .name = "c",
    .summary = "C99 without libraries or allocation, for microcontrollers and anything else",
    .suffix = ".c",
    .samples = true,
    .second = header_of,
    .write = export,
};
