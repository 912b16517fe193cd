/* series.c - pulses of cells, many of each (series.h).
 *
 * Noisy pulses of a cell take one deviate together where a model says what its steps are near a
 * state (expansion.h), in the order of the columns. The cells that this leaves, and those of other
 * models, are gathered once, those with most pulses first, so that those that are left for pulse
 * number k stand side by side. Their states stay together until the last pulse.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "device/series.h"

#include <string.h>

#include "base/rng.h"
#include "device/block.h"
#include "device/expansion.h"

/* Cells are answered in whole vectors: a rest of some cells takes longer than a vector. */
enum { LANES = 16 };

static int whole(int n) {
  return (n + LANES - 1) / LANES * LANES;
}

/* Cells side by side, those with most pulses first. Behind the last one the vector is filled up
 * with more of it, whose answers nobody takes. */
typedef struct gathered {
  int left[MHO_SERIES_MOST + MHO_DEVICE_SERIES]; /* cells with more than so many pulses */
  uint32_t cell[MHO_DEVICE_BLOCK];
  const uint64_t *up;
  uint32_t next[MHO_DEVICE_BLOCK]; /* directions of 32 pulses */
  float g[MHO_DEVICE_BLOCK], dir[MHO_DEVICE_BLOCK], out[MHO_DEVICE_BLOCK], rest[MHO_DEVICE_BLOCK];
  float low[MHO_DEVICE_BLOCK], high[MHO_DEVICE_BLOCK], col[MHO_DEVICE_COLUMNS][MHO_DEVICE_BLOCK];
  float xi[MHO_RNG_FOUR][MHO_DEVICE_BLOCK]; /* of four pulses */
} gathered;

static bool is_sorted(const mho_pulse_series *s) {
  int falls = 1;
  for (int i = 1; i < s->n; i++)
    falls &= s->count[i] <= s->count[i - 1];
  return falls;
}

/* The series with most pulses first, and without faulty cells. */
static void sort(const mho_cells *c, const mho_pulse_series *s, mho_pulse_series *out) {
  int at[MHO_SERIES_MOST + 2] = {0};
  for (int i = 0; i < s->n; i++)
    at[s->count[i]] += !is_faulty(c, s->cell[i]);
  for (int k = MHO_SERIES_MOST; k >= 0; k--)
    at[k] += at[k + 1];

  out->n = at[0];
  for (int i = 0; i < s->n; i++) {
    if (is_faulty(c, s->cell[i]))
      continue;
    int to = at[s->count[i] + 1]++;
    out->cell[to] = s->cell[i];
    out->count[to] = s->count[i];
    out->up[to] = s->up[i];
  }
}

/* The same where they are not so already. */
static const mho_pulse_series *in_order(const mho_cells *c, const mho_pulse_series *s,
                                        mho_pulse_series *room) {
  if (!c->fault && is_sorted(s))
    return s;
  sort(c, s, room);
  return room;
}

static void fetch(const float *v, int n) {
  enum { LINE = 64 / sizeof *v };
  for (int i = 0; i < n; i += LINE)
    __builtin_prefetch(v + i);
}

void mho__cells_fetch(const mho_cells *c, size_t first, int n) {
  fetch(c->state + first, n);
  if (c->varied) {
    fetch(c->low + first, n);
    fetch(c->high + first, n);
  }
  for (int k = 0; k < c->model->n_columns; k++)
    if (c->column_varies[k])
      fetch(c->col[k] + first, n);
}

/* How many cells are left for every pulse: the last of those with so many is found first. */
static void count_left(const mho_pulse_series *s, int *left) {
  int last[MHO_SERIES_MOST + 1] = {0}, n = 0;
  for (int i = 0; i < s->n; i++)
    last[s->count[i]] = i + 1;
  for (int k = 0; k < MHO_DEVICE_SERIES; k++)
    left[MHO_SERIES_MOST + k] = 0;
  for (int k = MHO_SERIES_MOST; k > 0; k--) {
    n = mho_max(n, last[k]);
    left[k - 1] = n;
  }
}

