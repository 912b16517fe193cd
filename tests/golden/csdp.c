/* Contrastive-signal-dependent plasticity, in double precision: a small net by hand, step by step;
 * goodness against closed forms and finite differences; changes whose sign is that of their phase,
 * on pairs of devices, too; negatives, and what is refused.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/streams.h"
#include "rule/goodness.h"
#include "rule/negatives.h"
#include "spikes.h"

_Static_assert(sizeof(mho_real) == 8, "a net to ten digits needs the double build");

/* ---------------------------------------------------------------- goodness */

static void test_a_layer_of_three(void **state) {
  static const mho_real z[] = {1, 0.5, 0.25};
  static const double wanted[2][3] = {{1.1549907304, .5774953652, .2887476827},
                                      {-.8450092696, -.4225046348, -.2112523174}};
  mho_contrast c = {.groups = 1, .threshold = 1};
  NEAR(mho__goodness(3, z), 1.3125, 0, 1e-15);
  for (int y = 0; y < 2; y++) {
    mho_real delta[3];
    double loss = mho__goodness_contrast(&c, 3, z, y, delta), p = .5774953651858;
    NEAR(loss, y ? -log(p) : -log(1 - p), 1e-12, 0);
    for (int i = 0; i < 3; i++)
      NEAR(delta[i], wanted[y][i], 0, 2e-10);
  }
}

/* delta is the gradient of the loss with respect to traces, in any number of groups. */
static void test_gradient_of_goodness(void **state) {
  enum { N = 17 };
  const double h = 1e-4;
  float u[N];
  mho_rng_uniform(mho_rng_make(5, MHO_RNG_TEST, 0), 0, 0, N, u);
  for (int groups = 1; groups <= 5; groups++)
    for (int y = 0; y < 2; y++) {
      mho_contrast c = {.groups = groups, .threshold = 4};
      mho_real z[N], delta[N], unused[N];
      for (int i = 0; i < N; i++)
        z[i] = (mho_real)u[i];
      mho__goodness_contrast(&c, N, z, y, delta);
      for (int i = 0; i < N; i++) {
        z[i] += h;
        double up = mho__goodness_contrast(&c, N, z, y, unused);
        z[i] -= 2 * h;
        double down = mho__goodness_contrast(&c, N, z, y, unused);
        z[i] += h;
        NEAR(delta[i], (up - down) / (2 * h), 1e-6, 1e-8);
      }
    }
}

/* ---------------------------------------------------------------- a net by hand */

/* Neurons that spike, whose inputs a script sets before every step. */
static void (*script)(const mho_phase *p, int t);
static const mho_dynamics *spiking;
static mho_dynamics scripted;

static void scripted_step(const mho_phase *p, const mho_tick *tick, mho_settle_stats *stats) {
  script(p, tick->number);
  spiking->step(p, tick, stats);
}

/* A lesson of one sample of label 0, whose negative has label 1. */
typedef struct bench {
  spikes *k;
  const mho_rule *rule;
  mho_vars *vars;
  void *own;
  mho_lesson lesson;
  uint8_t label[2];
  int steps;
} bench;

static bench *now; /* whose lesson is under way */

/* What a host does of a training, on one thread and without changes of weights. */
static void settle_rows(const mho_lesson *l, const mho_phase *p,
                        void (*stepped)(const mho_lesson *l), mho_settle_stats *stats) {
  const mho_settler *settler = p->thread->settler;
  mho_settle_begin(p, stats);
  for (int t = 1; t <= settler->n_steps(p->thread->params); t++) {
    settler->step(p, t, stats);
    now->steps = t;
    stepped(l);
  }
}

static void (*looks)(const mho_lesson *l); /* at what a step wants */
static void look_at(const mho_lesson *l) {
  looks(l);
}
static const mho_host host = {.settle = settle_rows, .apply = look_at};

/* The update under which the negative of a sample of label 0 has label 1. */
static uint64_t update_of_label_1(uint64_t seed) {
  for (uint64_t update = 0;; update++) {
    float u;
    mho_rng_uniform(mho__stream_contrast(seed, MHO_CONTRAST_LABEL), update, 0, 1, &u);
    if (mho__wrong_label(10, 0, (double)u) == 1)
      return update;
  }
}

