// System calls that Swift cannot reach directly: variadic functions, macros, errno.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <dirent.h>
#include <signal.h>
#include <stdint.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static inline int board_open(const char *path, int flags, int mode) { return open(path, flags | O_CLOEXEC, mode); }
static inline int board_errno(void) { return errno; }

/// 64-bit XXH3 of `count` bytes.
static inline uint64_t board_hash64(const void *bytes, size_t count) { return XXH3_64bits(bytes, count); }

/// The same in pieces: begin (null without memory), add, end (which frees the state).
static inline void *board_hash_begin(void) {
  XXH3_state_t *state = XXH3_createState();
  if (state) XXH3_64bits_reset(state);
  return state;
}
static inline void board_hash_add(void *state, const void *bytes, size_t count) {
  XXH3_64bits_update((XXH3_state_t *)state, bytes, count);
}
static inline uint64_t board_hash_end(void *state) {
  uint64_t hash = XXH3_64bits_digest((XXH3_state_t *)state);
  XXH3_freeState((XXH3_state_t *)state);
  return hash;
}

static inline FILE *board_stdout(void) { return stdout; }
static inline FILE *board_stderr(void) { return stderr; }

/// Maps `count` bytes of a file read-only; null on failure.
static inline void *board_map(int descriptor, size_t count) {
  void *base = mmap(NULL, count, PROT_READ, MAP_PRIVATE, descriptor, 0);
  return base == MAP_FAILED ? NULL : base;
}
