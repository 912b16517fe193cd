/* brought_weights.c - weights of a run, a folder or a network's file onto the devices of a trainer.
 *
 * The rule for whatever comes from elsewhere is in one place (take, bring): a weight is a weight on
 * any device, a conductance means the same weight only on a device of the same model, card,
 * mapping, range, start and weight_range, with the w_max that it had. There conductances are taken
 * as they are; anywhere else, and from a folder that does not say what its conductances are of,
 * weights are written anew.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "array/weights.h"
#include "network/control.h"
#include "train/arrays.h"
#include "train/network_file.h"

/* Where weights come from: another trainer, a network's file, or a folder. */
typedef struct source {
  const mho_trainer *trainer;   /* NULL: the file */
  const mho_network_file *file; /* NULL: the folder */
  const char *folder;
  json_t *sidecar; /* of the folder, if it has one */
  mho_origin origin;
} source;

/* How weights that are brought are put onto a device. */
typedef struct manner {
  bool anew;  /* written, on the device that they are from, too */
  bool tight; /* on another device no range is kept for learning */
} manner;

/* ---------------------------------------------------------------- what is read */

/* Of connection c of t. here: the banks onto which they come; conductances of others are of no
 * use. */
static mho_err read_source(const mho_trainer *t, int c, const source *s, const mho_bank_table *here,
                           mho_matrices *m, mho_errinfo *ei) {
  const char *name = t->net->connection[c].name;
  if (s->file)
    return mho__network_file_matrices(s->file, t->net, c, m, ei);
  if (!s->trainer) {
    mho_origin o = mho__origin_of(t->e);
    bool alike = !strcmp(s->origin.mapping, o.mapping) && !strcmp(s->origin.cells, o.cells);
    bool is_looked_for = !s->origin.known || alike;
    mho_err err = mho__matrices_read(s->folder, name, is_looked_for ? here : NULL, m, ei);
    m->w_max = mho__sidecar_range(s->sidecar, name);
    return err;
  }

  const mho_network *net = s->trainer->net;
  for (int i = 0; i < net->n_trained; i++)
    if (!strcmp(net->connection[i].name, name))
      return mho__matrices_of(net->connection[i].xb, m, ei);
  return mho_fail(ei, MHO_EDATA, "the run to start from has no connection %s", name);
}

/* Whether conductances say the same weights as the weights beside them: a file of one may have been
 * changed. */
static bool agree(const mho_matrices *m, const mho_mapping *mapping, const mho_bank_table *banks,
                  const mho_origin *o) {
  double scale = mapping->span * m->w_max, range = o->g_max - o->g_min;
  size_t n = mho__matrices_cells(m);

  for (size_t i = 0; i < n; i++) {
    double sum = 0;
    for (int k = 0; k < m->n_banks; k++)
      sum += banks->bank[k].gain * m->g[k][i];
    if (fabs(scale * sum / range - m->w[i]) > 1e-4 * scale)
      return false;
  }
  return true;
}

/* w_max for weights that are brought: what holds the largest of them, and unless that is all that
 * is wanted no less than the config gives drawn weights, so that there is room to learn. */
static double range_for(const mho_trainer *t, int c, const mho_matrices *m, bool tight) {
  /* 1/reach: devices that start closer to a bound must be written otherwise. */
  enum { LEAST_REACH = 20 };
  double reach = mho_crossbar_reach(crossbar_of(t->net, c)), top = 0;
  size_t n = mho__matrices_cells(m);

  for (size_t i = 0; i < n; i++)
    top = fmax(top, fabs(m->w[i]));
  if (reach * LEAST_REACH > 1)
    top /= reach;
  return tight && top > 0 ? top : fmax(t->brought.drawn_range[c], top);
}

/* The matrices of connection c, and the w_max that they go with. same: they are of the same
 * device. */
