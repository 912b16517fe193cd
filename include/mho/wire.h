/* wire.h - crossbars with wire resistance as circuits: node voltages, currents, effective matrix.
 *
 * R word lines (rows) and C bit lines (columns); device (i,j) joins word line i and bit line j with
 * conductance G[i][j]. Word line i is driven at its left end, a segment r_word lies between the
 * driver and the first device and between neighbouring devices. Bit line j ends at the bottom: a
 * segment r_bit lies between neighbouring devices and between the last one and the end. The far
 * ends are open; either resistance may be 0. A read holds the bottom ends at 0 V; a transposed read
 * drives them and holds the left ends at 0 V. What drives or senses may have a resistance of its
 * own, in series with the first segment: word_end at the left, bit_end at the bottom.
 *
 * Everything here is double precision.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_WIRE_H
#define MHO_WIRE_H

#include "mho/base.h"

/** The solver of one array. */
typedef struct mho_wire mho_wire;

/** How the node equations are solved. */
typedef enum mho_wire_method {
  /** The faster of the two, from the array's size and conductances. */
  MHO_WIRE_AUTO,
  /** Supernodal Cholesky factors of all nodes (SuiteSparse CHOLMOD), with refinement; iterative
   *  where the lines of a side are single nodes behind their ends' resistance. */
  MHO_WIRE_DIRECT,
  /** Conjugate gradients on the bit lines, the word lines eliminated exactly. */
  MHO_WIRE_ITERATIVE,
  /** Reported where a side has no resistance at all: every line is a chain of its own. */
  MHO_WIRE_LADDER
} mho_wire_method;
/** "auto", "direct", ... */
MHO_API const char *mho_wire_method_name(mho_wire_method method);

/** An array and how exactly it is solved. */
typedef struct mho_wire_options {
  int rows, cols;
  double r_word, r_bit;     /**< ohm a segment; below 1e-30 as 0, here and below */
  double word_end, bit_end; /**< ohm in series with every line's end */
  mho_wire_method method;
  double tolerance; /**< of currents, relative to the largest; 0: 1e-11 */
  mho_pool *pool;   /**< nullable */
  /** Nullable: whose stop ends a solve; must outlive the solver. */
  const mho_context *ctx;
} mho_wire_options;

/** Solver of arrays of one size. Options' pool must outlive it.
 *  @return MHO_OK; MHO_EINVAL for an empty array or a resistance that is negative or above 1e12
 *          ohm; MHO_ENOMEM. */
MHO_API mho_err mho_wire_new(const mho_wire_options *o, mho_wire **out, mho_errinfo *ei);
/** Frees a solver; NULL is allowed. */
MHO_API void mho_wire_free(mho_wire *w);
/** The conductances, [rows x cols], S; 0 is an open device. The direct method's symbolic analysis
 *  is kept.
 *  @return MHO_OK; MHO_EINVAL with row and column for one that is negative, not finite or above 1e6
 *          S; MHO_ENOMEM. */
MHO_API mho_err mho_wire_set(mho_wire *w, const double *g, mho_errinfo *ei);

/** What is driven and what is wanted, of n vectors. All pointers are nullable: no drive is 0 V. */
typedef struct mho_wire_read {
  int n;
  const double *v_word; /**< [n x rows] V, of the left ends of the word lines */
  const double *v_bit;  /**< [n x cols] V, of the bottom ends of the bit lines */
  /** [n x rows x cols] A, flows from word to bit line beside each device (Newton's method). */
  const double *source;
  double *i_word;    /**< [n x rows] A, from the drivers into the word lines */
  double *i_bit;     /**< [n x cols] A, from the bit lines into their ends */
  double *node_word; /**< [n x rows x cols] V */
  double *node_bit;  /**< [n x rows x cols] V */
} mho_wire_read;

