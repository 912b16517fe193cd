/* ep.c - equilibrium propagation: two settlings, the second nudged by the output error.
 *
 *   one-sided  e_l = z_free - z_nudged(+beta_f)
 *   centred    e_l = (z_nudged(-beta_f) - z_nudged(+beta_f))/2
 *   read-out   e   = p - y, at the free state, or at the nudged one
 *
 * e_l is the descent direction beta_f beta_i^h dC/da_l to first order (second order for centred nudging), h
 * the fewest feedback links from the read-out's neighbours. The error is that of the free state, held, or
 * re-read at every step (live).
 *
 * In floating point the difference can be settled itself (see settle/sweep.c); it then comes divided by
 * beta_f beta_i^h.
 *
 * Source: B. Scellier, Y. Bengio, Front. Comput. Neurosci. 11:24 (2017); centred: A. Laborieux et al., Front.
 * Neurosci. 15:633674 (2021); FRE-RNN: Liu & Chen, arXiv 2508.11659, Algorithm 1.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/streams.h"
#include "mho/rule.h"

typedef struct ep {
  double nudge;
  int phases, error, readout;
} ep;

enum { ONE_SIDED, CENTRED };
enum { HELD, LIVE };
enum { AT_FREE, AT_NUDGED };

static const mho_param table[] = {
    MHO_P_REAL(ep, nudge, "nudge", "", 0.1, 1e-6, 100, "beta_f, strength of the nudge"),
    MHO_P_CHOICE(ep, phases, "phases", "one_sided|centred", ONE_SIDED,
                 "free and nudged, or nudged both ways around the free state"),
    MHO_P_CHOICE(ep, error, "error", "held|live", HELD,
                 "the nudge carries the error of the free state, or that of the present one"),
    MHO_P_CHOICE(
        ep, readout, "readout", "free|nudged", AT_FREE,
        "the read-out learns from the error of the free state, or from that of the (first) nudged one"),
};

static int n_states(const void *params, bool direct) {
  bool centred = ((const ep *)params)->phases == CENTRED;
  return 1 + (direct ? centred : 1 + centred);
}

static double signal_scale(const mho_network *net, const void *params, int layer) {
  return layer == net->n_layers - 1
             ? 1
             : ((const ep *)params)->nudge * mho_network_signal_scale(net, layer);
}

static const char *direct_needs(const void *params) {
  const ep *p = params;
  return p->error == LIVE ? "a live error is read from two states: use rule.error held"
         : p->readout == AT_NUDGED
             ? "a read-out that learns from the nudged state needs that state: use rule.readout free"
             : NULL;
}

static mho_settle_job free_phase(const mho_rule_job *job) {
  return (mho_settle_job){.net = job->net,
                          .params = job->settler_params,
                          .s = job->state[0],
                          .input = job->state[0],
                          .row0 = job->row0,
                          .n = job->n,
                          .label = job->label,
                          .clock = {.update = job->update},
                          .scratch = job->scratch,
                          .meter = job->meter,
                          .workspace = job->workspace,
                          .time = job->time,
                          .energy = job->energy,
                          .power = job->power,
                          .trace = job->trace};
}

static void predict_to(const mho_rule_job *job, mho_real *error, mho_rule_stats *stats) {
  mho_settle_job free = free_phase(job);
  job->settler->settle(&free, &stats->free);
  free.clock.step = MHO_STEP_READ_OUT; /* the read-out's own */
  mho_read_out(&free, error, &stats->loss, &stats->correct, &stats->free);
}

static void predict(const mho_rule_job *job, mho_rule_stats *stats) {
  predict_to(job, NULL, stats);
}

/* e = factor (minus - plus) of a layer of analog neurons, as converters measure the states; those of the free phase,
 * which the gradient multiplies with, become the measured ones. */
static void measure_layer(const mho_rule_job *job, int l, bool centred) {
  const mho_crossbar *x = job->net->connection[0].xb;
  int width = job->net->layer[l].n;
  size_t at = (size_t)job->row0 * (size_t)width, count = (size_t)job->n * (size_t)width;
  mho_measure m = {.n = job->n,
                   .width = width,
                   .layer = l,
                   .a = job->state[0]->z[l] + at,
                   .b = job->state[1]->z[l] + at,
                   .e = job->error[l] + at,
                   .phase_b = 1,
                   .update = job->update,
                   .sample0 = job->row0,
                   .scratch = job->scratch};
  if (centred) {
    m.b = NULL;
    x->model->measure(x, &m);
    m.a = job->state[2]->z[l] + at;
    m.b = job->state[1]->z[l] + at;
    m.phase_a = 2;
  }
  x->model->measure(x, &m);
  for (size_t i = 0; i < count && centred; i++)
    m.e[i] *= (mho_real)0.5;
}

/* Where a settler that subtracts puts what a nudged phase moved. */
static mho_real *const *room_for(const mho_rule_job *job, int phase) {
  return phase == 1 ? job->error : job->state[2]->next;
}

