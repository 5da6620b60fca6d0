// Replaces two functions of Embedded Swift's runtime in every link for a board.
//
// Swift 6.3's own versions return the object without its tag bits, while compiled code goes on with what they return on
// AArch64: a retained short string loses the marks that it is one, and is followed as a pointer. Mended in Swift by
// https://github.com/swiftlang/swift/pull/91151; needless with a toolchain that has it. Swift's definitions are weak: these win.
#include <stdint.h>

void *swift_retain_n(void *object, uint32_t count);

void *swift_bridgeObjectRetain_n(void *object, uint32_t count) {
  // The topmost bit marks what is not counted: short strings, literals.
  if ((intptr_t)object >= 0) swift_retain_n((void *)((uintptr_t)object & 0x8ffffffffffffff8), count);
  return object;
}

void *swift_bridgeObjectRetain(void *object) { return swift_bridgeObjectRetain_n(object, 1); }
