/* array.c - crossbars read by ngspice: for small arrays, wires and tiles included.
 *
 * The ngspice library holds one circuit a process, so all crossbars that are read this way stand in one netlist, each in
 * a subcircuit for every direction it is read in: that of mho netlist, with devices as resistors, wires as segments,
 * outputs at virtual ground. Inputs are external sources, and conductances are altered where they have changed, so that
 * the netlist is loaded once.
 *
 *   y = keep y + scale I/(g_unit V), I = sum over the lines of (G+ - G-) times V x, as far as wires let it
 *
 * `reads: each` solves the circuit for every vector that is read. `reads: matrix` solves it once for every line after
 * each programming, in all crossbars at once, and multiplies: the devices are linear, so the answers are the same.
 * A read that ngspice fails in becomes NaN: never silently used, it makes the loss infinite and ends the training.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mho/array.h"
#include "mho/num.h"
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
  bool wanted;      /* it stands in the circuit, or will when it is loaded next */
  bool fresh;       /* matrix is of the present conductances */
  double *in;       /* [inputs] V */
  mho_real *matrix; /* [inputs x outputs] */
} reading;

typedef struct crossbar {
  const mho_crossbar *x;
  const mho_device_config *device;
  mho_array_config wires;
  double *g, *then, g_unit; /* [2 x cells] S, G+ then G-: as they are, and in the circuit */
  bool changed;             /* since g was found */
  reading way[2];           /* forward, transposed */
  int number;               /* of its subcircuits */
  struct crossbar *next;
} crossbar;

/* As much state outside of a call as the library forces on us. */
static struct {
  mho_spice_kept kept;
  crossbar *first;
  int made;
} the = {.kept.lock = PTHREAD_MUTEX_INITIALIZER};

static int n_in(const mho_crossbar *x, int transposed) {
  return transposed ? x->cols : x->rows;
}
static int n_out(const mho_crossbar *x, int transposed) {
  return transposed ? x->rows : x->cols;
}
static size_t cells_of(const mho_crossbar *x) {
  return (size_t)x->rows * (size_t)x->cols;
}

/* ---------------------------------------------------------------- the circuit */

/* Names as ngspice has them: v.xa<number>f.vin<i>, "b" when it is read backwards. */
static double supply(void *user, const char *name, double t) {
  char *end;
  long number = strtol(name + 4, &end, 10);
  for (const crossbar *c = the.first; c; c = c->next)
    if (c->number == number)
      return c->way[*end == 'b'].in[atoi(end + 5)];
  return NAN;
}

static mho_netlist_crossbar circuit_of(const crossbar *c, int transposed) {
  return (mho_netlist_crossbar){
      .rows = c->x->rows,
      .cols = c->x->cols,
      .g_pos = c->g,
      .g_neg = c->g + cells_of(c->x),
      .v_in = c->way[transposed].in,
      .transposed = transposed,
      .r_word = c->wires.r_word,
      .r_bit = c->wires.r_bit,
      .tile = {c->wires.wire_tile.v[0], c->wires.wire_tile.v[c->wires.wire_tile.n - 1]},
      .external = true};
}

static mho_err load(mho_errinfo *ei) {
  mho_spice_text t = {0};
  mho_err err = mho_spice_keep(&the.kept, ei);
  if (err)
    return err;
  mho_spice_sources(the.kept.session, supply, NULL);
  mho_netlist_title(&t, "crossbars");
  for (crossbar *c = the.first; c && !err; c = c->next)
    for (int back = 0; back < 2 && !err; back++) {
      if (!c->way[back].wanted)
        continue;
      mho_netlist_crossbar x = circuit_of(c, back);
      char name = back ? 'b' : 'f';
      mho_spice_text_add(&t, ".subckt a%d%c ground\n", c->number, name);
      err = mho_netlist_crossbar_body(&t, &x, ei);
      mho_spice_text_add(&t, ".ends a%d%c\nXa%d%c 0 a%d%c\n", c->number, name, c->number, name,
                         c->number, name);
      for (int k = 0; k < n_out(c->x, back); k++)
        mho_spice_text_add(&t, ".save i(v.xa%d%c.vp%d) i(v.xa%d%c.vn%d)\n", c->number, name, k,
                           c->number, name, k);
      memcpy(c->then, c->g, 2 * cells_of(c->x) * sizeof *c->g);
    }
  if (!err && t.failed)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the netlist of the crossbars");
  if (!err)
    err = mho_spice_load(the.kept.session, t.p, ei);
  mho_free(t.p);
  return err;
}

