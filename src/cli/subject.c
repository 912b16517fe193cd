/* subject.c - the network that a verb works on: of a stored run, or as a config builds it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/subject.h"

#include <stdio.h>
#include <string.h>

#include "array/weights.h"

static bool is_config(const char *word) {
  const char *end = strrchr(word, '.');
  return end && (!strcmp(end, ".yaml") || !strcmp(end, ".yml"));
}

static mho_err open_config(session *s, const common_options *o, subject *x, mho_errinfo *ei) {
  mho_config *c;
  mho_err err = mho_config_new(&c, ei);
  if (!err)
    err = mho_config_file(c, o->run, ei);
  for (int i = 0; i < o->n_set && !err; i++)
    err = mho_config_set(c, o->set[i], ei);
  if (!err)
    err = mho_experiment_new(s->registry, c, false, &x->e, ei);
  mho_config_free(c);
  if (!err)
    err = mho_trainer_new(&s->ctx, x->e, &x->t, ei);
  if (!err && *x->e->train.from)
    err = mho_trainer_from(x->t, NULL, ei);
  return err;
}

static mho_err open_run(session *s, const common_options *o, mho_store_mode mode, bool cells,
                        subject *x, mho_errinfo *ei) {
  mho_checkpoint_row c = {0};
  mho_err err = mho_store_open(o->db ? o->db : DEFAULT_DB, mode, &x->store, ei);
  if (!err)
    err = mho_store_find(x->store, o->run, x->id, ei);
  if (!err && !cells)
    err = mho_train_stored_variant(x->store, s->registry, x->id, o->n_set, o->set, &x->e, ei);
  if (!err && cells)
    err = mho_train_stored_experiment(x->store, s->registry, x->id, o->n_set, o->set, &x->e, ei);
  if (!err && cells)
    err = mho_store_checkpoint_get(x->store, x->id, "last", &c, ei);
  if (!err)
    err = mho_trainer_new(&s->ctx, x->e, &x->t, ei);
  if (!err && cells)
    err = mho_trainer_load(x->t, &c.blob, ei);
  mho_blob_free(&c.blob);
  return err;
}

/* Say which circuits and noise of the run's reads are in no netlist. */
static void note_left_out(const mho_experiment *e, const mho_crossbar *x) {
  const mho_array_model *model = (const mho_array_model *)e->array.entry;
  mho_params keys_of = model->entry.params;
  char keys[512] = "";
  for (int i = 0; i < keys_of.n && strcmp(model->entry.id, "spice"); i++)
    if (!mho_param_is_default(&keys_of.p[i], e->array.params))
      mho_text_append(keys, sizeof keys, "%sarray.%s", *keys ? ", " : "", keys_of.p[i].name);
  if (model->shows_cells && x->pos && mho_device_reads_noisy(&x->pos->config))
    mho_text_append(keys, sizeof keys, "%sdevice.read_noise", *keys ? ", " : "");
  if (*keys)
    fprintf(stderr, "note: not in the circuit: %s\n", keys);
  if (e->device_config.iv.law != MHO_IV_OHMIC && !mho_crossbar_law(x))
    fprintf(
        stderr,
        "note: reads do not show device.iv.law here (device %s, array.model %s): the circuit's devices are "
        "resistors\n",
        e->device.entry->id, model->entry.id);
}

/* A device as a circuit answers as the mean device does; what real ones have beside that is not in it. */
static void note_mean_device(const mho_device_config *d) {
  static const char *const names[] = {"levels", "write_noise", "endurance",
                                      "leak",   "stuck_on",    "stuck_off",
                                      "open",   "up_down",     "variation"};
  const bool has[] = {d->levels > 0,
                      d->write_noise > 0,
                      d->endurance > 0,
                      d->leak > 0,
                      d->stuck_on > 0,
                      d->stuck_off > 0,
                      d->open > 0,
                      d->up_down != 0,
                      d->spread_step > 0 || d->spread_low > 0 || d->spread_high > 0 ||
                          *d->spread_of};
  char keys[256] = "";
  for (int i = 0; i < MHO_COUNT(names); i++)
    if (has[i])
      mho_text_append(keys, sizeof keys, "%sdevice.%s", *keys ? ", " : "", names[i]);
  if (*keys)
    fprintf(stderr, "note: not in the circuit of a device: %s\n", keys);
}

