/* spiking_events.c - leaky neurons that integrate and fire, from event to event, each sample by
 * itself.
 *
 * An event is an input that fires, a spike that arrives, or a potential that reaches its threshold.
 * Between two of them, with U = E + x what a neuron is driven to by direct inputs x,
 *
 *   u(t) = U + (u - U) exp(-t/tau) + c tau_s/(tau_s - tau) (exp(-t/tau_s) - exp(-t/tau))
 *   (tau_s = tau: c (t/tau) exp(-t/tau)),   c(t) = c exp(-t/tau_s)
 *
 * which turns at most once, so that the time of a threshold is looked for on a stretch in which u
 * rises alone. A spike that arrives adds its weight to u (delta) or to c (current). A link is read
 * when something arrives on it, and only then: one draw of its noise an event.
 *
 * On links without a delay a layer hears in the same event what the layers before it have fired;
 * what comes back, or from neighbours, makes the next event at the same time. Neurons that are held
 * are so until a time, that time included. Thresholds which adapt move at events: one that falls
 * below a potential between two of them is noticed at the next. The activity of a neuron is tau
 * times its rate.
 *
 * Source: R. Brette, Neural Comput. 18:2004 (2006), exact times of spikes of such neurons.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "dynamics/spiking_events.h"

#include <string.h>

#include "base/nonzero.h"
#include "settle/encoder.h"
#include "settle/under_way.h"

/* ---------------------------------------------------------------- when a potential gets there */

/* The way of a potential from where it is, while nothing arrives. */
typedef struct way {
  double to, u, c;   /* U, u, c at its start */
  double tau, tau_s; /* s */
} way;

static double potential_at(const way *w, double t) {
  double brought = w->c == 0 ? 0 : w->c * mho__lif_share(w->tau_s / w->tau, t / w->tau);
  return w->to + (w->u - w->to) * exp(-t / w->tau) + brought;
}

/* When it turns; below 0, or NAN: it does not. */
static double turn_of(const way *w) {
  double ratio = w->tau_s / w->tau;
  if (w->c == 0)
    return -1;
  if (fabs(ratio - 1) < 1e-9)
    return w->tau * (w->c - (w->u - w->to)) / w->c;

  double slow = w->c * ratio / (ratio - 1), rest = w->u - w->to - slow;
  return log(-slow * w->tau / (rest * w->tau_s)) / (1 / w->tau_s - 1 / w->tau);
}

/* A time by which a potential that rises on has passed a threshold below its end. */
static double passed_by(const way *w, double from, double theta) {
  double step = w->tau;
  for (int i = 0; i < 60; i++) {
    if (potential_at(w, from + step) >= theta)
      return from + step;
    step *= 2;
  }
  return INFINITY;
}

/* The time in (low, high) at which a potential that rises there reaches theta. */
static double bisect(const way *w, double low, double high, double theta) {
  for (int i = 0; i < 200; i++) {
    double middle = low + (high - low) / 2;
    if (middle <= low || middle >= high)
      break;
    if (potential_at(w, middle) >= theta)
      high = middle;
    else
      low = middle;
  }
  return high;
}

/* s until a potential below theta reaches it; INFINITY: it does not. */
static double reaches(const way *w, double theta) {
  double turn = turn_of(w);
  bool turns = turn > 0, rises = w->to - w->u + w->c > 0;
  if (w->c == 0)
    return w->to > theta ? w->tau * log((w->to - w->u) / (w->to - theta)) : (double)INFINITY;

  if (rises && turns)
    return potential_at(w, turn) >= theta ? bisect(w, 0, turn, theta) : (double)INFINITY;
  if (w->to <= theta || !(rises || turns))
    return INFINITY;

  double from = turns ? turn : 0, by = passed_by(w, from, theta);
  return isfinite(by) ? bisect(w, from, by, theta) : by;
}

/* ---------------------------------------------------------------- one layer of one sample */

typedef struct layer_at {
  mho_lif k;
  double then, now; /* s of the last event, and of this one */
  double *synapse, *next;
} layer_at;

