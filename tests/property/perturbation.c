/* What a trial adds to the weights of a crossbar, against dense algebra in double precision: both
 * directions, one for all samples or one each, through every array model, tiles and circuits; that
 * nothing of it stays; and that whole networks read it like weights that were written.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "crossbar.h"
#include "mho/model/check.h"

enum { ROWS = 37, COLS = 21, SAMPLES = 9, CELLS = ROWS * COLS };
enum { SHARED, EACH, WAYS };

/* A crossbar with weights and a perturbation, both as doubles too. */
typedef struct bench {
  mho_experiment *e;
  mho_crossbar *x;
  mho_perturbation p;
  mho_real row[SAMPLES * ROWS], col[SAMPLES * COLS], cell[CELLS];
  mho_real *scratch;
} bench;

static bench *bench_new(const char *yaml, int shape, int way) {
  bench *b = test_calloc(1, sizeof *b);
  mho_real w[CELLS];
  b->e = experiment(yaml);
  b->x = crossbar(b->e, ROWS, COLS);
  fill(w, CELLS, 1, 0.3);
  mho_crossbar_set(b->x, 0, CELLS, w);
  b->scratch = mho_alloc(mho_crossbar_scratch(b->x, SAMPLES) + 1, sizeof *b->scratch);

  b->p = mho_crossbar_perturbation(b->x, shape);
  b->p.size = 0.05;
  b->p.samples = way == EACH ? SAMPLES : 1;
  b->p.row = b->row;
  b->p.col = b->col;
  b->p.cell = way == SHARED ? b->cell : NULL;
  mho_perturbation_draw(&b->p, 7, 3);
  return b;
}

static void bench_free(bench *b) {
  mho_free(b->scratch);
  mho_crossbar_free(b->x);
  mho_experiment_free(b->e);
  test_free(b);
}

static void read_some(bench *b, bool transposed, int sample0, int n, const mho_real *v,
                      mho_real *y) {
  mho_crossbar_read(b->x, &(mho_read){.transposed = transposed,
                                      .n = n,
                                      .x = v,
                                      .y = y,
                                      .scale = (mho_real)0.5,
                                      .clock = {.update = 7},
                                      .sample0 = sample0,
                                      .scratch = b->scratch});
}

static double weight(const bench *b, int sample, int r, int c) {
  return (double)mho_crossbar_matrix(b->x)[r * COLS + c] +
         mho_perturbation_weight(&b->p, sample, r, c);
}

/* v op(W + P) of a sample at output j. */
static double perturbed(const bench *b, bool transposed, int sample, const mho_real *v, int j) {
  double sum = 0;
  for (int i = 0; i < (transposed ? COLS : ROWS); i++)
    sum += (double)v[i] * (transposed ? weight(b, sample, j, i) : weight(b, sample, i, j));
  return sum;
}

/* ---------------------------------------------------------------- algebra */

static void algebra(const char *yaml, int shape, int way, double tolerance) {
  bench *b = bench_new(yaml, shape, way);
  mho_real v[SAMPLES * ROWS], y[SAMPLES * ROWS];
  fill(v, SAMPLES * ROWS, 2, 0.4);
  mho_crossbar_perturb(b->x, &b->p);

  for (int transposed = 0; transposed < 2; transposed++) {
    int in = transposed ? COLS : ROWS, out = transposed ? ROWS : COLS;
    read_some(b, transposed, 0, SAMPLES, v, y);
    for (int s = 0; s < SAMPLES; s++)
      for (int j = 0; j < out; j++)
        NEAR(y[s * out + j], 0.5 * perturbed(b, transposed, s, v + s * in, j), 0, tolerance);
  }
  bench_free(b);
}

