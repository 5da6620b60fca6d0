// Sixteen lanes at a time, as the compiler's own vectors. Swift's SIMD types implement most operations lane by lane, and whether the compiler
// makes vectors of these depends on the loops around them. Each function has one operation, so that nothing is contracted.
#pragma once
#include <stdint.h>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

typedef float simd_lanes __attribute__((ext_vector_type(16)));
typedef int32_t simd_words __attribute__((ext_vector_type(16)));
typedef uint32_t simd_unsigned __attribute__((ext_vector_type(16)));
typedef int8_t simd_bytes __attribute__((ext_vector_type(16)));
typedef int8_t simd_bytes_32 __attribute__((ext_vector_type(32)));
typedef int8_t simd_bytes_64 __attribute__((ext_vector_type(64)));
/// Sixteen columns of two rows, in the order that `simd_add_pairs` expects.
typedef int16_t simd_pairs __attribute__((ext_vector_type(32)));

#define SIMD_INLINE static inline __attribute__((always_inline))

// All functions are inlined: the calling convention of vectors does not matter.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpsabi"

SIMD_INLINE simd_lanes simd_splat(float x) { return (simd_lanes)x; }
SIMD_INLINE simd_lanes simd_add(simd_lanes x, simd_lanes y) { return x + y; }
SIMD_INLINE simd_lanes simd_subtract(simd_lanes x, simd_lanes y) { return x - y; }
SIMD_INLINE simd_lanes simd_multiply(simd_lanes x, simd_lanes y) { return x * y; }
SIMD_INLINE simd_lanes simd_divide(simd_lanes x, simd_lanes y) { return x / y; }

/// x * y + z, rounded once or twice: for uses whose result does not depend on it.
SIMD_INLINE simd_lanes simd_fused(simd_lanes x, simd_lanes y, simd_lanes z) {
#if defined(__AVX512F__)
  return (simd_lanes)_mm512_fmadd_ps((__m512)x, (__m512)y, (__m512)z);
#else
  return x * y + z;
#endif
}

/// The smaller of the magnitudes of `x` and `bound`.
SIMD_INLINE simd_lanes simd_smaller_magnitude(simd_lanes x, simd_lanes bound) {
#if defined(__AVX512DQ__)
  return (simd_lanes)_mm512_range_ps((__m512)x, (__m512)bound, 0xA);
#else
  return __builtin_elementwise_min(__builtin_elementwise_abs(x), bound);
#endif
}
/// `found` with the bits in which `x` differs from `y`.
SIMD_INLINE simd_words simd_or_differ(simd_words found, simd_words x, simd_words y) { return found | (x ^ y); }
/// `found` with the bits in which `x + first` differs from `x + second`.
SIMD_INLINE simd_words simd_differ(simd_words found, simd_words x, simd_words first, simd_words second) {
  return found | ((simd_words)((simd_unsigned)x + (simd_unsigned)first) ^ (simd_words)((simd_unsigned)x + (simd_unsigned)second));
}

typedef float simd_four __attribute__((ext_vector_type(4)));
typedef float simd_four_anywhere __attribute__((ext_vector_type(4), aligned(4)));

SIMD_INLINE simd_four simd_load_four(const float *x, int32_t count) {
  if (count >= 4) return *(const simd_four_anywhere *)x;
  return (simd_four){count > 0 ? x[0] : 0, count > 1 ? x[1] : 0, count > 2 ? x[2] : 0, 0};
}
SIMD_INLINE void simd_store_four(simd_four x, float *y, int32_t count) {
  if (count >= 4) {
    *(simd_four_anywhere *)y = x;
    return;
  }
  if (count > 0) y[0] = x.x;
  if (count > 1) y[1] = x.y;
  if (count > 2) y[2] = x.z;
}
/// The first `count`, 0 to 16, lanes at `x`; the others are 0. Nothing is read beyond them.
SIMD_INLINE simd_lanes simd_load(const float *x, int32_t count) {
#if defined(__AVX512F__)
  return (simd_lanes)_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), x);
