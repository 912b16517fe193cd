/* The rule perturb: its gradient against regrets of weights that were written, on every topology
 * and settler; cosines with backpropagation; devices that are pulsed; laws; what it learns with.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "experiment.h"
#include "mho/model/check.h"

enum { SAMPLES = 3, CONNECTIONS = 16 };

static double loss_of(mho_trainer *t, int first, int n) {
  const mho_dataset *d = mho_trainer_dataset(t);
  mho_images images = d->train;
  mho_evaluation e;
  images.n = n;
  images.pixel += (size_t)first * (size_t)d->features;
  images.label += first;
  OK(mho_trainer_evaluate(t, &images, &e, &ei));
  return e.loss;
}

/* ---------------------------------------------------------------- one trial, by hand */

/* The perturbation of a trial of update 0 on a connection, and the weights without it. */
typedef struct written {
  mho_crossbar *x;
  mho_perturbation p;
  size_t n;
  mho_real *row, *col, *w;
} written;

static written written_new(const mho_network *net, int c, int shape, int samples) {
  mho_crossbar *x = net->connection[c].xb;
  size_t n = mho_crossbar_cells(x), all = (size_t)samples;
  written m = {.x = x,
               .p = mho_crossbar_perturbation(x, shape),
               .n = n,
               .row = calloc(all * (size_t)x->rows, sizeof(mho_real)),
               .col = calloc(all * (size_t)x->cols, sizeof(mho_real)),
               .w = malloc(n * sizeof(mho_real))};
  m.p.samples = samples;
  m.p.size = 1;
  m.p.row = m.row;
  m.p.col = m.col;
  mho_perturbation_draw(&m.p, 0, 1);
  memcpy(m.w, mho_crossbar_matrix(x), n * sizeof *m.w);
  return m;
}

static void written_free(written *m) {
  free(m->row);
  free(m->col);
  free(m->w);
}

static double xi_of(const written *m, int sample, size_t i) {
  return mho_perturbation_weight(&m->p, sample, (int)i / m->x->cols, (int)i % m->x->cols);
}

/* Write W + size xi of a sample; size 0: W. */
static void write_weights(const written *m, int sample, double size) {
  mho_real *w = malloc(m->n * sizeof *w);
  for (size_t i = 0; i < m->n; i++)
    w[i] = m->w[i] + (mho_real)(size != 0 ? size * xi_of(m, sample, i) : 0);
  mho_crossbar_set(m->x, 0, m->n, w);
  free(w);
}

/* The rule's gradient of the first samples is the mean of R xi/size, with R from the losses of
 * written weights: of each sample, or of all of them. */
static void by_hand(const char *yaml, int shape, bool each, bool both) {
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  mho_network *net = mho_trainer_network(t);
  int trained = net->n_trained, of = each ? SAMPLES : 1;
  written m[CONNECTIONS];
  double regret[SAMPLES];
  assert_true(trained <= CONNECTIONS);
  for (int c = 0; c < trained; c++)
    m[c] = written_new(net, c, shape, of);

  for (int s = 0; s < of; s++) {
    double loss[2] = {0};
    for (int k = 0; k < 2; k++) { /* perturbed; the other side, or not */
      double side = k == 0 ? 1 : -1;
      for (int c = 0; c < trained; c++)
        write_weights(&m[c], s, k && !both ? 0 : side * 0.05 * mho_crossbar_w_max(m[c].x));
      loss[k] = loss_of(t, each ? s : 0, each ? 1 : SAMPLES);
    }
    regret[s] = (loss[0] - loss[1]) / (both ? 2 : 1);
  }

  for (int c = 0; c < trained; c++)
    write_weights(&m[c], 0, 0);
  for (int c = 0; c < trained; c++) {
    mho_real *g = malloc(m[c].n * sizeof *g);
    double most = 0;
    OK(mho_trainer_gradient(t, 0, SAMPLES, c, g, &ei));
    for (int s = 0; s < of; s++)
      most += fabs(regret[s]) / of / (0.05 * mho_crossbar_w_max(m[c].x));
    for (size_t i = 0; i < m[c].n; i++) {
      double want = 0;
      for (int s = 0; s < of; s++)
        want += regret[s] * xi_of(&m[c], s, i) / of / (0.05 * mho_crossbar_w_max(m[c].x));
      if (!(fabs((double)g[i] - want) <= 2e-3 * most + 1e-5))
        fail_msg("%s: gradient %g, by hand %g", yaml, (double)g[i], want);
    }
    free(g);
    written_free(&m[c]);
  }
  mho_trainer_free(t);
  mho_experiment_free(e);
}