/* The read-out's error at the nudged state, in place of the free one's. */
static void read_out_nudged(const mho_rule_job *job, mho_rule_stats *stats) {
  mho_settle_job nudged = free_phase(job);
  double loss = 0;
  int64_t correct = 0;
  nudged.s = job->state[1];
  nudged.clock.phase = 1;
  nudged.clock.step = MHO_STEP_READ_OUT;
  mho_read_out(&nudged, job->error[job->net->n_layers - 1], &loss, &correct, &stats->nudged);
}

/* Two states, subtracted: what hardware measures. */
static void learn_by_states(const mho_rule_job *job, mho_rule_stats *stats) {
  const ep *p = job->params;
  const mho_network *net = job->net;
  int last = net->n_layers - 1;
  bool subtracts = job->settler->subtracts, in_time = job->settler->in_time;
  for (int phase = 1; phase <= (p->phases == CENTRED ? 2 : 1); phase++) {
    mho_settle_job nudged = free_phase(job);
    nudged.s = job->state[phase];
    nudged.start = job->state[in_time ? phase - 1 : 0];
    nudged.time = NULL; /* those are of the free phase */
    nudged.drive =
        mho_network_noisy(net) ? NULL : job->state[0]; /* exact reads of the input repeat */
    nudged.nudge = phase == 1 ? p->nudge : -p->nudge;
    nudged.error = p->error == HELD ? job->error[last] : NULL;
    nudged.clock.phase = phase;
    nudged.held = job->state[0]->hold ? job->state[0] : NULL;
    nudged.free = job->state[0];
    nudged.moved = subtracts ? room_for(job, phase) : NULL;
    job->settler->settle(&nudged, &stats->nudged);
  }
  if (p->readout == AT_NUDGED)
    read_out_nudged(job, stats);
  const mho_crossbar *x = net->connection[0].xb;
  bool measured = x->model->measures && x->model->measures(x->params);
  for (int l = 1; l < last; l++) {
    if (measured) {
      measure_layer(job, l, p->phases == CENTRED);
      continue;
    }
    size_t n = (size_t)net->layer[l].n, at = (size_t)job->row0 * n, count = (size_t)job->n * n;
    const mho_real *plus = job->state[1]->z[l] + at;
    const mho_real *minus =
        p->phases == CENTRED ? job->state[2]->z[l] + at : job->state[0]->z[l] + at;
    mho_real *e = job->error[l] + at, factor = p->phases == CENTRED ? (mho_real)0.5 : 1;
    const mho_real *other = subtracts && p->phases == CENTRED ? room_for(job, 2)[l] + at : NULL;
    for (size_t i = 0; i < count; i++)
      e[i] = factor * (!subtracts ? minus[i] - plus[i] : other ? e[i] - other[i] : e[i]);
  }
}

/* The difference settled itself, scaled to the size of the true gradient. */
static void learn_directly(const mho_rule_job *job, mho_rule_stats *stats) {
  const ep *p = job->params;
  const mho_network *net = job->net;
  int last = net->n_layers - 1;
  mho_settle_job nudged = free_phase(job);
  nudged.error = job->error[last];
  nudged.nudge = p->nudge;
  nudged.clock.phase = 1;
  nudged.time = nudged.energy = NULL;
  nudged.trace = NULL;
  job->settler->difference(&nudged, &stats->free, job->error, &stats->nudged);
  if (p->phases != CENTRED)
    return;
  nudged.nudge = -p->nudge;
  nudged.clock.phase = 2;
  job->settler->difference(&nudged, &stats->free, job->state[1]->z, &stats->nudged);
  for (int l = 1; l < last; l++) {
    size_t n = (size_t)net->layer[l].n, at = (size_t)job->row0 * n, count = (size_t)job->n * n;
    mho_real *e = job->error[l] + at;
    const mho_real *other = job->state[1]->z[l] + at;
    for (size_t i = 0; i < count; i++)
      e[i] = (mho_real)0.5 * (e[i] + other[i]);
  }
}

static void learn(const mho_rule_job *job, mho_rule_stats *stats) {
  predict_to(job, job->error[job->net->n_layers - 1], stats);
  if (job->direct)
    learn_directly(job, stats);
  else
    learn_by_states(job, stats);
}

const mho_rule mho_rule_ep = {
    .entry =
        {.abi = MHO_ABI,
         .id = "ep",
         .title = "equilibrium propagation",
         .equation = "grad W = z_free^T (z_free - z_nudged)/B",
         .source =
             "Scellier & Bengio, Front. Comput. Neurosci. 11:24 (2017); Liu & Chen, arXiv 2508.11659",
         .params = MHO_PARAMS(ep, table)},
    .feedback_mode = -1,
    .direct_needs = direct_needs,
    .n_states = n_states,
    .signal_scale = signal_scale,
    .predict = predict,
    .learn = learn,
};