/* The circuit's devices as the crossbar's are now. */
static mho_err alter(crossbar *c, mho_errinfo *ei) {
  size_t n = cells_of(c->x), cols = (size_t)c->x->cols;
  for (size_t at = 0; at < 2 * n; at++) {
    if (c->g[at] == c->then[at])
      continue;
    for (int back = 0; back < 2; back++) {
      char name[64];
      if (!c->way[back].wanted)
        continue;
      snprintf(name, sizeof name, "r.xa%d%c.r%c_%zu_%zu", c->number, back ? 'b' : 'f',
               at < n ? 'p' : 'n', at % n / cols, at % cols);
      mho_err err =
          mho_spice_alter(the.kept.session, name, "resistance", mho_netlist_ohm(c->g[at]), ei);
      if (err)
        return err;
    }
    c->then[at] = c->g[at];
  }
  return MHO_OK;
}

/* The circuit of all crossbars, with the conductances that they have now. */
static mho_err prepare(mho_errinfo *ei) {
  for (crossbar *c = the.first; c; c = c->next)
    if (c->changed) {
      mho_crossbar_siemens(c->x, c->device, c->g, c->g + cells_of(c->x), &c->g_unit);
      c->changed = c->way[0].fresh = c->way[1].fresh = false;
    }
  if (!the.kept.session)
    return load(ei);
  mho_err err = MHO_OK;
  for (crossbar *c = the.first; c && !err; c = c->next)
    err = alter(c, ei);
  return err;
}

/* ---------------------------------------------------------------- reading */

/* What the circuit gives at the sense lines, as sums of the weights' unit; `unit` V drive a line of activity 1. */
static mho_err outputs(const crossbar *c, int back, double unit, mho_real *out, mho_errinfo *ei) {
  mho_err err = MHO_OK;
  for (int k = 0; k < n_out(c->x, back) && !err; k++) {
    char name[48];
    double current[2] = {0, 0};
    for (int sign = 0; sign < 2 && !err; sign++) {
      snprintf(name, sizeof name, "i(v.xa%d%c.v%c%d)", c->number, back ? 'b' : 'f',
               sign ? 'n' : 'p', k);
      err = mho_spice_last(the.kept.session, name, &current[sign], ei);
    }
    out[k] = (mho_real)((current[0] - current[1]) / (c->g_unit * unit));
  }
  return err;
}

/* Line by line, in all crossbars and directions at once. */
static mho_err find_matrices(mho_errinfo *ei) {
  int most = 0;
  for (const crossbar *c = the.first; c; c = c->next)
    for (int back = 0; back < 2; back++) {
      memset(c->way[back].in, 0, (size_t)n_in(c->x, back) * sizeof(double));
      if (c->way[back].wanted && !c->way[back].fresh && n_in(c->x, back) > most)
        most = n_in(c->x, back);
    }
  mho_err err = MHO_OK;
  for (int i = 0; i < most && !err; i++) {
    for (const crossbar *c = the.first; c; c = c->next)
      for (int back = 0; back < 2; back++) {
        int n = n_in(c->x, back);
        if (i > 0 && i <= n)
          c->way[back].in[i - 1] = 0;
        if (i < n)
          c->way[back].in[i] = c->wires.read_voltage;
      }
    err = mho_spice_run(the.kept.session, "op", ei);
    for (const crossbar *c = the.first; c && !err; c = c->next)
      for (int back = 0; back < 2 && !err; back++)
        if (c->way[back].wanted && !c->way[back].fresh && i < n_in(c->x, back))
          err = outputs(c, back, c->wires.read_voltage,
                        c->way[back].matrix + (size_t)i * (size_t)n_out(c->x, back), ei);
  }
  for (crossbar *c = the.first; c && !err; c = c->next)
    for (int back = 0; back < 2; back++)
      c->way[back].fresh = c->way[back].wanted;
  return err;
}

static mho_err read_each(crossbar *c, const mho_read *r, mho_errinfo *ei) {
  int back = r->transposed, in = n_in(c->x, back), out = n_out(c->x, back);
  mho_err err = MHO_OK;
  for (int s = 0; s < r->n && !err; s++) {
    mho_real *y = r->y + (size_t)s * (size_t)out, *found = c->way[back].matrix; /* room for one */
    for (int i = 0; i < in; i++)
      c->way[back].in[i] = c->wires.read_voltage * (double)r->x[(size_t)s * (size_t)in + (size_t)i];
    err = mho_spice_run(the.kept.session, "op", ei);
    if (!err)
      err = outputs(c, back, c->wires.read_voltage, found, ei);
    for (int k = 0; k < out && !err; k++)
      y[k] = (r->keep != 0 ? r->keep * y[k] : 0) + r->scale * found[k];
  }
  return err;
}

