/* dfc_feedback.c - how the arrays that lead controls into hidden layers learn.
 *
 * In passes of their own the controller holds the read-out where it is without control, v_o^-, so
 * that it fights nothing but noise. Step k, in units of tau_u, of neurons whose controls lag by T:
 *
 *   e = v_o^- - v_o, tau_u dq/dt = e - leak u, u = q + k_p e
 *   f_l += dt/T (u Q_l - f_l) + sigma sqrt(dt)/T N(0, 1)       of the read-out with Q_o = 1
 *   v_l += dt/ratio (a_l + f_l - v_l), z_l = rho(v_l)          layer after layer
 *   G_l = mean over steps and samples of u[k+1]^T f_l[k]/s^2   s = max(sigma, 0.01)
 *
 * In every lesson the noise is coloured and on top of what the rule does, and u comes through a
 * high-pass, so that what the lesson itself asks for does not count:
 *
 *   x_l <- (1 - dt/t_n) x_l + sqrt(dt)/t_n N(0, 1), f_l = u Q_l + sigma x_l
 *   m <- m + dt/t_f (u - m), m = u at first
 *   G_l = (1 + ratio/t_n)^(layers to the read-out) mean (u - m)[k+1]^T f_l[k]/s^2
 *
 * The gradient is G + decay Q: anti-Hebbian, as it is minimized. In a linear network it has its
 * rest where the arrays span what J, the slope of the read-out by all potentials, does.
 *
 * Source: A. Meulemans et al., NeurIPS 2021, arXiv 2106.07887, and its program; in lessons: the
 * same, ICML 2022, arXiv 2204.07249.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_linalg.h>
#include <math.h>
#include <string.h>

#include "base/streams.h"
#include "mho/model/num.h"
#include "rule/dfc_feedback.h"

/* The least s. */
static const double LEAST_NOISE = 0.01;

struct dfc_feedback {
  int n_layers;
  /* Of all samples of a batch, [n_layers], NULL for the input: */
  mho_real *sum[MHO_LAYERS_MAX];   /* of hidden layers, [capacity x C x n]: of u^T f over steps */
  mho_real *noise[MHO_LAYERS_MAX]; /* [capacity x n]: f that lags, or sigma x */
  double *v[MHO_LAYERS_MAX];       /* of hidden layers, [capacity x n]: potentials */
  /* [capacity x C]: q in passes of their own; m, and u - m, in lessons */
  double *integral, *mean, *high;
};

/* ---------------------------------------------------------------- what learns */

bool mho__dfc_learns_arrays(const mho_network *net) {
  return net->path == MHO_PATH_DIRECT && net->q.kind == MHO_CONTROL_LEARNED;
}

bool mho__dfc_learns_in_lessons(const mho_network *net) {
  return mho__dfc_learns_arrays(net) && net->q.filter > 0;
}

int mho__dfc_feedback_passes(const mho_network *net, int epoch) {
  if (!mho__dfc_learns_arrays(net))
    return 0;
  int64_t before = epoch == 0 ? net->q.epochs_before : 0;
  return (int)(before + (mho__dfc_learns_in_lessons(net) ? 0 : net->q.epochs));
}

/* ---------------------------------------------------------------- memory */

void mho__dfc_feedback_free(void *own) {
  dfc_feedback *f = own;
  if (!f)
    return;

  for (int l = 0; l < f->n_layers; l++) {
    mho_free(f->sum[l]);
    mho_free(f->noise[l]);
    mho_free(f->v[l]);
  }
  mho_free(f->integral);
  mho_free(f->mean);
  mho_free(f->high);
  mho_free(f);
}

