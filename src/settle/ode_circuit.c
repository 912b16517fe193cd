/* ode_circuit.c - the differential equations of a group of samples: see ode_circuit.h.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "settle/ode_circuit.h"

#include <math.h>
#include <string.h>

static const double RUNAWAY = 1e8; /* rates that no circuit has: unstable linear neurons */
static const double SMALL =
    1e-5; /* change of a potential below which the slope half way is exact to 1e-11 */

/* ---------------------------------------------------------------- construction */

static bool is_hidden(const mho_network *net, int l) {
  return net->layer[l].neuron != NULL;
}
static bool among_hidden(const mho_network *net, const mho_link *k) {
  return is_hidden(net, k->from) && is_hidden(net, k->to);
}
static bool leads_back(const mho_link *k) {
  return k->from > k->to;
}

/* Number the states: potentials layer by layer, then lags. */
static void number_states(ode_circuit *c) {
  const mho_network *net = c->net;
  double line = c->p->line / c->p->tau, amplifier = c->p->amplifier / c->p->tau;
  bool out[2][MHO_LAYERS_MAX] = {{false}}; /* a forward, a feedback link reads the layer */
  for (int i = 0; i < net->n_links; i++)
    if (among_hidden(net, &net->link[i]))
      out[leads_back(&net->link[i])][net->link[i].from] = true;
  for (int l = 1; l < net->n_layers - 1; l++) {
    c->first[l] = c->n_states;
    c->n_states += net->layer[l].n;
    c->forward[l] = c->feedback[l] = -1;
  }
  c->n_neurons = c->n_states;
  for (int l = 1; l < net->n_layers - 1; l++)
    for (int stage = 0; stage < 3; stage++) { /* forward line; feedback amplifier, its line */
      double tau = stage == 1 ? amplifier : line;
      int *end = stage == 0 ? &c->forward[l] : &c->feedback[l];
      if (!(tau > 0) || !out[stage > 0][l])
        continue;
      c->lag[c->n_lags] = (ode_lag){l, *end, c->n_states, 1 / tau};
      *end = c->n_lags++;
      c->n_states += net->layer[l].n;
    }
}

int ode_circuit_states(const mho_network *net, const ode_params *p) {
  ode_circuit c = {.net = net, .p = p};
  number_states(&c);
  return c.n_states;
}

/* Whether a read of it is the plain product with its effective matrix: a model that does not say what it loses is asked
 * every time. */
static bool is_plain(const mho_crossbar *x) {
  return x->model->exact || (x->model->lossy && !mho_crossbar_lossy(x));
}

/* What a circuit in continuous time is not made of (yet): the winners of a pooled layer jump, and kernels would have to
 * be laid out as the circuit they are. */
static mho_err check_links(const mho_network *net, mho_errinfo *ei) {
  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    if (net->connection[k->connection].conv.kernel || net->layer[k->from].pool.size)
      return mho_fail(
          ei, MHO_ECONFIG,
          "settle.method: ode knows no convolutions (connection %s): use sweep or synchronous",
          net->connection[k->connection].name);
  }
  return MHO_OK;
}

