/* cosim_device.c - a device under pulses in the core and in ngspice, and how far apart they are.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>

#include "base/streams.h"
#include "mho/model/circuit.h"
#include "mho/spice.h"

mho_err mho_cosim_device_core(const mho_netlist_device *x, double *out, mho_errinfo *ei) {
  if (!x->model->pulse)
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "device '%s' takes any change: it has no response to pulses; set device.model "
                    "to another (mho list devices)",
                    x->model->entry.id);

  mho_device_config config = mho_device_mean(x->config);
  mho_cells *cells = NULL;
  mho_rng rng = mho__stream_unused();
  mho_err err = mho_cells_new(x->model, x->params, &config, 1, rng, rng, &cells, ei);
  if (err)
    return err;

  double g = x->start;
  for (int k = 0; k < x->n; k++) {
    float direction = x->pulse[k] > 0 ? 1 : -1, step, state, at = (float)g;
    mho_cells_set(cells, 0, 1, &at);
    mho_cells_mean_step(cells, 0, 1, &direction, &step);
    mho_cells_mean_state(cells, 0, 1, &direction, &state);

    /* steps are added up in double, not rounded to the digits of the core's state; an abrupt RESET
     * is no step */
    g = fabsf(step) > state ? (double)state : fmin(fmax(g + (double)step, 0), 1);
    out[k] = config.g_min + g * (config.g_max - config.g_min);
  }

  mho_cells_free(cells);
  return MHO_OK;
}

mho_err mho_cosim_device(mho_spice *s, const mho_device_model *model, const void *params,
                         const mho_device_config *config, mho_cosim_result result, void *user,
                         mho_errinfo *ei) {
  enum { PULSES = 200 };
  int8_t pulse[PULSES];
  double core[PULSES], spice[PULSES];
  char place[MHO_PLACE_MAX];

  mho_netlist_random_pulses(1, PULSES, pulse);
  mho_netlist_device x = {.model = model,
                          .params = params,
                          .config = config,
                          .n = PULSES,
                          .pulse = pulse,
                          .start = 0.5};
  mho_cosim_row row = {.what = "device",
                       .quantity = "conductance after each pulse",
                       .unit = "S",
                       .place = place,
                       .tolerance = 1e-6};

  double start = mho_seconds();
  mho_err err = mho_cosim_device_core(&x, core, ei);
  row.core_s = mho_seconds() - start;
  if (err)
    return err;

  start = mho_seconds();
  err = mho_spice_device(s, &x, spice, ei);
  row.spice_s = mho_seconds() - start;
  if (err)
    return err;

  int worst = mho_cosim_compare(PULSES, core, spice, 1, &row);
  row.pass = row.max_rel <= row.tolerance;
  snprintf(place, sizeof place, "%.40s pulse %d", model->entry.id, worst + 1);
  result(user, &row, core, spice);
  return MHO_OK;
}
