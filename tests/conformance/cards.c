/* Every device card against what was published: mean step, asymmetry, spread, noise and bounds of a
 * simulated population, in the units of the publication (weights).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "device/nl_pulse.h"
#include "experiment.h"
#include "mho/model/check.h"

enum { N = 1 << 15 };

enum { CONSTANT, LINEAR, OWN_BOUNDS, EXP };
/* As published: weights, with what spreads around them; a (b) in units of a. */
static const struct published {
  const char *card;
  int shape;
  double dw_min, dtod, std, up_down, up_down_dtod, w_max, w_max_dtod, w_min, w_min_dtod;
  bool additive;
  double slope_up, slope_down, slope_dtod; /* linear; slope_dtod is absolute */
  double a, b, gamma, a_up, a_down;        /* exponential */
  double write_noise;                      /* in dw_min */
} published[] = {
    {"reram_es", EXP, 0.00135, 0.2, 5,    0.259359, 0.05, 1,        0.3,       -1, 0.3,
     false,      0,   0,       0,   -0.5, -0.5,     5,    -1.18445, -0.081404, 75},
    {"reram_sb", OWN_BOUNDS, 0.002, 0.3, 3.75, 0, 0.01, 1.25, 0.24, -0.75, 0.4,
     true,       1,          1,     0,   0,    0, 0,    0,    0,    56},
    {"capacitor", LINEAR, 0.005, 0.1,  0.3, 0, 0.06, 1, 0.07, -1, 0.07,
     true,        0.05,   0.05,  0.01, 0,   0, 0,    0, 0,    0},
    {"ecram", LINEAR, 0.002,  0.1,  0.3, 0, 0.01, 1.1724, 0.05, -0.8276, 0.05,
     false,   0.1153, 0.5085, 0.05, 0,   0, 0,    0,      0,    0},
    {"ecram_mo", LINEAR, 2.8214e-4, 0.1,  2, 0, 0.01, 1.1714, 0.05, -0.8286, 0.05,
     false,      0.4152, 0.7342,    0.05, 0, 0, 0,    0,      0,    0},
    {"idealized", CONSTANT, 0.0002, 0.3, 0.3, 0, 0, 1, 0.3, -1, 0.3,
     false,       0,        0,      0,   0,   0, 0, 0, 0,   0},
    {"gokmen_vlasov", CONSTANT, 0.0016, 0.3, 0.3, 0, 0.01, 1, 0.3, -1, 0.3,
     false,           0,        0,      0,   0,   0, 0,    0, 0,   0},
};

static double range_of(const struct published *p) {
  return p->w_max - p->w_min;
}
static double g_of(const struct published *p, double w) {
  return (w - p->w_min) / range_of(p);
}

/* Mean step of the nominal device at weight w, in weights. */
static double step_of(const struct published *p, double w, int dir) {
  double s = p->dw_min * (1 + (dir > 0 ? fmin(p->up_down, 0) : -fmax(p->up_down, 0)));
  double z = 2 * p->a * w / range_of(p) + p->b;
  switch (p->shape) {
  case EXP:
    return s *
           fmax(dir > 0 ? 1 - p->a_up * exp(p->gamma * z) : 1 - p->a_down * exp(-p->gamma * z), 0);
  case CONSTANT:
    return s;
  default:
    return dir > 0 ? s * (1 - p->slope_up * w / p->w_max) : s * (1 - p->slope_down * w / p->w_min);
  }
}

static mho_experiment *with_card(const char *card, const char *more) {
  char yaml[600];
  snprintf(yaml, sizeof yaml, "device: {card: %s%s}\n", card, more);
  return experiment(yaml);
}

static mho_cells *cells(const mho_experiment *e, size_t n) {
  mho_cells *c;
  OK(mho_cells_new((const mho_device_model *)e->device.entry, e->device.params, &e->device_config,
                   n, mho_rng_make(7, MHO_RNG_CHIP, 0), mho_rng_make(7, MHO_RNG_PULSE, 0), &c,
                   &ei));
  return c;
}

static void put_all(mho_cells *c, double g) {
  float want[MHO_DEVICE_BLOCK];
  for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
    want[i] = (float)g;
  for (size_t i = 0; i < c->n; i += MHO_DEVICE_BLOCK)
    mho_cells_set(c, i, c->n - i < MHO_DEVICE_BLOCK ? (int)(c->n - i) : MHO_DEVICE_BLOCK, want);
}

