/* Hooks of a dynamics and of a settler, by ones that are not in the tree: a neuron that integrates
 * and fires, by a clock and by events, against its closed form; a damped Jacobi settler; and a
 * topology with links of every role.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "experiment.h"
#include "lif.h"
#include "settle/chunk.h"
#include "settle/trace.h"
#include "train/trainer.h"

/* ---------------------------------------------------------------- a settler of one page */

typedef struct jacobi {
  double damping;
  int64_t steps;
} jacobi;
static const mho_param jacobi_table[] = {
    MHO_P_REAL(jacobi, damping, "damping", "", 0.3, 0, 0.99, "part of the last state that stays"),
    MHO_P_INT(jacobi, steps, "steps", 100, 1, 65535, "of a phase"),
};

static void jacobi_settle(const mho_phase *p, mho_settle_stats *stats) {
  const jacobi *own = p->thread->params;
  mho_real keep = (mho_real)own->damping;
  mho_chunk c = {.phase = p};
  p->dyn->begin(p, stats);
  mho__chunk_start(&c, p->s->next);
  mho__chunk_trace(&c, 0, NULL);

  for (int t = 1; t <= own->steps; t++) {
    mho_real *then[MHO_LAYERS_MAX];
    bool live = p->drive.kind == MHO_DRIVE_LIVE;
    p->thread->step = t;
    const mho_real *error = live ? mho__chunk_live_error(&c, stats) : NULL;
    for (int l = 1; l < mho_hidden_end(p->net); l++) {
      size_t n = mho__phase_count(p, l);
      then[l] = mho__chunk_other(&c, l);
      p->dyn->relax(&c, l, p->dyn->input(&c, l, error, then[l], stats), then[l]);
      for (size_t i = 0; i < n; i++)
        then[l][i] = keep * c.now[l][i] + (1 - keep) * then[l][i];
    }
    for (int l = 1; l < mho_hidden_end(p->net); l++) {
      c.now[l] = then[l];
      c.zero[l] = false;
    }
    mho__chunk_trace(&c, t, NULL);
  }
  mho__chunk_finish(&c);
  stats->steps += (double)own->steps * p->n;
}

static const char *jacobi_misses(const mho_dynamics *dyn, const void *params) {
  return dyn->relax ? NULL : "needs neurons that come to rest";
}

static const mho_settler settler_jacobi = {
    .entry = {.abi = MHO_ABI,
              .id = "test_jacobi",
              .title = "all layers at once, damped",
              .params = MHO_PARAMS(jacobi, jacobi_table)},
    .settle = jacobi_settle,
    .misses = jacobi_misses,
};

/* ---------------------------------------------------------------- a topology of all roles */

/* Three hidden layers, neighbours linked both ways. The second one inhibits itself and is fed back
 * from the third by weights of its own, which are trained; a controller and a label lead into the
 * first. */
static mho_err build_roles(const mho_topology_input *in, mho_graph *g, mho_errinfo *error) {
  g->n_layers = 5;
  g->size[0] = in->features;
  for (int l = 1; l < 4; l++)
    g->size[l] = in->config->hidden.v[l - 1];
  g->size[4] = in->classes;

  const mho_edge edges[] = {
      {.from = 4, .to = 1, .role = MHO_CONTROL},
      {.from = 0, .to = 1, .role = MHO_FORWARD, .trained = true},
      {.from = 4, .to = 1, .role = MHO_CONTEXT, .trained = true},
      {.from = 1, .to = 2, .role = MHO_FORWARD, .trained = true},
      {.from = 2, .to = 1, .role = MHO_FEEDBACK},
      {.from = 2, .to = 2, .role = MHO_LATERAL, .trained = true, .sign = -1},
      {.from = 2, .to = 3, .role = MHO_FORWARD, .trained = true},
      {.from = 3, .to = 2, .role = MHO_FEEDBACK, .trained = true},
      {.from = 3, .to = 4, .role = MHO_FORWARD, .trained = true},
      {.from = 4, .to = 3, .role = MHO_FEEDBACK},
  };
  g->n_edges = MHO_COUNT(edges);
  memcpy(g->edge, edges, sizeof edges);
  return MHO_OK;
}

static const mho_topology topology_roles = {
    .entry = {.abi = MHO_ABI, .id = "test_roles", .title = "links of every role"},
    .build = build_roles,
};

/* ---------------------------------------------------------------- tests */

#define FIRING "network: {hidden: [30]}\ndynamics: {name: test_lif}\nupdate: {rates: [0, 1e-2]}\n"

