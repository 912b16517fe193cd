/* wired_nodes.c - crossbars without their inner nodes (see wired_nodes.h): the ends are held one
 * after another at 1 V and the others at 0, and the currents are the conductances.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/wired_nodes.h"

#include <math.h>
#include <string.h>

#include "array/line_sums.h"
#include "array/place.h"
#include "array/weights.h"
#include "mho/wire.h"

struct mho_wired_nodes {
  const mho_device_config *device;
  mho_pool *pool;
  int n, n_tiles;
  mho_crossbar **x;
  mho_place *place;  /* [n_tiles] crossbar after crossbar */
  mho_wire **solver; /* [n_tiles] */
};

void mho__wired_nodes_free(mho_wired_nodes *w) {
  if (!w)
    return;
  for (int t = 0; w->solver && t < w->n_tiles; t++)
    mho_wire_free(w->solver[t]);
  mho_free(w->solver);
  mho_free(w->place);
  mho_free(w->x);
  mho_free(w);
}

static mho_err fill_in(mho_wired_nodes *w, mho_crossbar *const *x, const mho_array_config *config,
                       mho_errinfo *ei) {
  w->x = mho_alloc((size_t)w->n, sizeof(mho_crossbar *));
  for (int c = 0; c < w->n; c++)
    w->n_tiles += mho__places_cut(x[c], c, config, NULL);
  w->place = mho_alloc((size_t)w->n_tiles, sizeof *w->place);
  w->solver = mho_alloc((size_t)w->n_tiles, sizeof(mho_wire *));
  if (!w->x || !w->place || !w->solver)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the wires of %d crossbars", w->n);

  memcpy(w->x, x, (size_t)w->n * sizeof(mho_crossbar *));
  for (int c = 0, t = 0; c < w->n; c++)
    t += mho__places_cut(x[c], c, config, w->place + t);
  for (int t = 0; t < w->n_tiles; t++) {
    mho_wire_options o = {.rows = w->place[t].rows,
                          .cols = w->place[t].cols,
                          .r_word = config->r_word,
                          .r_bit = config->r_bit,
                          .tolerance = config->wire_tolerance};
    mho_err err = mho_wire_new(&o, &w->solver[t], ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

mho_err mho__wired_nodes_new(int n, mho_crossbar *const *x, const mho_array_config *config,
                             const mho_device_config *device, mho_pool *pool, mho_wired_nodes **out,
                             mho_errinfo *ei) {
  *out = NULL;
  mho_wired_nodes *w = mho_alloc(1, sizeof *w);
  if (!w)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the wires of %d crossbars", n);

  *w = (mho_wired_nodes){.device = device, .pool = pool, .n = n};
  mho_err err = fill_in(w, x, config, ei);
  for (int c = 0; c < n && !err; c++)
    err = mho__line_sums_join(x[c], ei);
  if (err)
    mho__wired_nodes_free(w);
  else
    *out = w;
  return err;
}

/* ---------------------------------------------------------------- a tile */

/* Room for the conductances of a tile and the currents of its ends. */
typedef struct room {
  double *g;    /* [rows x cols] S */
  double *one;  /* [lines x lines] V, the lines of a side held one after another */
  double *word; /* [lines x rows] A */
  double *bit;  /* [lines x cols] A */
} room;

static bool room_new(const mho_place *p, room *r) {
  size_t rows = (size_t)p->rows, cols = (size_t)p->cols, lines = rows > cols ? rows : cols;
  r->g = mho_alloc(rows * cols, sizeof *r->g);
  r->one = mho_alloc(lines * lines, sizeof *r->one);
  r->word = mho_alloc(lines * rows, sizeof *r->word);
  r->bit = mho_alloc(lines * cols, sizeof *r->bit);
  return r->g && r->one && r->word && r->bit;
}

static void room_free(room *r) {
  mho_free(r->g);
  mho_free(r->one);
  mho_free(r->word);
  mho_free(r->bit);
}

static void hold_each(double *one, int n) {
  memset(one, 0, (size_t)n * (size_t)n * sizeof *one);
  for (int i = 0; i < n; i++)
    one[i * n + i] = 1;
}

/* Add the joints of a side, whose lines in a tile are `first` on of `all`: what flows out of the
 * others while one is held at 1 V. currents: [n x n]. */
static void add_joints(mho_real *joints, int all, int first, int n, double unit,
                       const double *currents) {
  for (int i = 0; i < n; i++)
    for (int k = 0; k < n; k++) {
      size_t at = (size_t)(first + i) * (size_t)all + (size_t)(first + k);
      if (i != k)
        joints[at] += (mho_real)(unit * currents[i * n + k]);
    }
}

/* The conductances of one tile into the matrix of its crossbar, and its joints. */
static mho_err solve_tile(const mho_wired_nodes *w, int t, double unit, const room *r) {
  const mho_place *p = &w->place[t];
  mho_crossbar *x = w->x[p->crossbar];
  mho_real *wired = x->weights->wired, floor = (mho_real)mho_crossbar_floor(x);
  int rows = p->rows, cols = p->cols;
  mho__place_gather(p, x, w->device->g_min, w->device->g_max, x->w_max, r->g);
  mho_err err = mho_wire_set(w->solver[t], r->g, NULL);

  hold_each(r->one, cols);
  mho_wire_read of_cols = {.n = cols, .v_bit = r->one, .i_word = r->word, .i_bit = r->bit};
  if (!err)
    err = mho_wire_solve(w->solver[t], &of_cols, NULL, NULL);
  if (err)
    return err;
  for (int j = 0; j < cols; j++)
    for (int i = 0; i < rows; i++) {
      size_t at = (size_t)(p->row0 + i) * (size_t)x->cols + (size_t)(p->col0 + j);
      wired[at] = (mho_real)(-unit * r->word[j * rows + i]) - floor;
    }
  add_joints(mho__line_sums_joints(x, false), x->cols, p->col0, cols, unit, r->bit);

  hold_each(r->one, rows);
  mho_wire_read of_rows = {.n = rows, .v_word = r->one, .i_word = r->word};
  err = mho_wire_solve(w->solver[t], &of_rows, NULL, NULL);
  if (!err)
    add_joints(mho__line_sums_joints(x, true), x->rows, p->row0, rows, -unit, r->word);
  return err;
}

/* ---------------------------------------------------------------- crossbars */

static void refresh_task(void *arg, int c, int thread) {
  mho_wired_nodes *w = arg;
  mho_crossbar *x = w->x[c];
  double unit = x->w_max / (w->device->g_max - w->device->g_min);
  mho_real *rows = mho__line_sums_joints(x, true), *cols = mho__line_sums_joints(x, false);
  mho_err err = MHO_OK;
  memset(rows, 0, (size_t)x->rows * (size_t)x->rows * sizeof *rows);
  memset(cols, 0, (size_t)x->cols * (size_t)x->cols * sizeof *cols);

  for (int t = 0; t < w->n_tiles; t++) {
    room r = {NULL};
    if (err || w->place[t].crossbar != c || w->place[t].bank > 0)
      continue;
    err = room_new(&w->place[t], &r) ? solve_tile(w, t, unit, &r) : MHO_ENOMEM;
    room_free(&r);
  }

  for (size_t k = 0; err && k < mho_crossbar_cells(x); k++)
    x->weights->wired[k] = (mho_real)NAN;
  mho__line_sums_forget(x);
}

void mho__wired_nodes_refresh(mho_wired_nodes *w) {
  mho_pool_run(w->pool, w->n, refresh_task, w);
}
