/* squares.c - what conductances of a network of resistors learn.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "rule/squares.h"

#include <math.h>
#include <string.h>

#include "array/periphery.h"
#include "rule/phase.h"

/* ---------------------------------------------------------------- memory */

/* What is kept of every layer, block after block of as many arrays as there are layers. */
enum { MEAN, DRIVEN, PRODUCT, DRIVEN_ERROR, DRIVEN_PRODUCT, KINDS };

mho_err mho__squares_new(const mho_network *net, int batch, void **own, mho_errinfo *ei) {
  size_t lists = KINDS * (size_t)net->n_layers;
  mho_real **list = mho_alloc(lists + 1, sizeof *list); /* NULL behind them */
  bool ok = list != NULL;
  *own = list;
  for (size_t i = 0; i < lists; i++) {
    const mho_layer *layer = &net->layer[i % (size_t)net->n_layers];
    int kind = (int)(i / (size_t)net->n_layers), l = (int)(i % (size_t)net->n_layers);
    bool is_alike = kind >= DRIVEN_ERROR && !mho_resistive_gains(net, l);
    size_t n = layer->has_state && !is_alike ? (size_t)layer->n : 0;
    if (ok)
      list[i] = mho_alloc((size_t)batch * n, sizeof **list);
    ok = ok && list[i];
  }
  return ok ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for the voltages of %d samples", batch);
}

/* The samples of a lesson in what is kept of a layer. */
static mho_real *kept(const mho_lesson *lesson, int kind, int l) {
  mho_real **list = lesson->own;
  return mho__values(lesson->net, list + kind * lesson->net->n_layers, l, lesson->sample0);
}

/* ---------------------------------------------------------------- what a lesson leaves */

void mho__squares_mean(const mho_lesson *lesson, int l, const mho_real *a, double factor,
                       const mho_real *b) {
  mho_real *m = kept(lesson, MEAN, l), f = (mho_real)factor;
  size_t n = mho__rule_count(lesson, l);
  for (size_t i = 0; i < n; i++)
    m[i] = a[i] + f * b[i];
}

/* to += factor times what measuring layer l after a phase adds. */
static void add_noise(const mho_lesson *lesson, int l, int phase, double factor, mho_real *to) {
  enum { DRAWN = 256 }; /* numbers at a time */
  const mho_network *net = lesson->net;
  double sigma = factor * mho_resistive_noise(net);
  mho_rng rng = mho__stream_nodes(net->state_noise.seed, l);
  uint64_t step = mho__step_read(lesson->thread->update, phase, MHO_STEP_READ_OUT);
  uint64_t cell0 = (uint64_t)lesson->sample0 * (uint64_t)net->layer[l].n;
  size_t n = mho__rule_count(lesson, l);
  if (sigma == 0)
    return;

  for (size_t i0 = 0; i0 < n; i0 += DRAWN) {
    float xi[DRAWN];
    size_t m = mho_min_size(n - i0, DRAWN);
    mho_rng_normal(rng, step, cell0 + i0, m, xi);
    for (size_t i = 0; i < m; i++)
      to[i0 + i] += (mho_real)(sigma * (double)xi[i]);
  }
}

static mho_converter converter_of(const mho_lesson *lesson) {
  return mho__converter_of(lesson->net->resistive->adc_bits);
}

/* What measuring layer l after a phase makes of its voltages v. */
static void measure(const mho_lesson *lesson, int l, int phase, mho_real *v) {
  mho_converter converter = converter_of(lesson);
  mho_real range = (mho_real)mho_resistive_adc_range(lesson->net);
  add_noise(lesson, l, phase, 1, v);
  if (converter.most > 0)
    mho__convert(converter, (int)mho__rule_count(lesson, l), 1, &range, 0, v);
}

/* Two states of layer l that stand in e and m are measured: e becomes their difference, m their
 * mean. */
static void measure_both(const mho_lesson *lesson, int l, int phase_a, int phase_b, mho_real *e,
                         mho_real *m) {
  mho_real half = (mho_real)0.5;
  measure(lesson, l, phase_a, e);
  measure(lesson, l, phase_b, m);
  for (size_t i = 0; i < mho__rule_count(lesson, l); i++) {
    e[i] -= m[i];
    m[i] += half * e[i];
  }
}

void mho__squares_measure(const mho_lesson *lesson, int l, const mho_real *a, int phase_a,
                          const mho_real *b, int phase_b, mho_real *e) {
  mho_real *m = kept(lesson, MEAN, l);
  size_t n = mho__rule_count(lesson, l);
  memcpy(e, a, n * sizeof *e);
  memcpy(m, b, n * sizeof *m);
  measure_both(lesson, l, phase_a, phase_b, e, m);
}

/* What converters make of a difference e and a mean m, by way of the two states themselves. */
static void convert_difference(const mho_lesson *lesson, int l, int phase_a, int phase_b,
                               double nudges, mho_real *e, mho_real *m) {
  size_t n = mho__rule_count(lesson, l);
  mho_real half = (mho_real)(0.5 * nudges), whole = (mho_real)(1 / nudges);
  for (size_t i = 0; i < n; i++) {
    mho_real a = m[i] + half * e[i];
    m[i] -= half * e[i];
    e[i] = a;
  }

  measure_both(lesson, l, phase_a, phase_b, e, m);
  for (size_t i = 0; i < n; i++)
    e[i] *= whole;
}

