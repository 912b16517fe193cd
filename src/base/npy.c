/* npy.c - a matrix of numbers from a NumPy file.
 *
 * The format is that of
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, versions 1 to 3: a magic
 * word, the version, the length of a header, the header (a Python dictionary with the type of the
 * numbers, their order and the shape), and the numbers.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/base.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char magic[] = "\x93NUMPY";
enum { MAGIC = 6, HEADER_MAX = 1024 };

/* What a header says. */
typedef struct header {
  char order; /* of a number's bytes: '<', '>', or '|' where there is one */
  char kind;  /* f, i, u or b */
  int size;   /* bytes of a number */
  bool fortran;
  int rows, cols;
  bool is_vector; /* of one dimension */
} header;

bool mho_npy_is(const void *bytes, size_t length) {
  return length >= MAGIC && !memcmp(bytes, magic, MAGIC);
}

/* ---------------------------------------------------------------- the header */

/* The header as a text of its own, and where the numbers begin. */
static mho_err take_header(const unsigned char *b, size_t length, const char *name,
                           char text[HEADER_MAX], size_t *start, mho_errinfo *ei) {
  size_t before = length > MAGIC && b[MAGIC] == 1 ? MAGIC + 4 : MAGIC + 6;
  if (length < before)
    return mho_fail_at(ei, MHO_EDATA, name, 0, "a NumPy file that was cut short");

  int version = b[MAGIC];
  if (version < 1 || version > 3)
    return mho_fail_at(ei, MHO_EDATA, name, 0,
                       "a NumPy file of version %d: save it with numpy.save", version);

  size_t n = b[MAGIC + 2] | (size_t)b[MAGIC + 3] << 8;
  if (version > 1)
    n |= (size_t)b[MAGIC + 4] << 16 | (size_t)b[MAGIC + 5] << 24;
  if (n > length - before)
    return mho_fail_at(ei, MHO_EDATA, name, 0, "a NumPy file that was cut short");
  if (n >= HEADER_MAX)
    return mho_fail_at(ei, MHO_EDATA, name, 0,
                       "a NumPy header of %zu bytes: expected a plain matrix of numbers", n);

  memcpy(text, b + before, n);
  text[n] = 0;
  *start = before + n;
  return MHO_OK;
}

/* What stands behind a key of the header; NULL when it does not have the key. */
static const char *value_of(const char *text, const char *key) {
  const char *at = strstr(text, key);
  return at ? at + strlen(key) + strspn(at + strlen(key), ": ") : NULL;
}

/* The type of the numbers, such as '<f8'. */
static bool take_type(const char *at, header *h) {
  static const struct {
    char kind;
    const char *sizes;
  } known[] = {{'f', "48"}, {'i', "1248"}, {'u', "1248"}, {'b', "1"}};

  bool quoted = at && strlen(at) > 4 && at[0] == '\'' && at[4] == '\'';
  if (!quoted || !strchr("<>|", at[1]))
    return false;

  h->order = at[1];
  h->kind = at[2];
  h->size = at[3] - '0';
  for (int k = 0; k < MHO_COUNT(known); k++)
    if (known[k].kind == h->kind && strchr(known[k].sizes, at[3]))
      return true;
  return false;
}

/* A dimension; false when it is no positive int. */
static bool take_size(const char **at, int *out) {
  char *end;
  if (**at < '0' || **at > '9')
    return false;

  unsigned long long v = strtoull(*at, &end, 10);
  *at = end + strspn(end, ", ");
  *out = (int)v;
  return v >= 1 && v <= INT32_MAX;
}

/* (rows, cols), or (cols,) of one row. */
static bool take_shape(const char *at, header *h) {
  if (!at || *at != '(')
    return false;

  int first, second;
  at++;
  if (!take_size(&at, &first))
    return false;
  if (*at == ')') {
    h->rows = 1;
    h->is_vector = true;
    h->cols = first;
    return true;
  }

  if (!take_size(&at, &second) || *at != ')')
    return false;
  h->rows = first;
  h->cols = second;
  return true;
}

/* Characters of a header's shape up to its bracket, for a message, but not too many. */
static int shown(const char *at) {
  size_t n = at ? strcspn(at, ")\n") : 0;
  bool is_closed = n && at[n] == ')';
  return (int)mho_min_size(n + is_closed, 40);
}