/* A trainer with its states and a phase of N samples. */
enum { N = 6 };
typedef struct bench {
  mho_experiment *e;
  mho_trainer *t;
  const mho_network *net;
  mho_state *s;
  mho_thread thread;
  mho_phase p;
} bench;

static bench *bench_new(const char *yaml) {
  bench *b = calloc(1, sizeof *b);
  b->e = experiment(yaml);
  b->t = trainer(b->e);
  b->net = mho_trainer_network(b->t);
  const mho_dataset *d = mho_trainer_dataset(b->t);
  const mho_dynamics *dynamics = (const mho_dynamics *)b->e->dynamics.entry;
  OK(mho_state_new(b->net, N, MHO_STATE_INPUT, &b->s, &ei));
  OK(mho_state_add_variables(b->s, b->net, dynamics, &ei));
  mho_images_batch(d, &d->train, NULL, 0, N, b->s->z[0], NULL);

  b->thread = (mho_thread){.settler = (const mho_settler *)b->e->settler.entry,
                           .params = b->e->settler.params,
                           .dynamics_params = b->e->dynamics.params,
                           .scratch = calloc(mho_settle_scratch(b->net, N), sizeof(mho_real))};
  if (b->thread.settler->workspace_new)
    OK(b->thread.settler->workspace_new(b->net, b->thread.params, N, &b->thread.workspace, &ei));
  b->p = (mho_phase){.net = b->net, .dyn = dynamics, .s = b->s, .n = N, .thread = &b->thread};
  return b;
}

static void bench_free(bench *b) {
  if (b->thread.settler->workspace_free)
    b->thread.settler->workspace_free(b->thread.workspace);
  free(b->thread.scratch);
  mho_state_free(b->s);
  mho_trainer_free(b->t);
  mho_experiment_free(b->e);
  free(b);
}

/* x W of neuron i and a sample, by the programmed weights. */
static double current_of(const bench *b, int s, int i) {
  const mho_crossbar *x = b->net->connection[0].xb;
  double sum = 0;
  for (int r = 0; r < x->rows; r++)
    sum +=
        (double)b->s->z[0][s * x->rows + r] * (double)mho__crossbar_programmed(x)[r * x->cols + i];
  return sum;
}

/* Spikes come every tau ln(I/(I - threshold)); by a clock, rounded up to whole steps. A second
 * phase that starts where the first one ended goes on in the middle of an interval. */
static void fire(bool clocked) {
  const double tau = 20e-3, threshold = 0.1, dt = 1e-3, end = 0.1;
  bench *b = bench_new(clocked ? FIRING "settle: {method: steps, steps: 100, dt: 1 ms}\n"
                               : FIRING "settle: {method: events, time: 100 ms}\n");
  mho_settle_stats stats = {0};
  double fired = 0;
  mho_settle(&b->p, &stats);

  for (int s = 0; s < N; s++)
    for (int i = 0; i < 30; i++) {
      double I = current_of(b, s, i), period = tau * log(I / (I - threshold));
      double spikes = I > threshold ? floor(end / period) : 0;
      double interval = period;
      if (clocked && I > threshold) {
        interval = dt * ceil(period / dt - 1e-9);
        spikes = floor(end / interval + 1e-9);
      }
      double since = end - (spikes > 0 ? spikes * interval : 0);
      NEAR(mho_vars_real(b->s->vars, SPIKES, 1, s)[i], spikes, 0, 0);
      NEAR(mho_vars_exact(b->s->vars, MEMBRANE, 1, s)[i], I * (1 - exp(-since / tau)), 1e-4, 1e-6);
      NEAR(b->s->z[1][s * 30 + i], tau * spikes / end, 1e-6, 0);
      fired += spikes;
    }
  assert_true(fired > 100);
  NEAR(stats.steps, clocked ? 100 * N : fired, 0, 0);
  bench_free(b);
}

static void test_closed_form_by_events(void **state) {
  fire(false);
}
static void test_closed_form_by_clock(void **state) {
  fire(true);
}

