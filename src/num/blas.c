/* blas.c - dense products on OpenBLAS, and which of its kernels run.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <cblas.h>
#include <string.h>

#include "mho/num.h"

void mho_blas_init(void) {
  openblas_set_num_threads(1);
}

const char *mho_blas_kernel(void) {
  return openblas_get_corename();
}

/* How wide a kernel's vectors are: 2 AVX-512, 1 AVX2, 0 less. */
static int kernel_rank(const char *name) {
  static const char *avx512[] = {"SkylakeX", "Cooperlake", "SapphireRapids"};
  static const char *avx2[] = {"Haswell", "Zen", "Excavator"};
  for (int i = 0; i < MHO_COUNT(avx512); i++)
    if (!strcasecmp(name, avx512[i]))
      return 2;
  for (int i = 0; i < MHO_COUNT(avx2); i++)
    if (!strcasecmp(name, avx2[i]))
      return 1;
  return 0;
}

const char *mho_blas_better_kernel(void) {
#if defined(__x86_64__)
  int rank = kernel_rank(mho_blas_kernel());
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
    return rank < 2 ? "SkylakeX" : NULL;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return rank < 1 ? "Haswell" : NULL;
#endif
  return NULL;
}

void mho_gemm_double(bool ta, bool tb, int m, int n, int k, double alpha, const double *a, int lda,
                     const double *b, int ldb, double beta, double *c, int ldc) {
  cblas_dgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, m, n, k, alpha,
              a, lda, b, ldb, beta, c, ldc);
}

void mho_gemm(bool ta, bool tb, int m, int n, int k, mho_real alpha, const mho_real *a, int lda,
              const mho_real *b, int ldb, mho_real beta, mho_real *c, int ldc) {
#ifdef MHO_DOUBLE
  mho_gemm_double(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
#else
  cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, m, n, k, alpha,
              a, lda, b, ldb, beta, c, ldc);
#endif
}