static bool add_layers(dfc_feedback *f, const mho_network *net, size_t capacity) {
  size_t classes = (size_t)mho_network_classes(net);
  f->n_layers = net->n_layers;
  f->integral = mho_alloc(capacity * classes, sizeof *f->integral);
  f->mean = mho_alloc(capacity * classes, sizeof *f->mean);
  f->high = mho_alloc(capacity * classes, sizeof *f->high);
  bool ok = f->integral && f->mean && f->high;

  for (int l = 1; l < net->n_layers; l++) {
    size_t n = capacity * (size_t)net->layer[l].n;
    f->noise[l] = mho_alloc(n, sizeof *f->noise[l]);
    ok = ok && f->noise[l];
    if (!mho_layer_is_hidden(&net->layer[l]))
      continue;

    f->v[l] = mho_alloc(n, sizeof *f->v[l]);
    f->sum[l] = mho_alloc(classes * n, sizeof *f->sum[l]);
    ok = ok && f->v[l] && f->sum[l];
  }
  return ok;
}

mho_err mho__dfc_feedback_new(const mho_experiment *e, const mho_network *net, int batch,
                              void **out, mho_errinfo *ei) {
  (void)e;
  *out = NULL;
  if (!mho__dfc_learns_arrays(net))
    return MHO_OK;

  dfc_feedback *f = mho_alloc(1, sizeof *f);
  bool ok = f && add_layers(f, net, (size_t)batch);
  *out = f;
  return ok ? MHO_OK
            : mho_fail(ei, MHO_ENOMEM, "no memory to learn the arrays of controls from %d samples",
                       batch);
}

/* ---------------------------------------------------------------- a lesson's own */

/* Numbers of layer l before the lesson's first sample. */
static size_t first_of(const dfc_run *r, int l) {
  return (size_t)r->lesson->sample0 * (size_t)r->lesson->net->layer[l].n;
}

/* The lesson's samples in the noise of a layer, in its potentials, ... */
static mho_real *noise_of(const dfc_run *r, int l) {
  return ((dfc_feedback *)r->lesson->own)->noise[l] + first_of(r, l);
}
static double *potentials_of(const dfc_run *r, int l) {
  return ((dfc_feedback *)r->lesson->own)->v[l] + first_of(r, l);
}
/* ... in its sums, and in what there is a number of for each control. */
static mho_real *sums_of(const dfc_run *r, int l) {
  return ((dfc_feedback *)r->lesson->own)->sum[l] + (size_t)r->w->classes * first_of(r, l);
}
static double *of_controls(const dfc_run *r, double *all) {
  return all + first_of(r, mho_network_output(r->lesson->net));
}

/* Sums and noise become 0. */
static void begin(const dfc_run *r) {
  const mho_network *net = r->lesson->net;
  for (int l = 1; l < net->n_layers; l++) {
    size_t n = mho__rule_count(r->lesson, l);
    memset(noise_of(r, l), 0, n * sizeof(mho_real));
    if (mho_layer_is_hidden(&net->layer[l]))
      memset(sums_of(r, l), 0, (size_t)r->w->classes * n * sizeof(mho_real));
  }
}

/* Sums of a hidden layer += u^T f, of every sample its own. */
static void add_products(const dfc_run *r, int l, const double *u) {
  int n = r->lesson->net->layer[l].n, classes = r->w->classes;
  const mho_real *f = mho__dfc_control(r, l);
  mho_real *sum = sums_of(r, l);

  for (int s = 0; s < r->lesson->n; s++) {
    for (int c = 0; c < classes; c++) {
      mho_real by = (mho_real)u[s * classes + c];
      for (int i = 0; i < n; i++)
        sum[i] += by * f[i];
      sum += n;
    }
    f += n;
  }
}

static void add_to_sums(const dfc_run *r, const double *u) {
  for (int l = 1; l < mho_hidden_end(r->lesson->net); l++)
    add_products(r, l, u);
}

/* x = keep x + scale N(0, 1), the noise of a layer. */
static void draw_noise(const dfc_run *r, int l, double keep, double scale) {
  enum { DRAWN = 256 }; /* numbers at a time */
  const mho_lesson *lesson = r->lesson;
  mho_real *x = noise_of(r, l);
  mho_rng rng = mho__stream_controls(lesson->net->state_noise.seed, l);
  uint64_t step = mho__step_read(lesson->thread->update, r->phase.number, lesson->thread->step);
  size_t n = mho__rule_count(lesson, l);

  for (size_t at = 0; at < n; at += DRAWN) {
    float xi[DRAWN];
    size_t m = mho_min_size(n - at, DRAWN);
    mho_rng_normal(rng, step, first_of(r, l) + at, m, xi);
    for (size_t i = 0; i < m; i++)
      x[at + i] = (mho_real)(keep * (double)x[at + i] + scale * (double)xi[i]);
  }
}

