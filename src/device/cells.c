/* cells.c - cells under pulses, whole ones and weak ones, for any model, and what shows of them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "device/block.h"
#include "device/series.h"

/* ---------------------------------------------------------------- what shows */

/* The range closes linearly with the pulses, from both sides, to endurance_range of the original
 * one. What is closed by `fresh` more pulses follows from the present bounds: no second pair of
 * bounds is kept. */
static void wear_out(mho_cells *c, size_t cell, uint32_t fresh) {
  double end = c->config.endurance, closes = (1 - c->config.endurance_range) / end;
  double before = fmin((double)c->wear[cell], end);
  uint32_t left = UINT32_MAX - c->wear[cell];
  c->wear[cell] += fresh < left ? fresh : left;
  double now = fmin((double)c->wear[cell], end);

  double keep = 1 - closes * before > 0 ? (1 - closes * now) / (1 - closes * before) : 1;
  float middle = 0.5f * (c->low[cell] + c->high[cell]);
  float half = (float)(0.5 * keep) * (c->high[cell] - c->low[cell]);
  c->low[cell] = middle - half;
  c->high[cell] = middle + half;
  c->state[cell] = within(c->state[cell], c->low[cell], c->high[cell]);
}

/* One cell that had `count` pulses; xi is the deviate of its write noise. */
static void show_cell(mho_cells *c, size_t cell, int count, float xi) {
  if (!count || is_faulty(c, cell))
    return;
  if (c->wear)
    wear_out(c, cell, (uint32_t)(count > 0 ? count : -count));

  float g = mho__cells_level(c, bounds_at(c, cell), c->state[cell]);
  float noise = (float)c->config.write_noise;
  c->state[cell] = g;
  /* noise lies on top: it may exceed the bounds, but not fall below 0 S */
  c->g[cell] = noise > 0 ? fmaxf(g + noise * xi, zero_siemens(c->g_min, c->g_max)) : g;
}

/* Whether all that shows of a cell is its state under the noise of the last write. */
static bool shows_noise_alone(const mho_cells *c) {
  return c->config.write_noise > 0 && c->config.levels < 2 && !c->wear && !c->fault;
}

/* show_cell of n such cells, of neighbours from `first` on or of those named. */
static void show_noisy(mho_cells *c, size_t first, int n, const uint32_t *cell,
                       const int16_t *count, const float *xi) {
  float noise = (float)c->config.write_noise, zero = zero_siemens(c->g_min, c->g_max);
  for (int i = 0; i < n; i++) {
    size_t at = cell ? cell[i] : first + (size_t)i;
    float g = c->state[at] + noise * xi[i];
    if (count[i])
      c->g[at] = g > zero ? g : zero;
  }
}

void mho_cells_show(mho_cells *c, size_t first, int n, const int16_t *count, uint64_t step) {
  float xi[MHO_DEVICE_BLOCK] = {0};
  if (c->config.write_noise > 0)
    mho_rng_normal(c->noise, mho__step_show(step), first, (size_t)n, xi);
  if (shows_noise_alone(c)) {
    show_noisy(c, first, n, NULL, count, xi);
    return;
  }
  for (int i = 0; i < n; i++)
    show_cell(c, first + (size_t)i, count[i], xi[i]);
}

void mho__cells_show_at(mho_cells *c, int n, const uint32_t *cell, const int16_t *count,
                        uint64_t step) {
  float xi[MHO_DEVICE_BLOCK] = {0};
  if (c->config.write_noise > 0)
    mho_rng_normal_at(c->noise, mho__step_show(step), (size_t)n, cell, xi);
  if (shows_noise_alone(c)) {
    show_noisy(c, 0, n, cell, count, xi);
    return;
  }
  for (int i = 0; i < n; i++)
    show_cell(c, cell[i], count[i], xi[i]);
}

/* ---------------------------------------------------------------- one pulse on a block */

/* Pulses of a count, whichever way they go. */
static inline int16_t size_of(int16_t count) {
  return (int16_t)(count < 0 ? -count : count);
}

/* ---------------------------------------------------------------- pulses on neighbours */

