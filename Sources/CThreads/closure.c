#include "closure.h"

#define SWIFT __attribute__((swiftcall))
#define CONTEXT __attribute__((swift_context))

void threads_call(threads_closure closure, int64_t index) {
  ((SWIFT void (*)(int64_t, CONTEXT void *))closure.function)(index, closure.context);
}

/// In Swift: `threads_lend(_ closure: (Int) -> Void, _ borrow: (threads_closure, UnsafeRawPointer) -> Void, _ value:
/// UnsafeRawPointer)`. A non-escaping closure is passed as two arguments.
SWIFT void threads_lend(void *function, void *context, void (*borrow)(threads_closure, const void *), const void *value) {
  borrow((threads_closure){function, context}, value);
}
