/* ode.c - the network in continuous time, relaxing to rest, integrated by GSL's steppers.
 *
 *   tau du/dt = -u + W s(u) + b, s = rho(u): see ode_network.h
 *
 * * Samples are integrated in groups of a fixed size; error control couples the samples of a
 *   group (they share the step), so the size is part of the config. Implicit steppers solve with
 *   the dense Jacobian: one sample a system.
 * * Settled: the residual, max |du/dt| tau over a sample's states, is below the tolerance. When
 *   it last fell below is the sample's settling time (interpolated within a step). A sample that
 *   has not by the limit is unsettled, counted and marked; its state is the one at the limit.
 * * The nudged phase goes on from the free phase's state, in double precision, in one
 *   trajectory; two nudged phases follow each other, + then -. What a rule gets is the
 *   difference of the activities in double precision.
 * * Where the difference is settled itself, its own equations are integrated (mode
 *   `difference`).
 * * With state noise: ode_noise.c.
 *
 * Sources: M. Galassi et al., GNU Scientific Library, chapter on ordinary differential
 * equations; the circuit: B. Scellier, Y. Bengio, Front. Comput. Neurosci. 11:24 (2017), with s
 * inside W as in Liu & Chen, arXiv 2508.11659.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "mho/model/check.h"
#include "settle/ode.h"

static const ode_params *params_of(const mho_experiment *e) {
  return (const ode_params *)(const void *)e->settler.params;
}

/* What rounding of states of about 1 in double precision leaves to be told. A phase of more steps
 * gives up: its samples have not settled. */
static const double LEAST_TOLERANCE = 1e-13, LEAST_ACCURACY = 1e-14;
enum { STEPS_MAX = 1000000 };

static bool has_noise(const ode_params *o) {
  return o->white > 0 || o->flicker > 0;
}

static const char *without_shape(const mho_experiment *e) {
  const char *why = mho_idle_without_nudge(e);
  if (why || params_of(e)->shape != SHAPE_STEP)
    return why;
  return "the nudge is a step (settle.nudge_shape)";
}

static const char *without_noise(const mho_experiment *e) {
  const char *why = mho_idle_without_settling(e);
  if (why || has_noise(params_of(e)))
    return why;
  return "neurons have no noise (settle.noise.white, settle.noise.flicker)";
}

static const char *with_noise(const mho_experiment *e) {
  const char *why = mho_idle_without_settling(e);
  if (why || !has_noise(params_of(e)))
    return why;
  return "noise is stepped by Euler-Maruyama (settle.noise)";
}

/* What is of rest, to which a noisy state never comes. */
static const char *without_rest(const mho_experiment *e) {
  const char *why = mho_idle_without_settling(e);
  if (why || !has_noise(params_of(e)))
    return why;
  return "a noisy state is read at set times (settle.read_free, settle.read_nudged)";
}

static const mho_param table[] = {
    MHO_P_CHOICE(ode_params, stepper, "stepper", MHO_ODE_WORDS, MHO_ODE_RKF45,
                 "GSL's; from rk1imp on implicit, one sample a system", .idle = with_noise),
    MHO_P_REAL(ode_params, tau, "tau", "s", 100e-9, 1e-15, 1e3,
               "time constant of the neurons, RC; dynamics resistive: of the capacitance of a node "
               "with a conductance of 1"),
    MHO_P_REAL(ode_params, tolerance, "tolerance", "", 0, 0, 1,
               "settled when max |du/dt| tau is below; 0: 1e-4 with the difference settled "
               "directly, else 1e-5 of the smallest layer's signal; dynamics resistive: the "
               "largest current left over at a node, 0: 1e-5 (double precision: 1e-6)",
               .idle = without_rest),
    MHO_P_REAL(ode_params, accuracy, "accuracy", "", 0, 0, 1,
               "error allowed a step; 0: the tolerance, or a tenth of it for multistep methods",
               .idle = with_noise),
    MHO_P_INT(ode_params, group, "group", 32, 1, MHO_CHUNK_MAX,
              "samples integrated as one system, a power of 2 at best; they share the step",
              .idle = with_noise),
    MHO_P_REAL(ode_params, free, "read_free", "", 0, 0, 1e6,
               "read the free state after so many tau; 0: when settled"),
    MHO_P_REAL(ode_params, nudged, "read_nudged", "", 0, 0, 1e6,
               "read the nudged state so many tau after the nudge; 0: when settled",
               .idle = mho_idle_without_nudge),
    MHO_P_REAL(ode_params, limit, "limit", "", 200, 0.1, 1e6,
               "tau after which a sample counts as unsettled; so it does after a million steps",
               .idle = without_rest),
    MHO_P_CHOICE(ode_params, shape, "nudge_shape", "step|ramp|pulse", SHAPE_STEP,
                 "the nudge in time", .idle = mho_idle_without_nudge),
    MHO_P_REAL(ode_params, shape_time, "nudge_time", "", 5, 0, 1e6,
               "tau that a ramp rises or a pulse lasts", .idle = without_shape),
    MHO_P_REAL(ode_params, amplifier, "amplifier", "s", 0, 0, 1e3,
               "time constant of the feedback amplifiers; 0: no lag"),
    MHO_P_REAL(ode_params, line, "line", "s", 0, 0, 1e3, "RC of a crossbar's line; 0: no lag"),
    MHO_P_REAL(ode_params, white, "noise.white", "", 0, 0, 100,
               "white state noise: standard deviation of an isolated neuron's potential"),
    MHO_P_REAL(ode_params, flicker, "noise.flicker", "", 0, 0, 100,
               "1/f noise of a neuron's input, from 1 to 1e4 tau: its standard deviation"),
    MHO_P_REAL(ode_params, noise_step, "noise.step", "", 0.01, 1e-5, 0.5,
               "step of Euler-Maruyama in tau, which replaces the stepper when there is noise",
               .idle = without_noise),
    MHO_P_REAL(ode_params, average, "average", "", 0, 0, 1e6,
               "with noise: the mean activity of so many last tau is read; 0: the last one",
               .idle = without_noise),
};

