/* lines.h - the lines of a network's crossbars: wires, and what pulses do on them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_NETWORK_LINES_H
#define MHO_NETWORK_LINES_H

#include "mho/model/network.h"

/** Wires of all crossbars, and pulses through the lines of the trained ones, in place of those that
 *  there are: for the banks that the crossbars have now. mho_network_refresh must follow.
 *  @param o  device, device_params, device_config, array_config, pulsed and pool are looked at.
 *  @return MHO_OK; MHO_ENOMEM. */
mho_err mho__network_lines(mho_network *net, const mho_network_options *o, mho_errinfo *ei);

#endif