/* A phase begins at rest, or where the state that it starts from has ended. */
static void test_phases_go_on(void **state) {
  bench *b = bench_new(FIRING "settle: {method: events, time: 50 ms}\n");
  mho_settle_stats stats = {0};
  mho_state *second;
  OK(mho_state_new(b->net, N, 0, &second, &ei));
  OK(mho_state_add_variables(second, b->net, b->p.dyn, &ei));
  mho_settle(&b->p, &stats);
  double first = mho_vars_exact(b->s->vars, MEMBRANE, 1, 2)[3];
  mho_settle(&b->p, &stats);
  NEAR(mho_vars_exact(b->s->vars, MEMBRANE, 1, 2)[3], first, 0, 0);

  b->p.s = second;
  b->p.start = b->s;
  b->p.drive.free = b->s;
  mho_settle(&b->p, &stats);
  NEAR(*mho_vars_exact(second->vars, TIME, 0, 2), 50e-3, 0, 0);
  assert_true(mho_vars_real(second->vars, SPIKES, 1, 2)[3] >=
              mho_vars_real(b->s->vars, SPIKES, 1, 2)[3]);
  mho_state_free(second);
  bench_free(b);
}

/* ---------------------------------------------------------------- traces */

/* A free phase as a table. */
enum { TABLE_ROWS = 1000, TABLE_COLUMNS = 9 };
typedef struct table {
  mho_trace_columns columns;
  double time[TABLE_ROWS], v[TABLE_ROWS][TABLE_COLUMNS];
  int rows;
} table;

static void take_row(void *user, const mho_trace_point *p) {
  table *t = user;
  if (p->phase || t->rows == TABLE_ROWS)
    return;
  t->time[t->rows] = p->time;
  for (int i = 0; i < t->columns.n; i++)
    t->v[t->rows][i] = mho__trace_value(&t->columns, i, p);
  t->rows++;
}

/* Neurons of a sample that fire; @return the next one after i. */
static int next_firing(const bench *b, int s, int i) {
  do
    i++;
  while (i < 30 && current_of(b, s, i) <= 0.1);
  assert_true(i < 30);
  return i;
}

/* A row of the table against the closed form: all spikes up to its time, and the membrane since. */
static double check_row(const table *t, int row, int k, double I, double interval) {
  const double tau = 20e-3, *v = t->v[row], time = t->time[row];
  double spikes = floor(time / interval + 1e-5), since = fmax(time - spikes * interval, 0);
  NEAR(v[k], tau * spikes / time, 1e-6, 0);
  NEAR(v[2 + k], I, 1e-5, 0);
  NEAR(v[4 + k], I * (1 - exp(-since / tau)), 1e-4, 1e-6);
  NEAR(v[6 + k], spikes, 0, 0);
  NEAR(v[8], time, 1e-9, 0);
  return spikes;
}

/* Who watches a sample sees the variables of the table, each under its name. */
static void trace(bool clocked) {
  enum { SAMPLE = 2 };
  const double tau = 20e-3, threshold = 0.1, dt = 1e-3;
  static const char *const names[] = {"",         "",         "current", "current",
                                      "membrane", "membrane", "spikes",  "spikes"};
  static table t;
  bench *b = bench_new(clocked ? FIRING "settle: {method: steps, steps: 100, dt: 1 ms}\n"
                               : FIRING "settle: {method: events, time: 100 ms}\n");
  mho_trace_neuron neuron[2] = {{1, next_firing(b, SAMPLE, -1)}};
  neuron[1] = (mho_trace_neuron){1, next_firing(b, SAMPLE, neuron[0].index)};

  t.rows = 0;
  OK(mho__trace_columns_new(b->net, &dynamics_lif, 2, neuron, &t.columns, &ei));
  assert_int_equal(t.columns.n, TABLE_COLUMNS);
  for (int i = 0; i < TABLE_COLUMNS; i++) {
    char name[64], want[64] = "time";
    mho__trace_name(&t.columns, i, name, sizeof name);
    if (i < 8)
      snprintf(want, sizeof want, "h1.%d%s%s", neuron[i % 2].index, *names[i] ? "." : "", names[i]);
    assert_string_equal(name, want);
  }

  mho_watched unused;
  const mho_dataset *d = mho_trainer_dataset(b->t);
  OK(mho_trainer_watch(b->t, &d->train, SAMPLE, take_row, &t, &unused, &ei));
  double fired = 0;
  for (int k = 0; k < 2; k++) {
    double I = current_of(b, SAMPLE, neuron[k].index), period = tau * log(I / (I - threshold));
    double interval = clocked ? dt * ceil(period / dt - 1e-9) : period;
    for (int row = 0; row < t.rows; row++)
      fired = fmax(fired, check_row(&t, row, k, I, interval));
  }
  assert_true(clocked ? t.rows == 100 : t.rows > 10);
  assert_true(fired > 1);
  NEAR(t.time[t.rows - 1], 0.1, 1e-9, 0);
  mho__trace_columns_free(&t.columns);
  bench_free(b);
}

