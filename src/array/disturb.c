/* disturb.c - writing through the lines of an array: what wires leave of a pulse, and what other
 * cells feel of it.
 *
 * While cell (i, j) is written, one cell of a tile at a time, the ends of the lines are held at
 *
 *   half        word line i at V, bit line j at 0, all others at V/2
 *   third       word line i at V, bit line j at 0, other word lines at V/3, other bit lines at 2V/3
 *   transistor  word line i at V, bit line j at 0, every other cell cut off by its select
 *   transistor
 *
 * The circuit is linear (devices as at small voltage), so the voltage across any device is a sum.
 * With u_ij the voltage across device (i, j) when word line i alone is driven by 1 V, t_ij when bit
 * line j alone is at -1 V, and b_ij when all word lines are at 1 V, in parts of V:
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
 * around through a third line is left out. tests/property/disturb.c holds that against solves of
 * the whole circuit. The cost is that of a product.
 *
 * A pulse at a part of its voltage has the effect that the device's law gives it
 * (mho_device_response). Pulses of an update are counted cell by cell; when all are applied, every
 * cell gets what those of its row, its column and its tile have done to it: their mean effect, all
 * at once, from voltages that hold throughout an update. Schemes with coincidences pulse whole
 * lines at V/2: there the pulses of the lines count, which every slot gives once in each direction
 * (rows of positive and negative sign with columns of either take turns); wires take from them as
 * they would from one cell at a time. Converters, drivers and select transistors have no
 * resistance.
 *
 * Source of the voltages: G. Burr et al., J. Vac. Sci. Technol. B 32, 040802 (2014), on access
 * devices.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "array/place.h"
#include "mho/wire.h"

enum { SET, RESET, DIRECTIONS };
enum { TABLE = 1024 }; /* steps of the response from 0 to a whole pulse */

typedef struct bank {
  mho_cells *cells;
  float *u, *t,
      *b; /* [cells] see above; t is all of the pulse with transistors, b NULL unless third */
  float *amplitude[DIRECTIONS]; /* [cells] lent to the cells */
  uint16_t *pulsed[DIRECTIONS]; /* [cells] the same; NULL where nothing is harmed */
} bank;

struct mho_disturb {
  const mho_array_config *config;
  double g_min, g_max;
  mho_pool *pool;
  int n, n_places;
  mho_crossbar **x;
  bank *bank; /* [2 n] G+ and G- of every crossbar; without cells where they are never pulsed */
  mho_place *place;
  double *scratch; /* [threads][scratch_each] */
  size_t scratch_each;
  float response[DIRECTIONS][2 * TABLE + 1]; /* at fractions -1 to 1 */
  bool known;                                /* without wires voltages never change */
  bool wires, harmless; /* harmless: no voltage that others see moves anything */
};

/* What a pulse of a part f of its voltage does. */
static float respond(const float *table, float f) {
  float at = (f < -1 ? 0 : f > 1 ? 2 : f + 1) * TABLE;
  int k = (int)at < 2 * TABLE ? (int)at : 2 * TABLE - 1;
  return table[k] + (at - (float)k) * (table[k + 1] - table[k]);
}

/* ---------------------------------------------------------------- construction */

