/* ode.c - the network as a circuit that relaxes, integrated by GSL's steppers.
 *
 *   tau du/dt = -u + W s(u) + b, s = rho(u): see ode_circuit.h
 *
 * * Samples are integrated in groups of a fixed size; error control couples the samples of a group (they share the
 *   step), so the size is part of the config. Implicit steppers solve with the dense Jacobian: one sample a system.
 * * Settled: the residual, max |du/dt| tau over a sample's states, is below the tolerance. When it last fell below is
 *   the sample's settling time (interpolated within a step). A sample that has not by the limit is unsettled, counted
 *   and marked; its state is the one at the limit.
 * * The nudged phase goes on from the free phase's state, in double precision, in one trajectory; two nudged phases
 *   follow each other, + then -. What a rule gets is the difference of the activities in double precision.
 * * Where the difference is settled itself, its own equations are integrated (mode `difference`).
 * * With state noise: ode_noise.c.
 *
 * Sources: M. Galassi et al., GNU Scientific Library, chapter on ordinary differential equations; the circuit: B.
 * Scellier, Y. Bengio, Front. Comput. Neurosci. 11:24 (2017), with s inside W as in Liu & Chen, arXiv 2508.11659.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "settle/ode.h"

static const mho_param table[] = {
    MHO_P_CHOICE(ode_params, stepper, "stepper", MHO_ODE_WORDS, MHO_ODE_RKF45,
                 "GSL's; from rk1imp on implicit, one sample a system"),
    MHO_P_REAL(ode_params, tau, "tau", "s", 100e-9, 1e-15, 1e3, "time constant of the neurons, RC"),
    MHO_P_REAL(
        ode_params, tolerance, "tolerance", "", 0, 0, 1,
        "settled when max |du/dt| tau is below; 0: 1e-4 with the difference settled directly, else "
        "1e-5 of the "
        "smallest layer's signal"),
    MHO_P_REAL(ode_params, accuracy, "accuracy", "", 0, 0, 1,
               "error allowed a step; 0: the tolerance, or a tenth of it for multistep methods"),
    MHO_P_INT(ode_params, group, "group", 32, 1, MHO_CHUNK_MAX,
              "samples integrated as one system, a power of 2 at best; they share the step"),
    MHO_P_REAL(ode_params, free, "read_free", "", 0, 0, 1e6,
               "read the free state after so many tau; 0: when settled"),
    MHO_P_REAL(ode_params, nudged, "read_nudged", "", 0, 0, 1e6,
               "read the nudged state so many tau after the nudge; 0: when settled"),
    MHO_P_REAL(ode_params, limit, "limit", "", 200, 0.1, 1e6,
               "tau after which a sample counts as unsettled"),
    MHO_P_CHOICE(ode_params, shape, "nudge_shape", "step|ramp|pulse", SHAPE_STEP,
                 "the nudge in time"),
    MHO_P_REAL(ode_params, shape_time, "nudge_time", "", 5, 0, 1e6,
               "tau that a ramp rises or a pulse lasts"),
    MHO_P_REAL(ode_params, amplifier, "amplifier", "s", 0, 0, 1e3,
               "time constant of the feedback amplifiers; 0: no lag"),
    MHO_P_REAL(ode_params, line, "line", "s", 0, 0, 1e3, "RC of a crossbar's line; 0: no lag"),
    MHO_P_REAL(ode_params, white, "noise.white", "", 0, 0, 100,
               "white state noise: standard deviation of an isolated neuron's potential"),
    MHO_P_REAL(ode_params, flicker, "noise.flicker", "", 0, 0, 100,
               "1/f noise of a neuron's input, from 1 to 1e4 tau: its standard deviation"),
    MHO_P_REAL(ode_params, noise_step, "noise.step", "", 0.01, 1e-5, 0.5,
               "step of Euler-Maruyama in tau, which replaces the stepper when there is noise"),
    MHO_P_REAL(ode_params, average, "noise.average", "", 0, 0, 1e6,
               "with noise: the mean activity of so many tau is read; 0: the last one"),
};

/* What a phase is told before it begins. */
static double tolerance_of(const mho_settle_job *job) {
  const ode_params *p = job->params;
  if (p->tolerance > 0)
    return p->tolerance;
  /* direct: a drift of the free state is no part of the difference. 0.1: an output error times a usual nudge */
  return job->s->keep ? 1e-4 : fmax(1e-5 * 0.1 * mho_smallest_signal(job->net), 1e-13);
}

