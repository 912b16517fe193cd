/* named_layers.c - the layers of a file that has weights and biases by name and nothing else.
 *
 * A layer is NAME.weight (or `weight` alone), [out x in] or [out x in x k x k], with NAME.bias
 * [out], as PyTorch's state_dict has them. What order they are in: a convolution comes before
 * dense layers, because a dense layer has no positions; else that of the file. Safetensors sorts
 * its arrays, so there it is the order of the names ("fc2" before "fc10"). Whether sizes follow
 * each other says whether it was right.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exchange/layer_chain.h"

/* The weights of a layer, and its place among the arrays. */
typedef struct named {
  const mho_tensor *weight;
  char name[MHO_CHAIN_NAME]; /* of the layer: "fc1"; "" of the only one */
  int place;                 /* in the file, or by name */
} named;

typedef struct named_list {
  int n;
  named layer[MHO_CHAIN_LAYERS];
} named_list;

/* ---------------------------------------------------------------- names */

/* Whether a name is STEM.what, or `what` alone; the stem. */
static bool is_called(const char *name, const char *what, char stem[MHO_CHAIN_NAME]) {
  size_t n = strlen(name), k = strlen(what);
  *stem = 0;
  if (!strcmp(name, what))
    return true;
  if (n <= k + 1 || strcmp(name + n - k, what) || name[n - k - 1] != '.')
    return false;
  snprintf(stem, MHO_CHAIN_NAME, "%.*s", (int)mho_min_size(n - k - 1, MHO_CHAIN_NAME - 1), name);
  return true;
}

static const mho_tensor *bias_of(const mho_tensors *all, const named *l) {
  char name[MHO_CHAIN_NAME + 8];
  snprintf(name, sizeof name, "%s%sbias", l->name, *l->name ? "." : "");
  return mho__tensors_find(all, name);
}

/* Order of names in which runs of digits count as numbers. */
static int compare_names(const char *a, const char *b) {
  while (*a && *b) {
    if (!isdigit((unsigned char)*a) || !isdigit((unsigned char)*b)) {
      if (*a != *b)
        return (unsigned char)*a - (unsigned char)*b;
      a++;
      b++;
      continue;
    }

    char *end_a, *end_b;
    unsigned long long x = strtoull(a, &end_a, 10), y = strtoull(b, &end_b, 10);
    if (x != y)
      return x < y ? -1 : 1;
    a = end_a;
    b = end_b;
  }
  return (unsigned char)*a - (unsigned char)*b;
}

static int by_name(const void *a, const void *b) {
  return compare_names(((const named *)a)->name, ((const named *)b)->name);
}

/* Convolutions first, and each in its place. */
static int by_place(const void *a, const void *b) {
  const named *x = a, *y = b;
  int kind = y->weight->n_dims - x->weight->n_dims;
  return kind ? kind : x->place - y->place;
}

/* ---------------------------------------------------------------- what the file has */

static mho_err add_weight(const mho_tensor *t, const char *stem, const char *file, named_list *list,
                          mho_errinfo *ei) {
  char shape[64];
  mho__tensor_shape(t, sizeof shape, shape);
  bool square = t->n_dims == 2 || (t->n_dims == 4 && t->dim[2] == t->dim[3]);
  if (!square)
    return mho_fail_at(ei, MHO_EDATA, file, 0,
                       "'%s' is %s: expected the weights of a dense layer (out x in) or of a "
                       "convolution with a square kernel (out x in x k x k)",
                       t->name, shape);
  if (list->n == MHO_CHAIN_LAYERS)
    return mho_fail_at(ei, MHO_EDATA, file, 0, "has more than %d layers", MHO_CHAIN_LAYERS);

  named *l = &list->layer[list->n];
  *l = (named){.weight = t, .place = list->n};
  snprintf(l->name, sizeof l->name, "%s", stem);
  list->n++;
  return MHO_OK;
}

/* Take a tensor: weights as a layer; biases are found by their layer. */
static mho_err take_tensor(const mho_tensors *all, const mho_tensor *t, const char *file,
                           named_list *list, mho_errinfo *ei) {
  char stem[MHO_CHAIN_NAME], weight[MHO_CHAIN_NAME + 8];
  if (is_called(t->name, "weight", stem))
    return add_weight(t, stem, file, list, ei);

  bool is_bias = is_called(t->name, "bias", stem);
  snprintf(weight, sizeof weight, "%s%sweight", stem, *stem ? "." : "");
  if (is_bias && mho__tensors_find(all, weight))
    return MHO_OK;

  if (is_called(t->name, "running_mean", stem) || is_called(t->name, "running_var", stem) ||
      is_called(t->name, "num_batches_tracked", stem))
    return mho_fail_at(ei, MHO_EDATA, file, 0,
                       "'%s' is of a batch normalization, and weights alone do not say where it "
                       "stands: export the network as ONNX",
                       t->name);
  return mho_fail_at(ei, MHO_EDATA, file, 0,
                     "'%s' is neither NAME.weight nor the NAME.bias beside it: save the "
                     "state_dict of a network of dense layers and convolutions",
                     t->name);
}

