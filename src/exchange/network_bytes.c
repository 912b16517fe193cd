/* network_bytes.c - the file of a trained network, in any of the formats, as a chain of layers.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "exchange/network_bytes.h"

#include <string.h>

#include "exchange/onnx_chain.h"

mho_format mho__format_of_name(const char *path) {
  static const struct {
    const char *ending;
    mho_format format;
  } formats[] = {{".npz", MHO_FORMAT_NPZ},
                 {".safetensors", MHO_FORMAT_SAFETENSORS},
                 {".onnx", MHO_FORMAT_ONNX}};
  size_t n = strlen(path);
  for (int k = 0; k < MHO_COUNT(formats); k++) {
    size_t length = strlen(formats[k].ending);
    if (n > length && !strcmp(path + n - length, formats[k].ending))
      return formats[k].format;
  }
  return MHO_FORMAT_NONE;
}

mho_err mho__chain_of_bytes(const void *bytes, size_t length, mho_format format, const char *file,
                            const char *order, mho_chain *out, mho_errinfo *ei) {
  mho_tensors all = {0};
  *out = (mho_chain){0};
  if (format == MHO_FORMAT_ONNX && order)
    return mho_fail(ei, MHO_EINVAL,
                    "--layers: an ONNX file says the order of its layers itself: leave it out");
  if (format == MHO_FORMAT_ONNX)
    return mho__chain_of_onnx(bytes, length, file, out, ei);

  bool sorted = format == MHO_FORMAT_SAFETENSORS;
  mho_err err = sorted ? mho__safetensors_read(bytes, length, file, &all, ei)
                       : mho__npz_read(bytes, length, file, &all, ei);
  if (!err)
    err = mho__chain_of_tensors(&all, file, sorted, order, out, ei);
  mho__tensors_free(&all);
  return err;
}

mho_err mho__chain_write(const mho_chain *c, mho_format format, FILE *f, mho_errinfo *ei) {
  switch (format) {
  case MHO_FORMAT_NPZ:
    return mho__npz_write(c, f, ei);
  case MHO_FORMAT_SAFETENSORS:
    return mho__safetensors_write(c, f, ei);
  default:
    return mho__onnx_write(c, f, ei);
  }
}

float *mho__layer_numbers(const mho_chain_layer *l, bool biases, int dim[4], int *n_dims,
                          size_t *n) {
  const double *from = biases ? l->b : l->w;
  *n = biases ? (size_t)l->out : (size_t)l->out * mho__chain_fan_in(l);
  *n_dims = l->kernel ? 4 : 2;
  if (biases)
    *n_dims = 1;
  dim[0] = l->out;
  dim[1] = l->in;
  dim[2] = dim[3] = l->kernel;

  float *v = mho_alloc(*n, sizeof *v);
  for (size_t i = 0; v && i < *n; i++)
    v[i] = (float)from[i];
  return v;
}
