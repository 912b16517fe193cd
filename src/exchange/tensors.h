/* tensors.h - named arrays of numbers, as the files of trained networks hold them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_EXCHANGE_TENSORS_H
#define MHO_EXCHANGE_TENSORS_H

#include "mho/base.h"

enum {
  MHO_TENSOR_DIMS = 4,
  MHO_TENSORS_MAX = 4096,
  /** Numbers that all tensors of a file may have together: a gigabyte of doubles. */
  MHO_TENSORS_NUMBERS = 1 << 27,
};

/** One array, the last dimension first in memory. */
typedef struct mho_tensor {
  char *name;
  int n_dims, dim[MHO_TENSOR_DIMS]; /**< each 1 or more; no dimension: one number */
  size_t count;                     /**< the product of dim */
  double *v;                        /**< [count] */
} mho_tensor;

/** The arrays of a file, in its order. Begin with {0}. */
typedef struct mho_tensors {
  int n, capacity;
  mho_tensor *t; /**< [n] */
  size_t numbers;
} mho_tensors;

/** Add an array, its numbers 0.
 *  @param file  stands for the file in messages.
 *  @param name  copied, what is no UTF-8 or a control character as \xNN.
 *  @return MHO_OK; MHO_EDATA for a shape that is not taken, a name that there is, or too much;
 *          MHO_ENOMEM. */
mho_err mho__tensors_add(mho_tensors *all, const char *file, const char *name, size_t name_length,
                         int n_dims, const int64_t *dim, mho_tensor **out, mho_errinfo *ei);
/** The array of that name, or NULL. */
mho_tensor *mho__tensors_find(const mho_tensors *all, const char *name);
/** Frees the arrays and empties the list. */
void mho__tensors_free(mho_tensors *all);

/** MHO_EDATA where a number of an array is not finite, or beyond single precision. */
mho_err mho__tensor_check(const mho_tensor *t, const char *file, mho_errinfo *ei);
/** "6 x 1 x 5 x 5", "1" without dimensions. */
void mho__tensor_shape(const mho_tensor *t, size_t capacity, char *text);

/** Types of numbers in files other than NumPy's. */
typedef enum mho_number_type {
  MHO_FLOAT16,
  MHO_BFLOAT16,
  MHO_FLOAT32,
  MHO_FLOAT64,
  MHO_INT32,
  MHO_INT64
} mho_number_type;
/** Bytes of a number. */
int mho__number_size(mho_number_type type);
/** A number from its bytes, lowest first. */
double mho__number_of(mho_number_type type, const unsigned char *at);

#endif
