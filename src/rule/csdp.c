/* csdp.c - contrastive-signal-dependent plasticity: layers learn to fire for samples and not for
 * what are none, each by itself, in every step of the clock.
 *
 * A sample and a negative of it, the same image with a wrong label or two images blended, go
 * through the network side by side as rows of a batch. With s the spikes of a layer, z its traces,
 * set to 1 by a spike or added to, and R the gain of a link, a weight follows in every step
 *
 *   g   = R sum over rows of  s_pre[t-1]^T delta[t],   delta = dL/dz over the rows (goodness.c)
 *   W  <- W - optimizer(g) - decay sum over rows of (1 - s_pre[t-1])^T s_post[t]
 *
 * on links forward, back (crossbars of their own), from the label and, with the same sign as
 * published or with that of the gradient, between the neurons of a layer (not below 0 on single
 * devices and in floating point). Links into output neurons follow
 *
 *   g   = -R (2/samples) s_pre[t-1]^T (y - z) (1 - |W|/w_max),   y = 1 of the label, else 0
 *
 * of the samples, with R that of forward links; z is the trace, or the potential of outputs that do
 * not fire. To predict no label is shown, and output neurons answer; or every label is, one after
 * the other, and answers where layers have most goodness, summed over layers and steps.
 *
 * One factor sig(q) - y a layer (or group of neurons) teaches all of its synapses: negative of
 * samples, positive of negatives, so that in each of the two all writes but decays go one way.
 *
 * With update.apply batch the sum over all steps of a presentation is one change.
 *
 * Source: A. Ororbia, Sci. Adv. 10:eadn6076 (2024), and its published program,
 * github.com/ago109/contrastive-signal-dependent-plasticity (2024), which numbers, order of a step
 * and bounds follow; what it has for reconstruction alone is left out. Prediction by goodness, the
 * derangement of blends, the sign of the gradient, apply batch: derived here.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "base/streams.h"
#include "device/ideal.h"
#include "mho/model/check.h"
#include "network/chain.h"
#include "rule/goodness.h"
#include "rule/negatives.h"
#include "rule/phase.h"

typedef struct csdp {
  double threshold;
  int64_t groups;
  int negative, lateral_sign, readout_bound;
  double blend, rotate, decay;
} csdp;

enum { NEGATIVE_LABEL, NEGATIVE_BLEND };
enum { SIGN_PUBLISHED, SIGN_GRADIENT };
enum { BOUND_SOFT, BOUND_HARD };

/* A trace below it is 0: after 53 published steps without a spike. */
static const double FORGOTTEN = 1e-6;

static const csdp *csdp_of(const mho_experiment *e) {
  return (const csdp *)(const void *)e->rule.params;
}

static const char *without_blends(const mho_experiment *e) {
  return csdp_of(e)->negative == NEGATIVE_BLEND ? NULL
                                                : "negatives have wrong labels (rule.negative)";
}

static const char *without_inhibition(const mho_experiment *e) {
  return e->network.lateral ? NULL : "there are no lateral links (network.lateral)";
}

static const char *without_soft_bound(const mho_experiment *e) {
  if (!mho_output_has_neurons((mho_output)e->network.output))
    return "outputs are no neurons (network.output)";
  if (((const mho_scheme *)e->scheme.entry)->draw)
    return "devices bound themselves (update.scheme)";
  return NULL;
}

static const mho_param table[] = {
    MHO_P_REAL(csdp, threshold, "threshold", "", 10, 0, 1e6,
               "goodness, the sum of squared traces, at which a layer is as sure as not"),
    MHO_P_INT(csdp, groups, "groups", 1, 1, 65536,
              "of neurons of a layer that are judged, and taught, each by itself"),
    MHO_P_CHOICE(csdp, negative, "negative", "label|blend", NEGATIVE_LABEL,
                 "what is no sample: an image with a wrong label, or two images in one"),
    MHO_P_REAL(csdp, blend, "blend", "", 0.5, 0, 1, "negative blend: part of the image itself",
               .idle = without_blends),
    MHO_P_REAL(csdp, rotate, "rotate", "", 0, 0, 180,
               "negative blend: degrees by which the other image is turned at most",
               .idle = without_blends),
    MHO_P_REAL(csdp, decay, "decay", "", 7e-5, 0, 1,
               "taken off a weight in a step for every row in which its neuron fires and its line "
               "has not"),
    MHO_P_CHOICE(csdp, lateral_sign, "lateral_sign", "published|gradient", SIGN_PUBLISHED,
                 "neurons that fire together for samples inhibit each other more, or, as would "
                 "raise their goodness, less",
                 .idle = without_inhibition),
    MHO_P_CHOICE(csdp, readout_bound, "readout_bound", "soft|hard", BOUND_SOFT,
                 "weights into output neurons change less the closer they are to w_max, or alike",
                 .idle = without_soft_bound),
};

