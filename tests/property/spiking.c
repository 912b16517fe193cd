/* Reads by spikes through every kind of array: the rows that spiked added up, with wires, with
 * noise of its own in every step, and the same bits wherever a sample lies in a chunk.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "spikes.h"

#define NET                                                                                        \
  "network: {hidden: [12, 9], biases: true, lateral: true}\n"                                      \
  "neuron: {threshold: {value: 0.4}, gain: {lateral: 0.05}}\n"                                     \
  "settle: {steps: 30, encode: {rate: 300 Hz}}\n"

/* Random weights, and images of the digits as inputs. */
static spikes *subject(const char *yaml) {
  char whole[2048];
  snprintf(whole, sizeof whole, NET "%s", yaml);
  spikes *k = spikes_new(whole);
  for (int c = 0; c < k->net->n_connections; c++) {
    const mho_crossbar *x = k->net->connection[c].xb;
    if (k->net->connection[c].role == MHO_LATERAL)
      continue;
    for (int i = 0; i < x->rows; i++)
      for (int j = 0; j < x->cols; j++)
        set_weight(k, c, i, j, 0.1 * sin(3 * i + 5 * j + c) + 0.04);
  }
  mho_network_refresh(k->net, 0, true);
  const mho_dataset *d = mho_trainer_dataset(k->t);
  mho_images_batch(d, &d->train, NULL, 0, SAMPLES, k->s->z[0], NULL);
  k->p.n = SAMPLES;
  return k;
}

static const char *const arrays[] = {
    "",
    "device: linear\n",
    "device: {model: linear, mapping: single}\n",
    "device: linear\narray: {wire: {r_word: 5 ohm, r_bit: 5 ohm, tile: [16, 16]}}\n",
    "device: linear\narray: {model: periphery, mismatch: {gain: 0.05}}\n",
    "device: {model: linear, iv: {law: sinh}}\narray: {model: periphery}\n",
};

/* What the links into layer 1 bring in a step, by the effective matrices and the spikes that were
 * fired in the step before. */
typedef struct reads {
  spikes *k;
  mho_real x[SAMPLES * INPUTS], h[SAMPLES * 12];
  double largest;
} reads;

static void compare_reads(const mho_phase *p, const mho_tick *tick, void *of) {
  reads *r = of;
  const mho_crossbar *w = p->net->connection[0].xb, *lateral = NULL;
  for (int c = 0; c < p->net->n_connections; c++)
    if (p->net->connection[c].role == MHO_LATERAL && p->net->connection[c].to == 1)
      lateral = p->net->connection[c].xb;

  for (int s = 0; tick->number > 1 && s < SAMPLES; s++)
    for (int j = 0; j < 12; j++) {
      double sum = (double)mho_crossbar_matrix(w)[INPUTS * 12 + j]; /* the bias, in every step */
      for (int i = 0; i < INPUTS; i++)
        sum += (double)r->x[s * INPUTS + i] * (double)mho_crossbar_matrix(w)[i * 12 + j];
      for (int i = 0; i < 12; i++)
        sum -= 0.05 * (double)r->h[s * 12 + i] * (double)mho_crossbar_matrix(lateral)[i * 12 + j];
      NEAR(real(r->k, "arrived", 1, s)[j], sum, 2e-5, 2e-5);
      r->largest = fmax(r->largest, fabs(sum));
    }
  memcpy(r->x, real(r->k, "spike", 0, 0), sizeof r->x);
  memcpy(r->h, real(r->k, "spike", 1, 0), sizeof r->h);
}

static void test_rows_that_spiked(void **state) {
  for (int i = 0; i < 4; i++) { /* those whose reads are products with the effective matrices */
    reads r = {.k = subject(arrays[i])};
    r.k->p.ticked = compare_reads;
    r.k->p.of = &r;
    run(r.k);
    assert_true(r.largest > 0.5);
    assert_true(real(r.k, "count", 1, 0)[0] + real(r.k, "count", 1, 0)[1] > 0);
    spikes_free(r.k);
  }
}

