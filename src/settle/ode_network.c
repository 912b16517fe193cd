/* ode_network.c - the differential equations of a group of samples: see ode_network.h.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "settle/ode_network.h"

#include <math.h>
#include <string.h>

/* Rates above it are those of no circuit: unstable linear neurons. */
static const double RUNAWAY = 1e8;
/* Change of a potential below which the slope half way is exact to 1e-11. */
static const double SMALL = 1e-5;

/* ---------------------------------------------------------------- construction */

static bool leads_back(const mho_link *k) {
  return k->role == MHO_FEEDBACK;
}

/* Add a lag behind *end, which becomes the new end. */
static void add_lag(ode_network *o, int layer, double tau, int *end) {
  o->lag[o->n_lags] = (ode_lag){layer, *end, o->n_states, 1 / tau};
  *end = o->n_lags++;
  o->n_states += o->net->layer[layer].n;
}

/* Number the states: potentials layer by layer, then lags. */
static void number_states(ode_network *o) {
  const mho_network *net = o->net;
  double line = o->p->line / o->p->tau, amplifier = o->p->amplifier / o->p->tau;
  bool out[2][MHO_LAYERS_MAX] = {{false}}; /* a forward, a feedback link reads the layer */
  for (int i = 0; i < net->n_links; i++)
    if (mho_link_is_hidden(net, &net->link[i]))
      out[leads_back(&net->link[i])][net->link[i].from] = true;

  for (int l = 1; l < mho_hidden_end(net); l++) {
    o->first[l] = o->n_states;
    o->n_states += net->layer[l].n;
    o->forward[l] = o->feedback[l] = -1;
  }
  o->n_neurons = o->n_states;

  for (int l = 1; l < mho_hidden_end(net); l++) {
    if (line > 0 && out[0][l])
      add_lag(o, l, line, &o->forward[l]);
    if (amplifier > 0 && out[1][l])
      add_lag(o, l, amplifier, &o->feedback[l]);
    if (line > 0 && out[1][l])
      add_lag(o, l, line, &o->feedback[l]);
  }
}

int mho__ode_network_states(const mho_network *net, const ode_params *p) {
  ode_network o = {.net = net, .p = p};
  number_states(&o);
  return o.n_states;
}

/* Whether a read of it is the plain product with its effective matrix: a model that does not say
 * what it loses is asked every time. */
static bool is_plain(const mho_crossbar *x) {
  return x->model->exact || (x->model->lossy && !mho_crossbar_lossy(x));
}

/* Convolutions and pooling have no equations: the winners of a pooled layer jump, and kernels
 * would have to be laid out as the circuit they are. */
static mho_err check_links(const mho_network *net, mho_errinfo *ei) {
  if (ode_has_own_rates(net)) /* whose dynamics reads all */
    return MHO_OK;

  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    const mho_connection *c = &net->connection[k->connection];
    if (c->conv.kernel || net->layer[k->from].pool.size)
      return mho_fail(ei, MHO_ECONFIG,
                      "settle.method: ode knows no convolutions (connection %s): use sweep or "
                      "synchronous",
                      c->name);
  }
  return MHO_OK;
}

/* Room for n doubles at *out, unless there is some already. */
static bool add_doubles(size_t n, double **out) {
  if (!*out)
    *out = mho_alloc(n, sizeof **out);
  return *out;
}

static bool add_layer(ode_network *o, int l) {
  size_t n = (size_t)o->group * (size_t)o->net->layer[l].n;
  if (ode_has_own_rates(o->net)) {
    o->v[l] = mho_alloc(n, sizeof *o->v[l]);
    return o->v[l] && add_doubles(n, &o->s[l]);
  }
  return add_doubles(n, &o->s[l]) && add_doubles(n, &o->base[l]) &&
         add_doubles(n, &o->settled[l]) && add_doubles(n, &o->z[l]);
}

/* What a link needs: weights among hidden layers, else room for what the input or the error
 * brings. */
static bool add_link_room(ode_network *o, const mho_link *k) {
  const mho_network *net = o->net;
  const mho_crossbar *x = net->connection[k->connection].xb;
  if (!mho_layer_is_hidden(&net->layer[k->to]) || ode_has_own_rates(net))
    return true;
  if (mho_link_is_hidden(net, k))
    return !is_plain(x) || add_doubles(mho_crossbar_cells(x), &o->w[k->connection]);

  double **drive = k->from == 0 ? o->input : o->error;
  return add_doubles((size_t)o->group * (size_t)net->layer[k->to].n, &drive[k->to]);
}

static bool allocate(ode_network *o) {
  const mho_network *net = o->net;
  size_t samples = (size_t)o->group, classes = (size_t)mho_network_classes(net), widest = 0;
  for (int l = 1; l < net->n_layers; l++) {
    size_t n = (size_t)net->layer[l].n;
    widest = n > widest ? n : widest;
  }

  o->w = mho_alloc((size_t)net->n_connections, sizeof *o->w);
  o->strength = mho_alloc(samples, sizeof *o->strength);
  o->present_error = mho_alloc(samples * classes, sizeof *o->present_error);
  o->x = mho_alloc(samples * (widest + 1), sizeof *o->x);
  o->y = mho_alloc(samples * (widest + 1), sizeof *o->y);
  if (!o->w || !o->strength || !o->present_error || !o->x || !o->y)
    return false;

  for (int l = 1; l < mho_hidden_end(net); l++) {
    size_t n = samples * (size_t)net->layer[l].n;
    bool takes_error = mho_layer_takes_error(net, l) && !ode_has_own_rates(net);
    if (!add_layer(o, l) || (takes_error && !add_doubles(n, &o->error[l])))
      return false;
  }
  for (int i = 0; i < net->n_links; i++)
    if (!add_link_room(o, &net->link[i]))
      return false;
  return true;
}

