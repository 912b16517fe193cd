/* connection_arrays.c - weights and conductances of a connection, by its name, from and into arrays
 * of the caller's.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "array/weights.h"
#include "train/trainer.h"

/* Banks of devices that a crossbar has; the ideal device has none. */
static int banks_of(const mho_crossbar *x) {
  return mho_crossbar_has_cells(x) ? x->n_banks : 0;
}

/* ---------------------------------------------------------------- by name */

int mho_trainer_connections(const mho_trainer *t) {
  return t->net->n_connections;
}

mho_err mho_trainer_connection(const mho_trainer *t, int i, mho_connection_info *out,
                               mho_errinfo *ei) {
  if (i < 0 || i >= t->net->n_connections)
    return mho_fail(ei, MHO_EINVAL, "there is no connection %d: the network has %d", i,
                    t->net->n_connections);

  static const char *const roles[] = {[MHO_FORWARD] = "forward",
                                      [MHO_FEEDBACK] = "feedback",
                                      [MHO_CONTROL] = "control",
                                      [MHO_LATERAL] = "lateral",
                                      [MHO_CONTEXT] = "context"};
  const mho_connection *k = &t->net->connection[i];
  *out = (mho_connection_info){.name = k->name,
                               .from = t->net->layer[k->from].name,
                               .to = t->net->layer[k->to].name,
                               .role = roles[k->role],
                               .rows = k->xb->rows,
                               .cols = k->xb->cols,
                               .banks = banks_of(k->xb),
                               .trained = k->trained,
                               .bias = k->bias,
                               .w_max = k->xb->w_max};
  return MHO_OK;
}

const char *mho_trainer_bank(const mho_trainer *t, int i, int bank, double *gain) {
  if (i < 0 || i >= t->net->n_connections)
    return NULL;

  const mho_crossbar *x = crossbar_of(t->net, i);
  if (bank < 0 || bank >= banks_of(x))
    return NULL;
  *gain = x->role[bank].gain;
  return x->role[bank].name;
}

/* Whether a connection leads to what answers: the read-out, or output neurons. */
static bool is_last(const mho_network *net, const mho_connection *k) {
  return k->to == mho_network_output(net) || mho_layer_answers(net, k->to);
}

/* The number of the connection of that name; NULL: of the first into what answers. */
static mho_err find(const mho_trainer *t, const char *name, int *c, mho_errinfo *ei) {
  const mho_network *net = t->net;
  char names[MHO_TEXT_MAX] = "";
  for (int i = 0; i < net->n_connections; i++) {
    const mho_connection *k = &net->connection[i];
    bool is_meant = name ? !strcmp(k->name, name) : is_last(net, k);
    *c = i;
    if (is_meant)
      return MHO_OK;
    mho_text_append(names, sizeof names, "%s%s", i ? ", " : "", k->name);
  }
  return mho_fail(ei, MHO_ENOTFOUND, "there is no connection '%s': the network has %s",
                  name ? name : "", names);
}

mho_err mho_trainer_find(mho_trainer *t, const char *name, const mho_connection **out,
                         mho_errinfo *ei) {
  int c = 0;
  mho_err err = find(t, name, &c, ei);
  *out = err ? NULL : &t->net->connection[c];
  return err;
}

/* The same of one that may be written. */
static mho_err find_trained(const mho_trainer *t, const char *name, int *c, mho_errinfo *ei) {
  mho_err err = find(t, name, c, ei);
  if (!err && *c >= t->net->n_trained)
    return mho_fail(ei, MHO_EINVAL,
                    "%s is fixed: its weights follow from train.seeds.weights, and no checkpoint "
                    "holds others",
                    name);
  return err;
}

/* The same of a bank of its devices. */
static mho_err check_bank(const mho_trainer *t, int c, int bank, mho_errinfo *ei) {
  const mho_connection *k = &t->net->connection[c];
  int banks = banks_of(k->xb);
  if (!banks)
    return mho_fail(ei, MHO_EINVAL, "%s has weights and no conductances: device.model is '%s'",
                    k->name, t->e->device.entry->id);
  if (bank < 0 || bank >= banks)
    return mho_fail(ei, MHO_EINVAL, "%s has no bank %d of devices: there are %d", k->name, bank,
                    banks);
  return MHO_OK;
}

