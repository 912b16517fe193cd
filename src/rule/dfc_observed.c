/* dfc_observed.c - what is to be known of the controls of a lesson, read exactly and from its
 * states as they are.
 *
 *   size      rms of f over rms of a
 *   cosine    between what a layer learns from and backpropagation's error at the free state
 *   least     between f and J^T (J J^T)^-1 (v_o - v_o free), the least that moves the read-out
 *             as far; J of all layers and the read-out, at the state under control
 *   condition the part of Q that lies in the row space of J, see mho__dfc_ratio
 *   residual  |e - alpha~ u| over the |e| without control
 *
 * A sample whose control is lost is not among them; its growth is that around the free state.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_linalg.h>
#include <math.h>
#include <string.h>

#include "mho/model/num.h"
#include "rule/dfc_observed.h"

enum { CHUNK = 32, GROWTHS = 2 }; /* samples looked at together, and whose growth is found */

/* Sums over samples of a layer. */
typedef struct sums {
  double ff, aa;         /* squares of f and a */
  double eb, ee, bb;     /* products of errors with backpropagation's */
  double fl, ff_all, ll; /* products of f with the least ones */
} sums;

typedef struct observation {
  const mho_lesson *lesson;
  mho_network *net; /* exact */
  mho_state *state;
  dfc_workspace *w;
  mho_real *scratch, *answer; /* [CHUNK x C] */
  dfc_params p;
  double *free;   /* [CHUNK x C] v_o */
  double *j, *q;  /* [C x N] of a sample, all layers side by side */
  double *normal; /* [C x C] */
  double *least;  /* [C] */
  int n;          /* N */
  sums layer[MHO_LAYERS_MAX];
  double condition, residual;
  int used;
  double growth;
} observation;

/* ---------------------------------------------------------------- memory */

static void observation_free(observation *o) {
  mho__dfc_workspace_free(o->w);
  mho_state_free(o->state);
  mho_network_feedforward_free(o->net);
  mho_free(o->scratch);
  mho_free(o->answer);
  mho_free(o->free);
  mho_free(o->j);
  mho_free(o->q);
  mho_free(o->normal);
  mho_free(o->least);
}

static mho_err observation_new(const mho_lesson *lesson, observation *o, mho_errinfo *ei) {
  o->lesson = lesson;
  o->growth = -INFINITY;
  o->p = *(const dfc_params *)lesson->params;
  o->p.control = DFC_SOLVE;
  mho_err err = mho_network_feedforward(lesson->net, &o->net, ei);
  if (!err)
    err = mho_state_new(o->net, lesson->n, MHO_STATE_INPUT, &o->state, ei);
  if (!err)
    err = mho__dfc_workspace_new(o->net, &o->p, CHUNK, &o->w, ei);
  if (err)
    return err;

  size_t classes = (size_t)o->w->classes;
  for (int l = 1; l < o->net->n_layers; l++)
    o->n += o->net->layer[l].n;
  o->scratch = mho_alloc(mho_settle_scratch(o->net, CHUNK), sizeof *o->scratch);
  o->answer = mho_alloc(CHUNK * classes, sizeof *o->answer);
  o->free = mho_alloc(CHUNK * classes, sizeof *o->free);
  o->j = mho_alloc(classes * (size_t)o->n, sizeof *o->j);
  o->q = mho_alloc(classes * (size_t)o->n, sizeof *o->q);
  o->normal = mho_alloc(classes * classes, sizeof *o->normal);
  o->least = mho_alloc(classes, sizeof *o->least);
  if (!o->scratch || !o->answer || !o->free || !o->j || !o->q || !o->normal || !o->least)
    return mho_fail(ei, MHO_ENOMEM, "no memory to observe controls");
  return MHO_OK;
}

/* ---------------------------------------------------------------- the free state */

static void pass_freely(observation *o, const dfc_run *r) {
  int last = mho_network_output(o->net), classes = o->w->classes, n = r->lesson->n;
  size_t controls = (size_t)mho__dfc_controls(r);
  mho_targets targets = mho_targets_from(&o->lesson->targets, classes, r->lesson->sample0);
  double loss = 0;
  int64_t correct = 0;

  memcpy(mho__dfc_z(r, 0), mho__values(o->net, o->lesson->state[0]->z, 0, r->lesson->sample0),
         mho__rule_count(r->lesson, 0) * sizeof(mho_real));
  mho__dfc_pass(r, false);
  memcpy(o->answer, o->w->sums[last], controls * sizeof *o->answer);
  mho_output_judge(o->net->output, n, classes, o->answer, &targets, &loss, &correct);
  mho_output_error(n, classes, o->answer, &targets, o->answer);

  for (size_t i = 0; i < controls; i++) {
    o->free[i] = (double)o->w->sums[last][i];
    o->w->reach[i] = o->free[i] - o->p.step * (double)o->answer[i];
  }
  for (int s = 0; s < n; s++)
    mho__dfc_error(r, s, o->free + s * classes, o->w->first + s * classes);
}

