/* fast_array.c - what scheme tiki_taka keeps of a connection: the fast array with its symmetry
 * points, the buffer, choppers and means.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "array/weights.h"
#include "base/streams.h"
#include "mho/model/check.h"
#include "program/tiki_taka.h"

/* ---------------------------------------------------------------- the fast array */

static mho_err new_fast(mho_tiki *own, const mho_own_site *site, mho_errinfo *ei) {
  mho_crossbar_options o = mho__tiki_options(site->e);
  o.w_max = mho_crossbar_w_max(site->slow);
  o.chip_seed = site->chip_seed;
  o.noise_seed = site->noise_seed;
  o.index = (uint32_t)site->index;
  return mho_crossbar_new(site->slow->rows, site->slow->cols, &o, &own->fast, ei);
}

/* The points where steps up and down are of one size, with an error of their measurement; the
 * array begins there. */
static mho_err find_shift(mho_tiki *own, const mho_own_site *site, mho_errinfo *ei) {
  mho_crossbar *fast = own->fast;
  size_t n = mho_crossbar_cells(fast);
  float xi[MHO_DEVICE_BLOCK];
  mho_real sigma = (mho_real)(own->keys->symmetry_error * mho_crossbar_w_max(fast));
  mho_rng rng = mho__stream_mismatch(site->chip_seed, (uint32_t)site->index, 0);

  own->shift = mho_alloc(n, sizeof *own->shift);
  if (!own->shift)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the symmetry points of %zu cells", n);

  mho__crossbar_symmetry(fast, own->shift);
  for (size_t i = 0; i < n && sigma > 0; i += MHO_DEVICE_BLOCK) {
    int m = mho__block_cells(n, i);
    mho_rng_normal(rng, MHO_DRAW_SYMMETRY, i, (size_t)m, xi);
    for (int j = 0; j < m; j++)
      own->shift[i + (size_t)j] += sigma * (mho_real)xi[j];
  }
  mho_crossbar_set(fast, 0, n, own->shift);
  for (size_t i = 0; i < n; i++)
    own->shift[i] /= (mho_real)fast->w_max;
  return MHO_OK;
}

/* ---------------------------------------------------------------- digital tables */

static int8_t *new_choppers(size_t n) {
  int8_t *signs = mho_alloc(n, sizeof *signs);
  if (signs)
    memset(signs, 1, n);
  return signs;
}

/* Choppers of columns in every pass that a term can touch. */
static size_t passes_of(const mho_tiki *own, const mho_own_site *site) {
  size_t each = (size_t)own->keys->transfer_every * (size_t)site->slow->rows;
  return (size_t)site->products * (size_t)own->keys->transfer_reads / each + 3;
}

static bool new_tables(mho_tiki *own, const mho_own_site *site) {
  const mho_tiki_keys *k = own->keys;
  size_t cells = mho_crossbar_cells(site->slow), cols = (size_t)site->slow->cols;
  bool ok = true;

  if (k->variant != MHO_TIKI_V1) {
    own->buffer = mho_alloc(cells, sizeof *own->buffer);
    ok = own->buffer != NULL;
  }
  if (k->variant == MHO_TIKI_AGAD) {
    own->mean = mho_alloc(cells, sizeof *own->mean);
    own->past = mho_alloc(cells, sizeof *own->past);
    ok = ok && own->mean && own->past;
  }
  if (mho__tiki_chops(k)) {
    own->row = new_choppers((size_t)site->slow->rows);
    ok = ok && own->row;
  }
  if (mho__tiki_chops_columns(k)) {
    own->col = new_choppers(cols);
    own->col_of_pass = new_choppers(passes_of(own, site) * cols);
    ok = ok && own->col && own->col_of_pass;
  }
  if (mho_crossbar_has_cells(own->fast))
    ok = ok && !mho__waiting_new(&own->waiting, site->slow->rows, site->slow->cols, NULL);
  if (mho_array_has_wires(&site->e->array_config)) {
    own->wired = mho_alloc(cells, sizeof *own->wired);
    ok = ok && own->wired;
  }
  return ok;
}

/* ---------------------------------------------------------------- all of it */

/* Others see A through the weights, its wires, its leak, and the care that its cells need. */
static bool is_apart(const mho_tiki *own, const mho_own_site *site, double gamma) {
  const mho_device_config *device = &site->e->device_config;
  return mho_crossbar_has_cells(own->fast) && !(gamma > 0) && !own->wired && !(device->leak > 0) &&
         !own->fast->mapping->tend;
}

