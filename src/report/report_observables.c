/* report_observables.c - what was observed of the recurrence after the epochs, out of the database.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/report_data.h"

/* Where the records of a query go. */
typedef struct taker {
  const mho_report_data *d;
  mho_report_observables *o;
  int at;    /* the epoch reached, epochs ascend */
  int layer; /* the connection under way */
  bool no_memory;
} taker;

static void put(double *to, int i, const mho_cell *c) {
  if (c->type == MHO_CELL_REAL && isfinite(c->d))
    to[i] = c->d;
}

/* Go on to an epoch; false when the run has no such epoch. */
static bool find_epoch(taker *t, int64_t epoch) {
  while (t->at < t->d->n_epochs && t->d->epoch[t->at].epoch < epoch)
    t->at++;
  return t->at < t->d->n_epochs && t->d->epoch[t->at].epoch == epoch;
}

static void fill_nan(double *v, size_t n) {
  for (size_t i = 0; i < n; i++)
    v[i] = NAN;
}

/* Values of n epochs, none of them known yet; NULL without memory. */
static double *new_values(size_t n) {
  double *v = malloc(n * sizeof *v);
  if (v)
    fill_nan(v, n);
  return v;
}

static bool take_settle(void *user, int n, const char *const *names, const mho_cell *c) {
  taker *t = user;
  if (!c || !find_epoch(t, c[0].i))
    return true;

  put(t->o->spectral_radius, t->at, &c[1]);
  put(t->o->lyapunov, t->at, &c[2]);
  put(t->o->steps_mean, t->at, &c[3]);
  put(t->o->steps_max, t->at, &c[4]);
  return true;
}

/* Room for the cosines of one connection more. */
static bool add_connection(mho_report_observables *o, size_t epochs, const char *name) {
  size_t n = (size_t)o->n_connections;
  char(*names)[MHO_NAME_MAX] = realloc(o->connection, (n + 1) * sizeof *names);
  if (!names)
    return false;

  o->connection = names;
  double *cosine = realloc(o->cosine, (n + 1) * epochs * sizeof *cosine);
  if (!cosine)
    return false;
  o->cosine = cosine;

  snprintf(o->connection[n], MHO_NAME_MAX, "%s", name ? name : "");
  fill_nan(o->cosine + n * epochs, epochs);
  o->n_connections++;
  return true;
}

/* Records come connection by connection. */
static bool take_cosine(void *user, int n, const char *const *names, const mho_cell *c) {
  taker *t = user;
  mho_report_observables *o = t->o;
  size_t epochs = (size_t)t->d->n_epochs;
  if (!c)
    return true;

  if (c[0].i != t->layer) {
    t->no_memory = !add_connection(o, epochs, c[1].text);
    if (t->no_memory)
      return false;
    t->layer = (int)c[0].i;
    t->at = 0;
  }

  if (find_epoch(t, c[2].i))
    put(o->cosine + (size_t)(o->n_connections - 1) * epochs, t->at, &c[3]);
  return true;
}

mho_err mho__report_observables_read(mho_store *s, mho_report_data *d, mho_errinfo *ei) {
  /* without residual_max the steps are those of the training, which the epochs have already */
  static const char settle_sql[] =
      "SELECT epoch, spectral_radius, lyapunov, iif(residual_max IS NULL, NULL, steps_mean), "
      "iif(residual_max IS NULL, NULL, steps_max) FROM settle "
      "WHERE run_id = ?1 AND phase = 'free' ORDER BY epoch";
  static const char cosine_sql[] = "SELECT layer, name, epoch, cosine FROM layer_epoch "
                                   "WHERE run_id = ?1 AND cosine IS NOT NULL ORDER BY layer, epoch";
  mho_report_observables *o = &d->observed;
  const char *id = d->run.id;
  size_t n = (size_t)d->n_epochs;
  taker t = {.d = d, .o = o, .layer = -1};
  if (n == 0)
    return MHO_OK;

  o->spectral_radius = new_values(n);
  o->lyapunov = new_values(n);
  o->steps_mean = new_values(n);
  o->steps_max = new_values(n);
  if (!o->spectral_radius || !o->lyapunov || !o->steps_mean || !o->steps_max)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the rows of run %s", id);

  mho_err err = mho_store_query(s, settle_sql, 1, &id, 0, take_settle, &t, ei);
  if (!err)
    err = mho_store_query(s, cosine_sql, 1, &id, 0, take_cosine, &t, ei);
  if (!err && t.no_memory)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the rows of run %s", id);
  return err;
}

void mho__report_observables_free(mho_report_observables *o) {
  free(o->spectral_radius);
  free(o->lyapunov);
  free(o->steps_mean);
  free(o->steps_max);
  free(o->connection);
  free(o->cosine);
}
