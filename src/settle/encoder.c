/* encoder.c - inputs as spikes: how a number x >= 0 becomes 0 or 1 in every step of a clock.
 *
 *   poisson   1 with probability min(x rate dt, 1), in each step for itself
 *   regular   x rate dt spikes a step: as often as floor(phi + t x rate dt) rises in step t, phi
 *             uniform in (0, 1) for every line
 *   latency   one spike, when a neuron of threshold h that x charges has got there:
 *             t = -tau ln(1 - h/x), for x > h
 *   direct    none: x drives its row in every step, as it is
 *   events    when the dataset says, whatever x is: time t lies in step ceil(t/dt), the first one
 *             if t = 0; one a line and step, as many as there are
 *
 * Of regular inputs and those that fire once the next spike is known when the last has been: a step
 * is a look at whose time has come, among those that are still to fire.
 *
 * Between events there are no steps: poisson has intervals of -ln(1 - U)/(x rate), U uniform,
 * regular has spikes at (k - phi)/(x rate), k = 1, 2, ..., latency one at t, and events are where
 * they are.
 *
 * What is drawn is named by update, phase, step, sample and line, so that it does not depend on
 * threads, chunks or a resume.
 *
 * Source: poisson, latency: W. Gerstner, W. Kistler, "Spiking neuron models" (2002), ch. 5 and 4.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "settle/encoder.h"

#include <math.h>
#include <string.h>

#include "base/nonzero.h"
#include "base/streams.h"
#include "settle/links.h"

enum { DRAWN = MHO_NONZERO_BITS }; /* inputs that are drawn for, or looked at, at a time */
#define ON_EDGE 1e-3               /* of a step: an event so little after its end belongs to it */

/* Inputs of a sample under way. */
typedef struct encoding {
  const mho_encode_config *how;
  const mho_tick *tick;
  mho_rng rng;
  uint64_t step;     /* of what is drawn */
  uint64_t first;    /* cell of the first input */
  int units;         /* inputs */
  const mho_real *x; /* what they are */
  mho_encoder own;
  const mho_events *events; /* NULL: there are none */
} encoding;

/* Spikes of x in a step, on average. */
static double expected(const encoding *c, mho_real x) {
  bool is_silent = x <= 0 || (double)x < c->how->silent_below;
  return is_silent ? 0 : (double)x * c->how->rate * c->tick->dt;
}

/* Whether none of n inputs ever fires: most of an image is black. */
static bool is_black(int n, const mho_real *x) {
  int any = 0;
#pragma omp simd reduction(| : any)
  for (int i = 0; i < n; i++)
    any |= x[i] > 0;
  return !any;
}

/* ---------------------------------------------------------------- drawn in every step */

static void fire_at_random(const encoding *c, const float *u, int n, const mho_real *x,
                           mho_real *spike) {
  double rate = c->how->rate, dt = c->tick->dt, least = c->how->silent_below;
#pragma omp simd
  for (int i = 0; i < n; i++) {
    double v = (double)x[i], p = v > 0 && v >= least ? v * rate * dt : 0;
    spike[i] = (double)u[i] < p ? 1 : 0;
  }
}

static void fire_drawn(const encoding *c) {
  for (int i0 = 0; i0 < c->units; i0 += DRAWN) {
    float u[DRAWN];
    int some = mho_min(c->units - i0, DRAWN);
    mho_real *spike = c->own.spike + i0;
    if (is_black(some, c->x + i0)) {
      memset(spike, 0, (size_t)some * sizeof *spike);
      c->own.fired[i0 / DRAWN] = 0;
      continue;
    }
    mho_rng_uniform(c->rng, c->step, c->first + (uint64_t)i0, (size_t)some, u);
    fire_at_random(c, u, some, c->x + i0, spike);
    c->own.fired[i0 / DRAWN] = mho__nonzero_bits(some, spike);
  }
}

/* ---------------------------------------------------------------- known ahead */

/* The first step after step `now` in which an input of so many spikes a step has one more: in which
 * phi and what it has fired come to a whole number more. */
