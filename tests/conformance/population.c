/* Cards of arrays as populations, against the formulas of the programs that fitted them, written
 * here anew from their numbers: cells under 500 SET and 500 RESET pulses, every parameter of their
 * spread and noise, and for cards of verified writes what is left of a target.
 *
 * Seeds are fixed. Means and standard deviations of two samples are held to five standard errors of
 * their difference, distributions to the 0.1 % quantile of Kolmogorov and Smirnov's statistic. With
 * samples as large as CELLS a parameter of spread or noise that is off by 10 % is seen.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_randist.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics.h>

#include "array/weights.h"
#include "crossbar.h"

enum { CELLS = 40000, FEW = 1000, PULSES = 500 };

/* ---------------------------------------------------------------- two samples */

/* Standard error of the standard deviation of a sample of n, by its fourth moment. */
static double error_of_deviation(const double *x, size_t n) {
  double kurtosis = gsl_stats_kurtosis(x, 1, n) + 3;
  return gsl_stats_sd(x, 1, n) * sqrt((kurtosis - 1) / (4 * (double)n));
}

/* sqrt(n m/(n + m)) times the largest distance of two samples' distributions, which it sorts. */
static double kolmogorov_smirnov(double *x, size_t n, double *y, size_t m) {
  double largest = 0;
  size_t i = 0, j = 0;
  gsl_sort(x, 1, n);
  gsl_sort(y, 1, m);
  while (i < n && j < m) {
    double at = fmin(x[i], y[j]);
    while (i < n && x[i] <= at)
      i++;
    while (j < m && y[j] <= at)
      j++;
    largest = fmax(largest, fabs((double)i / (double)n - (double)j / (double)m));
  }
  return largest * sqrt((double)n * (double)m / (double)(n + m));
}

/* Two samples of one distribution; both are sorted. */
static void alike(const char *what, double *x, size_t n, double *y, size_t m) {
  double mean[] = {gsl_stats_mean(x, 1, n), gsl_stats_mean(y, 1, m)};
  double deviation[] = {gsl_stats_sd(x, 1, n), gsl_stats_sd(y, 1, m)};
  double of_mean = hypot(deviation[0] / sqrt((double)n), deviation[1] / sqrt((double)m));
  double of_deviation = hypot(error_of_deviation(x, n), error_of_deviation(y, m));
  double distance = kolmogorov_smirnov(x, n, y, m);

  if (fabs(mean[0] - mean[1]) > 5 * of_mean)
    fail_msg("%s: means %g and %g, standard error %g", what, mean[0], mean[1], of_mean);
  if (fabs(deviation[0] - deviation[1]) > 5 * of_deviation)
    fail_msg("%s: standard deviations %g and %g, standard error %g", what, deviation[0],
             deviation[1], of_deviation);
  if (distance > 1.95)
    fail_msg("%s: distributions are %g apart", what, distance);
}

/* ---------------------------------------------------------------- the kit's arrays */

/* As published, in weights; write_noise in dw_min. */
typedef struct preset {
  const char *card;
  double dw_min, dw_min_dtod, up_down_dtod, w_max_dtod, w_min_dtod, dw_min_std, write_noise;
  double corrupt, corrupt_range, reference_std;
} preset;

static const preset presets[] = {
    {"reram_om", 0.0949, 0.7829, 0.01, 0.3499, 0.5695, 0.4158, 1.4113, 0.1348, 0.01, 0.05},
    {"reram_hfo2", 0.4622, 0.7125, 0.01, 0.4295, 0.5990, 0.2174, 0.5841, 0.0977, 0.01, 0.05},
};

typedef struct kit_cell {
  double max, min, up, down; /* bounds and steps at w = 0 */
  double reference, point;   /* what is subtracted, and the symmetry point in it */
  double w;                  /* beyond the reference */
  bool corrupt;
} kit_cell;

static gsl_rng *rng;

static double normal(double sigma) {
  return gsl_ran_gaussian_ziggurat(rng, sigma);
}

/* Bounds on either side of 0, whatever was drawn. */
static void order_bounds(kit_cell *c) {
  double max = fmax(c->max, c->min), min = fmin(c->max, c->min);
  c->max = fabs(max);
  c->min = -fabs(min);
}

