/* Arrays that lead controls straight into hidden layers: their products against sums over all ways,
 * their reads, their learning against the equations written out here, and that a training with
 * them goes on from anywhere.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "base/streams.h"
#include "experiment.h"
#include "mho/model/check.h"
#include "rule/dfc_feedback.h"
#include "settle/links.h"
#include "train/trainer.h"

#define DIRECT "rule: dfc\nfeedback: {path: direct}\n"
#define LEARNED                                                                                    \
  "rule: {name: dfc, control: time, steps: 20}\nfeedback: {path: direct, q: {kind: learned, "
#define SMALL "dataset: {train: 100, test: 20}\ntrain: {batch: 25, chunk: 8}\n"

static const mho_link *control_into(const mho_network *net, int l) {
  for (int i = 0; i < net->n_links; i++)
    if (net->link[i].to == l && mho_link_has_control(net, &net->link[i]))
      return &net->link[i];
  fail_msg("no control leads into layer %d", l);
  return NULL;
}

/* ---------------------------------------------------------------- products */

/* Sum over all ways from unit i of layer l to output c of the products of their weights. */
static double ways(const mho_network *net, int l, int i, int c) {
  double sum = 0;
  if (l == mho_network_output(net))
    return i == c;

  for (int k = 0; k < net->n_links; k++) {
    const mho_link *link = &net->link[k];
    if (link->from != l || link->role != MHO_FORWARD)
      continue;
    const mho_crossbar *x = net->connection[link->connection].xb;
    for (int j = 0; j < x->cols; j++)
      sum += (double)link->scale * (double)mho__crossbar_programmed(x)[i * x->cols + j] *
             ways(net, link->to, j, c);
  }
  return sum;
}

static void check_products(const char *yaml, double tolerance) {
  char text[1024];
  snprintf(text, sizeof text, SMALL DIRECT "%s", yaml);
  mho_experiment *e = experiment(text);
  mho_trainer *t = trainer(e);
  const mho_network *net = mho_trainer_network(t);

  for (int l = 1; l < mho_hidden_end(net); l++) {
    const mho_connection *k = &net->connection[control_into(net, l)->connection];
    double top = 0;
    assert_int_equal(k->xb->rows, mho_network_classes(net));
    assert_int_equal(k->xb->cols, net->layer[l].n);
    assert_false(k->trained);
    for (int c = 0; c < k->xb->rows; c++)
      for (int i = 0; i < k->xb->cols; i++)
        top = fmax(top, fabs(ways(net, l, i, c)));
    NEAR(mho_crossbar_w_max(k->xb), top * e->device_config.weight_range, 1e-5, 0);

    for (int c = 0; c < k->xb->rows; c++)
      for (int i = 0; i < k->xb->cols; i++)
        NEAR(mho__crossbar_programmed(k->xb)[c * k->xb->cols + i], ways(net, l, i, c), 0,
             tolerance * top);
  }
  mho_trainer_free(t);
  mho_experiment_free(e);
}

static void test_products(void **state) {
  static const char *const nets[] = {
      "network: {hidden: [5]}\n",
      "network: {hidden: [7, 6, 5], biases: true, init: fan_in, forward_scale: 0.5}\n",
      "network: {hidden: [4, 3, 4, 3, 4], topology: residual}\n",
      "network: {hidden: [4, 3, 4, 3], topology: agt, link_probability: 0.7}\n",
      "network: {hidden: [4, 3], topology: graph, links: x>1 x>2 1>2 1>out 2>out}\n",
      "network: {hidden: [7, 6]}\ndevice: linear\n",
      "network: {hidden: [7, 6]}\ndevice: {model: linear, mapping: reference}\n",
  };
  for (int i = 0; i < MHO_COUNT(nets); i++)
    check_products(nets[i], 2e-6);
}

/* ---------------------------------------------------------------- what is said */

static void refused(const char *yaml, const char *sentence) {
  mho_config *c;
  mho_experiment *e;
  mho_trainer *t = NULL;
  mho_errinfo why = {0};
  OK(mho_config_new(&c, &ei));
  OK(mho_config_text(c, yaml, "test", &ei));
  mho_err err = mho_experiment_new(registry, c, false, &e, &why);
  if (!err) {
    err = mho_trainer_new(NULL, e, &t, &why);
    mho_experiment_free(e);
  }
  if (err != MHO_ECONFIG || !strstr(why.message, sentence))
    fail_msg("'%s': %d '%s', expected '%s'", yaml, err, why.message, sentence);
  mho_config_free(c);
}

