/* wired.c - wires in training: the effective matrices of crossbars whose lines have resistance.
 *
 * A logical matrix is cut into physical tiles of at most array.wire.tile lines; each has wires of
 * its own, and the tiles' currents are added. Banks lie in tiles of their own, or side by side in
 * neighbouring columns. The effective matrix of every tile follows from its conductances alone,
 * always from the same start, so that it is the same for any number of threads and after a resume.
 *
 * With array.wire.refresh above 1 the updates in between move the matrix as a device read through
 * its own two lines moves (mho__tile_simple); what the paths that turn round in the array add stays
 * as it was.
 *
 * With the ideal device weights are laid on pairs around mid range, with w_max or the largest
 * weight at the ends.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "array/place.h"
#include "array/weights.h"
#include "array/wired_nodes.h"
#include "wire/tile.h"

struct mho_wired {
  const mho_array_config *config;
  const mho_device_config *device;
  mho_pool *pool;
  int n;
  mho_crossbar **x;
  double *top; /* [n] weight of a pair at opposite ends */
  int n_tiles;
  mho_place *place;                  /* [n_tiles] where the tiles lie */
  mho_tile *tile;                    /* [n_tiles] */
  int n_blocks, *block_tile, *block; /* of the solve under way */
  char *scratch;                     /* [threads][scratch_each] */
  size_t scratch_each;
  bool full;
  mho_wired_nodes *nodes; /* where lines end in nodes that float; NULL: in drivers and amplifiers */
};

/* ---------------------------------------------------------------- construction */

void mho_wired_free(mho_wired *w) {
  if (!w)
    return;

  if (w->tile)
    for (int t = 0; t < w->n_tiles; t++)
      mho__tile_free(&w->tile[t]);
  mho_free(w->tile);
  mho_free(w->place);
  mho_free(w->x);
  mho_free(w->top);
  mho_free(w->block_tile);
  mho_free(w->block);
  mho_free(w->scratch);
  mho__wired_nodes_free(w->nodes);
  mho_free(w);
}

const mho_array_config *mho__wired_config(const mho_wired *w) {
  return w->config;
}

mho_err mho__wired_join(mho_wired *w, mho_errinfo *ei) {
  return mho__wired_nodes_new(w->n, w->x, w->config, w->device, w->pool, &w->nodes, ei);
}

/* What the matrices of a crossbar need beside the programmed ones. */
static bool new_matrices(mho_crossbar *x, const mho_array_config *config) {
  struct mho_weights *w = x->weights;
  size_t cells = mho_crossbar_cells(x);
  bool base = config->wire_refresh > 1;
  if (!w->wired)
    w->wired = mho_alloc(cells, sizeof *w->wired);
  if (base && !w->wired_base)
    w->wired_base = mho_alloc(cells, sizeof *w->wired_base);
  return w->wired && (w->wired_base || !base);
}

/* Cut all crossbars into tiles, and find out what solving them takes. */
static bool new_tiles(mho_wired *w) {
  for (int c = 0; c < w->n; c++)
    w->n_tiles += mho__places_cut(w->x[c], c, w->config, NULL);
  w->place = mho_alloc((size_t)w->n_tiles, sizeof *w->place);
  w->tile = mho_alloc((size_t)w->n_tiles, sizeof *w->tile);
  if (!w->place || !w->tile)
    return false;
  for (int c = 0, t = 0; c < w->n; c++)
    t += mho__places_cut(w->x[c], c, w->config, w->place + t);

  int blocks = 0;
  for (int t = 0; t < w->n_tiles; t++) {
    const mho_array_config *o = w->config;
    mho_tile *tile = &w->tile[t];
    if (!mho__tile_init(tile, w->place[t].rows, w->place[t].width, o->r_word, o->r_bit,
                        o->wire_tolerance))
      return false;
    size_t need = mho__tile_scratch(tile);
    w->scratch_each = need > w->scratch_each ? need : w->scratch_each;
    blocks += (tile->wide + MHO_RELAX_LANES_DOUBLE - 1) / MHO_RELAX_LANES_DOUBLE;
  }

  w->block_tile = mho_alloc((size_t)blocks, sizeof *w->block_tile);
  w->block = mho_alloc((size_t)blocks, sizeof *w->block);
  w->scratch = mho_alloc((size_t)mho_pool_threads(w->pool), w->scratch_each);
  return w->block_tile && w->block && w->scratch;
}

static bool fill_in(mho_wired *w, mho_crossbar *const *x) {
  size_t n = (size_t)w->n;
  w->x = mho_alloc(n, sizeof(mho_crossbar *));
  w->top = mho_alloc(n, sizeof *w->top);
  if (!w->x || !w->top)
    return false;
  memcpy(w->x, x, n * sizeof(mho_crossbar *));
  for (int c = 0; c < w->n; c++)
    if (!new_matrices(x[c], w->config))
      return false;
  return new_tiles(w);
}