static mho_err list_layers(const mho_tensors *all, const char *file, named_list *list,
                           mho_errinfo *ei) {
  for (int i = 0; i < all->n; i++) {
    mho_err err = take_tensor(all, &all->t[i], file, list, ei);
    if (err)
      return err;
  }
  return list->n ? MHO_OK : mho_fail_at(ei, MHO_EDATA, file, 0, "there are no weights in it");
}

/* ---------------------------------------------------------------- their order */

/* The next name of a list with commas, without its blanks; false at its end. */
static bool next_name(const char **at, char name[MHO_CHAIN_NAME]) {
  *at += strspn(*at, ", ");
  size_t n = strcspn(*at, ", ");
  snprintf(name, MHO_CHAIN_NAME, "%.*s", (int)mho_min_size(n, MHO_CHAIN_NAME - 1), *at);
  *at += n;
  return n > 0;
}

static named *layer_of(named_list *list, const char *name) {
  for (int i = 0; i < list->n; i++)
    if (!strcmp(list->layer[i].name, name))
      return &list->layer[i];
  return NULL;
}

/* Put the layers in the order that the user gives. */
static mho_err order_as_said(named_list *list, const char *order, mho_errinfo *ei) {
  char name[MHO_CHAIN_NAME], names[MHO_TEXT_MAX] = "";
  int place = 0;
  for (int i = 0; i < list->n; i++) {
    mho_text_append(names, sizeof names, "%s%s", i ? ", " : "", list->layer[i].name);
    list->layer[i].place = -1;
  }

  while (next_name(&order, name)) {
    named *l = layer_of(list, name);
    if (!l || l->place >= 0)
      return mho_fail(ei, MHO_ENOTFOUND, "--layers: '%s' is %s; the file has %s", name,
                      l ? "there twice" : "no layer", names);
    l->place = place++;
  }

  if (place < list->n)
    return mho_fail(ei, MHO_EINVAL, "--layers: %d of %d layers are given; the file has %s", place,
                    list->n, names);
  return MHO_OK;
}

static int by_order(const void *a, const void *b) {
  return ((const named *)a)->place - ((const named *)b)->place;
}

static mho_err put_in_order(named_list *list, bool sorted, const char *order, mho_errinfo *ei) {
  size_t n = (size_t)list->n;
  if (order) {
    mho_err err = order_as_said(list, order, ei);
    qsort(list->layer, n, sizeof *list->layer, by_order);
    return err;
  }

  if (sorted) {
    qsort(list->layer, n, sizeof *list->layer, by_name);
    for (int i = 0; i < list->n; i++)
      list->layer[i].place = i;
  }
  qsort(list->layer, n, sizeof *list->layer, by_place);
  return MHO_OK;
}

/* ---------------------------------------------------------------- the chain */

/* Whether a layer can read what the one before it gives. */
static mho_err check_sizes(const mho_chain_layer *a, const mho_chain_layer *b, const char *file,
                           mho_errinfo *ei) {
  bool flattens = a->kernel && !b->kernel;
  bool fits = flattens ? b->in % a->out == 0 : b->in == a->out;
  if (fits && (a->kernel || !b->kernel))
    return MHO_OK;
  return mho_fail_at(ei, MHO_EDATA, file, 0,
                     "'%s' reads %d %s, and '%s' before it gives %d: where they are not in this "
                     "order, say --layers NAME,NAME,...",
                     b->name, b->in, b->kernel ? "channels" : "numbers", a->name, a->out);
}

static mho_err take_layer(const mho_tensors *all, const named *l, const char *file, mho_chain *c,
                          mho_errinfo *ei) {
  const mho_tensor *w = l->weight, *b = bias_of(all, l);
  mho_chain_layer *layer;
  if (b && b->count != (size_t)w->dim[0])
    return mho_fail_at(ei, MHO_EDATA, file, 0, "'%s' has %zu biases for %d outputs", b->name,
                       b->count, w->dim[0]);

  mho_err err = mho__chain_add(c, file, *l->name ? l->name : w->name, w->dim[0], w->dim[1],
                               w->n_dims == 4 ? w->dim[2] : 0, &layer, ei);
  if (!err && b)
    err = mho__chain_bias(layer, ei);
  if (err)
    return err;

  memcpy(layer->w, w->v, w->count * sizeof *w->v);
  if (b)
    memcpy(layer->b, b->v, b->count * sizeof *b->v);
  return MHO_OK;
}

mho_err mho__chain_of_tensors(const mho_tensors *all, const char *file, bool sorted,
                              const char *order, mho_chain *out, mho_errinfo *ei) {
  named_list list = {0};
  *out = (mho_chain){0};
  mho_err err = list_layers(all, file, &list, ei);
  if (!err)
    err = put_in_order(&list, sorted, order, ei);

  for (int i = 0; i < list.n; i++) {
    if (err)
      break;
    err = take_layer(all, &list.layer[i], file, out, ei);
    if (!err && i > 0)
      err = check_sizes(&out->layer[i - 1], &out->layer[i], file, ei);
  }
  if (err)
    mho__chain_free(out);
  return err;
}
