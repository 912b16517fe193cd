/* backprop.c - the error of the read-out carried back along the feedback links of the
 * feed-forward net.
 *
 *   delta_out = o - t,  delta_l = rho'(a_l) . sum_b delta_b B,  grad W = z_from^T delta_to / B
 *
 * B is the transposed forward weight (backpropagation) or a fixed random one (feedback
 * alignment). Where rule.importance propagates, delta_l gets the factors of its neurons, too. The
 * feedback gain beta_i plays no part: there is no recurrence.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "rule/backprop.h"
#include "base/streams.h"

#include <string.h>

#include "rule/phase.h"

static void forward(const mho_lesson *lesson, mho_rule_stats *stats) {
  mho_phase free = mho__rule_phase(lesson);
  mho_forward_pass(&free, &stats->free);
  stats->free.steps += lesson->n;
}

static void read_out(const mho_lesson *lesson, mho_real *error, mho_rule_stats *stats) {
  mho_phase free = mho__rule_phase(lesson);
  free.thread->step = MHO_STEP_READ_OUT;
  mho_read_out(&free, error, &stats->loss, &stats->correct, &stats->free);
}

void mho__backprop_predict(const mho_lesson *lesson, mho_rule_stats *stats) {
  forward(lesson, stats);
  read_out(lesson, NULL, stats);
}

/* delta = sum of the errors of the layers that feed back into layer l, and of the error itself
 * where it enters there. */
static void sum_feedback(const mho_lesson *lesson, const mho_phase *back, int l, mho_real *delta,
                         mho_rule_stats *stats) {
  const mho_network *net = lesson->net;
  const mho_layer *layer = &net->layer[l];
  if (!layer->n_feedback)
    memset(delta, 0, mho__rule_count(lesson, l) * sizeof *delta);

  for (int i = 0; i < layer->n_feedback; i++) {
    const mho_link *k = &net->link[layer->feedback + i];
    mho_real alpha = mho_link_has_error(net, k) ? 1 : (mho_real)net->forward_scale;
    mho_real scale = (mho_real)net->connection[k->connection].sign * alpha;
    mho__link_read(back, k, mho__values(net, lesson->error, k->from, lesson->sample0), delta, scale,
                   i > 0, &stats->nudged);
  }
  if (mho_layer_takes_error(net, l))
    mho__add_error(back, l, 1,
                   mho__values(net, lesson->error, mho_network_output(net), lesson->sample0), true,
                   delta);
}

/* delta *= m, each neuron's. */
static void weigh(const mho_lesson *lesson, int l, mho_real *delta) {
  const mho_real *factor = lesson->importance[l];
  int n = lesson->net->layer[l].n;
  for (int s = 0; s < lesson->n; s++)
    for (int j = 0; j < n; j++)
      delta[(size_t)s * (size_t)n + (size_t)j] *= factor[j];
}

void mho__backprop_back(const mho_lesson *lesson, mho_rule_stats *stats) {
  const mho_network *net = lesson->net;
  mho_phase back = mho__rule_phase(lesson);
  back.number = 1;

  for (int l = mho_hidden_end(net) - 1; l >= 1; l--) {
    mho_real *delta = mho__values(net, lesson->error, l, lesson->sample0);
    const mho_real *z = mho__values(net, lesson->state[0]->z, l, lesson->sample0);
    back.thread->step = l;

    sum_feedback(lesson, &back, l, delta, stats);
    mho_layer_scale_by_slope(&net->layer[l], lesson->n, z, delta);
    if (lesson->importance && lesson->propagates)
      weigh(lesson, l, delta);
  }
}

void mho__backprop_at_state(const mho_lesson *lesson, mho_rule_stats *stats) {
  read_out(lesson, lesson->error[mho_network_output(lesson->net)], stats);
  mho__backprop_back(lesson, stats);
}

void mho__backprop_learn(const mho_lesson *lesson, mho_rule_stats *stats) {
  forward(lesson, stats);
  mho__backprop_at_state(lesson, stats);
}
