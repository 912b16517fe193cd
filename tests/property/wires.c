/* Arrays with wire resistance: the iterative method against the direct one and closed forms,
 * superposition, reciprocity, power balance, and hostile arrays: a right answer or a refusal.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "wires.h"

/* ---------------------------------------------------------------- agreement */

typedef struct sample {
  int rows, cols;
  double r_word, r_bit, r_low, r_high,
      open; /* wires; devices from r_low to r_high ohm, a share open */
} sample;

static const sample samples[] = {
    {1, 1, 1, 1, 1e3, 1e7, 0},          {1, 37, 2, 3, 1e3, 1e7, 0},
    {29, 1, 2, 3, 1e3, 1e7, 0},         {2, 2, 100, 100, 1e3, 1e3, 0},
    {3, 64, 0.1, 100, 1e4, 1e6, 0},     {64, 64, 1, 1, 1e4, 1e6, 0},
    {64, 64, 100, 100, 1e3, 1e7, 0},    {31, 17, 10, 0.1, 1e3, 1e7, .3},
    {100, 70, 5, 20, 1e4, 1e5, .1},     {16, 200, 100, 1, 1e3, 1e4, 0},
    {90, 130, 1e-3, 1e-3, 1e6, 1e7, 0}, {1, 1024, 1, 1, 1e3, 1e5, 0},
    {1024, 1, 1, 1, 1e3, 1e5, 0},
};

static mho_wire_options options(const sample *s, mho_wire_method method) {
  return (mho_wire_options){
      .rows = s->rows, .cols = s->cols, .r_word = s->r_word, .r_bit = s->r_bit, .method = method};
}

static double *devices(const sample *s, uint32_t stream) {
  return log_uniform((size_t)s->rows * (size_t)s->cols, stream, 1 / s->r_high, 1 / s->r_low,
                     s->open);
}

/* One vector (conjugate gradients), eleven (blocks of eight, sweeps or gradients), driven from
 * either side. */
static void test_against_direct(void **state) {
  for (int k = 0; k < MHO_COUNT(samples); k++)
    for (int n = 1; n <= 11; n += 10) {
      const sample *s = &samples[k];
      double *g = devices(s, (uint32_t)k), *v = normal((size_t)(n * s->rows), 100),
             *e = normal((size_t)(n * s->cols), 101);
      for (int side = 0; side < 3; side++) {
        const double *word = side == 1 ? NULL : v, *bit = side ? e : NULL;
        solved a = solve(options(s, MHO_WIRE_ITERATIVE), g, n, word, bit);
        solved b = solve(options(s, MHO_WIRE_DIRECT), g, n, word, bit);
        assert_int_equal(a.stats.method, MHO_WIRE_ITERATIVE);
        assert_int_equal(b.stats.method, MHO_WIRE_DIRECT);
        same(options(s, 0), n, &a, &b,
             fmax(largest((size_t)(n * s->rows), v), largest((size_t)(n * s->cols), e)));
        solved_free(&a);
        solved_free(&b);
      }
      mho_free(g);
      mho_free(v);
      mho_free(e);
    }
}

/* n vectors, and the first of them alone, against the direct method's. */
static void against_direct(const sample *s, uint32_t stream, int n, mho_pool *pool) {
  double *g = devices(s, stream), *v = normal((size_t)(n * s->rows), stream + 1),
         *e = normal((size_t)(n * s->cols), stream + 2);
  mho_wire_options by = options(s, MHO_WIRE_DIRECT);
  by.pool = pool;
  solved exact = solve(by, g, n, v, e);
  by.method = MHO_WIRE_ITERATIVE;
  for (int m = 1; m <= n;
       m += n - 1) { /* conjugate gradients, and sweeps of blocks where they are few enough */
    solved a = solve(by, g, m, v, e);
    same(by, m, &a, &exact,
         fmax(largest((size_t)(n * s->rows), v), largest((size_t)(n * s->cols), e)));
    NEAR(a.stats.power_in, a.stats.power_lost, 1e-9, 0);
    solved_free(&a);
  }
  solved_free(&exact);
  mho_free(g);
  mho_free(v);
  mho_free(e);
}

/* The largest arrays and the ends of what wires and devices are asked for. Factors of 1024 x
 * 1024 take 2 GB and half a minute: in suite slow. */
