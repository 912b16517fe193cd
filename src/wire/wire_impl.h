/* wire_impl.h - inside the solver of arrays with wire resistance.
 *
 * Everything is scaled to volts. With aw = G r_word and ab = G r_bit, both kinds of lines are
 * eliminated from their open ends, where the pivot is 1 + s, s the load seen towards the open
 * end in units of the segment:
 *
 *   s_first = a,  s = a + s_before/(1 + s_before),  c = 1/(1 + s)
 *
 * Only sums of positive numbers: every pivot, and with it every solution for positive sources,
 * has full relative accuracy however small a G r is. A word line with source f (volts: current
 * times r_word) is then
 *   y_j = f_j + c_{j+1} y_{j+1} from the right,  v_j = c_j (y_j + v_{j-1}) from the left, v_{-1}
 *   = V,
 * and a bit line the same from the top and from the bottom.
 *
 * Where the end of a line has a resistance in series, the segment to it is longer: its conductance
 * is k = r/(r + r_end) of the others'. The pivot beside it becomes k + s, and the voltage of the
 * end acts as k V. A line without wire resistance behind such an end is a single node; it is solved
 * as a line whose segments are too short to show in double precision (MHO_WIRE_NODE).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_WIRE_IMPL_H
#define MHO_WIRE_IMPL_H

#include "mho/wire.h"

enum { MHO_WIRE_LANES = 8 }; /* right-hand sides of a block: one 64-byte line */

typedef struct mho_wire_direct mho_wire_direct;

/* ohm a segment of a line that is a single node: with the largest conductances the load of a
 * segment stays below the rounding of 1. */
#define MHO_WIRE_NODE 1e-30

struct mho_wire {
  mho_wire_options o; /* r_word, r_bit: MHO_WIRE_NODE of lines that are nodes */
  bool word_node, bit_node;
  double word_share, bit_share; /* k: of a full segment's conductance, at a line's end */
  double word_in, bit_out;      /* S, of the segment with the line's end; 0 without resistance */
  size_t cells;
  bool set;        /* conductances are there */
  double *g;       /* [cells] S */
  double *aw, *ab; /* [cells] G r_word, G r_bit; the same array when the resistances are equal */
  double *cw, *cb; /* [cells] eliminated lines */
  /** 1 - rho(T_b^-1 D T_w^-1 D), from below where that is sharp, else an estimate. */
  double gap;
  /** Error of a line's current in volts over its segment, for an error of 1 V of the nodes. */
  double end_factor;
  bool factored;           /* `direct` belongs to these conductances */
  mho_wire_direct *direct; /* NULL until it is wanted */
};

/* ---------------------------------------------------------------- inputs of a read */

/** The inputs of vector v, n numbers each, in one of the arrays of a read; NULL when there are
 * none. */
static inline const double *mho__wire_vector(const double *inputs, int v, size_t n) {
  return inputs ? inputs + (size_t)v * n : NULL;
}

/** Number k of the inputs of a vector; 0 when there are none. */
static inline double mho__wire_input(const double *inputs, size_t k) {
  return inputs ? inputs[k] : 0;
}

/** V at the left ends of the word lines, [rows]; nullable. */
static inline const double *mho__wire_word_voltages(const mho_wire *w, const mho_wire_read *r,
                                                    int v) {
  return mho__wire_vector(r->v_word, v, (size_t)w->o.rows);
}

/** V at the bottom ends of the bit lines, [cols]; nullable. */
static inline const double *mho__wire_bit_voltages(const mho_wire *w, const mho_wire_read *r,
                                                   int v) {
  return mho__wire_vector(r->v_bit, v, (size_t)w->o.cols);
}

/** A beside the devices, [rows x cols]; nullable. */
static inline const double *mho__wire_sources(const mho_wire *w, const mho_wire_read *r, int v) {
  return mho__wire_vector(r->source, v, w->cells);
}

/* ---------------------------------------------------------------- lines (lines.c) */

/** c of one line from its scaled conductances a, from the open end: stride in both; n of them.
 *  @param share  k of its end. */
void mho__wire_chain(int n, ptrdiff_t stride, const double *a, double share, double *c);
/** The node voltages v [cols] of word line i.
 *  @param v_word  V at its left end.
 *  @param x       bit-line voltages, every `lanes`-th; nullable: 0 V.
 *  @param source  [cols] A, out of the word line; nullable. */
void mho__wire_word_line(const mho_wire *w, int i, double v_word, const double *x, int lanes,
                         const double *source, double *v);

/* ---------------------------------------------------------------- conjugate gradients */

/* Vectors of the iteration: [rows][cols][lanes] each, of the bit-line nodes, V. */
typedef struct mho_wire_fields {
  int lanes; /* 1 or MHO_WIRE_LANES */
  double *x, *r, *p, *s, *z;
} mho_wire_fields;

/** Iterate on lanes input vectors v0 .. of a read until the currents are within the tolerance; x
 * is the bit lines' voltage. pool may be NULL.
 *  @param error  [lanes] estimate of the largest error of a current over the largest current.
 *  @return iterations, or -1 without memory. */
int mho__wire_iterate(const mho_wire *w, const mho_wire_read *read, int v0, int n,
                      const mho_wire_fields *f, mho_pool *pool, double *error);

/* The kernels (cg_kernel.c); lanes 1 or MHO_WIRE_LANES; sums are per lane. */
/** Columns j0 .. j1-1: r -= alpha z, x += alpha p (unless first), z = T^-1 r, gamma = r z. */
void mho__wire_columns(const mho_wire *w, const mho_wire_fields *f, int j0, int j1, bool first,
                       const double *alpha, double *gamma);
/** Rows i0 .. i1-1: p = z + beta p, s = r + beta s = T p, z = S p, delta = p S p.
 *  scratch: [MHO_WIRE_ROWS * cols * lanes]. */
void mho__wire_rows(const mho_wire *w, const mho_wire_fields *f, int i0, int i1, const double *beta,
                    double *scratch, double *delta);
enum { MHO_WIRE_ROWS = 4 };

/* ---------------------------------------------------------------- factorization (direct.c) */

/** Factor the matrix of all nodes for the conductances as they are. @return MHO_OK; MHO_ENOMEM;
 * MHO_ESINGULAR. */
mho_err mho__wire_direct_factor(mho_wire *w, mho_errinfo *ei);
/** Vector v of a read: the node voltages [cells] each. @return refinements made in *refined. */
mho_err mho__wire_direct_solve(mho_wire *w, const mho_wire_read *read, int v, double *node_word,
                               double *node_bit, int *refined, mho_errinfo *ei);
void mho__wire_direct_free(mho_wire_direct *d);

/* ---------------------------------------------------------------- results (currents.c) */

/* What is checked of a solved vector. */
typedef struct mho_wire_check {
  double residual; /* A, largest sum of currents at a node */
  double total;    /* A, sum of those of all nodes */
  double rounding; /* A, what rounding of the node voltages can make of a sum */
  double largest;  /* A, largest current of a line's end or a device */
  double in, lost; /* W */
} mho_wire_check;

/** Currents and node voltages of vectors v0 .. v0+n-1 into the read's results, and Kirchhoff's
 *  law anew.
 *  @param node_word  [cells] V, of n = 1; NULL: the word lines are solved from x.
 *  @param x          bit lines' nodes, [cells][lanes], V.
 *  @param check      [n].  @return MHO_OK; MHO_ENOMEM. */
mho_err mho__wire_report(const mho_wire *w, const mho_wire_read *read, int v0, int n,
                         const double *node_word, const double *x, int lanes, mho_pool *pool,
                         mho_wire_check *check);

#endif