mho_err mho__ode_network_new(const mho_network *net, const ode_params *p, int group, ode_network *o,
                             mho_errinfo *ei) {
  *o = (ode_network){.net = net, .p = p, .group = group};
  mho_err err = check_links(net, ei);
  if (err)
    return err;

  number_states(o);
  if (allocate(o))
    return MHO_OK;
  mho__ode_network_free(o);
  return mho_fail(ei, MHO_ENOMEM, "no memory for the circuits of %d samples", group);
}

void mho__ode_network_free(ode_network *o) {
  if (!o->net)
    return;

  for (int l = 0; l < o->net->n_layers; l++) {
    mho_free(o->s[l]);
    mho_free(o->input[l]);
    mho_free(o->error[l]);
    mho_free(o->base[l]);
    mho_free(o->settled[l]);
    mho_free(o->z[l]);
    mho_free(o->v[l]);
  }
  if (o->w)
    for (int i = 0; i < o->net->n_connections; i++)
      mho_free(o->w[i]);

  mho_free(o->w);
  mho_free(o->strength);
  mho_free(o->present_error);
  mho_free(o->x);
  mho_free(o->y);
  *o = (ode_network){0};
}

void mho__ode_network_weights(ode_network *o) {
  for (int i = 0; i < o->net->n_connections; i++) {
    if (!o->w[i])
      continue;

    const mho_crossbar *x = o->net->connection[i].xb;
    const mho_real *matrix = mho_crossbar_matrix(x);
    size_t n = mho_crossbar_cells(x);
    for (size_t k = 0; k < n; k++)
      o->w[i][k] = (double)matrix[k];
  }
}

/* ---------------------------------------------------------------- a phase */

/* The samples of an mho_real array [samples x n] in double, and copies of the first behind them. */
static void take_samples(const ode_network *o, const mho_real *from, int n, double *to) {
  for (int s = 0; s < o->samples; s++) {
    int source = s < o->real_samples ? s : 0;
    for (int i = 0; i < n; i++)
      to[s * n + i] = (double)from[source * n + i];
  }
}

/* The copies of the first sample behind those of the phase, [samples x n]. */
static void pad_real(const ode_network *o, int n, mho_real *v) {
  for (int s = o->real_samples; s < o->samples; s++)
    memcpy(v + (size_t)s * (size_t)n, v, (size_t)n * sizeof *v);
}

/* strength = largest |o - t| of every sample. */
static void find_strengths(ode_network *o, const mho_real *error, int classes) {
  for (int s = 0; s < o->samples; s++) {
    int source = s < o->real_samples ? s : 0;
    double most = 0;
    for (int i = 0; i < classes; i++)
      most = fmax(most, fabs((double)error[source * classes + i]));
    o->strength[s] = most > 0 ? most : 1;
  }
}

/* error += what link k brings of a held error. */
static void take_error_link(ode_network *o, const mho_link *k, const mho_real *held,
                            mho_settle_stats *stats) {
  const mho_network *net = o->net;
  int n = net->layer[k->to].n;
  int power = k->span - net->layer[k->to].distance, sign = net->connection[k->connection].sign;
  double scale = o->difference ? sign * pow(net->feedback_scale, power) : (double)k->scale;
  mho__link_read(&o->group_phase, k, held, o->y, (mho_real)scale, false, stats);
  pad_real(o, n, o->y);

  for (int s = 0; s < o->samples; s++) {
    double factor = o->difference ? 1 / o->strength[s] : -o->phase->drive.strength;
    for (int j = 0; j < n; j++)
      o->error[k->to][s * n + j] += factor * (double)o->y[s * n + j];
  }
}

/* error += a held error, of outputs that hold states. */
static void take_error_itself(ode_network *o, int l) {
  int n = o->net->layer[l].n;
  for (int s = 0; s < o->samples; s++) {
    double factor = o->difference ? 1 / o->strength[s] : -o->phase->drive.strength;
    for (int j = 0; j < n; j++)
      o->error[l][s * n + j] += factor * o->present_error[s * n + j];
  }
}

/* What the output error brings into the layers next to the read-out: nudge (o - t) B, or, for
 * the difference, (o - t) B divided by the sample's largest |o - t|. */
