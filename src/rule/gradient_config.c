/* gradient_config.c - keys of the gradient of any rule.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/model/check.h"

/* What rates or the rule do to the size of errors already. */
static const char *same_gradient(const mho_experiment *e) {
  bool has_pulses = ((const mho_scheme *)e->scheme.entry)->needs_pulses;
  int rates = e->update.layer_rates;
  if (!((const mho_rule *)e->rule.entry)->size)
    return "errors of all layers have one size (rule.name)";
  if (rates == MHO_LAYER_RATES_EQUAL || (rates == MHO_LAYER_RATES_AUTO && has_pulses))
    return "rates of layers make them learn alike already (update.layer_rates)";
  return NULL;
}

static const char *all_alike(const mho_experiment *e) {
  bool none = e->gradient.importance == MHO_IMPORTANCE_NONE;
  return none ? "all neurons learn alike (rule.importance: none)" : NULL;
}

static const char *without_probes(const mho_experiment *e) {
  const char *why = all_alike(e);
  if (why || e->gradient.importance_by == MHO_IMPORTANCE_BY_PROBE)
    return why;
  return "no rows of signs are read (rule.importance_by)";
}

static const mho_param gradient_table[] = {
    MHO_P_CHOICE(mho_gradient_config, scale, "gradient", "auto|physical|normalized",
                 MHO_GRADIENT_AUTO,
                 "the error signal as measured, or divided by beta_f beta_i^h; auto: normalized "
                 "where the difference is settled directly",
                 .idle = same_gradient),
    MHO_P_CHOICE(mho_gradient_config, importance, "importance", "none|local|propagate",
                 MHO_IMPORTANCE_NONE,
                 "neurons with larger weights learn faster, each by a factor (GRAPES): of what the "
                 "weights into it are to change by, or of its error on the way back (bp, fa)"),
    MHO_P_REAL(mho_gradient_config, importance_low, "importance_low", "", 1, 0, 1000,
               "smallest factor; feedback alignment was published with 0", .idle = all_alike),
    MHO_P_REAL(mho_gradient_config, importance_high, "importance_high", "", 2, 1e-3, 1000,
               "factor of the neuron of a layer with the largest weights", .idle = all_alike),
    MHO_P_CHOICE(
        mho_gradient_config, importance_by, "importance_by", "weights|read|probe",
        MHO_IMPORTANCE_BY_WEIGHTS,
        "how a neuron's weights are summed: exactly, by one read that adds the currents of "
        "both devices of a pair, or by reads with rows of random signs (root of the mean "
        "square)",
        .idle = all_alike),
    MHO_P_INT(mho_gradient_config, importance_probes, "importance_probes", 64, 1, 65536,
              "by probe: how many reads", .idle = without_probes),
    MHO_P_INT(mho_gradient_config, importance_every, "importance_every", 1, 1, 1e9,
              "updates from one sum to the next", .idle = all_alike),
};
const mho_params mho_gradient_params = MHO_PARAMS(mho_gradient_config, gradient_table);
