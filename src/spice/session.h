/* session.h - what only this folder may do with a session.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SPICE_SESSION_H
#define MHO_SPICE_SESSION_H

#include <pthread.h>

#include "mho/spice.h"

/* Every message from now on goes to `line` as well. */
void mho__spice_listen(mho_spice *s, void (*line)(void *user, const char *line), void *user);
/* Any command of ngspice, unchecked: it may crash or never return. MHO_ESPICE when ngspice
 * complains. */
mho_err mho__spice_any_command(mho_spice *s, const char *command, mho_errinfo *ei);

/* A session that its owner has from call to call, and loses when somebody else opens one: not in
 * the middle of a call, for which the owner has the lock. */
typedef struct mho_spice_lease {
  pthread_mutex_t lock;
  mho_spice *session;    /* NULL: none is open */
  void (*closing)(void); /* before it is closed; nullable */
} mho_spice_lease;
/* Open its session, with the lock; errors as of mho_spice_open. */
mho_err mho__spice_lease_open(mho_spice_lease *k, mho_errinfo *ei);
/* Close it, if one is open, with the lock. */
void mho__spice_lease_close(mho_spice_lease *k);
/* Whether a session could be opened now, where none is open; takes the lock itself. */
mho_err mho__spice_lease_check(mho_spice_lease *k, mho_errinfo *ei);

#endif
