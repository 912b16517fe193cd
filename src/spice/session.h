/* session.h - what not everybody may do with a session.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SPICE_SESSION_H
#define MHO_SPICE_SESSION_H

#include "mho/spice.h"

/* Every message from now on goes to `line` as well. */
void mho_spice_listen(mho_spice *s, void (*line)(void *user, const char *line), void *user);
/* Any command of ngspice, unchecked: it may crash or never return. MHO_ESPICE when ngspice complains. */
mho_err mho_spice_any_command(mho_spice *s, const char *command, mho_errinfo *ei);

/* A session that may be taken away: whoever opens another one calls give_up first, which closes this one and says
 * whether it did. */
void mho_spice_lend(mho_spice *s, bool (*give_up)(void));

#endif
