/* spiking.c - leaky neurons that integrate and fire, by a clock of steps dt.
 *
 * In a step a layer first hears the spikes s of its links, x = sum gain s W, then its potentials u
 * move, with E the rest and a = exp(-dt/tau) (exact) or 1 - dt/tau (euler):
 *
 *   delta        u <- E + (u - E) a + x
 *   current      c <- c exp(-dt/tau_s) + x
 *                u <- E + (u - E) a + c tau_s/(tau_s - tau) (exp(-dt/tau_s) - a)
 *                (tau_s = tau: c a dt/tau; tau_s = 0: a current for one step, c (1 - a))
 *   conductance  g_e, g_i <- the same of what excites and of what lateral links bring
 *                u <- u_r + (u - u_r) a^(1 + g_e + g_i),
 *                u_r = (E + g_e E_e + g_i E_i)/(1 + g_e + g_i), g frozen over the step
 *
 * and of euler, tau du/dt = E - u + c, or E - u + g_e (E_e - u) + g_i (E_i - u). Inputs that come
 * as they are (settle.encode.kind direct) add x in every step with delta, and are a constant
 * current, or conductance, with the others. A neuron fires at its threshold, u >= theta (or above,
 * strict), unless it is held: then u <- u - theta or a value, and it is held, its potential as it
 * is, for the refractory steps. Thresholds:
 *
 *   layer    theta <- max(theta + rate (spikes of the layer - 1), least), anew in every sample
 *   spike    a <- a exp(-dt/tau_theta) + plus s,          theta = theta_0 + a
 *   target   a <- max(a + gain (s - target dt), least - theta_0)
 *
 * a is of a neuron, goes on from sample to sample of a training, and stays as it is in evaluations.
 * The activity of a neuron is its spikes over the steps so far, which the read-out takes, or of
 * output neurons that do not fire (network.output membrane) their mean potential.
 *
 * Units of the read-out stand for the label of a sample where one is shown to the network (links of
 * context): they fire with the inputs, in every step.
 *
 * Between events (settle.method events) there is no clock: see spiking_events.c.
 *
 * Order of a step: synchronous, all links carry what was fired in the step before, inputs and
 * labels too; layered, a layer hears what these and the layers before it fire in the same step. A
 * delay adds whole steps to either.
 *
 * Source: W. Gerstner, W. Kistler, "Spiking neuron models" (2002), ch. 4; laws of thresholds: P.
 * Diehl, M. Cook, Front. Comput. Neurosci. 9:99 (2015) (spike); D. Querlioz et al., IEEE Trans.
 * Nanotechnol. 12:288 (2013) (target); A. Ororbia, Sci. Adv. 10:eadn6076 (2024) (layer).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "dynamics/spiking_events.h"
#include "mho/model/check.h"
#include "settle/encoder.h"
#include "settle/links.h"
#include "settle/votes.h"

static const mho_var variables[] = {
    {"u", MHO_PER_HIDDEN, true, false},
    {"theta", MHO_PER_HIDDEN, true, false},
    {"spike", MHO_PER_NEURON, false, false},     /* of the last step, inputs too */
    {"arrived", MHO_PER_HIDDEN, false, false},   /* what links bring in this step */
    {"synapse", MHO_PER_HIDDEN, true, false},    /* current, or conductance that excites */
    {"inhibition", MHO_PER_HIDDEN, true, false}, /* conductance of lateral links */
    {"held", MHO_PER_HIDDEN, false, false},      /* steps for which it is */
    {"count", MHO_PER_HIDDEN, false, false},     /* of spikes */
    {"past", MHO_PER_NEURON, true, false},       /* the last 52 steps: bit d is that d steps ago */
    {"delayed", MHO_PER_NEURON, false, false},   /* spikes that a link brings from there */
    {"steps", MHO_PER_SAMPLE, true, false},
    {"phase", MHO_PER_NEURON, false, false}, /* of inputs, see mho_encoder */
    {"due", MHO_PER_NEURON, false, false},
    {"line", MHO_PER_NEURON, false, false},
    {"awaited", MHO_PER_SAMPLE, true, false},
    {"fired", MHO_PER_NEURON, true, false}, /* of inputs: words of bits in the place of numbers */
    {"adapted", MHO_PER_UNIT, true, true},  /* part of thresholds that goes on */
    {"time", MHO_PER_SAMPLE, true, false},  /* of events: s of the last one, ... */
    {"next", MHO_PER_NEURON, true, false},  /* ... of the next spike, INFINITY where none comes, */
    {"until", MHO_PER_HIDDEN, true, false}, /* and to which a neuron is held */
    MHO_VOTES_VARIABLES,
};

