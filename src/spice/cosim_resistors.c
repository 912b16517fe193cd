/* cosim_resistors.c - a network of resistors settled by the core and by ngspice, and how far apart
 * they are.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "mho/model/circuit.h"
#include "mho/model/settle.h"
#include "mho/spice.h"
#include "spice/cosim_layers.h"
#include "spice/netlist_resistors.h"

enum { CORE, OP, SOLVERS };               /* who settled */
enum { FREE, NUDGED, CHANGED, STATES };   /* phases, and their difference */
enum { SWEEPS = 3000, PARAMETERS = 512 }; /* enough for rounding to be all that is left */

static int outputs_of(const mho_network *net) {
  return mho_hidden_end(net) - 1;
}

static size_t size_of(const mho_cosim_network_options *o, int l) {
  return (size_t)o->samples * (size_t)o->net->layer[l].n;
}

/* ---------------------------------------------------------------- the core */

typedef struct core_net {
  mho_state *state[2];
  mho_real *error, *scratch;
  mho_balance *balance;
  _Alignas(16) unsigned char params[PARAMETERS];
} core_net;

static void core_free(core_net *c) {
  mho_state_free(c->state[FREE]);
  mho_state_free(c->state[NUDGED]);
  mho_free(c->error);
  mho_free(c->scratch);
  mho_free(c->balance);
}

static mho_err core_new(const mho_cosim_network_options *o, core_net *c, mho_errinfo *ei) {
  const mho_network *net = o->net;
  mho_params table = o->settler->entry.params;
  char sweeps[16];
  *c = (core_net){0};
  snprintf(sweeps, sizeof sweeps, "%d", SWEEPS);

  c->error = mho_alloc(size_of(o, mho_network_output(net)), sizeof *c->error);
  c->scratch = mho_alloc(mho_settle_scratch(net, o->samples), sizeof *c->scratch);
  c->balance = mho_alloc((size_t)o->samples, sizeof *c->balance);
  if (!c->error || !c->scratch || !c->balance)
    return mho_fail(ei, MHO_ENOMEM, "no memory to settle %d samples", o->samples);

  mho_params_init(table, c->params);
  mho_err err = mho_param_parse(mho_params_find(table, "free"), sweeps, true, c->params, ei);
  if (!err)
    err = mho_param_parse(mho_params_find(table, "nudged"), sweeps, true, c->params, ei);
  if (!err)
    err = mho_state_new(net, o->samples, MHO_STATE_INPUT, &c->state[FREE], ei);
  if (!err)
    err = mho_state_new(net, o->samples, 0, &c->state[NUDGED], ei);
  return err;
}

static void take(const mho_cosim_network_options *o, const mho_state *from, double *const *to) {
  for (int l = 1; l <= outputs_of(o->net); l++)
    for (size_t i = 0; i < size_of(o, l); i++)
      to[l][i] = (double)from->z[l][i];
}

static void settle_core(const mho_cosim_network_options *o, core_net *c, double *const *free,
                        double *const *nudged, double *power) {
  mho_settle_stats stats = {0};
  double loss = 0;
  int64_t correct = 0;
  mho_thread thread = {.settler = o->settler, .params = c->params, .scratch = c->scratch};
  mho_phase p = {.net = o->net,
                 .dyn = o->dynamics,
                 .s = c->state[FREE],
                 .n = o->samples,
                 .drive = {.targets = o->targets},
                 .thread = &thread};

  memcpy(c->state[FREE]->z[0], o->x, size_of(o, 0) * sizeof(mho_real));
  mho_settle(&p, &stats);
  mho_read_out(&p, c->error, &loss, &correct, &stats);
  o->dynamics->balance(&p, c->balance, &stats);
  take(o, c->state[FREE], free);
  for (int s = 0; power && s < o->samples; s++)
    power[s] = c->balance[s].supplied;

  p.s = c->state[NUDGED];
  p.start = c->state[FREE];
  p.number = 1;
  p.drive = (mho_drive){.kind = o->by_current ? MHO_DRIVE_HELD : MHO_DRIVE_LIVE,
                        .strength = o->nudge,
                        .error = c->error,
                        .targets = o->targets,
                        .free = c->state[FREE]};
  mho_settle(&p, &stats);
  take(o, c->state[NUDGED], nudged);
}

mho_err mho_cosim_resistors_core(const mho_cosim_network_options *o, double *const *free,
                                 double *const *nudged, double *power, mho_errinfo *ei) {
  core_net c = {0};
  mho_err err = mho_netlist_resistors_check(o->net, ei);
  if (!err)
    err = core_new(o, &c, ei);
  if (!err)
    settle_core(o, &c, free, nudged, power);
  core_free(&c);
  return err;
}

/* ---------------------------------------------------------------- ngspice */

typedef struct bench {
  const mho_cosim_network_options *o;
  double **v[SOLVERS][STATES]; /* [n_layers] of [samples x n] */
  double *power[SOLVERS];      /* [samples] */
  double *x, *target;          /* of a sample */
  double seconds[SOLVERS];     /* of both phases, without reading a netlist */
  mho_cosim_result result;
  void *user;
} bench;

