/* What a presentation costs in networks that learn from spikes: Diehl & Cook's with 400 neurons and
 * Querlioz' with 50, seconds beside the floor that memory sets; run by `meson test --benchmark`.
 * The images are MNIST's where they are found, else random bytes, with many times the spikes.
 *
 * The floor is the bytes of the rows that spiked, of the cells that were pulsed (a conductance and
 * a weight, read and written) and of sums of columns, over the rate at which one core reads a
 * matrix of the same size. Samples learn one after another, on one core; a neuron that is not heard
 * of still has its potential moved in every step, which the floor leaves out.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "bench.h"

#include <time.h>

#include "mho/data.h"
#include "train/trainer.h"

enum { IMAGES = 1000 };

typedef struct subject {
  const char *name, *yaml;
  int presentations; /* of a published training */
} subject;

static const subject subjects[] = {
    {"Diehl & Cook, 400 neurons, 250 steps",
     "network: {hidden: [400], output: votes, w_max: 1, w_start: 0.3}\n"
     "neuron: {tau: 100 ms, threshold: {value: 13, law: spike, plus: 0.05, tau: 1e4 s}, reset: "
     "value, reset_to: 5, refractory: 5 ms, inhibit: line, winners: one}\n"
     "settle: {method: steps, steps: 250, dt: 1 ms, encode: {kind: poisson, rate: 128 Hz}}\n"
     "rule: {name: stdp, window: exponential, traces: nearest, tau_pre: 20 ms, tau_post: 20 ms, "
     "rate_post: 1, rate_pre: 0.01, normalize: 78.4}\n"
     "update: {optimizer: sgd, scheme: stochastic, rate: 0.01}\n"
     "device: {model: linear, mapping: single, step_up: 0.01, step_down: 0.01}\n",
     60000},
    {"Querlioz, 50 neurons, 200 steps",
     "network: {hidden: [50], output: votes, w_max: 1}\n"
     "neuron: {tau: 100 ms, threshold: {value: 50}, reset: value, refractory: 10 ms, inhibit: "
     "line, winners: one}\n"
     "settle: {method: steps, steps: 200, dt: 5 ms, encode: {kind: regular, rate: 22 Hz, "
     "silent_below: 0.33}}\n"
     "rule: {name: stdp, window: rectangular, tau_pre: 50 ms}\n"
     "update: {optimizer: sgd, scheme: stochastic, rate: 5.39e-4}\n"
     "device: {model: exp_step, mapping: single, step_up: 1.7e-7, a_up: -10000, gamma_up: 3, "
     "step_down: 0.0007, a_down: 0, gamma_down: 0, variation: {step: 0.01, g_low: 0.1, g_high: "
     "0.1}}\n",
     600000},
};

static double processor_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Bytes a second of a matrix that is read over and over, on one core; best of five. */
static double read_rate(size_t n) {
  mho_real *w = mho_alloc(n, sizeof *w);
  int passes = (int)(1e8 / (double)n);
  double best = 0;
  for (int k = 0; k < 5; k++) {
    double start = mho_seconds();
    volatile mho_real keep = 0;
    for (int i = 0; i < passes; i++) {
      mho_real sum = 0;
#pragma omp simd reduction(+ : sum)
      for (size_t j = 0; j < n; j++)
        sum += w[j];
      keep = sum;
    }
    (void)keep;
    double rate = (double)passes * (double)(n * sizeof *w) / (mho_seconds() - start);
    best = rate > best ? rate : best;
  }
  mho_free(w);
  return best;
}

/* Rows that were read in the epoch: a spike drives its row with 1. */
static double spikes_read(const mho_meter *m) {
  double sum = 0;
  for (int i = 0; i < m->inputs[0]; i++)
    sum += m->squares[0][i];
  return sum;
}

static void bench(const mho_registry *r, const mho_context *ctx, const subject *s) {
  mho_errinfo ei = {0};
  mho_config *c;
  mho_experiment *e;
  mho_trainer *t;
  char yaml[256];
  snprintf(yaml, sizeof yaml,
           "dataset: {name: %s, train: %d}\ndynamics: spiking\ntrain: {batch: 1}\n",
           has_mnist(r) ? "mnist" : "random", IMAGES);
  if (mho_config_new(&c, &ei) || mho_config_text(c, s->yaml, "bench", &ei) ||
      mho_config_text(c, yaml, "bench", &ei) || mho_experiment_new(r, c, false, &e, &ei) ||
      mho_trainer_new(ctx, e, &t, &ei))
    die(&ei);

  mho_epoch_row row;
  double best = 1e9, busy = 1e9;
  for (int i = 0; i < 3; i++) {
    double before = processor_seconds();
    if (mho_trainer_epoch(t, &row, &ei))
      die(&ei);
    double used = processor_seconds() - before;
    busy = used < busy ? used : busy;
    best = row.wall_s < best ? row.wall_s : best;
  }

  const mho_crossbar *x = mho_trainer_network(t)->connection[0].xb;
  double cells = (double)mho_crossbar_cells(x), rate = read_rate(mho_crossbar_cells(x));
  double spikes = spikes_read(t->at.meter), pulses = t->at.sums.set + t->at.sums.reset;
  double read = spikes * x->cols + t->at.sums.verify_reads;
  double bytes = sizeof(mho_real) * read + 2 * (sizeof(float) + sizeof(mho_real)) * pulses;
  printf("%s: %.3f ms an image, %.3f ms of the processor; %d images %.0f s\n", s->name,
         1e3 * best / IMAGES, 1e3 * busy / IMAGES, s->presentations,
         best / IMAGES * s->presentations);
  printf("  %.0f spikes, %.3g cells read and %.3g pulsed an image of %.3g; %.3g spikes, %.3g cells "
         "read a second\n",
         spikes / IMAGES, read / IMAGES, pulses / IMAGES, cells, spikes / best, read / best);
  printf("  floor %.4f ms (%.3g bytes an image at %.3g a second), ratio %.1f\n",
         1e3 * bytes / rate / IMAGES, bytes / IMAGES, rate, best * rate / bytes);
  fflush(stdout);

  mho_config_free(c);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

/* bench_spikes [WORD]: of all networks, or of those with the word in their name. */
int main(int argc, char **argv) {
  mho_context ctx = {0};
  mho_registry *r = open_bench(&ctx);
  printf("%s, %d images a training\n", has_mnist(r) ? "MNIST" : "random images", IMAGES);
  for (int i = 0; i < MHO_COUNT(subjects); i++)
    if (argc < 2 || strstr(subjects[i].name, argv[1]))
      bench(r, &ctx, &subjects[i]);
  mho_pool_free(ctx.pool);
  mho_registry_free(r);
  return 0;
}