static void mean_steps(const mho_cells *c, float dir, float *out) {
  float d[MHO_DEVICE_BLOCK];
  for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
    d[i] = dir;
  for (size_t i = 0; i < c->n; i += MHO_DEVICE_BLOCK)
    mho_cells_mean_step(c, i, c->n - i < MHO_DEVICE_BLOCK ? (int)(c->n - i) : MHO_DEVICE_BLOCK, d,
                        out + i);
}

static void moments(const double *x, double *mean, double *std) {
  double s = 0, q = 0;
  for (int i = 0; i < N; i++)
    s += x[i] / N;
  for (int i = 0; i < N; i++)
    q += (x[i] - s) * (x[i] - s) / N;
  *mean = s;
  *std = sqrt(q);
}

#define NO_SPREAD ", variation: {step: 0, asymmetry: 0, g_low: 0, g_high: 0, of: ''}"

static void test_mean_step(void **state) {
  for (int k = 0; k < MHO_COUNT(published); k++) {
    const struct published *p = &published[k];
    mho_experiment *e = with_card(p->card, NO_SPREAD);
    mho_cells *c = cells(e, 1);
    for (int i = 1; i < 10; i++)
      for (int dir = -1; dir <= 1; dir += 2) {
        double w = p->w_min + i * range_of(p) / 10;
        float step;
        put_all(c, g_of(p, w));
        mean_steps(c, (float)dir, &step);
        /* what float leaves of a step that is the difference of two conductances */
        NEAR((double)step * range_of(p), dir * step_of(p, w, dir), 1e-4, 2.5e-7);
      }
    mho_cells_free(c);
    mho_experiment_free(e);
  }
}

/* Noise of one pulse at three weights: standard deviation, and the whole distribution
 * (Kolmogorov-Smirnov). */
static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}
static double kolmogorov_smirnov(double *z) {
  double worst = 0;
  qsort(z, N, sizeof *z, ascending);
  for (int i = 0; i < N; i++) {
    double phi = 0.5 * erfc(-z[i] / sqrt(2));
    worst = fmax(worst, fmax(fabs(phi - (double)i / N), fabs(phi - (i + 1.0) / N)));
  }
  return worst * sqrt(N);
}

static void test_pulse_noise(void **state) {
  static double dw[N];
  for (int k = 0; k < MHO_COUNT(published); k++) {
    const struct published *p = &published[k];
    mho_experiment *e = with_card(p->card, NO_SPREAD ", write_noise: 0");
    mho_cells *c = cells(e, N);
    mho_pulse_counts counts = {0};
    for (int at = 0; at < 2; at++) {
      double w = (0.5 - 0.2 * at) * p->w_max + 0.2 * at * p->w_min, mean, std,
             step = step_of(p, w, 1);
      int16_t ones[MHO_DEVICE_BLOCK];
      for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
        ones[i] = 1;
      put_all(c, g_of(p, w));
      float before = c->g[0];
      for (size_t i = 0; i < N; i += MHO_DEVICE_BLOCK)
        mho_cells_pulse(c, i, MHO_DEVICE_BLOCK, ones, (uint64_t)at, &counts);
      for (int i = 0; i < N; i++)
        dw[i] = ((double)c->g[i] - (double)before) * range_of(p);
      moments(dw, &mean, &std);
      double sigma = p->std * (p->additive ? p->dw_min : step);
      NEAR(mean, step, 1e-4, 5 * sigma / sqrt(N));
      NEAR(std, sigma, 0.02, 0); /* five standard errors */
      for (int i = 0; i < N; i++)
        dw[i] = (dw[i] - step) / sigma;
      assert_true(kolmogorov_smirnov(dw) < 1.95); /* 0.1 % of honest draws are above */
    }
    mho_cells_free(c);
    mho_experiment_free(e);
  }
}

