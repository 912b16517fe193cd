/* subject.h - the network that a verb works on: of a stored run, or as a config builds it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_CLI_SUBJECT_H
#define MHO_CLI_SUBJECT_H

#include "cli/cli.h"
#include "mho/spice.h"
#include "mho/train.h"

typedef struct subject {
  mho_experiment *e;
  mho_trainer *t;      /**< at a run's checkpoint, or a config's initial weights */
  mho_store *store;    /**< NULL for a config */
  char id[MHO_ID_MAX]; /**< of the run; "" for a config */
  int epoch;           /**< of the run's checkpoint */
} subject;

/** The network of the RUN or CONFIG of the common options (names_config), with --set on top, a time
 *  after it was programmed (s).
 *  @param checkpoint  of a RUN: "last" or "best"; NULL where the state of its cells is not asked
 *                     for, so that any key may be another. */
mho_err subject_load(environment *s, const common_options *o, mho_store_mode mode,
                     const char *checkpoint, double after, subject *out, mho_errinfo *ei);
/** The same of the run of that name, always. */
mho_err subject_load_run(environment *s, const common_options *o, const char *run,
                         mho_store_mode mode, const char *checkpoint, subject *out,
                         mho_errinfo *ei);
/** The same for a circuit: the crossbars read without noise, converters and amplifiers afterwards,
 *  as circuits of them do, but with the devices' I-V law where the run's reads show it
 *  (mho_crossbar_law). What that leaves out is said on stderr.
 *  @param cells  false: the state of its cells is not asked for. */
mho_err subject_open(environment *s, const common_options *o, mho_store_mode mode, bool cells,
                     double after, subject *out, mho_errinfo *ei);
void subject_close(subject *x);

#endif
