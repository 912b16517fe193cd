/* currents.c - from node voltages to currents and power, and Kirchhoff's current law at every node.
 *
 * The current of a line's end is the drop over its last segment or the sum over its devices,
 * whichever loses less to cancellation: the drop where the end is at 0 V, the sum where a driver of
 * 1 V has a drop of 1 uV.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <float.h>
#include <math.h>
#include <string.h>

#include "wire/wire_impl.h"

enum { ROWS_A_TASK = 32 };

typedef struct report {
  const mho_wire *w;
  const mho_wire_read *read;
  int v0, n; /* vectors */
  const double *node_word, *x;
  size_t lanes;
  double *
      scratch; /* [threads][3 n cols + cols]: three rows of bit-line voltages, one of a word line */
  double *sums;            /* [tasks][n][2 cols]: sums of device currents and of their sizes */
  mho_wire_check *checked; /* [tasks][n] */
} report;

/* One end of a line at voltage `end`, its nearest node at v. */
static double end_current(double g, double end, double v, double devices, double sizes) {
  return g * fmax(fabs(v), fabs(end)) < sizes ? g * (v - end) : devices;
}

static double larger(double a, double b) {
  return a > b ? a : b;
}

static void count_node(mho_wire_check *c, double sum, double scale) {
  c->residual = larger(c->residual, fabs(sum));
  c->total += fabs(sum);
  c->rounding = larger(c->rounding, 4 * DBL_EPSILON * scale);
}

/* Row i of vector v: its word line's voltages a, its bit-line nodes' x and those of the rows beside
 * it (up: NULL in the first, below: the ends in the last). */
static void report_row(const report *r, size_t v, int i, const double *a, const double *up,
                       const double *x, const double *below, double *devices, mho_wire_check *c) {
  const mho_wire *w = r->w;
  size_t cols = (size_t)w->o.cols, row = (size_t)i * cols;
  bool word = w->o.r_word > 0, bit = w->o.r_bit > 0;
  double gw = word ? 1 / w->o.r_word : 0, gb = bit ? 1 / w->o.r_bit : 0, sum = 0, size = 0;
  double drive = r->read->v_word ? r->read->v_word[v * (size_t)w->o.rows + (size_t)i] : 0;
  const double *source = r->read->source ? r->read->source + v * w->cells + row : NULL;
  double lost = 0, left = drive, *sizes = devices + cols;
  for (size_t j = 0; j < cols; j++) {
    double g = w->g[row + j], drop = a[j] - x[j], device = g * drop,
           most = g * (fabs(a[j]) + fabs(x[j]));
    lost += device * drop;
    if (source) {
      c->in -= source[j] * drop;
      device += source[j];
      most += fabs(source[j]);
    }
    c->largest = larger(c->largest, fabs(device));
    sum += device;
    size += most;
    devices[j] += device;
    sizes[j] += most;
    if (word) {
      double in = left - a[j], out = j + 1 < cols ? a[j + 1] - a[j] : 0;
      lost += gw * in * in;
      count_node(c, gw * in + gw * out - device, most + gw * (fabs(a[j]) + fabs(left)));
      left = a[j];
    }
    if (bit) {
      double out = below[j] - x[j], in = up ? up[j] - x[j] : 0;
      lost += gb * out * out;
      count_node(c, device + gb * out + gb * in, most + gb * (fabs(x[j]) + fabs(below[j])));
    }
  }
  double current = word ? -end_current(gw, drive, a[0], -sum, size) : sum;
  c->lost += lost;
  c->largest = larger(c->largest, fabs(current));
  c->in += drive * current;
  if (r->read->i_word)
    r->read->i_word[v * (size_t)w->o.rows + (size_t)i] = current;
}

/* The bit-line nodes of row i, vector by vector: [n][cols]; below the last row, the ends. */
static void gather(const report *r, int i, double *out) {
  size_t cols = (size_t)r->w->o.cols;
  const double *x = r->x + (size_t)i * cols * r->lanes;
  for (size_t l = 0; l < (size_t)r->n; l++)
    for (size_t j = 0; j < cols; j++)
      out[l * cols + j] = i < r->w->o.rows ? x[j * r->lanes + l]
                          : r->read->v_bit ? r->read->v_bit[((size_t)r->v0 + l) * cols + j]
                                           : 0;
}