static void test_refusals(void **state) {
  static const char *const cases[][2] = {
      {"rule: bp\nfeedback: {path: direct}\n", "rule.name 'bp' has none"},
      {"rule: ep\nfeedback: {path: chain}\n", "chain leads the controls of a controller back"},
      {"rule: dfc\nfeedback: {path: links}\n", "use chain or direct"},
      {"rule: dfc\nfeedback: {mode: asymmetric}\n", "and asymmetric has others"},
      {"rule: {name: dfc, control: solve}\narray: {model: periphery, read_noise: 0.01}\n",
       "use rule.control time"},
      {"rule: {name: dfc, control: linear}\narray: {model: periphery, adc_bits: 6}\n",
       "use rule.control time"},
      {"rule: {name: dfc, control: time, dt: 0.1}\n", "longer than the neurons' time constant"},
      {"rule: {name: dfc, control: time, gain: 2, proportional: 2, leak_on: integral}\n",
       "nothing is left for the integral"},
      {"rule: dfc\narray: {model: periphery, adc_bits: 6, differencing: analog}\n",
       "rule.name dfc subtracts none"},
      {"rule: {name: dfc, control: time, integrate: rkf45}\n"
       "feedback: {path: direct, q: {kind: learned, filter: 1}}\n",
       "a stepper's are of any length"},
      {"rule: dfc\nfeedback: {path: direct, mode: asymmetric}\n", "feedback.q random for drawn"},
      {DIRECT "network: {topology: conv, conv: 3x3 pool2 5}\n", "does not lead through pooling"},
      {DIRECT "network: {topology: conv, conv: 3x3 4x3}\n", "through patches of an image"},
      {DIRECT "network: {hidden: [4, 3], topology: graph, links: x>1 x>2 1>out}\n",
       "from h2 to the read-out is 0"},
      {LEARNED "epochs: 0, epochs_before: 0}}\n", "no passes to learn in"},
      {LEARNED "dt: 0.01}}\n", "longer than the neurons' time constant"},
      {"rule: dfc\nfeedback: {path: direct, q: {kind: learned, filter: 1}}\n",
       "hear noise in time"},
      {"device: linear\nupdate: {scheme: stochastic}\nrule: dfc\n"
       "feedback: {path: direct, q: learned}\n",
       "pulses one outer product a sample"},
  };
  for (int i = 0; i < MHO_COUNT(cases); i++)
    refused(cases[i][0], cases[i][1]);
}

/* A word in place of a group of keys is its kind. */
static void test_short_form(void **state) {
  mho_experiment *a = experiment("rule: dfc\nfeedback: {path: direct, q: random}\n"),
                 *b = experiment("rule: dfc\nfeedback: {path: direct, q: {kind: random}}\n");
  assert_int_equal(a->feedback.q.kind, MHO_CONTROL_RANDOM);
  assert_int_equal(b->feedback.q.kind, MHO_CONTROL_RANDOM);

  mho_config *c;
  OK(mho_config_new(&c, &ei));
  OK(mho_config_set(c, "feedback.q.kind=learned", &ei));
  OK(mho_config_set(c, "feedback.q=product", &ei));
  assert_string_equal(mho_config_get(c, "feedback.q.kind"), "product");
  mho_config_free(c);
  mho_experiment_free(a);
  mho_experiment_free(b);
}

/* ---------------------------------------------------------------- reads */

enum { READS = 40, CONTROLS = 10 };

/* f = u Q of layer 1 through what the array is read by, [READS x n]; free it. */
static mho_real *read_controls(mho_trainer *t, const mho_real *u, int step) {
  mho_network *net = mho_trainer_network(t);
  mho_state *s;
  mho_settle_stats stats = {0};
  OK(mho_state_new(net, READS, MHO_STATE_INPUT, &s, &ei));
  mho_thread thread = {.step = step, .update = 3, .scratch = t->learner->thread[0].scratch};
  mho_phase p = {.net = net, .s = s, .n = READS, .number = 1, .thread = &thread};
  mho_real *f = calloc((size_t)READS * (size_t)net->layer[1].n, sizeof *f);
  mho__link_read(&p, control_into(net, 1), u, f, 1, false, &stats);
  assert_true(stats.reads == READS);
  mho_state_free(s);
  return f;
}

/* Reads against the product with the array's matrix, and how far that is from the one that was
 * written: what they differ by, rms over rms. */
