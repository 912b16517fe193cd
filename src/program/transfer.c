/* transfer.c - a row of the fast array is read and passed on to the slow one.
 *
 * a: what the row shows, less the weights at its symmetry points where these are subtracted; lr:
 * update.transfer_rate, times update.rate with update.auto_scale; c_i, d_j: choppers; dw: change of
 * a weight by a nominal pulse.
 *
 *   v1       C_ij gets n pulses, n binomial of BL slots, E[n] = lr a_j/dw_C
 *   v2       H += lr a/u,                u = granularity dw_C auto_granularity/(rows every/reads)
 *   chopped  H += c_i d_j lr a/u,        u = granularity dw_A auto_granularity/(rows every/reads)
 *   agad     H += c_i lr (a - past)/u,   mean += min(tail/m, 1) (a - mean) at read m of a period,
 *                                        past = mean when the chopper turns
 *   and of these three: n = trunc(H), at most max_pulses either way, n pulses to C_ij; where there
 *   are some H *= momentum (forget), or H -= (1 - momentum) n
 *
 * Source: as of tiki_taka.c.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "array/weights.h"
#include "base/streams.h"
#include "program/tiki_taka.h"

/* A row on its way. */
typedef struct passage {
  const mho_outer_job *job;
  mho_tiki *own;
  const mho_tiki_keys *keys;
  uint64_t event, pass;
  int row, cols;
  size_t first;      /* cell of the row */
  mho_real *a;       /* [cols] */
  double rate;       /* lr */
  int8_t chop;       /* of the row */
  const int8_t *col; /* choppers of the columns; NULL: all 1 */
  mho_pulse_counts *counts;
} passage;

/* ---------------------------------------------------------------- a read */

static void read_row(passage *p) {
  mho_tiki *own = p->own;
  mho_crossbar *fast = own->fast;
  mho_crossbar_refresh(fast, p->first, (size_t)p->cols);

  /* Wires have been solved before the samples, and take what they took then. */
  mho_real *weights = p->a + p->cols;
  memcpy(weights, mho__crossbar_programmed(fast) + p->first, (size_t)p->cols * sizeof *weights);
  if (own->wired)
    for (int j = 0; j < p->cols; j++)
      weights[j] += own->wired[p->first + (size_t)j];

  mho_clock clock = {.update = p->event};
  mho_crossbar_read_row(fast, p->row, weights, clock, p->a, p->a + 2 * p->cols);
  if (mho_crossbar_has_cells(fast))
    p->counts->reads += (double)p->own->reads * p->cols;
  mho_real unit = (mho_real)fast->w_max;
  if (own->shift)
    for (int j = 0; j < p->cols; j++)
      p->a[j] -= unit * own->shift[p->first + (size_t)j];
}

/* ---------------------------------------------------------------- to the slow array */

static int most_of(int n, const int16_t *count) {
  int most = 0;
  for (int j = 0; j < n; j++)
    most = mho_max(most, count[j] < 0 ? -count[j] : count[j]);
  return most;
}

static int pulsed_of(int n, const int16_t *count) {
  int pulsed = 0;
  for (int j = 0; j < n; j++)
    pulsed += count[j] != 0;
  return pulsed;
}

/* Lines that pulse, for the cells beside those that are meant. Other slabs pulse the same
 * columns. */
static void count_lines(const passage *p, int j0, int n, const int16_t *count, int most) {
  mho_line_pulses *lines = p->job->xb->lines;
  lines->row[p->row] += (uint32_t)most;
  for (int j = 0; j < n; j++) {
    int size = count[j] < 0 ? -count[j] : count[j];
    if (size)
      __atomic_fetch_add(&lines->col[j0 + j], (uint32_t)size, __ATOMIC_RELAXED);
  }
  __atomic_store_n(&lines->used, true, __ATOMIC_RELAXED);
}

static uint64_t ones(int n) {
  return ((uint64_t)1 << n) - 1;
}

/* Pulses of n cells from `first` on, a cell's all one way. */
static void take_all(size_t first, int n, const int16_t *count, mho_pulse_series *s) {
  s->n = n;
  for (int j = 0; j < n; j++)
    s->cell[j] = (uint32_t)first + (uint32_t)j;
  for (int j = 0; j < n; j++)
    s->count[j] = (uint8_t)(count[j] < 0 ? -count[j] : count[j]);
  for (int j = 0; j < n; j++)
    s->up[j] = ones(count[j] > 0 ? count[j] : 0);
}

/* The same of those that get pulses. */
static void take_pulsed(size_t first, int n, const int16_t *count, mho_pulse_series *s) {
  s->n = 0;
  for (int j = 0; j < n; j++) {
    int size = count[j] < 0 ? -count[j] : count[j];
    s->cell[s->n] = (uint32_t)(first + (size_t)j);
    s->count[s->n] = (uint8_t)size;
    s->up[s->n] = ones(count[j] > 0 ? size : 0);
    s->n += size > 0;
  }
}

