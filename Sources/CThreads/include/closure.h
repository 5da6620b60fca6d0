// Swift closures as C sees them: a function and its context. The function follows Swift's calling convention, which
// clang supports as `swiftcall`.
#pragma once
#include <stdint.h>

/// A closure (Int) -> Void. It does not own its context: the closure's owner must wait while others use it.
typedef struct {
  void *function, *context;
} threads_closure;

/// Calls `closure` with `index`.
void threads_call(threads_closure closure, int64_t index);
