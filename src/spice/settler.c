/* settler.c - ngspice in the loop: the states of a training come from the network's circuit.
 *
 * The ngspice library holds one circuit a process, so there is one here, for all threads: samples are settled one
 * after another under a lock, each from rest. The circuit stays loaded from batch to batch; inputs and errors are
 * external sources, and before a chunk of samples the resistors of the devices that have been programmed since are
 * altered. Another network replaces it, and so does whoever else opens a session: it is loaded again when it is
 * needed.
 *
 * A sample that does not settle is counted as unsettled and its states become NaN: never silently used, they make
 * the loss infinite and end the training.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "array/weights.h"
#include "mho/settle.h"
#include "mho/spice.h"
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

/* As much state outside of a call as the library forces on us. */
static struct {
  mho_spice_kept kept;
  mho_spice_network *circuit;
  uint64_t structure; /* of the network it is of */
} the = {.kept = {.lock = PTHREAD_MUTEX_INITIALIZER, .closing = closing}};

static void closing(void) {
  mho_spice_network_free(the.circuit);
  the.circuit = NULL;
}

static const double TAU = 100e-9;

/* ---------------------------------------------------------------- the circuit */

static uint64_t mix(uint64_t h, const void *data, size_t n) { /* FNV-1a */
  const unsigned char *p = data;
  for (size_t i = 0; i < n; i++)
    h = (h ^ p[i]) * 0x100000001b3u;
  return h;
}

/* Of everything that is in the netlist but conductances. */
static uint64_t structure_of(const mho_network *net, const loop *p) {
  uint64_t h = mix(0xcbf29ce484222325u, p, sizeof *p);
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
  h = mix(h, &mho_network_array(net)->read_voltage, sizeof(double));
  return h;
}

static mho_err prepare(const mho_network *net, const loop *p, mho_errinfo *ei) {
  mho_device_config config;
  uint64_t structure = structure_of(net, p);
  mho_params_init(mho_device_params, &config);
  for (int c = 0; c < net->n_connections; c++)
    if (net->connection[c].xb->pos)
      config = net->connection[c].xb->pos->config;
  if (the.circuit && the.structure == structure)
    return mho_spice_network_rebind(the.circuit, net, &config, ei);
  mho_spice_drop(&the.kept);
  mho_err err = mho_spice_keep(&the.kept, ei);
  if (err)
    return err;
  the.structure = structure;
  return mho_spice_network_new(the.kept.session,
                               &(mho_spice_network_options){.net = net,
                                                            .device = &config,
                                                            .inputs = p->inputs,
                                                            .transient = p->analysis == BY_TRAN,
                                                            .stop = p->stop * TAU},
                               &the.circuit, ei);
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
  *s = (sample){.x = mho_alloc((size_t)net->layer[0].n, sizeof *s->x),
                .error = mho_alloc((size_t)net->layer[net->n_layers - 1].n, sizeof *s->error)};
  bool ok = s->x && s->error;
  for (int l = 1; l < net->n_layers && ok; l++)
    ok = (s->z[l] = mho_alloc((size_t)net->layer[l].n, sizeof *s->z[l])) != NULL;
  return ok;
}

/* Turn the logits into p - y and take it as the error; how far it is from what was there. */
static double update_error(int classes, double *logits, int label, double *error) {
  double change = 0;
  mho_output_error_double(classes, logits, label, logits);
  for (int k = 0; k < classes; k++) {
    change = fmax(change, fabs(logits[k] - error[k]));
    error[k] = logits[k];
  }
  return change;
}