static bench *bench_new(const char *yaml) {
  bench *b = calloc(1, sizeof *b);
  char whole[2048];
  snprintf(whole, sizeof whole, "rule: csdp\ndynamics: test_scripted\n%s", yaml);
  b->k = spikes_new(whole);
  b->rule = (const mho_rule *)b->k->e->rule.entry;
  OK(mho_vars_new(b->k->net, b->rule->var, b->rule->n_vars, SAMPLES, &b->vars, &ei));
  OK(b->rule->own_new(b->k->e, b->k->net, SAMPLES, &b->own, &ei));
  b->k->thread.update = update_of_label_1(b->k->thread.noise_seed);
  b->lesson = (mho_lesson){.net = b->k->net,
                           .dynamics = &scripted,
                           .params = b->k->e->rule.params,
                           .state = {b->k->s},
                           .vars = b->vars,
                           .own = b->own,
                           .targets = {.label = b->label},
                           .n = 1,
                           .batch = 1,
                           .applies = MHO_APPLY_STEP,
                           .thread = &b->k->thread,
                           .host = &host,
                           .owner = b};
  now = b;
  return b;
}

static void bench_free(bench *b) {
  b->rule->own_free(b->own);
  mho_vars_free(b->vars);
  spikes_free(b->k);
  free(b);
}

static int connection(const bench *b, const char *name) {
  for (int c = 0; c < b->k->net->n_connections; c++)
    if (!strcmp(b->k->net->connection[c].name, name))
      return c;
  fail_msg("there is no connection %s", name);
  return -1;
}

static void set(const bench *b, const char *name, int rows, const double *w) {
  for (int i = 0; i < 2 * rows; i++)
    set_weight(b->k, connection(b, name), i / 2, i % 2, w[i]);
}

static void set_thresholds(const bench *b, int layer, double first, double second) {
  double *threshold = b->k->net->layer[layer].circuit->threshold;
  double value = b->k->net->spiking->threshold;
  threshold[0] = first - value;
  threshold[1] = second - value;
}

#define GOLDEN(steps)                                                                              \
  "network: {hidden: [2, 2]}\nfeedback: {scale: 1}\n"                                              \
  "settle: {dt: 3 ms, steps: " #steps "}\nrule: {threshold: 1.5}\n"                                \
  "neuron: {tau: 6 ms, gain: {forward: 1, lateral: 0.1}, threshold: {value: 0.5, spread: 0.01, "   \
  "rate: 0.01, least: 0.2}}\n"

static bench *golden_net(const char *yaml) {
  static const double w1[] = {.8, -.4, .3, .9, -.2, .6}, v2[] = {.5, -.5, .25, .75};
  static const double v2y[] = {.6, -.3, -.3, .6}, m1[] = {0, .5, .7, 0};
  static const double w2[] = {.9, .2, -.1, .8}, v3y[] = {.4, -.2, -.4, .5}, m2[] = {0, .3, .2, 0};
  bench *b = bench_new(yaml);
  set(b, "x-h1", 3, w1);
  set(b, "h2-h1", 2, v2);
  set(b, "answer-h1", 2, v2y);
  set(b, "h1-h1", 2, m1);
  set(b, "h1-h2", 2, w2);
  set(b, "answer-h2", 2, v3y);
  set(b, "h2-h2", 2, m2);
  set_thresholds(b, 1, .5, .45);
  set_thresholds(b, 2, .4, .5);
  return b;
}

/* 101, 110, 011, 100, in all rows. */
static void golden_inputs(const mho_phase *p, int t) {
  static const int drawn[4][3] = {{1, 0, 1}, {1, 1, 0}, {0, 1, 1}, {1, 0, 0}};
  for (int s = p->row0; s < p->row0 + p->n; s++)
    for (int i = 0; i < 3; i++)
      mho__values(p->net, p->s->z, 0, s)[i] = drawn[t - 1][i];
}

typedef struct moment {
  double j[2], v[2];
  int s[2];
  double z[2], theta[2];
} moment;