static void compare_reads(const char *yaml, double after, double *noise, double *change) {
  char text[1024];
  snprintf(text, sizeof text,
           "dataset: {train: 100, test: 20}\n" DIRECT
           "network: {hidden: [9, 8]}\ntrain: {chunk: 40}\n%s",
           yaml);
  mho_experiment *e = experiment(text);
  mho_trainer *t = trainer(e);
  const mho_network *net = mho_trainer_network(t);
  const mho_crossbar *x = net->connection[control_into(net, 1)->connection].xb;
  mho_real u[READS * CONTROLS];
  double sum[3] = {0};
  for (int i = 0; i < READS * CONTROLS; i++)
    u[i] = (mho_real)sin(1 + i);
  if (after > 0)
    OK(mho_trainer_age(t, after, &ei));

  mho_real *f = read_controls(t, u, 1), *again = read_controls(t, u, 2);
  for (int s = 0; s < READS; s++)
    for (int j = 0; j < x->cols; j++) {
      double exact = 0, written = 0;
      for (int c = 0; c < CONTROLS; c++) {
        exact += (double)u[s * CONTROLS + c] * (double)mho_crossbar_matrix(x)[c * x->cols + j];
        written += (double)u[s * CONTROLS + c] * ways(net, 1, j, c);
      }
      double miss = (double)f[s * x->cols + j] - exact, d = exact - written;
      double apart = (double)f[s * x->cols + j] - (double)again[s * x->cols + j];
      assert_true((apart != 0) == (*noise > 0));
      sum[0] += miss * miss;
      sum[1] += d * d;
      sum[2] += exact * exact;
    }
  *noise = sqrt(sum[0] / sum[2]);
  *change = sqrt(sum[1] / sum[2]);
  free(f);
  free(again);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

static void test_reads(void **state) {
  static const struct {
    const char *yaml;
    double after;
    bool noisy, changed;
  } cases[] = {
      {"", 0, false, false},
      {"device: linear\n", 0, false, false},
      {"device: linear\narray: {read_noise: 0.01}\n", 0, true, false},
      {"device: linear\narray: {wire: {r_word: 5 ohm, r_bit: 5 ohm}}\n", 0, false, true},
      {"device: {model: linear, drift: {law: power}}\n", 1e4, false, true},
      {"device: {model: linear, stuck_on: 0.1}\n", 0, false, true},
      {"device: {model: linear, write_error: {c0: 1 uS}}\n", 0, false, true},
  };
  for (int i = 0; i < MHO_COUNT(cases); i++) {
    double noise = cases[i].noisy, change;
    compare_reads(cases[i].yaml, cases[i].after, &noise, &change);
    if ((noise > 1e-5) != cases[i].noisy || (change > 1e-3) != cases[i].changed)
      fail_msg("'%s': noise %g, change %g", cases[i].yaml, noise, change);
    assert_true(noise < 0.3);
  }
}

/* ---------------------------------------------------------------- how arrays learn */

enum { SAMPLES = 5, LAYERS = 4, IN = 64, WIDEST = 64 };
static const int width[LAYERS] = {IN, 7, 6, 10};

/* A network of two hidden layers, tanh, one lesson of it written out in double precision. */
typedef struct written_out {
  const mho_network *net;
  const mho_control_config *q;
  const dfc_params *p;
  const mho_real *x; /* [SAMPLES x IN] */
  double label[SAMPLES][10];
  double w[LAYERS][WIDEST][16], array[LAYERS][10][16]; /* into each layer */
  uint64_t update;
  uint64_t seed;
  double gradient[LAYERS][10][16];
} written_out;

static void weights_of(const mho_network *net, int from, int to, mho_role role, double (*w)[16]) {
  for (int c = 0; c < net->n_connections; c++) {
    const mho_connection *k = &net->connection[c];
    if (k->from != from || k->to != to || k->role != role)
      continue;
    for (int i = 0; i < k->xb->rows; i++)
      for (int j = 0; j < k->xb->cols; j++)
        w[i][j] = (double)mho__crossbar_programmed(k->xb)[i * k->xb->cols + j];
    return;
  }
  fail_msg("no connection %d-%d", from, to);
}

static double draw(const written_out *r, int l, int step, int s, int i) {
  float xi;
  mho_rng_normal(mho__stream_controls(r->seed, l), mho__step_read(r->update, 1, step),
                 (uint64_t)(s * width[l] + i), 1, &xi);
  return (double)xi;
}

static double sum_into(const written_out *r, int l, const double *z, int j) {
  double a = 0;
  for (int i = 0; i < width[l - 1]; i++)
    a += z[i] * r->w[l][i][j];
  return a;
}

static void softmax(const double *v, double *p) {
  double top = v[0], sum = 0;
  for (int c = 1; c < 10; c++)
    top = fmax(top, v[c]);
  for (int c = 0; c < 10; c++)
    sum += p[c] = exp(v[c] - top);
  for (int c = 0; c < 10; c++)
    p[c] /= sum;
}

/* One sample. in_lesson: the rule's own lesson towards a label, with coloured noise. */
static void run_sample(written_out *r, int s, bool in_lesson) {
  double z[LAYERS][WIDEST], v[LAYERS][WIDEST], f[LAYERS][WIDEST] = {{0}}, x[LAYERS][WIDEST] = {{0}};
  double u[10] = {0}, integral[10] = {0}, mean[10] = {0}, high[10], reach[10], answer[10];
  double dt = in_lesson ? r->p->dt : r->q->dt, ratio = in_lesson ? r->p->ratio : r->q->ratio;
  double leak = in_lesson ? r->p->leak : r->q->leak, tau = r->q->noise_tau, lag = r->q->lag;
  double proportional = in_lesson ? r->p->proportional : r->q->proportional;
  int steps = (int)(in_lesson ? r->p->steps : r->q->steps);
  double strength = fmax(r->q->noise, 0.01);

  for (int i = 0; i < IN; i++)
    z[0][i] = (double)r->x[s * IN + i];
  for (int l = 1; l < LAYERS; l++)
    for (int j = 0; j < width[l]; j++) {
      v[l][j] = sum_into(r, l, z[l - 1], j);
      z[l][j] = tanh(v[l][j]);
    }
  memcpy(reach, v[3], sizeof reach);

  for (int k = 0; k < steps; k++) {
    softmax(v[3], answer);
    for (int c = 0; c < 10; c++) {
      double e = in_lesson ? r->label[s][c] - answer[c] : reach[c] - v[3][c];
      integral[c] += dt * (e - leak * u[c]);
      u[c] = integral[c] + proportional * e;
      mean[c] = k == 0 ? u[c] : mean[c] + dt / r->q->filter * (u[c] - mean[c]);
      high[c] = in_lesson ? u[c] - mean[c] : u[c];
    }
    for (int l = 1; l < 3; l++) {
      double grows = in_lesson ? pow(1 + ratio / tau, 3 - l) : 1;
      for (int c = 0; c < 10; c++)
        for (int j = 0; j < width[l]; j++)
          r->gradient[l][c][j] +=
              grows * high[c] * f[l][j] / (strength * strength * steps * SAMPLES);
    }

    for (int l = 1; l < LAYERS; l++)
      for (int j = 0; j < width[l]; j++) {
        double led = l == 3 ? u[j] : 0, noise = sqrt(dt) * draw(r, l, k, s, j);
        for (int c = 0; c < 10 && l < 3; c++)
          led += u[c] * r->array[l][c][j];
        if (in_lesson) {
          x[l][j] += -dt / tau * x[l][j] + noise / tau;
          f[l][j] = led + r->q->noise * x[l][j];
        } else {
          f[l][j] += dt / lag * (led - f[l][j]) + r->q->noise * noise / lag;
        }
      }
    for (int l = 1; l < LAYERS; l++)
      for (int j = 0; j < width[l]; j++) {
        v[l][j] += dt / ratio * (sum_into(r, l, z[l - 1], j) + f[l][j] - v[l][j]);
        z[l][j] = tanh(v[l][j]);
      }
  }
}

/* The gradient of every array after one lesson, against the equations. */
static void check_lesson(const char *yaml, bool in_lesson) {
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  written_out *r = calloc(1, sizeof *r);
  mho_batch b = {.images = &t->data.train,
                 .n = SAMPLES,
                 .learn = true,
                 .feedback = !in_lesson,
                 .trains = true,
                 .update = 11};
  mho_rule_stats stats;
  OK(mho__learner_run(t->learner, &b, &stats, &ei));
  mho_lesson lesson = mho__learner_lesson(t->learner, SAMPLES);
  lesson.feedback = !in_lesson;

  *r = (written_out){.net = t->net,
                     .q = &e->feedback.q,
                     .p = (const void *)e->rule.params,
                     .x = t->learner->state[0]->z[0],
                     .update = 11,
                     .seed = mho_experiment_seeds(e).noise};
  for (int l = 1; l < LAYERS; l++) {
    weights_of(t->net, l - 1, l, MHO_FORWARD, r->w[l]);
    if (l < 3)
      weights_of(t->net, 3, l, MHO_CONTROL, r->array[l]);
  }
  for (int s = 0; s < SAMPLES; s++)
    for (int c = 0; c < 10; c++)
      r->label[s][c] = c == t->learner->label[s] ? r->p->label : (1 - r->p->label) / 9;
  for (int s = 0; s < SAMPLES; s++)
    run_sample(r, s, in_lesson);

  for (int l = 1; l < 3; l++) {
    mho_real got[10 * 16];
    int c = control_into(t->net, l)->connection;
    double top = 0;
    assert_true(c < t->net->n_trained);
    mho__updater_gradient(t->updater, &lesson, c, got);
    for (int i = 0; i < 10; i++)
      for (int j = 0; j < width[l]; j++)
        top = fmax(top, fabs(r->gradient[l][i][j]));
    for (int i = 0; i < 10; i++)
      for (int j = 0; j < width[l]; j++)
        NEAR(got[i * width[l] + j], r->gradient[l][i][j] + e->feedback.q.decay * r->array[l][i][j],
             0, 2e-3 * top);
  }
  free(r);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

#define TINY                                                                                       \
  "dataset: {train: 20, test: 10}\nnetwork: {hidden: [7, 6]}\ntrain: {batch: 5, chunk: 3}\n"

static void test_lessons(void **state) {
  check_lesson(TINY LEARNED "noise: 0.1, steps: 30, decay: 1e-5}}\n", false);
  check_lesson(TINY LEARNED "noise: 0.003, lag: 0.01, decay: 1e-5}}\n", false);
  check_lesson(
      TINY "rule: {name: dfc, control: time, target: label, dt: 0.01, steps: 40, ratio: 0.05, "
           "leak: 0.1, proportional: 2}\nfeedback: {path: direct, q: {kind: learned, filter: 0.2, "
           "noise: 0.05, noise_tau: 0.07, decay: 1e-5}}\n",
      true);
}

/* ---------------------------------------------------------------- what they come to */

/* The stacked array [Q_1 .. Q_L] and Jacobian of a linear network, by the products of its weights;
 * the part of one in the row space of the other. */
static double ratio_of(const mho_network *net) {
  int classes = mho_network_classes(net), n = 0, at = 0;
  for (int l = 1; l < mho_hidden_end(net); l++)
    n += net->layer[l].n;
  double *j = calloc((size_t)(classes * n), sizeof *j),
         *q = calloc((size_t)(classes * n), sizeof *q);
  for (int l = 1; l < mho_hidden_end(net); l++) {
    const mho_crossbar *x = net->connection[control_into(net, l)->connection].xb;
    for (int c = 0; c < classes; c++)
      for (int i = 0; i < x->cols; i++) {
        j[c * n + at + i] = ways(net, l, i, c);
        q[c * n + at + i] = (double)mho__crossbar_programmed(x)[c * x->cols + i];
      }
    at += x->cols;
  }
  double ratio = mho__dfc_ratio(classes, n, j, q);
  free(j);
  free(q);
  return ratio;
}

/* Of a fixed linear network the arrays come to span what its Jacobian does. */
static void test_arrays_align(void **state) {
  mho_experiment *e = experiment(
      "dataset: {train: 500, test: 20}\nnetwork: {hidden: [80, 80], neuron: linear}\n"
      "train: {batch: 50, epochs: 1}\nupdate: {rate: 0}\nrule: dfc\n"
      "feedback: {path: direct, q: {kind: learned, rate: 0.01, decay: 0.05, epochs_before: 40, "
      "epochs: 0, noise: 0.05}}\n");
  mho_trainer *t = trainer(e);
  mho_epoch_row row;
  double before = ratio_of(t->net);
  OK(mho_trainer_epoch(t, &row, &ei));
  double after = ratio_of(t->net);
  assert_true(before < 0.3);
  assert_true(after > 0.9);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

static void test_ratio(void **state) {
  double j[2 * 3] = {1, 2, 0, 0, 1, 0}, inside[2 * 3] = {3, -1, 0, 2, 2, 0},
               outside[2 * 3] = {0, 0, 1, 0, 0, -2}, both[2 * 3] = {3, 0, 4, 0, 3, 4},
               flat[2 * 3] = {1, 2, 0, 2, 4, 0};
  NEAR(mho__dfc_ratio(2, 3, j, inside), 1, 1e-12, 0);
  NEAR(mho__dfc_ratio(2, 3, j, outside), 0, 0, 1e-12);
  NEAR(mho__dfc_ratio(2, 3, j, both), 0.6, 1e-12, 0);
  assert_true(isnan(mho__dfc_ratio(2, 3, flat, inside)));

  enum { C = 10, N = 400 };
  double *a = calloc(2 * C * N, sizeof *a), sum = 0;
  for (int seed = 0; seed < 20; seed++) {
    for (int i = 0; i < 2 * C * N; i++) {
      float xi;
      mho_rng_normal(mho_rng_make((uint64_t)seed, MHO_RNG_TEST, 0), 0, (uint64_t)i, 1, &xi);
      a[i] = (double)xi;
    }
    sum += mho__dfc_ratio(C, N, a, a + C * N) / 20;
  }
  NEAR(sum, sqrt((double)C / N), 0.02, 0);
  free(a);
}

/* ---------------------------------------------------------------- going on */

static volatile sig_atomic_t stop;
static int wanted;
static void count(void *user, const char *what, long done, long total, const char *note) {
  stop = --wanted == 0;
}

/* Train to the end of an epoch, or until the caller stops it. */
static mho_err train_on(mho_trainer *t) {
  mho_epoch_row row;
  return mho_trainer_epoch(t, &row, &ei);
}

/* A checkpoint after two epochs; cut > 0: interrupted after so many batches, and gone on with. */
static mho_blob train(const mho_experiment *e, int threads, int cut) {
  mho_context ctx = {.progress = count, .stop = &stop};
  mho_trainer *t;
  mho_checkpoint_row c;
  OK(mho_pool_new(threads, &ctx.pool, &ei));
  OK(mho_trainer_new(&ctx, e, &t, &ei));
  wanted = cut;
  stop = 0;

  while (t->at.epoch < 2) {
    mho_err err = train_on(t);
    if (!err)
      continue;
    assert_int_equal(err, MHO_EINTERRUPTED);
    OK(mho_trainer_save(t, &c, &ei));
    mho_trainer_free(t);
    OK(mho_trainer_new(&ctx, e, &t, &ei));
    OK(mho_trainer_load(t, &c.blob, &ei));
    mho_blob_free(&c.blob);
    stop = 0;
  }

  OK(mho_trainer_save(t, &c, &ei));
  mho_trainer_free(t);
  mho_pool_free(ctx.pool);
  return c.blob;
}

static void same(mho_blob a, mho_blob b) {
  enum { HEADER = 136 };
  assert_int_equal(a.size, b.size);
  assert_memory_equal((char *)a.data + HEADER, (char *)b.data + HEADER, a.size - HEADER);
  mho_blob_free(&b);
}

static void test_threads_and_resume(void **state) {
  static const char *const configs[] = {
      TINY LEARNED "steps: 6, epochs_before: 2, epochs: 1}}\n",
      TINY LEARNED
      "steps: 6, epochs_before: 1, epochs: 1}}\n"
      "device: {model: linear, cycle_to_cycle: 0.1}\n"
      "update: {scheme: accumulate, optimizer: sgd, rate: 1}\narray: {read_noise: 0.01}\n",
      TINY "rule: {name: dfc, control: time, steps: 6}\ndevice: nl_pulse\n"
           "feedback: {path: direct, q: {kind: learned, steps: 6, epochs_before: 3, filter: 1}}\n"
           "update: {scheme: pulses, optimizer: momentum, clip: 1}\n",
      TINY
      "rule: {name: dfc, control: time, steps: 6}\nfeedback: {path: direct, q: product}\n"
      "device: {model: linear, variation: {step: 0.2}, stuck_on: 0.05, write_error: {c0: 1 uS}}\n"
      "update: {scheme: stochastic, optimizer: sgd, rate: 0.1}\n"
      "array: {wire: {r_word: 1 ohm}, read_noise: 0.01, adc_bits: 8}\n",
  };
  for (int i = 0; i < MHO_COUNT(configs); i++) {
    mho_experiment *e = experiment(configs[i]);
    mho_blob one = train(e, 1, 0);
    same(one, train(e, 3, 0));
    for (int cut = 1; cut < 12; cut += 2) /* batches: four a pass */
      same(one, train(e, 1 + cut % 2, cut));
    mho_blob_free(&one);
    mho_experiment_free(e);
  }
}

/* What an update teaches, pass by pass. */
static void test_passes(void **state) {
  mho_experiment *e =
      experiment(TINY LEARNED "steps: 6, epochs_before: 2, epochs: 1, noise: 0.1}}\n");
  mho_trainer *t = trainer(e);
  mho_epoch_row row;
  mho_real first = mho__crossbar_programmed(t->net->connection[0].xb)[9],
           array = mho__crossbar_programmed(t->net->connection[3].xb)[9];
  OK(mho_trainer_epoch(t, &row, &ei));
  assert_int_equal(t->net->n_trained, 5);
  assert_int_equal(t->at.update, 4 * (2 + 1 + 1));
  for (int c = 0; c < 5; c++)
    assert_int_equal(t->at.taught[c], c < 3 ? 4 : 12);
  assert_true(mho__crossbar_programmed(t->net->connection[0].xb)[9] != first);
  assert_true(mho__crossbar_programmed(t->net->connection[3].xb)[9] != array);
  assert_true(row.loss > 0 && row.train_acc >= 0 && row.train_acc <= 1);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* Weights from elsewhere have their own products, which a checkpoint brings back. */
static void test_products_of_other_weights(void **state) {
  static const char *const devices[] = {"", "device: {model: linear, write_error: {c0: 1 uS}}\n"};
  char folder[] = "/tmp/mho_control_XXXXXX", text[1024];
  assert_non_null(mkdtemp(folder));
  mho_experiment *e = experiment("dataset: {train: 20, test: 10}\nnetwork: {hidden: [7, 6]}\n"
                                 "train: {batch: 5, seed: 5}\n" DIRECT);
  mho_trainer *t = trainer(e);
  OK(mho_trainer_weights_write(t, folder, false, &ei));
  mho_trainer_free(t);
  mho_experiment_free(e);

  for (int i = 0; i < 2; i++) {
    snprintf(text, sizeof text,
             "dataset: {train: 20, test: 10}\nnetwork: {hidden: [7, 6]}\n"
             "train: {batch: 5, chunk: 3, from: %s}\n" DIRECT "%s",
             folder, devices[i]);
    e = experiment(text);
    t = trainer(e);
    OK(mho_trainer_from(t, NULL, &ei));
    const mho_crossbar *x = t->net->connection[control_into(t->net, 1)->connection].xb;
    for (int k = 0; k < 70; k++)
      NEAR(mho__crossbar_programmed(x)[k], ways(t->net, 1, k % 7, k / 7), 0, i ? 0.2 : 1e-6);

    mho_trainer *other = trainer(e);
    mho_checkpoint_row c;
    OK(mho_trainer_save(t, &c, &ei));
    OK(mho_trainer_load(other, &c.blob, &ei));
    const mho_crossbar *y = other->net->connection[control_into(t->net, 1)->connection].xb;
    assert_memory_equal(mho__crossbar_programmed(x), mho__crossbar_programmed(y),
                        70 * sizeof(mho_real));
    mho_blob_free(&c.blob);
    mho_trainer_free(other);
    mho_trainer_free(t);
    mho_experiment_free(e);
  }
  snprintf(text, sizeof text, "rm -rf %s", folder);
  assert_int_equal(system(text), 0);
}

/* ---------------------------------------------------------------- energy */

/* Reads of every array are counted: each step of each sample, in passes of their own too. */
static void test_reads_are_counted(void **state) {
  mho_experiment *e = experiment(
      TINY LEARNED "steps: 6, epochs_before: 2, epochs: 1}}\n"
                   "device: linear\nupdate: {scheme: accumulate, optimizer: sgd, rate: 1}\n");
  mho_trainer *t = trainer(e);
  mho_epoch_row row;
  mho_energy_row energy[MHO_ENERGY_TERMS];
  OK(mho_trainer_epoch(t, &row, &ei));
  for (int l = 1; l < 3; l++) {
    int k = (int)(control_into(t->net, l) - t->net->link);
    assert_true(t->at.meter->reads[k] == 20 * (20 + 3 * 6));
    double squares = 0;
    for (int i = 0; i < 10; i++)
      squares += t->at.meter->squares[k][i];
    assert_true(squares > 0);
  }
  OK(mho_trainer_energy(t, energy, &ei));
  for (int i = 0; i < MHO_ENERGY_TERMS; i++)
    assert_true(isfinite(energy[i].joule) && energy[i].joule >= 0);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* ---------------------------------------------------------------- rounded products */

enum { WEIGHTS_MOST = 65 * 128 };

/* What one batch changes in the weights of connection k of a training. */
static size_t find_change(const char *yaml, int k, mho_real *change) {
  static mho_real before[WEIGHTS_MOST];
  mho_experiment *e = experiment(yaml);
  mho_trainer *t = trainer(e);
  mho_connection_info info;
  mho_epoch_row row;
  OK(mho_trainer_connection(t, k, &info, &ei));
  size_t n = (size_t)info.rows * (size_t)info.cols;
  assert_true(n <= WEIGHTS_MOST);

  OK(mho_trainer_effective(t, info.name, before, &ei));
  OK(mho_trainer_epoch(t, &row, &ei));
  OK(mho_trainer_effective(t, info.name, change, &ei));
  for (size_t i = 0; i < n; i++)
    change[i] -= before[i];
  mho_trainer_free(t);
  mho_experiment_free(e);
  return n;
}

/* How far two changes are apart, over the size of the first. */
static double distance(size_t n, const mho_real *a, const mho_real *b) {
  double off = 0, size = 0;
  for (size_t i = 0; i < n; i++) {
    off += pow((double)(a[i] - b[i]), 2);
    size += pow((double)a[i], 2);
  }
  assert_true(size > 0);
  return sqrt(off / size);
}

/* The closed form of the tolerance that lets numbers be rounded, which is the default, changes
 * weights by as much, but for that share. Layers that are too narrow, biases and smaller tolerances
 * leave all bits. */
static void check_rounding(const char *yaml, bool rounds) {
  static mho_real plain[WEIGHTS_MOST], rounded[WEIGHTS_MOST];
  static const char text[] = "dataset: {train: 40, test: 20}\ntrain: {batch: 40, chunk: 40}\n"
                             "update: {optimizer: sgd, rate: 0.1}\n"
                             "rule: {name: dfc, control: linear%s}\n%s";
  for (int k = 0; k < 4; k++) {
    char with[512], without[512];
    snprintf(with, sizeof with, text, "", yaml);
    snprintf(without, sizeof without, text, ", tolerance: 0.9e-3", yaml);
    size_t n = find_change(without, k, plain);
    find_change(with, k, rounded);

    double off = distance(n, plain, rounded);
    assert_true(off <= 1e-3);
    assert_int_equal(off > 0, rounds);
  }
}

static void test_rounding(void **state) {
  bool single = mho_int16_pays() && mho_panels_pay(128, 64);
  check_rounding("network: {hidden: [128, 64, 64]}\n", single);
  check_rounding("network: {hidden: [128, 64, 64]}\nfeedback: {path: direct}\n", single);
  check_rounding("network: {hidden: [64, 64, 64]}\n", false);
  check_rounding("network: {hidden: [128, 64, 64], biases: true}\n", false);
}

/* Where little is asked for, the closed form is the rest itself, also where rows of its Jacobian
 * lead to the winners of a pooling. */
static void test_first_order_of_winners(void **state) {
  static mho_real linear[WEIGHTS_MOST], rest[WEIGHTS_MOST];
  static const char text[] = "dataset: {train: 40, test: 20}\ntrain: {batch: 40, chunk: 20}\n"
                             "update: {optimizer: sgd, rate: 0.1}\n"
                             "network: {topology: conv, conv: 4x3 pool2 5x3 12}\n"
                             "rule: {name: dfc, step: 0.001, control: %s, tolerance: 1e-4}\n";
  char closed[512], solved[512];
  snprintf(closed, sizeof closed, text, "linear");
  snprintf(solved, sizeof solved, text, "solve");
  for (int k = 0; k < 3; k++) {
    size_t n = find_change(closed, k, linear);
    find_change(solved, k, rest);
    assert_true(distance(n, rest, linear) < 0.01);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_products),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_short_form),
      cmocka_unit_test(test_reads),
      cmocka_unit_test(test_lessons),
      cmocka_unit_test(test_ratio),
      cmocka_unit_test(test_arrays_align),
      cmocka_unit_test(test_threads_and_resume),
      cmocka_unit_test(test_passes),
      cmocka_unit_test(test_products_of_other_weights),
      cmocka_unit_test(test_reads_are_counted),
      cmocka_unit_test(test_rounding),
      cmocka_unit_test(test_first_order_of_winners),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