/* The pulse of this rank on neighbouring cells, of which many have one (left above rank; NULL:
 * all): all are answered, those without keep what they have. */
static void pulse_block(mho_cells *c, size_t first, int n, const int16_t *left, int rank,
                        const float *dir, uint64_t step) {
  float xi[MHO_DEVICE_BLOCK], out[MHO_DEVICE_BLOCK], amplitude[MHO_DEVICE_BLOCK];
  float *g = c->state + first;
  mho_device_block b;

  mho__block_in_place(c, first, n, dir, out, &b);
  to_levels(c, n, b.low, b.high, g);
  if (c->noisy) {
    b.quiet = false;
    mho_rng_normal(c->noise, mho__step_pulse(step, rank), first, (size_t)n, xi);
    b.xi = xi;
  }
  answer(c, &b, strength(c, first, n, NULL, dir, amplitude));

  if (c->rest) {
    for (int i = 0; i < n; i++)
      if (!left || left[i] > rank)
        g[i] = move_finely(g[i], out[i], b.low[i], b.high[i], &c->rest[first + (size_t)i]);
  } else if (!left) {
#pragma omp simd
    for (int i = 0; i < n; i++)
      g[i] = clipped(g[i] + out[i], b.low[i], b.high[i]);
  } else {
#pragma omp simd
    for (int i = 0; i < n; i++) {
      float v = clipped(g[i] + out[i], b.low[i], b.high[i]);
      g[i] = left[i] > rank ? v : g[i];
    }
  }
  to_levels(c, n, b.low, b.high, g);
}

/* ---------------------------------------------------------------- pulses on scattered cells */

/* Constants of a cell that may vary: its bounds and the columns of its model, and what makes them
 * up to a multiple of four. */
enum { CONSTANTS = (2 + MHO_DEVICE_COLUMNS + 3) / 4 * 4 };

/* Scattered cells, side by side. */
typedef struct gathered {
  int n;
  uint32_t cell[MHO_DEVICE_BLOCK];
  int16_t left[MHO_DEVICE_BLOCK]; /* pulses of the cell */
  float g[MHO_DEVICE_BLOCK], dir[MHO_DEVICE_BLOCK], xi[MHO_DEVICE_BLOCK], out[MHO_DEVICE_BLOCK];
  float rest[MHO_DEVICE_BLOCK];
  float constant[CONSTANTS][MHO_DEVICE_BLOCK];
} gathered;

typedef float four __attribute__((vector_size(16)));

static four load_four(const float *v) {
  four out;
  memcpy(&out, v, sizeof out);
  return out;
}

/* Four constants of four cells: the first of all cells, the second of all, and so on. */
static void turn(const four *of_cell, four *of_all) {
  four a = of_cell[0], b = of_cell[1], c = of_cell[2], d = of_cell[3];
  four ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  four ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  four cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  four cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  of_all[0] = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
  of_all[1] = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
  of_all[2] = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
  of_all[3] = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
}

/* All constants of the gathered cells, from where those of a cell lie side by side. */
static void gather_beside(const bank *own, gathered *x) {
  size_t width = (size_t)own->n_beside;
  for (int i = x->n; i % 4; i++)
    x->cell[i] = x->cell[0]; /* fills the last four */

  for (int i = 0; i < x->n; i += 4)
    for (size_t k = 0; k < width; k += 4) {
      four of_cell[4], of_all[4];
      for (int m = 0; m < 4; m++)
        of_cell[m] = load_four(own->beside + x->cell[i + m] * width + k);
      turn(of_cell, of_all);
      for (size_t m = 0; m < 4; m++)
        memcpy(x->constant[k + m] + i, &of_all[m], sizeof of_all[m]);
    }
}

/* A constant of the gathered cells: its values are the next of those that were beside each other,
 * *taken of which have been, or are gathered here. */
static const float *constant_of(const mho_cells *c, const float *v, bool varies, gathered *x,
                                int *taken) {
  float *own = x->constant[*taken];
  if (!varies)
    return v;
  ++*taken;
  return bank_of(c)->beside ? own : gather(v, true, x->n, x->cell, own);
}

