/* coincidences.c - the trains of many samples on the rows of a slab (coincidences.h).
 *
 * What a pulse does to a cell depends on what the cell holds and on no other cell, so that pulses
 * may come in any order that keeps those of each cell in theirs; and those of a cell in one sample
 * all go one way. So they wait, a bit each, until their row is read, or many wait for a cell, or
 * somebody else looks at the cells. Then rows are pulsed as they lie where all pulses of a cell
 * take one deviate, else cells with alike many together (device/series.h): the first pulses of all
 * of them, the second ones, and so on. Cells that are picked out slot by slot take ten times as
 * long.
 *
 * The noise of pulses that were waited for is named by the sample at which they are given.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "program/coincidences.h"

#include <string.h>

#include "array/weights.h"
#include "base/streams.h"

#ifdef __SSSE3__
#include <immintrin.h>
#endif

/* ---------------------------------------------------------------- room */

/* Cells that are looked at side by side, and as many columns as these make: those at the end are
 * not there, and do not pulse. */
enum { LANES = 64 };

/* Slots that are looked at together, and what marks a word of theirs. */
enum { QUAD = 4, QUAD_MASK = 15, QUAD_MARK = 0x8000 };

/* Slots whose columns are laid out: as many as stay in the second-level cache. */
enum { LAID_OUT = 1 << 17, SLOTS_MOST = 512 };

/* Where so many pulses wait for a cell that there is hardly room for more, the cells of its row
 * that have at least so many (a power of 2) get theirs. A sample's pulses fit in beside fewer. */
enum { ROOM_LEAST = 16, GIVEN_LEAST = 16 };

/* Cells from which on they are given, where rows have few. */
enum { GATHERED_LEAST = 4 * MHO_DEVICE_BLOCK };

/* When pulses are given, in the name of their noise: with the last sample of a job, where a row is
 * full, without a sample, and before a read. */
enum { AT_END, WHEN_FULL, AT_REST, BEFORE_READ = MHO_STREAM_SLOTS - 1 };

static int padded(int cols) {
  return (cols + LANES - 1) / LANES * LANES;
}

static int blocks_of(int cols) {
  return (cols + MHO_DEVICE_BLOCK - 1) / MHO_DEVICE_BLOCK;
}

/* Slots for which there is room, at least those of a sample. */
static int slots_of(int cols) {
  return mho_min(mho_max(LAID_OUT / padded(cols), MHO_TRAIN_SLOTS), SLOTS_MOST);
}

size_t mho__slab_room(int rows, int cols) {
  size_t row_size = (size_t)padded(cols), cells = (size_t)rows * row_size;
  size_t slots = (size_t)slots_of(cols), meetings = MHO_SLAB_SAMPLES * (size_t)blocks_of(cols);
  size_t lines = (slots + 2 * MHO_SLAB_SAMPLES) * row_size;
  size_t bytes = meetings * sizeof(mho_meeting) + lines * sizeof(int16_t) +
                 (2 * cells + 1) * sizeof(uint32_t) + sizeof(uint64_t);
  return bytes / sizeof(mho_real) + 1;
}

static char *aligned(mho_real *room) {
  uintptr_t at = (uintptr_t)room, size = sizeof(uint64_t);
  return (char *)((at + size - 1) / size * size);
}

void mho__slab_begin(mho_slab_pulses *p, const mho_outer_job *job, mho_crossbar *x,
                     mho_waiting *waiting, int row0, int rows, mho_real *room) {
  size_t cells = (size_t)rows * (size_t)padded(x->cols);
  p->job = job;
  p->x = x;
  p->w = waiting;
  p->row0 = row0;
  p->rows = rows;
  p->first = p->samples = p->slots = 0;
  p->meeting = (mho_meeting *)(void *)aligned(room);
  p->order = (uint32_t *)(void *)(p->meeting + MHO_SLAB_SAMPLES * blocks_of(x->cols));
  p->found = p->order + cells;
  p->pulses = (uint16_t *)(p->found + cells + 1);
  p->rises = (int16_t *)(p->pulses + slots_of(x->cols) * padded(x->cols));
  p->by_rows = mho__crossbar_likes_rows(x);
}

/* Where the cells of a row begin among those that pulses may wait for. */
static size_t place_of(const mho_slab_pulses *p, int row) {
  return (size_t)row * (size_t)padded(p->x->cols);
}