static kit_cell kit_new(const preset *p, double corrupt) {
  kit_cell c = {.max = 1 + normal(p->w_max_dtod), .min = -1 + normal(p->w_min_dtod)};
  double gain = exp(normal(p->dw_min_dtod)), contrary = normal(p->up_down_dtod);
  c.up = fabs(gain + contrary) * p->dw_min;
  c.down = fabs(gain - contrary) * p->dw_min;
  order_bounds(&c);

  c.corrupt = gsl_rng_uniform(rng) < corrupt;
  if (c.corrupt) {
    double low = fmax(c.min, -p->corrupt_range), high = fmin(c.max, p->corrupt_range);
    c.max = c.min = low + (high - low) * gsl_rng_uniform(rng);
    c.up = c.down = 0;
  } else {
    c.point = (c.up - c.down) / (c.up / c.max - c.down / c.min);
  }
  c.reference = normal(p->reference_std) + c.point;
  c.w = fmin(fmax(0, c.min), c.max) - c.reference;
  return c;
}

/* One pulse; what shows after it. */
static double kit_pulse(const preset *p, kit_cell *c, int dir) {
  double w = c->w + c->reference, xi = normal(1);
  w += dir > 0 ? c->up * (1 - w / c->max + p->dw_min_std * xi)
               : -c->down * (1 - w / c->min + p->dw_min_std * xi);
  c->w = fmin(fmax(w, c->min), c->max) - c->reference;
  return c->w + normal(p->write_noise * p->dw_min);
}

/* ---------------------------------------------------------------- mho's arrays */

/* A crossbar of this card whose weights are in units of the publication, with its experiment. */
typedef struct subject {
  mho_experiment *e;
  mho_crossbar *x;
} subject;

static subject make(const preset *p, int n, const char *more) {
  char yaml[400];
  snprintf(yaml, sizeof yaml, "device: {card: %s%s}\nupdate: {scheme: accumulate}\n", p->card,
           more);
  subject s = {.e = experiment(yaml)};
  s.x = crossbar(s.e, n / 10, 10);

  /* all at w = 0 of the device, where no step knows of a bound */
  float half[MHO_DEVICE_BLOCK];
  for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
    half[i] = 0.5f;
  for (size_t i = 0; i < s.x->bank[0]->n; i += MHO_DEVICE_BLOCK)
    mho_cells_set(s.x->bank[0], i, mho__block_cells(s.x->bank[0]->n, i), half);
  return s;
}

static void drop(subject *s) {
  mho_crossbar_free(s->x);
  mho_experiment_free(s->e);
}

/* Two g is a weight of -1 to 1. */
static double weight_at(const subject *s, size_t i) {
  return 2 * ((double)s->x->bank[0]->g[i] - (double)s->x->bank[1]->g[i]);
}

static void pulse_all(subject *s, int dir, uint64_t update) {
  mho_pulse_counts counts = {0};
  int16_t count[MHO_DEVICE_BLOCK];
  for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
    count[i] = (int16_t)dir;
  for (size_t i = 0; i < s->x->bank[0]->n; i += MHO_DEVICE_BLOCK)
    mho_crossbar_change(s->x, i, mho__block_cells(s->x->bank[0]->n, i), count, update, &counts);
}

static void mean_steps(const subject *s, float dir, double *out) {
  float dirs[MHO_DEVICE_BLOCK], step[MHO_DEVICE_BLOCK];
  const mho_cells *c = s->x->bank[0];
  for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
    dirs[i] = dir;
  for (size_t i = 0; i < c->n; i += MHO_DEVICE_BLOCK) {
    int n = mho__block_cells(c->n, i);
    mho_cells_mean_step(c, i, n, dirs, step);
    for (int j = 0; j < n; j++)
      out[i + (size_t)j] = 2 * (double)step[j];
  }
}

/* ---------------------------------------------------------------- under pulses */

static bool is_looked_at(int pulse) {
  static const int at[] = {1, 2, 5, 10, 50, 200, PULSES};
  for (int k = 0; k < MHO_COUNT(at); k++)
    if (pulse == at[k])
      return true;
  return false;
}