static void report_task(void *arg, int t, int thread) {
  const report *r = arg;
  const mho_wire *w = r->w;
  size_t cols = (size_t)w->o.cols, n = (size_t)r->n;
  double *own = r->scratch + (size_t)thread * (3 * n + 1) * cols, *a = own + 3 * n * cols;
  double *up = own, *x = own + n * cols, *below = own + 2 * n * cols;
  int i0 = t * ROWS_A_TASK, i1 = i0 + ROWS_A_TASK < w->o.rows ? i0 + ROWS_A_TASK : w->o.rows;
  if (i0)
    gather(r, i0 - 1, up);
  gather(r, i0, x);
  for (int i = i0; i < i1; i++) {
    gather(r, i + 1, below);
    size_t row = (size_t)i * cols;
    for (size_t l = 0; l < n; l++) {
      size_t v = (size_t)r->v0 + l, task = (size_t)t * n + l;
      const double *xl = x + l * cols;
      if (r->node_word)
        memcpy(a, r->node_word + row, cols * sizeof *a);
      else
        mho_wire_word_line(w, i,
                           r->read->v_word ? r->read->v_word[v * (size_t)w->o.rows + (size_t)i] : 0,
                           xl, 1, r->read->source ? r->read->source + v * w->cells + row : NULL, a);
      report_row(r, v, i, a, i ? up + l * cols : NULL, xl, below + l * cols,
                 r->sums + task * 2 * cols, &r->checked[task]);
      if (r->read->node_word)
        memcpy(r->read->node_word + v * w->cells + row, a, cols * sizeof *a);
      if (r->read->node_bit)
        memcpy(r->read->node_bit + v * w->cells + row, xl, cols * sizeof *a);
    }
    double *free_row = up;
    up = x;
    x = below;
    below = free_row;
  }
}

/* Sum up the tasks of vector l, in order, and its bit lines' ends. */
static void collect(const report *r, size_t l, int tasks, mho_wire_check *check) {
  const mho_wire *w = r->w;
  size_t cols = (size_t)w->o.cols, n = (size_t)r->n, v = (size_t)r->v0 + l;
  double *sums = r->sums + l * 2 * cols;
  *check = (mho_wire_check){0};
  for (size_t t = 0; t < (size_t)tasks; t++) {
    const mho_wire_check *c = &r->checked[t * n + l];
    check->residual = larger(check->residual, c->residual);
    check->total += c->total;
    check->rounding = larger(check->rounding, c->rounding);
    check->largest = larger(check->largest, c->largest);
    check->in += c->in;
    check->lost += c->lost;
    for (size_t j = 0; t && j < 2 * cols; j++)
      sums[j] += r->sums[(t * n + l) * 2 * cols + j];
  }
  const double *bottom = r->x + (size_t)(w->o.rows - 1) * cols * r->lanes + l;
  for (size_t j = 0; j < cols; j++) {
    double end = r->read->v_bit ? r->read->v_bit[v * cols + j] : 0, current = sums[j];
    if (w->o.r_bit > 0)
      current = end_current(1 / w->o.r_bit, end, bottom[j * r->lanes], current, sums[cols + j]);
    check->largest = larger(check->largest, fabs(current));
    check->in -= end * current;
    if (r->read->i_bit)
      r->read->i_bit[v * cols + j] = current;
  }
}

mho_err mho_wire_report(const mho_wire *w, const mho_wire_read *read, int v0, int n,
                        const double *node_word, const double *x, int lanes, mho_pool *pool,
                        mho_wire_check *check) {
  size_t cols = (size_t)w->o.cols;
  int tasks = (w->o.rows + ROWS_A_TASK - 1) / ROWS_A_TASK;
  report r = {.w = w,
              .read = read,
              .v0 = v0,
              .n = n,
              .node_word = node_word,
              .x = x,
              .lanes = (size_t)lanes};
  r.scratch =
      mho_alloc((size_t)mho_pool_threads(pool) * (3 * (size_t)n + 1) * cols, sizeof *r.scratch);
  r.sums = mho_alloc((size_t)tasks * (size_t)n * 2 * cols, sizeof *r.sums);
  r.checked = mho_alloc((size_t)tasks * (size_t)n, sizeof *r.checked);
  bool ok = r.scratch && r.sums && r.checked;
  if (ok) {
    mho_pool_run(pool, tasks, report_task, &r);
    for (int l = 0; l < n; l++)
      collect(&r, (size_t)l, tasks, &check[l]);
  }
  mho_free(r.scratch);
  mho_free(r.sums);
  mho_free(r.checked);
  return ok ? MHO_OK : MHO_ENOMEM;
}
