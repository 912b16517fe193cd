/* observation.c - what the config's section observe asks for, after an epoch.
 *
 * Nothing that training uses later is touched: states and errors are written anew by every batch,
 * and noise is numbered apart (evaluation.c). The cosine's other side is backpropagation through
 * the same network without its recurrence, with the transposes of the forward weights also where
 * the feedback is asymmetric, read exactly; from a forward pass, or at the states that the free
 * phase settled to.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "rule/backprop.h"
#include "train/trainer.h"

/* ---------------------------------------------------------------- cosine with backpropagation */

/* States and errors of backpropagation on the batch whose inputs and targets the trainer has. */
typedef struct backprop {
  mho_network *net;                /* feed-forward, exact */
  mho_state *own;                  /* of a forward pass */
  mho_state *s;                    /* own, or the settled ones */
  mho_real *error[MHO_LAYERS_MAX]; /* [n x layer] */
  double factor[MHO_LAYERS_MAX];   /* 1 */
} backprop;

static void backprop_free(backprop *b) {
  for (int l = 0; b->net && l < b->net->n_layers; l++)
    mho_free(b->error[l]);
  mho_state_free(b->own);
  mho_network_feedforward_free(b->net);
}

/* The network and the errors of n samples, and states of its own where it takes a forward pass. */
static mho_err backprop_new(const mho_trainer *t, int n, bool settled, backprop *b,
                            mho_errinfo *ei) {
  mho_err err = mho_network_feedforward(t->net, &b->net, ei);
  if (!err && !settled)
    err = mho_state_new(b->net, n, MHO_STATE_INPUT, &b->own, ei);
  if (err)
    return err;

  for (int l = 1; l < b->net->n_layers; l++) {
    b->error[l] = mho_alloc((size_t)n * (size_t)b->net->layer[l].n, sizeof *b->error[l]);
    if (!b->error[l])
      return mho_fail(ei, MHO_ENOMEM, "no memory for backpropagation on %d samples", n);
  }

  for (int l = 0; l < b->net->n_layers; l++)
    b->factor[l] = 1;
  b->s = settled ? t->learner->state[0] : b->own;
  return MHO_OK;
}

/* Some of its samples. */
static mho_lesson lesson_of(const mho_trainer *t, backprop *b, int sample0, int n,
                            mho_thread *thread) {
  return (mho_lesson){.net = b->net,
                      .dynamics = t->learner->dynamics,
                      .state = {b->s},
                      .error = b->error,
                      .targets = mho__learner_targets(t->learner),
                      .sample0 = sample0,
                      .n = n,
                      .factor = b->factor,
                      .thread = thread};
}

static mho_err backprop_run(const mho_trainer *t, int n, backprop *b, mho_errinfo *ei) {
  const mho_learner *learner = t->learner;
  size_t inputs = (size_t)n * (size_t)t->data.features;
  int chunk = learner->chunk_samples;
  bool settled = t->e->observe.cosine_at == MHO_COSINE_SETTLED;
  mho_rule_stats unused = {0};
  mho_err err = backprop_new(t, n, settled, b, ei);
  if (err)
    return err;

  if (!settled)
    memcpy(b->s->z[0], learner->state[0]->z[0], inputs * sizeof(mho_real));

  for (int sample0 = 0; sample0 < n; sample0 += chunk) {
    mho_thread thread = {.scratch = learner->thread[0].scratch};
    mho_lesson lesson = lesson_of(t, b, sample0, mho_min(n - sample0, chunk), &thread);
    if (settled) {
      mho__backprop_at_state(&lesson, &unused);
    } else {
      mho__backprop_learn(&lesson, &unused);
      mho_state_pool(b->net, b->s, sample0, lesson.n);
    }
  }
  return MHO_OK;
}

static double cosine_of(size_t n, const mho_real *a, const mho_real *b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < n; i++) {
    ab += (double)a[i] * (double)b[i];
    aa += (double)a[i] * (double)a[i];
    bb += (double)b[i] * (double)b[i];
  }
  return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : (double)NAN;
}

/* Of every trained connection, [n_trained]. The rule's errors are compared as they come: a factor
 * turns no gradient. */
