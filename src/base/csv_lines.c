/* csv_lines.c - reading tables of text.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/csv_lines.h"
#include "base/file_bytes.h"
#include "base/whole_file.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
  mho_csv_line line;
  int capacity; /* of fields */
  mho_csv_take take;
  void *user;
  mho_errinfo *ei;
} reader;

char *mho__csv_trim(char *s) {
  while (isspace((unsigned char)*s))
    s++;
  size_t n = strlen(s);
  while (n > 0 && isspace((unsigned char)s[n - 1]))
    s[--n] = 0;
  return s;
}

/* Where a field ends: at a separator that is not between quotes, or at the end of the line. */
static char *end_of_field(char *s, char separator) {
  bool quoted = false;
  for (; *s; s++) {
    if (*s == '"')
      quoted = !quoted;
    if (*s == separator && !quoted)
      break;
  }
  return s;
}

/* A field without blanks and quotes around it, two quotes inside as one (RFC 4180); writes into
 * it. */
static char *unquote(char *s) {
  s = mho__csv_trim(s);
  size_t n = strlen(s);
  if (n < 2 || s[0] != '"' || s[n - 1] != '"')
    return s;

  s[n - 1] = 0;
  char *to = ++s;
  for (const char *from = s; *from; from++) {
    if (from[0] == '"' && from[1] == '"')
      from++;
    *to++ = *from;
  }
  *to = 0;
  return s;
}

static bool has_outside_quotes(char *line, char c) {
  return *end_of_field(line, c) == c;
}

/* Room for one field more. */
static bool grow(reader *r) {
  if (r->line.n < r->capacity)
    return true;

  int more = r->capacity ? 2 * r->capacity : 64;
  char **field = realloc(r->line.field, (size_t)more * sizeof *field);
  if (field)
    r->line.field = field;
  int *column = realloc(r->line.column, (size_t)more * sizeof *column);
  if (column)
    r->line.column = column;
  if (field && column)
    r->capacity = more;
  return field && column;
}

/* Cut a line at its separators, whichever of them it has. */
static mho_err split(reader *r, char *line) {
  char separator = ',';
  if (has_outside_quotes(line, '\t'))
    separator = '\t';
  else if (has_outside_quotes(line, ';'))
    separator = ';';

  r->line.n = 0;
  for (char *rest = line; rest;) {
    char *end = end_of_field(rest, separator), *next = *end ? end + 1 : NULL;
    *end = 0;
    if (!grow(r))
      return mho_fail_at(r->ei, MHO_ENOMEM, r->line.path, r->line.number,
                         "no memory for this line");
    char *field = unquote(rest);
    r->line.field[r->line.n] = field;
    r->line.column[r->line.n++] = (int)(field - line);
    rest = next;
  }
  return MHO_OK;
}

/* A line of the file, which it writes into. */
static mho_err read_line(reader *r, char *line, size_t length) {
  if (memchr(line, 0, length))
    return mho_fail_at(r->ei, MHO_EDATA, r->line.path, r->line.number, "not a text file");
  if (r->line.number == 1 && !strncmp(line, "\xef\xbb\xbf", 3))
    memmove(line, line + 3, length - 3 + 1);
  if (!*mho__csv_trim(line) || *mho__csv_trim(line) == '#')
    return MHO_OK;

  mho_err err = split(r, line);
  return err ? err : r->take(r->user, &r->line, r->ei);
}

static mho_err read_lines(reader *r, FILE *f) {
  mho_err err = MHO_OK;
  char *line = NULL;
  size_t size = 0;

  while (!err) {
    ssize_t length = getline(&line, &size, f);
    if (length < 0)
      break;
    r->line.number++;
    err = read_line(r, line, (size_t)length);
  }

  free(line);
  if (!err && !feof(f) && !ferror(f))
    err =
        mho_fail_at(r->ei, MHO_ENOMEM, r->line.path, r->line.number + 1, "no memory for this line");
  return err;
}

mho_err mho__csv_lines(const char *path, mho_csv_take take, void *user, mho_errinfo *ei) {
  reader r = {.line.path = path, .take = take, .user = user, .ei = ei};
  FILE *f = fopen(path, "r");
  if (!f)
    return mho_fail_at(ei, mho__io_error(errno), path, 0, "cannot read the table: %s",
                       strerror(errno));

  mho_err err = mho__refuse_device(fileno(f), path, ei);
  if (!err)
    err = read_lines(&r, f);
  if (!err && ferror(f))
    err = mho_fail_at(ei, mho__io_error(errno), path, 0, "cannot read the table: %s",
                      strerror(errno));

  fclose(f);
  free(r.line.field);
  free(r.line.column);
  return err;
}

bool mho__csv_number(const char *field, double *out) {
  char *end;
  double v = strtod(field, &end);
  bool is_number = end != field && !*end && isfinite(v) && !strpbrk(field, "xX");
  if (is_number)
    *out = v;
  return is_number;
}
