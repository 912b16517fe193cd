/* network_file.c - the file of a network that another program has trained, as a config and as
 * matrices of a network of mho.
 *
 * A layer of the file is a connection, [out x in] there and [in x out] here, with the biases as the
 * last row. Files have images channel by channel, the layers of mho position by position with the
 * channels side by side (but for the input): rows of a convolution go from (channel, y, x) to (y,
 * x, channel), and so do those of a dense layer behind an image.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/network_file.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file_bytes.h"
#include "exchange/network_bytes.h"

/* ---------------------------------------------------------------- reading a file */

/* The format that bytes look like. */
static mho_format format_of_bytes(const char *b, size_t length) {
  enum { SAFETENSORS_BRACE = 8 };
  if (length >= 4 && !memcmp(b, "PK\3\4", 4))
    return MHO_FORMAT_NPZ;
  bool braced = length > SAFETENSORS_BRACE && b[SAFETENSORS_BRACE] == '{';
  return braced ? MHO_FORMAT_SAFETENSORS : MHO_FORMAT_ONNX;
}

static mho_format format_of_word(const char *word) {
  char name[32];
  snprintf(name, sizeof name, "x.%s", word);
  return mho__format_of_name(name);
}

/* The normalization of the inputs that the file's network was trained with. */
static mho_err fold_inputs(mho_network_file *f, const mho_network_file_options *o,
                           mho_errinfo *ei) {
  int n = mho_max(o->n_mean, o->n_std);
  if (!n)
    return MHO_OK;
  if (o->n_mean && o->n_std && o->n_mean != o->n_std)
    return mho_fail(ei, MHO_EINVAL, "--mean has %d numbers and --std %d: give as many of both",
                    o->n_mean, o->n_std);

  double *mean = mho_alloc((size_t)n, sizeof *mean), *spread = mho_alloc((size_t)n, sizeof *spread);
  mho_err err = mean && spread ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for means");
  for (int k = 0; k < n; k++) {
    if (err)
      break;
    mean[k] = o->n_mean ? o->mean[k] : 0;
    spread[k] = o->n_std ? o->std[k] : 1;
    if (!(spread[k] > 0))
      err = mho_fail(ei, MHO_EINVAL, "--std: %g is no spread: expected numbers above 0", spread[k]);
  }

  if (!err)
    err = mho__fold_inputs(&f->chain, n, mean, spread, ei);
  mho_free(mean);
  mho_free(spread);
  return err;
}

static mho_err check_numbers(const mho_network_file *f, const mho_chain_layer *l, const char *what,
                             size_t n, const double *v, mho_errinfo *ei) {
  for (size_t i = 0; i < n; i++)
    if (!(fabs(v[i]) <= (double)FLT_MAX))
      return mho_fail_at(ei, MHO_EDATA, f->path, 0,
                         "a %s of '%s' is %g with its normalization, factors and means: expected "
                         "finite numbers of single precision",
                         what, l->name, v[i]);
  return MHO_OK;
}