/* What the model sees of them. */
static void gather_block(const mho_cells *c, gathered *x, mho_device_block *b) {
  int n = whole(x->left[0]);
  *b = (mho_device_block){.g = x->g,
                          .rest = c->rest ? x->rest : NULL,
                          .dir = x->dir,
                          .xi = mho_no_noise,
                          .quiet = !c->noisy,
                          .shared = c->shared,
                          .out = x->out};
  b->low = gather(c->low, c->varied, n, x->cell, x->low);
  b->high = gather(c->high, c->varied, n, x->cell, x->high);
  for (int k = 0; k < c->model->n_columns; k++)
    b->col[k] = gather(c->col[k], c->column_varies[k], n, x->cell, x->col[k]);
  gather(c->state, true, n, x->cell, x->g);
  if (c->rest)
    gather(c->rest, true, n, x->cell, x->rest);
  to_levels(c, n, b->low, b->high, x->g);
}

/* Pulse number k, of the first n cells. */
static void pulse(const mho_cells *c, gathered *x, mho_device_block *b, int k, uint64_t step) {
  float amplitude[MHO_DEVICE_BLOCK];
  int left = x->left[k], n = whole(left);
  b->n = n;
  if (c->noisy && k % MHO_RNG_FOUR == 0)
    mho__rng_normal_four(c->noise, mho__step_pulse(step, k / MHO_RNG_FOUR), n, x->cell, x->xi);
  if (c->noisy)
    b->xi = x->xi[k % MHO_RNG_FOUR];
  if (k % 32 == 0)
    for (int i = 0; i < left; i++)
      x->next[i] = (uint32_t)(x->up[i] >> k);
  for (int i = 0; i < n; i++)
    x->dir[i] = x->next[i] >> k % 32 & 1 ? 1.0f : -1.0f;
  answer(c, b, strength(c, 0, n, x->cell, x->dir, amplitude));

  if (c->rest) {
    for (int i = 0; i < left; i++)
      x->g[i] = move_finely(x->g[i], x->out[i], b->low[i], b->high[i], &x->rest[i]);
  } else {
#pragma omp simd
    for (int i = 0; i < n; i++) {
      float v = clipped(x->g[i] + x->out[i], b->low[i], b->high[i]);
      x->g[i] = i < left ? v : x->g[i];
    }
  }
  to_levels(c, left, b->low, b->high, x->g);
}

/* Whether the model itself gives pulses one after another: whole ones, with nothing between. */
static bool is_in_series(const mho_cells *c) {
  return c->model->series && !c->rest && !c->amplitude[0] && c->config.levels < 2;
}

/* All pulses, by the model. */
static void pulse_in_series(const mho_cells *c, gathered *x, mho_device_block *b, uint64_t step) {
  mho_device_series s = {.n = MHO_DEVICE_SERIES, .up = x->next, .g = x->g};
  for (int j = 0; j < MHO_DEVICE_SERIES; j++)
    s.xi[j] = c->noisy ? x->xi[j] : mho_no_noise;

  for (int k = 0; x->left[k]; k += MHO_DEVICE_SERIES) {
    s.left = x->left + k;
    b->n = whole(x->left[k]);
    for (int i = 0; i < x->left[k]; i++)
      x->next[i] = (uint32_t)(x->up[i] >> k);
    if (c->noisy)
      mho__rng_normal_four(c->noise, mho__step_pulse(step, k / MHO_RNG_FOUR), b->n, x->cell, x->xi);
    c->model->series(b, &s);
  }
}

/* Counted, faulty cells too: the driver applied their pulses. */
static void count(mho_cells *c, const mho_pulse_series *s, mho_pulse_counts *counts) {
  int set = 0, all = 0;
  for (int i = 0; i < s->n; i++)
    set += __builtin_popcountll(s->up[i]);
  for (int i = 0; i < s->n; i++)
    all += s->count[i];
  counts->set += set;
  counts->reset += all - set;

  for (int i = 0; c->pulsed[0] && i < s->n; i++) {
    int up = __builtin_popcountll(s->up[i]);
    note_pulsed(c, s->cell[i], up);
    note_pulsed(c, s->cell[i], up - s->count[i]);
  }
}

/* The cells of a series, with what the model sees of them. */
static void gather_cells(const mho_cells *c, const mho_pulse_series *s, gathered *x,
                         mho_device_block *b) {
  count_left(s, x->left);
  int n = x->left[0];
  x->up = s->up;
  memcpy(x->cell, s->cell, (size_t)n * sizeof *x->cell);
  for (int i = n; i < whole(n); i++)
    x->cell[i] = x->cell[n - 1];
  gather_block(c, x, b);
}

