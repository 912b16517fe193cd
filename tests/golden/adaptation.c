/* Adaptation in double precision: what a nudged phase that is pulled back moves, against the linear
 * algebra of the recurrence, step by step and at rest, in every settler that can.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "experiment.h"
#include "mho/model/check.h"
#include "train/trainer.h"

_Static_assert(sizeof(mho_real) == 8, "subtraction needs the double build");

enum { SAMPLES = 4, NEURONS = 400 };

/* A trainer whose learner has settled SAMPLES samples. */
typedef struct settled {
  mho_experiment *e;
  mho_trainer *t;
  const mho_network *net;
} settled;

static settled settle(const char *yaml) {
  settled s = {.e = experiment(yaml)};
  mho_rule_stats unused;
  s.t = trainer(s.e);
  s.net = mho_trainer_network(s.t);
  OK(mho__trainer_settle(s.t, &mho_trainer_dataset(s.t)->train, 0, SAMPLES, true, &unused, &ei));
  return s;
}

static void settled_free(settled *s) {
  mho_trainer_free(s->t);
  mho_experiment_free(s->e);
}

/* z_free - z_nudged of a layer of sample n, as the rule has it. */
static const mho_real *moved(const settled *s, int l, int n) {
  return s->t->learner->error[l] + n * s->net->layer[l].n;
}

/* ---------------------------------------------------------------- the linear algebra of a chain */

/* d <- d M + n of one sample's hidden layers, one after another: M [from x to] has alpha W and
 * beta_i W^T, times the slopes of what they lead to. */
typedef struct recurrence {
  int size, first[16];
  double *m; /* [size x size] */
  double *n; /* [size] what the nudge brings, times slopes */
} recurrence;

/* The slope of a tanh from its activity, or of a linear neuron. */
static double slope(bool is_tanh, double z) {
  return is_tanh ? 1 - z * z : 1;
}

static recurrence recurrence_of(const settled *s, int sample, bool is_tanh, double beta,
                                double nudge) {
  const mho_network *net = s->net;
  int last = mho_network_output(net);
  recurrence r = {.size = 0};
  for (int l = 1; l < last; l++) {
    r.first[l] = r.size;
    r.size += net->layer[l].n;
  }
  r.m = calloc((size_t)(r.size * r.size), sizeof *r.m);
  r.n = calloc((size_t)r.size, sizeof *r.n);

  for (int l = 1; l <= last; l++) { /* the crossbar from layer l - 1 */
    const mho_real *w = mho_crossbar_matrix(net->connection[l - 1].xb);
    const mho_real *z = s->t->learner->state[0]->z[l - 1] + sample * net->layer[l - 1].n;
    const mho_real *next = s->t->learner->state[0]->z[l] + sample * net->layer[l].n;
    const mho_real *error = moved(s, last, sample);
    int rows = net->layer[l - 1].n, cols = net->layer[l].n;
    for (int i = 0; i < rows && l > 1; i++)
      for (int j = 0; j < cols; j++) {
        double wij = w[i * cols + j], back = slope(is_tanh, z[i]);
        int a = r.first[l - 1] + i, b = r.first[l] + j;
        if (l == last) {
          r.n[a] -= nudge * error[j] * wij * back;
          continue;
        }
        r.m[a * r.size + b] = wij * slope(is_tanh, next[j]);
        r.m[b * r.size + a] = beta * wij * back;
      }
  }
  return r;
}

static void recurrence_free(recurrence *r) {
  free(r->m);
  free(r->n);
}

/* d <- own (d M + n). */
static void step(const recurrence *r, double own, double *d) {
  double then[NEURONS];
  for (int j = 0; j < r->size; j++) {
    double sum = r->n[j];
    for (int i = 0; i < r->size; i++)
      sum += d[i] * r->m[i * r->size + j];
    then[j] = own * sum;
  }
  memcpy(d, then, (size_t)r->size * sizeof *d);
}

