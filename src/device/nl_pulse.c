/* nl_pulse.c - the nonlinearity-label model of NeuroSim.
 *
 *   G(x) = B (1 - exp(-x/A)) + Gmin,  B = (Gmax - Gmin)/(1 - exp(-P/A)),  P pulses from end to end
 *
 * A pulse inverts G on its own branch (LTP or LTD), moves x by +-1, clips to [0, P] and maps back.
 * In normalized conductance, with a = A/P, D = 1 - exp(-1/a) and q = exp(-1/(a P)), that is an
 * affine map: a SET adds s (1 - D g) with s = (1 - q)/D, a RESET the same with s = (1 - 1/q)/D,
 * with its branch's own a and P. a follows from the label NL: the normalized curve lies at most
 * 0.07 NL from the diagonal (perpendicular), its sign is the branch: positive steep at low
 * conductance, negative steep at high.
 *
 * From the flat end, g = 1 under RESET with a large positive label, a step is s exp(-1/a), down to
 * 1e-10, and the law leaves it exponentially: near 1 a float has no such digits, so there the state
 * has a rest (mho_device_model.fine), and 1 - D g is 1 - g + exp(-1/a) g.
 *
 * Source: P.-Y. Chen, X. Peng, S. Yu, "NeuroSim", IEEE TCAD 37, 3067 (2018).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "device/nl_pulse.h"

#include <math.h>
#include <string.h>

#include "device/noise.h"

typedef struct nl_pulse {
  double nl_up, nl_down, pulses_up, pulses_down, c2c;
} nl_pulse;

static const mho_param table[] = {
    MHO_P_REAL(nl_pulse, nl_up, "nl_up", "", 1, -9, 9, "nonlinearity label of potentiation"),
    MHO_P_REAL(nl_pulse, nl_down, "nl_down", "", -1, -9, 9, "nonlinearity label of depression"),
    MHO_P_REAL(nl_pulse, pulses_up, "pulses_up", "", 500, 1, 1e6, "SET pulses from end to end"),
    MHO_P_REAL(nl_pulse, pulses_down, "pulses_down", "", 500, 1, 1e6,
               "RESET pulses from end to end"),
    MHO_P_REAL(nl_pulse, c2c, "pulse_noise", "", 0, 0, 1,
               "noise of a pulse, of the conductance range"),
};

enum { UP, DOWN, CURVE_UP, CURVE_DOWN, END_UP, END_DOWN, NOISE, COLUMNS };

/* Largest distance of the normalized curve above the diagonal, along g: at x = -a ln(a (1 -
 * exp(-1/a))). */
static double bulge(double a) {
  double d = -expm1(-1 / a), x = -a * log(a * d);
  return -expm1(-x / a) / d - x;
}

double mho__nl_pulse_a(double label) {
  double want = 0.07 * sqrt(2) * fabs(label), low = log(1e-4), high = log(1e4);
  if (want < 1e-6)
    return INFINITY;

  /* the bulge falls with a: bisection in ln a */
  for (int i = 0; i < 64; i++) {
    double mid = 0.5 * (low + high);
    if (bulge(exp(mid)) > want)
      low = mid;
    else
      high = mid;
  }
  return copysign(exp(0.5 * (low + high)), label);
}

/* D of a branch; 0 for the straight line. */
static double curve(double a) {
  return -expm1(-1 / a);
}

/* s: what a pulse forward (sign +1) or backward (-1) on a branch of P pulses adds at g = 0. */
static double first_step(double a, double pulses, int sign) {
  return isinf(a) ? sign / pulses : -expm1(-sign / (a * pulses)) / curve(a);
}

static void columns(const void *params, const mho_device_draw *d, float *const *col) {
  const nl_pulse *p = params;
  double a_up = mho__nl_pulse_a(p->nl_up), a_down = mho__nl_pulse_a(p->nl_down);

  for (int i = 0; i < d->n; i++) {
    /* a cell of larger steps needs fewer pulses from end to end; of step 0 it never moves */
    col[UP][i] = (float)first_step(a_up, p->pulses_up / fmax((double)d->up[i], 1e-9), 1);
    col[DOWN][i] = (float)first_step(a_down, p->pulses_down / fmax((double)d->down[i], 1e-9), -1);

    col[CURVE_UP][i] = (float)curve(a_up);
    col[CURVE_DOWN][i] = (float)curve(a_down);
    col[END_UP][i] = (float)exp(-1 / a_up);
    col[END_DOWN][i] = (float)exp(-1 / a_down);
    col[NOISE][i] = (float)p->c2c;
  }
}

