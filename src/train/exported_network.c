/* exported_network.c - a network of mho as a file that other programs read.
 *
 * Layers are called as those of mho, "h1.weight", "out.bias". Weights are what reads multiply with,
 * wires, drift and all, times the scale of their link. What leads back is not in the file.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "base/whole_file.h"
#include "exchange/network_bytes.h"
#include "train/network_file.h"

/* The crossbar of connection c as layer c of a chain. */
static mho_err add_layer(const mho_trainer *t, int c, mho_chain *out, mho_errinfo *ei) {
  const mho_network *net = t->net;
  const mho_connection *k = &net->connection[c];
  const mho_real *w = mho_crossbar_matrix(k->xb);
  const mho_layer *to = &net->layer[k->to];
  size_t cols = (size_t)k->xb->cols;
  int inputs = k->xb->rows - k->bias, kernel = k->conv.kernel, channels, positions;
  double scale = mho__network_file_scale(net, k);
  mho_chain_layer *l;

  mho_err err = mho__chain_add(out, to->name, to->name, k->xb->cols,
                               kernel ? k->conv.channels : inputs, kernel, &l, ei);
  if (!err && k->bias)
    err = mho__chain_bias(l, ei);
  if (err)
    return err;

  mho__network_file_source(net, k, &channels, &positions);
  for (int o = 0; o < l->out; o++)
    for (int i = 0; i < inputs; i++) {
      size_t row = mho__network_file_row(k, i, channels, positions);
      l->w[(size_t)o * (size_t)inputs + (size_t)i] = scale * (double)w[row * cols + (size_t)o];
    }
  for (int o = 0; l->b && o < l->out; o++)
    l->b[o] = scale * (double)w[(size_t)inputs * cols + (size_t)o];

  l->stride = kernel ? k->conv.stride : 1;
  l->padding = k->conv.padding;
  l->neuron = mho_layer_is_hidden(to) ? t->e->neuron.entry->id : NULL;
  l->pool = to->pool.size;
  return MHO_OK;
}

/* The layers of a trainer's network, from input to read-out. */
static mho_err chain_of(const mho_trainer *t, mho_chain *out, mho_errinfo *ei) {
  const mho_network *net = t->net;
  *out = (mho_chain){.softmax = net->output == MHO_OUTPUT_SOFTMAX,
                     .channels = net->layer[0].channels,
                     .height = net->layer[0].height,
                     .width = net->layer[0].width};
  int layers = net->n_layers - 1 - mho_output_has_neurons(net->output), forward = 0;
  if (net->spiking)
    return mho_fail(ei, MHO_EINVAL,
                    "dynamics.name: neurons of '%s' spike, which such files do not hold: mho "
                    "export --weights FOLDER writes every matrix",
                    t->e->dynamics.entry->id);
  for (int c = 0; c < net->n_trained; c++)
    forward += net->connection[c].role == MHO_FORWARD;
  if (forward != layers)
    return mho_fail(ei, MHO_EINVAL,
                    "network.topology: %s is no chain of layers, which such files hold: mho export "
                    "--weights FOLDER writes every matrix",
                    t->e->topology.entry->id);

  for (int c = 0; c < layers; c++) {
    mho_err err = add_layer(t, c, out, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

bool mho_network_file_is(const char *path) {
  return mho__format_of_name(path) != MHO_FORMAT_NONE;
}

mho_err mho_trainer_network_write(const mho_trainer *t, const char *path, mho_errinfo *ei) {
  mho_format format = mho__format_of_name(path);
  if (format == MHO_FORMAT_NONE)
    return mho_fail(ei, MHO_EINVAL,
                    "'%s': expected a name that ends in .npz, .safetensors or .onnx", path);

  if (format == MHO_FORMAT_ONNX && t->net->resistive)
    return mho_fail(
        ei, MHO_EUNSUPPORTED,
        "dynamics.name: a network of resistors passes nothing forward, which an ONNX model "
        "says: write its weights as .npz, .safetensors or into a FOLDER");

  mho_chain c;
  mho_whole_file w = {.f = NULL};
  mho_err err = chain_of(t, &c, ei);
  if (!err && !mho__whole_open(path, &w))
    err = mho_fail_at(ei, mho__io_error(errno), path, 0, "cannot be written: %s", strerror(errno));
  if (!err)
    err = mho__chain_write(&c, format, w.f, ei);
  if (w.f)
    err = mho__whole_end(&w, err, "cannot be written", ei);
  mho__chain_free(&c);
  return err;
}
