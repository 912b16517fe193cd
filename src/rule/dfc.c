/* dfc.c - deep feedback control: a controller at the read-out drives the network towards a target,
 * and a neuron learns from what it does less what its inputs say.
 *
 *   v_l = a_l + f_l, z_l = rho(v_l)   a_l from activities under control, f_l from the controls u
 *   e = alpha~ u at rest              e = r* - v_o, or t - o: what the controller sees
 *   error_l = rho(a_l) - rho(v_l)     learn rate (minimized; times z_{l-1} under control)
 *   error_l = -f_l                    learn potential
 *   error_o = -u
 *
 * The target is a nudge, r* = v_o - step dL/dv_o at the free state v_o, or the label itself: t has
 * `label` at the class and the rest elsewhere. Both activities of a neuron are there at one moment:
 * nothing is subtracted that was held from another phase.
 *
 * The gain 1/alpha~ is all of the controller that a rest knows. A weak one (and potentials) makes
 * backpropagation of it, the error over step gain/(1 + gain); a strong one, by the chain, the
 * changes of least size that take the read-out to its target, and in between the rest is that of
 * predictive coding. The error comes in hundredths of an activity, far above the noise of reads.
 *
 * Source: A. Meulemans et al., NeurIPS 2021, arXiv 2106.07887 (nudged); A. Meulemans, M. Farinha et
 * al., ICML 2022, arXiv 2204.07249 (label).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "rule/dfc_observed.h"

#include <math.h>
#include <string.h>

#include "rule/backprop.h"

/* ---------------------------------------------------------------- keys, and where they are idle */

static const dfc_params *params_of(const mho_experiment *e) {
  return (const void *)e->rule.params;
}

/* How an experiment's control comes about: auto is a rest where reads are exact. */
static int control_of(const mho_experiment *e) {
  int control = params_of(e)->control;
  if (control != DFC_AUTO)
    return control;
  return mho_experiment_reads_exactly(e) ? DFC_SOLVE : DFC_TIME;
}

static bool in_steps(const mho_experiment *e) {
  return control_of(e) == DFC_TIME;
}

/* Whether all of the controller is asked for: it acts in time, or is observed. */
static bool shows_controller(const mho_experiment *e) {
  return in_steps(e) || e->observe.control;
}

static const char *without_nudge(const mho_experiment *e) {
  return params_of(e)->target == DFC_NUDGED ? NULL : "the target is the label (rule.target)";
}

static const char *without_label(const mho_experiment *e) {
  if (params_of(e)->target == DFC_NUDGED)
    return "the target is a nudge (rule.target)";
  return e->network.output == MHO_OUTPUT_SOFTMAX ? NULL
                                                 : "values are no probabilities (network.output)";
}

static const char *without_leak(const mho_experiment *e) {
  return params_of(e)->gain > 0 ? "it follows from the gain (rule.gain)" : NULL;
}

/* A rest knows the gain alone, which the proportional part has a share in where the integral leaks.
 */
static const char *without_parts(const mho_experiment *e) {
  const dfc_params *p = params_of(e);
  if (shows_controller(e) || (p->gain == 0 && p->leak_on == DFC_LEAK_OF_INTEGRAL))
    return NULL;
  return "only the gain of the controller counts at rest (rule.control)";
}

static const char *without_difference(const mho_experiment *e) {
  const dfc_params *p = params_of(e);
  if (p->proportional == 0)
    return "control and integral are the same (rule.proportional: 0)";
  if (shows_controller(e) || p->gain == 0)
    return NULL;
  return "only the gain of the controller counts at rest (rule.control)";
}

static const char *without_time(const mho_experiment *e) {
  return shows_controller(e) ? NULL
                             : "control is looked for at rest, and not observed "
                               "(rule.control, observe.control)";
}

static const char *without_steps(const mho_experiment *e) {
  return in_steps(e) ? NULL : "control is looked for at rest (rule.control)";
}

/* Whether rows of a wide hidden layer lead to another one, by a product alone. */
static bool has_wide_rows(const mho_experiment *e) {
  const mho_network_config *c = &e->network;
  const mho_topology *topology = (const mho_topology *)e->topology.entry;
  if (topology->own_layers)
    return true;

  for (int i = 0; i < c->hidden.n && !c->biases; i++)
    for (int j = i + 1; j < c->hidden.n; j++)
      if (mho_panels_pay((int)c->hidden.v[i], (int)c->hidden.v[j]))
        return true;
  return false;
}

static const char *without_tolerance(const mho_experiment *e) {
  if (control_of(e) != DFC_LINEAR)
    return NULL;
  if (!mho_int16_pays())
    return "nothing is iterated, and nothing would be gained here by rounded numbers "
           "(rule.control: linear)";
  return has_wide_rows(e) ? NULL
                          : "nothing is iterated, and no layers are wide enough for rounded "
                            "products (rule.control: linear, network.hidden, network.biases)";
}

