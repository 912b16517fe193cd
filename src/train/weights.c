/* weights.c - weights and conductances of a network as files, and a training that starts from them.
 *
 * A folder has for every trained connection NAME.w.npy, its effective weights, [rows x cols], rows
 * are inputs; and on devices NAME.g_pos.npy and NAME.g_neg.npy, the conductances of both devices of
 * every pair in siemens, 0 when open. weights.json beside them says what device the conductances
 * are of, w_max of every connection and the whole config.
 *
 * The rule for whatever comes from elsewhere, a folder or a run, is in one place (take, bring): a
 * weight is a weight on any device, a conductance means the same weight only on a device of the
 * same model, card, mapping, range, start and weight_range, with the w_max that it had. There
 * conductances are taken as they are; anywhere else, and from a folder that does not say what its
 * conductances are of, weights are written anew. The NumPy format is that of
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, version 1.0.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "array/weights.h"
#include "train/trainer.h"

enum { PATH = 4096, NPY_HEAD = 10 };
#define SIDECAR "weights.json"
static const char npy_magic[] = "\x93NUMPY\x01"; /* and the minor version, 0 */

/* One connection's matrices, [rows x cols]; g of neither or both. */
typedef struct matrices {
  int rows, cols;
  double *w, *g[2];
  double w_max; /* that g goes with; 0: not known */
} matrices;

/* What a conductance means depends on all of these. */
typedef struct origin {
  bool known;
  char model[64], card[MHO_TEXT_MAX], mapping[32];
  double g_min, g_max, weight_range, start;
  bool zero_shift; /* then the references are the chip's own */
  double chip;     /* seed */
} origin;

static origin origin_of(const mho_experiment *e) {
  const mho_device_config *d = &e->device_config;
  origin o = {.known = true,
              .g_min = d->g_min,
              .g_max = d->g_max,
              .weight_range = d->weight_range,
              .start = d->start,
              .zero_shift = d->zero_shift,
              .chip = (double)mho_experiment_seeds(e).chip};
  snprintf(o.model, sizeof o.model, "%s", e->device.entry->id);
  snprintf(o.card, sizeof o.card, "%s", d->card);
  mho_param_format(mho_params_find(mho_device_params, "mapping"), d, true, o.mapping,
                   sizeof o.mapping);
  return o;
}

static bool is_same_device(const origin *a, const origin *b) {
  return a->known && b->known && !strcmp(a->model, b->model) && !strcmp(a->card, b->card) &&
         !strcmp(a->mapping, b->mapping) && a->g_min == b->g_min && a->g_max == b->g_max &&
         a->weight_range == b->weight_range && a->start == b->start &&
         a->zero_shift == b->zero_shift && (!a->zero_shift || a->chip == b->chip);
}

static void matrices_free(matrices *m) {
  mho_free(m->w);
  mho_free(m->g[0]);
  mho_free(m->g[1]);
  *m = (matrices){0};
}

/* ---------------------------------------------------------------- out of and into a crossbar */

static mho_err matrices_of(const mho_crossbar *x, matrices *m, mho_errinfo *ei) {
  size_t n = (size_t)x->rows * (size_t)x->cols;
  *m = (matrices){.rows = x->rows,
                  .cols = x->cols,
                  .w = mho_alloc(n, sizeof *m->w),
                  .w_max = mho_crossbar_w_max(x)};
  for (int k = 0; k < 2 && x->pos; k++)
    m->g[k] = mho_alloc(n, sizeof *m->g[k]);
  if (!m->w || (x->pos && (!m->g[0] || !m->g[1]))) {
    matrices_free(m);
    return mho_fail(ei, MHO_ENOMEM, "no memory for the weights of %d x %d cells", x->rows, x->cols);
  }
  for (size_t i = 0; i < n; i++)
    m->w[i] = (double)mho_crossbar_programmed(x)[i];
  for (int k = 0; k < 2 && x->pos; k++)
    for (size_t i = 0; i < n; i++)
      m->g[k][i] = mho_cells_siemens(k ? x->neg : x->pos, i);
  return MHO_OK;
}

/* Conductances of one bank as they are, within the bounds of every cell; what write noise has left on top of a state shows
 * beyond them too. */
