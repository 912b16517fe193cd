/* ep.c - equilibrium propagation: two settlings, the second nudged by the output error.
 *
 *   one-sided  e_l = z_free - z_nudged(+beta_f)
 *   centred    e_l = (z_nudged(-beta_f) - z_nudged(+beta_f))/2
 *   read-out   e   = o - t, at the free state, or at the nudged one
 *
 * e_l is the descent direction beta_f beta_i^h dC/da_l to first order (second order for centred
 * nudging), h the fewest feedback links from the read-out's neighbours. The error is that of the
 * free state, held, or re-read at every step (live).
 *
 * In floating point the difference can be settled itself (see settle/sweep.c); it then comes
 * divided by beta_f beta_i^h.
 *
 * Source: B. Scellier, Y. Bengio, Front. Comput. Neurosci. 11:24 (2017); centred: A. Laborieux
 * et al., Front. Neurosci. 15:633674 (2021); FRE-RNN: Liu & Chen, arXiv 2508.11659, Algorithm 1.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/streams.h"
#include "rule/phase.h"

typedef struct ep {
  double nudge;
  int phases, error, readout;
} ep;

enum { ONE_SIDED, CENTRED };
enum { HELD, LIVE };
enum { AT_FREE, AT_NUDGED };

static const mho_param table[] = {
    MHO_P_REAL(ep, nudge, "nudge", "", 0.1, 1e-6, 100, "beta_f, strength of the nudge"),
    MHO_P_CHOICE(ep, phases, "phases", "one_sided|centred", ONE_SIDED,
                 "free and nudged, or nudged both ways around the free state"),
    MHO_P_CHOICE(ep, error, "error", "held|live", HELD,
                 "the nudge carries the error of the free state, or that of the present one"),
    MHO_P_CHOICE(
        ep, readout, "readout", "free|nudged", AT_FREE,
        "the read-out learns from the error of the free state, or from that of the (first) "
        "nudged one"),
};

static bool is_centred(const mho_lesson *lesson) {
  return ((const ep *)lesson->params)->phases == CENTRED;
}

static int n_states(const void *params, bool direct) {
  bool centred = ((const ep *)params)->phases == CENTRED;
  return 1 + (direct ? centred : 1 + centred);
}

static double size(const mho_lesson *lesson, int layer) {
  const ep *p = lesson->params;
  if (layer == mho_network_output(lesson->net))
    return 1;
  return p->nudge * mho_network_signal_scale(lesson->net, layer);
}

static const char *direct_needs(const void *params) {
  const ep *p = params;
  if (p->error == LIVE)
    return "a live error is read from two states: use rule.error held";
  if (p->readout == AT_NUDGED)
    return "a read-out that learns from the nudged state needs that state: use rule.readout free";
  return NULL;
}

/* ---------------------------------------------------------------- two states, subtracted */

/* e = factor (minus - plus) of a layer of analog neurons, as converters measure the states;
 * those of the free phase, which the gradient multiplies with, become the measured ones. */
static void measure_layer(const mho_lesson *lesson, int l) {
  const mho_network_array *array = &lesson->net->array;
  mho_measure m = {.n = lesson->n,
                   .width = lesson->net->layer[l].n,
                   .layer = l,
                   .a = mho__values(lesson->net, lesson->state[0]->z, l, lesson->sample0),
                   .b = mho__values(lesson->net, lesson->state[1]->z, l, lesson->sample0),
                   .e = mho__values(lesson->net, lesson->error, l, lesson->sample0),
                   .phase_b = 1,
                   .update = lesson->thread->update,
                   .sample0 = lesson->sample0,
                   .scratch = lesson->thread->scratch};

  if (!is_centred(lesson)) {
    array->model->measure(array->crossbar, &m);
    return;
  }

  /* the free state alone, then half the difference of the nudged ones */
  const mho_real *plus = m.b;
  m.b = NULL;
  array->model->measure(array->crossbar, &m);

  m.a = mho__values(lesson->net, lesson->state[2]->z, l, lesson->sample0);
  m.b = plus;
  m.phase_a = 2;
  array->model->measure(array->crossbar, &m);

  size_t n = mho__rule_count(lesson, l);
  for (size_t i = 0; i < n; i++)
    m.e[i] *= (mho_real)0.5;
}

/* Where a settler that subtracts puts what a nudged phase moved. */
static mho_real *const *room_for(const mho_lesson *lesson, int phase) {
  return phase == 1 ? lesson->error : lesson->state[2]->next;
}

/* The drive of a nudged phase. */
static mho_drive nudge_of(const mho_lesson *lesson, int phase) {
  const ep *p = lesson->params;
  return (mho_drive){.kind = p->error == HELD ? MHO_DRIVE_HELD : MHO_DRIVE_LIVE,
                     .strength = phase == 1 ? p->nudge : -p->nudge,
                     .error = lesson->error[mho_network_output(lesson->net)],
                     .targets = lesson->targets,
                     .free = lesson->state[0]};
}

