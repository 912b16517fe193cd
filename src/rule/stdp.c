/* stdp.c - plasticity by the times of spikes: a weight changes by what its row and its column have
 * just fired.
 *
 * Wanted changes, with x_i the trace that row i has left (spike_trace.h, tau_pre), its spike of the
 * step in it, and y_j that of neuron j (tau_post) before the step:
 *
 *   exponential  j fires:  dw_ij = A_post x_i h_j      row i fires:  dw_ij = -A_pre y_j
 *   rectangular  j fires:  dw_ij = A_post where row i has fired within tau_pre, else -A_pre
 *   waveform     no wish: spikes put waveforms on their lines, which move the devices between them
 *
 * times update.rate. A pair of spikes a time D apart thus changes a weight by A_post
 * exp(-D/tau_pre) where the row came first, else by -A_pre exp(-D/tau_post), summed over all pairs
 * (traces: all) or over those of next neighbours. With tau_slow above 0 h_j is a trace that neuron
 * j's earlier spikes have left (triplets: a pair alone changes nothing), else 1.
 *
 * The rectangular window compares: with devices whose steps shrink towards their bounds a weight
 * comes to the probability that its row has fired when the neuron does.
 *
 * With the window `waveform` the devices learn by themselves, without scheme and rate: in every
 * step a cell sees the difference of what is on its two lines (stdp_waves.c).
 *
 * Every step with a change is one update, of outer products that any scheme writes: with
 * `stochastic` and update.rate a device's step over A_post, a spike of a neuron is one SET pulse on
 * the cells of rows that were active, and one RESET pulse on the others with probability
 * A_pre/A_post. Columns whose weights are to have a constant sum (normalize) are read and written
 * before every sample, which is counted: a read of every cell, and a pulse on each that is changed.
 *
 * Source: rectangular: D. Querlioz et al., IEEE Trans. Nanotechnol. 12:288 (2013); triplets and
 * normalization: P. Diehl, M. Cook, Front. Comput. Neurosci. 9:99 (2015), and their published
 * program; pairs: S. Song et al., Nat. Neurosci. 3:919 (2000).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "base/nonzero.h"
#include "dynamics/spike_trace.h"
#include "mho/model/check.h"
#include "rule/phase.h"
#include "rule/stdp_lines.h"
#include "rule/stdp_waves.h"

extern const mho_rule mho_rule_stdp;

typedef struct stdp {
  int window, traces;
  double tau_pre, tau_post, tau_slow;
  double rate_pre, rate_post;
  double normalize;
  char row[MHO_TEXT_MAX], column[MHO_TEXT_MAX];
} stdp;

enum { EXPONENTIAL, RECTANGULAR, WAVEFORM };

static const stdp *stdp_of(const mho_experiment *e) {
  return (const stdp *)(const void *)e->rule.params;
}

static bool puts_waves(const void *params) {
  return ((const stdp *)params)->window == WAVEFORM;
}

static bool has_waves(const mho_experiment *e) {
  return puts_waves(e->rule.params);
}

bool mho__stdp_has_waves(const mho_experiment *e) {
  return e->rule.entry == &mho_rule_stdp.entry && has_waves(e);
}

mho_err mho__stdp_waves_of(const mho_experiment *e, mho_wave *row, mho_wave *column,
                           mho_errinfo *ei) {
  mho_err err = mho__stdp_wave_parse("row", stdp_of(e)->row, row, ei);
  return err ? err : mho__stdp_wave_parse("column", stdp_of(e)->column, column, ei);
}

double mho__stdp_normalizes(const mho_experiment *e) {
  return stdp_of(e)->normalize;
}

bool mho__stdp_lines(const mho_experiment *e, mho_stdp_lines *out) {
  const stdp *own = stdp_of(e);
  bool has_any = e->rule.entry == &mho_rule_stdp.entry && !has_waves(e);
  *out = (mho_stdp_lines){.tau_pre = 0};
  if (!has_any)
    return false;

  out->is_window = own->window == RECTANGULAR;
  out->form = own->traces;
  out->tau_pre = own->tau_pre;
  if (!out->is_window && own->rate_pre > 0)
    out->tau_post = own->tau_post;
  if (!out->is_window)
    out->tau_slow = own->tau_slow;
  return true;
}

/* What is of windows that wish, of exponential ones, and of columns that compare rows. */
static const char *without_wish(const mho_experiment *e) {
  return has_waves(e) ? "waveforms move the devices (rule.window)" : NULL;
}