static void test_trace_by_clock(void **state) {
  trace(true);
}
static void test_trace_by_events(void **state) {
  trace(false);
}

/* Variables of links come once for each that leads to a neuron, those of all neurons once. */
static void test_trace_of_links(void **state) {
  static const mho_var vars[] = {
      {"charge", MHO_PER_LINK, .exact = true}, {"level", MHO_PER_NETWORK}, {"gain", MHO_PER_UNIT}};
  static const char *const names[] = {"h1.4", "x-h1.4.charge", "h2-h1.4.charge", "level",
                                      "h1.4.gain"};
  const mho_dynamics dynamics = {.vars = vars, .n_vars = MHO_COUNT(vars)};
  const mho_trace_neuron neuron = {1, 4};
  bench *b = bench_new("network: {hidden: [12, 9]}\n");
  mho_trace_columns c;
  mho_vars *v;
  OK(mho__trace_columns_new(b->net, &dynamics, 1, &neuron, &c, &ei));
  OK(mho_vars_new(b->net, vars, MHO_COUNT(vars), 1, &v, &ei));

  for (int k = 0; k < b->net->n_links; k++)
    for (int i = 0; i < b->net->layer[b->net->link[k].to].n; i++)
      mho_vars_exact(v, 0, k, 0)[i] = 100 * b->net->link[k].from + i;
  *mho_vars_real(v, 1, 0, 0) = 7;
  mho_vars_real(v, 2, 1, 0)[4] = 8;
  double activity[12] = {[4] = 0.5}, *z[] = {NULL, activity};
  const double want[] = {0.5, 4, 204, 7, 8};
  const mho_trace_point point = {.z = z, .vars = v};

  assert_int_equal(c.n, MHO_COUNT(want));
  for (int i = 0; i < c.n; i++) {
    char name[64];
    mho__trace_name(&c, i, name, sizeof name);
    assert_string_equal(name, names[i]);
    NEAR(mho__trace_value(&c, i, &point), want[i], 0, 0);
  }
  mho_vars_free(v);
  mho__trace_columns_free(&c);
  bench_free(b);
}

