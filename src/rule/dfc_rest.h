/* dfc_rest.h - what the parts of a control at rest share: its two iterations (dfc_rest.c,
 * dfc_mixing.c), and whether it holds (dfc_stability.c).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_RULE_DFC_REST_H
#define MHO_RULE_DFC_REST_H

#include "rule/dfc.h"

/** Whether controls go through arrays of their own. */
static inline bool mho__dfc_is_direct(const dfc_run *r) {
  return r->lesson->net->path == MHO_PATH_DIRECT;
}
/** Samples with a control that the network would not stay at are lost, and counted with all others
 *  that are.
 *  @param r        its reads are not counted.
 *  @param at_rest  the states are those under control, and JQ is to be found there where it counts;
 *                  else w->k has that of each sample's free state.
 *  @param stats    adds up the lost ones. */
void mho__dfc_drop_unstable(const dfc_run *r, bool at_rest, mho_settle_stats *stats);

/** Whether rests of a network by the chain are judged, which takes a small one without patches and
 *  poolings (dfc_growth.c). */
bool mho__dfc_is_judged(const mho_network *net);
/** Whether hidden layers stay where the chain has them at rest, the controls of the sample standing
 *  still. False without memory. */
bool mho__dfc_is_least(const dfc_run *r, int sample);

/** |F| of sample s at that leak, and F [C] in w->f. */
double mho__dfc_miss(const dfc_run *r, int s, double leak);
/** What sample s may miss of F: that share of the first error, and rounding. */
double mho__dfc_enough(const dfc_run *r, int s, double tolerance);
/** The step [C] of sample s from controls u and potentials v [C] to the root that F would have if
 *  the read-out followed u by JQ, until no more than `enough` is missed of F. @return false: there
 *  is none. */
bool mho__dfc_find_step(const dfc_run *r, int s, const double *u, const double *v, double leak,
                        double enough, double *step);
/** Rounding of a number of that size, as far as sums of many reach. */
double mho__dfc_rounding(double size);
/** v_o = a_o + u of all samples. */
void mho__dfc_find_potentials(const dfc_run *r);

/** To rest by the chain at that leak, all samples at once (dfc_mixing.c). Rows of the lesson change
 *  places on the way, so that those without a rest come first.
 *  @param lesson  that of r: its n, and that of the phase, is how many are looked at in the end.
 *  @param part  of its way that x goes at a look, 1 or less.
 *  @return how many have no rest. */
int mho__dfc_mix(dfc_run *r, mho_lesson *lesson, double leak, double tolerance, double part);
/** All rows of the lesson back to their places. */
void mho__dfc_put_back(const dfc_run *r);

#endif
