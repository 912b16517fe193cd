/* What perturbations say of a gradient, in double precision, against closed forms of their mean and
 * variance: a net of two crossbars, a quadratic loss, a bowl. MHO_TEST_SLOW: ten times the draws.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "crossbar.h"
#include "mho/model/check.h"

_Static_assert(sizeof(mho_real) == 8,
               "a regret is a small difference: this test needs the double build");

static int draws(void) {
  return getenv("MHO_TEST_SLOW") ? 200000 : 20000;
}

static const char *const names[] = {"rank one", "signs", "normal"};

/* A crossbar of an ideal device with room for one perturbation. */
typedef struct array {
  mho_crossbar *x;
  mho_perturbation p;
  double size; /* of the perturbation, when there is one */
  mho_real *row, *col, *cell;
} array;

static array array_new(const mho_experiment *e, uint32_t index, int rows, int cols, int shape,
                       double size) {
  array a;
  mho_crossbar_options o = {.device = (const mho_device_model *)e->device.entry,
                            .device_params = e->device.params,
                            .device_config = &e->device_config,
                            .array = (const mho_array_model *)e->array.entry,
                            .array_params = e->array.params,
                            .array_config = &e->array_config,
                            .w_max = 2,
                            .noise_seed = 2,
                            .index = index};
  OK(mho_crossbar_new(rows, cols, &o, &a.x, &ei));
  a.row = test_calloc((size_t)rows, sizeof *a.row);
  a.col = test_calloc((size_t)cols, sizeof *a.col);
  a.cell = test_calloc((size_t)(rows * cols), sizeof *a.cell);
  a.p = mho_crossbar_perturbation(a.x, shape);
  a.size = size;
  a.p.row = a.row;
  a.p.col = a.col;
  a.p.cell = a.cell;
  return a;
}

static void array_free(array *a) {
  mho_crossbar_free(a->x);
  test_free(a->row);
  test_free(a->col);
  test_free(a->cell);
}

static void set_weights(array *a, uint32_t stream, double scale) {
  mho_real w[256];
  size_t n = mho_crossbar_cells(a->x);
  assert_true(n <= 256);
  fill(w, n, stream, scale);
  mho_crossbar_set(a->x, 0, n, w);
}

/* side 0: unperturbed. */
static void perturb(array *a, int side) {
  a->p.size = side * a->size;
  mho_crossbar_perturb(a->x, side ? &a->p : NULL);
}

static void read_all(const array *a, int n, const mho_real *v, mho_real *y) {
  mho_crossbar_read(a->x, &(mho_read){.n = n, .x = v, .y = y, .scale = 1});
}

/* xi of cell i, without the size. */
static double number(const array *a, int i) {
  mho_perturbation one = a->p;
  one.size = 1;
  return mho_perturbation_weight(&one, 0, i / a->x->cols, i % a->x->cols);
}

/* ---------------------------------------------------------------- a net of two crossbars */

enum { X = 16, H = 8, C = 4, B = 5, N = X * H + H * C };

typedef struct net {
  array in, out;
  mho_real x[B * X], h[B * H], y[B * C];
} net;

/* Mean cross-entropy of the batch: label s % C; h and y become activities and probabilities. */
static double loss(net *t) {
  double sum = 0;
  read_all(&t->in, B, t->x, t->h);
  for (int i = 0; i < B * H; i++)
    t->h[i] = tanh(t->h[i]);
  read_all(&t->out, B, t->h, t->y);

  for (int s = 0; s < B; s++) {
    double all = 0, *y = t->y + s * C;
    for (int j = 0; j < C; j++)
      all += exp(y[j]);
    for (int j = 0; j < C; j++)
      y[j] = exp(y[j]) / all;
    sum -= log(y[s % C]) / B;
  }
  return sum;
}

/* The gradient by backpropagation, [N]. */
static void backpropagate(net *t, double *g) {
  const mho_real *w = mho_crossbar_matrix(t->out.x);
  memset(g, 0, N * sizeof *g);
  loss(t);

  for (int s = 0; s < B; s++)
    for (int i = 0; i < H; i++) {
      double h = t->h[s * H + i], delta = 0;
      for (int j = 0; j < C; j++) {
        double e = (t->y[s * C + j] - (j == s % C)) / B;
        g[X * H + i * C + j] += h * e;
        delta += e * w[i * C + j];
      }
      for (int k = 0; k < X; k++)
        g[k * H + i] += t->x[s * X + k] * delta * (1 - h * h);
    }
}

static void draw(net *t, int k) {
  mho_perturbation_draw(&t->in.p, (uint64_t)(k / 1000), k % 1000);
  mho_perturbation_draw(&t->out.p, (uint64_t)(k / 1000), k % 1000);
}

