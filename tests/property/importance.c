/* What neurons count for (rule.importance) against plain loops over the weights: the factors and
 * how they enter gradients of every rule, what reads make of them, and what is counted for these.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "subject.h"

#include "rule/importance.h"
#include "train/trainer.h"

enum { SAMPLES = 20, CASES = 1000 };

static uint64_t drawn;
static double uniform(void) {
  float u;
  mho_rng_uniform(mho_rng_make(7, MHO_RNG_TEST, 0), 0, drawn++, 1, &u);
  return 2 * (double)u - 1;
}

static const mho_gradient_config published = {.importance = MHO_IMPORTANCE_LOCAL,
                                              .importance_low = 1,
                                              .importance_high = 2,
                                              .importance_every = 1,
                                              .importance_probes = 64};

/* Every weight anew: a random number, or +-`size` where that is not 0. */
static void set_weights(const mho_network *net, double size) {
  for (int c = 0; c < net->n_trained; c++) {
    mho_crossbar *x = net->connection[c].xb;
    size_t n = mho_crossbar_cells(x);
    mho_real *w = malloc(n * sizeof *w);
    for (size_t i = 0; i < n; i++) {
      double u = uniform();
      w[i] = (mho_real)(size > 0 ? copysign(size, u) : u);
    }
    mho_crossbar_set(x, 0, n, w);
    free(w);
  }
}

/* Sums of |w| over all that leads forward into layer l, [n]; of channels where a convolution
 * does. */
static void sums_of(const mho_network *net, int l, double *sum) {
  int n = net->layer[l].n, columns = n;
  memset(sum, 0, (size_t)n * sizeof *sum);
  for (int c = 0; c < net->n_connections; c++)
    if (net->connection[c].to == l && net->connection[c].conv.kernel)
      columns = net->layer[l].channels;

  for (int c = 0; c < net->n_connections; c++) {
    const mho_connection *k = &net->connection[c];
    const mho_real *w = mho_crossbar_matrix(k->xb);
    if (k->to != l || k->role != MHO_FORWARD)
      continue;
    for (int i = 0; i < k->xb->rows - k->bias; i++)
      for (int j = 0; j < k->xb->cols; j++)
        sum[j % columns] += fabs((double)w[i * k->xb->cols + j]);
  }
  for (int j = columns; j < n; j++)
    sum[j] = sum[j % columns];
}

static void factors_of(const mho_network *net, int l, double low, double high, double *m) {
  double most = 0;
  sums_of(net, l, m);
  for (int j = 0; j < net->layer[l].n; j++)
    most = fmax(most, m[j]);
  for (int j = 0; j < net->layer[l].n; j++)
    m[j] = fmin(fmax(high * m[j] / most, low), high);
}

/* ---------------------------------------------------------------- factors */

static const char *const nets[] = {
    "network: {hidden: [9, 7, 5]}\n",
    "network: {hidden: [9, 7, 5], biases: true, init: he}\n",
    "network: {topology: residual, hidden: [8, 8, 8, 8]}\n",
    "network: {topology: agt, link_probability: 0.6, hidden: [9, 8, 7, 6]}\n",
    "network: {topology: conv, conv: [4x3 pool2, 5x3], biases: true}\n",
};

static void test_factors(void **state) {
  for (int i = 0; i < MHO_COUNT(nets); i++) {
    subject n = net_new(nets[i]);
    mho_gradient_config config = published;
    mho_importance *p;
    OK(mho__importance_new(n.net, &config, &p, &ei));

    for (int k = 0; k < 20; k++) {
      config.importance_low = k % 4 / 2.0;
      config.importance_high = 2 + k % 3;
      set_weights(n.net, 0);
      mho__importance_find(p, 0);
      for (int l = 1; l < mho_hidden_end(n.net); l++) {
        double *m = malloc((size_t)n.net->layer[l].n * sizeof *m), most = 0;
        factors_of(n.net, l, config.importance_low, config.importance_high, m);
        for (int j = 0; j < n.net->layer[l].n; j++) {
          NEAR(p->factor[l][j], m[j], 1e-6, 0);
          most = fmax(most, (double)p->factor[l][j]);
        }
        assert_true(most == config.importance_high);
        free(m);
      }
    }
    mho__importance_free(p);
    net_free(&n);
  }
}

/* The factors do not depend on the size of the weights, nor on the order of neurons; one without
 * weights gets the least. */
