/* stdp_waves.c - spikes that put waveforms on the lines of crossbars, which move the devices
 * between them.
 *
 * A spike begins the waveform of its line anew. In every step of the clock cell (i, j) sees
 * v_row(t - t_i) - v_col(t - t_j), whatever is on either line: pairs of spikes whose sum is beyond
 * a threshold learn, and where one waveform alone is beyond it, all cells of its line move. What a
 * step does follows from how many steps ago the two lines have spiked, and is tabulated once for
 * all (overlap.h), in whole pulses of the device. Cells get their mean answer to it
 * (mho_cells_disturb).
 *
 * Counted are pulses, which are what cells were driven by in whole ones, and as half-selected the
 * integral of V^2 over all cells, in that of a whole SET pulse.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "rule/stdp_waves.h"

#include <math.h>
#include <string.h>

enum { ENTRIES_MAX = 1 << 14 };

struct mho_stdp_waves {
  mho_overlap o;
  double dt;         /* s, that the tables are for; 0: none */
  int rows, columns; /* steps that the waveforms last */
  /* [rows + 1][columns + 1] by the ages of both lines: pulses of SET and of RESET, V^2 s. */
  float *pulses[2], *squares;
  bool row_moves; /* a row's waveform alone moves cells */
};

static size_t entry(const mho_stdp_waves *w, int row, int column) {
  return (size_t)row * (size_t)(w->columns + 1) + (size_t)column;
}

/* ---------------------------------------------------------------- memory */

void mho__stdp_waves_free(mho_stdp_waves *w) {
  if (!w)
    return;
  mho_free(w->pulses[0]);
  mho_free(w->pulses[1]);
  mho_free(w->squares);
  mho_free(w);
}

mho_err mho__stdp_wave_parse(const char *name, const char *text, mho_wave *out, mho_errinfo *ei) {
  mho_errinfo why = {0};
  if (mho__wave_parse(text, out, &why))
    return mho_fail(ei, MHO_ECONFIG, "rule.%s: %s", name, why.message);
  if (out->n == 0)
    return mho_fail(ei, MHO_ECONFIG,
                    "rule.%s: rule.window 'waveform' has none here: write for example '0.3 V for "
                    "20 ms'",
                    name);
  return MHO_OK;
}

mho_err mho__stdp_waves_new(const char *row, const char *column, const mho_device_model *model,
                            const void *params, const mho_device_config *config,
                            mho_stdp_waves **out, mho_errinfo *ei) {
  mho_stdp_waves *w = mho_alloc(1, sizeof *w);
  *out = NULL;
  if (w)
    for (int way = 0; way < 2; way++)
      w->pulses[way] = mho_alloc(ENTRIES_MAX, sizeof *w->pulses[way]);
  if (w)
    w->squares = mho_alloc(ENTRIES_MAX, sizeof *w->squares);
  if (!w || !w->pulses[0] || !w->pulses[1] || !w->squares) {
    mho__stdp_waves_free(w);
    return mho_fail(ei, MHO_ENOMEM, "no memory for waveforms");
  }

  mho_err err = mho__stdp_wave_parse("row", row, &w->o.row, ei);
  if (!err)
    err = mho__stdp_wave_parse("column", column, &w->o.column, ei);
  if (err) {
    mho__stdp_waves_free(w);
    return err;
  }
  mho__overlap_device(&w->o, model, params, config);
  *out = w;
  return MHO_OK;
}

/* ---------------------------------------------------------------- tables */

/* Steps that a waveform lasts; what is below a thousandth of one is rounding. */
static double steps_of(const mho_wave *w, double dt) {
  return ceil(mho__wave_end(w) / dt - 1e-3);
}

/* Where a line is when a step begins; NAN where nothing is on it. */
static double since(int age, double dt) {
  return age > 0 ? (age - 1) * dt : (double)NAN;
}

/* Integral of V^2 over a step, by the midpoint rule. */
static double squares_of(const mho_stdp_waves *w, double row, double column) {
  enum { POINTS = 64 };
  double sum = 0;
  for (int i = 0; i < POINTS; i++) {
    double t = (i + 0.5) / POINTS * w->dt;
    double v = mho__wave_volts(&w->o.row, row + t) - mho__wave_volts(&w->o.column, column + t);
    sum += v * v;
  }
  return sum * w->dt / POINTS;
}

static mho_err fill_entry(mho_stdp_waves *w, int row, int column, mho_errinfo *ei) {
  mho_stretches felt;
  double a = since(row, w->dt), b = since(column, w->dt);
  mho_err err = mho__overlap_feel(&w->o, a, b, w->dt, &felt, ei);
  if (err)
    return err;

  size_t at = entry(w, row, column);
  w->pulses[0][at] = w->pulses[1][at] = 0;
  for (int i = 0; i < felt.n; i++)
    w->pulses[felt.of[i].set ? 0 : 1][at] += (float)felt.of[i].pulses;
  w->squares[at] = (float)squares_of(w, a, b);
  if (column == 0)
    w->row_moves |= felt.n > 0;
  return MHO_OK;
}