void mho__squares_disturb(const mho_lesson *lesson, int l, int phase_a, int phase_b,
                          double nudges) {
  mho_real *m = kept(lesson, MEAN, l);
  mho_real *e = mho__values(lesson->net, lesson->error, l, lesson->sample0);
  if (converter_of(lesson).most > 0) {
    convert_difference(lesson, l, phase_a, phase_b, nudges, e, m);
    return;
  }
  add_noise(lesson, l, phase_a, 1 / nudges, e);
  add_noise(lesson, l, phase_b, -1 / nudges, e);
  add_noise(lesson, l, phase_a, 0.5, m);
  add_noise(lesson, l, phase_b, 0.5, m);
}

/* What the nodes of a layer drive, with gains x of their own: a x m, x e, and x^2 m e. */
static void drive(const mho_lesson *lesson, int l, const mho_real *gains) {
  const mho_real *e = mho__values(lesson->net, lesson->error, l, lesson->sample0);
  const mho_real *product = kept(lesson, PRODUCT, l);
  mho_real *driven = kept(lesson, DRIVEN, l), *error = kept(lesson, DRIVEN_ERROR, l);
  mho_real *driven_product = kept(lesson, DRIVEN_PRODUCT, l);
  size_t n = (size_t)lesson->net->layer[l].n;

  for (size_t i = 0; i < mho__rule_count(lesson, l); i++) {
    mho_real x = gains[i % n];
    driven[i] *= x;
    error[i] = x * e[i];
    driven_product[i] = x * x * product[i];
  }
}

void mho__squares_multiply(const mho_lesson *lesson) {
  const mho_network *net = lesson->net;
  mho_real gain = (mho_real)net->resistive->voltage;

  for (int l = 1; l < mho_hidden_end(net); l++) {
    const mho_real *m = kept(lesson, MEAN, l);
    const mho_real *e = mho__values(net, lesson->error, l, lesson->sample0);
    mho_real *driven = kept(lesson, DRIVEN, l), *product = kept(lesson, PRODUCT, l);
    size_t n = mho__rule_count(lesson, l);
    for (size_t i = 0; i < n; i++) {
      driven[i] = gain * m[i];
      product[i] = m[i] * e[i];
    }
    if (mho_resistive_gains(net, l))
      drive(lesson, l, mho_resistive_gains(net, l));
  }
}

/* ---------------------------------------------------------------- balance */

void mho__rule_balance(const mho_lesson *lesson, mho_settle_stats *stats) {
  mho_phase free = mho__rule_phase(lesson);
  mho_balance of[MHO_CHUNK_MAX], *sum = &stats->balance;
  lesson->dynamics->balance(&free, of, stats);

  for (int i = 0; i < lesson->n; i++) {
    sum->kirchhoff = fmax(sum->kirchhoff, of[i].kirchhoff);
    sum->dissipated += of[i].dissipated;
    sum->supplied += of[i].supplied;
  }
  stats->balanced += lesson->n;
}

/* ---------------------------------------------------------------- outer products */

static void add_term(const mho_lesson *lesson, const mho_real *pre, const mho_real *post,
                     double scale, bool biased, mho_change *out) {
  mho_outer *o = mho_change_add(out);
  o->pre = pre;
  o->post = post;
  o->n = lesson->n;
  o->scale = scale / lesson->n;
  o->unbiased = !biased;
}

void mho__squares_change(const mho_lesson *lesson, int connection, double factor, mho_change *out) {
  const mho_network *net = lesson->net;
  const mho_connection *k = &net->connection[connection];
  int i = k->from, j = k->to, sample0 = lesson->sample0;
  const mho_real *error_j = mho__values(net, lesson->error, j, sample0);
  double gain = net->resistive->voltage;

  add_term(lesson, NULL, kept(lesson, PRODUCT, j), -factor, false, out);
  if (i == 0) {
    const mho_real *x = mho__values(net, lesson->state[0]->z, 0, sample0);
    add_term(lesson, x, error_j, factor, true, out);
    return;
  }

  bool is_alike = !mho_resistive_gains(net, i);
  const mho_real *error_i =
      is_alike ? mho__values(net, lesson->error, i, sample0) : kept(lesson, DRIVEN_ERROR, i);
  const mho_real *product_i = kept(lesson, is_alike ? PRODUCT : DRIVEN_PRODUCT, i);
  add_term(lesson, kept(lesson, DRIVEN, i), error_j, factor, true, out);
  add_term(lesson, error_i, kept(lesson, MEAN, j), factor * gain, false, out);
  add_term(lesson, product_i, NULL, -factor * gain * gain, false, out);
}

double mho__squares_size(const mho_network *net, int l) {
  const mho_resistive_config *c = net->resistive;
  int outputs = mho_network_output(net) - 1;
  return pow(c->current / c->voltage, outputs - l);
}