static void test_spread(void **state) {
  static float up[N], down[N];
  static double x[N], y[N], z[N];
  for (int k = 0; k < MHO_COUNT(published); k++) {
    const struct published *p = &published[k];
    mho_experiment *e = with_card(p->card, "");
    mho_cells *c = cells(e, N);
    double mean, std, s_up = p->dw_min * (1 + fmin(p->up_down, 0)),
                      s_down = p->dw_min * (1 - fmax(p->up_down, 0));
    double both = hypot(p->dtod, p->up_down_dtod), shape_up = step_of(p, 0, 1) / s_up,
           shape_down = step_of(p, 0, -1) / s_down;
    /* steps at weight 0, where no bound and no slope enters; cells whose range does not hold it
     * count not */
    put_all(c, g_of(p, 0));
    mean_steps(c, 1, up);
    mean_steps(c, -1, down);
    int n = 0, inside = 0;
    for (int i = 0; i < N; i++) {
      bool in = (double)c->low[i] < g_of(p, 0) - 0.02 && (double)c->high[i] > g_of(p, 0) + 0.02;
      inside += in;
      x[i] = in ? (double)up[i] * range_of(p) / shape_up : s_up;
      y[i] = in ? -(double)down[i] * range_of(p) / shape_down : s_down;
      z[i] = in ? x[i] - y[i] : s_up - s_down;
      n += in;
    }
    assert_true(inside > 0.98 * N);
    double kept = sqrt((double)n / N); /* the others stand at the mean */
    moments(x, &mean, &std);
    NEAR(mean, s_up, 0.01, 0);
    NEAR(std / kept, p->dw_min * both, 0.02, 1e-7);
    moments(y, &mean, &std);
    NEAR(mean, s_down, 0.01, 0);
    NEAR(std / kept, p->dw_min * both, 0.02, 1e-7);
    moments(z, &mean, &std); /* asymmetry: the common part cancels */
    NEAR(mean, s_up - s_down, 0.01, 0.01 * p->dw_min);
    NEAR(std / kept, 2 * p->dw_min * p->up_down_dtod, 0.02, 3e-4 * p->dw_min);
    /* bounds */
    for (int i = 0; i < N; i++) {
      x[i] = (double)c->low[i] * range_of(p) + p->w_min;
      y[i] = (double)c->high[i] * range_of(p) + p->w_min;
    }
    moments(x, &mean, &std);
    NEAR(mean, p->w_min, 0, 0.005);
    NEAR(std, -p->w_min_dtod * p->w_min, 0.02, 0);
    moments(y, &mean, &std);
    NEAR(mean, p->w_max, 0, 0.005);
    NEAR(std, p->w_max_dtod * p->w_max, 0.02, 0);
    mho_cells_free(c);
    mho_experiment_free(e);
  }
}

/* Spread of the slopes: of the step a fifth of the way to the bound against the one at weight 0. */
static void test_slope_spread(void **state) {
  static float at0[N], at1[N];
  static double x[N];
  for (int k = 0; k < MHO_COUNT(published); k++) {
    const struct published *p = &published[k];
    if (p->slope_dtod == 0)
      continue;
    mho_experiment *e = with_card(p->card, "");
    mho_cells *c = cells(e, N);
    for (int dir = -1; dir <= 1; dir += 2) {
      double mean, std, slope = dir > 0 ? p->slope_up : p->slope_down;
      put_all(c, g_of(p, 0));
      mean_steps(c, (float)dir, at0);
      put_all(c, g_of(p, 0.5 * (dir > 0 ? p->w_max : p->w_min)));
      mean_steps(c, (float)dir, at1);
      for (int i = 0; i < N; i++)
        x[i] = (1 - (double)at1[i] / (double)at0[i]) / 0.5;
      moments(x, &mean, &std);
      /* a slope is not below 0: the tail of 0.1153 +- 0.05 is cut at 2.3 standard deviations */
      NEAR(mean, slope, 0.01, 1e-3);
      NEAR(std, p->slope_dtod, 0.04, 1e-3);
    }
    mho_cells_free(c);
    mho_experiment_free(e);
  }
}

/* Write noise is what is read beside the state, drawn anew at every pulse of the cell. */
static void test_write_noise(void **state) {
  static double a[N], b[N];
  for (int k = 0; k < MHO_COUNT(published); k++) {
    const struct published *p = &published[k];
    if (p->write_noise == 0)
      continue;
    mho_experiment *e = with_card(p->card, "");
    mho_cells *c = cells(e, N);
    mho_pulse_counts counts = {0};
    double mean, std, both = 0;
    for (int s = 0; s < 2; s++) {
      int16_t n[MHO_DEVICE_BLOCK];
      for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
        n[i] = (int16_t)(i % 2 ? 1 : s);
      for (size_t i = 0; i < N; i += MHO_DEVICE_BLOCK)
        mho_cells_pulse(c, i, MHO_DEVICE_BLOCK, n, (uint64_t)s, &counts);
      double *x = s ? b : a;
      for (int i = 0; i < N; i++)
        x[i] = ((double)c->g[i] - (double)c->state[i]) * range_of(p);
    }
    for (int i = 0; i < N; i += 2)
      assert_true(a[i] == 0); /* not pulsed in the first round */
    moments(b, &mean, &std);
    NEAR(std, p->write_noise * p->dw_min, 0.02, 0);
    NEAR(mean, 0, 0, 5 * std / sqrt(N));
    for (int i = 1; i < N; i += 2)
      both += a[i] * b[i] / (N / 2);
    NEAR(both / (std * std), 0, 0, 5 / sqrt(N / 2));
    mho_cells_free(c);
    mho_experiment_free(e);
  }
}