/* Of steps 2 to 4, rows and layers. */
static const moment golden[3][2][2] = {
    {{{{1.2, -.1}, {0, -.05}, {1, 0}, {1, 0}, {.49, .44}},
      {{.4, -.2}, {.2, -.1}, {0, 0}, {0, 0}, {.38, .48}}},
     {{{.3, .8}, {.15, .4}, {0, 0}, {0, 0}, {.48, .43}},
      {{-.4, .5}, {-.2, .25}, {0, 0}, {0, 0}, {.38, .48}}}},
    {{{{1.7, .15}, {0, .05}, {1, 0}, {1, 0}, {.49, .44}},
      {{1.3, 0}, {0, -.05}, {1, 0}, {1, 0}, {.38, .48}}},
     {{{.8, 1.1}, {.475, 0}, {0, 1}, {0, 1}, {.48, .43}},
      {{-.4, .5}, {-.3, .375}, {0, 0}, {0, 0}, {.37, .47}}}},
    {{{{1.2, .65}, {0, .35}, {1, 0}, {1, 0}, {.49, .44}},
      {{1.3, -.03}, {0, -.04}, {1, 0}, {1, 0}, {.38, .48}}},
     {{{-.27, 2.1}, {.1025, 0}, {0, 1}, {0, 1}, {.48, .43}},
      {{-.5, 1.3}, {-.4, 0}, {0, 1}, {0, 1}, {.37, .47}}}},
};

static void is_moment(const bench *b, int layer, int row, const moment *m) {
  int trace = mho_vars_find(b->vars, "trace");
  for (int i = 0; i < 2; i++) {
    NEAR(exact(b->k, "synapse", layer, row)[i], m->j[i], 0, 1e-12);
    NEAR(exact(b->k, "u", layer, row)[i], m->v[i], 0, 1e-12);
    NEAR(real(b->k, "spike", layer, row)[i], m->s[i], 0, 0);
    NEAR(mho_vars_real(b->vars, trace, layer, row)[i], m->z[i], 0, 1e-12);
    NEAR(exact(b->k, "theta", layer, row)[i], m->theta[i], 0, 1e-12);
  }
}

/* A part of what a connection is to change by, cell by cell. */
static double wanted(const mho_lesson *l, const char *name, bool absolute, int row, int col) {
  int c = connection(now, name);
  const mho_connection *k = &l->net->connection[c];
  mho_change change = mho_change_of(now->rule, l, c);
  double sum = 0;
  for (int i = 0; i < change.n; i++) {
    const mho_outer *o = &change.term[i];
    for (int s = 0; o->absolute == absolute && s < o->n; s++)
      sum +=
          o->scale * (double)o->pre[s * k->xb->rows + row] * (double)o->post[s * k->xb->cols + col];
  }
  return sum;
}

/* What an update takes, some rows of a part at a time, is that. */
static void sums_are_wanted(const mho_lesson *l, int c, bool absolute) {
  enum { MOST = 512 };
  const mho_connection *k = &l->net->connection[c];
  mho_change change = mho_change_of(now->rule, l, c);
  mho_real sum[MOST], scratch[4 * MOST];
  int rows = k->xb->rows, cols = k->xb->cols;
  assert_in_range(rows * cols, 1, MOST);
  assert_in_range(mho_change_scratch(l->net, 2, 2 * cols), 1, 4 * MOST);

  for (int row0 = 0; row0 < rows; row0 += 2) {
    int n = mho_min(2, rows - row0);
    mho_change_sum(l->net, c, &change, absolute ? MHO_CHANGE_ABSOLUTE : MHO_CHANGE_GRADIENT, row0,
                   n, sum, scratch);
    for (int i = 0; i < n; i++)
      for (int j = 0; j < cols; j++)
        NEAR(sum[i * cols + j], wanted(l, k->name, absolute, row0 + i, j), 1e-14, 1e-18);
  }
}

static double lateral_turn; /* 1, or -1 with the gradient's sign */