/* ---------------------------------------------------------------- passes of their own */

/* The noise of a layer goes on to be what its neurons hear of controls f, [n x layer]: it lags. */
static void lag(const dfc_run *r, int l, const mho_real *f) {
  const mho_control_config *q = &r->lesson->net->q;
  double share = q->dt / q->lag;
  mho_real *heard = noise_of(r, l);
  size_t n = mho__rule_count(r->lesson, l);

  draw_noise(r, l, 1 - share, q->noise * sqrt(q->dt) / q->lag);
  for (size_t i = 0; i < n; i++)
    heard[i] += (mho_real)share * f[i];
}

/* v += share (a + f - v) */
static void follow(size_t n, double share, const mho_real *a, const mho_real *f, double *v) {
  for (size_t i = 0; i < n; i++)
    v[i] += share * ((double)a[i] + (double)f[i] - v[i]);
}

/* A layer's potentials, and of a hidden one its activities. */
static void follow_layer(const dfc_run *r, int l) {
  const mho_layer *layer = &r->lesson->net->layer[l];
  const mho_control_config *q = &r->lesson->net->q;
  size_t n = mho__rule_count(r->lesson, l);
  double share = q->dt / q->ratio;

  mho__dfc_sum(r, l);
  if (!mho_layer_is_hidden(layer)) {
    follow(n, share, r->w->sums[l], noise_of(r, l), r->w->potential);
    return;
  }

  double *v = potentials_of(r, l);
  mho_real *z = mho__dfc_z(r, l);
  follow(n, share, r->w->sums[l], noise_of(r, l), v);
  for (size_t i = 0; i < n; i++)
    z[i] = (mho_real)v[i];
  mho_layer_activate(layer, r->lesson->n, z, z);
  mho__choose_winners(&r->phase, l, z);
}

/* The controller, what it says about f of before, the new f, and layer after layer. */
static void step_alone(const dfc_run *r) {
  const mho_network *net = r->lesson->net;
  dfc_feedback *feedback = r->lesson->own;
  mho__dfc_controller(r, of_controls(r, feedback->integral));
  add_to_sums(r, r->w->u);
  mho__dfc_lead_back(r);

  for (int l = 1; l < net->n_layers; l++) {
    mho_real *f = mho__dfc_control(r, l);
    lag(r, l, f);
    if (mho_layer_is_hidden(&net->layer[l])) /* the controller goes on with u as it is */
      memcpy(f, noise_of(r, l), mho__rule_count(r->lesson, l) * sizeof *f);
    follow_layer(r, l);
  }
}

/* Where a lesson begins: without control, at what is to be reached. */
static void begin_alone(const dfc_run *r) {
  const mho_network *net = r->lesson->net;
  dfc_feedback *f = r->lesson->own;
  int last = mho_network_output(net);
  begin(r);

  for (int l = 1; l < last; l++) {
    double *v = potentials_of(r, l);
    for (size_t i = 0; i < mho__rule_count(r->lesson, l); i++)
      v[i] = (double)r->w->sums[l][i];
    memset(mho__dfc_control(r, l), 0, mho__rule_count(r->lesson, l) * sizeof(mho_real));
  }

  for (int i = 0; i < mho__dfc_controls(r); i++) {
    r->w->reach[i] = r->w->potential[i] = (double)r->w->sums[last][i];
    r->w->u[i] = of_controls(r, f->integral)[i] = 0;
  }
}

/* The rule's keys, as they are in passes of their own. */
static dfc_params params_alone(const mho_control_config *q) {
  return (dfc_params){.target = DFC_NUDGED,
                      .leak_on = DFC_LEAK_OF_CONTROL,
                      .dt = q->dt,
                      .leak = q->leak,
                      .proportional = q->proportional};
}

