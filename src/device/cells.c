/* cells.c - cells under pulses: trains, bounds, what shows of the state, for any model.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "device/cells.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- what shows */

/* The range closes linearly with the pulses, from both sides, to endurance_range of the original one. What is
 * closed by `fresh` more pulses follows from the present bounds: no second pair of bounds is kept. */
static void wear_out(mho_cells *c, size_t cell, uint32_t fresh) {
  double end = c->config.endurance, closes = (1 - c->config.endurance_range) / end;
  double before = fmin((double)c->wear[cell], end);
  c->wear[cell] += fresh < UINT32_MAX - c->wear[cell] ? fresh : UINT32_MAX - c->wear[cell];
  double now = fmin((double)c->wear[cell], end);
  double keep = 1 - closes * before > 0 ? (1 - closes * now) / (1 - closes * before) : 1;
  float middle = 0.5f * (c->low[cell] + c->high[cell]);
  float half = (float)(0.5 * keep) * (c->high[cell] - c->low[cell]);
  c->low[cell] = middle - half;
  c->high[cell] = middle + half;
  c->state[cell] = fminf(fmaxf(c->state[cell], c->low[cell]), c->high[cell]);
}

/* xi: of the write noise, [n], used when there is some; cell NULL: they are first, first + 1, ... */
static void show(mho_cells *c, size_t first, int n, const uint32_t *cells, const int16_t *count,
                 const float *xi) {
  float zero = zero_siemens(c->g_min, c->g_max), noise = (float)c->config.write_noise;
  for (int i = 0; i < n; i++) {
    size_t cell = cells ? cells[i] : first + (size_t)i;
    if (!count[i] || (c->fault && c->fault[cell]))
      continue;
    if (c->wear)
      wear_out(c, cell, (uint32_t)(count[i] > 0 ? count[i] : -count[i]));
    float g = c->state[cell] = mho_cells_level(c, bounds_at(c, cell), c->state[cell]);
    c->g[cell] = noise > 0 ? fmaxf(g + noise * xi[i], zero)
                           : g; /* not clipped to the bounds: noise on top */
  }
}

void mho_cells_show(mho_cells *c, size_t first, int n, const int16_t *count, uint64_t step) {
  float xi[MHO_DEVICE_BLOCK];
  if (c->config.write_noise > 0)
    mho_rng_normal(c->noise, mho_step_show(step), first, (size_t)n, xi);
  show(c, first, n, NULL, count, xi);
}

static void show_at(mho_cells *c, int n, const uint32_t *cell, const int16_t *count,
                    uint64_t step) {
  float xi[MHO_DEVICE_BLOCK];
  if (c->config.write_noise > 0)
    mho_rng_normal_at(c->noise, mho_step_show(step), (size_t)n, cell, xi);
  show(c, 0, n, cell, count, xi);
}

/* ---------------------------------------------------------------- pulses */

static const float zeros[MHO_DEVICE_BLOCK];

/* Cells as they lie in the bank, to be answered where they are, without noise until the caller says otherwise. */
static inline void in_place(const mho_cells *c, size_t first, int n, const float *dir, float *out,
                            mho_device_block *b) {
  size_t k = bounds_at(c, first);
  b->n = n;
  b->g = c->state + first;
  b->rest = c->rest ? c->rest + first : NULL;
  b->dir = dir;
  b->xi = zeros;
  b->quiet = true;
  b->amplitude = NULL;
  b->low = c->low + k;
  b->high = c->high + k;
  for (int j = 0; j < c->model->n_columns;
       j++) /* what is behind them stays as it is: nobody looks at it */
    b->col[j] = c->col[j] + (c->column_varies[j] ? first : 0);
  b->shared = c->shared;
  b->out = out;
}

static inline float clipped(float v, float low,
                            float high) { /* as fminf and fmaxf, but a vector operation */
  v = v > low ? v : low;
  return v < high ? v : high;
}

/* Put n states where the cells hold them: a pulse begins and ends at a level (device.levels). */
static inline void hold(const mho_cells *c, int n, const float *low, const float *high, float *g) {
  if (c->config.levels < 2)
    return;
  float steps = (float)(c->config.levels - 1);
  for (int i = 0; i < n; i++)
    g[i] = mho_nearest_level(steps, low[i], high[i], g[i]);
}

