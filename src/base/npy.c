/* npy.c - arrays of numbers as NumPy files.
 *
 * The format is that of
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, versions 1 to 3: a magic
 * word, the version, the length of a header, the header (a Python dictionary with the type of the
 * numbers, their order and the shape), and the numbers.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/npy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/float_bits.h"

static const char magic[] = "\x93NUMPY";
enum { MAGIC = 6, HEADER_MAX = 1024, ALIGNMENT = 64 };

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
static bool take_type(const char *at, mho_npy *h) {
  static const struct {
    char kind;
    const char *sizes;
  } known[] = {{'f', "248"}, {'i', "1248"}, {'u', "1248"}, {'b', "1"}};

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

/* "(3, 4)", "(3,)", "()". */
static bool take_shape(const char *at, mho_npy *h) {
  if (!at || *at != '(')
    return false;

  at++;
  while (*at != ')') {
    if (h->n_dims == MHO_NPY_DIMS || !take_size(&at, &h->dim[h->n_dims]))
      return false;
    h->n_dims++;
  }
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

static mho_err parse_header(const char *text, const char *name, int dims_min, int dims_max,
                            mho_npy *h, mho_errinfo *ei) {
  const char *twice = given_twice(text);
  if (twice)
    return mho_fail_at(ei, MHO_EDATA, name, 0, "a NumPy header with %s twice", twice);

  const char *type = value_of(text, "'descr'"), *shape = value_of(text, "'shape'");
  const char *order = value_of(text, "'fortran_order'");

  if (!take_type(type, h))
    return mho_fail_at(ei, MHO_EDATA, name, 0,
                       "its numbers are not float32, float64 or float16, integers or booleans: "
                       "save numpy.asarray(x, 'f8')");
  if (!take_shape(shape, h) || h->n_dims < dims_min || h->n_dims > dims_max) {
    bool is_matrix = dims_max <= 2;
    const char *what = is_matrix ? "not a matrix with rows" : "an array of numbers";
    const char *cure = is_matrix ? "expected two dimensions, or one for a single row; save "
                                   "x.reshape(len(x), -1)"
                                 : "expected at most four dimensions, each of 1 or more";
    return mho_fail_at(ei, MHO_EDATA, name, 0, "%s (shape %.*s): %s", what, shown(shape),
                       shape ? shape : "", cure);
  }
  if (!order)
    return mho_fail_at(ei, MHO_EDATA, name, 0, "a NumPy header without 'fortran_order'");

  h->fortran = !strncmp(order, "True", 4);
  return MHO_OK;
}

/* The header is believed only where the file is as long as it says. Every dimension is below 2^31,
 * and a double holds their product well enough to see that it is beyond any file. */
static mho_err check_length(mho_npy *h, size_t there, const char *name, mho_errinfo *ei) {
  double count = 1;
  char shape[64] = "";
  for (int k = 0; k < h->n_dims; k++) {
    count *= h->dim[k];
    mho_text_append(shape, sizeof shape, "%s%d", k ? " x " : "", h->dim[k]);
  }

  double expected = count * h->size;
  if (expected != (double)there)
    return mho_fail_at(ei, MHO_EDATA, name, 0,
                       "the file is not as long as its header says: %s numbers are %.0f bytes, but "
                       "it has %zu",
                       h->n_dims ? shape : "1", expected, there);
  h->count = there / (size_t)h->size;
  return MHO_OK;
}

mho_err mho__npy_open(const void *bytes, size_t length, const char *name, int dims_min,
                      int dims_max, mho_npy *out, mho_errinfo *ei) {
  char text[HEADER_MAX];
  size_t start = 0;
  *out = (mho_npy){0};

  if (!mho_npy_is(bytes, length))
    return mho_fail_at(ei, MHO_EDATA, name, 0, "not a NumPy file: save it with numpy.save");
  mho_err err = take_header(bytes, length, name, text, &start, ei);
  if (!err)
    err = parse_header(text, name, dims_min, dims_max, out, ei);
  if (!err)
    err = check_length(out, length - start, name, ei);

  out->numbers = (const unsigned char *)bytes + start;
  return err;
}

/* ---------------------------------------------------------------- the numbers */

/* Where number i (the last dimension first) lies in Fortran's order, the first dimension first. */
static size_t fortran_place(const mho_npy *a, size_t i) {
  size_t place = 0, stride = a->count;
  for (int k = a->n_dims - 1; k >= 0; k--) {
    size_t n = (size_t)a->dim[k];
    stride /= n;
    place += i % n * stride;
    i /= n;
  }
  return place;
}

/* The bytes of a number, as many as it has, with the lowest first. */
static uint64_t word_of(const mho_npy *a, const unsigned char *at) {
  if (a->order != '>')
    return mho__word(at, a->size);

  unsigned char turned[8];
  for (int k = 0; k < a->size; k++)
    turned[k] = at[a->size - 1 - k];
  return mho__word(turned, a->size);
}

static double float_of(int size, uint64_t word) {
  if (size == 2)
    return mho__half(word);
  return size == 4 ? mho__single(word) : mho__double(word);
}

double mho__npy_number(const mho_npy *a, size_t i) {
  size_t at = a->fortran ? fortran_place(a, i) : i;
  uint64_t v = word_of(a, a->numbers + at * (size_t)a->size);
  if (a->kind == 'f')
    return float_of(a->size, v);

  int unused = 64 - 8 * a->size; /* bits above those of the number */
  return a->kind == 'i' ? (double)((int64_t)(v << unused) >> unused) : (double)v;
}

/* ---------------------------------------------------------------- a matrix */

static mho_err take_numbers(const mho_npy *a, const char *name, mho_matrix *out, mho_errinfo *ei) {
  out->is_vector = a->n_dims == 1;
  out->rows = out->is_vector ? 1 : a->dim[0];
  out->cols = a->dim[a->n_dims - 1];
  out->v = malloc(a->count * sizeof *out->v);
  if (!out->v)
    return mho_fail_at(ei, MHO_ENOMEM, name, 0, "no memory for %d x %d numbers", out->rows,
                       out->cols);

  size_t cols = (size_t)out->cols;
  for (size_t i = 0; i < a->count; i++) {
    out->v[i] = mho__npy_number(a, i);
    if (!isfinite(out->v[i]))
      return mho_fail_at(ei, MHO_EDATA, name, 0, "row %zu, column %zu is no finite number",
                         i / cols + 1, i % cols + 1);
  }
  return MHO_OK;
}

mho_err mho_npy_parse(const void *bytes, size_t length, const char *name, mho_matrix *out,
                      mho_errinfo *ei) {
  mho_npy a;
  *out = (mho_matrix){0};
  mho_err err = mho__npy_open(bytes, length, name, 1, 2, &a, ei);
  if (err)
    return err;

  err = take_numbers(&a, name, out, ei);
  if (err)
    mho_matrix_free(out);
  return err;
}

/* ---------------------------------------------------------------- a head to write */

int mho__npy_head(int size, int n_dims, const int *dim, char head[MHO_NPY_HEAD]) {
  enum { BEFORE = MAGIC + 4 };
  char *text = head + BEFORE, shape[64] = "";
  for (int k = 0; k < n_dims; k++)
    mho_text_append(shape, sizeof shape, "%s%d%s", k ? " " : "", dim[k],
                    n_dims == 1 || k + 1 < n_dims ? "," : "");

  int n = snprintf(text, MHO_NPY_HEAD - BEFORE,
                   "{'descr': '<f%d', 'fortran_order': False, 'shape': (%s), }", size, shape);
  while ((BEFORE + n + 1) % ALIGNMENT)
    text[n++] = ' ';
  text[n++] = '\n';

  memcpy(head, magic, MAGIC);
  head[MAGIC] = 1;
  head[MAGIC + 1] = 0;
  head[MAGIC + 2] = (char)(n & 255);
  head[MAGIC + 3] = (char)(n >> 8);
  return BEFORE + n;
}
