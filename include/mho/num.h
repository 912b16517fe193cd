/* num.h - thin wrappers of numerical libraries: dense products.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_NUM_H
#define MHO_NUM_H

#include "mho/base.h"

/** Put OpenBLAS on one thread a product (products are cut into tasks by mho, so that results do not depend on
 * the number of threads). Process-wide: the command calls it at start, and so should a program that uses the
 * library. */
MHO_API void mho_blas_init(void);
/** Name of the kernels OpenBLAS runs ("SkylakeX"). */
MHO_API const char *mho_blas_kernel(void);
/** The kernels this processor could run but OpenBLAS did not recognize it for, as the value that the
 * environment variable OPENBLAS_CORETYPE must have before the library is loaded; NULL when the present ones
 * are right. (OpenBLAS 0.3.21 falls back to SSE3 kernels, five times slower, on processors newer than
 * itself.) */
MHO_API const char *mho_blas_better_kernel(void);

/** C = alpha op(A) op(B) + beta C, row-major, on the calling thread.
 *  op(A) [m x k], op(B) [k x n], C [m x n]; ta, tb: use the transpose of the stored matrix. */
MHO_API void mho_gemm(bool ta, bool tb, int m, int n, int k, mho_real alpha, const mho_real *a, int lda,
                      const mho_real *b, int ldb, mho_real beta, mho_real *c, int ldc);

#endif
