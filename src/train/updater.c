/* updater.c - what a rule wants to change, turned into gradient, wanted change and pulses, slab by
 * slab.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "array/weights.h"
#include "base/streams.h"
#include "train/arrays.h"
#include "train/descent.h"
#include "train/updater.h"

typedef struct update_job {
  mho_updater *u;
  const mho_lesson *lesson; /* whose samples are learned from */
  mho_real shrink;          /* of the gradient, when it is clipped */
  /* For schemes that apply samples one after another: */
  int term;        /* of the changes */
  int round;       /* of as many of its outer products as there is room for trains */
  bool used_slabs; /* they have counted pulses */
} update_job;

/* The cells of a slab. */
typedef struct span {
  mho_crossbar *x;
  size_t first, n;
} span;

static span span_of(const mho_updater *u, const mho_slab *s) {
  mho_crossbar *x = crossbar_of(u->net, s->connection);
  size_t cols = (size_t)x->cols;
  return (span){.x = x, .first = (size_t)s->row0 * cols, .n = (size_t)s->rows * cols};
}

/* Learning rate of a connection in this epoch: arrays that lead controls back have their own. */
static double rate_of(const mho_updater *u, int connection) {
  const mho_experiment *e = u->e;
  if (u->net->connection[connection].role != MHO_CONTROL || e->update.rates.n)
    return mho_update_rate(&e->update, connection, u->at->epoch, e->train.epochs);

  mho_update_config control = e->update;
  control.rate = e->feedback.q.rate;
  return mho_update_rate(&control, connection, u->at->epoch, e->train.epochs);
}

/* Stream of what is rounded at random in a connection. */
static mho_rng rounding_of(const mho_updater *u, int connection) {
  return mho__stream_round(u->seeds.noise, connection);
}

/* ---------------------------------------------------------------- gradient */

/* What the rule wants of a connection. */
static mho_change change_of(const update_job *job, int connection) {
  return mho_change_of(job->u->rule, job->lesson, connection);
}

/* Times 1 - |w|/w_max, not below 0. */
static void soften(span cells, mho_real *g) {
  const mho_real *w = mho__crossbar_programmed(cells.x) + cells.first;
  mho_real unit = (mho_real)(1 / cells.x->w_max);
  for (size_t k = 0; k < cells.n; k++) {
    mho_real left = 1 - unit * (w[k] < 0 ? -w[k] : w[k]);
    g[k] *= left > 0 ? left : 0;
  }
}

/* A part of the change of a slab. */
static void sum_slab(const update_job *job, const mho_slab *s, const mho_change *change,
                     mho_change_part part, int thread, mho_real *out) {
  const mho_updater *u = job->u;
  mho_real *scratch = u->scratch[thread] + 2 * (size_t)u->slab_cells;
  mho_change_sum(u->net, s->connection, change, part, s->row0, s->rows, out, scratch);
  if (change->soft && part == MHO_CHANGE_GRADIENT)
    soften(span_of(u, s), out);
}

/* A slab of the whole gradient, and its norm, which must be known before anything is clipped. */
static void find_gradient(void *arg, int i, int thread) {
  const update_job *job = arg;
  mho_slab *s = &job->u->slab[i];
  span cells = span_of(job->u, s);
  mho_real *g = job->u->gradient[s->connection] + cells.first;
  mho_change change = change_of(job, s->connection);
  double sum = 0;
  s->norm = 0;
  if (change.skip)
    return;

  sum_slab(job, s, &change, MHO_CHANGE_GRADIENT, thread, g);
  for (size_t k = 0; k < cells.n; k++)
    sum += (double)g[k] * (double)g[k];
  s->norm = sum;
}

/* The gradient of a slab, computed here or taken from the clipped whole. */
static void take_gradient(const update_job *job, const mho_slab *s, const mho_change *change,
                          int thread, span cells, mho_real *g) {
  if (!job->u->gradient) {
    sum_slab(job, s, change, MHO_CHANGE_GRADIENT, thread, g);
    return;
  }

  const mho_real *whole = job->u->gradient[s->connection] + cells.first;
  for (size_t k = 0; k < cells.n; k++)
    g[k] = job->shrink * whole[k];
}

