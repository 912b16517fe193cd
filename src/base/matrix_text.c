/* matrix_text.c - a matrix of numbers from a text file.
 *
 * Numbers with up to 19 digits and a small power of ten are converted by one multiplication or
 * division, which is exact to the last bit when both operands are representable (W. Clinger, PLDI
 * 1990); the rest goes to strtod.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/base.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file_bytes.h"

typedef struct reader {
  const char *name, *line, *at; /* start of the line, next character */
  int number;                   /* of the line, 1-based */
  char separator;               /* of the line: ',', ';' or ' ' for blanks; 0: none yet */
  mho_matrix *out;
  size_t n, capacity;
  mho_errinfo *ei;
} reader;

static mho_err at_column(const reader *r, const char *where, const char *format, const char *text) {
  mho_fail_at(r->ei, MHO_EDATA, r->name, r->number, format, text);
  if (r->ei)
    r->ei->col = where - r->line;
  return MHO_EDATA;
}

/* What stands at a place, for a message: up to a separator, at most some characters. */
static void quote(const char *at, char out[40]) {
  size_t n = strcspn(at, ",;\t\r\n");
  snprintf(out, 40, "'%.*s%s'", (int)(n < 24 ? n : 24), at, n > 24 ? "..." : "");
  for (char *p = out; *p; p++)
    if ((unsigned char)*p < ' ')
      *p = '?';
}

/* Digits at *p are appended to *digits; returns how many there are. */
static int take_digits(const char **p, int most, uint64_t *digits) {
  int n = 0;
  for (; **p >= '0' && **p <= '9' && n < most; ++*p, n++)
    *digits = *digits * 10 + (uint64_t)(**p - '0');
  return n;
}

/* A number that one multiplication or division converts exactly; false leaves *at where it is. */
static bool fast_number(const char **at, double *out) {
  static const double ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                               1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                               1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  const char *p = *at;
  bool negative = *p == '-';
  uint64_t digits = 0;

  p += *p == '-' || *p == '+';
  int n = take_digits(&p, INT32_MAX, &digits), exponent = 0;
  if (*p == '.') {
    p++;
    exponent = -take_digits(&p, INT32_MAX, &digits);
    n -= exponent;
  }
  if (n == 0 || n > 19 || digits > (uint64_t)1 << 53)
    return false;

  if (*p == 'e' || *p == 'E') {
    bool down = p[1] == '-';
    uint64_t e = 0;
    p += 1 + (p[1] == '-' || p[1] == '+');
    int m = take_digits(&p, 4, &e);
    if (m == 0 || m == 4)
      return false;
    exponent += down ? -(int)e : (int)e;
  }
  if (exponent < -22 || exponent > 22)
    return false;

  double v = exponent < 0 ? (double)digits / ten[-exponent] : (double)digits * ten[exponent];
  *out = negative ? -v : v;
  *at = p;
  return true;
}

/* strtod would also take white space (and so the next line), and hexadecimal numbers. */
static bool is_decimal(const char *start) {
  const char *sign = start + (*start == '-' || *start == '+');
  return (unsigned char)*sign > ' ' && !(sign[0] == '0' && (sign[1] | 32) == 'x');
}

static mho_err read_number(reader *r, double *out) {
  const char *start = r->at;
  char text[40];
  if (fast_number(&r->at, out))
    return MHO_OK;

  char *end = (char *)start;
  *out = is_decimal(start) ? strtod(start, &end) : 0;
  r->at = end;
  if (end == start) {
    bool missing = strcspn(start, ",;\t\r\n") == 0;
    quote(start, text);
    return at_column(r, start, missing ? "a number is missing here" : "%s is not a number", text);
  }

  if (!isfinite(*out)) {
    quote(start, text);
    return at_column(r, start, "%s is not a finite number", text);
  }
  return MHO_OK;
}

static mho_err push(reader *r, double v) {
  if (r->n == r->capacity) {
    size_t more = r->capacity ? 2 * r->capacity : 4096;
    double *bigger = realloc(r->out->v, more * sizeof *bigger);
    if (!bigger)
      return mho_fail_at(r->ei, MHO_ENOMEM, r->name, r->number, "no memory for %zu numbers", more);
    r->out->v = bigger;
    r->capacity = more;
  }

  r->out->v[r->n++] = v;
  return MHO_OK;
}

