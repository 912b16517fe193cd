/* reads.c - what reads do to a device whose model knows voltages.
 *
 * A read of v volts for t seconds is a pulse of width T weakened: the model's response to that part
 * of a pulse's voltage, times t/T. Steps that small are proportional to it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "device/cells.h"

/* Factor of a whole SET or RESET pulse that a read of magnitude v is, for as long as that pulse. */
static double response_at(const mho_device_model *model, const void *params,
                          const mho_device_spice *s, bool set, double v) {
  return fabs(model->response(params, set, v / fabs(set ? s->v_set : s->v_reset)));
}

/* Whether the model knows voltages; its circuit text, which has the pulse, into s. */
static bool knows_voltages(const mho_device_model *model, const void *params,
                           const mho_device_config *config, mho_device_spice *s) {
  *s = (mho_device_spice){0};
  return model->response && !model->spice(params, config, s, NULL) && s->width > 0;
}

/* Largest change of g of n cells by a part of a pulse in one direction, from states all over the
 * range. */
static double largest_step(mho_cells *c, bool set, double part) {
  float none[MHO_DEVICE_BLOCK] = {0}, weak[MHO_DEVICE_BLOCK], before[MHO_DEVICE_BLOCK];
  for (size_t i = 0; i < c->n; i++) {
    before[i] = c->g[i] = (float)i / (float)(c->n - 1);
    weak[i] = (float)part;
  }
  if (set)
    mho_cells_disturb(c, 0, (int)c->n, weak, none);
  else
    mho_cells_disturb(c, 0, (int)c->n, none, weak);

  double largest = 0;
  for (size_t i = 0; i < c->n; i++)
    largest = fmax(largest, fabs((double)c->g[i] - (double)before[i]));
  return largest;
}

double mho_device_read_disturb(const mho_device_model *model, const void *params,
                               const mho_device_config *config, double v, double seconds) {
  enum { POINTS = 65 };
  const double least = 5e-4; /* of the range: less is lost in single precision */
  mho_device_spice s;
  mho_device_config plain = {.g_min = config->g_min, .g_max = config->g_max, .levels = -1};
  mho_cells *c;
  if (!knows_voltages(model, params, config, &s) ||
      mho_cells_new(model, params, &plain, POINTS, (mho_rng){0}, (mho_rng){0}, &c, NULL))
    return 0;

  double largest = 0;
  for (int set = 0; set < 2; set++) {
    double part = response_at(model, params, &s, set, v) * seconds / s.width;
    double enough = fmin(least / largest_step(c, set, 1), 1); /* of a pulse */
    double scale = part < enough ? part / enough : 1;
    if (part > 0)
      largest = fmax(largest, scale * largest_step(c, set, fmax(part, enough)));
  }

  mho_cells_free(c);
  return largest;
}

double mho_device_read_limit(const mho_device_model *model, const void *params,
                             const mho_device_config *config, double v) {
  mho_device_spice s;
  if (!knows_voltages(model, params, config, &s))
    return v;

  /* bisection, which begins with v itself */
  double low = 0, high = v;
  for (int turn = 0; turn < 40; turn++) {
    double mid = turn ? 0.5 * (low + high) : v;
    bool moves = response_at(model, params, &s, true, mid) > 0 ||
                 response_at(model, params, &s, false, mid) > 0;
    low = moves ? low : mid;
    high = moves ? mid : high;
  }
  return low < 1e-6 * v ? 0 : low;
}
