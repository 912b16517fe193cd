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
 * is a look at whose time has come.
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

enum { DRAWN = 64 }; /* inputs that are drawn for, or looked at, at a time */
#define ON_EDGE 1e-3 /* of a step: an event so little after its end belongs to it */

/* Inputs of a chunk under way. */
typedef struct encoding {
  const mho_encode_config *how;
  const mho_tick *tick;
  mho_rng rng;
  uint64_t step;   /* of what is drawn */
  uint64_t first;  /* cell of the first input */
  mho_encoder own; /* of the first input on */
  int units;
  const mho_events *events; /* of the first sample on; NULL: there are none */
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

static void fire_drawn(const encoding *c, size_t n, const mho_real *x, mho_real *spike) {
  for (size_t i0 = 0; i0 < n; i0 += DRAWN) {
    float u[DRAWN];
    size_t some = mho_min_size(n - i0, DRAWN);
    if (is_black((int)some, x + i0)) {
      memset(spike + i0, 0, some * sizeof *spike);
      continue;
    }
    mho_rng_uniform(c->rng, c->step, c->first + i0, some, u);
    fire_at_random(c, u, (int)some, x + i0, spike + i0);
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

/* The step of the first event of input i that is later than step `now`. */
static mho_real next_event(const encoding *c, size_t i, double now) {
  const mho_events *e = &c->events[i / (size_t)c->units];
  int unit = (int)(i % (size_t)c->units);
  for (int k = events_from(e, unit); k < e->n && e->event[k].unit == unit; k++) {
    double step = mho__encode_step(e->event[k].time, c->tick->dt);
    if (step > now)
      return (mho_real)step;
  }
  return (mho_real)INFINITY;
}

/* A phase begins: the first events of all inputs of so many samples. */
static void look_at_events(const encoding *c, size_t samples) {
  for (size_t i = 0; i < samples * (size_t)c->units; i++)
    c->own.due[i] = (mho_real)INFINITY;

  for (size_t s = 0; s < samples; s++) {
    const mho_events *e = &c->events[s];
    mho_real *due = c->own.due + s * (size_t)c->units;
    for (int k = e->n - 1; k >= 0; k--)
      due[e->event[k].unit] = (mho_real)mho__encode_step(e->event[k].time, c->tick->dt);
  }
}

/* ---------------------------------------------------------------- what is next */

/* When input i fires next, after step `now`. */
static mho_real next_spike(const encoding *c, size_t i, mho_real x, double now) {
  if (c->how->kind == MHO_ENCODE_EVENTS)
    return next_event(c, i, now);
  if (c->how->kind == MHO_ENCODE_LATENCY)
    return now > 0 ? (mho_real)INFINITY : crossing_of(c, x);
  double each = expected(c, x);
  if (each <= 0)
    return (mho_real)INFINITY;
  return next_of(each < 1 ? each : 1, (double)c->own.phase[i], now);
}

/* A phase begins: the first spikes of all inputs. */
static void look_ahead(const encoding *c, size_t n, const mho_real *x) {
  for (size_t i0 = 0; i0 < n; i0 += DRAWN) {
    float u[DRAWN];
    size_t some = mho_min_size(n - i0, DRAWN);
    if (!is_black((int)some, x + i0))
      mho_rng_uniform(c->rng, c->step, c->first + i0, some, u);
    else
      memset(u, 0, sizeof u);
    for (size_t i = i0; i < i0 + some; i++) {
      c->own.phase[i] = (mho_real)u[i - i0];
      c->own.due[i] = next_spike(c, i, x[i], 0);
    }
  }
}

/* Those whose time has come fire, and are given their next one. */
static void fire_due(const encoding *c, size_t n, const mho_real *x, mho_real *spike) {
  mho_real now = (mho_real)c->tick->number, *due = c->own.due;
#pragma omp simd
  for (size_t i = 0; i < n; i++)
    spike[i] = due[i] == now ? 1 : 0;

  mho_nonzero fired = {.n = (int)n, .v = spike};
  for (int i = mho__next_nonzero(&fired); i >= 0; i = mho__next_nonzero(&fired))
    due[i] = next_spike(c, (size_t)i, x[i], (double)c->tick->number);
}

/* ---------------------------------------------------------------- a step */

void mho__encode(const mho_phase *p, const mho_tick *tick, mho_encoder own, mho_real *spike) {
  const mho_encode_config *how = p->thread->encode;
  size_t units = (size_t)p->net->layer[0].n, n = mho__phase_count(p, 0);
  const mho_real *x = mho__values(p->net, mho_phase_input(p)->z, 0, p->row0);
  bool is_drawn = how->kind == MHO_ENCODE_POISSON;
  encoding c = {.how = how,
                .tick = tick,
                .rng = mho__stream_spikes(p->thread->noise_seed, 0),
                .step = mho__step_read(p->thread->update, p->number, is_drawn ? tick->number : 0),
                .first = (uint64_t)p->row0 * units,
                .own = own,
                .units = (int)units};
  bool is_given = how->kind == MHO_ENCODE_EVENTS;
  const mho_events *events = mho_phase_input(p)->events;
  bool has_none = how->kind == MHO_ENCODE_DIRECT || (is_given && !events);
  c.events = events ? events + p->row0 : NULL;

  if (tick->resting || has_none) {
    memset(spike, 0, n * sizeof *spike);
    return;
  }
  if (is_drawn) {
    fire_drawn(&c, n, x, spike);
    return;
  }
  if (tick->number == 1 && is_given)
    look_at_events(&c, (size_t)p->n);
  else if (tick->number == 1)
    look_ahead(&c, n, x);
  fire_due(&c, n, x, spike);
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
