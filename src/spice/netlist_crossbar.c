/* netlist_crossbar.c - circuits as text that a person can read and `ngspice -b` can run.
 *
 * Numbers are written so that they read back as the same double. Values are plain numbers on the
 * elements, never inside the expression of a B source: ngspice 39 keeps 11 digits of a literal
 * there.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "spice/netlist_crossbar.h"
#include "mho/model/circuit.h"

#include <math.h>
#include <stdio.h>

#include "array/weights.h"

#define add    mho__spice_text_add
#define number mho__spice_number

/* ---------------------------------------------------------------- banks */

const mho_bank *mho__netlist_role(const mho_netlist_crossbar *x, int bank) {
  static const mho_bank pair[] = {{.title = "positive", .letter = 'p', .gain = 1},
                                  {.title = "negative", .letter = 'n', .gain = -1}};
  return x->role ? &x->role[bank] : &pair[bank];
}

/* The sign, and where it is not 1 the size, of a bank's gain in a sum whose first term it may
 * be. */
static void add_gain(mho_spice_text *t, const mho_bank *role, bool first) {
  if (role->gain < 0)
    add(t, first ? "-" : " - ");
  else if (!first)
    add(t, " + ");
  if (fabs(role->gain) != 1)
    add(t, "%s*", number(fabs(role->gain)));
}

/* "i(Vp0) - i(Vn0)": the currents of the banks on a sensed line, with their gains. */
static void add_currents(mho_spice_text *t, const mho_netlist_crossbar *x, int line) {
  for (int k = 0; k < x->n_banks; k++) {
    const mho_bank *role = mho__netlist_role(x, k);
    add_gain(t, role, k == 0);
    add(t, "i(V%c%d)", role->letter, line);
  }
}

/* "G+[i][j] - G-[i][j]"; of other banks than a pair's "Gc[i][j]". */
static void add_conductances(mho_spice_text *t, const mho_netlist_crossbar *x) {
  add(t, x->n_banks > 1 ? "(" : "");
  for (int k = 0; k < x->n_banks; k++) {
    const mho_bank *role = mho__netlist_role(x, k);
    char name = role->letter == 'p' ? '+' : role->letter;
    add_gain(t, role, k == 0);
    add(t, "G%c[i][j]", name == 'n' ? '-' : name);
  }
  add(t, x->n_banks > 1 ? ")" : "");
}

/* ---------------------------------------------------------------- what is asked for */

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
      double v = g[mho__netlist_cell(x, i, j)];
      if (!(v >= 0) || !isfinite(v) || (v > 0 && !isfinite(1 / v)))
        return bad_cell(ei, i, j, what, v);
    }
  return MHO_OK;
}

static mho_err check_inputs(const mho_netlist_crossbar *x, mho_errinfo *ei) {
  for (int k = 0; k < mho__netlist_driven(x); k++) {
    if (isfinite(x->v_in[k]))
      continue;
    if (x->transposed)
      return bad_cell(ei, -1, k, "the input voltage", x->v_in[k]);
    return bad_cell(ei, k, -1, "the input voltage", x->v_in[k]);
  }
  return MHO_OK;
}

static bool is_resistance(double ohm) {
  return ohm >= 0 && isfinite(ohm);
}

static mho_err check(const mho_netlist_crossbar *x, mho_errinfo *ei) {
  if (x->rows < 1 || x->cols < 1 || x->n_banks < 1 || !x->v_in)
    return mho_fail(ei, MHO_EINVAL,
                    "a crossbar of %d x %d: expected at least 1 x 1, conductances and inputs",
                    x->rows, x->cols);
  if (!is_resistance(x->r_word) || !is_resistance(x->r_bit))
    return mho_fail(ei, MHO_EINVAL, "wire segments of %g ohm (word lines) and %g ohm (bit lines)",
                    x->r_word, x->r_bit);
  if (!is_resistance(x->word_end) || !is_resistance(x->bit_end))
    return mho_fail(ei, MHO_EINVAL, "ends of %g ohm (word lines) and %g ohm (bit lines)",
                    x->word_end, x->bit_end);
  if (x->tile[0] < 0 || x->tile[1] < 0)
    return mho_fail(ei, MHO_EINVAL, "tiles of %d x %d", x->tile[0], x->tile[1]);
  bool has_ends = x->word_end > 0 || x->bit_end > 0;
  if (has_ends && (mho__netlist_tile_rows(x) < x->rows || mho__netlist_tile_cols(x) < x->cols))
    return mho_fail(ei, MHO_EINVAL, "ends with a resistance are of arrays that are one tile");

  for (int k = 0; k < x->n_banks; k++) {
    char what[80];
    snprintf(what, sizeof what, "the %s conductance (S)", mho__netlist_role(x, k)->title);
    mho_err err = check_conductances(x, x->g[k], what, ei);
    if (err)
      return err;
  }
  return check_inputs(x, ei);
}