static void golden_changes(const mho_lesson *l) {
  const double up = -.6224593312, down = .3775406688, decay = 7e-5;
  int first = now->steps == 1;
  for (int layer = 1; layer < 3; layer++)
    for (int row = 0; row < 2; row++)
      if (first) {
        const double *theta = exact(now->k, "theta", layer, row);
        NEAR(theta[0], layer == 1 ? .49 : .39, 0, 1e-12);
        NEAR(theta[1], layer == 1 ? .44 : .49, 0, 1e-12);
      } else {
        is_moment(now, layer, row, &golden[now->steps - 2][row][layer - 1]);
      }
  for (int c = 0; c < l->net->n_trained; c++) {
    sums_are_wanted(l, c, false);
    sums_are_wanted(l, c, true);
  }
  if (now->steps < 4)
    return;

  for (int i = 0; i < 3; i++) {
    NEAR(wanted(l, "x-h1", false, i, 0), i ? up : 0, 0, 1e-10);
    NEAR(wanted(l, "x-h1", false, i, 1), i ? down : 0, 0, 1e-10);
    for (int j = 0; j < 2; j++)
      NEAR(wanted(l, "x-h1", true, i, j), i ? 0 : decay, 0, 1e-18);
  }
  NEAR(wanted(l, "h1-h1", false, 0, 0), lateral_turn * .1 * up, 0, 1e-10);
  NEAR(wanted(l, "h1-h1", false, 1, 1), lateral_turn * .1 * down, 0, 1e-10);
  NEAR(wanted(l, "h1-h1", false, 0, 1), 0, 0, 0);
  NEAR(wanted(l, "h1-h1", false, 1, 0), 0, 0, 0);
  /* labels have spiked in the step before, 0 of the sample and 1 of its negative */
  NEAR(wanted(l, "answer-h1", false, 0, 0), up, 0, 1e-10);
  NEAR(wanted(l, "answer-h1", false, 1, 1), down, 0, 1e-10);
  NEAR(wanted(l, "answer-h1", false, 1, 0), 0, 0, 0);
  NEAR(wanted(l, "answer-h1", true, 2, 0), decay, 0, 1e-18);
}

static void test_golden_net(void **state) {
  static const char *const keys[] = {GOLDEN(4), GOLDEN(4) "rule: {lateral_sign: gradient}\n"};
  script = golden_inputs;
  looks = golden_changes;
  for (int i = 0; i < 2; i++) {
    bench *b = golden_net(keys[i]);
    mho_rule_stats stats = {0};
    lateral_turn = i ? -1 : 1;
    OK(b->rule->trial(&b->lesson, &stats, &ei));
    assert_int_equal(b->steps, 4);
    assert_int_equal((int)stats.free.steps, 8);
    bench_free(b);
  }
}

/* The mean over rows, layers and steps, in which goodness is 0 or 1; of the fourth step alone it is
 * .7240769842 in both layers. */
static void test_golden_loss(void **state) {
  bench *b = golden_net(GOLDEN(4));
  mho_rule_stats stats = {0};
  script = golden_inputs;
  looks = golden_changes;
  lateral_turn = 1;
  OK(b->rule->trial(&b->lesson, &stats, &ei));
  double one[] = {-log(1 / (1 + exp(.5))), -log(1 - 1 / (1 + exp(.5)))};    /* G = 1 */
  double none[] = {-log(1 / (1 + exp(1.5))), -log(1 - 1 / (1 + exp(1.5)))}; /* G = 0 */
  double fourth = (one[0] + one[1]) / 2;
  double sums = 2 * (none[0] + none[1])                    /* step 1, both layers */
                + (one[0] + none[1]) + (none[0] + none[1]) /* step 2 */
                + (one[0] + one[1]) + (one[0] + none[1])   /* step 3 */
                + 2 * (one[0] + one[1]);                   /* step 4 */
  NEAR(fourth, .7240769842, 0, 1e-10);
  NEAR(stats.loss, sums / (2 * 2 * 4), 1e-12, 0);
  bench_free(b);
}

/* The first step of Adam is -rate sign(g), 0 where g is. */
static void test_first_step_of_adam(void **state) {
  mho_experiment *e = experiment("rule: csdp\n");
  const mho_optimizer *adam = (const mho_optimizer *)e->optimizer.entry;
  mho_real g[] = {-.6224593312, .3775406688, 0, -.0622459331, .0377540669};
  mho_real m[5] = {0}, v[5] = {0}, dw[5], *moments[] = {m, v};
  adam->step(e->optimizer.params, 0.002, 1, 5, g, moments, dw);
  for (int i = 0; i < 5; i++)
    NEAR(dw[i], g[i] == 0 ? 0 : (g[i] < 0 ? 0.002 : -0.002), 1e-6, 0);
  mho_experiment_free(e);
}

/* ---------------------------------------------------------------- signs, and sums over steps */

/* Neurons that fire at random; every change of the sample's row raises weights, every one of its
 * negative lowers them. */
static void random_inputs(const mho_phase *p, int t) {
  float u[3];
  for (int s = p->row0; s < p->row0 + p->n; s++) {
    mho_rng_uniform(mho_rng_make(8, MHO_RNG_TEST, (uint32_t)s), p->thread->update, (uint64_t)t, 3,
                    u);
    for (int i = 0; i < 3; i++)
      mho__values(p->net, p->s->z, 0, s)[i] = u[i] < 0.6f;
  }
}

