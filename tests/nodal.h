/* nodal.h - arrays with wires solved node by node, densely and apart from the code under test.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TEST_NODAL_H
#define MHO_TEST_NODAL_H

#include <gsl/gsl_linalg.h>

/* Kirchhoff's current law at every node of an array whose word lines are driven at the left and
 * whose bit lines end in ground at the bottom: node 2 k lies on the word line at device k, node
 * 2 k + 1 on the bit line. */
static inline void join(gsl_matrix *a, size_t p, size_t q, double g) {
  gsl_matrix_set(a, p, p, gsl_matrix_get(a, p, p) + g);
  gsl_matrix_set(a, q, q, gsl_matrix_get(a, q, q) + g);
  gsl_matrix_set(a, p, q, gsl_matrix_get(a, p, q) - g);
  gsl_matrix_set(a, q, p, gsl_matrix_get(a, q, p) - g);
}

static inline void ground(gsl_matrix *a, size_t p, double g) {
  gsl_matrix_set(a, p, p, gsl_matrix_get(a, p, p) + g);
}

/* Currents into ground for 1 V on every word line by itself, [rows x cols], of devices g in S:
 * dense, by LU. load: nullable, [rows] the current of that word line's source. */
static inline void nodal(int rows, int cols, const double *g, double r_word, double r_bit,
                         double *out, double *load) {
  size_t n = 2 * (size_t)rows * (size_t)cols;
  gsl_matrix *a = gsl_matrix_calloc(n, n);
  gsl_permutation *order = gsl_permutation_alloc(n);
  gsl_vector *b = gsl_vector_alloc(n), *v = gsl_vector_alloc(n);
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < cols; j++) {
      size_t k = (size_t)(i * cols + j), word = 2 * k, bit = word + 1;
      join(a, word, bit, g[k]);
      if (j == 0)
        ground(a, word, 1 / r_word);
      else
        join(a, word, word - 2, 1 / r_word);
      if (i == rows - 1)
        ground(a, bit, 1 / r_bit);
      else
        join(a, bit, bit + 2 * (size_t)cols, 1 / r_bit);
    }

  int sign;
  gsl_linalg_LU_decomp(a, order, &sign);
  for (int i = 0; i < rows; i++) {
    gsl_vector_set_zero(b);
    gsl_vector_set(b, 2 * (size_t)(i * cols), 1 / r_word);
    gsl_linalg_LU_solve(a, order, b, v);
    if (load)
      load[i] = (1 - gsl_vector_get(v, 2 * (size_t)(i * cols))) / r_word;
    for (int j = 0; j < cols; j++)
      out[i * cols + j] = gsl_vector_get(v, 2 * (size_t)((rows - 1) * cols + j) + 1) / r_bit;
  }

  gsl_matrix_free(a);
  gsl_permutation_free(order);
  gsl_vector_free(b);
  gsl_vector_free(v);
}

#endif
