/* Many pulses of a cell by one deviate (src/device/expansion.c), and by one a run at the bounds
 * (src/device/series.c): moments of pulses of one direction against closed forms, the law of mixed
 * ones against pulses that are simulated one by one in double precision, with normal deviates of
 * the C library's random words; cells that are left to their pulses, near their bounds and where
 * one deviate would not do; neighbours and scattered cells, threads and resumes, which get the same
 * bits.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "checkpoints.h"
#include "device/expansion.h"
#include "mho/model/check.h"

enum { PULSES = MHO_SERIES_MOST };

/* ---------------------------------------------------------------- pulses one by one */

/* A device whose steps are up + up_g g, times 1 + a e^(k (g - 1/2)), at least 0, where it has an
 * a. */
typedef struct device {
  double up, up_g, down, down_g, factor, add_up, add_down, low, high;
  double a_up, k_up, a_down, k_down;
} device;

/* constant or sloped steps, see the head of linear.c; additive noise is sigma times the step */
static device linear(double step, double slope_up, double slope_down, double sigma, double add) {
  const double c = 0.5;
  return (device){.up = step * (1 + slope_up * c / (1 - c)),
                  .up_g = -step * slope_up / (1 - c),
                  .down = step * (1 - slope_down),
                  .down_g = step * slope_down / c,
                  .factor = sigma,
                  .add_up = add * step,
                  .add_down = add * step,
                  .high = 1};
}

static device soft_bounds(double step, double sigma) {
  return (device){.up = step, .up_g = -step, .down_g = step, .factor = sigma, .low = 0, .high = 1};
}

/* Where z is 2 a (g - 1/2) + b, see the head of exp_step.c. */
static device exp_step(double up, double down, double a_up, double a_down, double gamma, double a,
                       double b, double sigma, double add) {
  return (device){.up = up,
                  .down = down,
                  .factor = sigma,
                  .add_up = add * up,
                  .add_down = add * down,
                  .high = 1,
                  .a_up = -a_up * exp(gamma * b),
                  .k_up = 2 * a * gamma,
                  .a_down = -a_down * exp(-gamma * b),
                  .k_down = -2 * a * gamma};
}

static double step_at(const device *a, double g, bool rises) {
  double f = rises ? a->up + a->up_g * g : a->down + a->down_g * g;
  double factor =
      rises ? a->a_up * exp(a->k_up * (g - 0.5)) : a->a_down * exp(a->k_down * (g - 0.5));
  return factor != 0 ? f * fmax(1 + factor, 0) : f;
}

static double normal(unsigned short *seed) {
  double u = 1 - erand48(seed), v = erand48(seed);
  return sqrt(-2 * log(u)) * cos(2 * acos(-1) * v);
}

static double pulsed(const device *a, double g, int n, uint64_t up, unsigned short *seed) {
  for (int k = 0; k < n; k++) {
    bool rises = up >> k & 1;
    double f = step_at(a, g, rises);
    double change = f + (a->factor * f + (rises ? a->add_up : a->add_down)) * normal(seed);
    g = fmin(fmax(g + (rises ? change : -change), a->low), a->high);
  }
  return g;
}

/* ---------------------------------------------------------------- the law */