/* Readers differ in which of two they take. */
static const char *given_twice(const char *text) {
  static const char *const keys[] = {"'descr'", "'shape'", "'fortran_order'"};
  for (int k = 0; k < MHO_COUNT(keys); k++) {
    const char *at = strstr(text, keys[k]);
    if (at && strstr(at + 1, keys[k]))
      return keys[k];
  }
  return NULL;
}

static mho_err parse_header(const char *text, const char *name, header *h, mho_errinfo *ei) {
  const char *twice = given_twice(text);
  if (twice)
    return mho_fail_at(ei, MHO_EDATA, name, 0, "a NumPy header with %s twice", twice);

  const char *type = value_of(text, "'descr'"), *shape = value_of(text, "'shape'");
  const char *order = value_of(text, "'fortran_order'");

  if (!take_type(type, h))
    return mho_fail_at(ei, MHO_EDATA, name, 0,
                       "its numbers are not float32, float64, integers or booleans: save "
                       "numpy.asarray(x, 'f8')");
  if (!take_shape(shape, h))
    return mho_fail_at(ei, MHO_EDATA, name, 0,
                       "not a matrix with rows (shape %.*s): expected two dimensions, or one for a "
                       "single row; save x.reshape(len(x), -1)",
                       shown(shape), shape ? shape : "");
  if (!order)
    return mho_fail_at(ei, MHO_EDATA, name, 0, "a NumPy header without 'fortran_order'");

  h->fortran = !strncmp(order, "True", 4);
  return MHO_OK;
}

/* ---------------------------------------------------------------- the numbers */

/* The bytes of a number, as many as it has, with the lowest first. */
static uint64_t word_of(const header *h, const unsigned char *at) {
  uint64_t v = 0;
  for (int k = 0; k < h->size; k++) {
    int byte = h->order == '>' ? h->size - 1 - k : k;
    v |= (uint64_t)at[byte] << 8 * k;
  }
  return v;
}

static double number_of(const header *h, const unsigned char *at) {
  uint64_t v = word_of(h, at);

  if (h->kind == 'f' && h->size == 4) {
    uint32_t low = (uint32_t)v;
    float single;
    memcpy(&single, &low, sizeof single);
    return single;
  }
  if (h->kind == 'f') {
    double out;
    memcpy(&out, &v, sizeof out);
    return out;
  }

  int unused = 64 - 8 * h->size; /* bits above those of the number */
  return h->kind == 'i' ? (double)((int64_t)(v << unused) >> unused) : (double)v;
}

static mho_err take_numbers(const header *h, const unsigned char *at, const char *name,
                            mho_matrix *out, mho_errinfo *ei) {
  size_t rows = (size_t)h->rows, cols = (size_t)h->cols;
  out->v = malloc(rows * cols * sizeof *out->v);
  if (!out->v)
    return mho_fail_at(ei, MHO_ENOMEM, name, 0, "no memory for %d x %d numbers", h->rows, h->cols);
  out->rows = h->rows;
  out->cols = h->cols;
  out->is_vector = h->is_vector;

  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < cols; j++) {
      size_t from = h->fortran ? j * rows + i : i * cols + j;
      double v = number_of(h, at + from * (size_t)h->size);
      if (!isfinite(v))
        return mho_fail_at(ei, MHO_EDATA, name, 0, "row %zu, column %zu is no finite number", i + 1,
                           j + 1);
      out->v[i * cols + j] = v;
    }
  return MHO_OK;
}

mho_err mho_npy_parse(const void *bytes, size_t length, const char *name, mho_matrix *out,
                      mho_errinfo *ei) {
  char text[HEADER_MAX];
  header h = {0};
  size_t start = 0;
  *out = (mho_matrix){0};

  if (!mho_npy_is(bytes, length))
    return mho_fail_at(ei, MHO_EDATA, name, 0, "not a NumPy file: save it with numpy.save");
  mho_err err = take_header(bytes, length, name, text, &start, ei);
  if (!err)
    err = parse_header(text, name, &h, ei);
  if (err)
    return err;

  /* the header is believed only where the file is as long as it says: no product overflows, since
   * both dimensions are below 2^31 */
  double expected = (double)h.rows * h.cols * h.size;
  if (expected != (double)(length - start))
    return mho_fail_at(ei, MHO_EDATA, name, 0,
                       "the file is not as long as its header says: %d x %d numbers are %.0f "
                       "bytes, but it has %zu",
                       h.rows, h.cols, expected, length - start);

  err = take_numbers(&h, (const unsigned char *)bytes + start, name, out, ei);
  if (err)
    mho_matrix_free(out);
  return err;
}
