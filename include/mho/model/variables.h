/* variables.h - what a dynamics or a rule keeps of a network, as a table.
 *
 * Whoever has a state of its own (membranes, traces, controllers, credits) lists it in mho_var's.
 * Memory, copies, checkpoints and what others look at follow from the table.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_MODEL_VARIABLES_H
#define MHO_MODEL_VARIABLES_H

#include "mho/model/network.h"

/** What a variable is of. Its numbers lie in one block a layer or link (a place), or in one block
 *  in all. */
typedef enum mho_per {
  MHO_PER_NEURON, /**< [capacity x n] of every layer, input and read-out among them */
  MHO_PER_HIDDEN, /**< [capacity x n] of every hidden layer; the other layers have none */
  MHO_PER_UNIT,   /**< [n] of every layer: all samples share it */
  /** [n x classes] of the last hidden layer, where its neurons vote by proportion
   *  (mho_network.votes); the others have none: all samples share it. */
  MHO_PER_VOTE,
  MHO_PER_SAMPLE,  /**< [capacity] */
  MHO_PER_LINK,    /**< [capacity x n of to] of every link */
  MHO_PER_NETWORK, /**< [1] */
} mho_per;

/** One variable. */
typedef struct mho_var {
  const char *name; /**< a word, unique in its table */
  mho_per per;
  bool exact; /**< double; else mho_real */
  bool kept;  /**< it goes on from batch to batch, and so is part of a checkpoint */
} mho_var;

/** The variables of a table, for up to `capacity` samples of a network. */
typedef struct mho_vars {
  const mho_var *var; /**< [n] */
  int n, capacity;
  const mho_network *net;
  void ***block; /**< [n] of [places]: a block, NULL where it has no numbers */
} mho_vars;

/** Variables, all 0. The table and the network must outlive them.
 *  @return MHO_OK; MHO_EINVAL for a name that is there twice; MHO_ENOMEM. */
MHO_API mho_err mho_vars_new(const mho_network *net, const mho_var *var, int n, int capacity,
                             mho_vars **out, mho_errinfo *ei);
/** Frees variables; NULL is allowed. */
MHO_API void mho_vars_free(mho_vars *v);
/** Number of the variable with that name; -1: there is none. */
MHO_API int mho_vars_find(const mho_vars *v, const char *name);
/** Blocks of variable i: layers, links, or 1. */
MHO_API int mho_vars_places(const mho_vars *v, int i);
/** Numbers in the block of variable i at a place, all samples together, ... */
MHO_API size_t mho_vars_count(const mho_vars *v, int i, int place);
/** ... and its bytes. */
MHO_API size_t mho_vars_bytes(const mho_vars *v, int i, int place);
/** The block of variable i at a place (a layer, a link, or 0); NULL where it has no numbers. */
static inline void *mho_vars_pointer(const mho_vars *v, int i, int place) {
  return v->block[i][place];
}
/** The numbers of variable i at a place from sample sample0 on: of one that is not exact, ... */
MHO_API mho_real *mho_vars_real(const mho_vars *v, int i, int place, int sample0);
/** ... and of one that is. */
MHO_API double *mho_vars_exact(const mho_vars *v, int i, int place, int sample0);
/** Samples sample0 .. sample0+n-1 of every variable that samples have of their own become 0; what
 *  they share stays.
 *  @param all  those that are kept, too. */
MHO_API void mho_vars_clear(mho_vars *v, int sample0, int n, bool all);
/** What all samples share of every variable, from another set of the same table and network. */
MHO_API void mho_vars_share(mho_vars *to, const mho_vars *from);
/** The same samples of the same table's variables from another set, of the same network. */
MHO_API void mho_vars_copy(mho_vars *to, const mho_vars *from, int sample0, int n);

#endif
