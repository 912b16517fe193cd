/* weights.c - weights and conductances of a network as files, and a training that starts from them.
 *
 * A folder has for every trained connection NAME.w.npy, its effective weights, [rows x cols], rows are inputs; and on
 * devices NAME.g_pos.npy and NAME.g_neg.npy, the conductances of both devices of every pair in siemens, 0 when open.
 * The NumPy format is that of https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, version 1.0.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "array/weights.h"
#include "train/trainer.h"

enum { PATH = 4096, NPY_HEAD = 10 };
static const char npy_magic[] = "\x93NUMPY\x01"; /* and the minor version, 0 */

/* One connection's matrices, [rows x cols]; g of neither or both. */
typedef struct matrices {
  int rows, cols;
  double *w, *g[2];
} matrices;

static void matrices_free(matrices *m) {
  mho_free(m->w);
  mho_free(m->g[0]);
  mho_free(m->g[1]);
  *m = (matrices){0};
}

/* ---------------------------------------------------------------- out of and into a crossbar */

static mho_err matrices_of(const mho_crossbar *x, matrices *m, mho_errinfo *ei) {
  size_t n = (size_t)x->rows * (size_t)x->cols;
  *m = (matrices){.rows = x->rows, .cols = x->cols, .w = mho_alloc(n, sizeof *m->w)};
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

/* Conductances as they are where both have some, within the bounds of every cell; else weights, programmed as the
 * initial ones are. */
static mho_err program(mho_crossbar *x, const char *name, const matrices *m, mho_errinfo *ei) {
  if (m->rows != x->rows || m->cols != x->cols)
    return mho_fail(ei, MHO_EDATA, "the weights of %s are %d x %d, the network's are %d x %d", name, m->rows,
                    m->cols, x->rows, x->cols);
  size_t n = (size_t)x->rows * (size_t)x->cols;
  if (x->pos && m->g[0]) {
    for (int k = 0; k < 2; k++) {
      mho_cells *c = k ? x->neg : x->pos;
      float g[MHO_DEVICE_BLOCK];
      for (size_t i0 = 0; i0 < n; i0 += MHO_DEVICE_BLOCK) {
        int block = n - i0 < MHO_DEVICE_BLOCK ? (int)(n - i0) : MHO_DEVICE_BLOCK;
        for (int i = 0; i < block; i++)
          g[i] = (float)((m->g[k][i0 + (size_t)i] - c->g_min) / (c->g_max - c->g_min));
        mho_cells_set(c, i0, block, g);
      }
    }
    mho_crossbar_refresh(x, 0, n);
    return MHO_OK;
  }
  mho_real *w = mho_alloc(n, sizeof *w);
  if (!w)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the weights of %s", name);
  for (size_t i = 0; i < n; i++)
    w[i] = (mho_real)m->w[i];
  mho_crossbar_set(x, 0, n, w);
  mho_free(w);
  return MHO_OK;
}

/* ---------------------------------------------------------------- files */

static mho_err write_npy(FILE *f, const matrices *m, const double *v) {
  char head[128];
  int n = snprintf(head, sizeof head, "{'descr': '<f8', 'fortran_order': False, 'shape': (%d, %d), }",
                   m->rows, m->cols);
  while ((NPY_HEAD + n + 1) % 64) /* data is aligned */
    head[n++] = ' ';
  head[n++] = '\n';
  unsigned char length[3] = {0, (unsigned char)(n & 255), (unsigned char)(n >> 8)};
  size_t cells = (size_t)m->rows * (size_t)m->cols;
  return fwrite(npy_magic, 1, 7, f) == 7 && fwrite(length, 1, 3, f) == 3 &&
                 fwrite(head, 1, (size_t)n, f) == (size_t)n && fwrite(v, sizeof *v, cells, f) == cells
             ? MHO_OK
             : MHO_EIO;
}

static mho_err write_csv(FILE *f, const matrices *m, const double *v) {
  for (int i = 0; i < m->rows; i++)
    for (int j = 0; j < m->cols; j++)
      if (fprintf(f, "%.17g%c", v[(size_t)i * (size_t)m->cols + (size_t)j], j + 1 < m->cols ? ',' : '\n') < 0)
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
    return mho_fail_at(ei, MHO_EDATA, path, 0, "not a NumPy file of version 1.0: save it with numpy.save");
  size_t n = start[8] | (size_t)start[9] << 8;
  if (n >= sizeof head || fread(head, 1, n, f) != n)
    return mho_fail_at(ei, MHO_EDATA, path, 0, "a NumPy file that was cut short");
  head[n] = 0;
  if ((at = strstr(head, "'descr':")))
    sscanf(at + 8, " '%7[^']'", type);
  bool single = !strcmp(type, "<f4");
  if ((!single && strcmp(type, "<f8")) || !strstr(head, "'fortran_order': False") ||
      !(at = strstr(head, "'shape':")) || sscanf(at + 8, " (%d, %d)", &out->rows, &out->cols) != 2 ||
      out->rows < 1 || out->cols < 1)
    return mho_fail_at(
        ei, MHO_EDATA, path, 0,
        "not a matrix of float32 or float64 in C order: save numpy.ascontiguousarray(w, 'f8')");
  size_t cells = (size_t)out->rows * (size_t)out->cols, size = single ? sizeof(float) : sizeof(double);
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
static mho_err read_matrix(const char *folder, const char *name, const char *what, matrices *m, double **v,
                           mho_errinfo *ei) {
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
      mho_matrix_free(&got);
      return mho_fail_at(ei, MHO_EDATA, path, 0, "row %d, column %d is no finite number", i / got.cols,
                         i % got.cols);
    }
  if (m->rows && (got.rows != m->rows || got.cols != m->cols)) {
    err = mho_fail_at(ei, MHO_EDATA, path, 0, "%d x %d, the other matrices of %s are %d x %d", got.rows,
                      got.cols, name, m->rows, m->cols);
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
                   "'%s' has no %s.%s.npy (or .csv): mho export --weights writes such a folder", folder, name,
                   !m->w     ? "w"
                   : m->g[0] ? "g_neg"
                             : "g_pos");
  return err;
}

mho_err mho_trainer_weights_write(const mho_trainer *t, const char *folder, bool csv, mho_errinfo *ei) {
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
  return err;
}

/* ---------------------------------------------------------------- to start from */

/* The weights of another trainer, or (NULL) of a folder, to those of the same name. */
static mho_err take(mho_trainer *t, const mho_trainer *from, const char *folder, mho_errinfo *ei) {
  mho_err err = MHO_OK;
  for (int c = 0; c < t->net->n_trained && !err; c++) {
    const mho_connection *k = &t->net->connection[c], *other = NULL;
    matrices m = {0};
    for (int i = 0; from && i < from->net->n_trained; i++)
      if (!strcmp(from->net->connection[i].name, k->name))
        other = &from->net->connection[i];
    if (from && !other)
      err = mho_fail(ei, MHO_EDATA, "the run to start from has no connection %s", k->name);
    else
      err = other ? matrices_of(other->xb, &m, ei) : matrices_read(folder, k->name, &m, ei);
    if (!err)
      err = program(k->xb, k->name, &m, ei);
    matrices_free(&m);
  }
  if (!err)
    mho_network_refresh(t->net, t->update, true);
  return err;
}

static mho_err take_run(mho_trainer *t, mho_store *store, const char *ref, mho_errinfo *ei) {
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
    err = take(t, from, NULL, ei);
  mho_trainer_free(from);
  mho_experiment_free(e);
  mho_registry_free(r);
  mho_blob_free(&c.blob);
  return err;
}

mho_err mho_trainer_from(mho_trainer *t, mho_store *store, mho_errinfo *ei) {
  const char *from = t->e->train.from;
  struct stat s;
  if (!*from)
    return MHO_OK;
  if (!stat(from, &s) && S_ISDIR(s.st_mode))
    return take(t, NULL, from, ei);
  if (!store || strchr(from, '/'))
    return mho_fail(ei, MHO_ENOTFOUND, "train.from: '%s' is no folder of weights%s", from,
                    strchr(from, '/') ? "" : ", and a run needs the run database");
  return take_run(t, store, from, ei);
}