mho_err ode_circuit_new(const mho_network *net, const ode_params *p, int group, ode_circuit *c,
                        mho_errinfo *ei) {
  *c = (ode_circuit){.net = net, .p = p, .group = group};
  mho_err err = check_links(net, ei);
  if (err)
    return err;
  number_states(c);
  size_t most = 0, rows = (size_t)group;
  bool ok = (c->w = mho_alloc((size_t)net->n_connections, sizeof *c->w)) &&
            (c->label = mho_alloc(rows, 1)) &&
            (c->strength = mho_alloc(rows, sizeof *c->strength)) &&
            (c->present_error =
                 mho_alloc(rows * (size_t)net->layer[net->n_layers - 1].n, sizeof(double)));
  for (int l = 0; ok && l < net->n_layers; l++) {
    size_t n = (size_t)net->layer[l].n;
    most = n > most && l > 0 ? n : most;
    if (is_hidden(net, l))
      ok = (c->s[l] = mho_alloc(rows * n, sizeof(double))) &&
           (c->base[l] = mho_alloc(rows * n, sizeof(double))) &&
           (c->settled[l] = mho_alloc(rows * n, sizeof(double))) &&
           (c->z[l] = mho_alloc(rows * n, sizeof(double)));
  }
  for (int i = 0; ok && i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    const mho_crossbar *x = net->connection[k->connection].xb;
    double **drive = k->from == 0 ? c->input : c->error;
    if (among_hidden(net, k)) {
      if (is_plain(x) && !c->w[k->connection])
        ok = (c->w[k->connection] = mho_alloc((size_t)x->rows * (size_t)x->cols, sizeof(double))) !=
             NULL;
    } else if (is_hidden(net, k->to) && !drive[k->to]) {
      ok = (drive[k->to] = mho_alloc(rows * (size_t)net->layer[k->to].n, sizeof(double))) != NULL;
    }
  }
  ok = ok && (c->x = mho_alloc(rows * (most + 1), sizeof *c->x)) &&
       (c->y = mho_alloc(rows * most, sizeof *c->y));
  if (ok)
    return MHO_OK;
  ode_circuit_free(c);
  return mho_fail(ei, MHO_ENOMEM, "no memory for the circuits of %d samples", group);
}

void ode_circuit_free(ode_circuit *c) {
  for (int l = 0; c->net && l < c->net->n_layers; l++) {
    mho_free(c->s[l]);
    mho_free(c->input[l]);
    mho_free(c->error[l]);
    mho_free(c->base[l]);
    mho_free(c->settled[l]);
    mho_free(c->z[l]);
  }
  for (int i = 0; c->w && i < c->net->n_connections; i++)
    mho_free(c->w[i]);
  mho_free(c->w);
  mho_free(c->label);
  mho_free(c->strength);
  mho_free(c->present_error);
  mho_free(c->x);
  mho_free(c->y);
  *c = (ode_circuit){0};
}

void ode_circuit_weights(ode_circuit *c) {
  for (int i = 0; i < c->net->n_connections; i++) {
    if (!c->w[i])
      continue;

    const mho_crossbar *x = c->net->connection[i].xb;
    const mho_real *matrix = mho_crossbar_matrix(x);
    size_t n = (size_t)x->rows * (size_t)x->cols;
    for (size_t k = 0; k < n; k++)
      c->w[i][k] = (double)matrix[k];
  }
}

/* ---------------------------------------------------------------- a phase */

/* Rows of an mho_real array of layer width n, and copies of the first behind them. */
static void take_rows(const ode_circuit *c, const mho_real *from, int n, double factor,
                      double *to) {
  for (int r = 0; r < c->rows; r++)
    for (int i = 0, source = r < c->real_rows ? r : 0; i < n; i++)
      to[r * n + i] = factor * (double)from[source * n + i];
}

static void pad_real(const ode_circuit *c, int n, mho_real *v) {
  for (int r = c->real_rows; r < c->rows; r++)
    memcpy(v + (size_t)r * (size_t)n, v, (size_t)n * sizeof *v);
}

/* What the output error brings into the layers next to the read-out: nudge (p - y) B, or, for the difference, (p - y)
 * B divided by the row's largest |p - y|. */