/* Say at which cell a number is wrong. */
static mho_err bad_cell(const mho_connection *k, size_t i, const char *what, mho_errinfo *ei) {
  size_t row = i / (size_t)k->xb->cols, col = i % (size_t)k->xb->cols;
  mho_err err = mho_fail(ei, MHO_EINVAL, "row %zu, column %zu for %s: %s", row, col, k->name, what);
  if (ei) {
    ei->row = (long)row;
    ei->col = (long)col;
  }
  return err;
}

/* ---------------------------------------------------------------- weights */

mho_err mho_trainer_weights(const mho_trainer *t, const char *connection, mho_real *w,
                            mho_errinfo *ei) {
  int c;
  mho_err err = find(t, connection, &c, ei);
  if (err)
    return err;

  const mho_crossbar *x = crossbar_of(t->net, c);
  memcpy(w, mho__crossbar_programmed(x), mho_crossbar_cells(x) * sizeof *w);
  return MHO_OK;
}

mho_err mho_trainer_effective(const mho_trainer *t, const char *connection, mho_real *w,
                              mho_errinfo *ei) {
  int c;
  mho_err err = find(t, connection, &c, ei);
  if (err)
    return err;

  const mho_crossbar *x = crossbar_of(t->net, c);
  memcpy(w, mho_crossbar_matrix(x), mho_crossbar_cells(x) * sizeof *w);
  return MHO_OK;
}

mho_err mho_trainer_set_weights(mho_trainer *t, const char *connection, const mho_real *w,
                                size_t *clipped, mho_errinfo *ei) {
  int c;
  mho_err err = find_trained(t, connection, &c, ei);
  if (err)
    return err;

  mho_crossbar *x = crossbar_of(t->net, c);
  size_t n = mho_crossbar_cells(x);
  for (size_t i = 0; i < n; i++)
    if (!isfinite(w[i]))
      return bad_cell(&t->net->connection[c], i, "the weight is no finite number", ei);

  if (clipped)
    *clipped = mho_crossbar_beyond(x, 0, n, w);
  if (t->brought.weights) /* program.initial would write what was brought */
    memcpy(t->brought.weights[c], w, n * sizeof *w);
  mho_crossbar_set(x, 0, n, w);
  mho_network_refresh(t->net, t->at.update, true);
  return MHO_OK;
}

/* ---------------------------------------------------------------- conductances */

mho_err mho_trainer_conductances(const mho_trainer *t, const char *connection, int bank, double *g,
                                 mho_errinfo *ei) {
  int c;
  mho_err err = find(t, connection, &c, ei);
  if (!err)
    err = check_bank(t, c, bank, ei);
  if (err)
    return err;

  const mho_cells *cells = crossbar_of(t->net, c)->bank[bank];
  for (size_t i = 0; i < cells->n; i++)
    g[i] = mho_cells_siemens(cells, i);
  return MHO_OK;
}

mho_err mho_trainer_set_conductances(mho_trainer *t, const char *connection, int bank,
                                     const double *g, size_t *clipped, mho_errinfo *ei) {
  int c;
  size_t beyond = 0;
  mho_err err = find_trained(t, connection, &c, ei);
  if (!err)
    err = check_bank(t, c, bank, ei);
  if (err)
    return err;

  mho_crossbar *x = crossbar_of(t->net, c);
  if (mho__bank_is_borrowed(x, bank))
    return mho_fail(ei, MHO_EINVAL,
                    "bank %d of %s, %s, is the update scheme's own: its conductances can be read, "
                    "not set",
                    bank, connection, x->role[bank].name);

  mho_cells *cells = x->bank[bank];
  for (size_t i = 0; i < cells->n; i++) {
    if (!(g[i] >= 0 && isfinite(g[i])))
      return bad_cell(&t->net->connection[c], i, "the conductance is no number from 0 S up", ei);
    beyond += mho__bank_refuses(cells, i, g[i]);
  }

  if (clipped)
    *clipped = beyond;
  mho__bank_set(cells, g);
  mho_crossbar_refresh(x, 0, cells->n);
  mho_network_refresh(t->net, t->at.update, true);
  return MHO_OK;
}
