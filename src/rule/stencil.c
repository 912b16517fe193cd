/* stencil.c - slopes from nudges both ways, by polynomials that are orthogonal over the nudges.
 *
 * The odd part of F at k = 1 .. m, D_k = (F(k b) - F(-k b))/2, is fitted by k q(k^2). Least squares
 * of it are those of D_k/k and q, weighted by k^2, in which the polynomials p_j with
 *
 *   p_{j+1}(x) = (x - alpha_j) p_j(x) - n_j/n_{j-1} p_{j-1}(x)
 *   n_j = sum k^2 p_j(k^2)^2, alpha_j = sum k^4 p_j(k^2)^2 / n_j
 *
 * are orthogonal. The slope is q(0) = sum_j p_j(0) sum_k k^2 (D_k/k) p_j(k^2) / n_j.
 *
 * Source: G. E. Forsythe, J. SIAM 5:74 (1957).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "rule/stencil.h"

#include <string.h>

/* A polynomial of the sequence: its values at the squares of the nudges, and at 0. */
typedef struct polynomial {
  double at[MHO_STENCIL_PAIRS], at_zero;
} polynomial;

/* Sum over k of k^2 x^power p(x)^2 at x = k^2. */
static double moment(const polynomial *p, int pairs, int power) {
  double sum = 0;
  for (int k = 1; k <= pairs; k++) {
    double x = (double)k * k;
    sum += x * (power ? x : 1) * p->at[k - 1] * p->at[k - 1];
  }
  return sum;
}

/* The polynomial behind p, whose norm is given, and behind `before`. */
static polynomial next_of(const polynomial *p, double norm, const polynomial *before,
                          double norm_before, int pairs) {
  double alpha = moment(p, pairs, 1) / norm, beta = norm / norm_before;
  polynomial next = {.at_zero = -alpha * p->at_zero - beta * before->at_zero};
  for (int k = 1; k <= pairs; k++)
    next.at[k - 1] = ((double)k * k - alpha) * p->at[k - 1] - beta * before->at[k - 1];
  return next;
}

void mho__stencil_weights(int pairs, int order, double *weight) {
  polynomial p = {.at_zero = 1}, before = {.at_zero = 0};
  double norm_before = 1;
  for (int k = 0; k < pairs; k++)
    p.at[k] = 1;
  memset(weight, 0, (size_t)pairs * sizeof *weight);

  for (int power = 1; power <= order; power += 2) {
    double norm = moment(&p, pairs, 0);
    for (int k = 1; k <= pairs; k++)
      weight[k - 1] += k * p.at[k - 1] * p.at_zero / norm;

    polynomial next = next_of(&p, norm, &before, norm_before, pairs);
    before = p;
    norm_before = norm;
    p = next;
  }
}