/* What a phase is told before it begins. */
static double tolerance_of(const mho_phase *p) {
  const ode_params *own = p->thread->params;
  if (own->tolerance > 0)
    return own->tolerance;
  if (p->s->keep) /* direct: a drift of the free state is no part of the difference */
    return 1e-4;
  if (ode_has_own_rates(p->net)) /* currents, of which rounding leaves as much */
    return sizeof(mho_real) == 8 ? 1e-6 : 1e-5;
  /* 0.1: an output error times a usual nudge */
  return fmax(1e-5 * 0.1 * mho__smallest_signal(p->net), LEAST_TOLERANCE);
}

/* Multistep methods hover at the error they are allowed. */
static double accuracy_of(const ode_params *p, double tolerance) {
  bool multistep = p->stepper == MHO_ODE_MSADAMS || p->stepper == MHO_ODE_MSBDF;
  if (p->accuracy > 0)
    return p->accuracy;
  return multistep ? 0.1 * tolerance : tolerance;
}

/* When the state of a phase is read, tau; 0: when settled. */
static double read_time(const mho_phase *p) {
  const ode_params *own = p->thread->params;
  return mho_phase_is_nudged(p) ? own->nudged : own->free;
}

bool mho__ode_noisy(const ode_params *p) {
  return p->white > 0 || p->flicker > 0;
}

static int group_of(const ode_params *p) {
  bool implicit = mho_ode_implicit((mho_ode_method)p->stepper);
  return implicit && !mho__ode_noisy(p) ? 1 : (int)p->group;
}

/* ---------------------------------------------------------------- workspace */

static void workspace_free(void *workspace) {
  ode_workspace *w = workspace;
  if (!w)
    return;

  for (int i = 0; i < ODE_SIZES; i++)
    mho_ode_free(w->ode[i]);
  mho__ode_network_free(&w->network);
  mho_free(w->y);
  mho_free(w->f);
  mho_free(w->value);
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
  return mho_min(1 << i, group);
}

/* The smallest size that has room for n samples. */
static int size_for(int group, int n) {
  int i = 0;
  while (size_at(group, i) < n)
    i++;
  return i;
}