static void test_invariances(void **state) {
  subject n = net_new("network: {hidden: [16]}\n");
  mho_crossbar *x = crossbar(&n, 0, 1);
  mho_real *w = mho__crossbar_programmed(x), before[16];
  mho_gradient_config config = published;
  mho_importance *p;
  OK(mho__importance_new(n.net, &config, &p, &ei));

  for (int k = 0; k < 100; k++) {
    config.importance_low = k % 2;
    set_weights(n.net, 0);
    for (int i = 0; i < x->rows; i++)
      w[i * 16 + 3] = 0;
    mho__importance_find(p, 0);
    memcpy(before, p->factor[1], sizeof before);
    assert_true((double)before[3] == config.importance_low);

    for (int i = 0; i < x->rows * 16; i++)
      w[i] *= 0.25f;
    mho__importance_find(p, 0);
    assert_memory_equal(p->factor[1], before, sizeof before);

    for (int i = 0; i < x->rows; i++)
      for (int j = 0; j < 8; j++) {
        mho_real swapped = w[i * 16 + j];
        w[i * 16 + j] = w[i * 16 + 15 - j];
        w[i * 16 + 15 - j] = swapped;
      }
    mho__importance_find(p, 0);
    for (int j = 0; j < 16; j++)
      assert_true(p->factor[1][j] == before[15 - j]);
  }
  mho__importance_free(p);
  net_free(&n);
}

/* Initial weights of init he go as far as +-sqrt(6/n_in), and biases begin at 0. */
static void test_he(void **state) {
  static const char *const he[] = {
      "network: {hidden: [40, 30], biases: true, init: he}\n",
      "network: {topology: conv, conv: [8x3 pool2, 9x2], biases: true, init: he}\n"};
  for (int i = 0; i < 2; i++) {
    subject n = net_new(he[i]);
    for (int c = 0; c < n.net->n_trained; c++) {
      const mho_crossbar *x = n.net->connection[c].xb;
      const mho_real *w = mho_crossbar_matrix(x);
      double most = 0, bound = sqrt(6.0 / (x->rows - 1));
      for (int j = 0; j < (x->rows - 1) * x->cols; j++)
        most = fmax(most, fabs((double)w[j]));
      assert_true(most <= bound * (1 + 1e-6) && most > 0.9 * bound);
      for (int j = (x->rows - 1) * x->cols; j < x->rows * x->cols; j++)
        assert_true(w[j] == 0);
    }
    net_free(&n);
  }
}

/* ---------------------------------------------------------------- gradients */

static mho_real *gradient(mho_trainer *t, int c) {
  mho_real *g = malloc(mho_crossbar_cells(mho_trainer_network(t)->connection[c].xb) * sizeof *g);
  OK(mho_trainer_gradient(t, 0, SAMPLES, c, g, &ei));
  return g;
}

static void copy_weights(const mho_network *from, const mho_network *to) {
  for (int c = 0; c < from->n_trained; c++)
    mho_crossbar_set(to->connection[c].xb, 0, mho_crossbar_cells(from->connection[c].xb),
                     mho_crossbar_matrix(from->connection[c].xb));
}

/* Where all of a layer have equal weights, all factors are 2: a hidden rate is doubled, or the
 * errors are once for every layer that they come through. */
static void test_equal_weights(void **state) {
  static const char *const rules[] = {"bp", "fa"};
  for (int r = 0; r < 2; r++)
    for (int way = MHO_IMPORTANCE_LOCAL; way <= MHO_IMPORTANCE_PROPAGATE; way++) {
      char yaml[2][512];
      subject n[2];
      for (int k = 0; k < 2; k++) {
        snprintf(yaml[k], sizeof yaml[k],
                 "network: {hidden: [8, 12, 16, 10]}\nrule: {name: %s, importance: %s}\n", rules[r],
                 k == 0 ? "none" : (const char *[]){"local", "propagate"}[way - 1]);
        n[k] = net_new(yaml[k]);
      }
      set_weights(n[0].net, 0.25);
      copy_weights(n[0].net, n[1].net);

      int out = mho_network_output(n[0].net);
      for (int c = 0; c < n[0].net->n_trained; c++) {
        mho_real *plain = gradient(n[0].t, c), *weighed = gradient(n[1].t, c);
        int l = n[0].net->connection[c].to, doubled = l == out ? 0 : out - l;
        double factor = way == MHO_IMPORTANCE_LOCAL ? (l == out ? 1 : 2) : ldexp(1, doubled);
        for (size_t i = 0; i < mho_crossbar_cells(n[0].net->connection[c].xb); i++)
          assert_true((double)weighed[i] == factor * (double)plain[i]);
        free(plain);
        free(weighed);
      }
      net_free(&n[0]);
      net_free(&n[1]);
    }
}

