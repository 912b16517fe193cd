/* subject.h - the network that a verb works on: of a stored run, or as a config builds it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_CLI_SUBJECT_H
#define MHO_CLI_SUBJECT_H

#include "cli/cli.h"
#include "mho/spice.h"
#include "mho/train.h"

typedef struct subject {
  mho_choice plain; /**< the array model's keys where all its circuits are ideal */
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
mho_err subject_load(session *s, const common_options *o, mho_store_mode mode,
                     const char *checkpoint, double after, subject *out, mho_errinfo *ei);
/** The same of the run of that name, always. */
mho_err subject_load_run(session *s, const common_options *o, const char *run, mho_store_mode mode,
                         const char *checkpoint, subject *out, mho_errinfo *ei);
/** The same for a circuit: the crossbars read without noise, converters and amplifiers afterwards,
 *  as circuits of them do, but with the devices' I-V law where the run's reads show it
 *  (mho_crossbar_law). What that leaves out is said on stderr.
 *  @param cells  false: the state of its cells is not asked for. */
mho_err subject_open(session *s, const common_options *o, mho_store_mode mode, bool cells,
                     double after, subject *out, mho_errinfo *ei);
void subject_close(subject *x);

/** A connection by its name, or the one into the read-out without one; NULL and MHO_ENOTFOUND in ei
 * where there is none. */
const mho_connection *subject_connection(const subject *x, const char *name, mho_errinfo *ei);
/** Into a crossbar's netlist the I-V law, wires and tiles that the connection was trained with, if
 * any; MHO_EUNSUPPORTED where they have no netlist. */
mho_err subject_wires(const subject *x, const mho_connection *k, mho_netlist_crossbar *netlist,
                      mho_errinfo *ei);
/** beta_f of the experiment's rule; 0.1 where it has none. */
double subject_nudge(const subject *x);
/** MHO_EUNSUPPORTED when the rule reads the error anew at every step, which the circuit of a
 *  network does not. */
mho_err subject_error_held(const subject *x, mho_errinfo *ei);
/** Test images first .. first+n-1: [n x features] and labels, [n]. MHO_EINVAL when there are not so
 * many. */
mho_err subject_samples(const subject *x, int first, int n, mho_real *images, uint8_t *label,
                        mho_errinfo *ei);

#endif
