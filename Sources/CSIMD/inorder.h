#pragma once
// The tiles of the GEMM for ARM cores that issue instructions in order (Cortex-A53, A55), as assembly, since a compiler does not keep the order.
// They do what `tile` of Kernels/Gemm/TiledGemm.swift does. Loads are spread among the products, a pass or a row ahead, in the form that issues
// together with a product: on A55 64-bit vector loads, 64-bit integer loads and inserts, on A53 integer loads, and inserts with a 64-bit vector
// load (measured by ncnn's authors, docs/developer-guide/arm-a53-a55-dual-issue.md; Arm's Cortex-A55 Software Optimization Guide, section 3.2).
#include <stdint.h>

/// K is `taps` times `steps` (each at least 1) times 16; bytes between rows, taps and rows of results.
typedef struct {
  const int8_t *_Nonnull a;
  intptr_t stride, steps, taps, tap_stride;
  const int8_t *_Nonnull weights;
  /// The sums to begin with, and where they go, as registers: `TileSums`. If `partial` is null, finished rows go to `out`.
  const void *_Nonnull start;
  void *_Nullable partial;
  int32_t *_Nonnull out;
  /// In values.
  intptr_t out_stride;
} simd_tile;

#if defined(__aarch64__)
#define SIMD_ALL_REGISTERS \
  "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "cc", "memory", "v0", "v1", "v2", \
      "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23",  \
      "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31"

#define SIMD_LOAD_SUMS \
  "ldr x9, [%0, #48]\n" \
  "ldp q0, q1, [x9]\n ldp q2, q3, [x9, #32]\n ldp q4, q5, [x9, #64]\n ldp q6, q7, [x9, #96]\n" \
  "ldp q8, q9, [x9, #128]\n ldp q10, q11, [x9, #160]\n ldp q12, q13, [x9, #192]\n ldp q14, q15, [x9, #224]\n"

#define SIMD_INSERT(w, t) "ins v" #w ".d[1], x" #t "\n"

#if defined(__ARM_FEATURE_DOTPROD)
// Eight values along K of row `r` (register `p`, its sums `s` and `t`) times two groups of four columns each (w0 w1: the first four values, w2 w3:
// the others). Beside the products: the row's next values, and what `l0` ... `l2` load.
#define SIMD_DOT_ROW(s, t, p, x, w0, w1, w2, w3, l0, l1, l2) \
  "sdot v" #s ".4s, v" #w0 ".16b, v" #p ".4b[0]\n" l0 \
  "sdot v" #t ".4s, v" #w1 ".16b, v" #p ".4b[0]\n" l1 \
  "sdot v" #s ".4s, v" #w2 ".16b, v" #p ".4b[1]\n" l2 \
  "sdot v" #t ".4s, v" #w3 ".16b, v" #p ".4b[1]\n" x
#define SIMD_DOT_NEXT(p, x) "ldr d" #p ", [x" #x "], #8\n"
#define SIMD_DOT_LOW(w, at) "ldr d" #w ", [x9, #" #at "]\n"
#define SIMD_DOT_HIGH(t, at) "ldr x" #t ", [x9, #" #at "]\n"
// Half a pass with weights w0 ... w3, during which those of the next half, n0 ... n3, are loaded from `b` on.
#define SIMD_DOT_HALF(w0, w1, w2, w3, n0, n1, n2, n3, b0, c0, b1, c1, b2, c2, b3, c3, more) \
  SIMD_DOT_ROW(0, 1, 16, SIMD_DOT_NEXT(16, 1), w0, w1, w2, w3, SIMD_DOT_LOW(n0, b0), SIMD_DOT_HIGH(10, c0), "") \
  SIMD_DOT_ROW(2, 3, 17, SIMD_DOT_NEXT(17, 2), w0, w1, w2, w3, SIMD_DOT_LOW(n1, b1), SIMD_DOT_HIGH(11, c1), SIMD_INSERT(n0, 10)) \
  SIMD_DOT_ROW(4, 5, 18, SIMD_DOT_NEXT(18, 3), w0, w1, w2, w3, SIMD_DOT_LOW(n2, b2), SIMD_DOT_HIGH(10, c2), SIMD_INSERT(n1, 11)) \
  SIMD_DOT_ROW(6, 7, 19, SIMD_DOT_NEXT(19, 4), w0, w1, w2, w3, SIMD_DOT_LOW(n3, b3), SIMD_DOT_HIGH(11, c3), SIMD_INSERT(n2, 10)) \
  SIMD_DOT_ROW(8, 9, 20, SIMD_DOT_NEXT(20, 5), w0, w1, w2, w3, SIMD_INSERT(n3, 11), "", "") \
  SIMD_DOT_ROW(10, 11, 21, SIMD_DOT_NEXT(21, 6), w0, w1, w2, w3, "", "", "") \
  SIMD_DOT_ROW(12, 13, 22, SIMD_DOT_NEXT(22, 7), w0, w1, w2, w3, more, "", "") \
  SIMD_DOT_ROW(14, 15, 23, SIMD_DOT_NEXT(23, 8), w0, w1, w2, w3, "", "", "")