/* Local: each column of every rule's gradient times the factor of its neuron, and nothing else. */
static void test_every_rule(void **state) {
  static const char *const rules[] = {
      "name: ep",
      "name: ep, phases: centred, nudge: 1",
      "name: bp",
      "name: fa",
      "name: balance, tied: both",
      "name: perturb",
      "name: perturb, by: ideal, shape: normal",
      "name: perturb, of: nodes",
  };
  for (int r = 0; r < MHO_COUNT(rules); r++)
    for (int i = 0; i < MHO_COUNT(nets); i++) {
      subject n[2];
      for (int k = 0; k < 2; k++) {
        char yaml[512];
        snprintf(yaml, sizeof yaml, "%sdataset: {train: 100, test: 10}\nrule: {%s%s}\n", nets[i],
                 rules[r], k ? ", importance: local, importance_low: 0.5" : "");
        n[k] = net_new(yaml);
      }

      double *m = malloc(65536 * sizeof *m);
      for (int c = 0; c < n[0].net->n_trained; c++) {
        const mho_connection *k = &n[0].net->connection[c];
        mho_real *plain = gradient(n[0].t, c), *weighed = gradient(n[1].t, c);
        bool hidden = mho_layer_is_hidden(&n[0].net->layer[k->to]) && k->role == MHO_FORWARD;
        if (hidden)
          factors_of(n[0].net, k->to, 0.5, 2, m);
        for (size_t j = 0; j < mho_crossbar_cells(k->xb); j++)
          NEAR(weighed[j], (hidden ? m[j % (size_t)k->xb->cols] : 1) * (double)plain[j], 1e-6, 0);
        free(plain);
        free(weighed);
      }
      free(m);
      net_free(&n[0]);
      net_free(&n[1]);
    }
}

/* Factors from 1 to 2 turn no gradient by more than 19.5 degrees: Kantorovich's bound of the cosine
 * is 2 sqrt(2)/3. */
static void test_descent(void **state) {
  subject n = net_new("network: {hidden: [12]}\n");
  const mho_crossbar *x = crossbar(&n, 0, 1);
  size_t cells = mho_crossbar_cells(x);
  mho_real *pre = malloc((size_t)x->rows * sizeof *pre), post[12], gain[12];
  mho_real *g[2] = {malloc(cells * sizeof **g), malloc(cells * sizeof **g)};
  mho_real *scratch = malloc(mho_change_scratch(n.net, x->rows, (int)cells) * sizeof *scratch);
  double least = 1;

  for (int k = 0; k < CASES; k++) {
    for (int i = 0; i < x->rows; i++)
      pre[i] = (mho_real)uniform();
    for (int j = 0; j < 12; j++) {
      post[j] = (mho_real)uniform();
      gain[j] = (mho_real)(k % 2 ? 1.5 + 0.5 * uniform() : 1 + (uniform() > 0));
    }
    mho_change change = {.n = 1, .term = {{.pre = pre, .post = post, .n = 1, .scale = 1}}};
    mho_change_sum(n.net, 0, &change, MHO_CHANGE_GRADIENT, 0, x->rows, g[0], scratch);
    change.gain = gain;
    mho_change_sum(n.net, 0, &change, MHO_CHANGE_GRADIENT, 0, x->rows, g[1], scratch);
    least = fmin(least, cosine(cells, g[0], g[1]));
  }
  print_message("  smallest cosine %.4f, bound %.4f\n", least, 2 * sqrt(2) / 3);
  assert_true(least >= 2 * sqrt(2) / 3 - 1e-6 && least < 0.95);

  free(pre);
  free(g[0]);
  free(g[1]);
  free(scratch);
  net_free(&n);
}

