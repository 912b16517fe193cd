/* What an epoch of deep feedback control costs over one of backpropagation: operations and the
 * floor that matrix products set, seconds, and the ratio, all in one run and in turn; run by
 * `meson test --benchmark`.
 *
 * Operations are multiply-adds a sample that the method needs: rows of the Jacobian for the closed
 * form, one pass back and forward for every look at a control. How many looks a sample took is
 * counted.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "bench.h"
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
  static const char base[] = "dataset: random\nnetwork: {hidden: [256, 256, 256]}\n"
                             "train: {batch: 128}\nupdate: {optimizer: adam, rate: 1e-3}\n";
  mho_errinfo ei = {0};
  mho_config *c;
  subject x = {.seconds = 1e9};
  if (mho_config_new(&c, &ei) || mho_config_text(c, base, "bench", &ei) ||
      mho_config_text(c, m->yaml, "bench", &ei) || mho_experiment_new(r, c, false, &x.e, &ei) ||
      mho_trainer_new(ctx, x.e, &x.t, &ei))
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
  double all = 0, above = 0, hidden = 0;
  for (int l = 1; l <= mho_network_output(net); l++) {
    double size = (double)net->layer[l - 1].n * net->layer[l].n;
    all += size;
    above += l > 1 ? size : 0;
    hidden += l < mho_network_output(net) ? net->layer[l].n : 0;
  }

  double back = m->direct ? CLASSES * hidden : above;
  double jacobian = CLASSES * above + CLASSES * CLASSES * hidden;
  if (!m->controlled)
    return 2 * all + above;
  if (!m->iterated)
    return 2 * all + jacobian + back + above;
  return 2 * all + looks * (back + above);
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
  for (int i = 0; i < (int)MHO_COUNT(methods); i++) {
    double looks = methods[i].iterated ? looks_of(&x[i], &ctx) : 0;
    double products = TRAIN * multiply_adds(&x[i], &methods[i], looks);
    printf("%-21s %7.3f s/epoch  floor %6.3f s (%4.0f GFLOP at %.0f GFLOP/s)  looks %.2f  "
           "%.2f of backpropagation\n",
           methods[i].name, x[i].seconds, products / rate, 2e-9 * products, 2e-9 * rate, looks,
           x[i].seconds / x[0].seconds);
    mho_trainer_free(x[i].t);
    mho_experiment_free(x[i].e);
  }
  mho_pool_free(ctx.pool);
  mho_registry_free(r);
  return 0;
}
