/* folding.c - what a network of mho has no part for, as weights that say the same.
 *
 * A mean over p x p windows is linear. Of sums, before rho, it is part of their convolution, whose
 * kernel grows to k + s (p - 1) and its stride to s p. Of activities it is part of the layer that
 * reads them: of a convolution, whose kernel, stride and padding grow p times, every weight in p x
 * p places over p^2; of a dense layer, every weight at the p x p positions of its window.
 *
 * A normalization y = (a - mean) scale + shift of sums scales the weights that lead there, and the
 * bias; (x - mean)/spread of inputs divides the weights that lead from there, and what the means
 * contribute goes to the bias: exactly, where no border of zeros stands beside the inputs.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "exchange/layer_chain.h"

/* ---------------------------------------------------------------- means over windows */

/* Weights of a layer in a new shape, [out x in x side^2]. MHO_ENOMEM. */
static mho_err new_weights(const mho_chain_layer *l, int in, int side, double **w,
                           mho_errinfo *ei) {
  double need = (double)l->out * in * side * side;
  *w = need <= MHO_TENSORS_NUMBERS ? mho_alloc((size_t)need, sizeof **w) : NULL;
  return *w ? MHO_OK
            : mho_fail(ei, MHO_ENOMEM, "no memory for the %g weights of '%s' with its mean", need,
                       l->name);
}

static void replace_weights(mho_chain_layer *l, double *w, int in, int kernel) {
  mho_free(l->w);
  l->w = w;
  l->in = in;
  l->kernel = kernel;
}

/* Add `v` to the p x p places of a plane of `side` columns from (y, x) on. */
static void spread_out(double *plane, int side, int y, int x, int p, double v) {
  for (int dy = 0; dy < p; dy++)
    for (int dx = 0; dx < p; dx++)
      plane[(size_t)(y + dy) * (size_t)side + (size_t)(x + dx)] += v;
}

/* The same of places that are `step` apart. */
static void spread_apart(double *plane, int side, int y, int x, int p, int step, double v) {
  for (int dy = 0; dy < p; dy++)
    for (int dx = 0; dx < p; dx++)
      plane[(size_t)(y + dy * step) * (size_t)side + (size_t)(x + dx * step)] += v;
}

/* Means over the sums of a convolution become part of it. */
static mho_err fold_into_own(mho_chain_layer *l, mho_errinfo *ei) {
  int p = l->pool, k = l->kernel, side = k + l->stride * (p - 1);
  double *w;
  mho_err err = new_weights(l, l->in, side, &w, ei);
  if (err)
    return err;

  size_t planes = (size_t)l->out * (size_t)l->in, square = (size_t)k * (size_t)k;
  for (size_t i = 0; i < planes; i++)
    for (int y = 0; y < k; y++)
      for (int x = 0; x < k; x++)
        spread_apart(w + i * (size_t)side * (size_t)side, side, y, x, p, l->stride,
                     l->w[i * square + (size_t)(y * k + x)] / (p * p));

  replace_weights(l, w, l->in, side);
  l->stride *= p;
  l->height /= p;
  l->width /= p;
  return MHO_OK;
}

/* Means over the activities of `l` become part of the convolution that reads them. */
static mho_err fold_into_convolution(const mho_chain_layer *l, mho_chain_layer *next,
                                     const char *file, mho_errinfo *ei) {
  int p = l->pool, k = next->kernel, side = k * p;
  bool is_cropped = l->height % p || l->width % p;
  if (next->padding && is_cropped)
    return mho_fail_at(ei, MHO_EDATA, file, 0,
                       "the means over %d x %d windows of '%s' leave out a border of its %d x %d "
                       "positions, and '%s' has a padding there: mho has no such layer",
                       p, p, l->name, l->height, l->width, next->name);

  double *w;
  mho_err err = new_weights(next, next->in, side, &w, ei);
  if (err)
    return err;

  size_t planes = (size_t)next->out * (size_t)next->in, square = (size_t)k * (size_t)k;
  for (size_t i = 0; i < planes; i++)
    for (int y = 0; y < k; y++)
      for (int x = 0; x < k; x++)
        spread_out(w + i * (size_t)side * (size_t)side, side, y * p, x * p, p,
                   next->w[i * square + (size_t)(y * k + x)] / (p * p));

  replace_weights(next, w, next->in, side);
  next->stride *= p;
  next->padding *= p;
  return MHO_OK;
}