/* The leak of the capacitor card: 1/e after the lifetime, which spreads by 0.3. */
static void test_leak(void **state) {
  static double life[N];
  mho_experiment *e = with_card("capacitor", "");
  mho_cells *c = cells(e, N);
  double mean, std;
  put_all(c, 0.8);
  for (int i = 0; i < 10; i++)
    mho_cells_leak(c, 0, N, 1e4);
  for (int i = 0; i < N; i++)
    life[i] = -1e5 / log(((double)c->g[i] - 0.5) / 0.3);
  moments(life, &mean, &std);
  NEAR(mean, 1e6, 0.01, 0);
  NEAR(std, 0.3e6, 0.03, 0);
  mho_cells_free(c);
  mho_experiment_free(e);
}

/* The label card: end to end in 97 and 100 pulses, 3.5 % of the range a pulse. */
static void test_ag_si(void **state) {
  static double dg[N];
  mho_experiment *e = with_card("ag_si", ""), *quiet = with_card("ag_si", ", pulse_noise: 0");
  mho_cells *c = cells(quiet, 1), *many = cells(e, N);
  mho_pulse_counts counts = {0};
  double mean, std;
  NEAR(e->device_config.g_max / e->device_config.g_min, 12.5, 1e-4, 0);
  put_all(c, 0);
  mho_cells_pulse(c, 0, 1, &(int16_t){48}, 0, &counts);
  double a = mho__nl_pulse_a(2.4);
  NEAR(c->g[0], expm1(-48 / (97 * a)) / expm1(-1 / a), 1e-5, 0);
  mho_cells_pulse(c, 0, 1, &(int16_t){49}, 1, &counts);
  NEAR(c->g[0], 1, 0, 1e-5);
  mho_cells_pulse(c, 0, 1, &(int16_t){-100}, 2, &counts);
  NEAR(c->g[0], 0, 0, 1e-4);
  put_all(many, 0.5);
  int16_t ones[MHO_DEVICE_BLOCK];
  for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
    ones[i] = 1;
  for (size_t i = 0; i < N; i += MHO_DEVICE_BLOCK)
    mho_cells_pulse(many, i, MHO_DEVICE_BLOCK, ones, 0, &counts);
  for (int i = 0; i < N; i++)
    dg[i] = (double)many->g[i];
  moments(dg, &mean, &std);
  NEAR(std, 0.035, 0.02, 0);
  mho_cells_free(c);
  mho_cells_free(many);
  mho_experiment_free(e);
  mho_experiment_free(quiet);
}

/* The other label cards: states and on/off ratio of the table they are from. */
static void test_labels(void **state) {
  static const struct {
    const char *card;
    double states, up, down, r_on, ratio;
  } row[] = {{"taox_tio2", 102, 1.85, -1.79, 5e6, 2},
             {"pcmo", 50, 3.68, -6.76, 23e6, 6.84},
             {"alox_hfo2", 40, 1.94, -0.61, 16.9e3, 4.43}};
  for (int k = 0; k < MHO_COUNT(row); k++) {
    mho_experiment *e = with_card(row[k].card, ", pulse_noise: 0");
    mho_cells *c = cells(e, 1);
    mho_pulse_counts counts = {0};
    NEAR(1 / e->device_config.g_max, row[k].r_on, 1e-4, 0);
    NEAR(e->device_config.g_max / e->device_config.g_min, row[k].ratio, 1e-4, 0);
    for (int dir = 1; dir >= -1;
         dir -= 2) { /* half way the curve is where its label says, then at the end */
      double a = mho__nl_pulse_a(dir > 0 ? row[k].up : row[k].down), half = row[k].states / 2;
      put_all(c, dir > 0 ? 0 : 1);
      mho_cells_pulse(c, 0, 1, &(int16_t){(int16_t)(dir * half)}, 0, &counts);
      NEAR(c->g[0], expm1(-0.5 / a) / expm1(-1 / a), 1e-3, 1e-4);
      mho_cells_pulse(c, 0, 1, &(int16_t){(int16_t)(dir * half)}, 1, &counts);
      NEAR(c->g[0], dir > 0 ? 1 : 0, 0, 1e-3);
    }
    mho_cells_free(c);
    mho_experiment_free(e);
  }
}

