// Entry points of the kernels that are compiled for one instruction set each.
// The contracts are in Sources/Kernels/KernelSet.swift.
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

/// Declares the entry points of one path; a path need not define what its table takes from another.
#define KERNELS_OF(path) \
  void fcclip_##path##_product(const int8_t *_Nonnull a, intptr_t rows, intptr_t stride, intptr_t depth, intptr_t parts, intptr_t part_stride, \
                               const int8_t *_Nonnull packed, intptr_t columns, int32_t *_Nonnull accumulators, intptr_t accumulator_stride); \
  void fcclip_##path##_depthwise7x7(const int8_t *_Nonnull x, intptr_t height, intptr_t width, intptr_t channels, \
                                    const int8_t *_Nonnull weights, intptr_t row, int32_t *_Nonnull y); \
  void fcclip_##path##_float(const void *_Nonnull kernel); \
  intptr_t fcclip_##path##_peak(intptr_t rounds, const int8_t *_Nonnull operands, int32_t *_Nonnull sums);

#if defined(__x86_64__)
KERNELS_OF(avx2)
KERNELS_OF(vnni)
#elif defined(__aarch64__)
KERNELS_OF(neon)
KERNELS_OF(dotprod)
KERNELS_OF(i8mm)
#endif
