/* trains.c - pulse trains drawn for the lines of a sample, and their coincidences (trains.h).
 *
 * Samples come one after another, as in hardware; slabs of rows replay the same trains at the same
 * time, and noise is named by sample, slot and cell.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "program/trains.h"

#include <math.h>
#include <string.h>

#include "array/weights.h"
#include "base/nonzero.h"
#include "base/streams.h"

/* ---------------------------------------------------------------- drawn */

/* What the lines of a side do: v, times a gain where they have one. */
typedef struct side {
  const mho_real *v, *gain;
  int n;
} side;

static mho_real value_of(const side *l, int i) {
  return l->gain ? l->gain[i] * l->v[i] : l->v[i];
}

/* Largest |gain v| of n numbers. */
static mho_real largest_scaled(int n, const mho_real *v, const mho_real *gain) {
  mho_real most = 0;
#pragma omp simd reduction(max : most)
  for (int i = 0; i < n; i++) {
    mho_real own = gain[i] * v[i], size = own < 0 ? -own : own;
    most = size > most ? size : most;
  }
  return most;
}

static mho_real largest_plain(int n, const mho_real *v) {
  mho_real most = 0;
#pragma omp simd reduction(max : most)
  for (int i = 0; i < n; i++) {
    mho_real size = v[i] < 0 ? -v[i] : v[i];
    most = size > most ? size : most;
  }
  return most;
}

static double largest(const side *l) {
  return (double)(l->gain ? largest_scaled(l->n, l->v, l->gain) : largest_plain(l->n, l->v));
}

/* The random words of a sample's trains. */
typedef struct stream {
  mho_rng rng;
  uint64_t sample; /* of the run */
  int slots;
} stream;

/* Lines whose trains are drawn together. */
enum { LINE_GROUP = 256 };

/* Trains of a side under way: lines with a value are gathered, and drawn for when there are enough
 * of them. */
typedef struct drawing {
  const stream *from;
  double factor; /* probability of a pulse, of a value of 1 */
  bool flip;     /* all signs are turned */
  mho_pulse_train *out;
  int active;    /* lines with a value that have been drawn for; they number the random words */
  int saturated; /* those of them with a probability above 1 */
  int pulsing;   /* those that pulse at all */
  int n;         /* gathered, ... */
  uint32_t line[LINE_GROUP];
  mho_real value[LINE_GROUP]; /* ... and what they do */
} drawing;

/* Whether n values are the same but for their signs, as of lines that spike or do not. */
static bool are_alike(int n, const mho_real *value) {
  mho_real size = value[0] < 0 ? -value[0] : value[0];
  int differ = 0;
#pragma omp simd reduction(| : differ)
  for (int j = 0; j < n; j++)
    differ |= (value[j] < 0 ? -value[j] : value[j]) != size;
  return !differ;
}

/* A line pulses with probability below/2^32. @return how many would with more than 1. */
static int find_probabilities(int n, double factor, const mho_real *value, uint32_t *below) {
  if (n > 1 && are_alike(n, value)) {
    int one = find_probabilities(1, factor, value, below);
    for (int j = 1; j < n; j++)
      below[j] = below[0];
    return one * n;
  }

  int saturated = 0;
#pragma omp simd reduction(+ : saturated)
  for (int j = 0; j < n; j++) {
    double p = factor * fabs((double)value[j]);
    below[j] = p >= 1 ? UINT32_MAX : (uint32_t)(p * 0x1p32);
    saturated += p > 1;
  }
  return saturated;
}

/* Trains without a pulse are left out. @return how many others there are. */
static int drop_silent(int n, mho_pulse_train *t) {
  enum { SOME = 32 };
  int pulsing = 0;
  for (int j0 = 0; j0 < n; j0 += SOME) {
    int some = mho_min(n - j0, SOME), silent = 0;
#pragma omp simd reduction(+ : silent)
    for (int j = j0; j < j0 + some; j++)
      silent += t[j].mask == 0;

    if (silent == 0) {
      if (pulsing < j0)
        memmove(t + pulsing, t + j0, (size_t)some * sizeof *t);
      pulsing += some;
      continue;
    }
    for (int j = j0; j < j0 + some; j++) {
      t[pulsing] = t[j];
      pulsing += t[j].mask != 0;
    }
  }
  return pulsing;
}