void mho__dfc_learn_feedback(const mho_lesson *lesson, mho_rule_stats *stats) {
  int steps = (int)lesson->net->q.steps;
  dfc_params p = params_alone(&lesson->net->q);
  dfc_run r = {.lesson = lesson,
               .p = &p,
               .w = lesson->thread->rule_workspace,
               .phase = mho__rule_phase(lesson),
               .stats = &stats->nudged};

  mho__dfc_pass(&r, false);
  begin_alone(&r);
  r.phase.number = 1;
  for (int k = 0; k < steps; k++) {
    lesson->thread->step = k;
    step_alone(&r);
  }
  stats->nudged.steps += (double)steps * lesson->n;
}

/* ---------------------------------------------------------------- in every lesson */

void mho__dfc_hear_begin(const dfc_run *r) {
  if (mho__dfc_learns_in_lessons(r->lesson->net))
    begin(r);
}

void mho__dfc_hear(const dfc_run *r) {
  if (!mho__dfc_learns_in_lessons(r->lesson->net))
    return;

  dfc_feedback *f = r->lesson->own;
  double *mean = of_controls(r, f->mean), *high = of_controls(r, f->high);
  double share = r->p->dt / r->lesson->net->q.filter;
  bool is_first = r->lesson->thread->step == 0;

  for (int i = 0; i < mho__dfc_controls(r); i++) {
    double u = r->w->u[i];
    mean[i] = is_first ? u : mean[i] + share * (u - mean[i]);
    high[i] = u - mean[i];
  }
  add_to_sums(r, high);
}

const mho_real *mho__dfc_disturb(const dfc_run *r) {
  const mho_network *net = r->lesson->net;
  const mho_control_config *q = &net->q;
  int last = mho_network_output(net);
  if (!mho__dfc_learns_in_lessons(net))
    return NULL;

  double share = r->p->dt / q->noise_tau, scale = q->noise * sqrt(r->p->dt) / q->noise_tau;
  for (int l = 1; l <= last; l++)
    draw_noise(r, l, 1 - share, scale);

  for (int l = 1; l < last; l++) {
    const mho_real *x = noise_of(r, l);
    mho_real *f = mho__dfc_control(r, l);
    size_t n = mho__rule_count(r->lesson, l);
    for (size_t i = 0; i < n; i++)
      f[i] += x[i];
  }
  return noise_of(r, last);
}

/* ---------------------------------------------------------------- what is handed on */

/* What the sums of layer l count. */
static double scale_of(const mho_lesson *lesson, int l) {
  const mho_network *net = lesson->net;
  const mho_control_config *q = &net->q;
  const dfc_params *p = lesson->params;
  double s = fmax(q->noise, LEAST_NOISE), samples = lesson->n;
  if (lesson->feedback)
    return 1 / (s * s * samples * (double)q->steps);

  double grows = pow(1 + p->ratio / q->noise_tau, mho_network_output(net) - l);
  return grows / (s * s * samples * (double)p->steps);
}

/* out += rows row0 .. row0+rows-1 of G + decay Q. */
static void add_rows(const void *of, int connection, int row0, int rows, mho_real *out) {
  const mho_lesson *lesson = of;
  const mho_network *net = lesson->net;
  const dfc_feedback *f = lesson->own;
  int l = net->connection[connection].to, classes = mho_network_classes(net);
  size_t n = (size_t)net->layer[l].n, m = (size_t)rows * n, first = (size_t)row0 * n;
  const mho_real *sum = f->sum[l] + (size_t)(lesson->sample0 * classes) * n + first;
  const mho_real *q = mho_crossbar_matrix(net->connection[connection].xb) + first;
  mho_real scale = (mho_real)scale_of(lesson, l), decay = (mho_real)net->q.decay;

  for (int s = 0; s < lesson->n; s++) {
    for (size_t i = 0; i < m; i++)
      out[i] += scale * sum[i];
    sum += (size_t)classes * n;
  }
  for (size_t i = 0; i < m; i++)
    out[i] += decay * q[i];
}

void mho__dfc_change_array(const mho_lesson *lesson, mho_change *out) {
  out->skip = !lesson->feedback && !mho__dfc_learns_in_lessons(lesson->net);
  if (out->skip)
    return;
  out->dense = add_rows;
  out->of = lesson;
}

