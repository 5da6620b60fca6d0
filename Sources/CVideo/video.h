// V4L2 as the kernel's header defines it, with wrappers for the parts that Swift cannot import: request codes, four-character codes, unions.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/videodev2.h>
#include <sys/ioctl.h>

// MARK: - System calls

/// A descriptor, or less than 0: the error's number, negated.
static inline int video_open(const char *path) {
  int descriptor = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  return descriptor < 0 ? -errno : descriptor;
}
/// 0, or the error's number.
static inline int video_control(int descriptor, uint64_t request, void *argument) {
  int result;
  do result = ioctl(descriptor, (unsigned long)request, argument);
  while (result < 0 && errno == EINTR);
  return result < 0 ? errno : 0;
}
/// Null on failure.
static inline void *video_map(int descriptor, int64_t offset, size_t count) {
  void *base = mmap(NULL, count, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, (off_t)offset);
  return base == MAP_FAILED ? NULL : base;
}

// MARK: - Requests

static const uint64_t video_request_capability = VIDIOC_QUERYCAP;
static const uint64_t video_request_format = VIDIOC_ENUM_FMT;
static const uint64_t video_request_frame_size = VIDIOC_ENUM_FRAMESIZES;
static const uint64_t video_request_frame_interval = VIDIOC_ENUM_FRAMEINTERVALS;
static const uint64_t video_request_set_format = VIDIOC_S_FMT;
static const uint64_t video_request_set_parameters = VIDIOC_S_PARM;
static const uint64_t video_request_buffers = VIDIOC_REQBUFS;
static const uint64_t video_request_buffer = VIDIOC_QUERYBUF;
static const uint64_t video_request_queue = VIDIOC_QBUF;
static const uint64_t video_request_dequeue = VIDIOC_DQBUF;
static const uint64_t video_request_start = VIDIOC_STREAMON;
static const uint64_t video_request_stop = VIDIOC_STREAMOFF;

// MARK: - Formats

static const uint32_t video_format_yuv420 = V4L2_PIX_FMT_YUV420;
static const uint32_t video_format_nv12 = V4L2_PIX_FMT_NV12;
static const uint32_t video_format_yuyv = V4L2_PIX_FMT_YUYV;
static const uint32_t video_format_rgb24 = V4L2_PIX_FMT_RGB24;
static const uint32_t video_format_grey = V4L2_PIX_FMT_GREY;
static const uint32_t video_format_mjpeg = V4L2_PIX_FMT_MJPEG;
static const uint32_t video_format_jpeg = V4L2_PIX_FMT_JPEG;

/// The capabilities of a node: the node's own if the driver reports them, else the device's.
static inline uint32_t video_capabilities(const struct v4l2_capability *capability) {
  return capability->capabilities & V4L2_CAP_DEVICE_CAPS ? capability->device_caps : capability->capabilities;
}
/// When the frame was captured, in milliseconds of the monotonic clock; negative when the driver uses another one.
static inline double video_captured(const struct v4l2_buffer *buffer) {
  if ((buffer->flags & V4L2_BUF_FLAG_TIMESTAMP_MASK) != V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC) return -1;
  return (double)buffer->timestamp.tv_sec * 1000 + (double)buffer->timestamp.tv_usec / 1000;
}

// MARK: - Single-planar and multi-planar

// A driver has one of the two interfaces; these functions present both as the single-planar one.

/// The buffer type of a node with these capabilities; 0 if it does not capture.
static inline uint32_t video_buffer_type(uint32_t capabilities) {
  if (capabilities & V4L2_CAP_VIDEO_CAPTURE) return V4L2_BUF_TYPE_VIDEO_CAPTURE;
  return capabilities & V4L2_CAP_VIDEO_CAPTURE_MPLANE ? V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE : 0;
}
/// A request for `pixels` (width, height, format, field), in one plane.
static inline struct v4l2_format video_format(uint32_t type, struct v4l2_pix_format pixels) {
  struct v4l2_format format = {.type = type};
  if (type != V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE) {
    format.fmt.pix = pixels;
    return format;
  }
  format.fmt.pix_mp.width = pixels.width;
  format.fmt.pix_mp.height = pixels.height;
  format.fmt.pix_mp.pixelformat = pixels.pixelformat;
  format.fmt.pix_mp.field = pixels.field;
  format.fmt.pix_mp.num_planes = 1;
  return format;
}
/// The format that a driver returned; its code is 0 if it has several planes.
static inline struct v4l2_pix_format video_pixels(const struct v4l2_format *format) {
  if (format->type != V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE) return format->fmt.pix;
  const struct v4l2_pix_format_mplane *several = &format->fmt.pix_mp;
  struct v4l2_pix_format pixels = {0};
  pixels.width = several->width;
  pixels.height = several->height;
  pixels.pixelformat = several->num_planes == 1 ? several->pixelformat : 0;
  pixels.field = several->field;
  pixels.bytesperline = several->plane_fmt[0].bytesperline;
  pixels.sizeimage = several->plane_fmt[0].sizeimage;
  pixels.colorspace = several->colorspace;
  pixels.ycbcr_enc = several->ycbcr_enc;
  pixels.quantization = several->quantization;
  return pixels;
}
/// A buffer for a request to the driver; `plane` describes the only plane of the multi-planar kind, and must live as long as the buffer is used.
static inline struct v4l2_buffer video_buffer(uint32_t type, uint32_t index, struct v4l2_plane *plane) {
  struct v4l2_buffer buffer = {.index = index, .type = type, .memory = V4L2_MEMORY_MMAP};
  if (type != V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE) return buffer;
  memset(plane, 0, sizeof *plane);
  buffer.m.planes = plane;
  buffer.length = 1;
  return buffer;
}
/// The offset for mapping a buffer, and its length in bytes.
static inline int64_t video_buffer_offset(const struct v4l2_buffer *buffer) {
  return buffer->type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE ? buffer->m.planes->m.mem_offset : buffer->m.offset;
}
static inline uint32_t video_buffer_length(const struct v4l2_buffer *buffer) {
  return buffer->type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE ? buffer->m.planes->length : buffer->length;
}
/// The start and end of the frame's bytes in the buffer.
static inline uint32_t video_frame_start(const struct v4l2_buffer *buffer) {
  return buffer->type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE ? buffer->m.planes->data_offset : 0;
}
static inline uint32_t video_frame_end(const struct v4l2_buffer *buffer) {
  return buffer->type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE ? buffer->m.planes->bytesused : buffer->bytesused;
}
