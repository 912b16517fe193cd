/* Lyapunov exponent, settling time and the cosine with backpropagation: closed forms and plain
 * loops; and that observing changes nothing.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <unistd.h>

#include "array/weights.h"
#include "mho/model/check.h"
#include "subject.h"

/* ---------------------------------------------------------------- samples */

enum { SAMPLES = 50 };

static mho_state *inputs(const subject *n) {
  mho_state *s;
  const mho_dataset *d = mho_trainer_dataset(n->t);
  OK(mho_state_new(n->net, SAMPLES, MHO_STATE_INPUT, &s, &ei));
  mho_images_batch(d, &d->test, NULL, 0, SAMPLES, s->z[0], NULL);
  return s;
}

static mho_lyapunov lyapunov_of(const subject *n) {
  mho_state *s = inputs(n);
  mho_lyapunov v;
  OK(mho_observe_lyapunov(n->net, s, SAMPLES, NULL, &v, &ei));
  mho_state_free(s);
  return v;
}

static mho_settling settling_of(const subject *n) {
  mho_state *s = inputs(n);
  mho_settling v;
  OK(mho_observe_settling(n->net, s, SAMPLES, NULL, &v, &ei));
  mho_state_free(s);
  return v;
}

/* One sample's exponent in plain loops, from another perturbation. */
static double plain_exponent(const subject *n, const mho_real *input, int steps) {
  const mho_network *net = n->net;
  int last = mho_network_output(net);
  double z[16][64] = {{0}}, d[16][64], sum = 0;
  for (int i = 0; i < net->layer[0].n; i++)
    z[0][i] = (double)input[i];
  for (int l = 1; l < last; l++)
    for (int j = 0; j < net->layer[l].n; j++)
      d[l][j] = sin(1 + 7.3 * l + 2.9 * j * j);
  for (int t = 0; t <= steps; t++) { /* the first only brings d to length 1 */
    double next[16][64] = {{0}}, grown[16][64] = {{0}}, length = 0;
    for (int l = 1; l < last; l++)
      for (int j = 0; j < net->layer[l].n; j++) {
        for (int i = 0; i < net->n_links && t > 0; i++) {
          const mho_link *k = &net->link[i];
          const mho_crossbar *x = net->connection[k->connection].xb;
          for (int m = 0; k->to == l && k->from < last && m < net->layer[k->from].n; m++) {
            double w = (double)k->scale * (double)mho__crossbar_programmed(
                                              x)[k->transposed ? j * x->cols + m : m * x->cols + j];
            next[l][j] += w * z[k->from][m];
            grown[l][j] += k->from ? w * d[k->from][m] : 0;
          }
        }
        next[l][j] = tanh(next[l][j]);
        grown[l][j] = t > 0 ? grown[l][j] * (1 - next[l][j] * next[l][j]) : d[l][j];
        length += grown[l][j] * grown[l][j];
      }
    sum += t > 0 ? 0.5 * log(length) : 0;
    for (int l = 1; l < last; l++)
      for (int j = 0; j < net->layer[l].n; j++) {
        z[l][j] = next[l][j];
        d[l][j] = grown[l][j] / sqrt(length);
      }
  }

  return sum / steps;
}

static void test_exponent(void **state) {
  static const char *modes[] = {"symmetric", "asymmetric"};
  for (int i = 0; i < 2; i++) {
    char yaml[256];
    snprintf(
        yaml, sizeof yaml,
        "network: {hidden: [8, 8, 8, 8, 8, 8, 8, 8, 8, 8]}\nfeedback: {mode: %s, scale: 0.5}\n",
        modes[i]);
    subject n = net_new(yaml);
    mho_state *s = inputs(&n);
    mho_lyapunov v = lyapunov_of(&n);
    double mean = 0;
    for (int k = 0; k < SAMPLES; k++)
      mean += plain_exponent(&n, s->z[0] + k * n.net->layer[0].n, v.steps) / SAMPLES;
    assert_int_equal(v.steps, 100);
    assert_int_equal(v.extinct, 0);
    print_message("  %s: exponent %.5f, plain loops %.5f\n", modes[i], v.mean, mean);
    NEAR(v.mean, mean, 0, 0.01); /* two perturbations' ways into the fastest direction */
    mho_state_free(s);
    net_free(&n);
  }
}

