// Entry points of the kernels that are compiled for one instruction set each.
// The arguments are described in Sources/Kernels/KernelSet.swift.
#pragma once
#include <stdint.h>

/// The correctly rounded square root as one instruction; Swift's and C's call the library for negative numbers.
static inline float simd_square_root(float x) { return __builtin_elementwise_sqrt(x); }

/// Asks for the cache line at `p`, which need not exist.
static inline __attribute__((always_inline)) void simd_prefetch(const void *_Nonnull p) { __builtin_prefetch(p, 1); }

/// `x` unchanged, but unknown to the compiler, as `SIMD_OPAQUE` in intrinsics.h.
static inline int32_t simd_opaque(int32_t x) {
  __asm__ volatile("" : "+r"(x));
  return x;
}

/// Declares the entry points of one instruction set; a set need not define what it takes from another. All take the address of their arguments.
#define KERNELS_OF(set) \
  void fcclip_##set##_gemm(const void *_Nonnull arguments); \
  void fcclip_##set##_depthwise7x7(const void *_Nonnull arguments); \
  void fcclip_##set##_float(const void *_Nonnull arguments); \
  void fcclip_##set##_peak(const void *_Nonnull arguments);

#if defined(__x86_64__)
KERNELS_OF(avx2)
KERNELS_OF(vnni)
#elif defined(__aarch64__)
KERNELS_OF(neon)
KERNELS_OF(dotprod)
KERNELS_OF(i8mm)
#endif