static int n_up, n_down;
static double sum_of_steps;

static void one_sign(const mho_lesson *l) {
  for (int c = 0; c < l->net->n_trained; c++) {
    const mho_connection *k = &l->net->connection[c];
    mho_change change = mho_change_of(now->rule, l, c);
    if (mho_layer_answers(l->net, k->to))
      continue;
    assert_int_equal(change.n, 2);
    for (int i = 0; i < 2; i++) {
      const mho_outer *o = &change.term[i];
      for (int a = 0; a < k->xb->rows; a++)
        for (int b = 0; b < k->xb->cols; b++) {
          double g = o->scale * (double)o->pre[a] * (double)o->post[b];
          n_up += g < 0;
          n_down += g > 0;
          assert_true(i ? g >= 0 : g <= 0);
        }
    }
  }
  sum_of_steps += wanted(l, "h1-h2", false, 0, 0);
}

static void test_one_sign_in_a_phase(void **state) {
  script = random_inputs;
  looks = one_sign;
  bench *b = golden_net(GOLDEN(50) "rule: {decay: 0}\n");
  for (int i = 0; i < 100; i++) {
    mho_rule_stats stats = {0};
    b->k->thread.update = (uint64_t)i;
    OK(b->rule->trial(&b->lesson, &stats, &ei));
  }
  assert_true(n_up > 5000 && n_down > 5000);
  bench_free(b);
}

/* A whole presentation is the sum of its steps. */
static void test_sum_over_steps(void **state) {
  script = random_inputs;
  looks = one_sign;
  bench *b = golden_net(GOLDEN(50) "rule: {decay: 0}\n");
  mho_rule_stats stats = {0};
  sum_of_steps = 0;
  OK(b->rule->trial(&b->lesson, &stats, &ei));
  b->lesson.applies = MHO_APPLY_BATCH;
  OK(b->rule->trial(&b->lesson, &stats, &ei));
  mho_change change = mho_change_of(b->rule, &b->lesson, connection(b, "h1-h2"));
  mho_real sum[4] = {0};
  assert_int_equal(change.n, 0);
  change.dense(change.of, connection(b, "h1-h2"), 0, 2, sum);
  NEAR(sum[0], sum_of_steps, 1e-12, 0);
  assert_true(fabs(sum_of_steps) > 0.1);
  bench_free(b);
}

/* ---------------------------------------------------------------- polarity of pairs */

enum { CELLS_MAX = 128 }; /* of a connection into hidden neurons: 64 inputs and 2 neurons */

/* Both sides of the pairs of a connection. */
typedef struct sides {
  float g[2][CELLS_MAX];
} sides;

static sides sides_of(const mho_crossbar *x) {
  sides s;
  size_t cells = mho_crossbar_cells(x);
  assert_true(x->n_banks == 2 && cells <= CELLS_MAX);
  for (int bank = 0; bank < 2; bank++)
    memcpy(s.g[bank], x->bank[bank]->g, cells * sizeof *s.g[bank]);
  return s;
}

static double moved[2]; /* by samples and by negatives, in units of w_max */
static int states;

/* The pulses of an outer product; how far weights have gone where it points, no device having gone
 * the other way. */
static double write_term(const mho_lesson *l, mho_crossbar *x, const mho_outer *term, int which) {
  const mho_experiment *e = now->k->e;
  const mho_scheme *scheme = (const mho_scheme *)e->scheme.entry;
  const mho_device_model *device = (const mho_device_model *)e->device.entry;
  double nominal = mho_device_nominal_step(device, e->device.params, &e->device_config);
  mho_pulse_counts counts = {0};
  mho_pulse_trains *trains;
  OK(mho_pulse_trains_new(x->rows, x->cols, 1, &trains, &ei));
  mho_outer_job job = {.xb = x,
                       .params = e->scheme.params,
                       .samples = term->n,
                       .last = true,
                       .x = term->pre,
                       .e = term->post,
                       .rate = e->update.rate * term->scale,
                       .learning_rate = e->update.rate,
                       .scale = term->scale,
                       .nominal_step = mho_crossbar_step(x, nominal),
                       .first_sample = (uint64_t)(2 * states + which),
                       .rounding = mho_rng_make(4, MHO_RNG_ROUND, 0),
                       .trains = trains};
  bool one_sided = !strcmp(e->mapping.entry->id, "one_sided");
  double sign = which ? -1 : 1, sum = 0;

  sides before = sides_of(x);
  scheme->draw(&job, 0);
  scheme->replay(&job, 0, x->rows, &counts);
  sides after = sides_of(x);
  for (size_t i = 0; i < mho_crossbar_cells(x); i++) {
    double up = sign * (double)(after.g[0][i] - before.g[0][i]);
    double down = sign * (double)(after.g[1][i] - before.g[1][i]);
    assert_true(up >= 0 && down <= 0);
    if (one_sided)
      NEAR(which ? up : down, 0, 0, 0);
    sum += up - down;
  }
  mho_pulse_trains_free(trains);
  return sum;
}