static void test_large_against_direct(void **state) {
  static const sample shapes[] = {
      {1, 1024, 100, 100, 1e3, 1e7, 0},   {1024, 1, 100, 100, 1e3, 1e7, 0},
      {1024, 3, 100, 0.01, 1e3, 1e4, 0},  {2, 1000, 0.01, 100, 1e3, 1e7, .2},
      {160, 120, 1, 1, 1e3, 1e7, 0},      {120, 160, 100, 100, 1e3, 1e3, 0},
      {128, 128, 1e-3, 100, 1e3, 1e7, 0}, {128, 128, 0.1, 0.1, 1e3, 1e3, 0},
  };
  static const sample huge[] = {
      {1024, 1024, 1, 1, 1e4, 1e6, 0},      {1024, 1024, 100, 100, 1e3, 1e7, 0},
      {1024, 1024, 0.05, 0.1, 1e3, 1e4, 0}, {1024, 1024, 100, 0.01, 1e6, 1e7, .1},
      {1024, 512, 10, 10, 1e3, 1e7, .02},   {300, 1024, 2, 50, 1e3, 1e5, 0},
  };
  mho_pool *pool;
  OK(mho_pool_new(2, &pool, &ei));
  for (int k = 0; k < MHO_COUNT(shapes); k++)
    against_direct(&shapes[k], 200 + 3 * (uint32_t)k, 2, pool);
  for (int k = 0; getenv("MHO_TEST_SLOW") && k < MHO_COUNT(huge); k++)
    against_direct(&huge[k], 300 + 3 * (uint32_t)k, 9, pool);
  mho_pool_free(pool);
}

/* A ladder by the continued fraction of its resistances, from the far end: what a person does on
 * paper. */
static void test_ladders(void **state) {
  enum { N = 50 };
  double *g = log_uniform(N, 1, 1e-7, 1e-3, 0), v = 0.7;
  for (int word = 0; word < 2; word++) {
    /* 1 x N: the word line is a ladder to bit lines with one segment each; N x 1: the other way
     * round */
    double r_line = 3, r_end = 5, load[N], input = 0, node[N], before = v;
    for (int k = 0; k < N; k++)
      load[k] = 1 / (1 / g[k] + r_end);
    mho_wire_options o = {.rows = word ? N : 1,
                          .cols = word ? 1 : N,
                          .r_word = word ? r_end : r_line,
                          .r_bit = word ? r_line : r_end};
    double behind[N];
    for (int k = N - 1; k >= 0; k--)
      behind[k] = input = load[k] + (k + 1 < N ? 1 / (r_line + 1 / input) : 0);
    for (int k = 0; k < N; k++)
      before = node[k] = before / (1 + r_line * behind[k]);
    solved s;
    if (word) { /* driven at its bottom end, so that the ladder runs up the bit line */
      double reversed[N], drive = v;
      for (int k = 0; k < N; k++)
        reversed[k] = g[N - 1 - k];
      s = solve(o, reversed, 1, NULL, &drive);
      for (int k = 0; k < N; k++) {
        NEAR(s.node_bit[N - 1 - k], node[k], 1e-13, 0);
        NEAR(s.i_word[N - 1 - k], -node[k] * load[k], 1e-12, 0);
      }
    } else {
      s = solve(o, g, 1, &v, NULL);
      for (int k = 0; k < N; k++) {
        NEAR(s.node_word[k], node[k], 1e-13, 0);
        NEAR(s.i_bit[k], node[k] * load[k], 1e-12, 0);
      }
    }
    solved_free(&s);
  }

  solved s = solve((mho_wire_options){.rows = 1, .cols = 1, .r_word = 100, .r_bit = 50},
                   &(double){1e-3}, 1, &v, NULL);
  NEAR(s.i_bit[0], v / 1150, 1e-14, 0);
  solved_free(&s);
  mho_free(g);
}