static void scatter(const gathered *x, mho_cells *c) {
  int n = x->left[0];
  for (int i = 0; i < n; i++)
    c->state[x->cell[i]] = x->g[i];
  for (int i = 0; c->rest && i < n; i++)
    c->rest[x->cell[i]] = x->rest[i];
}

/* One pulse after another, of cells with most pulses first. */
static void pulse_in_turn(mho_cells *c, const mho_pulse_series *s, uint64_t step) {
  gathered x;
  mho_device_block b;
  gather_cells(c, s, &x, &b);
  memset(x.next, 0, sizeof x.next);
  if (is_in_series(c))
    pulse_in_series(c, &x, &b, step);
  else
    for (int k = 0; x.left[k]; k++)
      pulse(c, &x, &b, k, step);
  scatter(&x, c);
}

/* ---------------------------------------------------------------- runs of constant steps */

/* Pulses of cells in runs of which each goes one way, those with most runs first. */
typedef struct runs {
  mho_pulse_series of; /* count: how many runs; up: bit 0, which way the first goes */
  uint8_t length[MHO_SERIES_MOST][MHO_DEVICE_BLOCK];
} runs;

/* Bit k: pulse number k + 1 goes another way than pulse number k. */
static uint64_t turns_of(uint64_t up, int count) {
  uint64_t but_last = count > 0 ? UINT64_MAX >> (MHO_SERIES_MOST - count) >> 1 : 0;
  return (up ^ up >> 1) & but_last;
}

/* Cells are taken in the order of their runs, so that the processor foresees how many there are. */
static void find_runs(const mho_pulse_series *s, runs *r) {
  int at[MHO_SERIES_MOST + 2] = {0}, order[MHO_DEVICE_BLOCK];
  uint64_t turns[MHO_DEVICE_BLOCK];
  for (int i = 0; i < s->n; i++) {
    turns[i] = turns_of(s->up[i], s->count[i]);
    at[__builtin_popcountll(turns[i])]++;
  }
  for (int k = MHO_SERIES_MOST; k >= 0; k--)
    at[k] += at[k + 1];
  for (int i = 0; i < s->n; i++)
    order[at[__builtin_popcountll(turns[i]) + 1]++] = i;

  r->of.n = s->n;
  for (int to = 0; to < s->n; to++) {
    int i = order[to], n = __builtin_popcountll(turns[i]), from = -1;
    uint64_t left = turns[i];
    for (int k = 0; k < n; k++, left &= left - 1) {
      int last = __builtin_ctzll(left);
      r->length[k][to] = (uint8_t)(last - from);
      from = last;
    }
    r->length[n][to] = (uint8_t)(s->count[i] - 1 - from);
    r->of.cell[to] = s->cell[i];
    r->of.count[to] = (uint8_t)(n + 1);
    r->of.up[to] = s->up[i] & 1;
  }
}

/* A run of n cells each, of so many pulses, in their direction or against it (turn). */
static void pulse_run(const mho_device_block *b, const mho_device_expansion *e, int n, float turn,
                      const float *dir, const float *pulses, const float *xi, float *g) {
  const float *factor = e->factor, *add_up = e->add_up, *add_down = e->add_down;
#pragma omp simd
  for (int i = 0; i < n; i++) {
    float up = e->up[0][i], down = e->down[0][i], a_up = add_up[i], a_down = add_down[i];
    float way = turn * dir[i], step = way > 0 ? up : down;
    float sigma = factor[i] * step + (way > 0 ? a_up : a_down);
    float v = g[i] + way * (pulses[i] * step + sqrtf(pulses[i]) * sigma * xi[i]);
    g[i] = clipped(v, b->low[i], b->high[i]);
  }
}

/* Pulses on steps that are the same everywhere and hardly ever turn around, run by run: the sum of
 * a run is normal, and what is clipped at its end is what pulse by pulse would be, but for steps
 * that turn around at the bound, 3.4e-5 of a step for each pulse at most. */
