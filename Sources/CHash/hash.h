// XXH3, 64 bits (libxxhash): checksums of model and vocabulary files.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/// 64-bit XXH3 of `count` bytes.
static inline uint64_t hash_xxh3(const void *bytes, size_t count) { return XXH3_64bits(bytes, count); }

/// The same in pieces: begin (null without memory), add, end (which frees the state).
static inline void *hash_begin(void) {
  XXH3_state_t *state = XXH3_createState();
  if (state) XXH3_64bits_reset(state);
  return state;
}
static inline void hash_add(void *state, const void *bytes, size_t count) {
  XXH3_64bits_update((XXH3_state_t *)state, bytes, count);
}
static inline uint64_t hash_end(void *state) {
  uint64_t hash = XXH3_64bits_digest((XXH3_state_t *)state);
  XXH3_freeState((XXH3_state_t *)state);
  return hash;
}