static layer_at layer_of(const mho_phase *p, int l, const mho_tick *tick) {
  layer_at a = {.k = mho__lif_of(p, l, p->row0, tick),
                .then = tick->time - tick->dt,
                .now = tick->time,
                .synapse = mho_vars_exact(p->s->vars, SYNAPSE, l, p->row0),
                .next = mho_vars_exact(p->s->vars, NEXT, l, p->row0)};
  a.k.until = mho_vars_exact(p->s->vars, UNTIL, l, p->row0);
  return a;
}

static bool has_currents(const layer_at *a) {
  return a->k.c->synapse == MHO_SYNAPSE_CURRENT;
}

static double tau_of(const layer_at *a, int i) {
  return a->k.c->tau * (a->k.tau ? a->k.tau[i] : 1);
}

/* What neuron i is driven to where nothing arrives. */
static double end_of(const layer_at *a, int i) {
  return a->k.c->rest + (a->k.drive ? (double)a->k.drive[i] : 0);
}

/* The way of neuron i from a time `late` s after what its current is of. */
static way way_of(const layer_at *a, int i, double late) {
  const mho_spiking_config *c = a->k.c;
  double left = has_currents(a) ? a->synapse[i] * exp(-late / c->tau_syn) : 0;
  return (way){
      .to = end_of(a, i), .u = a->k.u[i], .c = left, .tau = tau_of(a, i), .tau_s = c->tau_syn};
}

/* The potential of neuron i that is held for a time, and then goes its way for another. */
static double after(const layer_at *a, int i, double held, double goes) {
  way w = way_of(a, i, held);
  return potential_at(&w, goes);
}

/* Potentials and currents go from the last event to this one; those of neurons that are held stay
 * until they are not. Factors of neurons with one time constant are the same. */
static void relax(const layer_at *a) {
  double lasted = a->now - a->then, tau = a->k.c->tau, tau_s = a->k.c->tau_syn;
  double kept = has_currents(a) ? exp(-lasted / tau_s) : 0, leak = exp(-lasted / tau);
  double share = has_currents(a) ? mho__lif_share(tau_s / tau, lasted / tau) : 0;
  if (lasted == 0)
    return;

  for (int i = 0; i < a->k.n; i++) {
    double held = fmin(fmax(a->k.until[i] - a->then, 0), lasted);
    bool is_alike = !a->k.tau && held == 0;
    if (is_alike)
      a->k.u[i] = end_of(a, i) + (a->k.u[i] - end_of(a, i)) * leak + a->synapse[i] * share;
    else if (held < lasted)
      a->k.u[i] = after(a, i, held, lasted - held);
    a->synapse[i] *= kept;
  }
}

/* Neurons whose time has come are at their threshold, whatever rounding has left of it; those that
 * are held are not, but for these. */
static void make_ready(const layer_at *a) {
  for (int i = 0; i < a->k.n; i++) {
    bool is_due = a->next[i] <= a->now;
    bool is_held = a->k.until[i] > 0 && a->now <= a->k.until[i] && !is_due;
    double theta = a->k.theta[i], least = a->k.c->strict ? nextafter(theta, INFINITY) : theta;
    a->k.held[i] = is_held;
    if (is_due && a->k.u[i] < least)
      a->k.u[i] = least;
  }
}

/* What arrives moves the potentials that are not held, or adds to currents. */
static void arrive(const layer_at *a) {
  const mho_real *arrived = a->k.arrived, *held = a->k.held;
  if (has_currents(a)) {
    for (int i = 0; i < a->k.n; i++)
      a->synapse[i] += (double)arrived[i];
    return;
  }
  for (int i = 0; i < a->k.n; i++)
    a->k.u[i] += held[i] > 0 ? 0 : (double)arrived[i];
}

/* When the neurons reach their thresholds, as things are now. */
static void look_ahead(const layer_at *a) {
  for (int i = 0; i < a->k.n; i++) {
    double theta = a->k.theta[i], late = fmax(a->k.until[i] - a->now, 0), u = a->k.u[i];
    bool is_there = a->k.c->strict ? u > theta : u >= theta;
    way w = way_of(a, i, late);
    a->next[i] = a->now + late + (is_there ? 0 : reaches(&w, theta));
  }
}

/* ---------------------------------------------------------------- spikes on links */

static mho_lane_kind lane_of(const mho_link *k) {
  if (k->role == MHO_FORWARD || k->role == MHO_CONTEXT)
    return MHO_LANE_FORWARD;
  return k->role == MHO_LATERAL ? MHO_LANE_LATERAL : MHO_LANE_BACK;
}