/* Linear neurons: ln of the spectral radius, and what the way there costs in 100 steps. */
static void test_exponent_of_linear_nets(void **state) {
  subject n =
      net_new("network: {neuron: linear, hidden: [12, 12, 12, 12, 12, 12, 12, 12, 12, 12]}\n"
              "feedback: {scale: 1}\n");
  NEAR(lyapunov_of(&n).mean, log(radius_of(&n)), 0, 0.05);
  /* a single direction, no way to go: equal growth from the second step on, one random first
   * step of 30 */
  net_free(&n);
  n = net_new("network: {neuron: linear, hidden: [6, 6, 6]}\nfeedback: {scale: 1}\n");
  mho_crossbar *x[] = {crossbar(&n, 1, 2), crossbar(&n, 2, 3)};
  for (int i = 0; i < 36; i++) {
    mho__crossbar_programmed(x[0])[i] = (mho_real)(i % 7 == 0 ? 0.5 : 0);
    mho__crossbar_programmed(x[1])[i] = mho__crossbar_programmed(x[0])[i];
  }
  NEAR(lyapunov_of(&n).mean, log(radius_of(&n)), 0, 0.03);
  net_free(&n);
}

static void test_extinct(void **state) {
  static const char *nets[] = {
      "network: {hidden: [20]}\n",
      "network: {hidden: [20, 20, 20]}\nfeedback: {scale: 0}\n",
  };
  for (int i = 0; i < MHO_COUNT(nets); i++) {
    subject n = net_new(nets[i]);
    mho_lyapunov v = lyapunov_of(&n);
    assert_true(isinf(v.mean) && v.mean < 0);
    assert_int_equal(v.extinct, SAMPLES);
    mho_settle_row row = {.lyapunov = 7};
    n.e->observe.lyapunov = true;
    OK(mho_trainer_observe(n.t, &row, NULL, &ei));
    assert_true(isnan(row.lyapunov)); /* the database knows no infinity */
    net_free(&n);
  }
}

/* Linear neurons, W = u v^T: from the fourth step on a change is g = alpha beta_i |u|^2 |v|^2
 * times the one two steps before. @return the step at which a sample settles, for that
 * threshold. */
static int contraction_steps(const double *c, const double *u, const double *v, double g,
                             double threshold) {
  double change[200] = {0}, most[3] = {0};
  for (int i = 0; i < 3; i++) {
    most[0] = fmax(most[0], fabs(c[i]));
    most[1] = fmax(most[1], fabs(dot(3, c, u) * v[i]));
    most[2] = fmax(most[2], fabs(g / dot(3, u, u) * dot(3, c, u) * u[i]));
  }
  for (int t = 1, run = 0; t < 200; t++) {
    change[t] = t <= 3 ? most[t - 1] : g * change[t - 2];
    run = change[t] < threshold ? run + 1 : 0;
    if (run == 3)
      return t;
  }
  return 0;
}

static void test_settling_of_a_contraction(void **state) {
  static const double u[] = {0.3, -1, 0.5}, v[] = {1, 0.1, -0.7};
  for (double beta = 0.01; beta < 0.5; beta *= 6) {
    char yaml[128];
    snprintf(yaml, sizeof yaml,
             "network: {neuron: linear, hidden: [3, 3]}\nfeedback: {scale: %g}\n", beta);
    subject n = net_new(yaml);
    mho_state *s = inputs(&n);
    outer_product(crossbar(&n, 1, 2), u, v);
    mho_settling got = settling_of(&n);
    const mho_crossbar *in = crossbar(&n, 0, 1);
    double g = beta * dot(3, u, u) * dot(3, v, v), early = 0, late = 0, longest = 0;
    for (int k = 0; k < SAMPLES; k++) {
      double c[3] = {0};
      for (int i = 0; i < in->rows * 3; i++)
        c[i % 3] += (double)s->z[0][k * in->rows + i / 3] * (double)mho__crossbar_programmed(in)[i];
      early += contraction_steps(c, u, v, g, 1.2e-6); /* 1e-6 and some rounding of z */
      late += contraction_steps(c, u, v, g, 0.8e-6);
      longest = fmax(longest, contraction_steps(c, u, v, g, 0.8e-6));
    }
    print_message("  g %.3f: %.2f steps, expected %.2f to %.2f\n", g, got.mean, early / SAMPLES,
                  late / SAMPLES);
    double sum = round(got.mean * SAMPLES);
    assert_true(sum >= early && sum <= late && late - early < 3 * SAMPLES);
    assert_true(got.max <= longest && got.max >= longest - 2);
    assert_int_equal(got.unsettled, 0);
    assert_true(got.residual < 1e-6);
    mho_state_free(s);
    net_free(&n);
  }
}