/* A thousand cells, corrupt ones among them or not, up and down: what shows at several times. */
static void follow(const preset *p, bool corrupt) {
  static kit_cell kit[CELLS];
  static double x[FEW], y[CELLS];
  char more[80] = "", what[80];
  if (corrupt)
    snprintf(more, sizeof more, ", stuck: %g", p->corrupt);
  subject s = make(p, FEW, more);
  for (int i = 0; i < CELLS; i++)
    kit[i] = kit_new(p, corrupt ? p->corrupt : 0);

  uint64_t update = 0;
  for (int dir = 1; dir >= -1; dir -= 2)
    for (int k = 1; k <= PULSES; k++) {
      pulse_all(&s, dir, update++);
      for (int i = 0; i < CELLS; i++)
        y[i] = kit_pulse(p, &kit[i], dir);
      if (!is_looked_at(k))
        continue;
      /* corrupt cells show no noise in mho, and do in the kit */
      for (int i = 0; i < CELLS; i++)
        y[i] = kit[i].corrupt ? kit[i].w : y[i];
      for (int i = 0; i < FEW; i++)
        x[i] = weight_at(&s, (size_t)i);
      snprintf(what, sizeof what, "%s, %d pulses %s", p->card, k, dir > 0 ? "up" : "down");
      alike(what, x, FEW, y, CELLS);
    }
  drop(&s);
}

static void test_pulses(void **state) {
  for (int k = 0; k < MHO_COUNT(presets); k++) {
    follow(&presets[k], false);
    follow(&presets[k], true);
  }
}

/* ---------------------------------------------------------------- parameter by parameter */

/* Bounds, steps and references of many cells. */
static void test_parameters(void **state) {
  enum { MAX, MIN, UP, DOWN, ASYMMETRY, ERROR, QUANTITIES };
  static const char *const name[] = {"max", "min", "up", "down", "asymmetry", "reference"};
  static double x[QUANTITIES][CELLS], y[QUANTITIES][CELLS], up[CELLS], down[CELLS];
  for (int k = 0; k < MHO_COUNT(presets); k++) {
    const preset *p = &presets[k];
    subject s = make(p, CELLS, "");
    mean_steps(&s, 1, up);
    mean_steps(&s, -1, down);

    for (int i = 0; i < CELLS; i++) {
      double max = 2 * (double)s.x->bank[0]->high[i] - 1;
      double min = 2 * (double)s.x->bank[0]->low[i] - 1;
      double point = (up[i] + down[i]) / (up[i] / max + down[i] / min);
      x[MAX][i] = max;
      x[MIN][i] = min;
      x[UP][i] = log(up[i]);
      x[DOWN][i] = log(-down[i]);
      x[ASYMMETRY][i] = up[i] + down[i];
      x[ERROR][i] = 2 * (double)s.x->bank[1]->g[i] - 1 - point;
    }
    for (int i = 0; i < CELLS; i++) {
      kit_cell c = kit_new(p, 0);
      y[MAX][i] = c.max;
      y[MIN][i] = c.min;
      y[UP][i] = log(c.up);
      y[DOWN][i] = log(c.down);
      y[ASYMMETRY][i] = c.up - c.down;
      y[ERROR][i] = c.reference - c.point;
    }

    for (int q = 0; q < QUANTITIES; q++) {
      char what[80];
      snprintf(what, sizeof what, "%s, %s", p->card, name[q]);
      alike(what, x[q], CELLS, y[q], CELLS);
    }
    drop(&s);
  }
}