/* Whether a link carries in an event what is fired in it. */
static bool is_prompt(const mho_phase *p, const mho_link *k) {
  const mho_spiking_config *c = mho__spiking_config(p);
  return lane_of(k) == MHO_LANE_FORWARD && mho__spiking_delay(c, k->role) == 0;
}

/* What a layer has fired goes on the links out of it, once for all of a lane. */
static void send(const mho_phase *p, int l, double t) {
  bool is_sent[MHO_LANES] = {false};
  for (int i = 0; i < p->net->n_links; i++) {
    const mho_link *k = &p->net->link[i];
    mho_lane_kind lane = lane_of(k);
    bool is_heard = k->to < mho_hidden_end(p->net) && mho__spiking_hears(p, k);
    if (k->from != l || is_sent[lane] || is_prompt(p, k) || !is_heard)
      continue;

    is_sent[lane] = true;
    double due = t + mho__spiking_delay(mho__spiking_config(p), k->role);
    const mho_real *spike = mho_vars_real(p->s->vars, SPIKE, l, p->row0);
    mho_nonzero fired = {.n = p->net->layer[l].n, .v = spike};
    for (int j = mho__next_nonzero(&fired); j >= 0; j = mho__next_nonzero(&fired))
      mho__under_way_send(mho__under_way_of(p), lane, (mho_spike){due, l, j});
  }
}

/* What a link carries in this event, of the first n[lane] under way; NULL: nothing. */
static const mho_real *carried(const mho_phase *p, const mho_link *k, const int *n) {
  const mho_under_way *sent = mho__under_way_of(p);
  mho_lane_kind lane = lane_of(k);
  int units = p->net->layer[k->from].n;
  mho_real *delayed = mho_vars_real(p->s->vars, DELAYED, k->from, p->row0);
  const mho_real *spike = mho_vars_real(p->s->vars, SPIKE, k->from, p->row0);
  bool any = false;
  if (is_prompt(p, k))
    return mho__any_nonzero((size_t)units, spike) ? spike : NULL;

  memset(delayed, 0, (size_t)units * sizeof *delayed);
  for (int i = 0; i < n[lane]; i++) {
    mho_spike s = mho__under_way_spike(sent, lane, i);
    if (s.layer != k->from)
      continue;
    delayed[s.unit]++;
    any = true;
  }
  return any ? delayed : NULL;
}

/* Links from `first` on, added to what is there if there is `any` yet. @return whether there is. */
static bool hear_links(const mho_phase *p, int first, int n, const int *arrived, bool any,
                       mho_real *to, mho_settle_stats *stats) {
  for (int i = first; i < first + n; i++) {
    const mho_link *k = &p->net->link[i];
    const mho_real *from = mho__spiking_hears(p, k) ? carried(p, k, arrived) : NULL;
    if (!from)
      continue;
    mho__link_read(p, k, from, to, (mho_real)mho_spiking_gain(p->net, k) * k->scale, any, stats);
    any = true;
  }
  return any;
}

/* What arrives at layer l. @return whether anything does. */
static bool hear(const mho_phase *p, int l, const int *arrived, mho_settle_stats *stats) {
  const mho_layer *layer = &p->net->layer[l];
  mho_real *to = mho_vars_real(p->s->vars, ARRIVED, l, p->row0);
  bool any = hear_links(p, layer->forward, layer->n_forward, arrived, false, to, stats);
  any = hear_links(p, layer->feedback, layer->n_feedback, arrived, any, to, stats);
  any = hear_links(p, layer->other, layer->n_other, arrived, any, to, stats);
  if (!any)
    memset(to, 0, (size_t)layer->n * sizeof *to);
  return any;
}

/* ---------------------------------------------------------------- an event */