static const char *without_copies(const mho_experiment *e) {
  bool is_random = mho_array_is_noisy((const mho_array_model *)e->array.entry, e->array.params) ||
                   mho_device_reads_noisy(&e->device_config);
  if (params_of(e)->learn == DFC_POTENTIAL && !in_steps(e))
    return "controls are learned from, not activities (rule.learn)";
  if (is_random || e->circuit.gain > 0 || e->circuit.offset > 0)
    return NULL;
  return "circuits are alike, and reads exact (neuron.variation, array)";
}

#define P_CHOICE(field, name, words, ...)                                                          \
  MHO_P_CHOICE(dfc_params, field, name, words, 0, __VA_ARGS__)
#define P_REAL(field, name, initial, low, high, ...)                                               \
  MHO_P_REAL(dfc_params, field, name, "", initial, low, high, __VA_ARGS__)
static const mho_param table[] = {
    P_CHOICE(target, "target", "nudged|label",
             "what the read-out is driven to: a step down the loss from where it is, or the label"),
    P_REAL(step, "step", 0.1, 1e-6, 100, "target nudged: lambda, the size of that step",
           .idle = without_nudge),
    P_REAL(label, "label", 0.99, 0, 1,
           "target label: probability of the class; the others share the rest",
           .idle = without_label),
    P_REAL(gain, "gain", 0, 0, 1e9,
           "of the controller at rest: u = gain e, and the leak follows; 0: as leak and "
           "proportional make it"),
    P_REAL(leak, "leak", 1, 0, 1e6, "alpha of the controller's integral", .idle = without_leak),
    P_REAL(proportional, "proportional", 0, 0, 1e6, "k_p, the controller's part without memory",
           .idle = without_parts),
    P_CHOICE(leak_on, "leak_on", "control|integral",
             "what the integral loses a share of: the control, as the published program has it, or "
             "itself, as the paper",
             .idle = without_difference),
    P_CHOICE(control, "control", "auto|linear|solve|time",
             "the control: to first order in closed form, at rest, or on its way in time; auto: at "
             "rest where reads are exact, else in time"),
    P_REAL(ratio, "ratio", 0.02, 1e-6, 10,
           "control time: time constant of the neurons over the controller's",
           .idle = without_time),
    P_REAL(dt, "dt", 0.01, 1e-6, 10, "control time: a step, over the controller's time constant",
           .idle = without_steps),
    MHO_P_INT(dfc_params, steps, "steps", 500, 1, 65535, "control time: how many steps",
              .idle = without_steps),
    P_CHOICE(integrate, "integrate", "euler|rk2|rk4|rkf45|rkck|rk8pd|msadams",
             "control time: Euler's steps, each a read of every link, or a stepper's of their own "
             "length over the same time, all of them with the same noise",
             .idle = without_steps),
    P_REAL(
        tolerance, "tolerance", 0, 0, 1,
        "control has settled when it misses no more than this share of the first error; 0: "
        "1e-3, in double precision 1e-11, and in time 0.05; a stepper errs by less; linear: from "
        "1e-3 on wide layers are multiplied in numbers of 16 bits, where the processor is faster "
        "by it",
        .idle = without_tolerance),
    P_CHOICE(learn, "learn", "rate|potential",
             "a hidden neuron learns from its two activities, or from its potentials"),
    P_CHOICE(read, "read", "end|mean",
             "control time: learn from the last moment, or from the means of both factors over "
             "the whole way",
             .idle = without_steps),
    P_CHOICE(copies, "copies", "shared|two",
             "a neuron's two activities by one circuit, one after the other, or by two at once, "
             "with gains and offsets of their own",
             .idle = without_copies),
};

/* At a gain of 1 controls point between those of backpropagation and the least ones; a rate for
 * errors that a controller makes smaller. */
static const mho_default defaults[] = {
    {"feedback.path", "chain"}, {"rule.gradient", "normalized"}, {"update.rate", "0.003"}};

static const mho_var variables[] = {
    [DFC_CONTROL] = {"control", MHO_PER_NEURON, false, false},
};

/* The size of an error over that of the true gradient, where one number says it: a read-out
 * without hidden layers has u = gain/(1 + gain) e. */
static double size(const mho_lesson *lesson, int layer) {
  const dfc_params *p = lesson->params;
  return mho__dfc_unit(p) / (1 + mho__dfc_leak(p));
}

