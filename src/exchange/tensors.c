/* tensors.c - named arrays of numbers, as the files of trained networks hold them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "exchange/tensors.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "base/float_bits.h"

/* ---------------------------------------------------------------- the list */

/* The product of the dimensions; 0 where one is not taken, or all are too much. */
static size_t count_of(int n_dims, const int64_t *dim) {
  size_t count = 1;
  for (int k = 0; k < n_dims; k++) {
    if (dim[k] < 1 || dim[k] > MHO_TENSORS_NUMBERS)
      return 0;
    count *= (size_t)dim[k];
    if (count > MHO_TENSORS_NUMBERS)
      return 0;
  }
  return count;
}

static mho_err make_room(mho_tensors *all, const char *file, mho_errinfo *ei) {
  if (all->n == MHO_TENSORS_MAX)
    return mho_fail_at(ei, MHO_EDATA, file, 0, "has more than %d arrays: keep weights and biases",
                       MHO_TENSORS_MAX);
  if (all->n < all->capacity)
    return MHO_OK;

  int capacity = all->capacity ? 2 * all->capacity : 16;
  mho_tensor *bigger = realloc(all->t, (size_t)capacity * sizeof *bigger);
  if (!bigger)
    return mho_fail(ei, MHO_ENOMEM, "no memory for %d arrays", capacity);
  all->t = bigger;
  all->capacity = capacity;
  return MHO_OK;
}

/* Whether an array of a shape is taken, and how many numbers it has. */
static mho_err check_shape(const mho_tensors *all, const char *file, const char *name, int n_dims,
                           const int64_t *dim, size_t *count, mho_errinfo *ei) {
  if (n_dims > MHO_TENSOR_DIMS)
    return mho_fail_at(ei, MHO_EDATA, file, 0, "'%s' has %d dimensions: at most %d are taken", name,
                       n_dims, MHO_TENSOR_DIMS);

  *count = count_of(n_dims, dim);
  if (!*count || all->numbers + *count > MHO_TENSORS_NUMBERS)
    return mho_fail_at(ei, MHO_EDATA, file, 0,
                       "'%s' has a dimension below 1, or there are more than %d numbers in all",
                       name, MHO_TENSORS_NUMBERS);
  return MHO_OK;
}

mho_err mho__tensors_add(mho_tensors *all, const char *file, const char *name, size_t name_length,
                         int n_dims, const int64_t *dim, mho_tensor **out, mho_errinfo *ei) {
  size_t count = 0;
  *out = NULL;
  char *own = mho_text_escape(name, name_length, true);
  mho_err err = own ? make_room(all, file, ei) : mho_fail(ei, MHO_ENOMEM, "no memory for a name");
  if (!err && mho__tensors_find(all, own))
    err = mho_fail_at(ei, MHO_EDATA, file, 0, "has '%s' twice", own);
  if (!err)
    err = check_shape(all, file, own, n_dims, dim, &count, ei);

  double *v = err ? NULL : mho_alloc(count, sizeof *v);
  if (!err && !v)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the %zu numbers of '%s'", count, own);
  if (err) {
    free(own);
    return err;
  }

  mho_tensor *t = &all->t[all->n++];
  *t = (mho_tensor){.name = own, .n_dims = n_dims, .count = count, .v = v};
  for (int k = 0; k < n_dims; k++)
    t->dim[k] = (int)dim[k];
  all->numbers += count;
  *out = t;
  return MHO_OK;
}

mho_tensor *mho__tensors_find(const mho_tensors *all, const char *name) {
  for (int i = 0; i < all->n; i++)
    if (!strcmp(all->t[i].name, name))
      return &all->t[i];
  return NULL;
}

void mho__tensors_free(mho_tensors *all) {
  for (int i = 0; i < all->n; i++) {
    free(all->t[i].name);
    mho_free(all->t[i].v);
  }
  free(all->t);
  *all = (mho_tensors){0};
}

/* ---------------------------------------------------------------- one array */

mho_err mho__tensor_check(const mho_tensor *t, const char *file, mho_errinfo *ei) {
  for (size_t i = 0; i < t->count; i++)
    if (!(fabs(t->v[i]) <= (double)FLT_MAX))
      return mho_fail_at(ei, MHO_EDATA, file, 0,
                         "number %zu of '%s' is %g: expected finite numbers of single precision",
                         i + 1, t->name, t->v[i]);
  return MHO_OK;
}

void mho__tensor_shape(const mho_tensor *t, size_t capacity, char *text) {
  *text = 0;
  for (int k = 0; k < t->n_dims; k++)
    mho_text_append(text, capacity, "%s%d", k ? " x " : "", t->dim[k]);
  if (!t->n_dims)
    mho_text_append(text, capacity, "1");
}

/* ---------------------------------------------------------------- numbers */

int mho__number_size(mho_number_type type) {
  static const int sizes[] = {[MHO_FLOAT16] = 2, [MHO_BFLOAT16] = 2, [MHO_FLOAT32] = 4,
                              [MHO_FLOAT64] = 8, [MHO_INT32] = 4,    [MHO_INT64] = 8};
  return sizes[type];
}

double mho__number_of(mho_number_type type, const unsigned char *at) {
  uint64_t word = mho__word(at, mho__number_size(type));
  switch (type) {
  case MHO_FLOAT16:
    return mho__half(word);
  case MHO_BFLOAT16:
    return mho__bfloat(word);
  case MHO_FLOAT32:
    return mho__single(word);
  case MHO_FLOAT64:
    return mho__double(word);
  case MHO_INT32:
    return (double)(int32_t)word;
  default:
    return (double)(int64_t)word;
  }
}