static void test_by_hand(void **state) {
  static const char *const nets[] = {
      "network: {hidden: [12, 9]}",
      "network: {hidden: [12, 9], biases: true}",
      "network: {hidden: [12, 9, 9], topology: residual}",
      "network: {hidden: [9, 8, 7], topology: agt, link_probability: 0.5}",
      "network: {topology: graph, links: [x>1, x>2, 1-2, 2-3, 1-3, 3-out, 2-out], "
      "hidden: [9, 8, 7]}",
      "network: {topology: conv, conv: [4x3 pool2 5x3], biases: true}",
  };
  static const char *const settlers[] = {"{method: sweep, tolerance: 1e-6}",
                                         "{method: synchronous, free: 50}", "{method: ode}"};
  static const char *const rules[] = {"", "sides: both", "samples: batch",
                                      "shape: normal, by: cell",
                                      "shape: signs, by: ideal, samples: batch"};
  static const int shapes[] = {MHO_SHAPE_RANK1, MHO_SHAPE_RANK1, MHO_SHAPE_RANK1, MHO_SHAPE_NORMAL,
                               MHO_SHAPE_SIGNS};
  for (int n = 0; n < MHO_COUNT(nets); n++)
    for (int s = 0; s < MHO_COUNT(settlers); s++)
      for (int r = 0; r < MHO_COUNT(rules); r++) {
        char yaml[768];
        bool is_conv = strstr(nets[n], "conv") != NULL;
        if ((is_conv && s == 2) || (s && r > 1))
          continue;
        snprintf(yaml, sizeof yaml,
                 "%s\nfeedback: {scale: 0.1}\ntrain: {batch: 8}\nsettle: %s\n"
                 "rule: {name: perturb, size: 0.05%s%s}\n",
                 nets[n], settlers[s], *rules[r] ? ", " : "", rules[r]);
        by_hand(yaml, shapes[r], r != 2 && r != 4, r == 1);
      }
}

/* ---------------------------------------------------------------- cosines */

/* Products of two gradients of the first 100 images, summed over connections. */
typedef struct comparison {
  double ab, aa, bb;
} comparison;

/* A trainer whose crossbars have one w_max, and perturbations one size. */
static mho_trainer *alike(const mho_experiment *e) {
  mho_trainer *t = trainer(e);
  const mho_network *net = mho_trainer_network(t);
  for (int c = 0; c < net->n_trained; c++)
    mho_crossbar_range(net->connection[c].xb, 1);
  return t;
}

enum { DRAWS_MAX = 2 };

/* The mean of the gradients of n configs, which differ in their draws, with that of another. */
static comparison compare_mean(int n_draws, const char *const *a, const char *b) {
  mho_experiment *e[DRAWS_MAX + 1];
  mho_trainer *t[DRAWS_MAX + 1];
  for (int k = 0; k <= n_draws; k++) {
    e[k] = experiment(k < n_draws ? a[k] : b);
    t[k] = alike(e[k]);
  }
  const mho_network *net = mho_trainer_network(t[0]);
  comparison sum = {0};

  for (int c = 0; c < net->n_trained; c++) {
    size_t n = mho_crossbar_cells(net->connection[c].xb);
    mho_real *g[DRAWS_MAX + 1];
    for (int k = 0; k <= n_draws; k++) {
      g[k] = malloc(n * sizeof **g);
      OK(mho_trainer_gradient(t[k], 0, 100, c, g[k], &ei));
    }
    for (size_t i = 0; i < n; i++) {
      double mean = 0, of_b = (double)g[n_draws][i];
      for (int k = 0; k < n_draws; k++)
        mean += (double)g[k][i] / n_draws;
      sum.ab += mean * of_b;
      sum.aa += mean * mean;
      sum.bb += of_b * of_b;
    }
    for (int k = 0; k <= n_draws; k++)
      free(g[k]);
  }
  for (int k = 0; k <= n_draws; k++) {
    mho_trainer_free(t[k]);
    mho_experiment_free(e[k]);
  }
  return sum;
}

static comparison compare(const char *a, const char *b) {
  return compare_mean(1, &a, b);
}

/* With hardly any feedback the gradient is backpropagation's. */
#define NET "feedback: {scale: 1e-6}\ntrain: {batch: 100, seed: 1}\nnetwork: "

