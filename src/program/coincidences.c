/* coincidences.c - the trains of many samples on the rows of a slab (coincidences.h).
 *
 * What a pulse does to a cell depends on what the cell holds and on no other cell, so that pulses
 * may come in any order that keeps those of each cell in theirs; and those of a cell in one sample
 * all go one way. So they wait, a bit each, until their row is read, or many wait for a cell, or
 * the samples are at an end. Then cells with alike many are pulsed together (device/series.h): the
 * first pulses of all of them, the second ones, and so on. Cells that are picked out slot by slot
 * take ten times as long.
 *
 * The noise of pulses that were waited for is named by the sample after which they are given.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "program/coincidences.h"

#include <string.h>

#include "array/weights.h"
#include "base/streams.h"

/* ---------------------------------------------------------------- room */

/* Most slots, and samples, whose columns are laid out; pulses of a cell that may wait beyond them;
 * and where a cell has more, those that others have at least that get theirs with it. */
enum { SLOTS_MOST = MHO_TRAIN_SLOTS, WAIT_MOST = MHO_SERIES_MOST - SLOTS_MOST, GIVEN_LEAST = 16 };

/* Cells from which on they are given, where rows have few. */
enum { GATHERED_LEAST = 4 * MHO_DEVICE_BLOCK };

/* Cells that are looked at side by side, and as many columns as these make: those at the end are
 * not there, and do not pulse. */
enum { LANES = 32 };

static int padded(int cols) {
  return (cols + LANES - 1) / LANES * LANES;
}

static int blocks_of(int cols) {
  return (cols + MHO_DEVICE_BLOCK - 1) / MHO_DEVICE_BLOCK;
}

size_t mho__slab_room(int rows, int cols) {
  size_t cells = (size_t)rows * (size_t)padded(cols);
  size_t meetings = (size_t)SLOTS_MOST * (size_t)blocks_of(cols);
  size_t bytes = meetings * sizeof(mho_meeting) + 4 * (size_t)SLOTS_MOST * (size_t)padded(cols);
  size_t each = sizeof(uint64_t) + 2 * sizeof(uint32_t) + sizeof(uint8_t);
  return (bytes + each * cells + (size_t)rows + 3 * sizeof(uint64_t)) / sizeof(mho_real) + 1;
}

static uint64_t *aligned(mho_real *room) {
  uintptr_t at = (uintptr_t)room, size = sizeof(uint64_t);
  return (uint64_t *)((at + size - 1) / size * size);
}

void mho__slab_begin(mho_slab_pulses *p, const mho_outer_job *job, mho_crossbar *x, int row0,
                     int rows, mho_real *room) {
  size_t cells = (size_t)rows * (size_t)padded(x->cols);
  *p = (mho_slab_pulses){.job = job, .x = x, .row0 = row0, .rows = rows};
  p->up = aligned(room);
  p->meeting = (mho_meeting *)(void *)(p->up + cells);
  p->order = (uint32_t *)(void *)(p->meeting + SLOTS_MOST * blocks_of(x->cols));
  p->found = p->order + cells;
  p->pulses = (int16_t *)(p->found + cells + 1);
  p->rises = p->pulses + SLOTS_MOST * padded(x->cols);
  p->count = (uint8_t *)(p->rises + SLOTS_MOST * padded(x->cols));
  p->is_used = p->count + cells;
  memset(p->is_used, 0, (size_t)rows);
}

/* Where the cells of a row begin in the slab. */
static size_t place_of(const mho_slab_pulses *p, int row) {
  return (size_t)(row - p->row0) * (size_t)padded(p->x->cols);
}

/* Nothing waits for cells of a row that has not been used so far. */
static void use_row(mho_slab_pulses *p, int row) {
  size_t first = place_of(p, row), n = (size_t)padded(p->x->cols);
  if (p->is_used[row - p->row0])
    return;
  p->is_used[row - p->row0] = true;
  memset(p->up + first, 0, n * sizeof *p->up);
  memset(p->count + first, 0, n * sizeof *p->count);
}

/* ---------------------------------------------------------------- columns of some samples */

static mho_meeting *meeting_of(const mho_slab_pulses *p, int s, int block) {
  return p->meeting + s * blocks_of(p->x->cols) + block;
}

