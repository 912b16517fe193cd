/* matrix_file.c - a matrix as a file, NumPy's or CSV.
 *
 * The NumPy format is that of
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, version 1.0.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/matrix_file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NPY_HEAD = 10, NPY_ALIGNMENT = 64 };
static const char npy_magic[] = "\x93NUMPY\x01"; /* and the minor version, 0 */

/* ---------------------------------------------------------------- out */

static bool put(FILE *f, const void *data, size_t size) {
  return fwrite(data, 1, size, f) == size;
}

static mho_err write_npy(FILE *f, int rows, int cols, const double *v) {
  char head[128];
  int n = snprintf(head, sizeof head,
                   "{'descr': '<f8', 'fortran_order': False, 'shape': (%d, %d), }", rows, cols);

  while ((NPY_HEAD + n + 1) % NPY_ALIGNMENT)
    head[n++] = ' ';
  head[n++] = '\n';

  unsigned char length[3] = {0, (unsigned char)(n & 255), (unsigned char)(n >> 8)};
  size_t cells = (size_t)rows * (size_t)cols;
  bool is_written = put(f, npy_magic, 7) && put(f, length, 3) && put(f, head, (size_t)n) &&
                    put(f, v, cells * sizeof *v);
  return is_written ? MHO_OK : MHO_EIO;
}

static mho_err write_csv(FILE *f, int rows, int cols, const double *v) {
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < cols; j++) {
      char end = j + 1 < cols ? ',' : '\n';
      if (fprintf(f, "%.17g%c", v[(size_t)i * (size_t)cols + (size_t)j], end) < 0)
        return MHO_EIO;
    }
  return MHO_OK;
}

mho_err mho__matrix_file_write(const char *folder, const char *name, const char *what, bool csv,
                               int rows, int cols, const double *v, mho_errinfo *ei) {
  char path[MHO_PATH_MAX];
  mho_err err = MHO_EIO;
  snprintf(path, sizeof path, "%s/%s.%s.%s", folder, name, what, csv ? "csv" : "npy");

  FILE *f = fopen(path, "wb");
  if (f) {
    err = csv ? write_csv(f, rows, cols, v) : write_npy(f, rows, cols, v);
    if (fclose(f))
      err = MHO_EIO;
  }

  return err ? mho_fail_at(ei, err, path, 0, "cannot be written: %s", strerror(errno)) : MHO_OK;
}

/* ---------------------------------------------------------------- in */

/* What a NumPy header says: whether numbers are of single precision, and the size. False for what
 * is not read. */
static bool parse_npy(const char *head, bool *single, mho_matrix *out) {
  const char *type_at = strstr(head, "'descr':"), *shape = strstr(head, "'shape':");
  char type[8] = "";

  if (type_at)
    sscanf(type_at + 8, " '%7[^']'", type);
  *single = !strcmp(type, "<f4");
  bool is_known = *single || !strcmp(type, "<f8");
  if (!is_known || !strstr(head, "'fortran_order': False") || !shape)
    return false;

  return sscanf(shape + 8, " (%d, %d)", &out->rows, &out->cols) == 2 && out->rows >= 1 &&
         out->cols >= 1;
}

/* Single precision, from behind, since both lie in the same room. */
static void widen(double *v, size_t n) {
  for (size_t i = n; i-- > 0;) {
    float single;
    memcpy(&single, (char *)v + i * sizeof single, sizeof single);
    v[i] = single;
  }
}

static mho_err read_npy(FILE *f, const char *path, mho_matrix *out, mho_errinfo *ei) {
  unsigned char start[NPY_HEAD];
  char head[1024];
  bool single;

  if (fread(start, 1, sizeof start, f) != sizeof start || memcmp(start, npy_magic, 7))
    return mho_fail_at(ei, MHO_EDATA, path, 0,
                       "not a NumPy file of version 1.0: save it with numpy.save");

  size_t n = start[8] | (size_t)start[9] << 8;
  if (n >= sizeof head || fread(head, 1, n, f) != n)
    return mho_fail_at(ei, MHO_EDATA, path, 0, "a NumPy file that was cut short");

  head[n] = 0;
  if (!parse_npy(head, &single, out))
    return mho_fail_at(ei, MHO_EDATA, path, 0,
                       "not a matrix of float32 or float64 in C order: save "
                       "numpy.ascontiguousarray(w, 'f8')");

  size_t cells = (size_t)out->rows * (size_t)out->cols;
  out->v = mho_alloc(cells, sizeof *out->v);
  if (!out->v)
    return mho_fail(ei, MHO_ENOMEM, "no memory for '%s'", path);

  if (fread(out->v, single ? sizeof(float) : sizeof(double), cells, f) != cells ||
      fgetc(f) != EOF) {
    mho_matrix_free(out);
    return mho_fail_at(ei, MHO_EDATA, path, 0, "the file is not as long as its header says");
  }
  if (single)
    widen(out->v, cells);
  return MHO_OK;
}

static mho_err check_finite(const char *path, const mho_matrix *m, mho_errinfo *ei) {
  for (int i = 0; i < m->rows * m->cols; i++)
    if (!isfinite(m->v[i]))
      return mho_fail_at(ei, MHO_EDATA, path, 0, "row %d, column %d is no finite number",
                         i / m->cols, i % m->cols);
  return MHO_OK;
}

mho_err mho__matrix_file_read(const char *folder, const char *name, const char *what,
                              mho_matrix *out, char *path, mho_errinfo *ei) {
  mho_err err;
  *out = (mho_matrix){0};

  snprintf(path, MHO_PATH_MAX, "%s/%s.%s.npy", folder, name, what);
  FILE *f = fopen(path, "rb");
  if (f) {
    err = read_npy(f, path, out, ei);
    fclose(f);
  } else {
    snprintf(path, MHO_PATH_MAX, "%s/%s.%s.csv", folder, name, what);
    f = fopen(path, "rb");
    if (!f)
      return MHO_OK;
    fclose(f);
    err = mho_matrix_read(path, out, ei);
  }

  if (err)
    return err;

  err = check_finite(path, out, ei);
  if (err)
    mho_matrix_free(out);
  return err;
}