/* The trains of the gathered lines. */
static void draw_gathered(drawing *d) {
  uint32_t below[LINE_GROUP], mask[LINE_GROUP], word[LINE_GROUP];
  memset(mask, 0, (size_t)d->n * sizeof *mask);
  d->saturated += find_probabilities(d->n, d->factor, d->value, below);

  for (int s = 0; s < d->from->slots; s++) {
    uint64_t slot = mho__step_slot(d->from->sample, s);
    mho_rng_u32(d->from->rng, slot, (uint64_t)d->active, (size_t)d->n, word);
    for (int j = 0; j < d->n; j++)
      mask[j] |= (uint32_t)(word[j] < below[j]) << s;
  }

  mho_pulse_train *out = d->out + d->pulsing;
  for (int j = 0; j < d->n; j++) {
    uint32_t sign = (d->value[j] < 0) != d->flip ? MHO_TRAIN_NEGATIVE : 0;
    out[j] = (mho_pulse_train){d->line[j] | sign, mask[j]};
  }

  d->pulsing += drop_silent(d->n, out);
  d->active += d->n;
  d->n = 0;
}

/* Some lines from i0 on join those gathered, where bits say that they have a value. */
static void gather_lines(drawing *d, const side *l, int i0, uint64_t bits) {
  bool has_all = bits == UINT64_MAX && !l->gain;
  if (has_all) {
    for (int j = 0; j < MHO_NONZERO_BITS; j++) {
      d->line[d->n + j] = (uint32_t)(i0 + j);
      d->value[d->n + j] = l->v[i0 + j];
    }
    d->n += MHO_NONZERO_BITS;
    return;
  }

  for (; bits; bits &= bits - 1) {
    int i = i0 + __builtin_ctzll(bits);
    d->line[d->n] = (uint32_t)i;
    d->value[d->n] = value_of(l, i);
    d->n += d->value[d->n] != 0;
  }
}

/* Trains of the lines of a side. */
static void draw_lines(const side *l, drawing *d) {
  d->active = d->saturated = d->pulsing = d->n = 0;
  for (int i0 = 0; i0 < l->n; i0 += MHO_NONZERO_BITS) {
    int some = mho_min(l->n - i0, MHO_NONZERO_BITS);
    gather_lines(d, l, i0, mho__nonzero_bits(some, l->v + i0));
    if (d->n > LINE_GROUP - MHO_NONZERO_BITS)
      draw_gathered(d);
  }
  if (d->n)
    draw_gathered(d);
}

/* Pulses of n lines that all pulse, in all slots. */
static double line_pulses(const mho_pulse_train *t, int n, int slots) {
  int sum = 0;
  if (slots == 1)
    return n;
  for (int i = 0; i < n; i++)
    sum += __builtin_popcount(t[i].mask);
  return sum;
}

void mho__trains_draw(const mho_outer_job *job, const mho_train_manner *how, double rate,
                      double step, int sample) {
  mho_pulse_trains *t = job->trains;
  int rows = job->xb->rows, cols = job->xb->cols;
  side x = {.v = job->x ? job->x + (size_t)sample * (size_t)rows : job->ones, .n = rows};
  side e = {.v = job->e ? job->e + (size_t)sample * (size_t)cols : job->ones,
            .gain = job->gain,
            .n = cols};
  double size = fabs(rate);
  bool falls = rate > 0; /* against the product, as a gradient is followed */

  t->slots[sample] = t->n_rows[sample] = t->n_cols[sample] = 0;
  t->truncated[sample] = t->reached[sample] = 0;
  double d_max = largest(&e), x_max = d_max > 0 ? largest(&x) : 0;
  double k = size * x_max * d_max / step;
  if (!(k > 0))
    return;

  double most = (double)how->max_length, slots = how->management ? fmin(ceil(k), most) : most;
  double factor = sqrt(size / (step * slots));
  double balance = how->management ? sqrt(d_max / x_max) : 1;
  stream of_rows = {
      .rng = job->rounding, .sample = job->first_sample + (uint64_t)sample, .slots = (int)slots};
  stream of_cols = of_rows;
  of_cols.rng = mho__stream_round_of(job->rounding, 1);

  drawing in, out;
  in.from = &of_rows;
  in.factor = factor * balance;
  in.flip = false;
  in.out = mho__train_of_rows(job, sample);
  draw_lines(&x, &in);

  out.from = &of_cols;
  out.factor = factor / balance;
  out.flip = falls;
  out.out = mho__train_of_cols(job, sample);
  draw_lines(&e, &out);

  t->slots[sample] = (int)slots;
  t->n_rows[sample] = in.pulsing;
  t->n_cols[sample] = out.pulsing;

  double row_pulses = line_pulses(in.out, in.pulsing, (int)slots);
  double col_pulses = line_pulses(out.out, out.pulsing, (int)slots);
  double active = (double)in.active * out.active;
  double whole = (double)(in.active - in.saturated) * (out.active - out.saturated);
  t->reached[sample] = cols * row_pulses + rows * col_pulses;
  t->truncated[sample] = active - whole;
}

