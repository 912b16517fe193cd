/* measurements.h - tables of measurements: named columns of numbers, directions and labels.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DEVICE_MEASUREMENTS_H
#define MHO_DEVICE_MEASUREMENTS_H

#include "mho/base.h"

typedef enum mho_csv_kind {
  /** "nan", "" and words that are not numbers become NaN. */
  MHO_CSV_NUMBER,
  /** up, set, ltp, potentiation, +, 1 -> 1; down, reset, ltd, depression, -, -1 -> -1. */
  MHO_CSV_DIRECTION,
  /** Any text -> 0, 1, 2 ... in the order of first appearance. */
  MHO_CSV_LABEL
} mho_csv_kind;

typedef struct mho_csv_column {
  const char *name;
  mho_csv_kind kind;
  bool required;
} mho_csv_column;

enum { MHO_CSV_COLUMNS = 8 };
typedef struct mho_csv {
  int rows;
  bool has[MHO_CSV_COLUMNS];       /* whether the file has the column */
  double *column[MHO_CSV_COLUMNS]; /* [rows] each, NaN where the file has none */
  int *line;                       /* [rows], 1-based */
} mho_csv;

/** Read a table whose first line that is not a comment (#) names the columns, separated by commas,
 * semicolons or tabs; columns that are not asked for are passed over.
 *  @param columns [n], n at most MHO_CSV_COLUMNS.
 *  @return MHO_OK; MHO_EIO when it cannot be read; MHO_EDATA with the line when it is no such
 *           table. */
mho_err mho__csv_read(const char *path, const mho_csv_column *columns, int n, mho_csv *out,
                      mho_errinfo *ei);
/** Frees what a table holds, and empties it. */
void mho__csv_free(mho_csv *t);

#endif
