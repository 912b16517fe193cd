/* rate.c - neurons whose activity is a function of what comes in: z = rho(a).
 *
 *   a_l = alpha sum_f z_f W + beta_i sum_b z_b B + lateral z_k W + x W_0 - nudge (o - t) B
 *
 * The input's product is read once a phase and held, and so is what a held error brings. A layer
 * whose activity is still exactly 0 is not multiplied.
 *
 * The exact difference of two states at rest: with c_l = beta_f beta_i^h(l), h the fewest powers
 * of beta_i on a way from the read-out's neighbours, e_l = (z_free - z_nudged)/c_l obeys
 *
 *   e_l = -(rho(a_l - c_l in_l) - rho(a_l))/c_l
 *   in_l = sum_forward alpha beta_i^(h_f - h_l) e_f W
 *        + sum_feedback beta_i^(1 + h_b - h_l) e_b B + (o - t) B
 *
 * (the 1 is the number of layers that the link leads back over with feedback.per layer)
 *
 * in which nothing cancels and nothing underflows, at any depth. rho's difference is exact: see
 * the neurons.
 *
 * Of outputs that hold states the error enters the neurons themselves, as -nudge (o - t), and into
 * their in_l as o - t.
 *
 * Source: Liu & Chen, arXiv 2508.11659; energies of such nets: J. Hopfield, PNAS 81:3088 (1984).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "settle/links.h"

/* ---------------------------------------------------------------- a phase begins */

/* Lines that the free phase does not read hold 0. */
static void release_lines(const mho_phase *p) {
  for (int i = 0; i < p->s->n_hold; i++) {
    size_t n = mho__link_held(p->net, &p->net->link[i / 2]);
    if (p->s->hold[i])
      memset(p->s->hold[i] + (size_t)p->row0 * n, 0, (size_t)p->n * n * sizeof(mho_real));
  }
}

/* The winners are those of the activities that the phase starts from; at rest the first unit of
 * every window wins. */
static void begin_winners(const mho_phase *p, int l) {
  size_t n = (size_t)p->net->layer[l].outputs;
  size_t at = (size_t)p->row0 * n, count = (size_t)p->n * n;

  if (p->start)
    memcpy(p->s->winner[l] + at, p->start->winner[l] + at, count);
  else
    memset(p->s->winner[l] + at, 0, count);
}

/* d = the input's product, where the input leads into the layer. @return whether it does. */
static bool read_input(const mho_phase *p, const mho_layer *layer, mho_real *d,
                       mho_settle_stats *stats) {
  const mho_real *x = mho__values(p->net, mho_phase_input(p)->z, 0, p->row0);
  mho_phase read = *p;
  bool any = false;
  if (mho_phase_is_nudged(p))
    read.probe = NULL; /* the free phase's reads of the input stand for all phases, see mho_meter */

  for (int i = 0; i < layer->n_forward; i++) {
    const mho_link *k = &p->net->link[layer->forward + i];
    if (k->from == 0) {
      mho__link_read(&read, k, x, d, k->scale, any, stats);
      any = true;
    }
  }
  return any;
}

/* d -= nudge times what a held error brings, or d = that unless `any`. @return whether d is set. */
static bool read_held_error(const mho_phase *p, int l, bool any, mho_real *d,
                            mho_settle_stats *stats) {
  const mho_layer *layer = &p->net->layer[l];
  const mho_real *e = mho__held_error(p);

  for (int i = 0; i < layer->n_feedback; i++) {
    const mho_link *k = &p->net->link[layer->feedback + i];
    if (mho__link_holds_error(p->net, k)) {
      mho__link_read(p, k, e, d, (mho_real)-p->drive.strength * k->scale, any, stats);
      any = true;
    }
  }
  if (!mho_layer_takes_error(p->net, l))
    return any;

  mho__add_error(p, l, (mho_real)-p->drive.strength, e, any, d);
  return true;
}

/* What is not read, where a phase begins and does not only read again. */
static void begin_memory(const mho_phase *p) {
  release_lines(p);
  for (int l = 1; l < mho_hidden_end(p->net); l++)
    if (p->s->winner[l])
      begin_winners(p, l);
}