/* The same of a dense layer that reads them. */
static mho_err fold_into_dense(const mho_chain_layer *l, mho_chain_layer *next, mho_errinfo *ei) {
  int p = l->pool, high = l->height / p, wide = l->width / p;
  size_t plane = (size_t)l->height * (size_t)l->width, pooled = (size_t)high * (size_t)wide;
  double *w, need = (double)l->out * (double)plane;
  mho_err err = need < MHO_TENSORS_NUMBERS
                    ? new_weights(next, (int)need, 1, &w, ei)
                    : mho_fail(ei, MHO_ENOMEM, "no memory for the weights of '%s'", next->name);
  if (err)
    return err;

  size_t planes = (size_t)next->out * (size_t)l->out;
  for (size_t i = 0; i < planes; i++)
    for (int y = 0; y < high; y++)
      for (int x = 0; x < wide; x++)
        spread_out(w + i * plane, l->width, y * p, x * p, p,
                   next->w[i * pooled + (size_t)(y * wide + x)] / (p * p));
  replace_weights(next, w, (int)need, 0);
  return MHO_OK;
}

mho_err mho__fold_means(mho_chain *c, const char *file, mho_errinfo *ei) {
  for (int i = 0; i < c->n; i++) {
    mho_chain_layer *l = &c->layer[i], *next = l + 1;
    if (l->window != MHO_WINDOW_MEAN)
      continue;
    if (!l->pooled_sums && i == c->n - 1)
      return mho_fail_at(ei, MHO_EDATA, file, 0,
                         "the network ends in means over the windows of '%s': mho has no such "
                         "layer",
                         l->name);

    mho_err err;
    if (l->pooled_sums)
      err = fold_into_own(l, ei);
    else if (next->kernel)
      err = fold_into_convolution(l, next, file, ei);
    else
      err = fold_into_dense(l, next, ei);
    if (err)
      return err;
    l->window = MHO_WINDOW_NONE;
    l->pool = 0;
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- normalizations */

mho_err mho__fold_normalization(mho_chain_layer *layer, const double *mean, const double *scale,
                                const double *shift, mho_errinfo *ei) {
  size_t fan_in = mho__chain_fan_in(layer);
  mho_err err = mho__chain_bias(layer, ei);
  if (err)
    return err;

  for (int o = 0; o < layer->out; o++) {
    double *w = layer->w + (size_t)o * fan_in;
    for (size_t i = 0; i < fan_in; i++)
      w[i] *= scale[o];
    layer->b[o] = (layer->b[o] - mean[o]) * scale[o] + shift[o];
  }
  return MHO_OK;
}

/* Whether all n numbers are v. */
static bool all_are(int n, const double *x, double v) {
  for (int i = 0; i < n; i++)
    if (x[i] != v)
      return false;
  return true;
}

mho_err mho__fold_inputs(mho_chain *c, int n, const double *mean, const double *spread,
                         mho_errinfo *ei) {
  mho_chain_layer *l = &c->layer[0];
  size_t fan_in = mho__chain_fan_in(l), each = fan_in / (size_t)n;
  if (fan_in % (size_t)n || (l->kernel && l->in % n))
    return mho_fail(ei, MHO_EINVAL,
                    "--mean, --std: give one number, or one a channel: %d do not divide the %d "
                    "%s of '%s'",
                    n, l->in, l->kernel ? "channels" : "inputs", l->name);
  if (l->padding && !all_are(n, mean, 0))
    return mho_fail(ei, MHO_EINVAL,
                    "--mean: not exact where '%s' has a padding, beside which zeros stand for the "
                    "mean: dataset.normalize=channels shifts the images instead",
                    l->name);

  mho_err err = mho__chain_bias(l, ei);
  if (err)
    return err;
  for (int o = 0; o < l->out; o++)
    for (size_t i = 0; i < fan_in; i++) {
      double *w = &l->w[(size_t)o * fan_in + i];
      *w /= spread[i / each];
      l->b[o] -= *w * mean[i / each];
    }
  return MHO_OK;
}