static void take_error(ode_network *o, mho_settle_stats *stats) {
  const mho_network *net = o->net;
  const mho_real *held = mho__held_error(&o->group_phase);
  int last = mho_network_output(net), classes = net->layer[last].n;
  take_samples(o, held, classes, o->present_error);
  if (o->difference)
    find_strengths(o, held, classes);

  for (int l = 1; l < last; l++)
    if (o->error[l])
      memset(o->error[l], 0, ode_values(o, l) * sizeof *o->error[l]);
  for (int i = 0; i < net->n_links; i++)
    if (mho_link_has_error(net, &net->link[i]))
      take_error_link(o, &net->link[i], held, stats);
  if (mho_layer_takes_error(net, last - 1))
    take_error_itself(o, last - 1);
}

/* tau that the input has been on when a phase begins: the free phase's time; as long as that
 * takes to settle, for good. */
static double input_since(const ode_network *o) {
  if (!o->nudged)
    return 0;
  return o->p->free > 0 ? o->p->free : (double)INFINITY;
}

void mho__ode_network_phase(ode_network *o, const mho_phase *phase, int sample0, int n, int padded,
                            bool difference, mho_settle_stats *stats) {
  const mho_network *net = o->net;
  o->phase = phase;
  o->sample0 = sample0;
  o->real_samples = n;
  o->samples = padded;
  o->difference = difference;
  o->nudged = mho_phase_is_nudged(phase);
  o->live = phase->drive.kind == MHO_DRIVE_LIVE;
  o->t0 = input_since(o);
  o->t_nudge = o->pull = 0;
  o->group_phase = *phase;
  o->group_phase.row0 = sample0;
  o->group_phase.n = n;

  for (int l = 1; l < mho_hidden_end(net); l++) {
    o->c[l] = phase->drive.strength * mho_network_signal_scale(net, l);
    if (o->input[l] && !difference)
      take_samples(o, mho__values(net, phase->s->drive, l, sample0), net->layer[l].n, o->input[l]);
  }
  if (o->nudged && !o->live && !ode_has_own_rates(net))
    take_error(o, stats);
  o->group_phase.probe = NULL; /* a phase is one read, however often the stepper looks */
}

/* A step, ramp or pulse of that duration through a lag of time constant T, t after its start. */
static double through_lag(int shape, double duration, double T, double t) {
  if (shape == SHAPE_STEP || !(duration > 0))
    return T > 0 ? -expm1(-t / T) : 1;

  double in = fmin(t, duration), after = fmax(t - duration, 0);
  if (shape == SHAPE_RAMP) {
    double end = (in + (T > 0 ? T * expm1(-in / T) : 0)) / duration;
    if (t <= duration)
      return end;
    return T > 0 ? 1 + (end - 1) * exp(-after / T) : 1;
  }

  double end = T > 0 ? -expm1(-in / T) : 1;
  if (t <= duration)
    return end;
  return T > 0 ? end * exp(-after / T) : 0;
}

double mho__ode_network_input_on(const ode_network *o, double t) {
  return through_lag(SHAPE_STEP, 0, o->p->line / o->p->tau, o->t0 + t);
}

double mho__ode_network_nudge_on(const ode_network *o, double t) {
  if (o->difference)
    return 1;
  return through_lag(o->p->shape, o->p->shape_time, o->p->line / o->p->tau, o->t_nudge + t);
}

double mho__ode_network_onset(const ode_network *o, double tolerance) {
  if (o->difference)
    return 0;

  double lag = o->p->line / o->p->tau * log(1 / tolerance);
  bool shaped = o->nudged && o->p->shape != SHAPE_STEP;
  return lag + (shaped ? o->p->shape_time : 0) - o->t_nudge;
}

/* ---------------------------------------------------------------- activities */

/* Largest change c v of a potential in layer l. */
static double largest_change(const ode_network *o, int l, const double *v) {
  int n = o->net->layer[l].n;
  double most = 0;

  for (int s = 0; s < o->samples; s++) {
    double k = fabs(o->c[l] * o->strength[s]);
#pragma omp simd reduction(max : most)
    for (int i = 0; i < n; i++) {
      double change = k * fabs(v[s * n + i]);
      most = change > most ? change : most;
    }
  }
  return most;
}

/* e = (rho(a) - rho(a - c v))/c of a layer, c = c_l strength_s; its limit where nothing is left
 * of the change. */
static void difference_activities(const ode_network *o, int l, const double *v, double *e) {
  const mho_layer *layer = &o->net->layer[l];
  size_t bytes = ode_values(o, l) * sizeof *e;
  int n = layer->n;
  bool small = largest_change(o, l, v) < SMALL;

  /* rho of the changed potential; of one half way where the change is small */
  for (int s = 0; s < o->samples; s++) {
    double k = (small ? 0.5 : 1) * o->c[l] * o->strength[s];
    for (int i = 0; i < n; i++)
      e[s * n + i] = o->base[l][s * n + i] - k * v[s * n + i];
  }
  mho_layer_activate_double(layer, o->samples, e, e);

  /* the slope half way times v is exact to second order */
  if (small) {
    memcpy(o->z[l], e, bytes);
    memcpy(e, v, bytes);
    mho_layer_scale_by_slope_double(layer, o->samples, o->z[l], e);
    return;
  }

  for (int s = 0; s < o->samples; s++) {
    double inverse = 1 / (o->c[l] * o->strength[s]);
    for (int i = 0; i < n; i++)
      e[s * n + i] = (o->settled[l][s * n + i] - e[s * n + i]) * inverse;
  }
}