/* What has become part of weights may be as far beyond their range as they themselves. */
static mho_err check_layers(const mho_network_file *f, mho_errinfo *ei) {
  for (int i = 0; i < f->chain.n; i++) {
    const mho_chain_layer *l = &f->chain.layer[i];
    size_t outputs = (size_t)l->out;
    mho_err err = check_numbers(f, l, "weight", outputs * mho__chain_fan_in(l), l->w, ei);
    if (!err && l->b)
      err = check_numbers(f, l, "bias", outputs, l->b, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

mho_err mho_network_file_read(const char *path, const mho_network_file_options *o,
                              mho_network_file **out, mho_errinfo *ei) {
  static const mho_network_file_options none;
  char *bytes;
  size_t length;
  *out = NULL;
  o = o ? o : &none;
  mho_err err = mho__file_bytes(path, &bytes, &length, ei);
  if (err)
    return err;

  mho_network_file *f = mho_alloc(1, sizeof *f);
  if (f) {
    mho_format format = o->format ? format_of_word(o->format) : format_of_bytes(bytes, length);
    snprintf(f->path, sizeof f->path, "%s", path);
    err = mho__chain_of_bytes(bytes, length, format, path, o->layers, &f->chain, ei);
  } else {
    err = mho_fail(ei, MHO_ENOMEM, "no memory for a network");
  }
  free(bytes);
  if (!err)
    err = fold_inputs(f, o, ei);
  if (!err)
    err = check_layers(f, ei);
  if (!err)
    f->n_scales = mho_max(o->n_mean, o->n_std);

  if (err)
    mho_network_file_free(f);
  else
    *out = f;
  return err;
}

void mho_network_file_free(mho_network_file *f) {
  if (!f)
    return;
  mho__chain_free(&f->chain);
  mho_free(f);
}

/* ---------------------------------------------------------------- what it says of the config */

/* Where keys are set. */
typedef struct keys {
  const mho_network_file *f;
  mho_config *base;
  const mho_config *asked;
  mho_errinfo *ei;
} keys;

static bool is_set(const keys *k, const char *key) {
  return mho_config_get(k->base, key) || (k->asked && mho_config_get(k->asked, key));
}

/* Set a key that has not been set. */
static mho_err set(const keys *k, const char *key, const char *value) {
  char text[MHO_TEXT_MAX + 64];
  if (is_set(k, key))
    return MHO_OK;
  snprintf(text, sizeof text, "%s=%s", key, value);
  return mho_config_set(k->base, text, k->ei);
}

/* The layers but the last as network.conv has them. */
static void layers_text(const mho_chain *c, bool whole, size_t capacity, char *text) {
  *text = 0;
  for (int l = 0; l < c->n - 1; l++) {
    const mho_chain_layer *k = &c->layer[l];
    mho_text_append(text, capacity, "%s%d", l ? ", " : "[", k->out);
    if (!k->kernel)
      continue;
    mho_text_append(text, capacity, "x%d", k->kernel);
    if (k->stride > 1)
      mho_text_append(text, capacity, "s%d", k->stride);
    if (k->padding)
      mho_text_append(text, capacity, "p%d", k->padding);
    if (k->pool)
      mho_text_append(text, capacity, ", pool%d", k->pool);
    else if (!whole)
      mho_text_append(text, capacity, ", pool2");
  }
  mho_text_append(text, capacity, "]");
}

static mho_err set_layers(const keys *k) {
  const mho_chain *c = &k->f->chain;
  char text[MHO_TEXT_MAX];
  bool conv = c->layer[0].kernel;
  layers_text(c, c->whole, sizeof text, text);
  if (c->n < 2)
    return mho_fail_at(
        k->ei, MHO_EDATA, k->f->path, 0,
        "its network has one layer, without hidden neurons, and mho has no such one");
  if (!conv)
    return set(k, "network.hidden", text);
  if (!c->whole && !is_set(k, "network.conv"))
    return mho_fail(k->ei, MHO_ECONFIG,
                    "network.conv: weights alone do not say strides (s2), paddings (p1) and pools "
                    "(pool2): add for example --set network.conv='%s'",
                    text);

  mho_err err = set(k, "network.topology", "conv");
  return err ? err : set(k, "network.conv", text);
}

/* The neuron of all layers but the last; where that has one, too, its outputs hold states. */
static mho_err set_neuron(const keys *k) {
  const mho_chain *c = &k->f->chain;
  const char *first = c->layer[0].neuron, *at_end = c->layer[c->n - 1].neuron;
  if (!c->whole && !is_set(k, "network.neuron"))
    return mho_fail(k->ei, MHO_ECONFIG,
                    "network.neuron: weights alone do not say what neurons they are of: add for "
                    "example --set network.neuron=relu");
  if (!c->whole)
    return MHO_OK;

  for (int l = 1; l < c->n; l++) {
    const char *its = c->layer[l].neuron;
    bool is_end = l == c->n - 1;
    bool same = its && first ? !strcmp(its, first) : its == first;
    if (!same && !(is_end && !its))
      return mho_fail_at(k->ei, MHO_EDATA, k->f->path, 0,
                         "the neurons of '%s' are %s and those of '%s' %s: mho has one kind in all "
                         "layers",
                         c->layer[0].name, first ? first : "linear", c->layer[l].name,
                         its ? its : "linear");
  }

  mho_err err = set(k, "network.neuron", first ? first : "linear");
  if (!err && at_end)
    err = set(k, "network.output", "state");
  return err;
}

mho_err mho__network_file_config(const mho_network_file *f, mho_config *base,
                                 const mho_config *asked, mho_errinfo *ei) {
  keys k = {.f = f, .base = base, .asked = asked, .ei = ei};
  bool biases = false;
  for (int l = 0; l < f->chain.n; l++)
    biases = biases || f->chain.layer[l].b;

  mho_err err = set_layers(&k);
  if (!err)
    err = set_neuron(&k);
  if (!err && biases)
    err = set(&k, "network.biases", "true");
  if (!err && f->chain.softmax)
    err = set(&k, "network.output", "softmax");
  return err ? err : set(&k, "rule.name", "bp");
}

/* ---------------------------------------------------------------- whether a network fits */

/* A layer of the file and the connection that it is to be. */
typedef struct pair {
  const mho_network_file *f;
  const mho_chain_layer *layer;
  const mho_connection *k;
  const mho_network *net;
  mho_errinfo *ei;
} pair;

/* Sizes of both, where they differ. */
static mho_err other_sizes(const pair *p) {
  const mho_chain_layer *l = p->layer;
  const char *topology = p->net->connection[0].conv.kernel ? "conv" : "hidden";
  int inputs = p->k->xb->rows - p->k->bias;
  bool of_data = p->k->from == 0 || p->net->layer[p->k->to].kind == MHO_LAYER_OUTPUT;
  return mho_fail(p->ei, MHO_ECONFIG,
                  "%s: '%s' has %zu inputs and %d outputs, and %s of the network that the config "
                  "says %d and %d: correct %s%s",
                  p->f->path, l->name, mho__chain_fan_in(l), l->out, p->k->name, inputs,
                  p->k->xb->cols, of_data ? "dataset.name, or network." : "network.", topology);
}

static mho_err fits_layer(const pair *p, const mho_chain_layer *before) {
  const mho_chain_layer *l = p->layer;
  const mho_conv *conv = &p->k->conv;
  const mho_layer *from = &p->net->layer[p->k->from];
  size_t inputs = (size_t)(p->k->xb->rows - p->k->bias);
  if (conv->kernel != l->kernel || inputs != mho__chain_fan_in(l) || p->k->xb->cols != l->out)
    return other_sizes(p);
  if (!p->f->chain.whole)
    return MHO_OK;

  bool same = !l->kernel || (conv->stride == l->stride && conv->padding == l->padding);
  if (same && (!before || from->pool.size == before->pool))
    return MHO_OK;
  return mho_fail(
      p->ei, MHO_ECONFIG,
      "network.conv: stride, padding or pools before '%s' are others in '%s': leave the "
      "key out",
      l->name, p->f->path);
}

/* What the neurons and the image are, beside sizes. */
static mho_err fits_config(const mho_network_file *f, const mho_trainer *t, mho_errinfo *ei) {
  const mho_chain *c = &f->chain;
  const char *said = t->e->neuron.entry->id, *its = c->layer[0].neuron;
  bool states = t->net->output == MHO_OUTPUT_STATE, at_end = c->layer[c->n - 1].neuron;
  if (!c->whole)
    return MHO_OK;

  if (strcmp(said, its ? its : "linear"))
    return mho_fail(ei, MHO_ECONFIG, "network.neuron: the neurons in '%s' are %s, not %s", f->path,
                    its ? its : "linear", said);
  if (states != at_end)
    return mho_fail(ei, MHO_ECONFIG,
                    "network.output: the last layer in '%s' has %s: leave the key "
                    "out",
                    f->path, at_end ? "neurons (output: state)" : "no neurons");

  const mho_layer *x = &t->net->layer[0];
  bool image = c->layer[0].kernel;
  if (image && (x->channels != c->channels || x->height != c->height || x->width != c->width))
    return mho_fail(ei, MHO_ECONFIG,
                    "dataset.name: the network in '%s' reads images of %d x %d x %d (channels, "
                    "height, width), and those of %s are %d x %d x %d",
                    f->path, c->channels, c->height, c->width, t->e->dataset.entry->id, x->channels,
                    x->height, x->width);
  return MHO_OK;
}

/* Means and spreads are one for all inputs, one a channel, or one an input. */
static mho_err fits_scales(const mho_network_file *f, const mho_trainer *t, mho_errinfo *ei) {
  const mho_layer *x = &t->net->layer[0];
  if (f->n_scales <= 1 || f->n_scales == x->channels || f->n_scales == x->n)
    return MHO_OK;
  return mho_fail(
      ei, MHO_ECONFIG,
      "--mean, --std: %d numbers, and %s has %d inputs in %d channel%s: give one, or one "
      "a channel, decimals with a point (0.5)",
      f->n_scales, t->e->dataset.entry->id, x->n, x->channels, x->channels == 1 ? "" : "s");
}

mho_err mho__network_file_fits(const mho_network_file *f, const mho_trainer *t, mho_errinfo *ei) {
  const mho_network *net = t->net;
  const mho_chain *c = &f->chain;
  int layers = net->n_layers - 1 - mho_output_has_neurons(net->output);
  if (net->n_trained != layers || layers != c->n)
    return mho_fail(ei, MHO_ECONFIG,
                    "network.topology: '%s' is a chain of %d layers with weights, and the network "
                    "that the config says has %d connections: leave topology, hidden and conv out",
                    f->path, c->n, net->n_trained);

  mho_err err = fits_config(f, t, ei);
  if (!err)
    err = fits_scales(f, t, ei);
  for (int l = 0; l < layers; l++) {
    if (err)
      break;
    pair p = {.f = f, .layer = &c->layer[l], .k = &net->connection[l], .net = net, .ei = ei};
    if (p.layer->b && !p.k->bias)
      err = mho_fail(ei, MHO_ECONFIG, "network.biases: '%s' has biases: leave the key out",
                     p.layer->name);
    if (!err)
      err = fits_layer(&p, l ? &c->layer[l - 1] : NULL);
  }
  return err;
}

/* ---------------------------------------------------------------- weights */

void mho__network_file_source(const mho_network *net, const mho_connection *k, int *channels,
                              int *positions) {
  const mho_layer *from = &net->layer[k->from];
  bool side_by_side = k->from > 0 && from->height * from->width > 1;
  *channels = side_by_side ? from->channels : 1;
  *positions = from->outputs / *channels;
}

size_t mho__network_file_row(const mho_connection *k, int i, int channels, int positions) {
  int square = k->conv.kernel * k->conv.kernel;
  if (k->conv.kernel && k->conv.planar)
    return (size_t)i;
  if (k->conv.kernel)
    return (size_t)(i % square * k->conv.channels + i / square);
  return (size_t)(i % positions * channels + i / positions);
}

mho_err mho__network_file_matrices(const mho_network_file *f, const mho_network *net, int c,
                                   mho_matrices *m, mho_errinfo *ei) {
  const mho_connection *k = &net->connection[c];
  const mho_chain_layer *l = &f->chain.layer[c];
  size_t cols = (size_t)k->xb->cols, cells = mho_crossbar_cells(k->xb);
  int channels, positions, fan_in = (int)mho__chain_fan_in(l);
  double scale = mho__network_file_scale(net, k);
  *m = (mho_matrices){.rows = k->xb->rows, .cols = k->xb->cols};
  m->w = mho_alloc(cells, sizeof *m->w);
  if (!m->w)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the weights of %s", k->name);
  if (scale == 0)
    return mho_fail(ei, MHO_ECONFIG, "network.forward_scale: 0 lets nothing of '%s' through",
                    l->name);

  mho__network_file_source(net, k, &channels, &positions);
  for (int o = 0; o < l->out; o++)
    for (int i = 0; i < fan_in; i++) {
      size_t row = mho__network_file_row(k, i, channels, positions);
      m->w[row * cols + (size_t)o] = l->w[(size_t)o * (size_t)fan_in + (size_t)i] / scale;
    }
  for (int o = 0; l->b && o < l->out; o++)
    m->w[(size_t)fan_in * cols + (size_t)o] = l->b[o] / scale;
  return MHO_OK;
}