/* d (k - M) = n by elimination with pivots. */
static void solve(const recurrence *r, double k, double *d) {
  int n = r->size;
  double *a = malloc((size_t)(n * n) * sizeof *a);
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++)
      a[i * n + j] = (i == j) * k - r->m[j * n + i];
  memcpy(d, r->n, (size_t)n * sizeof *d);

  for (int c = 0; c < n; c++) {
    int p = c;
    for (int i = c + 1; i < n; i++)
      p = fabs(a[i * n + c]) > fabs(a[p * n + c]) ? i : p;
    for (int j = 0; j < n; j++) {
      double swapped = a[c * n + j];
      a[c * n + j] = a[p * n + j];
      a[p * n + j] = swapped;
    }
    double swapped = d[c];
    d[c] = d[p];
    d[p] = swapped;
    for (int i = c + 1; i < n; i++) {
      double f = a[i * n + c] / a[c * n + c];
      for (int j = c; j < n; j++)
        a[i * n + j] -= f * a[c * n + j];
      d[i] -= f * d[c];
    }
  }
  for (int c = n - 1; c >= 0; c--) {
    for (int j = c + 1; j < n; j++)
      d[c] -= a[c * n + j] * d[j];
    d[c] /= a[c * n + c];
  }
  free(a);
}

/* What was moved is -d, to `tolerance` of its largest in a layer. */
static void compare(const settled *s, const recurrence *r, int sample, const double *d,
                    double tolerance) {
  for (int l = 1; l < mho_hidden_end(s->net); l++) {
    const mho_real *e = moved(s, l, sample);
    const double *want = d + r->first[l];
    double most = 0;
    for (int i = 0; i < s->net->layer[l].n; i++)
      most = fmax(most, fabs(want[i]));
    assert_true(most > 0);
    for (int i = 0; i < s->net->layer[l].n; i++)
      NEAR(e[i], -want[i], 0, tolerance * most);
  }
}

/* ---------------------------------------------------------------- linear nets */

#define LINEAR                                                                                     \
  "network: {hidden: [7, 6, 5], neuron: linear}\nfeedback: {scale: 0.1}\ntrain: {batch: 8}\n"

/* At rest d = n (k - M)^-1 with k = 1/(1 - c), whatever brings it there. */
static void test_rest(void **state) {
  static const char *const settles[] = {
      "{method: synchronous, free: 3000, nudged: 3000}",
      "{method: sweep, difference: subtract, free: 1000, nudged: 1000}",
      "{method: sweep, difference: direct, free: 1000, nudged: 1000}",
      "{method: ode, difference: subtract, tolerance: 1e-13, limit: 1000}",
      "{method: ode, difference: direct, tolerance: 1e-12, limit: 1000}",
      "{method: ode, stepper: bsimp, difference: subtract, tolerance: 1e-13, limit: 1000}",
      "{method: ode, line: 20 ns, amplifier: 50 ns, difference: subtract, tolerance: 1e-13}",
  };
  static const double pulls[] = {0.05, 0.1, 0.5};
  for (int i = 0; i < MHO_COUNT(settles); i++)
    for (int k = 0; k < MHO_COUNT(pulls); k++) {
      char yaml[768];
      snprintf(yaml, sizeof yaml,
               LINEAR "settle: %s\nrule: {name: ep, nudge: 0.5, gradient: physical, "
                      "adaptation: %g, adaptation_steps: -1}\n",
               settles[i], pulls[k]);
      settled s = settle(yaml);
      bool direct = strstr(settles[i], "direct") != NULL, in_time = strstr(settles[i], "ode");
      for (int n = 0; n < SAMPLES; n++) {
        recurrence r = recurrence_of(&s, n, false, 0.1, 0.5);
        double d[NEURONS];
        solve(&r, 1 / (1 - pulls[k]), d);
        for (int l = 1; direct && l < mho_hidden_end(s.net); l++) /* these come divided by it */
          for (int j = 0; j < s.net->layer[l].n; j++)
            d[r.first[l] + j] /= 0.5 * mho_network_signal_scale(s.net, l);
        compare(&s, &r, n, d, in_time ? 1e-8 : 1e-10);
        recurrence_free(&r);
      }
      settled_free(&s);
    }
}

