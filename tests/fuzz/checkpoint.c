/* checkpoint.c - the bytes of a checkpoint. Their first byte says for which of the networks they
 * are meant; what is taken must be saved as bytes that are taken again.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"
#include "mho/train.h"

static const char *const configs[] = {
    "dataset: {train: 20, test: 10}\nnetwork: {hidden: [3]}\ntrain: {batch: 10, chunk: 10}\n",
    "dataset: {train: 20, test: 10}\nnetwork: {hidden: [3]}\ntrain: {batch: 10, chunk: 10}\n"
    "device: soft_bounds\nupdate: {scheme: accumulate}\n",
    "dataset: {train: 20, test: 10}\nnetwork: {hidden: [3]}\ntrain: {batch: 10, chunk: 10}\n"
    "device: {model: nl_pulse, nl_down: 9, endurance: {pulses: 50}, write_noise: 0.01}\n"
    "update: {scheme: accumulate, optimizer: momentum}\nrule: {name: perturb, law: gain}\n"
    "array: {model: periphery, adc_bits: 8, wire: {r_word: 1 ohm, refresh: 5}}\n"};

static mho_trainer *trainer_of(int which) {
  static mho_trainer *trainer[MHO_COUNT(configs)];
  mho_errinfo ei = {0};
  mho_config *c = NULL;
  mho_experiment *e = NULL;
  if (trainer[which])
    return trainer[which];

  mho_err err = mho_config_new(&c, &ei);
  if (!err)
    err = mho_config_text(c, configs[which], "fuzz", &ei);
  if (!err)
    err = mho_experiment_new(registry_of_all(), c, false, &e, &ei);
  if (!err)
    err = mho_trainer_new(NULL, e, &trainer[which], &ei);
  must(!err, ei.message);
  mho_config_free(c);
  return trainer[which];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  mho_errinfo ei = {0};
  if (!size)
    return 0;

  mho_trainer *t = trainer_of(data[0] % MHO_COUNT(configs));
  mho_blob blob = {.data = text_of(data + 1, size - 1), .size = size - 1};
  mho_err err = mho_trainer_load(t, &blob, &ei);
  check_error(err, &ei);
  free(blob.data);

  mho_checkpoint_row row = {0};
  if (!err)
    err = mho_trainer_save(t, &row, &ei);
  if (!err)
    must(!mho_trainer_load(t, &row.blob, &ei), "a checkpoint just written is refused");
  mho_blob_free(&row.blob);
  return 0;
}
