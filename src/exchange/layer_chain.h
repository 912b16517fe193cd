/* layer_chain.h - a trained network as other programs have it: layers one after another.
 *
 *   a = W z + b, dense, or a convolution over the positions of z;   z' = pool(rho(a))
 *
 * Weights lie as PyTorch and ONNX have them: [out x in] of a dense layer, [out x in x kernel x
 * kernel] of a convolution, whose output is planar, a channel's plane after the other. Padding is
 * zeros around the planes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_EXCHANGE_LAYER_CHAIN_H
#define MHO_EXCHANGE_LAYER_CHAIN_H

#include "exchange/tensors.h"

enum { MHO_CHAIN_LAYERS = 64, MHO_CHAIN_NAME = 128 };

/** Windows side by side over the planes of a convolution. */
typedef enum mho_window { MHO_WINDOW_NONE, MHO_WINDOW_MAX, MHO_WINDOW_MEAN } mho_window;

/** A layer: its weights, and what is done with their sums. */
typedef struct mho_chain_layer {
  char name[MHO_CHAIN_NAME]; /**< as messages have it: "fc1", "node Conv_0" */
  int in, out;               /**< channels of a convolution, else neurons */
  int kernel;                /**< 0: dense */
  int stride, padding;
  double *w, *b;      /**< [out x in (x kernel x kernel)], [out]; b nullable: 0 */
  const char *neuron; /**< id of rho, static; NULL: none (linear) */
  mho_window window;
  int pool;         /**< side of the windows; 0: none */
  bool pooled_sums; /**< the windows are over the sums, before rho */
  /** Of the sums; 1 x 1 of a dense layer, 0 where it is not known. */
  int height, width;
} mho_chain_layer;

/** What a file says of a network beyond its weights. */
typedef struct mho_chain {
  int n;
  mho_chain_layer layer[MHO_CHAIN_LAYERS];
  /** Strides, pools and neurons are said; else the config has to say them. */
  bool whole;
  bool softmax;                /**< behind the last layer */
  int channels, height, width; /**< of the input; height and width 0: not known, or no image */
} mho_chain;

/** Add a layer, its weights [out x in x kernel^2] zero and without biases. @return MHO_OK;
 *  MHO_EDATA for too many layers; MHO_ENOMEM. */
mho_err mho__chain_add(mho_chain *c, const char *file, const char *name, int out, int in,
                       int kernel, mho_chain_layer **layer, mho_errinfo *ei);
/** Give a layer biases of 0 where it has none. MHO_ENOMEM. */
mho_err mho__chain_bias(mho_chain_layer *layer, mho_errinfo *ei);
/** Frees the layers' weights and empties the chain. */
void mho__chain_free(mho_chain *c);
/** Weights of a layer that lead to one of its outputs. */
static inline size_t mho__chain_fan_in(const mho_chain_layer *layer) {
  size_t square = layer->kernel ? (size_t)layer->kernel * (size_t)layer->kernel : 1;
  return (size_t)layer->in * square;
}

/** A chain of the arrays NAME.weight and NAME.bias of a file, as PyTorch's state_dict has them:
 *  convolutions before dense layers, else in the order of the file, or by `order`.
 *  @param sorted  the file's order says nothing: by name, numbers in it as numbers.
 *  @param order   "conv1,fc1,fc2": the layers in their order; NULL: as above.
 *  @return MHO_OK; MHO_EDATA for arrays that are none of such layers, or do not follow each other;
 *          MHO_ENOTFOUND for a name in `order` that is none; MHO_ENOMEM. */
mho_err mho__chain_of_tensors(const mho_tensors *all, const char *file, bool sorted,
                              const char *order, mho_chain *out, mho_errinfo *ei);

/* Foldings: what a network of mho has no part for becomes weights that say the same. */

/** Means over windows into the layer before (of sums) or behind (of activities): those of the
 *  layer are then gone. @return MHO_OK; MHO_EDATA where that is not exact; MHO_ENOMEM. */
mho_err mho__fold_means(mho_chain *c, const char *file, mho_errinfo *ei);
/** (a - mean) scale + shift of every output's sums, [out] each, into the layer's weights. */
mho_err mho__fold_normalization(mho_chain_layer *layer, const double *mean, const double *scale,
                                const double *shift, mho_errinfo *ei);
/** The normalization (x - mean)/spread of the inputs into the first layer; n of each: one for all
 *  inputs, or one a channel. @return MHO_OK; MHO_EINVAL where that is not exact; MHO_ENOMEM. */
mho_err mho__fold_inputs(mho_chain *c, int n, const double *mean, const double *spread,
                         mho_errinfo *ei);

#endif