static void no_cell_against_its_phase(const mho_lesson *l) {
  for (int c = 0; c < l->net->n_trained; c++) {
    const mho_connection *k = &l->net->connection[c];
    mho_change change = mho_change_of(now->rule, l, c);
    if (mho_layer_answers(l->net, k->to))
      continue;
    for (int i = 0; i < change.n; i++)
      moved[i] += write_term(l, k->xb, &change.term[i], i);
  }
  states++;
}

/* Ten thousand states that follow from random inputs while devices learn. A pulse of a hundredth of
 * the range with a noise of a tenth of itself goes the other way at ten standard deviations. Pairs
 * begin anew every ten presentations, before pairs that are only SET are full. */
static void test_polarity_of_pairs(void **state) {
  static const char *const mappings[] = {"differential", "one_sided"};
  script = random_inputs;
  looks = no_cell_against_its_phase;
  for (int m = 0; m < 2; m++) {
    char yaml[1024];
    snprintf(yaml, sizeof yaml,
             GOLDEN(50) "rule: {decay: 0}\nupdate: {scheme: stochastic, rate: 0.1}\n"
                        "device: {model: linear, mapping: %s, step_up: 0.01, step_down: 0.01, "
                        "cycle_to_cycle: 0.1}\n",
             mappings[m]);
    states = 0;
    moved[0] = moved[1] = 0;
    for (int chip = 0; chip < 20; chip++) {
      bench *b = golden_net(yaml);
      for (int i = 0; i < 10; i++) {
        mho_rule_stats stats = {0};
        b->k->thread.update = (uint64_t)(10 * chip + i);
        OK(b->rule->trial(&b->lesson, &stats, &ei));
      }
      bench_free(b);
    }
    assert_int_equal(states, 10000);
    print_message("  %s: %.1f by samples, %.1f by negatives\n", mappings[m], moved[0], moved[1]);
    assert_true(moved[0] > 20 && moved[1] > 20);
  }
}

/* ---------------------------------------------------------------- output neurons */

/* -R (2/samples) s_pre (y - z), of the sample alone, from both hidden layers. */
static void output_changes(const mho_lesson *l) {
  int out = 3, trace = mho_vars_find(l->vars, "trace");
  bool counts = l->net->output == MHO_OUTPUT_COUNTS;
  if (now->steps < 4)
    return;

  for (int j = 0; j < 10; j++) {
    double z =
        counts ? (double)mho_vars_real(l->vars, trace, out, 0)[j] : exact(now->k, "u", out, 0)[j];
    NEAR(wanted(l, "h1-out", false, 0, j), -2 * ((j == 0) - z), 1e-12, 1e-15);
    NEAR(wanted(l, "h1-out", false, 1, j), 0, 0, 0);
    NEAR(wanted(l, "h2-out", false, 0, j), -2 * ((j == 0) - z), 1e-12, 1e-15);
    if (j == 3)
      NEAR(z, counts ? 1 : 0.5 * (0.5 * 0.9 + 0.9) + 0.5 * 0.6, 1e-12, 0);
  }
  assert_true(mho_change_of(now->rule, l, connection(now, "h1-out")).soft);
}