/* Whether sample s of the run has a control. */
static bool has_control(const observation *o, const dfc_run *r, int s) {
  int last = mho_network_output(o->net), classes = o->w->classes;
  const mho_real *e = mho__values(o->net, o->lesson->error, last, r->lesson->sample0 + s);
  for (int i = 0; i < classes; i++)
    if (e[i] != 0)
      return true;
  return false;
}

/* Row c of J of layer l and sample s; of the read-out o->j has it. */
static const mho_real *row_of(const observation *o, const dfc_run *r, int l, int c, int s) {
  int n = o->net->layer[l].n;
  return o->w->jacobian[l] + ((size_t)s * (size_t)o->w->classes + (size_t)c) * (size_t)n;
}

/* What is learned from against the error of backpropagation, o - t led back by J of the free
 * state. */
static void compare_errors(observation *o, const dfc_run *r, int l) {
  int n = o->net->layer[l].n, classes = o->w->classes;
  bool is_output = l == mho_network_output(o->net);
  const mho_real *e = mho__values(o->net, o->lesson->error, l, r->lesson->sample0);
  sums *sum = &o->layer[l];

  for (int s = 0; s < r->lesson->n; s++)
    for (int i = 0; i < n && has_control(o, r, s); i++) {
      double b = is_output ? (double)o->answer[s * classes + i] : 0;
      double learned = (double)e[(size_t)s * (size_t)n + (size_t)i];
      for (int c = 0; c < classes && !is_output; c++)
        b += (double)o->answer[s * classes + c] * (double)row_of(o, r, l, c, s)[i];
      sum->eb += learned * b;
      sum->ee += learned * learned;
      sum->bb += b * b;
    }
}

/* ---------------------------------------------------------------- under control */

/* J and Q of sample s, all layers side by side. */
static void stack(observation *o, const dfc_run *r, int s) {
  int last = mho_network_output(o->net), classes = o->w->classes, at = 0;
  const mho_network *net = o->lesson->net;
  bool chain = net->path != MHO_PATH_DIRECT;

  for (int l = 1; l <= last; at += o->net->layer[l].n, l++)
    for (int c = 0; c < classes; c++)
      for (int i = 0; i < o->net->layer[l].n; i++) {
        double *to = o->j + c * o->n + at + i;
        *to = l < last ? (double)row_of(o, r, l, c, s)[i] : i == c;
        o->q[c * o->n + at + i] = chain || l == last ? *to : 0;
      }

  at = 0;
  for (int l = 1; l < last && !chain; at += o->net->layer[l].n, l++)
    for (int k = 0; k < net->n_links; k++) {
      const mho_link *link = &net->link[k];
      const mho_crossbar *x = net->connection[link->connection].xb;
      if (link->to != l || !mho_link_has_control(net, link))
        continue;
      for (int c = 0; c < classes; c++)
        for (int i = 0; i < x->cols; i++)
          o->q[c * o->n + at + i] =
              (double)link->scale * (double)mho_crossbar_matrix(x)[c * x->cols + i];
    }
}

/* o->least = (J J^T)^-1 (v_o - v_o free) of sample s. */
static bool find_least(const observation *o, int s) {
  int classes = o->w->classes;
  size_t c = (size_t)classes;
  for (int i = 0; i < classes; i++)
    o->least[i] = o->w->potential[s * classes + i] - o->free[s * classes + i];

  mho_gemm_double(false, true, classes, classes, o->n, 1, o->j, o->n, o->j, o->n, 0, o->normal,
                  classes);
  gsl_matrix_view m = gsl_matrix_view_array(o->normal, c, c);
  gsl_vector_view x = gsl_vector_view_array(o->least, c);
  return !gsl_linalg_cholesky_decomp1(&m.matrix) && !gsl_linalg_cholesky_svx(&m.matrix, &x.vector);
}