/* A neuron between hidden ones inhibits all others by 1, and itself not. */
static void test_lateral_weights(void **state) {
  spikes *k = spikes_new(NET "device: {model: linear, mapping: single}\n");
  int seen = 0;
  for (int c = 0; c < k->net->n_connections; c++) {
    const mho_connection *l = &k->net->connection[c];
    if (l->role != MHO_LATERAL)
      continue;
    assert_false(l->trained);
    for (int i = 0; i < l->xb->rows; i++)
      for (int j = 0; j < l->xb->cols; j++)
        NEAR(weight(k, c, i, j), i != j, 1e-6, 0);
    seen++;
  }
  assert_int_equal(seen, 2);
  spikes_free(k);
}

/* Bits of a sample do not depend on those beside it, with noise, too. */
static void test_samples_alone(void **state) {
  static const char *const noisy[] = {
      "array: {read_noise: 0.05}\n",
      "array: {read_noise: 0.05, noise: {redraw: sample}}\nneuron: {winners: one, inhibit: line}\n",
  };
  for (int i = 0; i < MHO_COUNT(arrays) + MHO_COUNT(noisy); i++) {
    spikes *k = subject(i < MHO_COUNT(arrays) ? arrays[i] : noisy[i - MHO_COUNT(arrays)]);
    mho_real together[SAMPLES][12], u[SAMPLES];
    run(k);
    for (int s = 0; s < SAMPLES; s++) {
      memcpy(together[s], real(k, "count", 1, s), sizeof together[s]);
      u[s] = (mho_real)exact(k, "u", 2, s)[0];
    }

    k->p.n = 1;
    for (int s = 0; s < SAMPLES; s++) {
      k->p.row0 = s;
      run(k);
      assert_memory_equal(together[s], real(k, "count", 1, s), sizeof together[s]);
      NEAR(exact(k, "u", 2, s)[0], u[s], 1e-5, 1e-6);
    }
    spikes_free(k);
  }
}

/* A read of a step has noise of its own: its variance is that of the pairs of the rows that spiked,
 * and two steps are independent. */
typedef struct noise {
  spikes *k;
  double last, sum, squares, product, n;
} noise;

static void add_noise(const mho_phase *p, const mho_tick *tick, void *of) {
  noise *o = of;
  if (tick->number < 2)
    return;
  double e = (double)real(o->k, "arrived", 1, 0)[0] - 0.5 * 8;
  o->sum += e;
  o->squares += e * e;
  o->product += e * o->last;
  o->n++;
  o->last = e;
}

static void test_noise_of_a_step(void **state) {
  spikes *k =
      spikes_new("network: {hidden: [1]}\nneuron: {threshold: {value: 1e5}}\n"
                 "array: {read_noise: 0.01}\nsettle: {steps: 20000, encode: {rate: 1 kHz}}\n");
  noise o = {.k = k};
  for (int i = 0; i < 8; i++) { /* eight rows spike in every step */
    input(k, 0)[i] = 1;
    set_weight(k, 0, i, 0, 0.5);
  }
  k->p.ticked = add_noise;
  k->p.of = &o;
  run(k);
  double w_max = (double)mho_crossbar_w_max(k->net->connection[0].xb);
  double variance = o.squares / o.n, wanted = 8 * 2 * 0.01 * w_max * 0.01 * w_max;
  NEAR(o.sum / o.n, 0, 0, 4 * sqrt(variance / o.n) + 1e-6);
  NEAR(variance, wanted, 4 * sqrt(2 / o.n), 0);
  NEAR(o.product / o.n, 0, 0, 4 * variance / sqrt(o.n));
  spikes_free(k);
}

/* ---------------------------------------------------------------- layers at fault */

static char said[1024];
static int times_said;
static void listen(void *user, mho_log_level level, const char *message) {
  if (level != MHO_LOG_WARNING || strncmp(message, "neuron.threshold.value", 22))
    return;
  snprintf(said, sizeof said, "%s", message);
  times_said++;
}

