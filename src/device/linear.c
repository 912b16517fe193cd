/* linear.c - constant step, or a step that falls linearly across the range.
 *
 *   SET    dg = +s_up (1 - slope_up   (g - c)/(1 - c)) (1 + sigma xi)
 *   RESET  dg = -s_dn (1 + slope_down (g - c)/c)       (1 + sigma xi)
 *
 * g normalized, c the conductance of weight zero; slope 0 is the constant step of Gokmen & Vlasov.
 * Additive noise is s sigma xi, not scaled by the state. The slope falls towards the nominal bounds
 * 0 and 1, or towards the cell's own (`bounds: own`): slope 1 is then soft bounds whose step at c
 * is the same in every cell.
 *
 * Source: T. Gokmen, Y. Vlasov, Frontiers in Neuroscience 10:333 (2016).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "device/noise.h"

typedef struct linear {
  mho_cycle_noise noise;
  double step_up, step_down, slope_up, slope_down, center;
  int bounds;
} linear;

static const linear *params_of(const mho_experiment *e) {
  return (const linear *)(const void *)e->device.params;
}

/* What is of the slopes, where steps are the same everywhere. */
static const char *without_slope(const mho_experiment *e) {
  const char *why = mho_idle_without_pulses(e);
  if (why || params_of(e)->slope_up > 0 || params_of(e)->slope_down > 0)
    return why;
  return "steps are the same everywhere (device.slope_up, device.slope_down)";
}

static const mho_param table[] = {
    MHO_P_REAL(linear, step_up, "step_up", "", 1e-3, 1e-7, 1, "SET step, of the range: 1/levels"),
    MHO_P_REAL(linear, step_down, "step_down", "", 1e-3, 1e-7, 1, "RESET step, of the range"),
    MHO_P_REAL(linear, slope_up, "slope_up", "", 0, 0, 1,
               "fall of the SET step from center to high bound"),
    MHO_P_REAL(linear, slope_down, "slope_down", "", 0, 0, 1,
               "fall of the RESET step from center to low bound"),
    MHO_P_REAL(linear, center, "center", "", 0.5, 0.01, 0.99,
               "where the steps are step_up and step_down, of the range", .idle = without_slope),
    MHO_P_CHOICE(linear, bounds, "bounds", "nominal|own", 0,
                 "the slopes fall towards the nominal bounds, or towards the cell's own",
                 .idle = without_slope),
    MHO_P_CYCLE_NOISE(linear),
};

enum { BOUNDS_NOMINAL, BOUNDS_OWN };
enum { UP, UP_G, DOWN, DOWN_G, NOISE_UP, NOISE_DOWN, NOISE_FACTOR, COLUMNS };

/* The steps are written as UP + UP_G g and DOWN + DOWN_G g. */
static void columns(const void *params, const mho_device_draw *d, float *const *col) {
  const linear *p = params;
  for (int i = 0; i < d->n; i++) {
    float up = (float)p->step_up * d->up[i], down = (float)p->step_down * d->down[i];

    /* from c to where a slope of 1 would end */
    double c_up = 1 - p->center, c_down = p->center;
    if (p->bounds == BOUNDS_OWN) {
      c_up = fmax((double)d->high[i] - p->center, 1e-3);
      c_down = fmax(p->center - (double)d->low[i], 1e-3);
    }

    float slope_up = (float)(p->slope_up / c_up), slope_down = (float)(p->slope_down / c_down);
    float c = (float)p->center;
    col[UP][i] = up * (1 + slope_up * c);
    col[UP_G][i] = -up * slope_up;
    col[DOWN][i] = down * (1 - slope_down * c);
    col[DOWN_G][i] = down * slope_down;
    mho__noise_columns(&p->noise, up, down, i, col + NOISE_UP);
  }
}

static inline float step_up(const mho_device_block *b, int i, float g) {
  return b->col[UP][i] + b->col[UP_G][i] * g;
}

static inline float step_down(const mho_device_block *b, int i, float g) {
  return b->col[DOWN][i] + b->col[DOWN_G][i] * g;
}

static inline void answer(const mho_device_block *b, mho_one_pulse p) {
  /* without noise its columns need not be read */
  if (b->quiet) {
#pragma omp simd
    for (int i = 0; i < p.n; i++) {
      float up = step_up(b, p.first + i, p.g[i]), down = step_down(b, p.first + i, p.g[i]);
      p.out[i] = p.dir[i] > 0 ? up : -down;
    }
    return;
  }

#pragma omp simd
  for (int i = 0; i < p.n; i++) {
    float up = step_up(b, p.first + i, p.g[i]), down = step_down(b, p.first + i, p.g[i]);
    p.out[i] = mho__noisy_step(b, &p, i, up, down, NOISE_UP);
  }
}

static void pulse(const mho_device_block *b) {
  answer(b, mho__pulse_of(b));
}

static void series(const mho_device_block *b, const mho_device_series *s) {
  mho__in_series(b, s, NULL, answer);
}

static void expand(const mho_device_block *b, mho_device_expansion *out) {
#pragma omp simd
  for (int i = 0; i < b->n; i++) {
    out->up[0][i] = step_up(b, i, b->g[i]);
    out->up[1][i] = b->col[UP_G][i];
    out->up[2][i] = 0;
    out->down[0][i] = step_down(b, i, b->g[i]);
    out->down[1][i] = b->col[DOWN_G][i];
    out->down[2][i] = 0;
  }
  mho__expand_noise(b, NOISE_UP, out);
}

static mho_err spice(const void *params, const mho_device_config *config, mho_device_spice *s,
                     mho_errinfo *ei) {
  const linear *p = params;
  mho_device_spice_param(s, "s_up", p->step_up);
  mho_device_spice_param(s, "s_dn", p->step_down);
  mho_device_spice_param(s, "k_up", p->slope_up / (1 - p->center));
  mho_device_spice_param(s, "k_dn", p->slope_down / p->center);
  mho_device_spice_param(s, "c", p->center);
  strcpy(s->set, "V(g)+s_up*(1-k_up*(V(g)-c))");
  strcpy(s->reset, "V(g)-s_dn*(1+k_dn*(V(g)-c))");
  return MHO_OK;
}

const mho_device_model mho_device_linear = {
    .entry = {.abi = MHO_ABI,
              .id = "linear",
              .title = "constant step, or one that falls linearly",
              .equation = "dg = +-s (1 -+ slope (g - c)/(bound - c))",
              .source = "Gokmen & Vlasov, Front. Neurosci. 10:333 (2016)",
              .params = MHO_PARAMS(linear, table)},
    .n_columns = COLUMNS,
    .columns = columns,
    .pulse = pulse,
    .series = series,
    .expand = expand,
    .noisy = mho__noise_is_on,
    .spice = spice,
    .fit = "step_up step_down slope_up slope_down",
};
