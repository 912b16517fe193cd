/* relaxation.h - relaxation of lines for a block of right-hand sides, in either precision.
 *
 * Between word lines (x known, T_w w = D x + line voltages) and bit lines (T_b g = D w + ends) the
 * voltages converge as e <- B e, B = T_b^-1 D T_w^-1 D, with eigenvalues in [0, rho]. A relaxation
 * is one pass over memory: while the rows go by, the bit lines of the one before are substituted
 * back, the row's word line is solved, and the bit lines of the next one are eliminated in the
 * direction of travel; the next one travels the other way. Chebyshev's combination of the last two
 * iterates makes the most of a known rho:
 *
 *   x_{k+1} = a g + b x_k + c x_{k-1},
 *   error ~ xi^k, xi = mu/(1 + sqrt(1 - mu^2)), mu = rho/(2 - rho)
 *
 * Since no matrix here has a negative entry, rho <= max_i (B u)_i/u_i for any positive u (Collatz,
 * Math. Z. 48, 221 (1942)), so the number of relaxations for a tolerance is known beforehand.
 *
 * Source of the combination: G. Golub, R. Varga, Numer. Math. 3, 147 (1961).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_WIRE_RELAXATION_H
#define MHO_WIRE_RELAXATION_H

#include "mho/base.h"

/* One line of 64 bytes holds the lanes: 8 doubles or 16 floats. */
enum { MHO_RELAX_LANES_DOUBLE = 8, MHO_RELAX_LANES_FLOAT = 16, MHO_RELAX_ROWS = 4 };

/* Eliminated lines: word lines from their open ends (cw; caw times a), bit lines from the top and
 * the bottom. */
enum {
  MHO_RELAX_CW,
  MHO_RELAX_CAW,
  MHO_RELAX_TOP,
  MHO_RELAX_TOP_A,
  MHO_RELAX_BOTTOM,
  MHO_RELAX_BOTTOM_A,
  MHO_RELAX_COEFFICIENTS
};

typedef struct mho_relax_plan { /* how many relaxations with which coefficients */
  int n;
  double rho;
  bool plain; /* x_{k+1} = g: no iterates are stored */
} mho_relax_plan;

/** Coefficients from conductances times segment resistance, all [rows x cols]; aw from r_word, ab
 *  from r_bit.
 *  @param out   double: [MHO_RELAX_COEFFICIENTS][cells]; float the same.
 *  @param rho   an upper bound of rho. */
void mho__relax_prepare_double(int rows, int cols, const double *aw, const double *ab, double *out,
                               double *rho);
void mho__relax_prepare_float(int rows, int cols, const double *aw, const double *ab, float *out,
                              double *rho);

/** A sharper upper bound of rho, by Collatz' quotients of a few powers; coefficients as prepared in
 * double. */
double mho__relax_bound(int rows, int cols, const double *coefficients, double rho);

/** As many relaxations as bring the error below tolerance of the largest voltage.
 *  @param may_be_plain  whether to leave out Chebyshev's combination where it gains little. */
mho_relax_plan mho__relax_plan_make(double rho, double tolerance, bool may_be_plain);

/** Numbers (of the scalar type) of work that a block needs. */
size_t mho__relax_work(int rows, int cols, int lanes, bool plain);

/** Run a plan for one block.
 *  @param v_word  [rows][lanes] of word lines, V; nullable: 0.
 *  @param end    [cols][lanes] of bit lines, V; nullable: 0.
 *  @param work   [mho__relax_work], on a 64-byte boundary.
 *  @param first  [rows][lanes] voltage of each word line's first node at the end; nullable.
 *  @param x      nullable; the bit lines' voltages [rows][cols][lanes], inside work (plans that are
 *                not plain). */
void mho__relax_run_double(int rows, int cols, const double *coefficients,
                           const mho_relax_plan *plan, const double *v_word, const double *end,
                           double *work, double *first, const double **x);
void mho__relax_run_float(int rows, int cols, const float *coefficients, const mho_relax_plan *plan,
                          const float *v_word, const float *end, float *work, float *first,
                          const float **x);

#endif
