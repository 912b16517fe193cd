/* netlist.c - circuits as text that a person can read and `ngspice -b` can run.
 *
 * Numbers are written so that they read back as the same double. Values are plain numbers on the elements,
 * never inside the expression of a B source: ngspice 39 keeps 11 digits of a literal there.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/spice.h"
#include "spice/text.h"

#include <math.h>

#define add        mho_spice_text_add
#define add_number mho_spice_text_add_number

/* ---------------------------------------------------------------- what is asked for */

static int inputs(const mho_netlist_crossbar *x) {
  return x->transposed ? x->cols : x->rows;
}

static int outputs(const mho_netlist_crossbar *x) {
  return x->transposed ? x->rows : x->cols;
}

static mho_err bad_cell(mho_errinfo *ei, long row, long col, const char *what, double value) {
  mho_fail(ei, MHO_EINVAL, "%s is %g at row %ld, column %ld", what, value, row, col);
  if (ei) {
    ei->row = row;
    ei->col = col;
  }
  return MHO_EINVAL;
}

static mho_err check_conductances(const mho_netlist_crossbar *x, const double *g, const char *what,
                                  mho_errinfo *ei) {
  for (int i = 0; i < x->rows; i++)
    for (int j = 0; j < x->cols; j++) {
      double v = g[(size_t)i * (size_t)x->cols + (size_t)j];
      if (!(v >= 0) || !isfinite(v) || (v > 0 && !isfinite(1 / v)))
        return bad_cell(ei, i, j, what, v);
    }
  return MHO_OK;
}

static mho_err check(const mho_netlist_crossbar *x, mho_errinfo *ei) {
  if (x->rows < 1 || x->cols < 1 || !x->g_pos || !x->v_in)
    return mho_fail(ei, MHO_EINVAL, "a crossbar of %d x %d: expected at least 1 x 1, conductances and inputs",
                    x->rows, x->cols);
  if (!(x->r_word == 0) || !(x->r_bit == 0))
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "wire resistance in netlists is not built yet: set r_word and r_bit to 0");
  mho_err err = check_conductances(x, x->g_pos, "the positive conductance (S)", ei);
  if (!err && x->g_neg)
    err = check_conductances(x, x->g_neg, "the negative conductance (S)", ei);
  for (int k = 0; !err && k < inputs(x); k++)
    if (!isfinite(x->v_in[k]))
      err = bad_cell(ei, x->transposed ? -1 : k, x->transposed ? k : -1, "the input voltage", x->v_in[k]);
  return err;
}

/* ---------------------------------------------------------------- parts of the netlist */

static void add_title(mho_spice_text *t, const mho_netlist_crossbar *x) {
  add(t, "* ");
  if (x->title)
    for (const char *p = x->title; *p; p++) /* one line, whatever it holds */
      add(t, "%c", (unsigned char)*p < ' ' ? ' ' : *p);
  else
    add(t, "crossbar read");
  add(t, "\n");
}

static void add_head(mho_spice_text *t, const mho_netlist_crossbar *x) {
  const char *difference = x->g_neg ? "(G+[i][j] - G-[i][j])" : "G+[i][j]";
  add(t, "*\n* %d word lines (rows) x %d bit lines (columns), %s, no wire resistance\n", x->rows, x->cols,
      x->g_neg ? "a positive and a negative device at each crossing" : "one device at each crossing");
  if (x->transposed)
    add(t,
        "* transposed read: bit lines b<j> are driven, word lines are sensed at virtual ground\n"
        "*   I[i] = sum over j of %s V[j]\n",
        difference);
  else
    add(t,
        "* forward read: word lines w<i> are driven, bit lines are sensed at virtual ground\n"
        "*   I[j] = sum over i of %s V[i]\n",
        difference);
  add(t, "* Rp_<i>_<j>%s: device at word line i, bit line j; devices of conductance 0 are left out\n",
      x->g_neg ? ", Rn_<i>_<j>" : "");
}

static void add_inputs(mho_spice_text *t, const mho_netlist_crossbar *x) {
  const char *line = x->transposed ? "b" : "w";
  add(t, "\n* parameters: input voltages of the %s lines (V)\n", x->transposed ? "bit" : "word");
  for (int k = 0; k < inputs(x); k++) {
    add(t, "Vin%d %s%d 0 ", k, line, k);
    add_number(t, x->v_in[k]);
    add(t, "\n");
  }
}

static void add_devices(mho_spice_text *t, const mho_netlist_crossbar *x, const double *g, char sign) {
  add(t, "\n* %s devices (ohm)\n", sign == 'p' ? "positive" : "negative");
  for (int i = 0; i < x->rows; i++)
    for (int j = 0; j < x->cols; j++) {
      double v = g[(size_t)i * (size_t)x->cols + (size_t)j];
      if (v == 0)
        continue;
      if (x->transposed)
        add(t, "R%c_%d_%d b%d %c%d ", sign, i, j, j, sign, i);
      else
        add(t, "R%c_%d_%d w%d %c%d ", sign, i, j, i, sign, j);
      add_number(t, 1 / v);
      add(t, "\n");
    }
}

/* 0 V sources: they hold the line at ground and ngspice gives the current through them. */
static void add_outputs(mho_spice_text *t, const mho_netlist_crossbar *x) {
  add(t, "\n* virtual grounds, 0 V sources that sense the current into them (A)\n");
  for (int k = 0; k < outputs(x); k++) {
    if (x->expected) {
      add(t, "* out%d expected ", k);
      add_number(t, x->expected[k]);
      add(t, " A\n");
    }
    add(t, "Vp%d p%d 0 0\n", k, k);
    if (x->g_neg)
      add(t, "Vn%d n%d 0 0\n", k, k);
    add(t, ".save i(Vp%d)", k);
    if (x->g_neg)
      add(t, " i(Vn%d)", k);
    add(t, "\n");
  }
}

/* With "quit", because `ngspice -b` otherwise ends in exit code 1 for want of a .print line. */
static void add_control(mho_spice_text *t, const mho_netlist_crossbar *x) {
  add(t, "\n.control\nset numdgt=15\nop\n");
  for (int k = 0; k < outputs(x); k++) {
    add(t, "let out%d = i(Vp%d)", k, k);
    if (x->g_neg)
      add(t, " - i(Vn%d)", k);
    add(t, "\nprint out%d\n", k);
  }
  add(t, "quit\n.endc\n");
}

mho_err mho_netlist_crossbar_write(const mho_netlist_crossbar *x, char **out, mho_errinfo *ei) {
  *out = NULL;
  mho_err err = check(x, ei);
  if (err)
    return err;
  mho_spice_text t = {0};
  add_title(&t, x);
  add_head(&t, x);
  add_inputs(&t, x);
  add_devices(&t, x, x->g_pos, 'p');
  if (x->g_neg)
    add_devices(&t, x, x->g_neg, 'n');
  add_outputs(&t, x);
  if (x->control)
    add_control(&t, x);
  add(&t, "\n.end\n");
  if (t.failed) {
    mho_free(t.p);
    return mho_fail(ei, MHO_ENOMEM, "no memory for a netlist of %d x %d devices", x->rows, x->cols);
  }
  *out = t.p;
  return MHO_OK;
}