/* ---------------------------------------------------------------- combinations */

#define REFUSE(...) return mho_fail(ei, MHO_ECONFIG, __VA_ARGS__)

static mho_err check_steps(const mho_experiment *e, mho_errinfo *ei) {
  const mho_control_config *q = &e->feedback.q;
  const dfc_params *p = (const void *)e->rule.params;
  if (q->dt > q->ratio)
    REFUSE("feedback.q.dt: a step of %g is longer than the neurons' time constant "
           "feedback.q.ratio %g, which it is to follow: make it shorter",
           q->dt, q->ratio);
  if (q->dt > q->lag)
    REFUSE("feedback.q.dt: a step of %g is longer than feedback.q.lag %g, which it is to follow: "
           "make it shorter",
           q->dt, q->lag);
  if (q->filter > 0 && (p->dt > q->noise_tau || p->dt > q->filter))
    REFUSE("rule.dt: a step of %g is longer than feedback.q.%s %g, which it is to follow: make it "
           "shorter",
           p->dt, p->dt > q->filter ? "filter" : "noise_tau",
           p->dt > q->filter ? q->filter : q->noise_tau);
  return MHO_OK;
}

mho_err mho__dfc_feedback_check(const mho_experiment *e, bool in_time, mho_errinfo *ei) {
  const mho_control_config *q = &e->feedback.q;
  const mho_scheme *scheme = (const mho_scheme *)e->scheme.entry;
  if (e->feedback.path != MHO_PATH_DIRECT || q->kind != MHO_CONTROL_LEARNED)
    return MHO_OK;

  if (scheme->draw)
    REFUSE("feedback.q: arrays learn from every step of a lesson, and update.scheme %s pulses one "
           "outer product a sample: use product or random, or another scheme",
           scheme->entry.id);
  if (q->filter > 0 && !in_time)
    REFUSE("feedback.q.filter: arrays that learn in every lesson hear noise in time, which "
           "rule.control leaves out: use 0, or rule.control time");
  if (q->filter == 0 && q->epochs_before == 0 && q->epochs == 0)
    REFUSE("feedback.q: learned arrays have no passes to learn in (feedback.q.epochs, "
           "feedback.q.epochs_before): use random");
  return check_steps(e, ei);
}

/* ---------------------------------------------------------------- an observable */

/* The squared size of Q P: tr(B M^-1 B^T) with M = J J^T, of which `m` has the triangle of
 * Cholesky, and B = Q J^T. */
static double squares_inside(int classes, gsl_matrix *m, const double *b) {
  gsl_vector *x = gsl_vector_alloc((size_t)classes);
  double sum = x ? 0 : (double)NAN;

  for (int c = 0; x && c < classes; c++) {
    gsl_vector_const_view row = gsl_vector_const_view_array(b + c * classes, (size_t)classes);
    gsl_linalg_cholesky_solve(m, &row.vector, x);
    for (int d = 0; d < classes; d++)
      sum += b[c * classes + d] * gsl_vector_get(x, (size_t)d);
  }
  gsl_vector_free(x);
  return sum;
}

double mho__dfc_ratio(int classes, int n, const double *j, const double *q) {
  size_t size = (size_t)classes, squares = size * size;
  double *m = mho_alloc(2 * squares, sizeof *m), all = 0, inside = NAN;
  if (!m)
    return (double)NAN;

  for (int i = 0; i < classes * n; i++)
    all += q[i] * q[i];
  mho_gemm_double(false, true, classes, classes, n, 1, j, n, j, n, 0, m, classes);
  mho_gemm_double(false, true, classes, classes, n, 1, q, n, j, n, 0, m + squares, classes);

  gsl_matrix_view view = gsl_matrix_view_array(m, size, size);
  if (!gsl_linalg_cholesky_decomp1(&view.matrix))
    inside = squares_inside(classes, &view.matrix, m + squares);
  mho_free(m);
  return inside >= 0 ? sqrt(inside / all) : (double)NAN;
}