enum {
  EVEN,  /* spikes of the last step with an even number, */
  ODD,   /* and of the last with an odd one */
  QUIET, /* 1 where a unit has not fired in the step before */
  TRACE,
  DELTA,
  SURE, /* goodness of all layers, summed over steps */
  LOSS, /* the same of their losses */
};
static const mho_var variables[] = {
    {"even", MHO_PER_NEURON, false, false},  {"odd", MHO_PER_NEURON, false, false},
    {"quiet", MHO_PER_NEURON, false, false}, {"trace", MHO_PER_HIDDEN, false, false},
    {"delta", MHO_PER_HIDDEN, false, false}, {"sure", MHO_PER_SAMPLE, true, false},
    {"loss", MHO_PER_SAMPLE, true, false},
};

/* What it works in. */
typedef struct own {
  const mho_network *net;
  int capacity;
  mho_real *context; /* [capacity x classes] what units that stand for the label fire */
  float *u;          /* [capacity] */
  int *partner;      /* [capacity] */
  mho_real *turned;  /* [inputs] */
  int t;             /* steps that have been taken */
  /* Changes of a whole presentation, [n_trained] of [weights]; NULL until they are asked for. */
  mho_real **gradient, **decayed;
  mho_real *scratch; /* with them: a connection's product, and what its sum needs */
} own;

/* Numbers of a variable of a layer, from a row on. */
static mho_real *values_of(const mho_lesson *l, int variable, int layer, int row) {
  return mho_vars_real(l->vars, variable, layer, row);
}

/* What a layer has fired in the last step, from a row on. */
static const mho_real *spikes_of(const mho_lesson *l, int layer, int row) {
  const mho_vars *v = l->state[0]->vars;
  return mho_vars_real(v, mho_vars_find(v, "spike"), layer, row);
}

/* Spikes of step t, or t - 2. */
static int buffer_of(int t) {
  return t % 2 ? ODD : EVEN;
}

/* ---------------------------------------------------------------- a step, row by row */

static void move_traces(const mho_phase *p, const mho_tick *tick, const mho_lesson *l, int layer) {
  const mho_spiking_config *c = p->net->spiking;
  const mho_real *s = spikes_of(l, layer, p->row0);
  mho_real *z = values_of(l, TRACE, layer, p->row0);
  double pace = tick->dt / c->trace_tau, d = tick->euler ? fmax(1 - pace, 0) : exp(-pace);
  mho_real kept = (mho_real)d, gain = (mho_real)c->trace_gain, least = (mho_real)FORGOTTEN;
  bool adds = c->trace_form == MHO_TRACE_FORM_ADD;
  size_t n = mho__phase_count(p, layer);

  for (size_t i = 0; i < n; i++) {
    mho_real left = kept * z[i] < least ? 0 : kept * z[i];
    z[i] = adds ? left + gain * s[i] : left * (1 - s[i]) + s[i];
  }
}

/* How sure a hidden layer is, on top of what rows have been so far. */
static void be_sure(const mho_phase *p, const mho_lesson *l, int layer) {
  if (p->net->output != MHO_OUTPUT_GOODNESS)
    return;
  for (int row = p->row0; row < p->row0 + p->n; row++)
    *mho_vars_exact(l->vars, SURE, 0, row) +=
        mho__goodness(p->net->layer[layer].n, values_of(l, TRACE, layer, row));
}

/* What rows have fired, for the next step, and which have not in the one before. */
static void note_spikes(const mho_phase *p, const mho_tick *tick, const mho_lesson *l, int layer) {
  const csdp *keys = l->params;
  size_t n = mho__phase_count(p, layer);
  mho_real *quiet = values_of(l, QUIET, layer, p->row0);
  const mho_real *before = values_of(l, buffer_of(tick->number - 1), layer, p->row0);

  memcpy(values_of(l, buffer_of(tick->number), layer, p->row0), spikes_of(l, layer, p->row0),
         n * sizeof *quiet);
  for (size_t i = 0; keys->decay > 0 && i < n; i++)
    quiet[i] = 1 - before[i];
}