/* One row of the job. A live error is that of the present states: settle, read it, until it stays. */
static mho_err settle_row(const mho_settle_job *job, int row, sample *s, double *steps,
                          mho_errinfo *ei) {
  const mho_network *net = job->net;
  int last = net->n_layers - 1, classes = net->layer[last].n, features = net->layer[0].n;
  const mho_real *x = job->input->z[0] + (size_t)row * (size_t)features;
  bool nudged = job->nudge != 0, live = nudged && !job->error;
  for (int i = 0; i < features; i++)
    s->x[i] = (double)x[i];
  for (int k = 0; k < classes; k++)
    s->error[k] =
        nudged && job->error ? (double)job->error[(size_t)row * (size_t)classes + (size_t)k] : 0;
  for (int round = 0; round < LIVE_MAX; round++) {
    mho_err err =
        mho_spice_network_settle(the.circuit, s->x, job->nudge, nudged ? s->error : NULL, s->z, ei);
    ++*steps;
    if (err || !live || update_error(classes, s->z[last], job->label[row], s->error) < 1e-9)
      return err;
  }
  return mho_fail(ei, MHO_ESPICE, "the live error does not settle");
}

static void settle(const mho_settle_job *job, mho_settle_stats *stats) {
  const mho_network *net = job->net;
  mho_errinfo ei;
  sample s = {0};
  bool ok = sample_new(net, &s);
  pthread_mutex_lock(&the.kept.lock);
  ok = ok && !prepare(net, job->params, &ei);
  for (int row = job->sample0; row < job->sample0 + job->n; row++) {
    bool settled = ok && !settle_row(job, row, &s, &stats->steps, &ei);
    stats->unsettled += !settled;
    for (int l = 1; l < net->n_layers - 1; l++) {
      mho_real *z = job->s->z[l] + (size_t)row * (size_t)net->layer[l].n;
      for (int j = 0; j < net->layer[l].n; j++)
        z[j] = settled ? (mho_real)s.z[l][j] : (mho_real)NAN;
    }
  }
  if (!ok)
    mho_spice_drop(&the.kept);
  pthread_mutex_unlock(&the.kept.lock);
  sample_free(&s);
}

/* ---------------------------------------------------------------- what has no circuit */

/* Nothing is kept for a thread; what the circuit would leave out is refused, and a missing library at once. */
static mho_err check_network(const mho_network *net, const void *params, int n, void **out,
                             mho_errinfo *ei) {
  *out = NULL;
  mho_err err = mho_netlist_network_check(net, ei);
  if (err)
    return err;

  for (int c = 0; c < net->n_connections; c++) {
    const mho_crossbar *x = net->connection[c].xb;
    if (mho_crossbar_is_wired(x))
      return mho_fail(
          ei, MHO_EUNSUPPORTED,
          "settle.method: spice settles a circuit without wires: set array.wire.r_word and r_bit to 0, or "
          "another settle.method");
    if (!strcmp(x->model->entry.id, "spice"))
      return mho_fail(
          ei, MHO_EUNSUPPORTED,
          "settle.method: spice and array.model: spice both want the one circuit that ngspice holds: use one "
          "of them");
    if (mho_crossbar_lossy(x))
      return mho_fail(
          ei, MHO_EUNSUPPORTED,
          "settle.method: spice settles a circuit without converters, amplifiers and read noise: set "
          "array.model to ideal, or another settle.method");
  }

  mho_spice *s;
  pthread_mutex_lock(&the.kept.lock);
  if (!the.kept.session)
    err = mho_spice_open(&s, ei);
  if (!err && !the.kept.session)
    mho_spice_close(s);
  pthread_mutex_unlock(&the.kept.lock);
  return err;
}

static void nothing_to_free(void *workspace) {}

const mho_settler mho_settler_spice = {
    .entry =
        {.abi = MHO_ABI,
         .id = "spice",
         .title =
             "the network's circuit in ngspice, for small networks: inputs, crossbars, neurons, feedback",
         .equation =
             "C dv/dt = -v/R + sum of currents, to rest by .op or .tran; see mho netlist --network",
         .params = MHO_PARAMS(loop, table)},
    .settle = settle,
    .unmetered = true,
    .workspace_new = check_network,
    .workspace_free = nothing_to_free,
};
