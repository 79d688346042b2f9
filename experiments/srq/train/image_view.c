#include "experiments/srq/train/image_view.h"

#include "core/deploy.h"
#include "core/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- Building */

static void fill_tables(srq_view *v, const float *mean, const float *std)
{
    const size_t length = (size_t)v->width * (size_t)v->channels;
    srq_normalization(v->channels, mean, std, v->multiply, v->add);
    for (size_t i = (size_t)v->channels; i < length; i++) { /* every pixel of the row */
        v->multiply[i] = v->multiply[i - (size_t)v->channels];
        v->add[i] = v->add[i - (size_t)v->channels];
    }
}

static srq_status make_tables(srq_view *v)
{
    const size_t length = (size_t)v->width * (size_t)v->channels;
    v->multiply = malloc(length * sizeof *v->multiply);
    v->add = malloc(length * sizeof *v->add);
    if (!v->multiply || !v->add) return srq_fail_memory(2 * length * sizeof *v->add, "normalisation");
    fill_tables(v, v->normalized ? v->dataset->mean : NULL, v->normalized ? v->dataset->std : NULL);
    return SRQ_OK;
}

void srq_view_set_statistics(srq_view *v, const float *mean, const float *std)
{
    if (v->normalized && mean) fill_tables(v, mean, std);
}

srq_status srq_view_create(const srq_dataset *dataset, const srq_settings *s, srq_view *v)
{
    const int height = dataset->encoded ? s->model.height : dataset->height;
    const int width = dataset->encoded ? s->model.width : dataset->width, side = height < width ? height : width;
    *v = (srq_view){.dataset = dataset,
                    .seed = (uint64_t)s->train.seed,
                    .height = height,
                    .width = width,
                    .channels = dataset->channels,
                    .normalized = strcmp(s->data.normalize, "dataset") == 0,
                    .resized = strcmp(s->data.crop, "resized") == 0,
                    .flip = s->data.flip,
                    .pad = s->data.pad,
                    .cutout = s->data.cutout,
                    .jitter = {s->data.brightness, s->data.contrast, s->data.saturation, s->data.hue},
                    .side = s->data.resize ? s->data.resize : (side * 8 + 3) / 7,
                    .scale = {s->data.scale_min, s->data.scale_max},
                    .ratio = {s->data.ratio_min, s->data.ratio_max}};
    if (v->channels != 3 && (v->jitter[SRQ_SATURATION] > 0 || v->jitter[SRQ_HUE] > 0))
        return srq_fail(
            SRQ_ERROR_USAGE,
            "data.%s is above 0, but the images of %s have %d channel%s, not 3 (RGB), so they have no colour to "
            "change; set it to 0",
            v->jitter[SRQ_SATURATION] > 0 ? "saturation" : "hue", dataset->path, v->channels,
            v->channels == 1 ? "" : "s");
    return make_tables(v);
}

void srq_view_destroy(srq_view *view)
{
    free(view->multiply);
    free(view->add);
    view->multiply = view->add = NULL;
}

int srq_view_fraction(const srq_view *view)
{
    return srq_deploy_fraction(view->multiply, view->add, view->channels);
}

/* The sides after resizing for plain crops. The short side gets the configured length, and no side becomes shorter than
 * the network's input. In a data set of images of one size, evaluation sees whole images: there it is the input. */
static void base_sides(const srq_view *v, int height, int width, double sides[2])
{
    double factor = v->dataset->encoded ? (double)v->side / (height < width ? height : width) : 0;
    factor = fmax(factor, fmax((double)v->height / height, (double)v->width / width));
    sides[0] = fmax(round(height * factor), v->height);
    sides[1] = fmax(round(width * factor), v->width);
}

static void base_size(const srq_view *v, int height, int width, int *base_height, int *base_width)
{
    double sides[2];
    base_sides(v, height, width, sides);
    *base_height = (int)sides[0];
    *base_width = (int)sides[1];
}

/* What an image of height x width pixels needs: bytes of the resized image, and floats to resize it. A long line of
 * pixels takes a few bytes in the file, and would take gigabytes here: false, with its sides after resizing. */