/* What every column does in every slot: -1 where it pulses; and -1 where its pulses go up. */
static void lay_out_all(mho_meeting *m, const int8_t *chop, int first, int width, int slots,
                        int row_size) {
  uint32_t mask[MHO_DEVICE_BLOCK] = {0};
  for (int j = 0; j < m->n; j++) {
    int at = (int)mho__train_line(&m->col[j]) - first;
    mask[at] = m->col[j].mask;
    m->rises[at] = mho__train_sign(&m->col[j], chop) > 0 ? -1 : 0;
  }

  for (int bit = 0; bit < slots; bit++) {
    int16_t *pulses = m->pulses + bit * row_size;
#pragma omp simd
    for (int i = 0; i < width; i++)
      pulses[i] = mask[i] >> bit & 1 ? -1 : 0;
  }
}

/* The same of those columns that pulse in some slot: which they are. */
static void lay_out_few(mho_meeting *m, const int8_t *chop, int first) {
  for (int j = 0; j < m->n; j++) {
    m->pulses[j] = (int16_t)((int)mho__train_line(&m->col[j]) - first);
    m->rises[j] = mho__train_sign(&m->col[j], chop) > 0 ? -1 : 0;
  }
}

/* Columns of a block in sample s of those present; returns the number of the next block's first
 * train. */
static int meet(mho_slab_pulses *p, int s, int block, int from, int slots, const int8_t *chop) {
  enum { EACH = 32 }; /* what a column costs alone, over what it costs side by side in a slot */
  int sample = p->first + s, first = block * MHO_DEVICE_BLOCK, row_size = padded(p->x->cols);
  int width = mho_min(row_size - first, MHO_DEVICE_BLOCK);
  const mho_pulse_train *col = mho__train_of_cols(p->job, sample);
  int n = p->job->trains->n_cols[sample], end = first + MHO_DEVICE_BLOCK;
  int to = end < p->x->cols ? mho__train_lower(col, n, end) : n;

  mho_meeting *m = meeting_of(p, s, block);
  *m = (mho_meeting){.col = col + from,
                     .n = to - from,
                     .few = (to - from) * EACH < width * slots,
                     .pulses = p->pulses + p->slots * row_size + first,
                     .rises = p->rises + s * row_size + first};
  if (m->few)
    lay_out_few(m, chop, first);
  else
    lay_out_all(m, chop, first, width, slots, row_size);
  return to;
}

bool mho__slab_add(mho_slab_pulses *p, const int8_t *chop) {
  const mho_pulse_trains *t = p->job->trains;
  int s = p->samples, sample = p->first + s, slots = t->n_cols[sample] ? t->slots[sample] : 0;
  if (s == SLOTS_MOST || p->slots + slots > SLOTS_MOST)
    return false;

  for (int block = 0, from = 0; block < blocks_of(p->x->cols) && slots; block++)
    from = meet(p, s, block, from, slots, chop);
  int n = slots ? t->n_rows[sample] : 0; /* rows that meet nothing are left out */
  p->left[s].next = mho__train_of_rows(p->job, sample);
  p->left[s].end = p->left[s].next + n;
  p->left[s].next += mho__train_lower(p->left[s].next, n, p->row0);
  p->slots += slots;
  p->samples++;
  return true;
}

/* ---------------------------------------------------------------- pulses that wait */

/* Pulses of a block's cells, on their way to those that wait: in words of 16 bits, of which a
 * vector holds most. Of cell i as many as end[i] has zeros below its one bit, of which number k
 * goes up where bit k of up[i] is set. */
enum { NEW_MOST = 15 };
typedef struct news {
  int n, room; /* cells; slots until a word may be full, more than NEW_MOST: words are not set */
  uint16_t end[MHO_DEVICE_BLOCK], up[MHO_DEVICE_BLOCK];
  uint8_t *count; /* [padded n] those that wait */
  uint64_t *all;  /* [padded n] whether they go up */
  int most;       /* of a cell */
} news;

static void clear(news *w) {
  w->room = NEW_MOST;
  for (int i0 = 0; i0 < w->n; i0 += LANES)
    for (int i = i0; i < i0 + LANES; i++) {
      w->end[i] = 1;
      w->up[i] = 0;
    }
}

/* The zeros below the one bit of a word: the exponent of what it is as a number. */
static inline uint8_t zeros_below(uint16_t one) {
  float v = (float)one;
  uint32_t bits;
  memcpy(&bits, &v, sizeof bits);
  return (uint8_t)((bits >> 23) - 127);
}