/* The PCM card: 14 % of the range in the first step, 95 % after 64 pulses, noise and RESET as
 * published. */
static void test_pcm(void **state) {
  static double x[N];
  mho_experiment *quiet =
                     with_card("pcm", NO_SPREAD
                               ", cycle_to_cycle: 0, noise_add: 0, noise_slope: 0, reset_noise: 0"),
                 *e = with_card("pcm", NO_SPREAD);
  mho_cells *c = cells(quiet, 1), *many = cells(e, N);
  mho_pulse_counts counts = {0};
  double mean, std;
  put_all(c, 0);
  mho_cells_pulse(c, 0, 1, &(int16_t){1}, 0, &counts);
  NEAR(c->g[0], 0.14, 0, 0.002);
  mho_cells_pulse(c, 0, 1, &(int16_t){63}, 1, &counts);
  NEAR(c->g[0], 0.95, 0, 0.01);
  mho_cells_pulse(c, 0, 1, &(int16_t){-1}, 2, &counts);
  NEAR(c->g[0], 0.005, 1e-5, 0);
  put_all(many, 0.4);
  int16_t one[MHO_DEVICE_BLOCK];
  for (int dir = 1; dir >= -1; dir -= 2) {
    for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
      one[i] = (int16_t)dir;
    for (size_t i = 0; i < N; i += MHO_DEVICE_BLOCK)
      mho_cells_pulse(many, i, MHO_DEVICE_BLOCK, one, (uint64_t)dir + 9, &counts);
    for (int i = 0; i < N; i++)
      x[i] = 2 * (double)many->g[i];
    moments(x, &mean, &std);
    if (dir > 0) {
      double step = 0.01 * (1 + 27.235 * exp(-2.5 * 0.8)),
             sigma = 0.6 * (step + 0.042 + 0.108 * 0.8);
      NEAR(mean, 0.8 + step, 0, 5 * sigma / sqrt(N));
      NEAR(std, sigma, 0.02, 0);
    } else {
      assert_true(mean > 0.005 && mean < 0.015 && std < 0.011); /* 0.01 +- 0.01, cut at 0 */
    }
  }

  mho_cells_free(c);
  mho_cells_free(many);
  mho_experiment_free(e);
  mho_experiment_free(quiet);
}

/* Every card that comes with mho is read without a complaint and says where it is from. */
static void test_all_cards(void **state) {
  int n;
  char **list = mho_cards_list(&n);
  assert_true(n >= MHO_COUNT(published) + 1);
  for (int i = 0; i < n; i++) {
    char path[1200];
    mho_config *card;
    OK(mho_card_find(list[i], NULL, path, sizeof path, &ei));
    OK(mho_card_read(path, &card, &ei));
    assert_true(strlen(mho_card_text(card, "source")) > 10 &&
                strlen(mho_card_text(card, "valid")) > 10);
    mho_config_free(card);
    mho_experiment *e = with_card(list[i], "");
    assert_true(((const mho_device_model *)e->device.entry)->pulse != NULL);
    mho_experiment_free(e);
    free(list[i]);
  }
  free(list);
}

/* ---------------------------------------------------------------- cards in a config */

static mho_err refuse(const char *yaml, const char *set, const char *says) {
  mho_config *c;
  mho_experiment *e = NULL;
  OK(mho_config_new(&c, &ei));
  OK(mho_config_text(c, yaml, "test.yaml", &ei));
  if (set)
    OK(mho_config_set(c, set, &ei));
  ei = (mho_errinfo){0};
  mho_err err = mho_experiment_new(registry, c, false, &e, &ei);
  if (!says) {
    if (err)
      fail_msg("%s", ei.message);
    mho_experiment_free(e);
  } else if (!err || (!strstr(ei.message, says) && !strstr(ei.file, says))) {
    fail_msg("'%s' gave '%s' (%s), expected '%s'", yaml, ei.message, ei.file, says);
  }
  mho_config_free(c);
  return err;
}

static void write_card(const char *path, const char *text) {
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  fputs(text, f);
  fclose(f);
}