/* Factor that brings the whole gradient, found before, to the norm that it is clipped at. */
static mho_real shrink_of(const mho_updater *u) {
  double sum = 0;
  for (int i = 0; i < u->n_slabs; i++)
    sum += u->slab[i].norm;
  return (mho_real)fmin(1, u->e->update.clip / fmax(sqrt(sum), 1e-300));
}

/* ---------------------------------------------------------------- slabs */

/* The change of the row of a bias, at the rate of biases. */
static void rate_biases(const mho_updater *u, const mho_slab *s, mho_real *dw) {
  const mho_connection *k = &u->net->connection[s->connection];
  mho_real factor = (mho_real)u->e->update.bias_rate;
  size_t cols = (size_t)k->xb->cols;
  bool is_last = s->row0 + s->rows == k->xb->rows;
  if (!k->bias || !is_last || factor == 1)
    return;

  mho_real *row = dw + (size_t)(s->rows - 1) * cols;
  for (size_t j = 0; j < cols; j++)
    row[j] *= factor;
}

static void update_slab(void *arg, int i, int thread) {
  const update_job *job = arg;
  mho_updater *u = job->u;
  mho_slab *s = &u->slab[i];
  span cells = span_of(u, s);
  mho_real *g = u->scratch[thread], *dw = g + u->slab_cells, *moment[MHO_PROGRAM_STATES] = {NULL};
  mho_change change = change_of(job, s->connection);
  s->counts = (mho_pulse_counts){0};
  if (change.skip) {
    mho_crossbar_leak(cells.x, cells.first, cells.n);
    return;
  }
  const mho_connection *k = &u->net->connection[s->connection];
  double rate = rate_of(u, s->connection);
  if (mho__descends(u->e, k, &change)) {
    s->counts.clipped +=
        mho__descend(k, &change, rate, rate * u->e->update.bias_rate, s->row0, s->rows, g);
    return;
  }
  take_gradient(job, s, &change, thread, cells, g);

  /* The optimizer says what change is wanted. */
  for (int m = 0; m < u->optimizer->n_states; m++)
    moment[m] = u->moment[m][s->connection] + cells.first;
  int64_t number = u->at->taught[s->connection] + 1;
  u->optimizer->step(u->e->optimizer.params, rate, number, cells.n, g, moment, dw);

  /* What goes past it. */
  if (mho_change_has(&change, MHO_CHANGE_PLAIN)) {
    sum_slab(job, s, &change, MHO_CHANGE_PLAIN, thread, g);
    for (size_t j = 0; j < cells.n; j++)
      dw[j] -= (mho_real)rate * g[j];
  }
  /* Decay takes a share of each weight. */
  mho_real decay = (mho_real)(rate * u->e->update.decay);
  if (decay > 0)
    for (size_t j = 0; j < cells.n; j++)
      dw[j] -= decay * mho__crossbar_programmed(cells.x)[cells.first + j];

  /* Biases have a rate of their own; what goes past the rates has none. */
  rate_biases(u, s, dw);
  if (mho_change_has(&change, MHO_CHANGE_ABSOLUTE)) {
    sum_slab(job, s, &change, MHO_CHANGE_ABSOLUTE, thread, g);
    for (size_t j = 0; j < cells.n; j++)
      dw[j] -= g[j];
  }

  /* The scheme brings it onto the devices. */
  mho_program_job write = {.xb = cells.x,
                           .params = u->e->scheme.params,
                           .first = cells.first,
                           .n = cells.n,
                           .dw = dw,
                           .state =
                               u->accumulator ? u->accumulator[s->connection] + cells.first : NULL,
                           .nominal_step = u->nominal_step[s->connection],
                           .update = (uint64_t)u->at->update + 1,
                           .rounding = rounding_of(u, s->connection)};

  u->scheme->apply(&write, &s->counts);
  mho_crossbar_leak(cells.x, cells.first, cells.n);
}

/* ---------------------------------------------------------------- samples one after another */

/* The present term of the change of connection c. */
static void find_term(const update_job *job, int c) {
  mho_products *p = &job->u->products[c];
  bool has_term = job->term < p->change.n;
  p->term = has_term ? p->change.term[job->term] : (mho_outer){.n = 0};
  p->positions = p->k->conv.kernel && !p->term.lines ? p->k->positions : 1;
  p->all = p->term.n * p->positions;
}

/* Whether the rows of a place are not the units of a layer as they are. */
static bool has_own_lines(const mho_products *p) {
  return (p->k->conv.kernel || p->k->bias) && !p->term.lines;
}