/* The mean over many trials of nodes is the gradient: its length along it is 1. */
static void test_nodes(void **state) {
  comparison c = compare(NET "{hidden: [16, 12]}\nrule: {name: perturb, of: nodes, trials: 511}\n",
                         NET "{hidden: [16, 12]}\nrule: bp\n");
  double cosine = c.ab / sqrt(c.aa * c.bb);
  print_message("  nodes, 511 trials: cosine %.4f, length along the gradient %.4f\n", cosine,
                c.ab / c.bb);
  assert_true(cosine > 0.98);
  NEAR(c.ab, c.bb, 0.05, 0);
}

/* Root mean square of the cosine of the mean of P trials with the gradient: sqrt(P/(P + N - 1)) of
 * signs and rank one, N + 1 of normal deviates. More trials than an update has are of several. */
static void cosines(const char *rule, int more, int trials, int repeats) {
  int n_draws = trials > 511 ? DRAWS_MAX : 1;
  const double n = 64 * 16 + 16 * 10, want = trials / (trials + n + more);
  double have = 0;
  for (int k = 0; k < repeats; k++) {
    char yaml[DRAWS_MAX][512];
    for (int d = 0; d < n_draws; d++)
      snprintf(yaml[d], sizeof yaml[d],
               "train: {batch: 100, seed: 1, seeds: {noise: %d}}\nfeedback: {scale: 1e-6}\n"
               "network: {hidden: [16]}\nrule: {name: perturb, samples: batch, size: 0.001, "
               "sides: both, trials: %d, %s}\n",
               k * n_draws + d + 2, trials / n_draws, rule);
    const char *draws[DRAWS_MAX] = {yaml[0], yaml[1]};
    comparison c = compare_mean(n_draws, draws, NET "{hidden: [16]}\nrule: bp\n");
    have += c.ab * c.ab / (c.aa * c.bb) / repeats;
  }
  print_message("  %s, %d trials: cosine %.4f, expected %.4f\n", rule, trials, sqrt(have),
                sqrt(want));
  /* A square of a cosine is spread like a chi-square over its degrees of freedom. */
  NEAR(sqrt(have), sqrt(want), 0.05 + 1.5 / sqrt(2.0 * trials * repeats), 0);
}

static void test_cosines(void **state) {
  bool slow = getenv("MHO_TEST_SLOW");
  cosines("shape: rank1", -1, 1, slow ? 2000 : 200);
  cosines("shape: rank1", -1, 10, slow ? 200 : 20);
  cosines("shape: signs, by: cell", -1, 100, slow ? 20 : 4);
  cosines("shape: normal, by: cell", 1, 100, slow ? 20 : 4);
  if (slow)
    cosines("shape: rank1", -1, 1000, 8);
}

/* ---------------------------------------------------------------- pulses */

/* Mean conductance of the trained devices. */
static double mean_of(mho_trainer *t) {
  const mho_network *net = mho_trainer_network(t);
  double sum = 0, n = 0;
  for (int c = 0; c < net->n_trained; c++) {
    const mho_crossbar *x = net->connection[c].xb;
    for (size_t i = 0; i < mho_crossbar_cells(x); i++, n += 2)
      sum += (double)mho_crossbar_shown(x, 0)[i] + (double)mho_crossbar_shown(x, 1)[i];
  }
  return sum / n;
}

/* Mean conductance before and after an epoch whose weights nothing changes but trials. */
static mho_epoch_row epoch_of(const char *device, const char *by, double *before, double *after) {
  char yaml[512];
  snprintf(yaml, sizeof yaml,
           "dataset: {train: 100}\nnetwork: {hidden: [6]}\ntrain: {batch: 4}\n%s"
           "update: {scheme: exact, rate: 0}\nrule: {name: perturb, by: %s}\n",
           device, by);
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  mho_epoch_row row;
  *before = mean_of(t);
  OK(mho_trainer_epoch(t, &row, &ei));
  *after = mean_of(t);
  mho_trainer_free(t);
  mho_experiment_free(e);
  return row;
}

/* A pulse and its undoing on every cell. Symmetric devices are back where they were. Soft bounds
 * take g to g + a (1 - g), and back to g - a g: up and down is u(g) = (1 - a)(a + (1 - a) g), down
 * and up d(g) = a + (1 - a)^2 g. By `pulse` a device gets one or the other, by `pair` u or
 * nothing, with equal chances. */
