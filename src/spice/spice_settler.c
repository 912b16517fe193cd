/* spice_settler.c - ngspice in the loop: the states of a training come from the network's circuit.
 *
 * The ngspice library holds one circuit a process, so there is one here, for all threads: samples
 * are settled one after another under a lock, each from rest. The circuit stays loaded from batch
 * to batch; inputs and errors are external sources, and before a chunk of samples the resistors of
 * the devices that have been programmed since are altered. Another network replaces it, and so does
 * whoever else opens a session: it is loaded again when it is needed.
 *
 * A network of resistors is a circuit of its own (loaded_resistors.c), whose nudges are part of it.
 *
 * A sample that does not settle is counted as unsettled and its states become NaN: they are never
 * used, since whoever runs a batch asks for the failure after it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "array/weights.h"
#include "mho/model/circuit.h"
#include "mho/model/settle.h"
#include "mho/spice.h"
#include "spice/loaded_resistors.h"
#include "spice/session.h"

typedef struct loop {
  int analysis, inputs;
  double stop;
} loop;

enum { BY_OP, BY_TRAN };
enum { LIVE_MAX = 50 };

static const mho_param table[] = {
    MHO_P_CHOICE(loop, analysis, "analysis", "op|tran", BY_OP,
                 "ngspice's analysis: at once, or in time from rest"),
    MHO_P_CHOICE(
        loop, inputs, "inputs", "full|norton", MHO_NETLIST_FULL,
        "clamped inputs drive their crossbar, or are reduced to the currents that it gives"),
    MHO_P_REAL(loop, stop, "stop", "", 50, 1, 1e6, "length of tran, in time constants of a neuron"),
};

static void closing(void);

/* The ngspice library holds one circuit a process, and so the one that is loaded is known outside
 * of a call. */
static struct {
  mho_spice_lease lease;
  mho_spice_network *circuit;      /* of neurons, ... */
  mho_loaded_resistors *resistors; /* ... or nodes; NULL: another or none is loaded */
  uint64_t structure;              /* of the network it is of */
  mho_err err;                     /* the first since failure() was asked */
  mho_errinfo why;
} shared = {.lease = {.lock = PTHREAD_MUTEX_INITIALIZER, .closing = closing}};

static void closing(void) {
  mho_spice_network_free(shared.circuit);
  mho__loaded_resistors_free(shared.resistors);
  shared.circuit = NULL;
  shared.resistors = NULL;
}

/* ---------------------------------------------------------------- the circuit */

/* FNV-1a: take n bytes into the hash h. */
static uint64_t mix(uint64_t h, const void *data, size_t n) {
  const unsigned char *p = data;
  for (size_t i = 0; i < n; i++)
    h = (h ^ p[i]) * 0x100000001b3u;
  return h;
}

/* The same of what rectifiers, amplifiers and kernels of a network of resistors are. */
static uint64_t mix_resistors(uint64_t h, const mho_network *net) {
  h = mix(h, net->resistive, sizeof *net->resistive);
  for (int l = 1; l < mho_hidden_end(net); l++) {
    const mho_connection *k = &net->connection[net->link[net->layer[l].forward].connection];
    const mho_real *of_nodes[] = {mho_resistive_gains(net, l), mho_resistive_currents(net, l),
                                  mho_resistive_thresholds(net, l)};
    int kernel[] = {k->conv.kernel, k->conv.stride, k->conv.padding, k->bias};
    h = mix(h, kernel, sizeof kernel);
    for (int i = 0; i < MHO_COUNT(of_nodes); i++)
      if (of_nodes[i])
        h = mix(h, of_nodes[i], (size_t)net->layer[l].n * sizeof(mho_real));
  }
  return h;
}

/* A number of everything that is in the netlist but conductances. */
static uint64_t structure_of(const mho_network *net, const loop *p) {
  uint64_t h = mix(0xcbf29ce484222325u, p, sizeof *p);
  if (net->resistive)
    h = mix_resistors(h, net);

  for (int l = 0; l < net->n_layers; l++) {
    h = mix(h, &net->layer[l].n, sizeof net->layer[l].n);
    h = mix(h, &net->layer[l].neuron, sizeof net->layer[l].neuron);
  }

  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    double scale = (double)k->scale;
    int places[] = {k->from, k->to, k->connection, k->transposed};
    h = mix(h, places, sizeof places);
    h = mix(h, &scale, sizeof scale);
  }

  const mho_crossbar *x = net->array.crossbar;
  for (int k = 0; k < x->n_banks; k++) {
    h = mix(h, &x->role[k].letter, 1);
    h = mix(h, &x->role[k].gain, sizeof(double));
  }
  return mix(h, &net->array.read_voltage, sizeof(double));
}

