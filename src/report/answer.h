/* answer.h - a query's answer kept as text, and shown as a table.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_REPORT_ANSWER_H
#define MHO_REPORT_ANSWER_H

#include <stdio.h>

#include "mho/store.h"

typedef struct mho_answer {
  int n, cols, capacity;
  char **name; /* [cols] */
  char **cell; /* [n x cols]; NULL for NULL */
  bool no_memory;
} mho_answer;

mho_err mho_answer_read(mho_store *s, const char *sql, int n_args, const char *const *args,
                        mho_answer *out, mho_errinfo *ei);
void mho_answer_free(mho_answer *r);
/** "" for NULL. */
const char *mho_answer_text(const mho_answer *r, int row, int col);
/** NaN where it is no number. */
double mho_answer_number(const mho_answer *r, int row, int col);
/** A table whose heads sort it, of the first `most` rows; a note says how many are left out. */
void mho_answer_table(FILE *html, const mho_answer *r, const char *label, int most);

#endif
