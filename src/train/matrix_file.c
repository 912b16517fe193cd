/* matrix_file.c - a matrix as a file, NumPy's or CSV.
 *
 * The NumPy format is that of
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, version 1.0.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/matrix_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

mho_err mho__matrix_file_read(const char *folder, const char *name, const char *what,
                              mho_matrix *out, char *path, mho_errinfo *ei) {
  static const char *const endings[] = {"npy", "csv"};
  *out = (mho_matrix){0};

  for (int k = 0; k < MHO_COUNT(endings); k++) {
    snprintf(path, MHO_PATH_MAX, "%s/%s.%s.%s", folder, name, what, endings[k]);
    if (!access(path, F_OK))
      return mho_matrix_read(path, out, ei);
  }
  return MHO_OK;
}
