/* trace.c - a settle as a table: a row a moment, a column a number.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "settle/trace.h"

#include <math.h>

#include "settle/links.h"

/* ---------------------------------------------------------------- columns */

static void add(mho_trace_columns *c, int variable, int place, int index) {
  if (c->column)
    c->column[c->n] =
        (struct mho_trace_column){.variable = variable, .place = place, .index = index};
  c->n++;
}

/* Columns of variable v for one neuron: its own number, or one for each link that leads to it. */
static void add_of_neuron(mho_trace_columns *c, int v, const mho_trace_neuron *neuron) {
  if (c->var[v].per != MHO_PER_LINK) {
    add(c, v, neuron->layer, neuron->index);
    return;
  }

  for (int k = 0; k < c->net->n_links; k++)
    if (c->net->link[k].to == neuron->layer)
      add(c, v, k, neuron->index);
}

/* All columns; only counted where there is no room for them yet. What a neuron votes for class by
 * class is no column. */
static void add_all(mho_trace_columns *c, const mho_dynamics *dyn, int n,
                    const mho_trace_neuron *neuron) {
  c->n = 0;
  for (int i = 0; i < n; i++)
    add(c, -1, neuron[i].layer, neuron[i].index);

  for (int v = 0; v < dyn->n_vars; v++) {
    mho_per per = dyn->vars[v].per;
    if (per == MHO_PER_SAMPLE || per == MHO_PER_NETWORK) {
      add(c, v, 0, 0);
      continue;
    }
    for (int i = 0; per != MHO_PER_VOTE && i < n; i++)
      add_of_neuron(c, v, &neuron[i]);
  }
}

mho_err mho__trace_columns_new(const mho_network *net, const mho_dynamics *dyn, int n,
                               const mho_trace_neuron *neuron, mho_trace_columns *out,
                               mho_errinfo *ei) {
  *out = (mho_trace_columns){.net = net, .var = dyn->vars};
  add_all(out, dyn, n, neuron);
  out->column = mho_alloc((size_t)out->n, sizeof *out->column);
  if (!out->column)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a trace of %d columns", out->n);

  add_all(out, dyn, n, neuron);
  return MHO_OK;
}

void mho__trace_columns_free(mho_trace_columns *c) {
  mho_free(c->column);
}

void mho__trace_name(const mho_trace_columns *c, int i, char *name, size_t capacity) {
  const struct mho_trace_column *column = &c->column[i];
  const mho_layer *layer = c->net->layer;
  const mho_var *var = column->variable < 0 ? NULL : &c->var[column->variable];
  mho_per per = var ? var->per : MHO_PER_HIDDEN;

  *name = '\0';
  if (per == MHO_PER_LINK) {
    const mho_link *k = &c->net->link[column->place];
    mho_text_append(name, capacity, "%s-%s.%d", layer[k->from].name, layer[k->to].name,
                    column->index);
  } else if (per != MHO_PER_SAMPLE && per != MHO_PER_NETWORK) {
    mho_text_append(name, capacity, "%s.%d", layer[column->place].name, column->index);
  }
  if (var)
    mho_text_append(name, capacity, "%s%s", *name ? "." : "", var->name);
}

double mho__trace_value(const mho_trace_columns *c, int i, const mho_trace_point *p) {
  const struct mho_trace_column *column = &c->column[i];
  int v = column->variable;
  if (v < 0)
    return p->z[column->place][column->index];
  if (!p->vars)
    return (double)NAN;
  if (c->var[v].exact)
    return mho_vars_exact(p->vars, v, column->place, 0)[column->index];
  return (double)mho_vars_real(p->vars, v, column->place, 0)[column->index];
}

/* ---------------------------------------------------------------- moments */

void mho__trace_state(const mho_phase *p, int step, double time) {
  mho_trace *trace = mho__trace_of(p);
  if (!trace)
    return;

  for (int l = 1; l < mho_hidden_end(p->net); l++) {
    const mho_real *z = mho__values(p->net, p->s->z, l, p->row0);
    for (int i = 0; i < p->net->layer[l].n; i++)
      trace->z[l][i] = (double)z[i];
  }
  trace->point(trace->user, &(mho_trace_point){.phase = p->number,
                                               .step = step,
                                               .time = trace->time_0 + time,
                                               .residual = NAN,
                                               .z = trace->z,
                                               .vars = p->s->vars});
}
