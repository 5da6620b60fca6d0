// libjpeg and libpng on memory. Both libraries report errors by long jumps, which must not pass through Swift frames:
// every jump starts and ends inside one function of this file.
#pragma once
#include <dirent.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>
#include <png.h>
#include <zlib.h>

// MARK: - Limits

/// Longest side, in pixels.
#define PICTURES_LARGEST_SIDE 65500
/// Largest picture, in pixels.
#define PICTURES_LARGEST_AREA 100000000
/// A progressive JPEG needs about ten scans; thousands of them are an attack on the reader's time.
#define PICTURES_MOST_SCANS 100

/// The result of decoding.
typedef struct {
  int32_t width, height;
  /// The data ended before the picture did.
  int32_t truncated;
  /// Warnings of the library; decoding continued.
  int32_t warnings;
  /// Bytes that decoding needs besides the pixels, if these are many: for pictures with several scans.
  uint64_t memory;
  /// The reason why the picture could not be decoded; else the first warning; else empty.
  char message[200];
} image_report;

static inline int image_acceptable(image_report *report, uint64_t width, uint64_t height) {
  if (width == 0 || height == 0) {
    snprintf(report->message, sizeof report->message, "the picture has no pixels");
    return 0;
  }
  if (width > PICTURES_LARGEST_SIDE || height > PICTURES_LARGEST_SIDE || width * height > PICTURES_LARGEST_AREA) {
    snprintf(report->message, sizeof report->message, "%llu x %llu pixels; the limits are %d a side and %d megapixels",
             (unsigned long long)width, (unsigned long long)height, PICTURES_LARGEST_SIDE, PICTURES_LARGEST_AREA / 1000000);
    return 0;
  }
  report->width = (int32_t)width;
  report->height = (int32_t)height;
  return 1;
}

static inline void image_warn(image_report *report, const char *text) {
  if (report->warnings++ == 0) snprintf(report->message, sizeof report->message, "%s", text);
}

// MARK: - JPEG

typedef struct {
  struct jpeg_error_mgr errors;  // first: libjpeg hands back a pointer to it
  jmp_buf failed;
  image_report *report;
} image_jpeg_errors;

static inline void image_jpeg_exit(j_common_ptr info) {
  image_jpeg_errors *state = (image_jpeg_errors *)info->err;
  char text[JMSG_LENGTH_MAX];
  info->err->format_message(info, text);
  snprintf(state->report->message, sizeof state->report->message, "%s", text);
  longjmp(state->failed, 1);
}

static inline void image_jpeg_message(j_common_ptr info, int level) {
  if (level >= 0) return;
  image_jpeg_errors *state = (image_jpeg_errors *)info->err;
  if (info->err->msg_code == JWRN_JPEG_EOF) state->report->truncated = 1;
  char text[JMSG_LENGTH_MAX];
  info->err->format_message(info, text);
  image_warn(state->report, text);
}

static inline void image_jpeg_silent(j_common_ptr info) { (void)info; }

static inline void image_jpeg_progress(j_common_ptr info) {
  if (((j_decompress_ptr)info)->input_scan_number <= PICTURES_MOST_SCANS) return;
  image_jpeg_errors *state = (image_jpeg_errors *)info->err;
  snprintf(state->report->message, sizeof state->report->message, "more than %d scans", PICTURES_MOST_SCANS);
  longjmp(state->failed, 1);
}

/// One row of inverted CMYK (Adobe's convention, which all CMYK JPEG files follow) to RGB, rounding a * b / 255 to nearest.
static inline void image_cmyk_row(const uint8_t *cmyk, uint8_t *rgb, int32_t width) {
  for (int32_t x = 0; x < width; x++, cmyk += 4, rgb += 3) {
    int black = cmyk[3];
    for (int c = 0; c < 3; c++) {
      int product = (255 - cmyk[c]) * black + 128;
      rgb[c] = (uint8_t)(black - (((product >> 8) + product) >> 8));
    }
  }
}

