/* variables.c - memory for tables of variables.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/model/variables.h"

#include <string.h>

/* ---------------------------------------------------------------- sizes */

/* Votes of a layer, of its neurons for all classes. */
static size_t votes_of(const mho_network *net, int layer) {
  bool votes = layer == mho_network_output(net) - 1 && net->output == MHO_OUTPUT_VOTES;
  if (!votes || net->votes != MHO_VOTES_PROPORTION)
    return 0;
  return (size_t)net->layer[layer].n * (size_t)mho_network_classes(net);
}

/* Numbers that one sample, or all of them together, have in a block. */
static size_t width_of(const mho_network *net, mho_per per, int place) {
  if (per == MHO_PER_HIDDEN && !net->layer[place].neuron)
    return 0;
  if (per == MHO_PER_NEURON || per == MHO_PER_HIDDEN || per == MHO_PER_UNIT)
    return (size_t)net->layer[place].n;
  if (per == MHO_PER_LINK)
    return (size_t)net->layer[net->link[place].to].n;
  return per == MHO_PER_VOTE ? votes_of(net, place) : 1;
}

/* Whether every sample has numbers of its own. */
static bool is_of_samples(mho_per per) {
  return per != MHO_PER_UNIT && per != MHO_PER_VOTE && per != MHO_PER_NETWORK;
}

static size_t number_size(const mho_var *var) {
  return var->exact ? sizeof(double) : sizeof(mho_real);
}

int mho_vars_places(const mho_vars *v, int i) {
  mho_per per = v->var[i].per;
  if (per == MHO_PER_LINK)
    return v->net->n_links;
  return per == MHO_PER_SAMPLE || per == MHO_PER_NETWORK ? 1 : v->net->n_layers;
}

size_t mho_vars_count(const mho_vars *v, int i, int place) {
  size_t width = width_of(v->net, v->var[i].per, place);
  return is_of_samples(v->var[i].per) ? (size_t)v->capacity * width : width;
}

size_t mho_vars_bytes(const mho_vars *v, int i, int place) {
  return mho_vars_count(v, i, place) * number_size(&v->var[i]);
}

/* Bytes of sample `sample` in a block lie from here on. */
static size_t offset_of(const mho_vars *v, int i, int place, int sample) {
  if (!is_of_samples(v->var[i].per))
    return 0;
  return (size_t)sample * width_of(v->net, v->var[i].per, place) * number_size(&v->var[i]);
}

/* ---------------------------------------------------------------- construction */

static mho_err check_names(const mho_var *var, int n, mho_errinfo *ei) {
  for (int i = 0; i < n; i++)
    for (int j = 0; j < i; j++)
      if (!strcmp(var[i].name, var[j].name))
        return mho_fail(ei, MHO_EINVAL, "there are two variables '%s' in a table", var[i].name);
  return MHO_OK;
}

static bool add_blocks(mho_vars *v, int i) {
  int places = mho_vars_places(v, i);
  v->block[i] = mho_alloc((size_t)places, sizeof *v->block[i]);
  if (!v->block[i])
    return false;

  for (int place = 0; place < places; place++) {
    size_t bytes = mho_vars_bytes(v, i, place);
    if (bytes == 0)
      continue;
    v->block[i][place] = mho_alloc(bytes, 1);
    if (!v->block[i][place])
      return false;
  }
  return true;
}

static bool fill(mho_vars *v) {
  v->block = mho_alloc((size_t)mho_max(v->n, 1), sizeof *v->block);
  if (!v->block)
    return false;
  for (int i = 0; i < v->n; i++)
    if (!add_blocks(v, i))
      return false;
  return true;
}

mho_err mho_vars_new(const mho_network *net, const mho_var *var, int n, int capacity,
                     mho_vars **out, mho_errinfo *ei) {
  *out = NULL;
  mho_err err = check_names(var, n, ei);
  if (err)
    return err;

  mho_vars *v = mho_alloc(1, sizeof *v);
  if (v)
    *v = (mho_vars){.var = var, .n = n, .capacity = capacity, .net = net};
  if (!v || !fill(v)) {
    mho_vars_free(v);
    return mho_fail(ei, MHO_ENOMEM, "no memory for the variables of %d samples", capacity);
  }

  *out = v;
  return MHO_OK;
}

void mho_vars_free(mho_vars *v) {
  if (!v)
    return;

  for (int i = 0; v->block && i < v->n; i++) {
    int places = mho_vars_places(v, i);
    for (int place = 0; v->block[i] && place < places; place++)
      mho_free(v->block[i][place]);
    mho_free(v->block[i]);
  }
  mho_free(v->block);
  mho_free(v);
}

/* ---------------------------------------------------------------- use */

int mho_vars_find(const mho_vars *v, const char *name) {
  for (int i = 0; i < v->n; i++)
    if (!strcmp(v->var[i].name, name))
      return i;
  return -1;
}

/* Where the numbers of sample sample0 begin; NULL where there are none. */
static void *at(const mho_vars *v, int i, int place, int sample0) {
  char *block = v->block[i][place];
  if (sample0 == 0) /* the most common, at every step of a clock */
    return block;
  return block ? block + offset_of(v, i, place, sample0) : NULL;
}

mho_real *mho_vars_real(const mho_vars *v, int i, int place, int sample0) {
  return at(v, i, place, sample0);
}

double *mho_vars_exact(const mho_vars *v, int i, int place, int sample0) {
  return at(v, i, place, sample0);
}

/* Bytes of n samples in a block. */
static size_t bytes_of(const mho_vars *v, int i, int place, int n) {
  return (size_t)n * width_of(v->net, v->var[i].per, place) * number_size(&v->var[i]);
}

void mho_vars_clear(mho_vars *v, int sample0, int n, bool all) {
  for (int i = 0; i < v->n; i++) {
    int places = mho_vars_places(v, i);
    bool stays = v->var[i].kept && !all;
    if (stays || !is_of_samples(v->var[i].per))
      continue;
    for (int place = 0; place < places; place++)
      if (v->block[i][place])
        memset(at(v, i, place, sample0), 0, bytes_of(v, i, place, n));
  }
}

void mho_vars_share(mho_vars *to, const mho_vars *from) {
  for (int i = 0; i < to->n; i++) {
    int places = mho_vars_places(to, i);
    if (is_of_samples(to->var[i].per))
      continue;
    for (int place = 0; place < places; place++)
      if (to->block[i][place])
        memcpy(to->block[i][place], from->block[i][place], mho_vars_bytes(to, i, place));
  }
}

void mho_vars_copy(mho_vars *to, const mho_vars *from, int sample0, int n) {
  for (int i = 0; i < to->n; i++) {
    int places = mho_vars_places(to, i);
    if (!is_of_samples(to->var[i].per))
      continue;
    for (int place = 0; place < places; place++)
      if (to->block[i][place])
        memcpy(at(to, i, place, sample0), at(from, i, place, sample0), bytes_of(to, i, place, n));
  }
}