/* ---------------------------------------------------------------- what waits */

mho_err mho__waiting_new(mho_waiting *w, int rows, int cols, mho_errinfo *ei) {
  w->rows = rows;
  w->cols = padded(cols);
  w->count = mho_alloc((size_t)rows * (size_t)w->cols, sizeof *w->count);
  w->up = mho_alloc((size_t)rows * (size_t)w->cols, sizeof *w->up);
  w->most = mho_alloc((size_t)rows, sizeof *w->most);
  if (w->count && w->up && w->most)
    return MHO_OK;
  return mho_fail(ei, MHO_ENOMEM, "no memory for the pulses of %d x %d cells", rows, cols);
}

void mho__waiting_free(mho_waiting *w) {
  mho_free(w->count);
  mho_free(w->up);
  mho_free(w->most);
}

void mho__waiting_restored(mho_waiting *w) {
  for (int row = 0; row < w->rows; row++) {
    w->most[row] = 0;
    for (int j = 0; j < w->cols; j++) {
      size_t i = (size_t)row * (size_t)w->cols + (size_t)j;
      w->count[i] = (uint8_t)mho_min(w->count[i], MHO_SERIES_MOST);
      w->up[i] &= w->count[i] < 64 ? ((uint64_t)1 << w->count[i]) - 1 : UINT64_MAX;
      w->most[row] = (uint8_t)mho_max(w->most[row], w->count[i]);
    }
  }
}

/* ---------------------------------------------------------------- columns of some samples */

static mho_meeting *meeting_of(const mho_slab_pulses *p, int s, int block) {
  return p->meeting + s * blocks_of(p->x->cols) + block;
}

/* What every column does: the slots in which it pulses, four of them a line, and -1 where its
 * pulses go up, and where they go down. The highest bit of what a line holds is set, see
 * doublings(). */
static void lay_out_all(mho_meeting *m, const int8_t *chop, int first, int width, int slots,
                        int row_size) {
  uint16_t half[2][MHO_DEVICE_BLOCK] = {0};
  int16_t *rises = m->rises, *falls = m->rises + row_size;
  for (int i = 0; i < width; i++)
    falls[i] = -1;
  for (int j = 0; j < m->n; j++) {
    int at = (int)mho__train_line(&m->col[j]) - first;
    half[0][at] = (uint16_t)m->col[j].mask;
    half[1][at] = (uint16_t)(m->col[j].mask >> 16);
    rises[at] = mho__train_sign(&m->col[j], chop) > 0 ? -1 : 0;
    falls[at] = (int16_t)~rises[at];
  }

  for (int k = 0; k * QUAD < slots; k++) {
    uint16_t *pulses = m->pulses + k * row_size;
    const uint16_t *mask = half[k * QUAD / 16];
    int shift = k * QUAD % 16;
#pragma omp simd
    for (int i = 0; i < width; i++)
      pulses[i] = (uint16_t)(QUAD_MARK | (mask[i] >> shift & QUAD_MASK));
  }
}

/* The same of those columns that pulse in some slot: which they are. */
static void lay_out_few(mho_meeting *m, const int8_t *chop, int first) {
  for (int j = 0; j < m->n; j++) {
    m->pulses[j] = (uint16_t)((int)mho__train_line(&m->col[j]) - first);
    m->rises[j] = mho__train_sign(&m->col[j], chop) > 0 ? -1 : 0;
  }
}

/* Columns of a block in sample s of those present; returns the number of the next block's first
 * train. */
static int meet(mho_slab_pulses *p, int s, int block, int from, int slots, const int8_t *chop) {
  enum { EACH = 128 }; /* what a column costs alone, over what it costs side by side in a slot */
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
                     .rises = p->rises + 2 * s * row_size + first};
  if (m->few)
    lay_out_few(m, chop, first);
  else
    lay_out_all(m, chop, first, width, slots, row_size);
  return to;
}

/* The line of the next row of a sample that pulses; -1: there is none. */
static int next_line(const mho_rows_left *left) {
  return left->next < left->end ? (int)mho__train_line(left->next) : -1;
}

