// Counts calls of malloc, calloc, realloc and their aligned relatives, on all threads of a program that this library is loaded before
// (LD_PRELOAD), and writes their number at the program's end into the file that this variable of the environment names.
#pragma once

#define ALLOCATION_COUNTER_FILE "ALLOCATION_COUNTER_FILE"
