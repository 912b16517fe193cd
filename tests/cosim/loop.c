/* Training with ngspice in the loop against the core: accuracy, and the weights along the way.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "mho/model/check.h"
#include "mho/spice.h"

#include "experiment.h"

enum { SKIPPED = 77 };

static bool slow;

typedef struct training {
  mho_experiment *e;
  mho_trainer *t;
  mho_network *net;
} training;

static training begin(const char *yaml, const char *settle) {
  char text[1024];
  snprintf(text, sizeof text, "%ssettle: %s\n", yaml, settle);
  training x = {.e = experiment(text)};
  x.t = trainer(x.e);
  x.net = mho_trainer_network(x.t);
  return x;
}

static void end(training *x) {
  mho_trainer_free(x->t);
  mho_experiment_free(x->e);
}

static size_t count(const mho_connection *k) {
  return (size_t)k->xb->rows * (size_t)k->xb->cols;
}

/* How far apart the weights of two trainings are, relative to how far they have come from the
 * start. */
static double apart(const training *a, const training *b, const training *start) {
  double d = 0, way = 0;
  for (int c = 0; c < a->net->n_trained; c++)
    for (size_t i = 0; i < count(&a->net->connection[c]); i++) {
      double w = (double)mho__crossbar_programmed(a->net->connection[c].xb)[i];
      d += pow((double)mho__crossbar_programmed(b->net->connection[c].xb)[i] - w, 2);
      way += pow((double)mho__crossbar_programmed(start->net->connection[c].xb)[i] - w, 2);
    }
  assert_true(way > 0);
  return sqrt(d / way);
}

/* A few epochs of one batch each are a trajectory: the weights are compared after each. */
static void test_trajectory(void **state) {
  static const char *const settles[] = {"{method: spice, inputs: norton}", "{method: spice}",
                                        "{method: spice, analysis: tran, inputs: norton}"};
  for (int k = 0; k < MHO_COUNT(settles); k++) {
    char yaml[512];
    snprintf(yaml, sizeof yaml,
             "dataset: {name: digits, train: 10, test: 20}\nnetwork: {hidden: [8, 6]}\nfeedback: "
             "{scale: 0.1}\n"
             "rule: {name: ep, nudge: 0.5, phases: %s}\n"
             "update: {optimizer: sgd, rate: 0.5, scheme: exact}\ntrain: {batch: 10}\n",
             k == 0 ? "points" : "one_sided");
    training core = begin(yaml, "{method: sweep, difference: subtract, tolerance: 1e-7}"),
             spice = begin(yaml, settles[k]), start = begin(yaml, "{method: sweep}");
    mho_epoch_row row;
    for (int epoch = 0; epoch < (k == 2 ? 2 : 5); epoch++) {
      OK(mho_trainer_epoch(core.t, &row, &ei));
      OK(mho_trainer_epoch(spice.t, &row, &ei));
      assert_int_equal(row.unsettled, 0);
      double d = apart(&core, &spice, &start);
      if (!(d < 1e-4))
        fail_msg("%s: after %d batches the weights are %g apart", settles[k], epoch + 1, d);
    }
    end(&core);
    end(&spice);
    end(&start);
  }
}

