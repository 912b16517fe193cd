/* links.h - what every settler is made of: reading a link for a chunk of samples.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SETTLE_LINKS_H
#define MHO_SETTLE_LINKS_H

#include <string.h>

#include "mho/model/settle.h"

/* The values of layer l in a set of activities, from sample sample0 on. */
static inline mho_real *mho__values(const mho_network *net, mho_real *const *z, int l,
                                    int sample0) {
  return z[l] + (size_t)sample0 * (size_t)net->layer[l].n;
}

/* Values of layer l for the samples of a phase. */
static inline size_t mho__phase_count(const mho_phase *p, int l) {
  return (size_t)p->n * (size_t)p->net->layer[l].n;
}

/* What is to be known of a phase. */
static inline mho_probe mho__probe_of(const mho_phase *p) {
  return p->probe ? *p->probe : (mho_probe){NULL};
}
static inline mho_meter *mho__meter_of(const mho_phase *p) {
  return p->probe ? p->probe->meter : NULL;
}
static inline mho_trace *mho__trace_of(const mho_phase *p) {
  return p->probe ? p->probe->trace : NULL;
}

/** Room in the thread's scratch behind what reads and a live error use, [n x widest layer], in
 * networks of resistors. */
mho_real *mho__settle_room(const mho_phase *p);

/* When a read of a phase is, for its noise. */
static inline mho_clock mho__clock_of(const mho_phase *p) {
  return (mho_clock){.update = p->thread->update, .phase = p->number, .step = p->thread->step};
}

/* The held o - t of the phase's samples, [n x classes]; the phase has one. */
static inline const mho_real *mho__held_error(const mho_phase *p) {
  return p->drive.error + (size_t)p->row0 * (size_t)mho_network_classes(p->net);
}

/** Count n vectors read through link k, whose sums are to be scaled by `scale`.
 *  @param x       [n x inputs of the link] what drives the lines; NULL: zeros.
 *  @param driven  of one vector, where x is not 0, as mho_read has it; NULL: it is looked at. */
void mho__meter_read(mho_meter *m, int k, int n, const mho_real *x, const uint64_t *driven,
                     double scale);
/** Whether reads of link k meet a perturbation at the edge of the array, which takes circuits. */
bool mho__meter_has_edge(const mho_meter *m, int k);

/* Values that the sense lines of a link hold for a sample. */
static inline size_t mho__link_held(const mho_network *net, const mho_link *k) {
  return (size_t)mho_crossbar_conversions(net->connection[k->connection].xb, k->transposed) *
         (size_t)net->layer[k->to].n;
}

/* What the sense lines of a link hold, or held in the free phase. */
static inline mho_hold mho__link_hold(const mho_phase *p, const mho_link *k) {
  const mho_state *s = mho_phase_input(p);
  size_t i = (size_t)(k - p->net->link);
  if (!s->hold || 2 * i >= (size_t)s->n_hold || !s->hold[2 * i])
    return (mho_hold){NULL};

  size_t at = (size_t)p->row0 * mho__link_held(p->net, k);
  return (mho_hold){s->hold[2 * i] + at, s->hold[2 * i + 1] + at, p->drive.free != NULL};
}

/** mho__link_read where more than the crossbar lies between the layers. */
void mho__link_read_shaped(const mho_phase *p, const mho_link *k, const mho_real *from,
                           mho_real *to, mho_real scale, bool add, mho_settle_stats *stats);

/** mho__link_read, with what is known of the lines: where a layer has spiked, one sample is read
 *  without a look at the others.
 *  @param driven  where `from` is not 0, as mho_read has it; NULL: that is not known. */