static void take_error(ode_circuit *c, mho_settle_stats *stats) {
  const mho_network *net = c->net;
  int last = net->n_layers - 1, classes = net->layer[last].n;
  const mho_real *e = c->job->error + (size_t)c->row0 * (size_t)classes;
  take_rows(c, e, classes, 1, c->present_error);
  for (int r = 0; r < c->rows && c->difference; r++) {
    double most = 0;
    for (int i = 0, source = r < c->real_rows ? r : 0; i < classes; i++)
      most = fmax(most, fabs((double)e[source * classes + i]));
    c->strength[r] = most > 0 ? most : 1;
  }
  for (int l = 1; l < last; l++)
    if (c->error[l])
      memset(c->error[l], 0, (size_t)c->rows * (size_t)net->layer[l].n * sizeof(double));
  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    int n = net->layer[k->to].n;
    if (k->from != last || !is_hidden(net, k->to))
      continue;
    double scale = c->difference ? pow(net->feedback_scale, k->span - net->layer[k->to].distance)
                                 : (double)k->scale;
    mho_link_read(&c->part, k, e, c->y, (mho_real)scale, false, stats);
    pad_real(c, n, c->y);
    for (int r = 0; r < c->rows; r++)
      for (int j = 0; j < n; j++)
        c->error[k->to][r * n + j] +=
            (c->difference ? 1 / c->strength[r] : -c->job->nudge) * (double)c->y[r * n + j];
  }
}

void ode_circuit_phase(ode_circuit *c, const mho_settle_job *job, int row0, int rows, int padded,
                       bool difference, mho_settle_stats *stats) {
  const mho_network *net = c->net;
  c->job = job;
  c->row0 = row0;
  c->real_rows = rows;
  c->rows = padded;
  c->difference = difference;
  c->nudged = job->nudge != 0;
  c->live = c->nudged && !job->error;
  c->part = *job;
  c->part.row0 = row0;
  c->part.n = rows;
  c->part.clock.step = 0; /* noise of a read holds through a phase: the equations are smooth */
  /* the input has been on for the free phase's time; as long as that takes to settle, for good */
  c->t0 = !c->nudged ? 0 : c->p->free > 0 ? c->p->free : (double)INFINITY;
  for (int l = 1; l < net->n_layers - 1; l++) {
    c->c[l] = job->nudge * mho_network_signal_scale(net, l);
    if (c->input[l] && !difference)
      take_rows(c, mho_rows(net, job->s->drive, l, row0), net->layer[l].n, 1, c->input[l]);
  }
  for (int r = 0; r < padded && c->live; r++)
    c->label[r] = job->label[row0 + (r < rows ? r : 0)];
  if (c->nudged && !c->live)
    take_error(c, stats);
  c->part.meter = NULL; /* a phase is one read, however often the stepper looks */
}

/* A step, ramp or pulse of that duration through a lag of time constant T, t after its start. */
static double through_lag(int shape, double duration, double T, double t) {
  if (shape == SHAPE_STEP || !(duration > 0))
    return T > 0 ? -expm1(-t / T) : 1;
  double in = fmin(t, duration), after = fmax(t - duration, 0);
  if (shape == SHAPE_RAMP) {
    double end = (in + (T > 0 ? T * expm1(-in / T) : 0)) / duration;
    return t <= duration ? end : T > 0 ? 1 + (end - 1) * exp(-after / T) : 1;
  }
  double end = T > 0 ? -expm1(-in / T) : 1;
  return t <= duration ? end : T > 0 ? end * exp(-after / T) : 0;
}

double ode_circuit_input_on(const ode_circuit *c, double t) {
  return through_lag(SHAPE_STEP, 0, c->p->line / c->p->tau, c->t0 + t);
}

double ode_circuit_nudge_on(const ode_circuit *c, double t) {
  return c->difference ? 1 : through_lag(c->p->shape, c->p->shape_time, c->p->line / c->p->tau, t);
}

double ode_circuit_onset(const ode_circuit *c, double tolerance) {
  double lag = c->p->line / c->p->tau * log(1 / tolerance);
  return c->difference ? 0 : lag + (c->nudged && c->p->shape != SHAPE_STEP ? c->p->shape_time : 0);
}

/* ---------------------------------------------------------------- rates */

