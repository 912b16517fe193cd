/* state.c - memory of a settle, the feed-forward pass and the read-out.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "mho/model/check.h"
#include "settle/links.h"
#include "settle/votes.h"

static const char *without_rates(const mho_experiment *e) {
  const char *why = mho_idle_without_spikes(e);
  int kind = e->settle.encode.kind;
  if (why || kind == MHO_ENCODE_POISSON || kind == MHO_ENCODE_REGULAR)
    return why;
  return "no input has a rate (settle.encode.kind)";
}

static const char *without_latency(const mho_experiment *e) {
  const char *why = mho_idle_without_spikes(e);
  if (why || e->settle.encode.kind == MHO_ENCODE_LATENCY)
    return why;
  if (e->settle.encode.kind == MHO_ENCODE_EVENTS)
    return "inputs spike when the dataset says (settle.encode.kind)";
  return "inputs spike more than once (settle.encode.kind)";
}

static const char *without_input_spikes(const mho_experiment *e) {
  const char *why = mho_idle_without_spikes(e);
  int kind = e->settle.encode.kind;
  if (why || (kind != MHO_ENCODE_DIRECT && kind != MHO_ENCODE_EVENTS))
    return why;
  if (kind == MHO_ENCODE_EVENTS)
    return "inputs spike when the dataset says (settle.encode.kind)";
  return "inputs do not spike (settle.encode.kind)";
}

/* What lasts in seconds of the chip is energy that is counted, and waveforms. */
static const char *without_chip_time(const mho_experiment *e) {
  const char *why = mho_idle_without_spikes(e);
  const mho_rule *rule = (const mho_rule *)e->rule.entry;
  bool has_waves = rule->puts_waves && rule->puts_waves(e->rule.params);
  if (why || has_waves || mho_experiment_counts_energy(e))
    return why;
  return "nothing lasts a time on a chip: no energy is counted";
}

static const mho_param settle_table[] = {
    MHO_P_CHOICE(mho_settle_config, difference, "difference", "auto|subtract|direct",
                 MHO_DIFFERENCE_AUTO,
                 "the learning signal: two states subtracted, as hardware and the paper do, or the "
                 "difference settled itself; auto: direct in floating point with sweeps",
                 .idle = mho_idle_without_nudge),
    MHO_P_CHOICE(mho_settle_config, encode.kind, "encode.kind",
                 "poisson|regular|latency|direct|events", MHO_ENCODE_POISSON,
                 "inputs of neurons that spike: at random, each step for itself; at equal "
                 "intervals, from a random phase on; once, the sooner the larger; as they are, in "
                 "every step; or when the dataset says (dataset.name events)",
                 .idle = mho_idle_without_spikes),
    MHO_P_REAL(mho_settle_config, encode.rate, "encode.rate", "Hz", 63.75, 0, 1e15,
               "spikes of an input of 1; of others in proportion, and at most one a step",
               .idle = without_rates),
    MHO_P_REAL(mho_settle_config, encode.silent_below, "encode.silent_below", "", 0, 0, 1e6,
               "inputs below it do not spike; none below 0 does", .idle = without_input_spikes),
    MHO_P_REAL(mho_settle_config, encode.tau, "encode.tau", "s", 20e-3, 1e-15, 1e3,
               "latency: time constant of a neuron that the input charges until it fires",
               .idle = without_latency),
    MHO_P_REAL(mho_settle_config, encode.threshold, "encode.threshold", "", 0.1, 1e-6, 1e6,
               "latency: where it fires", .idle = without_latency),
    MHO_P_REAL(mho_settle_config, time_scale, "time_scale", "", 1, 1e-12, 1e6,
               "seconds of the chip in a second of neurons that spike: their circuits take power "
               "for that long, and waveforms on lines (rule.window) are in seconds of the chip",
               .idle = without_chip_time),
};
const mho_params mho_settle_params = MHO_PARAMS(mho_settle_config, settle_table);

/* ---------------------------------------------------------------- memory */

/* Whether something is constant during a phase in a hidden layer: the input's way in, or a held
 * error's. */
static bool has_drive(const mho_network *net, int l) {
  if (mho_layer_takes_error(net, l))
    return true;
  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    if (k->to == l && (k->from == 0 || mho__link_holds_error(net, k)))
      return mho_layer_is_hidden(&net->layer[l]);
  }
  return false;
}