static mho_err fill(mho_tiki *own, const mho_own_site *site, mho_errinfo *ei) {
  bool shifts = own->keys->symmetry == MHO_SYMMETRY_SHIFT && own->keys->variant != MHO_TIKI_AGAD;
  mho_err err = new_fast(own, site, ei);
  if (err)
    return err;
  if (!new_tables(own, site))
    return mho_fail(ei, MHO_ENOMEM, "no memory for the buffers of %d x %d weights",
                    site->slow->rows, site->slow->cols);

  if (shifts && mho_crossbar_has_cells(own->fast))
    err = find_shift(own, site, ei);
  double gamma = mho__tiki_gamma(site->e);
  own->is_apart = is_apart(own, site, gamma);
  if (!err && gamma > 0 && mho_crossbar_has_cells(own->fast))
    err = mho_crossbar_borrow(site->slow, own->fast, gamma, own->row, own->col, ei);
  return err;
}

mho_err mho__tiki_new(const mho_own_site *site, void **out, mho_errinfo *ei) {
  mho_tiki *own = mho_alloc(1, sizeof *own);
  *out = NULL;
  if (!own)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a fast array");

  own->keys = (const mho_tiki_keys *)(const void *)site->e->scheme.params;
  own->reads =
      mho_array_converters_of((const mho_array_model *)site->e->array.entry, site->e->array.params)
          .average;
  own->fast_rate = mho__tiki_fast_rate(site->e);
  own->rng = mho__stream_round(site->noise_seed, site->index);
  mho_err err = fill(own, site, ei);
  if (err)
    mho__tiki_free(own);
  else
    *out = own;
  return err;
}

void mho__tiki_free(void *of) {
  mho_tiki *own = of;
  if (!own)
    return;

  mho__waiting_free(&own->waiting);
  mho_crossbar_free(own->fast);
  mho_free(own->buffer);
  mho_free(own->mean);
  mho_free(own->past);
  mho_free(own->shift);
  mho_free(own->wired);
  mho_free(own->row);
  mho_free(own->col);
  mho_free(own->col_of_pass);
  mho_free(own);
}

mho_crossbar *mho__tiki_fast(void *own) {
  return ((mho_tiki *)own)->fast;
}

/* ---------------------------------------------------------------- checkpoints */

static int add(mho_cells_piece *pieces, int n, mho_real *data, size_t count) {
  if (!data)
    return n;
  pieces[n] = (mho_cells_piece){data, count * sizeof *data, sizeof *data};
  return n + 1;
}

static int add_choppers(mho_cells_piece *pieces, int n, int8_t *data, size_t count) {
  if (!data)
    return n;
  pieces[n] = (mho_cells_piece){data, count, 0};
  return n + 1;
}

int mho__tiki_pieces(void *of, mho_cells_piece *pieces) {
  mho_tiki *own = of;
  size_t cells = mho_crossbar_cells(own->fast);
  pieces[0] = (mho_cells_piece){&own->at, sizeof own->at, sizeof(double)};
  int n = add(pieces, 1, own->buffer, cells);
  n = add(pieces, n, own->mean, cells);
  n = add(pieces, n, own->past, cells);
  n = add_choppers(pieces, n, own->row, (size_t)own->fast->rows);
  return add_choppers(pieces, n, own->col, (size_t)own->fast->cols);
}

/* Whatever a file says, a chopper is a sign, and counts and means are none below 0. */
static void make_signs(int8_t *v, int n) {
  for (int i = 0; v && i < n; i++)
    v[i] = v[i] < 0 ? -1 : 1;
}

void mho__tiki_restored(void *of) {
  mho_tiki *own = of;
  double latest = 0x1p40;
  make_signs(own->row, own->fast->rows);
  make_signs(own->col, own->fast->cols);
  own->at.turn = fmin(fmax(own->at.turn, 0), latest);
  own->at.x_max = fmax(own->at.x_max, 0);
  own->at.d_max = fmax(own->at.d_max, 0);
}

int mho__tiki_waiting(void *of, bool restored, mho_cells_piece *pieces) {
  mho_tiki *own = of;
  mho_waiting *w = &own->waiting;
  size_t cells = (size_t)w->rows * (size_t)w->cols;
  if (!mho__tiki_waits(own))
    return 0;

  if (restored)
    mho__waiting_restored(w);
  pieces[0] = (mho_cells_piece){w->count, cells * sizeof *w->count, 0};
  pieces[1] = (mho_cells_piece){w->up, cells * sizeof *w->up, 0};
  return 2;
}

void mho__tiki_wired(void *of) {
  mho_tiki *own = of;
  const mho_real *programmed = mho__crossbar_programmed(own->fast);
  const mho_real *matrix = mho_crossbar_matrix(own->fast);
  for (size_t i = 0; own->wired && i < mho_crossbar_cells(own->fast); i++)
    own->wired[i] = matrix[i] - programmed[i];
}
