/* JPEG with libjpeg-turbo's libjpeg interface. Errors return through setjmp. */
#include "io/image.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

#include <jerror.h>

enum { SCANS_MAX = 200 };

/* libjpeg's error manager, and where to return after an error. */
typedef struct failure {
    struct jpeg_error_mgr manager;
    jmp_buf out;
    char message[JMSG_LENGTH_MAX];
} failure;

static void leave(j_common_ptr jpeg)
{
    failure *f = (failure *)jpeg->err;
    f->manager.format_message(jpeg, f->message);
    longjmp(f->out, 1);
}

/* Warnings that do not affect pixels are ignored. After all other warnings, libjpeg invents pixels. */
static void judge(j_common_ptr jpeg, int level)
{
    const int code = jpeg->err->msg_code;
    if (level >= 0 || code == JWRN_EXTRANEOUS_DATA || code == JWRN_ADOBE_XFORM || code == JWRN_JFIF_MAJOR ||
        code == JWRN_BOGUS_PROGRESSION)
        return;
    leave(jpeg);
}

static void say_nothing(j_common_ptr jpeg)
{
    (void)jpeg;
}

static struct jpeg_error_mgr *report_to(failure *f)
{
    jpeg_std_error(&f->manager);
    f->manager.error_exit = leave;
    f->manager.emit_message = judge;
    f->manager.output_message = say_nothing;
    f->message[0] = '\0';
    return &f->manager;
}

/* --- Decoding */

/* Even a short scan of a progressive JPEG costs time for the whole image. */
static void count_scans(j_common_ptr jpeg)
{
    failure *f = (failure *)jpeg->err;
    if (!jpeg->is_decompressor || ((j_decompress_ptr)jpeg)->input_scan_number <= SCANS_MAX) return;
    snprintf(f->message, sizeof f->message, "more than %d scans", SCANS_MAX);
    longjmp(f->out, 1);
}

enum { INKS = 4 };

static srq_status start(j_decompress_ptr jpeg, srq_image *image, JSAMPLE *volatile *inks)
{
    const int colours = jpeg->num_components;
    if (colours != 1 && colours != 3 && colours != INKS)
        return srq_fail(SRQ_ERROR_DATA,
                        "a JPEG of %d colour components; 1 (grey), 3 (colour) or 4 (CMYK, YCCK) are expected", colours);
    image->cmyk = colours == INKS;
    jpeg->out_color_space = image->cmyk ? JCS_CMYK : JCS_RGB; /* libjpeg converts YCCK to CMYK */
    jpeg->dct_method = JDCT_ISLOW;                            /* the same on every CPU */
    SRQ_TRY(srq_image_reserve(image, (int)jpeg->image_height, (int)jpeg->image_width));
    if (image->cmyk) *inks = malloc((size_t)image->width * INKS);
    return image->cmyk && !*inks ? srq_fail_memory((size_t)image->width * INKS, "an image") : SRQ_OK;
}

/* a b / 255, rounded. */
static int share(int a, int b)
{
    const int product = a * b + 128;
    return ((product >> 8) + product) >> 8;
}

/* The colours that Pillow's convert("RGB") gives. It takes every CMYK JPEG for one by Adobe's programs, which store
 * 255 - ink, and uses no profile of the inks. */
static void mix(const JSAMPLE *inks, int width, uint8_t *to)
{
    for (int x = 0; x < width; x++, inks += INKS)
        for (int c = 0; c < SRQ_IMAGE_CHANNELS; c++) {
            const int light = inks[INKS - 1];
            *to++ = (uint8_t)(light - share(255 - inks[c], light));
        }
}

static const char *nature(const failure *f)
{
    const int code = f->manager.msg_code;
    return code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER || code == JERR_INPUT_EOF || code == JERR_INPUT_EMPTY
               ? "truncated"
               : "damaged";
}

static void read_rows(j_decompress_ptr jpeg, srq_image *image, JSAMPLE *inks)
{
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW row = image->pixels + (size_t)jpeg->output_scanline * (size_t)image->width * SRQ_IMAGE_CHANNELS;
        JSAMPROW to = inks ? inks : row;
        jpeg_read_scanlines(jpeg, &to, 1);
        if (inks) mix(inks, image->width, row);
    }
}

srq_status srq_jpeg_decode(const uint8_t *bytes, size_t size, srq_image *image)
{
    struct jpeg_decompress_struct jpeg;
    struct jpeg_progress_mgr progress = {.progress_monitor = count_scans};
    JSAMPLE *volatile inks = NULL; /* a row of a CMYK image */
    failure f;
    image->cmyk = false;
    jpeg.err = report_to(&f);
    if (setjmp(f.out)) {
        jpeg_destroy_decompress(&jpeg);
        free(inks);
        return srq_fail(SRQ_ERROR_DATA, "a %s JPEG (%s)", nature(&f), f.message);
    }
    jpeg_create_decompress(&jpeg);
    jpeg.progress = &progress;
    jpeg_mem_src(&jpeg, bytes, size);
    jpeg_read_header(&jpeg, TRUE);
    srq_status status = start(&jpeg, image, &inks);
    if (status == SRQ_OK) {
        jpeg_start_decompress(&jpeg);
        read_rows(&jpeg, image, inks);
        jpeg_finish_decompress(&jpeg);
    }
    jpeg_destroy_decompress(&jpeg);
    free(inks);
    return status;
}

/* --- Encoding */

static void encode(j_compress_ptr jpeg, const srq_image *image, int quality)
{
    jpeg->image_width = (JDIMENSION)image->width;
    jpeg->image_height = (JDIMENSION)image->height;
    jpeg->input_components = SRQ_IMAGE_CHANNELS;
    jpeg->in_color_space = JCS_RGB;
    jpeg_set_defaults(jpeg);
    jpeg_set_quality(jpeg, quality, TRUE);
    jpeg->dct_method = JDCT_ISLOW;
    jpeg_start_compress(jpeg, TRUE);
    while (jpeg->next_scanline < jpeg->image_height) {
        JSAMPROW row = image->pixels + (size_t)jpeg->next_scanline * (size_t)image->width * SRQ_IMAGE_CHANNELS;
        jpeg_write_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_compress(jpeg);
}

srq_status srq_image_encode(const srq_image *image, int quality, uint8_t **bytes, size_t *size)
{
    struct jpeg_compress_struct jpeg;
    struct room {
        unsigned char *bytes;
        unsigned long size;
    } *room = calloc(1, sizeof *room); /* not a local variable, because it must survive longjmp */
    failure f;
    if (!room) return srq_fail_memory(sizeof *room, "an image");
    jpeg.err = report_to(&f);
    srq_status status = SRQ_OK;
    if (setjmp(f.out)) {
        status = srq_fail(SRQ_ERROR_RUN, "cannot encode an image as JPEG (%s)", f.message);
        free(room->bytes);
    } else {
        jpeg_create_compress(&jpeg);
        jpeg_mem_dest(&jpeg, &room->bytes, &room->size);
        encode(&jpeg, image, quality);
        *bytes = room->bytes;
        *size = room->size;
    }
    jpeg_destroy_compress(&jpeg);
    free(room);
    return status;
}