#else
  simd_lanes lanes;
  lanes.lo.lo = simd_load_four(x, count);
  lanes.lo.hi = simd_load_four(x + 4, count - 4);
  lanes.hi.lo = simd_load_four(x + 8, count - 8);
  lanes.hi.hi = simd_load_four(x + 12, count - 12);
  return lanes;
#endif
}
/// Writes the first `count`, 0 to 16, lanes at `y` and nothing beyond them.
SIMD_INLINE void simd_store(simd_lanes x, float *y, int32_t count) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(y, (__mmask16)((1u << count) - 1), (__m512)x);
#else
  simd_store_four(x.lo.lo, y, count);
  simd_store_four(x.lo.hi, y + 4, count - 4);
  simd_store_four(x.hi.lo, y + 8, count - 8);
  simd_store_four(x.hi.hi, y + 12, count - 12);
#endif
}

/// Comparisons give words of all ones or all zeros.
SIMD_INLINE simd_words simd_less(simd_lanes x, simd_lanes y) { return x < y; }
SIMD_INLINE simd_words simd_less_or_equal(simd_lanes x, simd_lanes y) { return x <= y; }
SIMD_INLINE simd_words simd_equal(simd_lanes x, simd_lanes y) { return x == y; }

/// Ones in the first `count` words.
SIMD_INLINE simd_words simd_lanes_before(int32_t count) {
  return (simd_words){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15} < (simd_words)count;
}

/// `x` where `mask` is ones, `y` where it is zeros.
SIMD_INLINE simd_lanes simd_choose(simd_words mask, simd_lanes x, simd_lanes y) {
  return (simd_lanes)(((simd_words)x & mask) | ((simd_words)y & ~mask));
}

SIMD_INLINE simd_words simd_add_words(simd_words x, simd_words y) {
  return (simd_words)((simd_unsigned)x + (simd_unsigned)y);
}
SIMD_INLINE simd_words simd_subtract_words(simd_words x, simd_words y) {
  return (simd_words)((simd_unsigned)x - (simd_unsigned)y);
}
SIMD_INLINE simd_words simd_larger_words(simd_words x, simd_words y) { return __builtin_elementwise_max(x, y); }
SIMD_INLINE int32_t simd_largest_word(simd_words x) { return __builtin_reduce_max(x); }
SIMD_INLINE simd_words simd_choose_words(simd_words mask, simd_words x, simd_words y) { return (x & mask) | (y & ~mask); }
SIMD_INLINE simd_words simd_and_words(simd_words x, simd_words y) { return x & y; }
SIMD_INLINE simd_words simd_or_words(simd_words x, simd_words y) { return x | y; }
SIMD_INLINE simd_words simd_shift_left(simd_words x, int32_t count) {
  return (simd_words)((simd_unsigned)x << (simd_unsigned)(uint32_t)count);
}
SIMD_INLINE simd_words simd_shift_right(simd_words x, int32_t count) { return x >> (simd_words)count; }
SIMD_INLINE simd_words simd_shift_each(simd_words x, simd_words counts) {
  return (simd_words)((simd_unsigned)x << (simd_unsigned)counts);
}
SIMD_INLINE simd_words simd_splat_words(int32_t x) { return (simd_words)x; }

SIMD_INLINE simd_lanes simd_words_to_lanes(simd_words x) { return __builtin_convertvector(x, simd_lanes); }
/// The low byte of each word.
SIMD_INLINE simd_bytes simd_words_to_bytes(simd_words x) { return __builtin_convertvector(x, simd_bytes); }

typedef int32_t simd_quarter __attribute__((ext_vector_type(4)));

