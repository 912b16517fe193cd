/* ep.c - equilibrium propagation: a free settling, and others that the output error nudges.
 *
 *   one-sided  e_l = z_free - z_nudged(+beta_f)
 *   centred    e_l = (z_nudged(-beta_f) - z_nudged(+beta_f))/2
 *   points     e_l = sum over k of w_k (z_nudged(-k beta_f) - z_nudged(+k beta_f))/2
 *   read-out   e   = o - t, at the free state, or at the nudged one
 *
 * e_l is the descent direction beta_f beta_i^h dC/da_l to first order (second order for centred
 * nudging; with points of the order of the polynomial through them, plus one), h the fewest
 * feedback links from the read-out's neighbours. The error is that of the free state, held, or
 * re-read at every step (live). The weights w_k of points are those of rule/stencil.h: with four
 * of them 4/3 and -1/6, so that e_l = [8 (z(-b) - z(+b)) - (z(-2b) - z(+2b))]/12.
 *
 * Where crossbars are read both ways between states, both uses are part of the gradient (`tied:
 * both`): with beta_i = alpha the change is that of prototypical equilibrium propagation,
 *
 *   grad W_ij = -d/dbeta (z_i z_j) = z_i e_j + e_i z_j    (at the free state, to the same order)
 *
 * of an energy in which all states are coupled, outputs that hold states among them.
 *
 * Nudged phases come in pairs, up (odd numbers) and down (even ones), which settle one after the
 * other in two states: what a pair gives is added to e_l before the next one settles.
 *
 * In floating point the difference can be settled itself (see settle/sweep.c); it then comes
 * divided by beta_f beta_i^h.
 *
 * Adaptation: the nudged states are pulled back towards the free ones while they settle,
 * z <- (1 - c) F(z) + c z_free. Small differences d = z - z_free then settle to d = n (k - M)^-1,
 * k = 1/(1 - c), n what the nudge brings and M the linearized recurrence, as if beta_i and alpha
 * were divided by k: d is smaller, by k^-(h+1) in a chain, and its direction nearer to that of
 * backpropagation. A step of dt tau with a pull of c is here one with k - 1 = c/((1 - c) dt).
 *
 * Source: B. Scellier, Y. Bengio, Front. Comput. Neurosci. 11:24 (2017); centred: A. Laborieux
 * et al., Front. Neurosci. 15:633674 (2021); points, on a circle in the complex plane instead of on
 * the real axis: A. Laborieux, F. Zenke, arXiv 2209.00530; adaptation: Y. Kubo, E. Chalmers, A.
 * Luczak, arXiv 2204.14008, in the interleaved form of their program; FRE-RNN: Liu & Chen, arXiv
 * 2508.11659, Algorithm 1; prototypical: M. Ernoult et al., NeurIPS 32 (2019), arXiv
 * 1905.13633.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "base/streams.h"
#include "mho/model/check.h"
#include "rule/squares.h"
#include "rule/stencil.h"
#include "rule/tied.h"

typedef struct ep {
  double nudge, adaptation;
  int64_t adaptation_steps;
  int phases, error, readout, tied, nudge_by;
  int64_t points, order;
} ep;

enum { ONE_SIDED, CENTRED, POINTS };
enum { HELD, LIVE };
enum { AT_FREE, AT_NUDGED };
enum { BY_CONDUCTANCE, BY_CURRENT };
enum { TIED_AUTO, TIED_FORWARD, TIED_BOTH };
enum { FREE, UP, DOWN, STATES }; /* states that a lesson settles in */

static const ep *params_of(const mho_experiment *e) {
  return (const ep *)(const void *)e->rule.params;
}

static const char *without_points(const mho_experiment *e) {
  return params_of(e)->phases == POINTS ? NULL : "rule.phases is not points";
}

static const char *without_order(const mho_experiment *e) {
  const char *why = without_points(e);
  if (why || params_of(e)->points > 2)
    return why;
  return "two points leave order 1 alone (rule.points)";
}

