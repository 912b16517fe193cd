/* The gradient of equilibrium propagation in a convolutional net, in single precision: its cosine
 * with backpropagation's in every layer at beta_i = .01, at the initial weights and after training,
 * for nudges from small to the published one, with the net's states and with those of the net
 * without recurrence; and how many units a nudge or the recurrence carries over an edge of the hard
 * sigmoid, how many windows they give another winner. On digits, and with MHO_TEST_SLOW on MNIST
 * with the published net after an epoch of either published optimizer.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "rule/backprop.h"
#include "subject.h"
#include "train/trainer.h"

/* The cosine of every trained connection, and the smallest. */
static double cosines(const char *yaml, double nudge, const char *more, const char *at,
                      const mho_checkpoint_row *weights, double *each) {
  char text[1024];
  snprintf(text, sizeof text, "%srule: {nudge: %g}\nobserve: {cosine: true, cosine_at: %s}\n%s",
           yaml, nudge, at, more);
  mho_experiment *e = experiment(text);
  mho_trainer *t = trainer(e);
  mho_settle_row row;
  double least = 1;
  if (weights)
    OK(mho_trainer_load(t, &weights->blob, &ei));
  OK(mho_trainer_observe(t, &row, each, &ei));
  for (int c = 0; c < mho_trainer_network(t)->n_trained; c++)
    least = fmin(least, each[c]);
  mho_trainer_free(t);
  mho_experiment_free(e);
  return least;
}

static double cosine_of(const mho_real *a, const mho_real *b, int n) {
  double sum = 0, aa = 0, bb = 0;
  for (int i = 0; i < n; i++) {
    sum += (double)a[i] * (double)b[i];
    aa += (double)a[i] * (double)a[i];
    bb += (double)b[i] * (double)b[i];
  }
  return sum / sqrt(aa * bb);
}

/* Connection c's gradient on the first batch: `weights_n` numbers, and `biases_n` behind them. */
static mho_real *gradient(const char *yaml, const char *rule, const mho_checkpoint_row *weights,
                          int c, int *weights_n, int *biases_n) {
  char text[1024];
  snprintf(text, sizeof text, "%s%s", yaml, rule);
  mho_experiment *e = experiment(text);
  mho_trainer *t = trainer(e);
  if (weights)
    OK(mho_trainer_load(t, &weights->blob, &ei));
  const mho_connection *k = &mho_trainer_network(t)->connection[c];
  *weights_n = (k->xb->rows - k->bias) * k->xb->cols;
  *biases_n = k->bias * k->xb->cols;
  mho_real *g = mho_alloc((size_t)(*weights_n + *biases_n), sizeof *g);
  OK(mho_trainer_gradient(t, 0, (int)e->train.batch, c, g, &ei));
  mho_trainer_free(t);
  mho_experiment_free(e);
  return g;
}

/* Weights and biases apart: of the three connections, the cosine of either with
 * backpropagation's. */
static void parts(const char *yaml, double nudge, const mho_checkpoint_row *weights, double *kernel,
                  double *bias) {
  char ep[64];
  snprintf(ep, sizeof ep, "rule: {nudge: %g}\n", nudge);
  for (int c = 0; c < 3; c++) {
    int n, biases;
    mho_real *a = gradient(yaml, ep, weights, c, &n, &biases),
             *b = gradient(yaml, "rule: bp\n", weights, c, &n, &biases);
    kernel[c] = cosine_of(a, b, n);
    bias[c] = cosine_of(a + n, b + n, biases);
    mho_free(a);
    mho_free(b);
  }
}

/* Errors and winners of the first batch, settled as two states. */
typedef struct phases {
  mho_experiment *e;
  mho_trainer *t;
} phases;

static phases settle(const char *yaml, double nudge, const char *more,
                     const mho_checkpoint_row *weights) {
  char text[1024];
  snprintf(text, sizeof text, "%srule: {nudge: %g}\n%s", yaml, nudge, more);
  phases p = {.e = experiment(text)};
  p.t = trainer(p.e);
  if (weights)
    OK(mho_trainer_load(p.t, &weights->blob, &ei));
  mho_rule_stats unused;
  OK(mho__trainer_settle(p.t, &p.t->data.train, 0, (int)p.e->train.batch, true, &unused, &ei));
  return p;
}

