/* weight_folder.c - the weights of a network as the files of a folder, with what device they are
 * of.
 *
 * A folder has for every trained connection NAME.w.npy, its effective weights, [rows x cols], rows
 * are inputs; and on devices NAME.g_pos.npy, NAME.g_neg.npy, or whatever banks the mapping has, the
 * conductances of every device in siemens, 0 when open. weights.json beside them, the sidecar, says
 * what device the conductances are of, w_max of every connection and the whole config.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/weight_folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "array/weights.h"
#include "base/json_text.h"
#include "base/whole_file.h"
#include "train/matrix_file.h"

#define SIDECAR "weights.json"

enum { BANK_NAME = 48 }; /* bytes of "g_pos" and the like */

/* ---------------------------------------------------------------- what device */

/* "1 4": the significance of every device of a cell. */
static void write_cells(const mho_device_config *d, char *out, size_t capacity) {
  const mho_reals *s = &d->cells.significance;
  int n = mho_cell_devices(d);
  *out = 0;
  for (int k = 0; n > 1 && k < n; k++)
    mho_text_append(out, capacity, "%s%.17g", k ? " " : "", s->n > 1 ? s->v[k] : 1);
}

mho_origin mho__origin_of(const mho_experiment *e) {
  const mho_device_config *d = &e->device_config;
  mho_origin o = {.known = true,
                  .g_min = d->g_min,
                  .g_max = d->g_max,
                  .weight_range = d->weight_range,
                  .start = d->start,
                  .zero_shift = d->zero_shift,
                  .zero_error = d->zero_error,
                  .chip = (double)mho_experiment_seeds(e).chip};

  snprintf(o.model, sizeof o.model, "%s", e->device.entry->id);
  snprintf(o.card, sizeof o.card, "%s", d->card);
  snprintf(o.mapping, sizeof o.mapping, "%s", e->mapping.entry->id);
  write_cells(d, o.cells, sizeof o.cells);
  return o;
}

bool mho__origin_is_same(const mho_origin *a, const mho_origin *b) {
  if (!a->known || !b->known)
    return false;

  if (strcmp(a->model, b->model) || strcmp(a->card, b->card) || strcmp(a->mapping, b->mapping) ||
      strcmp(a->cells, b->cells))
    return false;
  if (a->g_min != b->g_min || a->g_max != b->g_max || a->weight_range != b->weight_range ||
      a->start != b->start)
    return false;
  if (a->zero_shift != b->zero_shift || a->zero_error != b->zero_error)
    return false;
  return a->chip == b->chip || !(a->zero_shift || a->zero_error > 0);
}

/* ---------------------------------------------------------------- matrices */

void mho__matrices_free(mho_matrices *m) {
  mho_free(m->w);
  for (int k = 0; k < MHO_BANKS_MAX; k++)
    mho_free(m->g[k]);
  *m = (mho_matrices){0};
}

static bool new_matrices(mho_matrices *m) {
  size_t n = mho__matrices_cells(m);
  m->w = mho_alloc(n, sizeof *m->w);
  bool ok = m->w != NULL;

  for (int k = 0; k < m->n_banks; k++) {
    m->g[k] = mho_alloc(n, sizeof *m->g[k]);
    ok = ok && m->g[k];
  }
  return ok;
}

mho_err mho__matrices_of(const mho_crossbar *x, mho_matrices *m, mho_errinfo *ei) {
  size_t n = mho_crossbar_cells(x);
  *m = (mho_matrices){.rows = x->rows, .cols = x->cols, .w_max = mho_crossbar_w_max(x)};
  if (mho_crossbar_has_cells(x) && !x->borrowed) /* which have a part in the weights */
    m->n_banks = x->n_banks;

  if (!new_matrices(m)) {
    mho__matrices_free(m);
    return mho_fail(ei, MHO_ENOMEM, "no memory for the weights of %d x %d cells", x->rows, x->cols);
  }

  for (size_t i = 0; i < n; i++)
    m->w[i] = (double)mho__crossbar_programmed(x)[i];
  for (int k = 0; k < m->n_banks; k++)
    for (size_t i = 0; i < n; i++)
      m->g[k][i] = mho_cells_siemens(x->bank[k], i);
  return MHO_OK;
}

/* One matrix of a connection, of the size of those before it; *v stays NULL when the folder has no
 * such file. */