/* Where a change takes a state that has a rest: rounded within the bounds, and what that leaves out. */
static inline float move_finely(float g, float change, float low, float high, float *rest) {
  float t = *rest + change, sum = g + t, v = clipped(sum, low, high),
        left = v == sum ? (g - sum) + t : 0;
  if (v == high)
    left = fminf(left, 0);
  if (v == low)
    left = fmaxf(left, 0);
  *rest = left;
  return v;
}

/* How strongly the pulses of n cells arrive: of neighbours from `first` on, or of those named. NULL: wholly. */
static const float *strength(const mho_cells *c, size_t first, int n, const uint32_t *cell,
                             const float *dir, float *out) {
  if (!c->amplitude[0])
    return NULL;
  for (int i = 0; i < n; i++)
    out[i] = c->amplitude[dir[i] > 0 ? 0 : 1][cell ? cell[i] : first + (size_t)i];
  return out;
}

/* One pulse on a block, strongly or weakly (amplitude, nullable). */
static void answer(const mho_cells *c, mho_device_block *b, const float *amplitude) {
  b->amplitude = c->model->response ? amplitude : NULL;
  c->model->pulse(b);
  if (!amplitude || c->model->response)
    return;
#pragma omp simd
  for (int i = 0; i < b->n; i++)
    b->out[i] *= amplitude[i];
}

/* The pulse of this rank on neighbouring cells, of which many have one (left above rank; NULL: all): all are
 * answered, those without keep what they have. */