static const char *without_traces(const mho_experiment *e) {
  const char *why = without_wish(e);
  if (why || stdp_of(e)->window == EXPONENTIAL)
    return why;
  return "the window is rectangular (rule.window)";
}

static const char *without_depression(const mho_experiment *e) {
  const char *why = without_traces(e);
  if (why || stdp_of(e)->rate_pre > 0)
    return why;
  return "spikes of rows lower no weight (rule.rate_pre)";
}

static const char *without_waves(const mho_experiment *e) {
  return has_waves(e) ? NULL : "no waveforms are on the lines (rule.window)";
}

static const mho_param table[] = {
    MHO_P_CHOICE(stdp, window, "window", "exponential|rectangular|waveform", RECTANGULAR,
                 "how the change of a weight depends on the time between two spikes: it decays, or "
                 "a neuron that fires raises the weights of rows that were active within tau_pre "
                 "and lowers the others, or spikes put waveforms on their lines"),
    MHO_P_CHOICE(stdp, traces, "traces", "all|nearest", MHO_TRACE_NEAREST,
                 "window exponential: of all pairs of spikes, or of next neighbours",
                 .idle = without_traces),
    MHO_P_REAL(stdp, tau_pre, "tau_pre", "s", 20e-3, 1e-15, 1e6,
               "for which a row counts as active, or in which its trace decays",
               .idle = without_wish),
    MHO_P_REAL(stdp, tau_post, "tau_post", "s", 20e-3, 1e-15, 1e6,
               "window exponential: in which the trace of a neuron decays",
               .idle = without_depression),
    MHO_P_REAL(stdp, tau_slow, "tau_slow", "s", 0, 0, 1e6,
               "window exponential: a spike of a neuron raises weights by what earlier ones of it "
               "have left, which decays in this time; 0: always alike",
               .idle = without_traces),
    MHO_P_REAL(stdp, rate_post, "rate_post", "", 1, 0, 1e6,
               "of what is raised when a neuron fires, times update.rate", .idle = without_wish),
    MHO_P_REAL(stdp, rate_pre, "rate_pre", "", 1, 0, 1e6,
               "of what is lowered: when a row fires, or where a row was not active",
               .idle = without_wish),
    MHO_P_REAL(stdp, normalize, "normalize", "", 0, 0, 1e9,
               "sum that the weights into each neuron are brought to before every sample; 0: as "
               "they are"),
    MHO_P_TEXT(
        stdp, row, "row", "",
        "window waveform: the voltage of a row since its spike, such as [0.3 V for 20 ms], in "
        "seconds of the chip (settle.time_scale); see mho device curve --stdp",
        .idle = without_waves),
    MHO_P_TEXT(stdp, column, "column", "", "the same of a column, which is subtracted",
               .idle = without_waves),
};

enum {
  PRE,    /* trace of a row, or the last step in which it still counts as active */
  POST,   /* trace of a neuron, */
  SLOW,   /* its slow one, */
  BEFORE, /* and the first before the step */
  ROW,    /* what rows do when a neuron fires, */
  COLUMN, /* and what columns do */
};
static const mho_var variables[] = {
    {"pre", MHO_PER_NEURON, false, false},  {"post", MHO_PER_NEURON, false, false},
    {"slow", MHO_PER_NEURON, false, false}, {"before", MHO_PER_NEURON, false, false},
    {"row", MHO_PER_NEURON, false, false},  {"column", MHO_PER_NEURON, false, false},
};

/* Numbers of a variable of a layer, for the samples of the lesson. */
static mho_real *values_of(const mho_lesson *l, int variable, int layer) {
  return mho_vars_real(l->vars, variable, layer, l->sample0);
}

/* Whether weights behind a layer learn. */
static bool is_source(const mho_lesson *l, int layer) {
  for (int c = 0; c < l->net->n_trained; c++)
    if (l->net->connection[c].from == layer)
      return true;
  return false;
}

static double decay_of(double tau, const mho_tick *tick) {
  return exp(-tick->dt / tau);
}