static mho_err read_connection(const mho_trainer *t, int c, const source *s, bool same, bool tight,
                               mho_matrices *m, double *w_max, mho_errinfo *ei) {
  const mho_mapping *mapping = (const mho_mapping *)t->e->mapping.entry;
  const char *name = t->net->connection[c].name;
  mho_bank_table banks;
  mho__bank_table(mapping, &t->e->device_config, &banks);
  mho_err err = read_source(t, c, s, &banks, m, ei);
  if (err)
    return err;

  bool ranged = same && m->w_max > 0;
  *w_max = ranged ? m->w_max : range_for(t, c, m, tight);
  if (ranged && m->g[0] && !agree(m, mapping, &banks, &s->origin))
    return mho_fail(ei, MHO_EDATA,
                    "the conductances of %s say other weights than %s.w does: remove the files "
                    "g_pos and g_neg to take the weights, or export again",
                    name, name);
  return MHO_OK;
}

/* ---------------------------------------------------------------- onto the devices */

/* How many weights have conductances outside the bounds of the cells that are to take them. */
static size_t beyond_bounds(const mho_crossbar *x, const mho_matrices *m) {
  size_t n = mho__matrices_cells(m), beyond = 0;
  for (size_t i = 0; i < n; i++) {
    bool refused = false;
    for (int k = 0; k < m->n_banks; k++)
      refused = refused || mho__bank_refuses(x->bank[k], i, m->g[k][i]);
    beyond += refused;
  }
  return beyond;
}

/* One connection's weights into its crossbar. as_they_are: conductances, where there are some.
 * clipped: how many its cells cannot hold. */
static mho_err bring(mho_trainer *t, int c, const mho_matrices *m, bool as_they_are,
                     size_t *clipped, mho_errinfo *ei) {
  const mho_connection *k = &t->net->connection[c];
  mho_crossbar *x = k->xb;
  size_t n = mho_crossbar_cells(x);
  mho_real *w = t->brought.weights[c];

  if (m->rows != x->rows || m->cols != x->cols)
    return mho_fail(ei, MHO_EDATA, "the weights of %s are %d x %d, the network's are %d x %d",
                    k->name, m->rows, m->cols, x->rows, x->cols);

  for (size_t i = 0; i < n; i++) {
    w[i] = (mho_real)m->w[i];
    if (!isfinite(m->w[i]))
      return mho_fail(ei, MHO_EDATA,
                      "a weight of %s is no finite number: the training that it is from diverged",
                      k->name);
    if (!isfinite(w[i]))
      return mho_fail(ei, MHO_EDATA,
                      "a weight of %s is %g, which single precision does not hold: its finite "
                      "numbers end at 3.4e38",
                      k->name, m->w[i]);
  }

  if (mho_crossbar_has_cells(x) && m->g[0] && as_they_are) {
    *clipped = beyond_bounds(x, m);
    for (int b = 0; b < m->n_banks; b++)
      mho__bank_set(x->bank[b], m->g[b]);
    mho_crossbar_refresh(x, 0, n);
    return MHO_OK;
  }

  *clipped = mho_crossbar_beyond(x, 0, n, w);
  mho_crossbar_set(x, 0, n, w);
  return MHO_OK;
}

static mho_err new_brought(mho_trainer *t, mho_errinfo *ei) {
  size_t sizes[MHO_EDGES_MAX];
  mho__brought_forget(&t->brought);
  for (int c = 0; c < t->net->n_trained; c++)
    sizes[c] = mho_crossbar_cells(crossbar_of(t->net, c));
  t->brought.weights = mho__arrays_new(t->net->n_trained, sizes);
  return t->brought.weights ? MHO_OK
                            : mho_fail(ei, MHO_ENOMEM, "no memory for the weights to start from");
}

/* What cells could not hold, in one line. */
static void tell_clipped(const mho_trainer *t, const size_t *clipped) {
  char list[MHO_TEXT_MAX] = "";
  bool off_middle = false;

  for (int c = 0; c < t->net->n_trained; c++) {
    const mho_connection *k = &t->net->connection[c];
    double n = (double)k->xb->rows * k->xb->cols;
    if (!clipped[c])
      continue;

    mho_text_append(list, sizeof list, "%s%.2g %% of %s (w_max %.3g)", *list ? ", " : "",
                    100 * (double)clipped[c] / n, k->name, mho_crossbar_w_max(k->xb));
    off_middle |= mho_crossbar_reach(k->xb) < 0.9;
  }

  const char *cure = "raise device.weight_range";
  if (off_middle)
    cure = "bring device.start to mid range, or raise device.weight_range";
  if (((const mho_mapping *)t->e->mapping.entry)->positive)
    cure = "another device.mapping holds negative ones, and more device.weight_range larger ones";
  if (*list)
    mho_log(t->ctx, MHO_LOG_WARNING, "weights beyond the bounds of their cells are clipped: %s; %s",
            list, cure);
}

