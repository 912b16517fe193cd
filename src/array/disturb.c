/* disturb.c - writing through the lines of an array: what wires leave of a pulse, and what other
 * cells feel of it.
 *
 * While cell (i, j) is written, one cell of a tile at a time, the ends of the lines are held at
 *
 *   half        word line i at V, bit line j at 0, all others at V/2
 *   third       word line i at V, bit line j at 0, other word lines at V/3, other bit lines at 2V/3
 *   transistor  word line i at V, bit line j at 0, select transistors cut off every other cell
 *
 * The tile is linear (devices as at small voltage), so the voltage across any device is a sum.
 * With u_ij the voltage across device (i, j) when word line i alone is driven by 1 V, t_ij when bit
 * line j alone is at -1 V, and b_ij when all word lines are at 1 V, over V:
 *
 *                          half         third
 *   the written cell       (u + t)/2    2 (u + t)/3 - b/3
 *   others of its row      u/2          2 u/3 - b/3
 *   others of its column   t/2          2 t/3 - b/3
 *   the rest of the tile   0            - b/3
 *
 *   transistor: 1/(1 + G (r_word (j + 1) + r_bit (rows - i))) of the written cell
 *
 * b is solved exactly. u and t follow a device's own two lines: word line i is a ladder whose cells
 * end on bit lines with all their devices, the word lines beside it held at 0 V; what goes once
 * around through a third line is left out. tests/property/disturb.c compares that with solves
 * of the whole tile. The cost is that of a product.
 *
 * A pulse at a fraction of its voltage has the effect that the device's law gives it
 * (mho_device_response). Pulses of an update are counted cell by cell; when all are applied, every
 * cell gets what those of its row, its column and its tile have done to it: their mean effect, all
 * at once, from voltages that stay the same throughout an update. Schemes with coincidences pulse
 * whole lines at V/2: there the pulses of the lines count, which every slot gives once in each
 * direction (rows of positive and negative sign with columns of either take turns); wires take from
 * them as they would from one cell at a time. Converters, drivers and select transistors have no
 * resistance.
 *
 * Source of the voltages: G. Burr et al., J. Vac. Sci. Technol. B 32, 040802 (2014), on access
 * devices.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "array/place.h"
#include "array/weights.h"
#include "mho/wire.h"

enum { SET, RESET, DIRECTIONS };
enum { TABLE = 1024 }; /* entries of the response from 0 to a whole pulse */

typedef struct bank {
  mho_cells *cells;
  /** [cells] see above; t is all of the pulse with transistors, b NULL unless third. */
  float *u, *t, *b;
  float *amplitude[DIRECTIONS]; /* [cells] lent to the cells */
  uint16_t *pulsed[DIRECTIONS]; /* [cells] the same; NULL where no cell is harmed */
} bank;

struct mho_disturb {
  const mho_array_config *config;
  double g_min, g_max;
  mho_pool *pool;
  int n, n_places;
  mho_crossbar **x;
  /** [MHO_BANKS_MAX n] those of every crossbar; without cells where they are never pulsed. */
  bank *bank;
  mho_place *place;
  double *scratch; /* [threads][scratch_each] */
  size_t scratch_each;
  float response[DIRECTIONS][2 * TABLE + 1]; /* at fractions -1 to 1 */
  bool known;                                /* without wires voltages never change */
  bool wires, harmless; /* harmless: no voltage that others see moves anything */
};

/* What a pulse of a fraction f of its voltage does. */
static float respond(const float *table, float f) {
  float inside = f < -1 ? -1 : f;
  float at = ((inside > 1 ? 1 : inside) + 1) * TABLE;
  int k = mho_min((int)at, 2 * TABLE - 1);
  return table[k] + (at - (float)k) * (table[k + 1] - table[k]);
}

/* The bank that column j of a tile belongs to. */
static bank *bank_of(const mho_disturb *d, const mho_place *p, int j) {
  return &d->bank[MHO_BANKS_MAX * p->crossbar + mho__place_bank(p, j)];
}

static double *scratch_of(const mho_disturb *d, int thread) {
  return d->scratch + (size_t)thread * d->scratch_each;
}

/* ---------------------------------------------------------------- construction */

static void free_bank(bank *a) {
  for (int way = 0; way < DIRECTIONS; way++) {
    if (a->cells) {
      a->cells->amplitude[way] = NULL;
      a->cells->pulsed[way] = NULL;
    }
    mho_free(a->amplitude[way]);
    mho_free(a->pulsed[way]);
  }
  mho_free(a->u);
  mho_free(a->t);
  mho_free(a->b);
}