/* ---------------------------------------------------------------- what the rule works in */

/* What the rule works in: what columns are brought to their sums with, and waveforms. */
typedef struct scaling {
  int spike, fired; /* variables of the dynamics */
  double *factor;   /* [cols of the widest crossbar] their sums, then what their weights grow by */
  mho_real *dw;     /* the same */
  int *from, *to;   /* ranges of columns that are written, the same */
  int n;            /* of ranges */
  mho_pulse_counts *counts;
  mho_stdp_waves *waves; /* NULL without */
  double time_scale;     /* s of the chip in one of the settler */
} scaling;

static void scaling_free(void *own) {
  scaling *s = own;
  if (!s)
    return;
  mho_free(s->factor);
  mho_free(s->dw);
  mho_free(s->from);
  mho_free(s->to);
  mho_free(s->counts);
  mho__stdp_waves_free(s->waves);
  mho_free(s);
}

/* Waveforms as the config says, at its device. */
static mho_err waves_new(const mho_experiment *e, mho_stdp_waves **out, mho_errinfo *ei) {
  const stdp *own = stdp_of(e);
  const mho_device_model *model = (const mho_device_model *)e->device.entry;
  return mho__stdp_waves_new(own->row, own->column, model, e->device.params, &e->device_config, out,
                             ei);
}

static mho_err scaling_new(const mho_experiment *e, const mho_network *net, int batch, void **own,
                           mho_errinfo *ei) {
  size_t widest = 1;
  (void)batch;
  for (int c = 0; c < net->n_trained; c++)
    widest = mho_max_size(widest, (size_t)net->connection[c].xb->cols);

  scaling *s = mho_alloc(1, sizeof *s);
  if (s) {
    s->factor = mho_alloc(widest, sizeof *s->factor);
    s->dw = mho_alloc(widest, sizeof *s->dw);
    s->from = mho_alloc(widest, sizeof *s->from);
    s->to = mho_alloc(widest, sizeof *s->to);
    s->counts = mho_alloc((size_t)net->n_trained, sizeof *s->counts);
  }
  if (!s || !s->factor || !s->dw || !s->from || !s->to || !s->counts) {
    scaling_free(s);
    return mho_fail(ei, MHO_ENOMEM, "no memory for the sums of %zu columns", widest);
  }

  mho_err err = MHO_OK;
  s->time_scale = e->settle.time_scale;
  if (stdp_of(e)->window == WAVEFORM)
    err = waves_new(e, &s->waves, ei);
  if (err)
    scaling_free(s);
  else
    *own = s;
  return err;
}

/* ---------------------------------------------------------------- a step */

/* What a layer has fired in the last step. */
static const mho_real *spikes_of(const mho_lesson *l, int layer) {
  const scaling *s = l->own;
  return mho_vars_real(l->state[0]->vars, s->spike, layer, l->sample0);
}

/* Where that is not 0, bit by bit; NULL: the dynamics has not written it down. */
static const uint64_t *fired_of(const mho_lesson *l, const mho_tick *tick, int layer) {
  const scaling *s = l->own;
  if (layer > 0 || l->n > 1 || tick->event || s->fired < 0)
    return NULL;
  return (const uint64_t *)(const void *)mho_vars_exact(l->state[0]->vars, s->fired, 0, l->sample0);
}

/* When it is, in steps of the clock, or in s between events. */
static double now_of(const mho_tick *tick) {
  return tick->event ? tick->time : tick->number;
}

/* Rows that have fired count as active for a while. */
static void note_active(const stdp *own, const mho_tick *tick, size_t n, const mho_real *spike,
                        const uint64_t *known, mho_real *until) {
  double lasts = own->tau_pre;
  mho_nonzero fired = {.n = (int)n, .v = spike, .known = known};
  if (!tick->event)
    lasts = fmax(round(own->tau_pre / tick->dt), 1) - 1;
  for (int i = mho__next_nonzero(&fired); i >= 0; i = mho__next_nonzero(&fired))
    until[i] = (mho_real)(now_of(tick) + lasts);
}