static mho_err cosines(mho_trainer *t, double *out, mho_errinfo *ei) {
  const mho_network *net = t->net;
  int n = (int)t->e->train.batch, most_rows = 0;
  size_t most = 0;
  backprop b = {0};

  for (int c = 0; c < net->n_trained; c++) {
    size_t cells = mho_crossbar_cells(crossbar_of(t->net, c));
    most = cells > most ? cells : most;
    most_rows = mho_max(most_rows, crossbar_of(t->net, c)->rows);
  }

  mho_rule_stats unused;
  mho_err err = mho__trainer_settle(t, &t->data.train, 0, n, true, &unused, ei);
  if (err)
    return err;

  size_t scratch_size = mho_change_scratch(net, most_rows, (int)most);
  mho_real *g = mho_alloc(2 * most + scratch_size, sizeof *g);
  if (!g)
    return mho_fail(ei, MHO_ENOMEM, "no memory for two gradients");

  mho_real *other = g + most, *scratch = g + 2 * most;
  err = backprop_run(t, n, &b, ei);
  mho_lesson rule = mho__learner_lesson(t->learner, n), reference = lesson_of(t, &b, 0, n, NULL);
  rule.factor = b.factor;
  rule.vars = t->learner->other_vars;

  for (int c = 0; c < net->n_trained; c++) {
    int rows = crossbar_of(t->net, c)->rows;
    if (err)
      break;
    mho_change of_rule = mho_change_of(t->learner->rule, &rule, c), of_reference = {0};
    mho_change_by_error(&reference, c, &of_reference);
    mho_change_sum(net, c, &of_rule, MHO_CHANGE_GRADIENT, 0, rows, g, scratch);
    mho_change_sum(net, c, &of_reference, MHO_CHANGE_GRADIENT, 0, rows, other, scratch);
    bool is_array =
        net->connection[c].role == MHO_CONTROL; /* which backpropagation knows none of */
    out[c] =
        is_array ? (double)NAN : cosine_of(mho_crossbar_cells(crossbar_of(t->net, c)), g, other);
  }

  backprop_free(&b);
  mho_free(g);
  return err;
}

/* ---------------------------------------------------------------- Lyapunov exponent and settling
 * time */

static mho_err observe_lyapunov(const mho_trainer *t, const mho_state *input, int n,
                                mho_settle_row *row, mho_errinfo *ei) {
  mho_lyapunov v;
  mho_err err = mho_observe_lyapunov(t->net, input, n, t->learner->pool, &v, ei);
  row->lyapunov = err || !isfinite(v.mean) ? (double)NAN : v.mean;
  return err;
}

static mho_err observe_settling(const mho_trainer *t, const mho_state *input, int n,
                                mho_settle_row *row, mho_errinfo *ei) {
  mho_settling v;
  mho_err err = mho_observe_settling(t->net, input, n, t->learner->pool, &v, ei);
  row->steps_mean = v.mean;
  row->steps_max = v.max;
  row->residual_max = v.residual;
  row->unsettled = v.unsettled;
  return err;
}

/* Both over the first test images; in continuous time the settling is observed otherwise
 * (watched_settle.c). */
static mho_err observe_samples(const mho_trainer *t, mho_settle_row *row, mho_errinfo *ei) {
  const mho_observe_config *o = &t->e->observe;
  int n = o->samples < t->data.test.n ? (int)o->samples : t->data.test.n;
  mho_state *input;
  mho_err err = mho_state_new(t->net, n, MHO_STATE_INPUT, &input, ei);
  if (err)
    return err;

  mho_images_batch(&t->data, &t->data.test, NULL, 0, n, input->z[0], NULL);
  if (o->lyapunov)
    err = observe_lyapunov(t, input, n, row, ei);
  if (!err && o->settling && !mho_trainer_in_time(t))
    err = observe_settling(t, input, n, row, ei);

  mho_state_free(input);
  return err;
}

mho_err mho_trainer_observe(mho_trainer *t, mho_settle_row *row, double *cosine, mho_errinfo *ei) {
  const mho_observe_config *o = &t->e->observe;
  mho_err err = MHO_OK;

  if (o->spectral_radius)
    err = mho_observe_spectral_radius(t->net, &row->spectral_radius, NULL, ei);
  if (!err && (o->lyapunov || o->settling))
    err = observe_samples(t, row, ei);
  if (!err && o->cosine)
    err = cosines(t, cosine, ei);
  return err;
}

/* ---------------------------------------------------------------- controls */

mho_err mho__trainer_observe_control(mho_trainer *t, mho_control_row *rows, mho_errinfo *ei) {
  const mho_network *net = t->net;
  int n = (int)t->e->train.batch, last = mho_network_output(net);
  mho_control_view view;
  mho_rule_stats stats;

  mho_err err = mho__trainer_settle(t, &t->data.train, 0, n, true, &stats, ei);
  if (err)
    return err;
  mho_lesson lesson = mho__learner_lesson(t->learner, n);
  lesson.vars = t->learner->other_vars;
  err = t->learner->rule->observe(&lesson, &view, ei);

  for (int l = 1; l <= last && !err; l++) {
    bool is_last = l == last;
    rows[l - 1] = (mho_control_row){.epoch = t->at.epoch,
                                    .layer = l,
                                    .name = net->layer[l].name,
                                    .size = view.size[l],
                                    .cosine = view.cosine[l],
                                    .cosine_least = view.least[l],
                                    .condition = is_last ? view.condition : (double)NAN,
                                    .growth = is_last ? view.growth : (double)NAN,
                                    .residual = is_last ? view.residual : (double)NAN,
                                    .unsettled = NAN};
    if (is_last)
      rows[l - 1].unsettled = (double)stats.nudged.unsettled / n;
  }
  return err;
}