/* Load the circuit of this network, or bring the loaded one up to its conductances. */
static mho_err prepare(const mho_network *net, const loop *p, mho_errinfo *ei) {
  mho_device_config config;
  uint64_t structure = structure_of(net, p);
  mho_params_init(mho_device_params, &config);

  for (int c = 0; c < net->n_connections; c++)
    if (mho_crossbar_has_cells(net->connection[c].xb))
      config = net->connection[c].xb->bank[0]->config;

  bool is_loaded = shared.structure == structure;
  if (is_loaded && shared.circuit)
    return mho_spice_network_rebind(shared.circuit, net, &config, ei);
  if (is_loaded && shared.resistors)
    return mho__loaded_resistors_refresh(shared.resistors, net, ei);

  mho__spice_lease_close(&shared.lease);
  mho_err err = mho__spice_lease_open(&shared.lease, ei);
  if (err)
    return err;

  mho_spice_network_options o = {.net = net,
                                 .device = &config,
                                 .inputs = p->inputs,
                                 .transient = p->analysis == BY_TRAN,
                                 .stop = p->stop * MHO_NETLIST_TAU};
  shared.structure = structure;
  if (net->resistive)
    return mho__loaded_resistors_new(shared.lease.session, net, &config, &shared.resistors, ei);
  return mho_spice_network_new(shared.lease.session, &o, &shared.circuit, ei);
}

/* ---------------------------------------------------------------- samples */

/* Room for one sample: inputs, error, states of all layers. */
typedef struct sample {
  double *x, *error, *z[MHO_LAYERS_MAX];
} sample;

static void sample_free(sample *s) {
  mho_free(s->x);
  mho_free(s->error);
  for (int l = 1; l < MHO_LAYERS_MAX; l++)
    mho_free(s->z[l]);
}

static bool sample_new(const mho_network *net, sample *s) {
  int last = mho_network_output(net);
  s->x = mho_alloc((size_t)net->layer[0].n, sizeof *s->x);
  s->error = mho_alloc((size_t)net->layer[last].n, sizeof *s->error);
  bool ok = s->x && s->error;

  for (int l = 1; l <= last; l++) {
    s->z[l] = mho_alloc((size_t)net->layer[l].n, sizeof *s->z[l]);
    ok = ok && s->z[l];
  }
  return ok;
}

/* Turn the summed inputs of the read-out into the error and take it. @return how far it is from the
 * one before. */
static double update_error(const mho_phase *p, int number, double *sums, double *error) {
  int outputs = mho_network_classes(p->net);
  double change = 0;
  mho_output_error_double(p->net->output, outputs, sums, &p->drive.targets, number, sums);

  for (int k = 0; k < outputs; k++) {
    change = fmax(change, fabs(sums[k] - error[k]));
    error[k] = sums[k];
  }
  return change;
}

/* Take the inputs, and the error that nudges: 0 in the free phase, and where a live one begins. */
static void set_sample(const mho_phase *p, int number, sample *s) {
  int features = p->net->layer[0].n, classes = mho_network_classes(p->net);
  const mho_real *x = mho_phase_input(p)->z[0] + (size_t)number * (size_t)features;
  const mho_real *error = NULL;
  if (p->drive.kind == MHO_DRIVE_HELD)
    error = p->drive.error + (size_t)number * (size_t)classes;

  for (int i = 0; i < features; i++)
    s->x[i] = (double)x[i];
  for (int k = 0; k < classes; k++)
    s->error[k] = error ? (double)error[k] : 0;
}

/* A live error is that of the present states: the sample is settled and its error read, until that
 * stays. Between resistors it is a conductance. */
static mho_err settle_sample(const mho_phase *p, int number, sample *s, double *steps,
                             mho_errinfo *ei) {
  if (shared.resistors) {
    ++*steps;
    return mho__loaded_resistors_settle(shared.resistors, p, number, s->z, ei);
  }

  int last = mho_network_output(p->net);
  bool nudged = mho_phase_is_nudged(p), live = p->drive.kind == MHO_DRIVE_LIVE;
  set_sample(p, number, s);

  for (int round = 0; round < LIVE_MAX; round++) {
    mho_err err = mho_spice_network_settle(shared.circuit, s->x, p->drive.strength,
                                           nudged ? s->error : NULL, s->z, ei);
    ++*steps;
    if (err || !live)
      return err;
    if (update_error(p, number, s->z[last], s->error) < 1e-9)
      return MHO_OK;
  }
  return mho_fail(ei, MHO_ESPICE, "the live error does not settle");
}

/* Keep the first thing that goes wrong, with the lock. @return whether all is well. */
static bool is_well(mho_err err, const mho_errinfo *ei) {
  if (err && !shared.err) {
    shared.err = err;
    shared.why = *ei;
  }
  return !err;
}

