/* wired_nodes.h - wires of crossbars between nodes that nothing holds, on either side: a network of
 * resistors.
 *
 * A crossbar of ohmic devices and lines is a circuit whose ends are its rows and columns. Without
 * its inner nodes it is one of conductances between all of these ends (Kron, Tensor Analysis of
 * Networks, 1939): g' from every row to every column, and through the wires from row to row and
 * from column to column, which these are called joints. With voltages v of rows and u of columns,
 * currents into it are
 *
 *   row i:     sum_j g'_ij (v_i - u_j) + sum_k rows_ik (v_i - v_k)
 *   column j:  sum_i g'_ij (u_j - v_i) + sum_k cols_jk (u_j - u_k)
 *
 * Tiles have lines of their own, which end in the same nodes: their conductances add up.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_ARRAY_WIRED_NODES_H
#define MHO_ARRAY_WIRED_NODES_H

#include "mho/model/array.h"

typedef struct mho_wired_nodes mho_wired_nodes;

/** All that is pointed to must outlive it.
 *  @param x  [n], of conductances on devices, with room for a matrix with wires.
 *  @return MHO_OK; MHO_ENOMEM; errors of mho_wire_new. */
mho_err mho__wired_nodes_new(int n, mho_crossbar *const *x, const mho_array_config *config,
                             const mho_device_config *device, mho_pool *pool, mho_wired_nodes **out,
                             mho_errinfo *ei);
void mho__wired_nodes_free(mho_wired_nodes *w);
/** Matrices (g' less what devices conduct at g_min, as without wires) and joints anew, of a
 *  crossbar whose currents do not balance NaN. */
void mho__wired_nodes_refresh(mho_wired_nodes *w);

/** Have the wires of all crossbars between nodes, from the next refresh on.
 *  @return MHO_OK; as mho__wired_nodes_new. */
mho_err mho__wired_join(mho_wired *w, mho_errinfo *ei);
/** What lines and tiles are like. */
const mho_array_config *mho__wired_config(const mho_wired *w);

#endif
