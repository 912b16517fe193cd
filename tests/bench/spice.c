/* The same network settled by the core and by ngspice, in one run: how much faster the core is.
 *
 * Networks at their initial weights on the embedded digits, free and nudged phase; the core settles
 * to rounding, on one thread, all samples at once, ngspice one after another by .op, loading the
 * netlist not counted.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "mho/model/check.h"
#include "mho/model/circuit.h"
#include "mho/spice.h"
#include "mho/train.h"

enum { SAMPLES = 20 };

static void take(void *user, const mho_cosim_row *row, const double *core, const double *spice) {
  const bool *counts = user;
  if (!*counts || (row->quantity[0] != 'f' && row->quantity[0] != 'n')) /* free, nudged */
    return;
  printf("  %-40s core %8.1f us, ngspice %8.1f ms, a sample: ratio %.0f; largest difference %.1e\n",
         row->quantity, 1e6 * row->core_s / SAMPLES, 1e3 * row->spice_s / SAMPLES,
         row->spice_s / row->core_s, row->max_abs);
}

static mho_err bench(const mho_registry *r, const char *yaml, mho_errinfo *ei) {
  mho_config *c;
  mho_experiment *e = NULL;
  mho_trainer *t = NULL;
  mho_spice *s = NULL;
  static mho_real x[SAMPLES * 64];
  static uint8_t label[SAMPLES];
  bool counts = false;
  printf("%s\n", yaml);
  mho_err err = mho_config_new(&c, ei);
  if (!err)
    err = mho_config_text(c, yaml, "bench", ei);
  if (!err)
    err = mho_experiment_new(r, c, false, &e, ei);
  mho_config_free(c);
  if (!err)
    err = mho_trainer_new(NULL, e, &t, ei);
  if (!err)
    err = mho_spice_open(&s, ei);
  if (!err) {
    const mho_dataset *d = mho_trainer_dataset(t);
    mho_images_batch(d, &d->test, NULL, 0, SAMPLES, x, label);
    mho_cosim_network_options o = {
        .net = mho_trainer_network(t),
        .settler = (const mho_settler *)mho_registry_find(r, MHO_KIND_SETTLER, "sweep"),
        .dynamics = (const mho_dynamics *)e->dynamics.entry,
        .device = &e->device_config,
        .samples = SAMPLES,
        .x = x,
        .targets = {.label = label},
        .nudge = 0.1,
        .both_inputs = true};
    for (int turn = 0; turn < 2 && !err;
         turn++) { /* in the first one kernels for these sizes are made */
      counts = turn;
      err = mho_cosim_network(s, &o, take, &counts, ei);
    }
  }

  mho_spice_close(s);
  mho_trainer_free(t);
  mho_experiment_free(e);
  return err;
}

int main(void) {
  static const char *const nets[] = {
      "network: {hidden: [32, 32]}\nfeedback: {scale: 0.1}\n",
      "network: {hidden: [16]}\nfeedback: {scale: 0.1}\n",
  };
  mho_registry *r;
  mho_errinfo ei = {0};
  mho_err err = mho_registry_new(&r, &ei);
  for (int i = 0; i < MHO_COUNT(nets) && !err; i++)
    err = bench(r, nets[i], &ei);
  if (err)
    printf("%s\n", ei.message);
  mho_registry_free(r);
  return err && err != MHO_EUNSUPPORTED;
}