/* e = (rho(a) - rho(a - c v))/c of a layer, c = c_l strength_r; its limit where nothing is left of the change. */
static void difference_activities(const ode_circuit *c, int l, const double *v, double *e) {
  const mho_layer *layer = &c->net->layer[l];
  int n = layer->n;
  double most = 0;
  for (int r = 0; r < c->rows; r++) {
    double k = fabs(c->c[l] * c->strength[r]);
#pragma omp simd reduction(max : most)
    for (int i = 0; i < n; i++) {
      double change = k * fabs(v[r * n + i]);
      most = change > most ? change : most;
    }
  }
  bool small = most < SMALL;
  for (int r = 0; r < c->rows; r++) {
    double k = (small ? 0.5 : 1) * c->c[l] * c->strength[r];
    for (int i = 0; i < n; i++)
      e[r * n + i] = c->base[l][r * n + i] - k * v[r * n + i];
  }
  mho_layer_activate_double(layer, c->rows, e, e);
  if (small) {
    double *slope = e; /* the slope half way: exact to second order */
    double *z = c->z[l];
    memcpy(z, e, (size_t)c->rows * (size_t)n * sizeof *z);
    memcpy(slope, v, (size_t)c->rows * (size_t)n * sizeof *v);
    mho_layer_scale_by_slope_double(layer, c->rows, z, slope);
    return;
  }
  for (int r = 0; r < c->rows; r++) {
    double inverse = 1 / (c->c[l] * c->strength[r]);
    for (int i = 0; i < n; i++)
      e[r * n + i] = (c->settled[l][r * n + i] - e[r * n + i]) * inverse;
  }
}

static void coarse_activities(ode_circuit *c, int l, const double *u, double *s) {
  const mho_layer *layer = &c->net->layer[l];
  int n = c->rows * layer->n;
  for (int i = 0; i < n; i++)
    c->x[i] = (mho_real)u[i];
  mho_layer_activate(layer, c->rows, c->x, c->x);
  for (int i = 0; i < n; i++)
    s[i] = (double)c->x[i];
}

void ode_circuit_activities(ode_circuit *c, const double *y) {
  for (int l = 1; l < c->net->n_layers - 1; l++) {
    const double *u = y + (size_t)c->first[l] * (size_t)c->rows;
    if (c->difference)
      difference_activities(c, l, u, c->s[l]);
    else if (c->coarse)
      coarse_activities(c, l, u, c->s[l]);
    else
      mho_layer_activate_double(&c->net->layer[l], c->rows, u, c->s[l]);
  }
}

/* What a link reads: the activity, or the end of its lags. */
static const double *link_source(const ode_circuit *c, const mho_link *k, const double *y) {
  int lag = leads_back(k) ? c->feedback[k->from] : c->forward[k->from];
  return lag < 0 ? c->s[k->from] : y + (size_t)c->lag[lag].first * (size_t)c->rows;
}

/* A link's factor. For the difference, which is carried divided by nudge beta_i^h, see sweep.c. */
static double link_scale(const ode_circuit *c, const mho_link *k) {
  const mho_network *net = c->net;
  if (!c->difference)
    return (double)k->scale;
  int from = net->layer[k->from].distance, to = net->layer[k->to].distance;
  if (from < 0 || to < 0)
    return 0;
  return leads_back(k) ? pow(net->feedback_scale, k->span + from - to)
                       : (double)k->scale * pow(net->feedback_scale, from - to);
}

/* Whether a link carries a bias: its matrix has one more row, of a line that comes on with the input. */
static bool has_bias(const mho_network *net, const mho_link *k) {
  return net->connection[k->connection].bias && !k->transposed;
}