static void phases_free(phases *p) {
  mho_trainer_free(p->t);
  mho_experiment_free(p->e);
}

/* The share (%) of layer l's windows whose largest unit is another one in state b of batch B
 * than in a of A. */
static double moved(const phases *A, int a, const phases *B, int b, int l) {
  const mho_layer *layer = &mho_trainer_network(A->t)->layer[l];
  int n = (int)A->e->train.batch;
  size_t windows = layer->pool.size ? (size_t)n * (size_t)layer->outputs : 0, differ = 0;
  uint8_t *w[2] = {malloc(windows + 1), malloc(windows + 1)};
  if (windows) {
    mho_pool_winners(&layer->pool, n, A->t->learner->state[a]->z[l], w[0]);
    mho_pool_winners(&layer->pool, n, B->t->learner->state[b]->z[l], w[1]);
  }
  for (size_t i = 0; i < windows; i++)
    differ += w[0][i] != w[1][i];
  free(w[0]);
  free(w[1]);
  return 100.0 * (double)differ / (double)(windows ? windows : 1);
}

/* What a connection reads of the free states. */
static const mho_real *source_of(const mho_trainer *t, const mho_network *f, int c) {
  int from = f->connection[c].from;
  return f->layer[from].pool.size ? t->learner->state[0]->pooled[from]
                                  : t->learner->state[0]->z[from];
}

/* Backpropagation's gradient of connection c in net f with the slopes and winners of one net's
 * states, the read-out's error and inputs of another's. */
static mho_real *mixed(const mho_network *f, const phases *slopes, const phases *states, int c) {
  const mho_trainer *t = states->t;
  mho_rule_stats unused = {0};
  mho_real *error[MHO_LAYERS_MAX] = {NULL};
  int batch = (int)states->e->train.batch, last = mho_network_output(f),
      rows = f->connection[c].xb->rows;
  for (int l = 1; l <= last; l++)
    error[l] = mho_alloc((size_t)batch * (size_t)f->layer[l].n, sizeof(mho_real));
  memcpy(error[last], t->learner->error[last],
         (size_t)batch * (size_t)f->layer[last].n * sizeof(mho_real));
  for (int row0 = 0; row0 < batch; row0 += t->learner->chunk_samples)
    mho__backprop_back(
        &(mho_lesson){.net = f,
                      .state = {slopes->t->learner->state[0]},
                      .error = error,
                      .sample0 = row0,
                      .n = batch - row0 < t->learner->chunk_samples ? batch - row0
                                                                    : t->learner->chunk_samples,
                      .thread = &(mho_thread){.scratch = t->learner->thread[0].scratch}},
        &unused);

  int cells = rows * f->connection[c].xb->cols;
  mho_outer term = {.pre = source_of(t, f, c),
                    .post = error[f->connection[c].to],
                    .n = batch,
                    .scale = 1.0 / batch};
  mho_change change = {.n = 1, .term = {term}};
  mho_real *g = mho_alloc((size_t)cells + mho_change_scratch(f, rows, cells), sizeof *g);
  mho_change_sum(f, c, &change, MHO_CHANGE_GRADIENT, 0, rows, g, g + cells);
  for (int l = 1; l <= last; l++)
    mho_free(error[l]);
  return g;
}

/* How far backpropagation turns when only its slopes and winners are the settled state's, and
 * when all but them are: the smallest cosine of that. */
static double turned(const phases *settled, const phases *forward) {
  mho_network *f;
  double only[MHO_LAYERS_MAX], rest[MHO_LAYERS_MAX], least = 1;
  OK(mho_network_feedforward(mho_trainer_network(forward->t), &f, &ei));
  for (int c = 0; c < f->n_trained; c++) {
    int n = f->connection[c].xb->rows * f->connection[c].xb->cols;
    mho_real *plain = mixed(f, forward, forward, c), *clips = mixed(f, settled, forward, c),
             *others = mixed(f, forward, settled, c);
    only[c] = cosine_of(plain, clips, n);
    rest[c] = cosine_of(plain, others, n);
    least = fmin(least, rest[c]);
    mho_free(plain);
    mho_free(clips);
    mho_free(others);
  }
  print_message(
      "  recurrence: its slopes and winners alone %.4f %.4f %.4f, all but them %.4f %.4f %.4f\n",
      only[0], only[1], only[2], rest[0], rest[1], rest[2]);
  mho_network_feedforward_free(f);
  return least;
}

