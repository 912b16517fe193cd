/* eigen.c - eigenvalues: all of a small dense matrix, the largest of a large operator.
 *
 * Dense: GSL's Hessenberg reduction and Francis QR, about 30 n^3 operations. Large: Arnoldi's
 * process from a random vector, orthogonalized twice against the whole basis, whose projection on
 * the Krylov space is checked at 25, 50, 100, 200 and 400 vectors for whether its largest
 * eigenvalue has converged. Source: W. Arnoldi, Quart. Appl. Math. 9:17 (1951); Y. Saad, Numerical
 * Methods for Large Eigenvalue Problems, chapter 6.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_complex_math.h>
#include <gsl/gsl_eigen.h>
#include <math.h>
#include <string.h>

#include "base/streams.h"
#include "mho/model/num.h"

mho_err mho_eigen_dense(int n, double *a, double *re, double *im, mho_errinfo *ei) {
  size_t size = (size_t)n;
  gsl_eigen_nonsymm_workspace *w = gsl_eigen_nonsymm_alloc(size);
  gsl_vector_complex *values = gsl_vector_complex_alloc(size);
  gsl_matrix_view m = gsl_matrix_view_array(a, size, size);

  mho_err err = MHO_OK;
  if (!w || !values)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the eigenvalues of a matrix of %d", n);
  else if (gsl_eigen_nonsymm(&m.matrix, values, w))
    err = mho_fail(ei, MHO_ESINGULAR, "the eigenvalues of a matrix of %d do not converge", n);

  if (!err)
    for (size_t i = 0; i < size; i++) {
      re[i] = GSL_REAL(gsl_vector_complex_get(values, i));
      im[i] = GSL_IMAG(gsl_vector_complex_get(values, i));
    }

  gsl_vector_complex_free(values);
  gsl_eigen_nonsymm_free(w);
  return err;
}

/* ---------------------------------------------------------------- the largest of a large one */

enum { FIRST_CHECK = 25 };
static const double TOLERANCE = 1e-8;

typedef struct krylov {
  int n, most;
  double *basis; /* [most + 1 x n], orthonormal */
  double *h;     /* [most + 1 x most], h[i * most + j]: part of A v_j along v_i */
} krylov;

static double dot(int n, const double *a, const double *b) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int i = 0; i < n; i++)
    sum += a[i] * b[i];
  return sum;
}

/* Adds a vector to the basis; false when the space is whole: A v lies within it. */
static bool extend(krylov *k, int j, mho_linear apply, const void *user) {
  double *w = k->basis + (size_t)(j + 1) * (size_t)k->n;
  apply(user, k->basis + (size_t)j * (size_t)k->n, w);
  double before = sqrt(dot(k->n, w, w));

  for (int pass = 0; pass < 2; pass++)
    for (int i = 0; i <= j; i++) {
      const double *v = k->basis + (size_t)i * (size_t)k->n;
      double part = dot(k->n, v, w);
      for (int c = 0; c < k->n; c++)
        w[c] -= part * v[c];
      k->h[i * k->most + j] += part;
    }

  double left = sqrt(dot(k->n, w, w));
  if (!(left > 1e-13 * before))
    return false;

  k->h[(j + 1) * k->most + j] = left;
  for (int c = 0; c < k->n; c++)
    w[c] /= left;
  return true;
}

/* The largest eigenvalue of the leading m x m part of h, and how far it is from being one of A: the
 * norm of A x - x lambda for the unit vector x that belongs to it. */
static mho_err check(const krylov *k, int m, bool whole, double *radius, double *residual,
                     mho_errinfo *ei) {
  size_t size = (size_t)m;
  gsl_matrix *h = gsl_matrix_alloc(size, size);
  gsl_vector_complex *values = gsl_vector_complex_alloc(size);
  gsl_matrix_complex *vectors = gsl_matrix_complex_alloc(size, size);
  gsl_eigen_nonsymmv_workspace *w = gsl_eigen_nonsymmv_alloc(size);
  mho_err err = MHO_OK;

  if (h)
    for (size_t i = 0; i < size; i++)
      memcpy(gsl_matrix_ptr(h, i, 0), k->h + (int)i * k->most, size * sizeof(double));

  if (!h || !values || !vectors || !w)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for eigenvalues");
  else if (gsl_eigen_nonsymmv(h, values, vectors, w))
    err = mho_fail(ei, MHO_ESINGULAR, "the eigenvalues of a matrix of %d do not converge", m);

  *radius = *residual = 0;
  if (!err)
    for (size_t i = 0; i < size; i++) {
      double v = gsl_complex_abs(gsl_vector_complex_get(values, i));
      if (v < *radius)
        continue;
      *radius = v;
      double last = gsl_complex_abs(gsl_matrix_complex_get(vectors, size - 1, i));
      *residual = whole ? 0 : k->h[m * k->most + m - 1] * last;
    }

  gsl_eigen_nonsymmv_free(w);
  gsl_matrix_complex_free(vectors);
  gsl_vector_complex_free(values);
  gsl_matrix_free(h);
  return err;
}

static void random_start(krylov *k) {
  mho_rng rng = mho__stream_krylov();
  float part[256];
  for (int i = 0; i < k->n; i += MHO_COUNT(part)) {
    int m = mho_min(MHO_COUNT(part), k->n - i);
    mho_rng_normal(rng, 0, (uint64_t)i, (size_t)m, part);
    for (int c = 0; c < m; c++)
      k->basis[i + c] = (double)part[c];
  }

  double norm = sqrt(dot(k->n, k->basis, k->basis));
  for (int i = 0; i < k->n; i++)
    k->basis[i] /= norm;
}

/* Extends the space until the radius has converged, the space is whole, or it may grow no more. */
static mho_err iterate(krylov *k, mho_linear apply, const void *user, double *radius,
                       double *residual, mho_errinfo *ei) {
  int next = FIRST_CHECK;
  for (int j = 0;; j++) {
    bool whole = !extend(k, j, apply, user), last = whole || j + 1 == k->most;
    if (!last && j + 1 < next)
      continue;

    mho_err err = check(k, j + 1, whole, radius, residual, ei);
    if (err || last || *residual <= TOLERANCE * *radius)
      return err;
    next *= 2;
  }
}

mho_err mho_eigen_radius(int n, mho_linear apply, const void *user, double *radius,
                         double *residual, mho_errinfo *ei) {
  krylov k = {.n = n, .most = mho_min(n, MHO_EIGEN_KRYLOV)};
  double left = 0;
  mho_err err = MHO_OK;
  *radius = 0;

  k.basis = mho_alloc((size_t)(k.most + 1) * (size_t)n, sizeof *k.basis);
  k.h = mho_alloc((size_t)(k.most + 1) * (size_t)k.most, sizeof *k.h);
  if (!k.basis || !k.h)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for a Krylov space of %d vectors of %d", k.most, n);

  if (!err) {
    random_start(&k);
    err = iterate(&k, apply, user, radius, &left, ei);
  }
  if (!err && !isfinite(*radius))
    err = mho_fail(ei, MHO_EDIVERGED, "the matrix has entries that are not finite");
  if (residual)
    *residual = left;

  mho_free(k.basis);
  mho_free(k.h);
  return err;
}
