/* answer.h - a query's answer stored as text, and shown as a table.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_REPORT_ANSWER_H
#define MHO_REPORT_ANSWER_H

#include <stdio.h>

#include "mho/store.h"

typedef struct mho_answer {
  int n, cols, capacity; /* n records of cols values */
  char **name;           /* [cols] */
  char **cell;           /* [n x cols]; NULL for NULL */
  bool no_memory;
} mho_answer;

/** Run a query, for at most a minute.
 *  @return MHO_OK; MHO_ENOMEM; errors of the store. On failure *out is empty. */
mho_err mho__answer_read(mho_store *s, const char *sql, int n_args, const char *const *args,
                         mho_answer *out, mho_errinfo *ei);
void mho__answer_free(mho_answer *a);
/** A value as text, "" for NULL. */
const char *mho__answer_text(const mho_answer *a, int record, int col);
/** A value as a number, NaN where it is none. */
double mho__answer_number(const mho_answer *a, int record, int col);
/** The end of a group: the first record from `start` on that has another text in column 0, or n. */
int mho__answer_group_end(const mho_answer *a, int start);
/** How many groups there are: stretches of records with the same text in column 0. */
int mho__answer_groups(const mho_answer *a);
/** Whether a column of epochs has none beyond the ninth: a plot then gets a tick at every epoch. */
bool mho__answer_few_epochs(const mho_answer *a, int col);
/** Write a table whose heads sort it, of the first `most` records; a note says how many are left
 *  out. Columns without any value are left out. */
void mho__answer_table(FILE *html, const mho_answer *a, const char *label, int most);

#endif
