/* npy.h - arrays of numbers as NumPy files, of any shape; matrices are in mho/base.h.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_BASE_NPY_H
#define MHO_BASE_NPY_H

#include "mho/base.h"

enum { MHO_NPY_DIMS = 4, MHO_NPY_HEAD = 192 };

/** An array in the bytes of a NumPy file, which must stay. */
typedef struct mho_npy {
  char order; /**< of a number's bytes: '<', '>', or '|' where there is one */
  char kind;  /**< f, i, u or b */
  int size;   /**< bytes of a number */
  bool fortran;
  int n_dims, dim[MHO_NPY_DIMS]; /**< each 1 or more; no dimension: one number */
  size_t count;                  /**< numbers: the product of dim */
  const unsigned char *numbers;  /**< [count * size] */
} mho_npy;

/** Look at the header of a NumPy file (mho_npy_is) and check that its numbers are all there.
 *  @param name  stands for the file in messages.
 *  @param dims_min, dims_max  what dimensions are taken; 1 and 2: a matrix.
 *  @return MHO_OK; MHO_EDATA. */
mho_err mho__npy_open(const void *bytes, size_t length, const char *name, int dims_min,
                      int dims_max, mho_npy *out, mho_errinfo *ei);
/** Number i of an array, the last dimension first; it may not be finite. */
double mho__npy_number(const mho_npy *a, size_t i);

/** The head of a NumPy file of float32 (size 4) or float64 (8), dim [n_dims]; the numbers follow it
 *  with the last dimension first. @return its bytes. */
int mho__npy_head(int size, int n_dims, const int *dim, char head[MHO_NPY_HEAD]);

#endif
