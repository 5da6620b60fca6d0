// libgpiod 1.x: lines by name or by chip and offset, as handles; results are 0, or the number of an error.
#pragma once
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <gpiod.h>

#ifdef GPIOD_LINE_BULK_MAX_LINES  // version 1 only
/// A line by its name (`chip` null), or by a chip (name, label, number or path) and an offset; null on failure, with the error's number.
static inline void *gpio_open(const char *chip, const char *name, uint32_t offset, int *error) {
  struct gpiod_line *line = NULL;
  errno = 0;
  if (!chip) {
    line = gpiod_line_find(name);
  } else {
    struct gpiod_chip *found = gpiod_chip_open_lookup(chip);
    if (found) {
      line = gpiod_chip_get_line(found, offset);
      if (!line) {
        int reason = errno;
        gpiod_chip_close(found);
        errno = reason;
      }
    }
  }
  *error = line ? 0 : errno ? errno : ENOENT;
  return line;
}
static inline int gpio_output(void *line) { return gpiod_line_request_output((struct gpiod_line *)line, "fcclip-edge", 0) < 0 ? errno : 0; }
static inline int gpio_rising_edges(void *line) {
  return gpiod_line_request_rising_edge_events((struct gpiod_line *)line, "fcclip-edge") < 0 ? errno : 0;
}
/// A descriptor that is readable after an edge.
static inline int gpio_descriptor(void *line) { return gpiod_line_event_get_fd((struct gpiod_line *)line); }
/// Removes one edge from the queue.
static inline int gpio_read_edge(void *line) {
  struct gpiod_line_event event;
  return gpiod_line_event_read((struct gpiod_line *)line, &event) < 0 ? errno : 0;
}
static inline int gpio_set(void *line, int value) { return gpiod_line_set_value((struct gpiod_line *)line, value) < 0 ? errno : 0; }
/// Releases the line and its chip.
static inline void gpio_close(void *line) { gpiod_line_close_chip((struct gpiod_line *)line); }
#else
#error "libgpiod 1.x is needed (Debian 12, Ubuntu 22.04 and 24.04)"
#endif