/* A hidden layer contrasts: rows before the lesson's n are samples, the others none. */
static void contrast(const mho_phase *p, const mho_lesson *l, int layer) {
  const csdp *keys = l->params;
  mho_contrast c = {.groups = (int)keys->groups, .threshold = keys->threshold};
  int n = p->net->layer[layer].n;
  mho_real share = (mho_real)(1.0 / (2 * l->n));

  c.groups = mho_min(c.groups, n);
  for (int row = p->row0; row < p->row0 + p->n; row++) {
    mho_real *delta = values_of(l, DELTA, layer, row);
    const mho_real *z = values_of(l, TRACE, layer, row);
    *mho_vars_exact(l->vars, LOSS, 0, row) += mho__goodness_contrast(&c, n, z, row < l->n, delta);
    for (int i = 0; i < n; i++)
      delta[i] *= share;
  }
}

/* Output neurons are taught by samples: -(2/samples)(y - z). */
static void correct(const mho_phase *p, const mho_lesson *l, int layer) {
  const mho_vars *v = l->state[0]->vars;
  bool has_spikes = p->net->output == MHO_OUTPUT_COUNTS;
  int n = p->net->layer[layer].n;
  mho_real share = (mho_real)(2.0 / l->n);

  for (int row = p->row0; row < p->row0 + p->n && row < l->n; row++) {
    mho_real *delta = values_of(l, DELTA, layer, row);
    const mho_real *z = values_of(l, TRACE, layer, row);
    const double *u = mho_vars_exact(v, mho_vars_find(v, "u"), layer, row);
    for (int j = 0; j < n; j++) {
      mho_real is = has_spikes ? z[j] : (mho_real)u[j];
      delta[j] = share * (is - mho_target(&l->targets, n, row, j));
    }
  }
}

/* After a step of a few rows. */
static void look(const mho_phase *p, const mho_tick *tick, void *of) {
  const mho_lesson *l = of;
  for (int layer = 0; layer < p->net->n_layers; layer++) {
    note_spikes(p, tick, l, layer);
    if (!mho_layer_is_hidden(&p->net->layer[layer]))
      continue;
    move_traces(p, tick, l, layer);
    if (mho_layer_answers(p->net, layer)) {
      correct(p, l, layer);
      continue;
    }
    be_sure(p, l, layer);
    contrast(p, l, layer);
  }
}

/* ---------------------------------------------------------------- changes */

/* The link through a connection: each has one. */
static const mho_link *link_of(const mho_network *net, int connection) {
  int i = 0;
  while (net->link[i].connection != connection)
    i++;
  return &net->link[i];
}

/* A term of rows row .. row+n-1. */
static mho_outer *add_term(const mho_lesson *l, const mho_connection *k, int pre, int post,
                           const mho_vars *posts, int row, mho_change *out) {
  mho_outer *term = mho_change_add(out);
  term->pre = values_of(l, pre, k->from, row);
  term->post = mho_vars_real(posts, post, k->to, row);
  term->n = l->n;
  term->sparse = true;
  return term;
}

/* What the last step wants of a connection. */
static void change_of_step(const mho_lesson *l, int connection, mho_change *out) {
  const csdp *keys = l->params;
  const own *o = l->own;
  const mho_network *net = l->net;
  const mho_connection *k = &net->connection[connection];
  const mho_link *link = link_of(net, connection);
  const mho_vars *v = l->state[0]->vars;
  int heard = buffer_of(o->t - 1), spike = mho_vars_find(v, "spike");

  if (mho_layer_answers(net, k->to)) {
    add_term(l, k, heard, DELTA, l->vars, 0, out)->scale = net->spiking->forward_gain;
    out->soft = keys->readout_bound == BOUND_SOFT;
    return;
  }

  bool turns = k->role == MHO_LATERAL && keys->lateral_sign == SIGN_PUBLISHED;
  double scale = mho_spiking_gain(net, link) * (double)link->scale * (turns ? k->sign : 1);
  for (int row = 0; row <= l->n; row += l->n) {
    add_term(l, k, heard, DELTA, l->vars, row, out)->scale = scale;
    if (keys->decay == 0)
      continue;
    mho_outer *decay = add_term(l, k, QUIET, spike, v, row, out);
    decay->but = values_of(l, heard, k->from, row);
    decay->scale = keys->decay;
    decay->absolute = true;
  }
}

