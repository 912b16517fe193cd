/* tile.c - effective matrices of tiles (see tile.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "wire/tile.h"

#include <string.h>

#include "wire/wire_impl.h"

/* Above, sweeps in single precision are exact enough: their rounding is 1e-6 of the largest
 * entry. */
static const double SINGLE_FROM = 1e-5;
static const double STRONG =
    0.5; /* from this rho on a sharper bound saves more sweeps than it costs */

static size_t cells(const mho_tile *t) {
  return (size_t)t->rows * (size_t)t->cols;
}

static bool is_chain(const mho_tile *t) {
  return t->r_word == 0 || t->r_bit == 0;
}

bool mho_tile_init(mho_tile *t, int rows, int cols, double r_word, double r_bit, double tolerance) {
  *t = (mho_tile){
      .rows = rows, .cols = cols, .r_word = r_word, .r_bit = r_bit, .tolerance = tolerance};
  t->turned = rows < cols;
  t->tall = t->turned ? cols : rows;
  t->wide = t->turned ? rows : cols;
  t->g = mho_alloc(cells(t), sizeof *t->g);
  t->out = mho_alloc(cells(t), sizeof *t->out);
  if (!is_chain(t))
    t->coefficients = mho_alloc(MHO_RELAX_COEFFICIENTS * cells(t), sizeof(double));
  return t->g && t->out && (t->coefficients || is_chain(t));
}

void mho_tile_free(mho_tile *t) {
  mho_free(t->g);
  mho_free(t->out);
  mho_free(t->coefficients);
  *t = (mho_tile){0};
}

static int lanes(const mho_tile *t) {
  return t->single ? MHO_RELAX_LANES_FLOAT : MHO_RELAX_LANES_DOUBLE;
}

size_t mho_tile_scratch(const mho_tile *t) {
  size_t prepare = 2 * cells(t) * sizeof(double);
  size_t lane = MHO_RELAX_LANES_DOUBLE; /* as many bytes as the lanes in single precision */
  size_t solve =
      (mho_relax_work(t->tall, t->wide, (int)lane, false) + (size_t)(t->tall + t->wide) * lane) *
      sizeof(double);
  return (prepare > solve ? prepare : solve) + (size_t)(t->rows + t->cols) * sizeof(double);
}

/* The tile as it is solved, times a resistance. Turned round, its word lines are the bit lines from
 * their ends upwards, and the other way round. */
static void orient(const mho_tile *t, double r, double *a) {
  if (!t->turned) {
    for (size_t k = 0; k < cells(t); k++)
      a[k] = r * t->g[k];
    return;
  }
  for (int i = 0; i < t->rows; i++)
    for (int j = 0; j < t->cols; j++)
      a[(size_t)(t->cols - 1 - j) * (size_t)t->rows + (size_t)(t->rows - 1 - i)] =
          r * t->g[(size_t)i * (size_t)t->cols + (size_t)j];
}

void mho_tile_prepare(mho_tile *t, void *scratch) {
  if (is_chain(t)) {
    mho_tile_simple(t, t->out, scratch);
    return;
  }
  double *aw = scratch, *ab = aw + (t->r_word == t->r_bit ? 0 : cells(t)), rho;
  orient(t, t->turned ? t->r_bit : t->r_word, aw);
  if (ab != aw)
    orient(t, t->turned ? t->r_word : t->r_bit, ab);
  bool may_be_single = t->tolerance >= SINGLE_FROM;
  if (may_be_single)
    mho_relax_prepare_float(t->tall, t->wide, aw, ab, t->coefficients, &rho);
  t->single = may_be_single && rho <= STRONG;
  if (!t->single) {
    mho_relax_prepare_double(t->tall, t->wide, aw, ab, t->coefficients, &rho);
    if (rho > STRONG)
      rho = mho_relax_bound(t->tall, t->wide, t->coefficients, rho);
    t->single = may_be_single && rho < 0.9; /* rounding piles up as sweeps do */
    if (t->single) {
      double same;
      mho_relax_prepare_float(t->tall, t->wide, aw, ab, t->coefficients, &same);
    }
  }
  t->plan = mho_relax_plan_make(rho, t->tolerance, true);
}

int mho_tile_blocks(const mho_tile *t) {
  return is_chain(t) ? 0 : (t->wide + lanes(t) - 1) / lanes(t);
}

static void put(mho_tile *t, int i, int j, double current) {
  size_t to = t->turned ? (size_t)(t->rows - 1 - j) * (size_t)t->cols + (size_t)(t->cols - 1 - i)
                        : (size_t)i * (size_t)t->cols + (size_t)j;
  t->out[to] = current;
}

#define SOLVE(REAL, type)                                                                          \
  static void solve_##type(mho_tile *t, int block, REAL *scratch) {                                \
    int n = lanes(t), j0 = block * n, m = t->wide - j0 < n ? t->wide - j0 : n;                     \
    REAL *end = scratch, *first = end + (size_t)t->wide * (size_t)n,                               \
         *work = first + (size_t)t->tall * (size_t)n;                                              \
    memset(end, 0, (size_t)t->wide *(size_t)n * sizeof *end);                                      \
    for (int l = 0; l < m; l++)                                                                    \
      end[(size_t)(j0 + l) * (size_t)n + (size_t)l] = 1;                                           \
    mho_relax_run_##type(t->tall, t->wide, t->coefficients, &t->plan, NULL, end, work, first,      \
                         NULL);                                                                    \
    double g = 1 / (t->turned ? t->r_bit : t->r_word);                                             \
    for (int i = 0; i < t->tall; i++)                                                              \
      for (int l = 0; l < m; l++)                                                                  \
        put(t, i, j0 + l, g * (double)first[(size_t)i * (size_t)n + (size_t)l]);                   \
  }
SOLVE(double, double)
SOLVE(float, float)

void mho_tile_solve(mho_tile *t, int block, void *scratch) {
  if (t->single)
    solve_float(t, block, scratch);
  else
    solve_double(t, block, scratch);
}

void mho_tile_simple(const mho_tile *t, double *out, void *scratch) {
  size_t n = (size_t)t->cols;
  double *c = scratch;
  memcpy(out, t->g, cells(t) * sizeof *out);
  for (size_t i = 0; t->r_word > 0 && i < (size_t)t->rows; i++) {
    double s = 0, v = 1;
    for (size_t j = n; j-- > 0;) {
      s = t->r_word * t->g[i * n + j] + s / (1 + s);
      c[j] = 1 / (1 + s);
    }
    for (size_t j = 0; j < n; j++)
      out[i * n + j] *= v *= c[j];
  }
  if (t->r_bit == 0)
    return;
  double *s = scratch; /* several columns side by side */
  memset(s, 0, n * sizeof *s);
  double *share = s + n; /* [cells] */
  for (size_t k = 0; k < cells(t); k++) {
    size_t j = k % n;
    s[j] = t->r_bit * t->g[k] + s[j] / (1 + s[j]);
    share[k] = 1 / (1 + s[j]);
  }
  for (size_t j = 0; j < n; j++)
    s[j] = 1;
  for (size_t k = cells(t); k-- > 0;)
    out[k] *= s[k % n] *= share[k];
}