/* a += scale from op(W), with `biased` of the bias. */
static void add_link(ode_circuit *c, const mho_link *k, double scale, double biased,
                     const double *from, double *a) {
  const mho_crossbar *x = c->net->connection[k->connection].xb;
  int in = c->net->layer[k->from].n, out = c->net->layer[k->to].n;
  if (c->w[k->connection] && has_bias(c->net, k) && !c->difference) {
    const double *bias = c->w[k->connection] + (size_t)in * (size_t)x->cols;
    for (int i = 0; i < c->rows * out; i++)
      a[i] += scale * biased * bias[i % out];
  }
  if (c->w[k->connection] && !c->coarse) {
    mho_gemm_double(false, k->transposed, c->rows, out, in, scale, from, in, c->w[k->connection],
                    x->cols, 1, a, out);
    return;
  }
  mho_settle_stats unused = {0};
  for (int i = 0; i < c->rows * in; i++)
    c->x[i] = (mho_real)from[i];
  if (c->w[k->connection]) {
    mho_gemm(false, k->transposed, c->rows, out, in, 1, c->x, in, mho_crossbar_matrix(x), x->cols,
             0, c->y, out);
    for (int i = 0; i < c->rows * out; i++)
      a[i] += scale * (double)c->y[i];
    return;
  }
  c->part.bias_off = (mho_real)(1 - biased);
  mho_link_read(&c->part, k, c->x, c->y, (mho_real)scale, false, &unused);
  c->part.bias_off = 0;
  pad_real(c, out, c->y);
  for (int i = 0; i < c->rows * out; i++)
    a[i] += (double)c->y[i];
}

/* The same through arrays that are no plain product, in mho_real as their reads are. */
static void add_live_read_error(ode_circuit *c, double on, double *f) {
  const mho_network *net = c->net;
  int last = net->n_layers - 1, classes = net->layer[last].n;
  mho_settle_stats unused = {0};
  mho_real *p = c->part.scratch + mho_settle_read_scratch(net, c->part.n);
  double loss = 0;
  int64_t correct = 0;
  bool first = true;
  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    if (k->to != last)
      continue;
    for (int j = 0; j < c->real_rows * net->layer[k->from].n; j++)
      c->x[j] = (mho_real)c->s[k->from][j];
    mho_link_read(&c->part, k, c->x, p, k->scale, !first, &unused);
    first = false;
  }
  mho_softmax(c->real_rows, classes, p, c->label, &loss, &correct);
  mho_error_rows(c->real_rows, classes, p, c->label, p);
  take_rows(c, p, classes, 1, c->present_error);
  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    int n = net->layer[k->to].n;
    if (k->from != last || !is_hidden(net, k->to))
      continue;
    mho_link_read(&c->part, k, p, c->y, k->scale, false, &unused);
    pad_real(c, n, c->y);
    double *a = f + (size_t)c->first[k->to] * (size_t)c->rows;
    for (int j = 0; j < c->rows * n; j++)
      a[j] -= on * c->job->nudge * (double)c->y[j];
  }
}

/* Whether the error is read by plain products, so that doubles can follow it. */
static bool live_is_plain(const ode_circuit *c) {
  const mho_network *net = c->net;
  int last = net->n_layers - 1;

  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    bool joined = k->to == last || k->from == last;
    if (joined && !is_plain(net->connection[k->connection].xb))
      return false;
  }

  return true;
}

/* p - y of the activities of row r, [classes] */
static void live_error_of_row(const ode_circuit *c, int r, double *error) {
  const mho_network *net = c->net;
  int last = net->n_layers - 1, classes = net->layer[last].n;
  memset(error, 0, (size_t)classes * sizeof *error);

  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    if (k->to != last)
      continue;

    const mho_crossbar *x = net->connection[k->connection].xb;
    const mho_real *w = mho_crossbar_matrix(x);
    int n = net->layer[k->from].n;
    const double *s = c->s[k->from] + (size_t)r * (size_t)n;
    for (int a = 0; a < x->rows; a++) { /* a row more than neurons is that of an input of 1 */
      double v = (double)k->scale * (a < n ? s[a] : 1);
      for (int j = 0; j < classes; j++)
        error[j] += v * (double)w[(size_t)a * (size_t)classes + (size_t)j];
    }
  }

  double most = error[0], sum = 0;
  for (int j = 1; j < classes; j++)
    most = fmax(most, error[j]);
  for (int j = 0; j < classes; j++)
    sum += error[j] = exp(error[j] - most);
  for (int j = 0; j < classes; j++)
    error[j] = error[j] / sum - (j == c->label[r]);
}