static double regret(net *t, double unperturbed) {
  perturb(&t->in, 1);
  perturb(&t->out, 1);
  double r = loss(t) - unperturbed;
  perturb(&t->in, 0);
  perturb(&t->out, 0);
  return r;
}

/* E u = g; Var u_i = |g|^2 - g_i^2 of signs and of rank one, |g|^2 + g_i^2 of normal deviates. */
static void moments(const mho_experiment *e, int shape) {
  const double size = 1e-5;
  net t = {.in = array_new(e, 0, X, H, shape, size), .out = array_new(e, 1, H, C, shape, size)};
  double g[N], sum[N] = {0}, squares[N] = {0}, all = 0, have = 0, want = 0;
  int n = draws();
  set_weights(&t.in, 1, 0.3);
  set_weights(&t.out, 2, 0.5);
  fill(t.x, B * X, 3, 0.7);
  backpropagate(&t, g);
  for (int i = 0; i < N; i++)
    all += g[i] * g[i];

  double unperturbed = loss(&t);
  for (int k = 0; k < n; k++) {
    draw(&t, k);
    double r = regret(&t, unperturbed) / size;
    for (int i = 0; i < N; i++) {
      double u = r * (i < X * H ? number(&t.in, i) : number(&t.out, i - X * H));
      sum[i] += u / n;
      squares[i] += u * u / n;
    }
  }

  /* A fourth moment of 3 (15 for the square of a normal deviate) bounds the error of a variance. */
  for (int i = 0; i < N; i++) {
    double variance = all + (shape == MHO_SHAPE_NORMAL ? 1 : -1) * g[i] * g[i];
    NEAR(sum[i], g[i], 0, 4.5 * sqrt(variance / n));
    NEAR(squares[i] - sum[i] * sum[i], variance, 5 * sqrt(14.0 / n), 0);
    have += squares[i] - sum[i] * sum[i];
    want += variance;
  }
  print_message("  %s: variance over the closed form %.4f\n", names[shape], have / want);
  NEAR(have, want, 0.03, 0);
  array_free(&t.in);
  array_free(&t.out);
}

static void test_moments(void **state) {
  mho_experiment *e = experiment("");
  for (int shape = MHO_SHAPE_RANK1; shape <= MHO_SHAPE_NORMAL; shape++)
    moments(e, shape);
  mho_experiment_free(e);
}

/* ---------------------------------------------------------------- curvature and noise */

enum { ROWS = 4, COLS = 3, CELLS = ROWS * COLS };

/* |x W - t|^2/2: quadratic in W, its Hessian is x x^T for every column. */
static double quadratic(const array *a, const mho_real *x, const mho_real *t) {
  mho_real y[COLS];
  double sum = 0;
  read_all(a, 1, x, y);
  for (int j = 0; j < COLS; j++)
    sum += (y[j] - t[j]) * (y[j] - t[j]) / 2;
  return sum;
}

/* Sample mean of Var u_i over the cells, from regrets with noise s of each loss. */
static double sample_variance(array *a, const mho_real *x, const mho_real *t, double s, bool both,
                              int n) {
  double sum[CELLS] = {0}, squares[CELLS] = {0}, mean = 0;
  double unperturbed = quadratic(a, x, t);

  for (int k = 0; k < n; k++) {
    float xi[2];
    double u = 0;
    mho_rng_normal(mho_rng_make(9, MHO_RNG_TEST, 4), (uint64_t)k, 0, 2, xi);
    mho_perturbation_draw(&a->p, (uint64_t)(k / 1000), k % 1000);
    perturb(a, 1);
    double plus = quadratic(a, x, t) + s * (double)xi[0];
    perturb(a, -1);
    double minus = quadratic(a, x, t) + s * (double)xi[1];
    perturb(a, 0);

    u = both ? (plus - minus) / (2 * a->size)
             : (plus - (unperturbed + s * (double)xi[1])) / a->size;
    for (int i = 0; i < CELLS; i++) {
      double v = u * number(a, i);
      sum[i] += v / n;
      squares[i] += v * v / n;
    }
  }
  for (int i = 0; i < CELLS; i++)
    mean += (squares[i] - sum[i] * sum[i]) / CELLS;
  return mean;
}

/* Normal deviates, one side: Var u_i = |g|^2 + g_i^2 + size^2/4 [(tr H)^2 + 2 tr H^2 + 8 (H^2)_ii +
 * 4 H_ii tr H] + 2 s^2/size^2; both sides: no curvature, and s^2/(2 size^2). */