static void set_bank(mho_cells *c, const double *siemens) {
  float g[MHO_DEVICE_BLOCK];
  bool on_top = c->config.write_noise > 0;
  for (size_t i0 = 0; i0 < c->n; i0 += MHO_DEVICE_BLOCK) {
    int block = c->n - i0 < MHO_DEVICE_BLOCK ? (int)(c->n - i0) : MHO_DEVICE_BLOCK;
    for (int i = 0; i < block; i++)
      g[i] = (float)((siemens[i0 + (size_t)i] - c->g_min) / (c->g_max - c->g_min));
    mho_cells_set(c, i0, block, g);
    for (int i = 0; i < block && on_top; i++)
      if (!(c->fault && c->fault[i0 + (size_t)i]))
        c->g[i0 + (size_t)i] = g[i];
  }
}

/* ---------------------------------------------------------------- files */

static mho_err write_npy(FILE *f, const matrices *m, const double *v) {
  char head[128];
  int n =
      snprintf(head, sizeof head, "{'descr': '<f8', 'fortran_order': False, 'shape': (%d, %d), }",
               m->rows, m->cols);
  while ((NPY_HEAD + n + 1) % 64) /* data is aligned */
    head[n++] = ' ';
  head[n++] = '\n';
  unsigned char length[3] = {0, (unsigned char)(n & 255), (unsigned char)(n >> 8)};
  size_t cells = (size_t)m->rows * (size_t)m->cols;
  return fwrite(npy_magic, 1, 7, f) == 7 && fwrite(length, 1, 3, f) == 3 &&
                 fwrite(head, 1, (size_t)n, f) == (size_t)n &&
                 fwrite(v, sizeof *v, cells, f) == cells
             ? MHO_OK
             : MHO_EIO;
}

static mho_err write_csv(FILE *f, const matrices *m, const double *v) {
  for (int i = 0; i < m->rows; i++)
    for (int j = 0; j < m->cols; j++)
      if (fprintf(f, "%.17g%c", v[(size_t)i * (size_t)m->cols + (size_t)j],
                  j + 1 < m->cols ? ',' : '\n') < 0)
        return MHO_EIO;
  return MHO_OK;
}

static mho_err write_matrix(const char *folder, const char *name, const char *what, bool csv,
                            const matrices *m, const double *v, mho_errinfo *ei) {
  char path[PATH];
  snprintf(path, sizeof path, "%s/%s.%s.%s", folder, name, what, csv ? "csv" : "npy");
  FILE *f = fopen(path, "wb");
  mho_err err = !f ? MHO_EIO : csv ? write_csv(f, m, v) : write_npy(f, m, v);
  if (f && fclose(f))
    err = MHO_EIO;
  return err ? mho_fail_at(ei, err, path, 0, "cannot be written: %s", strerror(errno)) : MHO_OK;
}

static mho_err read_npy(FILE *f, const char *path, mho_matrix *out, mho_errinfo *ei) {
  unsigned char start[NPY_HEAD];
  char head[1024], type[8] = "";
  const char *at;
  if (fread(start, 1, sizeof start, f) != sizeof start || memcmp(start, npy_magic, 7))
    return mho_fail_at(ei, MHO_EDATA, path, 0,
                       "not a NumPy file of version 1.0: save it with numpy.save");
  size_t n = start[8] | (size_t)start[9] << 8;
  if (n >= sizeof head || fread(head, 1, n, f) != n)
    return mho_fail_at(ei, MHO_EDATA, path, 0, "a NumPy file that was cut short");
  head[n] = 0;
  if ((at = strstr(head, "'descr':")))
    sscanf(at + 8, " '%7[^']'", type);
  bool single = !strcmp(type, "<f4");
  if ((!single && strcmp(type, "<f8")) || !strstr(head, "'fortran_order': False") ||
      !(at = strstr(head, "'shape':")) ||
      sscanf(at + 8, " (%d, %d)", &out->rows, &out->cols) != 2 || out->rows < 1 || out->cols < 1)
    return mho_fail_at(
        ei, MHO_EDATA, path, 0,
        "not a matrix of float32 or float64 in C order: save numpy.ascontiguousarray(w, 'f8')");
  size_t cells = (size_t)out->rows * (size_t)out->cols,
         size = single ? sizeof(float) : sizeof(double);
  out->v = mho_alloc(cells, sizeof *out->v);
  if (!out->v)
    return mho_fail(ei, MHO_ENOMEM, "no memory for '%s'", path);
  if (fread(out->v, size, cells, f) != cells || fgetc(f) != EOF) {
    mho_matrix_free(out);
    return mho_fail_at(ei, MHO_EDATA, path, 0, "the file is not as long as its header says");
  }
  for (size_t i = cells; single && i-- > 0;) { /* from behind: they lie in the same room */
    float v;
    memcpy(&v, (char *)out->v + i * sizeof v, sizeof v);
    out->v[i] = v;
  }
  return MHO_OK;
}