/* Noise of a pulse in units of the cell's step, where no bound is near, and what lies on top. */
static void test_noise(void **state) {
  static double step[CELLS], x[CELLS], y[CELLS], shown[CELLS], on_top[CELLS];
  for (int k = 0; k < MHO_COUNT(presets); k++) {
    const preset *p = &presets[k];
    subject s = make(p, CELLS, "");
    const mho_cells *c = s.x->bank[0];
    mean_steps(&s, 1, step);
    pulse_all(&s, 1, 0);

    size_t n = 0, m = 0;
    for (int i = 0; i < CELLS; i++) {
      double max = 2 * (double)c->high[i] - 1, state_of = 2 * (double)c->state[i] - 1;
      if (max > step[i] * (1 + 5 * p->dw_min_std))
        x[n++] = state_of / step[i];
      shown[i] = 2 * ((double)c->g[i] - (double)c->state[i]);
    }
    for (int i = 0; i < CELLS; i++) {
      kit_cell cell = kit_new(p, 0);
      cell.w = -cell.reference;
      double seen = kit_pulse(p, &cell, 1);
      if (cell.max > cell.up * (1 + 5 * p->dw_min_std))
        y[m++] = (cell.w + cell.reference) / cell.up;
      on_top[i] = seen - cell.w;
    }

    assert_true(n > CELLS / 4 && m > CELLS / 4);
    alike("noise of a pulse", x, n, y, m);
    alike("write noise", shown, CELLS, on_top, CELLS);
    drop(&s);
  }
}

/* Corrupt cells: how many they are, and that they stay where they are, around w = 0. */
static void test_corrupt(void **state) {
  for (int k = 0; k < MHO_COUNT(presets); k++) {
    const preset *p = &presets[k];
    char more[80];
    snprintf(more, sizeof more, ", stuck: %g", p->corrupt);
    subject s = make(p, CELLS, more);
    const mho_cells *c = s.x->bank[0];
    static double w[CELLS], before[CELLS];
    for (int i = 0; i < CELLS; i++)
      before[i] = (double)c->g[i];
    for (uint64_t update = 0; update < 5; update++)
      pulse_all(&s, 1, update);

    size_t n = 0;
    for (int i = 0; i < CELLS; i++) {
      bool stays = before[i] == (double)c->g[i];
      assert_true(stays == (c->fault[i] == MHO_FAULT_STUCK));
      if (stays)
        w[n++] = 2 * (double)c->g[i] - 1;
    }
    double expected = p->corrupt * CELLS;
    NEAR(n, expected, 0, 5 * sqrt(expected * (1 - p->corrupt)));
    assert_true(gsl_stats_max(w, 1, n) <= p->corrupt_range + 1e-6);
    assert_true(gsl_stats_min(w, 1, n) >= -p->corrupt_range - 1e-6);
    NEAR(gsl_stats_sd(w, 1, n), p->corrupt_range / sqrt(3), 0.03, 0);
    drop(&s);
  }
}

/* ---------------------------------------------------------------- verified writes */

/* Standard deviations of a written conductance, uS, of its target (uS), as published. */
static double of_wan(double g) {
  return fmax(1.536e-4 * g * g * g - 1.167e-2 * g * g + 0.2374 * g + 1.053, 0);
}
static double of_milo(double g) {
  return -0.009107 * g + 4.782321;
}
static double of_cmo(double g) {
  return 0.00106879 * g + 0.00081107;
}

static const struct written {
  const char *card;
  double (*deviation)(double g);
  double from, to; /* the range of validity, uS */
} written[] = {
    {"rram_wan", of_wan, 0, 39.26}, {"rram_milo", of_milo, 50, 225}, {"cmo_hfox", of_cmo, 8, 90}};

static mho_cells *written_cells(const struct written *p, double target, mho_experiment **e) {
  char yaml[120];
  snprintf(yaml, sizeof yaml, "device: {card: %s}\n", p->card);
  *e = experiment(yaml);
  const mho_device_config *d = &(*e)->device_config;
  mho_cells *c;
  OK(mho_cells_new((const mho_device_model *)(*e)->device.entry, (*e)->device.params, d, CELLS,
                   mho_rng_make(7, MHO_RNG_CHIP, 0), mho_rng_make(7, MHO_RNG_PULSE, 0), &c, &ei));

  float want[MHO_DEVICE_BLOCK];
  for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
    want[i] = (float)((target * 1e-6 - d->g_min) / (d->g_max - d->g_min));
  for (size_t i = 0; i < CELLS; i += MHO_DEVICE_BLOCK)
    mho_cells_write(c, i, mho__block_cells(CELLS, i), want, true, 3);
  return c;
}

static void drop_cells(mho_cells *c, mho_experiment *e) {
  mho_cells_free(c);
  mho_experiment_free(e);
}