/* Adam divides a constant factor of a column out again. */
static void test_adam(void **state) {
  subject n[2];
  for (int k = 0; k < 2; k++) {
    char yaml[512];
    snprintf(yaml, sizeof yaml,
             "network: {hidden: [12, 10]}\ndataset: {train: 1000}\ntrain: {batch: 20, epochs: 1}\n"
             "update: {optimizer: adam, epsilon: 1e-30, rate: 1e-3}\n"
             "rule: {name: bp, importance: %s, importance_every: 1000}\n",
             k ? "local" : "none");
    n[k] = net_new(yaml);
  }
  mho_epoch_row row;
  for (int k = 0; k < 2; k++)
    OK(mho_trainer_epoch(n[k].t, &row, &ei));

  for (int c = 0; c < n[0].net->n_trained; c++)
    for (size_t i = 0; i < mho_crossbar_cells(n[0].net->connection[c].xb); i++)
      NEAR(mho_crossbar_matrix(n[1].net->connection[c].xb)[i],
           mho_crossbar_matrix(n[0].net->connection[c].xb)[i], 0, 1e-5);
  net_free(&n[0]);
  net_free(&n[1]);
}

/* Trains of pulses that a column draws twice as often are those of twice the rate. */
static void test_pulse_trains(void **state) {
  subject n[2];
  for (int k = 0; k < 2; k++) {
    char yaml[512];
    snprintf(yaml, sizeof yaml,
             "network: {hidden: [12, 10]}\ndataset: {train: 100}\ntrain: {batch: 50}\n"
             "device: {model: linear, step_up: 0.001, step_down: 0.001, weight_range: 2}\n"
             "update: {scheme: stochastic, rates: [%s]}\n"
             "rule: {name: bp, importance: %s, importance_every: 1000}\n",
             k ? "0.02, 0.02, 0.02" : "0.04, 0.04, 0.02", k ? "local" : "none");
    n[k] = net_new(yaml);
  }
  set_weights(n[0].net, 0.125);
  copy_weights(n[0].net, n[1].net);

  mho_epoch_row row[2];
  for (int k = 0; k < 2; k++)
    OK(mho_trainer_epoch(n[k].t, &row[k], &ei));
  assert_true(row[0].pulses > 1000);
  NEAR(row[1].pulses, row[0].pulses, 1e-2, 0);
  for (int c = 0; c < n[0].net->n_trained; c++) {
    size_t cells = mho_crossbar_cells(n[0].net->connection[c].xb), other = 0;
    const mho_real *a = mho_crossbar_matrix(n[0].net->connection[c].xb);
    const mho_real *b = mho_crossbar_matrix(n[1].net->connection[c].xb);
    for (size_t i = 0; i < cells; i++)
      other += fabs((double)(a[i] - b[i])) > 1e-6;
    assert_true(other < cells / 50);
  }
  net_free(&n[0]);
  net_free(&n[1]);
}

/* ---------------------------------------------------------------- reads */

/* Ranks of n numbers. */
static void ranks(int n, const double *v, double *rank) {
  for (int i = 0; i < n; i++) {
    rank[i] = 0;
    for (int j = 0; j < n; j++)
      rank[i] += v[j] < v[i];
  }
}

static double rank_correlation(int n, const double *a, const double *b) {
  double *ra = malloc((size_t)n * sizeof *ra), *rb = malloc((size_t)n * sizeof *rb);
  double mean = (n - 1) / 2.0, ab = 0, aa = 0, bb = 0;
  ranks(n, a, ra);
  ranks(n, b, rb);
  for (int i = 0; i < n; i++) {
    ab += (ra[i] - mean) * (rb[i] - mean);
    aa += (ra[i] - mean) * (ra[i] - mean);
    bb += (rb[i] - mean) * (rb[i] - mean);
  }
  free(ra);
  free(rb);
  return ab / sqrt(aa * bb);
}

/* The rank correlation of what one read says of layers with what their weights say, the smallest of
 * all layers, after an epoch with this device. */
static double after_training(const char *device) {
  char yaml[512];
  snprintf(yaml, sizeof yaml, "network: {hidden: [64, 64]}\ntrain: {batch: 50}\nrule: bp\n%s",
           device);
  subject n = net_new(yaml);
  mho_gradient_config config = published;
  mho_importance *exact, *read;
  mho_epoch_row row;
  double worst = 1;
  OK(mho_trainer_epoch(n.t, &row, &ei));
  OK(mho__importance_new(n.net, &config, &exact, &ei));
  mho__importance_find(exact, 0);
  config.importance_by = MHO_IMPORTANCE_BY_READ;
  OK(mho__importance_new(n.net, &config, &read, &ei));
  mho__importance_find(read, 0);

  for (int l = 1; l < mho_hidden_end(n.net); l++)
    worst = fmin(worst, rank_correlation(64, exact->sum[l], read->sum[l]));
  assert_true(read->reads == 1 && exact->reads == 0);
  mho__importance_free(exact);
  mho__importance_free(read);
  net_free(&n);
  return worst;
}