static void read_lines(const mho_crossbar *x, const mho_read *r) {
  crossbar *c = x->own;
  const spice_array *p = x->params;
  int back = r->transposed, in = n_in(x, back), out = n_out(x, back);
  mho_errinfo ei;
  pthread_mutex_lock(&the.kept.lock);
  if (!c->way[back].wanted) { /* the circuit needs it */
    c->way[back].wanted = true;
    mho_spice_drop(&the.kept);
  }
  mho_err err =
      p->reads == READ_MATRIX && c->way[back].fresh && !c->changed ? MHO_OK : prepare(&ei);
  if (!err && p->reads == READ_EACH)
    err = read_each(c, r, &ei);
  else if (!err && !c->way[back].fresh)
    err = find_matrices(&ei);
  if (!err && p->reads == READ_MATRIX)
    mho_gemm(false, false, r->n, out, in, r->scale, r->x, in, c->way[back].matrix, out, r->keep,
             r->y, out);
  if (err) {
    mho_spice_drop(&the.kept);
    for (size_t i = 0; i < (size_t)r->n * (size_t)out; i++)
      r->y[i] = (mho_real)NAN;
  }
  pthread_mutex_unlock(&the.kept.lock);
}

/* ---------------------------------------------------------------- a crossbar comes and goes */

static void detach(mho_crossbar *x) {
  crossbar *c = x->own;
  if (!c)
    return;
  pthread_mutex_lock(&the.kept.lock);
  for (crossbar **p = &the.first; *p; p = &(*p)->next)
    if (*p == c) {
      *p = c->next;
      mho_spice_drop(&the.kept);
      break;
    }
  pthread_mutex_unlock(&the.kept.lock);
  for (int back = 0; back < 2; back++) {
    mho_free(c->way[back].in);
    mho_free(c->way[back].matrix);
  }
  mho_free(c->g);
  mho_free(c->then);
  mho_free(c);
  x->own = NULL;
}

static mho_err check_supported(const crossbar *c, mho_errinfo *ei) {
  if (c->device->iv.law != MHO_IV_OHMIC)
    return mho_fail(
        ei, MHO_EUNSUPPORTED,
        "array spice: its devices are resistors; use array periphery for device.iv.law");
  if (c->wires.wire_negative != MHO_WIRE_NEGATIVE_OWN)
    return mho_fail(
        ei, MHO_EUNSUPPORTED,
        "array spice: G- in the next column has no netlist; set array.wire.negative to own");
  mho_spice *s; /* say at once when there is none */
  pthread_mutex_lock(&the.kept.lock);
  mho_err err = the.kept.session ? MHO_OK : mho_spice_open(&s, ei);
  if (!err && !the.kept.session)
    mho_spice_close(s);
  pthread_mutex_unlock(&the.kept.lock);
  return err;
}

static mho_err attach(mho_crossbar *x, const mho_crossbar_options *o, mho_errinfo *ei) {
  crossbar *c = x->own = mho_alloc(1, sizeof *c);
  size_t n = cells_of(x), lines = (size_t)(x->rows > x->cols ? x->rows : x->cols);
  bool ok =
      c && (c->g = mho_alloc(2 * n, sizeof *c->g)) && (c->then = mho_alloc(2 * n, sizeof *c->then));
  for (int back = 0; back < 2 && ok; back++)
    ok = (c->way[back].in = mho_alloc(lines, sizeof(double))) &&
         (c->way[back].matrix = mho_alloc(n, sizeof(mho_real)));
  if (!ok)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the circuit of a crossbar of %d x %d", x->rows,
                    x->cols);
  mho_params_init(mho_array_params, &c->wires);
  if (o->array_config)
    c->wires = *o->array_config;
  c->x = x;
  c->device = o->device_config;
  c->changed = true;
  mho_err err = check_supported(c, ei);
  if (err)
    return err;
  pthread_mutex_lock(&the.kept.lock);
  c->number = the.made++;
  c->next = the.first;
  the.first = c;
  pthread_mutex_unlock(&the.kept.lock);
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