/* On the way there: three steps of the nudge, then some that are pulled back. */
static void test_steps(void **state) {
  for (int more = 1; more <= 5; more++) {
    char yaml[768];
    snprintf(yaml, sizeof yaml,
             LINEAR "settle: {method: synchronous, free: 3000, nudged: 3}\n"
                    "rule: {name: ep, nudge: 0.5, gradient: physical, adaptation: 0.2, "
                    "adaptation_steps: %d}\n",
             more);
    settled s = settle(yaml);
    for (int n = 0; n < SAMPLES; n++) {
      recurrence r = recurrence_of(&s, n, false, 0.1, 0.5);
      double d[NEURONS] = {0};
      for (int k = 0; k < 3; k++)
        step(&r, 1, d);
      for (int k = 0; k < more; k++)
        step(&r, 0.8, d);
      for (int l = 1; l < mho_hidden_end(s.net); l++)
        for (int j = 0; j < s.net->layer[l].n; j++)
          NEAR(moved(&s, l, n)[j], -d[r.first[l] + j], 1e-10, 1e-13);
      recurrence_free(&r);
    }
    settled_free(&s);
  }
}

/* In continuous time: tau du/dt = -u + a - k (u - u_free) for some tau, when the nudge has
 * settled. */
static void test_seconds(void **state) {
  for (int more = 1; more <= 3; more += 2) {
    char yaml[768];
    snprintf(yaml, sizeof yaml,
             LINEAR "settle: {method: ode, difference: subtract, tolerance: 1e-13, limit: 1000}\n"
                    "rule: {name: ep, nudge: 0.5, gradient: physical, adaptation: 0.2, "
                    "adaptation_steps: %d}\n",
             more);
    settled s = settle(yaml);
    for (int n = 0; n < SAMPLES; n++) {
      recurrence r = recurrence_of(&s, n, false, 0.1, 0.5);
      double d[NEURONS], h = 1e-3, k = 0.2 / 0.8;
      solve(&r, 1, d);
      for (int t = 0; t < more * 1000; t++) { /* Runge and Kutta, of order 4 */
        double rate[4][NEURONS], at[NEURONS];
        memcpy(at, d, sizeof at);
        for (int i = 0; i < 4; i++) {
          double next[NEURONS];
          memcpy(next, at, sizeof next);
          step(&r, 1, next);
          for (int j = 0; j < r.size; j++) {
            rate[i][j] = next[j] - (1 + k) * at[j];
            at[j] = d[j] + h * (i == 2 ? 1 : 0.5) * rate[i][j];
          }
        }
        for (int j = 0; j < r.size; j++)
          d[j] += h / 6 * (rate[0][j] + 2 * rate[1][j] + 2 * rate[2][j] + rate[3][j]);
      }
      compare(&s, &r, n, d, 1e-8);
      recurrence_free(&r);
    }
    settled_free(&s);
  }
}

/* ---------------------------------------------------------------- what does nothing, or all */

/* Gradients of two configs are the same, to the bit; or the second one's are 0 in hidden layers. */
static void same(const char *a, const char *b, bool zero) {
  settled s[2] = {settle(a), settle(b)};
  for (int c = 0; c < s[0].net->n_trained; c++) {
    const mho_connection *k = &s[0].net->connection[c];
    size_t n = mho_crossbar_cells(k->xb);
    mho_real *g[2] = {malloc(n * sizeof **g), malloc(n * sizeof **g)};
    for (int i = 0; i < 2; i++)
      OK(mho_trainer_gradient(s[i].t, 0, SAMPLES, c, g[i], &ei));
    for (size_t i = 0; i < n && zero && mho_layer_is_hidden(&s[0].net->layer[k->to]); i++)
      g[0][i] = 0;
    for (size_t i = 0; i < n; i++)
      assert_true(g[0][i] == g[1][i]);
    free(g[0]);
    free(g[1]);
  }
  settled_free(&s[0]);
  settled_free(&s[1]);
}