static void pulse_in_runs(mho_cells *c, const mho_pulse_series *s, uint64_t step) {
  gathered x;
  runs r;
  mho_device_block b;
  mho_device_expansion e;
  find_runs(s, &r);
  gather_cells(c, &r.of, &x, &b);
  b.n = x.left[0];
  c->model->expand(&b, &e);

  for (int i = 0; i < x.left[0]; i++)
    x.dir[i] = r.of.up[i] ? 1.0f : -1.0f;
  for (int k = 0; x.left[k]; k++) {
    if (k % MHO_RNG_FOUR == 0)
      mho__rng_normal_four(c->noise, mho__step_pulse(step, k / MHO_RNG_FOUR), x.left[k], x.cell,
                           x.xi);
    for (int i = 0; i < x.left[k]; i++)
      x.out[i] = (float)r.length[k][i];
    pulse_run(&b, &e, x.left[k], k % 2 ? -1.0f : 1.0f, x.dir, x.out, x.xi[k % MHO_RNG_FOUR], x.g);
  }
  scatter(&x, c);
}

/* ---------------------------------------------------------------- one deviate for all */

/* Whether the cells lie side by side in the bank. */
static bool are_neighbours(const mho_pulse_series *s) {
  uint32_t differ = 0;
  for (int i = 0; i < s->n; i++)
    differ |= s->cell[i] ^ (s->cell[0] + (uint32_t)i);
  return !differ;
}

/* All pulses of a cell by one deviate, where that can be: `left` are the others. Returns whether
 * these may get theirs in runs. */
static bool pulse_together(mho_cells *c, const mho_pulse_series *s, bool in_place, uint64_t step,
                           mho_pulse_series *left) {
  uint64_t name = mho__step_pulse(step, MHO_SERIES_MOST / MHO_RNG_FOUR); /* pulses in turn: below */
  float z[MHO_DEVICE_BLOCK], *state;
  mho_expanded_series pulses = {.count = s->count, .up = s->up, .z = z};
  gathered x;
  mho_device_block b;
  mho_device_expansion e;
  int at[MHO_DEVICE_BLOCK];

  if (in_place) {
    pulses.n = s->n;
    state = c->state + s->cell[0];
    mho__block_in_place(c, s->cell[0], s->n, NULL, NULL, &b);
    mho_rng_normal(c->noise, name, s->cell[0], (size_t)s->n, z);
  } else {
    gather_cells(c, s, &x, &b);
    b.n = pulses.n = x.left[0];
    state = x.g;
    mho_rng_normal_at(c->noise, name, (size_t)b.n, x.cell, z);
  }

  c->model->expand(&b, &e);
  bool constant = mho__steps_are_constant(&e, pulses.n);
  left->n = mho__expanded_pulses(&b, &e, constant, &pulses, state, at);
  if (!in_place)
    scatter(&x, c);

  for (int i = 0; i < left->n; i++) {
    left->cell[i] = s->cell[at[i]];
    left->count[i] = s->count[at[i]];
    left->up[i] = s->up[at[i]];
  }
  return constant && left->n && mho__steps_hardly_turn(&e, pulses.n);
}

static bool is_expanded(const mho_cells *c) {
  return c->model->expand && c->noisy && is_in_series(c);
}

bool mho__cells_like_neighbours(const mho_cells *c) {
  return is_expanded(c) && !c->fault;
}

void mho__cells_pulse_series(mho_cells *c, const mho_pulse_series *s, uint64_t step,
                             mho_pulse_counts *counts) {
  mho_pulse_series left, sorted;
  bool expanded = is_expanded(c), near = are_neighbours(s);
  bool in_place = expanded && near && !c->fault;
  const mho_pulse_series *use = s;
  bool has_runs = false;
  count(c, s, counts);
  if (!in_place)
    use = in_order(c, use, &sorted);
  if (expanded) {
    has_runs = pulse_together(c, use, in_place, step, &left);
    use = &left;
  }
  if (has_runs)
    pulse_in_runs(c, use, step);
  else if (use->n)
    pulse_in_turn(c, in_order(c, use, &sorted), step);

  if (!c->hides || s->n == 0)
    return;
  int16_t pulsed[MHO_DEVICE_BLOCK];
  for (int i = 0; i < s->n; i++)
    pulsed[i] = s->count[i];
  if (near)
    mho_cells_show(c, s->cell[0], s->n, pulsed, step);
  else
    mho__cells_show_at(c, s->n, s->cell, pulsed, step);
}