/* The lists of pointers, which say nothing yet. */
static bool add_lists(mho_state *s, const mho_network *net, int parts) {
  size_t layers = (size_t)net->n_layers;
  bool keep = parts & MHO_STATE_KEEP, hold = parts & MHO_STATE_HOLD, push = parts & MHO_STATE_PUSH;
  bool sums = parts & MHO_STATE_SUMS;
  s->z = mho_alloc(layers, sizeof *s->z);
  s->next = mho_alloc(layers, sizeof *s->next);
  s->drive = mho_alloc(layers, sizeof *s->drive);
  s->pooled = mho_alloc(layers, sizeof *s->pooled);
  s->winner = mho_alloc(layers, sizeof *s->winner);
  if (keep)
    s->keep = mho_alloc(layers, sizeof *s->keep);
  if (hold)
    s->hold = mho_alloc(2 * (size_t)net->n_links, sizeof *s->hold);
  if (push)
    s->push = mho_alloc(layers, sizeof *s->push);
  if (sums)
    s->sums = mho_alloc(layers, sizeof *s->sums);
  if (!s->z || !s->next || !s->drive || !s->pooled || !s->winner || (keep && !s->keep) ||
      (hold && !s->hold) || (push && !s->push) || (sums && !s->sums))
    return false;

  s->n_layers = net->n_layers;
  s->n_hold = hold ? 2 * net->n_links : 0;
  return true;
}

/* Room for n values at *out where they are wanted. */
static bool add_values(bool wanted, size_t n, mho_real **out) {
  if (wanted)
    *out = mho_alloc(n, sizeof **out);
  return !wanted || *out;
}

static bool add_layer(mho_state *s, const mho_network *net, int l, bool input) {
  const mho_layer *layer = &net->layer[l];
  size_t n = (size_t)s->capacity * (size_t)layer->n;
  size_t outputs = (size_t)s->capacity * (size_t)layer->outputs;
  bool has_state = layer->has_state, pooled = layer->pool.size;

  if (pooled) {
    s->winner[l] = mho_alloc(outputs, sizeof *s->winner[l]);
    if (!s->winner[l])
      return false;
  }
  return add_values(has_state || input, n, &s->z[l]) && add_values(has_state, n, &s->next[l]) &&
         (!s->keep || add_values(has_state, n, &s->keep[l])) &&
         add_values(pooled && input, outputs, &s->pooled[l]) &&
         add_values(has_drive(net, l) || (s->push && has_state), n, &s->drive[l]) &&
         (!s->push || add_values(l > 0, n, &s->push[l])) &&
         (!s->sums || add_values(has_state, n, &s->sums[l]));
}

/* The lists of its inputs' spikes, where they may have some. */
static bool add_events(mho_state *s, const mho_network *net, int parts) {
  bool wanted = net->spiking && parts & MHO_STATE_INPUT;
  if (wanted)
    s->events = mho_alloc((size_t)s->capacity, sizeof *s->events);
  return !wanted || s->events;
}

static bool fill(mho_state *s, const mho_network *net, int parts) {
  if (!add_lists(s, net, parts) || !add_events(s, net, parts))
    return false;

  for (int i = 0; i < s->n_hold; i++) {
    const mho_link *k = &net->link[i / 2];
    size_t n = (size_t)s->capacity * mho__link_held(net, k);
    if (!add_values(mho_layer_is_hidden(&net->layer[k->to]), n, &s->hold[i]))
      return false;
  }
  for (int l = 0; l < net->n_layers; l++)
    if (!add_layer(s, net, l, parts & MHO_STATE_INPUT))
      return false;
  return true;
}

mho_err mho_state_new(const mho_network *net, int capacity, int parts, mho_state **out,
                      mho_errinfo *ei) {
  *out = NULL;
  mho_state *s = mho_alloc(1, sizeof *s);
  if (s)
    s->capacity = capacity;
  if (!s || !fill(s, net, parts)) {
    mho_state_free(s);
    return mho_fail(ei, MHO_ENOMEM, "no memory for the states of %d samples", capacity);
  }

  *out = s;
  return MHO_OK;
}

void mho_state_free(mho_state *s) {
  if (!s)
    return;

  for (int l = 0; l < s->n_layers; l++) {
    mho_free(s->z[l]);
    mho_free(s->next[l]);
    mho_free(s->drive[l]);
    mho_free(s->pooled[l]);
    mho_free(s->winner[l]);
    mho_free(s->keep ? s->keep[l] : NULL);
    mho_free(s->push ? s->push[l] : NULL);
    mho_free(s->sums ? s->sums[l] : NULL);
  }
  for (int i = 0; i < s->n_hold; i++)
    mho_free(s->hold[i]);

  mho_vars_free(s->vars);
  mho_free(s->events);
  mho_free(s->hold);
  mho_free(s->memory);
  mho_free(s->keep);
  mho_free(s->push);
  mho_free(s->sums);
  mho_free(s->pooled);
  mho_free(s->winner);
  mho_free(s->z);
  mho_free(s->next);
  mho_free(s->drive);
  mho_free(s);
}

mho_err mho_state_remember(mho_state *s, size_t per_sample, mho_errinfo *ei) {
  mho_free(s->memory);
  s->memory = NULL;
  s->memory_size = per_sample;
  if (per_sample == 0)
    return MHO_OK;

  s->memory = mho_alloc((size_t)s->capacity * per_sample, sizeof *s->memory);
  if (!s->memory)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the circuits of %d samples", s->capacity);
  return MHO_OK;
}