static double accuracy_of(const ode_params *p, double tolerance) {
  bool multistep =
      p->stepper == MHO_ODE_MSADAMS || p->stepper == MHO_ODE_MSBDF; /* they hover at it */
  return p->accuracy > 0 ? p->accuracy : multistep ? 0.1 * tolerance : tolerance;
}

bool ode_noisy(const ode_params *p) {
  return p->white > 0 || p->flicker > 0;
}

static int group_of(const ode_params *p) {
  return mho_ode_implicit((mho_ode_method)p->stepper) && !ode_noisy(p) ? 1 : (int)p->group;
}

/* ---------------------------------------------------------------- workspace */

static void workspace_free(void *workspace) {
  ode_workspace *w = workspace;
  if (!w)
    return;
  for (int i = 0; i < ODE_SIZES; i++)
    mho_ode_free(w->ode[i]);
  ode_circuit_free(&w->circuit);
  mho_free(w->y);
  mho_free(w->f);
  mho_free(w->row);
  mho_free(w->normal);
  mho_free(w->squares);
  mho_free(w->dose);
  mho_free(w->half_way);
  mho_free(w->y_before);
  mho_free(w->f_before);
  mho_free(w->y_half);
  mho_free(w);
}

/* Groups come in sizes 1, 2, 4, ... and the largest: each has a system of its own. */
static int size_at(int group, int i) {
  return 1 << i < group ? 1 << i : group;
}

static mho_err workspace_new(const mho_network *net, const void *params, int n, void **out,
                             mho_errinfo *ei) {
  const ode_params *p = params;
  ode_workspace *w = mho_alloc(1, sizeof *w);
  int group = group_of(p) < n ? group_of(p) : n;
  *out = w;
  if (!w)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the circuits of %d samples", n);
  mho_err err = ode_circuit_new(net, p, group, &w->circuit, ei);
  size_t states = err ? 0 : (size_t)w->circuit.n_states * (size_t)group;
  w->n_lines = ode_circuit_lines(net);
  size_t lines = (size_t)group * (size_t)w->n_lines;
  for (int i = 0; i < ODE_SIZES && !err && !ode_noisy(p); i++) {
    mho_ode_system s = {w->circuit.n_states * size_at(group, i), ode_circuit_rates,
                        ode_circuit_jacobian};
    err = mho_ode_new((mho_ode_method)p->stepper, &s, &w->ode[i], ei);
    if (size_at(group, i) == group)
      break;
  }
  if (!err &&
      (!(w->y = mho_alloc(states, sizeof *w->y)) || !(w->f = mho_alloc(states, sizeof *w->f)) ||
       !(w->row = mho_alloc((size_t)group * ODE_ROW_VALUES, sizeof *w->row)) ||
       !(w->squares = mho_alloc(lines, sizeof *w->squares)) ||
       !(w->dose = mho_alloc(lines, sizeof *w->dose)) ||
       !(w->half_way = mho_alloc((size_t)w->n_lines, sizeof *w->half_way)) ||
       !(w->y_before = mho_alloc(states, sizeof *w->y)) ||
       !(w->f_before = mho_alloc(states, sizeof *w->f)) ||
       !(w->y_half = mho_alloc(states, sizeof *w->y)) ||
       !(w->normal =
             mho_alloc((size_t)w->circuit.n_neurons * (1 + ODE_FLICKER), sizeof *w->normal))))
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the circuits of %d samples", n);
  if (err) {
    workspace_free(w);
    *out = NULL;
  }
  return err;
}

