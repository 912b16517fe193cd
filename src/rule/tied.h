/* tied.h - what weights learn whose crossbar feedback reads as well: with feedback tied to the
 * forward weights, both uses of a crossbar are part of its gradient.
 *
 *   grad W_ij gains scale_b  e_i z_j    e of the layer that the feedback link b leads to, z of the
 *                                       one that it comes from
 *
 * beside z_i e_j of the forward use. Errors of pooled layers are those of the winners, which
 * feedback reaches.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_RULE_TIED_H
#define MHO_RULE_TIED_H

#include "rule/phase.h"

/** Room for what pooled layers' errors come to, [layers] of [batch x outputs]: as mho_rule.own_new
 *  and own_free. */
mho_err mho__tied_new(const mho_network *net, int batch, void **own, mho_errinfo *ei);
/** Frees a list of arrays that NULL is behind. */
void mho__tied_free(void *own);
/** Pool the errors that a lesson has left, into lesson->own. */
void mho__tied_pool(const mho_lesson *lesson);
/** Whether link k is a use of a connection that is tied to its forward one. */
static inline bool mho__tied_is_use(const mho_network *net, const mho_link *k, int connection) {
  bool is_back = k->role == MHO_FEEDBACK && k->connection == connection;
  return is_back && mho_link_is_hidden(net, k) && k->scale != 0;
}
/** The term of such a use, whose scale is left to the caller. */
mho_outer *mho__tied_add(const mho_lesson *l, const mho_link *k, mho_change *out);

#endif