/* Threshold of neuron i of a layer, of which nothing has changed. */
static double own_threshold(const mho_phase *p, int l, int i) {
  const mho_circuit *circuit = p->net->layer[l].circuit;
  double spread = circuit && circuit->threshold ? circuit->threshold[i] : 0;
  return mho__spiking_config(p)->threshold + spread;
}

/* ---------------------------------------------------------------- a phase begins */

/* Potentials at rest, thresholds as the samples before have left them. */
static void begin_sample(const mho_phase *p, int l, int s) {
  int n = p->net->layer[l].n;
  double *u = mho_vars_exact(p->s->vars, POTENTIAL, l, s);
  double *theta = mho_vars_exact(p->s->vars, THRESHOLD, l, s);
  const double *adapted = mho_vars_exact(p->s->vars, ADAPTED, l, 0);
  bool goes_on = mho__spiking_adapts(mho__spiking_config(p));

  for (int i = 0; i < n; i++) {
    u[i] = mho__spiking_config(p)->rest;
    theta[i] = own_threshold(p, l, i) + (goes_on ? adapted[i] : 0);
  }
  memset(mho__values(p->net, p->s->z, l, s), 0, (size_t)n * sizeof(mho_real));
}

/* What direct inputs bring in every step. */
static void read_inputs(const mho_phase *p, int l, mho_settle_stats *stats) {
  const mho_layer *layer = &p->net->layer[l];
  const mho_real *x = mho__values(p->net, mho_phase_input(p)->z, 0, p->row0);
  bool any = false;

  for (int i = 0; i < layer->n_forward; i++) {
    const mho_link *k = &p->net->link[layer->forward + i];
    if (k->from != 0)
      continue;
    mho__link_read(p, k, x, mho__values(p->net, p->s->drive, l, p->row0),
                   (mho_real)mho_spiking_gain(p->net, k) * k->scale, any, stats);
    any = true;
  }
}

static void begin(const mho_phase *p, mho_settle_stats *stats) {
  bool is_new = !p->start && p->thread->step == 0;
  for (int l = 1; l < mho_hidden_end(p->net); l++) {
    for (int s = p->row0; is_new && s < p->row0 + p->n; s++)
      begin_sample(p, l, s);
    if (mho__spiking_is_direct(p))
      read_inputs(p, l, stats);
  }
}

/* ---------------------------------------------------------------- what a layer hears */

static bool has_delays(const mho_phase *p) {
  const mho_spiking_config *c = mho__spiking_config(p);
  return c->forward_delay > 0 || c->lateral_delay > 0 || c->back_delay > 0;
}

/* What a layer has fired, so many steps ago, [n x layer]. */
static const mho_real *spikes_of(const mho_phase *p, int l, int ago) {
  mho_real *delayed = mho_vars_real(p->s->vars, DELAYED, l, p->row0);
  const double *past = mho_vars_exact(p->s->vars, PAST, l, p->row0);
  size_t n = mho__phase_count(p, l);
  if (ago == 0)
    return mho_vars_real(p->s->vars, SPIKE, l, p->row0);

  for (size_t i = 0; i < n; i++)
    delayed[i] = (mho_real)((uint64_t)past[i] >> ago & 1);
  return delayed;
}

/* Which inputs of a sample have fired in this step, bit by bit. */
static uint64_t *fired_inputs(const mho_phase *p, int s) {
  return (uint64_t *)(void *)mho_vars_exact(p->s->vars, FIRED, 0, s);
}