/* a -= factor e op(B) of row r, for a link from the read-out back */
static void add_error_row(const ode_circuit *c, const mho_link *k, int r, double factor,
                          const double *error, double *a) {
  const mho_crossbar *x = c->net->connection[k->connection].xb;
  const mho_real *w = mho_crossbar_matrix(x);
  int n = c->net->layer[k->to].n, classes = c->net->layer[k->from].n;
  double *row = a + (size_t)r * (size_t)n;

  for (int i = 0; i < n; i++) {
    double sum = 0;
    for (int j = 0; j < classes; j++)
      sum += error[j] * (double)w[k->transposed ? i * x->cols + j : j * x->cols + i];
    row[i] -= factor * sum;
  }
}

/* -nudge (p - y) B of the present activities. */
static void add_live_error(ode_circuit *c, double on, double *f) {
  const mho_network *net = c->net;
  int last = net->n_layers - 1;
  if (c->coarse || !live_is_plain(c)) {
    add_live_read_error(c, on, f);
    return;
  }

  for (int r = 0; r < c->rows; r++) {
    double *error = c->present_error + (size_t)r * (size_t)net->layer[last].n;
    live_error_of_row(c, r, error);
    for (int i = 0; i < net->n_links; i++) {
      const mho_link *k = &net->link[i];
      if (k->from == last && is_hidden(net, k->to))
        add_error_row(c, k, r, on * c->job->nudge * (double)k->scale, error,
                      f + (size_t)c->first[k->to] * (size_t)c->rows);
    }
  }
}

/* f = (a - u)/tau_i, held to the slew limit; false when it is not finite. */
static bool leak(const ode_circuit *c, int l, const double *restrict u, double *restrict f) {
  const mho_circuit *k = c->net->layer[l].circuit;
  const double *tau = k ? k->tau : NULL, *slew = k ? k->slew : NULL;
  int n = c->net->layer[l].n;
  double sum = 0;
  for (int i = 0; i < c->rows * n; i++)
    f[i] -= u[i];
  for (int r = 0; r < c->rows && (tau || slew); r++) {
    double *row = f + r * n, unit = c->difference ? fabs(c->c[l]) * c->strength[r] : 1;
    for (int i = 0; i < n && tau; i++)
      row[i] /= tau[i];
    for (int i = 0; i < n && slew; i++)
      row[i] = fmin(fmax(row[i], -slew[i] / unit), slew[i] / unit);
  }
#pragma omp simd reduction(+ : sum)
  for (int i = 0; i < c->rows * n; i++)
    sum += fabs(f[i]);
  return sum < RUNAWAY; /* no NaN either */
}

/* a = keep a + factor from, [n]; a need not be a number when keep is 0 */
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