static bool room_of_image(const srq_view *v, int height, int width, double sides[2], size_t *base, size_t *resize)
{
    enum { FLOATS_MAX = 1 << 28 };
    base_sides(v, height, width, sides);
    const bool fits = sides[0] * sides[1] <= SRQ_IMAGE_PIXELS_MAX;
    const size_t whole = fits ? srq_image_resize_room(height, width, (int)sides[0], (int)sides[1]) : 0;
    const size_t part = srq_image_resize_room(height, width, v->height, v->width);
    *base = fits ? (size_t)sides[0] * (size_t)sides[1] * SRQ_IMAGE_CHANNELS : 0;
    *resize = whole > part ? whole : part;
    return fits && *resize <= FLOATS_MAX;
}

static srq_status room_in_split(const srq_view *v, srq_split_name split, size_t index, size_t *base, size_t *resize)
{
    const int32_t *size = v->dataset->splits[split].sizes[index];
    double sides[2];
    if (room_of_image(v, size[0], size[1], sides, base, resize)) return SRQ_OK;
    return srq_fail(
        SRQ_ERROR_DATA,
        "%s: %s/sizes says that image %zu has %d x %d pixels (height x width), which become %.0f x %.0f for "
        "the network; at most %d pixels are possible: import the data again without this image, or use a "
        "smaller data.resize",
        v->dataset->path, split == SRQ_TRAIN ? "train" : "test", index, size[0], size[1], sides[0], sides[1],
        SRQ_IMAGE_PIXELS_MAX);
}

/* The memory for the largest image of the loaded splits. */
static srq_status find_room(const srq_view *v, size_t *base, size_t *resize)
{
    const srq_dataset *d = v->dataset;
    *base = *resize = 0;
    for (srq_split_name s = SRQ_TRAIN; s <= SRQ_TEST; s++)
        for (size_t i = 0; d->splits[s].sizes && i < d->splits[s].count; i++) {
            size_t bytes, floats;
            SRQ_TRY(room_in_split(v, s, i, &bytes, &floats));
            if (bytes > *base) *base = bytes;
            if (floats > *resize) *resize = floats;
        }
    if (!d->encoded && v->resized) *resize = srq_image_resize_room(d->height, d->width, v->height, v->width);
    return SRQ_OK;
}

srq_status srq_view_bench_create(const srq_view *v, srq_view_bench *bench)
{
    size_t base, resize;
    const srq_dataset *d = v->dataset;
    const size_t window = (size_t)v->height * (size_t)v->width * (size_t)v->channels;
    *bench = (srq_view_bench){0};
    SRQ_TRY(find_room(v, &base, &resize));
    *bench = (srq_view_bench){.window = malloc(window),
                              .file = malloc(d->largest_bytes + 1),
                              .base = malloc(base + 1),
                              .resize = malloc((resize + 1) * sizeof(float))};
    if (!bench->window || !bench->file || !bench->base || !bench->resize)
        return srq_fail_memory(window + d->largest_bytes + base + resize * sizeof(float), "the input images");
    if (!d->encoded || !base) return SRQ_OK;
    /* The maximum is over images: the largest height times the largest width may be larger than any image. */
    size_t most = 0, at[2] = {0, 0};
    for (size_t s = 0; s < 2; s++)
        for (size_t i = 0; d->splits[s].sizes && i < d->splits[s].count; i++) {
            const size_t pixels = (size_t)d->splits[s].sizes[i][0] * (size_t)d->splits[s].sizes[i][1];
            if (pixels <= most) continue;
            most = pixels;
            at[0] = s;
            at[1] = i;
        }
    const int32_t *largest = d->splits[at[0]].sizes[at[1]];
    srq_status status = srq_image_reserve(&bench->decoded, largest[0], largest[1]);
    if (status == SRQ_OK) return SRQ_OK;
    return srq_fail_in(status, "%s: %s/sizes of image %zu", d->path, at[0] == SRQ_TRAIN ? "train" : "test", at[1]);
}

void srq_view_bench_destroy(srq_view_bench *bench)
{
    srq_image_free(&bench->decoded);
    free(bench->file);
    free(bench->base);
    free(bench->window);
    free(bench->resize);
    *bench = (srq_view_bench){0};
}

/* --- Random choices */

/* Blocks of random numbers of an image in an epoch: 0: mirror and place; 1 to 10: attempts at a random box; the others
 * are named. */