/* The read-out learns from spikes: all that a trainer does goes by the hooks. */
static void test_training_with_spikes(void **state) {
  mho_experiment *e = experiment(
      "network: {hidden: [100]}\ndynamics: {name: test_lif, threshold: 0.05}\n"
      "settle: {method: steps, steps: 50}\ntrain: {batch: 20}\nupdate: {rates: [0, 1e-2]}\n");
  mho_trainer *t = trainer(e);
  mho_epoch_row row;
  for (int i = 0; i < 4; i++)
    OK(mho_trainer_epoch(t, &row, &ei));
  assert_true(row.train_acc > 0.6);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* The config is refused; the sentence is in ei. */
static void refuse(const char *yaml) {
  mho_config *c;
  mho_experiment *e;
  OK(mho_config_new(&c, &ei));
  OK(mho_config_text(c, yaml, "test", &ei));
  assert_int_equal(mho_experiment_new(registry, c, false, &e, &ei), MHO_ECONFIG);
  mho_config_free(c);
}

static void refused(const char *yaml, const char *sentence) {
  refuse(yaml);
  assert_string_equal(ei.message, sentence);
}

static void begins_and_ends(const char *yaml, const char *first, const char *last) {
  refuse(yaml);
  assert_memory_equal(ei.message, first, strlen(first));
  assert_true(strlen(ei.message) >= strlen(first) + strlen(last));
  assert_string_equal(ei.message + strlen(ei.message) - strlen(last), last);
}

static void test_what_does_not_fit(void **state) {
  refused(
      "dynamics: {name: test_lif}\n",
      "settle.method: 'sweep' needs neurons that come to rest, which dynamics.name 'test_lif' has "
      "not: set one of them to another (mho list settlers, mho list dynamics)");
  refused(
      "dynamics: {name: test_lif}\nsettle: {method: ode}\n",
      "settle.method: 'ode' needs neurons that are circuits, tau du/dt = -u + a, which "
      "dynamics.name 'test_lif' has not: set one of them to another (mho list settlers, mho list "
      "dynamics)");
  refused("settle: {method: steps}\n",
          "settle.method: 'steps' needs neurons that take steps, which dynamics.name 'rate' has "
          "not: set one of them to another (mho list settlers, mho list dynamics)");
  refused("settle: {method: events}\n",
          "settle.method: 'events' needs neurons with events, which dynamics.name 'rate' has not: "
          "set one of them to another (mho list settlers, mho list dynamics)");
  refused("rule: {name: bp}\ndynamics: {name: test_lif}\n",
          "rule.name: 'bp' passes activities forward as they are at rest, and the neurons of "
          "dynamics.name 'test_lif' do not rest: use dynamics rate, or another rule");
  refused("dynamics: {name: test_lif}\nsettle: {method: steps}\nupdate: {rates: [0, 1e-2]}\n"
          "network: {hidden: [9, 9]}\n",
          "dynamics.name: neurons of 'test_lif' hear the input alone: set network.hidden to one "
          "layer, of topology layered");
  refused("network: {hidden: [9]}\ndynamics: {name: test_lif}\nsettle: {method: steps}\n",
          "dynamics.name: no error reaches the neurons of 'test_lif', from which rule.name 'ep' "
          "would learn: set update.rates to [0, RATE], or use rule perturb");
  refused("dynamics: {name: test_lif}\nsettle: {method: steps, difference: direct}\n",
          "settle.difference: not direct, because dynamics.name has no equations of it: use rate");
  refused(
      "dynamics: {name: test_lif}\nsettle: {method: steps}\nobserve: {settling: true}\n",
      "dynamics.name: the neurons of 'test_lif' do not rest, and what section observe asks for is "
      "of neurons that do: leave observe out, or use dynamics rate");

  /* whatever else is in the tree, those of a program are known after it */
  begins_and_ends("dynamics: {name: electron}\n",
                  "dynamics.name: 'electron' is unknown (known: rate", ", test_lif)");
}

/* All three settlers end in the fixed point of the map with lateral inhibition, z = rho(sum), to
 * which links of control and context bring nothing. */
static void check_rest(const bench *b) {
  for (int s = 0; s < N; s++)
    for (int l = 1; l < 4; l++)
      for (int j = 0; j < b->net->layer[l].n; j++) {
        double a = 0;
        for (int i = 0; i < b->net->n_links; i++) {
          const mho_link *k = &b->net->link[i];
          if (k->to != l || k->from == 4)
            continue;
          const mho_crossbar *x = b->net->connection[k->connection].xb;
          double scale = k->role == MHO_FEEDBACK ? 0.2 : 1, sum = 0;
          for (int m = 0; m < b->net->layer[k->from].n; m++)
            sum += (double)b->s->z[k->from][s * b->net->layer[k->from].n + m] *
                   (double)mho__crossbar_programmed(
                       x)[k->transposed ? j * x->cols + m : m * x->cols + j];
          a += (k->role == MHO_LATERAL ? -1 : scale) * sum;
        }
        NEAR(b->s->z[l][s * b->net->layer[l].n + j], tanh(a), 0, 1e-5);
      }
}

#define ROLES                                                                                      \
  "network: {hidden: [12, 9, 7], topology: test_roles}\nfeedback: {scale: 0.2}\n"                  \
  "train: {batch: 20}\n"

/* Inhibition of half the strength that it is drawn with, under which every map comes to rest. */
static void weaken(mho_network *net) {
  for (int c = 0; c < net->n_connections; c++) {
    mho_crossbar *x = net->connection[c].xb;
    if (net->connection[c].role != MHO_LATERAL)
      continue;
    for (int i = 0; i < x->rows * x->cols; i++) {
      mho_real w = mho__crossbar_programmed(x)[i] / 2;
      mho_crossbar_set(x, (size_t)i, 1, &w);
    }
  }
}

static void test_links_of_every_role(void **state) {
  static const char *settle[] = {"settle: {method: sweep, tolerance: 1e-7}\n",
                                 "settle: {method: synchronous, free: 200}\n",
                                 "settle: {method: test_jacobi}\n"};
  for (int i = 0; i < 3; i++) {
    char yaml[512];
    mho_settle_stats stats = {0};
    snprintf(yaml, sizeof yaml, "%s%s", ROLES, settle[i]);
    bench *b = bench_new(yaml);
    weaken(mho_trainer_network(b->t));
    mho_settle(&b->p, &stats);
    check_rest(b);
    bench_free(b);
  }
}

/* What has weights of its own and what does not, and which are trained; the trained first. */
static void test_connections_of_roles(void **state) {
  static const struct {
    const char *name;
    mho_role role;
    bool trained;
    int sign;
  } want[] = {
      {"x-h1", MHO_FORWARD, true, 1},   {"h1-h2", MHO_FORWARD, true, 1},
      {"h2-h3", MHO_FORWARD, true, 1},  {"h3-out", MHO_FORWARD, true, 1},
      {"out-h1", MHO_CONTEXT, true, 1}, {"h2-h2", MHO_LATERAL, true, -1},
      {"h3-h2", MHO_FEEDBACK, true, 1}, {"out-h1", MHO_CONTROL, false, 1},
  };
  bench *b = bench_new(ROLES);
  assert_int_equal(b->net->n_connections, MHO_COUNT(want));
  assert_int_equal(b->net->n_trained, 7);
  for (int c = 0; c < MHO_COUNT(want); c++) {
    const mho_connection *k = &b->net->connection[c];
    assert_string_equal(k->name, want[c].name);
    assert_int_equal(k->role, want[c].role);
    assert_int_equal(k->trained, want[c].trained);
    assert_int_equal(k->sign, want[c].sign);
  }
  for (int i = 0; i < b->net->n_links; i++) {
    const mho_link *k = &b->net->link[i];
    const mho_connection *of = &b->net->connection[k->connection];
    assert_int_equal(k->transposed, k->role == MHO_FEEDBACK && of->role == MHO_FORWARD);
    assert_int_equal(k->from == 0, k->to == 1 && k->role == MHO_FORWARD);
  }
  bench_free(b);
}

/* The gradient of the inhibiting connection, number 5, is -z^T e of its layer. */
static void check_sign(const mho_trainer *t, const mho_real *gradient) {
  enum { UNITS = 9, BATCH = 20 };
  mho_real want[UNITS * UNITS] = {0};
  for (int s = 0; s < BATCH; s++)
    for (int i = 0; i < UNITS; i++)
      for (int j = 0; j < UNITS; j++)
        want[i * UNITS + j] -=
            t->learner->state[0]->z[2][s * UNITS + i] * t->learner->error[2][s * UNITS + j];
  assert_true(cosine(UNITS * UNITS, want, gradient) > 0.9999);
}

/* The difference settled itself is that of two states, with inhibition as without. */
static void test_difference_of_roles(void **state) {
  static const char *how[] = {"settle: {difference: direct, free: 60, nudged: 60}\n"
                              "rule: {nudge: 0.02, phases: centred}\n",
                              "settle: {difference: subtract, free: 60, nudged: 60}\n"
                              "rule: {gradient: normalized, nudge: 0.02, phases: centred}\n"};
  enum { CELLS = 64 * 12 };
  mho_real *gradient[2];
  for (int i = 0; i < 2; i++) {
    char yaml[512];
    snprintf(yaml, sizeof yaml, "%s%s", ROLES, how[i]);
    mho_experiment *e = experiment(yaml);
    mho_trainer *t = trainer(e);
    weaken(mho_trainer_network(t));
    gradient[i] = calloc(7 * CELLS, sizeof(mho_real));
    for (int c = 0; c < 7; c++)
      OK(mho_trainer_gradient(t, 0, 20, c, gradient[i] + c * CELLS, &ei));
    check_sign(t, gradient[i] + 5 * CELLS);
    mho_trainer_free(t);
    mho_experiment_free(e);
  }
  for (int c = 0; c < 7; c++)
    if (c != 4) /* the label's own, of which equilibrium propagation knows nothing */
      assert_true(cosine(CELLS, gradient[0] + c * CELLS, gradient[1] + c * CELLS) > 0.999);
  free(gradient[0]);
  free(gradient[1]);
}

static int setup(void **state) {
  if (setup_registry(state))
    return -1;
  OK(mho_registry_add(registry, MHO_KIND_DYNAMICS, &dynamics_lif.entry, &ei));
  OK(mho_registry_add(registry, MHO_KIND_SETTLER, &settler_jacobi.entry, &ei));
  OK(mho_registry_add(registry, MHO_KIND_TOPOLOGY, &topology_roles.entry, &ei));
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_closed_form_by_events), cmocka_unit_test(test_closed_form_by_clock),
      cmocka_unit_test(test_phases_go_on),          cmocka_unit_test(test_training_with_spikes),
      cmocka_unit_test(test_trace_by_clock),        cmocka_unit_test(test_trace_by_events),
      cmocka_unit_test(test_trace_of_links),        cmocka_unit_test(test_what_does_not_fit),
      cmocka_unit_test(test_links_of_every_role),   cmocka_unit_test(test_connections_of_roles),
      cmocka_unit_test(test_difference_of_roles),
  };
  return cmocka_run_group_tests(tests, setup, teardown_registry);
}
