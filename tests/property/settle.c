/* Settling and training: the map's fixed point, the wavefront from rest, resume, and independence
 * of the threads.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "checkpoints.h"
#include "mho/model/check.h"
#include "train/trainer.h"

/* The map written out with plain loops in double, against the settler. */
static void reference(const char *neuron, const char *mode, int steps, bool nudge, bool grows) {
  enum { N = 5 };
  char yaml[512];
  snprintf(yaml, sizeof yaml,
           "network: {hidden: [9, 7, 6], neuron: %s, forward_scale: 0.8}\nfeedback: {mode: %s, "
           "scale: 0.2}\nsettle: {method: synchronous, free: %d, nudged: %d, nudge_course: %s}\n"
           "rule: {nudge: 0.5}\ntrain: {batch: %d}\n",
           neuron, mode, steps, steps, grows ? "growing" : "constant", N);
  mho_experiment *e = experiment(yaml);
  mho_trainer *t;
  OK(mho_trainer_new(NULL, e, &t, &ei));
  const mho_network *net = mho_trainer_network(t);
  const mho_dataset *d = mho_trainer_dataset(t);
  const mho_neuron *rho = (const mho_neuron *)e->neuron.entry;
  const mho_settler *settler = (const mho_settler *)e->settler.entry;
  mho_state *s, *s2;
  OK(mho_state_new(net, N, MHO_STATE_INPUT, &s, &ei));
  OK(mho_state_new(net, N, 0, &s2, &ei));
  mho_images_batch(d, &d->train, NULL, 0, N, s->z[0], NULL);
  mho_real *scratch = calloc(mho_settle_scratch(net, N), sizeof *scratch), error[N * 10];
  for (int i = 0; i < N * 10; i++)
    error[i] = (mho_real)((i * 37 % 19) / 19.0 - 0.5);
  mho_settle_stats stats = {0};
  mho_thread thread = {.settler = settler, .params = e->settler.params, .scratch = scratch};
  mho_phase p = {.net = net,
                 .dyn = (const mho_dynamics *)e->dynamics.entry,
                 .s = s,
                 .n = N,
                 .thread = &thread};
  mho_settle(&p, &stats);
  NEAR(stats.steps, steps * N, 0, 0);
  if (nudge) {
    p.s = s2;
    p.start = s;
    p.drive = (mho_drive){.kind = MHO_DRIVE_HELD, .strength = 0.5, .error = error, .free = s};
    mho_settle(&p, &stats);
  }
  for (int k = 0; k < N; k++) {
    double z[5][64] = {{0}}, next[5][64];
    for (int i = 0; i < 64; i++)
      z[0][i] = (double)s->z[0][k * 64 + i];
    for (int phase = 0; phase <= (nudge ? 1 : 0); phase++)
      for (int step = 0; step < steps; step++) {
        for (int l = 1; l <= 3; l++)
          for (int j = 0; j < net->layer[l].n; j++) {
            double a = 0;
            for (int i = 0; i < net->n_links; i++) {
              const mho_link *link = &net->link[i];
              if (link->to != l || (link->from == 4 && !phase))
                continue;
              const mho_crossbar *x = net->connection[link->connection].xb;
              double scale = link->from == 4  ? -0.5 * (grows ? step + 1 : 1)
                             : link->from > l ? 0.2
                             : link->from     ? 0.8
                                              : 1;
              for (int m = 0; m < net->layer[link->from].n; m++) {
                double w =
                    (double)(link->transposed ? mho__crossbar_programmed(x)[j * x->cols + m]
                                              : mho__crossbar_programmed(x)[m * x->cols + j]);
                a += scale * w * (link->from == 4 ? (double)error[k * 10 + m] : z[link->from][m]);
              }
            }
            mho_real in = (mho_real)a, out;
            rho->activate(1, &in, &out);
            next[l][j] = (double)out;
          }
        for (int l = 1; l <= 3; l++)
          memcpy(z[l], next[l], sizeof z[l]);
      }
    const mho_state *got = nudge ? s2 : s;
    for (int l = 1; l <= 3; l++)
      for (int j = 0; j < net->layer[l].n; j++)
        NEAR(got->z[l][k * net->layer[l].n + j], z[l][j], 0, 3e-6);
  }
  free(scratch);
  mho_state_free(s);
  mho_state_free(s2);
  mho_trainer_free(t);
  mho_experiment_free(e);
}