/* ---------------------------------------------------------------- states in and out */

/* A row's states from its memory, and back; its slow noise lies behind them there. */
static void move_row(const ode_circuit *c, double *y, int r, double *memory, bool in) {
  for (int l = 1; l < c->net->n_layers - 1; l++) {
    int n = c->net->layer[l].n;
    double *a = ode_block(c, y, c->first[l]) + (size_t)r * (size_t)n, *m = memory + c->first[l];
    memcpy(in ? a : m, in ? m : a, (size_t)n * sizeof *a);
  }
  for (int b = 0; b < c->n_lags; b++) {
    int n = c->net->layer[c->lag[b].layer].n;
    double *a = ode_block(c, y, c->lag[b].first) + (size_t)r * (size_t)n,
           *m = memory + c->lag[b].first;
    memcpy(in ? a : m, in ? m : a, (size_t)n * sizeof *a);
  }
}

static double *memory_of(const mho_state *s, int row) {
  return s->memory + (size_t)row * s->memory_size;
}

/* The state a phase begins with: another's end, or rest. */
static void begin(ode_workspace *w, const mho_settle_job *job) {
  ode_circuit *c = &w->circuit;
  memset(w->y, 0, (size_t)c->n_states * (size_t)c->rows * sizeof *w->y);
  for (int r = 0; r < c->rows && job->start; r++)
    move_row(c, w->y, r, memory_of(job->start, c->row0 + (r < c->real_rows ? r : 0)), true);
}

/* Activities c->s into z, states into memory, and what moved since the free phase. */
static void finish(ode_workspace *w, const mho_settle_job *job) {
  ode_circuit *c = &w->circuit;
  for (int r = 0; r < c->real_rows; r++) {
    move_row(c, w->y, r, memory_of(job->s, c->row0 + r), false);
    for (int l = 1; l < c->net->n_layers - 1; l++) {
      int n = c->net->layer[l].n;
      const double *s = c->s[l] + (size_t)r * (size_t)n;
      mho_real *z = mho_rows(c->net, job->s->z, l, c->row0 + r);
      for (int i = 0; i < n; i++)
        z[i] = (mho_real)s[i];
    }
  }
  if (!job->moved)
    return;
  for (int l = 1; l < c->net->n_layers - 1; l++) {
    int n = c->net->layer[l].n;
    for (int r = 0; r < c->real_rows; r++) {
      mho_real *moved = mho_rows(c->net, job->moved, l, c->row0 + r);
      double *z = c->z[l] + (size_t)r * (size_t)n;
      if (ode_noisy(c->p)) { /* what is read may be a mean */
        const mho_real *read = mho_rows(c->net, job->free->z, l, c->row0 + r);
        for (int i = 0; i < n; i++)
          moved[i] = (mho_real)((double)read[i] - c->s[l][r * n + i]);
        continue;
      }
      memcpy(z, memory_of(job->free, c->row0 + r) + c->first[l], (size_t)n * sizeof *z);
      mho_layer_activate_double(&c->net->layer[l], 1, z, z);
      for (int i = 0; i < n; i++)
        moved[i] = (mho_real)(z[i] - c->s[l][r * n + i]);
    }
  }
}

/* ---------------------------------------------------------------- a phase */

void ode_watch(ode_workspace *w, int step, double t, double residual) {
  const ode_circuit *c = &w->circuit;
  mho_trace *trace = c->job->trace;
  if (!trace)
    return;
  ode_circuit_activities(&w->circuit, w->y);
  for (int l = 1; l < c->net->n_layers - 1; l++)
    memcpy(trace->z[l], c->s[l], (size_t)c->net->layer[l].n * sizeof(double));
  trace->point(trace->user, &(mho_trace_point){.phase = c->job->clock.phase,
                                               .step = step,
                                               .time = trace->time_0 + t * c->p->tau,
                                               .residual = residual,
                                               .z = trace->z});
}