/* Reads through ideal circuits, with what I-V law the reads show. */
static mho_err read_plainly(session *s, subject *x, mho_crossbar *xb, mho_errinfo *ei) {
  mho_crossbar_options o = {.array_config = &x->e->array_config};
  bool bent = mho_crossbar_law(xb) != NULL;
  if (xb->model->detach)
    xb->model->detach(xb);
  if (!bent) {
    xb->model = (const mho_array_model *)mho_registry_find(s->registry, MHO_KIND_ARRAY, "ideal");
    return MHO_OK;
  }

  xb->pos->config.read_noise.law = xb->neg->config.read_noise.law = MHO_READ_NOISE_NONE;
  mho_params_init(xb->model->entry.params, x->plain.params);
  xb->params = x->plain.params;
  mho_err err = xb->model->attach ? xb->model->attach(xb, &o, ei) : MHO_OK;
  if (!err)
    mho_crossbar_refresh(xb, 0, (size_t)xb->rows * (size_t)xb->cols);
  return err;
}

mho_err subject_open(session *s, const common_options *o, mho_store_mode mode, bool cells,
                     double after, subject *out, mho_errinfo *ei) {
  *out = (subject){0};
  if (!cells && after > 0)
    return mho_fail(ei, MHO_EINVAL,
                    "--after: a device under pulses has not been programmed before: leave it out");
  mho_err err =
      is_config(o->run) ? open_config(s, o, out, ei) : open_run(s, o, mode, cells, out, ei);
  if (!err && after > 0) {
    note_no_drift(out->e);
    err = mho_trainer_age(out->t, after, ei);
  }
  if (!err && !cells)
    note_mean_device(&out->e->device_config);
  if (!err && cells)
    note_left_out(out->e, mho_network_array(mho_trainer_network(out->t)));
  for (int c = 0; !err && c < mho_trainer_network(out->t)->n_connections; c++)
    err = read_plainly(s, out, mho_trainer_network(out->t)->connection[c].xb, ei);
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

const mho_connection *subject_connection(const subject *x, const char *name, mho_errinfo *ei) {
  const mho_network *net = mho_trainer_network(x->t);
  char all[MHO_TEXT_MAX] = "";
  for (int c = 0; c < net->n_connections; c++) {
    const mho_connection *k = &net->connection[c];
    if (name ? !strcmp(k->name, name) : k->to == net->n_layers - 1)
      return k;
    mho_text_append(all, sizeof all, "%s%s", c ? ", " : "", k->name);
  }
  mho_fail(ei, MHO_ENOTFOUND, "there is no connection '%s' (there are %s)", name ? name : "", all);
  return NULL;
}

mho_err subject_wires(const subject *x, const mho_connection *k, mho_netlist_crossbar *netlist,
                      mho_errinfo *ei) {
  const mho_array_config *wires = &x->e->array_config;
  netlist->iv = mho_crossbar_law(k->xb);
  if (!mho_crossbar_is_wired(k->xb))
    return MHO_OK;
  if (wires->wire_negative != MHO_WIRE_NEGATIVE_OWN)
    return mho_fail(
        ei, MHO_EUNSUPPORTED,
        "array.wire.negative: G- in the next column has no netlist; add --set array.wire.negative=own");
  netlist->r_word = wires->r_word;
  netlist->r_bit = wires->r_bit;
  for (int i = 0; i < 2 && i < wires->wire_tile.n; i++)
    netlist->tile[i] = wires->wire_tile.v[i];
  return MHO_OK;
}

double subject_nudge(const subject *x) {
  const mho_param *p = mho_params_find(x->e->rule.entry->params, "nudge");
  return p && p->kind == MHO_PARAM_REAL
             ? *(const double *)(const void *)(x->e->rule.params + p->offset)
             : 0.1;
}

mho_err subject_error_held(const subject *x, mho_errinfo *ei) {
  const mho_param *p = mho_params_find(x->e->rule.entry->params, "error");
  char word[MHO_TEXT_MAX] = "";
  if (p)
    mho_param_format(p, x->e->rule.params, true, word, sizeof word);
  if (strcmp(word, "live"))
    return MHO_OK;
  return mho_fail(
      ei, MHO_EUNSUPPORTED,
      "rule.error: live is not in the circuit of a whole network, whose error is held: --set "
      "rule.error=held, or see the states with it by mho settle");
}

mho_err subject_samples(const subject *x, int first, int n, mho_real *images, uint8_t *label,
                        mho_errinfo *ei) {
  const mho_dataset *d = mho_trainer_dataset(x->t);
  if (first < 0 || n > d->test.n - first)
    return mho_fail(ei, MHO_EINVAL, "there is no test image %d: the dataset has %d", first + n - 1,
                    d->test.n);
  mho_images_batch(d, &d->test, NULL, first, n, images, label);
  return MHO_OK;
}