static const char *without_sharing(const mho_experiment *e) {
  if (!mho_idle_without_resistors(e))
    return "conductances learn from the voltages across them (dynamics.name)";
  if (e->feedback.mode == MHO_FEEDBACK_ASYMMETRIC)
    return "feedback has crossbars of its own (feedback.mode)";
  return e->feedback.scale == 0 ? "nothing is fed back (feedback.scale)" : NULL;
}

static bool is_adapted(const ep *p) {
  return p->adaptation > 0 && p->adaptation_steps != 0;
}

static const char *without_steps(const mho_experiment *e) {
  bool none = params_of(e)->adaptation_steps == 0;
  return none ? "no step of a nudged phase is pulled back (rule.adaptation_steps: 0)" : NULL;
}

static const char *without_adaptation(const mho_experiment *e) {
  bool none = params_of(e)->adaptation == 0;
  return none ? "nothing is pulled back (rule.adaptation: 0)" : NULL;
}

static const mho_param table[] = {
    MHO_P_REAL(ep, nudge, "nudge", "", 0.1, 1e-6, 100,
               "beta_f, strength of the nudge; of points the smallest one"),
    MHO_P_CHOICE(ep, phases, "phases", "one_sided|centred|points", ONE_SIDED,
                 "free and nudged, or nudged both ways around the free state, once (centred) or by "
                 "several multiples of the nudge (points)"),
    MHO_P_CHOICE(ep, error, "error", "held|live", HELD,
                 "the nudge carries the error of the free state, or that of the present one"),
    MHO_P_CHOICE(
        ep, readout, "readout", "free|nudged", AT_FREE,
        "the read-out learns from the error of the free state, or from that of the (first) "
        "nudged one"),
    MHO_P_CHOICE(ep, tied, "tied", "auto|forward|both", TIED_AUTO,
                 "a crossbar that feedback between states reads, too, learns from its forward use, "
                 "or from both; auto: both where outputs hold states",
                 .idle = without_sharing),
    MHO_P_CHOICE(ep, nudge_by, "nudge_by", "conductance|current", BY_CONDUCTANCE,
                 "dynamics resistive: the outputs are joined with their targets by conductances, "
                 "or get the currents that these would bring in the free phase",
                 .idle = mho_idle_without_resistors),
    MHO_P_INT(ep, points, "points", 4, 2, 2 * MHO_STENCIL_PAIRS,
              "nudged phases, an even number: 1, 2, .. times rule.nudge, each up and down",
              .idle = without_points),
    MHO_P_INT(
        ep, order, "order", 0, 0, 2 * MHO_STENCIL_PAIRS - 1,
        "odd power up to which a polynomial is fitted to the points by least squares: a lower "
        "one averages more noise out and is further from the limit; 0: points - 1, through "
        "all of them",
        .idle = without_order),
    MHO_P_REAL(
        ep, adaptation, "adaptation", "", 0, 0, 1,
        "c, of the pull back to the free state: z <- (1 - c) z + c z_free after a step, or a "
        "conductance of c/(1 - c) in continuous time",
        .idle = without_steps),
    MHO_P_INT(
        ep, adaptation_steps, "adaptation_steps", 0, -1, 1000,
        "steps (tau in continuous time) that it is on for at the end of a nudged phase, which "
        "they put off; -1: all of it",
        .idle = without_adaptation),
};

static mho_err check_points(const mho_experiment *e, mho_errinfo *ei) {
  const ep *p = params_of(e);
  if (p->phases != POINTS)
    return MHO_OK;

  if (p->points % 2)
    return mho_fail(ei, MHO_ECONFIG,
                    "rule.points: of %d nudges not as many are down as up: use %d or %d",
                    (int)p->points, (int)p->points - 1, (int)p->points + 1);
  if (p->order && p->order % 2 == 0)
    return mho_fail(ei, MHO_ECONFIG,
                    "rule.order: the points are nudged both ways, and what differs is odd: use %d "
                    "or %d",
                    (int)p->order - 1, (int)p->order + 1);
  if (p->order >= p->points)
    return mho_fail(ei, MHO_ECONFIG,
                    "rule.order: %d points say no more than order %d: lower it, or raise "
                    "rule.points",
                    (int)p->points, (int)p->points - 1);
  if (p->readout == AT_NUDGED)
    return mho_fail(ei, MHO_ECONFIG,
                    "rule.readout: of the points of rule.phases none is the nudged state: use "
                    "readout free, or phases one_sided or centred");
  return MHO_OK;
}