static void free_lines(mho_crossbar *x) {
  if (x->lines)
    mho_free(x->lines->row);
  mho_free(x->lines);
  x->lines = NULL;
}

void mho_disturb_free(mho_disturb *d) {
  if (!d)
    return;

  if (d->bank)
    for (int k = 0; k < MHO_BANKS_MAX * d->n; k++)
      free_bank(&d->bank[k]);
  if (d->x)
    for (int c = 0; c < d->n; c++)
      free_lines(d->x[c]);
  mho_free(d->bank);
  mho_free(d->x);
  mho_free(d->place);
  mho_free(d->scratch);
  mho_free(d);
}

static bool new_bank(const mho_disturb *d, mho_cells *cells, bank *a) {
  bool third = d->config->write_select == MHO_WRITE_THIRD, ok = true;
  size_t n = cells->n;

  a->cells = cells;
  a->u = mho_alloc(n, sizeof *a->u);
  a->t = mho_alloc(n, sizeof *a->t);
  if (third)
    a->b = mho_alloc(n, sizeof *a->b);

  for (int way = 0; way < DIRECTIONS; way++) {
    if (!d->harmless)
      a->pulsed[way] = mho_alloc(n, sizeof *a->pulsed[way]);
    if (d->wires)
      a->amplitude[way] = mho_alloc(n, sizeof *a->amplitude[way]);
    ok = ok && (d->harmless || a->pulsed[way]) && (!d->wires || a->amplitude[way]);
    cells->pulsed[way] = a->pulsed[way];
    cells->amplitude[way] = a->amplitude[way];
  }
  return ok && a->u && a->t && (a->b || !third);
}

static bool new_banks(const mho_disturb *d, const mho_crossbar *x, bank *out) {
  for (int k = 0; k < x->n_banks; k++)
    if (mho_crossbar_writes(x, k) && !new_bank(d, x->bank[k], &out[k]))
      return false;
  return true;
}

static bool new_lines(mho_crossbar *x) {
  x->lines = mho_alloc(1, sizeof *x->lines);
  if (!x->lines)
    return false;
  x->lines->row = mho_alloc((size_t)(x->rows + x->cols), sizeof *x->lines->row);
  if (x->lines->row)
    x->lines->col = x->lines->row + x->rows;
  return x->lines->row != NULL;
}

/* The largest entry of the table that cells beside a written one meet: lines go no further than V/2
 * or V/3, and to 2V/3 where wires take from b. */
static int farthest(const mho_disturb *d) {
  switch (d->config->write_select) {
  case MHO_WRITE_HALF:
    return TABLE / 2;
  case MHO_WRITE_THIRD:
    return (d->wires ? 2 : 1) * TABLE / 3 + 1;
  default:
    return 0;
  }
}

static void tabulate(mho_disturb *d, const mho_device_model *model, const void *params,
                     const mho_device_config *device) {
  int most = farthest(d);
  d->harmless = true;
  for (int way = 0; way < DIRECTIONS; way++)
    for (int k = -TABLE; k <= TABLE; k++) {
      float v = (float)mho_device_response(model, params, device, way == SET, (double)k / TABLE);
      d->response[way][k + TABLE] = v;
      d->harmless = d->harmless && (abs(k) > most || v == 0);
    }
}

/* Places, banks and lines of all crossbars; the table of responses is there. */
static bool fill_in(mho_disturb *d, mho_crossbar *const *x) {
  d->x = mho_alloc((size_t)d->n, sizeof *d->x);
  d->bank = mho_alloc(MHO_BANKS_MAX * (size_t)d->n, sizeof *d->bank);
  if (!d->x || !d->bank)
    return false;
  memcpy(d->x, x, (size_t)d->n * sizeof *d->x);
  for (int c = 0; c < d->n; c++)
    d->n_places += mho__places_cut(x[c], c, d->config, NULL);
  d->place = mho_alloc((size_t)d->n_places, sizeof *d->place);
  if (!d->place)
    return false;

  for (int c = 0, t = 0; c < d->n; c++) {
    t += mho__places_cut(x[c], c, d->config, d->place + t);
    if (!new_banks(d, x[c], &d->bank[MHO_BANKS_MAX * c]))
      return false;
    if (!d->harmless && !new_lines(x[c]))
      return false;
  }

  for (int t = 0; t < d->n_places; t++) {
    size_t need = 5 * mho__place_cells(&d->place[t]);
    d->scratch_each = need > d->scratch_each ? need : d->scratch_each;
  }

  d->scratch = mho_alloc((size_t)mho_pool_threads(d->pool) * d->scratch_each, sizeof *d->scratch);
  return d->scratch != NULL;
}