bool ode_circuit_rates(void *user, double t, const double *y, double *f) {
  ode_circuit *c = user;
  const mho_network *net = c->net;
  double in = ode_circuit_input_on(c, t), on = ode_circuit_nudge_on(c, t);
  bool fine = true;
  ode_circuit_activities(c, y);
  for (int l = 1; l < net->n_layers - 1; l++) {
    double *a = f + (size_t)c->first[l] * (size_t)c->rows;
    const double *input = c->difference ? NULL : c->input[l],
                 *error = c->nudged && !c->live ? c->error[l] : NULL;
    int n = c->rows * net->layer[l].n;
    if (input)
      add_drive(n, in, input, 0, a);
    if (error)
      add_drive(n, on, error, input ? 1 : 0, a);
    if (!input && !error)
      memset(a, 0, (size_t)n * sizeof *a);
  }
  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    double scale = among_hidden(net, k) ? link_scale(c, k) : 0;
    if (scale != 0)
      add_link(c, k, scale, in, link_source(c, k, y),
               f + (size_t)c->first[k->to] * (size_t)c->rows);
  }
  if (c->live)
    add_live_error(c, on, f);
  for (int l = 1; l < net->n_layers - 1; l++)
    fine &= leak(c, l, y + (size_t)c->first[l] * (size_t)c->rows,
                 f + (size_t)c->first[l] * (size_t)c->rows);
  for (int b = 0; b < c->n_lags; b++) {
    const ode_lag *lag = &c->lag[b];
    size_t at = (size_t)lag->first * (size_t)c->rows;
    const double *from = lag->source < 0 ? c->s[lag->layer]
                                         : y + (size_t)c->lag[lag->source].first * (size_t)c->rows;
    for (int i = 0, n = c->rows * net->layer[lag->layer].n; i < n; i++)
      f[at + (size_t)i] = lag->rate * (from[i] - y[at + (size_t)i]);
  }
  return fine;
}

void ode_circuit_residual(const ode_circuit *c, const double *f, double *residual) {
  const mho_network *net = c->net;
  memset(residual, 0, (size_t)c->rows * sizeof *residual);
  for (int l = 1; l < net->n_layers - 1; l++) {
    const mho_circuit *k = net->layer[l].circuit;
    const double *tau = k ? k->tau : NULL, *block = f + (size_t)c->first[l] * (size_t)c->rows;
    int n = net->layer[l].n;
    for (int r = 0; r < c->rows; r++) {
      double most = 0;
      for (int i = 0; i < n; i++) {
        double v = fabs(block[r * n + i]) * (tau ? tau[i] : 1);
        most = v > most ? v : most;
      }
      residual[r] = most > residual[r] ? most : residual[r];
    }
  }
  for (int b = 0; b < c->n_lags; b++) {
    const double *block = f + (size_t)c->lag[b].first * (size_t)c->rows;
    int n = net->layer[c->lag[b].layer].n;
    for (int r = 0; r < c->rows; r++)
      for (int i = 0; i < n; i++)
        residual[r] = fmax(residual[r], fabs(block[r * n + i]) / c->lag[b].rate);
  }
}

/* ---------------------------------------------------------------- Jacobian */

/* ds/du of a layer of the one row. */
static void slopes(ode_circuit *c, int l, const double *u, double *d) {
  const mho_layer *layer = &c->net->layer[l];
  double *z = c->z[l];
  for (int i = 0; i < layer->n; i++)
    z[i] = c->difference ? c->base[l][i] - c->c[l] * c->strength[0] * u[i] : u[i];
  mho_layer_activate_double(layer, 1, z, z);
  for (int i = 0; i < layer->n; i++)
    d[i] = 1;
  mho_layer_scale_by_slope_double(layer, 1, z, d);
}