static mho_real next_of(double each, double phase, double now) {
  double more = floor(phase + now * each) + 1, least = now + 1;
  double t = ceil((more - phase) / each);
  if (t > MHO_STEP_READ_OUT) /* no phase is as long */
    return (mho_real)INFINITY;

  /* but for what rounding has left of it */
  while (t > least && phase + (t - 1) * each >= more)
    t--;
  t = t > least ? t : least;
  while (phase + t * each < more)
    t++;
  return (mho_real)t;
}

/* s at which a neuron that x charges fires; INFINITY: never. */
static double charged_at(const mho_encode_config *how, mho_real x) {
  double v = (double)x, h = how->threshold;
  bool is_silent = v <= h || v < how->silent_below;
  return is_silent ? (double)INFINITY : -how->tau * log1p(-h / v);
}

/* The step in which it does. */
static mho_real crossing_of(const encoding *c, mho_real x) {
  double when = charged_at(c->how, x) / c->tick->dt;
  return (mho_real)(when > 0 ? ceil(when) : (double)INFINITY);
}

/* ---------------------------------------------------------------- given */

double mho__encode_step(double time, double dt) {
  return fmax(ceil(time / dt - ON_EDGE), 1);
}

/* The first of a sample's events that is of this unit or a later one. */
static int events_from(const mho_events *e, int unit) {
  int low = 0, high = e->n;
  while (low < high) {
    int middle = low + (high - low) / 2;
    if (e->event[middle].unit < unit)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* The step of the first event of an input that is later than step `now`. */
static mho_real next_event(const encoding *c, int unit, double now) {
  const mho_events *e = c->events;
  for (int k = events_from(e, unit); k < e->n && e->event[k].unit == unit; k++) {
    double step = mho__encode_step(e->event[k].time, c->tick->dt);
    if (step > now)
      return (mho_real)step;
  }
  return (mho_real)INFINITY;
}

/* ---------------------------------------------------------------- what is next */

/* When input i fires next, after step `now`. */
static mho_real next_spike(const encoding *c, int i, double now) {
  if (c->how->kind == MHO_ENCODE_EVENTS)
    return next_event(c, i, now);
  if (c->how->kind == MHO_ENCODE_LATENCY)
    return now > 0 ? (mho_real)INFINITY : crossing_of(c, c->x[i]);
  double each = expected(c, c->x[i]);
  if (each <= 0)
    return (mho_real)INFINITY;
  return next_of(each < 1 ? each : 1, (double)c->own.phase[i], now);
}

/* Input i is the last of those that are still to fire, unless it never does. */
static void await(const encoding *c, int i, int *awaited) {
  mho_real due = next_spike(c, i, 0);
  c->own.line[*awaited] = (mho_real)i;
  c->own.due[*awaited] = due;
  *awaited += due < (mho_real)INFINITY;
}

/* A phase begins: the first spikes of inputs that are numbers, ... */
static int await_inputs(const encoding *c) {
  int awaited = 0;
  for (int i0 = 0; i0 < c->units; i0 += DRAWN) {
    float u[DRAWN];
    int some = mho_min(c->units - i0, DRAWN);
    if (is_black(some, c->x + i0))
      continue;
    mho_rng_uniform(c->rng, c->step, c->first + (uint64_t)i0, (size_t)some, u);
    for (int i = i0; i < i0 + some; i++) {
      c->own.phase[i] = (mho_real)u[i - i0];
      await(c, i, &awaited);
    }
  }
  return awaited;
}

/* ... and of those that are events. */
static int await_events(const encoding *c) {
  const mho_events *e = c->events;
  int awaited = 0, last = -1;
  for (int k = 0; k < e->n; k++) {
    if (e->event[k].unit != last)
      await(c, e->event[k].unit, &awaited);
    last = e->event[k].unit;
  }
  return awaited;
}

/* ---------------------------------------------------------------- a step */

/* Nothing is fired: what was in the step before is taken back. */
static void fire_none(const encoding *c) {
  mho_nonzero fired = {.n = c->units, .v = c->own.spike, .known = c->own.fired};
  for (int i = mho__next_nonzero(&fired); i >= 0; i = mho__next_nonzero(&fired))
    c->own.spike[i] = 0;
  memset(c->own.fired, 0, mho__nonzero_words(c->units) * sizeof *c->own.fired);
}

static void fire(const encoding *c, int i) {
  c->own.spike[i] = 1;
  c->own.fired[i / MHO_NONZERO_BITS] |= (uint64_t)1 << i % MHO_NONZERO_BITS;
}

/* Those whose time has come fire, and are given their next one. */
static void fire_due(const encoding *c) {
  int awaited = (int)*c->own.awaited;
  mho_real now = (mho_real)c->tick->number, *due = c->own.due;
  for (int k0 = 0; k0 < awaited; k0 += DRAWN) {
    mho_real is_due[DRAWN];
    int some = mho_min(awaited - k0, DRAWN);
#pragma omp simd
    for (int k = 0; k < some; k++)
      is_due[k] = due[k0 + k] == now ? 1 : 0;

    for (uint64_t bits = mho__nonzero_bits(some, is_due); bits; bits &= bits - 1) {
      int k = k0 + __builtin_ctzll(bits), i = (int)c->own.line[k];
      fire(c, i);
      due[k] = next_spike(c, i, (double)c->tick->number);
    }
  }
}

void mho__encode(const mho_phase *p, int s, const mho_tick *tick, const mho_encoder *own) {
  const mho_encode_config *how = p->thread->encode;
  const mho_state *input = mho_phase_input(p);
  int units = p->net->layer[0].n;
  bool is_drawn = how->kind == MHO_ENCODE_POISSON, is_given = how->kind == MHO_ENCODE_EVENTS;
  encoding c = {.how = how,
                .tick = tick,
                .rng = mho__stream_spikes(p->thread->noise_seed, 0),
                .step = mho__step_read(p->thread->update, p->number, is_drawn ? tick->number : 0),
                .first = (uint64_t)s * (uint64_t)units,
                .units = units,
                .x = mho__values(p->net, input->z, 0, s),
                .own = *own,
                .events = input->events ? input->events + s : NULL};
  bool has_none = how->kind == MHO_ENCODE_DIRECT || (is_given && !c.events);

  if (is_drawn && !tick->resting) {
    fire_drawn(&c);
    return;
  }
  fire_none(&c);
  if (tick->resting || has_none)
    return;
  if (tick->number == 1)
    *own->awaited = is_given ? await_events(&c) : await_inputs(&c);
  fire_due(&c);
}

/* ---------------------------------------------------------------- between events */

/* When the number-th event of a unit is, from 1; INFINITY: there are fewer. */
static double event_of(const mho_events *e, int unit, int number) {
  int k = events_from(e, unit) + number - 1;
  return k < e->n && e->event[k].unit == unit ? e->event[k].time : (double)INFINITY;
}

double mho__encode_next(const mho_phase *p, int sample, int i, int number, double then) {
  const mho_encode_config *how = p->thread->encode;
  int units = p->net->layer[0].n;
  mho_real x = mho__values(p->net, mho_phase_input(p)->z, 0, sample)[i];
  bool is_silent = x <= 0 || (double)x < how->silent_below || how->rate == 0;
  bool is_random = how->kind == MHO_ENCODE_POISSON;
  double rate = (double)x * how->rate;
  float u;
  if (how->kind == MHO_ENCODE_EVENTS && !mho_phase_input(p)->events)
    return INFINITY;
  if (how->kind == MHO_ENCODE_EVENTS)
    return event_of(&mho_phase_input(p)->events[sample], i, number);
  if (how->kind == MHO_ENCODE_LATENCY)
    return number > 1 ? (double)INFINITY : charged_at(how, x);
  if (is_silent || how->kind == MHO_ENCODE_DIRECT)
    return INFINITY;

  mho_rng_uniform(mho__stream_spikes(p->thread->noise_seed, 0),
                  mho__step_read(p->thread->update, p->number, is_random ? number : 0),
                  (uint64_t)sample * (uint64_t)units + (uint64_t)i, 1, &u);
  if (is_random)
    return then - log1p(-(double)u) / rate;
  return (number - (double)u) / rate;
}
