/* safetensors.c - weights as a safetensors file: a length (8 bytes, lowest first), a JSON header of
 * that length, and the numbers of all arrays, lowest byte first.
 *
 *   {"NAME": {"dtype": "F32", "shape": [out, in], "data_offsets": [begin, end]}, ...}
 *
 * Offsets count from behind the header. The format is that of
 * https://github.com/huggingface/safetensors: no key twice, no byte unused or used twice.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "base/float_bits.h"
#include "base/json_text.h"
#include "exchange/network_bytes.h"

enum { LENGTH = 8, HEADER_MAX = 100000000 };
#define METADATA "__metadata__"

/* The numbers behind the header. */
typedef struct body {
  const unsigned char *b;
  size_t length;
  const char *file;
} body;

/* What the header says of an array. */
typedef struct entry {
  mho_number_type type;
  int n_dims;
  int64_t dim[MHO_TENSOR_DIMS];
  json_int_t begin, end;
} entry;

/* A type that is taken. @return false for another one. */
static bool type_of(const char *name, mho_number_type *out) {
  static const struct {
    const char *name;
    mho_number_type type;
  } types[] = {{"F16", MHO_FLOAT16}, {"BF16", MHO_BFLOAT16}, {"F32", MHO_FLOAT32},
               {"F64", MHO_FLOAT64}, {"I32", MHO_INT32},     {"I64", MHO_INT64}};
  for (int k = 0; k < MHO_COUNT(types); k++)
    if (!strcmp(types[k].name, name)) {
      *out = types[k].type;
      return true;
    }
  return false;
}

static mho_err read_entry(const body *b, const char *name, json_t *j, entry *e, mho_errinfo *ei) {
  const char *type;
  json_t *shape, *one;
  size_t k;
  if (json_unpack(j, "{ss so s[II]}", "dtype", &type, "shape", &shape, "data_offsets", &e->begin,
                  &e->end) ||
      !json_is_array(shape) || json_array_size(shape) > MHO_TENSOR_DIMS)
    return mho_fail_at(ei, MHO_EDATA, b->file, 0,
                       "its header does not say dtype, shape (at most %d numbers) and data_offsets "
                       "of '%.60s'",
                       MHO_TENSOR_DIMS, name);
  if (!type_of(type, &e->type))
    return mho_fail_at(ei, MHO_EDATA, b->file, 0,
                       "the numbers of '%.60s' are of type %.20s: F16, BF16, F32 and F64 are taken",
                       name, type);

  json_array_foreach (shape, k, one)
    e->dim[e->n_dims++] = json_is_integer(one) ? json_integer_value(one) : -1;
  return MHO_OK;
}

static mho_err take_array(const body *b, const char *name, json_t *j, mho_tensors *out,
                          size_t *used, mho_errinfo *ei) {
  entry e = {0};
  mho_tensor *t;
  mho_err err = read_entry(b, name, j, &e, ei);
  if (err)
    return err;

  bool within = e.begin >= 0 && e.end >= e.begin && e.end <= (json_int_t)b->length;
  double count = 1;
  for (int k = 0; k < e.n_dims; k++)
    count *= (double)e.dim[k];
  size_t size = (size_t)mho__number_size(e.type);
  if (!within || (double)(e.end - e.begin) != count * (double)size)
    return mho_fail_at(ei, MHO_EDATA, b->file, 0,
                       "the data_offsets of '%.60s' are not those of its shape within the file",
                       name);

  err = mho__tensors_add(out, b->file, name, strlen(name), e.n_dims, e.dim, &t, ei);
  if (err)
    return err;
  for (size_t i = 0; i < t->count; i++)
    t->v[i] = mho__number_of(e.type, b->b + e.begin + i * size);
  *used += (size_t)(e.end - e.begin);
  return mho__tensor_check(t, b->file, ei);
}

static mho_err take_arrays(const body *b, json_t *header, mho_tensors *out, mho_errinfo *ei) {
  const char *name;
  json_t *one;
  size_t used = 0;
  json_object_foreach (header, name, one) {
    if (!strcmp(name, METADATA))
      continue;
    mho_err err = take_array(b, name, one, out, &used, ei);
    if (err)
      return err;
  }

  if (used == b->length)
    return MHO_OK;
  return mho_fail_at(ei, MHO_EDATA, b->file, 0,
                     "its arrays have %zu of %zu bytes: it was cut short, or arrays share bytes",
                     used, b->length);
}