static void begin(const mho_phase *p, mho_settle_stats *stats) {
  const mho_network *net = p->net;
  int last = mho_network_output(net);
  bool repeats = p->drive.free && !mho_network_noisy(net); /* exact reads of the input do */
  if (p->thread->step == 0)
    begin_memory(p);

  for (int l = 1; l < last; l++) {
    if (!p->s->drive[l])
      continue;

    mho_real *d = mho__values(net, p->s->drive, l, p->row0);
    size_t bytes = mho__phase_count(p, l) * sizeof *d;
    bool any = true;
    if (repeats)
      memcpy(d, mho__values(net, p->drive.free->drive, l, p->row0), bytes);
    else
      any = read_input(p, &net->layer[l], d, stats);

    if (p->drive.kind == MHO_DRIVE_HELD)
      any = read_held_error(p, l, any, d, stats);
    if (!any)
      memset(d, 0, bytes);
    if (!repeats) /* else it has it already */
      mho__add_push(p, l, d);
  }
}

/* ---------------------------------------------------------------- at rest */

/* What drives a link in this step: the activity it leads out of or the error, held or live;
 * NULL: nothing does. */
static const mho_real *link_source(const mho_chunk *c, const mho_link *k, const mho_real *error) {
  const mho_phase *p = c->phase;
  if (k->from == 0) /* the input's product is in the drive */
    return NULL;
  if (mho_layer_is_hidden(&p->net->layer[k->from]))
    return c->now[k->from];
  if (error)
    return error;

  bool held = p->drive.kind == MHO_DRIVE_HELD;
  return held && !mho__link_holds_error(p->net, k) ? mho__held_error(p) : NULL;
}

/* a += what link k brings in this step, or a = that unless `any`. @return whether a is set. */
static bool add_link(const mho_chunk *c, const mho_link *k, bool any, const mho_real *error,
                     mho_real *a, mho_settle_stats *stats) {
  const mho_phase *p = c->phase;
  const mho_connection *connection = &p->net->connection[k->connection];
  const mho_real *from = link_source(c, k, error);
  bool hidden = mho_layer_is_hidden(&p->net->layer[k->from]),
       biased = connection->bias && !k->transposed;
  if (!from)
    return any;
  if (hidden && c->zero[k->from] && !biased) {
    if (mho__meter_of(p)) /* hardware does not know that they are zeros */
      mho__meter_read(mho__meter_of(p), (int)(k - p->net->link), p->n * connection->positions, NULL,
                      NULL, 1);
    return any;
  }

  mho_real scale = hidden ? k->scale : (mho_real)-p->drive.strength * k->scale;
  mho__link_read(p, k, from, a, scale, any, stats);
  return true;
}

/* a += what links first .. first+n-1 bring, or a = that unless `any`. @return whether a is set. */
static bool add_links(const mho_chunk *c, int first, int n, bool any, const mho_real *error,
                      mho_real *a, mho_settle_stats *stats) {
  for (int i = first; i < first + n; i++) {
    const mho_link *k = &c->phase->net->link[i];
    if (mho_link_settles(k))
      any = add_link(c, k, any, error, a, stats);
  }
  return any;
}

static bool input(const mho_chunk *c, int l, const mho_real *error, mho_real *a,
                  mho_settle_stats *stats) {
  const mho_phase *p = c->phase;
  const mho_layer *layer = &p->net->layer[l];
  bool any = p->s->drive[l] != NULL;
  if (any)
    memcpy(a, mho__values(p->net, p->s->drive, l, p->row0), mho__phase_count(p, l) * sizeof *a);

  any = add_links(c, layer->forward, layer->n_forward, any, error, a, stats);
  any = add_links(c, layer->feedback, layer->n_feedback, any, error, a, stats);
  any = add_links(c, layer->other, layer->n_other, any, error, a, stats);
  if (!error || !mho_layer_takes_error(p->net, l))
    return any;

  mho__add_error(p, l, (mho_real)-p->drive.strength, error, any, a);
  return true;
}

/* Keeps what the difference needs in s->keep where there is room, and chooses the winners of a
 * pooled layer unless they are held. */
static bool relax(const mho_chunk *c, int l, bool any, mho_real *a) {
  const mho_phase *p = c->phase;
  const mho_layer *layer = &p->net->layer[l];
  size_t n = mho__phase_count(p, l);
  mho_real zero = 0, rest = 1;
  if (!layer->circuit) /* offsets move a neuron that nothing comes into */
    layer->neuron->activate(1, &zero, &rest);

  if (!any)
    memset(a, 0, n * sizeof *a);
  if (p->s->sums)
    memcpy(mho__values(p->net, p->s->sums, l, p->row0), a, n * sizeof *a);
  if (p->s->keep && p->s->keep[l])
    mho_layer_activate_keep(layer, p->n, a, mho__values(p->net, p->s->keep, l, p->row0));
  else if (any || rest != 0)
    mho_layer_activate(layer, p->n, a, a);

  if (!c->hold_winners)
    mho__choose_winners(p, l, a);
  return !any && rest == 0;
}

