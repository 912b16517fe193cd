/* trained_control.c - a trainer's network under its controller as a circuit: the rest that the core
 * finds, by the rule's own lesson to rest, as far as precision goes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/trained_control.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

#include "array/weights.h"
#include "rule/dfc.h"
#include "train/line_voltages.h"

/* Samples under control, [n_layers] of [n x layer]. */
typedef struct under_control {
  const mho_trainer *t;
  int n;
  dfc_params p;
  dfc_workspace *w;
  mho_thread thread;
  mho_real *x; /* [n x features] */
  /* Activities without control and under it, summed inputs of the read-out last; what is learned
   * from. */
  double **free, **controlled, **error;
  double *label; /* [n x classes] */
} under_control;

/* ---------------------------------------------------------------- memory */

static void free_layers(const under_control *c, double **z) {
  for (int l = 1; z && l < c->t->net->n_layers; l++)
    mho_free(z[l]);
  mho_free(z);
}

static void control_free(under_control *c) {
  mho__dfc_workspace_free(c->w);
  mho_free(c->thread.scratch);
  mho_free(c->x);
  mho_free(c->label);
  free_layers(c, c->free);
  free_layers(c, c->controlled);
  free_layers(c, c->error);
}

static bool add_layers(const under_control *c, double ***out) {
  const mho_network *net = c->t->net;
  double **z = mho_alloc((size_t)net->n_layers, sizeof *z);
  bool ok = z != NULL;
  *out = z;

  for (int l = 1; ok && l < net->n_layers; l++) {
    z[l] = mho_alloc((size_t)c->n * (size_t)net->layer[l].n, sizeof **z);
    ok = z[l] != NULL;
  }
  return ok;
}

/* Whether there is a circuit for what the rule's controller does. */
static mho_err check(const mho_trainer *t, mho_errinfo *ei) {
  const char *rule = t->e->rule.entry->id;
  if (!strcmp(rule, "dfc"))
    return mho_netlist_control_check(t->net, ei);
  return mho_fail(ei, MHO_EUNSUPPORTED,
                  "the controller of rule.name '%s' has no circuit: take one of the crossbars, for "
                  "example %s",
                  rule, t->net->connection[0].name);
}

static mho_err control_new(const mho_trainer *t, int n, under_control *c, mho_errinfo *ei) {
  const mho_network *net = t->net;
  size_t samples = (size_t)n;
  *c = (under_control){.t = t, .n = n, .p = *(const dfc_params *)(const void *)t->e->rule.params};
  c->p.control = DFC_SOLVE;
  c->p.tolerance = DBL_EPSILON; /* on top of what rounding leaves */

  c->x = mho_alloc(samples * (size_t)net->layer[0].n, sizeof *c->x);
  c->label = mho_alloc(samples * (size_t)mho_network_classes(net), sizeof *c->label);
  c->thread.scratch = mho_alloc(mho_settle_scratch(net, n), sizeof *c->thread.scratch);
  if (!c->x || !c->label || !c->thread.scratch || !add_layers(c, &c->free) ||
      !add_layers(c, &c->controlled) || !add_layers(c, &c->error))
    return mho_fail(ei, MHO_ENOMEM, "no memory to control %d samples", n);

  mho_err err = mho__dfc_workspace_new(net, &c->p, n, &c->w, ei);
  c->thread.rule_workspace = c->w;
  return err;
}

/* ---------------------------------------------------------------- what the core comes to */

static void take(const under_control *c, int l, const mho_real *from, double *to) {
  size_t n = (size_t)c->n * (size_t)c->t->net->layer[l].n;
  for (size_t i = 0; i < n; i++)
    to[i] = (double)from[i];
}

/* Activities as they are, and the read-out's summed inputs from them in double precision. */
static void take_states(const under_control *c, double **z) {
  const mho_network *net = c->t->net;
  int last = mho_network_output(net), classes = mho_network_classes(net);
  memset(z[last], 0, (size_t)(c->n * classes) * sizeof *z[last]);
  for (int l = 1; l < last; l++)
    take(c, l, c->t->learner->state[0]->z[l], z[l]);

  for (int i = 0; i < net->layer[last].n_forward; i++) {
    const mho_link *k = &net->link[net->layer[last].forward + i];
    const mho_crossbar *x = net->connection[k->connection].xb;
    const mho_real *w = mho_crossbar_matrix(x);
    for (int s = 0; s < c->n; s++)
      for (int r = 0; r < x->rows; r++) {
        double from = k->from ? z[k->from][s * x->rows + r] : (double)c->x[s * x->rows + r];
        for (int j = 0; j < classes; j++)
          z[last][s * classes + j] += (double)k->scale * from * (double)w[r * classes + j];
      }
  }
}

/* What a label is to the controller. */
static void find_labels(const under_control *c, const mho_targets *targets) {
  int classes = mho_network_classes(c->t->net);
  for (int i = 0; i < c->n * classes; i++) {
    int s = i / classes, j = i % classes;
    if (targets->value)
      c->label[i] = (double)targets->value[i];
    else if (c->t->net->output == MHO_OUTPUT_LINEAR || classes == 1)
      c->label[i] = j == targets->label[s];
    else
      c->label[i] = j == targets->label[s] ? c->p.label : (1 - c->p.label) / (classes - 1);
  }
}