/* Not every settler can pull back, and a conductance is finite. */
static mho_err check_adaptation(const mho_experiment *e, mho_errinfo *ei) {
  const mho_settler *settler = (const mho_settler *)e->settler.entry;
  if (!is_adapted(params_of(e)))
    return MHO_OK;
  if (!settler->pull_needs)
    return mho_fail(ei, MHO_ECONFIG,
                    "rule.adaptation: settle.method '%s' pulls nothing back to the free state: use "
                    "sweep, synchronous or ode",
                    settler->entry.id);

  const char *needs = settler->pull_needs(e->settler.params);
  if (needs)
    return mho_fail(ei, MHO_ECONFIG, "rule.adaptation: %s", needs);
  if (settler->in_time && params_of(e)->adaptation == 1)
    return mho_fail(ei, MHO_ECONFIG,
                    "rule.adaptation: 1 is a conductance without end in continuous time "
                    "(settle.method '%s'): use less",
                    settler->entry.id);
  return MHO_OK;
}

static mho_err check_outputs(const mho_experiment *e, mho_errinfo *ei) {
  const ep *p = params_of(e);
  if (p->tied == TIED_BOTH && e->feedback.mode == MHO_FEEDBACK_ASYMMETRIC)
    return mho_fail(ei, MHO_ECONFIG,
                    "rule.tied: both is of crossbars that feedback reads, too, and with "
                    "feedback.mode asymmetric it has its own: use forward");
  if (p->readout == AT_NUDGED && e->network.output == MHO_OUTPUT_STATE)
    return mho_fail(ei, MHO_ECONFIG,
                    "rule.readout: of outputs that hold states (network.output) no weights lead to "
                    "the answer: use readout free");
  return MHO_OK;
}

/* In a network of resistors the nudge is a conductance or a current, and squares of voltages are
 * learned from. */
static mho_err check_resistors(const mho_experiment *e, mho_errinfo *ei) {
  const ep *p = params_of(e);
  if (mho_idle_without_resistors(e))
    return MHO_OK;

  if (p->phases == POINTS)
    return mho_fail(ei, MHO_ECONFIG,
                    "rule.phases: points are not for dynamics.name 'resistive', which learns from "
                    "squares of voltages: use one_sided or centred");
  if (p->error == LIVE)
    return mho_fail(ei, MHO_ECONFIG,
                    "rule.error: with dynamics.name 'resistive' a conductance to the targets is "
                    "the live error: use held, and rule.nudge_by");
  if (is_adapted(p))
    return mho_fail(ei, MHO_ECONFIG,
                    "rule.adaptation: nodes of dynamics.name 'resistive' are pulled back by "
                    "nothing: use 0");
  return MHO_OK;
}

static mho_err check(const mho_experiment *e, mho_errinfo *ei) {
  mho_err err = check_resistors(e, ei);
  if (!err)
    err = check_points(e, ei);
  if (!err)
    err = check_outputs(e, ei);
  return err ? err : check_adaptation(e, ei);
}

/* ---------------------------------------------------------------- phases */

static bool is_one_sided(const mho_lesson *lesson) {
  return ((const ep *)lesson->params)->phases == ONE_SIDED;
}

/* Pairs of nudges, up and down. */
static int n_pairs(const ep *p) {
  if (p->phases == POINTS)
    return (int)p->points / 2;
  return p->phases == CENTRED;
}

static int n_states(const void *params, bool direct) {
  int pairs = n_pairs(params);
  if (direct)
    return pairs ? 2 : 1;
  return pairs ? STATES : 2;
}