void ode_circuit_jacobian(void *user, double t, const double *y, double *dfdy, double *dfdt) {
  ode_circuit *c = user;
  const mho_network *net = c->net;
  size_t n = (size_t)c->n_states;
  double step = 1e-6, in = (ode_circuit_input_on(c, t + step) - ode_circuit_input_on(c, t)) / step;
  double on = (ode_circuit_nudge_on(c, t + step) - ode_circuit_nudge_on(c, t)) / step;
  memset(dfdy, 0, n * n * sizeof *dfdy);
  memset(dfdt, 0, n * sizeof *dfdt);
  for (int l = 1; l < net->n_layers - 1; l++)
    slopes(c, l, y + c->first[l], c->s[l]);
  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    const mho_crossbar *x = net->connection[k->connection].xb;
    const mho_real *matrix = mho_crossbar_matrix(x);
    double scale = among_hidden(net, k) ? link_scale(c, k) : 0;
    if (scale == 0)
      continue;
    int lag = leads_back(k) ? c->feedback[k->from] : c->forward[k->from];
    size_t from = (size_t)(lag < 0 ? c->first[k->from] : c->lag[lag].first),
           to = (size_t)c->first[k->to];
    for (int a = 0; a < net->layer[k->from].n; a++)
      for (int b = 0; b < net->layer[k->to].n; b++) {
        double w = (double)matrix[k->transposed ? b * x->cols + a : a * x->cols + b];
        dfdy[(to + (size_t)b) * n + from + (size_t)a] +=
            scale * w * (lag < 0 ? c->s[k->from][a] : 1);
      }
    for (int b = 0; b < net->layer[k->to].n && has_bias(net, k) && !c->difference; b++)
      dfdt[to + (size_t)b] += scale * in * (double)matrix[net->layer[k->from].n * x->cols + b];
  }
  for (int l = 1; l < net->n_layers - 1; l++) {
    const mho_circuit *k = net->layer[l].circuit;
    for (int i = 0; i < net->layer[l].n; i++) {
      size_t row = (size_t)(c->first[l] + i);
      dfdy[row * n + row] -= 1;
      if (c->input[l] && !c->difference)
        dfdt[row] += in * c->input[l][i];
      if (c->error[l] && c->nudged && !c->live)
        dfdt[row] += on * c->error[l][i];
      for (size_t j = 0; k && k->tau && j < n; j++)
        dfdy[row * n + j] /= k->tau[i];
      if (k && k->tau)
        dfdt[row] /= k->tau[i];
    }
  }
  for (int b = 0; b < c->n_lags; b++) {
    const ode_lag *lag = &c->lag[b];
    for (int i = 0; i < net->layer[lag->layer].n; i++) {
      size_t row = (size_t)(lag->first + i);
      size_t from =
          (size_t)((lag->source < 0 ? c->first[lag->layer] : c->lag[lag->source].first) + i);
      dfdy[row * n + row] = -lag->rate;
      dfdy[row * n + from] += lag->rate * (lag->source < 0 ? c->s[lag->layer][i] : 1);
    }
  }
}

/* ---------------------------------------------------------------- what drives the lines */

int ode_circuit_lines(const mho_network *net) {
  int lines = 0;
  for (int i = 0; i < net->n_links; i++)
    lines += mho_link_inputs(net, &net->link[i]);
  return lines;
}

/* Squares of n numbers, times gain^2, and of the bias line behind them. */
static void squares_of(const double *v, int n, double gain, double bias, bool biased, double *out) {
  for (int i = 0; i < n; i++)
    out[i] = gain * gain * v[i] * v[i];
  if (biased)
    out[n] = bias * bias;
}

static void squares_of_real(const mho_real *v, int n, double gain, double bias, bool biased,
                            double *out) {
  for (int i = 0; i < n; i++)
    out[i] = gain * gain * (double)v[i] * (double)v[i];
  if (biased)
    out[n] = bias * bias;
}

void ode_circuit_squares(const ode_circuit *c, const double *y, double t, int r, double *out) {
  const mho_network *net = c->net;
  double in = ode_circuit_input_on(c, t), on = c->nudged ? ode_circuit_nudge_on(c, t) : 0;
  int source = c->row0 + (r < c->real_rows ? r : 0);
  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    int n = net->layer[k->from].n;
    size_t row = (size_t)r * (size_t)n;
    double scale = (double)k->scale;
    bool biased = has_bias(net, k);

    if (k->from == 0)
      squares_of_real(mho_rows(net, c->job->input->z, 0, source), n, scale * in, scale * in, biased,
                      out);
    else if (among_hidden(net, k))
      squares_of(link_source(c, k, y) + row, n, scale, scale * in, biased, out);
    else if (is_hidden(net, k->from))
      squares_of(c->s[k->from] + row, n, scale, scale * in, biased, out);
    else
      squares_of(c->present_error + row, n, scale * on * c->job->nudge, 0, false, out);
    out += mho_link_inputs(net, k);
  }
}