/* ---------------------------------------------------------------- whole presentations */

/* out += rows row0 .. row0+rows-1 of a sum over steps. */
static void add_rows(const mho_network *net, mho_real *const *sum, int c, int row0, int rows,
                     mho_real *out) {
  size_t cols = (size_t)net->connection[c].xb->cols, n = (size_t)rows * cols;
  const mho_real *from = sum[c] + (size_t)row0 * cols;
  for (size_t i = 0; i < n; i++)
    out[i] += from[i];
}

static void add_gradient(const void *of, int c, int row0, int rows, mho_real *out) {
  const own *o = of;
  add_rows(o->net, o->gradient, c, row0, rows, out);
}

static void add_decayed(const void *of, int c, int row0, int rows, mho_real *out) {
  const own *o = of;
  add_rows(o->net, o->decayed, c, row0, rows, out);
}

static void free_sums(mho_real **sum, int n) {
  for (int c = 0; sum && c < n; c++)
    mho_free(sum[c]);
  mho_free(sum);
}

static mho_real **new_sums(const mho_network *net) {
  mho_real **sum = mho_alloc((size_t)net->n_trained, sizeof(mho_real *));
  bool has_all = sum != NULL;
  for (int c = 0; has_all && c < net->n_trained; c++) {
    sum[c] = mho_alloc(mho_crossbar_cells(net->connection[c].xb), sizeof **sum);
    has_all = sum[c] != NULL;
  }
  if (has_all)
    return sum;

  free_sums(sum, net->n_trained);
  return NULL;
}

static mho_err no_memory(mho_errinfo *ei) {
  return mho_fail(ei, MHO_ENOMEM, "no memory for the changes of a presentation");
}

/* Room for sums, the first time, which begin at 0. */
static mho_err begin_sums(own *o, mho_errinfo *ei) {
  const mho_network *net = o->net;
  size_t most = 0;
  for (int c = 0; c < net->n_trained; c++) {
    const mho_crossbar *x = net->connection[c].xb;
    size_t cells = mho_crossbar_cells(x);
    most = mho_max_size(most, cells + mho_change_scratch(net, x->rows, (int)cells));
  }

  if (!o->gradient)
    o->gradient = new_sums(net);
  if (!o->decayed)
    o->decayed = new_sums(net);
  if (!o->scratch)
    o->scratch = mho_alloc(most, sizeof *o->scratch);
  if (!o->gradient || !o->decayed || !o->scratch)
    return no_memory(ei);

  for (int c = 0; c < net->n_trained; c++) {
    size_t bytes = mho_crossbar_cells(net->connection[c].xb) * sizeof(mho_real);
    memset(o->gradient[c], 0, bytes);
    memset(o->decayed[c], 0, bytes);
  }
  return MHO_OK;
}

/* A part of the last step's change of a connection, onto the sum. */
static void add_part(const own *o, int c, const mho_change *change, mho_change_part part,
                     mho_real *sum) {
  const mho_crossbar *x = o->net->connection[c].xb;
  size_t cells = mho_crossbar_cells(x);
  mho_change_sum(o->net, c, change, part, 0, x->rows, o->scratch, o->scratch + cells);
  for (size_t i = 0; i < cells; i++)
    sum[i] += o->scratch[i];
}

static void add_step(const mho_lesson *l) {
  const own *o = l->own;
  for (int c = 0; c < l->net->n_trained; c++) {
    mho_change change = {0};
    change_of_step(l, c, &change);
    add_part(o, c, &change, MHO_CHANGE_GRADIENT, o->gradient[c]);
    if (mho_change_has(&change, MHO_CHANGE_ABSOLUTE))
      add_part(o, c, &change, MHO_CHANGE_ABSOLUTE, o->decayed[c]);
  }
}

static bool learns_in_steps(const mho_lesson *l) {
  return l->applies == MHO_APPLY_STEP;
}