static mho_err failure(mho_errinfo *ei) {
  pthread_mutex_lock(&shared.lease.lock);
  mho_err err = shared.err;
  if (err && ei)
    *ei = shared.why;
  shared.err = MHO_OK;
  pthread_mutex_unlock(&shared.lease.lock);
  return err;
}

/* A diode that ngspice lets conduct holds its node a hair beyond the threshold: it is at it. */
static void hold_at_thresholds(const mho_phase *p, int number, const sample *s) {
  mho_phase one = *p;
  one.row0 = number;
  one.n = 1;
  for (int l = 1; p->dyn->activities && l < mho_hidden_end(p->net); l++)
    p->dyn->activities(&one, l, s->z[l], s->z[l]);
}

/* Copy the states of hidden layers into the phase's; s NULL: the sample has not settled. */
static void take_states(const mho_phase *p, int number, const sample *s) {
  const mho_network *net = p->net;
  if (s)
    hold_at_thresholds(p, number, s);
  for (int l = 1; l < mho_hidden_end(net); l++) {
    int n = net->layer[l].n;
    mho_real *z = p->s->z[l] + (size_t)number * (size_t)n;
    for (int j = 0; j < n; j++)
      z[j] = s ? (mho_real)s->z[l][j] : (mho_real)NAN;
  }
}

static void settle(const mho_phase *p, mho_settle_stats *stats) {
  mho_errinfo ei;
  sample s = {0};
  mho_err err = MHO_OK;
  if (!sample_new(p->net, &s))
    err = mho_fail(&ei, MHO_ENOMEM, "no memory for a sample of ngspice");

  if (p->net->resistive) /* its currents and powers are asked for */
    p->dyn->begin(p, stats);
  pthread_mutex_lock(&shared.lease.lock);
  if (!err)
    err = prepare(p->net, p->thread->params, &ei);
  bool ok = is_well(err, &ei);
  for (int i = p->row0; i < p->row0 + p->n; i++) {
    bool settled = ok && is_well(settle_sample(p, i, &s, &stats->steps, &ei), &ei);
    stats->unsettled += !settled;
    take_states(p, i, settled ? &s : NULL);
  }
  if (!ok)
    mho__spice_lease_close(&shared.lease);
  pthread_mutex_unlock(&shared.lease.lock);

  sample_free(&s);
}

/* ---------------------------------------------------------------- what has no circuit */

static mho_err check_crossbar(const mho_crossbar *x, mho_errinfo *ei) {
  if (mho__crossbar_is_wired(x))
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "settle.method: spice settles a circuit without wires: set array.wire.r_word "
                    "and r_bit to 0, or another settle.method");
  if (!strcmp(x->model->entry.id, "spice"))
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "settle.method: spice and array.model: spice both want the one circuit that "
                    "ngspice holds: use one of them");
  if (mho_crossbar_lossy(x))
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "settle.method: spice settles a circuit without converters, amplifiers and "
                    "read noise: set array.model to ideal, or another settle.method");
  return MHO_OK;
}

/* A thread needs no workspace. What the circuit would leave out is refused here, and a missing
 * library is reported. */
static mho_err check_network(const mho_network *net, const void *params, int n, void **out,
                             mho_errinfo *ei) {
  *out = NULL;
  mho_err err =
      net->resistive ? mho_netlist_resistors_check(net, ei) : mho_netlist_network_check(net, ei);
  if (err)
    return err;

  for (int c = 0; c < net->n_connections; c++) {
    err = check_crossbar(net->connection[c].xb, ei);
    if (err)
      return err;
  }
  return mho__spice_lease_check(&shared.lease, ei);
}

static void nothing_to_free(void *workspace) {}

static const char *misses(const mho_dynamics *dyn, const void *params) {
  const loop *p = params;
  if (dyn->is_circuit)
    return NULL;
  if (!dyn->resistors)
    return "needs neurons that are circuits, tau du/dt = -u + a";
  if (p->analysis == BY_TRAN)
    return "needs for settle.analysis tran neurons that are circuits";
  return p->inputs == MHO_NETLIST_NORTON
             ? "needs for settle.inputs norton neurons that are circuits"
             : NULL;
}

const mho_settler mho_settler_spice = {
    .entry =
        {.abi = MHO_ABI,
         .id = "spice",
         .title = "the network's circuit in ngspice, for small networks: inputs, crossbars, "
                  "neurons, feedback; or inputs, conductances, diodes, amplifiers",
         .equation =
             "C dv/dt = -v/R + sum of currents, to rest by .op or .tran; see mho netlist --network",
         .params = MHO_PARAMS(loop, table)},
    .settle = settle,
    .misses = misses,
    .unmetered = true,
    .workspace_new = check_network,
    .workspace_free = nothing_to_free,
    .failure = failure,
};