bool mho__slab_add(mho_slab_pulses *p, const int8_t *chop) {
  const mho_pulse_trains *t = p->job->trains;
  int s = p->samples, sample = p->first + s, slots = t->n_cols[sample] ? t->slots[sample] : 0;
  if (s == MHO_SLAB_SAMPLES || p->slots + slots > slots_of(p->x->cols))
    return false;

  for (int block = 0, from = 0; block < blocks_of(p->x->cols) && slots; block++)
    from = meet(p, s, block, from, slots, chop);
  int n = slots ? t->n_rows[sample] : 0; /* rows that meet nothing are left out */
  p->left[s].next = mho__train_of_rows(p->job, sample);
  p->left[s].end = p->left[s].next + n;
  p->left[s].next += mho__train_lower(p->left[s].next, n, p->row0);
  p->next_line[s] = next_line(&p->left[s]);
  p->slots += slots;
  p->samples++;
  return true;
}

/* ---------------------------------------------------------------- pulses that join */

/* Four slots of a row: what the columns do in them, which way their pulses then go, and in which
 * the row pulses. */
typedef struct met_quad {
  const uint16_t *pulses;
  const int16_t *rises;
  uint16_t row, most;
} met_quad;

/* Pulses of LANES cells on their way to those that wait, in words of 16 bits, as many a vector as
 * the processor has room for. Of a cell as many as its `end` has zeros below its one bit, of which
 * number k goes up where bit k of `up` is set. */
#if defined(__AVX512BW__)
enum { VECTOR_BYTES = 64 };
#elif defined(__AVX2__)
enum { VECTOR_BYTES = 32 };
#else
enum { VECTOR_BYTES = 16 };
#endif
enum { NEW_MOST = 15, WORDS = VECTOR_BYTES / (int)sizeof(uint16_t), VECTORS = LANES / WORDS };
typedef uint16_t words __attribute__((vector_size(VECTOR_BYTES)));
typedef struct news {
  words end[VECTORS], up[VECTORS];
} news;

static void clear(news *w) {
  for (int k = 0; k < VECTORS; k++) {
    w->end[k] = (words){0} + 1;
    w->up[k] = (words){0};
  }
}

/* 2 to the number of ones among the lowest four bits of each word, whose others are 0 but for the
 * highest. Where bytes can be looked up, those with that bit are 0. */
static inline words doublings(words quad) {
#if defined(__SSSE3__)
  const __m128i table = _mm_setr_epi8(1, 2, 2, 4, 2, 4, 4, 8, 2, 4, 4, 8, 4, 8, 8, 16);
#endif
#if defined(__AVX512BW__)
  return (words)_mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), (__m512i)quad);
#elif defined(__AVX2__)
  return (words)_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), (__m256i)quad);
#elif defined(__SSSE3__)
  return (words)_mm_shuffle_epi8(table, (__m128i)quad);
#else
  return (1 + (quad & 1)) * (1 + (quad >> 1 & 1)) * (1 + (quad >> 2 & 1)) * (1 + (quad >> 3 & 1));
#endif
}

/* The zeros below the one bit of each word: its product with a sequence in which any four bits
 * stand once has other bits on top for every place. Where no bytes can be looked up: the exponent
 * of what it is as a number. */
static inline words zeros_below(words one) {
#if defined(__SSSE3__)
  const __m128i table = _mm_setr_epi8(0, 1, 2, 5, 3, 9, 6, 11, 15, 4, 8, 10, 14, 7, 13, 12);
  words top = (one * 0x09af >> 12) | QUAD_MARK;
#endif
#if defined(__AVX512BW__)
  return (words)_mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), (__m512i)top);
#elif defined(__AVX2__)
  return (words)_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), (__m256i)top);
#elif defined(__SSSE3__)
  return (words)_mm_shuffle_epi8(table, (__m128i)top);
#else
  words zeros;
  for (int i = 0; i < WORDS; i++) {
    float v = (float)one[i];
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    zeros[i] = (uint16_t)((bits >> 23) - 127);
  }
  return zeros;
#endif
}