static void change(const mho_lesson *l, int connection, mho_change *out) {
  const own *o = l->own;
  if (learns_in_steps(l)) {
    change_of_step(l, connection, out);
    return;
  }

  const csdp *keys = l->params;
  out->soft = mho_layer_answers(l->net, l->net->connection[connection].to) &&
              keys->readout_bound == BOUND_SOFT;
  out->of = o;
  out->dense = o->gradient ? add_gradient : NULL;
  out->dense_absolute = o->decayed && keys->decay > 0 ? add_decayed : NULL;
}

/* All rows have taken a step. */
static void stepped(const mho_lesson *l) {
  own *o = l->own;
  o->t++;
  if (learns_in_steps(l))
    mho_lesson_apply(l, MHO_APPLY_STEP);
  else
    add_step(l);
}

/* ---------------------------------------------------------------- a batch */

/* The units that stand for the label of a row: all 0 for a label below 0. */
static void show(const mho_lesson *l, int row, int label) {
  const own *o = l->own;
  int classes = mho_network_classes(l->net);
  mho_real *context = o->context + (size_t)row * (size_t)classes;
  for (int c = 0; c < classes; c++)
    context[c] = c == label;
}

/* Numbers for the negatives of a batch, [n]. */
static void draw(const mho_lesson *l, int what) {
  const own *o = l->own;
  mho_rng rng = mho__stream_contrast(l->thread->noise_seed, what);
  mho_rng_uniform(rng, l->thread->update, 0, (size_t)l->n, o->u);
}

/* Wrong labels for the same images. */
static void mislabel(const mho_lesson *l) {
  const own *o = l->own;
  int classes = mho_network_classes(l->net);
  draw(l, MHO_CONTRAST_LABEL);
  for (int s = 0; s < l->n; s++) {
    int label = l->targets.label[s];
    show(l, s, label);
    show(l, l->n + s, mho__wrong_label(classes, label, (double)o->u[s]));
  }
}

/* Two images in one: out = blend x + (1 - blend) of the other, turned. */
static void blend_in(const mho_lesson *l, const mho_real *other, double angle, mho_real *x) {
  const csdp *keys = l->params;
  const own *o = l->own;
  const mho_layer *input = &l->net->layer[0];
  mho_real part = (mho_real)keys->blend;

  if (angle != 0) {
    mho__image_turned(input, angle, other, o->turned);
    other = o->turned;
  }
  for (int i = 0; i < input->n; i++)
    x[i] = part * x[i] + (1 - part) * other[i];
}

static void blend(const mho_lesson *l) {
  const csdp *keys = l->params;
  const own *o = l->own;
  mho_real *const *z = l->state[0]->z;
  double most = keys->rotate * acos(-1) / 180;

  draw(l, MHO_CONTRAST_PARTNER);
  mho__partners(l->n, o->u, o->partner);
  draw(l, MHO_CONTRAST_ANGLE);
  for (int s = 0; s < l->n; s++)
    blend_in(l, mho__values(l->net, z, 0, o->partner[s]), most * (2 * (double)o->u[s] - 1),
             mho__values(l->net, z, 0, l->n + s));
}

/* The batch's n samples, and behind them their negatives. */
static void fill_rows(const mho_lesson *l) {
  const csdp *keys = l->params;
  mho_real *const *z = l->state[0]->z;
  size_t n = (size_t)l->n * (size_t)l->net->layer[0].n;

  mho_events *events = l->state[0]->events;

  memcpy(mho__values(l->net, z, 0, l->n), z[0], n * sizeof(mho_real));
  memcpy(events + l->n, events, (size_t)l->n * sizeof *events);
  if (keys->negative == NEGATIVE_BLEND)
    blend(l);
  else
    mislabel(l);
}

/* Goodness of a sample under labels, over its sum, which is above 0 where anything has fired. */
static void share_out(int classes, mho_real *y) {
  mho_real sum = 0;
  for (int c = 0; c < classes; c++)
    sum += y[c];
  for (int c = 0; sum > 0 && c < classes; c++)
    y[c] /= sum;
}

static mho_real sure_of(const mho_lesson *l, int row) {
  return (mho_real)*mho_vars_exact(l->vars, SURE, 0, row);
}

/* With goodness as the read-out a batch that is learned from knows that of two labels, its own and
 * the wrong one that it was shown. */
