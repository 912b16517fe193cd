/* line_sums.c - what the lines of a crossbar of conductances load the nodes at their ends with.
 *
 * Sums are found once after a change of weights, by whoever asks first; others wait meanwhile. They
 * go block by block of rows, so that rounding does not grow with the number of rows.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/line_sums.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { BLOCK = 64 }; /* rows whose sum is found before it is added to those above */

/* [0] sums of columns, [1] of rows. */
struct mho_line_sums {
  int rows, cols; /* of conductances */
  pthread_mutex_t lock;
  atomic_bool fresh[2];
  mho_real *sum[2];
  mho_real *block; /* [cols] */
  /** [0] between columns, [cols x cols], [1] between rows; NULL without wires. */
  mho_real *joint[2];
};

mho_err mho__line_sums_new(mho_crossbar *x, int rows, mho_errinfo *ei) {
  if (rows == 0)
    return MHO_OK;

  x->sums = mho_alloc(1, sizeof *x->sums);
  struct mho_line_sums *s = x->sums;
  bool ok = s != NULL;
  if (ok) {
    pthread_mutex_init(&s->lock, NULL);
    s->cols = x->cols;
    s->rows = rows;
    s->sum[0] = mho_alloc((size_t)s->cols, sizeof(mho_real));
    s->sum[1] = mho_alloc((size_t)s->rows, sizeof(mho_real));
    s->block = mho_alloc((size_t)s->cols, sizeof(mho_real));
    ok = s->sum[0] && s->sum[1] && s->block;
  }
  if (!ok)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a crossbar of %d x %d", x->rows, x->cols);
  return MHO_OK;
}

void mho__line_sums_free(mho_crossbar *x) {
  struct mho_line_sums *s = x->sums;
  if (!s)
    return;

  pthread_mutex_destroy(&s->lock);
  mho_free(s->sum[0]);
  mho_free(s->sum[1]);
  mho_free(s->block);
  mho_free(s->joint[0]);
  mho_free(s->joint[1]);
  mho_free(s);
}

mho_err mho__line_sums_join(mho_crossbar *x, mho_errinfo *ei) {
  struct mho_line_sums *s = x->sums;
  for (int way = 0; way < 2; way++) {
    size_t n = (size_t)(way ? s->rows : s->cols);
    if (!s->joint[way])
      s->joint[way] = mho_alloc(n * n, sizeof(mho_real));
    if (!s->joint[way])
      return mho_fail(ei, MHO_ENOMEM, "no memory for the wires between %d lines", (int)n);
  }
  return MHO_OK;
}

mho_real *mho__line_sums_joints(const mho_crossbar *x, bool rows) {
  return x->sums ? x->sums->joint[rows] : NULL;
}

/* ---------------------------------------------------------------- sums */

double mho_crossbar_floor(const mho_crossbar *x) {
  if (!x->sums || !mho_crossbar_has_cells(x))
    return 0;
  const mho_device_config *c = &x->bank[0]->config;
  return x->w_max * c->g_min / (c->g_max - c->g_min);
}

static void sum_columns(const mho_real *w, mho_real floor, struct mho_line_sums *s) {
  size_t cols = (size_t)s->cols;
  memset(s->sum[0], 0, cols * sizeof(mho_real));

  for (int first = 0; first < s->rows; first += BLOCK) {
    int end = mho_min(first + BLOCK, s->rows);
    memset(s->block, 0, cols * sizeof(mho_real));
    for (int i = first; i < end; i++)
      for (size_t j = 0; j < cols; j++)
        s->block[j] += w[(size_t)i * cols + j];
    for (size_t j = 0; j < cols; j++)
      s->sum[0][j] += s->block[j];
  }
  for (size_t j = 0; j < cols; j++)
    s->sum[0][j] += (mho_real)s->rows * floor;
}

static void sum_rows(const mho_real *w, mho_real floor, struct mho_line_sums *s) {
  size_t cols = (size_t)s->cols;

  for (int i = 0; i < s->rows; i++) {
    const mho_real *row = w + (size_t)i * cols;
    mho_real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < cols; j++)
      sum += row[j];
    s->sum[1][i] = sum + (mho_real)cols * floor;
  }
}

/* Of the lines of a side: wires join a line with the others, too. */
static void add_joints(struct mho_line_sums *s, bool rows) {
  size_t n = (size_t)(rows ? s->rows : s->cols);
  const mho_real *joint = s->joint[rows];
  for (size_t i = 0; joint && i < n; i++)
    for (size_t k = 0; k < n; k++)
      s->sum[rows][i] += joint[i * n + k];
}

static bool is_fresh(struct mho_line_sums *s, bool transposed) {
  return atomic_load_explicit(&s->fresh[transposed], memory_order_acquire);
}

void mho__line_sums_forget(const mho_crossbar *x) {
  struct mho_line_sums *s = x->sums;
  for (int way = 0; s && way < 2; way++)
    if (is_fresh(s, way))
      atomic_store_explicit(&s->fresh[way], false, memory_order_release);
}

const mho_real *mho_crossbar_line_sums(const mho_crossbar *x, bool transposed) {
  struct mho_line_sums *s = x->sums;
  if (is_fresh(s, transposed))
    return s->sum[transposed];

  pthread_mutex_lock(&s->lock);
  if (!is_fresh(s, transposed)) {
    mho_real floor = (mho_real)mho_crossbar_floor(x);
    if (transposed)
      sum_rows(mho_crossbar_matrix(x), floor, s);
    else
      sum_columns(mho_crossbar_matrix(x), floor, s);
    add_joints(s, transposed);
    atomic_store_explicit(&s->fresh[transposed], true, memory_order_release);
  }
  pthread_mutex_unlock(&s->lock);
  return s->sum[transposed];
}