static int n_phases(const void *params) {
  int pairs = n_pairs(params);
  return 1 + (pairs ? 2 * pairs : 1);
}

/* What the pairs weigh in an error, [n_pairs]. */
static void find_weights(const ep *p, double *weight) {
  int pairs = n_pairs(p), order = 2 * pairs - 1;
  if (p->phases == POINTS && p->order)
    order = (int)p->order;
  mho__stencil_weights(pairs, order, weight);
}

/* The state that a nudged phase settles in. */
static int state_of(int phase) {
  return phase % 2 ? UP : DOWN;
}

/* By how many times the nudge: pair after pair, first up, then down. */
static int multiple_of(int phase) {
  return phase % 2 ? (phase + 1) / 2 : -phase / 2;
}

static double size(const mho_lesson *lesson, int layer) {
  const ep *p = lesson->params;
  if (layer == mho_network_output(lesson->net))
    return 1;
  if (lesson->net->resistive)
    return p->nudge * mho__squares_size(lesson->net, layer);
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

/* What the error that nudges is: a conductance to the targets follows the present one. */
static mho_drive_kind kind_of_nudge(const mho_lesson *lesson) {
  const ep *p = lesson->params;
  bool is_held = lesson->net->resistive ? p->nudge_by == BY_CURRENT : p->error == HELD;
  return is_held ? MHO_DRIVE_HELD : MHO_DRIVE_LIVE;
}

/* The drive of a nudged phase. */
static mho_drive nudge_of(const mho_lesson *lesson, int phase) {
  const ep *p = lesson->params;
  return (mho_drive){.kind = kind_of_nudge(lesson),
                     .strength = multiple_of(phase) * p->nudge,
                     .error = lesson->error[mho_network_output(lesson->net)],
                     .targets = lesson->targets,
                     .free = lesson->state[FREE],
                     .pull = is_adapted(p) ? p->adaptation : 0,
                     .pull_steps = p->adaptation_steps};
}

/* e of layer l gains factor (a + sign b), or becomes that of the first pair. b: nullable. */
static void add_pair(const mho_lesson *lesson, int l, int pair, double factor, const mho_real *a,
                     const mho_real *b, mho_real sign) {
  mho_real *e = mho__values(lesson->net, lesson->error, l, lesson->sample0);
  mho_real f = (mho_real)factor;
  size_t n = mho__rule_count(lesson, l);

  for (size_t i = 0; i < n; i++) {
    mho_real both = b ? a[i] + sign * b[i] : a[i];
    e[i] = pair == 1 ? f * both : e[i] + f * both;
  }
}

/* ---------------------------------------------------------------- two states, subtracted */

/* Values of layer l in state number `state`. */
static mho_real *states_of(const mho_lesson *lesson, int state, int l) {
  return mho__values(lesson->net, lesson->state[state]->z, l, lesson->sample0);
}

/* Errors of layer l. */
static mho_real *error_of(const mho_lesson *lesson, int l) {
  return mho__values(lesson->net, lesson->error, l, lesson->sample0);
}

/* Room of the size of layer l beside a nudged state. */
static mho_real *room_of(const mho_lesson *lesson, int state, int l) {
  return mho__values(lesson->net, lesson->state[state]->next, l, lesson->sample0);
}

/* States a and b of layer l as converters measure them, which take their place, and e = a - b; b is
 * -1 where there is none. */
static void measure_layer(const mho_lesson *lesson, int l, int a, int phase_a, int b, int phase_b,
                          mho_real *e) {
  const mho_network_array *array = &lesson->net->array;
  mho_measure m = {.n = lesson->n,
                   .width = lesson->net->layer[l].n,
                   .layer = l,
                   .a = states_of(lesson, a, l),
                   .b = b < 0 ? NULL : states_of(lesson, b, l),
                   .e = e,
                   .phase_a = phase_a,
                   .phase_b = phase_b,
                   .update = lesson->thread->update,
                   .sample0 = lesson->sample0,
                   .scratch = lesson->thread->scratch};
  array->model->measure(array->crossbar, &m);
}

/* Where a settler that subtracts puts what a nudged phase moved. */
static mho_real *const *moved_in(const mho_lesson *lesson, int phase) {
  return is_one_sided(lesson) ? lesson->error : lesson->state[state_of(phase)]->next;
}

/* Nudged phase number `phase`. In time it goes on from the one before, else from the free state. */
static void settle_nudged(const mho_lesson *lesson, int phase, mho_rule_stats *stats) {
  const mho_settler *settler = lesson->thread->settler;
  int before = settler->in_time && phase > 1 ? state_of(phase - 1) : FREE;
  mho_phase nudged = mho__rule_phase(lesson);
  mho_probe probe = mho__probe_of(&nudged);
  probe.time = NULL; /* those are of the free phase */
  probe.moved = settler->subtracts ? moved_in(lesson, phase) : NULL;

  nudged.s = lesson->state[state_of(phase)];
  nudged.start = lesson->state[before];
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
  nudged.s = lesson->state[UP];
  nudged.number = 1;
  nudged.drive.free = lesson->state[FREE];
  nudged.thread->step = MHO_STEP_READ_OUT;
  mho_read_out(&nudged, lesson->error[mho_network_output(lesson->net)], &loss, &correct,
               &stats->nudged);
}

/* Whether hidden states are known through converters or amplifiers alone. */
static bool is_measured(const mho_lesson *lesson) {
  const mho_network_array *array = &lesson->net->array;
  return array->model->measures && array->model->measures(array->params);
}

/* e of layer l, free and nudged state. */
static void subtract_nudged(const mho_lesson *lesson, int l) {
  mho_real *e = mho__values(lesson->net, lesson->error, l, lesson->sample0);

  if (is_measured(lesson))
    measure_layer(lesson, l, FREE, 0, UP, 1, e);
  else if (!lesson->thread->settler->subtracts) /* else what moved is in e */
    add_pair(lesson, l, 1, 1, states_of(lesson, FREE, l), states_of(lesson, UP, l), -1);
}

/* e of layer l gains what a pair of nudged states says of it. */
static void subtract_pair(const mho_lesson *lesson, int l, int pair, double factor) {
  mho_real *room = room_of(lesson, UP, l);

  if (lesson->net->resistive) {
    mho__squares_measure(lesson, l, states_of(lesson, DOWN, l), 2 * pair, states_of(lesson, UP, l),
                         2 * pair - 1, room);
    add_pair(lesson, l, pair, factor, room, NULL, 0);
  } else if (is_measured(lesson)) {
    measure_layer(lesson, l, DOWN, 2 * pair, UP, 2 * pair - 1, room);
    add_pair(lesson, l, pair, factor, room, NULL, 0);
  } else if (lesson->thread->settler->subtracts) { /* what moved lies beside both states */
    add_pair(lesson, l, pair, factor, room, room_of(lesson, DOWN, l), -1);
  } else {
    add_pair(lesson, l, pair, factor, states_of(lesson, DOWN, l), states_of(lesson, UP, l), -1);
  }
}

static void learn_one_sided(const mho_lesson *lesson, mho_rule_stats *stats) {
  const ep *p = lesson->params;
  settle_nudged(lesson, 1, stats);
  if (p->readout == AT_NUDGED)
    read_out_nudged(lesson, stats);

  for (int l = 1; l < mho_hidden_end(lesson->net); l++) {
    if (lesson->net->resistive)
      mho__squares_measure(lesson, l, states_of(lesson, FREE, l), 0, states_of(lesson, UP, l), 1,
                           error_of(lesson, l));
    else
      subtract_nudged(lesson, l);
  }
}

static void learn_by_pairs(const mho_lesson *lesson, mho_rule_stats *stats) {
  const ep *p = lesson->params;
  int end = mho_hidden_end(lesson->net);
  double weight[MHO_STENCIL_PAIRS];
  find_weights(p, weight);

  for (int pair = 1; pair <= n_pairs(p); pair++) {
    settle_nudged(lesson, 2 * pair - 1, stats);
    settle_nudged(lesson, 2 * pair, stats);
    if (p->readout == AT_NUDGED)
      read_out_nudged(lesson, stats);
    for (int l = 1; l < end; l++) {
      subtract_pair(lesson, l, pair, 0.5 * weight[pair - 1]);
    }
  }

  /* the free states, which the gradient multiplies with, become the measured ones */
  for (int l = 1; is_measured(lesson) && l < end; l++)
    measure_layer(lesson, l, FREE, 0, -1, 0, NULL);
}

/* ---------------------------------------------------------------- the difference itself */

/* The difference between the free state and that of a nudged phase, divided by its nudge. */
static void settle_difference(const mho_lesson *lesson, int phase, mho_real *const *e,
                              mho_rule_stats *stats) {
  mho_phase nudged = mho__rule_phase(lesson);
  mho_probe probe = {.meter = mho__probe_of(&nudged).meter};

  nudged.number = phase;
  nudged.drive = nudge_of(lesson, phase);
  nudged.drive.free = NULL; /* what is settled is a change of the free state itself */
  nudged.probe = &probe;
  mho_settle_difference(&nudged, &stats->free, e, &stats->nudged);
}

/* In a network of resistors the means of the states that a difference is between: with b the nudge
 * and e what is settled, v_free - b/2 e of the free and the nudged state, and v_free + b (e_down -
 * e) of both nudged ones, e the mean of theirs. down: NULL, or [n_layers] of [capacity x n]. */
static void find_means(const mho_lesson *lesson, mho_real *const *down) {
  double nudge = ((const ep *)lesson->params)->nudge;
  if (!lesson->net->resistive)
    return;

  for (int l = 1; l < mho_hidden_end(lesson->net); l++) {
    mho_real *e_down = down ? mho__values(lesson->net, down, l, lesson->sample0) : NULL;
    size_t n = mho__rule_count(lesson, l);
    for (size_t i = 0; e_down && i < n; i++)
      e_down[i] -= error_of(lesson, l)[i];
    mho__squares_mean(lesson, l, states_of(lesson, FREE, l), down ? nudge : -0.5 * nudge,
                      down ? e_down : error_of(lesson, l));
    mho__squares_disturb(lesson, l, down ? 2 : 0, 1, down ? 2 * nudge : nudge);
  }
}

/* The difference settled itself, scaled to the size of the true gradient. */
static void learn_directly(const mho_lesson *lesson, mho_rule_stats *stats) {
  const mho_network *net = lesson->net;
  int pairs = n_pairs(lesson->params);
  double weight[MHO_STENCIL_PAIRS];
  if (pairs == 0) {
    settle_difference(lesson, 1, lesson->error, stats);
    find_means(lesson, NULL);
    return;
  }

  find_weights(lesson->params, weight);
  for (int pair = 1; pair <= pairs; pair++) {
    mho_real *const *up = pair == 1 ? lesson->error : lesson->state[UP]->next;
    mho_real *const *down = lesson->state[UP]->z;
    settle_difference(lesson, 2 * pair - 1, up, stats);
    settle_difference(lesson, 2 * pair, down, stats);

    double factor = 0.5 * weight[pair - 1] * pair; /* they are divided by pair times the nudge */
    for (int l = 1; l < mho_hidden_end(net); l++)
      add_pair(lesson, l, pair, factor, mho__values(net, up, l, lesson->sample0),
               mho__values(net, down, l, lesson->sample0), 1);
    find_means(lesson, down);
  }
}

/* ---------------------------------------------------------------- what weights learn */

static bool learns_both(const mho_network *net, const ep *p) {
  if (net->resistive)
    return false;
  if (p->tied == TIED_AUTO)
    return net->output == MHO_OUTPUT_STATE;
  return p->tied == TIED_BOTH;
}

/* The factor on the error of the layer that link k leads back to, where the connection's other use
 * takes that of the layer it comes from. */
static double factor_of_use(const mho_lesson *l, const mho_link *k) {
  double factor = l->factor[k->from] * (double)k->scale;
  return l->direct ? factor : factor * size(l, k->from) / size(l, k->to);
}

/* Factor on the errors of a network of resistors: those that are settled directly are divided by
 * the nudge alone. */
static double factor_of_squares(const mho_lesson *l, int layer) {
  double size = l->direct ? mho__squares_size(l->net, layer) : 1;
  return l->factor[layer] / size;
}

static void change(const mho_lesson *l, int connection, mho_change *out) {
  const mho_network *net = l->net;
  if (net->resistive) {
    int to = net->connection[connection].to;
    mho__squares_change(l, connection, factor_of_squares(l, to), out);
    return;
  }

  mho_change_by_error(l, connection, out);
  if (!learns_both(net, l->params))
    return;

  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    if (mho__tied_is_use(net, k, connection))
      mho__tied_add(l, k, out)->scale = factor_of_use(l, k) / l->n;
  }
}

