/* Whole settling networks in ngspice against the core: free and nudged, .op and .tran, and what
 * equilibrium propagation makes of them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "mho/model/check.h"
#include "mho/model/circuit.h"
#include "mho/spice.h"

#include "experiment.h"

enum { SKIPPED = 77, SAMPLES_MAX = 20, ROWS_MAX = 64 };

static bool slow;

typedef struct results {
  int n;
  char quantity[ROWS_MAX][96], place[ROWS_MAX][MHO_PLACE_MAX];
  mho_cosim_row row[ROWS_MAX];
} results;

static void take(void *user, const mho_cosim_row *row, const double *core, const double *spice) {
  results *r = user;
  double most = 0;
  assert_true(r->n < ROWS_MAX);
  for (int64_t i = 0; i < row->n; i++)
    most = fmax(most, fabs(core[i]));
  assert_true(most > 1e-3); /* something was compared */
  snprintf(r->quantity[r->n], sizeof r->quantity[0], "%s", row->quantity);
  snprintf(r->place[r->n], sizeof r->place[0], "%s", row->place);
  r->row[r->n++] = *row;
  if (getenv("MHO_TEST_SHOW"))
    print_message("%-44s n %6lld  max %.2e  rel %.2e  rms %.2e  %s  core %.2g s, ngspice %.2g s\n",
                  row->quantity, (long long)row->n, row->max_abs, row->max_rel, row->rms,
                  row->place, row->core_s, row->spice_s);
}

/* Settle samples of the training set and compare; all must pass. */
static void check(mho_spice *s, const char *yaml, int samples, bool transient, bool both,
                  results *r) {
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  mho_network *net = mho_trainer_network(t);
  const mho_dataset *d = mho_trainer_dataset(t);
  mho_epoch_row row;
  OK(mho_trainer_epoch(t, &row, &ei));
  mho_real *x = malloc((size_t)samples * (size_t)d->features * sizeof *x);
  uint8_t label[SAMPLES_MAX];
  mho_images_batch(d, &d->train, NULL, 0, samples, x, label);
  mho_cosim_network_options o = {
      .net = net,
      .settler = (const mho_settler *)mho_registry_find(registry, MHO_KIND_SETTLER, "sweep"),
      .dynamics = (const mho_dynamics *)e->dynamics.entry,
      .device = &e->device_config,
      .samples = samples,
      .x = x,
      .targets = {.label = label},
      .nudge = 0.1,
      .transient = transient,
      .both_inputs = both};
  r->n = 0;
  OK(mho_cosim_network(s, &o, take, r, &ei));
  for (int i = 0; i < r->n; i++)
    if (!r->row[i].pass)
      fail_msg("%s: %g at %s", r->quantity[i], r->row[i].max_rel, r->place[i]);
  assert_int_equal(r->n, 3 * (1 + transient + both) + 2 * transient + net->n_trained);
  free(x);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

#define COMMON                                                                                     \
  "dataset: {name: digits}\nfeedback: {scale: 0.1}\nrule: {name: ep, nudge: 0.1}\ntrain: "         \
  "{epochs: 1, "                                                                                   \
  "batch: 50}\n"

static void test_layered(void **state) {
  results r;
  check(*state, COMMON "network: {hidden: [32, 32]}\n", slow ? 20 : 2, true, true, &r);
}

static void test_residual(void **state) {
  results r;
  check(*state, COMMON "network: {topology: residual, hidden: [32, 32, 32, 32]}\n", slow ? 20 : 3,
        slow, false, &r);
}

static void test_asymmetric_devices(void **state) {
  results r;
  check(*state,
        COMMON
        "network: {hidden: [12, 10], neuron: hard_sigmoid, forward_scale: 0.8}\n"
        "device: {model: soft_bounds, stuck_off: 0.02, open: 0.02}\nupdate: {scheme: accumulate}\n",
        3, false, true, &r);
  check(*state,
        "dataset: {name: digits}\nfeedback: {scale: 0.1, mode: asymmetric}\ntrain: {epochs: 1, "
        "batch: 50}\n"
        "network: {hidden: [12, 10]}\ndevice: linear\nupdate: {scheme: pulses}\n",
        3, true, false, &r);
}

static void test_mnist(void **state) {
  if (!slow || !getenv("MHO_DATA")) {
    print_message("the 784-64-64-10 network needs MHO_DATA and the slow suite\n");
    skip();
  }
  results r;
  check(*state,
        "dataset: {name: mnist, train: 2000, test: 100}\nnetwork: {hidden: [64, 64]}\nfeedback: "
        "{scale: 0.1}\n"
        "rule: {name: ep, nudge: 0.1}\ntrain: {epochs: 1, batch: 50}\n",
        3, true, true, &r);
}

/* A weight changed after loading is changed in the circuit, and one that outgrows its range
 * loads it anew. */
static void test_refresh(void **state) {
  mho_experiment *e = experiment(COMMON "network: {hidden: [6, 5]}\n");
  mho_trainer *t = trainer(e);
  mho_network *net = mho_trainer_network(t);
  mho_spice_network *c;
  double x[64] = {0}, z1[6], z2[5], out[10], *z[] = {NULL, z1, z2, out};
  x[20] = 1;
  OK(mho_spice_network_new(
      *state, &(mho_spice_network_options){.net = net, .device = &e->device_config}, &c, &ei));
  OK(mho_spice_network_settle(c, x, 0, NULL, z, &ei));
  double before = z1[2];
  for (int kind = 0; kind < 2; kind++) {
    mho_real w = (mho_real)(kind ? 2.5 : -.3);
    mho_crossbar_set(net->connection[0].xb, 20 * 6 + 2, 1, &w);
    OK(mho_spice_network_refresh(c, &ei));
    OK(mho_spice_network_settle(c, x, 0, NULL, z, &ei));
    double sum = (double)w;
    for (int j = 0; j < 5; j++)
      sum += .1 * z2[j] * (double)mho__crossbar_programmed(net->connection[1].xb)[2 * 5 + j];
    NEAR(z1[2], tanh(sum), 0, 1e-8);
    assert_true(fabs(z1[2] - before) > .01);
  }

  mho_spice_network_free(c);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

static int open_session(void **state) {
  return mho_spice_open((mho_spice **)state, &ei) ? -1 : setup_registry(NULL);
}

static int close_session(void **state) {
  mho_spice_close(*state);
  return teardown_registry(NULL);
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
      cmocka_unit_test(test_layered),
      cmocka_unit_test(test_residual),
      cmocka_unit_test(test_asymmetric_devices),
      cmocka_unit_test(test_mnist),
      cmocka_unit_test(test_refresh),
  };
  return cmocka_run_group_tests(tests, open_session, close_session);
}