/* ---------------------------------------------------------------- head, inputs, devices */

static void add_wires_head(mho_spice_text *t, const mho_netlist_crossbar *x) {
  int tile_rows = x->tile[0] ? x->tile[0] : x->rows;
  int tile_cols = x->tile[1] ? x->tile[1] : x->cols;
  const char *without = "";
  if (!(x->r_bit > 0))
    without = "; bit lines have none";
  else if (!(x->r_word > 0))
    without = "; word lines have none";

  for (int k = 0; k < x->n_banks; k++) {
    const mho_bank *role = mho__netlist_role(x, k);
    if (k == 0)
      add(t, "* wires: nodes w%c_<i>_<j> (word line) and b%c_<i>_<j> (bit line) at each device",
          role->letter, role->letter);
    else
      add(t, ", w%c_, b%c_ of the %s ones", role->letter, role->letter, role->title);
  }
  add(t,
      "; word lines end at the left,\n"
      "*   bit lines at the bottom, the other ends are open%s\n",
      without);

  if (tile_rows < x->rows || tile_cols < x->cols)
    add(t,
        "* cut into tiles of %d x %d with wires of their own; "
        "their currents meet at the virtual ground\n",
        tile_rows, tile_cols);
}

static void add_equation(mho_spice_text *t, const mho_netlist_crossbar *x) {
  const char *direction = "forward", *driven = "word lines w<i>", *sensed = "bit lines";
  char to = 'j', from = 'i';
  if (x->transposed) {
    direction = "transposed";
    driven = "bit lines b<j>";
    sensed = "word lines";
    to = 'i';
    from = 'j';
  }

  add(t,
      "* %s read: %s are driven, %s are sensed at virtual ground\n"
      "*   I[%c] = sum over %c of ",
      direction, driven, sensed, to, from);
  add_conductances(t, x);
  add(t, " V[%c]%s%s\n", from, x->iv ? ", were devices not bent by the I-V law of cell" : "",
      mho__netlist_has_wires(x) ? ", were it not for the wires" : "");
}

/* What goes before a bank's title in "a positive, a coarse and a fine device". */
static const char *joint_of(const mho_netlist_crossbar *x, int bank) {
  if (x->n_banks == 1)
    return "";
  if (bank == 0)
    return "a ";
  return bank == x->n_banks - 1 ? " and a " : ", a ";
}

static void add_head(mho_spice_text *t, const mho_netlist_crossbar *x) {
  bool wires = mho__netlist_has_wires(x);
  char kind = x->iv ? 'X' : 'R';
  add(t, "*\n* %d word lines (rows) x %d bit lines (columns), ", x->rows, x->cols);
  for (int k = 0; k < x->n_banks; k++)
    add(t, "%s%s", joint_of(x, k), x->n_banks > 1 ? mho__netlist_role(x, k)->title : "one");
  add(t, " device at each crossing%s\n", wires ? "" : ", no wire resistance");

  add_equation(t, x);

  for (int k = 0; k < x->n_banks; k++)
    add(t, "%s%c%c_<i>_<j>", k ? ", " : "* ", kind, mho__netlist_role(x, k)->letter);
  add(t, ": device at word line i, bit line j; devices of conductance 0 are left out\n");
  if (wires)
    add_wires_head(t, x);
}

static void add_resistance(mho_spice_text *t, const char *name, double ohm) {
  if (!(ohm > 0))
    return;
  add(t, ".param %s=%s\n", name, number(ohm));
}

static void add_inputs(mho_spice_text *t, const mho_netlist_crossbar *x) {
  if (mho__netlist_has_wires(x))
    add(t, "\n* parameters: a segment of wire (ohm)\n");
  add_resistance(t, "r_word", x->r_word);
  add_resistance(t, "r_bit", x->r_bit);
  if (x->word_end > 0 || x->bit_end > 0)
    add(t, "\n* parameters: what drives or senses a line (ohm)\n");
  add_resistance(t, "word_end", x->word_end);
  add_resistance(t, "bit_end", x->bit_end);

  add(t, "\n* parameters: input voltages of the %s lines (V)\n", x->transposed ? "bit" : "word");
  for (int k = 0; k < mho__netlist_driven(x); k++) {
    add(t, "Vin%d %c%d 0 %s\n", k, x->transposed ? 'b' : 'w', k,
        x->external ? "external" : number(x->v_in[k]));
  }
}

/* What word line i ends in: its driver, or the virtual ground of the array. */
static void add_word_source(mho_spice_text *t, const mho_netlist_crossbar *x, char sign, int i) {
  add(t, "%c%d ", x->transposed ? sign : 'w', i);
}

static void add_bit_source(mho_spice_text *t, const mho_netlist_crossbar *x, char sign, int j) {
  add(t, "%c%d ", x->transposed ? 'b' : sign, j);
}