/* Resistances towards 0 are continuous, and 0 has a branch of its own. */
static void test_sides_without_resistance(void **state) {
  sample s = {23, 41, 0, 0, 1e3, 1e6, 0.1};
  double *g = devices(&s, 3), *v = normal(23 * 2, 4), *e = normal(41 * 2, 5);
  for (int which = 0; which < 3; which++) {
    sample none = s, small = s;
    none.r_word = which == 0 ? 7 : 0;
    none.r_bit = which == 1 ? 7 : 0;
    small.r_word = none.r_word > 0 ? 7 : 1e-11;
    small.r_bit = none.r_bit > 0 ? 7 : 1e-11;
    solved a = solve(options(&none, MHO_WIRE_AUTO), g, 2, v, e),
           b = solve(options(&small, MHO_WIRE_ITERATIVE), g, 2, v, e);
    assert_int_equal(a.stats.method, MHO_WIRE_LADDER);
    same(options(&s, 0), 2, &a, &b, fmax(largest(46, v), largest(82, e)));
    NEAR(a.stats.power_in, a.stats.power_lost, 1e-9, 0);
    if (which == 2)
      for (int j = 0; j < 41; j++) {
        double sum = 0;
        for (int i = 0; i < 23; i++)
          sum += g[i * 41 + j] * (v[i] - e[j]);
        NEAR(a.i_bit[j], sum, 1e-11, 1e-15);
      }
    solved_free(&a);
    solved_free(&b);
  }

  mho_free(g);
  mho_free(v);
  mho_free(e);
}

/* ---------------------------------------------------------------- laws */

static void test_superposition_reciprocity_power(void **state) {
  for (int k = 0; k < MHO_COUNT(samples); k++) {
    const sample *s = &samples[k];
    size_t rows = (size_t)s->rows, cols = (size_t)s->cols;
    double *g = devices(s, (uint32_t)k + 50), *v = normal(3 * rows, 60), *e = normal(cols, 61);
    for (size_t i = 0; i < rows; i++)
      v[2 * rows + i] = v[i] - 3 * v[rows + i];
    solved a = solve(options(s, MHO_WIRE_AUTO), g, 3, v, NULL),
           b = solve(options(s, MHO_WIRE_AUTO), g, 1, NULL, e);
    double most = largest(3 * cols, a.i_bit), forward = 0, backward = 0, size = 0;
    for (size_t j = 0; j < cols; j++) {
      NEAR(a.i_bit[2 * cols + j], a.i_bit[j] - 3 * a.i_bit[cols + j], 0, 4e-9 * most);
      forward += a.i_bit[j] * e[j];
      size += fabs(a.i_bit[j] * e[j]);
    }
    for (size_t i = 0; i < rows; i++)
      backward -= b.i_word[i] * v[i]; /* what arrives at the held ends */
    NEAR(forward, backward, 0, 1e-9 * size * sqrt((double)(rows + cols)));
    NEAR(a.stats.power_in, a.stats.power_lost, 1e-9, 0);
    NEAR(b.stats.power_in, b.stats.power_lost, 1e-9, 0);
    assert_true(a.stats.residual < 1e-9 || s->r_word < 0.01);
    solved_free(&a);
    solved_free(&b);
    mho_free(g);
    mho_free(v);
    mho_free(e);
  }
}

/* Every column and row of the effective matrix against single solves, at several tolerances; the
 * transposed array's is the transpose, as the drivers swap sides. */
static void test_effective(void **state) {
  static const sample shapes[] = {
      {1, 1, 1, 1, 1e3, 1e4, 0},   {40, 24, 1, 1, 1e4, 1e6, .1}, {24, 40, 100, 10, 1e3, 1e5, 0},
      {33, 65, 0, 5, 1e4, 1e5, 0}, {17, 9, 5, 0, 1e4, 1e5, .2},  {64, 64, 5, 5, 1e4, 1e5, 0},
      {1, 50, 1, 1, 1e3, 1e6, 0},  {50, 1, 1, 1, 1e3, 1e6, 0},   {30, 30, 1e3, 1e3, 100, 100, 0}};
  const double tolerance[] = {1e-9, 1e-4, 1e-2};
  for (int k = 0; k < MHO_COUNT(shapes); k++) {
    const sample *s = &shapes[k];
    size_t rows = (size_t)s->rows, cols = (size_t)s->cols;
    double *g = devices(s, 70), *eff = mho_alloc(rows * cols, sizeof *eff),
           *unit = mho_alloc(rows * rows, sizeof *unit);
    for (size_t i = 0; i < rows; i++)
      unit[i * rows + i] = 1;
    solved all =
        solve(options(s, MHO_WIRE_DIRECT), g, s->rows, unit, NULL); /* i_bit is the matrix */
    double most = largest(rows * cols, all.i_bit);
    for (int t = 0; t < MHO_COUNT(tolerance); t++) {
      mho_wire_options o = options(s, MHO_WIRE_AUTO);
      o.tolerance = tolerance[t];
      OK(mho_wire_effective(&o, g, eff, &ei));
      for (size_t i = 0; i < rows * cols; i++)
        NEAR(eff[i], all.i_bit[i], 0, tolerance[t] * most);
    }
    solved_free(&all);
    mho_free(g);
    mho_free(eff);
    mho_free(unit);
  }
}