enum { CUTOUT_BLOCK = 11, JITTER_BLOCK, ORDER_BLOCK };

static void draw(const srq_view *v, size_t index, long epoch, uint64_t block, uint32_t bits[4])
{
    srq_random(v->seed, SRQ_RANDOM_AUGMENT, (uint64_t)epoch, (uint64_t)index | block << 48, bits);
}

/* A random number of 0 to n - 1. */
static int pick(uint32_t bits, int n)
{
    return (int)((uint64_t)bits * (uint64_t)n >> 32);
}

static double between(const double range[2], uint32_t bits)
{
    return range[0] + (range[1] - range[0]) * ((double)bits + 0.5) / 4294967296.0;
}

srq_box srq_view_random_box(const srq_view *v, int height, int width, size_t index, long epoch)
{
    const double logs[2] = {log(v->ratio[0]), log(v->ratio[1])}, ratio = (double)width / height;
    for (uint64_t attempt = 1; attempt <= 10; attempt++) {
        uint32_t bits[4];
        draw(v, index, epoch, attempt, bits);
        const double area = (double)height * width * between(v->scale, bits[0]), aspect = exp(between(logs, bits[1]));
        const double w = round(sqrt(area * aspect)), h = round(sqrt(area / aspect));
        if (w < 1 || w > width || h < 1 || h > height) continue;
        return (srq_box){pick(bits[2], height - (int)h + 1), pick(bits[3], width - (int)w + 1), (int)h, (int)w};
    }
    /* The largest centered box whose ratio is in the allowed range. */
    srq_box box = {0, 0, height, width};
    if (ratio < v->ratio[0]) box.height = (int)fmax(1, fmin(height, round(width / v->ratio[0])));
    if (ratio > v->ratio[1]) box.width = (int)fmax(1, fmin(width, round(height * v->ratio[1])));
    box.top = (height - box.height) / 2;
    box.left = (width - box.width) / 2;
    return box;
}

/* --- From image to window */

/* Copies a window of `from` [height][width] that begins at (top, left). Pixels outside of the image are black. */
static void cut(const srq_view *v, const uint8_t *from, int height, int width, int top, int left, uint8_t *to)
{
    const size_t channels = (size_t)v->channels, row = (size_t)v->width * channels;
    const int first = left < 0 ? -left : 0, last = width - left < v->width ? width - left : v->width;
    for (int y = 0; y < v->height; y++, to += row) {
        const bool inside = top + y >= 0 && top + y < height && first < last;
        if (!inside || first > 0 || last < v->width) memset(to, 0, row);
        if (!inside) continue;
        const size_t at = (size_t)(top + y) * (size_t)width + (size_t)(left + first);
        memcpy(to + (size_t)first * channels, from + at * channels, (size_t)(last - first) * channels);
    }
}

static void mirror(const srq_view *v, uint8_t *window)
{
    const size_t channels = (size_t)v->channels, row = (size_t)v->width * channels;
    for (int y = 0; y < v->height; y++, window += row)
        for (uint8_t *a = window, *b = window + row - channels; a < b; a += channels, b -= channels)
            for (size_t c = 0; c < channels; c++) {
                const uint8_t kept = a[c];
                a[c] = b[c];
                b[c] = kept;
            }
}

static bool jitters(const srq_view *v)
{
    bool any = false;
    for (int i = 0; i < SRQ_COLOR_CHANGES; i++) any = any || v->jitter[i] > 0;
    return any;
}

static void change_colors(const srq_view *v, size_t index, long epoch, uint8_t *window)
{
    uint32_t bits[8];
    draw(v, index, epoch, JITTER_BLOCK, bits);
    draw(v, index, epoch, ORDER_BLOCK, bits + 4);
    const srq_jitter jitter = srq_jitter_draw(v->jitter, bits);
    for (int i = 0; i < SRQ_COLOR_CHANGES; i++) {
        const srq_color_change change = jitter.order[i];
        if (v->jitter[change] > 0)
            srq_jitter_change(change, jitter.amount[change], (long)v->height * v->width, v->channels, window);
    }
}

/* A square of 0, the mean colour of normalized images, around a random pixel. What lies outside of the image is lost.
 */