static void test_curvature_and_noise(void **state) {
  static const struct {
    double size, noise;
    bool both;
  } each[] = {{0.7, 0, false}, {0.7, 0, true}, {0.1, 0.1, false}, {0.1, 0.1, true}};
  mho_experiment *e = experiment("");
  array a = array_new(e, 0, ROWS, COLS, MHO_SHAPE_NORMAL, 1);
  mho_real x[ROWS], t[COLS], y[COLS];
  double length = 0, all = 0;
  set_weights(&a, 1, 0.5);
  fill(x, ROWS, 5, 0.8);
  fill(t, COLS, 6, 1);
  read_all(&a, 1, x, y);
  for (int i = 0; i < ROWS; i++)
    length += x[i] * x[i];
  for (int j = 0; j < COLS; j++)
    all += length * (y[j] - t[j]) * (y[j] - t[j]);

  for (int k = 0; k < MHO_COUNT(each); k++) {
    double s2 = pow(each[k].noise / each[k].size, 2), trace = COLS * length, want = 0;
    for (int i = 0; i < CELLS; i++) {
      double g = x[i / COLS] * (y[i % COLS] - t[i % COLS]), own = x[i / COLS] * x[i / COLS];
      want += (all + g * g) / CELLS;
      if (!each[k].both)
        want += pow(each[k].size, 2) / 4 / CELLS *
                (trace * trace + 2 * COLS * length * length + 8 * own * length + 4 * own * trace);
      want += (each[k].both ? s2 / 2 : 2 * s2) / CELLS;
    }
    a.size = each[k].size;
    double have = sample_variance(&a, x, t, each[k].noise, each[k].both, 10 * draws());
    print_message("  size %g, noise %g, %s: variance over the closed form %.4f\n", each[k].size,
                  each[k].noise, each[k].both ? "both sides" : "one side", have / want);
    NEAR(have, want, 0.05, 0);
  }
  array_free(&a);
  mho_experiment_free(e);
}

/* ---------------------------------------------------------------- a bowl */

/* lambda |w|^2/2, read row by row. */
static double bowl(const array *a, double lambda) {
  mho_real one[ROWS * ROWS] = {0}, y[ROWS * COLS];
  double sum = 0;
  for (int i = 0; i < ROWS; i++)
    one[i * ROWS + i] = 1;
  read_all(a, ROWS, one, y);
  for (int i = 0; i < CELLS; i++)
    sum += lambda * y[i] * y[i] / 2;
  return sum;
}

/* One update at rate eta, both sides. @return the loss after it over the one before. */
static double descend(array *a, double lambda, double eta, int k) {
  double before = bowl(a, lambda);
  mho_real dw[CELLS];
  mho_perturbation_draw(&a->p, (uint64_t)(k / 1000), k % 1000);
  perturb(a, 1);
  double plus = bowl(a, lambda);
  perturb(a, -1);
  double minus = bowl(a, lambda);
  perturb(a, 0);

  for (int i = 0; i < CELLS; i++)
    dw[i] = -eta * (plus - minus) / (2 * a->size) * number(a, i);
  mho_crossbar_add(a->x, 0, CELLS, dw, (uint64_t)k + 1);
  return bowl(a, lambda) / before;
}

/* Mean of 1 - L'/L against 2 eta lambda - eta^2 lambda^2 M, M = N + 2 for normal deviates, N else;
 * beyond twice the best rate 1/(lambda M) the loss grows. The same weights every time, so that the
 * draws are independent. */
static void descent(const mho_experiment *e, int shape) {
  const double lambda = 0.7, m = shape == MHO_SHAPE_NORMAL ? CELLS + 2 : CELLS;
  array a = array_new(e, 0, ROWS, COLS, shape, 0.01);
  int n = 5 * draws();

  for (int k = 0; k < 3; k++) {
    double share = (double[]){0.5, 1, 2.1}[k], eta = share / (lambda * m), sum = 0, squares = 0;
    for (int i = 0; i < n; i++) {
      set_weights(&a, 1, 0.5);
      double gain = 1 - descend(&a, lambda, eta, i);
      sum += gain / n;
      squares += gain * gain / n;
    }
    double want = 2 * eta * lambda - eta * eta * lambda * lambda * m;
    NEAR(sum, want, 0, 4 * sqrt((squares - sum * sum) / n));
    assert_true(k < 2 ? sum > 0 : sum < 0);
  }
  array_free(&a);
}

static void test_bowl(void **state) {
  mho_experiment *e = experiment("");
  for (int shape = MHO_SHAPE_RANK1; shape <= MHO_SHAPE_NORMAL; shape++)
    descent(e, shape);
  mho_experiment_free(e);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_moments),
      cmocka_unit_test(test_curvature_and_noise),
      cmocka_unit_test(test_bowl),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