/* The same of what spikes_of gives, where it is known. */
static const uint64_t *known_of(const mho_phase *p, int l, int ago) {
  return l == 0 && ago == 0 && p->n == 1 ? fired_inputs(p, p->row0) : NULL;
}

/* The last steps of a layer, with what it has fired now. */
static void remember(const mho_phase *p, int l) {
  const uint64_t mask = ((uint64_t)1 << (MHO_DELAY_STEPS + 1)) - 1;
  const mho_real *spike = mho_vars_real(p->s->vars, SPIKE, l, p->row0);
  double *past = mho_vars_exact(p->s->vars, PAST, l, p->row0);
  size_t n = mho__phase_count(p, l);
  if (!has_delays(p))
    return;

  for (size_t i = 0; i < n; i++)
    past[i] = (double)(((uint64_t)past[i] << 1 | (uint64_t)(spike[i] > 0)) & mask);
}

/* Which of the links into a layer are heard together. */
typedef enum link_part { EVERY, EXCITING, INHIBITING } link_part;

static bool is_of(const mho_phase *p, const mho_link *k, link_part part) {
  if (!mho__spiking_hears(p, k))
    return false;
  return part == EVERY || (part == INHIBITING) == (k->role == MHO_LATERAL);
}

/* What n links from `first` on bring, added to `to` if there is `any` yet. @return whether there
 * is. */
static bool hear_links(const mho_phase *p, int first, int n, link_part part, const mho_tick *tick,
                       bool any, mho_real *to, mho_settle_stats *stats) {
  for (int i = first; i < first + n; i++) {
    const mho_link *k = &p->net->link[i];
    if (!is_of(p, k, part))
      continue;
    double delay = mho__spiking_delay(mho__spiking_config(p), k->role);
    int ago = mho__spiking_steps(delay, tick->dt);
    mho__link_read_driven(p, k, spikes_of(p, k->from, ago), known_of(p, k->from, ago), to,
                          (mho_real)mho_spiking_gain(p->net, k) * k->scale, any, stats);
    any = true;
  }
  return any;
}

/* What the links of a part bring into layer l, and a trial adds to it, [n x layer]. */
static mho_real *hear(const mho_phase *p, int l, link_part part, const mho_tick *tick,
                      mho_settle_stats *stats) {
  const mho_layer *layer = &p->net->layer[l];
  mho_real *to = mho_vars_real(p->s->vars, ARRIVED, l, p->row0);
  bool any = hear_links(p, layer->forward, layer->n_forward, part, tick, false, to, stats);
  any = hear_links(p, layer->feedback, layer->n_feedback, part, tick, any, to, stats);
  any = hear_links(p, layer->other, layer->n_other, part, tick, any, to, stats);

  if (!any)
    memset(to, 0, mho__phase_count(p, l) * sizeof *to);
  if (part != INHIBITING)
    mho__add_push(p, l, to);
  return to;
}

/* What is left of a current or conductance after a step; 0: it lasts no longer. */
static double kept_of(double tau, const mho_tick *tick) {
  if (tau <= 0)
    return 0;
  return tick->euler ? fmax(1 - tick->dt / tau, 0) : exp(-tick->dt / tau);
}

/* c <- kept c + sign x, [n x layer]. */
static void arrive(const mho_phase *p, int l, double kept, double sign, const mho_real *x,
                   double *c) {
  size_t n = mho__phase_count(p, l);
  for (size_t i = 0; i < n; i++)
    c[i] = kept * c[i] + sign * (double)x[i];
}