mho_err mho_disturb_new(int n, mho_crossbar *const *x, const mho_array_config *config,
                        const mho_device_model *model, const void *params,
                        const mho_device_config *device, mho_pool *pool, mho_disturb **out,
                        mho_errinfo *ei) {
  *out = NULL;
  mho_disturb *d = mho_alloc(1, sizeof *d);
  if (d) {
    d->config = config;
    d->g_min = device->g_min;
    d->g_max = device->g_max;
    d->pool = pool;
    d->n = n;
    d->wires = config->r_word > 0 || config->r_bit > 0;
    tabulate(d, model, params, device);
  }

  if (!d || !fill_in(d, x)) {
    mho_disturb_free(d);
    return mho_fail(ei, MHO_ENOMEM, "no memory for the write voltages of %d crossbars", n);
  }

  *out = d;
  return MHO_OK;
}

/* ---------------------------------------------------------------- voltages */

/* Ladders side by side: cell k of ladder l is at l along + k across. */
typedef struct ladders {
  int n;
  ptrdiff_t along;
  int length;
  ptrdiff_t across;
  double r; /* ohm, of a segment */
} ladders;

/* Ladders driven with 1 V behind a segment at cell 0; their devices g end on lines of resistance
 * `behind` (nullable: 0 ohm) at 0 V. v: voltage of the nodes, then across the devices alone. */
static void ladder(const ladders *a, const double *g, const double *behind, double *v) {
  for (int l = 0; l < a->n; l++) {
    double s = 0, node = 1;

    /* From the far end: the voltage of each node as a fraction of that of the node before it. */
    for (int k = a->length; k-- > 0;) {
      ptrdiff_t at = l * a->along + k * a->across;
      double load = g[at] / (1 + g[at] * (behind ? behind[at] : 0));
      s = a->r * load + s / (1 + s);
      v[at] = 1 / (1 + s);
    }

    /* From the driven end: the voltages themselves. */
    for (int k = 0; k < a->length; k++) {
      ptrdiff_t at = l * a->along + k * a->across;
      node *= v[at];
      v[at] = node / (1 + g[at] * (behind ? behind[at] : 0));
    }
  }
}

/* Resistance to ground at each node of such ladders, their end at 0 V, without the node's own
 * device. */
static void thevenin(const ladders *a, const double *g, double *out) {
  double r = a->r;
  for (int l = 0; l < a->n; l++) {
    double open = 0, end = 1 / r; /* conductance from the far side and from the end's side */
    for (int k = a->length; k-- > 0;) {
      ptrdiff_t at = l * a->along + k * a->across;
      out[at] = open;
      open = (open + g[at]) / (1 + r * (open + g[at]));
    }

    for (int k = 0; k < a->length; k++) {
      ptrdiff_t at = l * a->along + k * a->across;
      out[at] = 1 / (out[at] + end);
      end = (end + g[at]) / (1 + r * (end + g[at]));
    }
  }
}

/* u and t of a tile. */
static void own_lines(const mho_array_config *o, const mho_place *p, const double *g,
                      double *behind, double *u, double *t) {
  int m = p->rows, n = p->width;
  ladders word = {m, n, n, 1, o->r_word}, bit = {n, 1, m, -n, o->r_bit};
  size_t last = (size_t)(m - 1) * (size_t)n; /* bit lines end at the bottom */

  if (o->r_bit > 0)
    thevenin(&bit, g + last, behind + last);
  ladder(&word, g, o->r_bit > 0 ? behind : NULL, u);
  if (o->r_word > 0)
    thevenin(&word, g, behind);
  ladder(&bit, g + last, o->r_word > 0 ? behind + last : NULL, t + last);
}

/* b of a tile; a tile without a solution, which no conductances in range give, is taken without
 * wires. */
static void all_lines(const mho_array_config *o, const mho_place *p, const double *g, double *word,
                      double *bit, double *b) {
  size_t cells = mho__place_cells(p);
  for (size_t k = 0; k < cells; k++)
    b[k] = 1; /* also of the drives, which are never more than cells */

  mho_wire *w;
  mho_wire_options options = {
      .rows = p->rows, .cols = p->width, .r_word = o->r_word, .r_bit = o->r_bit};
  mho_wire_read read = {.n = 1, .v_word = b, .node_word = word, .node_bit = bit};
  mho_err err = mho_wire_new(&options, &w, NULL);
  if (!err)
    err = mho_wire_set(w, g, NULL);
  if (!err)
    err = mho_wire_solve(w, &read, NULL, NULL);
  if (!err)
    for (size_t k = 0; k < cells; k++)
      b[k] = word[k] - bit[k];
  mho_wire_free(w);
}

