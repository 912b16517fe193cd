/* Crossbars with wire resistance in ngspice against Kirchhoff's law solved directly in double
 * precision.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/model/circuit.h"
#include "mho/spice.h"
#include "test.h"

enum { SKIPPED = 77 };

typedef struct array { /* one array, its inputs, and what is to be found */
  mho_netlist_crossbar x;
  double *g, *v, *i_out, *v_word, *v_bit;
} array;

/* ---------------------------------------------------------------- the reference */

/* Solve A x = b for a symmetric positive definite band matrix, row k holding A[k][k - w .. k]; b
 * becomes x. */
static void band_solve(int n, int w, double *a, double *b) {
#define A(i, j) a[(size_t)(i) * (size_t)(w + 1) + (size_t)((j) - (i) + w)]
  for (int i = 0; i < n; i++) {
    int first = i > w ? i - w : 0;
    for (int j = first; j <= i; j++) {
      double sum = A(i, j);
      int from = j > w ? j - w : 0;
      for (int k = from > first ? from : first; k < j; k++)
        sum -= A(i, k) * A(j, k);
      A(i, j) = j == i ? sqrt(sum) : sum / A(j, j);
    }
  }
  for (int i = 0; i < n; i++) {
    for (int k = i > w ? i - w : 0; k < i; k++)
      b[i] -= A(i, k) * b[k];
    b[i] /= A(i, i);
  }
  for (int i = n - 1; i >= 0; i--) {
    b[i] /= A(i, i);
    for (int k = i > w ? i - w : 0; k < i; k++)
      b[k] -= A(i, k) * b[i];
  }
#undef A
}

typedef struct grid { /* the equations of all nodes, two a device: word, bit */
  int rows, cols, w;
  double *a, *b;
} grid;

static int node(const grid *m, bool word, int i, int j) {
  return 2 * (i * m->cols + j) + !word;
}

/* A conductance between node n and a fixed voltage, or between two nodes. */
static void to_fixed(grid *m, int n, double g, double v) {
  m->a[(size_t)n * (size_t)(m->w + 1) + (size_t)m->w] += g;
  m->b[n] += g * v;
}
static void between(grid *m, int p, int q, double g) {
  int high = p > q ? p : q, low = p > q ? q : p;
  to_fixed(m, p, g, 0);
  to_fixed(m, q, g, 0);
  m->a[(size_t)high * (size_t)(m->w + 1) + (size_t)(low - high + m->w)] -= g;
}

/* The grid of wires: word lines end at the left, bit lines at the bottom. A line without
 * resistance has the voltage of its end. */
static void reference(const array *a, int vector, double *i_out, double *v_word, double *v_bit) {
  const mho_netlist_crossbar *x = &a->x;
  int rows = x->rows, cols = x->cols, n = 2 * rows * cols;
  const double *v = a->v + vector * (x->transposed ? cols : rows);
  grid m = {rows, cols, 2 * cols, NULL, NULL};
  m.a = calloc((size_t)n * (size_t)(m.w + 1), sizeof *m.a);
  m.b = calloc((size_t)n, sizeof *m.b);
  int tr = x->tile[0] ? x->tile[0] : rows, tc = x->tile[1] ? x->tile[1] : cols;
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < cols; j++) {
      double g = a->g[i * cols + j], end_w = x->transposed ? 0 : v[i],
             end_b = x->transposed ? v[j] : 0;
      int w = node(&m, true, i, j), b = node(&m, false, i, j);
      if (x->r_word == 0)
        to_fixed(&m, w, 1, end_w);
      else if (j % tc)
        between(&m, w, node(&m, true, i, j - 1), 1 / x->r_word);
      else
        to_fixed(&m, w, 1 / x->r_word, end_w);
      if (x->r_bit == 0)
        to_fixed(&m, b, 1, end_b);
      else if ((i + 1) % tr && i + 1 < rows)
        between(&m, b, node(&m, false, i + 1, j), 1 / x->r_bit);
      else
        to_fixed(&m, b, 1 / x->r_bit, end_b);
      if (x->r_word > 0 && x->r_bit > 0)
        between(&m, w, b, g);
      else if (x->r_word > 0)
        to_fixed(&m, w, g, end_b);
      else if (x->r_bit > 0)
        to_fixed(&m, b, g, end_w);
    }

  band_solve(n, m.w, m.a, m.b);
  for (int k = 0; k < rows * cols; k++) {
    v_word[k] = m.b[2 * k];
    v_bit[k] = m.b[2 * k + 1];
  }

  for (int k = 0; k < (x->transposed ? rows : cols); k++)
    i_out[k] = 0;
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < cols; j++)
      i_out[x->transposed ? i : j] += a->g[i * cols + j] *
                                      (v_word[i * cols + j] - v_bit[i * cols + j]) *
                                      (x->transposed ? -1 : 1);

  free(m.a);
  free(m.b);
}

