// What the emulated board's script needs of V4L2 and the shell cannot do.
// camera set DEVICE CONTROL VALUE     sets a control by its name; of a button, any value presses it
// camera feed DEVICE PICTURE SIZE     shows a JPEG picture of SIZE x SIZE on a loopback device, ten times a second, until killed; the file is read
//                                     anew each time
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void fail(const char *what, const char *name) {
  fprintf(stderr, "camera: %s: %s: %s\n", name, what, strerror(errno));
  exit(1);
}

static void set(int device, const char *name, int value) {
  struct v4l2_queryctrl found = {.id = V4L2_CTRL_FLAG_NEXT_CTRL};
  while (ioctl(device, VIDIOC_QUERYCTRL, &found) == 0) {
    if (strcmp((const char *)found.name, name) == 0) {
      struct v4l2_control control = {.id = found.id, .value = value};
      if (ioctl(device, VIDIOC_S_CTRL, &control) < 0) fail("cannot be set", name);
      return;
    }
    found.id |= V4L2_CTRL_FLAG_NEXT_CTRL;
  }
  fail("no such control", name);
}

static void feed(int device, const char *path, unsigned size) {
  struct v4l2_format format = {.type = V4L2_BUF_TYPE_VIDEO_OUTPUT};
  format.fmt.pix.width = size;
  format.fmt.pix.height = size;
  format.fmt.pix.pixelformat = V4L2_PIX_FMT_MJPEG;
  format.fmt.pix.sizeimage = size * size * 3;
  if (ioctl(device, VIDIOC_S_FMT, &format) < 0) fail("does not take MJPEG", path);
  static char bytes[1 << 20];
  while (1) {
    int file = open(path, O_RDONLY);
    ssize_t count = file < 0 ? -1 : read(file, bytes, sizeof bytes);
    if (count <= 0) fail("cannot be read", path);
    close(file);
    if (write(device, bytes, (size_t)count) != count) fail("cannot be shown", path);
    usleep(100000);
  }
}

int main(int count, char **arguments) {
  if (count != 5) return 2;
  int device = open(arguments[2], O_RDWR);
  if (device < 0) fail("cannot be opened", arguments[2]);
  if (strcmp(arguments[1], "set") == 0) set(device, arguments[3], atoi(arguments[4]));
  else feed(device, arguments[3], (unsigned)atoi(arguments[4]));
  return 0;
}
