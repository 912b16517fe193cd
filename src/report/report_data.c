/* report_data.c - one run out of the database.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/report_data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- a list of records */

/* The records of a query as an array of structs, of which each record appends one. */
typedef struct list {
  char *at;
  size_t size; /* of a struct */
  int n, capacity;
  int limit, more; /* more: records beyond the limit, which are only counted; limit 0: none */
  bool no_memory;
  int epoch; /* of all layers */
} list;

/* A zeroed struct at the end; NULL without memory. */
static void *append(list *l) {
  if (l->n == l->capacity) {
    int more = l->capacity ? 2 * l->capacity : 64;
    char *grown = realloc(l->at, (size_t)more * l->size);
    if (!grown) {
      l->no_memory = true;
      return NULL;
    }
    l->at = grown;
    l->capacity = more;
  }

  void *added = memset(l->at + (size_t)l->n * l->size, 0, l->size);
  l->n++;
  return added;
}

/* Whether the list is full; then the record is counted. */
static bool is_beyond(list *l) {
  bool full = l->limit && l->n == l->limit;
  l->more += full;
  return full;
}

static double real(const mho_cell *c) {
  return c->type == MHO_CELL_NULL ? (double)NAN : c->d;
}

/* A text cut within a UTF-8 character loses all of that character. */
static void copy(char *to, size_t capacity, const mho_cell *c) {
  const char *text = c->text ? c->text : "";
  snprintf(to, capacity, "%s", text);
  size_t n = strlen(to);
  if (strlen(text) == n)
    return;

  while (n > 0 && ((unsigned char)to[n - 1] & 0xc0) == 0x80)
    n--;
  if (n > 0 && (unsigned char)to[n - 1] >= 0xc0)
    n--;
  to[n] = 0;
}

/* ---------------------------------------------------------------- what becomes of a record */

static bool take_epoch(void *user, int n, const char *const *names, const mho_cell *c) {
  if (!c)
    return true;

  mho_epoch_row *e = append(user);
  if (!e)
    return false;

  *e = (mho_epoch_row){.epoch = (int)c[0].i,
                       .train_acc = real(&c[1]),
                       .test_acc = real(&c[2]),
                       .val_acc = real(&c[3]),
                       .loss = real(&c[4]),
                       .settle_steps = real(&c[5]),
                       .unsettled = c[6].i,
                       .pulses = real(&c[7]),
                       .set_pulses = real(&c[8]),
                       .reset_pulses = real(&c[9]),
                       .clipped = real(&c[10]),
                       .reads = real(&c[11]),
                       .energy_j = real(&c[12]),
                       .wall_s = real(&c[13]),
                       .eval_s = real(&c[14]),
                       .test_loss = real(&c[15]),
                       .val_loss = real(&c[16]),
                       .test_rms = real(&c[17])};
  return true;
}

static bool take_layer(void *user, int n, const char *const *names, const mho_cell *c) {
  list *layers = user;
  if (!c || is_beyond(layers))
    return true;

  mho_report_layer *l = append(layers);
  if (!l)
    return false;

  copy(l->name, sizeof l->name, &c[0]);
  l->rows = (int)c[1].i;
  l->cols = (int)c[2].i;
  double *value[] = {&l->w_mean,    &l->w_std, &l->w_absmax, &l->g_mean, &l->g_std,
                     &l->saturated, &l->stuck, &l->pulses,   &l->cosine, &l->pulses_total};
  for (int i = 0; i < MHO_COUNT(value); i++)
    *value[i] = real(&c[3 + i]);
  layers->epoch = (int)c[13].i;
  return true;
}

static bool take_cosim(void *user, int n, const char *const *names, const mho_cell *c) {
  list *cosim = user;
  if (!c || is_beyond(cosim))
    return true;

  mho_report_cosim *q = append(cosim);
  if (!q)
    return false;

  copy(q->what, sizeof q->what, &c[0]);
  copy(q->quantity, sizeof q->quantity, &c[1]);
  copy(q->unit, sizeof q->unit, &c[2]);
  copy(q->place, sizeof q->place, &c[3]);
  q->n = c[4].i;
  q->max_abs = real(&c[5]);
  q->max_rel = real(&c[6]);
  q->tolerance = real(&c[7]);
  q->pass = c[8].i != 0;
  q->core_s = real(&c[9]);
  q->spice_s = real(&c[10]);
  copy(q->created, sizeof q->created, &c[11]);
  return true;
}

