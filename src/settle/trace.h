/* trace.h - a settle as a table: a row a moment, a column a number.
 *
 * Columns are the activities of neurons that are chosen, then the variables of the dynamics as its
 * table lists them: those of neurons and links for the same neurons, others once.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SETTLE_TRACE_H
#define MHO_SETTLE_TRACE_H

#include "mho/model/settle.h"

/* A neuron of a hidden layer. */
typedef struct mho_trace_neuron {
  int layer, index;
} mho_trace_neuron;

typedef struct mho_trace_columns {
  const mho_network *net;
  const mho_var *var; /**< The table of the dynamics. */
  int n;
  struct mho_trace_column {
    int variable;     /**< Number in the table; -1: the activity. */
    int place, index; /**< See mho_vars; of an activity the layer and the neuron. */
  } * column;         /**< [n] */
} mho_trace_columns;

/** The columns for n neurons, the first n of which are their activities. MHO_ENOMEM. */
mho_err mho__trace_columns_new(const mho_network *net, const mho_dynamics *dyn, int n,
                               const mho_trace_neuron *neuron, mho_trace_columns *out,
                               mho_errinfo *ei);
/** Frees what columns hold. */
void mho__trace_columns_free(mho_trace_columns *c);
/** What column i is called: "h1.3", of a variable "h1.3.membrane", of a link's "x-h1.3.trace", of
 *  others "time". */
void mho__trace_name(const mho_trace_columns *c, int i, char *name, size_t capacity);
/** The number in column i of a moment; NaN where the settler shows no variables. */
double mho__trace_value(const mho_trace_columns *c, int i, const mho_trace_point *p);

/** Show the state of a phase in time to its trace, if it has one.
 *  @param step  of the phase.
 *  @param time  s since the start of the phase. */
void mho__trace_state(const mho_phase *p, int step, double time);

#endif
