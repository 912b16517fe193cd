/* iv.c - the current of a read: I-V laws of a cell whose state does not move.
 *
 *   ohmic       I = G V
 *   sinh        I = G sinh(b V)/b
 *   polynomial  I = G (V + k2 V^2 + k3 V^3)
 *   hfo2        I = G V + NL2 V^2 + NL3 V^3, x = log10 (G/S),
 *               NL2 = 1.388e-4 x^3 + 1.541e-3 x^2 + 5.711e-3 x + 7.063e-3,
 *               NL3 = 8.871e-5 x^2 + 6.7919e-4 x + 1.2968e-3
 *               fitted from 50 to 225 uS and to |V| of 0.5 V; beyond, x is that of the nearer end
 *
 * G is the slope at 0 V. A cell must not give energy: V I(V) >= 0 for |V| up to iv.v_max.
 *
 * Source of hfo2: V. Milo et al., "Accurate program/verify schemes of resistive switching memory
 * (RRAM) for in-memory neural network circuits", IEEE T-ED 68, 3832 (2021). The printed digits
 * leave 1e-5 A/V^2 in NL2, so its sign is open above 100 uS.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "device/cells.h"

/* k2 and k3 of I/G = V + k2 V^2 + k3 V^3 of a cell of conductance g (S). */
static void cubic(const mho_device_config *d, double g, double *k2, double *k3) {
  *k2 = d->iv.k2;
  *k3 = d->iv.k3;
  if (d->iv.law != MHO_IV_HFO2)
    return;

  /* the fit holds over a decade: outside it, a cell has the shape of the decade's end */
  double inside = fmin(fmax(g, 50e-6), 225e-6), x = log10(inside);
  *k2 = (((1.388e-4 * x + 1.541e-3) * x + 5.711e-3) * x + 7.063e-3) / inside;
  *k3 = ((8.871e-5 * x + 6.7919e-4) * x + 1.2968e-3) / inside;
}

double mho_device_current(const mho_device_config *config, double g, double v, double *didv) {
  double k2, k3, b = config->iv.b, slope = g, current = g * v;
  switch (config->iv.law) {
  case MHO_IV_SINH:
    slope = g * cosh(b * v);
    current = g * sinh(b * v) / b;
    break;
  case MHO_IV_POLYNOMIAL:
  case MHO_IV_HFO2:
    cubic(config, g, &k2, &k3);
    slope = g * (1 + v * (2 * k2 + 3 * k3 * v));
    current = g * v * (1 + v * (k2 + k3 * v));
    break;
  default:
    break;
  }

  if (didv)
    *didv = slope;
  return current;
}

/* Law hfo2 as text; snprintf's answer. */
static int spice_hfo2(const char *g, const char *v, char *out, size_t n) {
  char x[600], inside[512];
  snprintf(inside, sizeof inside, "min(max(%s,50e-6),225e-6)", g);
  snprintf(x, sizeof x, "(ln(%s)/2.302585092994)", inside);
  return snprintf(out, n,
                  "(%s)*(%s)*(1+(%s)*((((1.388e-4*%s+1.541e-3)*%s+5.711e-3)*%s+7.063e-3)"
                  "+((8.871e-5*%s+6.7919e-4)*%s+1.2968e-3)*(%s))/%s)",
                  g, v, v, x, x, x, x, x, v, inside);
}

bool mho_device_spice_current(const mho_device_config *config, const char *g, const char *v,
                              char *out, size_t n) {
  const mho_iv_config *p = &config->iv;
  int length;

  switch (p->law) {
  case MHO_IV_SINH:
    length = snprintf(out, n, "(%s)*sinh(%.10g*(%s))/%.10g", g, p->b, v, p->b);
    break;
  case MHO_IV_POLYNOMIAL:
    length = snprintf(out, n, "(%s)*(%s)*(1+(%s)*(%.10g+%.10g*(%s)))", g, v, v, p->k2, p->k3, v);
    break;
  case MHO_IV_HFO2:
    length = spice_hfo2(g, v, out, n);
    break;
  default:
    length = snprintf(out, n, "(%s)*(%s)", g, v);
  }
  return length > 0 && (size_t)length < n;
}

mho_err mho__iv_check(const mho_device_config *d, mho_errinfo *ei) {
  const mho_iv_config *p = &d->iv;
  /* sinh is odd and rises; hfo2 is passive to 0.7 V over its range */
  if (p->law != MHO_IV_POLYNOMIAL)
    return MHO_OK;

  double least = 1;
  for (int i = -100; i <= 100; i++) {
    double v = p->v_max * i / 100;
    least = fmin(least, 1 + v * (p->k2 + p->k3 * v));
  }

  if (least < 0)
    return mho_fail(ei, MHO_ECONFIG,
                    "device.iv: with k2 %g and k3 %g the cell gives energy within +-iv.v_max "
                    "(%g V)",
                    p->k2, p->k3, p->v_max);
  return MHO_OK;
}
