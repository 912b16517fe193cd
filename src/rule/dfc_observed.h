/* dfc_observed.h - what is to be known of the controls of a lesson.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_RULE_DFC_OBSERVED_H
#define MHO_RULE_DFC_OBSERVED_H

#include "rule/dfc_feedback.h"

/** See mho_rule.observe. */
mho_err mho__dfc_observe(const mho_lesson *lesson, mho_control_view *out, mho_errinfo *ei);

/** The largest real part of the controlled network's eigenvalues around a sample's controls, in
 *  1/tau_u: below 0 it comes back.
 *  @param r           an exact run with summed inputs, whose workspace has links back.
 *  @param net         the network with its arrays of controls.
 *  @param controlled  the sums are under the present controls; false: those of the free state.
 *  @return NaN where it has more than MHO_OBSERVE_DENSE numbers, patches or pooling. */
double mho__dfc_growth(const dfc_run *r, const mho_network *net, int sample, bool controlled);

#endif
