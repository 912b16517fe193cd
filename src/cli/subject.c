/* subject.c - the network that a verb works on: of a stored run, or as a config builds it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/subject.h"
#include "mho/model/check.h"

#include <stdio.h>
#include <string.h>

#include "array/weights.h"

/* ---------------------------------------------------------------- from a config, from a run */

static mho_err load_config(environment *s, const common_options *o, subject *x, mho_errinfo *ei) {
  mho_err err = read_experiment(s->registry, o->run, o->n_set, o->set, &x->e, ei);
  if (!err)
    err = mho_trainer_new(&s->ctx, x->e, &x->t, ei);
  if (!err)
    err = mho_trainer_from(x->t, NULL, ei);
  return err;
}

static mho_err load_run(environment *s, const common_options *o, const char *run,
                        mho_store_mode mode, const char *checkpoint, subject *x, mho_errinfo *ei) {
  mho_checkpoint_row c = {0};
  mho_err err = open_stored(o, mode, &x->store, ei);
  if (!err)
    err = mho_store_find(x->store, run, x->id, ei);

  /* without the state of the cells any key may be another */
  if (!err && !checkpoint)
    err = mho_train_stored_variant(x->store, s->registry, x->id, o->n_set, o->set, &x->e, ei);
  if (!err && checkpoint)
    err = mho_train_stored_experiment(x->store, s->registry, x->id, o->n_set, o->set, &x->e, ei);
  if (!err && checkpoint)
    err = mho_store_checkpoint_get(x->store, x->id, checkpoint, &c, ei);

  if (!err)
    err = mho_trainer_new(&s->ctx, x->e, &x->t, ei);
  if (!err && checkpoint)
    err = mho_trainer_load(x->t, &c.blob, ei);
  x->epoch = c.epoch;

  mho_blob_free(&c.blob);
  return err;
}

mho_err subject_load_run(environment *s, const common_options *o, const char *run,
                         mho_store_mode mode, const char *checkpoint, subject *out,
                         mho_errinfo *ei) {
  *out = (subject){0};
  mho_err err = load_run(s, o, run, mode, checkpoint, out, ei);
  if (err)
    subject_close(out);
  return err;
}

mho_err subject_load(environment *s, const common_options *o, mho_store_mode mode,
                     const char *checkpoint, double after, subject *out, mho_errinfo *ei) {
  mho_err err;
  *out = (subject){0};
  if (names_config(o->run))
    err = load_config(s, o, out, ei);
  else
    err = load_run(s, o, o->run, mode, checkpoint, out, ei);

  if (!err && after > 0) {
    note_no_drift(out->e);
    err = mho_trainer_age(out->t, after, ei);
  }
  if (err)
    subject_close(out);
  return err;
}

void subject_close(subject *x) {
  mho_trainer_free(x->t);
  mho_experiment_free(x->e);
  mho_store_close(x->store);
  *x = (subject){0};
}

/* ---------------------------------------------------------------- as a circuit */

/* Say which circuits and noise of the run's reads are in no netlist. */
static void note_left_out(const mho_experiment *e, const mho_crossbar *x) {
  const mho_array_model *model = (const mho_array_model *)e->array.entry;
  mho_params keys_of = model->entry.params;
  bool in_circuit = !strcmp(model->entry.id, "spice");
  char keys[512] = "";

  for (int i = 0; i < keys_of.n; i++)
    if (!in_circuit && !mho_param_is_default(&keys_of.p[i], e->array.params))
      mho_text_append(keys, sizeof keys, "%sarray.%s", *keys ? ", " : "", keys_of.p[i].name);
  if (model->shows_cells && mho_crossbar_has_cells(x) &&
      mho_device_reads_noisy(&x->bank[0]->config))
    mho_text_append(keys, sizeof keys, "%sdevice.read_noise", *keys ? ", " : "");

  if (*keys)
    fprintf(stderr, "note: not in the circuit: %s\n", keys);
  if (e->device_config.iv.law != MHO_IV_OHMIC && !mho_crossbar_law(x))
    fprintf(stderr,
            "note: reads do not show device.iv.law here (device %s, array.model %s): "
            "the circuit's devices are resistors\n",
            e->device.entry->id, model->entry.id);
}

/* A device as a circuit answers as the mean device does; what real ones have beside that is not in
 * it. */
static void note_mean_device(const mho_device_config *d) {
  bool varies = d->spread_step > 0 || d->spread_low > 0 || d->spread_high > 0 || *d->spread_of;
  const struct {
    const char *name;
    bool set;
  } keys_of[] = {{"levels", d->levels > 0},       {"write_noise", d->write_noise > 0},
                 {"endurance", d->endurance > 0}, {"leak", d->leak > 0},
                 {"stuck_on", d->stuck_on > 0},   {"stuck_off", d->stuck_off > 0},
                 {"stuck", d->stuck > 0},         {"open", d->open > 0},
                 {"up_down", d->up_down != 0},    {"variation", varies}};
  char keys[256] = "";

  for (int i = 0; i < MHO_COUNT(keys_of); i++)
    if (keys_of[i].set)
      mho_text_append(keys, sizeof keys, "%sdevice.%s", *keys ? ", " : "", keys_of[i].name);
  if (*keys)
    fprintf(stderr, "note: not in the circuit of a device: %s\n", keys);
}

mho_err subject_open(environment *s, const common_options *o, mho_store_mode mode, bool cells,
                     double after, subject *out, mho_errinfo *ei) {
  *out = (subject){0};
  if (!cells && after > 0)
    return mho_fail(ei, MHO_EINVAL,
                    "--after: a device under pulses has not been programmed before: leave it out");
  mho_err err = subject_load(s, o, mode, cells ? "last" : NULL, after, out, ei);
  if (err)
    return err;

  if (cells)
    err = name_idle_sets(out->e, USE_PHASES, o->n_set, o->set, false, ei);
  else
    err = name_idle_sets(NULL, USE_CURVE, o->n_set, o->set, false, ei);
  if (cells)
    note_left_out(out->e, mho_trainer_network(out->t)->array.crossbar);
  else
    note_mean_device(&out->e->device_config);
  if (!err)
    err = mho_trainer_read_ideally(out->t, ei);
  if (err)
    subject_close(out);
  return err;
}
