/* tile.c - effective matrices of tiles (see tile.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "wire/tile.h"

#include <string.h>

/* From this tolerance on relaxation in single precision is exact enough: it rounds to 1e-6 of the
 * largest entry. */
static const double SINGLE_FROM = 1e-5;
/* From this rho on a sharper bound saves more relaxations than it costs. */
static const double STRONG = 0.5;

static size_t cells(const mho_tile *t) {
  return (size_t)t->rows * (size_t)t->cols;
}

static bool is_chain(const mho_tile *t) {
  return t->r_word == 0 || t->r_bit == 0;
}

bool mho__tile_init(mho_tile *t, int rows, int cols, double r_word, double r_bit,
                    double tolerance) {
  *t = (mho_tile){
      .rows = rows, .cols = cols, .r_word = r_word, .r_bit = r_bit, .tolerance = tolerance};
  t->turned = rows < cols;
  t->tall = mho_max(rows, cols);
  t->wide = mho_min(rows, cols);
  t->g = mho_alloc(cells(t), sizeof *t->g);
  t->out = mho_alloc(cells(t), sizeof *t->out);
  if (!is_chain(t))
    t->coefficients = mho_alloc(MHO_RELAX_COEFFICIENTS * cells(t), sizeof(double));
  return t->g && t->out && (t->coefficients || is_chain(t));
}

void mho__tile_free(mho_tile *t) {
  mho_free(t->g);
  mho_free(t->out);
  mho_free(t->coefficients);
  *t = (mho_tile){0};
}

static int lanes(const mho_tile *t) {
  return t->single ? MHO_RELAX_LANES_FLOAT : MHO_RELAX_LANES_DOUBLE;
}

size_t mho__tile_scratch(const mho_tile *t) {
  int lane = MHO_RELAX_LANES_DOUBLE; /* as many bytes as the lanes in single precision */
  size_t ends = (size_t)(t->rows + t->cols);
  size_t prepare = 2 * cells(t);
  size_t solve = mho__relax_work(t->tall, t->wide, lane, false) + ends * (size_t)lane;
  size_t most = prepare > solve ? prepare : solve;
  return ((most + ends) * sizeof(double) + 63) & ~(size_t)63;
}

/* The tile as it is solved, times a resistance. Turned round, its word lines are the bit lines from
 * their ends upwards, and the other way round. */
static void orient(const mho_tile *t, double r, double *a) {
  if (!t->turned) {
    for (size_t k = 0; k < cells(t); k++)
      a[k] = r * t->g[k];
    return;
  }

  size_t rows = (size_t)t->rows, cols = (size_t)t->cols;
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < cols; j++)
      a[(cols - 1 - j) * rows + (rows - 1 - i)] = r * t->g[i * cols + j];
}

/* Choose the precision and set the coefficients in it. @return an upper bound of rho. */
static double eliminate(mho_tile *t, const double *aw, const double *ab) {
  bool may_be_single = t->tolerance >= SINGLE_FROM;
  double rho = 1, same;

  if (may_be_single) {
    mho__relax_prepare_float(t->tall, t->wide, aw, ab, t->coefficients, &rho);
    t->single = rho <= STRONG;
    if (t->single)
      return rho;
  }

  mho__relax_prepare_double(t->tall, t->wide, aw, ab, t->coefficients, &rho);
  if (rho > STRONG)
    rho = mho__relax_bound(t->tall, t->wide, t->coefficients, rho);
  t->single = may_be_single && rho < 0.9; /* rounding piles up with every relaxation */
  if (t->single)
    mho__relax_prepare_float(t->tall, t->wide, aw, ab, t->coefficients, &same);
  return rho;
}

void mho__tile_prepare(mho_tile *t, void *scratch) {
  if (is_chain(t)) {
    mho__tile_simple(t, t->out, scratch);
    return;
  }

  double *aw = scratch, *ab = aw;
  orient(t, t->turned ? t->r_bit : t->r_word, aw);
  if (t->r_word != t->r_bit) {
    ab = aw + cells(t);
    orient(t, t->turned ? t->r_word : t->r_bit, ab);
  }
  t->plan = mho__relax_plan_make(eliminate(t, aw, ab), t->tolerance, true);
}

