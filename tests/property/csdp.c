/* Contrastive-signal-dependent plasticity in trainings: results that do not depend on threads or a
 * resume, on devices by several schemes and mappings, with every read-out; what inhibits has no
 * diagonal; energies that count samples and negatives; that it learns.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "checkpoints.h"
#include "mho/model/check.h"

#define SMALL                                                                                      \
  "rule: csdp\nnetwork: {hidden: [14, 9]}\nsettle: {steps: 12}\ntrain: {batch: 24, epochs: 2}\n"   \
  "dataset: {train: 55, test: 20}\n"

static const char *const configs[] = {
    SMALL,
    SMALL "update: {apply: batch}\nnetwork: {output: goodness, back: false}\n",
    SMALL
    "rule: {negative: blend, rotate: 30, groups: 3}\nnetwork: {context: none, output: votes}\n",
    SMALL "network: {output: membrane, lateral: false}\nneuron: {trace: {form: add, gain: 0.3}}\n"
          "settle: {order: layered, integrate: exact}\n",
    SMALL "device: {model: linear, cycle_to_cycle: 0.3}\nupdate: {scheme: accumulate}\narray: "
          "{read_noise: 0.01, wire: {r_word: 1 ohm, r_bit: 1 ohm}}\n",
    SMALL "device: {model: soft_bounds, mapping: differential, cycle_to_cycle: 0.3}\nupdate: "
          "{scheme: stochastic, rate: 0.02}\narray: {write: {select: half}}\n",
    SMALL "device: {model: soft_bounds, mapping: single, cells: {n: 2}}\nupdate: {scheme: "
          "stochastic, rate: 0.02}\nrule: {lateral_sign: gradient}\n",
    SMALL "device: {model: linear, mapping: one_sided}\nupdate: {scheme: pulses}\n"
          "rule: {readout_bound: hard}\n",
    SMALL "device: {model: linear, mapping: reference, stuck_on: 0.05}\nupdate: {apply: batch, "
          "scheme: sign, rate: 1e-3}\nnetwork: {topology: residual}\n",
};

/* ---------------------------------------------------------------- threads and resumes */

static void test_threads_and_resume(void **state) {
  for (int i = 0; i < MHO_COUNT(configs); i++) {
    mho_experiment *e = experiment(configs[i]);
    mho_blob one = train(e, 1, 2, NULL), two = train(e, 2, 2, NULL), four = train(e, 4, 2, NULL);
    mho_blob first = train(e, 2, 1, NULL), resumed = train(e, 1, 1, &first);
    mho_blob *all[] = {&one, &two, &four, &first, &resumed};
    same_weights(&one, &two);
    same_weights(&one, &four);
    same_weights(&one, &resumed);
    for (int k = 0; k < MHO_COUNT(all); k++)
      mho_blob_free(all[k]);
    mho_experiment_free(e);
  }
}

/* The states of a sample do not depend on how a batch is cut into chunks: spikes are added up
 * sample by sample, and what is drawn has the sample's number. */
static void test_chunks(void **state) {
  mho_epoch_row rows[2];
  for (int i = 0; i < 2; i++) {
    char yaml[1024];
    snprintf(yaml, sizeof yaml, SMALL "train: {chunk: %d}\n", i ? 3 : 48);
    mho_experiment *e = experiment(yaml);
    mho_trainer *t = trainer(e);
    OK(mho_trainer_epoch(t, &rows[i], &ei));
    mho_trainer_free(t);
    mho_experiment_free(e);
  }
  NEAR(rows[0].loss, rows[1].loss, 0, 0);
  NEAR(rows[0].train_acc, rows[1].train_acc, 0, 0);
}

/* ---------------------------------------------------------------- weights */

/* In every place of what inhibits: no diagonal, and not below 0 but on pairs of devices. */
static void check_inhibition(const mho_experiment *e, const mho_network *net) {
  const mho_mapping *mapping = (const mho_mapping *)e->mapping.entry;
  bool positive = !mho_experiment_has_cells(e) || mapping->positive;
  int lateral = 0;
  for (int c = 0; c < net->n_connections; c++) {
    const mho_connection *k = &net->connection[c];
    const mho_real *w = mho_crossbar_matrix(k->xb);
    assert_true(k->trained);
    if (k->role != MHO_LATERAL)
      continue;
    lateral++;
    for (int i = 0; i < k->xb->rows; i++)
      for (int j = 0; j < k->xb->cols; j++) {
        double v = (double)w[i * k->xb->cols + j];
        if (i == j)
          NEAR(v, 0, 0, 1e-5); /* wires are solved to that */
        if (positive)
          assert_true(v >= 0);
        assert_true(v <= k->xb->w_max * (1 + 1e-5));
      }
  }
  assert_int_equal(lateral, e->network.lateral ? 2 : 0);
}

