#pragma once
#include <cblas.h>

// LAPACK, which OpenBLAS contains: its C header is a package of its own. The Cholesky factor of a symmetric matrix, column-major, in place.
void spotrf_(const char *triangle, const int *order, float *values, const int *stride, int *info);