static void join(news *w) {
  if (w->room >= NEW_MOST)
    return;
  for (int i0 = 0; i0 < w->n; i0 += LANES) {
    uint64_t bits[LANES], before[LANES], *all = w->all + i0;
    uint8_t *count = w->count + i0;
    for (int i = 0; i < LANES; i++) {
      bits[i] = w->up[i0 + i];
      before[i] = count[i];
    }
    for (int i = 0; i < LANES; i++)
      all[i] |= bits[i] << before[i];
    for (int i = 0; i < LANES; i++)
      count[i] = (uint8_t)(before[i] + zeros_below(w->end[i0 + i]));
    uint8_t most = 0;
    for (int i = 0; i < LANES; i++)
      most = count[i] > most ? count[i] : most;
    w->most = mho_max(w->most, most);
  }
  clear(w);
}

/* Slots were counted as if a cell pulsed in each, which most do not: those that words have room for
 * indeed, unless that is few. */
static void make_room(news *w) {
  enum { FEW = 5 };
  uint16_t ends = 0;
#pragma omp simd reduction(| : ends)
  for (int i = 0; i < w->n; i++)
    ends |= w->end[i];
  w->room = NEW_MOST - (31 - __builtin_clz(ends));
  if (w->room < FEW) {
    w->room = 0;
    join(w);
  }
}

/* A slot in which the row pulses; turned: with the signs of the columns turned. */
static void add_slot(news *w, const int16_t *pulses, const int16_t *rises, bool turned) {
  uint16_t turn = turned ? 0xffff : 0;
  if (w->room == 0)
    make_room(w);
  if (w->room > NEW_MOST)
    clear(w);
  w->room--;
  for (int i0 = 0; i0 < w->n; i0 += LANES)
#pragma omp simd
    for (int i = i0; i < i0 + LANES; i++) {
      uint16_t own = w->end[i] & (uint16_t)pulses[i];
      w->up[i] |= (uint16_t)(own & ((uint16_t)rises[i] ^ turn));
      w->end[i] = (uint16_t)(w->end[i] + own);
    }
}

/* A sample in which few columns pulse. */
static void add_few(news *w, const mho_meeting *m, uint32_t mask, bool turned) {
  int64_t turn = turned ? -1 : 0;
  join(w);
  for (int j = 0; j < m->n; j++) {
    int i = m->pulses[j];
    int pulses = __builtin_popcount(mask & m->col[j].mask);
    uint64_t bits = (((uint64_t)1 << pulses) - 1) & (uint64_t)(m->rises[j] ^ turn);
    w->all[i] |= bits << w->count[i];
    w->count[i] = (uint8_t)(w->count[i] + pulses);
    w->most = mho_max(w->most, w->count[i]);
  }
}

/* ---------------------------------------------------------------- pulses that are given */

/* Places in a row where at least so many pulses wait (a power of 2), [n] so far; returns how many
 * they are then. */
static int find(mho_slab_pulses *p, int row, int least, int n) {
  uint64_t mask = 0x0101010101010101u * (uint64_t)(uint8_t)-least;
  size_t from = place_of(p, row), to = place_of(p, row + 1);
  for (size_t i = from; i < to; i += sizeof mask) {
    uint64_t eight;
    memcpy(&eight, p->count + i, sizeof eight);
    if (!(eight & mask))
      continue;
    for (size_t k = i; k < i + sizeof mask; k++) {
      p->found[n] = (uint32_t)k;
      n += p->count[k] >= least;
    }
  }
  return n;
}

/* The places found, those with most pulses first. */
static void sort(mho_slab_pulses *p, int n) {
  int at[MHO_SERIES_MOST + 2] = {0};
  for (int i = 0; i < n; i++)
    at[p->count[p->found[i]]]++;
  for (int k = MHO_SERIES_MOST; k >= 0; k--)
    at[k] += at[k + 1];
  for (int i = 0; i < n; i++)
    p->order[at[p->count[p->found[i]] + 1]++] = p->found[i];
}