static bool take_energy(void *user, int n, const char *const *names, const mho_cell *c) {
  if (!c)
    return true;

  mho_report_energy *e = append(user);
  if (!e)
    return false;

  copy(e->term, sizeof e->term, &c[0]);
  e->joule = real(&c[1]);
  e->seconds = real(&c[2]);
  e->count = real(&c[3]);
  e->samples = real(&c[4]);
  return true;
}

/* ---------------------------------------------------------------- the queries */

static const char epochs_sql[] =
    "SELECT epoch, train_acc, test_acc, val_acc, loss, settle_steps, unsettled, pulses, "
    "set_pulses, reset_pulses, clipped, reads, energy_j, wall_s, eval_s, "
    "test_loss, val_loss, test_rms FROM epoch WHERE run_id = ?1 ORDER BY epoch";

static const char layers_sql[] =
    "SELECT name, rows, cols, w_mean, w_std, w_absmax, g_mean, g_std, saturated, stuck, pulses, "
    "cosine, total, epoch FROM layer_epoch JOIN (SELECT layer AS l, sum(pulses) AS total "
    "FROM layer_epoch WHERE run_id = ?1 GROUP BY layer) ON l = layer "
    "WHERE run_id = ?1 AND epoch = (SELECT max(epoch) FROM layer_epoch WHERE run_id = ?1) "
    "ORDER BY layer";

static const char cosim_sql[] =
    "SELECT what, quantity, unit, place, n, max_abs, max_rel, tolerance, pass, core_s, spice_s, "
    "created FROM cosim WHERE run_id = ?1 ORDER BY id DESC";

static const char energy_sql[] =
    "SELECT term, total(joule), total(seconds), total(count), total(samples) "
    "FROM energy_epoch WHERE run_id = ?1 GROUP BY term ORDER BY 2 DESC";

static mho_err read_list(mho_store *s, const char *run_id, const char *sql, mho_row_fn take,
                         list *l, mho_errinfo *ei) {
  mho_err err = mho_store_query(s, sql, 1, &run_id, 0, take, l, ei);
  if (!err && l->no_memory)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the rows of run %s", run_id);
  return err;
}

mho_err mho__report_data_read(mho_store *s, const char *run_id, mho_report_data *out,
                              mho_errinfo *ei) {
  *out = (mho_report_data){0};
  mho_err err = mho_store_run_get(s, run_id, &out->run, ei);
  if (err)
    return err;

  list epochs = {.size = sizeof *out->epoch};
  list layers = {.size = sizeof *out->layer, .limit = MHO_LAYERS_SHOWN};
  list energy = {.size = sizeof *out->energy};
  list cosim = {.size = sizeof *out->cosim, .limit = MHO_COSIM_SHOWN};
  err = read_list(s, run_id, epochs_sql, take_epoch, &epochs, ei);
  if (!err)
    err = read_list(s, run_id, layers_sql, take_layer, &layers, ei);
  if (!err)
    err = read_list(s, run_id, cosim_sql, take_cosim, &cosim, ei);
  if (!err)
    err = read_list(s, run_id, energy_sql, take_energy, &energy, ei);

  /* from here on *out owns what has been read, also on failure */
  out->epoch = (mho_epoch_row *)(void *)epochs.at;
  out->n_epochs = epochs.n;
  out->layer = (mho_report_layer *)(void *)layers.at;
  out->n_layers = layers.n;
  out->more_layers = layers.more;
  out->layers_epoch = layers.epoch;
  out->energy = (mho_report_energy *)(void *)energy.at;
  out->n_energy = energy.n;
  out->cosim = (mho_report_cosim *)(void *)cosim.at;
  out->n_cosim = cosim.n;
  out->more_cosim = cosim.more;

  if (!err)
    err = mho__report_observables_read(s, out, ei);
  if (err)
    mho__report_data_free(out);
  return err;
}

void mho__report_data_free(mho_report_data *d) {
  mho_run_row_free(&d->run);
  free(d->epoch);
  free(d->layer);
  free(d->cosim);
  free(d->energy);
  mho__report_observables_free(&d->observed);
  *d = (mho_report_data){0};
}

bool mho__report_has(const mho_report_data *d, size_t offset) {
  for (int i = 0; i < d->n_epochs; i++)
    if (isfinite(mho__epoch_value(&d->epoch[i], offset)))
      return true;
  return false;
}