static void test_unsettled(void **state) {
  subject n = net_new("network: {hidden: [64, 64, 64]}\nfeedback: {mode: asymmetric, scale: 4}\n");
  mho_settling v = settling_of(&n);
  assert_true(v.unsettled > SAMPLES * 8 / 10); /* it oscillates */
  assert_true(v.residual > 0.01);
  assert_true(v.unsettled < SAMPLES ? v.mean <= v.max && v.max <= MHO_OBSERVE_STEPS
                                    : isnan(v.mean) && isnan(v.max));
  mho__crossbar_programmed(crossbar(&n, 1, 2))[7] = NAN;
  v = settling_of(&n);
  assert_int_equal(v.unsettled, SAMPLES);
  assert_true(isnan(v.mean) && isnan(v.max) && isinf(v.residual));
  mho_settling none;
  assert_int_equal(mho_observe_settling(n.net, NULL, 0, NULL, &none, &ei), MHO_EINVAL);
  net_free(&n);
}

/* Read noise, and how many threads there are, change no observable. */
static void test_noise_and_threads(void **state) {
  subject n = net_new("network: {hidden: [24, 24]}\nfeedback: {scale: 0.2}\n"),
          noisy = net_new(
              "network: {hidden: [24, 24]}\nfeedback: {scale: 0.2}\narray: {read_noise: 0.05}\n");
  mho_pool *pool;
  mho_state *s = inputs(&n);
  mho_lyapunov a = lyapunov_of(&n), b = lyapunov_of(&noisy), c;
  mho_settling d = settling_of(&n), e = settling_of(&noisy), f;
  OK(mho_pool_new(3, &pool, &ei));
  OK(mho_observe_lyapunov(n.net, s, SAMPLES, pool, &c, &ei));
  OK(mho_observe_settling(n.net, s, SAMPLES, pool, &f, &ei));
  NEAR(a.mean, b.mean, 0, 0);
  NEAR(a.mean, c.mean, 0, 0);
  NEAR(d.mean, e.mean, 0, 0);
  NEAR(d.mean, f.mean, 0, 0);
  mho_pool_free(pool);
  mho_state_free(s);
  net_free(&n);
  net_free(&noisy);
}

/* ---------------------------------------------------------------- cosine */

static void observed_cosines(const subject *n, int at, double *out) {
  mho_settle_row row = {0};
  n->e->observe.cosine = true;
  n->e->observe.cosine_at = at;
  OK(mho_trainer_observe(n->t, &row, out, &ei));
}

static void test_cosine_of_backpropagation(void **state) {
  static const char *nets[] = {
      "network: {hidden: [20, 16]}\nrule: bp\ntrain: {batch: 50}\n",
      "network: {topology: residual, forward_scale: 0.8, hidden: [9, 8, 7, 9, 8, 7, 6]}\nrule: "
      "bp\n",
      "network: {topology: agt, link_probability: 1, hidden: [9, 8, 7]}\nfeedback: {mode: "
      "asymmetric, scale: 1e-4}\nrule: fa\n",
  };
  for (int i = 0; i < 2 * MHO_COUNT(nets);
       i++) { /* the settled states are those of the forward pass here */
    subject n = net_new(nets[i / 2]);
    double c[MHO_LAYERS_MAX];
    observed_cosines(&n, i % 2 ? MHO_COSINE_SETTLED : MHO_COSINE_FORWARD, c);
    for (int k = 0; k < n.net->n_trained; k++)
      if (i / 2 < 2 ||
          n.net->connection[k].to == mho_network_output(n.net)) /* fa's read-out learns as bp's */
        NEAR(c[k], 1, 0, 1e-6);
      else
        assert_true(fabs(c[k]) < 0.9);
    net_free(&n);
  }
}