static mho_err own_new(const mho_experiment *e, const mho_network *net, int batch, void **out,
                       mho_errinfo *ei) {
  const ep *own = (const ep *)(const void *)e->rule.params;
  *out = NULL;
  if (net->resistive)
    return mho__squares_new(net, batch, out, ei);
  return learns_both(net, own) ? mho__tied_new(net, batch, out, ei) : MHO_OK;
}

/* A conductance below 0 that joins the outputs with their targets must leave them loaded. */
static mho_err can_learn(const mho_network *net, const void *params, mho_errinfo *ei) {
  const ep *p = params;
  bool is_negative = p->phases != ONE_SIDED && p->nudge_by == BY_CONDUCTANCE;
  if (!net->resistive || !is_negative)
    return MHO_OK;

  int outputs = mho_network_output(net) - 1;
  const mho_crossbar *x = net->connection[net->link[net->layer[outputs].forward].connection].xb;
  const mho_real *load = mho_crossbar_line_sums(x, false);
  double least = INFINITY;
  for (int j = 0; j < x->cols; j++)
    least = fmin(least, (double)load[j]);
  if (least > p->nudge)
    return MHO_OK;
  return mho_fail(ei, MHO_EDIVERGED,
                  "rule.nudge: an output whose conductances add up to %.3g cannot be nudged by "
                  "-%g: use a nudge below that, rule.phases one_sided, or rule.nudge_by current",
                  least, p->nudge);
}