/* A matrix of a connection, *v NULL when the folder has no such file. */
static mho_err read_matrix(const char *folder, const char *name, const char *what, matrices *m,
                           double **v, mho_errinfo *ei) {
  char path[PATH];
  mho_matrix got = {0};
  mho_err err;
  snprintf(path, sizeof path, "%s/%s.%s.npy", folder, name, what);
  FILE *f = fopen(path, "rb");
  if (f) {
    err = read_npy(f, path, &got, ei);
    fclose(f);
  } else {
    snprintf(path, sizeof path, "%s/%s.%s.csv", folder, name, what);
    f = fopen(path, "rb");
    if (!f)
      return MHO_OK;
    fclose(f);
    err = mho_matrix_read(path, &got, ei);
  }
  if (err)
    return err;
  for (int i = 0; i < got.rows * got.cols; i++)
    if (!(got.v[i] - got.v[i] == 0)) {
      int row = i / got.cols, column = i % got.cols;
      mho_matrix_free(&got);
      return mho_fail_at(ei, MHO_EDATA, path, 0, "row %d, column %d is no finite number", row,
                         column);
    }
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

static mho_err matrices_read(const char *folder, const char *name, matrices *m, mho_errinfo *ei) {
  *m = (matrices){0};
  mho_err err = read_matrix(folder, name, "w", m, &m->w, ei);
  if (!err)
    err = read_matrix(folder, name, "g_pos", m, &m->g[0], ei);
  if (!err)
    err = read_matrix(folder, name, "g_neg", m, &m->g[1], ei);
  if (!err && (!m->g[0] != !m->g[1] || !m->w))
    err = mho_fail(ei, MHO_ENOTFOUND,
                   "'%s' has no %s.%s.npy (or .csv): mho export --weights writes such a folder",
                   folder, name,
                   !m->w     ? "w"
                   : m->g[0] ? "g_neg"
                             : "g_pos");
  return err;
}

/* What the folder is of, for whoever takes weights from it. */
static mho_err write_sidecar(const mho_trainer *t, const char *folder, mho_errinfo *ei) {
  char path[PATH], *config = mho_experiment_json(t->e);
  origin o = origin_of(t->e);
  json_t *matrix = json_array();
  for (int c = 0; c < t->net->n_trained; c++) {
    const mho_connection *k = &t->net->connection[c];
    json_array_append_new(matrix,
                          json_pack("{ss si si sf}", "name", k->name, "rows", k->xb->rows, "cols",
                                    k->xb->cols, "w_max", mho_crossbar_w_max(k->xb)));
  }
  json_t *device =
      json_pack("{ss ss ss sf sf sf sf sb sf}", "model", o.model, "card", o.card, "mapping",
                o.mapping, "g_min", o.g_min, "g_max", o.g_max, "weight_range", o.weight_range,
                "start", o.start, "zero_shift", o.zero_shift, "chip", o.chip);
  json_t *all =
      json_pack("{ss si so so so}", "mho", "weights", "version", 1, "device", device, "matrices",
                matrix, "config", config ? json_loads(config, 0, NULL) : NULL);
  snprintf(path, sizeof path, "%s/" SIDECAR, folder);
  mho_err err = all ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for '%s'", path);
  if (!err && json_dump_file(all, path, JSON_INDENT(1) | JSON_REAL_PRECISION(17)))
    err = mho_fail_at(ei, MHO_EIO, path, 0, "cannot be written: %s", strerror(errno));
  json_decref(all);
  free(config);
  return err;
}

static mho_err read_sidecar(const char *folder, json_t **out, mho_errinfo *ei) {
  char path[PATH];
  json_error_t why;
  *out = NULL;
  snprintf(path, sizeof path, "%s/" SIDECAR, folder);
  FILE *f = fopen(path, "rb");
  if (!f)
    return MHO_OK;
  *out = json_loadf(f, JSON_REJECT_DUPLICATES, &why);
  fclose(f);
  const char *kind = json_string_value(json_object_get(*out, "mho"));
  bool known = kind && !strcmp(kind, "weights") && json_is_array(json_object_get(*out, "matrices"));
  if (known)
    return MHO_OK;
  json_decref(*out);
  *out = NULL;
  return mho_fail_at(
      ei, MHO_EDATA, path, 0,
      "not what mho export --weights wrote: export again, or remove it to take the weights alone");
}

/* The device that a folder's conductances are of, not known without a word on it. */
static origin read_origin(const json_t *sidecar) {
  origin o = {0};
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

static double read_range(const json_t *sidecar, const char *name) {
  json_t *m;
  size_t i;
  json_array_foreach (json_object_get(sidecar, "matrices"), i, m) {
    const char *its = json_string_value(json_object_get(m, "name"));
    if (its && !strcmp(its, name))
      return json_number_value(json_object_get(m, "w_max"));
  }
  return 0;
}

mho_err mho_weights_config(const char *folder, char **json, mho_errinfo *ei) {
  json_t *sidecar;
  *json = NULL;
  mho_err err = read_sidecar(folder, &sidecar, ei);
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
  mho_err err = MHO_OK;
  for (int c = 0; c < t->net->n_trained && !err; c++) {
    const mho_connection *k = &t->net->connection[c];
    matrices m;
    if ((err = matrices_of(k->xb, &m, ei)))
      break;
    err = write_matrix(folder, k->name, "w", csv, &m, m.w, ei);
    if (!err && m.g[0])
      err = write_matrix(folder, k->name, "g_pos", csv, &m, m.g[0], ei);
    if (!err && m.g[1])
      err = write_matrix(folder, k->name, "g_neg", csv, &m, m.g[1], ei);
    matrices_free(&m);
  }
  return err ? err : write_sidecar(t, folder, ei);
}

/* ---------------------------------------------------------------- to start from */

/* Where weights come from: another trainer, or a folder. */
typedef struct source {
  const mho_trainer *trainer; /* NULL: the folder */
  const char *folder;
  json_t *sidecar; /* of the folder, if it has one */
  origin origin;
} source;

static mho_err read_source(const source *s, const char *name, matrices *m, mho_errinfo *ei) {
  const mho_network *net = s->trainer ? s->trainer->net : NULL;
  if (!net) {
    mho_err err = matrices_read(s->folder, name, m, ei);
    m->w_max = read_range(s->sidecar, name);
    return err;
  }
  for (int c = 0; c < net->n_trained; c++)
    if (!strcmp(net->connection[c].name, name))
      return matrices_of(net->connection[c].xb, m, ei);
  return mho_fail(ei, MHO_EDATA, "the run to start from has no connection %s", name);
}

/* Whether conductances say the same weights as the weights beside them: a file of one may have been
 * changed. */
static bool agree(const matrices *m, const origin *o) {
  bool single = !strcmp(o->mapping, "reference") || !strcmp(o->mapping, "offset");
  double scale = (single ? 2 : 1) * m->w_max, range = o->g_max - o->g_min;
  size_t n = (size_t)m->rows * (size_t)m->cols;
  for (size_t i = 0; i < n; i++)
    if (fabs(scale * (m->g[0][i] - m->g[1][i]) / range - m->w[i]) > 1e-4 * scale)
      return false;
  return true;
}

/* How weights that are brought are put onto a device. */
typedef struct manner {
  bool anew;  /* written, on the device that they are from, too */
  bool tight; /* on another device no range is kept for learning */
} manner;

/* w_max for weights that are brought: what holds the largest of them, and unless that is all that
 * is wanted no less than the config gives drawn weights, so that there is room to learn. */
static double range_for(const mho_trainer *t, int c, const matrices *m, bool tight) {
  enum {
    LEAST_REACH = 20
  }; /* 1/reach; devices that start closer to a bound must be written otherwise */
  double reach = mho_crossbar_reach(t->net->connection[c].xb), top = 0;
  size_t n = (size_t)m->rows * (size_t)m->cols;
  for (size_t i = 0; i < n; i++)
    top = fmax(top, fabs(m->w[i]));
  if (reach * LEAST_REACH > 1)
    top /= reach;
  if (tight && top > 0)
    return top;
  return fmax(t->built_range[c], top);
}

/* Conductances outside the bounds of the cells that are to take them, in weights. */
static size_t beyond_bounds(const mho_crossbar *x, const matrices *m) {
  size_t n = (size_t)m->rows * (size_t)m->cols, beyond = 0;
  for (size_t i = 0; i < n; i++) {
    bool outside = false;
    for (int k = 0; k < 2; k++) {
      const mho_cells *c = k ? x->neg : x->pos;
      size_t at = c->varied ? i : 0;
      double g = (m->g[k][i] - c->g_min) / (c->g_max - c->g_min);
      bool is_open = m->g[k][i] == 0;
      bool on_top = c->config.write_noise > 0;
      outside |=
          !is_open && !on_top && (g < (double)c->low[at] - 1e-5 || g > (double)c->high[at] + 1e-5);
    }
    beyond += outside;
  }
  return beyond;
}

/* One connection's weights into its crossbar. as_they_are: conductances, where there are some.
 * clipped: how many its cells cannot hold. */
static mho_err bring(mho_trainer *t, int c, const matrices *m, bool as_they_are, size_t *clipped,
                     mho_errinfo *ei) {
  const mho_connection *k = &t->net->connection[c];
  mho_crossbar *x = k->xb;
  size_t n = (size_t)x->rows * (size_t)x->cols;
  mho_real *w = t->brought[c];
  if (m->rows != x->rows || m->cols != x->cols)
    return mho_fail(ei, MHO_EDATA, "the weights of %s are %d x %d, the network's are %d x %d",
                    k->name, m->rows, m->cols, x->rows, x->cols);
  for (size_t i = 0; i < n; i++)
    w[i] = (mho_real)m->w[i];
  for (size_t i = 0; i < n; i++)
    if (!isfinite(m->w[i]))
      return mho_fail(ei, MHO_EDATA,
                      "a weight of %s is no finite number: the training that it is from diverged",
                      k->name);
  if (x->pos && m->g[0] && as_they_are) {
    *clipped = beyond_bounds(x, m);
    set_bank(x->pos, m->g[0]);
    set_bank(x->neg, m->g[1]);
    mho_crossbar_refresh(x, 0, n);
    return MHO_OK;
  }
  *clipped = mho_crossbar_beyond(x, 0, n, w);
  mho_crossbar_set(x, 0, n, w);
  return MHO_OK;
}

static mho_err new_brought(mho_trainer *t, mho_errinfo *ei) {
  mho_trainer_settled_in(t);
  t->brought = mho_alloc((size_t)t->net->n_trained, sizeof *t->brought);
  for (int c = 0; c < t->net->n_trained && t->brought; c++) {
    const mho_crossbar *x = t->net->connection[c].xb;
    t->brought[c] = mho_alloc((size_t)x->rows * (size_t)x->cols, sizeof *t->brought[c]);
    if (!t->brought[c])
      mho_trainer_settled_in(t);
  }
  if (!t->brought)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the weights to start from");
  return MHO_OK;
}

/* What cells could not hold, in one line. */
static void tell_clipped(const mho_trainer *t, const size_t *clipped) {
  char list[MHO_TEXT_MAX] = "";
  bool off_middle = false;
  for (int c = 0; c < t->net->n_trained; c++) {
    const mho_connection *k = &t->net->connection[c];
    double n = (double)k->xb->rows * k->xb->cols;
    if (clipped[c])
      mho_text_append(list, sizeof list, "%s%.2g %% of %s (w_max %.3g)", *list ? ", " : "",
                      100 * (double)clipped[c] / n, k->name, mho_crossbar_w_max(k->xb));
    off_middle |= clipped[c] && mho_crossbar_reach(k->xb) < 0.9;
  }
  if (*list)
    mho_log(t->ctx, MHO_LOG_WARNING, "weights beyond the bounds of their cells are clipped: %s; %s",
            list,
            off_middle ? "bring device.start to mid range, or raise device.weight_range"
                       : "raise device.weight_range");
}

/* The weights of a source to the connections of the same name. */
static mho_err take(mho_trainer *t, const source *s, manner how, mho_errinfo *ei) {
  origin here = origin_of(t->e);
  bool same = is_same_device(&here, &s->origin);
  int n = t->net->n_trained;
  matrices *m = mho_alloc((size_t)n, sizeof *m);
  double *w_max = mho_alloc((size_t)n, sizeof *w_max);
  size_t *clipped = mho_alloc((size_t)n, sizeof *clipped);
  mho_err err = m && w_max && clipped ? new_brought(t, ei)
                                      : mho_fail(ei, MHO_ENOMEM, "no memory for weights");
  for (int c = 0; c < n && !err; c++) {
    const char *name = t->net->connection[c].name;
    err = read_source(s, name, &m[c], ei);
    if (err)
      break;
    bool ranged = same && m[c].w_max > 0;
    w_max[c] = ranged ? m[c].w_max : range_for(t, c, &m[c], how.tight);
    if (ranged && m[c].g[0] && !agree(&m[c], &s->origin))
      err = mho_fail(ei, MHO_EDATA,
                     "the conductances of %s say other weights than %s.w does: remove the files "
                     "g_pos and g_neg to "
                     "take the weights, or export again",
                     name, name);
  }
  if (!err)
    mho_trainer_range(t, w_max);
  for (int c = 0; c < n && !err; c++)
    err = bring(t, c, &m[c], same && !how.anew && m[c].w_max > 0, &clipped[c], ei);
  if (!err && !how.anew) /* whoever programs chips tells of each */
    tell_clipped(t, clipped);
  if (!err)
    mho_network_refresh(t->net, t->update, true);
  for (int c = 0; c < n && m; c++)
    matrices_free(&m[c]);
  mho_free(m);
  mho_free(w_max);
  mho_free(clipped);
  return err;
}

static mho_err take_folder(mho_trainer *t, const char *folder, manner how, mho_errinfo *ei) {
  source s = {.folder = folder};
  mho_err err = read_sidecar(folder, &s.sidecar, ei);
  s.origin = read_origin(s.sidecar);
  if (!err)
    err = take(t, &s, how, ei);
  json_decref(s.sidecar);
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
  mho_errinfo why;
  if (!err && (err = mho_store_find(store, ref, id, &why)))
    mho_fail(ei, err, "train.from: '%s' is no folder of weights, and %s", ref, why.message);
  if (!err)
    err = mho_store_checkpoint_get(store, id, "last", &c, ei);
  if (!err)
    err = mho_train_stored_experiment(store, r, id, 0, NULL, &e, ei);
  if (!err)
    err = mho_trainer_new(t->ctx, e, &from, ei);
  if (!err)
    err = mho_trainer_load(from, &c.blob, ei);
  if (!err)
    err = take(t, &(source){.trainer = from, .origin = origin_of(e)}, how, ei);
  mho_trainer_free(from);
  mho_experiment_free(e);
  mho_registry_free(r);
  mho_blob_free(&c.blob);
  return err;
}

static mho_err bring_weights(mho_trainer *t, mho_store *store, manner how, mho_errinfo *ei) {
  const char *from = t->e->train.from;
  struct stat s;
  if (!*from)
    return MHO_OK;
  if (!stat(from, &s) && S_ISDIR(s.st_mode))
    return take_folder(t, from, how, ei);
  if (!store || strchr(from, '/'))
    return mho_fail(ei, MHO_ENOTFOUND, "train.from: '%s' is no folder of weights%s", from,
                    strchr(from, '/') ? "" : ", and a run needs the run database");
  return take_run(t, store, from, how, ei);
}

mho_err mho_trainer_from(mho_trainer *t, mho_store *store, mho_errinfo *ei) {
  return bring_weights(t, store, (manner){0}, ei);
}

mho_err mho_trainer_write(mho_trainer *t, mho_store *store, bool headroom, mho_errinfo *ei) {
  return bring_weights(t, store, (manner){.anew = true, .tight = !headroom}, ei);
}
