/* line_sums.h - how the sums of a crossbar's lines are made, forgotten and freed with it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_ARRAY_LINE_SUMS_H
#define MHO_ARRAY_LINE_SUMS_H

#include "mho/model/array.h"

/** Make x->sums where weights are conductances. @return MHO_OK; MHO_ENOMEM. */
mho_err mho__line_sums_new(mho_crossbar *x, int rows, mho_errinfo *ei);
/** Weights have changed: sums are found anew when they are asked for. */
void mho__line_sums_forget(const mho_crossbar *x);
void mho__line_sums_free(mho_crossbar *x);

/** Room for conductances between the lines' ends of either side, which wires bring about
 *  (wired_nodes.h), all 0. Once is enough. @return MHO_OK; MHO_ENOMEM. */
mho_err mho__line_sums_join(mho_crossbar *x, mho_errinfo *ei);
/** These of rows, [rows x rows], or of columns, symmetric with 0 between a line and itself; sums of
 *  lines have them. NULL without wires. */
mho_real *mho__line_sums_joints(const mho_crossbar *x, bool rows);

#endif
