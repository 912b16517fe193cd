/* stochastic.c - coincidences of pulse trains: every sample's outer product, applied in the array itself.
 *
 * For a sample with x on the rows and d = -e on the columns, learning rate lr, change eps of a weight by one
 * coincidence:
 *
 *   k = lr x_max d_max/eps,  BL = min(ceil(k), max_length) slots
 *   p_i = min(sqrt(lr/(eps BL)) sqrt(d_max/x_max) |x_i|, 1),  q_j = min(sqrt(lr/(eps BL)) sqrt(x_max/d_max) |d_j|, 1)
 *
 * One Bernoulli stream a line and slot; where row and column pulse in the same slot the devices of the cell get
 * one pulse, of sign x_i d_j. E[dW] = lr x d until a probability saturates (k above max_length), which is
 * counted. With a constant step, Var[dW] = eps^2 BL p q (1 - p q + sigma^2), sigma the noise of a pulse.
 * Without management of the update BL = max_length and both factors are sqrt(lr/(eps BL)).
 *
 * Samples come one after another, as in hardware; slabs of rows replay the same trains at the same time, and
 * noise is named by sample, slot and cell.
 *
 * Source: T. Gokmen, Y. Vlasov, Frontiers in Neuroscience 10:333 (2016); update management: T. Gokmen, M. Onen,
 * W. Haensch, Frontiers in Neuroscience 11:538 (2017).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "base/streams.h"
#include "mho/program.h"

typedef struct stochastic {
  int64_t max_length;
  bool management;
} stochastic;

static const mho_param table[] = {
    MHO_P_INT(stochastic, max_length, "max_length", 31, 1, MHO_TRAIN_SLOTS - 1,
              "most slots of a pulse train"),
    MHO_P_BOOL(
        stochastic, management, "management", 1,
        "trains as short as a sample needs, and probabilities balanced between rows and columns"),
};

static double largest(const mho_real *v, int n) {
  mho_real most = 0;
  for (int i = 0; i < n; i++) {
    mho_real a = v[i] < 0 ? -v[i] : v[i];
    most = a > most ? a : most;
  }
  return (double)most;
}

/* Trains of the lines that have something to say; `flip` turns all signs. Returns how many pulse at all;
 * saturated: of those with a probability above 1. */
static int draw_lines(const mho_real *v, int n, double factor, bool flip, int slots, mho_rng rng,
                      uint64_t sample, mho_pulse_train *out, int *active, int *saturated) {
  enum { PART = 256 };
  int pulsing = 0;
  uint64_t drawn = 0; /* lines so far: names the random words */
  *active = *saturated = 0;
  for (int i = 0; i < n;) {
    uint32_t line[PART], below[PART], mask[PART] = {0}, word[PART];
    int m = 0;
    for (; i < n && m < PART; i++) {
      if (v[i] == 0)
        continue;
      double p = factor * fabs((double)v[i]);
      *saturated += p > 1;
      below[m] = p >= 1 ? UINT32_MAX : (uint32_t)(p * 0x1p32);
      line[m++] = (uint32_t)i | ((v[i] < 0) != flip ? MHO_TRAIN_NEGATIVE : 0);
    }
    for (int s = 0; s < slots; s++) {
      mho_rng_u32(rng, mho_step_slot(sample, s), drawn, (size_t)m, word);
      for (int j = 0; j < m; j++)
        mask[j] |= (uint32_t)(word[j] < below[j]) << s;
    }
    drawn += PART;
    *active += m;
    for (int j = 0; j < m; j++) {
      out[pulsing] = (mho_pulse_train){line[j], mask[j]};
      pulsing += mask[j] != 0;
    }
  }
  return pulsing;
}

/* Pulses of n lines, in all slots. */
static double line_pulses(const mho_pulse_train *t, int n) {
  int sum = 0;
  for (int i = 0; i < n; i++)
    sum += __builtin_popcount(t[i].mask);
  return sum;
}

static void draw(const mho_outer_job *job, int sample) {
  const stochastic *p = job->params;
  mho_trains *t = job->trains;
  int rows = job->xb->rows, cols = job->xb->cols, in = 0, out = 0, high_in = 0, high_out = 0;
  const mho_real *x = job->x + (size_t)sample * (size_t)rows,
                 *e = job->e + (size_t)sample * (size_t)cols;
  double x_max = largest(x, rows), d_max = largest(e, cols),
         k = job->rate * x_max * d_max / job->nominal_step;
  t->slots[sample] = t->n_rows[sample] = t->n_cols[sample] = 0;
  t->truncated[sample] = t->reached[sample] = 0;
  if (!(k > 0))
    return;
  double most = (double)p->max_length, slots = p->management ? fmin(ceil(k), most) : most;
  double factor = sqrt(job->rate / (job->nominal_step * slots));
  double balance = p->management ? sqrt(d_max / x_max) : 1;
  uint64_t number = job->first_sample + (uint64_t)sample;
  mho_rng row_stream = job->rounding, col_stream = mho_stream_round_of(job->rounding, 1);
  t->slots[sample] = (int)slots;
  t->n_rows[sample] = draw_lines(x, rows, factor * balance, false, (int)slots, row_stream, number,
                                 t->row + (size_t)sample * (size_t)rows, &in, &high_in);
  t->n_cols[sample] = draw_lines(e, cols, factor / balance, true, (int)slots, col_stream, number,
                                 t->col + (size_t)sample * (size_t)cols, &out, &high_out);
  t->reached[sample] =
      cols * line_pulses(t->row + (size_t)sample * (size_t)rows, t->n_rows[sample]) +
      rows * line_pulses(t->col + (size_t)sample * (size_t)cols, t->n_cols[sample]);
  t->truncated[sample] = (double)in * out - (double)(in - high_in) * (out - high_out);
}

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