static void cut_out(const srq_view *v, size_t index, long epoch, float *to)
{
    uint32_t bits[4];
    draw(v, index, epoch, CUTOUT_BLOCK, bits);
    const int top = pick(bits[0], v->height) - v->cutout / 2, left = pick(bits[1], v->width) - v->cutout / 2;
    const int y0 = top > 0 ? top : 0, x0 = left > 0 ? left : 0;
    const int y1 = top + v->cutout < v->height ? top + v->cutout : v->height;
    const int x1 = left + v->cutout < v->width ? left + v->cutout : v->width;
    const size_t channels = (size_t)v->channels, row = (size_t)v->width * channels;
    for (int y = y0; y < y1; y++)
        memset(to + (size_t)y * row + (size_t)x0 * channels, 0, (size_t)(x1 - x0) * channels * sizeof *to);
}

static void normalize(const srq_view *v, const uint8_t *from, float *to)
{
    const size_t row = (size_t)v->width * (size_t)v->channels;
    for (int y = 0; y < v->height; y++, from += row, to += row)
        for (size_t i = 0; i < row; i++) to[i] = (float)from[i] * v->multiply[i] + v->add[i];
}

static void place(const srq_view *v, int height, int width, size_t index, long epoch, int *top, int *left)
{
    uint32_t bits[4];
    *top = (height - v->height) / 2;
    *left = (width - v->width) / 2;
    if (epoch == SRQ_VIEW_TEST || v->pad == 0) return;
    draw(v, index, epoch, 0, bits);
    *top = pick(bits[1], height + 2 * v->pad - v->height + 1) - v->pad;
    *left = pick(bits[2], width + 2 * v->pad - v->width + 1) - v->pad;
}

/* Resizes a part of the image to the window. */
static void resize(const srq_view *v, srq_view_bench *bench, const srq_image *image, size_t index, long epoch)
{
    const srq_box box = srq_view_random_box(v, image->height, image->width, index, epoch);
    srq_image_resize(image, box, v->height, v->width, bench->window, bench->resize);
}

static srq_status decode(const srq_view *v, srq_view_bench *bench, srq_split_name split, size_t index)
{
    size_t size;
    const int32_t *said = v->dataset->splits[split].sizes[index];
    const char *name = split == SRQ_TRAIN ? "train" : "test";
    SRQ_TRY(srq_dataset_read(v->dataset, split, index, bench->file, &size));
    srq_status status = srq_image_decode(bench->file, size, &bench->decoded);
    if (status == SRQ_OK && (bench->decoded.height != said[0] || bench->decoded.width != said[1]))
        status = srq_fail(SRQ_ERROR_DATA,
                          "%d x %d pixels (height x width), but %s/sizes says %d x %d; import the data again",
                          bench->decoded.height, bench->decoded.width, name, said[0], said[1]);
    if (status == SRQ_OK) return SRQ_OK;
    return srq_fail_in(status, "%s: %s image %zu", v->dataset->path, name, index);
}

/* The middle of the decoded image. Returns its pixels before they are cut, which have the size `height` x `width`. */
static const uint8_t *resize_whole(const srq_view *v, srq_view_bench *bench, int *height, int *width)
{
    const srq_image *image = &bench->decoded;
    base_size(v, image->height, image->width, height, width);
    if (*height == image->height && *width == image->width) return image->pixels;
    const srq_box whole = {0, 0, image->height, image->width};
    srq_image_resize(image, whole, *height, *width, bench->base, bench->resize);
    return bench->base;
}

static srq_status window_of_encoded(const srq_view *v, srq_view_bench *bench, srq_split_name split, size_t index,
                                    long epoch)
{
    int height, width, top, left;
    SRQ_TRY(decode(v, bench, split, index));
    if (v->resized && epoch != SRQ_VIEW_TEST) {
        resize(v, bench, &bench->decoded, index, epoch);
        return SRQ_OK;
    }
    const uint8_t *base = resize_whole(v, bench, &height, &width);
    place(v, height, width, index, epoch, &top, &left);
    cut(v, base, height, width, top, left, bench->window);
    return SRQ_OK;
}