/* Row by row: its residual now and before, when it settled (NaN: it has not). */
enum { RESIDUAL, BEFORE, SETTLED };
static double *row_value(const ode_workspace *w, int what) {
  return w->row + (size_t)what * (size_t)w->circuit.group;
}

/* When the residual fell through the tolerance between two times: it falls exponentially. */
static double crossing(double before, double now, double t0, double t1, double tolerance) {
  if (!(before > tolerance) || !(now > 0) || !(t1 > t0))
    return t1;
  double part = log(before / tolerance) / log(before / now);
  return t0 + (t1 - t0) * (part < 1 ? part : 1);
}

static bool is_dosed(const mho_settle_job *job) {
  return job->meter || (job->energy && job->power);
}

/* The state in the middle of a step of length h, from both ends and the rates there. */
static void find_half_way(ode_workspace *w, const double *f, double h) {
  const ode_circuit *c = &w->circuit;
  size_t n = (size_t)c->n_states * (size_t)c->rows;
  for (size_t i = 0; i < n; i++)
    w->y_half[i] = 0.5 * (w->y_before[i] + w->y[i]) + 0.125 * h * (w->f_before[i] - f[i]);
}

void ode_dose(ode_workspace *w, const double *f, double t0, double t) {
  ode_circuit *c = &w->circuit;
  size_t lines = (size_t)w->n_lines, states = (size_t)c->n_states * (size_t)c->rows;
  if (!is_dosed(c->job))
    return;

  double h = (t - t0) * c->p->tau, end = f ? h / 6 : h / 2;
  for (size_t i = 0; i < (size_t)c->real_rows * lines && h > 0; i++)
    w->dose[i] += end * w->squares[i];

  if (f && h > 0) {
    find_half_way(w, f, t - t0);
    ode_circuit_activities(c, w->y_half);
    for (int r = 0; r < c->real_rows; r++) {
      ode_circuit_squares(c, w->y_half, 0.5 * (t0 + t), r, w->half_way);
      for (size_t i = 0; i < lines; i++)
        w->dose[(size_t)r * lines + i] += 4 * end * w->half_way[i];
    }
  }

  ode_circuit_activities(c, w->y);
  for (int r = 0; r < c->real_rows; r++)
    ode_circuit_squares(c, w->y, t, r, w->squares + (size_t)r * lines);
  for (size_t i = 0; i < (size_t)c->real_rows * lines && h > 0; i++)
    w->dose[i] += end * w->squares[i];
  if (f) {
    memcpy(w->y_before, w->y, states * sizeof *w->y);
    memcpy(w->f_before, f, states * sizeof *f);
  }
}

/* Take note of a step from t0 to t; whether all rows have settled. */
static bool note_step(ode_workspace *w, const double *f, double t0, double t, double tolerance) {
  ode_circuit *c = &w->circuit;
  double *residual = row_value(w, RESIDUAL), *before = row_value(w, BEFORE),
         *settled = row_value(w, SETTLED);
  bool all = t >= ode_circuit_onset(c, tolerance);
  memcpy(before, residual, (size_t)c->rows * sizeof *before);
  ode_circuit_residual(c, f, residual);
  for (int r = 0; r < c->real_rows; r++) {
    if (!(residual[r] < tolerance))
      settled[r] = NAN;
    else if (isnan(settled[r]))
      settled[r] = crossing(before[r], residual[r], t0, t, tolerance);
    all &= !isnan(settled[r]);
  }
  ode_dose(w, f, t0, t);
  return all;
}

/* Error allowed a step from which on single precision is exact enough on the way: a sum of a thousand products errs by
 * some 1e-6. */
static const double COARSE = 1e-4;