/* All coincidences of these rows with these columns in one slot. */
static void coincide(queue *q, const mho_pulse_train *row, int n_rows, const mho_pulse_train *col,
                     int n_cols, int slot) {
  uint32_t at[MHO_DEVICE_BLOCK];
  int16_t sign[MHO_DEVICE_BLOCK];
  for (int j = 0; j < n_cols;) { /* columns that pulse in this slot, some at a time */
    int m = 0;
    for (; j < n_cols && m < MHO_DEVICE_BLOCK; j++) {
      at[m] = col[j].line & ~MHO_TRAIN_NEGATIVE;
      sign[m] = col[j].line & MHO_TRAIN_NEGATIVE ? -1 : 1;
      m += (int)(col[j].mask >> slot & 1);
    }
    for (int i = 0; i < n_rows; i++) {
      if (!(row[i].mask >> slot & 1))
        continue;
      uint32_t first = (row[i].line & ~MHO_TRAIN_NEGATIVE) * (uint32_t)q->xb->cols;
      int16_t turn = row[i].line & MHO_TRAIN_NEGATIVE ? -1 : 1;
      for (int done = 0; done < m;) {
        int room = MHO_DEVICE_BLOCK - q->n, some = m - done < room ? m - done : room;
        for (int c = 0; c < some; c++) {
          q->cell[q->n + c] = first + at[done + c];
          q->count[q->n + c] = (int16_t)(turn * sign[done + c]);
        }
        done += some;
        q->n += some;
        q->counts->half -= 2 * some; /* these cells are on two lines, and wholly selected */
        if (q->n == MHO_DEVICE_BLOCK)
          flush(q);
      }
    }
  }
  flush(q); /* the next slot may pulse the same cells */
}

/* First of n trains, in the order of their lines, whose line is at least `line`. */
static int lower(const mho_pulse_train *t, int n, int line) {
  int low = 0;
  for (int high = n; low < high;) {
    int mid = (low + high) / 2;
    if ((int)(t[mid].line & ~MHO_TRAIN_NEGATIVE) < line)
      low = mid + 1;
    else
      high = mid;
  }
  return low;
}

/* Slots in which the lines pulse, whatever they meet: what half-selected cells feel. */
static void count_lines(const mho_outer_job *job, int sample, const mho_pulse_train *row, int from,
                        int to, bool columns) {
  const mho_trains *t = job->trains;
  const mho_pulse_train *col = t->col + (size_t)sample * (size_t)job->xb->cols;
  mho_line_pulses *lines = job->xb->lines;
  for (int i = from; i < to; i++)
    lines->row[row[i].line & ~MHO_TRAIN_NEGATIVE] += (uint32_t)__builtin_popcount(row[i].mask);
  for (int j = 0; columns && j < t->n_cols[sample]; j++)
    lines->col[col[j].line & ~MHO_TRAIN_NEGATIVE] += (uint32_t)__builtin_popcount(col[j].mask);
  lines->used |= columns;
}

static void replay(const mho_outer_job *job, int row0, int rows, mho_pulse_counts *counts) {
  const mho_trains *t = job->trains;
  queue q = {.xb = job->xb, .counts = counts};
  size_t cols = (size_t)job->xb->cols;
  for (int s = 0; s < job->samples; s++) {
    const mho_pulse_train *row = t->row + (size_t)s * (size_t)job->xb->rows,
                          *col = t->col + (size_t)s * cols;
    int from = lower(row, t->n_rows[s], row0), to = lower(row, t->n_rows[s], row0 + rows);
    if (row0 == 0) {
      counts->truncated += t->truncated[s];
      counts->slots += t->slots[s];
      counts->half += t->reached[s];
    }
    if (job->xb->lines)
      count_lines(job, s, row, from, to, row0 == 0);
    for (int slot = 0; slot < t->slots[s] && from < to; slot++) {
      q.step = mho_step_slot(job->first_sample + (uint64_t)s, slot);
      coincide(&q, row + from, to - from, col, t->n_cols[s], slot);
    }
  }
  counts->coincided += counts->set + counts->reset;
  mho_crossbar_refresh(job->xb, (size_t)row0 * cols, (size_t)rows * cols);
}

const mho_scheme mho_scheme_stochastic = {
    .entry =
        {.abi = MHO_ABI,
         .id = "stochastic",
         .title = "coincidences of pulse trains, every sample's outer product in the array",
         .equation = "P(pulse) = min(A |x_i|, 1) min(B |d_j|, 1) a slot, E[dW] = rate x d",
         .source =
             "Gokmen & Vlasov, Front. Neurosci. 10:333 (2016); Gokmen, Onen & Haensch, Front. Neurosci. "
             "11:538 (2017)",
         .params = MHO_PARAMS(stochastic, table)},
    .needs_pulses = true,
    .draw = draw,
    .replay = replay,
};