/* Makes the window from pixels. Returns the pixels themselves if nothing is to be changed. */
static const uint8_t *window_of_pixels(const srq_view *v, srq_view_bench *bench, srq_split_name split, size_t index,
                                       long epoch)
{
    const srq_dataset *d = v->dataset;
    const size_t bytes = (size_t)d->height * (size_t)d->width * (size_t)d->channels;
    uint8_t *pixels = d->splits[split].images + index * bytes;
    const bool training = epoch != SRQ_VIEW_TEST;
    int top, left;
    if (training && v->resized) {
        const srq_image image = {.height = d->height, .width = d->width, .pixels = pixels};
        resize(v, bench, &image, index, epoch);
    } else if (training && v->pad) {
        place(v, d->height, d->width, index, epoch, &top, &left);
        cut(v, pixels, d->height, d->width, top, left, bench->window);
    } else if (training && (v->flip || jitters(v))) {
        memcpy(bench->window, pixels, bytes);
    } else {
        return pixels;
    }
    return bench->window;
}

srq_status srq_view_make(const srq_view *v, srq_view_bench *bench, srq_split_name split, size_t index, long epoch,
                         float *to)
{
    const uint8_t *window = bench->window;
    if (v->dataset->encoded)
        SRQ_TRY(window_of_encoded(v, bench, split, index, epoch));
    else
        window = window_of_pixels(v, bench, split, index, epoch);
    if (epoch != SRQ_VIEW_TEST && v->flip) {
        uint32_t bits[4];
        draw(v, index, epoch, 0, bits);
        if (bits[0] >> 31) mirror(v, bench->window);
    }
    if (epoch != SRQ_VIEW_TEST && jitters(v)) change_colors(v, index, epoch, bench->window);
    normalize(v, window, to);
    if (epoch != SRQ_VIEW_TEST && v->cutout) cut_out(v, index, epoch, to);
    return SRQ_OK;
}

/* --- Images from outside */

static srq_status grow(const srq_view *v, srq_view_bench *bench)
{
    double sides[2];
    size_t base, resize;
    const srq_image *image = &bench->decoded;
    if (!room_of_image(v, image->height, image->width, sides, &base, &resize))
        return srq_fail(SRQ_ERROR_DATA,
                        "%d x %d pixels (height x width), which become %.0f x %.0f for the network; at most %d pixels "
                        "are possible: cut the image",
                        image->height, image->width, sides[0], sides[1], SRQ_IMAGE_PIXELS_MAX);
    if (base > bench->base_room) {
        free(bench->base);
        bench->base_room = base;
        bench->base = malloc(base);
    }
    if (resize > bench->resize_room) {
        free(bench->resize);
        bench->resize_room = resize;
        bench->resize = malloc(resize * sizeof(float));
    }
    if (bench->base && bench->resize) return SRQ_OK;
    bench->base_room = bench->resize_room = 0;
    return srq_fail_memory(base + resize * sizeof(float), "an image");
}

/* All three channels become grey. What is grey already keeps its value. */
static void make_grey(srq_image *image)
{
    enum { RED = 19595, GREEN = 38470, BLUE = 7471, BITS = 16 }; /* of 2^16 */
    const size_t count = (size_t)image->height * (size_t)image->width;
    uint8_t *p = image->pixels;
    for (size_t i = 0; i < count; i++, p += SRQ_IMAGE_CHANNELS)
        memset(p, (p[0] * RED + p[1] * GREEN + p[2] * BLUE + (1 << (BITS - 1))) >> BITS, SRQ_IMAGE_CHANNELS);
}

srq_status srq_view_make_encoded(const srq_view *v, srq_view_bench *bench, const uint8_t *bytes, size_t size, float *to)
{
    int height, width;
    SRQ_TRY(srq_image_decode(bytes, size, &bench->decoded));
    SRQ_TRY(grow(v, bench));
    if (v->channels == 1) make_grey(&bench->decoded);
    const uint8_t *base = resize_whole(v, bench, &height, &width);
    const int top = (height - v->height) / 2, left = (width - v->width) / 2;
    uint8_t *window = bench->window;
    for (int y = 0; y < v->height; y++) {
        const uint8_t *row = base + ((size_t)(top + y) * (size_t)width + (size_t)left) * SRQ_IMAGE_CHANNELS;
        for (int x = 0; x < v->width; x++, row += SRQ_IMAGE_CHANNELS, window += v->channels)
            memcpy(window, row, (size_t)v->channels);
    }
    normalize(v, bench->window, to);
    return SRQ_OK;
}
