/* netlist_crossbar.h - a crossbar's elements as a part of another netlist.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SPICE_NETLIST_CROSSBAR_H
#define MHO_SPICE_NETLIST_CROSSBAR_H

#include "mho/spice.h"
#include "spice/text.h"

/* Sources, devices, wires and virtual grounds, without title and results. As mho_netlist_crossbar_write. */
mho_err mho_netlist_crossbar_body(mho_spice_text *t, const mho_netlist_crossbar *x,
                                  mho_errinfo *ei);

/* Resistance of a device that is there even when it does not conduct, because it may later. */
static inline double mho_netlist_ohm(double g) {
  return 1 / (g > 1e-21 ? g : 1e-21);
}

#endif
