/* spice_array.c - crossbars read by ngspice: for small arrays, wires and tiles included.
 *
 * The ngspice library holds one circuit a process, so all crossbars that are read this way stand in
 * one netlist, each in a subcircuit for every direction it is read in: that of mho netlist, with
 * devices as resistors, wires as segments, outputs at virtual ground. Inputs are external sources,
 * and conductances are altered where they have changed, so that the netlist is loaded once.
 *
 *   y = keep y + scale I/(g_unit V), I = sum over the lines of (G+ - G-) times V x, or of whatever
 *   banks the mapping has, as far as wires let it
 *
 * `reads: each` solves the circuit for every vector that is read. `reads: matrix` solves it once
 * for every line after each programming, in all crossbars at once, and multiplies: the devices are
 * linear, so the answers are the same. A read that ngspice fails in becomes NaN: never silently
 * used, it makes the loss infinite and ends the training.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mho/model/array.h"
#include "mho/model/circuit.h"
#include "mho/model/num.h"
#include "spice/netlist_crossbar.h"
#include "spice/session.h"

typedef struct spice_array {
  int reads;
} spice_array;

enum { READ_MATRIX, READ_EACH };

static const mho_param table[] = {
    MHO_P_CHOICE(spice_array, reads, "reads", "matrix|each", READ_MATRIX,
                 "ngspice reads every line once after each programming, or every vector anew"),
};

/* One direction of a crossbar. */
typedef struct reading {
  bool wanted;      /* it is in the circuit, or will be when that is loaded next */
  bool fresh;       /* matrix is of the present conductances */
  double *in;       /* [inputs] V */
  mho_real *matrix; /* [inputs x outputs] */
} reading;

typedef struct crossbar {
  const mho_crossbar *x;
  const mho_device_config *device;
  mho_array_config wires;
  double *g, *then, g_unit; /* [banks x cells] S: as they are, and in the circuit */
  bool changed;             /* since g was found */
  reading way[2];           /* forward, transposed */
  int number;               /* of its subcircuits */
  struct crossbar *next;
} crossbar;

/* The ngspice library holds one circuit a process, and so the crossbars that stand in it are known
 * outside of a call. */
static struct {
  mho_spice_lease lease;
  crossbar *first;
  int made;
} shared = {.lease.lock = PTHREAD_MUTEX_INITIALIZER};

static int n_in(const mho_crossbar *x, int transposed) {
  return transposed ? x->cols : x->rows;
}
static int n_out(const mho_crossbar *x, int transposed) {
  return transposed ? x->rows : x->cols;
}

/* Letter of a direction in the names of subcircuits: forward, back. */
static char letter_of(int transposed) {
  return transposed ? 'b' : 'f';
}

/* ---------------------------------------------------------------- the circuit */

/* Names as ngspice has them: v.xa<number>f.vin<i>, with "b" for "f" in a transposed read. */
static double supply(void *user, const char *name, double t) {
  char *end;
  long number = strtol(name + 4, &end, 10);
  for (const crossbar *c = shared.first; c; c = c->next)
    if (c->number == number)
      return c->way[*end == 'b'].in[atoi(end + 5)];
  return NAN;
}

/* Devices of all banks. */
static size_t devices_of(const crossbar *c) {
  return (size_t)c->x->n_banks * mho_crossbar_cells(c->x);
}

static mho_netlist_crossbar circuit_of(const crossbar *c, int transposed) {
  mho_netlist_crossbar x = {
      .rows = c->x->rows,
      .cols = c->x->cols,
      .n_banks = c->x->n_banks,
      .role = c->x->role,
      .v_in = c->way[transposed].in,
      .transposed = transposed,
      .r_word = c->wires.r_word,
      .r_bit = c->wires.r_bit,
      .tile = {c->wires.wire_tile.v[0], c->wires.wire_tile.v[c->wires.wire_tile.n - 1]},
      .external = true};

  for (int k = 0; k < c->x->n_banks; k++)
    x.g[k] = c->g + (size_t)k * mho_crossbar_cells(c->x);
  return x;
}

/* One direction of a crossbar: its subcircuit a<number>f or a<number>b, an instance of it, and the
 * currents to save. */
