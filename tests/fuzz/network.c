/* network.c - networks of other programs: .npz, safetensors and ONNX, by what they begin with.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "fuzz.h"
#include "train/network_file.h"

/* Weights that are taken are finite, and are those of layers. */
static void check_layers(const mho_chain *c) {
  must(c->n > 0, "a network without layers");
  for (int l = 0; l < c->n; l++) {
    const mho_chain_layer *k = &c->layer[l];
    size_t n = (size_t)k->out * mho__chain_fan_in(k);
    must(k->w && n > 0, "a layer without weights");
    for (size_t i = 0; i < n; i++)
      must(!isnan(k->w[i]), "a weight that is no number");
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  mho_errinfo ei = {0};
  mho_network_file *f = NULL;
  mho_config *config = NULL;
  double mean = 0.25, std = 0.5;
  mho_network_file_options o = {.n_mean = size % 2, .n_std = size % 2, .mean = &mean, .std = &std};

  mho_err err = mho_network_file_read(file_of(data, size), &o, &f, &ei);
  check_error(err, &ei);
  must(!err == (f != NULL), "a network and an error, or neither");
  if (!err)
    check_layers(&f->chain);
  if (!err)
    must(!mho_config_new(&config, NULL), "no config");
  if (!err)
    check_error(mho__network_file_config(f, config, NULL, &ei), &ei);

  mho_config_free(config);
  mho_network_file_free(f);
  return 0;
}