static void learn(const mho_lesson *lesson, mho_rule_stats *stats) {
  mho__rule_settle(lesson, lesson->error[mho_network_output(lesson->net)], stats);
  if (lesson->direct)
    learn_directly(lesson, stats);
  else if (is_one_sided(lesson))
    learn_one_sided(lesson, stats);
  else
    learn_by_pairs(lesson, stats);

  if (lesson->net->resistive)
    mho__squares_multiply(lesson);
  else if (learns_both(lesson->net, lesson->params))
    mho__tied_pool(lesson);
}

const mho_rule mho_rule_ep = {
    .entry = {.abi = MHO_ABI,
              .id = "ep",
              .title = "equilibrium propagation",
              .equation = "grad W = z_free^T (z_free - z_nudged)/B",
              .source = "Scellier & Bengio, Front. Comput. Neurosci. 11:24 (2017); Liu & Chen, "
                        "arXiv 2508.11659",
              .params = MHO_PARAMS(ep, table),
              .check = check},
    .direct_needs = direct_needs,
    .n_states = n_states,
    .n_phases = n_phases,
    .outputs_states = true,
    .resistors = true,
    .can_learn = can_learn,
    .own_new = own_new,
    .own_free = mho__tied_free, /* of squares, too */
    .size = size,
    .predict = mho__rule_predict,
    .learn = learn,
    .change = change,
    .also_applies = MHO_APPLY_SAMPLE,
};