/* A layer hears its links: into ARRIVED, and on into its currents or conductances. */
static void listen(const mho_phase *p, int l, const mho_tick *tick, mho_settle_stats *stats) {
  const mho_spiking_config *c = mho__spiking_config(p);
  double *synapse = mho_vars_exact(p->s->vars, SYNAPSE, l, p->row0);
  double *inhibition = mho_vars_exact(p->s->vars, INHIBITION, l, p->row0);
  bool conducts = c->synapse == MHO_SYNAPSE_CONDUCTANCE;

  const mho_real *x = hear(p, l, conducts ? EXCITING : EVERY, tick, stats);
  if (c->synapse == MHO_SYNAPSE_DELTA)
    return;
  arrive(p, l, kept_of(c->tau_syn, tick), 1, x, synapse);
  if (!conducts)
    return;

  x = hear(p, l, INHIBITING, tick, stats);
  arrive(p, l, kept_of(c->tau_inh, tick), -1, x, inhibition); /* lateral links subtract */
}

/* ---------------------------------------------------------------- potentials */

/* dt/tau of a neuron. */
static double pace_of(const mho_lif *k, int i) {
  return k->tick->dt / (k->tau ? k->c->tau * k->tau[i] : k->c->tau);
}

/* What is left of a potential after a step. */
static double leak_of(const mho_lif *k, double pace) {
  return k->tick->euler ? 1 - pace : exp(-pace);
}

static double driven(const mho_lif *k, int i) {
  return k->drive ? (double)k->drive[i] : 0;
}

/* Spikes that act at once, on neurons of one time constant that no input drives as it is. */
static void jump_alike(const mho_lif *k) {
  const mho_real *arrived = k->arrived, *held = k->held;
  double rest = k->c->rest, a = leak_of(k, pace_of(k, 0)), *u = k->u;
#pragma omp simd
  for (int i = 0; i < k->n; i++) {
    double next = rest + (u[i] - rest) * a + (double)arrived[i];
    u[i] = held[i] > 0 ? u[i] : next;
  }
}

/* Spikes that act at once. */
static void jump(const mho_lif *k) {
  double rest = k->c->rest;
  if (!k->tau && !k->drive) {
    jump_alike(k);
    return;
  }

  for (int i = 0; i < k->n; i++) {
    double own = leak_of(k, pace_of(k, i));
    double next = rest + (k->u[i] - rest) * own + (double)k->arrived[i] + driven(k, i);
    k->u[i] = k->held[i] > 0 ? k->u[i] : next;
  }
}

/* What a current of 1 at the start of a step, which decays over it, adds to a potential. */
static double brought(const mho_lif *k, double pace) {
  double ratio = k->c->tau_syn > 0 ? pace * k->c->tau_syn / k->tick->dt : 0; /* tau_s/tau */
  if (k->tick->euler)
    return pace;
  if (ratio == 0)
    return -expm1(-pace);
  return mho__lif_share(ratio, pace);
}

static void integrate_currents(const mho_lif *k) {
  double rest = k->c->rest, pace = pace_of(k, 0), a = leak_of(k, pace), in = brought(k, pace);
  for (int i = 0; i < k->n; i++) {
    double own = k->tau ? pace_of(k, i) : pace;
    double leak = k->tau ? leak_of(k, own) : a, share = k->tau ? brought(k, own) : in;
    double next =
        rest + (k->u[i] - rest) * leak + k->synapse[i] * share + driven(k, i) * (1 - leak);
    k->u[i] = k->held[i] > 0 ? k->u[i] : next;
  }
}

static void integrate_conductances(const mho_lif *k) {
  const mho_spiking_config *c = k->c;
  for (int i = 0; i < k->n; i++) {
    double pace = pace_of(k, i), excites = k->synapse[i] + driven(k, i),
           inhibits = k->inhibition[i];
    double all = 1 + excites + inhibits;
    double pull = c->rest + excites * c->excitatory + inhibits * c->inhibitory;
    double next = k->u[i] + pace * (pull - all * k->u[i]);
    if (!k->tick->euler)
      next = pull / all + (k->u[i] - pull / all) * exp(-pace * all);
    k->u[i] = k->held[i] > 0 ? k->u[i] : next;
  }
}

static void integrate(const mho_lif *k) {
  if (k->c->synapse == MHO_SYNAPSE_DELTA)
    jump(k);
  else if (k->c->synapse == MHO_SYNAPSE_CURRENT)
    integrate_currents(k);
  else
    integrate_conductances(k);
}

