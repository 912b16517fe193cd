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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows_that_spiked),
      cmocka_unit_test(test_lateral_weights),
      cmocka_unit_test(test_samples_alone),
      cmocka_unit_test(test_noise_of_a_step),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
