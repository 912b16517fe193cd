/* nl_pulse.h - the label-to-curvature law, which the tests compare with the published one.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DEVICE_NL_PULSE_H
#define MHO_DEVICE_NL_PULSE_H

#include "mho/model/device.h"

/** a = A/P of a nonlinearity label (signed); infinite for label 0, the straight line. */
double mho__nl_pulse_a(double label);

#endif