static mho_err add_reading(mho_spice_text *t, const crossbar *c, int transposed, mho_errinfo *ei) {
  mho_netlist_crossbar x = circuit_of(c, transposed);
  char name[32];

  snprintf(name, sizeof name, "a%d%c", c->number, letter_of(transposed));
  mho__spice_text_add(t, ".subckt %s ground\n", name);
  mho_err err = mho__netlist_crossbar_body(t, &x, ei);
  mho__spice_text_add(t, ".ends %s\nX%s 0 %s\n", name, name, name);

  for (int k = 0; k < n_out(c->x, transposed); k++) {
    mho__spice_text_add(t, ".save");
    for (int b = 0; b < x.n_banks; b++)
      mho__spice_text_add(t, " i(v.x%s.v%c%d)", name, x.role[b].letter, k);
    mho__spice_text_add(t, "\n");
  }
  return err;
}

static mho_err add_crossbar(mho_spice_text *t, const crossbar *c, mho_errinfo *ei) {
  for (int transposed = 0; transposed < 2; transposed++) {
    if (!c->way[transposed].wanted)
      continue;
    mho_err err = add_reading(t, c, transposed, ei);
    if (err)
      return err;
    memcpy(c->then, c->g, devices_of(c) * sizeof *c->g);
  }
  return MHO_OK;
}

static mho_err load(mho_errinfo *ei) {
  mho_spice_text t = {0};
  mho_err err = mho__spice_lease_open(&shared.lease, ei);
  if (err)
    return err;

  mho_spice_sources(shared.lease.session, supply, NULL);
  mho__netlist_title(&t, "crossbars");
  for (const crossbar *c = shared.first; c; c = c->next) {
    err = add_crossbar(&t, c, ei);
    if (err)
      break;
  }

  if (!err && t.failed)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the netlist of the crossbars");
  if (!err)
    err = mho_spice_load(shared.lease.session, t.p, ei);
  mho_free(t.p);
  return err;
}