/* A conductance within the range; one that single precision puts beside an end is at that end. */
static double inside(const struct written *p, double g) {
  if (g < p->from + 1e-5)
    return p->from;
  return g > p->to - 1e-5 ? p->to : g;
}

/* What is left of targets all over the range: a sample of the cells, a sample of the formula that
 * ends at the bounds, too. */
static void test_writes(void **state) {
  static double x[CELLS], y[CELLS];
  for (int k = 0; k < MHO_COUNT(written); k++) {
    const struct written *p = &written[k];
    for (int at = 0; at <= 8; at++) {
      double target = p->from + (p->to - p->from) * at / 8;
      mho_experiment *e;
      mho_cells *c = written_cells(p, target, &e);
      for (int i = 0; i < CELLS; i++) {
        x[i] = inside(p, 1e6 * mho_cells_siemens(c, (size_t)i));
        y[i] = inside(p, target + normal(p->deviation(target)));
      }

      char what[80];
      snprintf(what, sizeof what, "%s written to %g uS", p->card, target);
      alike(what, x, CELLS, y, CELLS);

      double range = 1e6 * (c->g_max - c->g_min), g = (target - 1e6 * c->g_min) / range;
      NEAR(mho_device_write_error(&c->config, g) * range, p->deviation(target), 1e-6, 0);
      drop_cells(c, e);
    }
  }
}

/* CMO/HfOx after a time: the mean falls and the spread grows with its logarithm; 1/f noise. */
static void test_relaxation(void **state) {
  static const double seconds[] = {1.5, 3600, 86400, 3.15e8};
  static double x[CELLS], y[CELLS];
  static float g[CELLS];
  mho_experiment *e;
  mho_cells *c = written_cells(&written[2], 50, &e);
  for (int k = 0; k < MHO_COUNT(seconds); k++) {
    double l = log(seconds[k]), range = 1e6 * (c->g_max - c->g_min);
    for (size_t i = 0; i < CELLS; i += MHO_DEVICE_BLOCK)
      mho_cells_drifted(c, seconds[k], i, mho__block_cells(CELLS, i), g + i);
    for (int i = 0; i < CELLS; i++) {
      x[i] = 1e6 * mho_cells_siemens_at(c, (size_t)i, g[i]);
      y[i] = 50 + normal(of_cmo(50)) - 0.08900206 * l + normal(0.04201137 * l + 0.41183342);
    }
    alike("conductance after a time", x, CELLS, y, CELLS);

    for (double at = 10; at < 90; at += 20) {
      double sigma = 0.0277316483 * log10(at) * sqrt(log((seconds[k] + 1e-6) / 2e-6));
      float read, shown = (float)((at - 8) / range);
      mho_cells_read_sigma(c, seconds[k], 0, 1, &shown, &read);
      NEAR((double)read * range, sigma, 1e-5, 0);
    }
  }

  /* until then it stays as it was written */
  mho_cells_drifted(c, 1, 0, MHO_DEVICE_BLOCK, g);
  for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
    assert_true(g[i] == c->g[i]);
  drop_cells(c, e);
}

/* ---------------------------------------------------------------- laws and keys of any device */

static mho_cells *with_keys(const char *keys, mho_experiment **e) {
  char yaml[400];
  mho_cells *c;
  snprintf(yaml, sizeof yaml, "device: {model: soft_bounds, g_min: 200 uS, g_max: 300 uS, %s}\n",
           keys);
  *e = experiment(yaml);
  OK(mho_cells_new((const mho_device_model *)(*e)->device.entry, (*e)->device.params,
                   &(*e)->device_config, CELLS, mho_rng_make(7, MHO_RNG_CHIP, 0),
                   mho_rng_make(7, MHO_RNG_PULSE, 0), &c, &ei));
  return c;
}

/* Factors of steps by every pair of laws; asymmetry and u are terms, or factors of log-normal
 * ones. */