/* Bring test images first .. first+n-1 to rest, without control and under it. */
static mho_err find_rest(under_control *c, int first, mho_errinfo *ei) {
  const mho_trainer *t = c->t;
  const mho_learner *learner = t->learner;
  const mho_rule *rule = learner->rule;
  int last = mho_network_output(t->net);
  mho_targets targets;
  mho_err err = mho__trainer_test_images(t, first, c->n, c->x, &targets, ei);
  if (err)
    return err;

  mho_lesson lesson = mho__learner_lesson(learner, c->n);
  mho_rule_stats stats = {0};
  lesson.params = &c->p;
  lesson.vars = learner->other_vars;
  lesson.thread = &c->thread;
  memcpy(lesson.state[0]->z[0], c->x, (size_t)c->n * (size_t)t->net->layer[0].n * sizeof(mho_real));
  mho_vars_clear(lesson.vars, 0, c->n, true);

  rule->predict(&lesson, &stats);
  take_states(c, c->free);
  rule->learn(&lesson, &stats);
  if (stats.nudged.unsettled)
    return mho_fail(ei, MHO_EDIVERGED,
                    "rule.gain: %lld of test images %d to %d do not come to rest under control: "
                    "lower the gain, or take others",
                    (long long)stats.nudged.unsettled, first, first + c->n - 1);

  take_states(c, c->controlled);
  for (int l = 1; l < last; l++)
    take(c, l, lesson.error[l], c->error[l]);
  for (int i = 0; i < c->n * mho_network_classes(t->net); i++) {
    c->controlled[last][i] += c->w->u[i];
    c->error[last][i] = -c->w->u[i];
  }
  find_labels(c, &targets);
  return MHO_OK;
}

/* The controller of the circuit, of all samples. */
static mho_netlist_controller controller_of(const under_control *c) {
  bool softmax = c->t->net->output == MHO_OUTPUT_SOFTMAX;
  const double *reach = c->p.target == DFC_NUDGED ? c->w->reach : c->label;
  bool is_label = c->p.target == DFC_LABEL && softmax;
  return (mho_netlist_controller){.reach = is_label ? NULL : reach,
                                  .label = is_label ? c->label : NULL,
                                  .leak = mho__dfc_integral_leak(&c->p),
                                  .proportional = c->p.proportional,
                                  .leak_on_integral = c->p.leak_on == DFC_LEAK_OF_INTEGRAL,
                                  .ratio = c->p.ratio};
}

/* ---------------------------------------------------------------- against ngspice */

static mho_err compare(under_control *c, mho_spice *s, mho_cosim_result result, void *user,
                       mho_errinfo *ei) {
  mho_err err = find_rest(c, 0, ei);
  mho_cosim_control_options o = {.net = c->t->net,
                                 .device = &c->t->e->device_config,
                                 .samples = c->n,
                                 .x = c->x,
                                 .controller = controller_of(c),
                                 .potentials = c->p.learn == DFC_POTENTIAL,
                                 .controlled = c->controlled,
                                 .error = c->error};
  return err ? err : mho_cosim_control(s, &o, result, user, ei);
}

mho_err mho__trainer_cosim_control(mho_trainer *t, mho_spice *s, int n, mho_cosim_result result,
                                   void *user, mho_errinfo *ei) {
  under_control c;
  mho_err err = check(t, ei);
  if (err)
    return err;

  err = control_new(t, n, &c, ei);
  if (!err)
    err = compare(&c, s, result, user, ei);
  control_free(&c);
  return err;
}

/* ---------------------------------------------------------------- a netlist */

static mho_err write_netlist(const under_control *c, const mho_trained_netlist *o, char **out,
                             mho_errinfo *ei) {
  const mho_network *net = c->t->net;
  int features = net->layer[0].n;
  char title[256];
  double *x = mho_alloc((size_t)features, sizeof *x);
  if (!x)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a sample");
  for (int i = 0; i < features; i++)
    x[i] = (double)c->x[i];

  mho_netlist_controller controller = controller_of(c);
  controller.u = c->w->u;
  snprintf(title, sizeof title, "network of %s under control, test image %d", o->of, o->image);
  mho_netlist_network n = {.net = net,
                           .device = &c->t->e->device_config,
                           .x = x,
                           .controller = &controller,
                           .inputs = o->norton ? MHO_NETLIST_NORTON : MHO_NETLIST_FULL,
                           .control = true,
                           .free = (const double *const *)c->free,
                           .nudged = (const double *const *)c->controlled,
                           .tolerance = sizeof(mho_real) == 8 ? 1e-6 : 1e-5,
                           .title = title};
  mho_err err = mho_netlist_network_write(&n, out, ei);
  mho_free(x);
  return err;
}

mho_err mho__trainer_netlist_control(mho_trainer *t, const mho_trained_netlist *o, char **out,
                                     mho_errinfo *ei) {
  under_control c;
  mho_err err = check(t, ei);
  if (err)
    return err;
  if (o->transient)
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "a network under a controller has no time by which it is at rest: leave "
                    "--transient out, and its netlist has the rest itself");

  err = control_new(t, 1, &c, ei);
  if (!err)
    err = find_rest(&c, o->image, ei);
  if (!err)
    err = write_netlist(&c, o, out, ei);
  control_free(&c);
  return err;
}