/* What the model sees of the gathered cells at present. */
static void gather_block(const mho_cells *c, gathered *x, mho_device_block *b) {
  int taken = 0;
  if (bank_of(c)->beside)
    gather_beside(bank_of(c), x);

  b->n = x->n;
  b->low = constant_of(c, c->low, c->varied, x, &taken);
  b->high = constant_of(c, c->high, c->varied, x, &taken);
  for (int k = 0; k < c->model->n_columns; k++)
    b->col[k] = constant_of(c, c->col[k], c->column_varies[k], x, &taken);
  gather(c->state, true, x->n, x->cell, x->g);
  if (c->rest)
    gather(c->rest, true, x->n, x->cell, x->rest);
  to_levels(c, x->n, b->low, b->high, x->g);
}

/* The states after the answer in x->out, back into the bank. */
static void scatter(mho_cells *c, gathered *x, const mho_device_block *b) {
  if (c->rest)
    for (int i = 0; i < x->n; i++)
      x->out[i] = move_finely(x->g[i], x->out[i], b->low[i], b->high[i], &c->rest[x->cell[i]]);
  else
    for (int i = 0; i < x->n; i++)
      x->out[i] = clipped(x->g[i] + x->out[i], b->low[i], b->high[i]);
  to_levels(c, x->n, b->low, b->high, x->out);
  for (int i = 0; i < x->n; i++)
    c->state[x->cell[i]] = x->out[i];
}

/* Those with pulses beyond this rank move up. */
static void drop_finished(gathered *x, int rank) {
  int n = 0;
  for (int i = 0; i < x->n; i++) {
    x->cell[n] = x->cell[i];
    x->left[n] = x->left[i];
    x->dir[n] = x->dir[i];
    n += x->left[i] > rank + 1;
  }
  x->n = n;
}

/* The pulses of this rank and of those after it on the gathered cells, whose `left` is more than
 * rank. */
static void pulse_gathered(mho_cells *c, gathered *x, int rank, uint64_t step) {
  float amplitude[MHO_DEVICE_BLOCK];
  mho_device_block b;
  b.g = x->g;
  b.rest = c->rest ? x->rest : NULL;
  b.dir = x->dir;
  b.xi = c->noisy ? x->xi : mho_no_noise;
  b.quiet = !c->noisy;
  b.shared = c->shared;
  b.out = x->out;

  int16_t most = 0;
  for (int i = 0; i < x->n; i++)
    most = x->left[i] > most ? x->left[i] : most;

  for (; rank < most; rank++) {
    gather_block(c, x, &b);
    if (c->noisy)
      mho_rng_normal_at(c->noise, mho__step_pulse(step, rank), (size_t)x->n, x->cell, x->xi);
    answer(c, &b, strength(c, 0, x->n, x->cell, x->dir, amplitude));
    scatter(c, x, &b);
    if (rank + 1 < most)
      drop_finished(x, rank);
  }
}

/* ---------------------------------------------------------------- counts */

/* What n counts add up to. */
typedef struct tally {
  int pulsed, most; /* cells with pulses, the most of one cell */
} tally;

static inline tally take_count(int n, const int16_t *count, mho_pulse_counts *counts) {
  /* in 16 bits, so that one pass of vector code makes all four */
  int16_t pulsed = 0, most = 0, narrow_sum = 0, narrow_all = 0;
  for (int i = 0; i < n; i++) {
    int16_t size = size_of(count[i]);
    most = size > most ? size : most;
    pulsed = (int16_t)(pulsed + (size > 0));
    narrow_sum = (int16_t)((uint16_t)narrow_sum + (uint16_t)count[i]);
    narrow_all = (int16_t)((uint16_t)narrow_all + (uint16_t)size);
  }

  /* sums that may have left the 16 bits are made anew */
  int sum = narrow_sum, all = narrow_all;
  if (most > INT16_MAX / MHO_DEVICE_BLOCK) {
    sum = all = 0;
    for (int i = 0; i < n; i++) {
      sum += count[i];
      all += abs(count[i]);
    }
  }

  counts->set += 0.5 * (all + sum);
  counts->reset += 0.5 * (all - sum);
  return (tally){pulsed, most};
}

