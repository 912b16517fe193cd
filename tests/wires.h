/* wires.h - what the tests of wire resistance share: random arrays, solved by any method.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TEST_WIRES_H
#define MHO_TEST_WIRES_H

#include "mho/wire.h"
#include "test.h"

static mho_errinfo ei;

/* n numbers, log-uniform from low to high; a share of them 0. */
static inline double *log_uniform(size_t n, uint32_t stream, double low, double high, double open) {
  double *g = mho_alloc(n, sizeof *g);
  float *u = mho_alloc(2 * n, sizeof *u);
  assert_non_null(g);
  assert_non_null(u);
  mho_rng_uniform(mho_rng_make(7, MHO_RNG_TEST, stream), 0, 0, 2 * n, u);
  for (size_t k = 0; k < n; k++)
    g[k] = (double)u[n + k] < open ? 0 : low * pow(high / low, (double)u[k]);
  mho_free(u);
  return g;
}

/* n normal numbers: signed inputs. */
static inline double *normal(size_t n, uint32_t stream) {
  double *v = mho_alloc(n, sizeof *v);
  float *z = mho_alloc(n, sizeof *z);
  assert_non_null(v);
  assert_non_null(z);
  mho_rng_normal(mho_rng_make(8, MHO_RNG_TEST, stream), 0, 0, n, z);
  for (size_t k = 0; k < n; k++)
    v[k] = (double)z[k];
  mho_free(z);
  return v;
}

typedef struct solved { /* results of n vectors */
  double *i_word, *i_bit, *node_word, *node_bit;
  mho_wire_stats stats;
} solved;

static inline mho_err try_solve(mho_wire_options o, const double *g, int n, const double *v_word,
                                const double *v_bit, solved *s) {
  size_t cells = (size_t)o.rows * (size_t)o.cols, vectors = (size_t)n;
  mho_wire *w;
  *s = (solved){.i_word = mho_alloc(vectors * (size_t)o.rows, sizeof(double)),
                .i_bit = mho_alloc(vectors * (size_t)o.cols, sizeof(double)),
                .node_word = mho_alloc(vectors * cells, sizeof(double)),
                .node_bit = mho_alloc(vectors * cells, sizeof(double))};
  mho_err err = mho_wire_new(&o, &w, &ei);
  if (err)
    return err;
  err = mho_wire_set(w, g, &ei);
  if (!err)
    err = mho_wire_solve(w,
                         &(mho_wire_read){.n = n,
                                          .v_word = v_word,
                                          .v_bit = v_bit,
                                          .i_word = s->i_word,
                                          .i_bit = s->i_bit,
                                          .node_word = s->node_word,
                                          .node_bit = s->node_bit},
                         &s->stats, &ei);
  mho_wire_free(w);
  return err;
}

static inline solved solve(mho_wire_options o, const double *g, int n, const double *v_word,
                           const double *v_bit) {
  solved s;
  OK(try_solve(o, g, n, v_word, v_bit, &s));
  return s;
}

static inline void solved_free(solved *s) {
  mho_free(s->i_word);
  mho_free(s->i_bit);
  mho_free(s->node_word);
  mho_free(s->node_bit);
}

static inline double largest(size_t n, const double *v) {
  double most = 0;
  for (size_t k = 0; k < n; k++)
    most = fmax(most, fabs(v[k]));
  return most;
}

/* Currents within 1e-9 of the largest, nodes within 1e-9 V for every volt of drive. */
static inline void same(mho_wire_options o, int n, const solved *a, const solved *b, double volts) {
  size_t cells = (size_t)o.rows * (size_t)o.cols;
  for (int v = 0; v < n; v++) {
    const double *i = b->i_bit + v * o.cols, *iw = b->i_word + v * o.rows;
    double most = fmax(largest((size_t)o.cols, i), largest((size_t)o.rows, iw));
    for (int j = 0; j < o.cols; j++)
      NEAR(a->i_bit[v * o.cols + j], i[j], 0, 1e-9 * most);
    for (int j = 0; j < o.rows; j++)
      NEAR(a->i_word[v * o.rows + j], iw[j], 0, 1e-9 * most);
    for (size_t k = (size_t)v * cells; k < (size_t)(v + 1) * cells; k++) {
      NEAR(a->node_word[k], b->node_word[k], 0, 1e-9 * volts);
      NEAR(a->node_bit[k], b->node_bit[k], 0, 1e-9 * volts);
    }
  }
}

#endif