/* ---------------------------------------------------------------- the difference */

/* What a link reads of the difference: the held error, or e. A layer that leads into itself reads
 * what its e was before, which lies in s->next. */
static const mho_real *change_source(const mho_phase *p, const mho_link *k, mho_real *const *e) {
  if (mho_link_has_error(p->net, k))
    return mho__held_error(p);
  return mho__values(p->net, k->from == k->to ? p->s->next : e, k->from, p->row0);
}

/* in += what link k brings of the difference, or in = that unless `any`. power: of beta_i. */
static void add_change(const mho_phase *p, const mho_link *k, double power, bool any,
                       mho_real *const *e, mho_real *in, mho_settle_stats *stats) {
  const mho_network *net = p->net;
  bool back = k->role == MHO_FEEDBACK;
  double gain = back ? net->connection[k->connection].sign : (double)k->scale;
  double scale = gain * pow(net->feedback_scale, power);
  mho__link_read(p, k, change_source(p, k, e), in, (mho_real)scale, any, stats);
}

/* Add what links first .. first+n-1 bring into a layer at that distance. fresh[l]: e[l] has been
 * computed. @return whether `in` is set. */
static bool add_changes(const mho_phase *p, int first, int n, int distance, const bool *fresh,
                        bool any, mho_real *const *e, mho_real *in, mho_settle_stats *stats) {
  const mho_network *net = p->net;

  for (int i = first; i < first + n; i++) {
    const mho_link *k = &net->link[i];
    bool of_error = mho_link_has_error(net, k);
    if (!of_error && (!mho_link_is_hidden(net, k) || !fresh[k->from]))
      continue;

    int power = k->span - distance + (of_error ? 0 : net->layer[k->from].distance);
    add_change(p, k, power, any, e, in, stats);
    any = true;
  }
  return any;
}

/* Links into layer l that carry e, summed into e[l]; false when none does yet. */
static bool difference_input(const mho_phase *p, int l, const bool *fresh, mho_real *const *e,
                             mho_settle_stats *stats) {
  const mho_layer *layer = &p->net->layer[l];
  mho_real *in = mho__values(p->net, e, l, p->row0);
  int distance = layer->distance;
  if (layer->n_other) /* some may lead from the layer into itself */
    memcpy(mho__values(p->net, p->s->next, l, p->row0), in, mho__phase_count(p, l) * sizeof *in);

  bool any =
      add_changes(p, layer->feedback, layer->n_feedback, distance, fresh, false, e, in, stats);

  any = add_changes(p, layer->forward, layer->n_forward, distance, fresh, any, e, in, stats);
  any = add_changes(p, layer->other, layer->n_other, distance, fresh, any, e, in, stats);
  if (!mho_layer_takes_error(p->net, l))
    return any;

  mho__add_error(p, l, 1, mho__held_error(p), any, in);
  return true;
}

static bool difference(const mho_phase *p, int l, const bool *fresh, mho_real *const *e,
                       mho_settle_stats *stats) {
  const mho_layer *layer = &p->net->layer[l];
  mho_real *el = mho__values(p->net, e, l, p->row0);
  if (layer->distance < 0 || !difference_input(p, l, fresh, e, stats)) {
    memset(el, 0, mho__phase_count(p, l) * sizeof *el); /* out of the error's reach */
    return false;
  }

  double c = p->drive.strength * mho_network_signal_scale(p->net, l);
  mho_layer_difference(layer, p->n, (mho_real)c, mho__values(p->net, p->s->z, l, p->row0),
                       mho__values(p->net, p->s->keep, l, p->row0), el);
  return true;
}

const mho_dynamics mho_dynamics_rate = {
    .entry = {.abi = MHO_ABI,
              .id = "rate",
              .title = "rates: the activity of a neuron is a function of what comes in",
              .equation = "z = rho(sum of z W); in time tau du/dt = -u + sum of z W, z = rho(u)",
              .source = "Liu & Chen, arXiv 2508.11659"},
    .begin = begin,
    .input = input,
    .relax = relax,
    .difference = difference,
    .outputs_states = true,
    .is_circuit = true,
};