static inline void mho__link_read_driven(const mho_phase *p, const mho_link *k,
                                         const mho_real *from, const uint64_t *driven, mho_real *to,
                                         mho_real scale, bool add, mho_settle_stats *stats) {
  if (!k->plain) {
    mho__link_read_shaped(p, k, from, to, scale, add, stats);
    return;
  }

  mho_read r = {.transposed = k->transposed,
                .n = p->n,
                .x = from,
                .y = to,
                .scale = scale,
                .keep = add,
                .clock = mho__clock_of(p),
                .sample0 = p->row0,
                .neurons_in = p->net->layer[k->from].neuron,
                .neurons_out = p->net->layer[k->to].neuron,
                .sparse = p->dyn && p->dyn->spikes,
                .driven = driven,
                .hold = mho__link_hold(p, k),
                .scratch = p->thread->scratch};
  mho_crossbar_read(p->net->connection[k->connection].xb, &r);
  if (mho__meter_of(p))
    mho__meter_read(mho__meter_of(p), (int)(k - p->net->link), p->n, from, driven, (double)scale);
  stats->reads += p->n;
}

/** to = scale from op(W), or to += when `add`, for the samples of the phase: the one way in which
 * settlers read a link. Where a layer is pooled, a link out of it carries its largest activities
 * (of changes, those where p->s->z is largest), and a link back into it reaches the winners in
 * p->s, see mho__choose_winners; links of credits go the other way by the same units.
 *  @param from  [n x units of k->from].
 *  @param to    [n x units of k->to]. */
static inline void mho__link_read(const mho_phase *p, const mho_link *k, const mho_real *from,
                                  mho_real *to, mho_real scale, bool add, mho_settle_stats *stats) {
  mho__link_read_driven(p, k, from, NULL, to, scale, add, stats);
}

/* The winners of layer l, if it is pooled, from activities z that begin with the phase's first
 * sample. A settler calls it with every new activity (relax of the dynamics rate does). */
static inline void mho__choose_winners(const mho_phase *p, int l, const mho_real *z) {
  const mho_layer *layer = &p->net->layer[l];
  if (layer->pool.size)
    mho_pool_winners(&layer->pool, p->n, z,
                     p->s->winner[l] + (size_t)p->row0 * (size_t)layer->outputs);
}

/* Whether what a held error adds through this link is the same in every step: not where it goes
 * to the winners of a pooling, which change. */
static inline bool mho__link_holds_error(const mho_network *net, const mho_link *k) {
  return mho_link_has_error(net, k) && !net->layer[k->to].pool.size;
}

/* a += what a trial adds to the summed inputs of layer l, [n x layer]. */
static inline void mho__add_push(const mho_phase *p, int l, mho_real *a) {
  if (!p->s->push)
    return;

  const mho_real *push = mho__values(p->net, p->s->push, l, p->row0);
  size_t n = mho__phase_count(p, l);
  for (size_t i = 0; i < n; i++)
    a[i] += push[i];
}

/* a += factor e, or a = factor e unless `any`: an error e that enters the neurons of layer l as it
 * is, both [n x layer]. */
static inline void mho__add_error(const mho_phase *p, int l, mho_real factor, const mho_real *e,
                                  bool any, mho_real *a) {
  size_t n = mho__phase_count(p, l);
  for (size_t i = 0; i < n; i++)
    a[i] = any ? a[i] + factor * e[i] : factor * e[i];
}

/* Logits of the read-out from hidden activities z, in which the phase's first sample is number
 * sample0; of output neurons, their activities. */
static inline void mho__logits(const mho_phase *p, const mho_real *const *z, int sample0,
                               mho_real *out, mho_settle_stats *stats) {
  const mho_network *net = p->net;
  const mho_layer *layer = &net->layer[mho_network_output(net)];
  int outputs = mho_network_output(net) - 1;
  if (mho_layer_answers(net, outputs))
    memcpy(out, z[outputs] + (size_t)sample0 * (size_t)layer->n,
           mho__phase_count(p, outputs) * sizeof *out);

  for (int i = 0; i < layer->n_forward; i++) {
    const mho_link *k = &net->link[layer->forward + i];
    const mho_real *from = z[k->from] + (size_t)sample0 * (size_t)net->layer[k->from].n;
    mho__link_read(p, k, from, out, k->scale, i > 0, stats);
  }
}

#endif