/* One read says which neurons count most where one device of every pair is low: after exact writes,
 * and after pulses as far as pairs are refreshed. */
static void test_added_currents(void **state) {
#define SET_ONLY "device: {model: linear, mapping: one_sided"
  double exact = after_training(SET_ONLY "}\n");
  double refreshed = after_training(SET_ONLY ", refresh: {every: 1, above: 0.01}}\n"
                                             "update: {scheme: accumulate}\n");
  double rarely = after_training(SET_ONLY "}\nupdate: {scheme: accumulate}\n");
  print_message("  rank correlation of one read: %.4f written exactly, %.4f with pairs refreshed, "
                "%.4f rarely so\n",
                exact, refreshed, rarely);
  assert_true(exact > 0.99 && refreshed > 0.96 && rarely > 0.8 && refreshed > rarely);
}

/* What is read is what devices of both signs conduct, whatever they were written by. */
static void test_added_matrix(void **state) {
  subject n = net_new("network: {hidden: [8]}\ndevice: {model: linear, mapping: one_sided}\n"
                      "update: {scheme: accumulate}\nrule: bp\n");
  const mho_crossbar *x = crossbar(&n, 0, 1);
  mho_real *sum = malloc(mho_crossbar_cells(x) * sizeof *sum);
  mho_crossbar_added(x, sum);
  for (size_t i = 0; i < mho_crossbar_cells(x); i++)
    NEAR(sum[i], fabs((double)mho_crossbar_matrix(x)[i]), 1e-5, 1e-7);
  free(sum);
  net_free(&n);
}

/* Rows of signs: the mean square of k sums has a relative error of sqrt(2/k). */
static void test_probes(void **state) {
  static const int counts[] = {16, 64, 256};
  enum { TIMES = 40 };
  subject n = net_new("network: {hidden: [64, 64], biases: true, init: fan_in}\n");
  const mho_crossbar *x = crossbar(&n, 1, 2);
  const mho_real *w = mho_crossbar_matrix(x);

  for (int i = 0; i < MHO_COUNT(counts); i++) {
    mho_gradient_config config = published;
    mho_importance *p;
    double error = 0, correlation = 0, all[64];
    config.importance_by = MHO_IMPORTANCE_BY_PROBE;
    config.importance_probes = counts[i];
    OK(mho__importance_new(n.net, &config, &p, &ei));

    sums_of(n.net, 2, all);
    for (int k = 0; k < TIMES; k++) {
      mho__importance_find(p, (uint64_t)k);
      for (int j = 0; j < 64; j++) {
        double squares = 0;
        for (int r = 0; r < 64; r++)
          squares += (double)w[r * 64 + j] * (double)w[r * 64 + j];
        error += pow(p->sum[2][j] * p->sum[2][j] / squares - 1, 2) / (64 * TIMES);
      }
      correlation += rank_correlation(64, all, p->sum[2]) / TIMES;
    }
    print_message("  %3d probes: relative error %.4f, sqrt(2/k) %.4f, rank correlation %.2f\n",
                  counts[i], sqrt(error), sqrt(2.0 / counts[i]), correlation);
    NEAR(sqrt(error), sqrt(2.0 / counts[i]), 0.1, 0);
    assert_true(p->reads == (double)counts[i] * TIMES);
    mho__importance_free(p);
  }
  net_free(&n);
}

/* Circuits: converters that are referred to the largest sum, whatever full scale learning has. */
static void test_converters(void **state) {
  static const char *const arrays[] = {
      "array: {model: periphery, adc_bits: 6}\n",
      "array: {model: periphery, adc_bits: 6, adc_range: fixed, adc_full_scale: 0.01}\n",
      "array: {model: periphery, adc_bits: 6, dac_bits: 4, read_noise: 0.001, coupling: analog}\n",
      "array: {model: periphery, adc_bits: 6, wire: {tile: 16}}\n",
  };
  for (int i = 0; i < MHO_COUNT(arrays); i++) {
    char yaml[512];
    snprintf(yaml, sizeof yaml,
             "network: {hidden: [32, 16]}\ndevice: {model: linear, mapping: one_sided}\n"
             "update: {scheme: accumulate}\nrule: bp\n%s",
             arrays[i]);
    subject n = net_new(yaml);
    mho_gradient_config config = published;
    mho_importance *p;
    config.importance_by = MHO_IMPORTANCE_BY_READ;
    OK(mho__importance_new(n.net, &config, &p, &ei));
    mho__importance_find(p, 0);
    for (int l = 1; l < mho_hidden_end(n.net); l++) {
      double m[32];
      factors_of(n.net, l, 1, 2, m);
      for (int j = 0; j < n.net->layer[l].n; j++)
        NEAR(p->factor[l][j], m[j], 0, 2.0 / 31 + 0.05 * (i == 2));
    }
    mho__importance_free(p);
    net_free(&n);
  }
}

