/* spiking_events.h - neurons that spike, from event to event.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DYNAMICS_SPIKING_EVENTS_H
#define MHO_DYNAMICS_SPIKING_EVENTS_H

#include "dynamics/spiking_cells.h"

/** mho_dynamics.next and mho_dynamics.event of neurons that spike. */
double mho__spiking_next(const mho_phase *p, int sample);
void mho__spiking_event(const mho_phase *p, int sample, double t, mho_settle_stats *stats);

#endif