static int ascending(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

/* Largest distance of the distributions of two samples of n. */
static double distance(int n, float *a, float *b) {
  double most = 0;
  qsort(a, (size_t)n, sizeof *a, ascending);
  qsort(b, (size_t)n, sizeof *b, ascending);
  for (int i = 0, j = 0; i < n && j < n;) {
    float at = a[i] < b[j] ? a[i] : b[j];
    while (i < n && a[i] <= at)
      i++;
    while (j < n && b[j] <= at)
      j++;
    most = fmax(most, abs(i - j) / (double)n);
  }
  return most;
}

typedef struct law {
  const char *device;
  device a;
  uint64_t up;
  double start;
} law;

/* Cells of a bank that all begin at one state and get the same pulses. */
static void give(const law *l, uint64_t step, int n, mho_cells *c) {
  mho_pulse_counts counts = {0};
  float start[MHO_DEVICE_BLOCK];
  for (int i = 0; i < MHO_DEVICE_BLOCK; i++)
    start[i] = (float)l->start;
  for (int first = 0; first < n; first += MHO_DEVICE_BLOCK) {
    mho_pulse_series s = {.n = mho_min(n - first, MHO_DEVICE_BLOCK)};
    mho_cells_set(c, (size_t)first, s.n, start);
    for (int i = 0; i < s.n; i++) {
      s.cell[i] = (uint32_t)(first + i);
      s.count[i] = PULSES;
      s.up[i] = l->up;
    }
    mho__cells_pulse_series(c, &s, step, &counts);
  }
  NEAR(counts.set + counts.reset, (double)PULSES * n, 0, 0);
}

/* The distributions of two samples of N differ by more than 2.69 sqrt(2/N) in one case of a million
 * (Kolmogorov and Smirnov); means and variances by more than 5 of their standard deviations in one
 * of two millions. */
static void same_law(const law *l) {
  enum { N = 1 << 16 };
  static float in_series[N], in_turn[N];
  unsigned short seed[3] = {1, 2, 3};
  mho_experiment *e = experiment(l->device);
  mho_cells *c;
  OK(mho_cells_new((const mho_device_model *)e->device.entry, e->device.params, &e->device_config,
                   N, mho_rng_make(1, MHO_RNG_CHIP, 0), mho_rng_make(2, MHO_RNG_PULSE, 0), &c,
                   &ei));
  give(l, 7, N, c);

  double sum[2] = {0}, squares[2] = {0};
  for (int i = 0; i < N; i++) {
    in_series[i] = c->state[i];
    in_turn[i] = (float)pulsed(&l->a, l->start, PULSES, l->up, seed);
    double v[] = {(double)in_series[i] - l->start, (double)in_turn[i] - l->start};
    for (int k = 0; k < 2; k++) {
      sum[k] += v[k] / N;
      squares[k] += v[k] * v[k] / N;
    }
  }
  double var[] = {squares[0] - sum[0] * sum[0], squares[1] - sum[1] * sum[1]};
  NEAR(sum[0], sum[1], 0, 5 * sqrt((var[0] + var[1]) / N));
  NEAR(var[0] / var[1], 1, 0, 5 * sqrt(2 * 2.0 / N));

  double most = distance(N, in_series, in_turn);
  print_message("  %s: %.4f of %.4f\n", l->device, most, 2.69 * sqrt(2.0 / N));
  assert_true(most < 2.69 * sqrt(2.0 / N));
  mho_cells_free(c);
  mho_experiment_free(e);
}

#define LINEAR      "device: {model: linear, step_up: 0.002, step_down: 0.002, "
#define LINEAR_FINE "device: {model: linear, step_up: 0.001, step_down: 0.001, "
#define EXP                                                                                        \
  "device: {model: exp_step, step_up: 8.5e-4, step_down: 5e-4, a_up: -1.18, a_down: -0.08, "       \
  "gamma_up: 5, gamma_down: 5, a: -0.5, b: -0.5, "
#define MIXED  0x9e3779b97f4a7c15u
#define BURSTS 0xffff0ff0ff00000fu

static void test_law(void **state) {
  const law laws[] = {
      {LINEAR "cycle_to_cycle: 0.3}\n", linear(0.002, 0, 0, 0.3, 0), MIXED, 0.5},
      {LINEAR "cycle_to_cycle: 2, noise: additive}\n", linear(0.002, 0, 0, 0, 2), MIXED, 0.5},
      {LINEAR "cycle_to_cycle: 5}\n", linear(0.002, 0, 0, 5, 0), MIXED, 0.3},
      {LINEAR "slope_up: 0.5, slope_down: 0.9, cycle_to_cycle: 0.3}\n",
       linear(0.002, 0.5, 0.9, 0.3, 0), MIXED, 0.6},
      {LINEAR "slope_up: 0.9, slope_down: 0.5, cycle_to_cycle: 0.5}\n",
       linear(0.002, 0.9, 0.5, 0.5, 0), UINT64_MAX, 0.4},
      {LINEAR "slope_up: 0.5, slope_down: 0.9, cycle_to_cycle: 2, noise: additive}\n",
       linear(0.002, 0.5, 0.9, 0, 2), 0, 0.6},
      {"device: {model: soft_bounds, step_up: 0.002, step_down: 0.002, cycle_to_cycle: 1}\n",
       soft_bounds(0.002, 1), MIXED, 0.4},
      {LINEAR_FINE "slope_up: 0.5, slope_down: 0.9, cycle_to_cycle: 0.3}\n",
       linear(0.001, 0.5, 0.9, 0.3, 0), BURSTS, 0.6},
      {LINEAR_FINE "slope_up: 0.9, slope_down: 0.9, cycle_to_cycle: 2, noise: additive}\n",
       linear(0.001, 0.9, 0.9, 0, 2), BURSTS, 0.3},
      {EXP "cycle_to_cycle: 5}\n", exp_step(8.5e-4, 5e-4, -1.18, -0.08, 5, -0.5, -0.5, 5, 0), MIXED,
       0.4},
      {EXP "cycle_to_cycle: 5}\n", exp_step(8.5e-4, 5e-4, -1.18, -0.08, 5, -0.5, -0.5, 5, 0),
       BURSTS, 0.45},
      {EXP "cycle_to_cycle: 3}\n", exp_step(8.5e-4, 5e-4, -1.18, -0.08, 5, -0.5, -0.5, 3, 0), 0,
       0.5},
      {EXP "cycle_to_cycle: 10, noise: additive}\n",
       exp_step(8.5e-4, 5e-4, -1.18, -0.08, 5, -0.5, -0.5, 0, 10), MIXED, 0.5},
      /* bounds that clip, and noise that is too large for one deviate, in turn and in runs */
      {LINEAR "cycle_to_cycle: 0.3}\n", linear(0.002, 0, 0, 0.3, 0), MIXED, 1},
      {LINEAR "cycle_to_cycle: 0.3}\n", linear(0.002, 0, 0, 0.3, 0), BURSTS, 0.004},
      {LINEAR "cycle_to_cycle: 0.3, noise: additive}\n", linear(0.002, 0, 0, 0, 0.3), ~BURSTS,
       0.998},
      {EXP "cycle_to_cycle: 5}\n", exp_step(8.5e-4, 5e-4, -1.18, -0.08, 5, -0.5, -0.5, 5, 0), MIXED,
       0.8},
      {EXP "cycle_to_cycle: 5}\n", exp_step(8.5e-4, 5e-4, -1.18, -0.08, 5, -0.5, -0.5, 5, 0), MIXED,
       0.03},
      /* steps that come down to 0 at 0.5 + ln(1/0.6)/2 = .755 */
      {"device: {model: exp_step, step_up: 0.002, step_down: 0.002, a_up: 0.6, a_down: 0.6, "
       "gamma_up: 2, gamma_down: 2, a: 0.5, b: 0, cycle_to_cycle: 2}\n",
       exp_step(0.002, 0.002, 0.6, 0.6, 2, 0.5, 0, 2, 0), UINT64_MAX, 0.72},
      {LINEAR "cycle_to_cycle: 3}\n", linear(0.002, 0, 0, 3, 0), MIXED, 0.99},
      {LINEAR "slope_up: 0.5, slope_down: 0.9, cycle_to_cycle: 10}\n",
       linear(0.002, 0.5, 0.9, 10, 0), MIXED, 0.5},
      {"device: {model: soft_bounds, step_up: 0.02, step_down: 0.02, cycle_to_cycle: 1}\n",
       soft_bounds(0.02, 1), MIXED, 0.02},
  };
  for (int i = 0; i < MHO_COUNT(laws); i++)
    same_law(&laws[i]);
}

/* ---------------------------------------------------------------- moments */

/* Deviates for a block of cells: quantiles of the normal law, number `part` of `parts` of them. */
static void quantiles(int part, int parts, float *z) {
  for (int i = 0; i < MHO_DEVICE_BLOCK; i++) {
    double want = (part + parts * i + 0.5) / (parts * MHO_DEVICE_BLOCK), low = -9, high = 9;
    for (int k = 0; k < 60; k++) {
      double middle = (low + high) / 2;
      if (0.5 * erfc(-middle / sqrt(2)) < want)
        low = middle;
      else
        high = middle;
    }
    z[i] = (float)low;
  }
}

typedef struct block {
  mho_device_block b;
  mho_device_expansion e;
  float v[6][MHO_DEVICE_BLOCK];
} block;

static void make_block(const device *a, double g, block *out) {
  const double v[] = {g, a->low, a->high, a->factor, a->add_up, a->add_down};
  for (int i = 0; i < MHO_DEVICE_BLOCK; i++) {
    for (int k = 0; k < MHO_COUNT(v); k++)
      out->v[k][i] = (float)v[k];
    out->e.up[0][i] = (float)step_at(a, g, true);
    out->e.up[1][i] = (float)a->up_g;
    out->e.down[0][i] = (float)step_at(a, g, false);
    out->e.down[1][i] = (float)a->down_g;
    out->e.up[2][i] = out->e.down[2][i] = 0;
  }
  out->e.factor = out->v[3];
  out->e.add_up = out->v[4];
  out->e.add_down = out->v[5];
  out->b = (mho_device_block){
      .n = MHO_DEVICE_BLOCK, .g = out->v[0], .low = out->v[1], .high = out->v[2]};
}

/* Multiplicative noise: n pulses one way multiply f by factors 1 + d B (1 + sigma xi), so that its
 * powers have means E[factor^p]^n. */
static void same_moments(const device *a, double g, bool rises) {
  enum { PARTS = 256 };
  static block x;
  double d = rises ? 1 : -1, slope = d * (rises ? a->up_g : a->down_g), own = slope * a->factor;
  double f = (rises ? a->up : a->down) + d * slope * g, h = 1 + slope;
  double first = pow(h, PULSES), second = pow(h * h + own * own, PULSES);
  double third = pow(h * h * h + 3 * h * own * own, PULSES);
  double want_var = (second - first * first) * pow(f / slope, 2);
  double want_third = (third - 3 * second * first + 2 * pow(first, 3)) * pow(f / slope, 3);
  double want_skew = d * want_third / pow(want_var, 1.5);
  double want_mean = d * (first - 1) * f / slope;

  static double change[PARTS * MHO_DEVICE_BLOCK];
  uint8_t count[MHO_DEVICE_BLOCK];
  uint64_t up[MHO_DEVICE_BLOCK];
  float z[MHO_DEVICE_BLOCK], state[MHO_DEVICE_BLOCK];
  int left[MHO_DEVICE_BLOCK];
  memset(count, PULSES, sizeof count);
  memset(up, rises ? 0xff : 0, sizeof up);
  make_block(a, g, &x);
  double mean = 0, var = 0, cubes = 0, n = PARTS * MHO_DEVICE_BLOCK;
  for (int part = 0; part < PARTS; part++) {
    mho_expanded_series s = {.n = MHO_DEVICE_BLOCK, .count = count, .up = up, .z = z};
    quantiles(part, PARTS, z);
    assert_int_equal(mho__expanded_pulses(&x.b, &x.e, false, &s, state, left), 0);
    for (int i = 0; i < MHO_DEVICE_BLOCK; i++) {
      change[part * MHO_DEVICE_BLOCK + i] = (double)state[i] - (double)x.v[0][i];
      mean += change[part * MHO_DEVICE_BLOCK + i] / n;
    }
  }
  for (int i = 0; i < PARTS * MHO_DEVICE_BLOCK; i++) {
    var += pow(change[i] - mean, 2) / n;
    cubes += pow(change[i] - mean, 3) / n;
  }
  print_message("  skewness %.5f, closed form %.5f\n", cubes / pow(var, 1.5), want_skew);
  NEAR(mean, want_mean, 1e-4, 1e-6);
  NEAR(var, want_var, 4e-3, 0);
  NEAR(cubes / pow(var, 1.5), want_skew, 0, 4e-3);
}

static void test_moments(void **state) {
  const device a[] = {linear(0.001, 0.5, 0.9, 0.3, 0), linear(0.001, 0.9, 0.9, 0.5, 0),
                      soft_bounds(0.0018, 1)};
  for (int i = 0; i < MHO_COUNT(a); i++)
    for (int rises = 0; rises < 2; rises++)
      same_moments(&a[i], rises ? 0.4 : 0.6, rises);
}

/* Which cells are left to their pulses: those that come near a bound, and those whose noise would
 * be skewed; they keep what they have, as do cells without pulses. */
static void test_left(void **state) {
  static block x;
  uint8_t count[MHO_DEVICE_BLOCK];
  uint64_t up[MHO_DEVICE_BLOCK];
  float z[MHO_DEVICE_BLOCK] = {0}, out[MHO_DEVICE_BLOCK];
  int left[MHO_DEVICE_BLOCK];
  device a = linear(0.002, 0, 0, 0.3, 0);
  mho_expanded_series s = {.n = 250, .count = count, .up = up, .z = z};
  make_block(&a, 0.5, &x);
  for (int i = 0; i < MHO_DEVICE_BLOCK; i++) {
    count[i] = (uint8_t)(i % (PULSES + 1));
    up[i] = count[i] == PULSES ? UINT64_MAX : ((uint64_t)1 << count[i]) - 1;
    x.v[0][i] = i % 2 ? 0.95f : 0.5f;
  }

  int n = mho__expanded_pulses(&x.b, &x.e, false, &s, out, left), k = 0;
  for (int i = 0; i < 250; i++) {
    double most = (double)x.v[0][i] + 0.002 * (count[i] + 5.5 * 0.3 * sqrt(count[i]));
    bool is_left = k < n && left[k] == i;
    if (fabs(most - 1) > 1e-5)
      assert_int_equal(is_left, most > 1);
    NEAR(out[i], (double)x.v[0][i] + (is_left ? 0 : 0.002 * count[i]), 0, 1e-6);
    k += is_left;
  }
  assert_int_equal(k, n);
  assert_in_range(n, 30, 120);

  a = soft_bounds(0.01, 3);
  make_block(&a, 0.5, &x);
  n = mho__expanded_pulses(&x.b, &x.e, false, &s, out, left);
  for (int i = 0, j = 0; i < 250; i++) {
    bool is_left = j < n && left[j] == i;
    if (count[i] < 2 || count[i] > 12) /* one is normal; of more than .12 the slopes are too many */
      assert_int_equal(is_left, count[i] > 12);
    j += is_left;
  }
}

/* What cells get does not depend on those beside them, nor on their order: neighbours, which are
 * answered where they lie, and the same cells here and there end with the same bits, those that are
 * left to their pulses, too. */
static void test_order(void **state) {
  enum { N = 2 * MHO_DEVICE_BLOCK, TURNS = 6 };
  static const char *const devices[] = {
      "device: {card: gokmen_vlasov, step_up: 0.004, step_down: 0.004}\n",
      "device: {card: gokmen_vlasov, step_up: 0.004, step_down: 0.004, stuck: 0.1}\n",
      "device: {card: gokmen_vlasov, step_up: 0.004, step_down: 0.004, write_noise: 0.02}\n",
      "device: {card: ecram}\n",
      "device: {card: reram_es}\n",
      "device: {model: soft_bounds, step_up: 0.01, step_down: 0.01, cycle_to_cycle: 0.5}\n"};
  for (int d = 0; d < MHO_COUNT(devices); d++) {
    mho_experiment *e = experiment(devices[d]);
    mho_cells *c[2];
    mho_pulse_counts counts = {0};
    for (int k = 0; k < 2; k++)
      OK(mho_cells_new((const mho_device_model *)e->device.entry, e->device.params,
                       &e->device_config, N, mho_rng_make(1, MHO_RNG_CHIP, 0),
                       mho_rng_make(2, MHO_RNG_PULSE, 0), &c[k], &ei));
    assert_int_equal(mho__cells_like_neighbours(c[0]), d != 1); /* not those with faults */

    for (uint64_t turn = 0; turn < TURNS; turn++) {
      uint32_t word[3 * N];
      mho_rng_u32(mho_rng_make(8, MHO_RNG_TEST, 0), turn, 0, 3 * N, word);
      for (uint32_t first = 0; first < N; first += MHO_DEVICE_BLOCK) {
        mho_pulse_series near = {.n = MHO_DEVICE_BLOCK}, far = {.n = MHO_DEVICE_BLOCK};
        for (uint32_t i = 0; i < MHO_DEVICE_BLOCK; i++) {
          uint32_t cell = first + i, to = i * 5 % MHO_DEVICE_BLOCK;
          int n = (int)(word[cell] % (PULSES + 1));
          uint64_t up = (uint64_t)word[N + cell] << 32 | word[2 * N + cell];
          near.cell[i] = far.cell[to] = cell;
          near.count[i] = far.count[to] = (uint8_t)n;
          near.up[i] = far.up[to] = n == PULSES ? up : up & (((uint64_t)1 << n) - 1);
        }
        mho__cells_pulse_series(c[0], &near, turn, &counts);
        mho__cells_pulse_series(c[1], &far, turn, &counts);
      }
    }
    assert_memory_equal(c[0]->state, c[1]->state, N * sizeof *c[0]->state);
    assert_memory_equal(c[0]->g, c[1]->g, N * sizeof *c[0]->g);
    for (int k = 0; k < 2; k++)
      mho_cells_free(c[k]);
    mho_experiment_free(e);
  }
}

/* Fast arrays whose rows are given as they lie, and others, and what is left of both. */
static void test_threads_and_resume(void **state) {
  static const char *const devices[] = {
      "card: gokmen_vlasov", "card: ecram", "card: reram_es", "card: gokmen_vlasov, stuck: 0.05",
      "model: soft_bounds, step_up: 0.01, step_down: 0.02, cycle_to_cycle: 0.3"};
  for (int i = 0; i < MHO_COUNT(devices); i++) {
    char yaml[512];
    snprintf(yaml, sizeof yaml,
             "dataset: {train: 150}\nnetwork: {hidden: [32]}\nrule: bp\ntrain: {batch: 50}\n"
             "device: {%s}\nupdate: {scheme: tiki_taka, variant: chopped}\n",
             devices[i]);
    mho_experiment *e = experiment(yaml);
    mho_blob one = train(e, 1, 2, NULL), two = train(e, 2, 2, NULL);
    mho_blob first = train(e, 2, 1, NULL), resumed = train(e, 1, 1, &first);
    mho_blob *all[] = {&one, &two, &first, &resumed};
    same_weights(&one, &two);
    same_weights(&one, &resumed);
    for (int k = 0; k < MHO_COUNT(all); k++)
      mho_blob_free(all[k]);
    mho_experiment_free(e);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_law), cmocka_unit_test(test_moments),
                                     cmocka_unit_test(test_left), cmocka_unit_test(test_order),
                                     cmocka_unit_test(test_threads_and_resume)};
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