/* Feedback alignment on asymmetric feedback, and EP, against a trainer that backpropagates in a
 * symmetric net with the same forward weights. */
static void test_cosine_of_other_rules(void **state) {
  static const char *rules[] = {"rule: fa\n",
                                "rule: ep\nfeedback: {mode: asymmetric, scale: 0.3}\n",
                                "rule: ep\nfeedback: {scale: 0.2}\n"};
  subject bp = net_new("network: {hidden: [20, 16, 12]}\nrule: bp\ntrain: {batch: 64}\n");
  for (int i = 0; i < MHO_COUNT(rules); i++) {
    char yaml[256];
    snprintf(yaml, sizeof yaml, "network: {hidden: [20, 16, 12]}\ntrain: {batch: 64}\n%s",
             rules[i]);
    subject n = net_new(yaml);
    double c[MHO_LAYERS_MAX];
    observed_cosines(&n, MHO_COSINE_FORWARD, c);
    for (int k = 0; k < n.net->n_trained; k++) {
      size_t cells = (size_t)n.net->connection[k].xb->rows * (size_t)n.net->connection[k].xb->cols;
      mho_real *a = malloc(2 * cells * sizeof *a), *b = a + cells;
      OK(mho_trainer_gradient(n.t, 0, 64, k, a, &ei));
      OK(mho_trainer_gradient(bp.t, 0, 64, k, b, &ei));
      NEAR(c[k], cosine(cells, a, b), 0, 1e-5);
      free(a);
    }
    net_free(&n);
  }
  net_free(&bp);
}

/* The recurrence moves the states and the errors. With backpropagation at the settled states
 * only the errors differ, and the read-out's, which is where they begin, does not. */
static void test_cosine_at_settled_states(void **state) {
  subject n =
      net_new("network: {hidden: [20, 16, 12]}\ntrain: {batch: 64}\nfeedback: {scale: 0.05}\n"
              "settle: {free: 60, nudged: 60}\nrule: {nudge: 1e-4}\n");
  double forward[MHO_LAYERS_MAX], settled[MHO_LAYERS_MAX];
  observed_cosines(&n, MHO_COSINE_FORWARD, forward);
  observed_cosines(&n, MHO_COSINE_SETTLED, settled);
  for (int k = 0; k < n.net->n_trained; k++) {
    assert_true(1 - settled[k] < (1 - forward[k]) / 2);
    assert_true(settled[k] > 0.998);
  }
  NEAR(settled[n.net->n_trained - 1], 1, 0, 1e-6);
  net_free(&n);
}

/* ---------------------------------------------------------------- observing changes nothing */

static const char *hardware[] = {
    "network: {hidden: [20, 16]}\ntrain: {batch: 100}\n",
    "network: {hidden: [20, 16]}\nsettle: {method: synchronous, free: 8, nudged: 4}\nfeedback: "
    "{scale: 0.1}\n",
    "network: {hidden: [20, 16]}\ndevice: {model: soft_bounds, cycle_to_cycle: 0.3}\nupdate: "
    "{scheme: pulses, optimizer: momentum}\narray: {read_noise: 0.01}\n",
    "network: {hidden: [20]}\ndevice: {model: nl_pulse, pulse_noise: 0.001}\nupdate: {scheme: "
    "accumulate}\n"
    "rule: {phases: centred, error: live}\narray: {read_noise: 0.02, noise: {redraw: phase}}\n",
    "network: {hidden: [20, 20]}\nrule: fa\nupdate: {optimizer: sgd, rate: 0.5}\ntrain: {batch: "
    "77}\n",
};