/* Terminal of word line i: what it ends in, or the node behind the resistance of that. */
static void add_word_end(mho_spice_text *t, const mho_netlist_crossbar *x, char sign, int i) {
  if (x->word_end > 0)
    add(t, "we%c_%d ", sign, i);
  else
    add_word_source(t, x, sign, i);
}

static void add_bit_end(mho_spice_text *t, const mho_netlist_crossbar *x, char sign, int j) {
  if (x->bit_end > 0)
    add(t, "be%c_%d ", sign, j);
  else
    add_bit_source(t, x, sign, j);
}

/* The word line at device (i, j): a node of its own, or the whole line. */
static void add_word_node(mho_spice_text *t, const mho_netlist_crossbar *x, char sign, int i,
                          int j) {
  if (x->r_word > 0)
    add(t, "w%c_%d_%d ", sign, i, j);
  else
    add_word_end(t, x, sign, i);
}

static void add_bit_node(mho_spice_text *t, const mho_netlist_crossbar *x, char sign, int i,
                         int j) {
  if (x->r_bit > 0)
    add(t, "b%c_%d_%d ", sign, i, j);
  else
    add_bit_end(t, x, sign, j);
}

/* A device lies from the driven line to the sensed one. One that does not conduct is left out,
 * unless it may be altered later. */
static void add_device(mho_spice_text *t, const mho_netlist_crossbar *x, double g, char sign, int i,
                       int j) {
  if (g == 0 && !x->external)
    return;

  add(t, "%c%c_%d_%d ", x->iv ? 'X' : 'R', sign, i, j);
  if (x->transposed) {
    add_bit_node(t, x, sign, i, j);
    add_word_node(t, x, sign, i, j);
  } else {
    add_word_node(t, x, sign, i, j);
    add_bit_node(t, x, sign, i, j);
  }

  if (x->iv)
    add(t, "cell gs=%s\n", number(g));
  else
    add(t, "%s\n", number(x->external ? mho__netlist_ohm(g) : 1 / g));
}

/* A device that is read, with its I-V law; where that is no straight line ngspice's own tolerances
 * are too wide. */
static void add_cell(mho_spice_text *t, const mho_netlist_crossbar *x) {
  char current[512];
  if (!mho_device_spice_current(x->iv, "gs", "V(p,n)", current, sizeof current)) {
    t->failed = true;
    return;
  }

  add(t,
      "\n.options reltol=1e-10 vntol=1e-12 abstol=1e-18 itl1=1000\n"
      "* a device: its I-V law, gs (S) the slope at 0 V\n"
      ".subckt cell p n gs=1u\nBd p n I=%s\n.ends cell\n",
      current);
}

static void add_devices(mho_spice_text *t, const mho_netlist_crossbar *x, int bank) {
  const mho_bank *role = mho__netlist_role(x, bank);
  add(t, "\n* %s devices (%s)\n", role->title, x->iv ? "S at 0 V" : "ohm");
  for (int i = 0; i < x->rows; i++)
    for (int j = 0; j < x->cols; j++)
      add_device(t, x, x->g[bank][mho__netlist_cell(x, i, j)], role->letter, i, j);
}

/* RW<sign>_<i>_<j>: the segment to the left of device (i, j), from its neighbour or the end of the
 * line in its tile. */
static void add_word_wires(mho_spice_text *t, const mho_netlist_crossbar *x, const mho_bank *role) {
  int tile_cols = mho__netlist_tile_cols(x);
  char sign = role->letter;
  add(t, "\n* word lines of the %s devices\n", role->title);

  for (int i = 0; i < x->rows; i++)
    for (int j = 0; j < x->cols; j++) {
      add(t, "RW%c_%d_%d ", sign, i, j);
      if (j % tile_cols == 0)
        add_word_end(t, x, sign, i);
      else
        add_word_node(t, x, sign, i, j - 1);
      add_word_node(t, x, sign, i, j);
      add(t, "{r_word}\n");
    }
}

/* RB<sign>_<i>_<j>: the segment below device (i, j). */
static void add_bit_wires(mho_spice_text *t, const mho_netlist_crossbar *x, const mho_bank *role) {
  int tile_rows = mho__netlist_tile_rows(x);
  char sign = role->letter;
  add(t, "\n* bit lines of the %s devices\n", role->title);

  for (int i = 0; i < x->rows; i++)
    for (int j = 0; j < x->cols; j++) {
      add(t, "RB%c_%d_%d ", sign, i, j);
      add_bit_node(t, x, sign, i, j);
      if ((i + 1) % tile_rows == 0 || i == x->rows - 1)
        add_bit_end(t, x, sign, j);
      else
        add_bit_node(t, x, sign, i + 1, j);
      add(t, "{r_bit}\n");
    }
}

