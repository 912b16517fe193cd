/* update_config.c - what every update is told, and the rate it has in an epoch.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "mho/model/check.h"

static const char *not_cosine(const mho_experiment *e) {
  return e->update.schedule == MHO_SCHEDULE_COSINE ? NULL : "update.schedule is not cosine";
}

static const char *not_step(const mho_experiment *e) {
  return e->update.schedule == MHO_SCHEDULE_STEP ? NULL : "update.schedule is not step";
}

/* Layers learn alike already, or the rule's errors have the size of the gradient. */
static const char *same_rates(const mho_experiment *e) {
  int scale = e->gradient.scale;
  bool is_normalized =
      scale == MHO_GRADIENT_NORMALIZED || (scale == MHO_GRADIENT_AUTO && mho_experiment_direct(e));
  if (!((const mho_rule *)e->rule.entry)->size)
    return "errors of all layers have one size (rule.name)";
  return is_normalized ? "the gradient is normalized already (rule.gradient)" : NULL;
}

static const char *no_biases(const mho_experiment *e) {
  return e->network.biases ? NULL : "layers have no biases (network.biases)";
}

static const mho_param update_table[] = {
    MHO_P_REAL(mho_update_config, rate, "rate", "", 1e-3, 0, 1000, "learning rate"),
    MHO_P_REALS(
        mho_update_config, rates, "rates", "", 0, 1000,
        "a rate for each trained connection, in the order of 'mho show'; empty: rate for all"),
    MHO_P_REAL(mho_update_config, bias_rate, "bias_rate", "", 1, 0, 1000,
               "biases learn at this times the rate of their connection", .idle = no_biases),
    MHO_P_CHOICE(mho_update_config, schedule, "schedule", "constant|cosine|step",
                 MHO_SCHEDULE_CONSTANT, "how the rate changes from epoch to epoch"),
    MHO_P_REAL(mho_update_config, rate_end, "rate_end", "", 0, 0, 1000,
               "schedule cosine: the rate that is approached at the end", .idle = not_cosine),
    MHO_P_INT(mho_update_config, step_every, "step_every", 10, 1, 1e6,
              "schedule step: epochs between two steps", .idle = not_step),
    MHO_P_REAL(mho_update_config, step_factor, "step_factor", "", 0.5, 0, 1,
               "schedule step: what the rate is multiplied with", .idle = not_step),
    MHO_P_REAL(mho_update_config, decay, "decay", "", 0, 0, 1000,
               "weight decay: rate * decay * W is taken off at every update (with adam: AdamW)"),
    MHO_P_REAL(
        mho_update_config, clip, "clip", "", 0, 0, 1e9,
        "largest norm of a batch's gradient, over all connections; longer ones are shortened. "
        "0: any"),
    MHO_P_CHOICE(mho_update_config, layer_rates, "layer_rates", "auto|plain|equal",
                 MHO_LAYER_RATES_AUTO,
                 "one rate, or divided by beta_f beta_i^h so that every layer learns; "
                 "auto: equal with pulses",
                 .idle = same_rates),
    MHO_P_CHOICE(
        mho_update_config, apply, "apply", "auto|batch|sample|step|spike", MHO_APPLIES_AUTO,
        "when changes are applied: after a batch, after every sample of it, or after every "
        "step or spike, where the rule allows it; auto: as the rule is defined"),
};
const mho_params mho_update_params = MHO_PARAMS(mho_update_config, update_table);

double mho_update_rate(const mho_update_config *u, int connection, int64_t epoch, int64_t epochs) {
  double rate = connection < u->rates.n ? u->rates.v[connection] : u->rate;
  switch (u->schedule) {
  case MHO_SCHEDULE_COSINE:
    return u->rate_end +
           (rate - u->rate_end) * 0.5 * (1 + cos(M_PI * (double)epoch / (double)epochs));
  case MHO_SCHEDULE_STEP:
    return rate * pow(u->step_factor, (double)(epoch / u->step_every));
  default:
    return rate;
  }
}