static void test_output_neurons(void **state) {
  script = golden_inputs;
  looks = output_changes;
  for (int i = 0; i < 2; i++) {
    bench *b = golden_net(i ? GOLDEN(4) "network: {output: membrane}\n" : GOLDEN(4));
    mho_rule_stats stats = {0};
    /* the sample's h1.0 fires from step 2 on, h2.0 from step 3 on */
    set_weight(b->k, connection(b, "h1-out"), 0, 3, 0.9);
    set_weight(b->k, connection(b, "h2-out"), 0, 3, 0.6);
    OK(b->rule->trial(&b->lesson, &stats, &ei));
    if (i)
      NEAR(mho__values(b->k->net, b->k->s->z, 4, 0)[3], (0.45 + (0.5 * 0.45 + 0.45 + 0.3)) / 4,
           1e-12, 0);
    bench_free(b);
  }
}

/* ---------------------------------------------------------------- negatives */

static void test_wrong_labels(void **state) {
  int seen[10] = {0};
  for (int i = 0; i < 900; i++)
    seen[mho__wrong_label(10, 4, (i + 0.5) / 900)]++;
  for (int c = 0; c < 10; c++)
    assert_int_equal(seen[c], c == 4 ? 0 : 100);
  assert_int_equal(mho__wrong_label(2, 0, 0.999999999), 1);
  assert_int_equal(mho__wrong_label(2, 1, 1), 0);
}

/* One cycle through all; every other sample is as likely a partner. */
static void test_partners(void **state) {
  enum { N = 6, DRAWS = 6000 };
  int partner[N], seen[N] = {0};
  for (int k = 0; k < DRAWS; k++) {
    float u[N];
    mho_rng_uniform(mho_rng_make(9, MHO_RNG_TEST, 0), (uint64_t)k, 0, N, u);
    mho__partners(N, u, partner);
    int at = 0;
    for (int i = 0; i < N; i++) {
      assert_true(partner[at] != at);
      at = partner[at];
      assert_true((at == 0) == (i == N - 1));
    }
    seen[partner[0]]++;
  }
  for (int i = 1; i < N; i++) /* 1200 +- 31 */
    NEAR(seen[i], DRAWS / (N - 1), 0, 4 * sqrt(DRAWS * 0.2 * 0.8));

  const float one = 0.5f;
  mho__partners(1, &one, partner);
  assert_int_equal(partner[0], 0);
}

/* Turned by right angles an image has the same pixels; by 0 it is the same. */
static void test_turned_images(void **state) {
  mho_layer layer = {.n = 18, .channels = 2, .height = 3, .width = 3};
  mho_real x[18], y[18];
  for (int i = 0; i < 18; i++)
    x[i] = i + 1;
  mho__image_turned(&layer, 0, x, y);
  for (int i = 0; i < 18; i++)
    NEAR(y[i], x[i], 0, 0);
  mho__image_turned(&layer, acos(-1) / 2, x, y);
  for (int c = 0; c < 2; c++)
    for (int i = 0; i < 3; i++)
      for (int j = 0; j < 3; j++)
        NEAR(y[9 * c + 3 * i + j], x[9 * c + 3 * (2 - j) + i], 0, 1e-12);
}

/* Two images in one, of a partner, and no label. */
static void keep_inputs(const mho_phase *p, int t) {}
static void blended(const mho_lesson *l) {
  const mho_real *x = l->state[0]->z[0];
  if (now->steps > 1)
    return;
  for (int s = 0; s < 3; s++) {
    const mho_real *negative = x + (3 + s) * INPUTS;
    int partner = -1;
    for (int o = 0; o < 3; o++)
      if (fabs((double)negative[o]) > 1e-12 && o != s)
        partner = o;
    assert_true(partner >= 0);
    for (int i = 0; i < 3; i++)
      NEAR(negative[i], 0.7 * (i == s) + 0.3 * (i == partner), 1e-12, 0);
    for (int c = 0; c < 10; c++)
      NEAR(real(now->k, "spike", 4, s)[c], 0, 0, 0);
  }
}

static void test_blends(void **state) {
  bench *b = bench_new(GOLDEN(4) "network: {context: none}\nrule: {negative: blend, blend: 0.7}\n");
  mho_rule_stats stats = {0};
  script = keep_inputs;
  looks = blended;
  b->lesson.n = b->lesson.batch = 3;
  uint8_t labels[] = {0, 1, 2};
  b->lesson.targets.label = labels;
  for (int s = 0; s < 3; s++)
    input(b->k, s)[s] = 1;
  OK(b->rule->trial(&b->lesson, &stats, &ei));
  bench_free(b);
}

/* ---------------------------------------------------------------- layers that fire at random */

