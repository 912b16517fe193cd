/* num.h - thin wrappers of numerical libraries: dense products, eigenvalues.
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
/** The same in double precision, whatever mho_real is. */
MHO_API void mho_gemm_double(bool ta, bool tb, int m, int n, int k, double alpha, const double *a, int lda,
                             const double *b, int ldb, double beta, double *c, int ldc);

/* GSL's error handler aborts the program: one that uses what follows should call gsl_set_error_handler_off()
 * at start, as the command does; failures are then returned. */

/** All eigenvalues of a dense matrix (GSL), to about 1e-15 of its norm times the eigenvalue's condition.
 *  @param a   [n x n] row-major; destroyed.
 *  @param re  im: [n], in no particular order.
 *  @return MHO_OK; MHO_ENOMEM; MHO_ESINGULAR when the iteration does not converge (entries that are not
 *          finite). */
MHO_API mho_err mho_eigen_dense(int n, double *a, double *re, double *im, mho_errinfo *ei);

/* y = A x, [n] each, no alias. */
typedef void (*mho_linear)(const void *user, const double *x, double *y);
enum { MHO_EIGEN_KRYLOV = 400 }; /* most vectors of a Krylov space */
/** Largest |eigenvalue| of a matrix that is only known by its products, by Arnoldi's process: up to
 *  MHO_EIGEN_KRYLOV products, and as many vectors of n numbers.
 *
 *  @param residual  nullable: |A x - lambda x| for the unit vector x that belongs to it. Up to 1e-8 of the
 *                   radius it has converged (a symmetric A's error is at most the residual; else it is that
 *                   times the eigenvalue's condition). It stays larger where eigenvalues crowd at the edge of
 *                   the spectrum: the radius then comes out a little low, by 1e-4 for the Laplacian of a line
 *                   of 2500 points.
 *  @return MHO_OK; MHO_ENOMEM; MHO_ESINGULAR when the projected matrix's eigenvalues do not converge;
 *          MHO_EDIVERGED when A has entries that are not finite. */
MHO_API mho_err mho_eigen_radius(int n, mho_linear apply, const void *user, double *radius, double *residual,
                                 mho_errinfo *ei);

#endif