static void coarse_activities(ode_network *o, int l, const double *u, double *s) {
  const mho_layer *layer = &o->net->layer[l];
  int n = o->samples * layer->n;
  for (int i = 0; i < n; i++)
    o->x[i] = (mho_real)u[i];
  mho_layer_activate(layer, o->samples, o->x, o->x);
  for (int i = 0; i < n; i++)
    s[i] = (double)o->x[i];
}

void mho__ode_network_activities(ode_network *o, const double *y) {
  for (int l = 1; l < mho_hidden_end(o->net); l++) {
    const double *u = ode_const_block(o, y, o->first[l]);
    if (ode_has_own_rates(o->net))
      o->phase->dyn->activities(&o->group_phase, l, u, o->s[l]);
    else if (o->difference)
      difference_activities(o, l, u, o->s[l]);
    else if (o->coarse)
      coarse_activities(o, l, u, o->s[l]);
    else
      mho_layer_activate_double(&o->net->layer[l], o->samples, u, o->s[l]);
  }
}

/* ---------------------------------------------------------------- rates: links */

/* The lag that a link reads; -1: the activity. */
static int link_lag(const ode_network *o, const mho_link *k) {
  return leads_back(k) ? o->feedback[k->from] : o->forward[k->from];
}

/* What a link reads: the activity, or the end of its lags. */
static const double *link_source(const ode_network *o, const mho_link *k, const double *y) {
  int lag = link_lag(o, k);
  return lag < 0 ? o->s[k->from] : ode_const_block(o, y, o->lag[lag].first);
}

/* A link's factor; 0 where it joins no hidden layers. For the difference, which is carried
 * divided by nudge beta_i^h, see sweep.c. */
static double link_scale(const ode_network *o, const mho_link *k) {
  const mho_network *net = o->net;
  if (!mho_link_is_hidden(net, k))
    return 0;
  if (!o->difference)
    return (double)k->scale;

  int from = net->layer[k->from].distance, to = net->layer[k->to].distance;
  if (from < 0 || to < 0)
    return 0;
  if (leads_back(k))
    return net->connection[k->connection].sign * pow(net->feedback_scale, k->span + from - to);
  return (double)k->scale * pow(net->feedback_scale, from - to);
}

/* Whether a link carries a bias: its matrix has one more row, of a line that comes on with the
 * input. */
static bool has_bias(const mho_network *net, const mho_link *k) {
  return net->connection[k->connection].bias && !k->transposed;
}

/* a += scale x op(W) by a product in mho_real, x the source. */
static void add_coarse_product(ode_network *o, const mho_link *k, double scale, double *a) {
  const mho_crossbar *x = o->net->connection[k->connection].xb;
  int in = o->net->layer[k->from].n, out = o->net->layer[k->to].n;
  mho_gemm(false, k->transposed, o->samples, out, in, 1, o->x, in, mho_crossbar_matrix(x), x->cols,
           0, o->y, out);
  for (int i = 0; i < o->samples * out; i++)
    a[i] += scale * (double)o->y[i];
}

/* a += scale x op(W) as the array reads it, x the source, with `biased` of the bias. */
static void add_read(ode_network *o, const mho_link *k, double scale, double biased, double *a) {
  int out = o->net->layer[k->to].n;
  mho_settle_stats unused = {0};
  o->phase->thread->bias_off = (mho_real)(1 - biased);
  mho__link_read(&o->group_phase, k, o->x, o->y, (mho_real)scale, false, &unused);
  o->phase->thread->bias_off = 0;

  pad_real(o, out, o->y);
  for (int i = 0; i < o->samples * out; i++)
    a[i] += (double)o->y[i];
}

/* a += scale x op(P), P what a trial adds to the weights, with `biased` of the bias. */
static void add_perturbation(ode_network *o, const mho_link *k, double scale, double biased,
                             const double *from, double *a) {
  const mho_crossbar *x = o->net->connection[k->connection].xb;
  int in = o->net->layer[k->from].n, out = o->net->layer[k->to].n, n = o->real_samples;
  int lines = mho_link_inputs(o->net, k), sensed = mho_link_outputs(o->net, k); /* and the bias's */
  mho_read r = {.transposed = k->transposed, .n = n, .sample0 = o->group_phase.row0};

  for (int s = 0; s < n; s++) {
    for (int i = 0; i < in; i++)
      o->x[s * lines + i] = (mho_real)from[s * in + i];
    if (lines > in)
      o->x[s * lines + in] = (mho_real)biased;
  }
  memset(o->y, 0, (size_t)n * (size_t)sensed * sizeof *o->y);
  mho_crossbar_add_perturbation(x, &r, o->x, o->y);

  pad_real(o, sensed, o->y);
  for (int s = 0; s < o->samples; s++)
    for (int i = 0; i < out; i++)
      a[s * out + i] += scale * (double)o->y[s * sensed + i];
}