static void test_synchronous_map(void **state) {
  static const char *neurons[] = {"tanh", "sigmoid", "hard_sigmoid", "relu", "linear"};
  for (int n = 0; n < MHO_COUNT(neurons); n++)
    for (int steps = 1; steps <= 6; steps++)
      for (int nudge = 0; nudge < 3; nudge++) {
        reference(neurons[n], "symmetric", steps, nudge, nudge == 2);
        reference(neurons[n], "asymmetric", steps, nudge, nudge == 2);
      }
}

/* Free and nudged phase of the synchronous map; with a meter every step is read, as hardware
 * does. Returns the reads. */
static double synchronous_states(mho_trainer *t, const mho_experiment *e, mho_meter *meter,
                                 bool live, mho_state *const *s) {
  enum { N = 20 };
  const mho_network *net = mho_trainer_network(t);
  const mho_dataset *d = mho_trainer_dataset(t);
  const mho_settler *settler = (const mho_settler *)e->settler.entry;
  int last = mho_network_output(net);
  uint8_t label[N];
  mho_images_batch(d, &d->train, NULL, 0, N, s[0]->z[0], label);
  mho_real *scratch = calloc(mho_settle_scratch(net, N), sizeof *scratch), error[N * 10];
  mho_settle_stats stats = {0};
  mho_thread thread = {.settler = settler, .params = e->settler.params, .scratch = scratch};
  mho_probe probe = {.meter = meter};
  mho_phase p = {.net = net,
                 .dyn = (const mho_dynamics *)e->dynamics.entry,
                 .s = s[0],
                 .n = N,
                 .drive = {.targets = {.label = label}},
                 .thread = &thread,
                 .probe = &probe};
  double loss = 0;
  int64_t correct = 0;
  mho_settle(&p, &stats);
  mho_read_out(&p, error, &loss, &correct, &stats);
  assert_int_equal(net->layer[last].n, 10);
  p.s = s[1];
  p.start = s[0];
  p.drive.kind = live ? MHO_DRIVE_LIVE : MHO_DRIVE_HELD;
  p.drive.strength = 0.5;
  p.drive.error = error;
  p.drive.free = s[0];
  mho_settle(&p, &stats);
  NEAR(stats.steps, 150 * N, 0, 0);
  free(scratch);
  return stats.reads;
}

/* Layers that repeat themselves are not multiplied, and what comes out is the same to the bit. */
static void test_repeated_steps(void **state) {
  static const char *nets[] = {
      "network: {hidden: [16, 12, 12, 8]}\nfeedback: {scale: 0.1}\n",
      "network: {hidden: [16, 12, 12, 8], neuron: hard_sigmoid, biases: true}\nfeedback: {scale: "
      "0.1, mode: asymmetric}\n",
      "network: {hidden: [12, 12, 12, 12], topology: residual}\nfeedback: {scale: 0.1}\n",
      "network: {topology: conv, conv: [4x3, pool2, 6x2], neuron: hard_sigmoid, biases: true}\n"
      "feedback: {scale: 0.01}\n",
      "network: {hidden: [20]}\n",
  };
  for (int i = 0; i < 2 * MHO_COUNT(nets); i++) {
    char yaml[512];
    snprintf(yaml, sizeof yaml, "%ssettle: {method: synchronous, free: 100, nudged: 50}\n",
             nets[i / 2]);
    mho_experiment *e = experiment(yaml);
    mho_trainer *t;
    mho_meter *meter;
    mho_state *s[2], *full[2];
    OK(mho_trainer_new(NULL, e, &t, &ei));
    const mho_network *net = mho_trainer_network(t);
    OK(mho_meter_new(net, false, &meter, &ei));
    for (int k = 0; k < 2; k++) {
      OK(mho_state_new(net, 20, k ? 0 : MHO_STATE_INPUT, &s[k], &ei));
      OK(mho_state_new(net, 20, k ? 0 : MHO_STATE_INPUT, &full[k], &ei));
    }
    double reads = synchronous_states(t, e, NULL, i % 2, s),
           all = synchronous_states(t, e, meter, i % 2, full);
    /* winners of a pooling may pass on for ever, and one layer has no neighbours */
    assert_true(reads < 0.8 * all || net->layer[1].pool.size || net->n_layers == 3);
    for (int k = 0; k < 2; k++)
      for (int l = 1; l < mho_hidden_end(net); l++)
        assert_memory_equal(s[k]->z[l], full[k]->z[l],
                            20 * (size_t)net->layer[l].n * sizeof(mho_real));
    for (int k = 0; k < 2; k++) {
      mho_state_free(s[k]);
      mho_state_free(full[k]);
    }
    mho_meter_free(meter);
    mho_trainer_free(t);
    mho_experiment_free(e);
  }
}