static void test_limits(void **state) {
  static const char *const settles[] = {
      "{method: synchronous}", "{method: sweep, difference: subtract}", "{method: sweep}",
      "{method: sweep, difference: subtract, nudged: 3}", "{method: ode, tolerance: 1e-3}"};
  static const char *const rules[] = {"", ", phases: centred", ", phases: points",
                                      ", error: live, readout: nudged"};
  for (int i = 0; i < MHO_COUNT(settles); i++)
    for (int k = 0; k < MHO_COUNT(rules); k++) {
      bool direct = !strcmp(settles[i], "{method: sweep}"), in_time = strstr(settles[i], "ode");
      if (k == 3 && (direct || in_time))
        continue;
      char yaml[5][512];
      for (int m = 0; m < 5; m++) {
        static const char *const more[] = {
            "", ", adaptation: 0, adaptation_steps: 5", ", adaptation: 0.3, adaptation_steps: 0",
            ", adaptation: 1, adaptation_steps: 1", ", adaptation: 1, adaptation_steps: -1"};
        snprintf(yaml[m], sizeof yaml[m],
                 "network: {hidden: [9, 8]}\nfeedback: {scale: 0.1}\ntrain: {batch: 8}\n"
                 "settle: %s\nrule: {name: ep%s%s}\n",
                 settles[i], rules[k], more[m]);
      }
      same(yaml[0], yaml[1], false);
      same(yaml[0], yaml[2], false);
      if (!in_time && k < 3) {
        same(yaml[0], yaml[3], true);
        same(yaml[0], yaml[4], true);
      }
    }
}

/* ---------------------------------------------------------------- the difference itself */

static const char *const nets[] = {
    "topology: layered, hidden: [12, 9, 8]",
    "topology: residual, hidden: [9, 8, 7, 9, 8]",
    "topology: agt, link_probability: 0.5, hidden: [9, 8, 7, 8]",
    "topology: layered, hidden: [12, 9, 8], neuron: relu, biases: true",
};

/* Largest difference of two configs' gradients, of the largest entry of a connection. */
static double disagreement(const char *a, const char *b) {
  settled s[2] = {settle(a), settle(b)};
  double worst = 0;
  for (int c = 0; c < s[0].net->n_trained; c++) {
    size_t n = mho_crossbar_cells(s[0].net->connection[c].xb);
    mho_real *g[2] = {malloc(n * sizeof **g), malloc(n * sizeof **g)}, most = 0, error = 0;
    for (int i = 0; i < 2; i++)
      OK(mho_trainer_gradient(s[i].t, 0, SAMPLES, c, g[i], &ei));
    for (size_t i = 0; i < n; i++) {
      most = fmax(most, fabs(g[0][i]));
      error = fmax(error, fabs(g[0][i] - g[1][i]));
    }
    worst = fmax(worst, error / most);
    free(g[0]);
    free(g[1]);
  }
  settled_free(&s[0]);
  settled_free(&s[1]);
  return worst;
}

/* Settled itself, against two states subtracted: exact for any nudge, by rest or after some steps
 * of it. */
static void test_direct(void **state) {
  for (int i = 0; i < MHO_COUNT(nets); i++)
    for (int k = 0; k < 4; k++) {
      char a[768], b[768];
      size_t n = (size_t)snprintf(
          a, sizeof a,
          "network: {%s}\nfeedback: {scale: 0.1}\ntrain: {batch: 8}\nrule: {name: ep, nudge: %g, "
          "phases: %s, gradient: normalized, adaptation: 0.2, adaptation_steps: %d}\nsettle: ",
          nets[i], k % 2 ? 1.5 : 1e-4, k / 2 ? "centred" : "one_sided", k == 3 ? 400 : -1);
      strcpy(b, a);
      snprintf(a + n, sizeof a - n, "{method: synchronous, free: 800, nudged: 800}\n");
      snprintf(b + n, sizeof b - n,
               "{method: sweep, difference: direct, free: 400, nudged: 400}\n");
      double d = disagreement(a, b), allowed = k % 2 ? 1e-9 : 1e-6;
      if (d > allowed)
        fail_msg("%s%s: %g", a, b, d);
      snprintf(b + n, sizeof b - n,
               "{method: sweep, difference: subtract, free: 400, nudged: 400}\n");
      d = disagreement(a, b);
      if (d > allowed)
        fail_msg("%s%s: %g", a, b, d);
    }
}

/* ---------------------------------------------------------------- what it takes */

