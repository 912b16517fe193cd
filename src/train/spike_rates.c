/* spike_rates.c - layers that never fire, and layers that always do, noticed in the first epoch.
 *
 * With r the refractory steps and h those for which a line holds the others, layer l can fire in
 * every P-th step, and in a phase of S steps with inputs, which it hears from step l + 1 on, K
 * times:
 *
 *   all may fire at once      P = 1 + r
 *   one winner                P = 1, with fewer than 2 + r neurons 1 + r
 *   one winner and a line     P = 1 + min(r, h)
 *   K = floor((S - l - 1)/P) + 1
 *
 * It always fires where it comes to more than 90 % of K, and takes less than a step to charge:
 * more than P/(P + 1) of K. Counts tell that where P is 1 or K at least 20. Between events there is
 * no K: only silence is noticed.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/spike_rates.h"

#include <math.h>

#include "train/trainer.h"

/* Samples to judge by where thresholds do not move on their own, and spikes of a sample. */
enum { ENOUGH = 1000, SPIKES_MIN = 20 };
static const double ALWAYS = 0.9;

/* ---------------------------------------------------------------- what is possible */

static const void *settler_parameter(const mho_experiment *e, const char *name) {
  const mho_param *p = mho_params_find(e->settler.entry->params, name);
  return p ? e->settler.params + p->offset : NULL;
}

bool mho__timing_of(const mho_experiment *e, mho_timing *out) {
  const int64_t *steps = settler_parameter(e, "steps"), *rest = settler_parameter(e, "rest");
  const double *dt = settler_parameter(e, "dt"), *time = settler_parameter(e, "time");
  bool by_events = !((const mho_settler *)e->settler.entry)->step;
  if (by_events && time)
    *out = (mho_timing){.seconds = *time, .unit = e->circuit.spiking.tau};
  else if (steps && rest && dt)
    *out = (mho_timing){.steps = (double)*steps,
                        .rest = (double)*rest,
                        .dt = *dt,
                        .seconds = (double)(*steps + *rest) * *dt,
                        .unit = *dt};
  else
    return false;
  return true;
}

/* Steps from one spike of layer l to the next where it fires whenever it can. */
static double period_of(const mho_trainer *t, int l, double dt) {
  const mho_spiking_config *c = t->net->spiking;
  double refractory = round(c->refractory / dt), held = round(c->inhibit_time / dt);
  if (c->winners == MHO_WINNERS_ALL)
    return 1 + refractory;
  if (c->inhibit == MHO_INHIBIT_LINE)
    return 1 + fmin(refractory, held);
  return t->net->layer[l].n > 1 + refractory ? 1 : 1 + refractory;
}

/* Whether layer l fires whenever it can, of which `share` is what it comes to. */
static bool always_fires(const mho_trainer *t, int l, double *share) {
  mho_timing clock;
  if (!mho__timing_of(t->e, &clock) || clock.dt == 0)
    return false;

  double period = period_of(t, l, clock.dt);
  double most = floor((clock.steps - l - 1) / period) + 1;
  double neurons = t->net->spiking->winners == MHO_WINNERS_ALL ? t->net->layer[l].n : 1;
  double spikes = t->rates.activity[l] / (double)t->rates.samples * (clock.steps + clock.rest);
  *share = spikes / (most * neurons);
  bool can_tell = most >= SPIKES_MIN || (most >= 1 && period == 1);
  return can_tell && *share > fmax(ALWAYS, period / (period + 1));
}

/* ---------------------------------------------------------------- what is said */

/* "settle.encode.rate (130), neuron.gain.forward (1)": what drives a neuron. */
static void drive_keys(const mho_trainer *t, char *out, size_t size) {
  const mho_encode_config *encode = &t->e->settle.encode;
  bool has_rate = encode->kind == MHO_ENCODE_POISSON || encode->kind == MHO_ENCODE_REGULAR;
  *out = '\0';
  if (has_rate)
    mho_text_append(out, size, "settle.encode.rate (%g Hz) or ", encode->rate);
  mho_text_append(out, size, "neuron.gain.forward (%g)", t->net->spiking->forward_gain);
}

static void say_silent(const mho_trainer *t, int l) {
  const mho_spike_rates *r = &t->rates;
  char drive[160];
  drive_keys(t, drive, sizeof drive);
  mho_log(t->ctx, MHO_LOG_WARNING,
          "neuron.threshold.value: no neuron of layer %s has fired in %lld samples, and nothing is "
          "learned from what does not fire: potentials came to at most %.3g at their ends: lower "
          "the threshold (%g), or raise %s",
          t->net->layer[l].name, (long long)r->samples, r->potential[l], t->net->spiking->threshold,
          drive);
}

static void say_always(const mho_trainer *t, int l, double share) {
  char drive[160];
  drive_keys(t, drive, sizeof drive);
  mho_log(
      t->ctx, MHO_LOG_WARNING,
      "neuron.threshold.value: layer %s fires %.0f %% of the spikes that it can (%lld samples), "
      "whatever it is shown: raise the threshold (%g), or lower %s",
      t->net->layer[l].name, fmin(100 * share, 100), (long long)t->rates.samples,
      t->net->spiking->threshold, drive);
}

/* The first layer at fault: those behind it only hear it. */
static void judge(mho_trainer *t) {
  mho_spike_rates *r = &t->rates;
  r->is_settled = true;

  for (int l = 1; l < mho_hidden_end(t->net); l++) {
    double share;
    if (r->activity[l] == 0)
      say_silent(t, l);
    else if (always_fires(t, l, &share))
      say_always(t, l, share);
    else
      continue;
    return;
  }
}

/* ---------------------------------------------------------------- counting */

/* What n samples did in layer l; u: the variable of potentials. */
static void add_layer(mho_trainer *t, int l, int n, int u) {
  mho_spike_rates *r = &t->rates;
  const mho_state *s = t->learner->state[0];
  size_t values = (size_t)n * (size_t)t->net->layer[l].n;
  const double *potential = mho_vars_exact(s->vars, u, l, 0);

  for (size_t i = 0; i < values; i++) {
    r->activity[l] += (double)s->z[l][i];
    r->potential[l] = fmax(r->potential[l], potential[i]);
  }
}

static bool is_done(const mho_trainer *t) {
  return !t->net->spiking || t->at.epoch > 0 || t->rates.is_settled;
}

void mho__spike_rates_add(mho_trainer *t, int n) {
  mho_spike_rates *r = &t->rates;
  int u = is_done(t) ? -1 : mho_vars_find(t->learner->state[0]->vars, "u");
  if (u < 0)
    return;

  for (int l = 1; l < mho_hidden_end(t->net); l++) {
    if (r->samples == 0)
      r->potential[l] = -INFINITY;
    add_layer(t, l, n, u);
  }
  r->samples += n;
}

void mho__spike_rates_warn(mho_trainer *t, bool ends) {
  int law = t->net->spiking ? t->net->spiking->law : MHO_THRESHOLD_FIXED;
  bool moves = law == MHO_THRESHOLD_SPIKE || law == MHO_THRESHOLD_TARGET;
  bool has_enough = !moves && t->rates.samples >= ENOUGH;
  if (!is_done(t) && t->rates.samples > 0 && (ends || has_enough))
    judge(t);
}