/* ---------------------------------------------------------------- a step */

/* Those that are held come closer to the end of it. */
static void release(const mho_lif *k) {
  mho_real *held = k->held;
#pragma omp simd
  for (int i = 0; i < k->n; i++)
    held[i] -= held[i] > 0 ? 1 : 0;
}

/* Spikes over the steps so far. */
static void show_rates(const mho_lif *k, double steps, mho_real *z) {
  const mho_real *count = k->count;
#pragma omp simd
  for (int i = 0; i < k->n; i++)
    z[i] = (mho_real)((double)count[i] / steps);
}

/* Output neurons that do not fire: their mean potential over the steps so far. */
static void average(const mho_lif *k, double steps, mho_real *z) {
  for (int i = 0; i < k->n; i++)
    z[i] += (mho_real)((k->u[i] - (double)z[i]) / steps);
}

static bool is_silent(const mho_phase *p, int l) {
  return p->net->output == MHO_OUTPUT_MEMBRANE && mho_layer_answers(p->net, l);
}

/* A layer has heard: its potentials move, and what reaches its threshold fires. */
static void move_layer(const mho_phase *p, int l, const mho_tick *tick) {
  bool shown = tick->last || mho__trace_of(p); /* nobody looks at other steps' activities */
  for (int s = p->row0; s < p->row0 + p->n; s++) {
    mho_lif k = mho__lif_of(p, l, s, tick);
    double steps = *mho_vars_exact(p->s->vars, STEPS, 0, s);
    mho_real *z = mho__values(p->net, p->s->z, l, s);

    integrate(&k);
    if (is_silent(p, l)) {
      average(&k, steps, z);
      continue;
    }
    int fired = mho__lif_fire(&k, p, l, s);
    release(&k);
    if (fired) {
      mho__lif_reset(&k);
      mho__lif_inhibit(&k, mho__meter_of(p));
    }
    if (k.c->law == MHO_THRESHOLD_LAYER)
      mho__lif_follow_layer(&k, fired);
    else if (mho__spiking_adapts(k.c) && p->thread->adapts)
      mho__lif_adapt(&k, p, l);
    if (shown)
      show_rates(&k, steps, z);
  }
  remember(p, l);
}

/* The units that stand for the label. */
static void show_label(const mho_phase *p, const mho_tick *tick) {
  int label = mho_network_output(p->net);
  size_t n = mho__phase_count(p, label);
  mho_real *spike = mho_vars_real(p->s->vars, SPIKE, label, p->row0);
  const mho_real *context = p->drive.context;

  if (context && !tick->resting)
    memcpy(spike, context + (size_t)p->row0 * (size_t)p->net->layer[label].n, n * sizeof *spike);
  else
    memset(spike, 0, n * sizeof *spike);
  remember(p, label);
}

/* What comes from outside. */
static void encode(const mho_phase *p, const mho_tick *tick) {
  const mho_vars *v = p->s->vars;
  for (int s = p->row0; s < p->row0 + p->n; s++) {
    mho_encoder own = {.spike = mho_vars_real(v, SPIKE, 0, s),
                       .fired = fired_inputs(p, s),
                       .phase = mho_vars_real(v, PHASE, 0, s),
                       .line = mho_vars_real(v, LINE, 0, s),
                       .due = mho_vars_real(v, DUE, 0, s),
                       .awaited = mho_vars_exact(v, AWAITED, 0, s)};
    mho__encode(p, s, tick, &own);
  }
  remember(p, 0);
  show_label(p, tick);
}

static void step(const mho_phase *p, const mho_tick *tick, mho_settle_stats *stats) {
  int end = mho_hidden_end(p->net);
  for (int s = p->row0; s < p->row0 + p->n; s++)
    ++*mho_vars_exact(p->s->vars, STEPS, 0, s);
  if (mho__meter_of(p))
    mho__meter_of(p)->integrated += p->n * tick->dt;

  if (tick->layered) {
    encode(p, tick);
    for (int l = 1; l < end; l++) {
      listen(p, l, tick, stats);
      move_layer(p, l, tick);
    }
    return;
  }

  for (int l = 1; l < end; l++)
    listen(p, l, tick, stats);
  encode(p, tick);
  for (int l = 1; l < end; l++)
    move_layer(p, l, tick);
}