mho_err mho_state_add_variables(mho_state *s, const mho_network *net, const mho_dynamics *dyn,
                                mho_errinfo *ei) {
  if (dyn->n_vars == 0)
    return MHO_OK;
  return mho_vars_new(net, dyn->vars, dyn->n_vars, s->capacity, &s->vars, ei);
}

size_t mho_settle_scratch(const mho_network *net, int n) {
  size_t live_error = (size_t)n * (size_t)mho_network_classes(net), widest = 0;
  for (int l = 1; net->resistive && l < mho_hidden_end(net); l++)
    widest = mho_max_size(widest, (size_t)net->layer[l].n);
  return mho_settle_read_scratch(net, n) + live_error + (size_t)n * widest;
}

mho_real *mho__settle_room(const mho_phase *p) {
  size_t live_error = (size_t)p->n * (size_t)mho_network_classes(p->net);
  return p->thread->scratch + mho_settle_read_scratch(p->net, p->n) + live_error;
}

/* ---------------------------------------------------------------- a phase */

/* What the dynamics carries of the samples begins with the phase, or goes on. */
static void begin_variables(const mho_phase *p) {
  if (!p->s->vars)
    return;
  if (p->start)
    mho_vars_copy(p->s->vars, p->start->vars, p->row0, p->n);
  else
    mho_vars_clear(p->s->vars, p->row0, p->n, false);
}

void mho_settle(const mho_phase *p, mho_settle_stats *stats) {
  p->thread->step = 0;
  begin_variables(p);
  p->thread->settler->settle(p, stats);
  if (p->dyn->ended)
    p->dyn->ended(p);
}

void mho_settle_begin(const mho_phase *p, mho_settle_stats *stats) {
  p->thread->step = 0;
  begin_variables(p);
  p->dyn->begin(p, stats);
}

void mho_settle_difference(const mho_phase *p, const mho_settle_stats *free, mho_real *const *e,
                           mho_settle_stats *stats) {
  p->thread->step = 0;
  p->thread->settler->difference(p, free, e, stats);
}

/* ---------------------------------------------------------------- one pass, and what it ends in */

void mho_forward_pass(const mho_phase *p, mho_settle_stats *stats) {
  const mho_network *net = p->net;

  for (int l = 1; l < mho_hidden_end(net); l++) {
    const mho_layer *layer = &net->layer[l];
    mho_real *a = mho__values(net, p->s->z, l, p->row0);
    p->thread->step = l;
    for (int i = 0; i < layer->n_forward; i++) {
      const mho_link *k = &net->link[layer->forward + i];
      const mho_real *from =
          mho__values(net, k->from ? p->s->z : mho_phase_input(p)->z, k->from, p->row0);
      mho__link_read(p, k, from, a, k->scale, i > 0, stats);
    }
    mho_layer_activate(layer, p->n, a, a);
    mho__choose_winners(p, l, a);
  }
}

/* Answers and loss of the phase's samples, one by one where each loss is asked for. */
static void judge(const mho_phase *p, int outputs, mho_real *y, const mho_targets *targets,
                  double *loss, int64_t *correct) {
  mho_output output = p->net->output;
  if (!p->probe || !p->probe->loss) {
    mho_output_judge(output, p->n, outputs, y, targets, loss, correct);
    return;
  }

  for (int s = 0; s < p->n; s++) {
    double *own = &p->probe->loss[p->row0 + s];
    *own = 0;
    mho_targets one = mho_targets_from(targets, outputs, s);
    mho_output_judge(output, 1, outputs, y + (size_t)s * (size_t)outputs, &one, own, correct);
    *loss += *own;
  }
}

void mho_read_out(const mho_phase *p, mho_real *error, double *loss, int64_t *correct,
                  mho_settle_stats *stats) {
  const mho_network *net = p->net;
  int last = mho_network_output(net), classes = net->layer[last].n;
  mho_targets targets = mho_targets_from(&p->drive.targets, classes, p->row0);
  mho_real *e = error ? error + (size_t)p->row0 * (size_t)classes : NULL;
  mho_real *y = p->s->z[last] ? mho__values(net, p->s->z, last, p->row0) : e;

  if (net->output == MHO_OUTPUT_VOTES)
    mho__votes(p, y);
  else if (net->output != MHO_OUTPUT_GOODNESS) /* which its rule leaves there */
    mho__logits(p, (const mho_real *const *)p->s->z, p->row0, y, stats);
  mho__add_push(p, last, y);
  judge(p, classes, y, &targets, loss, correct);
  if (e)
    mho_output_error(p->n, classes, y, &targets, e);
}

void mho_state_pool(const mho_network *net, mho_state *s, int sample0, int n) {
  for (int l = 1; l < mho_hidden_end(net); l++)
    if (net->layer[l].pool.size)
      mho_pool_max(&net->layer[l].pool, n, mho__values(net, s->z, l, sample0),
                   s->pooled[l] + (size_t)sample0 * (size_t)net->layer[l].outputs);
}