/* RWE<sign>_<i>, RBE<sign>_<j>: what drives or senses a line. */
static void add_ends(mho_spice_text *t, const mho_netlist_crossbar *x, const mho_bank *role) {
  char sign = role->letter;

  if (x->word_end > 0)
    for (int i = 0; i < x->rows; i++) {
      add(t, "RWE%c_%d ", sign, i);
      add_word_source(t, x, sign, i);
      add_word_end(t, x, sign, i);
      add(t, "{word_end}\n");
    }

  if (x->bit_end > 0)
    for (int j = 0; j < x->cols; j++) {
      add(t, "RBE%c_%d ", sign, j);
      add_bit_end(t, x, sign, j);
      add_bit_source(t, x, sign, j);
      add(t, "{bit_end}\n");
    }
}

static void add_wires(mho_spice_text *t, const mho_netlist_crossbar *x, int bank) {
  add_ends(t, x, mho__netlist_role(x, bank));
  if (x->r_word > 0)
    add_word_wires(t, x, mho__netlist_role(x, bank));
  if (x->r_bit > 0)
    add_bit_wires(t, x, mho__netlist_role(x, bank));
}

/* ---------------------------------------------------------------- outputs, and all of it */

static double largest_expected(const mho_netlist_crossbar *x) {
  double largest = 0;
  if (!x->expected)
    return 0;

  for (int k = 0; k < mho__netlist_sensed(x); k++)
    largest = fmax(largest, fabs(x->expected[k]));
  return largest;
}

/* 0 V sources: they hold the line at ground and ngspice gives the current through them. */
static void add_outputs(mho_spice_text *t, const mho_netlist_crossbar *x) {
  double margin = x->tolerance * largest_expected(x);

  add(t, "\n* virtual grounds, 0 V sources that sense the current into them (A)%s\n",
      x->expected ? "; what mho expects of them" : "");
  if (x->save_nodes)
    add(t, ".save all\n");

  for (int k = 0; k < mho__netlist_sensed(x); k++) {
    if (x->expected)
      mho__netlist_expect(t, "out", k, x->expected[k], margin, "A");
    for (int b = 0; b < x->n_banks; b++) {
      char sign = mho__netlist_role(x, b)->letter;
      add(t, "V%c%d %c%d 0 0\n", sign, k, sign, k);
    }

    if (x->external) /* the netlist around it says what is saved */
      continue;
    add(t, ".save");
    for (int b = 0; b < x->n_banks; b++)
      add(t, " i(V%c%d)", mho__netlist_role(x, b)->letter, k);
    add(t, "\n");
  }
}

/* With "quit", because `ngspice -b` otherwise ends in exit code 1 for want of a .print line. */
static void add_control(mho_spice_text *t, const mho_netlist_crossbar *x) {
  add(t, "\n.control\nset numdgt=15\nop\n");
  for (int k = 0; k < mho__netlist_sensed(x); k++) {
    add(t, "let out%d = ", k);
    add_currents(t, x, k);
    add(t, "\nprint out%d\n", k);
  }
  add(t, "quit\n.endc\n");
}

static void add_body(mho_spice_text *t, const mho_netlist_crossbar *x) {
  if (x->iv)
    add_cell(t, x);
  add_inputs(t, x);
  for (int k = 0; k < x->n_banks; k++) {
    add_devices(t, x, k);
    add_wires(t, x, k);
  }
  add_outputs(t, x);
}

mho_err mho__netlist_crossbar_body(mho_spice_text *t, const mho_netlist_crossbar *x,
                                   mho_errinfo *ei) {
  mho_err err = check(x, ei);
  if (!err)
    add_body(t, x);
  return err;
}

mho_err mho_netlist_crossbar_write(const mho_netlist_crossbar *x, char **out, mho_errinfo *ei) {
  mho_spice_text t = {0};
  *out = NULL;
  mho_err err = check(x, ei);
  if (err)
    return err;

  mho__netlist_title(&t, x->title ? x->title : "crossbar read");
  add_head(&t, x);
  add_body(&t, x);
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

mho_err mho_netlist_crossbar_wires(mho_netlist_crossbar *netlist, const mho_crossbar *x,
                                   const mho_array_config *wires, mho_errinfo *ei) {
  netlist->iv = mho_crossbar_law(x);

  if (!mho__crossbar_is_wired(x))
    return MHO_OK;

  if (wires->wire_negative != MHO_WIRE_NEGATIVE_OWN)
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "array.wire.negative: G- in the next column has no netlist; "
                    "add --set array.wire.negative=own");

  netlist->r_word = wires->r_word;
  netlist->r_bit = wires->r_bit;
  for (int i = 0; i < mho_min(2, wires->wire_tile.n); i++)
    netlist->tile[i] = wires->wire_tile.v[i];
  return MHO_OK;
}