static mho_err read_matrix(const char *folder, const char *name, const char *what, mho_matrices *m,
                           double **v, mho_errinfo *ei) {
  mho_matrix got;
  char path[MHO_PATH_MAX];
  mho_err err = mho__matrix_file_read(folder, name, what, &got, path, ei);
  if (err || !got.v)
    return err;

  if (m->rows && (got.rows != m->rows || got.cols != m->cols)) {
    err = mho_fail_at(ei, MHO_EDATA, path, 0, "%d x %d, the other matrices of %s are %d x %d",
                      got.rows, got.cols, name, m->rows, m->cols);
    mho_matrix_free(&got);
    return err;
  }

  m->rows = got.rows;
  m->cols = got.cols;
  *v = got.v;
  return MHO_OK;
}

/* "g_pos": what the files of a bank's conductances are called. */
static void name_bank(const mho_bank *bank, char out[BANK_NAME]) {
  snprintf(out, BANK_NAME, "g_%s", bank->name);
}

/* The bank whose conductances are missing beside those of others, or NULL. */
static const mho_bank *missing(const mho_matrices *m, const mho_bank_table *banks) {
  const mho_bank *first = NULL;
  int there = 0;

  for (int k = 0; k < m->n_banks; k++) {
    there += m->g[k] != NULL;
    if (!first && !m->g[k])
      first = &banks->bank[k];
  }
  return there ? first : NULL;
}