/* Nudged phase number `phase`: 1 with the positive nudge, 2 with the negative one. */
static void settle_nudged(const mho_lesson *lesson, int phase, mho_rule_stats *stats) {
  const mho_settler *settler = lesson->thread->settler;
  mho_phase nudged = mho__rule_phase(lesson);
  mho_probe probe = mho__probe_of(&nudged);
  probe.time = NULL; /* those are of the free phase */
  probe.moved = settler->subtracts ? room_for(lesson, phase) : NULL;

  nudged.s = lesson->state[phase];
  nudged.start = lesson->state[settler->in_time ? phase - 1 : 0];
  nudged.number = phase;
  nudged.drive = nudge_of(lesson, phase);
  nudged.probe = &probe;
  mho_settle(&nudged, &stats->nudged);
}

/* The read-out's error at the nudged state, in place of the free one's. */
static void read_out_nudged(const mho_lesson *lesson, mho_rule_stats *stats) {
  mho_phase nudged = mho__rule_phase(lesson);
  double loss = 0;
  int64_t correct = 0;
  nudged.s = lesson->state[1];
  nudged.number = 1;
  nudged.drive.free = lesson->state[0];
  nudged.thread->step = MHO_STEP_READ_OUT;
  mho_read_out(&nudged, lesson->error[mho_network_output(lesson->net)], &loss, &correct,
               &stats->nudged);
}

/* e = the states of layer l subtracted. */
static void subtract_states(const mho_lesson *lesson, int l) {
  bool centred = is_centred(lesson);
  size_t n = mho__rule_count(lesson, l);
  const mho_real *plus = mho__values(lesson->net, lesson->state[1]->z, l, lesson->sample0);
  const mho_real *minus =
      mho__values(lesson->net, lesson->state[centred ? 2 : 0]->z, l, lesson->sample0);
  mho_real *e = mho__values(lesson->net, lesson->error, l, lesson->sample0),
           factor = centred ? (mho_real)0.5 : 1;

  for (size_t i = 0; i < n; i++)
    e[i] = factor * (minus[i] - plus[i]);
}

/* e = (e + sign other)/2 of layer l: the mean of what both nudged phases gave. */
static void average(const mho_lesson *lesson, int l, const mho_real *other, mho_real sign) {
  mho_real *e = mho__values(lesson->net, lesson->error, l, lesson->sample0);
  size_t n = mho__rule_count(lesson, l);
  for (size_t i = 0; i < n; i++)
    e[i] = (mho_real)0.5 * (e[i] + sign * other[i]);
}

/* Two states, subtracted: what hardware measures. */
static void learn_by_states(const mho_lesson *lesson, mho_rule_stats *stats) {
  const ep *p = lesson->params;
  const mho_network_array *array = &lesson->net->array;
  bool measured = array->model->measures && array->model->measures(array->params);
  bool centred = is_centred(lesson);

  settle_nudged(lesson, 1, stats);
  if (centred)
    settle_nudged(lesson, 2, stats);

  if (p->readout == AT_NUDGED)
    read_out_nudged(lesson, stats);

  for (int l = 1; l < mho_hidden_end(lesson->net); l++) {
    if (measured)
      measure_layer(lesson, l);
    else if (!lesson->thread->settler->subtracts)
      subtract_states(lesson, l);
    else if (centred) /* the settler has put what moved into e, and of the second phase apart */
      average(lesson, l, mho__values(lesson->net, room_for(lesson, 2), l, lesson->sample0), -1);
  }
}

/* ---------------------------------------------------------------- the difference itself */

/* The difference settled itself, scaled to the size of the true gradient. */
static void learn_directly(const mho_lesson *lesson, mho_rule_stats *stats) {
  const mho_network *net = lesson->net;
  mho_real *const *other = lesson->state[1] ? lesson->state[1]->z : NULL;
  mho_phase nudged = mho__rule_phase(lesson);
  mho_probe probe = {.meter = mho__probe_of(&nudged).meter};

  nudged.number = 1;
  nudged.drive = nudge_of(lesson, 1);
  nudged.drive.free = NULL; /* what is settled is a change of the free state itself */
  nudged.probe = &probe;
  mho_settle_difference(&nudged, &stats->free, lesson->error, &stats->nudged);
  if (!is_centred(lesson))
    return;

  nudged.number = 2;
  nudged.drive.strength = -nudged.drive.strength;
  mho_settle_difference(&nudged, &stats->free, other, &stats->nudged);
  for (int l = 1; l < mho_hidden_end(net); l++)
    average(lesson, l, mho__values(net, other, l, lesson->sample0), 1);
}

static void learn(const mho_lesson *lesson, mho_rule_stats *stats) {
  mho__rule_settle(lesson, lesson->error[mho_network_output(lesson->net)], stats);
  if (lesson->direct)
    learn_directly(lesson, stats);
  else
    learn_by_states(lesson, stats);
}

const mho_rule mho_rule_ep = {
    .entry = {.abi = MHO_ABI,
              .id = "ep",
              .title = "equilibrium propagation",
              .equation = "grad W = z_free^T (z_free - z_nudged)/B",
              .source = "Scellier & Bengio, Front. Comput. Neurosci. 11:24 (2017); Liu & Chen, "
                        "arXiv 2508.11659",
              .params = MHO_PARAMS(ep, table)},
    .direct_needs = direct_needs,
    .n_states = n_states,
    .size = size,
    .predict = mho__rule_predict,
    .learn = learn,
    .change = mho_change_by_error,
    .also_applies = MHO_APPLY_SAMPLE,
};