/** How a solution was found and how good it is. */
typedef struct mho_wire_stats {
  mho_wire_method method; /**< that was used */
  int iterations;         /**< most of any vector (of the direct method: refinements) */
  /** Largest sum of currents at a node, relative to the largest current. */
  double residual;
  /** Estimate: largest error of a current, relative to the largest current. */
  double error;
  double power_in;   /**< W from the sources at the lines' ends, all vectors */
  double power_lost; /**< W in devices and wires, all vectors */
} mho_wire_stats;

/** Solve Kirchhoff's laws.
 *  @param stats  nullable.
 *  @return MHO_OK; MHO_EINVAL for an input that is not finite (row: vector, col: line in ei);
 *          MHO_ENOMEM; MHO_EINTERRUPTED; MHO_ESINGULAR when the currents do not balance to 1e-9 of
 *          the largest one beyond what rounding of the node voltages explains: there is no result
 *          then. */
MHO_API mho_err mho_wire_solve(mho_wire *w, const mho_wire_read *r, mho_wire_stats *stats,
                               mho_errinfo *ei);

/** The matrix that all reads multiply with: i_bit = Geff^T v_word, and -i_word = Geff v_bit.
 *  @param o      tolerance: of an entry, relative to the largest (0: 1e-9; from 1e-5 on in single
 *                precision); method plays no part; word_end and bit_end must be 0.
 *  @param g      [rows x cols] S.
 *  @param g_eff  [rows x cols] S.
 *  @return MHO_OK; as mho_wire_new and mho_wire_set. */
MHO_API mho_err mho_wire_effective(const mho_wire_options *o, const double *g, double *g_eff,
                                   mho_errinfo *ei);

/** Voltage across the devices, current through them (S, V in; [n]). */
MHO_API void mho_wire_devices(size_t n, const double *g, const double *node_word,
                              const double *node_bit, double *voltage, double *current);

/* ---------------------------------------------------------------- nonlinear cells, write pulses */

/** Shape of a cell's current. */
typedef enum mho_wire_law_kind {
  MHO_WIRE_OHMIC,
  MHO_WIRE_SINH,
  MHO_WIRE_POLYNOMIAL
} mho_wire_law_kind;

/** A cell's current at voltage v: i = G h(v_d) of the device, v = v_d + r_series i + v_s
 *  asinh(i/i_s). */
typedef struct mho_wire_law {
  mho_wire_law_kind kind; /**< h(v): v, v_0 sinh(v/v_0), or v + c_2 v^2 + c_3 v^3 */
  double v_0, c_2, c_3;   /**< V, 1/V, 1/V^2 */
  double r_series;        /**< ohm, of a transistor that is on (1T1R); 0: none */
  double v_s, i_s;        /**< V, A: a selector's i = i_s sinh(v/v_s) (1S1R); v_s 0: none */
} mho_wire_law;

/** Solve an array of nonlinear cells by Newton's method.
 *  @param g  [rows x cols] S, of the devices at small voltage.
 *  @param r  n = 1, no sources.
 *  @return MHO_OK; as mho_wire_new and mho_wire_solve; MHO_EINVAL for an impossible law;
 *          MHO_EDIVERGED when the steps no longer lower the misfit (a law that falls), with what is
 *          left of it. */
MHO_API mho_err mho_wire_newton(const mho_wire_options *o, const double *g, const mho_wire_law *law,
                                const mho_wire_read *r, mho_wire_stats *stats, mho_errinfo *ei);

/** How the lines of cells that are not written are biased. */
typedef enum mho_wire_scheme { MHO_WIRE_HALF, MHO_WIRE_THIRD } mho_wire_scheme;
/** The voltages that put v across device (row, col) and v/2 (V/2 scheme) or at most v/3 (V/3
 *  scheme) across the others, if wires had no resistance; with a solve, what every device really
 *  sees.
 *  @param v_word  [rows] V. @param v_bit [cols] V. */
MHO_API void mho_wire_select(int rows, int cols, int row, int col, double v, mho_wire_scheme scheme,
                             double *v_word, double *v_bit);

#endif