/* u and t behind select transistors: all of the pulse that a cell gets. */
static void behind_transistors(const mho_array_config *o, const mho_place *p, const double *g,
                               double *u, double *t) {
  for (int i = 0; i < p->rows; i++)
    for (int j = 0; j < p->width; j++) {
      size_t at = (size_t)i * (size_t)p->width + (size_t)j;
      u[at] = t[at] = 1 / (1 + g[at] * (o->r_word * (j + 1) + o->r_bit * (p->rows - i)));
    }
}

/* The voltages of cell number `at` of a tile to the cell of its bank. */
static void take_voltages(const mho_disturb *d, bank *a, size_t cell, double u, double t,
                          double b) {
  double sum = u + t, f = 0.5 * sum;
  a->u[cell] = (float)u;
  a->t[cell] = (float)t;
  if (a->b) {
    a->b[cell] = (float)b;
    f = (2 * sum - b) / 3;
  }
  if (!d->wires)
    return;
  for (int way = 0; way < DIRECTIONS; way++) {
    float s = respond(d->response[way], (float)f);
    a->amplitude[way][cell] = s > 0 ? s : 0;
  }
}

/* Whether pulses reach any of the tile's cells. */
static bool is_pulsed(const mho_disturb *d, const mho_place *p) {
  for (int k = 0; k < p->n_banks; k++)
    if (bank_of(d, p, k)->cells)
      return true;
  return false;
}

static void voltages_task(void *arg, int k, int thread) {
  mho_disturb *d = arg;
  const mho_array_config *o = d->config;
  const mho_place *p = &d->place[k];
  const mho_crossbar *x = d->x[p->crossbar];
  size_t cells = mho__place_cells(p);
  double *g = scratch_of(d, thread), *u = g + cells, *t = u + cells, *b = t + cells;
  if (!is_pulsed(d, p))
    return;

  mho__place_gather(p, x, d->g_min, d->g_max, 1, g);
  if (o->write_select == MHO_WRITE_TRANSISTOR) {
    behind_transistors(o, p, g, u, t);
  } else if (!d->wires) {
    for (size_t i = 0; i < cells; i++)
      u[i] = t[i] = b[i] = 1;
  } else if (o->write_select == MHO_WRITE_THIRD) {
    all_lines(o, p, g, u, t, b); /* u, t: work */
    own_lines(o, p, g, b + cells, u, t);
  } else {
    own_lines(o, p, g, b, u, t);
  }

  for (int i = 0; i < p->rows; i++)
    for (int j = 0; j < p->width; j++) {
      bank *a = bank_of(d, p, j);
      size_t at = (size_t)i * (size_t)p->width + (size_t)j;
      if (a->cells)
        take_voltages(d, a, mho__place_cell(p, x->cols, i, j), u[at], t[at], b[at]);
    }
}

void mho_disturb_refresh(mho_disturb *d) {
  if (d->known)
    return;
  d->known = !d->wires;
  mho_pool_run(d->pool, d->n_places, voltages_task, d);
}

/* ---------------------------------------------------------------- other cells */

typedef struct counts { /* of the pulses in a tile */
  double *row[DIRECTIONS], *col[DIRECTIONS], all[DIRECTIONS];
} counts;

/* Pulses on the lines of a tile when lines are pulsed as a whole. */
static void count_lines(const mho_place *p, const mho_crossbar *x, counts *c) {
  for (int way = 0; way < DIRECTIONS; way++) {
    for (int i = 0; i < p->rows; i++)
      c->row[way][i] = x->lines->row[p->row0 + i];
    for (int j = 0; j < p->width; j++)
      c->col[way][j] = x->lines->col[mho__place_column(p, j)];
    c->all[way] = 1; /* something may have been pulsed */
  }
}

/* Pulses on the lines of a tile when its cells are pulsed one by one. */
static void count_cells(const mho_disturb *d, const mho_place *p, const mho_crossbar *x,
                        counts *c) {
  memset(c->row[0], 0, 2 * (size_t)(p->rows + p->width) * sizeof *c->row[0]);
  c->all[SET] = c->all[RESET] = 0;

  for (int i = 0; i < p->rows; i++)
    for (int j = 0; j < p->width; j++) {
      const bank *a = bank_of(d, p, j);
      if (!a->cells)
        continue;
      size_t cell = mho__place_cell(p, x->cols, i, j);
      for (int way = 0; way < DIRECTIONS; way++) {
        double pulses = a->pulsed[way][cell];
        c->row[way][i] += pulses;
        c->col[way][j] += pulses;
        c->all[way] += pulses;
      }
    }
}