/* Pulses on columns j0 .. of the row, [n]; returns the slots that they take. */
static int pulse(const passage *p, int j0, int n, const int16_t *count) {
  enum { DENSE = 4 }; /* cells of which one gets pulses, from which on others are passed over */
  mho_crossbar *slow = p->job->xb;
  size_t first = p->first + (size_t)j0;
  int most = most_of(n, count);
  mho_pulse_series s;
  if (!most)
    return 0;

  if (mho__crossbar_likes_rows(slow) && pulsed_of(n, count) * DENSE >= n)
    take_all(first, n, count, &s);
  else
    take_pulsed(first, n, count, &s);
  mho__crossbar_pulse_series(slow, &s, p->event, p->counts);
  mho_crossbar_refresh(slow, first, (size_t)n);
  if (slow->lines)
    count_lines(p, j0, n, count, most);
  return most;
}

/* ---------------------------------------------------------------- v1 */

static double largest(int n, const mho_real *a) {
  mho_real most = 0;
  for (int j = 0; j < n; j++) {
    mho_real size = a[j] < 0 ? -a[j] : a[j];
    most = size > most ? size : most;
  }
  return (double)most;
}

/* Pulses of n columns from j0 on: in each of some slots with the probability of its column. */
static void draw_pulses(const passage *p, int j0, int n, int slots, int16_t *count) {
  double each = p->rate / (p->job->nominal_step * slots);
  uint32_t word[MHO_DEVICE_BLOCK], below[MHO_DEVICE_BLOCK];

  for (int j = 0; j < n; j++) {
    double q = each * fabs((double)p->a[j0 + j]);
    p->counts->truncated += q > 1;
    below[j] = q >= 1 ? UINT32_MAX : (uint32_t)(q * 0x1p32);
    count[j] = 0;
  }

  for (int s = 0; s < slots; s++) {
    mho_rng_u32(p->own->rng, mho__step_transfer(p->event, s), (uint64_t)j0, (size_t)n, word);
    for (int j = 0; j < n; j++)
      count[j] = (int16_t)(count[j] + (word[j] < below[j]));
  }
  for (int j = 0; j < n; j++)
    count[j] = p->a[j0 + j] < 0 ? (int16_t)-count[j] : count[j];
}

/* Weights of the ideal device change by what is wanted. */
static void add_exactly(const passage *p) {
  mho_real rate = (mho_real)p->rate, *dw = p->a + p->cols;
  for (int j = 0; j < p->cols; j++)
    dw[j] = rate * p->a[j];
  p->counts->clipped += mho_crossbar_add(p->job->xb, p->first, (size_t)p->cols, dw, p->event);
}

static int pass_on(const passage *p) {
  double k = p->rate * largest(p->cols, p->a) / p->job->nominal_step;
  int slots = (int)fmin(ceil(k), (double)p->keys->trains.max_length), taken = 0;

  for (int j0 = 0; j0 < p->cols && slots; j0 += MHO_DEVICE_BLOCK) {
    int16_t count[MHO_DEVICE_BLOCK];
    int n = mho_min(p->cols - j0, MHO_DEVICE_BLOCK);
    draw_pulses(p, j0, n, slots, count);
    taken = mho_max(taken, pulse(p, j0, n, count));
  }
  return taken;
}

/* ---------------------------------------------------------------- through the buffer */

/* What a read of 1 adds to H. With auto_granularity a layer of many rows, each of which is read
 * seldom, learns as fast as one of few. */
static double gain_of(const passage *p) {
  const mho_tiki_keys *k = p->keys;
  double step = k->variant == MHO_TIKI_V2 ? p->job->nominal_step : p->job->fast_step;
  return p->rate / (k->granularity * step * mho__tiki_share(k, p->job->xb->rows));
}

/* Means of what a row shows in this period, and in H what it shows beyond the mean of the one
 * before. */
static void fill_by_mean(const passage *p, mho_real gain) {
  uint64_t period = mho__tiki_period(p->keys, p->job->xb->rows), m = p->pass % period + 1;
  mho_real weight = (mho_real)fmin(p->keys->tail / (double)m, 1);
  mho_real *h = p->own->buffer + p->first, *mean = p->own->mean + p->first;
  mho_real *past = p->own->past + p->first;
  bool is_known = p->pass >= period;

  for (int j = 0; j < p->cols; j++) {
    mean[j] += weight * (p->a[j] - mean[j]);
    if (is_known)
      h[j] += gain * (p->a[j] - past[j]);
  }
  if (m == period)
    memcpy(past, mean, (size_t)p->cols * sizeof *past);
}

static void fill(const passage *p) {
  mho_real gain = (mho_real)((double)p->chop * gain_of(p)), *h = p->own->buffer + p->first;
  if (p->own->mean) {
    fill_by_mean(p, gain);
    return;
  }

  if (p->col)
    for (int j = 0; j < p->cols; j++)
      h[j] += (mho_real)p->col[j] * gain * p->a[j];
  else
    for (int j = 0; j < p->cols; j++)
      h[j] += gain * p->a[j];
}