/* Integrate to the time asked for, or until all rows have settled or the limit has come; to when. */
static double integrate(ode_workspace *w, double until, double tolerance, double accuracy) {
  ode_circuit *c = &w->circuit;
  const ode_params *p = c->p;
  int size = 0, step = 0;
  while (size_at(c->group, size) < c->rows)
    size++;
  mho_ode *ode = w->ode[size];
  double t = 0, end = until > 0 ? until : p->limit;
  double first = c->nudged ? 0.3 : fmin(0.1, sqrt(accuracy));
  c->coarse = accuracy >= COARSE && tolerance >= 0.1 * COARSE &&
              !mho_ode_implicit((mho_ode_method)p->stepper);
  mho_ode_start(ode, c, fmin(first, end), accuracy, 0);
  if (!ode_circuit_rates(c, 0, w->y, w->f)) {
    c->coarse = false;
    return 0;
  }
  bool done = note_step(w, w->f, 0, 0, tolerance);
  ode_watch(w, 0, 0, *row_value(w, RESIDUAL));
  while (t < end && (until > 0 || !done)) {
    double t0 = t;
    const double *f;
    if (mho_ode_step(ode, &t, end, w->y, &f)) /* ran away: nothing has settled */
      break;
    done = note_step(w, f, t0, t, tolerance);
    ode_watch(w, ++step, t, *row_value(w, RESIDUAL));
  }
  c->coarse = false; /* what is read at the end is exact */
  w->evaluations = mho_ode_evaluations(ode) + 1;
  return t;
}

/* tau that row r's phase lasted: until it is read, has settled, or was given up. */
static double duration(const ode_workspace *w, const mho_settle_job *job, int r, double t) {
  const ode_params *p = w->circuit.p;
  double until = job->nudge != 0 ? p->nudged : p->free, settled = row_value(w, SETTLED)[r];
  return until > 0 || isnan(settled) ? t : settled;
}

/* Energy and lines' doses of a phase that ended at time t. Rows that had settled before were at rest since. */
static void count_doses(const ode_workspace *w, const mho_settle_job *job, double t) {
  const ode_circuit *c = &w->circuit;
  const mho_network *net = c->net;
  for (int r = 0; r < c->real_rows; r++) {
    double *dose = w->dose + (size_t)r * (size_t)w->n_lines, joule = 0;
    const double *squares = w->squares + (size_t)r * (size_t)w->n_lines;
    double lasted = duration(w, job, r, t), rest = (t - lasted) * c->p->tau;
    for (int i = 0; i < w->n_lines; i++)
      dose[i] = fmax(dose[i] - rest * squares[i], 0);

    for (int i = 0; i < net->n_links; i++) {
      const mho_link *k = &net->link[i];
      int in = mho_link_inputs(net, k);
      for (int j = 0; j < in && job->meter; j++)
        job->meter->driven[i][j] += dose[j];
      for (int j = 0; j < in && job->energy; j++)
        joule += dose[j] * (k->transposed ? job->power->cols : job->power->rows)[k->connection][j];
      dose += in;
    }
    if (job->energy)
      job->energy[c->row0 + r] = job->power->volts * job->power->volts * joule;
    if (job->meter)
      job->meter->time[job->nudge != 0] += lasted * c->p->tau;
  }
}