/* What the recurrence does to the slopes: the share of the units with an error that have one in
 * only one of the settled state and the net without recurrence, and the share of windows whose
 * winner differs; and the smallest cosine of the gradients that differ in everything else. */
static double clipped(const char *yaml, const char *bare, const mho_checkpoint_row *weights) {
  static const char direct[] = "settle: {difference: direct}\n";
  phases settled = settle(yaml, 1e-6, direct, weights),
         forward = settle(bare, 1e-6, direct, weights);
  const mho_network *net = mho_trainer_network(settled.t);
  for (int l = 1; l < mho_hidden_end(net); l++) {
    size_t units = (size_t)settled.e->train.batch * (size_t)net->layer[l].n, any = 0, one = 0;
    for (size_t i = 0; i < units; i++) {
      bool a = settled.t->learner->error[l][i] != 0, b = forward.t->learner->error[l][i] != 0;
      any += a || b;
      one += a != b;
    }
    print_message("  recurrence, %s: %.2f %% of the units with an error have it with or without "
                  "recurrence only, %.3f %% of the windows another winner\n",
                  net->layer[l].name, 100.0 * (double)one / (double)(any ? any : 1),
                  moved(&settled, 0, &forward, 0, l));
  }
  double rest = turned(&settled, &forward);
  phases_free(&settled);
  phases_free(&forward);
  return rest;
}

/* Of the units of layer l with an error: the share whose answer to the nudge is not that to a
 * small one; and the share of windows whose largest unit is another one in the nudged state. */
static void shares(const char *yaml, double nudge, const mho_checkpoint_row *weights) {
  static const char direct[] = "settle: {difference: direct}\n",
                    subtract[] = "settle: {difference: subtract}\n";
  phases finite = settle(yaml, nudge, direct, weights), small = settle(yaml, 1e-6, direct, weights);
  phases two = settle(yaml, nudge, subtract, weights);
  const mho_network *net = mho_trainer_network(two.t);
  int n = (int)two.e->train.batch;
  for (int l = 1; l < mho_hidden_end(net); l++) {
    const mho_layer *layer = &net->layer[l];
    size_t units = (size_t)n * (size_t)layer->n, any = 0, cut = 0;
    for (size_t i = 0; i < units; i++) {
      double a = (double)finite.t->learner->error[l][i], b = (double)small.t->learner->error[l][i];
      any += a != 0 || b != 0;
      cut += fabs(a - b) > 0.01 * fmax(fabs(a), fabs(b));
    }
    print_message(
        "    %s: %.2f %% of the units with an error pass an edge, %.3f %% of the windows change "
        "their winner\n",
        layer->name, 100.0 * (double)cut / (double)(any ? any : 1), moved(&two, 0, &two, 1, l));
  }
  phases_free(&finite);
  phases_free(&small);
  phases_free(&two);
}

/* The smallest cosines at the smallest nudge: with backpropagation in the net without its
 * recurrence of everything, and of weights alone; and with backpropagation at the settled
 * states. */
typedef struct least {
  double forward, weights, settled;
} least;

