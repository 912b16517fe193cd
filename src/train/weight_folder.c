/* weight_folder.c - the weights of a network as the files of a folder, with what device they are
 * of.
 *
 * A folder has for every trained connection NAME.w.npy, its effective weights, [rows x cols], rows
 * are inputs; and on devices NAME.g_pos.npy and NAME.g_neg.npy, the conductances of both devices of
 * every pair in siemens, 0 when open. weights.json beside them, the sidecar, says what device the
 * conductances are of, w_max of every connection and the whole config.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/weight_folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "array/weights.h"
#include "train/matrix_file.h"

#define SIDECAR "weights.json"

/* ---------------------------------------------------------------- what device */

mho_origin mho__origin_of(const mho_experiment *e) {
  const mho_device_config *d = &e->device_config;
  const mho_param *mapping = mho_params_find(mho_device_params, "mapping");
  mho_origin o = {.known = true,
                  .g_min = d->g_min,
                  .g_max = d->g_max,
                  .weight_range = d->weight_range,
                  .start = d->start,
                  .zero_shift = d->zero_shift,
                  .chip = (double)mho_experiment_seeds(e).chip};

  snprintf(o.model, sizeof o.model, "%s", e->device.entry->id);
  snprintf(o.card, sizeof o.card, "%s", d->card);
  mho_param_format(mapping, d, true, o.mapping, sizeof o.mapping);
  return o;
}

bool mho__origin_is_same(const mho_origin *a, const mho_origin *b) {
  if (!a->known || !b->known)
    return false;

  if (strcmp(a->model, b->model) || strcmp(a->card, b->card) || strcmp(a->mapping, b->mapping))
    return false;
  if (a->g_min != b->g_min || a->g_max != b->g_max || a->weight_range != b->weight_range ||
      a->start != b->start)
    return false;
  return a->zero_shift == b->zero_shift && (!a->zero_shift || a->chip == b->chip);
}

/* ---------------------------------------------------------------- matrices */

void mho__matrices_free(mho_matrices *m) {
  mho_free(m->w);
  mho_free(m->g[0]);
  mho_free(m->g[1]);
  *m = (mho_matrices){0};
}

static void fill_siemens(const mho_cells *c, size_t n, double *g) {
  for (size_t i = 0; i < n; i++)
    g[i] = mho_cells_siemens(c, i);
}

mho_err mho__matrices_of(const mho_crossbar *x, mho_matrices *m, mho_errinfo *ei) {
  size_t n = mho_crossbar_cells(x);
  bool has_devices = x->pos != NULL;
  *m = (mho_matrices){.rows = x->rows, .cols = x->cols, .w_max = mho_crossbar_w_max(x)};

  m->w = mho_alloc(n, sizeof *m->w);
  if (has_devices) {
    m->g[0] = mho_alloc(n, sizeof *m->g[0]);
    m->g[1] = mho_alloc(n, sizeof *m->g[1]);
  }
  if (!m->w || (has_devices && (!m->g[0] || !m->g[1]))) {
    mho__matrices_free(m);
    return mho_fail(ei, MHO_ENOMEM, "no memory for the weights of %d x %d cells", x->rows, x->cols);
  }

  for (size_t i = 0; i < n; i++)
    m->w[i] = (double)mho__crossbar_programmed(x)[i];
  if (has_devices) {
    fill_siemens(x->pos, n, m->g[0]);
    fill_siemens(x->neg, n, m->g[1]);
  }
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

/* The matrix that is missing, or NULL. */
static const char *missing(const mho_matrices *m) {
  if (!m->w)
    return "w";
  if (!m->g[0] == !m->g[1])
    return NULL;
  return m->g[0] ? "g_neg" : "g_pos";
}

mho_err mho__matrices_read(const char *folder, const char *name, mho_matrices *m, mho_errinfo *ei) {
  *m = (mho_matrices){0};
  mho_err err = read_matrix(folder, name, "w", m, &m->w, ei);
  if (!err)
    err = read_matrix(folder, name, "g_pos", m, &m->g[0], ei);
  if (!err)
    err = read_matrix(folder, name, "g_neg", m, &m->g[1], ei);

  if (!err && missing(m))
    err = mho_fail(ei, MHO_ENOTFOUND,
                   "'%s' has no %s.%s.npy (or .csv): mho export --weights writes such a folder",
                   folder, name, missing(m));
  return err;
}

static mho_err write_matrices(const char *folder, const char *name, bool csv, const mho_matrices *m,
                              mho_errinfo *ei) {
  mho_err err = mho__matrix_file_write(folder, name, "w", csv, m->rows, m->cols, m->w, ei);
  if (!err && m->g[0])
    err = mho__matrix_file_write(folder, name, "g_pos", csv, m->rows, m->cols, m->g[0], ei);
  if (!err && m->g[1])
    err = mho__matrix_file_write(folder, name, "g_neg", csv, m->rows, m->cols, m->g[1], ei);
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

  json_t *device =
      json_pack("{ss ss ss sf sf sf sf sb sf}", "model", o.model, "card", o.card, "mapping",
                o.mapping, "g_min", o.g_min, "g_max", o.g_max, "weight_range", o.weight_range,
                "start", o.start, "zero_shift", o.zero_shift, "chip", o.chip);
  json_t *all =
      json_pack("{ss si so so so}", "mho", "weights", "version", 1, "device", device, "matrices",
                pack_connections(t), "config", config ? json_loads(config, 0, NULL) : NULL);
  free(config);

  snprintf(path, sizeof path, "%s/" SIDECAR, folder);
  mho_err err = all ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for '%s'", path);
  if (!err && json_dump_file(all, path, JSON_INDENT(1) | JSON_REAL_PRECISION(17)))
    err = mho_fail_at(ei, MHO_EIO, path, 0, "cannot be written: %s", strerror(errno));

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
  const char *model, *card, *mapping;
  int zero_shift;
  json_t *device = json_object_get(sidecar, "device");

  o.known = device && !json_unpack(device, "{ss ss ss sF sF sF sF sb sF}", "model", &model, "card",
                                   &card, "mapping", &mapping, "g_min", &o.g_min, "g_max", &o.g_max,
                                   "weight_range", &o.weight_range, "start", &o.start, "zero_shift",
                                   &zero_shift, "chip", &o.chip);
  if (!o.known)
    return o;

  o.zero_shift = zero_shift;
  snprintf(o.model, sizeof o.model, "%s", model);
  snprintf(o.card, sizeof o.card, "%s", card);
  snprintf(o.mapping, sizeof o.mapping, "%s", mapping);
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
      err = write_matrices(folder, k->name, csv, &m, ei);
    mho__matrices_free(&m);
    if (err)
      return err;
  }
  return write_sidecar(t, folder, ei);
}
