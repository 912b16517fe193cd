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
  /** [threads][3 n cols + cols]: three rows of bit-line voltages, one of a word line. */
  double *scratch;
  double *sums;            /* [tasks][n][2 cols]: sums of device currents and of their sizes */
  mho_wire_check *checked; /* [tasks][n] */
} report;

/* Node voltages around a row of a vector, [cols] each. */
typedef struct row_nodes {
  const double *word;            /* the row's word line */
  const double *up, *bit, *down; /* the bit lines' in the row above (NULL: none), here, below */
} row_nodes;

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

/* Row i of vector v. devices: [2 cols], the bit lines' sums of device currents and of their sizes;
 * those of the row are added. */
static void report_row(const report *r, int v, int i, const row_nodes *at, double *devices,
                       mho_wire_check *c) {
  const mho_wire *w = r->w;
  size_t cols = (size_t)w->o.cols, row = (size_t)i * cols;
  const double *a = at->word, *x = at->bit, *sources = mho__wire_sources(w, r->read, v);
  const double *source = sources ? sources + row : NULL;
  bool word = w->o.r_word > 0 && !w->word_node, bit = w->o.r_bit > 0 && !w->bit_node;
  double gw = word ? 1 / w->o.r_word : 0, g_left = w->word_in;
  double gb = bit ? 1 / w->o.r_bit : 0, g_down = i + 1 < w->o.rows ? gb : w->bit_out;
  double v_word = mho__wire_input(mho__wire_word_voltages(w, r->read, v), (size_t)i);
  double sum = 0, size = 0, lost = 0, left = v_word, *sizes = devices + cols;

  for (size_t j = 0; j < cols; j++) {
    double g = w->g[row + j], drop = a[j] - x[j], device = g * drop;
    double most = g * (fabs(a[j]) + fabs(x[j]));
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
      lost += g_left * in * in;
      count_node(c, g_left * in + gw * out - device, most + gw * (fabs(a[j]) + fabs(left)));
      left = a[j];
      g_left = gw;
    }
    if (bit) {
      double out = at->down[j] - x[j], in = at->up ? at->up[j] - x[j] : 0;
      lost += g_down * out * out;
      count_node(c, device + g_down * out + gb * in, most + gb * (fabs(x[j]) + fabs(at->down[j])));
    }
  }

  if (w->word_node) {
    double in = v_word - a[0];
    lost += w->word_in * in * in;
    count_node(c, w->word_in * in - sum, size + w->word_in * (fabs(a[0]) + fabs(v_word)));
  }

  double current = w->word_in > 0 ? -end_current(w->word_in, v_word, a[0], -sum, size) : sum;
  c->lost += lost;
  c->largest = larger(c->largest, fabs(current));
  c->in += v_word * current;
  if (r->read->i_word)
    r->read->i_word[(size_t)v * (size_t)w->o.rows + (size_t)i] = current;
}

/* The bit-line nodes of row i, vector by vector: [n][cols]; below the last row, the ends. */
static void gather(const report *r, int i, double *out) {
  size_t cols = (size_t)r->w->o.cols;
  const double *x = r->x + (size_t)i * cols * r->lanes;
  bool inside = i < r->w->o.rows;

  for (int l = 0; l < r->n; l++) {
    const double *ends = mho__wire_bit_voltages(r->w, r->read, r->v0 + l);
    double *to = out + (size_t)l * cols;
    for (size_t j = 0; j < cols; j++)
      to[j] = inside ? x[j * r->lanes + (size_t)l] : mho__wire_input(ends, j);
  }
}

/* The nodes of row i's word line for vector v, from its bit lines' nodes x, [cols] each. */
static void word_nodes(const report *r, int v, int i, const double *x, double *a) {
  const mho_wire *w = r->w;
  size_t cols = (size_t)w->o.cols, row = (size_t)i * cols;

  if (r->node_word) {
    memcpy(a, r->node_word + row, cols * sizeof *a);
    return;
  }
  double v_word = mho__wire_input(mho__wire_word_voltages(w, r->read, v), (size_t)i);
  const double *sources = mho__wire_sources(w, r->read, v);
  mho__wire_word_line(w, i, v_word, x, 1, sources ? sources + row : NULL, a);
}