/* What a layer is as rows of those behind it. @return whether any of them lowers weights now. */
static bool move_rows(const mho_lesson *l, const mho_tick *tick, int layer, const mho_real *spike) {
  const stdp *own = l->params;
  mho_real *pre = values_of(l, PRE, layer);
  size_t n = mho__rule_count(l, layer);
  if (own->window == RECTANGULAR) {
    note_active(own, tick, n, spike, fired_of(l, tick, layer), pre);
    return false;
  }

  mho__trace_step(own->traces, decay_of(own->tau_pre, tick), n, spike, pre);
  return own->rate_pre > 0 && mho__any_nonzero(n, spike);
}

/* What the rows of a layer raise or lower where a neuron behind them fires. */
static void weigh_rows(const mho_lesson *l, const mho_tick *tick, int layer) {
  const stdp *own = l->params;
  const mho_real *pre = values_of(l, PRE, layer);
  mho_real *row = values_of(l, ROW, layer), now = (mho_real)now_of(tick);
  mho_real up = (mho_real)own->rate_post, down = (mho_real)-own->rate_pre;
  size_t n = mho__rule_count(l, layer);

  if (own->window == RECTANGULAR)
    for (size_t i = 0; i < n; i++)
      row[i] = pre[i] >= now ? up : down;
  else
    for (size_t i = 0; i < n; i++)
      row[i] = up * pre[i];
}

/* Traces that the spikes of neurons leave, for rows that fire after them. */
static void leave_traces(const mho_lesson *l, const mho_tick *tick, int layer,
                         const mho_real *spike) {
  const stdp *own = l->params;
  mho_real *post = values_of(l, POST, layer), *before = values_of(l, BEFORE, layer);
  double d = decay_of(own->tau_post, tick);
  size_t n = mho__rule_count(l, layer);

  for (size_t i = 0; i < n; i++)
    before[i] = (mho_real)d * post[i];
  mho__trace_step(own->traces, d, n, spike, post);
}

/* Spikes count by what earlier ones of the same neuron have left. */
static void weigh_columns(const mho_lesson *l, const mho_tick *tick, int layer,
                          const mho_real *spike) {
  const stdp *own = l->params;
  mho_real *slow = values_of(l, SLOW, layer), *column = values_of(l, COLUMN, layer);
  double d = decay_of(own->tau_slow, tick);
  size_t n = mho__rule_count(l, layer);

  for (size_t i = 0; i < n; i++)
    column[i] = spike[i] * (mho_real)d * slow[i];
  mho__trace_step(own->traces, d, n, spike, slow);
}

/* What a layer is as columns. @return whether any of them raises weights now. */
static bool move_columns(const mho_lesson *l, const mho_tick *tick, int layer,
                         const mho_real *spike) {
  const stdp *own = l->params;
  mho_real *column = values_of(l, COLUMN, layer);
  size_t n = mho__rule_count(l, layer);

  if (own->window == EXPONENTIAL && own->rate_pre > 0)
    leave_traces(l, tick, layer, spike);
  if (own->window == EXPONENTIAL && own->tau_slow > 0)
    weigh_columns(l, tick, layer, spike);
  else
    memcpy(column, spike, n * sizeof *column);
  return mho__any_nonzero(n, column);
}

/* Those on the lines; NULL where there are none. */
static mho_stdp_waves *waves_of(const mho_lesson *l) {
  const stdp *own = l->params;
  const scaling *s = l->own;
  return own->window == WAVEFORM ? s->waves : NULL;
}

/* Pulses counted so far go to the training, which sees to what has been written. */
static void pass_counts(const mho_lesson *l) {
  const scaling *s = l->own;
  mho_lesson_wrote(l, s->counts);
  memset(s->counts, 0, (size_t)l->net->n_trained * sizeof *s->counts);
}

/* Waveforms are on the lines: what a step of them does to all cells, sample after sample. */
static void drive_lines(const mho_lesson *l) {
  const scaling *s = l->own;
  bool any = false;
  for (int layer = 0; layer < mho_hidden_end(l->net); layer++) {
    size_t n = mho__rule_count(l, layer);
    mho__stdp_waves_age(s->waves, true, n, spikes_of(l, layer), values_of(l, PRE, layer));
    mho__stdp_waves_age(s->waves, false, n, spikes_of(l, layer), values_of(l, POST, layer));
  }

  for (int c = 0; c < l->net->n_trained; c++) {
    const mho_connection *k = &l->net->connection[c];
    const mho_real *row = values_of(l, PRE, k->from), *column = values_of(l, POST, k->to);
    int rows = l->net->layer[k->from].n, columns = l->net->layer[k->to].n;
    for (int i = 0; i < l->n; i++)
      any |= mho__stdp_waves_move(s->waves, mho_lesson_crossbar(l, c), row + i * rows,
                                  column + i * columns, &s->counts[c]);
  }
  if (any)
    pass_counts(l);
}

