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

// Sequentially consistent atomics on plain memory that Swift owns.
static inline int64_t board_atomic_load(const int64_t *value) { return __atomic_load_n(value, __ATOMIC_SEQ_CST); }
static inline void board_atomic_store(int64_t *value, int64_t next) { __atomic_store_n(value, next, __ATOMIC_SEQ_CST); }
static inline int64_t board_atomic_add(int64_t *value, int64_t step) { return __atomic_fetch_add(value, step, __ATOMIC_SEQ_CST); }
/// Replaces `expected` by `next`; false when the value was another.
static inline _Bool board_atomic_exchange(int64_t *value, int64_t expected, int64_t next) {
  return __atomic_compare_exchange_n(value, &expected, next, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
/// Tells the core that this thread is spinning.
static inline void board_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}
