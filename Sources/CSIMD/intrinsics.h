// Vector intrinsics; lane forms and other macros become always-inline functions here.
#pragma once
#include <stdint.h>

/// `x` unchanged, but opaque to the compiler, so that it does not move multiplications out of a measuring loop. No instruction.
#define SIMD_OPAQUE(name, type, constraint) \
  static inline __attribute__((always_inline)) type name(type x) { \
    __asm__ volatile("" : "+" constraint(x)); \
    return x; \
  }

#if defined(__x86_64__)
#include <immintrin.h>
#if defined(__AVX2__)
SIMD_OPAQUE(simd_opaque_256, __m256i, "x")
#endif
#if defined(__AVX512F__)
SIMD_OPAQUE(simd_opaque_512, __m512i, "v")
#endif
#elif defined(__aarch64__)
#include <arm_neon.h>
SIMD_OPAQUE(simd_opaque_128, int8x16_t, "w")

#if defined(__ARM_FEATURE_DOTPROD)
/// Adds to each lane the products of its four bytes of `w` with the four bytes of `a`'s 32-bit lane `lane`.
#define SIMD_DOT(lane) \
  static inline __attribute__((always_inline)) int32x4_t simd_dot_lane##lane(int32x4_t sums, int8x16_t w, int8x16_t a) { \
    return vdotq_laneq_s32(sums, w, a, lane); \
  }
SIMD_DOT(0)
SIMD_DOT(1)
SIMD_DOT(2)
SIMD_DOT(3)
#undef SIMD_DOT
#endif
#endif