/* The outer products of connection c in the present round. */
static void find_products(const update_job *job, int c) {
  const mho_updater *u = job->u;
  mho_products *p = &u->products[c];
  int first = job->round * u->drawn[c], n = mho_min(p->all - first, u->drawn[c]);
  uint64_t batch = (uint64_t)u->at->update * (uint64_t)u->e->train.batch;
  uint64_t number = batch * (uint64_t)p->positions + (uint64_t)first;
  size_t rows = (size_t)p->k->xb->rows, cols = (size_t)p->k->xb->cols;
  const mho_real *x = p->term.pre ? p->term.pre + (size_t)first * rows : NULL;
  double rate = p->term.absolute ? 1 : rate_of(u, c);

  p->job = (mho_outer_job){.xb = p->k->xb,
                           .params = u->e->scheme.params,
                           .own = u->own ? u->own[c] : NULL,
                           .samples = mho_max(n, 0),
                           .last = first + n >= p->all,
                           .x = has_own_lines(p) ? u->lines[c] : x,
                           .e = p->term.post ? p->term.post + (size_t)first * cols : NULL,
                           .gain = p->term.plain || p->term.absolute ? NULL : p->change.gain,
                           .ones = u->ones,
                           .rate = rate * p->term.scale,
                           .learning_rate = rate,
                           .scale = p->term.scale,
                           .nominal_step = u->nominal_step[c],
                           .fast_step = u->own ? u->fast_step[c] : 0,
                           .first_sample = mho__sample_of_term(number, job->term),
                           .rounding = rounding_of(u, c),
                           .trains = u->trains[c]};
}

/* What the rows do in an outer product: a patch, or the units of a layer, and for the bias as much
 * more or less than 1 as it learns faster or slower. */
static void lay_out_lines(const update_job *job, const mho_products *p, int c, int sample) {
  const mho_updater *u = job->u;
  int rows = p->k->xb->rows, inputs = rows - p->k->bias;
  int number = job->round * u->drawn[c] + sample;
  mho_real *to = u->lines[c] + (size_t)sample * (size_t)rows;
  const mho_real *from = p->term.pre;

  if (from && p->k->conv.kernel)
    mho_conv_gather(&p->k->conv, from, number, 1, 0, inputs, to, inputs);
  else
    memcpy(to, from ? from + (size_t)number * (size_t)inputs : u->ones,
           (size_t)inputs * sizeof *to);
  mho_real one = p->term.absolute ? 1 : (mho_real)u->e->update.bias_rate;
  if (p->k->bias)
    to[inputs] = p->term.unbiased ? 0 : one;
}

static void draw_sample(void *arg, int sample, int thread) {
  const update_job *job = arg;
  for (int c = 0; c < job->u->net->n_trained; c++) {
    const mho_products *p = &job->u->products[c];
    if (sample >= p->job.samples)
      continue;
    if (has_own_lines(p))
      lay_out_lines(job, p, c, sample);
    job->u->scheme->draw(&p->job, sample);
  }
}

/* Slabs are about to count: before they do so first in an update, they have counted nothing. */
static void use_slabs(update_job *job) {
  mho_updater *u = job->u;
  if (job->used_slabs)
    return;
  job->used_slabs = true;
  for (int i = 0; i < u->n_slabs; i++)
    u->slab[i].counts = (mho_pulse_counts){0};
}

static void replay_slab(void *arg, int i, int thread) {
  const update_job *job = arg;
  mho_slab *s = &job->u->slab[i];
  mho_outer_job o = job->u->products[s->connection].job;
  o.scratch = job->u->scratch[thread];
  if (o.samples > 0)
    job->u->scheme->replay(&o, s->row0, s->rows, &s->counts);
}

/* Cells on which trains of a round may coincide. */
static double cells_met(const update_job *job) {
  double cells = 0;
  for (int c = 0; c < job->u->net->n_trained; c++) {
    const mho_outer_job *o = &job->u->products[c].job;
    for (int s = 0; s < o->samples; s++)
      cells += (double)o->trains->n_rows[s] * o->trains->n_cols[s];
  }
  return cells;
}

/* Pulses of a round, in one piece where they are so few that slabs would take longer to be handed
 * out: spikes change a column at a time. */