/* The product with W + P, with all shapes, samples and models that lose nothing. */
static void test_products(void **state) {
  static const char *const models[] = {
      "array: {model: ideal}", "array: {model: periphery}",
      "device: {model: linear}\narray: {model: ideal}",
      /* every read passes drivers, tiles and converters so fine that they do not matter */
      "array: {model: periphery, adc_bits: 20, adc_range: fixed, wire: {tile: [10, 8]}}",
      "array: {model: periphery, dac_bits: 20, dac_range: 4}"};
  for (int m = 0; m < MHO_COUNT(models); m++)
    for (int shape = MHO_SHAPE_RANK1; shape <= MHO_SHAPE_NORMAL; shape++)
      for (int way = SHARED; way < WAYS; way++)
        algebra(models[m], shape, way, m < 3 ? 1e-6 : 1e-4);
}

/* What is added by lines is size (v a) b to rounding, and nothing else changes. */
static void test_lines(void **state) {
  bench *b = bench_new("array: {model: ideal}", MHO_SHAPE_RANK1, EACH);
  mho_real v[SAMPLES * ROWS], plain[SAMPLES * COLS], y[SAMPLES * COLS];
  fill(v, SAMPLES * ROWS, 2, 0.4);
  read_some(b, false, 0, SAMPLES, v, plain);
  mho_crossbar_perturb(b->x, &b->p);
  read_some(b, false, 0, SAMPLES, v, y);

  for (int s = 0; s < SAMPLES; s++) {
    double q = 0;
    for (int i = 0; i < ROWS; i++)
      q += (double)v[s * ROWS + i] * (double)b->row[s * ROWS + i];
    for (int j = 0; j < COLS; j++)
      NEAR((double)y[s * COLS + j] - (double)plain[s * COLS + j],
           0.5 * 0.05 * q * (double)b->col[s * COLS + j], 1e-5, 2e-7);
  }
  bench_free(b);
}

/* A sample's perturbation is its own, whatever it is read together with; of a convolution all
 * positions of a sample have the same one. */
static void test_samples(void **state) {
  for (int shape = MHO_SHAPE_RANK1; shape <= MHO_SHAPE_NORMAL; shape++) {
    bench *b = bench_new("array: {model: ideal}", shape, EACH);
    mho_real v[SAMPLES * ROWS], y[SAMPLES * COLS], alone[COLS];
    fill(v, SAMPLES * ROWS, 2, 0.4);
    mho_crossbar_perturb(b->x, &b->p);

    read_some(b, false, 0, SAMPLES, v, y);
    for (int s = 0; s < SAMPLES; s++) {
      read_some(b, false, s, 1, v + s * ROWS, alone);
      for (int j = 0; j < COLS; j++)
        NEAR(alone[j], y[s * COLS + j], 0, 1e-6);
    }

    b->p.positions = 3;
    read_some(b, false, 0, SAMPLES, v, y);
    for (int s = 0; s < SAMPLES; s++)
      for (int j = 0; j < COLS; j++)
        NEAR(y[s * COLS + j], 0.5 * perturbed(b, false, s / 3, v + s * ROWS, j), 0, 1e-6);
    bench_free(b);
  }
}

/* ---------------------------------------------------------------- where it enters */

/* Before the sense amplifiers, which saturate and miss, and behind the drivers, which miss too. */
static void test_amplifiers(void **state) {
  bench *b = bench_new("array: {model: periphery, saturation: 0.5, mismatch: {gain: 0.2}}",
                       MHO_SHAPE_RANK1, SHARED);
  bench *linear =
      bench_new("array: {model: periphery, mismatch: {gain: 0.2}}", MHO_SHAPE_RANK1, SHARED);
  mho_real v[ROWS], y[COLS], u[COLS];
  fill(v, ROWS, 2, 0.4);
  mho_crossbar_perturb(b->x, &b->p);
  mho_crossbar_perturb(linear->x, &linear->p);
  read_some(b, false, 0, 1, v, y);
  read_some(linear, false, 0, 1, v, u);

  for (int j = 0; j < COLS; j++) {
    double gain = (double)u[j] / (0.5 * perturbed(linear, false, 0, v, j));
    assert_true(fabs(gain - 1) < 1 && fabs(gain - 1) > 1e-6);
    NEAR(y[j], 0.5 * 0.5 * tanh(2 * (double)u[j] / 0.5), 1e-4, 1e-6);
  }
  bench_free(linear);
  bench_free(b);
}

