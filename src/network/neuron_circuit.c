/* neuron_circuit.c - neurons as circuits: gain, offset, time constant, slew and saturation of
 * each, with mismatch.
 *
 *   z = clip(rho(g (a + o)), +-limit),   tau_i du/dt = -u + a, |du/dt| tau <= slew_i
 *
 * g = 1 + s_g x, o = s_o x, limit = saturation (1 + s x), all normal; tau_i = tau e^(s x) and
 * the slew likewise log-normal, so that they stay positive. Drawn from the chip's seed. Gain,
 * offset and limit move the equilibrium: every settler has them. tau and slew only say how it is
 * reached. Of neurons that spike tau is that of the membrane, and their thresholds are spread
 * evenly. Nodes between resistors have amplifiers with gains of voltage and current, which are
 * spread alike.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "network/neuron_circuit.h"

#include <math.h>

#include "base/streams.h"

/* What is drawn, in the order of the streams. */
enum { TAU, GAIN, OFFSET, LIMIT, SLEW, QUANTITIES };

/* ---------------------------------------------------------------- construction */

static void circuit_free(mho_circuit *c) {
  if (!c)
    return;

  mho_free(c->gain);
  mho_free(c->offset);
  mho_free(c->limit);
  mho_free(c->tau);
  mho_free(c->slew);
  mho_free(c->threshold);
  mho_free(c->current);
  mho_free(c);
}

void mho__neuron_circuits_free(mho_network *net) {
  if (!net->layer)
    return;
  for (int l = 0; l < net->n_layers; l++) {
    circuit_free((mho_circuit *)(uintptr_t)net->layer[l].circuit);
    circuit_free((mho_circuit *)(uintptr_t)net->layer[l].copy);
  }
}

/* [n] of middle (1 + spread x), or middle e^(spread x); NULL without memory. */
static double *draw(int n, mho_rng rng, double middle, double spread, bool logarithmic) {
  float *x = mho_alloc((size_t)n, sizeof *x);
  double *v = mho_alloc((size_t)n, sizeof *v);
  if (!x || !v) {
    mho_free(x);
    mho_free(v);
    return NULL;
  }

  mho_rng_normal(rng, 0, 0, (size_t)n, x);
  for (int i = 0; i < n; i++)
    v[i] = logarithmic ? middle * exp(spread * (double)x[i]) : middle + spread * (double)x[i];
  mho_free(x);
  return v;
}

/* [n] of middle + spread x, at least `least`; NULL without memory. */
static mho_real *draw_real(int n, mho_rng rng, double middle, double spread, double least) {
  double *v = draw(n, rng, middle, spread, false);
  mho_real *r = mho_alloc((size_t)n, sizeof *r);
  if (!v || !r) {
    mho_free(v);
    mho_free(r);
    return NULL;
  }

  for (int i = 0; i < n; i++)
    r[i] = (mho_real)fmax(v[i], least);
  mho_free(v);
  return r;
}

/* [n] uniform in +-half; NULL without memory. */
static double *draw_even(int n, mho_rng rng, double half) {
  float *u = mho_alloc((size_t)n, sizeof *u);
  double *v = mho_alloc((size_t)n, sizeof *v);
  if (!u || !v) {
    mho_free(u);
    mho_free(v);
    return NULL;
  }

  mho_rng_uniform(rng, MHO_DRAW_THRESHOLD, 0, (size_t)n, u);
  for (int i = 0; i < n; i++)
    v[i] = half * (2 * (double)u[i] - 1);
  mho_free(u);
  return v;
}

/* The circuits of the n neurons of layer l, or their second ones; NULL without memory.
 * spread: of thresholds; current: of gains of current. */
static mho_circuit *circuit_new(const mho_circuit_config *k, double spread, double current, int n,
                                uint64_t seed, int l, bool copy) {
  mho_circuit *c = mho_alloc(1, sizeof *c);
  if (!c)
    return NULL;

  mho_rng rng[QUANTITIES];
  for (int q = 0; q < QUANTITIES; q++)
    rng[q] = copy ? mho__stream_copies(seed, l, QUANTITIES, q)
                  : mho__stream_neurons(seed, l, QUANTITIES, q);

  if (k->gain > 0)
    c->gain = draw_real(n, rng[GAIN], 1, k->gain, 0);
  if (k->offset > 0)
    c->offset = draw_real(n, rng[OFFSET], 0, k->offset, -INFINITY);
  if (k->saturation > 0)
    c->limit = draw_real(n, rng[LIMIT], k->saturation, k->saturation * k->saturation_spread, 0);
  if (k->tau > 0)
    c->tau = draw(n, rng[TAU], 1, k->tau, true);
  if (k->slew > 0)
    c->slew = draw(n, rng[SLEW], k->slew, k->slew_spread, true);
  if (spread > 0)
    c->threshold = draw_even(n, rng[TAU], spread);
  if (current > 0) /* of nodes, which slew at any rate */
    c->current = draw_real(n, rng[SLEW], 1, current, 0);

  bool lacks = (k->gain > 0 && !c->gain) || (k->offset > 0 && !c->offset) ||
               (k->saturation > 0 && !c->limit) || (k->tau > 0 && !c->tau) ||
               (k->slew > 0 && !c->slew) || (spread > 0 && !c->threshold) ||
               (current > 0 && !c->current);
  if (lacks) {
    circuit_free(c);
    return NULL;
  }
  return c;
}

