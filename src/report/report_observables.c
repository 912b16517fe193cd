/* report_observables.c - what was observed of the recurrence after the epochs, out of the database.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/report_data.h"

/* Where the rows of a query go. */
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

static bool find_epoch(taker *t, int64_t epoch) {
  while (t->at < t->d->n_epochs && t->d->epoch[t->at].epoch < epoch)
    t->at++;
  return t->at < t->d->n_epochs && t->d->epoch[t->at].epoch == epoch;
}

static double *unknown(size_t n) {
  double *v = malloc((n ? n : 1) * sizeof *v);
  for (size_t i = 0; v && i < n; i++)
    v[i] = NAN;
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

/* Rows come connection by connection. */
static bool take_cosine(void *user, int n, const char *const *names, const mho_cell *c) {
  taker *t = user;
  mho_report_observables *o = t->o;
  if (!c)
    return true;
  size_t epochs = (size_t)t->d->n_epochs;
  if (c[0].i != t->layer) {
    size_t more = (size_t)o->n_connections + 1;
    char(*names_grown)[MHO_NAME_MAX] = realloc(o->connection, more * sizeof *names_grown);
    o->connection = names_grown ? names_grown : o->connection;
    double *grown = realloc(o->cosine, more * epochs * sizeof *grown);
    o->cosine = grown ? grown : o->cosine;
    if (!names_grown || !grown) {
      t->no_memory = true;
      return false;
    }
    snprintf(o->connection[o->n_connections++], MHO_NAME_MAX, "%s", c[1].text ? c[1].text : "");
    for (size_t i = (more - 1) * epochs; i < more * epochs; i++)
      o->cosine[i] = NAN;
    t->layer = (int)c[0].i;
    t->at = 0;
  }
  if (find_epoch(t, c[2].i))
    put(o->cosine + (size_t)(o->n_connections - 1) * epochs, t->at, &c[3]);
  return true;
}

mho_err mho_report_observables_read(mho_store *s, mho_report_data *d, mho_errinfo *ei) {
  mho_report_observables *o = &d->observed;
  const char *id = d->run.id;
  size_t n = (size_t)d->n_epochs;
  taker t = {.d = d, .o = o, .layer = -1};
  if (n == 0)
    return MHO_OK;
  if (!(o->spectral_radius = unknown(n)) || !(o->lyapunov = unknown(n)) ||
      !(o->steps_mean = unknown(n)) || !(o->steps_max = unknown(n)))
    return mho_fail(ei, MHO_ENOMEM, "no memory for the rows of run %s", id);
  /* without residual_max the steps are those of the training, which the epochs have already */
  mho_err err = mho_store_query(
      s,
      "SELECT epoch, spectral_radius, lyapunov, iif(residual_max IS NULL, NULL, steps_mean), "
      "iif(residual_max IS NULL, NULL, steps_max) FROM settle WHERE run_id = ?1 AND phase = 'free' "
      "ORDER BY epoch",
      1, &id, 0, take_settle, &t, ei);
  if (!err)
    err = mho_store_query(
        s,
        "SELECT layer, name, epoch, cosine FROM layer_epoch WHERE run_id = ?1 AND cosine "
        "IS NOT NULL ORDER BY layer, epoch",
        1, &id, 0, take_cosine, &t, ei);
  return !err && t.no_memory ? mho_fail(ei, MHO_ENOMEM, "no memory for the rows of run %s", id)
                             : err;
}

void mho_report_observables_free(mho_report_observables *o) {
  free(o->spectral_radius);
  free(o->lyapunov);
  free(o->steps_mean);
  free(o->steps_max);
  free(o->connection);
  free(o->cosine);
}