mho_err mho__safetensors_read(const void *bytes, size_t length, const char *file, mho_tensors *out,
                              mho_errinfo *ei) {
  const unsigned char *b = bytes;
  json_error_t why;
  *out = (mho_tensors){0};
  uint64_t n = length >= LENGTH ? mho__word(b, LENGTH) : UINT64_MAX;
  if (n > HEADER_MAX || n > length - LENGTH)
    return mho_fail_at(ei, MHO_EDATA, file, 0,
                       "not a safetensors file, or one that was cut short: it does not begin with "
                       "the length of its header");

  json_t *header =
      mho__json_of_bytes((const char *)b + LENGTH, (size_t)n, JSON_REJECT_DUPLICATES, &why);
  if (!json_is_object(header)) {
    json_decref(header);
    return mho_fail_at(ei, MHO_EDATA, file, 0,
                       "not a safetensors file: its header is no JSON object");
  }

  body numbers = {.b = b + LENGTH + n, .length = length - LENGTH - (size_t)n, .file = file};
  mho_err err = take_arrays(&numbers, header, out, ei);
  json_decref(header);
  if (err)
    mho__tensors_free(out);
  return err;
}

/* ---------------------------------------------------------------- out */

/* An array's line in the header, from `at` on, which moves on behind it. */
static void describe(json_t *header, const mho_chain_layer *l, bool biases, size_t *at) {
  char name[MHO_CHAIN_NAME + 16];
  size_t square = l->kernel ? (size_t)l->kernel * (size_t)l->kernel : 1, out = (size_t)l->out;
  size_t bytes = sizeof(float) * (biases ? out : out * (size_t)l->in * square);
  json_t *shape = json_array();

  json_array_append_new(shape, json_integer(l->out));
  if (!biases)
    json_array_append_new(shape, json_integer(l->in));
  for (int k = 0; k < 2 && l->kernel && !biases; k++)
    json_array_append_new(shape, json_integer(l->kernel));

  snprintf(name, sizeof name, "%s.%s", l->name, biases ? "bias" : "weight");
  json_object_set_new(header, name,
                      json_pack("{ss so s[II]}", "dtype", "F32", "shape", shape, "data_offsets",
                                (json_int_t)*at, (json_int_t)(*at + bytes)));
  *at += bytes;
}

static mho_err write_numbers(const mho_chain_layer *l, bool biases, FILE *f, mho_errinfo *ei) {
  int dim[4], n_dims;
  size_t n;
  float *v = mho__layer_numbers(l, biases, dim, &n_dims, &n);
  if (!v)
    return mho_fail(ei, MHO_ENOMEM, "no memory to write '%s'", l->name);
  fwrite(v, sizeof *v, n, f);
  mho_free(v);
  return MHO_OK;
}

static mho_err write_header(const mho_chain *c, FILE *f, mho_errinfo *ei) {
  size_t at = 0;
  json_t *header = json_pack("{s{ss}}", METADATA, "format", "pt");
  for (int l = 0; l < c->n; l++) {
    describe(header, &c->layer[l], false, &at);
    if (c->layer[l].b)
      describe(header, &c->layer[l], true, &at);
  }

  char *text = json_dumps(header, JSON_COMPACT);
  json_decref(header);
  if (!text)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the header of a safetensors file");

  /* numbers begin at a multiple of 8 bytes */
  size_t n = strlen(text), padded = (n + LENGTH - 1) / LENGTH * LENGTH;
  for (int k = 0; k < LENGTH; k++)
    putc((int)(padded >> 8 * k & 255), f);
  fprintf(f, "%s%*s", text, (int)(padded - n), "");
  free(text);
  return MHO_OK;
}

mho_err mho__safetensors_write(const mho_chain *c, FILE *f, mho_errinfo *ei) {
  mho_err err = write_header(c, f, ei);
  for (int l = 0; l < c->n; l++) {
    if (!err)
      err = write_numbers(&c->layer[l], false, f, ei);
    if (!err && c->layer[l].b)
      err = write_numbers(&c->layer[l], true, f, ei);
  }
  return err;
}