/* ---------------------------------------------------------------- from a source */

/* What is known of the connections while their weights are taken, [n_trained]. */
typedef struct taking {
  mho_matrices *m;
  double *w_max;
  size_t *clipped;
} taking;

static mho_err taking_new(mho_trainer *t, taking *k, mho_errinfo *ei) {
  size_t n = (size_t)t->net->n_trained;
  k->m = mho_alloc(n, sizeof *k->m);
  k->w_max = mho_alloc(n, sizeof *k->w_max);
  k->clipped = mho_alloc(n, sizeof *k->clipped);
  if (!k->m || !k->w_max || !k->clipped)
    return mho_fail(ei, MHO_ENOMEM, "no memory for weights");
  return new_brought(t, ei);
}

static void taking_free(const mho_trainer *t, taking *k) {
  for (int c = 0; k->m && c < t->net->n_trained; c++)
    mho__matrices_free(&k->m[c]);
  mho_free(k->m);
  mho_free(k->w_max);
  mho_free(k->clipped);
}

/* Read all, set every w_max, then write all. */
static mho_err take_all(mho_trainer *t, const source *s, manner how, taking *k, mho_errinfo *ei) {
  mho_origin here = mho__origin_of(t->e);
  bool same = mho__origin_is_same(&here, &s->origin);

  for (int c = 0; c < t->net->n_trained; c++) {
    mho_err err = read_connection(t, c, s, same, how.tight, &k->m[c], &k->w_max[c], ei);
    if (err)
      return err;
  }

  mho__trainer_range(t, k->w_max);
  for (int c = 0; c < t->net->n_trained; c++) {
    bool as_they_are = same && !how.anew && k->m[c].w_max > 0;
    mho_err err = bring(t, c, &k->m[c], as_they_are, &k->clipped[c], ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* The arrays of controls become the products of the weights that have come. */
static mho_err bring_products(mho_trainer *t, mho_errinfo *ei) {
  mho_err err = mho__control_write_products(t->net, t->e->device_config.weight_range, ei);
  if (!err)
    mho_network_refresh(t->net, t->at.update, true);
  return err;
}

/* The weights of a source to the connections of the same name. */
static mho_err take(mho_trainer *t, const source *s, manner how, mho_errinfo *ei) {
  taking k = {0};
  mho_err err = taking_new(t, &k, ei);
  if (!err)
    err = take_all(t, s, how, &k, ei);
  if (!err && !how.anew) /* whoever programs chips tells of each */
    tell_clipped(t, k.clipped);
  if (!err)
    mho_network_refresh(t->net, t->at.update, true);
  if (!err && mho__control_is_product(t->net))
    err = bring_products(t, ei);

  taking_free(t, &k);
  return err;
}

/* ---------------------------------------------------------------- thresholds */

/* Whether neurons of a network have thresholds that go on from sample to sample. */
static bool adapts(const mho_network *net) {
  int law = net->spiking ? net->spiking->law : MHO_THRESHOLD_FIXED;
  return law == MHO_THRESHOLD_SPIKE || law == MHO_THRESHOLD_TARGET;
}

/* What a run's thresholds have become goes with its weights, where both adapt by one law. */
static void take_thresholds(mho_trainer *t, const mho_trainer *from) {
  mho_vars *to = t->learner->state_vars;
  const mho_vars *of = from->learner->state_vars;
  bool is_same = adapts(t->net) && adapts(from->net) &&
                 t->net->spiking->law == from->net->spiking->law && to && of;
  int here = is_same ? mho_vars_find(to, "adapted") : -1;
  int there = is_same ? mho_vars_find(of, "adapted") : -1;
  if (here < 0 || there < 0)
    return;

  for (int l = 1; l < mho_min(mho_hidden_end(t->net), mho_hidden_end(from->net)); l++)
    if (t->net->layer[l].n == from->net->layer[l].n)
      memcpy(mho_vars_exact(to, here, l, 0), mho_vars_exact(of, there, l, 0),
             (size_t)t->net->layer[l].n * sizeof(double));
}

/* ---------------------------------------------------------------- runs and folders */

static mho_err take_folder(mho_trainer *t, const char *folder, manner how, mho_errinfo *ei) {
  source s = {.folder = folder};
  mho_err err = mho__sidecar_read(folder, &s.sidecar, ei);
  s.origin = mho__sidecar_origin(s.sidecar);
  if (!err)
    err = take(t, &s, how, ei);
  if (!err && adapts(t->net))
    mho_log(t->ctx, MHO_LOG_WARNING,
            "train.from: a folder has weights and no thresholds, which begin anew: name the run "
            "that it is from, whose thresholds come with its weights");
  json_decref(s.sidecar);
  return err;
}

/* The id of the run that train.from names. */
static mho_err find_run(mho_store *store, const char *ref, char *id, mho_errinfo *ei) {
  mho_errinfo why;
  mho_err err = mho_store_find(store, ref, id, &why);
  if (err)
    mho_fail(ei, err, "train.from: '%s' is no folder of weights, and %s", ref, why.message);
  return err;
}

static mho_err take_run(mho_trainer *t, mho_store *store, const char *ref, manner how,
                        mho_errinfo *ei) {
  char id[MHO_ID_MAX];
  mho_registry *r = NULL;
  mho_experiment *e = NULL;
  mho_trainer *from = NULL;
  mho_checkpoint_row c = {0};

  mho_err err = mho_registry_new(&r, ei);
  if (!err)
    err = find_run(store, ref, id, ei);
  if (!err)
    err = mho_store_checkpoint_get(store, id, "last", &c, ei);
  if (!err)
    err = mho_train_stored_experiment(store, r, id, 0, NULL, &e, ei);
  if (!err)
    err = mho_trainer_new(t->ctx, e, &from, ei);
  if (!err)
    err = mho_trainer_load(from, &c.blob, ei);
  if (!err)
    err = take(t, &(source){.trainer = from, .origin = mho__origin_of(e)}, how, ei);
  if (!err)
    take_thresholds(t, from);

  mho_trainer_free(from);
  mho_experiment_free(e);
  mho_registry_free(r);
  mho_blob_free(&c.blob);
  return err;
}

static mho_err bring_weights(mho_trainer *t, mho_store *store, manner how, mho_errinfo *ei) {
  const char *from = t->e->train.from;
  struct stat s;
  bool is_path = strchr(from, '/') != NULL;

  if (!*from)
    return MHO_OK;
  if (!stat(from, &s) && S_ISDIR(s.st_mode))
    return take_folder(t, from, how, ei);

  if (mho_network_file_is(from))
    return mho_fail(
        ei, MHO_EINVAL,
        "train.from: '%s' is a network of another program: mho import makes it a run to "
        "start from",
        from);
  if (!store || is_path)
    return mho_fail(ei, MHO_ENOTFOUND, "train.from: '%s' is no folder of weights%s", from,
                    is_path ? "" : ", and a run needs the run database");
  return take_run(t, store, from, how, ei);
}

mho_err mho_trainer_from(mho_trainer *t, mho_store *store, mho_errinfo *ei) {
  return bring_weights(t, store, (manner){0}, ei);
}

mho_err mho_trainer_write(mho_trainer *t, mho_store *store, bool headroom, mho_errinfo *ei) {
  return bring_weights(t, store, (manner){.anew = true, .tight = !headroom}, ei);
}

mho_err mho_trainer_write_network(mho_trainer *t, const mho_network_file *f, bool headroom,
                                  mho_errinfo *ei) {
  mho_err err = mho__network_file_fits(f, t, ei);
  return err ? err : take(t, &(source){.file = f}, (manner){.anew = true, .tight = !headroom}, ei);
}