/* a += scale from op(W), with `biased` of the bias. */
static void add_link(ode_network *o, const mho_link *k, double scale, double biased,
                     const double *from, double *a) {
  const mho_crossbar *x = o->net->connection[k->connection].xb;
  const double *w = o->w[k->connection];
  int in = o->net->layer[k->from].n, out = o->net->layer[k->to].n;
  if (w && x->perturbation)
    add_perturbation(o, k, scale, o->difference ? 0 : biased, from, a);
  if (w && has_bias(o->net, k) && !o->difference) {
    const double *bias = w + (size_t)in * (size_t)x->cols;
    for (int i = 0; i < o->samples * out; i++)
      a[i] += scale * biased * bias[i % out];
  }

  if (w && !o->coarse) {
    mho_gemm_double(false, k->transposed, o->samples, out, in, scale, from, in, w, x->cols, 1, a,
                    out);
    return;
  }
  for (int i = 0; i < o->samples * in; i++)
    o->x[i] = (mho_real)from[i];
  if (w)
    add_coarse_product(o, k, scale, a);
  else
    add_read(o, k, scale, biased, a);
}

/* ---------------------------------------------------------------- rates: a live error */

/* o - t of the present activities in mho_real, [real_samples x classes], through arrays as they
 * are read. */
static mho_real *read_live_error(ode_network *o) {
  const mho_network *net = o->net;
  int last = mho_network_output(net), n = o->real_samples, classes = net->layer[last].n;
  mho_real *p = o->phase->thread->scratch + mho_settle_read_scratch(net, o->group_phase.n);
  mho_settle_stats unused = {0};
  double loss = 0;
  int64_t correct = 0;
  bool any = false;
  if (mho_layer_takes_error(net, last - 1))
    for (int j = 0; j < n * classes; j++)
      p[j] = (mho_real)o->s[last - 1][j];

  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    if (k->to != last)
      continue;
    for (int j = 0; j < n * net->layer[k->from].n; j++)
      o->x[j] = (mho_real)o->s[k->from][j];
    mho__link_read(&o->group_phase, k, o->x, p, k->scale, any, &unused);
    any = true;
  }

  mho_targets targets = mho_targets_from(&o->phase->drive.targets, classes, o->sample0);
  mho_output_judge(net->output, n, classes, p, &targets, &loss, &correct);
  mho_output_error(n, classes, p, &targets, p);
  return p;
}

/* f -= nudge (o - t), of outputs that hold states. */
static void add_live_error_itself(const ode_network *o, int l, double on, double *f) {
  double *a = ode_block(o, f, o->first[l]);
  for (int j = 0; j < o->samples * o->net->layer[l].n; j++)
    a[j] -= on * o->phase->drive.strength * o->present_error[j];
}

/* -nudge (o - t) B through arrays that are no plain product, in mho_real as their reads are. */
static void add_live_read_error(ode_network *o, double on, double *f) {
  const mho_network *net = o->net;
  const mho_real *error = read_live_error(o);
  mho_settle_stats unused = {0};
  take_samples(o, error, mho_network_classes(net), o->present_error);

  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    int n = net->layer[k->to].n;
    if (!mho_link_has_error(net, k))
      continue;

    mho__link_read(&o->group_phase, k, error, o->y, k->scale, false, &unused);
    pad_real(o, n, o->y);
    double *a = ode_block(o, f, o->first[k->to]);
    for (int j = 0; j < o->samples * n; j++)
      a[j] -= on * o->phase->drive.strength * (double)o->y[j];
  }
}

/* Whether the error is read by plain products, so that doubles can follow it. */
static bool live_is_plain(const ode_network *o) {
  const mho_network *net = o->net;
  int last = mho_network_output(net);

  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    bool joined = k->to == last || k->from == last;
    if (joined && !is_plain(net->connection[k->connection].xb))
      return false;
  }
  return true;
}

/* o - t of the activities of sample s, [classes]. */
static void live_error_of(const ode_network *o, int s, double *error) {
  const mho_network *net = o->net;
  int last = mho_network_output(net), classes = net->layer[last].n;
  memset(error, 0, (size_t)classes * sizeof *error);
  if (mho_layer_takes_error(net, last - 1))
    memcpy(error, o->s[last - 1] + (size_t)s * (size_t)classes, (size_t)classes * sizeof *error);

  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    if (k->to != last)
      continue;

    const mho_crossbar *x = net->connection[k->connection].xb;
    const mho_real *w = mho_crossbar_matrix(x);
    int n = net->layer[k->from].n;
    const double *from = o->s[k->from] + (size_t)s * (size_t)n;
    for (int a = 0; a < x->rows; a++) { /* a row more than neurons is that of an input of 1 */
      double v = (double)k->scale * (a < n ? from[a] : 1);
      for (int j = 0; j < classes; j++)
        error[j] += v * (double)w[(size_t)a * (size_t)classes + (size_t)j];
    }
  }
  mho_output_error_double(net->output, classes, error, &o->phase->drive.targets, ode_sample(o, s),
                          error);
}

/* a -= factor e op(B) of sample s, for a link from the read-out back. */
static void add_error(const ode_network *o, const mho_link *k, int s, double factor,
                      const double *error, double *a) {
  const mho_crossbar *x = o->net->connection[k->connection].xb;
  const mho_real *w = mho_crossbar_matrix(x);
  int n = o->net->layer[k->to].n, classes = o->net->layer[k->from].n;
  double *of_sample = a + (size_t)s * (size_t)n;

  for (int i = 0; i < n; i++) {
    double sum = 0;
    for (int j = 0; j < classes; j++)
      sum += error[j] * (double)w[k->transposed ? i * x->cols + j : j * x->cols + i];
    of_sample[i] -= factor * sum;
  }
}