/* ---------------------------------------------------------------- arrays */

/* Resistances log-uniform from 10 kohm to 1 Mohm, every ninth device missing; inputs from -0.2
 * to 0.2 V. */
static void make(array *a, int rows, int cols, bool transposed, int vectors) {
  size_t n = (size_t)rows * (size_t)cols, in = (size_t)vectors * (size_t)(transposed ? cols : rows);
  float *u = malloc((n > in ? n : in) * sizeof *u);
  a->g = malloc(n * sizeof(double));
  a->v = malloc(in * sizeof(double));
  a->i_out = malloc((size_t)vectors * (size_t)(transposed ? rows : cols) * sizeof(double));
  a->v_word = malloc((size_t)vectors * n * sizeof(double));
  a->v_bit = malloc((size_t)vectors * n * sizeof(double));
  mho_rng_uniform(mho_rng_make(5, MHO_RNG_TEST, 0), 0, 0, n, u);
  for (size_t k = 0; k < n; k++)
    a->g[k] = k % 9 == 4 ? 0 : 1e-6 * pow(100, (double)u[k]);
  mho_rng_uniform(mho_rng_make(5, MHO_RNG_TEST, 1), 0, 0, in, u);
  for (size_t k = 0; k < in; k++)
    a->v[k] = .4 * (double)u[k] - .2;
  free(u);
  a->x = (mho_netlist_crossbar){.rows = rows,
                                .cols = cols,
                                .n_banks = 1,
                                .g = {a->g},
                                .v_in = a->v,
                                .transposed = transposed};
}

static void unmake(array *a) {
  free(a->g);
  free(a->v);
  free(a->i_out);
  free(a->v_word);
  free(a->v_bit);
}

static double largest(const double *x, int n) {
  double most = 0;
  for (int i = 0; i < n; i++)
    most = fmax(most, fabs(x[i]));
  return most;
}

/* ngspice and the reference agree: currents within 1e-9 of the largest, nodes within 1e-9 V. */
static void check(mho_spice *s, array *a, int vectors) {
  mho_errinfo ei;
  int n_out = a->x.transposed ? a->x.rows : a->x.cols, cells = a->x.rows * a->x.cols;
  double *i_ref = malloc((size_t)n_out * sizeof *i_ref),
         *w_ref = malloc((size_t)cells * sizeof *w_ref),
         *b_ref = malloc((size_t)cells * sizeof *b_ref);
  OK(mho_spice_crossbar(s, &a->x, vectors, a->v, a->i_out, a->v_word, a->v_bit, &ei));
  for (int k = 0; k < vectors; k++) {
    reference(a, k, i_ref, w_ref, b_ref);
    double scale = largest(i_ref, n_out);
    assert_true(scale > 1e-9);
    for (int j = 0; j < n_out; j++)
      NEAR(a->i_out[k * n_out + j], i_ref[j], 0, 1e-9 * scale);
    for (int j = 0; j < cells; j++) {
      NEAR(a->v_word[k * cells + j], w_ref[j], 0, 1e-9);
      NEAR(a->v_bit[k * cells + j], b_ref[j], 0, 1e-9);
    }
  }
  free(i_ref);
  free(w_ref);
  free(b_ref);
}

