/* variance_share.c - how sure a share of variance is: an SQL function of the named questions.
 *
 * Of n values in k groups, with the sum of squares B between the groups of T in all, F = (B/(k -
 * 1))/((T - B)/(n - k)) follows the noncentral F distribution with the parameter l, where l/(l + n)
 * is the share of the variance that the groups explain. The bounds of its confidence interval are
 * the l for which the F that was found has the probability q.
 *
 * Source: J. H. Steiger, Psychological Methods 9, 164 (2004); the distribution is a Poisson mixture
 * of beta ones.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_cdf.h>
#include <math.h>

#include "store/store_impl.h"

/* Probability that B/T is at most x: sum over j of Poisson(l/2; j) I_x((k - 1)/2 + j, (n -
 * k)/2), from the largest term both ways. */
static double probability(double l, double x, double k, double n) {
  double half = 0.5 * l, a = 0.5 * (k - 1), b = 0.5 * (n - k), sum = 0;
  long middle = (long)half, width = 12 * (long)ceil(sqrt(half)) + 40;
  long first = middle > width ? middle - width : 0;

  for (long j = first; j <= middle + width; j++) {
    double weight = half > 0 ? exp((double)j * log(half) - half - lgamma((double)j + 1)) : j == 0;
    if (weight > 0)
      sum += weight * gsl_cdf_beta_P(x, a + (double)j, b);
  }
  return sum;
}

/* The share at which what was found has probability q; it falls as the share rises. */
static double bound(double x, double k, double n, double q) {
  if (probability(0, x, k, n) <= q)
    return 0;

  double low = 0, high = 1;
  while (probability(high, x, k, n) > q && high < 1e9) {
    low = high;
    high *= 2;
  }

  for (int i = 0; i < 60; i++) {
    double l = 0.5 * (low + high);
    if (probability(l, x, k, n) > q)
      low = l;
    else
      high = l;
  }
  return low / (low + n);
}

/* variance_share(B, T, k, n, q): NULL where there is nothing to compare. */
static void variance_share(sqlite3_context *context, int n_args, sqlite3_value **arg) {
  double between = sqlite3_value_double(arg[0]), all = sqlite3_value_double(arg[1]);
  double k = sqlite3_value_double(arg[2]), n = sqlite3_value_double(arg[3]),
         q = sqlite3_value_double(arg[4]);
  if (!(k >= 2) || !(n > k) || !(n < 1e7) || !(all > 0) || !(q > 0) || !(q < 1))
    return;

  double x = fmin(fmax(between / all, 0), 1);
  sqlite3_result_double(context, x > 1 - 1e-12 ? 1 : bound(x, k, n, q));
}

int mho__store_share_function(sqlite3 *db) {
  return sqlite3_create_function_v2(db, "variance_share", 5, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
                                    NULL, variance_share, NULL, NULL, NULL);
}