static void bench_free(bench *b) {
  for (int s = 0; s < SOLVERS; s++) {
    for (int p = 0; p < STATES; p++)
      mho__cosim_layers_free(b->o->net, b->v[s][p]);
    mho_free(b->power[s]);
  }
  mho_free(b->x);
  mho_free(b->target);
}

static mho_err bench_new(bench *b, mho_errinfo *ei) {
  const mho_network *net = b->o->net;
  b->x = mho_alloc((size_t)net->layer[0].n, sizeof *b->x);
  b->target = mho_alloc((size_t)mho_network_classes(net), sizeof *b->target);
  bool ok = b->x && b->target;

  for (int s = 0; s < SOLVERS; s++) {
    b->power[s] = mho_alloc((size_t)b->o->samples, sizeof *b->power[s]);
    ok = ok && b->power[s];
    for (int p = 0; p < STATES; p++) {
      b->v[s][p] = mho__cosim_layers_new(net, b->o->samples);
      ok = ok && b->v[s][p];
    }
  }
  return ok ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory to compare %d samples", b->o->samples);
}

/* Run .op and take the voltages of sample s, in units of the network. */
static mho_err find_voltages(bench *b, mho_spice *spice, int s, int phase, double volts,
                             mho_errinfo *ei) {
  const mho_network *net = b->o->net;
  mho_err err = mho_spice_run(spice, "op", ei);

  for (int l = 1; !err && l <= outputs_of(net); l++) {
    double *to = b->v[OP][phase][l] + (size_t)s * (size_t)net->layer[l].n;
    for (int j = 0; !err && j < net->layer[l].n; j++) {
      char name[48];
      snprintf(name, sizeof name, "v(v_%s_%d)", net->layer[l].name, j);
      err = mho_spice_last(spice, name, &to[j], ei);
      to[j] /= volts;
    }
  }
  return err;
}

/* What the sources of thresholds supply to layer l, and amplifiers whose gains are x and y times
 * those of all, (x - y)/y times what they draw from their nodes; in units of the network. */
static mho_err find_power_of_circuits(bench *b, mho_spice *spice, int s, int l,
                                      const mho_resistor_units *unit, double *power,
                                      mho_errinfo *ei) {
  const mho_network *net = b->o->net;
  const mho_real *thresholds = mho_resistive_thresholds(net, l);
  const mho_real *gains = mho_resistive_gains(net, l);
  const mho_real *currents = mho_resistive_currents(net, l);
  const double *v = b->v[OP][FREE][l] + (size_t)s * (size_t)net->layer[l].n;
  mho_err err = MHO_OK;
  *power = 0;

  for (int j = 0; !err && j < net->layer[l].n; j++) {
    char name[48];
    double taken = 0, drawn = 0;
    mho_node_circuit c = mho_resistive_node(net, l, j);
    snprintf(name, sizeof name, "i(vt_%s_%d)", net->layer[l].name, j);
    if (thresholds)
      err = mho_spice_last(spice, name, &taken, ei);
    snprintf(name, sizeof name, "i(vm_%s_%d)", net->layer[l].name, j);
    if (!err && (gains || currents))
      err = mho_spice_last(spice, name, &drawn, ei);
    if (thresholds)
      *power -= c.threshold * taken / unit->amperes;
    if (gains || currents)
      *power += (c.gain - c.current) * v[j] * net->resistive->current * drawn / unit->amperes;
  }
  return err;
}

/* What the sources of the inputs and the biases supply in the free phase. */
static mho_err find_power(bench *b, mho_spice *spice, int s, const mho_resistor_units *unit,
                          mho_errinfo *ei) {
  const mho_network *net = b->o->net;
  const mho_resistive_config *own = net->resistive;
  double power = 0, weight = 1;

  for (int i = 0; i < net->layer[0].n; i++) {
    char name[32];
    double current;
    snprintf(name, sizeof name, "i(vx_%d)", i);
    mho_err err = mho_spice_last(spice, name, &current, ei);
    if (err)
      return err;
    power -= b->x[i] * current / unit->amperes; /* a source takes the current that it counts */
  }

  for (int l = 1; l <= outputs_of(net); l++) {
    const mho_connection *k = &net->connection[net->link[net->layer[l].forward].connection];
    const mho_real *bias = mho_crossbar_matrix(k->xb) + (k->xb->rows - 1) * k->xb->cols;
    const double *v = b->v[OP][FREE][l] + (size_t)s * (size_t)net->layer[l].n;
    for (int j = 0; k->bias && j < net->layer[l].n; j++)
      power += weight * (double)bias[j % k->xb->cols] * v[j];

    double circuits;
    mho_err err = find_power_of_circuits(b, spice, s, l, unit, &circuits, ei);
    if (err)
      return err;
    power += weight * circuits;
    weight *= own->current / own->voltage;
  }
  b->power[OP][s] = power;
  return MHO_OK;
}