/// Decodes a JPEG to RGB8 rows without gaps: baseline or progressive; grey, YCbCr, RGB, CMYK or YCCK.
/// With `pixels` null only the size is read. Accurate integer DCT and smooth chroma upsampling. `denominator` (1, 2, 4 or 8) shrinks: the
/// sides of the decoded pixels are divided by it, rounded up; the reported size is not.
/// Truncated data are decoded up to their end, with `truncated` set: the caller decides whether to use the picture.
/// Returns 1 on success; 0 with a reason in `message` otherwise, also when `pixels` holds fewer than `capacity` bytes.
__attribute__((noinline, unused))
static int image_read_jpeg(const uint8_t *bytes, size_t count, int denominator, uint8_t *pixels, size_t capacity, image_report *report) {
  struct jpeg_decompress_struct info;
  struct jpeg_progress_mgr progress;
  image_jpeg_errors state;
  memset(report, 0, sizeof *report);
  memset(&progress, 0, sizeof progress);
  state.report = report;
  info.err = jpeg_std_error(&state.errors);
  state.errors.error_exit = image_jpeg_exit;
  state.errors.emit_message = image_jpeg_message;
  state.errors.output_message = image_jpeg_silent;
  jpeg_create_decompress(&info);
  if (setjmp(state.failed)) {
    jpeg_destroy_decompress(&info);
    return 0;
  }
  progress.progress_monitor = image_jpeg_progress;
  info.progress = &progress;
  jpeg_mem_src(&info, bytes, (unsigned long)count);
  jpeg_read_header(&info, TRUE);
  if (jpeg_has_multiple_scans(&info)) {
    // All coefficients are kept until the last scan, 16 bits each.
    for (int c = 0; c < info.num_components; c++) {
      jpeg_component_info *component = &info.comp_info[c];
      report->memory += (uint64_t)info.image_width * (uint64_t)info.image_height * 2 * (uint64_t)(component->h_samp_factor * component->v_samp_factor)
                        / (uint64_t)(info.max_h_samp_factor > 0 && info.max_v_samp_factor > 0 ? info.max_h_samp_factor * info.max_v_samp_factor : 1);
    }
  }
  int supported = info.num_components == 1 || info.num_components == 3 || info.num_components == 4;
  if (!supported) snprintf(report->message, sizeof report->message, "%d colour components", info.num_components);
  if (!supported || !image_acceptable(report, info.image_width, info.image_height)) {
    jpeg_destroy_decompress(&info);
    return 0;
  }
  if (pixels) {
    info.out_color_space = info.num_components == 4 ? JCS_CMYK : JCS_RGB;
    info.dct_method = JDCT_ISLOW;
    info.do_fancy_upsampling = TRUE;
    info.scale_num = 1;
    info.scale_denom = (unsigned)denominator;
    jpeg_calc_output_dimensions(&info);
    size_t row = (size_t)info.output_width * 3;
    if (capacity < row * (size_t)info.output_height) {
      snprintf(report->message, sizeof report->message, "the picture changed while it was read");
      jpeg_destroy_decompress(&info);
      return 0;
    }
    jpeg_start_decompress(&info);
    JSAMPARRAY quads = NULL;
    if (info.num_components == 4)
      quads = info.mem->alloc_sarray((j_common_ptr)&info, JPOOL_IMAGE, info.output_width * 4, 1);
    while (info.output_scanline < info.output_height) {
      JSAMPROW target = pixels + row * info.output_scanline;
      jpeg_read_scanlines(&info, quads ? quads : &target, 1);
      if (quads) image_cmyk_row(quads[0], target, (int32_t)info.output_width);
    }
  }
  jpeg_destroy_decompress(&info);
  return 1;
}

// MARK: - PNG

static inline void image_png_failed(png_structp png, png_const_charp text) {
  image_report *report = (image_report *)png_get_error_ptr(png);
  snprintf(report->message, sizeof report->message, "%s", text);
  png_longjmp(png, 1);
}

static inline void image_png_warned(png_structp png, png_const_charp text) { image_warn((image_report *)png_get_error_ptr(png), text); }

typedef struct {
  const uint8_t *bytes;
  size_t count, position;
} image_png_source;

static inline void image_png_pull(png_structp png, png_bytep target, size_t count) {
  image_png_source *source = (image_png_source *)png_get_io_ptr(png);
  if (source->count - source->position < count) {
    ((image_report *)png_get_error_ptr(png))->truncated = 1;
    png_error(png, "the data end early");
  }
  memcpy(target, source->bytes + source->position, count);
  source->position += count;
}