mho_err mho__stdp_waves_fit(const mho_stdp_waves *w, double dt, mho_errinfo *ei) {
  double rows = steps_of(&w->o.row, dt), columns = steps_of(&w->o.column, dt);
  if ((rows + 1) * (columns + 1) <= ENTRIES_MAX)
    return MHO_OK;
  return mho_fail(ei, MHO_ECONFIG,
                  "rule.row: waveforms of %.0f and %.0f steps of settle.dt, %g s of the chip "
                  "(settle.time_scale), are more than can be tabulated: shorten them, or take "
                  "longer steps",
                  rows, columns, dt);
}

mho_err mho__stdp_waves_tabulate(mho_stdp_waves *w, double dt, mho_errinfo *ei) {
  if (w->dt == dt)
    return MHO_OK;
  mho_err fits = mho__stdp_waves_fit(w, dt, ei);
  if (fits)
    return fits;

  w->dt = dt;
  w->rows = (int)steps_of(&w->o.row, dt);
  w->columns = (int)steps_of(&w->o.column, dt);
  w->row_moves = false;
  for (int i = 0; i <= w->rows; i++)
    for (int j = 0; j <= w->columns; j++) {
      mho_err err = fill_entry(w, i, j, ei);
      if (err)
        return err;
    }
  return MHO_OK;
}

/* ---------------------------------------------------------------- a step */

void mho__stdp_waves_age(const mho_stdp_waves *w, bool is_row, size_t n, const mho_real *spike,
                         mho_real *age) {
  mho_real end = (mho_real)(is_row ? w->rows : w->columns);
  for (size_t i = 0; i < n; i++) {
    mho_real next = age[i] > 0 && age[i] < end ? age[i] + 1 : 0;
    age[i] = spike[i] > 0 ? 1 : next;
  }
}

/* The columns that something is on, [first, end). */
typedef struct span {
  int first, end;
} span;

static span active_columns(int n, const mho_real *age) {
  span s = {.first = n};
  for (int j = 0; j < n; j++) {
    if (age[j] == 0)
      continue;
    s.first = mho_min(s.first, j);
    s.end = j + 1;
  }
  return s;
}

/* Row i of a crossbar, whose line is of that age. @return whether any cell has moved. */
static bool move_row(const mho_stdp_waves *w, mho_crossbar *x, int i, int age, span columns,
                     const mho_real *column, mho_pulse_counts *counts) {
  bool any = false;
  for (int j0 = columns.first; j0 < columns.end; j0 += MHO_DEVICE_BLOCK) {
    float amount[2][MHO_DEVICE_BLOCK];
    int n = mho_min(columns.end - j0, MHO_DEVICE_BLOCK);
    double sum = 0;
    for (int k = 0; k < n; k++)
      for (int way = 0; way < 2; way++) {
        amount[way][k] = w->pulses[way][entry(w, age, (int)column[j0 + k])];
        *(way ? &counts->reset : &counts->set) += (double)amount[way][k];
        sum += (double)amount[way][k];
      }
    if (sum == 0)
      continue;

    any = true;
    size_t first = (size_t)i * (size_t)x->cols + (size_t)j0;
    for (int k = 0; k < x->n_banks; k++)
      if (mho_crossbar_writes(x, k))
        mho_cells_disturb(x->bank[k], first, n, amount[0], amount[1]);
    mho_crossbar_refresh(x, first, (size_t)n);
  }
  return any;
}

/* What all cells take of the lines in a step, in that of whole SET pulses. */
static double taken(const mho_stdp_waves *w, const mho_crossbar *x, span columns,
                    const mho_real *row, const mho_real *column) {
  double sum = 0, whole = w->o.volts[0] * w->o.volts[0] * w->o.width[0];
  int active = mho_max(columns.end - columns.first, 0);
  for (int i = 0; i < x->rows; i++) {
    int age = (int)row[i];
    sum += (double)w->squares[entry(w, age, 0)] * (x->cols - active);
    for (int j = columns.first; j < columns.end; j++)
      sum += (double)w->squares[entry(w, age, (int)column[j])];
  }
  return sum / whole;
}

bool mho__stdp_waves_move(const mho_stdp_waves *w, mho_crossbar *x, const mho_real *row,
                          const mho_real *column, mho_pulse_counts *counts) {
  span active = active_columns(x->cols, column), all = {0, x->cols};
  bool any = false;
  counts->half += taken(w, x, active, row, column);
  for (int i = 0; i < x->rows; i++) {
    int age = (int)row[i];
    span columns = age > 0 && w->row_moves ? all : active;
    any |= move_row(w, x, i, age, columns, column, counts);
  }
  return any;
}