/* -nudge (o - t) B of the present activities, in double precision. */
static void add_live_plain_error(ode_network *o, double on, double *f) {
  const mho_network *net = o->net;
  int classes = mho_network_classes(net);

  for (int s = 0; s < o->samples; s++) {
    double *error = o->present_error + (size_t)s * (size_t)classes;
    live_error_of(o, s, error);
    for (int i = 0; i < net->n_links; i++) {
      const mho_link *k = &net->link[i];
      if (mho_link_has_error(net, k))
        add_error(o, k, s, on * o->phase->drive.strength * (double)k->scale, error,
                  ode_block(o, f, o->first[k->to]));
    }
  }
}

/* -nudge (o - t) of the present activities, by whatever way it goes into neurons. */
static void add_live_error(ode_network *o, double on, double *f) {
  int outputs = mho_network_output(o->net) - 1;
  if (o->coarse || !live_is_plain(o))
    add_live_read_error(o, on, f);
  else
    add_live_plain_error(o, on, f);
  if (mho_layer_takes_error(o->net, outputs))
    add_live_error_itself(o, outputs, on, f);
}

/* ---------------------------------------------------------------- rates: all together */

/* f += k (u_free - u), of the difference, whose free one is 0, -k v. */
static void add_pull(const ode_network *o, int l, const double *restrict u, double *restrict f) {
  int n = o->samples * o->net->layer[l].n;
  for (int i = 0; i < n; i++)
    f[i] += o->pull * ((o->difference ? 0 : o->base[l][i]) - u[i]);
}

/* f /= tau_i of a layer. */
static void slow_down(const ode_network *o, int l, double *f) {
  const mho_circuit *k = o->net->layer[l].circuit;
  const double *tau = k ? k->tau : NULL;
  int n = o->net->layer[l].n;
  if (!tau)
    return;

  for (int s = 0; s < o->samples; s++)
    for (int i = 0; i < n; i++)
      f[s * n + i] /= tau[i];
}

static double sum_of_sizes(const ode_network *o, int l, const double *f) {
  double sum = 0;
  int n = o->samples * o->net->layer[l].n;
#pragma omp simd reduction(+ : sum)
  for (int i = 0; i < n; i++)
    sum += fabs(f[i]);
  return sum;
}

/* f = (a - u)/tau_i, limited to the slew rate; false when it is not finite. */
static bool leak(const ode_network *o, int l, const double *restrict u, double *restrict f) {
  const mho_circuit *k = o->net->layer[l].circuit;
  const double *slew = k ? k->slew : NULL;
  int n = o->net->layer[l].n;
  for (int i = 0; i < o->samples * n; i++)
    f[i] -= u[i];
  if (o->pull > 0)
    add_pull(o, l, u, f);

  slow_down(o, l, f);
  if (slew)
    for (int s = 0; s < o->samples; s++) {
      double *rate = f + s * n, unit = o->difference ? fabs(o->c[l]) * o->strength[s] : 1;
      for (int i = 0; i < n; i++)
        rate[i] = fmin(fmax(rate[i], -slew[i] / unit), slew[i] / unit);
    }
  return sum_of_sizes(o, l, f) < RUNAWAY; /* no NaN either */
}

/* a = keep a + factor from, [n]; a need not be a number when keep is 0. */
static void add_drive(int n, double factor, const double *restrict from, double keep,
                      double *restrict a) {
  if (keep == 0) {
    for (int i = 0; i < n; i++)
      a[i] = factor * from[i];
    return;
  }
  for (int i = 0; i < n; i++)
    a[i] += factor * from[i];
}

/* f = what the input and a held error bring, with the part of each that is on. */
static void put_drives(const ode_network *o, double in, double on, double *f) {
  for (int l = 1; l < mho_hidden_end(o->net); l++) {
    const double *input = o->difference ? NULL : o->input[l];
    const double *error = o->nudged && !o->live ? o->error[l] : NULL;
    double *a = ode_block(o, f, o->first[l]);
    int n = o->samples * o->net->layer[l].n;
    if (input)
      add_drive(n, in, input, 0, a);
    if (error)
      add_drive(n, on, error, input ? 1 : 0, a);
    if (!input && !error)
      memset(a, 0, (size_t)n * sizeof *a);
  }
}

/* The rates of a lag. */
static void put_lag(const ode_network *o, const ode_lag *lag, const double *y, double *f) {
  const double *from =
      lag->source < 0 ? o->s[lag->layer] : ode_const_block(o, y, o->lag[lag->source].first);
  const double *state = ode_const_block(o, y, lag->first);
  double *rate = ode_block(o, f, lag->first);
  int n = o->samples * o->net->layer[lag->layer].n;
  for (int i = 0; i < n; i++)
    rate[i] = lag->rate * (from[i] - state[i]);
}

