/* converter.c - converters between numbers and voltages: quantization, full scale, and the gain
 * before them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/periphery.h"
#include "base/vmath.h"

void mho__convert(mho_converter c, int n, mho_real a, const mho_real *fs, int stride, mho_real *x) {
  mho_real most = c.most;
  if (stride == 0) { /* the usual case, without a division an entry */
    mho_real to = most * a / fs[0], from = fs[0] / (most * a);
    for (int i = 0; i < n; i++) {
      mho_real code = real_rint(x[i] * to);
      code = code > most ? most : code;
      x[i] = (code < -most ? -most : code) * from;
    }
    return;
  }

  for (int i = 0; i < n; i++) {
    mho_real code = real_rint(x[i] * most * a / fs[i]);
    code = code > most ? most : code;
    x[i] = (code < -most ? -most : code) * fs[i] / (most * a);
  }
}

mho_real mho__ranging_gain(int n, const mho_real *fs, int stride, const mho_real *x) {
  mho_real most = 0;
  for (int i = 0; i < n; i++) {
    mho_real v = real_abs(x[i]) / fs[i * stride];
    most = v > most ? v : most;
  }
  if (!(most > 0))
    return 1;

  int k = -ilogb((double)most) - 1; /* 2^k most lies in [1/2, 1) */
  if (ldexp((double)most, k + 1) <= 1)
    k++; /* most is a power of 2 */
  k = mho_max(mho_min(k, MHO_RANGING_BITS), -MHO_RANGING_BITS);
  return (mho_real)ldexp(1, k);
}

void mho__slice(const mho_slicing *s, int k, int n, mho_real full, const mho_real *x,
                mho_real *out) {
  int mask = (1 << s->digit) - 1;
  for (int i = 0; i < n; i++) {
    int code = (int)real_rint(x[i] * s->most / full), size = code < 0 ? -code : code;
    mho_real part = (mho_real)(size >> s->digit * k & mask) * full / s->top;
    out[i] = code < 0 ? -part : part;
  }
}

double mho_array_driven(const mho_array_converters *c, double activity) {
  if (c->slices == 1 || !c->dac_bits)
    return activity * activity;

  mho_slicing s = mho__slicing_of(c->dac_bits, c->slices);
  mho_real full = (mho_real)c->dac_range, x = (mho_real)activity, part;
  double sum = 0;
  mho__convert(mho__converter_of(c->dac_bits), 1, 1, &full, 0, &x);
  for (int k = 0; k < s.n; k++) {
    mho__slice(&s, k, 1, full, &x, &part);
    sum += (double)part * (double)part;
  }
  return sum;
}
