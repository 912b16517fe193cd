/* measurements.h - tables of measurements: named columns of numbers, directions and labels.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DEVICE_MEASUREMENTS_H
#define MHO_DEVICE_MEASUREMENTS_H

#include "mho/base.h"

typedef enum mho_csv_kind {
  /** "", "na", "n/a", "#n/a", "nan" and "null", in upper or lower case, are missing: NaN. */
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

enum { MHO_CSV_FIELDS = 256, MHO_CSV_COLUMNS = MHO_CSV_FIELDS + 8 };
typedef struct mho_csv {
  int rows;
  bool has[MHO_CSV_COLUMNS];       /* whether the file has the column */
  double *column[MHO_CSV_COLUMNS]; /* [rows] each, NaN where the file has none */
  int *line;                       /* [rows], 1-based */
} mho_csv;

/** Which columns are read, once the names in the first line are known.
 *  @param field   [n] names.
 *  @param column  of at most MHO_CSV_COLUMNS; their names must stay.
 *  @param at      place of each among the fields, -1: the file has none.
 *  @return MHO_OK, and how many columns; MHO_EDATA, which gets path and line. */
typedef mho_err (*mho_csv_choose)(void *user, int n, char *const *field, mho_csv_column *column,
                                  int *at, int *columns, mho_errinfo *ei);

/** Read a table whose first line that is not a comment (#) names the columns, separated by commas,
 * semicolons or tabs; columns that are not asked for are passed over.
 *  @param columns [n], n at most MHO_CSV_COLUMNS, in upper or lower case.
 *  @return MHO_OK; MHO_EIO when it cannot be read; MHO_EDATA with the line when it is no such
 *           table. */
mho_err mho__csv_read(const char *path, const mho_csv_column *columns, int n, mho_csv *out,
                      mho_errinfo *ei);
/** The same with columns that are chosen by the first line. */
mho_err mho__csv_read_chosen(const char *path, mho_csv_choose choose, void *user, mho_csv *out,
                             mho_errinfo *ei);
/** Frees what a table holds, and empties it. */
void mho__csv_free(mho_csv *t);

#endif