static mho_err add_steppers(ode_workspace *w, mho_errinfo *ei) {
  int group = w->network.group, sizes = size_for(group, group) + 1;
  mho_ode_method method = (mho_ode_method)w->network.p->stepper;

  for (int i = 0; i < sizes; i++) {
    mho_ode_system s = {w->network.n_states * size_at(group, i), mho__ode_network_rates,
                        mho__ode_network_jacobian};
    mho_err err = mho_ode_new(method, &s, &w->ode[i], ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

static bool allocate(ode_workspace *w) {
  size_t group = (size_t)w->network.group, states = (size_t)w->network.n_states * group;
  size_t lines = (size_t)w->n_lines, normals = (size_t)w->network.n_neurons * (1 + ODE_FLICKER);

  w->y = mho_alloc(states, sizeof *w->y);
  w->f = mho_alloc(states, sizeof *w->f);
  w->value = mho_alloc(group * ODE_SAMPLE_VALUES, sizeof *w->value);
  w->normal = mho_alloc(normals, sizeof *w->normal);
  w->squares = mho_alloc(group * lines, sizeof *w->squares);
  w->dose = mho_alloc(group * lines, sizeof *w->dose);
  w->half_way = mho_alloc(lines, sizeof *w->half_way);
  w->y_before = mho_alloc(states, sizeof *w->y_before);
  w->f_before = mho_alloc(states, sizeof *w->f_before);
  w->y_half = mho_alloc(states, sizeof *w->y_half);
  return w->y && w->f && w->value && w->normal && w->squares && w->dose && w->half_way &&
         w->y_before && w->f_before && w->y_half;
}

static mho_err workspace_fill(ode_workspace *w, const mho_network *net, const ode_params *p,
                              int group, mho_errinfo *ei) {
  mho_err err = mho__ode_network_new(net, p, group, &w->network, ei);
  if (!err && !mho__ode_noisy(p))
    err = add_steppers(w, ei);
  return err;
}

static mho_err workspace_new(const mho_network *net, const void *params, int n, void **out,
                             mho_errinfo *ei) {
  const ode_params *p = params;
  *out = NULL;
  ode_workspace *w = mho_alloc(1, sizeof *w);
  if (!w)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the circuits of %d samples", n);

  w->n_lines = ode_has_own_rates(net) ? 0 : mho__ode_network_lines(net);
  mho_err err = workspace_fill(w, net, p, mho_min(group_of(p), n), ei);
  if (!err && !allocate(w))
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the circuits of %d samples", n);
  if (err) {
    workspace_free(w);
    return err;
  }
  *out = w;
  return MHO_OK;
}

/* ---------------------------------------------------------------- states in and out */

/* The n states from `first` on of sample s, from its memory or back. */
static void move_block(const ode_network *o, double *y, int s, int first, int n, double *memory,
                       bool in) {
  double *a = ode_block(o, y, first) + (size_t)s * (size_t)n, *m = memory + first;
  if (in)
    memcpy(a, m, (size_t)n * sizeof *a);
  else
    memcpy(m, a, (size_t)n * sizeof *a);
}

/* A sample's states from its memory, or back; its slow noise lies behind them there. */
static void move_sample(const ode_network *o, double *y, int s, double *memory, bool in) {
  for (int l = 1; l < mho_hidden_end(o->net); l++)
    move_block(o, y, s, o->first[l], o->net->layer[l].n, memory, in);
  for (int b = 0; b < o->n_lags; b++)
    move_block(o, y, s, o->lag[b].first, o->net->layer[o->lag[b].layer].n, memory, in);
}

/* Units with rates of their own begin with the activities that their dynamics has left. */
static void begin_activities(const ode_network *o, const mho_phase *p, double *y) {
  for (int l = 1; l < mho_hidden_end(o->net); l++) {
    int n = o->net->layer[l].n;
    double *to = ode_block(o, y, o->first[l]);
    for (int s = 0; s < o->samples; s++)
      for (int i = 0; i < n; i++)
        to[s * n + i] = (double)mho__values(o->net, p->s->z, l, ode_sample(o, s))[i];
  }
}

/* The state a phase begins with: another's end, or rest. */
static void begin(ode_workspace *w, const mho_phase *p) {
  ode_network *o = &w->network;
  memset(w->y, 0, ode_numbers(o) * sizeof *w->y);
  if (!p->start && ode_has_own_rates(o->net))
    begin_activities(o, p, w->y);
  if (p->start)
    for (int s = 0; s < o->samples; s++)
      move_sample(o, w->y, s, ode_memory(p->start, ode_sample(o, s)), true);
}

/* What moved of sample s in layer l since the free phase, whose activities are known from its
 * potentials. */
static void find_moved(const ode_network *o, const mho_phase *p, int l, int s, mho_real *moved) {
  int n = o->net->layer[l].n, sample = o->sample0 + s;
  const double *now = o->s[l] + (size_t)s * (size_t)n;
  double *z = o->z[l] + (size_t)s * (size_t)n;
  bool is_read = mho__ode_noisy(o->p) || ode_has_own_rates(o->net);
  if (is_read) { /* it may be a mean, or no activity of a neuron */
    const mho_real *read = mho__values(o->net, p->drive.free->z, l, sample);
    for (int i = 0; i < n; i++)
      moved[i] = (mho_real)((double)read[i] - now[i]);
    return;
  }

  memcpy(z, ode_memory(p->drive.free, sample) + o->first[l], (size_t)n * sizeof *z);
  mho_layer_activate_double(&o->net->layer[l], 1, z, z);
  for (int i = 0; i < n; i++)
    moved[i] = (mho_real)(z[i] - now[i]);
}

/* The potentials of layer l, which at rest are its summed inputs. */
static void take_sums(const ode_network *o, const double *y, int l, mho_real *sums) {
  size_t n = (size_t)o->real_samples * (size_t)o->net->layer[l].n;
  const double *u = ode_const_block(o, y, o->first[l]);
  for (size_t i = 0; i < n; i++)
    sums[i] = (mho_real)u[i];
}

/* Activities o->s into z, states into memory, and what moved since the free phase. */
static void finish(ode_workspace *w, const mho_phase *p) {
  ode_network *o = &w->network;
  mho_real *const *moved = mho__probe_of(p).moved;
  int end = mho_hidden_end(o->net);
  for (int s = 0; s < o->real_samples; s++) {
    move_sample(o, w->y, s, ode_memory(p->s, o->sample0 + s), false);
    for (int l = 1; l < end; l++) {
      int n = o->net->layer[l].n;
      const double *now = o->s[l] + (size_t)s * (size_t)n;
      mho_real *z = mho__values(o->net, p->s->z, l, o->sample0 + s);
      for (int i = 0; i < n; i++)
        z[i] = (mho_real)now[i];
    }
  }

  if (p->s->sums)
    for (int l = 1; l < end; l++)
      take_sums(o, w->y, l, mho__values(o->net, p->s->sums, l, o->sample0));
  if (moved)
    for (int l = 1; l < end; l++)
      for (int s = 0; s < o->real_samples; s++)
        find_moved(o, p, l, s, mho__values(o->net, moved, l, o->sample0 + s));
}

/* ---------------------------------------------------------------- what is counted on the way */

void mho__ode_watch(ode_workspace *w, int step, double t, double residual) {
  ode_network *o = &w->network;
  mho_trace *trace = mho__trace_of(o->phase);
  if (!trace)
    return;

  mho__ode_network_activities(o, w->y);
  if (o->phase->dyn->watched) {
    mho_chunk c = mho__ode_network_chunk(o);
    o->phase->dyn->watched(&c);
  }
  for (int l = 1; l < mho_hidden_end(o->net); l++)
    memcpy(trace->z[l], o->s[l], (size_t)o->net->layer[l].n * sizeof(double));
  trace->point(trace->user, &(mho_trace_point){.phase = o->phase->number,
                                               .step = step,
                                               .time = trace->time_0 + t * o->p->tau,
                                               .residual = residual,
                                               .z = trace->z,
                                               .vars = o->phase->s->vars});
}

/* Of every sample: its residual now and before, and when it settled (NaN: it has not). */
enum { RESIDUAL, BEFORE, SETTLED };
static double *values(const ode_workspace *w, int what) {
  return w->value + (size_t)what * (size_t)w->network.group;
}

/* When the residual fell through the tolerance between two times: it falls exponentially. */
static double crossing(double before, double now, double t0, double t1, double tolerance) {
  if (!(before > tolerance) || !(now > 0) || !(t1 > t0))
    return t1;
  double fraction = log(before / tolerance) / log(before / now);
  return t0 + (t1 - t0) * (fraction < 1 ? fraction : 1);
}

static bool is_dosed(const mho_phase *p) {
  mho_probe probe = mho__probe_of(p);
  return probe.meter || (probe.energy && probe.power);
}

/* The state in the middle of a step of length h, from both ends and the rates there. */
static void find_half_way(ode_workspace *w, const double *f, double h) {
  size_t n = ode_numbers(&w->network);
  for (size_t i = 0; i < n; i++)
    w->y_half[i] = 0.5 * (w->y_before[i] + w->y[i]) + 0.125 * h * (w->f_before[i] - f[i]);
}

/* dose += seconds squares, of all lines. */
static void add_dose(ode_workspace *w, double seconds) {
  size_t n = (size_t)w->network.real_samples * (size_t)w->n_lines;
  for (size_t i = 0; i < n; i++)
    w->dose[i] += seconds * w->squares[i];
}

void mho__ode_dose(ode_workspace *w, const double *f, double t0, double t) {
  ode_network *o = &w->network;
  size_t lines = (size_t)w->n_lines, bytes = ode_numbers(o) * sizeof *w->y;
  if (!is_dosed(o->phase) || w->n_lines == 0)
    return;

  /* Simpson's rule where f gives the state half way, which weighs four ends; else the trapezoid */
  double h = (t - t0) * o->p->tau, end = f ? h / 6 : h / 2;
  if (h > 0)
    add_dose(w, end);

  if (f && h > 0) {
    find_half_way(w, f, t - t0);
    mho__ode_network_activities(o, w->y_half);
    for (int s = 0; s < o->real_samples; s++) {
      mho__ode_network_squares(o, w->y_half, 0.5 * (t0 + t), s, w->half_way);
      for (size_t i = 0; i < lines; i++)
        w->dose[(size_t)s * lines + i] += 4 * end * w->half_way[i];
    }
  }

  /* the squares of this end begin the next interval too */
  mho__ode_network_activities(o, w->y);
  for (int s = 0; s < o->real_samples; s++)
    mho__ode_network_squares(o, w->y, t, s, w->squares + (size_t)s * lines);
  if (h > 0)
    add_dose(w, end);

  if (f) {
    memcpy(w->y_before, w->y, bytes);
    memcpy(w->f_before, f, bytes);
  }
}

/* Take note of a step from t0 to t; whether all samples have settled. */
static bool note_step(ode_workspace *w, const double *f, double t0, double t, double tolerance) {
  ode_network *o = &w->network;
  double *residual = values(w, RESIDUAL), *before = values(w, BEFORE);
  double *settled = values(w, SETTLED);
  bool all = t >= mho__ode_network_onset(o, tolerance);
  memcpy(before, residual, (size_t)o->samples * sizeof *before);
  mho__ode_network_residual(o, f, residual);

  for (int s = 0; s < o->real_samples; s++) {
    if (!(residual[s] < tolerance))
      settled[s] = NAN;
    else if (isnan(settled[s]))
      settled[s] = crossing(before[s], residual[s], t0, t, tolerance);
    all &= !isnan(settled[s]);
  }
  mho__ode_dose(w, f, t0, t);
  return all;
}

/* ---------------------------------------------------------------- a phase */

/* Error allowed a step from which on single precision is exact enough on the way: a sum of a
 * thousand products errs by some 1e-6. */
static const double COARSE = 1e-4;

static void give_up(ode_workspace *w) {
  double *settled = values(w, SETTLED);
  for (int s = 0; s < w->network.samples; s++)
    settled[s] = NAN;
}

/* Step until the time asked for, or until all samples have settled or the limit has come; to
 * when. */
static double step_on(ode_workspace *w, mho_ode *ode, double until, double tolerance) {
  double t = 0, end = until > 0 ? until : w->network.p->limit;
  int step = 0;
  bool done = note_step(w, w->f, 0, 0, tolerance);
  mho__ode_watch(w, 0, 0, *values(w, RESIDUAL));

  while (t < end && (until > 0 || !done)) {
    double t0 = t;
    const double *f;
    mho_err err = mho_ode_step(ode, &t, end, w->y, &f);
    if (err) /* the state ran away: nothing has settled */
      break;
    done = note_step(w, f, t0, t, tolerance);
    mho__ode_watch(w, ++step, t, *values(w, RESIDUAL));
    if (step == STEPS_MAX && t < end) {
      give_up(w);
      break;
    }
  }
  return t;
}

/* Integrate from state w->y. until: when the state is read; 0: when settled. @return the time of
 * the end. */
static double integrate(ode_workspace *w, double until, double tolerance, double accuracy) {
  ode_network *o = &w->network;
  mho_ode *ode = w->ode[size_for(o->group, o->samples)];
  double end = until > 0 ? until : o->p->limit;
  double first = o->nudged ? 0.3 : fmin(0.1, sqrt(accuracy)), t = 0;
  bool implicit = mho_ode_implicit((mho_ode_method)o->p->stepper);

  o->coarse = accuracy >= COARSE && tolerance >= 0.1 * COARSE && !implicit;
  mho_ode_start(ode, o, fmin(first, end), accuracy, 0);
  if (mho__ode_network_rates(o, 0, w->y, w->f)) {
    t = step_on(w, ode, until, tolerance);
    w->evaluations = mho_ode_evaluations(ode) + 1;
  }
  o->coarse = false; /* what is read at the end is exact */
  return t;
}

/* Free potentials and activities of the group's samples. */
static void take_base(ode_network *o, const mho_state *free) {
  for (int l = 1; l < mho_hidden_end(o->net); l++) {
    size_t n = (size_t)o->net->layer[l].n;
    for (int s = 0; s < o->samples; s++)
      memcpy(o->base[l] + (size_t)s * n, ode_memory(free, ode_sample(o, s)) + o->first[l],
             n * sizeof(double));
    mho_layer_activate_double(&o->net->layer[l], o->samples, o->base[l], o->settled[l]);
  }
}

/* The conductances that a phase is pulled back with. */
static double pull_of(const mho_phase *p) {
  return p->drive.pull / (1 - p->drive.pull);
}

/* The conductances come on at the end of a phase, which has lasted for t. Samples that had not
 * settled by then are those that count as unsettled. @return the time of the end. */
static double pull_back(ode_workspace *w, const mho_phase *p, double t, double tolerance,
                        double accuracy) {
  ode_network *o = &w->network;
  mho_trace *trace = mho__trace_of(p);
  int64_t evaluations = w->evaluations;
  double steps = mho_phase_pulled_steps(p), settled[MHO_CHUNK_MAX];
  memcpy(settled, values(w, SETTLED), (size_t)o->real_samples * sizeof *settled);

  o->pull = pull_of(p);
  o->t0 += t;
  o->t_nudge = t;
  if (trace)
    trace->time_0 += t * o->p->tau;
  double end = t + integrate(w, steps, tolerance, accuracy);
  if (trace)
    trace->time_0 -= t * o->p->tau;

  w->evaluations += evaluations;
  for (int s = 0; s < o->real_samples; s++)
    values(w, SETTLED)[s] = isnan(settled[s]) ? settled[s] : end;
  return end;
}

/* Integrate a phase from state w->y, with the conductances from its start or at its end. until: as
 * of integrate, before these. */
static double integrate_phase(ode_workspace *w, const mho_phase *p, double until, double tolerance,
                              double accuracy) {
  ode_network *o = &w->network;
  if (p->drive.pull > 0 && !o->difference)
    take_base(o, p->drive.free);
  if (mho_phase_is_pulled(p))
    o->pull = pull_of(p);

  double t = integrate(w, until, tolerance, accuracy);
  return mho_phase_pulled_steps(p) ? pull_back(w, p, t, tolerance, accuracy) : t;
}

/* tau that a sample's phase lasted: until it is read, has settled, or was given up. */
static double duration(const ode_workspace *w, const mho_phase *p, int s, double t) {
  double settled = values(w, SETTLED)[s];
  return read_time(p) > 0 || isnan(settled) ? t : settled;
}

/* Meter the doses of link i's lines, [in]. */
static void meter_dose(mho_meter *m, int i, int in, const double *dose) {
  double sum = 0;
  for (int j = 0; j < in; j++) {
    m->driven[i][j] += dose[j];
    sum += dose[j];
  }
  if (mho__meter_has_edge(m, i))
    m->edge[i].driven += sum;
}

/* Count the doses of sample s, link after link. @return what they make the cells take, J/V^2. */
static double count_links(const ode_workspace *w, const mho_phase *p, const double *dose) {
  const mho_network *net = w->network.net;
  mho_probe probe = mho__probe_of(p);
  double joule = 0;
  if (w->n_lines == 0)
    return NAN;

  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    int in = mho_link_inputs(net, k);
    if (probe.meter)
      meter_dose(probe.meter, i, in, dose);
    if (probe.energy) {
      const mho_power *power = probe.power;
      const double *siemens = (k->transposed ? power->cols : power->rows)[k->connection];
      for (int j = 0; j < in; j++)
        joule += dose[j] * siemens[j];
    }
    dose += in;
  }
  return joule;
}

/* Energy and lines' doses of a phase that ended at time t. Samples that had settled before were
 * at rest since. */
static void count_doses(const ode_workspace *w, const mho_phase *p, double t) {
  const ode_network *o = &w->network;
  mho_probe probe = mho__probe_of(p);
  for (int s = 0; s < o->real_samples; s++) {
    double *dose = w->dose + (size_t)s * (size_t)w->n_lines;
    const double *squares = w->squares + (size_t)s * (size_t)w->n_lines;
    double lasted = duration(w, p, s, t), rest = (t - lasted) * o->p->tau;
    for (int i = 0; i < w->n_lines; i++)
      dose[i] = fmax(dose[i] - rest * squares[i], 0);

    double joule = count_links(w, p, dose);
    if (probe.energy)
      probe.energy[o->sample0 + s] = probe.power->volts * probe.power->volts * joule;
    if (probe.meter)
      probe.meter->time[mho_phase_is_nudged(p)] += lasted * o->p->tau;
  }
}

/* Residuals and settling times of a phase that ended at time t. */
static void count_times(const ode_workspace *w, const mho_phase *p, double t,
                        mho_settle_stats *stats) {
  const ode_network *o = &w->network;
  bool noisy = mho__ode_noisy(o->p);
  mho_probe probe = mho__probe_of(p);

  for (int s = 0; s < o->real_samples; s++) {
    double seconds = (noisy ? t : values(w, SETTLED)[s]) * o->p->tau;
    if (!noisy)
      stats->residual = fmax(stats->residual, values(w, RESIDUAL)[s]);
    if (isnan(seconds)) {
      stats->unsettled++;
    } else {
      stats->time += seconds;
      stats->time_max = fmax(stats->time_max, seconds);
      stats->timed++;
    }
    if (probe.time)
      probe.time[o->sample0 + s] = seconds;
  }
}

/* Meter the one read that a phase is of link number i: of the activities at its end. */
static void meter_link(ode_network *o, mho_meter *meter, int i) {
  const mho_link *k = &o->net->link[i];
  int n = o->net->layer[k->from].n;
  int in = meter->inputs[i]; /* one more with a bias, whose line is always driven by 1 */
  for (int s = 0; s < o->real_samples; s++)
    for (int j = 0; j < in; j++)
      o->x[s * in + j] = j < n ? (mho_real)o->s[k->from][s * n + j] : 1;
  mho__meter_read(meter, i, o->real_samples, o->x, NULL, (double)k->scale);
}

/* Count the samples of a phase that ended at time t. */
static void count_samples(ode_workspace *w, const mho_phase *p, double t, mho_settle_stats *stats) {
  ode_network *o = &w->network;
  if (is_dosed(p))
    count_doses(w, p, t);
  count_times(w, p, t, stats);

  stats->steps += (double)w->evaluations * o->real_samples;
  for (int i = 0; i < o->net->n_links; i++)
    if (mho_link_is_hidden(o->net, &o->net->link[i])) {
      stats->reads += o->real_samples;
      if (mho__meter_of(p) && w->n_lines > 0)
        meter_link(o, mho__meter_of(p), i);
    }
}

static void clear_samples(ode_workspace *w) {
  int group = w->network.group;
  for (int s = 0; s < group; s++) {
    values(w, RESIDUAL)[s] = INFINITY;
    values(w, SETTLED)[s] = NAN;
  }
  memset(w->dose, 0, (size_t)group * (size_t)w->n_lines * sizeof *w->dose);
  w->evaluations = 0;
}

/* The input's drive alone: the error's is kept apart, because it has a shape in time. A dynamics
 * with rates of its own keeps it apart itself, and begins with activities. */
static void read_input(const mho_phase *p, mho_settle_stats *stats) {
  mho_phase input = *p;
  if (ode_has_own_rates(p->net)) {
    for (int l = 1; l < mho_hidden_end(p->net); l++)
      memset(mho__values(p->net, p->s->z, l, p->row0), 0,
             mho__phase_count(p, l) * sizeof(mho_real));
    p->dyn->begin(p, stats);
    return;
  }
  input.drive.kind = MHO_DRIVE_NONE;
  input.probe = mho_phase_is_nudged(p) ? NULL : p->probe;
  p->dyn->begin(&input, stats);
}

/* Begin a group of the phase's samples, from number sample0 on, as many as a group takes. */
static void begin_group(ode_workspace *w, const mho_phase *p, int sample0, bool difference,
                        mho_settle_stats *stats) {
  ode_network *o = &w->network;
  int n = mho_min(p->row0 + p->n - sample0, o->group);
  int padded = size_at(o->group, size_for(o->group, n));
  mho__ode_network_phase(o, p, sample0, n, padded, difference, stats);
  clear_samples(w);
}

static void settle(const mho_phase *p, mho_settle_stats *stats) {
  const ode_params *own = p->thread->params;
  ode_workspace *w = p->thread->workspace;
  double tolerance = tolerance_of(p), accuracy = accuracy_of(own, tolerance);
  double until = read_time(p);
  int end = p->row0 + p->n;
  mho__ode_network_weights(&w->network);
  read_input(p, stats);

  for (int sample0 = p->row0; sample0 < end; sample0 += w->network.group) {
    double t;
    begin_group(w, p, sample0, false, stats);
    begin(w, p);
    if (mho__ode_noisy(own)) {
      t = mho__ode_noise_integrate(w, until);
    } else {
      t = integrate_phase(w, p, until, tolerance, accuracy);
      mho__ode_network_activities(&w->network, w->y);
    }

    finish(w, p);
    count_samples(w, p, t, stats);
    if (mho__trace_of(p))
      mho__trace_of(p)->time_0 += t * own->tau;
  }
}

/* ---------------------------------------------------------------- the difference */

/* e = the scaled differences o->s at their true size. */
static void give_errors(const ode_network *o, mho_real *const *e) {
  for (int l = 1; l < mho_hidden_end(o->net); l++)
    for (int s = 0; s < o->real_samples; s++) {
      int n = o->net->layer[l].n;
      mho_real *to = mho__values(o->net, e, l, o->sample0 + s);
      for (int i = 0; i < n; i++)
        to[i] = (mho_real)(o->strength[s] * o->s[l][s * n + i]);
    }
}

static void difference(const mho_phase *p, const mho_settle_stats *free, mho_real *const *e,
                       mho_settle_stats *stats) {
  const ode_params *own = p->thread->params;
  ode_workspace *w = p->thread->workspace;
  ode_network *o = &w->network;
  double tolerance = own->tolerance > 0 ? own->tolerance : 1e-4;
  int end = p->row0 + p->n;
  mho__ode_network_weights(o);

  for (int sample0 = p->row0; sample0 < end; sample0 += o->group) {
    begin_group(w, p, sample0, true, stats);
    take_base(o, p->s);
    begin(w, p);
    double t = integrate_phase(w, p, 0, tolerance, accuracy_of(own, tolerance));
    mho__ode_network_activities(o, w->y);
    give_errors(o, e);
    count_samples(w, p, t, stats);
  }
}

/* ---------------------------------------------------------------- registration */

static mho_err check_noise(const ode_params *p, mho_errinfo *ei) {
  double steps = fmax(p->free, p->nudged) / p->noise_step, least = p->tau * p->noise_step;

  if (!(p->free > 0) || !(p->nudged > 0))
    return mho_fail(ei, MHO_ECONFIG,
                    "settle.noise: a noisy state never settles: give settle.read_free and "
                    "settle.read_nudged, the times at which it is read, for example 20 and 10");
  if (steps >= ODE_NOISE_STEPS)
    return mho_fail(ei, MHO_ECONFIG, "settle.noise.step: %.0f steps a phase, at most %d", steps,
                    ODE_NOISE_STEPS);
  if ((p->line > 0 && p->line < least) || (p->amplifier > 0 && p->amplifier < least))
    return mho_fail(ei, MHO_ECONFIG,
                    "settle.noise.step: longer than the time constant of the lines or the "
                    "amplifiers: lower it");
  return MHO_OK;
}

static mho_err check(const void *params, mho_errinfo *ei) {
  const ode_params *p = params;
  if (p->tolerance > 0 && p->tolerance < LEAST_TOLERANCE)
    return mho_fail(ei, MHO_ECONFIG,
                    "settle.tolerance: nothing settles below %g, where double precision ends: "
                    "give that or more, or 0",
                    LEAST_TOLERANCE);
  if (p->accuracy > 0 && p->accuracy < LEAST_ACCURACY)
    return mho_fail(ei, MHO_ECONFIG,
                    "settle.accuracy: no step is exact below %g, where double precision ends: "
                    "give that or more, or 0",
                    LEAST_ACCURACY);
  if (p->shape == SHAPE_PULSE && !(p->nudged > 0))
    return mho_fail(ei, MHO_ECONFIG,
                    "settle.nudge_shape: after a pulse the network settles back: give "
                    "settle.read_nudged, the time at which it is read");
  return mho__ode_noisy(p) ? check_noise(p, ei) : MHO_OK;
}

static const char *direct_needs(const void *params) {
  const ode_params *p = params;

  if (mho__ode_noisy(p))
    return "with state noise the difference is measured";
  if (p->free > 0 || p->nudged > 0)
    return "at a read time of its own the difference is measured: leave out settle.read_free "
           "and settle.read_nudged";
  if (p->shape != SHAPE_STEP)
    return "with a nudge that is no step the difference is measured";
  return NULL;
}

static const char *pull_needs(const void *params) {
  if (mho__ode_noisy(params))
    return "with state noise (settle.noise) nothing is pulled back: use array.read_noise";
  return NULL;
}

static size_t memory(const mho_network *net, const void *params) {
  const ode_params *p = params;
  size_t states = (size_t)mho__ode_network_states(net, p), neurons = 0;
  for (int l = 1; l < mho_hidden_end(net); l++)
    neurons += (size_t)net->layer[l].n;
  return states + (p->flicker > 0 ? ODE_FLICKER * neurons : 0);
}

static const char *misses(const mho_dynamics *dyn, const void *params) {
  const ode_params *p = params;
  if (dyn->is_circuit)
    return NULL;
  if (!dyn->rates || !dyn->resistors)
    return "needs neurons that are circuits, tau du/dt = -u + a";
  if (mho_ode_implicit((mho_ode_method)p->stepper))
    return "needs for an implicit settle.stepper the slopes of the rates";
  if (p->line > 0 || p->amplifier > 0)
    return "needs for settle.line and settle.amplifier neurons that are circuits";
  return mho__ode_noisy(p) ? "needs for settle.noise neurons that are circuits" : NULL;
}

static double tau_of(const void *params) {
  return ((const ode_params *)params)->tau;
}

const mho_settler mho_settler_ode = {
    .entry = {.abi = MHO_ABI,
              .id = "ode",
              .title = "the circuit in continuous time, by GSL's steppers",
              .equation = "tau du/dt = -u + W rho(u) + b; nodes: C dv/dt = the current left over",
              .source = "Scellier & Bengio, Front. Comput. Neurosci. 11:24 (2017); GSL odeiv2",
              .params = MHO_PARAMS(ode_params, table)},
    .settle = settle,
    .difference = difference,
    .misses = misses,
    .check = check,
    .direct_needs = direct_needs,
    .pull_needs = pull_needs,
    .memory = memory,
    .workspace_new = workspace_new,
    .workspace_free = workspace_free,
    .tau = tau_of,
    .subtracts = true,
    .in_time = true,
};