static void test_configs_with_cards(void **state) {
  char dir[] = "/tmp/mho-cards-XXXXXX", path[64], yaml[256], expect[64];
  assert_non_null(mkdtemp(dir));
  snprintf(path, sizeof path, "%s/mine.yaml", dir);
  mho_experiment *e = experiment("device: {card: models/ecram.yaml, cycle_to_cycle: 0.9}");
  NEAR(*(double *)(void *)(e->device.params +
                           mho_params_find(e->device.entry->params, "cycle_to_cycle")->offset),
       0.9, 0, 0);
  NEAR(*(double *)(void *)(e->device.params +
                           mho_params_find(e->device.entry->params, "slope_down")->offset),
       0.5085, 0, 0);
  mho_experiment_free(e);
  refuse("device: {card: nosuch}", NULL, "no device card 'nosuch'");
  refuse("device: {card: ecram, model: soft_bounds}", NULL, "the card 'ecram'");
  assert_int_equal(refuse("device: {card: ecram}", "device.model=soft_bounds", NULL), MHO_OK);
  assert_int_equal(refuse("device: {model: soft_bounds, step_up: 0.01}", "device.card=ag_si", NULL),
                   MHO_OK);

  /* a card of one's own, beside the config and with slips in it */
  write_card(path, "card: {source: me}\ndevice:\n  model: linear\n  step_upp: 0.1\n");
  snprintf(yaml, sizeof yaml, "device: {card: %s}", path);
  snprintf(expect, sizeof expect, "%s", path);
  refuse(yaml, NULL, "step_upp");
  assert_string_equal(ei.file, expect);
  assert_int_equal(ei.line, 4);
  write_card(path, "card: {sauce: me}\ndevice: {model: linear}\n");
  refuse(yaml, NULL, "card.sauce");
  write_card(path, "device: {g_max: 3 S}\n");
  refuse(yaml, NULL, "device.model");
  write_card(path, "array: {read_noise: 1}\n");
  refuse(yaml, NULL, "array.read_noise");
  write_card(path, "device: {model: linear, g_max: 3}\n");
  refuse(yaml, NULL, "no unit");
  write_card(path, "device: {model: linear, variation: {of: 'slope_up'}}\n");
  refuse(yaml, NULL, "spread after it");
  write_card(path, "device: {model: linear, g_max: 3 mS}\n");
  e = experiment(yaml);
  NEAR(e->device_config.g_max, 3e-3, 0, 0);
  mho_experiment_free(e);
  remove(path);
  remove(dir);
}

/* Impossible devices are refused by name. */
static void test_impossible(void **state) {
  static const struct {
    const char *keys, *says;
  } bad[] = {
      {"g_min: 2 uS, g_max: 1 uS", "g_min"},
      {"g_min: 1 uS, g_max: 1 uS", "g_min"},
      {"variation: {step: -0.1}", "variation.step"},
      {"variation: {g_low: -1}", "variation.g_low"},
      {"variation: {of: step_up -0.1}", "variation.of"},
      {"variation: {of: nosuch 0.1}", "nosuch"},
      {"cycle_to_cycle: -1", "cycle_to_cycle"},
      {"levels: 0", "device.levels: 0"},
      {"levels: 1", "device.levels: 1"},
      {"stuck_on: 0.6, stuck_off: 0.6", "stuck_on"},
      {"write_noise: -1", "write_noise"},
      {"endurance: {pulses: -5}", "endurance.pulses"},
      {"drift: {t0: 0 s}", "drift.t0"},
      {"start: 2", "device.start"},
      {"iv: {law: polynomial, k2: 9}", "device.iv"},
      {"step_up: 0", "step_up"},
  };
  for (int i = 0; i < MHO_COUNT(bad); i++) {
    char yaml[256];
    snprintf(yaml, sizeof yaml, "device: {model: linear, %s}", bad[i].keys);
    refuse(yaml, NULL, bad[i].says);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_mean_step),
      cmocka_unit_test(test_pulse_noise),
      cmocka_unit_test(test_spread),
      cmocka_unit_test(test_slope_spread),
      cmocka_unit_test(test_write_noise),
      cmocka_unit_test(test_leak),
      cmocka_unit_test(test_ag_si),
      cmocka_unit_test(test_labels),
      cmocka_unit_test(test_pcm),
      cmocka_unit_test(test_all_cards),
      cmocka_unit_test(test_configs_with_cards),
      cmocka_unit_test(test_impossible),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