/* Bit i of the result: cell i of the 64 at count has more than rank pulses. */
static uint64_t pulsed_bits(int n, const int16_t *count, int16_t rank) {
  uint8_t more[64] = {0};
  uint64_t bits = 0;

  for (int i = 0; i < n; i++)
    more[i] = size_of(count[i]) > rank;

  /* of eight bytes of 0 or 1 the product gathers the bits in its top byte, the first the lowest */
  for (int k = 0; k < 8; k++) {
    uint64_t eight = 0;
    for (int i = 0; i < 8; i++)
      eight |= (uint64_t)more[8 * k + i] << 8 * i;
    bits |= (eight * 0x0102040810204080u >> 56) << 8 * k;
  }
  return bits;
}

/* ---------------------------------------------------------------- many and few cells */

/* Pulses from this rank on, on few of n neighbouring cells. */
static void pulse_few(mho_cells *c, size_t first, int n, const int16_t *count, int rank,
                      uint64_t step) {
  gathered x;
  x.n = 0;
  for (int i0 = 0; i0 < n; i0 += 64) {
    uint64_t bits = pulsed_bits(mho_min(n - i0, 64), count + i0, (int16_t)rank);
    for (; bits; bits &= bits - 1) {
      int i = i0 + __builtin_ctzll(bits);
      x.cell[x.n] = (uint32_t)(first + (size_t)i);
      x.left[x.n] = (int16_t)abs(count[i]);
      x.dir[x.n] = count[i] > 0 ? 1.0f : -1.0f;
      x.n += !is_faulty(c, first + (size_t)i);
    }
  }
  pulse_gathered(c, &x, rank, step);
}

/* Directions +-1 of counts, by the bit of the sign. */
static void directions(int n, const int16_t *count, float *dir) {
  for (int i = 0; i < n; i++) {
    uint32_t bits = ((uint32_t)count[i] & 0x80000000u) | 0x3f800000u;
    memcpy(&dir[i], &bits, sizeof bits);
  }
}

static int above(int n, const int16_t *left, int rank) {
  int16_t pulsed = 0;
  for (int i = 0; i < n; i++)
    pulsed = (int16_t)(pulsed + (left[i] > rank));
  return pulsed;
}

static void pulse_neighbours(mho_cells *c, size_t first, int n, const int16_t *count, uint64_t step,
                             mho_pulse_counts *counts) {
  /* below one pulsed cell out of so many, drawing for all costs more than gathering */
  enum { DENSE = 4 };
  int16_t left[MHO_DEVICE_BLOCK];
  float dir[MHO_DEVICE_BLOCK];

  tally t = take_count(n, count, counts);
  if (!t.pulsed)
    return;
  if (t.pulsed * DENSE < n) {
    pulse_few(c, first, n, count, 0, step);
    return;
  }

  directions(n, count, dir);
  if (t.pulsed == n && t.most == 1 && !c->fault) {
    pulse_block(c, first, n, NULL, 0, dir, step);
    return;
  }

  for (int i = 0; i < n; i++)
    left[i] = size_of(count[i]);
  if (c->fault)
    for (int i = 0; i < n; i++)
      left[i] = c->fault[first + (size_t)i] ? 0 : left[i];
  pulse_block(c, first, n, left, 0, dir, step);
  for (int rank = 1; rank < t.most; rank++) {
    if (above(n, left, rank) * DENSE < n) {
      pulse_few(c, first, n, count, rank, step);
      return;
    }
    pulse_block(c, first, n, left, rank, dir, step);
  }
}

void mho_cells_pulse(mho_cells *c, size_t first, int n, const int16_t *count, uint64_t step,
                     mho_pulse_counts *counts) {
  if (c->pulsed[0])
    for (int i = 0; i < n; i++)
      note_pulsed(c, first + (size_t)i, count[i]);
  pulse_neighbours(c, first, n, count, step, counts);
  if (c->hides)
    mho_cells_show(c, first, n, count, step);
}

/* Cells that all have pulses and none a fault, side by side. */
static void take_all(int n, const uint32_t *cell, const int16_t *count, gathered *x) {
  x->n = n;
  memcpy(x->cell, cell, (size_t)n * sizeof *cell);
  for (int i = 0; i < n; i++)
    x->left[i] = size_of(count[i]);
  directions(n, count, x->dir);
}