void mho__trains_largest(const mho_outer_job *job, int sample, double *x_max, double *d_max) {
  size_t rows = (size_t)job->xb->rows, cols = (size_t)job->xb->cols;
  side x = {.v = job->x ? job->x + (size_t)sample * rows : job->ones, .n = (int)rows};
  side e = {
      .v = job->e ? job->e + (size_t)sample * cols : job->ones, .gain = job->gain, .n = (int)cols};
  *x_max = largest(&x);
  *d_max = largest(&e);
}

/* ---------------------------------------------------------------- replayed */

/* Pulses on their way to the array. */
typedef struct queue {
  mho_crossbar *xb;
  uint64_t step;
  mho_pulse_counts *counts;
  int n;
  uint32_t cell[MHO_DEVICE_BLOCK];
  int16_t count[MHO_DEVICE_BLOCK];
} queue;

static void flush(queue *q) {
  if (q->n)
    mho_crossbar_change_at(q->xb, q->n, q->cell, q->count, q->step, q->counts);
  q->n = 0;
}

/* The columns of a block that meet the rows of a slot: those that pulse in it. */
typedef struct meeting {
  int first, width; /* the block */
  int n;            /* that pulse */
  uint32_t at[MHO_DEVICE_BLOCK];
  int16_t sign[MHO_DEVICE_BLOCK];
} meeting;

/* Of the trains from j on those in the block that pulse in the slot; returns where the next block
 * begins. */
static int find_columns(const queue *q, const mho_pulse_train *col, int j, int n_cols, int slot,
                        meeting *c) {
  uint32_t end = (uint32_t)(c->first + c->width);
  c->n = 0;
  for (; j < n_cols && mho__train_line(&col[j]) < end; j++) {
    c->at[c->n] = mho__train_line(&col[j]);
    c->sign[c->n] = (int16_t)mho__train_sign(&col[j], NULL);
    c->n += mho__train_pulses(&col[j], slot);
  }
  return j;
}

/* Pulses of a row on these columns, into the queue. */
static void enqueue(queue *q, const mho_pulse_train *row, const meeting *c) {
  uint32_t first = mho__train_line(row) * (uint32_t)q->xb->cols;
  int16_t turn = (int16_t)mho__train_sign(row, NULL);

  for (int done = 0; done < c->n;) {
    int some = mho_min(c->n - done, MHO_DEVICE_BLOCK - q->n);
    for (int i = 0; i < some; i++) {
      q->cell[q->n + i] = first + c->at[done + i];
      q->count[q->n + i] = (int16_t)(turn * c->sign[done + i]);
    }
    done += some;
    q->n += some;
    if (q->n == MHO_DEVICE_BLOCK)
      flush(q);
  }
}

/* Rows of a column whose cells stay in the first-level cache while their pulses and weights are
 * seen to. */
enum { COLUMN_BLOCK = 128 };

/* Pulses of n trains that all lie on rows below each other. @return how many pulse. */
static int lay_neighbours(int n, const mho_pulse_train *row, int slot, int16_t sign,
                          int16_t *count) {
  int pulsing = 0;
#pragma omp simd reduction(+ : pulsing)
  for (int i = 0; i < n; i++) {
    int pulses = mho__train_pulses(&row[i], slot);
    count[i] = (int16_t)(pulses * mho__train_sign(&row[i], NULL) * sign);
    pulsing += pulses;
  }
  return pulsing;
}

/* Pulses in a slot of rows that lie in a block, as they lie. @return how many of the n trains these
 * are; `span` says over how many rows, `met` how many pulse. */
static int lay_rows(int n, const mho_pulse_train *row, int slot, int16_t sign, int16_t *count,
                    int *span, int *met) {
  uint32_t first = mho__train_line(row), last = 0;
  bool is_whole =
      n >= COLUMN_BLOCK && mho__train_line(&row[COLUMN_BLOCK - 1]) - first == COLUMN_BLOCK - 1;
  *span = COLUMN_BLOCK;
  if (is_whole) {
    *met = lay_neighbours(COLUMN_BLOCK, row, slot, sign, count);
    return COLUMN_BLOCK;
  }

  int taken = 0;
  *met = 0;
  memset(count, 0, COLUMN_BLOCK * sizeof *count);
  for (; taken < n; taken++) {
    uint32_t at = mho__train_line(&row[taken]) - first;
    if (at >= COLUMN_BLOCK)
      break;
    *met += lay_neighbours(1, row + taken, slot, sign, count + at);
    last = at;
  }
  *span = (int)last + 1;
  return taken;
}