/* They join those that wait: how many these are, and whether they go up. */
static void join(const news *w, uint8_t *count, uint64_t *all) {
  uint16_t fresh[LANES], up[LANES];
  uint64_t bits[LANES], before[LANES];
  memcpy(up, w->up, sizeof up);
  for (int k = 0; k < VECTORS; k++) {
    words zeros = zeros_below(w->end[k]);
    memcpy(fresh + k * WORDS, &zeros, sizeof zeros);
  }

  for (int i = 0; i < LANES; i++) {
    bits[i] = up[i];
    before[i] = count[i];
  }
  for (int i = 0; i < LANES; i++)
    all[i] |= bits[i] << before[i];
  for (int i = 0; i < LANES; i++)
    count[i] = (uint8_t)(count[i] + fresh[i]);
}

/* Pulses that the words have room for. */
static inline int room_in(const news *w) {
  words all = w->end[0];
  for (int k = 1; k < VECTORS; k++)
    all |= w->end[k];
  uint64_t part[VECTOR_BYTES / sizeof(uint64_t)], ends = 0;
  memcpy(part, &all, sizeof part);
  for (int i = 0; i < MHO_COUNT(part); i++)
    ends |= part[i];
  ends |= ends >> 32;
  ends |= ends >> 16;
  return NEW_MOST - (31 - __builtin_clz((uint32_t)ends & 0xffff));
}

/* The pulses of a quad on cells from i0 on. */
static inline void add_quad(news *w, const met_quad *quad, int i0) {
  const uint16_t *pulses = quad->pulses + i0;
  const int16_t *rises = quad->rises + i0;
  words row = (words){0} + quad->row;
#pragma GCC unroll 8
  for (int k = 0; k < VECTORS; k++) {
    words met, way;
    memcpy(&met, pulses + k * WORDS, sizeof met);
    memcpy(&way, rises + k * WORDS, sizeof way);
    words end = w->end[k] * doublings(met & row);
    w->up[k] |= (end - w->end[k]) & way;
    w->end[k] = end;
  }
}

/* Quads on the cells of a block, LANES of them after another. What they add stays in registers:
 * join() gets a copy. */
static void add_dense(int n, const met_quad *quad, int width, uint8_t *count, uint64_t *all) {
  for (int i0 = 0; i0 < width; i0 += LANES) {
    int room = NEW_MOST;
    news now, full;
    clear(&now);
    for (int j = 0; j < n; j++) {
      if (room < quad[j].most)
        room = room_in(&now);
      if (room < quad[j].most) {
        full = now;
        join(&full, count + i0, all + i0);
        clear(&now);
        room = NEW_MOST;
      }
      room -= quad[j].most;
      add_quad(&now, &quad[j], i0);
    }
    full = now;
    join(&full, count + i0, all + i0);
  }
}

/* A sample in which few columns pulse. */
static void add_few(const mho_meeting *m, uint32_t mask, bool turned, uint8_t *count,
                    uint64_t *all) {
  int64_t turn = turned ? -1 : 0;
  for (int j = 0; j < m->n; j++) {
    int i = m->pulses[j];
    int pulses = __builtin_popcount(mask & m->col[j].mask);
    uint64_t bits = (((uint64_t)1 << pulses) - 1) & (uint64_t)(m->rises[j] ^ turn);
    all[i] |= pulses ? bits << count[i] : 0;
    count[i] = (uint8_t)(count[i] + pulses);
  }
}

/* ---------------------------------------------------------------- pulses that are given */

/* Cells of a row for which at least so many pulses wait (a power of 2): their places, [n] so far;
 * returns how many they are then. */
static int find(mho_slab_pulses *p, int row, int least, int n) {
  uint64_t mask = 0x0101010101010101u * (uint64_t)(uint8_t)-least;
  size_t from = place_of(p, row), to = place_of(p, row + 1);
  for (size_t i = from; i < to; i += sizeof mask) {
    uint64_t eight;
    memcpy(&eight, p->w->count + i, sizeof eight);
    if (!(eight & mask))
      continue;
    for (size_t k = i; k < i + sizeof mask; k++) {
      p->found[n] = (uint32_t)k;
      n += p->w->count[k] >= least;
    }
  }
  return n;
}

/* The places found, those with most pulses first. */
static void sort(mho_slab_pulses *p, int n) {
  const uint8_t *count = p->w->count;
  int at[MHO_SERIES_MOST + 2] = {0};
  for (int i = 0; i < n; i++)
    at[count[p->found[i]]]++;
  for (int k = MHO_SERIES_MOST; k >= 0; k--)
    at[k] += at[k + 1];
  for (int i = 0; i < n; i++)
    p->order[at[count[p->found[i]] + 1]++] = p->found[i];
}