/* What a cell feels of the pulses of one direction: volts is what others of its row, its column and
 * the rest of its tile put across it, times how often. out: in the direction, in the other. */
static void feel(const float *table, const float *times, const float *volts, float *out) {
  out[0] = out[1] = 0;
  for (int q = 0; q < 3; q++) {
    float s = times[q] > 0 ? times[q] * respond(table, volts[q]) : 0;
    out[s > 0 ? 0 : 1] += fabsf(s);
  }
}

/* n cells first, first + 1, ... of a bank in row i of a tile, in its columns j0, j0 + step, ... */
static void disturb_cells(const mho_disturb *d, const counts *c, const bank *a, size_t first, int n,
                          int i, int j0, int step) {
  float amount[DIRECTIONS][MHO_DEVICE_BLOCK] = {0};
  bool third = a->b != NULL;
  float share = third ? 2.0f / 3 : 0.5f;

  for (int k = 0; k < n; k++) {
    size_t cell = first + (size_t)k;
    float u = a->u[cell], t = a->t[cell], b = third ? a->b[cell] / 3 : 0;
    float volts[] = {share * u - b, share * t - b, -b};

    for (int way = 0; way < DIRECTIONS; way++) {
      double own = a->pulsed[way][cell];
      double row = fmax(c->row[way][i] - own, 0), col = fmax(c->col[way][j0 + k * step] - own, 0);
      double rest = fmax(c->all[way] - own - row - col, 0);
      float times[] = {(float)row, (float)col, third ? (float)rest : 0}, sum[2];
      feel(d->response[way], times, volts, sum);
      amount[way][k] += sum[0];
      amount[!way][k] += sum[1];
    }
  }
  mho_cells_disturb(a->cells, first, n, amount[SET], amount[RESET]);
}

/* One row of a tile: block by block the cells of bank a, whose columns are q, q + step, ... */
static void disturb_row(const mho_disturb *d, const mho_place *p, const counts *c, const bank *a,
                        int i, int q, int step) {
  const mho_crossbar *x = d->x[p->crossbar];
  for (int j = 0; j < p->cols; j += MHO_DEVICE_BLOCK) {
    size_t first = (size_t)(p->row0 + i) * (size_t)x->cols + (size_t)(p->col0 + j);
    int n = mho_min(p->cols - j, MHO_DEVICE_BLOCK);
    disturb_cells(d, c, a, first, n, i, step * j + q, step);
  }
}

static void disturb_task(void *arg, int k, int thread) {
  mho_disturb *d = arg;
  const mho_place *p = &d->place[k];
  const mho_crossbar *x = d->x[p->crossbar];
  double *at = scratch_of(d, thread);
  counts c = {.row = {at, at + p->rows}, .col = {at + 2 * p->rows, at + 2 * p->rows + p->width}};

  if (x->lines->used)
    count_lines(p, x, &c);
  else
    count_cells(d, p, x, &c);
  if (!(c.all[SET] > 0 || c.all[RESET] > 0))
    return;

  for (int i = 0; i < p->rows; i++)
    for (int q = 0; q < p->n_banks; q++) {
      const bank *a = bank_of(d, p, q);
      if (a->cells)
        disturb_row(d, p, &c, a, i, q, p->n_banks);
    }
}

static void forget_task(void *arg, int c, int thread) {
  mho_disturb *d = arg;
  mho_crossbar *x = d->x[c];

  for (int k = 0; k < MHO_BANKS_MAX * DIRECTIONS; k++) {
    bank *a = &d->bank[MHO_BANKS_MAX * c + k / DIRECTIONS];
    if (a->cells)
      memset(a->pulsed[k % DIRECTIONS], 0, a->cells->n * sizeof *a->pulsed[0]);
  }
  memset(x->lines->row, 0, (size_t)(x->rows + x->cols) * sizeof *x->lines->row);
  x->lines->used = false;
  mho_crossbar_refresh(x, 0, mho_crossbar_cells(x));
}

void mho_disturb_apply(mho_disturb *d) {
  if (d->harmless)
    return;
  mho_pool_run(d->pool, d->n_places, disturb_task, d);
  mho_pool_run(d->pool, d->n, forget_task, d);
}