/* A driver's converter rounds the voltages that the extra column reads. */
static void test_drivers(void **state) {
  bench *b =
      bench_new("array: {model: periphery, dac_bits: 3, dac_range: 1}", MHO_SHAPE_RANK1, SHARED);
  mho_real v[ROWS], rounded[ROWS], y[COLS];
  fill(v, ROWS, 2, 0.4);
  for (int i = 0; i < ROWS; i++)
    rounded[i] = (mho_real)(nearbyint(fmax(fmin((double)v[i], 1), -1) * 3) / 3);
  mho_crossbar_perturb(b->x, &b->p);
  read_some(b, false, 0, 1, v, y);
  for (int j = 0; j < COLS; j++)
    NEAR(y[j], 0.5 * perturbed(b, false, 0, rounded, j), 0, 1e-5);
  bench_free(b);
}

/* A converter for every tile: the codes are those of each tile's own sum, with its own column. */
static void test_tiles(void **state) {
  const double step = 4.0 / 7;
  bench *b = bench_new("array: {model: periphery, adc_bits: 4, adc_range: fixed, "
                       "adc_full_scale: 4, wire: {tile: [10, 8]}}",
                       MHO_SHAPE_RANK1, SHARED);
  mho_real v[ROWS], y[COLS], part[ROWS];
  fill(v, ROWS, 2, 1);
  b->p.size = 0.4;
  mho_crossbar_perturb(b->x, &b->p);
  read_some(b, false, 0, 1, v, y);

  for (int j = 0; j < COLS; j++) {
    double want = 0;
    for (int first = 0; first < ROWS; first += 10) {
      for (int i = 0; i < ROWS; i++)
        part[i] = i >= first && i < first + 10 ? v[i] : 0;
      double sum = fmax(fmin(perturbed(b, false, 0, part, j), 4), -4);
      want += step * nearbyint(sum / step);
    }
    NEAR(y[j], 0.5 * want, 0, 1e-5);
  }
  bench_free(b);
}

/* Noise of a read is the same with and without: it has the same numbers and the same variance. */
static void test_noise(void **state) {
  bench *b = bench_new("array: {model: periphery, read_noise: 0.02}", MHO_SHAPE_RANK1, EACH);
  mho_real v[SAMPLES * ROWS], plain[SAMPLES * COLS], y[SAMPLES * COLS];
  fill(v, SAMPLES * ROWS, 2, 0.4);
  read_some(b, false, 0, SAMPLES, v, plain);
  mho_crossbar_perturb(b->x, &b->p);
  read_some(b, false, 0, SAMPLES, v, y);
  for (int s = 0; s < SAMPLES; s++)
    for (int j = 0; j < COLS; j++) {
      double noise = (double)plain[s * COLS + j];
      for (int i = 0; i < ROWS; i++)
        noise -= 0.5 * (double)v[s * ROWS + i] * (double)mho_crossbar_matrix(b->x)[i * COLS + j];
      assert_true(fabs(noise) > 1e-7);
      NEAR((double)y[s * COLS + j] - 0.5 * perturbed(b, false, s, v + s * ROWS, j), noise, 0, 2e-6);
    }
  bench_free(b);
}

/* ---------------------------------------------------------------- nothing stays */

/* Perturbed and undone 1e5 times, nothing of a crossbar has moved by a bit, and no pulse was
 * counted: reads are what they were. */