/* ---------------------------------------------------------------- what it fits */

#define REFUSE(...) return mho_fail(ei, MHO_ECONFIG, __VA_ARGS__)

/* The length of a step, where the settler has one; 0: it has none, and cannot run these neurons. */
static double step_of(const mho_experiment *e) {
  const mho_param *dt = mho_params_find(e->settler.entry->params, "dt");
  return dt ? *(const double *)(const void *)(e->settler.params + dt->offset) : 0;
}

static mho_err check_times(const mho_experiment *e, mho_errinfo *ei) {
  const mho_spiking_config *c = &e->circuit.spiking;
  const struct {
    const char *key;
    double time;
  } delay[] = {
      {"forward", c->forward_delay}, {"lateral", c->lateral_delay}, {"back", c->back_delay}};
  double dt = step_of(e);
  if (dt <= 0)
    return MHO_OK;

  for (int i = 0; i < MHO_COUNT(delay); i++)
    if (delay[i].time > (MHO_DELAY_STEPS + 0.5) * dt)
      REFUSE("neuron.delay.%s: %g s are more than %d steps of settle.dt %g s: lower it, or take "
             "longer steps",
             delay[i].key, delay[i].time, MHO_DELAY_STEPS, dt);
  return MHO_OK;
}

static mho_err check_network(const mho_experiment *e, mho_errinfo *ei) {
  const mho_mapping *mapping = (const mho_mapping *)e->mapping.entry;
  bool conducts = e->circuit.spiking.synapse == MHO_SYNAPSE_CONDUCTANCE;
  bool is_positive = mho_experiment_has_cells(e) && mapping->positive;

  if (conducts && !is_positive)
    REFUSE("neuron.synapse: conductances are not below 0, as weights may be here: use "
           "device.mapping single on a device, or synapse current");
  if (e->network.back && !strcmp(e->topology.entry->id, "conv"))
    REFUSE("network.back: spikes do not come back through the pooling of topology conv: leave it "
           "out, or use another topology");
  return MHO_OK;
}

static mho_err check_hardware(const mho_experiment *e, mho_errinfo *ei) {
  const mho_array_model *array = (const mho_array_model *)e->array.entry;
  mho_array_converters converters = mho_array_converters_of(array, e->array.params);
  if (converters.dac_bits)
    REFUSE("array.dac_bits: spikes drive a line or do not, without a converter, in dynamics.name "
           "'spiking': leave it at 0");
  if (converters.adc_bits)
    REFUSE("array.adc_bits: membranes of dynamics.name 'spiking' integrate currents as they are: "
           "leave it at 0");
  return MHO_OK;
}

/* What has no steps, and no length of one. */
static mho_err check_events(const mho_experiment *e, mho_errinfo *ei) {
  const mho_spiking_config *c = &e->circuit.spiking;
  bool is_direct = e->settle.encode.kind == MHO_ENCODE_DIRECT;
  bool resets = c->inhibit == MHO_INHIBIT_LINE;
  if (((const mho_settler *)e->settler.entry)->step)
    return MHO_OK;

  if (c->synapse == MHO_SYNAPSE_CONDUCTANCE)
    REFUSE("neuron.synapse: between events (settle.method) conductances that decay have no closed "
           "form: use delta or current, or settle.method steps");
  if (c->synapse == MHO_SYNAPSE_CURRENT && c->tau_syn == 0)
    REFUSE("neuron.tau_syn: currents that last a step need a clock: set it above 0, or use "
           "settle.method steps");
  if (c->synapse == MHO_SYNAPSE_DELTA && is_direct)
    REFUSE("settle.encode.kind: direct inputs move potentials in every step of a clock, and "
           "settle.method events has none: use neuron.synapse current, or other inputs");
  if (c->law == MHO_THRESHOLD_LAYER)
    REFUSE("neuron.threshold.law: law layer moves thresholds in every step of a clock, and "
           "settle.method events has none: use fixed, spike or target");
  if (c->winners == MHO_WINNERS_ONE && !resets)
    REFUSE("neuron.winners: one a step needs a clock, and settle.method events has none: let the "
           "others be reset (neuron.inhibit line), or use winners all");
  if (e->network.biases)
    REFUSE("network.biases: a bias is read in every step of a clock, and settle.method events has "
           "none: leave it out, or use steps");
  if (e->network.output == MHO_OUTPUT_MEMBRANE)
    REFUSE("network.output: mean potentials are over steps of a clock, and settle.method events "
           "has none: use counts");
  if (e->network.context != MHO_CONTEXT_NONE)
    REFUSE("network.context: labels fire in every step of a clock, and settle.method events has "
           "none: use steps");
  return MHO_OK;
}