static void report_task(void *arg, int t, int thread) {
  const report *r = arg;
  const mho_wire *w = r->w;
  size_t cols = (size_t)w->o.cols, n = (size_t)r->n;
  double *own = r->scratch + (size_t)thread * (3 * n + 1) * cols, *a = own + 3 * n * cols;
  double *up = own, *x = own + n * cols, *down = own + 2 * n * cols;
  int i0 = t * ROWS_A_TASK, i1 = mho_min(i0 + ROWS_A_TASK, w->o.rows);

  if (i0)
    gather(r, i0 - 1, up);
  gather(r, i0, x);
  for (int i = i0; i < i1; i++) {
    gather(r, i + 1, down);
    for (size_t l = 0; l < n; l++) {
      int v = r->v0 + (int)l;
      size_t task = (size_t)t * n + l, row = (size_t)v * w->cells + (size_t)i * cols;
      row_nodes at = {a, i ? up + l * cols : NULL, x + l * cols, down + l * cols};
      word_nodes(r, v, i, at.bit, a);
      report_row(r, v, i, &at, r->sums + task * 2 * cols, &r->checked[task]);
      if (r->read->node_word)
        memcpy(r->read->node_word + row, a, cols * sizeof *a);
      if (r->read->node_bit)
        memcpy(r->read->node_bit + row, at.bit, cols * sizeof *a);
    }
    double *unused = up;
    up = x;
    x = down;
    down = unused;
  }
}

static void add_check(mho_wire_check *sum, const mho_wire_check *c) {
  sum->residual = larger(sum->residual, c->residual);
  sum->total += c->total;
  sum->rounding = larger(sum->rounding, c->rounding);
  sum->largest = larger(sum->largest, c->largest);
  sum->in += c->in;
  sum->lost += c->lost;
}

/* Sum up the tasks of vector l, in order, and its bit lines' ends. */
static void collect(const report *r, size_t l, int tasks, mho_wire_check *check) {
  const mho_wire *w = r->w;
  size_t cols = (size_t)w->o.cols, n = (size_t)r->n, v = (size_t)r->v0 + l;
  double *sums = r->sums + l * 2 * cols;

  *check = (mho_wire_check){0};
  for (size_t t = 0; t < (size_t)tasks; t++) {
    add_check(check, &r->checked[t * n + l]);
    if (t == 0)
      continue; /* its sums are where the total is */
    for (size_t j = 0; j < 2 * cols; j++)
      sums[j] += r->sums[(t * n + l) * 2 * cols + j];
  }

  const double *bottom = r->x + (size_t)(w->o.rows - 1) * cols * r->lanes + l;
  const double *ends = mho__wire_bit_voltages(w, r->read, (int)v);
  for (size_t j = 0; j < cols; j++) {
    double end = mho__wire_input(ends, j), current = sums[j], v_node = bottom[j * r->lanes];
    if (w->bit_node) {
      double out = v_node - end, g = w->bit_out;
      check->lost += g * out * out;
      count_node(check, sums[j] - g * out, sums[cols + j] + g * (fabs(v_node) + fabs(end)));
    }
    if (w->bit_out > 0)
      current = end_current(w->bit_out, end, v_node, current, sums[cols + j]);
    check->largest = larger(check->largest, fabs(current));
    check->in -= end * current;
    if (r->read->i_bit)
      r->read->i_bit[v * cols + j] = current;
  }
}

mho_err mho__wire_report(const mho_wire *w, const mho_wire_read *read, int v0, int n,
                         const double *node_word, const double *x, int lanes, mho_pool *pool,
                         mho_wire_check *check) {
  size_t cols = (size_t)w->o.cols, vectors = (size_t)n, threads = (size_t)mho_pool_threads(pool);
  int tasks = (w->o.rows + ROWS_A_TASK - 1) / ROWS_A_TASK;
  report r = {.w = w, .read = read, .v0 = v0, .n = n, .node_word = node_word, .x = x};

  r.lanes = (size_t)lanes;
  r.scratch = mho_alloc(threads * (3 * vectors + 1) * cols, sizeof *r.scratch);
  r.sums = mho_alloc((size_t)tasks * vectors * 2 * cols, sizeof *r.sums);
  r.checked = mho_alloc((size_t)tasks * vectors, sizeof *r.checked);

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
