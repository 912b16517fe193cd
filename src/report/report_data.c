/* report_data.c - one run out of the database.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/report_data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows of a query as an array of structs: a row function appends one. */
typedef struct rows {
  char *at;
  size_t size; /* of a struct */
  int n, capacity, limit, more;
  bool no_memory;
  int number; /* of the whole result: the epoch of the layers */
} rows;

static void *append(rows *r) {
  if (r->n == r->capacity) {
    int more = r->capacity ? 2 * r->capacity : 64;
    char *grown = realloc(r->at, (size_t)more * r->size);
    if (!grown) {
      r->no_memory = true;
      return NULL;
    }
    r->at = grown;
    r->capacity = more;
  }
  return memset(r->at + (size_t)r->n++ * r->size, 0, r->size);
}

static double real(const mho_cell *c) {
  return c->type == MHO_CELL_NULL ? (double)NAN : c->d;
}

static void copy(char *to, size_t capacity, const mho_cell *c) {
  snprintf(to, capacity, "%s", c->text ? c->text : "");
  /* a text cut within a UTF-8 character loses all of that character */
  size_t n = strlen(to);
  if (c->text && strlen(c->text) > n) {
    while (n > 0 && ((unsigned char)to[n - 1] & 0xc0) == 0x80)
      n--;
    if (n > 0 && (unsigned char)to[n - 1] >= 0xc0)
      n--;
    to[n] = 0;
  }
}

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
                       .eval_s = real(&c[14])};
  return true;
}

static bool take_layer(void *user, int n, const char *const *names, const mho_cell *c) {
  rows *r = user;
  if (!c)
    return true;
  if (r->n == r->limit) {
    r->more++;
    return true;
  }
  mho_report_layer *l = append(r);
  if (!l)
    return false;
  copy(l->name, sizeof l->name, &c[0]);
  l->rows = (int)c[1].i;
  l->cols = (int)c[2].i;
  double *value[] = {&l->w_mean,    &l->w_std, &l->w_absmax, &l->g_mean, &l->g_std,
                     &l->saturated, &l->stuck, &l->pulses,   &l->cosine, &l->pulses_total};
  for (int i = 0; i < MHO_COUNT(value); i++)
    *value[i] = real(&c[3 + i]);
  r->number = (int)c[13].i;
  return true;
}

static bool take_cosim(void *user, int n, const char *const *names, const mho_cell *c) {
  rows *r = user;
  if (!c)
    return true;
  if (r->n == r->limit) {
    r->more++;
    return true;
  }
  mho_report_cosim *row = append(r);
  if (!row)
    return false;
  copy(row->what, sizeof row->what, &c[0]);
  copy(row->quantity, sizeof row->quantity, &c[1]);
  copy(row->unit, sizeof row->unit, &c[2]);
  copy(row->place, sizeof row->place, &c[3]);
  row->n = c[4].i;
  row->max_abs = real(&c[5]);
  row->max_rel = real(&c[6]);
  row->tolerance = real(&c[7]);
  row->pass = c[8].i != 0;
  row->core_s = real(&c[9]);
  row->spice_s = real(&c[10]);
  copy(row->created, sizeof row->created, &c[11]);
  return true;
}

static bool take_energy(void *user, int n, const char *const *names, const mho_cell *c) {
  mho_report_energy *e = c ? append(user) : NULL;
  if (!c)
    return true;
  if (!e)
    return false;
  copy(e->term, sizeof e->term, &c[0]);
  e->joule = real(&c[1]);
  e->seconds = real(&c[2]);
  e->count = real(&c[3]);
  e->samples = real(&c[4]);
  return true;
}

static mho_err read_rows(mho_store *s, const char *run_id, const char *sql, mho_row_fn take,
                         rows *r, mho_errinfo *ei) {
  mho_err err = mho_store_query(s, sql, 1, &run_id, 0, take, r, ei);
  return !err && r->no_memory ? mho_fail(ei, MHO_ENOMEM, "no memory for the rows of run %s", run_id)
                              : err;
}

mho_err mho_report_data_read(mho_store *s, const char *run_id, mho_report_data *out,
                             mho_errinfo *ei) {
  *out = (mho_report_data){0};
  mho_err err = mho_store_run_get(s, run_id, &out->run, ei);
  if (err)
    return err;
  rows epochs = {.size = sizeof *out->epoch},
       layers = {.size = sizeof *out->layer, .limit = MHO_LAYERS_SHOWN},
       energy = {.size = sizeof *out->energy},
       cosim = {.size = sizeof *out->cosim, .limit = MHO_COSIM_SHOWN};
  err = read_rows(
      s, run_id,
      "SELECT epoch, train_acc, test_acc, val_acc, loss, settle_steps, unsettled, pulses, set_pulses, "
      "reset_pulses, clipped, reads, energy_j, wall_s, eval_s "
      "FROM epoch WHERE run_id = ?1 ORDER BY epoch",
      take_epoch, &epochs, ei);
  if (!err)
    err = read_rows(
        s, run_id,
        "SELECT name, rows, cols, w_mean, w_std, w_absmax, g_mean, g_std, saturated, stuck, pulses, "
        "cosine, total, epoch FROM layer_epoch JOIN (SELECT layer AS l, sum(pulses) AS total "
        "FROM layer_epoch WHERE run_id = ?1 GROUP BY layer) ON l = layer "
        "WHERE run_id = ?1 AND epoch = (SELECT max(epoch) FROM layer_epoch WHERE run_id = ?1) "
        "ORDER BY layer",
        take_layer, &layers, ei);
  if (!err)
    err = read_rows(
        s, run_id,
        "SELECT what, quantity, unit, place, n, max_abs, max_rel, tolerance, pass, core_s, spice_s, "
        "created FROM cosim WHERE run_id = ?1 ORDER BY id DESC",
        take_cosim, &cosim, ei);
  if (!err)
    err = read_rows(
        s, run_id,
        "SELECT term, total(joule), total(seconds), total(count), total(samples) FROM energy_epoch WHERE "
        "run_id = ?1 GROUP BY term ORDER BY 2 DESC",
        take_energy, &energy, ei);
  out->epoch = (mho_epoch_row *)(void *)epochs.at;
  out->n_epochs = epochs.n;
  out->layer = (mho_report_layer *)(void *)layers.at;
  out->n_layers = layers.n;
  out->more_layers = layers.more;
  out->layers_epoch = layers.number;
  out->energy = (mho_report_energy *)(void *)energy.at;
  out->n_energy = energy.n;
  out->cosim = (mho_report_cosim *)(void *)cosim.at;
  out->n_cosim = cosim.n;
  out->more_cosim = cosim.more;
  if (!err)
    err = mho_report_observables_read(s, out, ei);
  if (err)
    mho_report_data_free(out);
  return err;
}

void mho_report_data_free(mho_report_data *d) {
  mho_run_row_free(&d->run);
  free(d->epoch);
  free(d->layer);
  free(d->cosim);
  free(d->energy);
  mho_report_observables_free(&d->observed);
  *d = (mho_report_data){0};
}

bool mho_report_has(const mho_report_data *d, size_t offset) {
  for (int i = 0; i < d->n_epochs; i++)
    if (isfinite(mho_epoch_value(&d->epoch[i], offset)))
      return true;
  return false;
}
