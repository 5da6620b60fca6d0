// Entry points of the kernels that are compiled for one instruction set each.
#pragma once
#include <stdint.h>

/// The correctly rounded square root as one instruction; Swift's and C's call the library for negative numbers.
static inline float simd_square_root(float x) { return __builtin_elementwise_sqrt(x); }

/// Prefetches the cache line at `p`, which need not exist, for writing.
static inline __attribute__((always_inline)) void simd_prefetch(const void *_Nonnull p) { __builtin_prefetch(p, 1); }

/// `x` unchanged, but opaque to the compiler, as `SIMD_OPAQUE` in intrinsics.h.
static inline int32_t simd_opaque(int32_t x) {
  __asm__ volatile("" : "+r"(x));
  return x;
}

/// The same of a distance in memory.
static inline intptr_t simd_opaque_offset(intptr_t x) {
  __asm__("" : "+r"(x));
  return x;
}

/// The same of an address.
static inline const int8_t *_Nonnull simd_opaque_address(const int8_t *_Nonnull x) {
  __asm__("" : "+r"(x));
  return x;
}

// One entry point for each instruction set; `call` is the address of a `KernelCall`.
#if defined(__x86_64__)
void fcclip_avx2(const void *_Nonnull call);
void fcclip_vnni(const void *_Nonnull call);
#elif defined(__aarch64__)
void fcclip_neon(const void *_Nonnull call);
void fcclip_dotprod(const void *_Nonnull call);
void fcclip_i8mm(const void *_Nonnull call);
#endif
