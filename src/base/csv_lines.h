/* csv_lines.h - a table of text, line by line: what reads named columns or plain numbers is on top.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_BASE_CSV_LINES_H
#define MHO_BASE_CSV_LINES_H

#include "mho/base.h"

/** A line that is neither empty nor a comment, cut into fields without the blanks and quotes around
 * them. */
typedef struct mho_csv_line {
  const char *path;
  int number;   /* of the line, 1-based */
  int n;        /* fields */
  char **field; /* [n] */
  int *column;  /* [n] character of the line that a field begins at, 0-based */
} mho_csv_line;

/** What is done with a line. Anything but MHO_OK ends the reading, and is its result. */
typedef mho_err (*mho_csv_take)(void *user, const mho_csv_line *line, mho_errinfo *ei);

/** Hand on the lines of a text file, in their order. Fields are separated by commas, semicolons or
 * tabs, whichever a line has outside of quotes; two quotes inside of quotes are one (RFC 4180), and
 * a field ends with its line. Empty lines and those that begin with # are passed over, so is a
 * byte-order mark.
 *  @return MHO_OK; MHO_EIO when it cannot be read; MHO_EDATA when it is no text; what `take`
 *           returned. */
mho_err mho__csv_lines(const char *path, mho_csv_take take, void *user, mho_errinfo *ei);

/** s without the blanks around it; writes into it. */
char *mho__csv_trim(char *s);
/** A field as a number; false when it is none, or no finite one. */
bool mho__csv_number(const char *field, double *out);

#endif