/* The pulses of the queue, with their weights. */
static void flush_shown(queue *q) {
  int n = q->n;
  flush(q);
  mho__crossbar_refresh_at(q->xb, n, q->cell);
}

/* Rows of a column that are scattered, those that pulse in the slot. */
static void enqueue_scattered(queue *q, const mho_pulse_train *row, int n_rows, int slot,
                              const meeting *c) {
  uint32_t cols = (uint32_t)q->xb->cols;
  int met = 0;
  for (int i = 0; i < n_rows; i++) {
    int pulses = mho__train_pulses(&row[i], slot);
    q->cell[q->n] = mho__train_line(&row[i]) * cols + c->at[0];
    q->count[q->n] = (int16_t)(mho__train_sign(&row[i], NULL) * c->sign[0]);
    q->n += pulses;
    met += pulses;
    if (q->n == MHO_DEVICE_BLOCK)
      flush_shown(q);
  }
  flush_shown(q);
  q->counts->half -= 2 * met; /* these cells are on two lines, and wholly selected */
}

/* The same of rows on a single column, which is what a spike changes. Its cells lie far apart, so
 * that their weights follow while they are in cache: mho__trains_refresh leaves them out. */
static void enqueue_column(queue *q, const mho_pulse_train *row, int n_rows, int slot,
                           const meeting *c) {
  enum { DENSE = 2 }; /* worth it from one row out of so many on */
  uint32_t from = mho__train_line(&row[0]), to = mho__train_line(&row[n_rows - 1]);
  flush(q);
  if ((uint32_t)n_rows * DENSE < to - from + 1) {
    enqueue_scattered(q, row, n_rows, slot, c);
    return;
  }

  for (int i = 0, taken; i < n_rows; i += taken) {
    int16_t count[COLUMN_BLOCK];
    int span, met;
    taken = lay_rows(n_rows - i, row + i, slot, c->sign[0], count, &span, &met);
    if (met * DENSE < span) {
      enqueue_scattered(q, row + i, taken, slot, c);
      continue;
    }

    size_t first = mho__train_line(&row[i]) * (size_t)q->xb->cols + c->at[0];
    mho__crossbar_change_column(q->xb, first, span, count, q->step, q->counts);
    q->counts->half -= 2 * met;
  }
}

/* The same where many of the block's columns pulse, so that its cells are answered as they lie. */
static void pulse_neighbours(queue *q, const mho_pulse_train *row, const meeting *c) {
  int16_t count[MHO_DEVICE_BLOCK] = {0}, turn = (int16_t)mho__train_sign(row, NULL);
  size_t first = (size_t)mho__train_line(row) * (size_t)q->xb->cols + (size_t)c->first;
  for (int i = 0; i < c->n; i++)
    count[c->at[i] - (uint32_t)c->first] = (int16_t)(turn * c->sign[i]);
  mho__crossbar_change_some(q->xb, first, c->width, count, q->step, q->counts);
}

/* All coincidences of these rows with these columns in one slot. */
static void coincide(queue *q, const mho_pulse_train *row, int n_rows, const mho_pulse_train *col,
                     int n_cols, int slot) {
  /* worth it from one column out of so many on, in a block as wide */
  enum { DENSE = 4, WIDE = 32 };
  meeting c = {.first = 0};

  for (int j = 0; c.first < q->xb->cols; c.first += MHO_DEVICE_BLOCK) {
    c.width = mho_min(q->xb->cols - c.first, MHO_DEVICE_BLOCK);
    j = find_columns(q, col, j, n_cols, slot, &c);
    bool is_dense = c.n * DENSE >= c.width && c.width >= WIDE;
    if (c.n == 1 && !is_dense) {
      enqueue_column(q, row, n_rows, slot, &c);
      continue;
    }

    for (int i = 0; i < n_rows && c.n; i++) {
      if (!mho__train_pulses(&row[i], slot))
        continue;
      q->counts->half -= 2 * c.n; /* these cells are on two lines, and wholly selected */
      if (is_dense)
        pulse_neighbours(q, &row[i], &c);
      else
        enqueue(q, &row[i], &c);
    }
  }
  flush(q); /* the next slot may pulse the same cells */
}

int mho__train_lower(const mho_pulse_train *t, int n, int line) {
  int low = 0, high = n;
  while (low < high) {
    int mid = (low + high) / 2;
    if ((int)mho__train_line(&t[mid]) < line)
      low = mid + 1;
    else
      high = mid;
  }
  return low;
}