/* With a tolerance the settle stops at the fixed point; what does not settle is counted. */
static void test_tolerance(void **state) {
  mho_experiment *e =
      experiment("network: {hidden: [32, 32]}\nfeedback: {scale: 0.1}\nsettle: {method: "
                 "synchronous, free: 500, nudged: 5, tolerance: 1e-6}\n");
  mho_trainer *t;
  mho_evaluation v;
  OK(mho_trainer_new(NULL, e, &t, &ei));
  OK(mho_trainer_evaluate(t, &mho_trainer_dataset(t)->test, &v, &ei));
  assert_true(v.settle_steps > 3 && v.settle_steps < 100);
  assert_int_equal(v.unsettled, 0);
  mho_trainer_free(t);
  mho_experiment_free(e);
  e = experiment(
      "network: {hidden: [64, 64, 64]}\nfeedback: {mode: asymmetric, scale: 4}\nsettle: {free: "
      "60, tolerance: 1e-6}\n");
  OK(mho_trainer_new(NULL, e, &t, &ei));
  OK(mho_trainer_evaluate(t, &mho_trainer_dataset(t)->test, &v, &ei));
  assert_true(v.unsettled > 300); /* of 360: the synchronous map oscillates at this feedback */
  mho_trainer_free(t);
  mho_experiment_free(e);
}