static void test_undone(void **state) {
  enum { TIMES = 100000 };
  bench *b =
      bench_new("device: {model: soft_bounds}\narray: {model: ideal}", MHO_SHAPE_RANK1, EACH);
  size_t bytes = CELLS * sizeof(float);
  float *pos = test_malloc(bytes), *neg = test_malloc(bytes);
  mho_real v[SAMPLES * ROWS], before[SAMPLES * COLS], y[SAMPLES * COLS];
  fill(v, SAMPLES * ROWS, 2, 0.4);
  memcpy(pos, mho_crossbar_shown(b->x, 0), bytes);
  memcpy(neg, mho_crossbar_shown(b->x, 1), bytes);
  read_some(b, false, 0, SAMPLES, v, before);

  for (int k = 0; k < TIMES; k++) {
    mho_crossbar_perturb(b->x, &b->p);
    if (k % 1000 == 0) {
      mho_perturbation_draw(&b->p, (uint64_t)k, 1);
      read_some(b, false, 0, SAMPLES, v, y);
      assert_true(memcmp(before, y, sizeof y) != 0);
    }
    mho_crossbar_perturb(b->x, NULL);
  }

  read_some(b, false, 0, SAMPLES, v, y);
  assert_memory_equal(before, y, sizeof y);
  assert_memory_equal(pos, mho_crossbar_shown(b->x, 0), bytes);
  assert_memory_equal(neg, mho_crossbar_shown(b->x, 1), bytes);
  test_free(pos);
  test_free(neg);
  bench_free(b);
}

/* ---------------------------------------------------------------- what is drawn */

/* E xi = 0 and E xi xi^T = 1 over trials and samples, for pairs of cells that share a row, a
 * column, both or neither; of rank one all of xi^2 is 1. */
static void test_moments(void **state) {
  enum { TRIALS = 1000, DRAWS = TRIALS * SAMPLES };
  static const int pair[][4] = {{3, 4, 3, 9}, {3, 4, 11, 4}, {3, 4, 11, 9}, {0, 0, 36, 20}};

  for (int shape = MHO_SHAPE_RANK1; shape <= MHO_SHAPE_NORMAL; shape++) {
    bench *b = bench_new("array: {model: ideal}", shape, EACH);
    double mean = 0, square = 0, fourth = 0, product[MHO_COUNT(pair)] = {0};
    b->p.size = 1;
    for (int k = 0; k < TRIALS; k++) {
      mho_perturbation_draw(&b->p, (uint64_t)(k / 500), k % 500);
      for (int s = 0; s < SAMPLES; s++) {
        double xi = mho_perturbation_weight(&b->p, s, 3, 4);
        mean += xi / DRAWS;
        square += xi * xi / DRAWS;
        fourth += pow(xi, 4) / DRAWS;
        for (int q = 0; q < MHO_COUNT(pair); q++)
          product[q] += mho_perturbation_weight(&b->p, s, pair[q][0], pair[q][1]) *
                        mho_perturbation_weight(&b->p, s, pair[q][2], pair[q][3]) / DRAWS;
      }
    }

    double error = 4 / sqrt(DRAWS);
    NEAR(mean, 0, 0, error);
    NEAR(square, 1, 0, shape == MHO_SHAPE_NORMAL ? error * sqrt(2) : 1e-9);
    NEAR(fourth, shape == MHO_SHAPE_NORMAL ? 3 : 1, 0,
         shape == MHO_SHAPE_NORMAL ? error * sqrt(96) : 1e-9);
    for (int q = 0; q < MHO_COUNT(pair); q++)
      NEAR(product[q], 0, 0, error);
    bench_free(b);
  }
}

/* ---------------------------------------------------------------- networks */

/* Write W + P into every trained crossbar. */
static void write_perturbed(mho_network *net, const mho_perturbation *p) {
  for (int c = 0; c < net->n_trained; c++) {
    mho_crossbar *x = net->connection[c].xb;
    size_t n = mho_crossbar_cells(x);
    mho_real *w = test_malloc(n * sizeof *w);
    for (size_t i = 0; i < n; i++)
      w[i] = (mho_real)((double)mho_crossbar_matrix(x)[i] +
                        mho_perturbation_weight(&p[c], 0, (int)i / x->cols, (int)i % x->cols));
    mho_crossbar_set(x, 0, n, w);
    test_free(w);
  }
}