/// Decodes a PNG of any colour type, depth and interlacing to RGB8 rows without gaps. Transparency is dropped, not composited; 16-bit
/// samples keep their high byte; gamma and profiles are ignored. Parameters and result as for `image_read_jpeg`.
__attribute__((noinline, unused))
static int image_read_png(const uint8_t *bytes, size_t count, uint8_t *pixels, size_t capacity, image_report *report) {
  image_png_source source = {bytes, count, 0};
  memset(report, 0, sizeof *report);
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, report, image_png_failed, image_png_warned);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  if (!info) {
    png_destroy_read_struct(&png, NULL, NULL);
    snprintf(report->message, sizeof report->message, "no memory");
    return 0;
  }
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &info, NULL);
    return 0;
  }
  png_set_read_fn(png, &source, image_png_pull);
  png_set_user_limits(png, 0x7fffffff, 0x7fffffff);  // the checks below report the limit that was exceeded
  png_read_info(png, info);
  if (!image_acceptable(report, png_get_image_width(png, info), png_get_image_height(png, info))) {
    png_destroy_read_struct(&png, &info, NULL);
    return 0;
  }
  if (pixels) {
    size_t row = (size_t)report->width * 3;
    if (capacity < row * (size_t)report->height) png_error(png, "the picture changed while it was read");
    png_set_strip_16(png);
    png_set_palette_to_rgb(png);
    png_set_expand_gray_1_2_4_to_8(png);
    png_set_gray_to_rgb(png);
    png_set_strip_alpha(png);
    int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    if (png_get_rowbytes(png, info) != row) png_error(png, "unknown pixel layout");
    for (int pass = 0; pass < passes; pass++)
      for (int32_t y = 0; y < report->height; y++) png_read_row(png, pixels + row * (size_t)y, NULL);
    png_read_end(png, NULL);
  }
  png_destroy_read_struct(&png, &info, NULL);
  return 1;
}

/// A growing block of memory; `bytes` is the caller's to free.
typedef struct {
  uint8_t *bytes;
  size_t count, capacity;
} image_buffer;

static inline void image_png_push(png_structp png, png_bytep bytes, size_t count) {
  image_buffer *buffer = (image_buffer *)png_get_io_ptr(png);
  if (buffer->capacity - buffer->count < count) {
    size_t capacity = (buffer->capacity + count) * 2;
    uint8_t *grown = (uint8_t *)realloc(buffer->bytes, capacity);
    if (!grown) png_error(png, "no memory");
    buffer->bytes = grown;
    buffer->capacity = capacity;
  }
  memcpy(buffer->bytes + buffer->count, bytes, count);
  buffer->count += count;
}

static inline void image_png_flush(png_structp png) { (void)png; }

/// Encodes rows without gaps as PNG, appended to `buffer`: RGB8 when `channels` is 3, 16-bit grey (native byte order) when it is 1.
/// `level` is zlib's, 1 (fast) to 9 (small). Returns 1 on success; 0 with a reason in `message` otherwise.
__attribute__((noinline, unused))
static int image_write_png(const void *pixels, int32_t width, int32_t height, int channels, int level, image_buffer *buffer,
                              image_report *report) {
  memset(report, 0, sizeof *report);
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, report, image_png_failed, image_png_warned);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  if (!info) {
    png_destroy_write_struct(&png, NULL);
    snprintf(report->message, sizeof report->message, "no memory");
    return 0;
  }
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_write_struct(&png, &info);
    return 0;
  }
  int grey = channels == 1;
  png_set_write_fn(png, buffer, image_png_push, image_png_flush);
  png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, grey ? 16 : 8, grey ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB,
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_set_compression_level(png, level);
  png_set_filter(png, 0, grey ? PNG_FILTER_UP : PNG_FILTER_SUB);
  png_write_info(png, info);
  const uint16_t one = 1;
  if (grey && *(const uint8_t *)&one) png_set_swap(png);
  size_t row = (size_t)width * (grey ? 2 : 3);
  for (int32_t y = 0; y < height; y++) png_write_row(png, (png_const_bytep)pixels + row * (size_t)y);
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return 1;
}

/// Decompresses zlib data. Returns the number of bytes written to `target`; 0 when the data are damaged or more than `capacity`.
__attribute__((noinline, unused))
static size_t image_inflate(const uint8_t *bytes, size_t count, uint8_t *target, size_t capacity) {
  uLongf length = (uLongf)capacity;
  return uncompress(target, &length, bytes, (uLong)count) == Z_OK ? (size_t)length : 0;
}