static const char *hardware[] = {
    "network: {hidden: [20, 16]}\ntrain: {batch: 30}\ndevice: {model: soft_bounds, cycle_to_cycle: "
    "0.3, write_noise: 0.01}\nupdate: {scheme: tiki_taka, variant: chopped, transfer_every: 3}\n",
    "network: {hidden: [20, 16]}\ndevice: {model: soft_bounds, cycle_to_cycle: 0.3, variation: "
    "{step: 0.2}}\nupdate: {scheme: tiki_taka, variant: chopped, chop_in: 0.2, chop_out: 0.2, "
    "gamma: 0.2, transfer_every: 3}\narray: {read_noise: 0.01, adc_bits: 8}\n",
    "network: {topology: conv, conv: [4x3 pool2, 5x3], biases: true}\nrule: bp\ndevice: {model: "
    "nl_pulse, write_noise: 0.01, leak: {lifetime: 1e4}}\nupdate: {scheme: tiki_taka, variant: "
    "agad, chop_in: 0.5, reset: 0.1}\narray: {wire: {r_word: 1 ohm, refresh: 4}}\ndataset: {train: "
    "150}\n",
    "network: {hidden: [20], biases: true}\ndevice: {model: linear, mapping: one_sided}\nupdate: "
    "{scheme: tiki_taka, variant: v1, symmetry: none, gamma: 0.1}\narray: {write: {select: half}, "
    "wire: {r_word: 1 ohm}}\ndataset: {train: 150}\ntrain: {batch: 77}\n",
    "network: {hidden: [20], biases: true}\ndevice: {model: linear, cycle_to_cycle: 0.1}\nupdate: "
    "{scheme: stochastic, rate: 0.1, apply: sample}\ndataset: {train: 150}\n",
    "network: {hidden: [20, 16]}\ntrain: {batch: 100}\n",
    "network: {hidden: [20, 16]}\ndevice: {model: soft_bounds, cycle_to_cycle: 0.3, variation: "
    "{step: 0.2}, stuck_on: 0.01}\nupdate: {scheme: pulses, optimizer: momentum}\narray: "
    "{read_noise: 0.01}\n",
    "network: {hidden: [20]}\ndevice: {model: nl_pulse, pulse_noise: 0.001}\nupdate: {scheme: "
    "accumulate}\nrule: {phases: centred, error: live}\narray: {read_noise: 0.02, noise: {law: "
    "proportional, redraw: phase}}\n",
    "network: {hidden: [20, 16]}\ndevice: {model: linear}\nupdate: {scheme: accumulate}\nrule: "
    "{phases: points, order: 1}\narray: {read_noise: 0.02, adc_bits: 8}\nsettle: {average: 3}\n"
    "train: {batch: 77}\n",
    "network: {hidden: [20, 16], output: state}\nfeedback: {scale: 0.5}\ndevice: {model: linear, "
    "cycle_to_cycle: 0.1}\nupdate: {scheme: accumulate}\narray: {read_noise: 0.01}\n",
    "network: {hidden: [12], output: state, biases: true}\nsettle: {method: ode, tolerance: 1e-3}\n"
    "rule: {phases: points, error: live}\ndataset: {train: 150}\ntrain: {batch: 77}\n",
    "network: {hidden: [20]}\ndevice: {model: nl_pulse, nl_up: 9, nl_down: 9, start: 0.9}\n"
    "update: {scheme: pulses}\n",
    "network: {hidden: [20]}\ndevice: {model: linear, mapping: reference, write_error: {c0: 1 "
    "uS}}\nupdate: {scheme: exact}\n",
    "network: {hidden: [20]}\ndevice: {model: linear, levels: 64, write_error: {c0: 1 uS}}\n"
    "update: {scheme: write_verify}\narray: {adc_bits: 8, calibration: {percentile: 95, every: "
    "2}}\n",
    "network: {hidden: [20, 16]}\ndevice: {model: linear, cycle_to_cycle: 0.1}\nupdate: {scheme: "
    "accumulate}\nrule: {name: perturb}\narray: {read_noise: 0.01, dac_bits: 6}\n",
    "network: {hidden: [20, 16]}\nrule: {name: dfc, target: label, gain: 5}\ntrain: {batch: 77}\n",
    "network: {hidden: [20, 16]}\nrule: {name: dfc, control: time, steps: 30, read: mean, target: "
    "label}\narray: {read_noise: 0.01}\nneuron: {variation: {offset: 0.05}}\n",
    "network: {hidden: [20]}\nrule: {name: perturb, of: nodes}\ntrain: {batch: 77}\n",
    "network: {hidden: [20, 16], lateral: true, back: true}\ndynamics: spiking\nneuron: "
    "{threshold: {value: 0.2, law: layer, spread: 0.05}, winners: one, delay: {forward: 2 ms}}\n"
    "settle: {steps: 20, encode: {rate: 500 Hz}}\nrule: perturb\narray: {read_noise: 0.01}\n"
    "train: {batch: 77}\n",
    "network: {hidden: [12]}\nrule: stdp\ndevice: {model: soft_bounds, cycle_to_cycle: 0.3}\n"
    "array: {read_noise: 0.01, wire: {r_word: 1 ohm}}\nsettle: {steps: 30}\ndataset: {train: 40}\n",
    "network: {hidden: [12], lateral: true}\n"
    "rule: {name: stdp, window: exponential, normalize: 9}\n"
    "neuron: {threshold: {law: spike}, delay: {forward: 2 ms}}\ndevice: linear\nupdate: {scheme: "
    "accumulate}\nsettle: {steps: 30}\ndataset: {train: 40}\n",
    "network: {hidden: [20]}\nrule: {name: perturb, law: rms}\n",
    "network: {hidden: [20]}\nrule: {name: perturb, law: gain}\ntrain: {batch: 77}\n",
    "network: {hidden: [20]}\ndevice: linear\nupdate: {scheme: accumulate}\n"
    "rule: {name: perturb, by: pulse, trials: 3, sides: both}\narray: {wire: {r_word: 1 ohm}}\n",
    "network: {hidden: [20, 16]}\ndevice: {model: linear, cycle_to_cycle: 0.1}\nupdate: {scheme: "
    "accumulate}\nrule: {name: balance, gate: bump, tied: both, credit_noise: 0.01}\narray: "
    "{read_noise: 0.01, adc_bits: 8}\ntrain: {batch: 77}\n",
    "network: {topology: agt, hidden: [12, 10, 9]}\nfeedback: {mode: asymmetric, scale: 0.1}\n"
    "device: linear\nupdate: {scheme: stochastic, optimizer: sgd, rate: 0.1}\nrule: balance\n",
    "network: {topology: conv, conv: [4x3 pool2, 5x3]}\nupdate: {apply: sample, optimizer: sgd}\n"
    "rule: {name: balance, gate: window}\ndataset: {train: 150}\n",
    "network: {hidden: [12, 10]}\nrule: {name: balance, credit_noise: 0.01}\nsettle: {method: ode, "
    "tolerance: 1e-3}\nfeedback: {scale: 0.1}\ndataset: {train: 150}\ntrain: {batch: 77}\n",
    "network: {hidden: [20, 20]}\nrule: fa\nupdate: {optimizer: sgd, rate: 0.5}\ntrain: {shuffle: "
    "samples, batch: 77}\n",
    "network: {hidden: [20, 16]}\ndevice: {model: linear, mapping: one_sided}\nupdate: {scheme: "
    "accumulate}\nrule: {name: bp, importance: propagate, importance_by: read, importance_every: "
    "4}\narray: {read_noise: 0.01, adc_bits: 8}\n",
    "network: {hidden: [20, 16]}\ndevice: linear\nupdate: {scheme: stochastic, optimizer: sgd, "
    "rate: 0.1}\nrule: {importance: local, importance_by: probe, importance_every: 7}\narray: "
    "{read_noise: 0.01}\n",
    "network: {hidden: [20, 16]}\ndevice: linear\nupdate: {scheme: accumulate}\nsettle: {method: "
    "synchronous}\nrule: {phases: centred, adaptation: 0.2, adaptation_steps: 3}\narray: "
    "{read_noise: 0.01, adc_bits: 8, differencing: analog}\n",
};

