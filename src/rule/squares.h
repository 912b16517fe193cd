/* squares.h - what conductances of a network of resistors learn: the change of half the squares of
 * the voltages across them.
 *
 *   dC/dg_ij = [1/2 (a v_i - v_j)^2 in one state - that in the other]/(what their nudges differ by)
 *            = a m_i e_j + a e_i m_j - a^2 m_i e_i - m_j e_j
 *
 * with m the mean of both states, e the error that EP makes of their difference, and a the gain
 * behind node i, where gains differ, too: four outer products, two where the source is an input,
 * whose e is 0. In this form no squares are subtracted that are nearly equal. A bias, a current
 * b_j, learns dC/db_j = e_j.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_RULE_SQUARES_H
#define MHO_RULE_SQUARES_H

#include "rule/phase.h"

/** As mho_rule.own_new; mho__tied_free frees it: m, a m (what drives the conductances behind) and
 *  m e of every layer of nodes, [layers] of [batch x n] each. */
mho_err mho__squares_new(const mho_network *net, int batch, void **own, mho_errinfo *ei);
/** m = a + factor b of layer l, for the samples of a lesson, both [n x layer] from its first
 *  sample. */
void mho__squares_mean(const mho_lesson *lesson, int l, const mho_real *a, double factor,
                       const mho_real *b);
/** Of two states of layer l, as they are measured (mho_resistive_noise, then converters of
 *  resistive.adc_bits): e = a - b, and m their mean, [n x layer] from the lesson's first sample. */
void mho__squares_measure(const mho_lesson *lesson, int l, const mho_real *a, int phase_a,
                          const mho_real *b, int phase_b, mho_real *e);
/** What measuring two states adds to m and to an e that was settled itself, lesson->error of layer
 *  l, which is divided by what their nudges differ by. */
void mho__squares_disturb(const mho_lesson *lesson, int l, int phase_a, int phase_b, double nudges);
/** What follows from m and lesson->error: once a lesson has both. */
void mho__squares_multiply(const mho_lesson *lesson);
/** The terms of a connection, with `factor` on the errors. */
void mho__squares_change(const mho_lesson *lesson, int connection, double factor, mho_change *out);
/** Size of what a connection into layer l learns from by a nudge of 1 over the true gradient,
 *  (c/a)^(L - l), L the layer of outputs: what amplifiers make of energies of layers. */
double mho__squares_size(const mho_network *net, int l);

#endif