mho_chunk mho__ode_network_chunk(ode_network *o) {
  mho_chunk c = {.phase = &o->group_phase};
  for (int l = 1; l < mho_hidden_end(o->net); l++) {
    size_t n = mho__phase_count(c.phase, l);
    for (size_t i = 0; i < n; i++)
      o->v[l][i] = (mho_real)o->s[l][i];
    c.now[l] = o->v[l];
  }
  return c;
}

/* The rates of a dynamics that has its own, of the activities in o->s; false when one is not
 * finite. */
static bool put_own_rates(ode_network *o, double on, const double *y, double *f) {
  const mho_dynamics *dyn = o->phase->dyn;
  mho_chunk c = mho__ode_network_chunk(o);
  mho_settle_stats unused = {0};
  bool fine = true;
  o->group_phase.drive.strength = on * o->phase->drive.strength;

  for (int l = 1; l < mho_hidden_end(o->net); l++) {
    size_t n = (size_t)o->net->layer[l].n;
    double *to = ode_block(o, f, o->first[l]);
    dyn->input(&c, l, NULL, o->y, &unused);
    dyn->rates(&o->group_phase, l, o->y, ode_const_block(o, y, o->first[l]), to);
    for (int s = o->real_samples; s < o->samples; s++)
      memcpy(to + (size_t)s * n, to, n * sizeof *to);
    slow_down(o, l, to);
    fine &= isfinite(sum_of_sizes(o, l, to));
  }
  return fine;
}

bool mho__ode_network_rates(void *user, double t, const double *y, double *f) {
  ode_network *o = user;
  const mho_network *net = o->net;
  double in = mho__ode_network_input_on(o, t), on = mho__ode_network_nudge_on(o, t);
  bool fine = true;
  mho__ode_network_activities(o, y);
  if (ode_has_own_rates(net))
    return put_own_rates(o, on, y, f);

  /* the currents into every layer */
  put_drives(o, in, on, f);
  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    double scale = link_scale(o, k);
    if (scale != 0)
      add_link(o, k, scale, in, link_source(o, k, y), ode_block(o, f, o->first[k->to]));
  }
  if (o->live)
    add_live_error(o, on, f);

  /* what neurons and lags make of them */
  for (int l = 1; l < mho_hidden_end(net); l++)
    fine &= leak(o, l, ode_const_block(o, y, o->first[l]), ode_block(o, f, o->first[l]));
  for (int b = 0; b < o->n_lags; b++)
    put_lag(o, &o->lag[b], y, f);
  return fine;
}

void mho__ode_network_residual(const ode_network *o, const double *f, double *residual) {
  const mho_network *net = o->net;
  memset(residual, 0, (size_t)o->samples * sizeof *residual);

  for (int l = 1; l < mho_hidden_end(net); l++) {
    const mho_circuit *k = net->layer[l].circuit;
    const double *tau = k ? k->tau : NULL, *block = ode_const_block(o, f, o->first[l]);
    int n = net->layer[l].n;
    for (int s = 0; s < o->samples; s++) {
      double most = 0;
      for (int i = 0; i < n; i++) {
        double v = fabs(block[s * n + i]) * (tau ? tau[i] : 1);
        most = v > most ? v : most;
      }
      residual[s] = most > residual[s] ? most : residual[s];
    }
  }

  for (int b = 0; b < o->n_lags; b++) {
    const double *block = ode_const_block(o, f, o->lag[b].first);
    int n = net->layer[o->lag[b].layer].n;
    for (int s = 0; s < o->samples; s++)
      for (int i = 0; i < n; i++)
        residual[s] = fmax(residual[s], fabs(block[s * n + i]) / o->lag[b].rate);
  }
}

/* ---------------------------------------------------------------- Jacobian */

/* The derivatives of the rates that are filled in, and how fast input and nudge come on. */
typedef struct jacobian {
  size_t n;     /**< states */
  double *dfdy; /**< [n x n] */
  double *dfdt; /**< [n] */
  double in, on;
} jacobian;

/* ds/du of a layer of the one sample. */
static void slopes(ode_network *o, int l, const double *u, double *d) {
  const mho_layer *layer = &o->net->layer[l];
  double *z = o->z[l];
  for (int i = 0; i < layer->n; i++)
    z[i] = o->difference ? o->base[l][i] - o->c[l] * o->strength[0] * u[i] : u[i];
  mho_layer_activate_double(layer, 1, z, z);

  for (int i = 0; i < layer->n; i++)
    d[i] = 1;
  mho_layer_scale_by_slope_double(layer, 1, z, d);
}

/* The weight between two lines as the one sample meets it. */
static double weight_met(const ode_network *o, const mho_crossbar *x, int row, int col) {
  double w = (double)mho_crossbar_matrix(x)[row * x->cols + col];
  if (!x->perturbation)
    return w;
  return w + mho_perturbation_weight(x->perturbation, o->group_phase.row0, row, col);
}