static void test_step_laws(void **state) {
  static const char *const laws[] = {"normal", "lognormal", "uniform"};
  static double x[CELLS], y[CELLS];
  for (int law = 0; law < 3; law++)
    for (int step = 0; step < 3; step++) {
      char keys[200], what[80];
      snprintf(keys, sizeof keys,
               "step_up: 0.01, up_down: -0.1, variation: {law: %s, step_law: %s, step: 0.2, "
               "asymmetry: 0.05}",
               laws[law], laws[step]);
      mho_experiment *e;
      mho_cells *c = with_keys(keys, &e);
      double flat = sqrt(12);
      for (int i = 0; i < CELLS; i++) {
        double a = 0.2 * (step == 2 ? flat * (gsl_rng_uniform(rng) - 0.5) : normal(1));
        double b = 0.05 * (law == 2 ? flat * (gsl_rng_uniform(rng) - 0.5) : normal(1));
        double factor = step == 1 ? exp(a) : 1 + a;
        x[i] = (double)c->col[0][i] / 0.01;
        y[i] = law == 1 ? fmax(factor, 0) * exp(b) * 0.9 : fmax(factor + b - 0.1, 0);
      }
      snprintf(what, sizeof what, "law %s, steps %s", laws[law], laws[step]);
      alike(what, x, CELLS, y, CELLS);
      drop_cells(c, e);
    }
}

/* Folded bounds are on either side of the fold, with the spread of what is reflected. */
static void test_fold(void **state) {
  static double x[CELLS], y[CELLS];
  mho_experiment *e;
  mho_cells *c = with_keys("variation: {g_low: 0.4, g_high: 0.3, fold: 0.6}", &e);
  for (int i = 0; i < CELLS; i++) {
    x[i] = (double)c->low[i];
    y[i] = 0.6 - fabs(normal(0.4) - 0.6);
    assert_true(c->low[i] <= 0.6f && c->high[i] >= 0.6f);
  }
  alike("folded low bound", x, CELLS, y, CELLS);
  for (int i = 0; i < CELLS; i++) {
    x[i] = (double)c->high[i];
    y[i] = 0.6 + fabs(1 + normal(0.3) - 0.6);
  }
  alike("folded high bound", x, CELLS, y, CELLS);
  drop_cells(c, e);
}

/* ---------------------------------------------------------------- what is refused */

static void refused(const char *device, const char *rest, const char *says) {
  char yaml[400];
  mho_config *c;
  mho_experiment *e = NULL;
  snprintf(yaml, sizeof yaml, "device: {%s}\n%s", device, rest);
  OK(mho_config_new(&c, &ei));
  OK(mho_config_text(c, yaml, "test.yaml", &ei));
  mho_err err = mho_experiment_new(registry, c, false, &e, &ei);
  if (err != MHO_ECONFIG || !strstr(ei.message, says))
    fail_msg("'%s' gave '%s', expected '%s'", yaml, err ? ei.message : "no error", says);
  mho_config_free(c);
}

/* Devices of which only writes are known: no scheme, mapping or rule that pulses. */
static void test_only_written(void **state) {
  static const char *const schemes[] = {"accumulate", "stochastic",   "pulses",
                                        "sign",       "write_verify", "tiki_taka"};
  for (int k = 0; k < MHO_COUNT(written); k++) {
    char card[80], scheme[80];
    snprintf(card, sizeof card, "card: %s", written[k].card);
    for (int i = 0; i < MHO_COUNT(schemes); i++) {
      snprintf(scheme, sizeof scheme, "update: {scheme: %s}\n", schemes[i]);
      refused(card, scheme, "device.only_written");
    }
    refused(card, "rule: {name: perturb, by: pulse, of: weights}\n", "device.only_written");
    snprintf(card, sizeof card, "card: %s, mapping: one_sided", written[k].card);
    refused(card, "", "device.only_written");
  }
  refused("model: linear, stuck: 0.6, stuck_on: 0.6", "", "device.stuck_on");
}

static int setup(void **state) {
  rng = gsl_rng_alloc(gsl_rng_mt19937);
  gsl_rng_set(rng, 5);
  return setup_registry(state);
}

static int teardown(void **state) {
  gsl_rng_free(rng);
  return teardown_registry(state);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pulses),       cmocka_unit_test(test_parameters),
      cmocka_unit_test(test_noise),        cmocka_unit_test(test_corrupt),
      cmocka_unit_test(test_writes),       cmocka_unit_test(test_relaxation),
      cmocka_unit_test(test_step_laws),    cmocka_unit_test(test_fold),
      cmocka_unit_test(test_only_written),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