static void test_threads(void **state) {
  const sample *s = &samples[8];
  double *g = devices(s, 9), *v = normal(20 * 100, 9);
  mho_wire_options o = options(s, MHO_WIRE_ITERATIVE);
  for (int n = 1; n <= 20; n += 19) {
    solved one = solve(o, g, n, v, NULL), three;
    OK(mho_pool_new(3, &o.pool, &ei));
    three = solve(o, g, n, v, NULL);
    mho_pool_free(o.pool);
    o.pool = NULL;
    assert_memory_equal(one.i_bit, three.i_bit, (size_t)n * 70 * sizeof(double));
    assert_memory_equal(one.node_word, three.node_word, (size_t)n * 7000 * sizeof(double));
    solved_free(&one);
    solved_free(&three);
  }
  mho_free(g);
  mho_free(v);
}

/* ---------------------------------------------------------------- hostile arrays */

/* Devices of 100 ohm behind wires of 1 kohm: every method that answers gives the direct method's
 * answer. */
static void test_strong_wires(void **state) {
  for (int n = 8; n <= 64; n *= 8) {
    sample s = {n, n, 1e3, 1e3, 100, 100, 0};
    double *g = devices(&s, 1), *v = normal((size_t)n, 2);
    solved a, b = solve(options(&s, MHO_WIRE_DIRECT), g, 1, v, NULL),
              c = solve(options(&s, MHO_WIRE_AUTO), g, 1, v, NULL);
    if (!try_solve(options(&s, MHO_WIRE_ITERATIVE), g, 1, v, NULL, &a))
      same(options(&s, 0), 1, &a, &b, largest((size_t)n, v));
    same(options(&s, 0), 1, &c, &b, largest((size_t)n, v));
    solved_free(&a);
    solved_free(&b);
    solved_free(&c);
    mho_free(g);
    mho_free(v);
  }
}

static void test_open_devices(void **state) {
  sample s = {20, 30, 2, 3, 1e4, 1e5, 0};
  for (int method = MHO_WIRE_DIRECT; method <= MHO_WIRE_ITERATIVE; method++) {
    double *g = devices(&s, 1), *v = normal(20, 2);
    for (int j = 0; j < 30; j++)
      g[7 * 30 + j] = 0; /* a word line without devices carries nothing and stays at its drive */
    for (int i = 0; i < 20; i++)
      g[i * 30 + 11] = 0; /* a bit line without devices gives nothing */
    solved a = solve(options(&s, (mho_wire_method)method), g, 1, v, NULL);
    NEAR(a.i_word[7], 0, 0, 1e-18);
    NEAR(a.node_word[7 * 30 + 29], v[7], 1e-13, 0);
    NEAR(a.i_bit[11], 0, 0, 1e-18);
    NEAR(a.stats.power_in, a.stats.power_lost, 1e-9, 0);
    solved_free(&a);
    memset(g, 0, 600 * sizeof *g);
    a = solve(options(&s, (mho_wire_method)method), g, 1, v, NULL);
    for (int j = 0; j < 30; j++)
      NEAR(a.i_bit[j], 0, 0, 1e-18);
    solved_free(&a);
    memset(v, 0, 20 * sizeof *v);
    a = solve(options(&s, (mho_wire_method)method), g, 1, v, NULL);
    NEAR(largest(30, a.i_bit), 0, 0, 0);
    solved_free(&a);
    mho_free(g);
    mho_free(v);
  }
}