static void free_perturbations(int n, mho_perturbation *p) {
  for (int c = 0; c < n; c++) {
    mho_free(p[c].row);
    mho_free(p[c].col);
  }
}

/* The loss of a network with perturbed reads is that of the network with W + P written: settlers,
 * topologies, patches, biases and panels all read it. */
static void network(const char *yaml) {
  enum { CONNECTIONS = 16 };
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  mho_network *net = mho_trainer_network(t);
  const mho_dataset *d = mho_trainer_dataset(t);
  mho_evaluation plain, read, written;
  mho_perturbation p[CONNECTIONS];
  assert_true(net->n_trained <= CONNECTIONS);
  OK(mho_trainer_evaluate(t, &d->test, &plain, &ei));

  for (int c = 0; c < net->n_trained; c++) {
    const mho_crossbar *x = net->connection[c].xb;
    p[c] = mho_crossbar_perturbation(x, MHO_SHAPE_RANK1);
    p[c].size = 0.05;
    p[c].positions = net->connection[c].positions;
    p[c].row = mho_alloc((size_t)x->rows, sizeof(mho_real));
    p[c].col = mho_alloc((size_t)x->cols, sizeof(mho_real));
    mho_perturbation_draw(&p[c], 1, 1);
    mho_crossbar_perturb(net->connection[c].xb, &p[c]);
  }
  OK(mho_trainer_evaluate(t, &d->test, &read, &ei));

  for (int c = 0; c < net->n_trained; c++)
    mho_crossbar_perturb(net->connection[c].xb, NULL);
  write_perturbed(net, p);
  OK(mho_trainer_evaluate(t, &d->test, &written, &ei));

  if (!(fabs(plain.loss - written.loss) > 1e-3))
    fail_msg("%s: the perturbation changes nothing, loss %g", yaml, plain.loss);
  if (!(fabs(read.loss - written.loss) <= 1e-5 * written.loss))
    fail_msg("%s: the loss is %.9g read, %.9g written, %.9g without", yaml, read.loss, written.loss,
             plain.loss);
  free_perturbations(net->n_trained, p);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

static void test_networks(void **state) {
  static const char *const nets[] = {
      "network: {hidden: [16, 12]}",
      "network: {hidden: [16, 12], biases: true}",
      "network: {hidden: [16, 12, 12], topology: residual}",
      "network: {hidden: [16, 12, 12], topology: agt, link_probability: 0.5}",
      "network: {topology: conv, conv: [6x3 pool2 5x3], biases: true}",
      "network: {hidden: [300]}",
  };
  static const char *const settlers[] = {
      "settle: {method: sweep, tolerance: 1e-6}",
      "settle: {method: synchronous, free: 60}",
      "settle: {method: ode}",
  };
  for (int n = 0; n < MHO_COUNT(nets); n++)
    for (int s = 0; s < MHO_COUNT(settlers); s++) {
      bool is_conv = strstr(nets[n], "conv") != NULL;
      char yaml[512];
      if (is_conv && s == 2)
        continue; /* ode knows no convolutions */
      snprintf(yaml, sizeof yaml,
               "dataset: {name: digits, test: 40}\nfeedback: {scale: 0.2}\n%s\n%s\n", nets[n],
               settlers[s]);
      network(yaml);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_products), cmocka_unit_test(test_lines),
      cmocka_unit_test(test_samples),  cmocka_unit_test(test_amplifiers),
      cmocka_unit_test(test_drivers),  cmocka_unit_test(test_tiles),
      cmocka_unit_test(test_noise),    cmocka_unit_test(test_undone),
      cmocka_unit_test(test_moments),  cmocka_unit_test(test_networks),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