static mho_err read_banks(const char *folder, const char *name, const mho_bank_table *banks,
                          mho_matrices *m, mho_errinfo *ei) {
  char what[BANK_NAME];
  for (int k = 0; k < m->n_banks; k++) {
    name_bank(&banks->bank[k], what);
    mho_err err = read_matrix(folder, name, what, m, &m->g[k], ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

mho_err mho__matrices_read(const char *folder, const char *name, const mho_bank_table *banks,
                           mho_matrices *m, mho_errinfo *ei) {
  char what[BANK_NAME] = "w";
  *m = (mho_matrices){.n_banks = banks ? banks->n : 0};
  mho_err err = read_matrix(folder, name, what, m, &m->w, ei);
  if (!err)
    err = read_banks(folder, name, banks, m, ei);
  if (err)
    return err;

  const mho_bank *bank = missing(m, banks);
  if (m->w && !bank)
    return MHO_OK;
  if (m->w)
    name_bank(bank, what);
  return mho_fail(ei, MHO_ENOTFOUND,
                  "'%s' has no %s.%s.npy (or .csv): mho export --weights writes such a folder",
                  folder, name, what);
}

static mho_err write_matrices(const char *folder, const mho_connection *k, bool csv,
                              const mho_matrices *m, mho_errinfo *ei) {
  char what[BANK_NAME];
  mho_err err = mho__matrix_file_write(folder, k->name, "w", csv, m->rows, m->cols, m->w, ei);

  for (int b = 0; b < m->n_banks; b++) {
    if (err)
      break;
    name_bank(&k->xb->role[b], what);
    err = mho__matrix_file_write(folder, k->name, what, csv, m->rows, m->cols, m->g[b], ei);
  }
  return err;
}

/* ---------------------------------------------------------------- the sidecar */

static json_t *pack_connections(const mho_trainer *t) {
  json_t *list = json_array();

  for (int c = 0; c < t->net->n_trained; c++) {
    const mho_connection *k = &t->net->connection[c];
    json_t *one = json_pack("{ss si si sf}", "name", k->name, "rows", k->xb->rows, "cols",
                            k->xb->cols, "w_max", mho_crossbar_w_max(k->xb));
    json_array_append_new(list, one);
  }
  return list;
}

static mho_err write_sidecar(const mho_trainer *t, const char *folder, mho_errinfo *ei) {
  char path[MHO_PATH_MAX], *config = mho_experiment_json(t->e);
  mho_origin o = mho__origin_of(t->e);

  json_t *device = json_pack("{ss ss ss sf sf sf sf sb sf sf}", "model", o.model, "card", o.card,
                             "mapping", o.mapping, "g_min", o.g_min, "g_max", o.g_max,
                             "weight_range", o.weight_range, "start", o.start, "zero_shift",
                             o.zero_shift, "zero_error", o.zero_error, "chip", o.chip);
  if (*o.cells)
    json_object_set_new(device, "cells", json_string(o.cells));
  json_t *all =
      json_pack("{ss si so so so}", "mho", "weights", "version", 1, "device", device, "matrices",
                pack_connections(t), "config", config ? mho__json_of_text(config, NULL) : NULL);
  free(config);

  snprintf(path, sizeof path, "%s/" SIDECAR, folder);
  mho_err err = all ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for '%s'", path);
  mho_whole_file w = {.f = NULL};
  if (!err && !mho__whole_open(path, &w))
    err = mho_fail_at(ei, mho__io_error(errno), path, 0, "cannot be written: %s", strerror(errno));
  if (w.f) {
    json_dumpf(all, w.f, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    err = mho__whole_end(&w, err, "cannot be written", ei);
  }

  json_decref(all);
  return err;
}

mho_err mho__sidecar_read(const char *folder, json_t **out, mho_errinfo *ei) {
  char path[MHO_PATH_MAX];
  json_error_t why;
  *out = NULL;
  snprintf(path, sizeof path, "%s/" SIDECAR, folder);
  FILE *f = fopen(path, "rb");
  if (!f)
    return MHO_OK;

  *out = json_loadf(f, JSON_REJECT_DUPLICATES, &why);
  fclose(f);

  const char *kind = json_string_value(json_object_get(*out, "mho"));
  if (kind && !strcmp(kind, "weights") && json_is_array(json_object_get(*out, "matrices")))
    return MHO_OK;

  json_decref(*out);
  *out = NULL;
  return mho_fail_at(ei, MHO_EDATA, path, 0,
                     "not what mho export --weights wrote: export again, or remove it to take the "
                     "weights alone");
}

mho_origin mho__sidecar_origin(const json_t *sidecar) {
  mho_origin o = {0};
  const char *model, *card, *mapping, *cells = "";
  int zero_shift;
  json_t *device = json_object_get(sidecar, "device");

  o.known = device && !json_unpack(device, "{ss ss ss sF sF sF sF sb s?F sF s?s}", "model", &model,
                                   "card", &card, "mapping", &mapping, "g_min", &o.g_min, "g_max",
                                   &o.g_max, "weight_range", &o.weight_range, "start", &o.start,
                                   "zero_shift", &zero_shift, "zero_error", &o.zero_error, "chip",
                                   &o.chip, "cells", &cells);
  if (!o.known)
    return o;

  o.zero_shift = zero_shift;
  snprintf(o.model, sizeof o.model, "%s", model);
  snprintf(o.card, sizeof o.card, "%s", card);
  snprintf(o.mapping, sizeof o.mapping, "%s", mapping);
  snprintf(o.cells, sizeof o.cells, "%s", cells);
  return o;
}

double mho__sidecar_range(const json_t *sidecar, const char *name) {
  const json_t *m;
  size_t i;

  json_array_foreach (json_object_get(sidecar, "matrices"), i, m) {
    const char *its = json_string_value(json_object_get(m, "name"));
    if (its && !strcmp(its, name))
      return json_number_value(json_object_get(m, "w_max"));
  }
  return 0;
}

/* ---------------------------------------------------------------- a folder */

mho_err mho_weights_config(const char *folder, char **json, mho_errinfo *ei) {
  json_t *sidecar;
  *json = NULL;
  mho_err err = mho__sidecar_read(folder, &sidecar, ei);
  json_t *config = json_object_get(sidecar, "config");
  if (config)
    *json = json_dumps(config, JSON_COMPACT | JSON_REAL_PRECISION(17));

  json_decref(sidecar);
  return err;
}

mho_err mho_trainer_weights_write(const mho_trainer *t, const char *folder, bool csv,
                                  mho_errinfo *ei) {
  if (mkdir(folder, 0777) && errno != EEXIST)
    return mho_fail_at(ei, MHO_EIO, folder, 0, "cannot make the folder: %s", strerror(errno));

  for (int c = 0; c < t->net->n_trained; c++) {
    const mho_connection *k = &t->net->connection[c];
    mho_matrices m;
    mho_err err = mho__matrices_of(k->xb, &m, ei);
    if (!err)
      err = write_matrices(folder, k, csv, &m, ei);
    mho__matrices_free(&m);
    if (err)
      return err;
  }
  return write_sidecar(t, folder, ei);
}