static void answer_of_rows(const mho_lesson *l) {
  const own *o = l->own;
  int classes = mho_network_classes(l->net), last = mho_network_output(l->net);
  for (int s = 0; s < l->n; s++) {
    mho_real *y = mho__values(l->net, l->state[0]->z, last, s);
    const mho_real *shown = o->context + (size_t)s * (size_t)classes;
    const mho_real *wrong = o->context + (size_t)(l->n + s) * (size_t)classes;
    for (int c = 0; c < classes; c++)
      y[c] = shown[c] * sure_of(l, s) + wrong[c] * sure_of(l, l->n + s);
    share_out(classes, y);
  }
}

/* Mean over rows, layers and steps, for each sample. */
static double loss_of(const mho_lesson *l) {
  int layers = 0, steps = ((const own *)l->own)->t;
  double sum = 0;
  for (int layer = 1; layer < mho_hidden_end(l->net); layer++)
    layers += !mho_layer_answers(l->net, layer);
  for (int row = 0; row < 2 * l->n; row++)
    sum += *mho_vars_exact(l->vars, LOSS, 0, row);
  return sum / (2.0 * layers * steps);
}

static mho_err trial(const mho_lesson *l, mho_rule_stats *stats, mho_errinfo *ei) {
  own *o = l->own;
  const csdp *keys = l->params;
  bool has_labels = keys->negative == NEGATIVE_LABEL;
  mho_err err = learns_in_steps(l) ? MHO_OK : begin_sums(o, ei);
  if (err)
    return err;

  mho_vars_clear(l->vars, 0, 2 * l->n, true);
  fill_rows(l);
  o->t = 0;
  mho_phase p = mho__rule_phase(l);
  p.n = 2 * l->n;
  p.drive.context = has_labels ? o->context : NULL;
  p.ticked = look;
  p.of = (void *)(uintptr_t)l;
  mho_lesson_settle(l, &p, stepped, &stats->free);

  double unused = 0;
  p.n = l->n;
  if (l->net->output == MHO_OUTPUT_GOODNESS)
    answer_of_rows(l);
  mho_read_out(&p, NULL, &unused, &stats->correct, &stats->free);
  stats->loss += loss_of(l);
  return MHO_OK;
}

/* ---------------------------------------------------------------- prediction */

/* After a step of rows that are not learned from. */
static void feel(const mho_phase *p, const mho_tick *tick, void *of) {
  const mho_lesson *l = of;
  for (int layer = 1; layer < mho_hidden_end(p->net); layer++) {
    move_traces(p, tick, l, layer);
    be_sure(p, l, layer);
  }
}

/* The goodness of a lesson's samples under a label. */
static void try_label(const mho_lesson *l, int label, mho_rule_stats *stats) {
  const own *o = l->own;
  int last = mho_network_output(l->net);
  mho_phase p = mho__rule_phase(l);
  p.drive.context = o->context;
  p.ticked = feel;
  p.of = (void *)(uintptr_t)l;

  mho_vars_clear(l->vars, l->sample0, l->n, true);
  for (int s = l->sample0; s < l->sample0 + l->n; s++)
    show(l, s, label);
  mho_settle(&p, &stats->free);
  for (int s = l->sample0; s < l->sample0 + l->n; s++)
    mho__values(l->net, l->state[0]->z, last, s)[label] = sure_of(l, s);
}

static void predict(const mho_lesson *l, mho_rule_stats *stats) {
  int classes = mho_network_classes(l->net), last = mho_network_output(l->net);
  if (l->net->output != MHO_OUTPUT_GOODNESS) {
    mho__rule_predict(l, stats);
    return;
  }

  for (int label = 0; label < classes; label++)
    try_label(l, label, stats);
  for (int s = l->sample0; s < l->sample0 + l->n; s++)
    share_out(classes, mho__values(l->net, l->state[0]->z, last, s));
  mho_phase p = mho__rule_phase(l);
  p.thread->step = MHO_STEP_READ_OUT;
  mho_read_out(&p, NULL, &stats->loss, &stats->correct, &stats->free);
}

/* ---------------------------------------------------------------- memory, links */

static void own_free(void *of) {
  own *o = of;
  if (!o)
    return;
  free_sums(o->gradient, o->net->n_trained);
  free_sums(o->decayed, o->net->n_trained);
  mho_free(o->scratch);
  mho_free(o->turned);
  mho_free(o->partner);
  mho_free(o->u);
  mho_free(o->context);
  mho_free(o);
}