static void test_refusals(void **state) {
  double g[6] = {1e-3, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3}, v[2] = {1, 1};
  mho_wire_options good = {.rows = 2, .cols = 3, .r_word = 1, .r_bit = 1};
  solved s;
  const mho_wire_options bad[] = {{.rows = 0, .cols = 3},
                                  {.rows = 2, .cols = -1},
                                  {.rows = 2, .cols = 3, .r_word = -1},
                                  {.rows = 2, .cols = 3, .r_bit = (double)NAN},
                                  {.rows = 2, .cols = 3, .r_bit = (double)INFINITY}};
  for (int k = 0; k < MHO_COUNT(bad); k++) {
    mho_wire *w;
    assert_int_equal(mho_wire_new(&bad[k], &w, &ei), MHO_EINVAL);
    assert_null(w);
  }

  const double wrong[] = {-1e-9, (double)NAN, (double)INFINITY, 1e9};
  for (int k = 0; k < MHO_COUNT(wrong); k++) {
    g[4] = wrong[k];
    assert_int_equal(try_solve(good, g, 1, v, NULL, &s), MHO_EINVAL);
    assert_int_equal(ei.row, 1);
    assert_int_equal(ei.col, 1);
    solved_free(&s);
  }

  g[4] = 0;
  v[1] = (double)NAN;
  assert_int_equal(try_solve(good, g, 1, v, NULL, &s), MHO_EINVAL);
  assert_int_equal(ei.col, 1);
  solved_free(&s);
  assert_int_equal(try_solve(good, g, 0, v, NULL, &s), MHO_EINVAL);
  solved_free(&s);
}

/* ---------------------------------------------------------------- nonlinear cells */

enum { NL_ROWS = 12, NL_COLS = 9 };

/* Kirchhoff's law at every node with each cell's own law, from the node voltages. */
static void check_nonlinear(const mho_wire_law *law, double volts,
                            double (*current)(const mho_wire_law *, double g, double v)) {
  mho_wire_options o = {.rows = NL_ROWS, .cols = NL_COLS, .r_word = 20, .r_bit = 35};
  double *g = log_uniform(NL_ROWS * NL_COLS, 4, 1e-6, 1e-3, 0.1), *v = normal(NL_ROWS, 5),
         a[NL_ROWS * NL_COLS], b[NL_ROWS * NL_COLS];
  double out[NL_COLS], most = 0;
  mho_wire_stats stats;
  for (int i = 0; i < NL_ROWS; i++)
    v[i] *= volts;
  mho_wire_read r = {.n = 1, .v_word = v, .i_bit = out, .node_word = a, .node_bit = b};
  OK(mho_wire_newton(&o, g, law, &r, &stats, &ei));
  assert_in_range(stats.iterations, 1, 40);
  for (int j = 0; j < NL_COLS; j++)
    most = fmax(most, fabs(out[j]));
  for (int i = 0; i < NL_ROWS; i++)
    for (int j = 0; j < NL_COLS; j++) {
      int k = i * NL_COLS + j;
      double cell = current(law, g[k], a[k] - b[k]);
      double left = (j ? a[k - 1] : v[i]) - a[k], right = j + 1 < NL_COLS ? a[k + 1] - a[k] : 0;
      NEAR(left / 20 + right / 20, cell, 0, 1e-9 * most);
      double up = i ? b[k - NL_COLS] - b[k] : 0,
             down = (i + 1 < NL_ROWS ? b[k + NL_COLS] : 0) - b[k];
      NEAR(up / 35 + down / 35, -cell, 0, 1e-9 * most);
    }

  mho_free(g);
  mho_free(v);
}

static double sinh_cell(const mho_wire_law *l, double g, double v) {
  return g * l->v_0 * sinh(v / l->v_0);
}

static double cubic_cell(const mho_wire_law *l, double g, double v) {
  return g * (v + l->c_2 * v * v + l->c_3 * v * v * v);
}

static double transistor_cell(const mho_wire_law *l, double g, double v) {
  return v * g / (1 + g * l->r_series);
}

/* Of a device in series with a selector, by bisection. */
static double selector_cell(const mho_wire_law *l, double g, double v) {
  double low = -1, high = 1;
  for (int k = 0; k < 200; k++) {
    double i = 0.5 * (low + high);
    if (g > 0 && i / g + l->v_s * asinh(i / l->i_s) < v)
      low = i;
    else
      high = i;
  }
  return g > 0 ? 0.5 * (low + high) : 0;
}

