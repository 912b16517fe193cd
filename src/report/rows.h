/* rows.h - a query's answer kept as text, and shown as a table.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_REPORT_ROWS_H
#define MHO_REPORT_ROWS_H

#include <stdio.h>

#include "mho/store.h"

typedef struct mho_rows {
  int n, cols, capacity;
  char **name; /* [cols] */
  char **cell; /* [n x cols]; NULL for NULL */
  bool no_memory;
} mho_rows;

mho_err mho_rows_read(mho_store *s, const char *sql, int n_args, const char *const *args,
                      mho_rows *out, mho_errinfo *ei);
void mho_rows_free(mho_rows *r);
/** "" for NULL. */
const char *mho_rows_text(const mho_rows *r, int row, int col);
/** NaN where it is no number. */
double mho_rows_number(const mho_rows *r, int row, int col);
/** A table whose heads sort it, of the first `most` rows; a note says how many are left out. */
void mho_rows_table(FILE *html, const mho_rows *r, const char *label, int most);

#endif