void mho_disturb_free(mho_disturb *d) {
  if (!d)
    return;
  for (int k = 0; d->bank && k < 2 * d->n; k++) {
    bank *a = &d->bank[k];
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
  for (int c = 0; d->x && c < d->n; c++)
    if (d->x[c]->lines) {
      mho_free(d->x[c]->lines->row);
      mho_free(d->x[c]->lines);
      d->x[c]->lines = NULL;
    }
  mho_free(d->bank);
  mho_free(d->x);
  mho_free(d->place);
  mho_free(d->scratch);
  mho_free(d);
}

static bool new_bank(const mho_disturb *d, mho_cells *cells, bank *a) {
  a->cells = cells;
  if (!(a->u = mho_alloc(cells->n, sizeof *a->u)) || !(a->t = mho_alloc(cells->n, sizeof *a->t)) ||
      (d->config->write_select == MHO_WRITE_THIRD && !(a->b = mho_alloc(cells->n, sizeof *a->b))))
    return false;
  for (int way = 0; way < DIRECTIONS; way++) {
    if ((!d->harmless && !(a->pulsed[way] = mho_alloc(cells->n, sizeof *a->pulsed[way]))) ||
        (d->wires && !(a->amplitude[way] = mho_alloc(cells->n, sizeof *a->amplitude[way]))))
      return false;
    cells->pulsed[way] = a->pulsed[way];
    cells->amplitude[way] = a->amplitude[way];
  }
  return true;
}

static bool new_lines(mho_crossbar *x) {
  if (!(x->lines = mho_alloc(1, sizeof *x->lines)))
    return false;
  x->lines->row = mho_alloc((size_t)(x->rows + x->cols), sizeof *x->lines->row);
  x->lines->col = x->lines->row ? x->lines->row + x->rows : NULL;
  return x->lines->row != NULL;
}

static void tabulate(mho_disturb *d, const mho_device_model *model, const void *params,
                     const mho_device_config *device) {
  int most = d->config->write_select == MHO_WRITE_HALF    ? TABLE / 2
             : d->config->write_select == MHO_WRITE_THIRD ? (d->wires ? 2 : 1) * TABLE / 3 + 1
                                                          : 0;
  d->harmless = true;
  for (int way = 0; way < DIRECTIONS; way++)
    for (int k = -TABLE; k <= TABLE; k++) {
      float v = (float)mho_device_response(model, params, device, way == SET, (double)k / TABLE);
      d->response[way][k + TABLE] = v;
      /* beyond V/2 or V/3 the lines beside a written cell do not go; where wires take from b, to
       * 2V/3 */
      d->harmless = d->harmless && (abs(k) > most || v == 0);
    }
}

mho_err mho_disturb_new(int n, mho_crossbar *const *x, const mho_array_config *config,
                        const mho_device_model *model, const void *params,
                        const mho_device_config *device, mho_pool *pool, mho_disturb **out,
                        mho_errinfo *ei) {
  *out = NULL;
  mho_disturb *d = mho_alloc(1, sizeof *d);
  bool ok = d && (d->x = mho_alloc((size_t)n, sizeof *d->x)) &&
            (d->bank = mho_alloc(2 * (size_t)n, sizeof *d->bank));
  if (ok) {
    memcpy(d->x, x, (size_t)n * sizeof *d->x);
    d->config = config;
    d->g_min = device->g_min;
    d->g_max = device->g_max;
    d->pool = pool;
    d->n = n;
    d->wires = config->r_word > 0 || config->r_bit > 0;
    tabulate(d, model, params, device);
    for (int c = 0; c < n; c++)
      d->n_places += mho_places_cut(x[c], c, config, NULL);
    ok = (d->place = mho_alloc((size_t)d->n_places, sizeof *d->place)) != NULL;
  }
  bool fixed = device->mapping == MHO_MAPPING_REFERENCE || device->mapping == MHO_MAPPING_OFFSET;
  for (int c = 0, t = 0; ok && c < n; c++) {
    t += mho_places_cut(x[c], c, config, d->place + t);
    ok = new_bank(d, x[c]->pos, &d->bank[2 * c]) &&
         (fixed || new_bank(d, x[c]->neg, &d->bank[2 * c + 1])) && (d->harmless || new_lines(x[c]));
  }
  for (int t = 0; ok && t < d->n_places; t++) {
    size_t need = 5 * (size_t)d->place[t].rows * (size_t)d->place[t].width;
    d->scratch_each = need > d->scratch_each ? need : d->scratch_each;
  }
  ok = ok && (d->scratch =
                  mho_alloc((size_t)mho_pool_threads(pool) * d->scratch_each, sizeof *d->scratch));
  if (!ok) {
    mho_disturb_free(d);
    return mho_fail(ei, MHO_ENOMEM, "no memory for the write voltages of %d crossbars", n);
  }
  *out = d;
  return MHO_OK;
}

/* ---------------------------------------------------------------- voltages */

/* Ladders side by side: n of them, cell k of ladder l at l along + k across. Each is driven with 1
 * V behind a segment r at cell 0; its devices g end on lines of resistance `behind` (nullable: 0
 * ohm) at 0 V. v: voltage of the nodes, then across the devices alone. work: [n lines][length]. */
static void ladder(int n, ptrdiff_t along, int length, ptrdiff_t across, double r, const double *g,
                   const double *behind, double *v) {
  for (int l = 0; l < n; l++) {
    double s = 0, node = 1;
    for (int k = length; k-- > 0;) {
      ptrdiff_t at = l * along + k * across;
      double load = g[at] / (1 + g[at] * (behind ? behind[at] : 0));
      s = r * load + s / (1 + s);
      v[at] = 1 / (1 + s);
    }
    for (int k = 0; k < length; k++) {
      ptrdiff_t at = l * along + k * across;
      node *= v[at];
      v[at] = node / (1 + g[at] * (behind ? behind[at] : 0));
    }
  }
}

/* Resistance to ground at each node of such ladders, their end at 0 V, without the node's own
 * device. */
static void thevenin(int n, ptrdiff_t along, int length, ptrdiff_t across, double r,
                     const double *g, double *out) {
  for (int l = 0; l < n; l++) {
    double open = 0, end = 1 / r; /* conductance from the far side and from the end's side */
    for (int k = length; k-- > 0;) {
      ptrdiff_t at = l * along + k * across;
      out[at] = open;
      open = (open + g[at]) / (1 + r * (open + g[at]));
    }
    for (int k = 0; k < length; k++) {
      ptrdiff_t at = l * along + k * across;
      out[at] = 1 / (out[at] + end);
      end = (end + g[at]) / (1 + r * (end + g[at]));
    }
  }
}

/* u and t of a tile. */
static void own_lines(const mho_array_config *o, const mho_place *p, const double *g,
                      double *behind, double *u, double *t) {
  int m = p->rows, n = p->width;
  size_t last = (size_t)(m - 1) * (size_t)n; /* bit lines end at the bottom */
  if (o->r_bit > 0)
    thevenin(n, 1, m, -n, o->r_bit, g + last, behind + last);
  ladder(m, n, n, 1, o->r_word, g, o->r_bit > 0 ? behind : NULL, u);
  if (o->r_word > 0)
    thevenin(m, n, n, 1, o->r_word, g, behind);
  ladder(n, 1, m, -n, o->r_bit, g + last, o->r_word > 0 ? behind + last : NULL, t + last);
}

/* b of a tile; a tile without a solution, which no conductances in range give, is taken without
 * wires. */
static void all_lines(const mho_array_config *o, const mho_place *p, const double *g, double *word,
                      double *bit, double *b) {
  size_t cells = (size_t)p->rows * (size_t)p->width;
  mho_wire *w;
  for (size_t k = 0; k < cells; k++)
    b[k] = 1; /* also of the drives, which are never more than cells */
  mho_err err = mho_wire_new(
      &(mho_wire_options){
          .rows = p->rows, .cols = p->width, .r_word = o->r_word, .r_bit = o->r_bit},
      &w, NULL);
  if (!err)
    err = mho_wire_set(w, g, NULL);
  if (!err)
    err = mho_wire_solve(
        w, &(mho_wire_read){.n = 1, .v_word = b, .node_word = word, .node_bit = bit}, NULL, NULL);
  for (size_t k = 0; k < cells && !err; k++)
    b[k] = word[k] - bit[k];
  mho_wire_free(w);
}

static void voltages_task(void *arg, int k, int thread) {
  mho_disturb *d = arg;
  const mho_array_config *o = d->config;
  const mho_place *p = &d->place[k];
  mho_crossbar *x = d->x[p->crossbar];
  size_t cells = (size_t)p->rows * (size_t)p->width;
  double *g = d->scratch + (size_t)thread * d->scratch_each, *u = g + cells, *t = u + cells,
         *b = t + cells;
  if (!d->bank[2 * p->crossbar + (p->bank == MHO_BANK_NEG)].cells)
    return;
  mho_place_gather(p, x, d->g_min, d->g_max, 1, g);
  if (o->write_select == MHO_WRITE_TRANSISTOR) {
    for (int i = 0; i < p->rows; i++)
      for (int j = 0; j < p->width; j++) {
        size_t at = (size_t)i * (size_t)p->width + (size_t)j;
        u[at] = t[at] = 1 / (1 + g[at] * (o->r_word * (j + 1) + o->r_bit * (p->rows - i)));
      }
  } else if (d->wires) {
    if (o->write_select == MHO_WRITE_THIRD) {
      all_lines(o, p, g, u, t, b); /* u, t: work */
      own_lines(o, p, g, b + cells, u, t);
    } else {
      own_lines(o, p, g, b, u, t);
    }
  } else {
    for (size_t i = 0; i < cells; i++)
      u[i] = t[i] = b[i] = 1;
  }
  for (int i = 0; i < p->rows; i++)
    for (int j = 0; j < p->width; j++) {
      bool both = p->bank == MHO_BANK_BOTH;
      bank *a = &d->bank[2 * p->crossbar + (both ? j % 2 : p->bank == MHO_BANK_NEG)];
      size_t at = (size_t)i * (size_t)p->width + (size_t)j,
             cell =
                 (size_t)(p->row0 + i) * (size_t)x->cols + (size_t)(p->col0 + (both ? j / 2 : j));
      if (!a->cells)
        continue;
      double sum = u[at] + t[at], f = 0.5 * sum;
      a->u[cell] = (float)u[at];
      a->t[cell] = (float)t[at];
      if (a->b) {
        a->b[cell] = (float)b[at];
        f = (2 * sum - b[at]) / 3;
      }
      for (int way = 0; way < DIRECTIONS && a->amplitude[way]; way++) {
        float s = respond(d->response[way], (float)f);
        a->amplitude[way][cell] = s > 0 ? s : 0;
      }
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

/* Pulses on the lines of a tile, of the cells or, when lines are pulsed as a whole, of those. */
static void count_tile(const mho_disturb *d, const mho_place *p, const mho_crossbar *x, counts *c) {
  bool both = p->bank == MHO_BANK_BOTH;
  memset(c->row[0], 0, 2 * (size_t)(p->rows + p->width) * sizeof *c->row[0]);
  c->all[SET] = c->all[RESET] = 0;
  for (int i = 0; i < p->rows; i++)
    for (int j = 0; j < p->width; j++) {
      const bank *a = &d->bank[2 * p->crossbar + (both ? j % 2 : p->bank == MHO_BANK_NEG)];
      size_t cell =
          (size_t)(p->row0 + i) * (size_t)x->cols + (size_t)(p->col0 + (both ? j / 2 : j));
      for (int way = 0; way < DIRECTIONS && a->cells; way++) {
        double pulses = a->pulsed[way][cell];
        c->row[way][i] += pulses;
        c->col[way][j] += pulses;
        c->all[way] += pulses;
      }
    }
  for (int way = 0; way < DIRECTIONS && x->lines->used; way++) {
    for (int i = 0; i < p->rows; i++)
      c->row[way][i] = x->lines->row[p->row0 + i];
    for (int j = 0; j < p->width; j++)
      c->col[way][j] = x->lines->col[p->col0 + (both ? j / 2 : j)];
    c->all[way] = 1; /* something may have been pulsed */
  }
}

/* Parts of a row of a tile: cells first, first + 1, ... of a bank, tile columns j0, j0 + step,
 * ... */
static void disturb_cells(const mho_disturb *d, const counts *c, const bank *a, size_t first, int n,
                          int i, int j0, int step) {
  float amount[DIRECTIONS][MHO_DEVICE_BLOCK];
  bool third = a->b != NULL;
  memset(amount, 0, sizeof amount);
  for (int k = 0; k < n; k++) {
    size_t cell = first + (size_t)k;
    float u = a->u[cell], t = a->t[cell], b = third ? a->b[cell] / 3 : 0,
          share = third ? 2.0f / 3 : 0.5f;
    for (int way = 0; way < DIRECTIONS; way++) {
      double own = a->pulsed[way][cell], row = fmax(c->row[way][i] - own, 0),
             col = fmax(c->col[way][j0 + k * step] - own, 0),
             rest = fmax(c->all[way] - own - row - col, 0);
      const float *table = d->response[way];
      float sum[DIRECTIONS] = {0};
      const float times[] = {(float)row, (float)col, third ? (float)rest : 0},
                  volts[] = {share * u - b, share * t - b, -b};
      for (int q = 0; q < 3; q++) {
        float s = times[q] > 0 ? times[q] * respond(table, volts[q]) : 0;
        sum[s > 0 ? SET : RESET] += fabsf(s); /* in this direction, in the other */
      }
      amount[way][k] += sum[0];
      amount[!way][k] += sum[1];
    }
  }
  mho_cells_disturb(a->cells, first, n, amount[SET], amount[RESET]);
}

static void disturb_task(void *arg, int k, int thread) {
  mho_disturb *d = arg;
  const mho_place *p = &d->place[k];
  mho_crossbar *x = d->x[p->crossbar];
  bool both = p->bank == MHO_BANK_BOTH;
  double *at = d->scratch + (size_t)thread * d->scratch_each;
  counts c = {.row = {at, at + p->rows}, .col = {at + 2 * p->rows, at + 2 * p->rows + p->width}};
  count_tile(d, p, x, &c);
  if (!(c.all[SET] > 0 || c.all[RESET] > 0))
    return;
  for (int i = 0; i < p->rows; i++)
    for (int q = 0; q < 1 + both; q++) {
      const bank *a = &d->bank[2 * p->crossbar + (both ? q : p->bank == MHO_BANK_NEG)];
      for (int j = 0; a->cells && j < p->cols; j += MHO_DEVICE_BLOCK) {
        size_t first = (size_t)(p->row0 + i) * (size_t)x->cols + (size_t)(p->col0 + j);
        int n = p->cols - j < MHO_DEVICE_BLOCK ? p->cols - j : MHO_DEVICE_BLOCK;
        disturb_cells(d, &c, a, first, n, i, both ? 2 * j + q : j, 1 + both);
      }
    }
}

static void forget_task(void *arg, int c, int thread) {
  mho_disturb *d = arg;
  mho_crossbar *x = d->x[c];
  for (int k = 0; k < 2 * DIRECTIONS; k++) {
    bank *a = &d->bank[2 * c + k / 2];
    if (a->cells)
      memset(a->pulsed[k % 2], 0, a->cells->n * sizeof *a->pulsed[0]);
  }
  memset(x->lines->row, 0, (size_t)(x->rows + x->cols) * sizeof *x->lines->row);
  x->lines->used = false;
  mho_crossbar_refresh(x, 0, (size_t)x->rows * (size_t)x->cols);
}

void mho_disturb_apply(mho_disturb *d) {
  if (d->harmless)
    return;
  mho_pool_run(d->pool, d->n_places, disturb_task, d);
  mho_pool_run(d->pool, d->n, forget_task, d);
}