/* A training that is told to stop in the middle of its second epoch. */
static mho_blob train_halfway(const mho_experiment *e) {
  const volatile sig_atomic_t stop = 1;
  mho_context ctx = {.stop = &stop};
  mho_trainer *t;
  mho_epoch_row row;
  mho_checkpoint_row c;
  mho_blob first = train(e, 1, 1, NULL);
  OK(mho_trainer_new(&ctx, e, &t, &ei));
  OK(mho_trainer_load(t, &first, &ei));
  assert_int_equal(mho_trainer_epoch(t, &row, &ei), MHO_EINTERRUPTED);
  assert_true(t->at.batch == 1);
  OK(mho_trainer_save(t, &c, &ei));
  mho_blob_free(&first);
  mho_trainer_free(t);
  return c.blob;
}

static void test_threads_and_resume(void **state) {
  for (int i = 0; i < MHO_COUNT(hardware); i++) {
    mho_experiment *e = experiment(hardware[i]);
    mho_blob one = train(e, 1, 3, NULL), two = train(e, 2, 3, NULL), four = train(e, 4, 3, NULL);
    mho_blob first = train(e, 2, 1, NULL), resumed = train(e, 1, 2, &first);
    mho_blob halfway = train_halfway(e), finished = train(e, 2, 2, &halfway);
    same_weights(&one, &two);
    same_weights(&one, &four);
    same_weights(&one, &resumed);
    same_weights(&one, &finished);
    mho_blob *all[] = {&one, &two, &four, &first, &resumed, &halfway, &finished};
    for (int k = 0; k < MHO_COUNT(all); k++)
      mho_blob_free(all[k]);
    mho_experiment_free(e);
  }
}

/* Less what stands at the end of a checkpoint: its checksum and `more` bytes, which a bit of the
 * version says are there. */
static mho_blob cut(const mho_blob *b, size_t more, uint32_t bit) {
  enum { VERSION = 8, SIZE = 16, CHECKSUM = 1 << 26 }; /* places in the header */
  uint64_t size = b->size - sizeof(uint64_t) - more;
  uint32_t version;
  memcpy(&version, (char *)b->data + VERSION, sizeof version);
  assert_true(version & bit && version & CHECKSUM);
  version &= ~(bit | CHECKSUM);
  memcpy((char *)b->data + VERSION, &version, sizeof version);
  memcpy((char *)b->data + SIZE, &size, sizeof size);
  return (mho_blob){b->data, size};
}