/* n neurons with p spikes a step each: G = n p/(1 - (1 - p) d^2), derived. */
static void test_goodness_of_random_spikes(void **state) {
  enum { N = 256, STEPS = 3000 };
  double d = 1 - 3.0 / 13, p = 4.1 / N, sum = 0, squares = 0;
  mho_real z[N] = {0};
  for (int t = 0; t < STEPS; t++) {
    float u[N];
    mho_rng_uniform(mho_rng_make(4, MHO_RNG_TEST, 1), (uint64_t)t, 0, N, u);
    for (int i = 0; i < N; i++)
      z[i] = (double)u[i] < p ? 1 : d * z[i];
    if (t < 100 || t % 20)
      continue;
    double g = mho__goodness(N, z);
    sum += g / 145;
    squares += g * g / 145;
  }
  NEAR(sum, N * p / (1 - (1 - p) * d * d), 0, 4 * sqrt((squares - sum * sum) / 145));
  NEAR(N * .0163260 / (1 - (1 - .0163260) * d * d), 10, 1e-5, 0);
}

/* ---------------------------------------------------------------- what is refused */

static void test_refused(void **state) {
  refused("rule: csdp\ndynamics: rate\n", "rule.name: 'csdp' learns from spikes");
  refused("rule: csdp\nnetwork: {output: softmax}\n", "network.output: rule.name 'csdp'");
  refused("rule: csdp\nnetwork: {biases: true}\n", "network.biases");
  refused("rule: csdp\nnetwork: {topology: conv, conv: 3x3 pool2 6}\n", "network.topology");
  refused("rule: csdp\nnetwork: {context: none}\n", "rule.negative: a wrong label");
  refused("rule: {name: csdp, negative: blend}\n", "rule.negative: two images");
  refused("rule: {name: csdp, negative: blend}\nnetwork: {context: none, output: goodness}\n",
          "network.output: goodness tries labels");
  refused("rule: {name: csdp, negative: blend}\nnetwork: {context: none}\ntrain: {batch: 1}\n",
          "train.batch: rule.negative blend");
  refused("rule: {name: csdp, importance: local}\n", "rule.importance");
  refused("rule: csdp\nneuron: {threshold: {law: target}}\n", "neuron.threshold.law");
  refused("rule: csdp\nneuron: {delay: {lateral: 3 ms}}\n", "neuron.delay");
  refused("rule: csdp\ndevice: {bounded: false}\n", "device.bounded");
  refused("rule: csdp\nupdate: {apply: sample}\n", "update.apply");
  refused("rule: csdp\ndevice: linear\nupdate: {scheme: tiki_taka}\n", "update.scheme");
  refused("rule: csdp\ndevice: linear\nupdate: {scheme: stochastic, apply: batch}\n",
          "update.apply: scheme 'stochastic'");
  refused("rule: perturb\ndynamics: spiking\nnetwork: {output: goodness}\n",
          "network.output: rule.name 'perturb' gives layers no goodness");
  refused("rule: perturb\ndynamics: spiking\nnetwork: {context: label}\n",
          "network.context: rule.name 'perturb' shows no labels");
  refused("network: {output: counts}\n", "network.output: counts, membrane and goodness are of");
}

static int setup(void **state) {
  if (setup_registry(state))
    return -1;
  spiking = (const mho_dynamics *)mho_registry_find(registry, MHO_KIND_DYNAMICS, "spiking");
  scripted = *spiking;
  scripted.entry.id = "test_scripted";
  scripted.step = scripted_step;
  OK(mho_registry_add(registry, MHO_KIND_DYNAMICS, &scripted.entry, &ei));
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_layer_of_three),
      cmocka_unit_test(test_gradient_of_goodness),
      cmocka_unit_test(test_golden_net),
      cmocka_unit_test(test_golden_loss),
      cmocka_unit_test(test_first_step_of_adam),
      cmocka_unit_test(test_one_sign_in_a_phase),
      cmocka_unit_test(test_sum_over_steps),
      cmocka_unit_test(test_polarity_of_pairs),
      cmocka_unit_test(test_output_neurons),
      cmocka_unit_test(test_wrong_labels),
      cmocka_unit_test(test_partners),
      cmocka_unit_test(test_turned_images),
      cmocka_unit_test(test_blends),
      cmocka_unit_test(test_goodness_of_random_spikes),
      cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, setup, teardown_registry);
}
