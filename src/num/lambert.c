/* lambert.c - Lambert's W function of an exponential, which never overflows.
 *
 * w + ln w = z is solved by the iteration of F. N. Fritsch, R. E. Shafer, W. P. Crowley, Comm. ACM
 * 16:123 (1973), algorithm 443, whose error falls with the fourth power:
 *
 *   y = z - w - ln w,  q = 2 (1 + w) (1 + w + 2 y/3),  w <- w (1 + y/(1 + w) (q - y)/(q - 2 y))
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "mho/model/num.h"

enum { ITERATIONS = 3 };

/* A first guess, within a factor of 2. */
static double guess(double z) {
  if (z > 1)
    return z - log(z);
  return z > -1 ? 0.567 * exp(0.64 * z) : exp(z);
}

double mho_lambert_w_exp(double z) {
  if (z < -40) /* e^z is all that is left of it */
    return exp(z);

  double w = guess(z);
  for (int i = 0; i < ITERATIONS; i++) {
    double y = z - w - log(w), q = 2 * (1 + w) * (1 + w + 2 * y / 3);
    w *= 1 + y / (1 + w) * (q - y) / (q - 2 * y);
  }
  return w;
}