/* What is said of layers that never fire, or always, in two epochs. */
static void hear_epochs(const char *yaml) {
  char whole[2048];
  snprintf(whole, sizeof whole,
           "dynamics: spiking\ndataset: {train: 40, test: 10}\n"
           "settle: {steps: 80, encode: {rate: 200 Hz}}\n%s",
           yaml);
  mho_context ctx = {.log = listen};
  mho_experiment *e = experiment(whole);
  mho_trainer *t;
  *said = '\0';
  times_said = 0;
  OK(mho_trainer_new(&ctx, e, &t, &ei));
  for (int i = 0; i < 2; i++) {
    mho_epoch_row row;
    OK(mho_trainer_epoch(t, &row, &ei));
  }
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* Said once, of this layer, with this share of the sentence. */
static void expect_said(const char *yaml, const char *layer, const char *share) {
  hear_epochs(yaml);
  if (times_said != 1 || !strstr(said, layer) || !strstr(said, share))
    fail_msg("'%s' says %d times '%s', expected '%s' with '%s'", yaml, times_said, said, layer,
             share);
}

static void expect_silence(const char *yaml) {
  hear_epochs(yaml);
  if (times_said)
    fail_msg("'%s' says '%s'", yaml, said);
}

#define NEVER   "neuron: {threshold: {law: fixed, value: 1e3}}\n"
#define SOON    "threshold: {law: fixed, value: 1e-3}"
#define AT_ONCE SOON ", winners: all, inhibit: none"

static void test_layers_that_never_fire(void **state) {
  expect_said(NEVER, "layer h1", "no neuron");
  expect_said(NEVER, "40 samples", "settle.encode.rate (200 Hz)");
  expect_said(NEVER "network: {hidden: [10, 5]}\n", "layer h1", "lower the threshold (1000)");
  expect_said("settle: {encode: {silent_below: 2}}\n", "no neuron", "came to at most 0 ");
  expect_said(NEVER "settle: {encode: {kind: direct}}\n", "no neuron", "or raise neuron.gain");
  expect_said("neuron: {threshold: {value: 1e3, gain: 1e-6}}\n", "no neuron", "(1000)");
  expect_said(NEVER "rule: perturb\ntrain: {batch: 20}\n", "no neuron", "40 samples");
}

static void test_layers_that_always_fire(void **state) {
  expect_said("neuron: {" AT_ONCE "}\n", "layer h1", "whatever it is shown");
  expect_said("neuron: {" AT_ONCE "}\nsettle: {rest: 20}\n", "100 %", "raise the threshold");
  expect_said("neuron: {" AT_ONCE ", refractory: 1 ms}\nsettle: {rest: 20}\n", "layer h1", "100 %");
  expect_said("neuron: {" SOON ", winners: one, inhibit: line}\n", "layer h1", "whatever");
  expect_said("neuron: {" AT_ONCE ", refractory: 2 ms}\n"
              "network: {hidden: [10, 5]}\n",
              "layer h1", "whatever");
}

/* Nor where a layer fires as it should, once a sample too, or its samples are too few to tell. */
static void test_layers_without_fault(void **state) {
  expect_silence("");
  expect_silence("neuron: {" AT_ONCE ", refractory: 20 ms}\n");
  expect_silence("neuron: {threshold: {law: fixed, value: 3}, inhibit: line, inhibit_time: 1 s, "
                 "refractory: 1 s, winners: one}\n");
  expect_silence("rule: perturb\ntrain: {batch: 20}\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows_that_spiked),       cmocka_unit_test(test_lateral_weights),
      cmocka_unit_test(test_samples_alone),          cmocka_unit_test(test_noise_of_a_step),
      cmocka_unit_test(test_layers_that_never_fire), cmocka_unit_test(test_layers_that_always_fire),
      cmocka_unit_test(test_layers_without_fault),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