/* A wire carries current, or the test would compare nothing but products. */
static void test_reference_feels_the_wires(void **state) {
  array a;
  make(&a, 6, 5, false, 1);
  double plain[5], wired[5], w[30], b[30];
  reference(&a, 0, plain, w, b);
  for (int j = 0; j < 5; j++) {
    double sum = 0;
    for (int i = 0; i < 6; i++)
      sum += a.g[i * 5 + j] * a.v[i];
    NEAR(plain[j], sum, 0, 1e-13 * largest(plain, 5));
  }
  a.x.r_word = a.x.r_bit = 100;
  reference(&a, 0, wired, w, b);
  assert_true(fabs(wired[0] - plain[0]) > 1e-4 * largest(plain, 5));
  unmake(&a);
}

static void test_wires(void **state) {
  static const double r[][2] = {{1, 1}, {20, 5}, {0, 10}, {10, 0}, {0, 0}, {1e-3, 300}};
  for (int k = 0; k < 2 * MHO_COUNT(r); k++) {
    array a;
    make(&a, 12, 9, k % 2, 3);
    a.x.r_word = r[k / 2][0];
    a.x.r_bit = r[k / 2][1];
    check(*state, &a, 3);
    unmake(&a);
  }
}

static void test_tiles(void **state) {
  for (int transposed = 0; transposed < 2; transposed++) {
    array a;
    make(&a, 11, 10, transposed, 2);
    a.x.r_word = 3;
    a.x.r_bit = 8;
    a.x.tile[0] = 4;
    a.x.tile[1] = 5;
    check(*state, &a, 2);
    unmake(&a);
  }
}

/* Wires keep the feedback symmetric: what the transposed read gives is the transposed effective
 * matrix. */
static void test_reciprocity(void **state) {
  enum { N = 5, M = 4 };
  array a;
  mho_errinfo ei;
  make(&a, N, M, false, 1);
  double unit[N * N] = {0}, forward[N * M], back[M * N];
  for (int i = 0; i < N; i++)
    unit[i * N + i] = 1;
  a.x.r_word = 50;
  a.x.r_bit = 70;
  OK(mho_spice_crossbar(*state, &a.x, N, unit, forward, NULL, NULL, &ei));
  memset(unit, 0, sizeof unit);
  for (int j = 0; j < M; j++)
    unit[j * M + j] = 1;
  a.x.transposed = true;
  OK(mho_spice_crossbar(*state, &a.x, M, unit, back, NULL, NULL, &ei));
  for (int i = 0; i < N; i++)
    for (int j = 0; j < M; j++)
      NEAR(back[j * N + i], forward[i * M + j], 1e-12, 1e-18);
  unmake(&a);
}

static void test_large(void **state) {
  static const int size[][2] = {{24, 32}, {64, 64}};
  bool all = getenv("MHO_TEST_SLOW") != NULL; /* ordering 64 x 64 takes ngspice 7 s each way */
  for (int k = 0; k < (all ? 4 : 2); k++) {
    array a;
    make(&a, size[k / 2][0], size[k / 2][1], k % 2, 2);
    a.x.r_word = a.x.r_bit = 1;
    check(*state, &a, 2);
    unmake(&a);
  }
}

static int open_session(void **state) {
  mho_errinfo ei;
  return mho_spice_open((mho_spice **)state, &ei) ? -1 : 0;
}

static int close_session(void **state) {
  mho_spice_close(*state);
  return 0;
}

int main(void) {
  mho_spice *s;
  mho_errinfo ei;
  if (mho_spice_open(&s, &ei) == MHO_EUNSUPPORTED) {
    printf("skipped: %s\n", ei.message);
    return SKIPPED;
  }
  mho_spice_close(s);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reference_feels_the_wires),
      cmocka_unit_test(test_wires),
      cmocka_unit_test(test_tiles),
      cmocka_unit_test(test_reciprocity),
      cmocka_unit_test(test_large),
  };
  return cmocka_run_group_tests(tests, open_session, close_session);
}