/* Count the rows of a phase that ended at time t. */
static void count_rows(ode_workspace *w, const mho_settle_job *job, double t,
                       mho_settle_stats *stats) {
  const ode_circuit *c = &w->circuit;
  const double *settled = row_value(w, SETTLED);
  bool noisy = ode_noisy(c->p);
  if (is_dosed(job))
    count_doses(w, job, t);
  for (int r = 0; r < c->real_rows; r++) {
    double s = noisy ? t * c->p->tau : settled[r] * c->p->tau;
    if (!noisy)
      stats->residual = fmax(stats->residual, row_value(w, RESIDUAL)[r]);
    if (isnan(s)) {
      stats->unsettled++;
    } else {
      stats->time += s;
      stats->time_max = fmax(stats->time_max, s);
      stats->timed++;
    }
    if (job->time)
      job->time[c->row0 + r] = s;
  }
  stats->steps += (double)w->evaluations * c->real_rows;
  for (int i = 0; i < c->net->n_links; i++)
    if (c->net->link[i].from > 0 && c->net->link[i].from < c->net->n_layers - 1 &&
        c->net->link[i].to < c->net->n_layers - 1)
      stats->reads += c->real_rows;
  for (int i = 0; i < c->net->n_links && job->meter;
       i++) { /* one read a phase, of the activities at its end */
    const mho_link *k = &c->net->link[i];
    if (!c->net->layer[k->from].neuron || !c->net->layer[k->to].neuron)
      continue;
    int n = c->net->layer[k->from].n,
        in = job->meter->inputs[i]; /* one more with a bias, always 1 */
    for (int r = 0; r < c->real_rows; r++)
      for (int j = 0; j < in; j++)
        c->x[r * in + j] = j < n ? (mho_real)c->s[k->from][r * n + j] : 1;
    mho_meter_read(job->meter, i, c->real_rows, c->x, (double)k->scale);
  }
}

static int padded(const ode_circuit *c, int rows) {
  int i = 0;
  while (size_at(c->group, i) < rows)
    i++;
  return size_at(c->group, i);
}

static void clear_rows(ode_workspace *w) {
  for (int r = 0; r < w->circuit.group; r++) {
    row_value(w, RESIDUAL)[r] = INFINITY;
    row_value(w, SETTLED)[r] = NAN;
  }
  memset(w->dose, 0, (size_t)w->circuit.group * (size_t)w->n_lines * sizeof *w->dose);
  w->evaluations = 0;
}

/* The input's drive alone: the error's is kept apart, because it has a shape in time. */
static void read_input(const mho_settle_job *job, mho_settle_stats *stats) {
  mho_settle_job input = *job;
  input.nudge = 0;
  input.meter = job->nudge == 0 ? job->meter : NULL;
  mho_chunk_drives(&input, stats);
}

static void settle(const mho_settle_job *job, mho_settle_stats *stats) {
  const ode_params *p = job->params;
  ode_workspace *w = job->workspace;
  double tolerance = tolerance_of(job), until = job->nudge != 0 ? p->nudged : p->free;
  ode_circuit_weights(&w->circuit);
  read_input(job, stats);
  for (int row0 = job->row0, end = row0 + job->n; row0 < end; row0 += w->circuit.group) {
    int rows = end - row0 < w->circuit.group ? end - row0 : w->circuit.group;
    ode_circuit_phase(&w->circuit, job, row0, rows, padded(&w->circuit, rows), false, stats);
    clear_rows(w);
    begin(w, job);
    double t = ode_noisy(p) ? ode_noise_integrate(w, until)
                            : integrate(w, until, tolerance, accuracy_of(p, tolerance));
    if (!ode_noisy(p))
      ode_circuit_activities(&w->circuit, w->y);
    finish(w, job);
    count_rows(w, job, t, stats);
    if (job->trace)
      job->trace->time_0 += t * p->tau;
  }
}

/* ---------------------------------------------------------------- the difference */

/* Free potentials and activities of the group's rows. */
static void take_base(ode_circuit *c) {
  for (int l = 1; l < c->net->n_layers - 1; l++) {
    size_t n = (size_t)c->net->layer[l].n;
    for (int r = 0; r < c->rows; r++)
      memcpy(c->base[l] + (size_t)r * n,
             memory_of(c->job->s, c->row0 + (r < c->real_rows ? r : 0)) + c->first[l],
             n * sizeof(double));
    mho_layer_activate_double(&c->net->layer[l], c->rows, c->base[l], c->settled[l]);
  }
}