#define SIMD_DOT_FIRST(more) \
  SIMD_DOT_HALF(24, 25, 26, 27, 28, 29, 30, 31, 64, 72, 80, 88, 96, 104, 112, 120, more)
#define SIMD_DOT_SECOND(more) \
  SIMD_DOT_HALF(28, 29, 30, 31, 24, 25, 26, 27, 128, 136, 144, 152, 160, 168, 176, 184, more)
#define SIMD_DOT_LAST(s, t, p) SIMD_DOT_ROW(s, t, p, "", 28, 29, 30, 31, "", "", "")
#define SIMD_DOT_STORE(s, t) "stp q" #s ", q" #t ", [x9]\n add x9, x9, x10\n"

/// Eight rows by eight columns, whose weights are packed as for `sdot` by lanes.
static __attribute__((noinline, unused)) void simd_dot_tile_in_order(const simd_tile *_Nonnull tile) {
  __asm__ volatile(
      SIMD_LOAD_SUMS
      "ldp x1, x10, [%0]\n"
      "add x2, x1, x10\n add x3, x2, x10\n add x4, x3, x10\n add x5, x4, x10\n add x6, x5, x10\n add x7, x6, x10\n add x8, x7, x10\n"
      "ldp x13, x14, [%0, #16]\n"
      "ldp x15, x9, [%0, #32]\n"
      "sub x15, x15, x13, lsl #4\n"
      "1:\n"
      "ldp q24, q25, [x9]\n ldp q26, q27, [x9, #32]\n"
      "ldr d16, [x1], #8\n ldr d17, [x2], #8\n ldr d18, [x3], #8\n ldr d19, [x4], #8\n"
      "ldr d20, [x5], #8\n ldr d21, [x6], #8\n ldr d22, [x7], #8\n ldr d23, [x8], #8\n"
      "subs x12, x13, #1\n"
      "b.eq 3f\n"
      "2:\n"
      SIMD_DOT_FIRST("subs x12, x12, #1\n")
      SIMD_DOT_SECOND("add x9, x9, #128\n")
      "b.ne 2b\n"
      "3:\n"
      SIMD_DOT_FIRST("add x9, x9, #128\n")
      SIMD_DOT_LAST(0, 1, 16) SIMD_DOT_LAST(2, 3, 17) SIMD_DOT_LAST(4, 5, 18) SIMD_DOT_LAST(6, 7, 19)
      SIMD_DOT_LAST(8, 9, 20) SIMD_DOT_LAST(10, 11, 21) SIMD_DOT_LAST(12, 13, 22) SIMD_DOT_LAST(14, 15, 23)
      "add x1, x1, x15\n add x2, x2, x15\n add x3, x3, x15\n add x4, x4, x15\n"
      "add x5, x5, x15\n add x6, x6, x15\n add x7, x7, x15\n add x8, x8, x15\n"
      "subs x14, x14, #1\n"
      "b.ne 1b\n"
      // A tile's registers are its rows, one after the other.
      "ldp x11, x9, [%0, #56]\n"
      "ldr x10, [%0, #72]\n"
      "lsl x10, x10, #2\n"
      "cbz x11, 4f\n"
      "mov x9, x11\n mov x10, #32\n"
      "4:\n"
      SIMD_DOT_STORE(0, 1) SIMD_DOT_STORE(2, 3) SIMD_DOT_STORE(4, 5) SIMD_DOT_STORE(6, 7)
      SIMD_DOT_STORE(8, 9) SIMD_DOT_STORE(10, 11) SIMD_DOT_STORE(12, 13) SIMD_DOT_STORE(14, 15)
      : : "r"(tile) : SIMD_ALL_REGISTERS);
}
#endif