/* ---------------------------------------------------------------- what is counted */

/* An epoch's terms of energy and its reads; no weight moves. */
static mho_epoch_row count(const char *more, mho_energy_row *terms, double *conductance) {
  char yaml[1024];
  snprintf(yaml, sizeof yaml,
           "network: {hidden: [20, 10], biases: true}\ndataset: {train: 200, test: 20}\n"
           "train: {batch: 20}\ndevice: {model: linear, mapping: one_sided}\n"
           "array: {model: periphery, adc_bits: 8, dac_bits: 8, average: 2, read_noise: 1e-6,\n"
           "  read_voltage: 0.3 V}\n"
           "update: {scheme: accumulate, rate: 1e-9, optimizer: sgd}\n"
           "energy: {read_time: 50 ns, adc_time: 1 ns, adc_share: 8}\nrule: {name: bp%s}\n",
           more);
  subject n = net_new(yaml);
  mho_epoch_row row;
  OK(mho_trainer_epoch(n.t, &row, &ei));
  OK(mho_trainer_energy(n.t, terms, &ei));

  *conductance = 0;
  for (int c = 0; c < 2; c++) {
    const mho_crossbar *x = n.net->connection[c].xb;
    for (int i = 0; i < (x->rows - 1) * x->cols; i++)
      *conductance +=
          mho_cells_siemens(x->bank[0], (size_t)i) + mho_cells_siemens(x->bank[1], (size_t)i);
  }
  net_free(&n);
  return row;
}

static void test_energy(void **state) {
  static const char *const ways[] = {
      ", importance: local, importance_by: read",
      ", importance: local, importance_by: probe, importance_probes: 5",
      ", importance: local, importance_by: probe, importance_probes: 5, importance_every: 3"};
  static const double vectors[] = {10, 50, 20}; /* of the ten updates of an epoch */
  enum { CELLS, LINES, DAC, ADC, AMPLIFIERS };
  mho_energy_row plain[MHO_ENERGY_TERMS], more[MHO_ENERGY_TERMS];
  double g, v2 = 0.3 * 0.3, average = 2, inputs = 64 + 20, outputs = 20 + 10;
  mho_epoch_row before = count("", plain, &g);

  for (int i = 0; i < MHO_COUNT(ways); i++) {
    mho_epoch_row after = count(ways[i], more, &g);
    double reads = vectors[i], times = average * reads;
    NEAR(after.reads - before.reads, 2 * reads, 0, 0);
    NEAR(more[CELLS].joule - plain[CELLS].joule, times * v2 * 50e-9 * g, 1e-6, 0);
    NEAR(more[CELLS].count - plain[CELLS].count, times * 2, 1e-9, 0);
    NEAR(more[LINES].joule - plain[LINES].joule, times * v2 * 2e-15 * (64 * 20 + 20 * 10), 1e-6, 0);
    NEAR(more[LINES].count - plain[LINES].count, times * inputs, 1e-9, 0);
    NEAR(more[DAC].count, plain[DAC].count, 0, 0);
    NEAR(more[ADC].count - plain[ADC].count, times * outputs, 1e-9, 0);
    NEAR(more[AMPLIFIERS].count - plain[AMPLIFIERS].count, times * outputs, 1e-9, 0);
    NEAR(more[CELLS].seconds - plain[CELLS].seconds, times * 50e-9, 1e-6, 0);
    NEAR(more[ADC].seconds - plain[ADC].seconds, times * 8e-9, 1e-6, 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_he),
      cmocka_unit_test(test_factors),
      cmocka_unit_test(test_invariances),
      cmocka_unit_test(test_equal_weights),
      cmocka_unit_test(test_every_rule),
      cmocka_unit_test(test_descent),
      cmocka_unit_test(test_adam),
      cmocka_unit_test(test_pulse_trains),
      cmocka_unit_test(test_added_currents),
      cmocka_unit_test(test_added_matrix),
      cmocka_unit_test(test_probes),
      cmocka_unit_test(test_converters),
      cmocka_unit_test(test_energy),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