/* What a link adds, with the slopes of the activities in o->s. */
static void add_link_slopes(const ode_network *o, const mho_link *k, double scale, jacobian *j) {
  const mho_network *net = o->net;
  const mho_crossbar *x = net->connection[k->connection].xb;
  int inputs = net->layer[k->from].n, outputs = net->layer[k->to].n, lag = link_lag(o, k);
  size_t from = (size_t)(lag < 0 ? o->first[k->from] : o->lag[lag].first);
  size_t to = (size_t)o->first[k->to];

  for (int a = 0; a < inputs; a++) {
    double slope = lag < 0 ? o->s[k->from][a] : 1;
    for (int b = 0; b < outputs; b++) {
      double w = k->transposed ? weight_met(o, x, b, a) : weight_met(o, x, a, b);
      j->dfdy[(to + (size_t)b) * j->n + from + (size_t)a] += scale * w * slope;
    }
  }

  if (has_bias(net, k) && !o->difference)
    for (int b = 0; b < outputs; b++)
      j->dfdt[to + (size_t)b] += scale * j->in * weight_met(o, x, inputs, b);
}

/* What the neurons of a layer add, and what they make of all that comes in. */
static void add_leak_slopes(const ode_network *o, int l, jacobian *j) {
  const mho_circuit *k = o->net->layer[l].circuit;
  const double *tau = k ? k->tau : NULL;
  bool driven = o->input[l] && !o->difference, nudged = o->error[l] && o->nudged && !o->live;

  for (int i = 0; i < o->net->layer[l].n; i++) {
    size_t row = (size_t)(o->first[l] + i);
    j->dfdy[row * j->n + row] -= 1 + o->pull;
    if (driven)
      j->dfdt[row] += j->in * o->input[l][i];
    if (nudged)
      j->dfdt[row] += j->on * o->error[l][i];

    if (tau) {
      for (size_t b = 0; b < j->n; b++)
        j->dfdy[row * j->n + b] /= tau[i];
      j->dfdt[row] /= tau[i];
    }
  }
}

static void add_lag_slopes(const ode_network *o, const ode_lag *lag, jacobian *j) {
  bool of_activity = lag->source < 0;
  int first = of_activity ? o->first[lag->layer] : o->lag[lag->source].first;
  for (int i = 0; i < o->net->layer[lag->layer].n; i++) {
    size_t row = (size_t)(lag->first + i), from = (size_t)(first + i);
    j->dfdy[row * j->n + row] = -lag->rate;
    j->dfdy[row * j->n + from] += lag->rate * (of_activity ? o->s[lag->layer][i] : 1);
  }
}

void mho__ode_network_jacobian(void *user, double t, const double *y, double *dfdy, double *dfdt) {
  ode_network *o = user;
  const mho_network *net = o->net;
  const double step = 1e-6;
  jacobian j = {.n = (size_t)o->n_states, .dfdy = dfdy, .dfdt = dfdt};
  j.in = (mho__ode_network_input_on(o, t + step) - mho__ode_network_input_on(o, t)) / step;
  j.on = (mho__ode_network_nudge_on(o, t + step) - mho__ode_network_nudge_on(o, t)) / step;
  memset(dfdy, 0, j.n * j.n * sizeof *dfdy);
  memset(dfdt, 0, j.n * sizeof *dfdt);

  for (int l = 1; l < mho_hidden_end(net); l++)
    slopes(o, l, y + o->first[l], o->s[l]);
  for (int i = 0; i < net->n_links; i++) {
    double scale = link_scale(o, &net->link[i]);
    if (scale != 0)
      add_link_slopes(o, &net->link[i], scale, &j);
  }
  for (int l = 1; l < mho_hidden_end(net); l++)
    add_leak_slopes(o, l, &j);
  for (int b = 0; b < o->n_lags; b++)
    add_lag_slopes(o, &o->lag[b], &j);
}

/* ---------------------------------------------------------------- what drives the lines */

int mho__ode_network_lines(const mho_network *net) {
  int lines = 0;
  for (int i = 0; i < net->n_links; i++)
    lines += mho_link_inputs(net, &net->link[i]);
  return lines;
}

/* Squares of n numbers, times gain^2. */
static void squares_of(const double *v, int n, double gain, double *out) {
  for (int i = 0; i < n; i++)
    out[i] = gain * gain * v[i] * v[i];
}

static void squares_of_real(const mho_real *v, int n, double gain, double *out) {
  for (int i = 0; i < n; i++)
    out[i] = gain * gain * (double)v[i] * (double)v[i];
}

void mho__ode_network_squares(const ode_network *o, const double *y, double t, int s, double *out) {
  const mho_network *net = o->net;
  double in = mho__ode_network_input_on(o, t), on = o->nudged ? mho__ode_network_nudge_on(o, t) : 0;

  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    int n = net->layer[k->from].n;
    size_t at = (size_t)s * (size_t)n;
    double scale = (double)k->scale, bias = scale * in;

    if (k->from == 0)
      squares_of_real(mho__values(net, mho_phase_input(o->phase)->z, 0, ode_sample(o, s)), n,
                      scale * in, out);
    else if (mho_link_is_hidden(net, k))
      squares_of(link_source(o, k, y) + at, n, scale, out);
    else if (mho_layer_is_hidden(&net->layer[k->from]))
      squares_of(o->s[k->from] + at, n, scale, out);
    else
      squares_of(o->present_error + at, n, scale * on * o->phase->drive.strength, out);

    if (has_bias(net, k)) /* its line lies behind the others */
      out[n] = bias * bias;
    out += mho_link_inputs(net, k);
  }
}