/* Slots in which rows [from, to) pulse, whatever they meet, and, once for every sample, its
 * columns: half-selected cells feel these pulses. */
static void count_lines(const mho_outer_job *job, mho_line_pulses *lines, int sample, int from,
                        int to, bool columns) {
  const mho_pulse_train *row = mho__train_of_rows(job, sample),
                        *col = mho__train_of_cols(job, sample);
  int n_cols = columns ? job->trains->n_cols[sample] : 0;
  for (int i = from; i < to; i++)
    lines->row[mho__train_line(&row[i])] += (uint32_t)__builtin_popcount(row[i].mask);
  for (int j = 0; j < n_cols; j++)
    lines->col[mho__train_line(&col[j])] += (uint32_t)__builtin_popcount(col[j].mask);
  lines->used |= columns;
}

void mho__trains_count(const mho_outer_job *job, mho_crossbar *x, int sample, int row0, int rows,
                       mho_pulse_counts *counts) {
  const mho_pulse_trains *t = job->trains;
  const mho_pulse_train *row = mho__train_of_rows(job, sample);
  int n = t->n_rows[sample];
  bool first_slab = row0 == 0;

  if (first_slab) {
    counts->truncated += t->truncated[sample];
    counts->slots += t->slots[sample];
    counts->half += t->reached[sample];
  }
  if (x->lines)
    count_lines(job, x->lines, sample, mho__train_lower(row, n, row0),
                mho__train_lower(row, n, row0 + rows), first_slab);
}

void mho__trains_replay(const mho_outer_job *job, mho_crossbar *x, int sample, int row0, int rows,
                        mho_pulse_counts *counts) {
  const mho_pulse_trains *t = job->trains;
  const mho_pulse_train *row = mho__train_of_rows(job, sample);
  const mho_pulse_train *col = mho__train_of_cols(job, sample);
  int n_rows = t->n_rows[sample], n_cols = t->n_cols[sample];
  int from = mho__train_lower(row, n_rows, row0), to = mho__train_lower(row, n_rows, row0 + rows);
  mho__trains_count(job, x, sample, row0, rows, counts);
  if (from == to || n_cols == 0)
    return;

  queue q;
  q.xb = x;
  q.counts = counts;
  q.n = 0;
  for (int slot = 0; slot < t->slots[sample]; slot++) {
    q.step = mho__step_slot(job->first_sample + (uint64_t)sample, slot);
    coincide(&q, row + from, to - from, col, n_cols, slot);
  }
}

/* ---------------------------------------------------------------- shown */

/* Trains of a sample that lie in a slab of rows, and are still to be shown. */
typedef struct met {
  const mho_pulse_train *row, *col;
  int n_rows, n_cols;
} met;

static met met_by(const mho_outer_job *job, int sample, int row0, int rows) {
  const mho_pulse_train *row = mho__train_of_rows(job, sample);
  bool is_shown = job->trains->n_cols[sample] == 1; /* by enqueue_column */
  int n = is_shown ? 0 : job->trains->n_rows[sample];
  int from = mho__train_lower(row, n, row0), to = mho__train_lower(row, n, row0 + rows);
  return (met){.row = row + from,
               .col = mho__train_of_cols(job, sample),
               .n_rows = to - from,
               .n_cols = job->trains->n_cols[sample]};
}

static void refresh_met(const met *m, mho_crossbar *x) {
  uint32_t cell[MHO_DEVICE_BLOCK];
  int n = 0;
  for (int i = 0; i < m->n_rows; i++)
    for (int j = 0; j < m->n_cols; j++) {
      cell[n++] = mho__train_line(&m->row[i]) * (uint32_t)x->cols + mho__train_line(&m->col[j]);
      if (n == MHO_DEVICE_BLOCK) {
        mho__crossbar_refresh_at(x, n, cell);
        n = 0;
      }
    }
  mho__crossbar_refresh_at(x, n, cell);
}

void mho__trains_refresh(const mho_outer_job *job, mho_crossbar *x, int row0, int rows) {
  enum { FEW = 16 }; /* cells in a row take about as long as one somewhere */
  size_t cols = (size_t)x->cols, all = (size_t)rows * cols, cells = 0;
  for (int s = 0; s < job->samples; s++) {
    met m = met_by(job, s, row0, rows);
    cells += (size_t)m.n_rows * (size_t)m.n_cols;
  }

  if (cells == 0)
    return;
  if (cells * FEW > all) {
    mho_crossbar_refresh(x, (size_t)row0 * cols, all);
    return;
  }

  for (int s = 0; s < job->samples; s++) {
    met m = met_by(job, s, row0, rows);
    refresh_met(&m, x);
  }
}
