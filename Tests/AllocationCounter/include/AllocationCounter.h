// Counts calls of the C library's allocator in the program that links this.
#pragma once

/// Calls of malloc, calloc, realloc and their aligned relatives so far, on all threads.
long allocation_count(void);