/* Give what waits for the cells found, those with most pulses first. */
static void give_found(mho_slab_pulses *p, int n, uint64_t step, mho_pulse_counts *counts) {
  uint32_t cols = (uint32_t)p->x->cols, row_size = (uint32_t)padded(p->x->cols);
  uint32_t first = (uint32_t)p->row0 * cols, beyond = row_size - cols;
  sort(p, n);

  for (int done = 0; done < n; done += MHO_DEVICE_BLOCK) {
    mho_pulse_series s;
    int sum = 0;
    s.n = mho_min(n - done, MHO_DEVICE_BLOCK);
    for (int i = 0; i < s.n; i++) {
      uint32_t at = p->order[done + i];
      s.cell[i] = first + at - (beyond ? at / row_size * beyond : 0);
      s.count[i] = p->count[at];
      s.up[i] = p->up[at];
      p->count[at] = 0;
      p->up[at] = 0;
      sum += s.count[i];
    }
    counts->half -= 2 * sum; /* these cells are on two lines, and wholly selected */
    mho__crossbar_pulse_series(p->x, &s, step, counts);
  }
}

/* The cells of a row are about to be pulsed. */
static void fetch(const mho_crossbar *x, int row) {
  for (int k = 0; k < x->n_banks; k++)
    if (x->bank[k])
      mho__cells_fetch(x->bank[k], (size_t)row * (size_t)x->cols, x->cols);
}

/* Give what waits for cells of some rows with at least so many pulses: rows together until they
 * fill groups, and no more, whose cells lie near each other. */
static void give(mho_slab_pulses *p, int row, int rows, int least, uint64_t step,
                 mho_pulse_counts *counts) {
  int n = 0;
  for (int i = row; i < row + rows; i++) {
    if (p->is_used[i - p->row0]) {
      fetch(p->x, i);
      n = find(p, i, least, n);
    }
    if (n < GATHERED_LEAST)
      continue;
    give_found(p, n, step, counts);
    n = 0;
  }
  give_found(p, n, step, counts);
}

void mho__slab_read(mho_slab_pulses *p, int row, int sample, mho_pulse_counts *counts) {
  uint64_t name = p->job->first_sample + (uint64_t)sample;
  give(p, row, 1, 1, mho__step_slot(name, MHO_STREAM_SLOTS - 1), counts);
}

void mho__slab_end(mho_slab_pulses *p, mho_pulse_counts *counts) {
  p->first += p->samples;
  p->samples = p->slots = 0;
  bool is_last = p->first == p->job->samples;
  uint64_t name = p->job->first_sample + (uint64_t)p->first - 1;
  if (!is_last && p->most <= WAIT_MOST)
    return;
  give(p, p->row0, p->rows, is_last ? 1 : GIVEN_LEAST, mho__step_slot(name, 0), counts);
  p->most = GIVEN_LEAST;
}

/* ---------------------------------------------------------------- a row */

/* A row in one of the samples. */
typedef struct visit {
  int s;
  uint32_t mask;
  bool turned;
} visit;

/* The samples from .. to-1 in which the row pulses. */
static int find_visits(mho_slab_pulses *p, int row, int8_t chop, int from, int to, visit *out) {
  int n = 0;
  for (int s = from - p->first; s < to - p->first; s++) {
    const mho_pulse_train *t = p->left[s].next;
    if (t == p->left[s].end || (int)mho__train_line(t) != row)
      continue;
    out[n++] = (visit){s, t->mask, (t->line & MHO_TRAIN_NEGATIVE ? -1 : 1) * chop < 0};
    p->left[s].next++;
  }
  return n;
}

static void coincide(mho_slab_pulses *p, int row, int block, int n, const visit *v) {
  size_t first = place_of(p, row) + (size_t)block * MHO_DEVICE_BLOCK;
  int row_size = padded(p->x->cols);
  news w;
  w.n = mho_min(row_size - block * MHO_DEVICE_BLOCK, MHO_DEVICE_BLOCK);
  w.count = p->count + first;
  w.all = p->up + first;
  w.room = NEW_MOST + 1;
  w.most = p->most;

  for (int k = 0; k < n; k++) {
    const mho_meeting *m = meeting_of(p, v[k].s, block);
    if (m->few) {
      add_few(&w, m, v[k].mask, v[k].turned);
      continue;
    }
    for (uint32_t left = v[k].mask; left; left &= left - 1)
      add_slot(&w, m->pulses + __builtin_ctz(left) * row_size, m->rises, v[k].turned);
  }
  join(&w);
  p->most = w.most;
}

void mho__slab_row(mho_slab_pulses *p, int row, int8_t chop, int from, int to) {
  visit v[SLOTS_MOST];
  int n = find_visits(p, row, chop, from, to, v);
  if (n)
    use_row(p, row);
  for (int block = 0; block < blocks_of(p->x->cols) && n; block++)
    coincide(p, row, block, n, v);
}