/* Steps more are reads more, of the links between hidden layers. */
static void test_counts(void **state) {
  mho_epoch_row row[2];
  mho_energy_row terms[2][MHO_ENERGY_TERMS];
  enum { STEPS = 4, TRAINED = 40 };
  for (int k = 0; k < 2; k++) {
    char yaml[512];
    snprintf(yaml, sizeof yaml,
             "network: {hidden: [9, 8, 7]}\ndataset: {train: 40, test: 10}\ntrain: {batch: 8}\n"
             "device: linear\nupdate: {scheme: accumulate}\nsettle: {method: synchronous}\n"
             "rule: {adaptation: 0.2, adaptation_steps: %d}\n",
             k * STEPS);
    settled s = settle(yaml);
    OK(mho_trainer_epoch(s.t, &row[k], &ei));
    OK(mho_trainer_energy(s.t, terms[k], &ei));
    settled_free(&s);
  }
  NEAR(row[1].reads - row[0].reads, STEPS * 4 * TRAINED, 0, 0);
  NEAR(terms[1][0].count - terms[0][0].count, STEPS * 4 * TRAINED, 0, 0);
  assert_true(terms[1][0].joule > terms[0][0].joule && terms[1][0].seconds > terms[0][0].seconds);
}

/* ---------------------------------------------------------------- strong feedback */

static double norm(int n, const double *v) {
  double sum = 0;
  for (int i = 0; i < n; i++)
    sum += v[i] * v[i];
  return sqrt(sum);
}

static double cosine_with_bp(const settled *s, const settled *bp) {
  size_t n = mho_crossbar_cells(s->net->connection[0].xb);
  mho_real *g[2] = {malloc(n * sizeof **g), malloc(n * sizeof **g)};
  OK(mho_trainer_gradient(s->t, 0, 8, 0, g[0], &ei));
  OK(mho_trainer_gradient(bp->t, 0, 8, 0, g[1], &ei));
  double c = cosine(n, g[0], g[1]);
  free(g[0]);
  free(g[1]);
  return c;
}

/* Untrained, five layers of tanh: the signal of every layer is that of the linearized recurrence,
 * and the first layer's gradient comes nearer to backpropagation's. */
static void test_strong_feedback(void **state) {
  static const double betas[] = {0.25, 1}, pulls[] = {0, 0.1, 0.3};
  static const char net[] = "network: {hidden: [64, 64, 64, 64, 64]}\ntrain: {batch: 8}\n";
  char yaml[768];
  snprintf(yaml, sizeof yaml, "%srule: bp\n", net);
  settled bp = settle(yaml);

  for (int b = 0; b < MHO_COUNT(betas); b++) {
    double before = -1;
    for (int k = 0; k < MHO_COUNT(pulls); k++) {
      snprintf(yaml, sizeof yaml,
               "%sfeedback: {scale: %g}\nsettle: {method: synchronous, free: 2000, nudged: 2000}\n"
               "rule: {name: ep, nudge: 1e-4, gradient: physical, adaptation: %g, "
               "adaptation_steps: -1}\n",
               net, betas[b], pulls[k]);
      settled s = settle(yaml);
      double worst = 0;
      for (int n = 0; n < 2; n++) {
        recurrence r = recurrence_of(&s, n, true, betas[b], 1e-4);
        double d[NEURONS];
        solve(&r, 1 / (1 - pulls[k]), d);
        for (int l = 1; l < mho_hidden_end(s.net); l++)
          worst = fmax(worst, fabs(norm(64, moved(&s, l, n)) / norm(64, d + r.first[l]) - 1));
        recurrence_free(&r);
      }
      double c = cosine_with_bp(&s, &bp);
      print_message("  beta_i %g, c %g: |e| within %.2g, first layer's cosine with bp %.2f\n",
                    betas[b], pulls[k], worst, c);
      assert_true(worst < 0.02);
      assert_true(c > before);
      before = c;
      settled_free(&s);
    }
  }
  settled_free(&bp);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rest),    cmocka_unit_test(test_steps),
      cmocka_unit_test(test_seconds), cmocka_unit_test(test_limits),
      cmocka_unit_test(test_direct),  cmocka_unit_test(test_strong_feedback),
      cmocka_unit_test(test_counts),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