static bool noisy(const void *params) {
  return ((const nl_pulse *)params)->c2c > 0;
}

/* Whether RESET begins at 1 with steps of few digits; cells whose label varies may have any. */
static bool fine(const void *params, const mho_device_config *config) {
  const nl_pulse *p = params;
  double a = mho__nl_pulse_a(p->nl_down);
  double first = fabs(first_step(a, p->pulses_down, -1)) * exp(-1 / a);
  return first < 1e-4 || strstr(config->spread_of, "nl_down");
}

/* Mean change of a cell whose state has a rest. */
static inline float fine_step(const mho_device_block *b, int i) {
  bool set = b->dir[i] > 0;
  float s = set ? b->col[UP][i] : b->col[DOWN][i];
  float end = set ? b->col[END_UP][i] : b->col[END_DOWN][i];
  float above = (1 - b->g[i]) - b->rest[i];
  float step = s * (above + end * (b->g[i] + b->rest[i]));
  return mho__least(mho__most(step, -b->g[i] - b->rest[i]), above);
}

/* Mean change of cell i by its pulse. */
static inline float mean_step(const mho_device_block *b, int i) {
  float up = b->col[UP][i], down = b->col[DOWN][i];
  float d_up = b->col[CURVE_UP][i], d_down = b->col[CURVE_DOWN][i];
  float s = b->dir[i] > 0 ? up : down;
  float d = b->dir[i] > 0 ? d_up : d_down;
  float step = mho__most(s - s * d * b->g[i], -b->g[i]); /* x is clipped to [0, P] */
  return mho__least(step, 1 - b->g[i]);
}

static void pulse(const mho_device_block *b) {
  if (b->rest) {
    for (int i = 0; i < b->n; i++)
      b->out[i] = fine_step(b, i) + (b->quiet ? 0 : b->col[NOISE][i] * b->xi[i]);
    return;
  }

  if (b->quiet) {
#pragma omp simd
    for (int i = 0; i < b->n; i++)
      b->out[i] = mean_step(b, i);
    return;
  }

#pragma omp simd
  for (int i = 0; i < b->n; i++)
    b->out[i] = mean_step(b, i) + b->col[NOISE][i] * b->xi[i];
}

static mho_err spice(const void *params, const mho_device_config *config, mho_device_spice *s,
                     mho_errinfo *ei) {
  const nl_pulse *p = params;
  double a_up = mho__nl_pulse_a(p->nl_up), a_down = mho__nl_pulse_a(p->nl_down);

  mho_device_spice_param(s, "s_up", first_step(a_up, p->pulses_up, 1));
  mho_device_spice_param(s, "d_up", curve(a_up));
  mho_device_spice_param(s, "s_dn", first_step(a_down, p->pulses_down, -1));
  mho_device_spice_param(s, "d_dn", curve(a_down));

  strcpy(s->set, "V(g)+s_up*(1-d_up*V(g))");
  strcpy(s->reset, "V(g)+s_dn*(1-d_dn*V(g))");
  return MHO_OK;
}

const mho_device_model mho_device_nl_pulse = {
    .entry = {.abi = MHO_ABI,
              .id = "nl_pulse",
              .title = "NeuroSim nonlinearity labels for potentiation and depression",
              .equation = "G(x) = B (1 - exp(-x/A)) + Gmin, a pulse moves x by +-1",
              .source = "Chen, Peng & Yu, IEEE TCAD 37:3067 (2018)",
              .params = MHO_PARAMS(nl_pulse, table)},
    .n_columns = COLUMNS,
    .columns = columns,
    .pulse = pulse,
    .noisy = noisy,
    .fine = fine,
    .spice = spice,
    .fit = "nl_up nl_down pulses_up pulses_down",
};