/* Samples without a control that is of use teach nothing. */
static void drop_lost(const dfc_run *r, mho_rule_stats *stats) {
  int last = mho_network_output(r->lesson->net);
  for (int s = 0; s < r->lesson->n; s++)
    stats->lost += r->w->lost[s];
  stats->unstable += r->w->unstable;

  for (int l = 1; l <= last; l++) {
    size_t n = (size_t)r->lesson->net->layer[l].n, bytes = n * sizeof(mho_real);
    for (int s = 0; s < r->lesson->n; s++) {
      if (!r->w->lost[s])
        continue;
      memset(mho__dfc_error_of(r, l) + (size_t)s * n, 0, bytes);
      if (l < last) /* they may not be finite */
        memset(mho__dfc_z(r, l) + (size_t)s * n, 0, bytes);
    }
  }
}

/* ---------------------------------------------------------------- a lesson */

/* The free state: its answer is judged, and what the controller sees of it. */
static void pass_freely(const dfc_run *r, mho_rule_stats *stats) {
  const mho_lesson *lesson = r->lesson;
  dfc_run free = *r;
  dfc_workspace *w = r->w;
  int last = mho_network_output(lesson->net), n = w->classes;
  mho_targets targets = mho_targets_from(&lesson->targets, n, lesson->sample0);
  mho_real *answer = mho__dfc_z(r, last), *error = mho__dfc_error_of(r, last);

  free.phase.number = 0;
  free.stats = &stats->free;
  mho__dfc_pass(&free, false);
  stats->free.steps += lesson->n;
  memcpy(answer, w->sums[last], mho__rule_count(lesson, last) * sizeof *answer);
  mho_output_judge(lesson->net->output, lesson->n, n, answer, &targets, &stats->loss,
                   &stats->correct);
  mho_output_error(lesson->n, n, answer, &targets, error);

  for (int i = 0; i < mho__dfc_controls(r); i++) {
    w->potential[i] = (double)w->sums[last][i];
    w->reach[i] = w->potential[i] - r->p->step * (double)error[i];
  }
  for (int s = 0; s < lesson->n; s++) {
    size_t at = (size_t)s * (size_t)n;
    mho__dfc_error(r, s, w->potential + at, w->first + at);
  }
}

static void bring_under_control(const dfc_run *r) {
  memset(r->w->lost, 0, (size_t)r->lesson->n * sizeof *r->w->lost);
  r->w->unstable = 0;
  switch (r->w->control) {
  case DFC_LINEAR:
    mho__dfc_close(r);
    break;
  case DFC_SOLVE:
    mho__dfc_solve(r);
    break;
  default:
    mho__dfc_run(r);
  }
}

static void learn(const mho_lesson *lesson, mho_rule_stats *stats) {
  const dfc_params *p = lesson->params;
  const mho_network_array *array = &lesson->net->array;
  bool measures = array->model->measures && array->model->measures(array->params);
  bool has_means = p->read == DFC_MEAN;
  dfc_run r = {.lesson = lesson,
               .p = p,
               .w = lesson->thread->rule_workspace,
               .phase = mho__rule_phase(lesson),
               .stats = &stats->nudged,
               .leak = mho__dfc_leak(p)};
  r.phase.number = 1;
  has_means &= r.w->control == DFC_TIME;

  pass_freely(&r, stats);
  bring_under_control(&r);
  if (!has_means)
    mho__dfc_sum_again(&r);
  for (int l = 1; l <= mho_network_output(lesson->net); l++) {
    if (!has_means)
      mho__dfc_learn_layer(&r, l);
    if (measures && l < mho_network_output(lesson->net))
      mho__dfc_measure(&r, l);
  }
  drop_lost(&r, stats);
}

/* In passes of their own only the arrays learn that lead controls back. */
static void change(const mho_lesson *lesson, int connection, mho_change *out) {
  if (lesson->net->connection[connection].role == MHO_CONTROL) {
    mho__dfc_change_array(lesson, out);
    return;
  }
  out->skip = lesson->feedback;
  if (!out->skip)
    mho_change_by_error(lesson, connection, out);
}

/* ---------------------------------------------------------------- links and memory */

static bool has_edge(const mho_graph *g, int from, int to) {
  for (int i = 0; i < g->n_edges; i++)
    if (g->edge[i].from == from && g->edge[i].to == to)
      return true;
  return false;
}

/* Against every forward link from a hidden layer there is one back, by which controls are led. */
static mho_err plan(const void *params, mho_graph *g, mho_errinfo *ei) {
  int n = g->n_edges;

  for (int i = 0; i < n; i++) {
    mho_edge e = g->edge[i];
    if (e.role != MHO_FORWARD || e.from == 0 || has_edge(g, e.to, e.from))
      continue;
    if (g->n_edges == MHO_EDGES_MAX)
      return mho_fail(ei, MHO_ECONFIG,
                      "rule.name: dfc leads controls back against every link, and the graph has %d "
                      "links already: use fewer",
                      n);
    e.from = g->edge[i].to;
    e.to = g->edge[i].from;
    e.role = MHO_FEEDBACK;
    e.trained = false;
    g->edge[g->n_edges++] = e;
  }
  return MHO_OK;
}