static const char *skip_blanks(const char *p) {
  return p + strspn(p, " \t");
}

/* One number of a line that has `cols` before it. */
static mho_err read_entry(reader *r, int cols) {
  char text[40];
  const char *start = r->at;
  double v;

  mho_err err = read_number(r, &v);
  if (err)
    return err;

  if (r->out->rows && cols == r->out->cols) {
    snprintf(text, sizeof text, "%d", cols);
    return at_column(r, start, "more than the %s numbers of the lines before", text);
  }

  if (cols == INT32_MAX)
    return at_column(r, start, "too many numbers%s", "");
  return push(r, v);
}

/* What stands behind a number, a comma, a semicolon or blanks; *last: the line ends there. */
static mho_err read_separator(reader *r, const char *start, bool *last) {
  char text[40];
  const char *end = r->at;

  r->at = skip_blanks(end);
  *last = *r->at == '\n' || *r->at == '\r' || *r->at == 0;
  if (*last)
    return MHO_OK;

  char separator = ' ';
  if (*r->at == ',' || *r->at == ';') {
    separator = *r->at++;
  } else if (r->at == end) {
    quote(start, text);
    return at_column(r, start, "%s is not a number", text);
  }

  if (r->separator && separator != r->separator)
    return at_column(r, end,
                     "two kinds of separators in a line%s: write decimals with a point (1.5), and "
                     "commas, semicolons or blanks between all numbers",
                     "");
  r->separator = separator;
  return MHO_OK;
}

/* One line that has something on it. */
static mho_err read_line(reader *r) {
  char text[40];
  int cols = 0;
  r->separator = 0;

  for (bool last = false; !last; cols++) {
    r->at = skip_blanks(r->at);
    const char *start = r->at;
    mho_err err = read_entry(r, cols);
    if (!err)
      err = read_separator(r, start, &last);
    if (err)
      return err;
  }

  if (!r->out->rows)
    r->out->cols = cols;
  if (cols < r->out->cols) {
    snprintf(text, sizeof text, "%d instead of %d", cols, r->out->cols);
    return at_column(r, r->at, "the line has %s numbers, as the lines before have", text);
  }
  r->out->rows++;
  return MHO_OK;
}

mho_err mho_matrix_parse(const char *text, size_t length, const char *name, mho_matrix *out,
                         mho_errinfo *ei) {
  reader r = {.name = name, .line = text, .at = text, .number = 1, .out = out, .ei = ei};
  *out = (mho_matrix){0};
  mho_err err = MHO_OK;

  if (!strncmp(text, "\xef\xbb\xbf", 3))
    r.line = r.at = text + 3;
  else if (!strncmp(text, "\xff\xfe", 2) || !strncmp(text, "\xfe\xff", 2))
    return mho_fail_at(ei, MHO_EDATA, name, 1, "a text in UTF-16: save it as UTF-8");

  const char *zero = memchr(text, 0, length);
  while (!err && *r.at) {
    const char *p = skip_blanks(r.at);
    if (*p == '#')
      r.at = p + strcspn(p, "\n");
    else if (*p && *p != '\n' && *p != '\r')
      err = read_line(&r);
    else
      r.at = p;

    if (!err && *r.at == '\r')
      r.at++;
    if (!err && *r.at == '\n') {
      r.line = ++r.at;
      r.number++;
    }
  }

  if (!err && zero)
    err = at_column(&r, r.at, "not a text file%s", "");
  if (!err && !out->rows)
    err = mho_fail_at(ei, MHO_EDATA, name, 0, "there are no numbers in it");
  if (err)
    mho_matrix_free(out);
  return err;
}

mho_err mho_matrix_read(const char *path, mho_matrix *out, mho_errinfo *ei) {
  char *text;
  size_t length;
  *out = (mho_matrix){0};

  mho_err err = mho__file_bytes(path, &text, &length, ei);
  if (err)
    return err;

  const char *name = strcmp(path, "-") ? path : "standard input";
  err = mho_npy_is(text, length) ? mho_npy_parse(text, length, name, out, ei)
                                 : mho_matrix_parse(text, length, name, out, ei);
  free(text);
  return err;
}

void mho_matrix_free(mho_matrix *m) {
  free(m->v);
  *m = (mho_matrix){0};
}