/* After every step of the clock: traces move, and weights where anything has fired. */
static void learn_step(const mho_phase *p, const mho_tick *tick, void *of) {
  const mho_lesson *l = of;
  const stdp *own = l->params;
  if (own->window == WAVEFORM) {
    if (l->applies == MHO_APPLY_STEP)
      drive_lines(l);
    return;
  }

  bool raises = false, lowers = false;
  for (int layer = 0; layer < mho_hidden_end(l->net); layer++) {
    const mho_real *spike = spikes_of(l, layer);
    if (is_source(l, layer))
      lowers |= move_rows(l, tick, layer, spike);
    if (layer > 0)
      raises |= move_columns(l, tick, layer, spike);
  }
  for (int layer = 0; raises && layer < mho_hidden_end(l->net); layer++)
    if (is_source(l, layer))
      weigh_rows(l, tick, layer);
  if (raises || lowers)
    mho_lesson_apply(l, MHO_APPLY_STEP);
}

/* Samples of a product with that on its columns: none where it is 0. */
static int products_with(const mho_lesson *l, int layer, const mho_real *column) {
  return mho__any_nonzero(mho__rule_count(l, layer), column) ? l->n : 0;
}

static void change(const mho_lesson *l, int connection, mho_change *out) {
  const stdp *own = l->params;
  const mho_connection *k = &l->net->connection[connection];
  if (own->window == WAVEFORM)
    return;

  mho_outer *raised = mho_change_add(out);
  raised->pre = values_of(l, ROW, k->from);
  raised->post = values_of(l, COLUMN, k->to);
  raised->n = products_with(l, k->to, raised->post);
  raised->scale = -1; /* of a gradient, which is followed downwards */
  if (own->window == RECTANGULAR || own->rate_pre == 0)
    return;

  mho_outer *lowered = mho_change_add(out);
  lowered->pre = spikes_of(l, k->from);
  lowered->post = values_of(l, BEFORE, k->to);
  lowered->n = products_with(l, k->to, lowered->post);
  lowered->scale = own->rate_pre;
}

/* ---------------------------------------------------------------- sums of columns */

static void sum_columns(const mho_crossbar *x, double *sum) {
  const mho_real *w = mho_crossbar_matrix(x);
  for (int j = 0; j < x->cols; j++)
    sum[j] = 0;
  for (int i = 0; i < x->rows; i++)
#pragma omp simd
    for (int j = 0; j < x->cols; j++)
      sum[j] += (double)w[(size_t)i * (size_t)x->cols + (size_t)j];
}

/* By how much the weights of columns are to grow, and which columns that are. Those that have
 * their sum but for rounding stay as they are. */
static void find_factors(scaling *s, int cols, double wanted) {
  const double dust = 1e-5;
  s->n = 0;
  for (int j = 0; j < cols; j++) {
    double grows = s->factor[j] > 0 ? wanted / s->factor[j] - 1 : 0;
    s->factor[j] = fabs(grows) > dust ? grows : 0;
    if (s->factor[j] == 0)
      continue;
    if (s->n == 0 || s->to[s->n - 1] != j)
      s->from[s->n++] = j;
    s->to[s->n - 1] = j + 1;
  }
}

/* Columns are written row by row, so that cells of a later row are fetched meanwhile. */
static void fetch_cells(const mho_crossbar *x, const scaling *s, int row) {
  for (int k = 0; row < x->rows && k < s->n; k++)
    mho_crossbar_fetch(x, (size_t)row * (size_t)x->cols + (size_t)s->from[k],
                       s->to[k] - s->from[k]);
}