static mho_err workspace_new(const mho_network *net, const mho_settler *settler, const void *params,
                             int n, void **out, mho_errinfo *ei) {
  dfc_workspace *w;
  mho_err err = mho__dfc_workspace_new(net, params, n, &w, ei);
  *out = w;
  return err;
}

static void workspace_free(void *w) {
  mho__dfc_workspace_free(w);
}

/* ---------------------------------------------------------------- combinations */

#define REFUSE(...) return mho_fail(ei, MHO_ECONFIG, __VA_ARGS__)

static mho_err check_controller(const dfc_params *p, bool steps, mho_errinfo *ei) {
  if (p->gain > 0 && p->leak_on == DFC_LEAK_OF_INTEGRAL && p->proportional >= p->gain)
    REFUSE("rule.proportional: %g is all of rule.gain %g, and nothing is left for the integral: "
           "lower it, or use rule.leak_on control",
           p->proportional, p->gain);
  if (steps && p->integrate == DFC_EULER && p->dt > p->ratio)
    REFUSE("rule.dt: a step of %g is longer than the neurons' time constant, rule.ratio %g, and "
           "says nothing of them: lower it",
           p->dt, p->ratio);
  if (steps && p->integrate == DFC_EULER && p->dt * mho__dfc_integral_leak(p) > 1)
    REFUSE("rule.dt: a step of %g is longer than the integral keeps anything, 1 over its leak of "
           "%g (rule.gain, rule.leak): lower it",
           p->dt, mho__dfc_integral_leak(p));
  return MHO_OK;
}

static mho_err check(const mho_experiment *e, mho_errinfo *ei) {
  const dfc_params *p = params_of(e);
  const mho_array_model *array = (const mho_array_model *)e->array.entry;
  bool steps = in_steps(e);
  if (!steps && !mho_experiment_reads_exactly(e))
    REFUSE("rule.control: %s looks for the rest by exact products, and reads are noisy, converted "
           "or bent (array, device.read_noise, device.iv): use rule.control time",
           control_of(e) == DFC_LINEAR ? "linear" : "solve");
  if (e->feedback.path == MHO_PATH_CHAIN && e->feedback.mode == MHO_FEEDBACK_ASYMMETRIC)
    REFUSE("feedback.mode: the chain leads controls back through the forward crossbars, and "
           "asymmetric has others: use symmetric, or feedback.path direct with feedback.q random");
  if (array->holds && array->holds(e->array.params))
    REFUSE("array.differencing: analog differencing is of two phases, and rule.name dfc subtracts "
           "none: use digital");
  if (steps && p->integrate != DFC_EULER && e->feedback.path == MHO_PATH_DIRECT &&
      e->feedback.q.kind == MHO_CONTROL_LEARNED && e->feedback.q.filter > 0)
    REFUSE("rule.integrate: arrays that learn in every lesson (feedback.q.filter) hear noise of "
           "every step, and a stepper's are of any length: use euler");
  mho_err err = mho__dfc_feedback_check(e, steps, ei);
  return err ? err : check_controller(p, steps, ei);
}

/* ---------------------------------------------------------------- registration */

const mho_rule mho_rule_dfc = {
    .entry = {.abi = MHO_ABI,
              .id = "dfc",
              .title = "deep feedback control: what a controller at the read-out makes neurons do",
              .equation = "grad W = z^T (rho(a) - rho(a + f)), f from u, e = alpha~ u at rest",
              .source = "Meulemans et al., arXiv 2106.07887; arXiv 2204.07249",
              .params = MHO_PARAMS(dfc_params, table),
              MHO_DEFAULTS(defaults),
              .check = check},
    .plan = plan,
    .var = variables,
    .n_vars = MHO_COUNT(variables),
    .feed_forward = true,
    .controls = true,
    .observe = mho__dfc_observe,
    .own_new = mho__dfc_feedback_new,
    .own_free = mho__dfc_feedback_free,
    .workspace_new = workspace_new,
    .workspace_free = workspace_free,
    .size = size,
    .predict = mho__backprop_predict,
    .learn = learn,
    .feedback_passes = mho__dfc_feedback_passes,
    .learn_feedback = mho__dfc_learn_feedback,
    .change = change,
    .also_applies = MHO_APPLY_SAMPLE,
};