static void add_layer(observation *o, const dfc_run *r, int l, int at, int s, bool has_least) {
  int n = o->net->layer[l].n, classes = o->w->classes;
  size_t first = (size_t)s * (size_t)n;
  const mho_real *f = mho__dfc_control(r, l) + first, *a = o->w->sums[l] + first;
  sums *sum = &o->layer[l];

  for (int i = 0; i < n; i++) {
    double least = 0, control = (double)f[i];
    sum->ff += control * control;
    sum->aa += (double)a[i] * (double)a[i];
    for (int c = 0; c < classes && has_least; c++)
      least += o->least[c] * o->j[c * o->n + at + i];
    sum->fl += control * least;
    sum->ff_all += has_least ? control * control : 0;
    sum->ll += least * least;
  }
}

static void add_sample(observation *o, const dfc_run *r, int s) {
  int classes = o->w->classes, at = 0;
  double *f = o->w->f + s * classes, miss = 0, first = 0;
  stack(o, r, s);
  bool has_least = find_least(o, s);
  for (int l = 1; l <= mho_network_output(o->net); at += o->net->layer[l].n, l++)
    add_layer(o, r, l, at, s, has_least);

  mho__dfc_error(r, s, o->w->potential + s * classes, f);
  for (int i = 0; i < classes; i++) {
    f[i] -= r->leak * o->w->u[s * classes + i];
    miss += f[i] * f[i];
    first += o->w->first[s * classes + i] * o->w->first[s * classes + i];
  }
  o->residual += first > 0 ? sqrt(miss / first) : 0;
  o->condition += mho__dfc_ratio(classes, o->n, o->j, o->q);
  o->used++;
}

/* Sums, potentials of the read-out and J of the lesson's own states. */
static void go_under_control(const observation *o, const dfc_run *r) {
  int last = mho_network_output(o->net);
  const mho_real *u = mho__dfc_control(r, last);
  for (int l = 1; l < last; l++)
    memcpy(mho__dfc_z(r, l), mho__values(o->net, o->lesson->state[0]->z, l, r->lesson->sample0),
           mho__rule_count(r->lesson, l) * sizeof(mho_real));
  for (int l = 1; l <= last; l++)
    mho__dfc_sum(r, l);

  for (int i = 0; i < mho__dfc_controls(r); i++) {
    o->w->u[i] = (double)u[i];
    o->w->potential[i] = (double)o->w->sums[last][i] + o->w->u[i];
  }
  mho__dfc_jacobian(r);
}

/* The growth of the first samples whose control is lost, or of those where it is not. */
static void find_growth(observation *o, const dfc_run *r, bool controlled) {
  for (int s = 0; s < r->lesson->n && r->lesson->sample0 + s < GROWTHS; s++)
    if (has_control(o, r, s) == controlled)
      o->growth = fmax(o->growth, mho__dfc_growth(r, o->lesson->net, s, controlled));
}

static void observe_chunk(observation *o, int sample0, int n) {
  mho_thread thread = {.scratch = o->scratch};
  mho_settle_stats unused = {0};
  mho_lesson own = *o->lesson;
  own.net = o->net;
  own.state[0] = o->state;
  own.sample0 = sample0;
  own.n = n;
  own.thread = &thread;
  own.probe = NULL;
  dfc_run r = {.lesson = &own,
               .p = &o->p,
               .w = o->w,
               .phase = mho__rule_phase(&own),
               .stats = &unused,
               .leak = mho__dfc_leak(&o->p)};

  pass_freely(o, &r);
  mho__dfc_jacobian(&r);
  for (int l = 1; l <= mho_network_output(o->net); l++)
    compare_errors(o, &r, l);

  find_growth(o, &r, false);

  go_under_control(o, &r);
  find_growth(o, &r, true);
  for (int s = 0; s < n; s++)
    if (has_control(o, &r, s))
      add_sample(o, &r, s);
}

/* ---------------------------------------------------------------- all of it */

static double over(double a, double b) {
  return b > 0 ? a / b : (double)NAN;
}

mho_err mho__dfc_observe(const mho_lesson *lesson, mho_control_view *out, mho_errinfo *ei) {
  observation o = {0};
  mho_err err = observation_new(lesson, &o, ei);
  for (int sample0 = 0; sample0 < lesson->n && !err; sample0 += CHUNK)
    observe_chunk(&o, sample0, mho_min(CHUNK, lesson->n - sample0));

  for (int l = 1; l < lesson->net->n_layers && !err; l++) {
    const sums *s = &o.layer[l];
    out->size[l] = sqrt(over(s->ff, s->aa));
    out->cosine[l] = over(s->eb, sqrt(s->ee * s->bb));
    out->least[l] = over(s->fl, sqrt(s->ff_all * s->ll));
  }
  out->condition = over(o.condition, o.used);
  out->residual = over(o.residual, o.used);
  out->growth = isfinite(o.growth) ? o.growth : (double)NAN;
  observation_free(&o);
  return err;
}