/* Those that have pulses and no fault. */
static void take_some(const mho_cells *c, int n, const uint32_t *cell, const int16_t *count,
                      gathered *x) {
  x->n = 0;
  for (int i = 0; i < n; i++) {
    x->cell[x->n] = cell[i];
    x->left[x->n] = size_of(count[i]);
    x->dir[x->n] = count[i] > 0 ? 1.0f : -1.0f;
    x->n += count[i] && !is_faulty(c, cell[i]);
  }
}

/* Pulses on scattered cells, whose sums are t. */
static void pulse_listed(mho_cells *c, tally t, int n, const uint32_t *cell, const int16_t *count,
                         uint64_t step) {
  gathered x;
  if (t.pulsed == n && !c->fault)
    take_all(n, cell, count, &x);
  else
    take_some(c, n, cell, count, &x);

  if (c->pulsed[0])
    for (int i = 0; i < n; i++)
      note_pulsed(c, cell[i], count[i]);
  pulse_gathered(c, &x, 0, step);
  if (c->hides)
    mho__cells_show_at(c, n, cell, count, step);
}

void mho_cells_pulse_at(mho_cells *c, int n, const uint32_t *cell, const int16_t *count,
                        uint64_t step, mho_pulse_counts *counts) {
  pulse_listed(c, take_count(n, count, counts), n, cell, count, step);
}

/* ---------------------------------------------------------------- pulses on a column */

/* What the model sees of cells below each other, from `first` on, but for their states. */
static void show_column(const mho_cells *c, size_t first, mho_device_block *b) {
  const bank *own = bank_of(c);
  size_t columns = (size_t)own->columns, rows = c->n / columns, column = first % columns;
  const float *next = own->by_column + (column * (size_t)own->n_by_column * rows + first / columns);

  b->low = c->varied ? next : c->low;
  b->high = c->varied ? next + rows : c->high;
  next += c->varied ? 2 * rows : 0;
  for (int k = 0; k < c->model->n_columns; k++) {
    b->col[k] = c->column_varies[k] ? next : c->col[k];
    next += c->column_varies[k] ? rows : 0;
  }
}

/* States of n cells `every` apart, from where they are, ... */
static void load_every(const float *state, size_t every, int n, float *g) {
  for (int i = 0; i < n; i++)
    g[i] = state[(size_t)i * every];
}

/* ... and back, of those with a pulse. */
static void store_every(const float *g, size_t every, int n, const int16_t *count, bool is_full,
                        float *state) {
  if (is_full)
    for (int i = 0; i < n; i++)
      state[(size_t)i * every] = g[i];
  else
    for (int i = 0; i < n; i++)
      if (count[i])
        state[(size_t)i * every] = g[i];
}

/* A pulse on cells below each other that have no rests and no faults. */
static void pulse_below(mho_cells *c, tally t, int n, const uint32_t *cell, const int16_t *count,
                        uint64_t step) {
  float g[MHO_DEVICE_BLOCK], dir[MHO_DEVICE_BLOCK], xi[MHO_DEVICE_BLOCK], out[MHO_DEVICE_BLOCK];
  float amplitude[MHO_DEVICE_BLOCK], *state = c->state + cell[0];
  size_t every = (size_t)bank_of(c)->columns;
  mho_device_block b = {.n = n, .g = g, .dir = dir, .xi = mho_no_noise, .quiet = true, .out = out};
  b.shared = c->shared;

  show_column(c, cell[0], &b);
  directions(n, count, dir);
  load_every(state, every, n, g);
  to_levels(c, n, b.low, b.high, g);
  if (c->noisy) {
    b.quiet = false;
    mho_rng_normal_at(c->noise, mho__step_pulse(step, 0), (size_t)n, cell, xi);
    b.xi = xi;
  }
  answer(c, &b, strength(c, 0, n, cell, dir, amplitude));

#pragma omp simd
  for (int i = 0; i < n; i++)
    out[i] = clipped(g[i] + out[i], b.low[i], b.high[i]);
  to_levels(c, n, b.low, b.high, out);
  store_every(out, every, n, count, t.pulsed == n, state);
}

