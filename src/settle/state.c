/* state.c - memory of a settle, the feed-forward pass and the read-out.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "settle/links.h"

static const mho_param settle_table[] = {
    MHO_P_CHOICE(
        mho_settle_config, difference, "difference", "auto|subtract|direct", MHO_DIFFERENCE_AUTO,
        "the learning signal: two states subtracted, as hardware and the paper do, or the difference settled "
        "itself; auto: direct in floating point with sweeps"),
};
const mho_params mho_settle_params = MHO_PARAMS(mho_settle_config, settle_table);

static bool is_hidden(const mho_network *net, int l) {
  return net->layer[l].neuron != NULL;
}

/* Whether something is constant during a phase there: the input's way in, or a held error's. */
static bool has_drive(const mho_network *net, int l) {
  for (int i = 0; i < net->n_links; i++)
    if (net->link[i].to == l &&
        (net->link[i].from == 0 || mho_link_holds_error(net, &net->link[i])))
      return is_hidden(net, l);
  return false;
}

mho_err mho_state_new(const mho_network *net, int capacity, int parts, mho_state **out,
                      mho_errinfo *ei) {
  *out = NULL;
  mho_state *s = mho_alloc(1, sizeof *s);
  size_t layers = (size_t)net->n_layers;
  bool hold = parts & MHO_STATE_HOLD;
  bool ok = s && (s->z = mho_alloc(layers, sizeof *s->z)) &&
            (s->next = mho_alloc(layers, sizeof *s->next)) &&
            (s->drive = mho_alloc(layers, sizeof *s->drive)) &&
            (s->pooled = mho_alloc(layers, sizeof *s->pooled)) &&
            (s->winner = mho_alloc(layers, sizeof *s->winner)) &&
            (!(parts & MHO_STATE_KEEP) || (s->keep = mho_alloc(layers, sizeof *s->keep))) &&
            (!hold || (s->hold = mho_alloc(2 * (size_t)net->n_links, sizeof *s->hold)));
  if (ok) {
    s->capacity = capacity;
    s->n_layers = net->n_layers;
    s->n_hold = hold ? 2 * net->n_links : 0;
  }
  for (int i = 0; ok && i < s->n_hold; i++)
    if (is_hidden(net, net->link[i / 2].to))
      ok = (s->hold[i] = mho_alloc((size_t)capacity * mho_link_held(net, &net->link[i / 2]),
                                   sizeof(mho_real))) != NULL;
  for (int l = 0; ok && l < net->n_layers; l++) {
    size_t n = (size_t)capacity * (size_t)net->layer[l].n;
    if (is_hidden(net, l) || (parts & MHO_STATE_INPUT))
      ok = (s->z[l] = mho_alloc(n, sizeof(mho_real))) != NULL;
    if (ok && is_hidden(net, l))
      ok = (s->next[l] = mho_alloc(n, sizeof(mho_real))) != NULL;
    if (ok && s->keep && is_hidden(net, l))
      ok = (s->keep[l] = mho_alloc(n, sizeof(mho_real))) != NULL;
    if (ok && net->layer[l].pool.size)
      ok = (s->winner[l] = mho_alloc((size_t)capacity * (size_t)net->layer[l].outputs, 1)) != NULL;
    if (ok && net->layer[l].pool.size && (parts & MHO_STATE_INPUT))
      ok = (s->pooled[l] = mho_alloc((size_t)capacity * (size_t)net->layer[l].outputs,
                                     sizeof(mho_real))) != NULL;
    if (ok && has_drive(net, l))
      ok = (s->drive[l] = mho_alloc(n, sizeof(mho_real))) != NULL;
  }
  if (!ok) {
    mho_state_free(s);
    return mho_fail(ei, MHO_ENOMEM, "no memory for the states of %d samples", capacity);
  }
  *out = s;
  return MHO_OK;
}

void mho_state_free(mho_state *s) {
  if (!s)
    return;
  for (int l = 0; l < s->n_layers; l++) {
    mho_free(s->z[l]);
    mho_free(s->next[l]);
    mho_free(s->drive[l]);
    mho_free(s->pooled ? s->pooled[l] : NULL);
    mho_free(s->winner ? s->winner[l] : NULL);
    mho_free(s->keep ? s->keep[l] : NULL);
  }
  for (int i = 0; i < s->n_hold; i++)
    mho_free(s->hold[i]);
  mho_free(s->hold);
  mho_free(s->memory);
  mho_free(s->keep);
  mho_free(s->pooled);
  mho_free(s->winner);
  mho_free(s->z);
  mho_free(s->next);
  mho_free(s->drive);
  mho_free(s);
}

mho_err mho_state_remember(mho_state *s, size_t per_sample, mho_errinfo *ei) {
  mho_free(s->memory);
  s->memory_size = per_sample;
  s->memory = per_sample ? mho_alloc((size_t)s->capacity * per_sample, sizeof *s->memory) : NULL;
  return s->memory || !per_sample
             ? MHO_OK
             : mho_fail(ei, MHO_ENOMEM, "no memory for the circuits of %d samples", s->capacity);
}

size_t mho_settle_scratch(const mho_network *net, int n) {
  return mho_settle_read_scratch(net, n) +
         (size_t)n * (size_t)net->layer[net->n_layers - 1].n; /* a live error */
}

void mho_forward_pass(const mho_settle_job *job, mho_settle_stats *stats) {
  const mho_network *net = job->net;
  mho_settle_job step = *job;
  for (int l = 1; l < net->n_layers - 1; l++) {
    const mho_layer *layer = &net->layer[l];
    mho_real *a = mho_rows(net, job->s->z, l, job->row0);
    step.clock.step = l;
    for (int i = 0; i < layer->n_forward; i++) {
      const mho_link *k = &net->link[layer->forward + i];
      const mho_real *from = mho_rows(net, k->from ? job->s->z : job->input->z, k->from, job->row0);
      mho_link_read(&step, k, from, a, k->scale, i > 0, stats);
    }
    mho_layer_activate(layer, job->n, a, a);
    mho_choose_winners(job, l, a);
  }
}

void mho_read_out(const mho_settle_job *job, mho_real *error, double *loss, int64_t *correct,
                  mho_settle_stats *stats) {
  const mho_network *net = job->net;
  int last = net->n_layers - 1, classes = net->layer[last].n;
  mho_real *e = error ? error + (size_t)job->row0 * (size_t)classes : NULL;
  mho_real *p = job->s->z[last] ? mho_rows(net, job->s->z, last, job->row0) : e;
  const uint8_t *label = job->label + job->row0;
  mho_logits(job, (const mho_real *const *)job->s->z, job->row0, p, stats);
  mho_softmax(job->n, classes, p, label, loss, correct);
  if (e)
    mho_error_rows(job->n, classes, p, label, e);
}

void mho_state_pool(const mho_network *net, mho_state *s, int row0, int n) {
  for (int l = 1; l < net->n_layers - 1; l++)
    if (net->layer[l].pool.size)
      mho_pool_max(&net->layer[l].pool, n, mho_rows(net, s->z, l, row0),
                   s->pooled[l] + (size_t)row0 * (size_t)net->layer[l].outputs);
}