/* The device of a cell in the circuit of every direction: those of one bank after another. */
static mho_err alter_device(const crossbar *c, size_t at, mho_errinfo *ei) {
  size_t n = mho_crossbar_cells(c->x), cols = (size_t)c->x->cols;
  char sign = c->x->role[at / n].letter;

  for (int transposed = 0; transposed < 2; transposed++) {
    char name[64];
    if (!c->way[transposed].wanted)
      continue;

    snprintf(name, sizeof name, "r.xa%d%c.r%c_%zu_%zu", c->number, letter_of(transposed), sign,
             at % n / cols, at % cols);
    mho_err err =
        mho_spice_alter(shared.lease.session, name, "resistance", mho__netlist_ohm(c->g[at]), ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* Give the circuit's devices the conductances that the crossbar has now. */
static mho_err alter_devices(crossbar *c, mho_errinfo *ei) {
  for (size_t at = 0; at < devices_of(c); at++) {
    if (c->g[at] == c->then[at])
      continue;

    mho_err err = alter_device(c, at, ei);
    if (err)
      return err;
    c->then[at] = c->g[at];
  }
  return MHO_OK;
}

/* Bring the circuit of all crossbars up to the conductances that they have now. */
static mho_err prepare(mho_errinfo *ei) {
  for (crossbar *c = shared.first; c; c = c->next) {
    if (!c->changed)
      continue;
    double *g[MHO_BANKS_MAX];
    for (int k = 0; k < c->x->n_banks; k++)
      g[k] = c->g + (size_t)k * mho_crossbar_cells(c->x);
    mho_crossbar_siemens(c->x, c->device, g, &c->g_unit);
    c->changed = c->way[0].fresh = c->way[1].fresh = false;
  }

  if (!shared.lease.session)
    return load(ei);

  for (crossbar *c = shared.first; c; c = c->next) {
    mho_err err = alter_devices(c, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- reading */

/* Read the currents of the sensed lines, as sums of weights, [outputs]. */
static mho_err find_outputs(const crossbar *c, int transposed, mho_real *out, mho_errinfo *ei) {
  for (int k = 0; k < n_out(c->x, transposed); k++) {
    double sum = 0;
    for (int b = 0; b < c->x->n_banks; b++) {
      const mho_bank *role = &c->x->role[b];
      char name[48];
      double current;
      snprintf(name, sizeof name, "i(v.xa%d%c.v%c%d)", c->number, letter_of(transposed),
               role->letter, k);
      mho_err err = mho_spice_last(shared.lease.session, name, &current, ei);
      if (err)
        return err;
      sum += role->gain * current;
    }

    out[k] = (mho_real)(sum / (c->g_unit * c->wires.read_voltage));
  }
  return MHO_OK;
}

static bool is_due(const crossbar *c, int transposed) {
  return c->way[transposed].wanted && !c->way[transposed].fresh;
}

/* Set every input of the circuit to 0 V. @return the most lines that one direction has to be read
 * for. */
static int clear_inputs(void) {
  int most = 0;
  for (const crossbar *c = shared.first; c; c = c->next)
    for (int transposed = 0; transposed < 2; transposed++) {
      int n = n_in(c->x, transposed);
      memset(c->way[transposed].in, 0, (size_t)n * sizeof(double));
      if (is_due(c, transposed))
        most = mho_max(most, n);
    }
  return most;
}

/* Drive line i of every crossbar and direction that has one, and no other. */
static void drive_line(int i) {
  for (const crossbar *c = shared.first; c; c = c->next)
    for (int transposed = 0; transposed < 2; transposed++) {
      int n = n_in(c->x, transposed);
      double *in = c->way[transposed].in;
      if (i > 0 && i <= n)
        in[i - 1] = 0;
      if (i < n)
        in[i] = c->wires.read_voltage;
    }
}

/* Row i of the matrices, from the currents that line i makes. */
static mho_err take_line(int i, mho_errinfo *ei) {
  for (const crossbar *c = shared.first; c; c = c->next)
    for (int transposed = 0; transposed < 2; transposed++) {
      if (!is_due(c, transposed) || i >= n_in(c->x, transposed))
        continue;

      size_t first = (size_t)i * (size_t)n_out(c->x, transposed);
      mho_err err = find_outputs(c, transposed, c->way[transposed].matrix + first, ei);
      if (err)
        return err;
    }
  return MHO_OK;
}

/* Find the matrices line by line, in all crossbars and directions at once. */
static mho_err find_matrices(mho_errinfo *ei) {
  int most = clear_inputs();
  for (int i = 0; i < most; i++) {
    drive_line(i);
    mho_err err = mho_spice_run(shared.lease.session, "op", ei);
    if (!err)
      err = take_line(i, ei);
    if (err)
      return err;
  }

  for (crossbar *c = shared.first; c; c = c->next)
    for (int transposed = 0; transposed < 2; transposed++)
      c->way[transposed].fresh = c->way[transposed].wanted;
  return MHO_OK;
}

static mho_err read_each(crossbar *c, const mho_read *r, mho_errinfo *ei) {
  size_t in = (size_t)n_in(c->x, r->transposed), out = (size_t)n_out(c->x, r->transposed);
  reading *way = &c->way[r->transposed];
  mho_real *found = way->matrix; /* room for one vector of outputs */

  for (size_t s = 0; s < (size_t)r->n; s++) {
    const mho_real *x = r->x + s * in;
    for (size_t i = 0; i < in; i++)
      way->in[i] = c->wires.read_voltage * (double)x[i];

    mho_err err = mho_spice_run(shared.lease.session, "op", ei);
    if (!err)
      err = find_outputs(c, r->transposed, found, ei);
    if (err)
      return err;

    mho_real *y = r->y + s * out;
    for (size_t k = 0; k < out; k++)
      y[k] = (r->keep != 0 ? r->keep * y[k] : 0) + r->scale * found[k];
  }
  return MHO_OK;
}

static mho_err read_matrix(crossbar *c, const mho_read *r, mho_errinfo *ei) {
  int in = n_in(c->x, r->transposed), out = n_out(c->x, r->transposed);
  const reading *way = &c->way[r->transposed];
  mho_err err = MHO_OK;

  if (!way->fresh || c->changed)
    err = prepare(ei);
  if (!err && !way->fresh)
    err = find_matrices(ei);

  if (!err)
    mho_gemm(false, false, r->n, out, in, r->scale, r->x, in, way->matrix, out, r->keep, r->y, out);
  return err;
}

static void read_lines(const mho_crossbar *x, const mho_read *r) {
  crossbar *c = x->own;
  const spice_array *p = x->params;
  mho_errinfo ei;
  pthread_mutex_lock(&shared.lease.lock);

  /* a direction that is new is in the circuit once that is loaded again */
  if (!c->way[r->transposed].wanted) {
    c->way[r->transposed].wanted = true;
    mho__spice_lease_close(&shared.lease);
  }

  mho_err err;
  if (p->reads == READ_MATRIX) {
    err = read_matrix(c, r, &ei);
  } else {
    err = prepare(&ei);
    if (!err)
      err = read_each(c, r, &ei);
  }

  if (err) {
    mho__spice_lease_close(&shared.lease);
    for (size_t i = 0; i < (size_t)r->n * (size_t)n_out(x, r->transposed); i++)
      r->y[i] = (mho_real)NAN;
  }
  pthread_mutex_unlock(&shared.lease.lock);
}

/* ---------------------------------------------------------------- a crossbar comes and goes */

static void crossbar_free(crossbar *c) {
  for (int transposed = 0; transposed < 2; transposed++) {
    mho_free(c->way[transposed].in);
    mho_free(c->way[transposed].matrix);
  }
  mho_free(c->g);
  mho_free(c->then);
  mho_free(c);
}

static void detach(mho_crossbar *x) {
  crossbar *c = x->own;
  if (!c)
    return;

  pthread_mutex_lock(&shared.lease.lock);
  for (crossbar **p = &shared.first; *p; p = &(*p)->next)
    if (*p == c) {
      *p = c->next;
      mho__spice_lease_close(&shared.lease);
      break;
    }
  pthread_mutex_unlock(&shared.lease.lock);

  crossbar_free(c);
  x->own = NULL;
}

/* Refuse what the circuit would leave out; a missing library is reported at once too. */
static mho_err check_supported(const crossbar *c, mho_errinfo *ei) {
  if (c->device->iv.law != MHO_IV_OHMIC)
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "array spice: its devices are resistors; "
                    "use array periphery for device.iv.law");

  if (c->wires.wire_negative != MHO_WIRE_NEGATIVE_OWN)
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "array spice: G- in the next column has no netlist; "
                    "set array.wire.negative to own");
  return mho__spice_lease_check(&shared.lease, ei);
}

static bool allocate(crossbar *c) {
  const mho_crossbar *x = c->x;
  size_t n = mho_crossbar_cells(x), lines = (size_t)mho_max(x->rows, x->cols);
  c->g = mho_alloc(devices_of(c), sizeof *c->g);
  c->then = mho_alloc(devices_of(c), sizeof *c->then);
  bool ok = c->g && c->then;

  for (int transposed = 0; transposed < 2; transposed++) {
    reading *way = &c->way[transposed];
    way->in = mho_alloc(lines, sizeof *way->in);
    way->matrix = mho_alloc(n, sizeof *way->matrix);
    ok = ok && way->in && way->matrix;
  }
  return ok;
}

static mho_err attach(mho_crossbar *x, const mho_crossbar_options *o, mho_errinfo *ei) {
  crossbar *c = mho_alloc(1, sizeof *c);
  x->own = c;
  if (c)
    c->x = x;
  if (!c || !allocate(c))
    return mho_fail(ei, MHO_ENOMEM, "no memory for the circuit of a crossbar of %d x %d", x->rows,
                    x->cols);

  mho_params_init(mho_array_params, &c->wires);
  if (o->array_config)
    c->wires = *o->array_config;
  c->device = o->device_config;
  c->changed = true;

  mho_err err = check_supported(c, ei);
  if (err)
    return err;

  pthread_mutex_lock(&shared.lease.lock);
  c->number = shared.made++;
  c->next = shared.first;
  shared.first = c;
  pthread_mutex_unlock(&shared.lease.lock);
  return MHO_OK;
}

static void refresh(mho_crossbar *x, size_t first, size_t n) {
  crossbar *c = x->own;
  c->changed = true;
}

static bool lossy(const void *params) {
  return true;
}

const mho_array_model mho_array_spice = {
    .entry = {.abi = MHO_ABI,
              .id = "spice",
              .title = "the array's circuit in ngspice, for small arrays: devices, wires, tiles",
              .equation = "Kirchhoff's laws of the netlist; see mho netlist --layer",
              .params = MHO_PARAMS(spice_array, table)},
    .lossy = lossy,
    .attach = attach,
    .detach = detach,
    .refresh = refresh,
    .read = read_lines,
};