static mho_err switch_nudge_on(mho_spice *spice, const mho_netlist_resistors *x, mho_errinfo *ei) {
  for (int k = 0; k < mho_network_classes(x->net); k++) {
    mho_resistor_alter a = mho__resistor_nudge(x, k);
    mho_err err = mho_spice_alter(spice, a.device, a.parameter, a.value, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* Both phases of sample s. A nudge by current is that of ngspice's own free phase. */
static mho_err settle_sample(bench *b, mho_spice *spice, int s, mho_errinfo *ei) {
  const mho_network *net = b->o->net;
  int outputs = mho_network_classes(net);
  size_t inputs = (size_t)net->layer[0].n;
  const double *free[MHO_LAYERS_MAX] = {NULL};
  mho_resistor_units unit = mho__resistor_units(net, b->o->device);
  char *text;

  for (size_t i = 0; i < inputs; i++)
    b->x[i] = (double)b->o->x[(size_t)s * inputs + i];
  for (int k = 0; k < outputs; k++)
    b->target[k] = (double)mho_target(&b->o->targets, outputs, s, k);
  for (int l = 1; l <= outputs_of(net); l++)
    free[l] = b->v[OP][FREE][l] + (size_t)s * (size_t)net->layer[l].n;

  mho_netlist_resistors x = {.net = net,
                             .device = b->o->device,
                             .x = b->x,
                             .target = b->target,
                             .nudge = b->o->nudge,
                             .by_current = b->o->by_current};
  mho_err err = mho_netlist_resistors_write(&x, &text, ei);
  if (err)
    return err;

  x.free = free;
  err = mho_spice_load(spice, text, ei);
  mho_free(text);

  double start = mho_seconds();
  if (!err)
    err = find_voltages(b, spice, s, FREE, unit.volts, ei);
  if (!err)
    err = find_power(b, spice, s, &unit, ei);
  if (!err)
    err = switch_nudge_on(spice, &x, ei);
  if (!err)
    err = find_voltages(b, spice, s, NUDGED, unit.volts, ei);
  b->seconds[OP] += mho_seconds() - start;
  return err;
}

/* ---------------------------------------------------------------- the comparison */

static double tolerance_of(const bench *b) {
  double own = sizeof(mho_real) == 8 ? 1e-6 : 1e-5;
  return b->o->tolerance > 0 ? b->o->tolerance : own;
}

static void report(const bench *b, const char *quantity, const char *layer, int64_t n,
                   const double *core, const double *spice) {
  char place[MHO_PLACE_MAX];
  mho_cosim_row row = {.what = "network",
                       .quantity = quantity,
                       .unit = "1",
                       .place = place,
                       .tolerance = tolerance_of(b),
                       .core_s = b->seconds[CORE],
                       .spice_s = b->seconds[OP]};
  int worst = mho_cosim_compare((int)n, core, spice, 1, &row);
  row.pass = row.max_rel <= row.tolerance;
  snprintf(place, sizeof place, "sample %d %s[%d]", worst / (int)(n / b->o->samples), layer,
           worst % (int)(n / b->o->samples));
  b->result(b->user, &row, core, spice);
}

/* What the nudge changes: of single precision too little is left to compare. */
static void find_changes(bench *b) {
  for (int s = 0; s < SOLVERS; s++)
    for (int l = 1; l <= outputs_of(b->o->net); l++)
      for (size_t i = 0; i < size_of(b->o, l); i++)
        b->v[s][CHANGED][l][i] = b->v[s][NUDGED][l][i] - b->v[s][FREE][l][i];
}

static void compare(bench *b) {
  static const char *const names[] = {"free", "nudged", "change of"};
  const mho_network *net = b->o->net;
  int states = sizeof(mho_real) == 8 ? STATES : CHANGED;
  find_changes(b);

  for (int p = 0; p < states; p++)
    for (int l = 1; l <= outputs_of(net); l++) {
      char quantity[64];
      snprintf(quantity, sizeof quantity, "%s voltages %s, .op", names[p], net->layer[l].name);
      report(b, quantity, net->layer[l].name, (int64_t)size_of(b->o, l), b->v[CORE][p][l],
             b->v[OP][p][l]);
    }
  report(b, "power of the sources, .op", "power", b->o->samples, b->power[CORE], b->power[OP]);
}

mho_err mho_cosim_resistors(mho_spice *s, const mho_cosim_network_options *o,
                            mho_cosim_result result, void *user, mho_errinfo *ei) {
  bench b = {.o = o, .result = result, .user = user};
  mho_err err = bench_new(&b, ei);

  double start = mho_seconds();
  if (!err)
    err = mho_cosim_resistors_core(o, b.v[CORE][FREE], b.v[CORE][NUDGED], b.power[CORE], ei);
  b.seconds[CORE] = mho_seconds() - start;

  for (int i = 0; !err && i < o->samples; i++)
    err = settle_sample(&b, s, i, ei);
  if (!err)
    compare(&b);
  bench_free(&b);
  return err;
}