static void test_nonlinear(void **state) {
  check_nonlinear(&(mho_wire_law){.kind = MHO_WIRE_SINH, .v_0 = 0.1}, 0.3, sinh_cell);
  check_nonlinear(&(mho_wire_law){.kind = MHO_WIRE_SINH, .v_0 = 0.1}, 1, sinh_cell);
  check_nonlinear(&(mho_wire_law){.kind = MHO_WIRE_POLYNOMIAL, .c_2 = 0.2, .c_3 = 0.5}, 0.5,
                  cubic_cell);
  check_nonlinear(&(mho_wire_law){.r_series = 3000}, 0.5, transistor_cell);
  check_nonlinear(&(mho_wire_law){.v_s = 0.05, .i_s = 1e-9}, 0.5, selector_cell);
  /* a law that falls between 0.33 and 1 V is refused there, with a sentence */
  double g[4] = {1e-3, 1e-3, 1e-3, 1e-3}, v[2] = {0.7, 0.7}, out[2];
  mho_wire_options o = {.rows = 2, .cols = 2, .r_word = 1, .r_bit = 1};
  mho_wire_law falls = {.kind = MHO_WIRE_POLYNOMIAL, .c_2 = -2, .c_3 = 1};
  mho_wire_read r = {.n = 1, .v_word = v, .i_bit = out};
  assert_int_equal(mho_wire_newton(&o, g, &falls, &r, NULL, &ei), MHO_EDIVERGED);
  assert_non_null(strstr(ei.message, "lower the voltages"));
  assert_int_equal(mho_wire_newton(&o, g, &(mho_wire_law){.kind = MHO_WIRE_SINH}, &r, NULL, &ei),
                   MHO_EINVAL);
}

/* Without wires a half-selected device sees exactly V/2 or V/3; wires take from the selected
 * one. */
static void test_half_selected(void **state) {
  enum { N = 16 };
  sample s = {N, N, 0, 0, 1e4, 1e5, 0};
  double *g = devices(&s, 6), word[N], bit[N];
  for (int scheme = MHO_WIRE_HALF; scheme <= MHO_WIRE_THIRD; scheme++) {
    mho_wire_select(N, N, 2, N - 3, 1.2, (mho_wire_scheme)scheme, word, bit);
    double share = scheme == MHO_WIRE_HALF ? 0.6 : 0.4;
    for (double r = 0; r <= 10; r += 10) {
      s.r_word = s.r_bit = r;
      solved a = solve(options(&s, MHO_WIRE_AUTO), g, 1, word, bit);
      double chosen = a.node_word[2 * N + N - 3] - a.node_bit[2 * N + N - 3], most = 0;
      for (int k = 0; k < N * N; k++)
        if (k != 2 * N + N - 3)
          most = fmax(most, fabs(a.node_word[k] - a.node_bit[k]));
      if (r == 0) {
        NEAR(chosen, 1.2, 1e-12, 0);
        NEAR(most, share, 1e-12, 0);
      } else {
        assert_true(chosen < 1.2 && chosen > 1);
        assert_true(most < 1.1 * share); /* the lines beside it move too */
      }
      solved_free(&a);
    }
  }

  mho_free(g);
}

/* ---------------------------------------------------------------- numbers as text */

static void test_matrix_text(void **state) {
  mho_matrix m;
  const char *text = "\xef\xbb\xbf# siemens\n1, 2.5e-3 ,-3\r\n\n4;.5 ; 6e0\n";
  OK(mho_matrix_parse(text, strlen(text), "g.csv", &m, &ei));
  assert_int_equal(m.rows, 2);
  assert_int_equal(m.cols, 3);
  const double expected[] = {1, 2.5e-3, -3, 4, .5, 6};
  for (int k = 0; k < 6; k++)
    NEAR(m.v[k], expected[k], 0, 0);
  mho_matrix_free(&m);
  static const struct {
    const char *text;
    int line, col;
  } bad[] = {{"1,2\n3\n", 2, 1},  {"1,2\n3,4,5\n", 2, 4},   {"1,x\n", 1, 2},    {"1,,2\n", 1, 2},
             {"1,2,\n", 1, 4},    {"nan\n", 1, 0},          {"1\ninf\n", 2, 0}, {"1e999\n", 1, 0},
             {"1.2.3\n", 1, 0},   {"0x10\n", 1, 0},         {"1 - 2\n", 1, 2},  {"--1\n", 1, 0},
             {"1,5;2,5\n", 1, 3}, {"1 2\n1,5 2,5\n", 2, 3}, {"1\t2,5\n", 1, 3}};
  for (int k = 0; k < MHO_COUNT(bad); k++) {
    assert_int_equal(mho_matrix_parse(bad[k].text, strlen(bad[k].text), "g.csv", &m, &ei),
                     MHO_EDATA);
    assert_string_equal(ei.file, "g.csv");
    assert_int_equal(ei.line, bad[k].line);
    assert_int_equal(ei.col, bad[k].col);
    assert_null(m.v);
  }

  assert_int_equal(mho_matrix_parse("\n# nothing\n", 11, "g.csv", &m, &ei), MHO_EDATA);
  assert_int_equal(mho_matrix_parse("", 0, "g.csv", &m, &ei), MHO_EDATA);
  assert_int_equal(mho_matrix_parse("1\0002\n", 4, "g.csv", &m, &ei), MHO_EDATA);
}