// Sixteen values along K of a row (register `p`) times four columns (w0 ... w3), whose sums are a, b, c, d. Beside the products the next row is
// loaded to `n` from `x`, and column `m` of the next pass from `at` on. `before` inserts the upper half of the column loaded before.
#define SIMD_PAIRS_ROW(a, b, c, d, p, w0, w1, w2, w3, low, before, high, column, high_column, insert, advance, count, next) \
  low before \
  "smull v16.8h, v" #w0 ".8b, v" #p ".8b\n" high \
  "smull v17.8h, v" #w1 ".8b, v" #p ".8b\n" high_column \
  "smull v18.8h, v" #w2 ".8b, v" #p ".8b\n" \
  "smull v19.8h, v" #w3 ".8b, v" #p ".8b\n" \
  "smlal2 v16.8h, v" #w0 ".16b, v" #p ".16b\n" \
  "smlal2 v17.8h, v" #w1 ".16b, v" #p ".16b\n" \
  column insert \
  "smlal2 v18.8h, v" #w2 ".16b, v" #p ".16b\n" \
  "smlal2 v19.8h, v" #w3 ".16b, v" #p ".16b\n" advance \
  "sadalp v" #a ".4s, v16.8h\n" count \
  "sadalp v" #b ".4s, v17.8h\n" next \
  "sadalp v" #c ".4s, v18.8h\n" \
  "sadalp v" #d ".4s, v19.8h\n"
// Separate additions: an address that a load advances would not be ready for the next.
#define SIMD_LOW(n, x) "ldr d" #n ", [x" #x "]\n"
#define SIMD_HIGH(t, x) "ldr x" #t ", [x" #x ", #8]\n"
#define SIMD_ADVANCE(x) "add x" #x ", x" #x ", #16\n"
#define SIMD_COLUMN(n, at) "ldr d" #n ", [x9, #" #at "]\n"
#define SIMD_HIGH_COLUMN(t, at) "ldr x" #t ", [x9, #" #at "]\n"
// A pass with the weights w0 ... w3 while n0 ... n3 are loaded for the next. The first row is in register 24, as the next pass's is afterwards.
#define SIMD_PAIRS_PASS(w0, w1, w2, w3, n0, n1, n2, n3, branch) \
  SIMD_PAIRS_ROW(0, 1, 2, 3, 24, w0, w1, w2, w3, SIMD_LOW(25, 2), SIMD_INSERT(w3, 6), SIMD_HIGH(5, 2), SIMD_COLUMN(n0, 64), SIMD_HIGH_COLUMN(6, 72), SIMD_INSERT(25, 5), SIMD_ADVANCE(2), "", "") \
  SIMD_PAIRS_ROW(4, 5, 6, 7, 25, w0, w1, w2, w3, SIMD_LOW(24, 3), SIMD_INSERT(n0, 6), SIMD_HIGH(5, 3), SIMD_COLUMN(n1, 80), SIMD_HIGH_COLUMN(6, 88), SIMD_INSERT(24, 5), SIMD_ADVANCE(3), "", "") \
  SIMD_PAIRS_ROW(8, 9, 10, 11, 24, w0, w1, w2, w3, SIMD_LOW(25, 4), SIMD_INSERT(n1, 6), SIMD_HIGH(5, 4), SIMD_COLUMN(n2, 96), SIMD_HIGH_COLUMN(6, 104), SIMD_INSERT(25, 5), SIMD_ADVANCE(4), "", "") \
  SIMD_PAIRS_ROW(12, 13, 14, 15, 25, w0, w1, w2, w3, SIMD_LOW(24, 1), SIMD_INSERT(n2, 6), SIMD_HIGH(5, 1), SIMD_COLUMN(n3, 112), SIMD_HIGH_COLUMN(6, 120), SIMD_INSERT(24, 5), SIMD_ADVANCE(1), "subs x10, x10, #1\n", "add x9, x9, #64\n") \
  branch