/* Whether its inputs are what the dataset has. */
static mho_err check_inputs(const mho_experiment *e, mho_errinfo *ei) {
  const mho_dataset_kind *data = (const mho_dataset_kind *)e->dataset.entry;
  if (e->settle.encode.kind == MHO_ENCODE_EVENTS && !data->events)
    REFUSE("settle.encode.kind: samples of dataset.name '%s' are numbers, and no events: use "
           "poisson, regular, latency or direct, or dataset events",
           e->dataset.entry->id);
  return MHO_OK;
}

static mho_err check_learning(const mho_experiment *e, mho_errinfo *ei) {
  const mho_rule *rule = (const mho_rule *)e->rule.entry;
  int apply = e->update.apply ? 1 << (e->update.apply - 1) : (int)rule->applies;
  bool is_one_by_one = e->train.batch == 1 || apply == MHO_APPLY_SAMPLE;
  if (!rule->trial && !rule->spikes)
    REFUSE("rule.name: '%s' learns from errors that no neuron of dynamics.name 'spiking' hears: "
           "use perturb, or dynamics rate",
           rule->entry.id);
  if (mho__spiking_adapts(&e->circuit.spiking) && !is_one_by_one)
    REFUSE("neuron.threshold.law: thresholds that go on from sample to sample need samples one "
           "after another: set train.batch to 1, or use law fixed or layer");
  return MHO_OK;
}

static mho_err check(const mho_experiment *e, mho_errinfo *ei) {
  mho_err err = check_times(e, ei);
  if (!err)
    err = check_inputs(e, ei);
  if (!err)
    err = check_network(e, ei);
  if (!err)
    err = check_hardware(e, ei);
  if (!err)
    err = check_events(e, ei);
  return err ? err : check_learning(e, ei);
}

static const char *idle(const mho_experiment *e, const char *key) {
  static const char *const of_amplifiers[] = {"network.neuron", "neuron.saturation", "neuron.slew",
                                              "neuron.variation.gain", "neuron.variation.offset"};
  for (int i = 0; i < MHO_COUNT(of_amplifiers); i++)
    if (!strcmp(key, of_amplifiers[i]))
      return "neurons spike (dynamics.name)";
  if (!strncmp(key, "feedback.", 9) && !e->network.back)
    return "no links lead back (network.back)";
  return NULL;
}

static const mho_default defaults[] = {
    {"settle.method", "steps"},
    {"rule.name", "stdp"},
};

const mho_dynamics mho_dynamics_spiking = {
    .entry = {.abi = MHO_ABI,
              .id = "spiking",
              .title = "neurons that integrate and fire, by a clock or by events",
              .equation = "tau du/dt = E - u + I; a spike where u reaches theta, then u - theta or "
                          "a value",
              .source = "Gerstner & Kistler, Spiking neuron models (2002)",
              MHO_DEFAULTS(defaults),
              .check = check,
              .idle = idle},
    .vars = variables,
    .n_vars = MHO_COUNT(variables),
    .begin = begin,
    .spikes = true,
    .step = step,
    .next = mho__spiking_next,
    .event = mho__spiking_event,
};