mho_err mho_wired_new(int n, mho_crossbar *const *x, const mho_array_config *config,
                      const mho_device_config *device, mho_pool *pool, mho_wired **out,
                      mho_errinfo *ei) {
  *out = NULL;
  mho_wired *w = mho_alloc(1, sizeof *w);
  if (w)
    *w = (mho_wired){.config = config, .device = device, .pool = pool, .n = n};
  if (!w || !fill_in(w, x)) {
    mho_wired_free(w);
    return mho_fail(ei, MHO_ENOMEM, "no memory for the wires of %d crossbars", n);
  }
  *out = w;
  return MHO_OK;
}

/* ---------------------------------------------------------------- tasks */

static void *scratch_of(const mho_wired *w, int thread) {
  return w->scratch + (size_t)thread * w->scratch_each;
}

/* The weight of a pair at opposite ends: w_max, or the largest of the ideal device's weights. */
static void top_task(void *arg, int c, int thread) {
  mho_wired *w = arg;
  const mho_crossbar *x = w->x[c];
  w->top[c] = x->w_max;
  if (mho_crossbar_has_cells(x))
    return;
  for (size_t k = 0; k < mho_crossbar_cells(x); k++)
    w->top[c] = fmax(w->top[c], fabs((double)x->weights->programmed[k]));
}

static void prepare_task(void *arg, int t, int thread) {
  mho_wired *w = arg;
  const mho_place *p = &w->place[t];
  mho__place_gather(p, w->x[p->crossbar], w->device->g_min, w->device->g_max, w->top[p->crossbar],
                    w->tile[t].g);
  if (w->full)
    mho__tile_prepare(&w->tile[t], scratch_of(w, thread));
  else
    mho__tile_simple(&w->tile[t], w->tile[t].out, scratch_of(w, thread));
}

static void solve_task(void *arg, int b, int thread) {
  mho_wired *w = arg;
  mho__tile_solve(&w->tile[w->block_tile[b]], w->block[b], scratch_of(w, thread));
}

static void simple_task(void *arg, int t, int thread) {
  mho_wired *w = arg;
  mho__tile_simple(&w->tile[t], w->tile[t].out, scratch_of(w, thread));
}

/* The sum of the tiles' currents as weight of cell (i, j) of tile t, whose other banks are in the
 * next tiles or the next columns. */
static double weight(const mho_wired *w, int t, int i, int j) {
  const mho_place *p = &w->place[t];
  const mho_crossbar *x = w->x[p->crossbar];
  size_t at = (size_t)i * (size_t)p->width + (size_t)p->n_banks * (size_t)j;
  double unit = w->top[p->crossbar] / (w->device->g_max - w->device->g_min);

  double sum = x->role[0].gain * w->tile[t].out[at];
  for (int k = 1; k < x->n_banks; k++) {
    const mho_tile *tile = &w->tile[t + k / p->n_banks];
    sum += x->role[k].gain * tile->out[at + (size_t)(k % p->n_banks)];
  }
  return unit * sum;
}

typedef enum result {
  TAKE,      /* the tiles' result is the matrix */
  ADD,       /* it adds to the base */
  STORE_BASE /* the base becomes what the matrix has beside it */
} result;

typedef struct collect_job {
  mho_wired *w;
  result how;
} collect_job;

static void collect_task(void *arg, int t, int thread) {
  const collect_job *job = arg;
  const mho_place *p = &job->w->place[t];
  if (p->bank > 0)
    return;
  const mho_crossbar *x = job->w->x[p->crossbar];
  mho_real *wired = x->weights->wired, *base = x->weights->wired_base;

  for (int i = 0; i < p->rows; i++) {
    size_t first = (size_t)(p->row0 + i) * (size_t)x->cols + (size_t)p->col0;
    for (int j = 0; j < p->cols; j++) {
      double v = weight(job->w, t, i, j);
      size_t k = first + (size_t)j;
      if (job->how == TAKE)
        wired[k] = (mho_real)v;
      else if (job->how == ADD)
        wired[k] = (mho_real)(v + (double)base[k]);
      else
        base[k] = (mho_real)((double)wired[k] - v);
    }
  }
}

static void collect(mho_wired *w, result how) {
  mho_pool_run(w->pool, w->n_tiles, collect_task, &(collect_job){w, how});
}

