/* matrix_file.c - a matrix as a file, NumPy's or CSV.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/matrix_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/npy.h"
#include "base/whole_file.h"

/* ---------------------------------------------------------------- out
 *
 * Whether it was written says mho__whole_end. */

static void write_npy(FILE *f, int rows, int cols, const double *v) {
  char head[MHO_NPY_HEAD];
  int n = mho__npy_head(sizeof *v, 2, (const int[]){rows, cols}, head);

  fwrite(head, 1, (size_t)n, f);
  fwrite(v, sizeof *v, (size_t)rows * (size_t)cols, f);
}

static void write_csv(FILE *f, int rows, int cols, const double *v) {
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < cols; j++) {
      char end = j + 1 < cols ? ',' : '\n';
      fprintf(f, "%.17g%c", v[(size_t)i * (size_t)cols + (size_t)j], end);
    }
}

mho_err mho__matrix_file_write(const char *folder, const char *name, const char *what, bool csv,
                               int rows, int cols, const double *v, mho_errinfo *ei) {
  char path[MHO_PATH_MAX];
  snprintf(path, sizeof path, "%s/%s.%s.%s", folder, name, what, csv ? "csv" : "npy");

  mho_whole_file w;
  FILE *f = mho__whole_open(path, &w);
  if (!f)
    return mho_fail_at(ei, mho__io_error(errno), path, 0, "cannot be written: %s", strerror(errno));
  if (csv)
    write_csv(f, rows, cols, v);
  else
    write_npy(f, rows, cols, v);
  return mho__whole_end(&w, MHO_OK, "cannot be written", ei);
}

/* ---------------------------------------------------------------- in */

mho_err mho__matrix_file_read(const char *folder, const char *name, const char *what,
                              mho_matrix *out, char *path, mho_errinfo *ei) {
  static const char *const endings[] = {"npy", "csv"};
  *out = (mho_matrix){0};

  int found = -1;
  for (int k = 0; k < MHO_COUNT(endings); k++) {
    snprintf(path, MHO_PATH_MAX, "%s/%s.%s.%s", folder, name, what, endings[k]);
    if (access(path, F_OK))
      continue;
    if (found >= 0)
      return mho_fail_at(ei, MHO_EDATA, folder, 0,
                         "has %s.%s.npy and %s.%s.csv, which may differ: remove one of them", name,
                         what, name, what);
    found = k;
  }
  if (found < 0)
    return MHO_OK;
  snprintf(path, MHO_PATH_MAX, "%s/%s.%s.%s", folder, name, what, endings[found]);
  return mho_matrix_read(path, out, ei);
}