/* Give what waits for the cells found, those with most pulses first. */
static void give_found(mho_slab_pulses *p, int n, uint64_t step, mho_pulse_counts *counts) {
  uint32_t cols = (uint32_t)p->x->cols, row_size = (uint32_t)p->w->cols;
  uint32_t beyond = row_size - cols;
  sort(p, n);

  for (int done = 0; done < n; done += MHO_DEVICE_BLOCK) {
    mho_pulse_series s;
    int sum = 0;
    s.n = mho_min(n - done, MHO_DEVICE_BLOCK);
    for (int i = 0; i < s.n; i++) {
      uint32_t at = p->order[done + i];
      s.cell[i] = at - (beyond ? at / row_size * beyond : 0);
      s.count[i] = p->w->count[at];
      s.up[i] = p->w->up[at];
      p->w->count[at] = 0;
      p->w->up[at] = 0;
      sum += s.count[i];
    }
    counts->half -= 2 * sum; /* these cells are on two lines, and wholly selected */
    mho__crossbar_pulse_series(p->x, &s, step, counts);
  }
}

/* Give all cells of a row what waits for them, in their order. */
static void give_row(mho_slab_pulses *p, int row, uint64_t step, mho_pulse_counts *counts) {
  size_t cols = (size_t)p->x->cols, first = (size_t)row * cols;
  for (size_t j0 = 0; j0 < cols; j0 += MHO_DEVICE_BLOCK) {
    uint8_t *count = p->w->count + place_of(p, row) + j0;
    uint64_t *up = p->w->up + place_of(p, row) + j0;
    mho_pulse_series s;
    int sum = 0;
    s.n = mho__block_cells(cols, j0);
    for (int i = 0; i < s.n; i++)
      sum += count[i];
    for (int i = 0; i < s.n; i++)
      s.cell[i] = (uint32_t)(first + j0) + (uint32_t)i;
    memcpy(s.count, count, (size_t)s.n * sizeof *count);
    memcpy(s.up, up, (size_t)s.n * sizeof *up);
    memset(count, 0, (size_t)s.n * sizeof *count);
    memset(up, 0, (size_t)s.n * sizeof *up);
    counts->half -= 2 * sum;
    mho__crossbar_pulse_series(p->x, &s, step, counts);
  }
  p->w->most[row] = 0;
}

/* Give what waits for cells of some rows with at least so many pulses: rows together until they
 * fill groups, and no more, whose cells lie near each other. */
static void give(mho_slab_pulses *p, int row, int rows, int least, uint64_t step,
                 mho_pulse_counts *counts) {
  int n = 0;
  for (int i = row; p->by_rows && i < row + rows; i++)
    if (p->w->most[i])
      give_row(p, i, step, counts);
  if (p->by_rows)
    return;

  for (int i = row; i < row + rows; i++) {
    if (p->w->most[i] >= least) {
      n = find(p, i, least, n);
      p->w->most[i] = (uint8_t)(least - 1);
    }
    if (n < GATHERED_LEAST)
      continue;
    give_found(p, n, step, counts);
    n = 0;
  }
  give_found(p, n, step, counts);
}

/* Name of pulses that are given at a sample of those present. */
static uint64_t name_at(const mho_slab_pulses *p, int sample, int when) {
  return mho__step_slot(p->job->first_sample + (uint64_t)sample, when);
}

static void fetch_row(const mho_crossbar *x, int row) {
  mho__crossbar_fetch_banks(x, (size_t)row * (size_t)x->cols, x->cols);
}

void mho__slab_expect(const mho_slab_pulses *p, int row) {
  fetch_row(p->x, row);
  fetch_row(p->job->xb, row);
}

void mho__slab_read(mho_slab_pulses *p, int row, int sample, mho_pulse_counts *counts) {
  give(p, row, 1, 1, name_at(p, sample, BEFORE_READ), counts);
}

void mho__slab_next(mho_slab_pulses *p) {
  p->first += p->samples;
  p->samples = p->slots = 0;
}