void mho_wired_refresh(mho_wired *w, int64_t update, bool full) {
  if (w->nodes) {
    mho__wired_nodes_refresh(w->nodes);
    return;
  }

  w->full = full || update % w->config->wire_refresh == 0;
  mho_pool_run(w->pool, w->n, top_task, w);
  mho_pool_run(w->pool, w->n_tiles, prepare_task, w);
  if (!w->full) {
    collect(w, ADD);
    return;
  }

  w->n_blocks = 0;
  for (int t = 0; t < w->n_tiles; t++)
    for (int b = 0; b < mho__tile_blocks(&w->tile[t]); b++) {
      w->block_tile[w->n_blocks] = t;
      w->block[w->n_blocks++] = b;
    }

  mho_pool_run(w->pool, w->n_blocks, solve_task, w);
  collect(w, TAKE);

  if (w->config->wire_refresh > 1) {
    mho_pool_run(w->pool, w->n_tiles, simple_task, w);
    collect(w, STORE_BASE);
  }
}

/* ---------------------------------------------------------------- loads */

/* Lines side by side, as a driver or a device sees them: cell k of line l at l along + k across. */
typedef struct lines {
  int n, length;
  ptrdiff_t along, across;
  double r;      /* ohm from cell to cell, and from the end of cell `first` to the terminal */
  bool from_end; /* the terminal is at the last cell, not the first */
} lines;

static ptrdiff_t cell_of(const lines *a, int l, int k) {
  return l * a->along + (a->from_end ? a->length - 1 - k : k) * a->across;
}

static double behind_segment(double r, double g) {
  return g / (1 + r * g);
}

/* Resistance from every cell's node on its line to 0 V, the line's terminal and the far ends of all
 * its other devices being there. work: [length]. */
static void find_behind(const lines *a, const double *g, double *behind, double *work) {
  for (int l = 0; l < a->n; l++) {
    double away = 0; /* conductance of the line beyond the cell, away from the terminal */
    for (int k = a->length - 1; k >= 0; k--) {
      work[k] = away;
      away = behind_segment(a->r, away + g[cell_of(a, l, k)]);
    }

    double near = 1 / a->r; /* and towards the terminal; infinite without resistance */
    for (int k = 0; k < a->length; k++) {
      behind[cell_of(a, l, k)] = 1 / (near + work[k]);
      near = a->r > 0 ? behind_segment(a->r, near + g[cell_of(a, l, k)]) : near;
    }
  }
}

/* What each line loads its driver with, its devices ending behind the resistances of their other
 * lines. */
static void add_loads(const lines *a, const double *g, const double *behind, int share,
                      double *out) {
  for (int l = 0; l < a->n; l++) {
    double load = 0;
    for (int k = a->length - 1; k >= 0; k--) {
      ptrdiff_t at = cell_of(a, l, k);
      load = behind_segment(a->r, load + behind_segment(behind[at], g[at]));
    }
    out[l / share] += load;
  }
}

/* Room for the largest tile. */
typedef struct load_work {
  double *g, *behind; /* [cells] */
  double *line;       /* [longest line] */
} load_work;

static bool new_work(const mho_wired *w, load_work *work) {
  size_t cells = 1;
  int longest = 1;

  for (int t = 0; t < w->n_tiles; t++) {
    const mho_place *p = &w->place[t];
    cells = mho__place_cells(p) > cells ? mho__place_cells(p) : cells;
    longest = mho_max(longest, mho_max(p->rows, p->width));
  }

  work->g = mho_alloc(cells, sizeof *work->g);
  work->behind = mho_alloc(cells, sizeof *work->behind);
  work->line = mho_alloc((size_t)longest, sizeof *work->line);
  return work->g && work->behind && work->line;
}

static void add_tile_loads(const mho_wired *w, int t, const load_work *work, double *rows,
                           double *cols) {
  const mho_place *p = &w->place[t];
  lines word = {p->rows, p->width, p->width, 1, w->config->r_word, false};
  lines bit = {p->width, p->rows, 1, p->width, w->config->r_bit, true};

  mho__place_gather(p, w->x[p->crossbar], w->device->g_min, w->device->g_max, w->top[p->crossbar],
                    work->g);

  find_behind(&bit, work->g, work->behind, work->line);
  add_loads(&word, work->g, work->behind, 1, rows + p->row0);
  find_behind(&word, work->g, work->behind, work->line);
  add_loads(&bit, work->g, work->behind, p->n_banks, cols + p->col0);
}

mho_err mho_wired_loads(const mho_wired *w, double *const *rows, double *const *cols,
                        mho_errinfo *ei) {
  load_work work;
  bool made = new_work(w, &work);

  if (made) {
    for (int c = 0; c < w->n; c++) {
      memset(rows[c], 0, (size_t)w->x[c]->rows * sizeof **rows);
      memset(cols[c], 0, (size_t)w->x[c]->cols * sizeof **cols);
      top_task((void *)(uintptr_t)w, c, 0);
    }
    for (int t = 0; t < w->n_tiles; t++) {
      int c = w->place[t].crossbar;
      add_tile_loads(w, t, &work, rows[c], cols[c]);
    }
  }

  mho_free(work.g);
  mho_free(work.behind);
  mho_free(work.line);
  return made ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for the loads of %d crossbars", w->n);
}