/* Every double that is printed with 17 digits reads back as itself. */
static void test_matrix_round_trip(void **state) {
  char text[64];
  uint32_t bits[2000];
  mho_rng_u32(mho_rng_make(3, MHO_RNG_TEST, 0), 0, 0, 2000, bits);
  for (int k = 0; k < 1000; k++) {
    double v;
    uint64_t b = (uint64_t)bits[2 * k] << 32 | bits[2 * k + 1];
    memcpy(&v, &b, sizeof v);
    if (!isfinite(v))
      continue;
    for (int digits = 15; digits <= 17; digits += 2) {
      mho_matrix m;
      snprintf(text, sizeof text, "%.*g", digits, v);
      OK(mho_matrix_parse(text, strlen(text), "t", &m, &ei));
      assert_true(m.v[0] == strtod(text, NULL));
      mho_matrix_free(&m);
    }
    mho_matrix m;
    snprintf(text, sizeof text, "%.6f", (double)(int32_t)bits[k] / 1000);
    OK(mho_matrix_parse(text, strlen(text), "t", &m, &ei));
    assert_true(m.v[0] == strtod(text, NULL));
    mho_matrix_free(&m);
  }
}

/* Mutations of a good file: read, or refused with a place inside it; never anything else. */
static void test_matrix_fuzz(void **state) {
  static const char seed[] = "1e-5,2.25e-6,3\n4,5.125,-6\n# c\n7;8;9\n";
  static const char spice[] = ",;.eE+-0123456789 \t\r\n#xnai\0\xff";
  for (uint64_t k = 0; k < 20000; k++) {
    char text[128];
    uint32_t u[8];
    size_t n = sizeof seed - 1;
    mho_rng_u32(mho_rng_make(4, MHO_RNG_TEST, 0), k, 0, 8, u);
    memcpy(text, seed, sizeof seed);
    for (int m = 0; m < 3; m++) {
      size_t at = u[m] % n;
      char c = spice[u[m + 3] % (sizeof spice - 1)];
      if (u[6] >> m & 1) { /* insert, else replace */
        memmove(text + at + 1, text + at, n - at + 1);
        n++;
      }
      text[at] = c;
    }
    n = u[7] % 8 ? n : u[7] / 8 % n; /* cut off, now and then */
    text[n] = 0;
    mho_matrix m;
    mho_err err = mho_matrix_parse(text, n, "f.csv", &m, &ei);
    assert_true(err == MHO_OK || err == MHO_EDATA);
    assert_true(err ? !m.v : m.rows > 0 && m.cols > 0);
    for (int i = 0; !err && i < m.rows * m.cols; i++)
      assert_true(isfinite(m.v[i]));
    mho_matrix_free(&m);
  }
}

static void test_wide_text(void **state) {
  enum { COLS = 100000 };
  char *text = mho_alloc(COLS * 8 + 1, 1);
  size_t n = 0;
  for (int j = 0; j < COLS; j++)
    n += (size_t)snprintf(text + n, 9, "%d%s", j, j + 1 < COLS ? "," : "\n");
  mho_matrix m;
  OK(mho_matrix_parse(text, n, "wide", &m, &ei));
  assert_int_equal(m.cols, COLS);
  NEAR(m.v[COLS - 1], COLS - 1, 0, 0);
  mho_matrix_free(&m);
  mho_free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_against_direct),
      cmocka_unit_test(test_large_against_direct),
      cmocka_unit_test(test_ladders),
      cmocka_unit_test(test_sides_without_resistance),
      cmocka_unit_test(test_superposition_reciprocity_power),
      cmocka_unit_test(test_effective),
      cmocka_unit_test(test_threads),
      cmocka_unit_test(test_strong_wires),
      cmocka_unit_test(test_open_devices),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_nonlinear),
      cmocka_unit_test(test_half_selected),
      cmocka_unit_test(test_matrix_text),
      cmocka_unit_test(test_matrix_round_trip),
      cmocka_unit_test(test_matrix_fuzz),
      cmocka_unit_test(test_wide_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
