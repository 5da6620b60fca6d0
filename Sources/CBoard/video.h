// V4L2 as the kernel's header defines it, and what Swift cannot import of it: request codes, four-character codes, unions.
#pragma once
#include "board.h"
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

/// What a node can do, its own where the driver tells.
static inline uint32_t video_capabilities(const struct v4l2_capability *capability) {
  return capability->capabilities & V4L2_CAP_DEVICE_CAPS ? capability->device_caps : capability->capabilities;
}
/// When the frame was captured, in milliseconds of the monotonic clock; negative when the driver uses another one.
static inline double video_captured(const struct v4l2_buffer *buffer) {
  if ((buffer->flags & V4L2_BUF_FLAG_TIMESTAMP_MASK) != V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC) return -1;
  return (double)buffer->timestamp.tv_sec * 1000 + (double)buffer->timestamp.tv_usec / 1000;
}