/* Inputs whose time has come fire, and are given their next one. */
static void fire_inputs(const mho_phase *p, double t) {
  int n = p->net->layer[0].n, s = p->row0;
  double *next = mho_vars_exact(p->s->vars, NEXT, 0, s);
  mho_real *spike = mho_vars_real(p->s->vars, SPIKE, 0, s);
  mho_real *number = mho_vars_real(p->s->vars, DUE, 0, s);

#pragma omp simd
  for (int i = 0; i < n; i++)
    spike[i] = next[i] <= t ? 1 : 0;
  mho_nonzero fired = {.n = n, .v = spike};
  for (int i = mho__next_nonzero(&fired); i >= 0; i = mho__next_nonzero(&fired)) {
    number[i]++;
    next[i] = mho__encode_next(p, s, i, (int)number[i], next[i]);
  }
  send(p, 0, t);
}

/* Tau times the rate so far. */
static void show_rates(const mho_phase *p, int l, const layer_at *a) {
  mho_real *z = mho__values(p->net, p->s->z, l, p->row0);
  for (int i = 0; i < a->k.n; i++)
    z[i] = a->now > 0 ? (mho_real)((double)a->k.count[i] * a->k.c->tau / a->now) : 0;
}

static void move_layer(const mho_phase *p, int l, const mho_tick *tick, const int *arrived,
                       mho_settle_stats *stats) {
  layer_at a = layer_of(p, l, tick);
  bool adapts = mho__spiking_adapts(a.k.c) && p->thread->adapts;
  relax(&a);
  make_ready(&a);
  bool any = hear(p, l, arrived, stats);
  if (any)
    arrive(&a);

  int fired = mho__lif_fire(&a.k, p, l, p->row0);
  if (fired) {
    mho__lif_reset(&a.k);
    mho__lif_inhibit(&a.k, mho__meter_of(p));
    send(p, l, a.now);
  }
  if (adapts)
    mho__lif_adapt(&a.k, p, l);
  if (any || fired || adapts)
    look_ahead(&a);
  show_rates(p, l, &a);
}

void mho__spiking_event(const mho_phase *p, int sample, double t, mho_settle_stats *stats) {
  mho_phase alone = *p;
  mho_under_way *sent = mho__under_way_of(p);
  double *time = mho_vars_exact(p->s->vars, TIME, 0, sample);
  mho_tick tick = {.number = p->thread->step, .dt = t - *time, .time = t, .event = true};
  int arrived[MHO_LANES];
  alone.row0 = sample;
  alone.n = 1;
  if (mho__meter_of(p))
    mho__meter_of(p)->integrated += tick.dt;

  for (int i = 0; i < MHO_LANES; i++)
    arrived[i] = mho__under_way_arrived(sent, (mho_lane_kind)i, t);
  fire_inputs(&alone, t);
  for (int l = 1; l < mho_hidden_end(p->net); l++)
    move_layer(&alone, l, &tick, arrived, stats);
  for (int i = 0; i < MHO_LANES; i++)
    mho__under_way_take(sent, (mho_lane_kind)i, arrived[i]);

  *time = t;
  ++*mho_vars_exact(p->s->vars, STEPS, 0, sample);
}

/* ---------------------------------------------------------------- the next one */

/* A phase begins: the first spikes of inputs, and of neurons that nothing has reached yet. */
static void begin_sample(const mho_phase *p, int sample) {
  double *next = mho_vars_exact(p->s->vars, NEXT, 0, sample);
  mho_real *number = mho_vars_real(p->s->vars, DUE, 0, sample);
  mho_phase alone = *p;
  mho_tick tick = {.event = true};
  alone.row0 = sample;
  alone.n = 1;

  for (int i = 0; i < p->net->layer[0].n; i++) {
    number[i] = 1;
    next[i] = mho__encode_next(p, sample, i, 1, 0);
  }
  for (int l = 1; l < mho_hidden_end(p->net); l++) {
    layer_at a = layer_of(&alone, l, &tick);
    look_ahead(&a);
  }
}

double mho__spiking_next(const mho_phase *p, int sample) {
  double soonest = mho__under_way_next(mho__under_way_of(p));
  bool is_new = *mho_vars_exact(p->s->vars, STEPS, 0, sample) == 0;
  if (is_new)
    begin_sample(p, sample);

  for (int l = 0; l < mho_hidden_end(p->net); l++) {
    const double *next = mho_vars_exact(p->s->vars, NEXT, l, sample);
#pragma omp simd reduction(min : soonest)
    for (int i = 0; i < p->net->layer[l].n; i++)
      soonest = next[i] < soonest ? next[i] : soonest;
  }
  return soonest;
}