static mho_err own_new(const mho_experiment *e, const mho_network *net, int batch, void **out,
                       mho_errinfo *ei) {
  int classes = mho_network_classes(net);
  (void)e;
  if (classes < 2)
    return mho_fail(ei, MHO_ECONFIG,
                    "rule.name: csdp contrasts classes, and the data have %d: use data of two or "
                    "more",
                    classes);

  own *o = mho_alloc(1, sizeof *o);
  if (o) {
    o->net = net;
    o->context = mho_alloc((size_t)batch * (size_t)classes, sizeof *o->context);
    o->u = mho_alloc((size_t)batch, sizeof *o->u);
    o->partner = mho_alloc((size_t)batch, sizeof *o->partner);
    o->turned = mho_alloc((size_t)net->layer[0].n, sizeof *o->turned);
  }
  if (!o || !o->context || !o->u || !o->partner || !o->turned) {
    own_free(o);
    return no_memory(ei);
  }
  *out = o;
  return MHO_OK;
}

/* Links back and between neurons of a layer learn, and every hidden layer leads to the outputs. */
static mho_err plan(const void *params, mho_graph *g, mho_errinfo *ei) {
  (void)params;
  for (int i = 0; i < g->n_edges; i++)
    g->edge[i].trained |= g->edge[i].role == MHO_FEEDBACK || g->edge[i].role == MHO_LATERAL;

  for (int l = 1; l < g->outputs; l++) {
    if (g->n_edges == MHO_EDGES_MAX)
      return mho_fail(ei, MHO_ECONFIG,
                      "network.output: there is no room for links of %d layers into the outputs: "
                      "use fewer links",
                      g->outputs - 1);
    mho__graph_add(g, l, g->outputs);
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- what it fits */

#define REFUSE(...) return mho_fail(ei, MHO_ECONFIG, __VA_ARGS__)

static mho_err check_neurons(const mho_experiment *e, mho_errinfo *ei) {
  const mho_spiking_config *c = &e->circuit.spiking;
  if (!((const mho_dynamics *)e->dynamics.entry)->spikes)
    REFUSE("rule.name: 'csdp' learns from spikes, and the neurons of dynamics.name '%s' have none: "
           "use dynamics spiking",
           e->dynamics.entry->id);
  if (!((const mho_settler *)e->settler.entry)->step)
    REFUSE("settle.method: rule.name 'csdp' learns in steps of a clock, which '%s' has not: use "
           "steps",
           e->settler.entry->id);
  if (c->law != MHO_THRESHOLD_FIXED && c->law != MHO_THRESHOLD_LAYER)
    REFUSE("neuron.threshold.law: thresholds that go on from sample to sample would follow "
           "negatives of rule.name 'csdp', too: use law layer or fixed");
  if (c->forward_delay > 0 || c->lateral_delay > 0 || c->back_delay > 0)
    REFUSE("neuron.delay: rule.name 'csdp' pairs traces with spikes of the step before, whatever "
           "delays: leave them at 0");
  return MHO_OK;
}

static mho_err check_network(const mho_experiment *e, mho_errinfo *ei) {
  int output = e->network.output;
  bool is_known = output >= MHO_OUTPUT_VOTES;
  if (!is_known)
    REFUSE("network.output: rule.name 'csdp' teaches neurons, and no other read-out: use counts, "
           "membrane, goodness or votes");
  if (e->network.biases)
    REFUSE("network.biases: rule.name 'csdp' has thresholds in their place: leave it out");
  if (!strcmp(e->topology.entry->id, "conv"))
    REFUSE("network.topology: rule.name 'csdp' does not learn the filters of conv: use layered");
  if (e->gradient.importance != MHO_IMPORTANCE_NONE)
    REFUSE("rule.importance: under rule.name 'csdp' no weights count for a neuron: use none");
  return MHO_OK;
}

static mho_err check_negatives(const mho_experiment *e, mho_errinfo *ei) {
  bool shows = e->network.context == MHO_CONTEXT_LABEL;
  bool blends = csdp_of(e)->negative == NEGATIVE_BLEND;
  if (!blends && !shows)
    REFUSE("rule.negative: a wrong label is one that the network sees: use network.context label, "
           "or negative blend");
  if (blends && e->settle.encode.kind == MHO_ENCODE_EVENTS)
    REFUSE("rule.negative: blend mixes numbers, and the samples of dataset.name events are spikes: "
           "use label");
  if (blends && shows)
    REFUSE("rule.negative: two images in one have no label to show: use network.context none, or "
           "negative label");
  if (blends && e->network.output == MHO_OUTPUT_GOODNESS)
    REFUSE("network.output: goodness tries labels, which layers have not seen with rule.negative "
           "blend: use counts, membrane or votes");
  if (blends && e->train.batch == 1)
    REFUSE("train.batch: rule.negative blend takes another image of the batch: use 2 or more");
  return MHO_OK;
}

static mho_err check_writing(const mho_experiment *e, mho_errinfo *ei) {
  const mho_scheme *scheme = (const mho_scheme *)e->scheme.entry;
  const mho_ideal_params *ideal = (const mho_ideal_params *)(const void *)e->device.params;
  if (!mho_experiment_has_cells(e) && !ideal->bounded)
    REFUSE("device.bounded: weights under rule.name 'csdp' go from bound to bound: use true");
  if (scheme->own_new)
    REFUSE("update.scheme: '%s' writes a gradient alone, and rule.name 'csdp' decays weights past "
           "it: use exact, accumulate, stochastic or another scheme",
           scheme->entry.id);
  if (scheme->draw && e->update.apply == MHO_APPLIES_AUTO + 1)
    REFUSE("update.apply: scheme '%s' writes outer products, of which a batch has one for every "
           "row and step: use step, or another update.scheme",
           scheme->entry.id);
  return MHO_OK;
}

static mho_err check(const mho_experiment *e, mho_errinfo *ei) {
  mho_err err = check_neurons(e, ei);
  if (!err)
    err = check_network(e, ei);
  if (!err)
    err = check_negatives(e, ei);
  return err ? err : check_writing(e, ei);
}

static const char *idle(const mho_experiment *e, const char *key) {
  (void)e;
  bool is_mode = !strcmp(key, "feedback.mode");
  return is_mode ? "links that lead back have crossbars of their own (rule.name)" : NULL;
}

/* Those of the published program, with layers for the digits. */
static const mho_default defaults[] = {
    {"dynamics.name", "spiking"},
    {"network.hidden", "128 64"},
    {"network.output", "counts"},
    {"network.lateral", "true"},
    {"network.back", "true"},
    {"network.context", "label"},
    {"network.w_max", "1"},
    {"feedback.scale", "0.1"},
    {"device.bounded", "true"},
    {"update.optimizer", "adam"},
    {"update.rate", "0.001"},
    {"neuron.tau", "100 ms"},
    {"neuron.synapse", "current"},
    {"neuron.tau_syn", "0 s"},
    {"neuron.reset", "value"},
    {"neuron.strict", "true"},
    {"neuron.threshold.value", "0.055"},
    {"neuron.threshold.spread", "0.025"},
    {"neuron.threshold.law", "layer"},
    {"neuron.threshold.least", "0.025"},
    {"neuron.gain.forward", "0.1"},
    {"neuron.gain.lateral", "0.01"},
    {"settle.steps", "50"},
    {"settle.dt", "3 ms"},
    {"settle.integrate", "euler"},
    {"settle.encode.rate", "333.3333333333333 Hz"},
    {"train.batch", "98"},
    {"train.epochs", "4"},
};

const mho_rule mho_rule_csdp = {
    .entry = {.abi = MHO_ABI,
              .id = "csdp",
              .title = "contrastive-signal-dependent plasticity: layers fire for samples, and not "
                       "for what are none",
              .equation = "grad W = s_pre^T dL/dz, L = -ln P(sample), P = sig(sum z^2 - threshold)",
              .source = "Ororbia, Sci. Adv. 10:eadn6076 (2024)",
              .params = MHO_PARAMS(csdp, table),
              MHO_DEFAULTS(defaults),
              .check = check,
              .idle = idle},
    .plan = plan,
    .var = variables,
    .n_vars = MHO_COUNT(variables),
    .spikes = true,
    .contrasts = true,
    .rows = 2,
    .own_new = own_new,
    .own_free = own_free,
    .predict = predict,
    .trial = trial,
    .change = change,
    .applies = MHO_APPLY_STEP,
    .also_applies = MHO_APPLY_BATCH,
};
