/* stencil.h - slopes from nudges both ways: what each pair of them weighs.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_RULE_STENCIL_H
#define MHO_RULE_STENCIL_H

enum { MHO_STENCIL_PAIRS = 7 }; /* most pairs of nudges: phases of an update are numbered to 15 */

/** Weights of the slope at 0, per b, of a function F that is known at +-b, +-2 b, ..
 *
 *   b F'(0) = sum over k of weight[k - 1] (F(k b) - F(-k b))/2
 *
 * as far as its odd part is c_1 x + c_3 x^3 + .. up to x^order: the polynomial is fitted by least
 * squares, and goes through all points where order is 2 pairs - 1. One pair weighs 1. The error is
 * of order b^(order + 1), and noise sigma in every F comes out as sigma sqrt(sum weight^2 / 2)/b in
 * the slope.
 *  @param pairs   1 .. MHO_STENCIL_PAIRS.
 *  @param order   odd, at most 2 pairs - 1.
 *  @param weight  [pairs].
 * Source: G. E. Forsythe, J. SIAM 5:74 (1957), with x^2 as the variable and x as the weight. */
void mho__stencil_weights(int pairs, int order, double *weight);

#endif
