/* Trainings by the times of spikes: results that do not depend on threads or a resume, by a clock,
 * from event to event and with waveforms on lines, on arrays and devices of all kinds; and that
 * events learn.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "checkpoints.h"

#define SMALL                                                                                      \
  "rule: stdp\nnetwork: {hidden: [12]}\ndataset: {train: 9, test: 5}\ntrain: {epochs: 2}\n"
#define CLOCK  SMALL "settle: {steps: 40}\n"
#define EVENTS SMALL "settle: {method: events, time: 40 ms}\n"
#define WAVES                                                                                      \
  "network: {hidden: [5]}\ndataset: {train: 6, test: 4}\ntrain: {epochs: 2}\nsettle: {steps: "     \
  "20}\nrule: {name: stdp, window: waveform, row: 0.3 V for 6 ms, column: '-0.4 V for 1 ms, 0.7 "  \
  "V for 2 ms'}\n"

static const char *const configs[] = {
    CLOCK,
    CLOCK "rule: {window: exponential, traces: all, tau_slow: 40 ms, normalize: 6}\n",
    WAVES "device: {model: vteam, width: 5 ms}\n",
    WAVES "device: {model: vteam, width: 5 ms, variation: {step: 0.2}}\n"
          "array: {read_noise: 0.02}\n",
    EVENTS,
    CLOCK "network: {votes: proportion}\n",
    EVENTS "network: {votes: proportion}\nneuron: {synapse: current}\n",
    EVENTS "rule: {window: exponential, traces: all, tau_slow: 40 ms, normalize: 6}\n",
    EVENTS "network: {lateral: true}\nneuron: {inhibit: threshold, winners: all, delay: {forward: "
           "1.5 ms, lateral: 0.5 ms}}\n",
    EVENTS "neuron: {synapse: current, inhibit: max, winners: all, variation: {tau: 0.2}}\n"
           "settle: {encode: {kind: direct}}\n",
    EVENTS
    "device: {model: linear, cycle_to_cycle: 0.3}\narray: {read_noise: 0.02, wire: {r_word: 1 "
    "ohm, r_bit: 1 ohm}}\n",
    EVENTS "device: {mapping: differential}\nupdate: {scheme: pulses}\nsettle: {encode: {kind: "
           "latency}}\nneuron: {threshold: {law: spike}}\n",
    "dynamics: spiking\nrule: perturb\nnetwork: {hidden: [12, 6]}\ndataset: {train: 25, test: "
    "20}\ntrain: {epochs: 2, batch: 10}\nneuron: {threshold: {value: 0.3}}\nsettle: {method: "
    "events, time: 40 ms}\ndevice: linear\n",
};

static void test_threads_and_resume(void **state) {
  for (int i = 0; i < MHO_COUNT(configs); i++) {
    mho_experiment *e = experiment(configs[i]);
    mho_blob one = train(e, 1, 2, NULL), two = train(e, 2, 2, NULL);
    mho_blob first = train(e, 2, 1, NULL), resumed = train(e, 1, 1, &first);
    mho_blob *all[] = {&one, &two, &first, &resumed};
    same_weights(&one, &two);
    same_weights(&one, &resumed);
    assert_true(memcmp((char *)one.data + 136, (char *)first.data + 136, one.size - 136));
    for (int k = 0; k < MHO_COUNT(all); k++)
      mho_blob_free(all[k]);
    mho_experiment_free(e);
  }
}

/* 300 images of digits, twice, with the published scheme: nearly as by the clock. */
static void test_events_learn(void **state) {
  static const char *const phases[] = {"steps: 100", "method: events, time: 100 ms"};
  double accuracy[2];
  for (int i = 0; i < 2; i++) {
    char yaml[512];
    snprintf(yaml, sizeof yaml,
             "rule: stdp\nnetwork: {hidden: [50]}\ndataset: {train: 200, test: 200}\n"
             "settle: {%s}\n",
             phases[i]);
    mho_experiment *e = experiment(yaml);
    mho_trainer *t = trainer(e);
    mho_epoch_row row;
    mho_evaluation evaluation;
    for (int epoch = 0; epoch < 2; epoch++)
      OK(mho_trainer_epoch(t, &row, &ei));
    OK(mho_trainer_evaluate(t, &mho_trainer_dataset(t)->test, &evaluation, &ei));
    accuracy[i] = evaluation.accuracy;
    mho_trainer_free(t);
    mho_experiment_free(e);
  }
  print_message("  by the clock %.3f, from event to event %.3f\n", accuracy[0], accuracy[1]);
  assert_true(accuracy[1] > 0.5 && fabs(accuracy[0] - accuracy[1]) < 0.12);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_threads_and_resume),
      cmocka_unit_test(test_events_learn),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