/* Write the cells of a row that are in columns from .. to-1. */
static void scale_cells(const mho_lesson *l, int c, int row, int from, int to,
                        mho_pulse_counts *counts) {
  const scaling *s = l->own;
  mho_crossbar *x = mho_lesson_crossbar(l, c);
  size_t first = (size_t)row * (size_t)x->cols + (size_t)from;
  const mho_real *w = mho_crossbar_matrix(x) + first;
  int n = to - from;

  for (int j = 0; j < n; j++) {
    s->dw[j] = (mho_real)s->factor[from + j] * w[j];
    counts->set += s->dw[j] > 0;
    counts->reset += s->dw[j] < 0;
  }
  counts->clipped +=
      mho_crossbar_add(x, first, (size_t)n, s->dw, mho__step_refresh(l->thread->update));
}

/* Before a sample that is learned from: all cells are read, and columns written that have lost
 * their sum. */
static void normalize(const mho_lesson *l) {
  const stdp *own = l->params;
  scaling *s = l->own;
  bool learns = l->applies == MHO_APPLY_STEP;
  enum { AHEAD = 8 }; /* rows */
  if (own->normalize <= 0 || !learns)
    return;

  for (int c = 0; c < l->net->n_trained; c++) {
    const mho_crossbar *x = l->net->connection[c].xb;
    s->counts[c] = (mho_pulse_counts){.reads = (double)x->rows * x->cols};
    sum_columns(x, s->factor);
    find_factors(s, x->cols, own->normalize);
    for (int i = 0; i < x->rows; i++) {
      fetch_cells(x, s, i + AHEAD);
      for (int k = 0; k < s->n; k++)
        scale_cells(l, c, i, s->from[k], s->to[k], &s->counts[c]);
    }
  }
  pass_counts(l);
}

/* ---------------------------------------------------------------- a lesson */

/* The length of a step of the settler. */
static double step_of(const mho_settler *settler, const void *params) {
  const mho_param *dt = mho_params_find(settler->entry.params, "dt");
  return dt ? *(const double *)(const void *)((const char *)params + dt->offset) : 0;
}

static void learn(const mho_lesson *l, mho_rule_stats *stats) {
  scaling *s = l->own;
  const mho_vars *v = l->state[0]->vars;
  mho_stdp_waves *waves = waves_of(l);
  mho_phase p = mho__rule_phase(l);
  double dt = waves ? step_of(l->thread->settler, l->thread->params) * s->time_scale : 0;
  if (waves && mho__stdp_waves_tabulate(waves, dt, NULL)) {
    stats->loss = NAN; /* without memory for it nothing can be learned */
    return;
  }

  s->spike = mho_vars_find(v, "spike");
  s->fired = mho_vars_find(v, "fired");
  p.ticked = learn_step;
  p.of = (void *)(uintptr_t)l;
  normalize(l);
  mho_settle(&p, &stats->free);
  if (waves && l->applies == MHO_APPLY_STEP) {
    pass_counts(l);
    mho_lesson_apply(l, MHO_APPLY_STEP); /* of no change: the sample counts as one */
  }
  p.thread->step = MHO_STEP_READ_OUT;
  mho_read_out(&p, NULL, &stats->loss, &stats->correct, &stats->free);
}

/* ---------------------------------------------------------------- what it fits */

#define REFUSE(...) return mho_fail(ei, MHO_ECONFIG, __VA_ARGS__)

/* What waveforms on the lines need of the arrays. */
static mho_err check_waves(const mho_experiment *e, mho_errinfo *ei) {
  mho_stdp_waves *w = NULL;
  if (!has_waves(e))
    return MHO_OK;
  if (strcmp(e->mapping.entry->id, "single"))
    REFUSE("device.mapping: waveforms (rule.window) lie across one device a weight: use single");
  if (e->device_config.cells.n > 1)
    REFUSE("device.cells.n: waveforms (rule.window) lie across one device a weight: leave it at 1");
  if (e->array_config.r_word > 0 || e->array_config.r_bit > 0)
    REFUSE("array.wire: waveforms (rule.window) reach all devices of a line alike: leave the "
           "wires' resistances out");

  double dt =
      step_of((const mho_settler *)e->settler.entry, e->settler.params) * e->settle.time_scale;
  mho_err err = waves_new(e, &w, ei);
  if (!err && dt > 0)
    err = mho__stdp_waves_fit(w, dt, ei);
  mho__stdp_waves_free(w);
  return err;
}

