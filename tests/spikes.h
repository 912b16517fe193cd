/* spikes.h - for tests of neurons that spike: a network, its weights and inputs set by hand, and a
 * phase that is looked at after every step.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TEST_SPIKES_H
#define MHO_TEST_SPIKES_H

#include "array/weights.h"
#include "experiment.h"
#include "mho/model/check.h"
#include "settle/links.h"

enum { SAMPLES = 6, INPUTS = 64 }; /* of the digits */

typedef struct spikes {
  mho_experiment *e;
  mho_trainer *t;
  mho_network *net;
  mho_state *s;
  mho_thread thread;
  mho_phase p;
} spikes;

/* A network at rest, all weights into hidden layers 0 and all inputs 0. */
static inline spikes *spikes_new(const char *yaml) {
  spikes *k = calloc(1, sizeof *k);
  char whole[4096];
  bool has_rule = strstr(yaml, "rule: csdp");
  snprintf(whole, sizeof whole, "%s%s", has_rule ? "" : "dynamics: spiking\nrule: perturb\n", yaml);
  k->e = experiment(whole);
  k->t = trainer(k->e);
  k->net = mho_trainer_network(k->t);
  const mho_dynamics *dynamics = (const mho_dynamics *)k->e->dynamics.entry;
  OK(mho_state_new(k->net, SAMPLES, MHO_STATE_INPUT, &k->s, &ei));
  OK(mho_state_add_variables(k->s, k->net, dynamics, &ei));

  k->thread =
      (mho_thread){.settler = (const mho_settler *)k->e->settler.entry,
                   .params = k->e->settler.params,
                   .encode = &k->e->settle.encode,
                   .noise_seed = 11,
                   .scratch = calloc(mho_settle_scratch(k->net, SAMPLES), sizeof(mho_real))};
  if (k->thread.settler->workspace_new)
    OK(k->thread.settler->workspace_new(k->net, k->thread.params, SAMPLES, &k->thread.workspace,
                                        &ei));
  k->p = (mho_phase){.net = k->net, .dyn = dynamics, .s = k->s, .n = 1, .thread = &k->thread};

  for (int c = 0; c < k->net->n_connections; c++) {
    mho_crossbar *x = k->net->connection[c].xb;
    size_t cells = (size_t)x->rows * (size_t)x->cols;
    mho_real *w = calloc(cells, sizeof *w);
    if (k->net->connection[c].role != MHO_LATERAL)
      mho_crossbar_set(x, 0, cells, w);
    free(w);
  }
  return k;
}

static inline void spikes_free(spikes *k) {
  if (k->thread.settler->workspace_free)
    k->thread.settler->workspace_free(k->thread.workspace);
  free(k->thread.scratch);
  mho_state_free(k->s);
  mho_trainer_free(k->t);
  mho_experiment_free(k->e);
  free(k);
}

static inline void set_weight(spikes *k, int connection, int row, int col, double w) {
  mho_crossbar *x = k->net->connection[connection].xb;
  mho_real v = (mho_real)w;
  mho_crossbar_set(x, (size_t)(row * x->cols + col), 1, &v);
}

static inline double weight(const spikes *k, int connection, int row, int col) {
  const mho_crossbar *x = k->net->connection[connection].xb;
  return (double)mho__crossbar_programmed(x)[row * x->cols + col];
}

static inline mho_real *input(spikes *k, int sample) {
  return k->s->z[0] + sample * INPUTS;
}

/* Run the phase; the steps that it has taken. */
static inline double run(spikes *k) {
  mho_settle_stats stats = {0};
  mho_settle(&k->p, &stats);
  return stats.steps / k->p.n;
}

/* Numbers of a variable of the table, in a layer, from a sample on. */
static inline double *exact(const spikes *k, const char *name, int layer, int sample) {
  int v = mho_vars_find(k->s->vars, name);
  assert_true(v >= 0);
  return mho_vars_exact(k->s->vars, v, layer, sample);
}

static inline mho_real *real(const spikes *k, const char *name, int layer, int sample) {
  int v = mho_vars_find(k->s->vars, name);
  assert_true(v >= 0);
  return mho_vars_real(k->s->vars, v, layer, sample);
}

/* An experiment is refused by a sentence that says so. */
static inline void refused(const char *yaml, const char *says) {
  mho_experiment *e;
  mho_errinfo why;
  if (!mho_experiment_of_yaml(registry, yaml, 0, NULL, &e, &why))
    fail_msg("'%s' is not refused", yaml);
  if (!strstr(why.message, says))
    fail_msg("'%s' says '%s', expected '%s'", yaml, why.message, says);
}

/* The rate of a neuron with a threshold of 15 that rises with its spikes, under a constant drive:
 * refractory for 2 ms, tau 20 ms; by bisection. */
static inline double adapted_rate(double drive, double plus, double tau_theta) {
  double low = 0, high = 1 / 2e-3;
  for (int i = 0; i < 200; i++) {
    double r = (low + high) / 2, theta = 15 + plus * tau_theta * r;
    double rate = drive > theta ? 1 / (2e-3 + 20e-3 * log(drive / (drive - theta))) : 0;
    *(rate > r ? &low : &high) = r;
  }
  return low;
}

#endif