/* A checkpoint of before states had rests opens: they are 0. */
static void test_checkpoint_without_rests(void **state) {
  enum { WITH_RESTS = 1 << 22 };
  mho_experiment *e = experiment(
      "network: {hidden: [20]}\ndevice: {model: nl_pulse, nl_down: 9}\nupdate: {scheme: pulses}\n");
  mho_blob b = train(e, 1, 1, NULL);
  mho_trainer *t;
  OK(mho_trainer_new(NULL, e, &t, &ei));
  const mho_network *net = mho_trainer_network(t);
  size_t rests = 0;
  for (int c = 0; c < net->n_trained; c++)
    rests += 2 * net->connection[c].xb->bank[0]->n * sizeof(float);
  mho_blob earlier = cut(&b, rests, WITH_RESTS);
  OK(mho_trainer_load(t, &earlier, &ei));
  assert_true(net->connection[0].xb->bank[0]->rest[0] == 0);
  mho_trainer_free(t);
  mho_experiment_free(e);
  mho_blob_free(&b);
}

/* What a rule keeps is in a checkpoint; one without it opens, and the rule begins anew. */
static void test_checkpoint_with_kept(void **state) {
  enum { WITH_KEPT = 1 << 24 };
  mho_experiment *e = experiment("network: {hidden: [20]}\nrule: {name: perturb, law: gain}\n");
  mho_blob b = train(e, 1, 1, NULL);
  mho_trainer *t;
  mho_checkpoint_row again;
  double kept[3], zeros[3] = {0};
  size_t at = b.size - sizeof kept - sizeof(uint64_t);
  OK(mho_trainer_new(NULL, e, &t, &ei));
  memcpy(kept, (char *)b.data + at, sizeof kept);
  assert_true(kept[0] > 0 && kept[1] > 0);

  OK(mho_trainer_load(t, &b, &ei));
  OK(mho_trainer_save(t, &again, &ei));
  assert_memory_equal((char *)again.blob.data + at, kept, sizeof kept);
  mho_blob_free(&again.blob);

  mho_blob earlier = cut(&b, sizeof kept, WITH_KEPT);
  assert_int_equal(mho_trainer_load(t, &b, &ei), MHO_EDATA);
  OK(mho_trainer_load(t, &earlier, &ei));
  OK(mho_trainer_save(t, &again, &ei));
  assert_memory_equal((char *)again.blob.data + at, zeros, sizeof zeros);

  mho_blob_free(&again.blob);
  mho_trainer_free(t);
  mho_experiment_free(e);
  mho_blob_free(&b);
}

static void damage(const char *yaml) {
  mho_experiment *e = experiment(yaml);
  mho_blob b = train(e, 1, 1, NULL);
  mho_trainer *t;
  OK(mho_trainer_new(NULL, e, &t, &ei));
  for (size_t n = 0; n < b.size; n += b.size / 50 + 1)
    assert_int_equal(mho_trainer_load(t, &(mho_blob){b.data, n}, &ei), MHO_EDATA);
  assert_int_equal(mho_trainer_load(t, &(mho_blob){b.data, b.size - 1}, &ei), MHO_EDATA);

  enum { CLOCK = 112 }; /* which the checksum leaves out */
  for (size_t at = 0; at < b.size; at += at < 200 ? 1 : b.size / 100 + 1) {
    if (at >= CLOCK && at < CLOCK + sizeof(double))
      continue;
    ((char *)b.data)[at] ^= 1;
    assert_int_equal(mho_trainer_load(t, &b, &ei), MHO_EDATA);
    ((char *)b.data)[at] ^= 1;
  }
  OK(mho_trainer_load(t, &b, &ei));
  mho_trainer_free(t);
  mho_experiment_free(e);
  mho_blob_free(&b);
}

/* A damaged checkpoint is refused, not loaded. */
static void test_damaged_checkpoint(void **state) {
  damage(hardware[0]);
  damage("network: {hidden: [20]}\nrule: {name: perturb, law: rms}\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_checkpoint_with_kept),
      cmocka_unit_test(test_checkpoint_without_rests),
      cmocka_unit_test(test_synchronous_map),
      cmocka_unit_test(test_repeated_steps),
      cmocka_unit_test(test_tolerance),
      cmocka_unit_test(test_threads_and_resume),
      cmocka_unit_test(test_damaged_checkpoint),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