/// One after the other.
SIMD_INLINE simd_words simd_join(simd_quarter a, simd_quarter b, simd_quarter c, simd_quarter d) {
  int32_t __attribute__((ext_vector_type(8))) ab = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7);
  int32_t __attribute__((ext_vector_type(8))) cd = __builtin_shufflevector(c, d, 0, 1, 2, 3, 4, 5, 6, 7);
  return __builtin_shufflevector(ab, cd, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
/// A permutation of two vectors, by the indices of lanes: those of `y` follow those of `x`.
#define SIMD_SHUFFLE(name, type, ...) \
  SIMD_INLINE type name(type x, type y) { return __builtin_shufflevector(x, y, __VA_ARGS__); }

/// In each quarter: x0 y0 x1 y1 and x2 y2 x3 y3; x0 x1 y0 y1 and x2 x3 y2 y3.
SIMD_SHUFFLE(simd_low_words, simd_words, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29)
SIMD_SHUFFLE(simd_high_words, simd_words, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31)
SIMD_SHUFFLE(simd_low_pairs, simd_words, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
SIMD_SHUFFLE(simd_high_pairs, simd_words, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)

/// a0 b0 c0 d0 a1 b1 c1 d1 ..., nothing below `least`.
SIMD_INLINE simd_bytes_64 simd_interleave_four(simd_bytes a, simd_bytes b, simd_bytes c, simd_bytes d, int8_t least) {
  typedef int16_t pairs __attribute__((ext_vector_type(16)));
  simd_bytes_32 ab = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,
                                                8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  simd_bytes_32 cd = __builtin_shufflevector(c, d, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,
                                                8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  simd_bytes_64 all = (simd_bytes_64)__builtin_shufflevector((pairs)ab, (pairs)cd, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,
                                                                   8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  return __builtin_elementwise_max(all, (simd_bytes_64)least);
}

/// `a - zero` and `b - zero`, the columns of two rows.
SIMD_INLINE simd_pairs simd_pair(simd_bytes a, simd_bytes b, int8_t zero) {
#if defined(__aarch64__)
  union { int16x8_t eights[4]; simd_pairs pairs; } result;
  int16x8_t less = vdupq_n_s16((int16_t)-zero);
  result.eights[0] = vaddw_s8(less, vget_low_s8((int8x16_t)a));
  result.eights[1] = vaddw_high_s8(less, (int8x16_t)a);
  result.eights[2] = vaddw_s8(less, vget_low_s8((int8x16_t)b));
  result.eights[3] = vaddw_high_s8(less, (int8x16_t)b);
  return result.pairs;
#else
  simd_bytes_32 both = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,
                                                  8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  return __builtin_convertvector(both, simd_pairs) - (simd_pairs)(int16_t)zero;
#endif
}
/// The same of 32 columns, a half of them each; `simd_first_columns` and `simd_second_columns` put sums of the two halves in order.
#if defined(__AVX2__)
// Bytes are interleaved within halves of registers.
#define SIMD_PAIR_HALF(name, half, ...) \
  SIMD_INLINE simd_pairs name(simd_bytes_32 a, simd_bytes_32 b, int8_t zero) { \
    simd_bytes_32 both = __builtin_shufflevector(a, b, __VA_ARGS__); \
    return __builtin_convertvector(both, simd_pairs) - (simd_pairs)(int16_t)zero; \
  }
#else
#define SIMD_PAIR_HALF(name, half, ...) \
  SIMD_INLINE simd_pairs name(simd_bytes_32 a, simd_bytes_32 b, int8_t zero) { return simd_pair(a.half, b.half, zero); }
#endif
SIMD_PAIR_HALF(simd_pair_first, lo, 0, 32, 1, 33, 2, 34, 3, 35, 4, 36, 5, 37, 6, 38, 7, 39,
               16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53, 22, 54, 23, 55)
SIMD_PAIR_HALF(simd_pair_second, hi, 8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47,
               24, 56, 25, 57, 26, 58, 27, 59, 28, 60, 29, 61, 30, 62, 31, 63)
SIMD_INLINE simd_words simd_first_columns(simd_words first, simd_words second) {
#if defined(__AVX2__)
  return __builtin_shufflevector(first, second, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
#else
  return first;
#endif
}
SIMD_INLINE simd_words simd_second_columns(simd_words first, simd_words second) {
#if defined(__AVX2__)
  return __builtin_shufflevector(first, second, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
#else
  return second;
#endif
}
/// Adds to each column's sum the low half of `factors` times its first row and the high half times its second, both signed.
SIMD_INLINE simd_words simd_add_pairs(simd_words sums, simd_pairs x, int32_t factors) {
#if defined(__AVX512VNNI__)
  return (simd_words)_mm512_dpwssd_epi32((__m512i)sums, (__m512i)x, _mm512_set1_epi32(factors));
#elif defined(__AVX2__)
  simd_words products;
  products.lo = _mm256_madd_epi16((__m256i)x.lo, _mm256_set1_epi32(factors));
  products.hi = _mm256_madd_epi16((__m256i)x.hi, _mm256_set1_epi32(factors));
  return simd_add_words(sums, products);
#elif defined(__x86_64__)
  union { simd_pairs pairs; __m128i quarters[4]; } from = {x};
  union { simd_words words; __m128i quarters[4]; } products;
  for (int i = 0; i < 4; i++) products.quarters[i] = _mm_madd_epi16(from.quarters[i], _mm_set1_epi32(factors));
  return simd_add_words(sums, products.words);
#elif defined(__aarch64__)
  union { simd_pairs pairs; int16x4_t fours[8]; } from = {x};
  union { simd_words words; int32x4_t quarters[4]; } to = {sums};
  int16x4_t factor = vreinterpret_s16_s32((int32x2_t){factors, 0});
  for (int i = 0; i < 4; i++) to.quarters[i] = vmlal_lane_s16(vmlal_lane_s16(to.quarters[i], from.fours[i], factor, 0), from.fours[i + 4], factor, 1);
  return to.words;
#else
  for (int i = 0; i < 16; i++) {
    uint32_t low = (uint32_t)(x[2 * i] * (int16_t)factors), high = (uint32_t)(x[2 * i + 1] * (factors >> 16));
    sums[i] = (int32_t)((uint32_t)sums[i] + low + high);
  }
  return sums;
#endif
}

/// The sum of the lanes: halves are added, then halves of the halves.
SIMD_INLINE float simd_sum(simd_lanes x) {
  float __attribute__((ext_vector_type(8))) eight = x.lo + x.hi;
  float __attribute__((ext_vector_type(4))) four = eight.lo + eight.hi;
  float __attribute__((ext_vector_type(2))) two = four.lo + four.hi;
  return two.x + two.y;
}

/// The largest lane, found by halves; none is NaN.
SIMD_INLINE float simd_largest(simd_lanes x) {
  typedef float eights __attribute__((ext_vector_type(8)));
  typedef float fours __attribute__((ext_vector_type(4)));
  typedef float twos __attribute__((ext_vector_type(2)));
  eights eight = x.lo < x.hi ? x.hi : x.lo;
  fours four = eight.lo < eight.hi ? eight.hi : eight.lo;
  twos two = four.lo < four.hi ? four.hi : four.lo;
  return two.x < two.y ? two.y : two.x;
}

/// Each lane's integer part, which must fit into 32 bits.
SIMD_INLINE simd_words simd_lanes_to_words(simd_lanes x) { return __builtin_convertvector(x, simd_words); }

/// The lanes of even and of odd numbers of `x`, then those of `y`.
SIMD_SHUFFLE(simd_even, simd_lanes, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
SIMD_SHUFFLE(simd_odd, simd_lanes, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)

/// Bit `i` is the sign of word `i`: of a comparison, whether it holds.
SIMD_INLINE uint16_t simd_bits(simd_words x) {
  typedef _Bool bits __attribute__((ext_vector_type(16)));
  union { bits bits; uint16_t word; } signs = {__builtin_convertvector(x < 0, bits)};
  return signs.word;
}

/// Whether any word is not zero.
SIMD_INLINE _Bool simd_any(simd_words x) { return __builtin_reduce_or(x) != 0; }

/// Each lane is lane `index`, 0...15, of `x`.
SIMD_INLINE simd_lanes simd_permute(simd_lanes x, simd_words index) {
#if defined(__AVX512F__)
  return (simd_lanes)_mm512_permutexvar_ps((__m512i)index, (__m512)x);
#elif defined(__AVX2__)
  __m256 low = (__m256)x.lo, high = (__m256)x.hi;
  simd_words upper = index << 28;
  __m256i first = (__m256i)index.lo, second = (__m256i)index.hi;
  simd_lanes result;
  result.lo = _mm256_blendv_ps(_mm256_permutevar8x32_ps(low, first), _mm256_permutevar8x32_ps(high, first), (__m256)upper.lo);
  result.hi = _mm256_blendv_ps(_mm256_permutevar8x32_ps(low, second), _mm256_permutevar8x32_ps(high, second), (__m256)upper.hi);
  return result;
#elif defined(__aarch64__)
  union { simd_lanes lanes; uint8x16x4_t bytes; } table = {x}, result;
  union { simd_words words; uint8x16x4_t bytes; } offset = {index * 0x04040404 + 0x03020100};
  for (int i = 0; i < 4; i++) result.bytes.val[i] = vqtbl4q_u8(table.bytes, offset.bytes.val[i]);
  return result.lanes;
#else
  simd_lanes result;
  for (int i = 0; i < 16; i++) result[i] = x[index[i]];
  return result;
#endif
}

/// The nearest integer of -128...127 to each lane, half to even; -128 for NaN.
SIMD_INLINE simd_bytes simd_lanes_to_nearest_bytes(simd_lanes x) {
#if defined(__AVX512F__)
  // The conversion gives the least integer for NaN.
  return (simd_bytes)_mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(_mm512_min_ps(_mm512_set1_ps(127), (__m512)x)));
#elif defined(__aarch64__)
  // Of NaN and a number, the number.
  const float32x4_t least = vdupq_n_f32(-128);
  const int32x4_t a = vcvtnq_s32_f32(vmaxnmq_f32(__builtin_shufflevector(x, x, 0, 1, 2, 3), least));
  const int32x4_t b = vcvtnq_s32_f32(vmaxnmq_f32(__builtin_shufflevector(x, x, 4, 5, 6, 7), least));
  const int32x4_t c = vcvtnq_s32_f32(vmaxnmq_f32(__builtin_shufflevector(x, x, 8, 9, 10, 11), least));
  const int32x4_t d = vcvtnq_s32_f32(vmaxnmq_f32(__builtin_shufflevector(x, x, 12, 13, 14, 15), least));
  const int16x8_t low = vqmovn_high_s32(vqmovn_s32(a), b), high = vqmovn_high_s32(vqmovn_s32(c), d);
  return (simd_bytes)vqmovn_high_s16(vqmovn_s16(low), high);
#else
  const simd_lanes bounded = x > (simd_lanes)-128 ? x : (simd_lanes)-128;
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  return simd_words_to_bytes((simd_words)((bounded < (simd_lanes)127 ? bounded : (simd_lanes)127) + (simd_lanes)12582912));
#endif
}

/// Each word as a byte, saturated.
SIMD_INLINE simd_bytes simd_words_to_nearest_bytes(simd_words x) {
#if defined(__AVX512F__)
  return (simd_bytes)_mm512_cvtsepi32_epi8((__m512i)x);
#else
  return simd_words_to_bytes(__builtin_elementwise_min(__builtin_elementwise_max(x, (simd_words)-128), (simd_words)127));
#endif
}
/// Each lane is lane `index` (its low five bits) of `low`, or beyond 15 of `high`.
SIMD_INLINE simd_lanes simd_permute_two(simd_lanes low, simd_lanes high, simd_words index) {
#if defined(__AVX512F__)
  return (simd_lanes)_mm512_permutex2var_ps((__m512)low, (__m512i)index, (__m512)high);
#else
  return simd_choose((index & 16) != 0, simd_permute(high, index & 15), simd_permute(low, index & 15));
#endif
}

#pragma clang diagnostic pop