static void test_pulses(void **state) {
  enum { CELLS = 64 * 6 + 6 * 10, UPDATES = 25 };
  static const char *const by[] = {"pulse", "pair"};
  const double a = 0.02;

  for (int k = 0; k < 2; k++) {
    double before, after;
    mho_epoch_row row = epoch_of("device: {model: linear, step_up: 0.01, step_down: 0.01}\n", by[k],
                                 &before, &after);
    NEAR(row.pulses, UPDATES * CELLS * (k ? 2 : 4), 0, 0);
    NEAR(row.set_pulses, row.reset_pulses, 0, 0);
    NEAR(after, before, 0, 1e-6);

    epoch_of("device: {model: soft_bounds, step_up: 0.02, step_down: 0.02, start: 0.3}\n", by[k],
             &before, &after);
    double want = before;
    for (int i = 0; i < UPDATES; i++) {
      double up = (1 - a) * (a + (1 - a) * want), down = a + (1 - a) * (1 - a) * want;
      want = k ? (want + up) / 2 : (up + down) / 2;
    }
    print_message("  soft bounds by %s: mean %.4f, then %.4f, expected %.4f\n", by[k], before,
                  after, want);
    assert_true(want > before + 0.05);
    NEAR(after, want, 0, 0.002);
  }
}

/* ---------------------------------------------------------------- what it learns with */

static double accuracy(const char *more, int epochs) {
  char yaml[768];
  snprintf(yaml, sizeof yaml, "%strain: {batch: 50, epochs: %d, seed: 3}\n%s\n",
           strstr(more, "network:") ? "" : "network: {hidden: [8]}\n", epochs, more);
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  mho_epoch_row row;
  for (int k = 0; k < epochs; k++)
    OK(mho_trainer_epoch(t, &row, &ei));
  mho_trainer_free(t);
  mho_experiment_free(e);
  return row.train_acc;
}

/* Every scheme, law and way, on devices and without: well above what guessing gives. */
static void test_learns(void **state) {
#define ADAM         "\nupdate: {rate: 0.01}"
#define PULSED(more) "\ndevice: linear\nupdate: {rate: 0.01, scheme: " more "}"
  static const char *const each[] = {
      "rule: perturb" ADAM,
      "rule: {name: perturb, of: nodes}" ADAM,
      "rule: {name: perturb, of: nodes, shape: normal, sides: both}" ADAM,
      "rule: {name: perturb, shape: normal, by: cell}" ADAM,
      "rule: {name: perturb, law: rms}\nupdate: {optimizer: sgd, rate: 0.03}",
      "rule: {name: perturb, law: gain}" ADAM,
      "rule: {name: perturb, law: keep, samples: batch, size: 0.02}\n"
      "update: {optimizer: sgd, rate: 1}",
      "rule: perturb" PULSED("accumulate"),
      "rule: perturb" PULSED("pulses"),
      "rule: perturb" PULSED("write_verify"),
      "rule: perturb\ndevice: linear\nupdate: {scheme: stochastic, optimizer: sgd, rate: 0.03}",
      "rule: perturb\narray: {model: periphery, dac_bits: 6, adc_bits: 9}" PULSED("accumulate"),
      "rule: {name: perturb, noise: same}\narray: {model: periphery, read_noise: 0.01}" PULSED(
          "accumulate"),
      "rule: {name: perturb, by: pair, trials: 50}" PULSED("accumulate"),
      "rule: perturb\nsettle: {method: ode}" ADAM,
      /* lines are those of kernels and biases too */
      "rule: perturb\nnetwork: {hidden: [8], biases: true}\ndevice: linear\n"
      "update: {scheme: stochastic, rate: 0.03}",
      "rule: perturb\nnetwork: {topology: conv, conv: [4x3 pool2 6x3]}\ndevice: linear\n"
      "update: {scheme: stochastic, rate: 0.02}",
      "rule: {name: perturb, of: nodes}\nnetwork: {topology: conv, conv: [4x3 pool2 6x3]}" ADAM,
  };
  for (int k = 0; k < MHO_COUNT(each); k++) {
    double have = accuracy(each[k], 30);
    print_message("  %.3f  %s\n", have, each[k]);
    assert_true(have > 0.25);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_by_hand), cmocka_unit_test(test_nodes),  cmocka_unit_test(test_cosines),
      cmocka_unit_test(test_pulses),  cmocka_unit_test(test_learns),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
