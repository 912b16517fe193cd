/* session.h - what not everybody may do with a session.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SPICE_SESSION_H
#define MHO_SPICE_SESSION_H

#include <pthread.h>

#include "mho/spice.h"

/* Every message from now on goes to `line` as well. */
void mho_spice_listen(mho_spice *s, void (*line)(void *user, const char *line), void *user);
/* Any command of ngspice, unchecked: it may crash or never return. MHO_ESPICE when ngspice complains. */
mho_err mho_spice_any_command(mho_spice *s, const char *command, mho_errinfo *ei);

/* A session that its owner keeps from call to call, and loses when somebody else opens one: not in the middle of a
 * call, for which the owner holds the lock. */
typedef struct mho_spice_kept {
  pthread_mutex_t lock;
  mho_spice *session;    /* NULL: none is open */
  void (*closing)(void); /* before it is closed; nullable */
} mho_spice_kept;
/* Open it; errors as of mho_spice_open. */
mho_err mho_spice_keep(mho_spice_kept *k, mho_errinfo *ei);
void mho_spice_drop(mho_spice_kept *k);

#endif
