/* Tables of variables: their sizes, what samples share, and copies of some samples.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/model/variables.h"
#include "experiment.h"

enum { MEMBRANE, TRACE, THRESHOLD, CONTROL, LINE, CLOCK, MEAN, VOTE };

static const mho_var table[] = {
    {"membrane", MHO_PER_HIDDEN, .exact = true},
    {"trace", MHO_PER_NEURON},
    {"threshold", MHO_PER_UNIT, .kept = true},
    {"control", MHO_PER_SAMPLE, .exact = true},
    {"line", MHO_PER_LINK},
    {"clock", MHO_PER_NETWORK, .exact = true, .kept = true},
    {"mean", MHO_PER_HIDDEN, .kept = true},
    {"vote", MHO_PER_VOTE, .kept = true},
};

enum { CAPACITY = 5 };

static mho_experiment *e;
static mho_trainer *t;
static const mho_network *net;

static int setup(void **state) {
  setup_registry(state);
  e = experiment("network: {hidden: [7, 3]}\ntrain: {batch: 5}\n");
  t = trainer(e);
  net = mho_trainer_network(t);
  return 0;
}

static int teardown(void **state) {
  mho_trainer_free(t);
  mho_experiment_free(e);
  return teardown_registry(state);
}

static mho_vars *variables(void) {
  mho_vars *v;
  OK(mho_vars_new(net, table, MHO_COUNT(table), CAPACITY, &v, &ei));
  return v;
}

/* Every number of every variable becomes `value`. */
static void fill(const mho_vars *v, double value) {
  for (int i = 0; i < v->n; i++)
    for (int place = 0; place < mho_vars_places(v, i); place++)
      for (size_t k = 0; k < mho_vars_count(v, i, place); k++)
        if (table[i].exact)
          mho_vars_exact(v, i, place, 0)[k] = value;
        else
          mho_vars_real(v, i, place, 0)[k] = (mho_real)value;
}

static void test_sizes(void **state) {
  mho_vars *v = variables();

  assert_int_equal(mho_vars_places(v, MEMBRANE), 4);
  assert_null(mho_vars_pointer(v, MEMBRANE, 0));
  assert_null(mho_vars_pointer(v, MEMBRANE, 3));
  assert_int_equal(mho_vars_count(v, MEMBRANE, 1), CAPACITY * 7);
  assert_int_equal(mho_vars_bytes(v, MEMBRANE, 2), CAPACITY * 3 * sizeof(double));
  assert_int_equal(mho_vars_count(v, TRACE, 0), CAPACITY * 64);
  assert_int_equal(mho_vars_bytes(v, TRACE, 3), CAPACITY * 10 * sizeof(mho_real));
  assert_int_equal(mho_vars_count(v, THRESHOLD, 1), 7);
  assert_int_equal(mho_vars_places(v, CONTROL), 1);
  assert_int_equal(mho_vars_count(v, CONTROL, 0), CAPACITY);
  assert_int_equal(mho_vars_places(v, LINE), net->n_links);
  for (int k = 0; k < net->n_links; k++)
    assert_int_equal(mho_vars_count(v, LINE, k), CAPACITY * net->layer[net->link[k].to].n);
  assert_int_equal(mho_vars_count(v, CLOCK, 0), 1);
  assert_int_equal(mho_vars_count(v, VOTE, 2), 0); /* nobody votes */

  assert_int_equal(mho_vars_find(v, "line"), LINE);
  assert_int_equal(mho_vars_find(v, "lines"), -1);
  mho_vars_free(v);
}

/* Whether the numbers of samples 1 and 2 are `inside`, those of the others `outside`, what samples
 * share `shared`, and what samples 1 and 2 keep `kept`. */
static void expect(const mho_vars *v, double inside, double outside, double shared, double kept) {
  for (int s = 0; s < CAPACITY; s++) {
    double want = s == 1 || s == 2 ? inside : outside;
    NEAR(mho_vars_exact(v, MEMBRANE, 1, s)[0], want, 0, 0);
    NEAR(mho_vars_exact(v, MEMBRANE, 2, s)[2], want, 0, 0);
    NEAR(mho_vars_real(v, TRACE, 0, s)[63], want, 0, 0);
    NEAR(mho_vars_exact(v, CONTROL, 0, s)[0], want, 0, 0);
    NEAR(mho_vars_real(v, LINE, 0, s)[6], want, 0, 0);
  }
  NEAR(mho_vars_real(v, MEAN, 1, 2)[6], kept, 0, 0);
  NEAR(mho_vars_real(v, THRESHOLD, 2, 1)[2], shared, 0, 0);
  NEAR(mho_vars_exact(v, CLOCK, 0, 2)[0], shared, 0, 0);
}

/* Samples are cleared and copied alone; what all share stays. */
static void test_samples_apart(void **state) {
  mho_vars *v = variables(), *other = variables();
  expect(v, 0, 0, 0, 0);

  fill(v, 3);
  mho_vars_clear(v, 1, 2, false);
  expect(v, 0, 3, 3, 3);
  mho_vars_clear(v, 1, 2, true);
  expect(v, 0, 3, 3, 0);

  fill(v, 3);
  fill(other, 4);
  mho_vars_copy(v, other, 1, 2);
  expect(v, 4, 3, 3, 4);
  mho_vars_free(v);
  mho_vars_free(other);
}

/* Votes are of the last hidden layer, where its neurons vote by proportion, and are shared. */
static void test_votes(void **state) {
  mho_experiment *spiking =
      experiment("rule: stdp\nnetwork: {hidden: [7, 3], votes: proportion}\n");
  mho_trainer *voters = trainer(spiking);
  mho_vars *v, *other;
  OK(mho_vars_new(mho_trainer_network(voters), table, MHO_COUNT(table), 2, &v, &ei));
  OK(mho_vars_new(mho_trainer_network(voters), table, MHO_COUNT(table), 2, &other, &ei));
  assert_int_equal(mho_vars_count(v, VOTE, 1), 0);
  assert_null(mho_vars_pointer(v, VOTE, 1));
  assert_int_equal(mho_vars_bytes(v, VOTE, 2), 3 * 10 * sizeof(mho_real));

  fill(v, 3);
  mho_vars_clear(v, 0, 2, true);
  mho_vars_copy(v, other, 0, 2);
  NEAR(mho_vars_real(v, VOTE, 2, 1)[29], 3, 0, 0);
  mho_vars_share(other, v);
  NEAR(mho_vars_real(other, VOTE, 2, 0)[29], 3, 0, 0);
  mho_vars_free(v);
  mho_vars_free(other);
  mho_trainer_free(voters);
  mho_experiment_free(spiking);
}

static void test_names_are_unique(void **state) {
  static const mho_var twice[] = {{"trace", MHO_PER_NEURON}, {"trace", MHO_PER_SAMPLE}};
  mho_vars *v;
  assert_int_equal(mho_vars_new(net, twice, 2, 1, &v, &ei), MHO_EINVAL);
  assert_null(v);
  assert_string_equal(ei.message, "there are two variables 'trace' in a table");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sizes),
      cmocka_unit_test(test_samples_apart),
      cmocka_unit_test(test_votes),
      cmocka_unit_test(test_names_are_unique),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