static void pulse_block(mho_cells *c, size_t first, int n, const int16_t *left, int rank,
                        const float *dir, uint64_t step) {
  float xi[MHO_DEVICE_BLOCK], out[MHO_DEVICE_BLOCK], amplitude[MHO_DEVICE_BLOCK],
      *g = c->state + first;
  mho_device_block b;
  in_place(c, first, n, dir, out, &b);
  hold(c, n, b.low, b.high, g);
  if (c->noisy) {
    b.quiet = false;
    mho_rng_normal(c->noise, mho_step_pulse(step, rank), first, (size_t)n, xi);
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
  hold(c, n, b.low, b.high, g);
}

/* Scattered cells, side by side. */
typedef struct gathered {
  int n;
  uint32_t cell[MHO_DEVICE_BLOCK];
  int16_t left[MHO_DEVICE_BLOCK];
  float g[MHO_DEVICE_BLOCK], dir[MHO_DEVICE_BLOCK], xi[MHO_DEVICE_BLOCK], out[MHO_DEVICE_BLOCK];
  float rest[MHO_DEVICE_BLOCK];
  float low[MHO_DEVICE_BLOCK], high[MHO_DEVICE_BLOCK], col[MHO_DEVICE_COLUMNS][MHO_DEVICE_BLOCK];
} gathered;

static const float *gather(const float *v, bool varies, int n, const uint32_t *cell, float *out) {
  if (!varies)
    return v;
  for (int i = 0; i < n; i++)
    out[i] = v[cell[i]];
  return out;
}

/* The pulses of this rank and of those after it on the gathered cells, whose `left` is more than rank. */
static void pulse_gathered(mho_cells *c, gathered *x, int rank, uint64_t step) {
  float amplitude[MHO_DEVICE_BLOCK];
  mho_device_block b;
  b.g = x->g;
  b.rest = c->rest ? x->rest : NULL;
  b.dir = x->dir;
  b.xi = c->noisy ? x->xi : zeros;
  b.quiet = !c->noisy;
  b.shared = c->shared;
  b.out = x->out;
  for (; x->n; rank++) {
    b.n = x->n;
    b.low = gather(c->low, c->varied, x->n, x->cell, x->low);
    b.high = gather(c->high, c->varied, x->n, x->cell, x->high);
    for (int k = 0; k < c->model->n_columns; k++)
      b.col[k] = gather(c->col[k], c->column_varies[k], x->n, x->cell, x->col[k]);
    gather(c->state, true, x->n, x->cell, x->g);
    if (c->rest)
      gather(c->rest, true, x->n, x->cell, x->rest);
    hold(c, x->n, b.low, b.high, x->g);
    if (c->noisy)
      mho_rng_normal_at(c->noise, mho_step_pulse(step, rank), (size_t)x->n, x->cell, x->xi);
    answer(c, &b, strength(c, 0, x->n, x->cell, x->dir, amplitude));
    int n = 0;
    for (int i = 0; i < x->n; i++)
      x->out[i] = c->rest
                      ? move_finely(x->g[i], x->out[i], b.low[i], b.high[i], &c->rest[x->cell[i]])
                      : clipped(x->g[i] + x->out[i], b.low[i], b.high[i]);
    hold(c, x->n, b.low, b.high, x->out);
    for (int i = 0; i < x->n; i++) {
      c->state[x->cell[i]] = x->out[i];
      x->cell[n] = x->cell[i]; /* those with pulses left move up */
      x->left[n] = x->left[i];
      x->dir[n] = x->dir[i];
      n += x->left[i] > rank + 1;
    }
    x->n = n;
  }
}

/* What n counts add up to. */
typedef struct tally {
  int pulsed, most; /* cells with pulses, the most of one cell */
} tally;

static tally take_count(int n, const int16_t *count, mho_pulse_counts *counts) {
  int16_t pulsed = 0, most = 0, narrow_sum = 0,
          narrow_all = 0; /* 16 to a vector: one pass for all four */
  for (int i = 0; i < n; i++) {
    int16_t size = (int16_t)(count[i] < 0 ? -count[i] : count[i]);
    most = size > most ? size : most;
    pulsed = (int16_t)(pulsed + (size > 0));
    narrow_sum = (int16_t)((uint16_t)narrow_sum + (uint16_t)count[i]);
    narrow_all = (int16_t)((uint16_t)narrow_all + (uint16_t)size);
  }
  int sum = narrow_sum, all = narrow_all;
  if (most > INT16_MAX / MHO_DEVICE_BLOCK) { /* they may have wrapped */
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
  for (int i = 0; i < n; i++) {
    int16_t size = (int16_t)(count[i] < 0 ? -count[i] : count[i]);
    more[i] = size > rank;
  }
  for (int k = 0; k < 8; k++) {
    uint64_t eight =
        0; /* bytes of 0 or 1: the product gathers them in its top byte, the first the lowest */
    for (int i = 0; i < 8; i++)
      eight |= (uint64_t)more[8 * k + i] << 8 * i;
    bits |= (eight * 0x0102040810204080u >> 56) << 8 * k;
  }
  return bits;
}

/* Pulses from this rank on, on few of n neighbouring cells. */
static void pulse_few(mho_cells *c, size_t first, int n, const int16_t *count, int rank,
                      uint64_t step) {
  gathered x;
  x.n = 0;
  for (int i0 = 0; i0 < n; i0 += 64)
    for (uint64_t bits = pulsed_bits(n - i0 < 64 ? n - i0 : 64, count + i0, (int16_t)rank); bits;
         bits &= bits - 1) {
      int i = i0 + __builtin_ctzll(bits);
      x.cell[x.n] = (uint32_t)(first + (size_t)i);
      x.left[x.n] = (int16_t)abs(count[i]);
      x.dir[x.n] = count[i] > 0 ? 1.0f : -1.0f;
      x.n += !(c->fault && c->fault[first + (size_t)i]);
    }
  pulse_gathered(c, &x, rank, step);
}

static void pulse_neighbours(mho_cells *c, size_t first, int n, const int16_t *count, uint64_t step,
                             mho_pulse_counts *counts) {
  enum {
    DENSE = 4
  }; /* pulsed cells out of so many: below, drawing for all costs more than gathering */
  tally t = take_count(n, count, counts);
  if (t.pulsed * DENSE < n) {
    if (t.pulsed)
      pulse_few(c, first, n, count, 0, step);
    return;
  }
  int16_t left[MHO_DEVICE_BLOCK];
  float dir[MHO_DEVICE_BLOCK];
  for (int i = 0; i < n; i++) { /* +-1 by the sign's bit */
    uint32_t bits = ((uint32_t)count[i] & 0x80000000u) | 0x3f800000u;
    memcpy(&dir[i], &bits, sizeof bits);
  }
  if (t.pulsed == n && t.most == 1 && !c->fault) {
    pulse_block(c, first, n, NULL, 0, dir, step);
    return;
  }
  for (int i = 0; i < n; i++)
    left[i] = (int16_t)(count[i] < 0 ? -count[i] : count[i]);
  for (int i = 0; c->fault && i < n; i++)
    left[i] = c->fault[first + (size_t)i] ? 0 : left[i];
  pulse_block(c, first, n, left, 0, dir, step);
  for (int rank = 1; rank < t.most; rank++) {
    int16_t pulsed = 0;
    for (int i = 0; i < n; i++)
      pulsed = (int16_t)(pulsed + (left[i] > rank));
    if (pulsed * DENSE < n) {
      pulse_few(c, first, n, count, rank, step);
      return;
    }
    pulse_block(c, first, n, left, rank, dir, step);
  }
}

static void note(mho_cells *c, size_t cell, int count) {
  uint16_t *pulsed = &c->pulsed[count > 0 ? 0 : 1][cell];
  int sum = *pulsed + (count > 0 ? count : -count);
  *pulsed = (uint16_t)(sum < UINT16_MAX ? sum : UINT16_MAX);
}

void mho_cells_pulse(mho_cells *c, size_t first, int n, const int16_t *count, uint64_t step,
                     mho_pulse_counts *counts) {
  for (int i = 0; c->pulsed[0] && i < n; i++)
    note(c, first + (size_t)i, count[i]);
  pulse_neighbours(c, first, n, count, step, counts);
  if (c->hides)
    mho_cells_show(c, first, n, count, step);
}

void mho_cells_pulse_at(mho_cells *c, int n, const uint32_t *cell, const int16_t *count,
                        uint64_t step, mho_pulse_counts *counts) {
  gathered x;
  int set = 0, reset = 0;
  x.n = 0;
  for (int i = 0; i < n; i++) {
    int up = count[i] > 0 ? count[i] : 0, down = count[i] < 0 ? -count[i] : 0;
    set += up;
    reset += down;
    x.cell[x.n] = cell[i];
    x.left[x.n] = (int16_t)(up + down);
    x.dir[x.n] = up ? 1.0f : -1.0f;
    x.n += count[i] && !(c->fault && c->fault[cell[i]]);
    if (c->pulsed[0])
      note(c, cell[i], count[i]);
  }
  counts->set += set;
  counts->reset += reset;
  pulse_gathered(c, &x, 0, step);
  if (c->hides)
    show_at(c, n, cell, count, step);
}

/* Part of the way that weak pulses in direction dir go, the same in every round. */
static void disturb_round(mho_cells *c, size_t first, int n, float dir, const float *amplitude) {
  float dirs[MHO_DEVICE_BLOCK], out[MHO_DEVICE_BLOCK];
  mho_device_block b;
  for (int i = 0; i < n; i++)
    dirs[i] = dir;
  in_place(c, first, n, dirs, out, &b);
  answer(c, &b, amplitude);
  size_t k = bounds_at(c, first);
  for (int i = 0; i < n; i++) {
    size_t cell = first + (size_t)i;
    float before = c->state[cell], v = clipped(before + out[i], b.low[i], b.high[i]);
    if (amplitude[i] == 0 || (c->fault && c->fault[cell]))
      continue;
    if (c->rest)
      v = move_finely(before, out[i], b.low[i], b.high[i], &c->rest[cell]);
    v = c->state[cell] = mho_cells_level(c, k + (size_t)i, v);
    if (c->state == c->g)
      continue;
    /* what the last write left on top stays there */
    c->g[cell] = c->config.write_noise > 0 ? c->g[cell] + (v - before) : v;
  }
}

/* What is due in a round: the same part in every one; or, of cells with levels, a whole pulse until the rest. */
static void share(const mho_cells *c, int n, const float *all, int round, int rounds, float *out) {
  bool whole = c->config.levels >= 2;
  for (int i = 0; i < n; i++)
    out[i] = whole ? clipped(all[i] - (float)round, 0, 1) : all[i] / (float)rounds;
}

void mho_cells_disturb(mho_cells *c, size_t first, int n, const float *set, const float *reset) {
  enum { ROUNDS = 4096 };
  float up[MHO_DEVICE_BLOCK], down[MHO_DEVICE_BLOCK], most[2] = {0};
  for (int i = 0; i < n; i++) {
    most[0] = set[i] > most[0] ? set[i] : most[0];
    most[1] = reset[i] > most[1] ? reset[i] : most[1];
  }
  float larger = most[0] > most[1] ? most[0] : most[1];
  int rounds = larger < ROUNDS ? (int)ceilf(larger) : ROUNDS; /* of at most one pulse's effect */
  for (int k = 0; k < rounds; k++) {
    share(c, n, set, k, rounds, up);
    share(c, n, reset, k, rounds, down);
    if (most[0] > 0)
      disturb_round(c, first, n, 1, up);
    if (most[1] > 0)
      disturb_round(c, first, n, -1, down);
  }
}

void mho_cells_mean_step(const mho_cells *c, size_t first, int n, const float *dir, float *out) {
  mho_device_block b;
  in_place(c, first, n, dir, out, &b);
  c->model->pulse(&b);
  for (int i = 0; i < n; i++) {
    bool at_bound = dir[i] > 0 ? b.g[i] >= b.high[i] : b.g[i] <= b.low[i];
    out[i] = at_bound ? 0 : out[i];
  }
}

void mho_cells_mean_state(const mho_cells *c, size_t first, int n, const float *dir, float *out) {
  mho_device_block b;
  in_place(c, first, n, dir, out, &b);
  c->model->pulse(&b);
  for (int i = 0; i < n; i++)
    out[i] = clipped(b.g[i] + out[i], b.low[i], b.high[i]);
}

int mho_cells_set(mho_cells *c, size_t first, int n, const float *g) {
  int clipped = 0;
  size_t k = bounds_at(c, first);
  for (int i = 0; i < n; i++) {
    size_t cell = first + (size_t)i;
    float v = fminf(fmaxf(g[i], c->low[k + (size_t)i]), c->high[k + (size_t)i]);
    clipped += v != g[i];
    if (!(c->fault && c->fault[cell])) {
      c->state[cell] = c->g[cell] = mho_cells_level(c, k + (size_t)i, v);
      if (c->rest)
        c->rest[cell] = 0;
    }
  }
  return clipped;
}

int mho_cells_write(mho_cells *c, size_t first, int n, const float *g, bool again, uint64_t step) {
  if (!mho_device_has_write_error(&c->config))
    return mho_cells_set(c, first, n, g);

  mho_rng rng = mho_stream_write(c->noise);
  size_t k = bounds_at(c, first);
  float xi[MHO_DEVICE_BLOCK];
  int beyond = 0;
  mho_rng_normal(rng, step, first, (size_t)n, xi);
  for (int i = 0; i < n; i++) {
    size_t cell = first + (size_t)i;
    float low = c->low[k + (size_t)i], high = c->high[k + (size_t)i];
    float target = fminf(fmaxf(g[i], low), high);
    beyond += target != g[i];
    if ((c->fault && c->fault[cell]) || (!again && c->g[cell] == target))
      continue;

    float error = (float)mho_device_write_error(&c->config, (double)target) * xi[i];
    float v = fminf(fmaxf(target + error, low), high);
    c->state[cell] = c->g[cell] = mho_cells_level(c, k + (size_t)i, v);
    if (c->rest)
      c->rest[cell] = 0;
  }
  return beyond;
}

double mho_device_nominal_step(const mho_device_model *model, const void *params,
                               const mho_device_config *config) {
  if (!model->pulse)
    return 0;
  enum {
    POINTS = 21
  }; /* one-way models: the mean over the range, where a step depends on the state most */
  mho_device_config plain = *config;
  plain.spread_step = plain.spread_asymmetry = plain.spread_low = plain.spread_high =
      plain.endurance = 0;
  plain.stuck_on = plain.stuck_off = plain.open = plain.write_noise = 0;
  plain.levels = -1;
  plain.spread_of[0] = 0;
  mho_cells *c;
  if (mho_cells_new(model, params, &plain, POINTS, (mho_rng){0}, (mho_rng){0}, &c, NULL))
    return 0;
  float up[POINTS], down[POINTS], dir[POINTS];
  for (int i = 0; i < POINTS; i++) {
    c->state[i] = model->one_way ? ((float)i + 0.5f) / POINTS : 0.5f;
    dir[i] = 1;
  }
  mho_cells_mean_step(c, 0, POINTS, dir, up);
  for (int i = 0; i < POINTS; i++)
    dir[i] = -1;
  mho_cells_mean_step(c, 0, POINTS, dir, down);
  double sum = 0;
  for (int i = 0; i < POINTS; i++)
    sum += (double)up[i];
  mho_cells_free(c);
  return model->one_way ? sum / POINTS : 0.5 * (double)(up[0] - down[0]);
}

double mho_cells_siemens_at(const mho_cells *c, size_t cell, float g) {
  double siemens = c->g_min + (double)g * (c->g_max - c->g_min);
  return (c->fault && c->fault[cell] == MHO_FAULT_OPEN) || siemens < 0 ? 0 : siemens;
}

double mho_cells_siemens(const mho_cells *c, size_t cell) {
  return mho_cells_siemens_at(c, cell, c->g[cell]);
}