#define SIMD_PAIRS_LAST(w0, w1, w2, w3) \
  SIMD_PAIRS_ROW(0, 1, 2, 3, 24, w0, w1, w2, w3, SIMD_LOW(25, 2), SIMD_INSERT(w3, 6), SIMD_HIGH(5, 2), "", "", SIMD_INSERT(25, 5), SIMD_ADVANCE(2), "", "") \
  SIMD_PAIRS_ROW(4, 5, 6, 7, 25, w0, w1, w2, w3, SIMD_LOW(24, 3), "", SIMD_HIGH(5, 3), "", "", SIMD_INSERT(24, 5), SIMD_ADVANCE(3), "", "") \
  SIMD_PAIRS_ROW(8, 9, 10, 11, 24, w0, w1, w2, w3, SIMD_LOW(25, 4), "", SIMD_HIGH(5, 4), "", "", SIMD_INSERT(25, 5), SIMD_ADVANCE(4), "", "") \
  SIMD_PAIRS_ROW(12, 13, 14, 15, 25, w0, w1, w2, w3, "", "", "", "", "", "", "", "", "add x9, x9, #64\n")
#define SIMD_PAIRS_STORE(a, b, c, d) \
  "addp v" #a ".4s, v" #a ".4s, v" #b ".4s\n addp v" #c ".4s, v" #c ".4s, v" #d ".4s\n addp v" #a ".4s, v" #a ".4s, v" #c ".4s\n" \
  "str q" #a ", [x9]\n add x9, x9, x10\n"

/// Four rows by four columns, whose weights are packed as for `smull`.
static __attribute__((noinline, unused)) void simd_pairs_tile_in_order(const simd_tile *_Nonnull tile) {
  __asm__ volatile(
      SIMD_LOAD_SUMS
      "ldp x1, x10, [%0]\n"
      "add x2, x1, x10\n add x3, x2, x10\n add x4, x3, x10\n"
      "ldp x13, x14, [%0, #16]\n"
      "ldp x15, x9, [%0, #32]\n"
      "sub x15, x15, x13, lsl #4\n"
      "1:\n"
      "ldp q20, q21, [x9]\n ldr q22, [x9, #32]\n ldr d23, [x9, #48]\n ldr x6, [x9, #56]\n"
      "ldr q24, [x1], #16\n"
      "subs x10, x13, #1\n"
      "b.eq 3f\n"
      "2:\n"
      SIMD_PAIRS_PASS(20, 21, 22, 23, 26, 27, 28, 29, "b.eq 4f\n")
      SIMD_PAIRS_PASS(26, 27, 28, 29, 20, 21, 22, 23, "b.ne 2b\n")
      "3:\n"
      SIMD_PAIRS_LAST(20, 21, 22, 23)
      "b 5f\n"
      "4:\n"
      SIMD_PAIRS_LAST(26, 27, 28, 29)
      "5:\n"
      "add x1, x1, x15\n add x2, x2, x15\n add x3, x3, x15\n add x4, x4, x15\n"
      "subs x14, x14, #1\n"
      "b.ne 1b\n"
      "ldp x11, x9, [%0, #56]\n"
      "ldr x10, [%0, #72]\n"
      "lsl x10, x10, #2\n"
      "cbnz x11, 6f\n"
      SIMD_PAIRS_STORE(0, 1, 2, 3) SIMD_PAIRS_STORE(4, 5, 6, 7) SIMD_PAIRS_STORE(8, 9, 10, 11) SIMD_PAIRS_STORE(12, 13, 14, 15)
      "b 7f\n"
      "6:\n"
      "stp q0, q1, [x11]\n stp q2, q3, [x11, #32]\n stp q4, q5, [x11, #64]\n stp q6, q7, [x11, #96]\n"
      "stp q8, q9, [x11, #128]\n stp q10, q11, [x11, #160]\n stp q12, q13, [x11, #192]\n stp q14, q15, [x11, #224]\n"
      "7:\n"
      : : "r"(tile) : SIMD_ALL_REGISTERS);
}
#endif
