/* table_rows.h - rows of a table: chosen columns of a text or NumPy file, as features and targets.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DATA_TABLE_ROWS_H
#define MHO_DATA_TABLE_ROWS_H

#include "mho/base.h"

enum { MHO_TABLE_CLASSES = 256 };
enum { MHO_HEADER_AUTO, MHO_HEADER_YES, MHO_HEADER_NO };

/* The different classes of a table, as they are written; numbered as they come. */
typedef struct mho_table_classes {
  int n;
  char *text[MHO_TABLE_CLASSES];
} mho_table_classes;

/* What is read of a file. */
typedef struct mho_table_want {
  /* Lists of columns, see the keys of table.c; "": what follows from the rest. NULL: the file has
   * none of them. */
  const char *features, *targets;
  int header;                 /* MHO_HEADER_... */
  mho_table_classes *classes; /* where targets are classes, else NULL */
} mho_table_want;

/* Rows, with the same columns in all of them. */
typedef struct mho_table_rows {
  int n, capacity;
  int features, targets; /* columns of each; of classes one target */
  double *x, *y;         /* [n x features], [n x targets]: of a class its number */
} mho_table_rows;

/** Read the rows of a file: NumPy's format where its name ends in .npy, else text. Free them after
 * an error, too.
 *  @return MHO_OK; MHO_ECONFIG for columns that there are not; MHO_EDATA with file, line and column
 *           of what is no number, and of lines of another length; MHO_EIO; MHO_ENOMEM. */
mho_err mho__table_read(const char *path, const mho_table_want *want, mho_table_rows *out,
                        mho_errinfo *ei);
/** Frees the numbers, and empties the rows. */
void mho__table_rows_free(mho_table_rows *r);

/** Number classes in their order, by value where all are numbers, else by their text, and count
 * them: the new numbers of `old`, [n]. */
void mho__table_classes_sort(mho_table_classes *c, int *old);
/** A hash of the classes with their new numbers, for any order of the rows; never 0. */
uint64_t mho__table_classes_hash(const mho_table_classes *c, const int *class_of);
void mho__table_classes_free(mho_table_classes *c);

#endif