void mho__cells_pulse_column(mho_cells *c, int columns, int n, const uint32_t *cell,
                             const int16_t *count, uint64_t step, mho_pulse_counts *counts) {
  tally t = take_count(n, count, counts);
  bool is_laid = bank_of(c)->columns == columns;
  if (t.most > 1 || c->rest || c->fault || !is_laid) {
    pulse_listed(c, t, n, cell, count, step);
    return;
  }

  if (c->pulsed[0])
    for (int i = 0; i < n; i++)
      note_pulsed(c, cell[i], count[i]);
  pulse_below(c, t, n, cell, count, step);
  if (c->hides)
    mho__cells_show_at(c, n, cell, count, step);
}

/* ---------------------------------------------------------------- weak pulses */

/* A change of cell `cell` of the block, at i, by weak pulses. */
static void disturb_cell(mho_cells *c, size_t cell, const mho_device_block *b, int i, size_t k) {
  float before = c->state[cell], v = clipped(before + b->out[i], b->low[i], b->high[i]);
  if (c->rest)
    v = move_finely(before, b->out[i], b->low[i], b->high[i], &c->rest[cell]);
  v = mho__cells_level(c, k, v);
  c->state[cell] = v;
  if (c->state == c->g)
    return;

  /* what the last write left on top stays there */
  c->g[cell] = c->config.write_noise > 0 ? c->g[cell] + (v - before) : v;
}

/* A round's share of the effect of weak pulses in direction dir on n neighbours. */
static void disturb_round(mho_cells *c, size_t first, int n, float dir, const float *amplitude) {
  float dirs[MHO_DEVICE_BLOCK], out[MHO_DEVICE_BLOCK];
  mho_device_block b;

  for (int i = 0; i < n; i++)
    dirs[i] = dir;
  mho__block_in_place(c, first, n, dirs, out, &b);
  answer(c, &b, amplitude);

  for (int i = 0; i < n; i++) {
    size_t cell = first + (size_t)i;
    if (amplitude[i] != 0 && !is_faulty(c, cell))
      disturb_cell(c, cell, &b, i, bounds_at(c, first) + (size_t)i);
  }
}

/* What is due in a round: the same share in every one; or, of cells with levels, a whole pulse
 * until the rest. */
static void share(const mho_cells *c, int n, const float *all, int round, int rounds, float *out) {
  bool whole = c->config.levels >= 2;
  for (int i = 0; i < n; i++)
    out[i] = whole ? clipped(all[i] - (float)round, 0, 1) : all[i] / (float)rounds;
}

static float largest(int n, const float *v) {
  float most = 0;
  for (int i = 0; i < n; i++)
    most = v[i] > most ? v[i] : most;
  return most;
}

void mho_cells_disturb(mho_cells *c, size_t first, int n, const float *set, const float *reset) {
  enum { ROUNDS = 4096 };
  float up[MHO_DEVICE_BLOCK], down[MHO_DEVICE_BLOCK];
  float most_up = largest(n, set), most_down = largest(n, reset);

  /* as many rounds as keep a share to one pulse's effect */
  float most = most_up > most_down ? most_up : most_down;
  int rounds = most < ROUNDS ? (int)ceilf(most) : ROUNDS;
  for (int k = 0; k < rounds; k++) {
    share(c, n, set, k, rounds, up);
    share(c, n, reset, k, rounds, down);
    if (most_up > 0)
      disturb_round(c, first, n, 1, up);
    if (most_down > 0)
      disturb_round(c, first, n, -1, down);
  }
}

/* ---------------------------------------------------------------- siemens */

double mho_cells_siemens_at(const mho_cells *c, size_t cell, float g) {
  double siemens = c->g_min + (double)g * (c->g_max - c->g_min);
  return (c->fault && c->fault[cell] == MHO_FAULT_OPEN) || siemens < 0 ? 0 : siemens;
}

double mho_cells_siemens(const mho_cells *c, size_t cell) {
  return mho_cells_siemens_at(c, cell, c->g[cell]);
}
