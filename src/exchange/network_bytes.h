/* network_bytes.h - the file of a trained network, in any of the formats, as a chain of layers.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_EXCHANGE_NETWORK_BYTES_H
#define MHO_EXCHANGE_NETWORK_BYTES_H

#include <stdio.h>

#include "exchange/layer_chain.h"

/** The formats; of bytes or names that are none of them MHO_FORMAT_NONE. */
typedef enum mho_format {
  MHO_FORMAT_NONE,
  MHO_FORMAT_NPZ,
  MHO_FORMAT_SAFETENSORS,
  MHO_FORMAT_ONNX
} mho_format;

/** The format that a file's name ends in: .npz, .safetensors, .onnx. */
mho_format mho__format_of_name(const char *path);

/** The layers of a network in the bytes of a file.
 *  @param file   stands for it in messages.
 *  @param order  as of mho__chain_of_tensors; of a format that has the order MHO_EINVAL.
 *  @return MHO_OK; as mho__chain_of_tensors and mho__chain_of_onnx. */
mho_err mho__chain_of_bytes(const void *bytes, size_t length, mho_format format, const char *file,
                            const char *order, mho_chain *out, mho_errinfo *ei);
/** Write a chain; an error of the system is left in f.
 *  @return MHO_OK; MHO_ENOMEM; MHO_EINVAL for what is too large for the format. */
mho_err mho__chain_write(const mho_chain *c, mho_format format, FILE *f, mho_errinfo *ei);

/** What each format does; see the functions above. */
mho_err mho__npz_read(const void *bytes, size_t length, const char *file, mho_tensors *out,
                      mho_errinfo *ei);
mho_err mho__npz_write(const mho_chain *c, FILE *f, mho_errinfo *ei);
mho_err mho__safetensors_read(const void *bytes, size_t length, const char *file, mho_tensors *out,
                              mho_errinfo *ei);
mho_err mho__safetensors_write(const mho_chain *c, FILE *f, mho_errinfo *ei);
mho_err mho__onnx_write(const mho_chain *c, FILE *f, mho_errinfo *ei);

/** The weights (or biases) of a layer in single precision, [*n], with their shape; free with
 *  mho_free; NULL where there is no memory. */
float *mho__layer_numbers(const mho_chain_layer *l, bool biases, int dim[4], int *n_dims,
                          size_t *n);

#endif
