// Swift closures as C sees them: a function and its context, in Swift's calling convention, which `swiftcall` has this compiler follow.
#pragma once
#include <stdint.h>

/// A closure (Int) -> Void that somebody else keeps alive.
typedef struct {
  void *function, *context;
} threads_closure;

/// Calls it.
void threads_call(threads_closure closure, int64_t index);