mho_err mho__neuron_circuits_new(mho_network *net, const mho_circuit_config *c, uint64_t chip_seed,
                                 mho_errinfo *ei) {
  double spread = net->spiking ? net->spiking->spread : 0;
  double current = net->resistive && c ? c->current : 0;
  bool is_ideal =
      !c || (c->gain <= 0 && c->offset <= 0 && c->saturation <= 0 && c->tau <= 0 && c->slew <= 0);
  if (is_ideal && spread <= 0 && current <= 0)
    return MHO_OK;

  for (int l = 1; l < mho_hidden_end(net); l++) {
    mho_layer *layer = &net->layer[l];
    layer->circuit = circuit_new(c, spread, current, layer->n, chip_seed, l, false);
    layer->copy = circuit_new(c, spread, current, layer->n, chip_seed, l, true);
    if (!layer->circuit || !layer->copy)
      return mho_fail(ei, MHO_ENOMEM, "no memory for the circuits of %d neurons", layer->n);
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- use */

/* Loops over all values of a layer for `samples` samples, in both precisions. */

/* to = gain (from + offset); to may be from. */
#define AMPLIFY(T)                                                                                 \
  for (int s = 0; s < samples; s++)                                                                \
    for (int i = 0; i < n; i++) {                                                                  \
      T v = from[s * n + i] + (c->offset ? (T)c->offset[i] : 0);                                   \
      to[s * n + i] = c->gain ? v * (T)c->gain[i] : v;                                             \
    }
/* z = z clipped to +-limit. */
#define LIMIT_TO(T)                                                                                \
  for (int s = 0; s < samples; s++)                                                                \
    for (int i = 0; i < n; i++) {                                                                  \
      T most = (T)c->limit[i];                                                                     \
      if (z[s * n + i] > most)                                                                     \
        z[s * n + i] = most;                                                                       \
      else if (z[s * n + i] < -most)                                                               \
        z[s * n + i] = -most;                                                                      \
    }
/* d *= d(activity)/d(input) of the amplifiers around rho. */
#define SLOPE(T)                                                                                   \
  for (int s = 0; s < samples; s++)                                                                \
    for (int i = 0; i < n; i++) {                                                                  \
      T v = z[s * n + i];                                                                          \
      if (c->limit && (v >= (T)c->limit[i] || v <= -(T)c->limit[i]))                               \
        d[s * n + i] = 0;                                                                          \
      else if (c->gain)                                                                            \
        d[s * n + i] *= (T)c->gain[i];                                                             \
    }

static void amplify(const mho_circuit *c, int samples, int n, const mho_real *from, mho_real *to) {
  AMPLIFY(mho_real)
}

static void amplify_double(const mho_circuit *c, int samples, int n, const double *from,
                           double *to) {
  AMPLIFY(double)
}

void mho_layer_activate(const mho_layer *layer, int samples, const mho_real *a, mho_real *z) {
  const mho_circuit *c = layer->circuit;
  int n = layer->n;
  if (!c) {
    layer->neuron->activate(samples * n, a, z);
    return;
  }

  amplify(c, samples, n, a, z);
  layer->neuron->activate(samples * n, z, z);
  if (c->limit)
    LIMIT_TO(mho_real)
}

void mho_layer_scale_by_slope(const mho_layer *layer, int samples, const mho_real *z, mho_real *d) {
  const mho_circuit *c = layer->circuit;
  int n = layer->n;
  layer->neuron->scale_by_slope(samples * n, z, d);
  if (c)
    SLOPE(mho_real)
}

void mho_layer_activate_keep(const mho_layer *layer, int samples, mho_real *a, mho_real *keep) {
  if (layer->circuit)
    amplify(layer->circuit, samples, layer->n, a, a);
  layer->neuron->activate_keep(samples * layer->n, a, keep);
}

void mho_layer_difference(const mho_layer *layer, int samples, mho_real c, const mho_real *z,
                          const mho_real *keep, mho_real *e) {
  const mho_real *gain = layer->circuit ? layer->circuit->gain : NULL;
  int n = layer->n;
  if (gain)
    for (int s = 0; s < samples; s++)
      for (int i = 0; i < n; i++)
        e[s * n + i] *= gain[i];
  layer->neuron->difference(samples * n, c, z, keep, e);
}

void mho_layer_activate_double(const mho_layer *layer, int samples, const double *a, double *z) {
  const mho_circuit *c = layer->circuit;
  int n = layer->n;
  if (!c) {
    layer->neuron->activate_double(samples * n, a, z);
    return;
  }

  amplify_double(c, samples, n, a, z);
  layer->neuron->activate_double(samples * n, z, z);
  if (c->limit)
    LIMIT_TO(double)
}

void mho_layer_scale_by_slope_double(const mho_layer *layer, int samples, const double *z,
                                     double *d) {
  const mho_circuit *c = layer->circuit;
  int n = layer->n;
  layer->neuron->scale_by_slope_double(samples * n, z, d);
  if (c)
    SLOPE(double)
}