static void observe_all(mho_experiment *e) {
  e->observe = (mho_observe_config){
      .spectral_radius = true, .lyapunov = true, .settling = true, .cosine = true, .samples = 40};
}

static void test_training_is_untouched(void **state) {
  enum { HEADER = 136 }; /* of a checkpoint: its last numbers are times */
  for (int i = 0; i < MHO_COUNT(hardware); i++) {
    mho_checkpoint_row c[2];
    for (int observing = 0; observing < 2; observing++) {
      subject n = net_new(hardware[i]);
      observe_all(n.e);
      for (int k = 0; k < 3; k++) {
        mho_epoch_row epoch;
        mho_settle_row row;
        double cosines[MHO_LAYERS_MAX];
        OK(mho_trainer_epoch(n.t, &epoch, &ei));
        if (observing)
          OK(mho_trainer_observe(n.t, &row, cosines, &ei));
      }
      OK(mho_trainer_save(n.t, &c[observing], &ei));
      net_free(&n);
    }
    assert_int_equal(c[0].blob.size, c[1].blob.size);
    assert_memory_equal((char *)c[0].blob.data + HEADER, (char *)c[1].blob.data + HEADER,
                        c[0].blob.size - HEADER);
    mho_blob_free(&c[0].blob);
    mho_blob_free(&c[1].blob);
  }
}

static bool take_count(void *user, int n, const char *const *names, const mho_cell *c) {
  if (c)
    *(int64_t *)user = c[0].i;
  return true;
}

static int64_t count(mho_store *s, const char *id, const char *sql) {
  int64_t rows = -1;
  OK(mho_store_query(s, sql, id != NULL, &id, 0, take_count, &rows, &ei));
  return rows;
}

/* A logged run has what was asked for, and nothing that was not. */
static void test_rows(void **state) {
  char path[] = "/tmp/mho-observe-XXXXXX", file[64];
  mho_store *s;
  assert_non_null(mkdtemp(path));
  snprintf(file, sizeof file, "%s/runs.db", path);
  OK(mho_store_open(file, MHO_STORE_WRITE, &s, &ei));
  for (int observing = 0; observing < 2; observing++) {
    mho_experiment *e = experiment("network: {hidden: [12, 10]}\ntrain: {epochs: 3}\n");
    mho_train_result r;
    if (observing)
      observe_all(e);
    OK(mho_train(NULL, e, &(mho_train_options){.store = s}, &r, &ei));
    int64_t all = observing ? 3 : 0;
    assert_int_equal(
        count(s, r.run,
              "SELECT count(*) FROM settle WHERE run_id = ?1 AND phase = 'free' AND "
              "spectral_radius > 0 AND lyapunov < 0 AND residual_max < 1e-6 AND steps_max >= "
              "steps_mean AND unsettled = 0"),
        all);
    assert_int_equal(
        count(s, r.run,
              "SELECT count(*) FROM settle WHERE run_id = ?1 AND spectral_radius IS NULL AND "
              "lyapunov IS NULL AND residual_max IS NULL AND steps_mean > 0"),
        3 - all);
    assert_int_equal(
        count(s, r.run,
              "SELECT count(*) FROM layer_epoch WHERE run_id = ?1 AND cosine > 0.9 AND cosine <= "
              "1.000001"),
        3 * all);
    mho_experiment_free(e);
  }

  assert_int_equal(count(s, NULL, "SELECT count(DISTINCT point_hash) FROM run"), 1);
  assert_int_equal(count(s, NULL, "SELECT count(DISTINCT config_hash) FROM run"), 1);
  mho_store_close(s);
  unlink(file);
  rmdir(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_exponent),
      cmocka_unit_test(test_exponent_of_linear_nets),
      cmocka_unit_test(test_extinct),
      cmocka_unit_test(test_settling_of_a_contraction),
      cmocka_unit_test(test_unsettled),
      cmocka_unit_test(test_noise_and_threads),
      cmocka_unit_test(test_cosine_of_backpropagation),
      cmocka_unit_test(test_cosine_of_other_rules),
      cmocka_unit_test(test_cosine_at_settled_states),
      cmocka_unit_test(test_training_is_untouched),
      cmocka_unit_test(test_rows),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
