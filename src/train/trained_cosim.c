/* trained_cosim.c - circuits of a trainer's network in ngspice, against the core.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/model/circuit.h"
#include "train/line_voltages.h"
#include "train/trained_control.h"
#include "train/trained_resistors.h"

mho_err mho_trainer_cosim_crossbar(mho_trainer *t, mho_spice *s, const mho_connection *k,
                                   bool transposed, int n, mho_cosim_result result, void *user,
                                   mho_errinfo *ei) {
  mho_err err = mho__trainer_has_crossbars(t, ei);
  if (err)
    return err;
  return mho_cosim_reads(s, k->xb, &t->e->device_config, &t->e->array_config, transposed, n, result,
                         user, ei);
}

mho_err mho_trainer_cosim_network(mho_trainer *t, mho_spice *s, int n, bool transient, bool norton,
                                  mho_cosim_result result, void *user, mho_errinfo *ei) {
  mho_targets targets;
  if (n < 1 || n > MHO_CHUNK_MAX)
    return mho_fail(ei, MHO_EINVAL, "%d samples to compare: 1 to %d", n, MHO_CHUNK_MAX);
  if (t->learner->rule->controls && (transient || norton))
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "a network under a controller is compared at rest and with all its inputs: "
                    "leave --transient and --norton out");
  if (t->learner->rule->controls)
    return mho__trainer_cosim_control(t, s, n, result, user, ei);
  if (t->net->resistive)
    return mho__trainer_cosim_resistors(t, s, n, transient, norton, result, user, ei);

  mho_real *images = mho_alloc((size_t)n * (size_t)t->net->layer[0].n, sizeof *images);
  if (!images)
    return mho_fail(ei, MHO_ENOMEM, "no memory for %d samples", n);

  mho_err err = mho__trainer_test_images(t, 0, n, images, &targets, ei);
  if (!err)
    err = mho__trainer_nudge_has_circuit(t, ei);

  mho_cosim_network_options o;
  if (!err)
    err = mho__trainer_comparison(t, &o, ei);
  if (!err) {
    o.samples = n;
    o.x = images;
    o.targets = targets;
    o.transient = transient;
    o.both_inputs = norton;
    err = mho_cosim_network(s, &o, result, user, ei);
  }

  mho_free(images);
  return err;
}

mho_err mho_trainer_cosim_device(mho_trainer *t, mho_spice *s, mho_cosim_result result, void *user,
                                 mho_errinfo *ei) {
  const mho_experiment *e = t->e;
  return mho_cosim_device(s, (const mho_device_model *)e->device.entry, e->device.params,
                          &e->device_config, result, user, ei);
}