/* Between events a sample goes on by itself, and no step has a length that could be tabulated. */
static mho_err check_events(const mho_experiment *e, mho_errinfo *ei) {
  if (((const mho_settler *)e->settler.entry)->step)
    return MHO_OK;
  if (has_waves(e))
    REFUSE("rule.window: waveforms are on lines for steps of a clock, and settle.method events has "
           "none: use steps");
  if (e->train.batch > 1)
    REFUSE("train.batch: from event to event (settle.method) rule.name 'stdp' learns from one "
           "sample after another: set it to 1");
  return MHO_OK;
}

static mho_err check(const mho_experiment *e, mho_errinfo *ei) {
  const mho_topology *topology = (const mho_topology *)e->topology.entry;
  if (!((const mho_dynamics *)e->dynamics.entry)->spikes)
    REFUSE("rule.name: 'stdp' learns from spikes, and the neurons of dynamics.name '%s' have none: "
           "use dynamics spiking",
           e->dynamics.entry->id);
  if (e->network.output != MHO_OUTPUT_VOTES)
    REFUSE("network.output: rule.name 'stdp' teaches no read-out: use votes");
  if (!mho_experiment_has_cells(e))
    REFUSE("device.model: weights under rule.name 'stdp' go from bound to bound, and device.model "
           "ideal has none: use soft_bounds or linear");
  if (e->network.biases)
    REFUSE("network.biases: rule.name 'stdp' has thresholds in their place: leave it out");
  if (topology->own_layers && !strcmp(e->topology.entry->id, "conv"))
    REFUSE("network.topology: rule.name 'stdp' does not learn the filters of conv: use layered");
  if (e->gradient.importance != MHO_IMPORTANCE_NONE)
    REFUSE("rule.importance: under rule.name 'stdp' no weights count for a neuron: use none");
  mho_err err = check_events(e, ei);
  return err ? err : check_waves(e, ei);
}

static const char *idle(const mho_experiment *e, const char *key) {
  static const char *const of_pulses[] = {"update.rate", "device.cycle_to_cycle",
                                          "device.pulse_noise", "array.write.select"};
  if (!strcmp(key, "rule.gradient"))
    return "there are no errors (rule.name)";
  for (int i = 0; i < MHO_COUNT(of_pulses); i++)
    if (has_waves(e) && !strcmp(key, of_pulses[i]))
      return without_wish(e);
  return NULL;
}

/* After Querlioz et al., for images of 64 to 784 inputs. */
static const mho_default defaults[] = {
    {"dynamics.name", "spiking"},
    {"network.hidden", "100"},
    {"network.output", "votes"},
    {"network.w_max", "1"},
    {"device.model", "soft_bounds"},
    {"device.mapping", "single"},
    {"update.optimizer", "sgd"},
    {"update.scheme", "stochastic"},
    {"update.rate", "0.01"},
    {"settle.encode.rate", "130 Hz"},
    {"neuron.threshold.value", "6"},
    {"neuron.threshold.law", "target"},
    {"neuron.threshold.gain", "0.05"},
    {"neuron.inhibit", "line"},
    {"neuron.winners", "one"},
    {"neuron.reset", "value"},
    {"train.batch", "1"},
    {"train.epochs", "5"},
};

const mho_rule mho_rule_stdp = {
    .entry = {.abi = MHO_ABI,
              .id = "stdp",
              .title = "plasticity by the times of spikes, read out by votes",
              .equation = "dw_ij = rate (A_post x_i where j fires - A_pre y_j where i fires)",
              .source = "Song et al., Nat. Neurosci. 3:919 (2000); Querlioz et al., IEEE Trans. "
                        "Nanotechnol. 12:288 (2013); Diehl & Cook, Front. Comput. Neurosci. 9:99 "
                        "(2015)",
              .params = MHO_PARAMS(stdp, table),
              MHO_DEFAULTS(defaults),
              .check = check,
              .idle = idle},
    .var = variables,
    .n_vars = MHO_COUNT(variables),
    .spikes = true,
    .puts_waves = puts_waves,
    .own_new = scaling_new,
    .own_free = scaling_free,
    .predict = mho__rule_predict,
    .learn = learn,
    .change = change,
    .applies = MHO_APPLY_STEP,
};
