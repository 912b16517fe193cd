/* Exclusive or, 2-4-2 with biases (22 weights), learned from the loss alone: every law of the rule
 * perturb against backpropagation. MHO_TEST_SLOW: twenty seeds instead of four.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiment.h"
#include "mho/model/dataset.h"

/* ---------------------------------------------------------------- the four patterns */

static mho_err load(const mho_dataset_kind *kind, const void *params, const char *folder,
                    mho_dataset *out, mho_errinfo *e) {
  static const uint8_t table[] = {0, 0, 0, 1, 1, 0, 1, 1, /* labels */ 0, 1, 1, 0};
  uint8_t *memory = mho_alloc(sizeof table, 1);
  if (!memory)
    return mho_fail(e, MHO_ENOMEM, "no memory for four patterns");

  memcpy(memory, table, sizeof table);
  mho_images images = {.n = 4, .pixel = memory, .label = memory + 8};
  *out = (mho_dataset){.train = images,
                       .test = images,
                       .features = 2,
                       .classes = 2,
                       .width = 2,
                       .height = 1,
                       .channels = 1,
                       .scale = 1,
                       .memory = memory};
  return MHO_OK;
}

static const mho_dataset_kind patterns = {
    .entry = {.abi = MHO_ABI, .id = "xor", .title = "exclusive or"},
    .load = load,
};

/* ---------------------------------------------------------------- learning */

enum { UPDATES = 20000 };

typedef struct outcome {
  int solved;       /* seeds with all four right in the end */
  double count[20]; /* updates until the loss is below .1; UPDATES where it never is */
} outcome;

/* One seed. @return updates until the loss is below .1. */
static double learn(const char *how, int seed, int *solved) {
  char yaml[512];
  snprintf(yaml, sizeof yaml,
           "dataset: xor\nnetwork: {hidden: [4], biases: true}\nfeedback: {scale: 1e-6}\n"
           "train: {batch: 4, epochs: %d, seed: %d}\n%s\n",
           UPDATES, seed, how);
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  mho_epoch_row row = {0};
  double at = UPDATES;
  for (int k = 0; k < UPDATES; k++) {
    OK(mho_trainer_epoch(t, &row, &ei));
    if (row.loss < 0.1) {
      at = k;
      break;
    }
  }
  *solved += row.train_acc == 1;
  mho_trainer_free(t);
  mho_experiment_free(e);
  return at;
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static outcome learn_all(const char *how, int seeds) {
  outcome o = {0};
  for (int k = 0; k < seeds; k++)
    o.count[k] = learn(how, k + 1, &o.solved);
  qsort(o.count, (size_t)seeds, sizeof *o.count, by_size);
  print_message("  %d of %d, updates to a loss of .1: %.0f, %.0f, %.0f (quartiles): %s\n", o.solved,
                seeds, o.count[seeds / 4], o.count[seeds / 2], o.count[3 * seeds / 4], how);
  return o;
}

#define SGD(rate) "update: {optimizer: sgd, rate: " rate "}\nrule: "

static void test_xor(void **state) {
  static const char *const laws[] = {
      SGD("0.3") "{name: perturb, samples: batch}",
      SGD("0.1") "{name: perturb, samples: batch, law: rms}",
      SGD("0.3") "{name: perturb, samples: batch, law: gain}",
      SGD("1") "{name: perturb, samples: batch, law: keep, size: 0.05}",
      SGD("0.3") "{name: perturb, of: nodes}",
      SGD("0.3") "bp",
  };
  int seeds = getenv("MHO_TEST_SLOW") ? 20 : 4;
  OK(mho_registry_add(registry, MHO_KIND_DATASET, &patterns.entry, &ei));

  for (int k = 0; k < MHO_COUNT(laws); k++) {
    outcome o = learn_all(laws[k], seeds);
    assert_true(10 * o.solved >= 9 * seeds);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_xor)};
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