static least look(const char *yaml, const mho_checkpoint_row *weights) {
  least smallest = {0};
  static const double nudges[] = {1e-3, 1e-2, 0.1, 0.25};
  double each[8], kernel[3], bias[3];
  for (int i = 0; i < MHO_COUNT(nudges); i++) {
    least now = {.forward = cosines(yaml, nudges[i], "", "forward", weights, each)};
    print_message("  nudge %g: settled directly %.4f %.4f %.4f\n", nudges[i], each[0], each[1],
                  each[2]);
    parts(yaml, nudges[i], weights, kernel, bias);
    now.weights = fmin(kernel[0], fmin(kernel[1], kernel[2]));
    print_message("    weights alone %.4f %.4f %.4f, biases alone %.4f %.4f %.4f\n", kernel[0],
                  kernel[1], kernel[2], bias[0], bias[1], bias[2]);
    now.settled = cosines(yaml, nudges[i], "", "settled", weights, each);
    print_message("    backpropagation at the settled states %.4f %.4f %.4f\n", each[0], each[1],
                  each[2]);
    if (i == 0)
      smallest = now;
    shares(yaml, nudges[i], weights);
  }

  for (int i = 2; i < MHO_COUNT(nudges); i++) {
    cosines(yaml, nudges[i], "settle: {difference: subtract}\n", "forward", weights, each);
    print_message("  nudge %g: two states subtracted %.4f %.4f %.4f\n", nudges[i], each[0], each[1],
                  each[2]);
  }

  return smallest;
}

/* Initially a unit without input and bias is exactly at the edge of the hard sigmoid, where
 * backpropagation's slope is a convention: only biases feel those. Trained weights feed so much
 * back that at beta_i .01 the states are not those of the net without recurrence, and its
 * backpropagation is EP's limit at a smaller `scale` only. */
static void study(const char *net, double scale) {
  enum { TEXT = 512 };
  char yaml[TEXT], smaller[TEXT], bare[TEXT];
  snprintf(yaml, TEXT, "%sfeedback: {scale: 0.01}\n", net);
  snprintf(smaller, TEXT, "%sfeedback: {scale: %g}\n", net, scale);
  snprintf(bare, TEXT, "%sfeedback: {scale: 1e-6}\n", net);
  print_message(" initial weights\n");
  least initial = look(yaml, NULL);
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  mho_epoch_row row;
  mho_checkpoint_row weights;
  OK(mho_trainer_epoch(t, &row, &ei));
  OK(mho_trainer_save(t, &weights, &ei));
  print_message(" after an epoch, train accuracy %.4f\n", row.train_acc);
  least later = look(yaml, &weights);
  double each[8], limit = cosines(smaller, 1e-3, "", "forward", &weights, each);
  double rest = clipped(yaml, bare, &weights);
  print_message("  beta_i %g, nudge 0.001: settled directly %.4f %.4f %.4f\n", scale, each[0],
                each[1], each[2]);
  mho_blob_free(&weights.blob);
  mho_trainer_free(t);
  mho_experiment_free(e);
  assert_true(initial.weights >= 0.99);
  assert_true(later.settled >= 0.99);
  assert_true(limit >= 0.99);
  assert_true(rest >= 0.98);
}

static void test_digits(void **state) {
  study("network: {topology: conv, conv: [8x3, pool2, 12x2], neuron: hard_sigmoid, biases: true}\n"
        "update: {rate: 2e-3}\ntrain: {batch: 60}\n",
        0.01);
}

/* The published net with an optimizer's lines, Tables 1 and 2 of Liu & Chen (arXiv 2508.11659). */
static void mnist(const char *lines) {
  char folder[MHO_TEXT_MAX], yaml[400];
  const mho_dataset_kind *kind =
      (const mho_dataset_kind *)mho_registry_find(registry, MHO_KIND_DATASET, "mnist");
  mho_dataset_locate(kind, "", folder, sizeof folder);
  if (!*folder || !getenv("MHO_TEST_SLOW"))
    skip();
  snprintf(yaml, sizeof yaml,
           "dataset: mnist\ntrain: {batch: 128}\n"
           "network: {topology: conv, conv: [32x5, pool2, 64x5, pool2], neuron: hard_sigmoid, "
           "biases: true%s\n",
           lines);
  study(yaml, 0.003);
}

static void test_mnist_adamw(void **state) {
  mnist("}\nupdate: {rate: 2e-4, decay: 1e-6}");
}

static void test_mnist_sgd(void **state) {
  mnist(", init: fan_in}\nupdate: {optimizer: sgd, rates: [0.15, 0.35, 0.9], decay: 1e-5}");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_digits),
                                     cmocka_unit_test(test_mnist_adamw),
                                     cmocka_unit_test(test_mnist_sgd)};
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