int mho__tile_blocks(const mho_tile *t) {
  return is_chain(t) ? 0 : (t->wide + lanes(t) - 1) / lanes(t);
}

static void put(mho_tile *t, int i, int j, double current) {
  int row = t->turned ? t->rows - 1 - j : i;
  int col = t->turned ? t->cols - 1 - i : j;
  t->out[(size_t)row * (size_t)t->cols + (size_t)col] = current;
}

/* Right-hand sides j0 .. j0+m-1 of n lanes: 1 V at the bottom end of one bit line each. */
#define SOLVE(REAL)                                                                                \
  static void solve_##REAL(mho_tile *t, int block, REAL *scratch) {                                \
    int n = lanes(t), j0 = block * n, m = mho_min(t->wide - j0, n);                                \
    size_t ends = (size_t)t->wide * (size_t)n;                                                     \
    REAL *end = scratch, *first = end + ends, *work = first + (size_t)t->tall * (size_t)n;         \
    memset(end, 0, ends * sizeof *end);                                                            \
    for (int l = 0; l < m; l++)                                                                    \
      end[(size_t)(j0 + l) * (size_t)n + (size_t)l] = 1;                                           \
                                                                                                   \
    mho__relax_run_##REAL(t->tall, t->wide, t->coefficients, &t->plan, NULL, end, work, first,     \
                          NULL);                                                                   \
                                                                                                   \
    double g = 1 / (t->turned ? t->r_bit : t->r_word);                                             \
    for (int i = 0; i < t->tall; i++)                                                              \
      for (int l = 0; l < m; l++)                                                                  \
        put(t, i, j0 + l, g * (double)first[(size_t)i * (size_t)n + (size_t)l]);                   \
  }
SOLVE(double)
SOLVE(float)

void mho__tile_solve(mho_tile *t, int block, void *scratch) {
  if (t->single)
    solve_float(t, block, scratch);
  else
    solve_double(t, block, scratch);
}

/* ---------------------------------------------------------------- through a device's own lines */

/* Each entry times the share of a voltage that reaches its node on the word line. c: [cols]. */
static void weaken_by_words(const mho_tile *t, double *out, double *c) {
  size_t n = (size_t)t->cols;
  for (size_t i = 0; i < (size_t)t->rows; i++) {
    double s = 0, v = 1;
    for (size_t j = n; j-- > 0;) {
      s = t->r_word * t->g[i * n + j] + s / (1 + s);
      c[j] = 1 / (1 + s);
    }
    for (size_t j = 0; j < n; j++) {
      v *= c[j];
      out[i * n + j] *= v;
    }
  }
}

/* The same of the bit lines, all of them side by side. s: [cols]; share: [cells]. */
static void weaken_by_bits(const mho_tile *t, double *out, double *s, double *share) {
  size_t n = (size_t)t->cols;
  memset(s, 0, n * sizeof *s);
  for (size_t k = 0; k < cells(t); k++) {
    size_t j = k % n;
    s[j] = t->r_bit * t->g[k] + s[j] / (1 + s[j]);
    share[k] = 1 / (1 + s[j]);
  }

  for (size_t j = 0; j < n; j++)
    s[j] = 1;
  for (size_t k = cells(t); k-- > 0;) {
    s[k % n] *= share[k];
    out[k] *= s[k % n];
  }
}

void mho__tile_simple(const mho_tile *t, double *out, void *scratch) {
  double *line = scratch;
  memcpy(out, t->g, cells(t) * sizeof *out);
  if (t->r_word > 0)
    weaken_by_words(t, out, line);
  if (t->r_bit > 0)
    weaken_by_bits(t, out, line, line + t->cols);
}
