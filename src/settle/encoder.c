/* encoder.c - inputs as spikes: how a number x >= 0 becomes 0 or 1 in every step of a clock.
 *
 *   poisson   1 with probability min(x rate dt, 1), in each step for itself
 *   regular   x rate dt spikes a step: as often as floor(phi + t x rate dt) rises in step t, phi
 *             uniform in (0, 1) for every line
 *   latency   one spike, when a neuron of threshold h that x charges has got there:
 *             t = -tau ln(1 - h/x), for x > h
 *   direct    none: x drives its row in every step, as it is
 *
 * What is drawn is named by update, phase, step, sample and line, so that it does not depend on
 * threads, chunks or a resume.
 *
 * Source: poisson, latency: W. Gerstner, W. Kistler, "Spiking neuron models" (2002), ch. 5 and 4.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "settle/encoder.h"

#include <math.h>
#include <string.h>

#include "base/streams.h"
#include "settle/links.h"

enum { DRAWN = 64 }; /* numbers drawn at a time */

/* Inputs of a chunk under way. */
typedef struct encoding {
  const mho_encode_config *how;
  const mho_tick *tick;
  mho_rng rng;
  uint64_t step;  /* of what is drawn */
  uint64_t first; /* cell of the first input */
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

static void fire_at_random(const encoding *c, const float *u, int n, const mho_real *x,
                           mho_real *spike) {
  double rate = c->how->rate, dt = c->tick->dt, least = c->how->silent_below;
#pragma omp simd
  for (int i = 0; i < n; i++) {
    double v = (double)x[i], p = v > 0 && v >= least ? v * rate * dt : 0;
    spike[i] = (double)u[i] < p ? 1 : 0;
  }
}

static void fire_regularly(const encoding *c, const float *u, int n, const mho_real *x,
                           mho_real *spike) {
  double t = c->tick->number;
  for (int i = 0; i < n; i++) {
    double each = fmin(expected(c, x[i]), 1), phase = (double)u[i];
    spike[i] = floor(phase + t * each) > floor(phase + (t - 1) * each);
  }
}

static void fire_once(const encoding *c, size_t n, const mho_real *x, mho_real *spike) {
  double t = c->tick->number, h = c->how->threshold;
  for (size_t i = 0; i < n; i++) {
    double v = (double)x[i];
    bool is_silent = v <= h || v < c->how->silent_below;
    double when = is_silent ? (double)INFINITY : -c->how->tau * log1p(-h / v) / c->tick->dt;
    spike[i] = when <= t && when > t - 1;
  }
}

/* Those that something is drawn for. */
static void fire_drawn(const encoding *c, size_t n, const mho_real *x, mho_real *spike) {
  bool is_regular = c->how->kind == MHO_ENCODE_REGULAR;
  for (size_t i0 = 0; i0 < n; i0 += DRAWN) {
    float u[DRAWN];
    size_t some = mho_min_size(n - i0, DRAWN);
    if (is_black((int)some, x + i0)) {
      memset(spike + i0, 0, some * sizeof *spike);
      continue;
    }
    mho_rng_uniform(c->rng, c->step, c->first + i0, some, u);
    if (is_regular)
      fire_regularly(c, u, (int)some, x + i0, spike + i0);
    else
      fire_at_random(c, u, (int)some, x + i0, spike + i0);
  }
}

void mho__encode(const mho_phase *p, const mho_tick *tick, mho_real *spike) {
  const mho_encode_config *how = p->thread->encode;
  size_t units = (size_t)p->net->layer[0].n, n = mho__phase_count(p, 0);
  const mho_real *x = mho__values(p->net, mho_phase_input(p)->z, 0, p->row0);
  bool is_regular = how->kind == MHO_ENCODE_REGULAR;
  encoding c = {.how = how,
                .tick = tick,
                .rng = mho__stream_spikes(p->thread->noise_seed, 0),
                .step = mho__step_read(p->thread->update, p->number, is_regular ? 0 : tick->number),
                .first = (uint64_t)p->row0 * units};

  if (tick->resting || how->kind == MHO_ENCODE_DIRECT)
    memset(spike, 0, n * sizeof *spike);
  else if (how->kind == MHO_ENCODE_LATENCY)
    fire_once(&c, n, x, spike);
  else
    fire_drawn(&c, n, x, spike);
}
