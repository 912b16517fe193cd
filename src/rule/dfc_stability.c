/* dfc_stability.c - whether a network stays at rest under the controls that were found for it.
 *
 * With neurons that are much faster than the controller it does if no eigenvalue of S JQ lies at or
 * below -alpha~, S = -de/dv_o. None does where the symmetric part of JQ is definite, as S has no
 * negative eigenvalue; else the eigenvalues are found.
 *
 * JQ of a sample's own state is C passes back, several times what its rest took to be found. So it
 * is estimated first, from a sample's own slopes in one layer after the other, those of the layers
 * above at the means that the rest was looked for with:
 *
 *   K = 1 + sum of A_l D_l Q_l^T        A_l is J_l without its own slopes D_l
 *
 * With one hidden layer that is JQ itself. Its symmetric part is linear in D_l, a product for all
 * samples of a chunk. Where that of one is not definite by a margin, the JQ of all of them are
 * found at their own states, and judged.
 *
 * The chain has JQ = J J^T, up to what the slopes change under f. That tells at a high gain, where
 * a rest may be a saddle which neurons leave: small networks are judged for it (dfc_growth.c). With
 * more neurons than that none was found: digits, 64-32-32, gains of 2.5 to 1000.
 *
 * Source: A. Meulemans et al., NeurIPS 2021, arXiv 2106.07887.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_linalg.h>
#include <math.h>
#include <string.h>

#include "mho/model/num.h"
#include "rule/dfc_rest.h"

/* The least eigenvalue that an estimate is trusted with: the read-out's own part of K is 1. */
static const mho_real MARGIN = 0.5;

/* ---------------------------------------------------------------- estimates */

/* Which of so many symmetric matrices are positive definite, by elimination: element (c, d <= c) of
 * all of them is m[c (c + 1)/2 + d], and m is destroyed. */
static void judge_forms(int classes, int samples, mho_real *m, bool *definite) {
  mho_real factor[MHO_CHUNK_MAX];
  for (int k = 0; k < classes; k++) {
    const mho_real *pivot = m + (mho__dfc_pairs(k) + k) * samples;
    for (int s = 0; s < samples; s++)
      definite[s] = (k == 0 || definite[s]) && pivot[s] > 0;

    for (int i = k + 1; i < classes; i++) {
      const mho_real *below = m + (mho__dfc_pairs(i) + k) * samples;
      for (int s = 0; s < samples; s++)
        factor[s] = below[s] / (pivot[s] > 0 ? pivot[s] : 1);
      for (int j = k + 1; j <= i; j++) {
        const mho_real *other = m + (mho__dfc_pairs(j) + k) * samples;
        mho_real *to = m + (mho__dfc_pairs(i) + j) * samples;
#pragma omp simd
        for (int s = 0; s < samples; s++)
          to[s] -= factor[s] * other[s];
      }
    }
  }
}

/* Samples whose estimated JQ is definite by the margin, at the present states. */
static void estimate(const dfc_run *r, bool *definite) {
  const dfc_workspace *w = r->w;
  int pairs = mho__dfc_pairs(w->classes), samples = r->lesson->n;
  mho_real *m = w->estimate;
  memset(m, 0, (size_t)(pairs * samples) * sizeof *m);
  for (int c = 0; c < w->classes; c++)
    for (int s = 0; s < samples; s++)
      m[(mho__dfc_pairs(c) + c) * samples + s] = 1 - MARGIN;

  for (int l = 1; l < mho_hidden_end(r->lesson->net); l++) {
    int n = r->lesson->net->layer[l].n;
    mho__dfc_find_slopes(r, l, w->other[l]);
    mho_gemm(false, true, pairs, samples, n, 1, w->forms[l], n, w->other[l], n, 1, m, samples);
  }
  judge_forms(w->classes, samples, m, definite);
}

/* ---------------------------------------------------------------- exactly */

/* Whether the symmetric part of JQ of sample s is positive definite. */
static bool is_definite(const dfc_run *r, int s) {
  int n = r->w->classes;
  const double *k = r->w->k + (size_t)s * (size_t)(n * n);
  gsl_matrix_view m = gsl_matrix_view_array(r->w->matrix, (size_t)n, (size_t)n);
  for (int i = 0; i < n; i++)
    for (int j = 0; j <= i; j++)
      r->w->matrix[i * n + j] = 0.5 * (k[i * n + j] + k[j * n + i]);
  return !gsl_linalg_cholesky_decomp1(&m.matrix);
}

/* Whether no eigenvalue of S JQ of sample s lies at or below -alpha~. */
static bool has_no_growth(const dfc_run *r, int s) {
  int n = r->w->classes;
  double *m = r->w->matrix, *re = r->w->eigenvalue, least = 0;
  mho__dfc_multiply_slopes(r, s, r->w->potential + (size_t)s * (size_t)n, n, m);
  if (mho_eigen_dense(n, m, re, re + n, NULL))
    return false;

  for (int i = 0; i < n; i++)
    least = fmin(least, re[i]);
  return least > -r->leak;
}

/* ---------------------------------------------------------------- all samples */

/* Those of arrays of their own. */
static void drop_direct(const dfc_run *r, bool at_rest) {
  dfc_workspace *w = r->w;
  bool definite[MHO_CHUNK_MAX], all = at_rest;
  if (at_rest)
    estimate(r, definite);
  for (int s = 0; s < r->lesson->n && at_rest; s++)
    all &= w->lost[s] || definite[s];
  if (all)
    return;

  if (at_rest)
    mho__dfc_jacobian(r);
  for (int s = 0; s < r->lesson->n; s++) {
    bool holds = w->lost[s] || is_definite(r, s) || has_no_growth(r, s);
    w->unstable += !holds;
    w->lost[s] |= !holds;
  }
}

/* Those of the chain. */
static void drop_saddles(const dfc_run *r) {
  dfc_workspace *w = r->w;
  for (int s = 0; s < r->lesson->n; s++) {
    bool holds = w->lost[s] || mho__dfc_is_least(r, s);
    w->unstable += !holds;
    w->lost[s] |= !holds;
  }
}

void mho__dfc_drop_unstable(const dfc_run *r, bool at_rest, mho_settle_stats *stats) {
  if (mho__dfc_is_direct(r))
    drop_direct(r, at_rest);
  else if (at_rest && mho__dfc_is_judged(r->lesson->net))
    drop_saddles(r);
  for (int s = 0; s < r->lesson->n; s++)
    stats->unsettled += r->w->lost[s];
}