static void replay_round(update_job *job) {
  enum { FEW = 1 << 13 };
  mho_updater *u = job->u;
  if (u->own || cells_met(job) > FEW) {
    use_slabs(job);
    mho_pool_run(u->pool, u->n_slabs, replay_slab, job);
    return;
  }

  for (int c = 0; c < u->net->n_trained; c++) {
    mho_products *p = &u->products[c];
    p->job.scratch = u->scratch[0];
    if (p->job.samples > 0)
      u->scheme->replay(&p->job, 0, p->k->xb->rows, &p->counts);
  }
}

/* What replays have left for later, on a slab: behind all samples so far. */
static void rest_slab(void *arg, int i, int thread) {
  const update_job *job = arg;
  mho_updater *u = job->u;
  mho_slab *s = &u->slab[i];
  const mho_connection *k = &u->net->connection[s->connection];
  uint64_t positions = k->conv.kernel ? (uint64_t)k->positions : 1;
  uint64_t samples = (uint64_t)u->at->update * (uint64_t)u->e->train.batch;
  mho_outer_job o = {.xb = k->xb,
                     .params = u->e->scheme.params,
                     .own = u->own ? u->own[s->connection] : NULL,
                     .first_sample = mho__sample_of_term(samples * positions, 0),
                     .scratch = u->scratch[thread]};
  u->scheme->rest(&o, s->row0, s->rows, &s->counts);
}

static void leak_slab(void *arg, int i, int thread) {
  const update_job *job = arg;
  const mho_slab *s = &job->u->slab[i];
  span cells = span_of(job->u, s);
  mho_crossbar *fast = fast_of(job->u, s->connection);
  if (fast)
    mho_crossbar_leak(fast, cells.first, cells.n);
  mho_crossbar_leak(cells.x, cells.first, cells.n);
}

/* Call a hook of the scheme for every connection that has samples in this round, or in all. */
static void tell(const update_job *job, bool of_all, void (*hook)(const mho_outer_job *job)) {
  for (int c = 0; hook && c < job->u->net->n_trained; c++) {
    mho_outer_job o = job->u->products[c].job;
    if (of_all)
      o.samples = job->u->products[c].all;
    if (o.samples > 0)
      hook(&o);
  }
}

/* A term: round by round the trains of some outer products, then their pulses. */
static void pulse_term(update_job *job) {
  mho_updater *u = job->u;
  int rounds = 0, most = 0;

  for (int c = 0; c < u->net->n_trained; c++) {
    find_term(job, c);
    int products = u->products[c].all;
    rounds = mho_max(rounds, ceil_div(products, u->drawn[c]));
    most = mho_max(most, mho_min(products, u->drawn[c]));
  }

  for (job->round = 0; job->round < rounds; job->round++) {
    for (int c = 0; c < u->net->n_trained; c++)
      find_products(job, c);
    if (job->round == 0)
      tell(job, true, u->scheme->begin);

    mho_pool_run(u->pool, most, draw_sample, job);
    replay_round(job);
    tell(job, false, u->scheme->end);
  }
}

/* Term after term. */
static void pulse_terms(update_job *job) {
  mho_updater *u = job->u;
  int terms = 0;

  for (int c = 0; c < u->net->n_trained; c++) {
    mho_products *p = &u->products[c];
    p->k = &u->net->connection[c];
    p->change = change_of(job, c);
    p->counts = (mho_pulse_counts){0};
    terms = mho_max(terms, p->change.n);
  }

  for (job->term = 0; job->term < terms; job->term++)
    pulse_term(job);
  if (u->own || u->e->device_config.leak > 0)
    mho_pool_run(u->pool, u->n_slabs, leak_slab, job);
}

/* Whether pulses fill the first devices of cells that carry. */
static bool carries(const mho_updater *u, const mho_crossbar *x) {
  return u->scheme->needs_pulses && mho_crossbar_carries(x);
}

/* The care that the cells of a crossbar need after an update. */
static void tend_slab(void *arg, int i, int thread) {
  const update_job *job = arg;
  mho_updater *u = job->u;
  mho_slab *s = &u->slab[i];
  span cells = span_of(u, s);
  mho_crossbar *fast = fast_of(u, s->connection);
  uint64_t number = (uint64_t)u->at->update + 1;
  if (fast)
    mho_crossbar_tend(fast, cells.first, cells.n, number, &s->counts);
  mho_crossbar_tend(cells.x, cells.first, cells.n, number, &s->counts);
  if (carries(u, cells.x))
    mho_crossbar_carry(cells.x, cells.first, cells.n, mho__step_refresh(number), &s->counts);
  if (cells.x->borrowed)
    mho_crossbar_refresh(cells.x, cells.first, cells.n);
}