void mho__slab_give(mho_slab_pulses *p, mho_pulse_counts *counts) {
  bool is_at_end = p->first > 0;
  uint64_t name = is_at_end ? name_at(p, p->first - 1, AT_END) : name_at(p, 0, AT_REST);
  give(p, p->row0, p->rows, 1, name, counts);
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
  int met[MHO_SLAB_SAMPLES], n = 0;
  for (int s = from - p->first; s < to - p->first; s++) {
    met[n] = s;
    n += p->next_line[s] == row;
  }

  for (int k = 0; k < n; k++) {
    int s = met[k];
    const mho_pulse_train *t = p->left[s].next++;
    out[k] = (visit){s, t->mask, (t->line & MHO_TRAIN_NEGATIVE ? -1 : 1) * chop < 0};
    p->next_line[s] = next_line(&p->left[s]);
  }
  return n;
}

/* Visits from the first on that a block meets in few columns, or in many; the quads of the latter.
 * Returns how many. */
static int find_alike(const mho_slab_pulses *p, int block, int n, const visit *v, int *quads,
                      met_quad *quad) {
  int row_size = p->w->cols, k = 0;
  *quads = 0;
  for (; k < n; k++) {
    const mho_meeting *m = meeting_of(p, v[k].s, block);
    if (m->n == 0)
      continue;
    if (m->few)
      break;
    const int16_t *rises = v[k].turned ? m->rises + row_size : m->rises;
    const uint16_t *pulses = m->pulses;
    for (uint32_t left = v[k].mask; left; left >>= QUAD, pulses += row_size) {
      uint32_t own = left & QUAD_MASK;
      if (own)
        quad[(*quads)++] = (met_quad){pulses, rises, (uint16_t)(QUAD_MARK | own),
                                      (uint16_t)__builtin_popcount(own)};
    }
  }
  return k;
}

/* Visits of a row on a block of columns: those in few columns one by one, others together. */
static void coincide(mho_slab_pulses *p, int row, int block, int n, const visit *v) {
  size_t first = place_of(p, row) + (size_t)block * MHO_DEVICE_BLOCK;
  int width = mho_min(p->w->cols - block * MHO_DEVICE_BLOCK, MHO_DEVICE_BLOCK);
  uint8_t *count = p->w->count + first;
  uint64_t *all = p->w->up + first;
  met_quad quad[MHO_SERIES_MOST];

  for (int k = 0; k < n; k++) {
    int quads;
    k += find_alike(p, block, n - k, v + k, &quads, quad);
    if (quads)
      add_dense(quads, quad, width, count, all);
    if (k < n)
      add_few(meeting_of(p, v[k].s, block), v[k].mask, v[k].turned, count, all);
  }
}

/* Most pulses that wait for a cell of the row. */
static void find_most(mho_slab_pulses *p, int row) {
  const uint8_t *count = p->w->count + place_of(p, row);
  uint8_t most = 0;
#pragma omp simd reduction(max : most)
  for (int i = 0; i < p->w->cols; i++)
    most = count[i] > most ? count[i] : most;
  p->w->most[row] = most;
}

/* Visits from the first on for which there is room beside what waits, at most n. */
static int fitting(int n, const visit *v, int room) {
  int k = 0;
  for (; k < n; k++) {
    room -= __builtin_popcount(v[k].mask);
    if (room < 0)
      break;
  }
  return k;
}

void mho__slab_row(mho_slab_pulses *p, int row, int8_t chop, int from, int to,
                   mho_pulse_counts *counts) {
  visit v[MHO_SLAB_SAMPLES];
  int n = find_visits(p, row, chop, from, to, v);

  int most = p->w->most[row];
  for (int k = 0; k < n; k++)
    most += __builtin_popcount(v[k].mask);
  if (most > MHO_SERIES_MOST - ROOM_LEAST)
    fetch_row(p->x, row); /* some of its cells are likely to be given theirs */

  for (int k = 0; k < n;) {
    int room = MHO_SERIES_MOST - p->w->most[row], some = fitting(n - k, v + k, room);
    if (some == 0 || (room < ROOM_LEAST && some < n - k)) {
      give(p, row, 1, GIVEN_LEAST, name_at(p, p->first + v[k].s, WHEN_FULL), counts);
      continue;
    }
    for (int block = 0; block < blocks_of(p->x->cols); block++)
      coincide(p, row, block, some, v + k);
    find_most(p, row);
    k += some;
  }
}