static void test_what_inhibits(void **state) {
  for (int i = 0; i < MHO_COUNT(configs); i++) {
    mho_experiment *e = experiment(configs[i]);
    mho_trainer *t = trainer(e);
    mho_epoch_row row;
    check_inhibition(e, mho_trainer_network(t));
    OK(mho_trainer_epoch(t, &row, &ei));
    check_inhibition(e, mho_trainer_network(t));
    mho_trainer_free(t);
    mho_experiment_free(e);
  }
}

/* Which links there are, of output neurons and without. */
static void test_links(void **state) {
  static const char *const with[] = {"x-h1",  "h1-h2", "h2-out",    "h1-out",   "h2-h1",
                                     "h1-h1", "h2-h2", "answer-h1", "answer-h2"};
  static const char *const without[] = {"x-h1",  "h1-h2",  "h2-h1", "h1-h1",
                                        "h2-h2", "out-h1", "out-h2"};
  for (int goodness = 0; goodness < 2; goodness++) {
    mho_experiment *e = experiment(goodness ? SMALL "network: {output: goodness}\n" : SMALL);
    mho_trainer *t = trainer(e);
    const mho_network *net = mho_trainer_network(t);
    const char *const *names = goodness ? without : with;
    int n = goodness ? MHO_COUNT(without) : MHO_COUNT(with);
    assert_int_equal(net->n_connections, n);
    for (int i = 0; i < n; i++) {
      bool found = false;
      for (int c = 0; c < n; c++)
        found |= !strcmp(net->connection[c].name, names[i]);
      if (!found)
        fail_msg("there is no %s", names[i]);
    }
    mho_trainer_free(t);
    mho_experiment_free(e);
  }
}

/* ---------------------------------------------------------------- reads and energy */

/* A training reads every link once a step for samples and negatives; goodness is predicted with all
 * labels in turn. */
static void test_reads(void **state) {
  mho_experiment *e = experiment(SMALL "device: linear\nupdate: {scheme: accumulate}\n");
  mho_trainer *t = trainer(e);
  mho_epoch_row row;
  mho_energy_row energy[MHO_ENERGY_TERMS];
  OK(mho_trainer_epoch(t, &row, &ei));
  NEAR(row.reads, 55 * 2 * 12 * 9, 0, 0);
  NEAR(row.settle_steps, 2 * 12, 0, 0);
  OK(mho_trainer_energy(t, energy, &ei));
  double joule = 0;
  for (int i = 0; i < MHO_ENERGY_TERMS; i++) {
    assert_true(energy[i].joule >= 0 && energy[i].seconds >= 0);
    joule += energy[i].joule;
  }
  assert_true(joule > 0);
  mho_trainer_free(t);
  mho_experiment_free(e);

  mho_evaluation v;
  e = experiment(SMALL "network: {output: goodness}\n");
  t = trainer(e);
  OK(mho_trainer_evaluate(t, &mho_trainer_dataset(t)->test, &v, &ei));
  NEAR(v.settle_steps, 10 * 12, 0, 0);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* ---------------------------------------------------------------- it learns */

/* Of ten classes, one seed: a smoke test, with a bound far below what it comes to; results/spiking
 * has the trainings. */
static void test_it_learns(void **state) {
  mho_experiment *e = experiment(
      "rule: csdp\nnetwork: {hidden: [60, 30]}\nsettle: {steps: 24}\ntrain: {batch: 50}\n"
      "dataset: {train: 300, test: 100}\nupdate: {rate: 2e-3}\n");
  mho_trainer *t = trainer(e);
  mho_epoch_row row;
  mho_evaluation v;
  for (int i = 0; i < 8; i++)
    OK(mho_trainer_epoch(t, &row, &ei));
  OK(mho_trainer_evaluate(t, &mho_trainer_dataset(t)->test, &v, &ei));
  assert_true(v.accuracy > 0.45);
  assert_true(row.train_acc > 0.95); /* with the label shown */
  mho_trainer_free(t);
  mho_experiment_free(e);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_threads_and_resume),
      cmocka_unit_test(test_chunks),
      cmocka_unit_test(test_what_inhibits),
      cmocka_unit_test(test_links),
      cmocka_unit_test(test_reads),
      cmocka_unit_test(test_it_learns),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