/* Pulses that H has full, of n columns from j0 on, and what it keeps. */
static void empty(const passage *p, int j0, int n, int16_t *count) {
  const mho_tiki_keys *k = p->keys;
  mho_real most = (mho_real)k->max_pulses, momentum = (mho_real)k->momentum;
  mho_real *h = p->own->buffer + p->first + (size_t)j0;

  for (int j = 0; j < n; j++) {
    mho_real full = h[j] > most ? most : h[j];
    count[j] = (int16_t)(full < -most ? -most : full);
  }

  if (k->forget)
    for (int j = 0; j < n; j++)
      h[j] = count[j] ? h[j] * momentum : h[j];
  else
    for (int j = 0; j < n; j++)
      h[j] -= (1 - momentum) * (mho_real)count[j];
}

static int pass_through(const passage *p) {
  int taken = 0;
  fill(p);
  for (int j0 = 0; j0 < p->cols; j0 += MHO_DEVICE_BLOCK) {
    int16_t count[MHO_DEVICE_BLOCK];
    int n = mho_min(p->cols - j0, MHO_DEVICE_BLOCK);
    empty(p, j0, n, count);
    taken = mho_max(taken, pulse(p, j0, n, count));
  }
  return taken;
}

/* ---------------------------------------------------------------- after a read */

static double chance(const passage *p, int kind) {
  float u;
  mho_rng_uniform(p->own->rng, mho__step_transfer(p->event, kind), 0, 1, &u);
  return (double)u;
}

/* A write stands for the pulses that would bring the weights there at the nominal step, columns
 * side by side: so many are counted. dw: changes of n columns; returns the slots that they take. */
static int count_write(const passage *p, int n, const mho_real *dw) {
  const mho_crossbar *fast = p->own->fast;
  float share[MHO_BANKS_MAX][MHO_DEVICE_BLOCK], *of[MHO_BANKS_MAX];
  double devices = mho_crossbar_at_once(fast), most = 0;
  for (int k = 0; k < MHO_BANKS_MAX; k++)
    of[k] = share[k];
  mho_crossbar_shares(fast, n, dw, of);

  for (int j = 0; j < n; j++) {
    double pulses = round(fabs((double)dw[j]) / p->job->fast_step);
    most = fmax(most, pulses);
    for (int k = 0; k < fast->mapping->n_banks; k++)
      if (fast->mapping->bank[k].kind == MHO_BANK_DEVICES && share[k][j] != 0)
        *(share[k][j] > 0 ? &p->counts->set : &p->counts->reset) += devices * pulses;
  }
  return (int)fmin(most, 1e9);
}

/* Bring the row to its symmetry points, or to weight 0, as exactly as may be. Returns the slots
 * that it takes. */
static int reset(const passage *p) {
  mho_tiki *own = p->own;
  const mho_real *weight = mho__crossbar_programmed(own->fast) + p->first;
  mho_real *dw = p->a + p->cols, unit = (mho_real)own->fast->w_max;
  int taken = 0;
  for (int j = 0; j < p->cols; j++)
    dw[j] = (own->shift ? unit * own->shift[p->first + (size_t)j] : 0) - weight[j];

  for (int j0 = 0; j0 < p->cols && p->job->fast_step > 0; j0 += MHO_DEVICE_BLOCK)
    taken = mho_max(taken, count_write(p, mho_min(p->cols - j0, MHO_DEVICE_BLOCK), dw + j0));
  p->counts->clipped += mho_crossbar_add(own->fast, p->first, (size_t)p->cols, dw, p->event);
  return taken;
}

static bool turns_chopper(const passage *p) {
  int rows = p->job->xb->rows;
  if (mho__tiki_chops_at_random(p->keys))
    return chance(p, MHO_TRANSFER_CHOP_ROW) * mho__tiki_share(p->keys, rows) < p->keys->chop_in;
  return (p->pass + 1) % mho__tiki_period(p->keys, rows) == 0;
}

void mho__tiki_transfer(const mho_outer_job *job, uint64_t event, mho_pulse_counts *counts) {
  mho_tiki *own = job->own;
  const mho_tiki_keys *keys = own->keys;
  passage p = {.job = job,
               .own = own,
               .keys = keys,
               .event = event,
               .pass = event / (uint64_t)job->xb->rows,
               .row = (int)(event % (uint64_t)job->xb->rows),
               .cols = job->xb->cols,
               .a = job->scratch,
               .rate = keys->transfer_rate,
               .chop = 1,
               .counts = counts};
  p.first = (size_t)p.row * (size_t)p.cols;
  if (keys->auto_scale && mho_crossbar_has_cells(own->fast))
    p.rate *= job->learning_rate;
  if (own->row)
    p.chop = own->row[p.row];
  if (own->col_of_pass)
    p.col = own->col_of_pass + (size_t)(p.pass - own->first_pass) * (size_t)p.cols;

  read_row(&p);
  int slots = 0;
  if (own->buffer)
    slots = pass_through(&p);
  else if (mho_crossbar_has_cells(job->xb))
    slots = pass_on(&p);
  else
    add_exactly(&p);
  if (keys->reset > 0 && chance(&p, MHO_TRANSFER_RESET) < keys->reset)
    slots += reset(&p);
  counts->slots += slots;
  if (own->row && turns_chopper(&p))
    own->row[p.row] = (int8_t)-own->row[p.row];
}