static bool is_tended(const mho_crossbar *x) {
  return x && x->mapping && x->mapping->tend;
}

static bool needs_care(const mho_updater *u) {
  const mho_crossbar *x = crossbar_of(u->net, 0);
  return is_tended(x) || is_tended(fast_of(u, 0)) || carries(u, x);
}

/* What pulses have done to the other cells of their tiles. */
static void disturb(mho_updater *u) {
  mho_network_disturb(u->net);
  if (!u->fast_disturb)
    return;

  mho_disturb_apply(u->fast_disturb);
  for (int c = 0; c < u->net->n_trained; c++) {
    mho_crossbar *x = crossbar_of(u->net, c);
    if (x->borrowed)
      mho_crossbar_refresh(x, 0, mho_crossbar_cells(x));
  }
}

void mho__updater_refresh(mho_updater *u, bool full) {
  if (u->fast_wired)
    mho_wired_refresh(u->fast_wired, u->at->update, full);
  if (u->fast_disturb)
    mho_disturb_refresh(u->fast_disturb);
  for (int c = 0; u->fast_wired && c < u->net->n_trained; c++)
    u->scheme->wired(u->own[c]);
}

/* ---------------------------------------------------------------- an update */

static void count_slabs(mho_updater *u) {
  for (int i = 0; i < u->n_slabs; i++)
    mho__standing_count(u->at, u->slab[i].connection, &u->slab[i].counts);
}

/* Pulses of the update, and which connections it has taught. */
static void count_pulses(const update_job *job) {
  mho_updater *u = job->u;
  bool has_products = u->scheme->replay != NULL;

  for (int c = 0; c < u->net->n_trained; c++) {
    if (has_products)
      mho__standing_count(u->at, c, &u->products[c].counts);
    u->at->taught[c] += has_products ? !u->products[c].change.skip : !change_of(job, c).skip;
  }
  if (job->used_slabs)
    count_slabs(u);
}

void mho__updater_apply(mho_updater *u, const mho_lesson *l) {
  update_job job = {.u = u, .lesson = l, .shrink = 1};

  if (u->gradient) {
    mho_pool_run(u->pool, u->n_slabs, find_gradient, &job);
    job.shrink = shrink_of(u);
  }

  if (u->scheme->replay) {
    pulse_terms(&job);
  } else {
    use_slabs(&job);
    mho_pool_run(u->pool, u->n_slabs, update_slab, &job);
  }

  disturb(u);
  if (needs_care(u)) {
    use_slabs(&job);
    mho_pool_run(u->pool, u->n_slabs, tend_slab, &job);
    disturb(u);
  }

  count_pulses(&job);
  u->at->update++;
  mho__updater_refresh(u, false);
  mho_network_refresh(u->net, u->at->update, false);
}

void mho__updater_rest(mho_updater *u) {
  update_job job = {.u = u};
  if (!u->scheme->rest)
    return;
  use_slabs(&job);
  mho_pool_run(u->pool, u->n_slabs, rest_slab, &job);
  count_slabs(u);
}

void mho__updater_wrote(mho_updater *u, const mho_pulse_counts *counts) {
  for (int c = 0; c < u->net->n_trained; c++)
    mho__standing_count(u->at, c, &counts[c]);
  mho_network_disturb(u->net);
  mho_network_refresh(u->net, u->at->update, false);
}

void mho__updater_gradient(mho_updater *u, const mho_lesson *l, int connection, mho_real *out) {
  update_job job = {.u = u, .lesson = l};
  const mho_crossbar *x = crossbar_of(u->net, connection);
  mho_change change = change_of(&job, connection);

  for (int row0 = 0; row0 < x->rows; row0 += u->slab_rows) {
    mho_slab s = {connection, row0, mho_min(x->rows - row0, u->slab_rows)};
    size_t first = (size_t)row0 * (size_t)x->cols;
    sum_slab(&job, &s, &change, MHO_CHANGE_GRADIENT, 0, out + first);
  }
}
