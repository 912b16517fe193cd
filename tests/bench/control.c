/* What an epoch of deep feedback control costs over one of backpropagation: operations and the
 * floor that matrix products set, seconds, and the ratio, all in one run and in turn; run by
 * `meson test --benchmark`. The images are MNIST's where they are found, else random bytes, with
 * which rests take about three times as many looks.
 *
 * Operations are multiply-adds a sample that the method needs: rows of the Jacobian for the closed
 * form, one pass back and forward for every look at a control. How many looks a sample took is
 * counted.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "bench.h"

#include "mho/data.h"
#include "rule/dfc.h"
#include "train/trainer.h"

enum { ROUNDS = 3 };

typedef struct method {
  const char *name, *yaml;
  bool controlled, iterated, direct;
} method;

static const method methods[] = {
    {"backpropagation", "rule: bp"},
    {"linear, nudged", "rule: {name: dfc, control: linear}", true},
    {"linear, exact", "rule: {name: dfc, control: linear, tolerance: 1e-6}", true},
    {"linear, label", "rule: {name: dfc, control: linear, target: label, gain: 2.5}", true},
    {"solve direct, nudged", "rule: {name: dfc, control: solve}\nfeedback: {path: direct}", true,
     true, true},
    {"solve direct, label",
     "rule: {name: dfc, control: solve, target: label, gain: 2.5}\nfeedback: {path: direct}", true,
     true, true},
    {"solve chain, nudged", "rule: {name: dfc, control: solve}", true, true},
    {"solve chain, label", "rule: {name: dfc, control: solve, target: label, gain: 2.5}", true,
     true},
};

typedef struct subject {
  mho_experiment *e;
  mho_trainer *t;
  double seconds;
} subject;

static subject subject_new(const mho_registry *r, const mho_context *ctx, const method *m) {
  static const char base[] = "network: {hidden: [256, 256, 256]}\ntrain: {batch: 128}\n"
                             "update: {optimizer: adam, rate: 1e-3}\n";
  const char *images = has_mnist(r) ? "dataset: mnist\n" : "dataset: random\n";
  mho_errinfo ei = {0};
  mho_config *c;
  subject x = {.seconds = 1e9};
  if (mho_config_new(&c, &ei) || mho_config_text(c, base, "bench", &ei) ||
      mho_config_text(c, images, "bench", &ei) || mho_config_text(c, m->yaml, "bench", &ei) ||
      mho_experiment_new(r, c, false, &x.e, &ei) || mho_trainer_new(ctx, x.e, &x.t, &ei))
    die(&ei);
  mho_config_free(c);
  return x;
}

static void run_epoch(subject *x) {
  mho_epoch_row row;
  mho_errinfo ei = {0};
  if (mho_trainer_epoch(x->t, &row, &ei))
    die(&ei);
  x->seconds = row.wall_s < x->seconds ? row.wall_s : x->seconds;
}

/* Looks at a control that a sample took, in the mean of all epochs. */
static double looks_of(const subject *x, const mho_context *ctx) {
  double looks = 0;
  for (int i = 0; i < mho_pool_threads(ctx->pool); i++) {
    const dfc_workspace *w = x->t->learner->thread[i].rule_workspace;
    looks += (double)w->looks;
  }
  return looks / (double)(ROUNDS * TRAIN);
}

/* Multiply-adds a sample; see above. */
static double multiply_adds(const subject *x, const method *m, double looks) {
  const mho_network *net = mho_trainer_network(x->t);
  int last = mho_network_output(net);
  double all = 0, above = 0, hidden = 0, pairs = mho__dfc_pairs(CLASSES);
  for (int l = 1; l <= last; l++) {
    double size = (double)net->layer[l - 1].n * net->layer[l].n;
    all += size;
    above += l > 1 ? size : 0;
    hidden += l < last ? net->layer[l].n : 0;
  }

  double top = CLASSES * (double)net->layer[last - 1].n; /* whose rows are weights */
  double rows = CLASSES * (above - top), chunk = x->t->learner->chunk_samples;
  double back = m->direct ? CLASSES * hidden : above;
  double mean = (rows + (m->direct ? CLASSES * CLASSES : pairs) * hidden) / chunk;
  if (!m->controlled)
    return 2 * all + above;
  if (!m->iterated) /* controls are led back by the rows */
    return 2 * all + rows + (pairs + CLASSES) * hidden + above;
  return 2 * all + mean + looks * (back + above) + (m->direct ? pairs * hidden : 0);
}

int main(void) {
  mho_context ctx = {0};
  mho_registry *r = open_bench(&ctx);
  subject x[MHO_COUNT(methods)];
  for (int i = 0; i < (int)MHO_COUNT(methods); i++)
    x[i] = subject_new(r, &ctx, &methods[i]);
  for (int k = 0; k < ROUNDS; k++)
    for (int i = 0; i < (int)MHO_COUNT(methods); i++)
      run_epoch(&x[i]);

  double rate = gemm_rate(ctx.pool, 32, 256, 256);
  printf("%s, 784-256-256-256-10, batches of 128\n", has_mnist(r) ? "MNIST" : "random images");
  for (int i = 0; i < (int)MHO_COUNT(methods); i++) {
    double looks = methods[i].iterated ? looks_of(&x[i], &ctx) : 0;
    double each = multiply_adds(&x[i], &methods[i], looks);
    double of_backpropagation = each / multiply_adds(&x[0], &methods[0], 0);
    printf("%-21s %7.3f s/epoch, %6.2f us a sample, %.2f of backpropagation\n", methods[i].name,
           x[i].seconds, 1e6 * x[i].seconds / TRAIN, x[i].seconds / x[0].seconds);
    printf("%21s %5.3f M multiply-adds a sample, %.2f of it; floor %6.3f s at %.0f GFLOP/s; looks "
           "%.2f\n",
           "", 1e-6 * each, of_backpropagation, TRAIN * each / rate, 2e-9 * rate, looks);
  }

  for (int i = 0; i < (int)MHO_COUNT(methods); i++) {
    mho_trainer_free(x[i].t);
    mho_experiment_free(x[i].e);
  }
  mho_pool_free(ctx.pool);
  mho_registry_free(r);
  return 0;
}