/* One epoch, then the test set: must-haves of size in the slow suite. */
static void check_epoch(const char *yaml, double tolerance) {
  training core = begin(yaml, "{method: sweep, difference: subtract, tolerance: 1e-7}"),
           spice = begin(yaml, "{method: spice}"), start = begin(yaml, "{method: sweep}");
  mho_epoch_row a, b;
  mho_evaluation ea, eb;
  OK(mho_trainer_epoch(core.t, &a, &ei));
  OK(mho_trainer_epoch(spice.t, &b, &ei));
  const mho_dataset *d = mho_trainer_dataset(core.t);
  OK(mho_trainer_evaluate(core.t, &d->test, &ea, &ei));
  OK(mho_trainer_evaluate(spice.t, &mho_trainer_dataset(spice.t)->test, &eb, &ei));
  double w = apart(&core, &spice, &start);
  if (getenv("MHO_TEST_SHOW"))
    print_message(
        "%d images: train %.2f %% and %.2f %%, test %.2f %% and %.2f %%, weights %.2e apart; %.4g "
        "s a sample in training (two phases), %.4g s in the core\n",
        d->train.n, 100 * a.train_acc, 100 * b.train_acc, 100 * ea.accuracy, 100 * eb.accuracy, w,
        b.wall_s / d->train.n, a.wall_s / d->train.n);

  NEAR(b.train_acc, a.train_acc, 0, 0.01);
  NEAR(eb.accuracy, ea.accuracy, 0, 0.01);
  if (!(w < tolerance))
    fail_msg("the weights are %g apart", w);
  end(&core);
  end(&spice);
  end(&start);
}

static void test_epoch(void **state) {
  check_epoch(slow ? "dataset: {name: digits, train: 300, test: 100}\nnetwork: {hidden: "
                     "[16]}\nfeedback: {scale: 0.1}\nrule: {name: ep, nudge: 0.5, gradient: "
                     "normalized}\nupdate: {optimizer: sgd, rate: 0.5, scheme: exact}\ntrain: "
                     "{batch: 10}\n"
                   : "dataset: {name: digits, train: 40, test: 20}\nnetwork: {hidden: "
                     "[8]}\nfeedback: {scale: 0.1}\nrule: {name: ep, nudge: 0.5, gradient: "
                     "normalized}\nupdate: {optimizer: sgd, rate: 0.5, scheme: exact}\ntrain: "
                     "{batch: 10}\n",
              1e-4);
}

/* On devices the update is in pulses, and the resistors follow. A pulse more or less is a
 * rounding's matter. */
static void test_devices(void **state) {
  check_epoch("dataset: {name: digits, train: 40, test: 20}\nnetwork: {hidden: [8]}\nfeedback: "
              "{scale: 0.1}\n"
              "rule: {name: ep, nudge: 0.5}\nupdate: {optimizer: sgd, rate: 0.3, scheme: pulses}\n"
              "device: {model: soft_bounds, step_up: 0.01, step_down: 0.01, stuck_off: "
              "0.01}\ntrain: {batch: 10}\n",
              0.05);
}

/* Another session takes the library away; the training takes it back. */
static void test_lent(void **state) {
  const char *yaml = "dataset: {name: digits, train: 10, test: 10}\nnetwork: {hidden: "
                     "[4]}\nfeedback: {scale: 0.1}\n"
                     "train: {batch: 10}\n";
  training x = begin(yaml, "{method: spice, inputs: norton}");
  mho_epoch_row row;
  mho_spice *s;
  OK(mho_trainer_epoch(x.t, &row, &ei));
  OK(mho_spice_open(&s, &ei));
  OK(mho_spice_load(s, "t\nR1 a 0 1\nV1 a 0 1\n", &ei));
  /* no library for the training: it does not settle, and says why */
  assert_int_equal(mho_trainer_epoch(x.t, &row, &ei), MHO_ESPICE);
  assert_non_null(strstr(ei.message, "session"));
  assert_int_equal(row.unsettled, 10);
  mho_spice_close(s);
  end(&x);
  x = begin(yaml, "{method: spice, inputs: norton}");
  OK(mho_trainer_epoch(x.t, &row, &ei));
  assert_int_equal(row.unsettled, 0);
  end(&x);
}

int main(void) {
  mho_spice *s;
  slow = getenv("MHO_TEST_SLOW") != NULL;
  if (mho_spice_open(&s, &ei) == MHO_EUNSUPPORTED) {
    printf("skipped: %s\n", ei.message);
    return SKIPPED;
  }
  mho_spice_close(s);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_trajectory),
      cmocka_unit_test(test_epoch),
      cmocka_unit_test(test_devices),
      cmocka_unit_test(test_lent),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