static void difference(const mho_settle_job *job, const mho_settle_stats *free, mho_real *const *e,
                       mho_settle_stats *stats) {
  const ode_params *p = job->params;
  ode_workspace *w = job->workspace;
  ode_circuit *c = &w->circuit;
  double tolerance = p->tolerance > 0 ? p->tolerance : 1e-4;
  ode_circuit_weights(c);
  for (int row0 = job->row0, end = row0 + job->n; row0 < end; row0 += c->group) {
    int rows = end - row0 < c->group ? end - row0 : c->group;
    ode_circuit_phase(c, job, row0, rows, padded(c, rows), true, stats);
    clear_rows(w);
    take_base(c);
    begin(w, job);
    double t = integrate(w, 0, tolerance, accuracy_of(p, tolerance));
    ode_circuit_activities(c, w->y);
    for (int l = 1; l < c->net->n_layers - 1; l++)
      for (int r = 0; r < rows; r++) {
        int n = c->net->layer[l].n;
        mho_real *to = mho_rows(c->net, e, l, row0 + r);
        for (int i = 0; i < n; i++)
          to[i] = (mho_real)(c->strength[r] * c->s[l][r * n + i]);
      }
    count_rows(w, job, t, stats);
  }
}

/* ---------------------------------------------------------------- registration */

static mho_err check(const void *params, mho_errinfo *ei) {
  const ode_params *p = params;
  if (p->shape == SHAPE_PULSE && !(p->nudged > 0))
    return mho_fail(
        ei, MHO_ECONFIG,
        "settle.nudge_shape: after a pulse the network settles back: give settle.read_nudged, the time at "
        "which it is read");
  if (ode_noisy(p) && (!(p->free > 0) || !(p->nudged > 0)))
    return mho_fail(ei, MHO_ECONFIG,
                    "settle.noise: a noisy state never settles: give settle.read_free and "
                    "settle.read_nudged, the times at "
                    "which it is read, for example 20 and 10");
  double steps = fmax(p->free, p->nudged) / p->noise_step;
  if (ode_noisy(p) && steps >= ODE_NOISE_STEPS)
    return mho_fail(ei, MHO_ECONFIG, "settle.noise.step: %.0f steps a phase, at most %d", steps,
                    ODE_NOISE_STEPS);
  double least = p->tau * p->noise_step;
  if (ode_noisy(p) &&
      ((p->line > 0 && p->line < least) || (p->amplifier > 0 && p->amplifier < least)))
    return mho_fail(
        ei, MHO_ECONFIG,
        "settle.noise.step: longer than the time constant of the lines or the amplifiers: lower it");
  return MHO_OK;
}

static const char *direct_needs(const void *params) {
  const ode_params *p = params;
  return ode_noisy(p) ? "with state noise the difference is measured"
         : p->free > 0 || p->nudged > 0
             ? "at a read time of its own the difference is measured: leave out settle.read_free "
               "and settle.read_nudged"
         : p->shape != SHAPE_STEP ? "with a nudge that is no step the difference is measured"
                                  : NULL;
}

static size_t memory(const mho_network *net, const void *params) {
  const ode_params *p = params;
  size_t neurons = 0;
  for (int l = 1; l < net->n_layers - 1; l++)
    neurons += (size_t)net->layer[l].n;
  return (size_t)ode_circuit_states(net, p) + (p->flicker > 0 ? ODE_FLICKER * neurons : 0);
}

const mho_settler mho_settler_ode = {
    .entry = {.abi = MHO_ABI,
              .id = "ode",
              .title = "the circuit in continuous time, by GSL's steppers",
              .equation = "tau du/dt = -u + W rho(u) + b",
              .source = "Scellier & Bengio, Front. Comput. Neurosci. 11:24 (2017); GSL odeiv2",
              .params = MHO_PARAMS(ode_params, table)},
    .settle = settle,
    .difference = difference,
    .check = check,
    .direct_needs = direct_needs,
    .memory = memory,
    .workspace_new = workspace_new,
    .workspace_free = workspace_free,
    .subtracts = true,
    .in_time = true,
};
