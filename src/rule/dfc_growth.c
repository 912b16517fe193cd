/* dfc_growth.c - whether a network stays where a controller holds it.
 *
 * Small deviations of the potentials v and the integrals q obey
 *
 *   ratio dv/dt = -v + a(v) + f,  dq/dt = e - alpha u,  e = -S v_o,  u = q + k_p e
 *   a_l = sum of (D v) W,  f_l = u Q_l,  or by the chain f_l = D sum of f_to W^T + D' g v
 *
 * in units of tau_u, with D the slopes, g what is led back into a neuron and D' how its slope
 * changes with v. They die out if no eigenvalue of this system has a real part above 0. It is that
 * of arXiv 2106.07887, which has the chain's D' out.
 *
 * By the chain, hidden layers under controls that stand still go
 *
 *   ratio dv/dt = -(1 - A^T)^-1 dG/dv,  G = |v - a(v)|^2/2 - u a_o(v)
 *
 * with A what potentials make of those above them. They stay at a rest that is a least of G, where
 *
 *   H = (1 - A)^T (1 - A) - diag(D' g)
 *
 * is definite, and JQ = 1 + W_o^T D H^-1 D W_o holds the controller there. What is no least they
 * leave; a least that they leave in growing swings is a matter of much larger weights.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_linalg.h>
#include <math.h>
#include <string.h>

#include "mho/model/num.h"
#include "rule/dfc_observed.h"
#include "rule/dfc_rest.h"

/* Most hidden neurons of a network whose rests by the chain are judged, a decomposition each. */
enum { JUDGED = 48 };

/* One sample's system. */
typedef struct linear {
  const dfc_run *r;
  const mho_network *net; /* with the arrays of controls */
  int last, sample;
  bool controlled;           /* else around the free state */
  int first[MHO_LAYERS_MAX]; /* where a layer's numbers begin */
  int n, size;               /* potentials; these and integrals */
  double *slope, *bend;      /* [n] D, and D' g */
  double *in, *out;          /* [size] a deviation, and its rate */
  double *z, *f, *u;         /* [n], [n], [C] D v, deviations of f and of u */
  double *p;                 /* [C] of a softmax that e is of; NULL: S is 1 */
  double *matrix;            /* [size x size] */
} linear;

static int units_of(const linear *x, int l) {
  return x->r->lesson->net->layer[l].n;
}

/* ---------------------------------------------------------------- slopes */

/* Slopes of a layer's neurons at potentials v + shift. */
static void find_slopes(const linear *x, int l, const double *v, double shift, mho_real *z,
                        mho_real *slope) {
  const mho_layer *layer = &x->r->lesson->net->layer[l];
  for (int i = 0; i < layer->n; i++) {
    z[i] = (mho_real)(v[i] + shift);
    slope[i] = 1;
  }
  mho_layer_activate(layer, 1, z, z);
  mho_layer_scale_by_slope(layer, 1, z, slope);
}

/* Deviations f of a hidden layer from those of the layers that it leads to, without its slopes. */
static void lead_back(const linear *x, int l, const double *f, double *to) {
  const dfc_workspace *w = x->r->w;
  int n = units_of(x, l);
  memset(to, 0, (size_t)n * sizeof *to);

  for (int k = w->first_back[l]; k < w->first_back[l + 1]; k++) {
    const mho_link *link = &w->back[k];
    const mho_crossbar *xb = x->r->lesson->net->connection[link->connection].xb;
    const mho_real *m = mho_crossbar_matrix(xb);
    const double *from = f + x->first[link->from];
    for (int i = 0; i < n; i++)
      for (int j = 0; j < xb->cols; j++)
        to[i] += (double)link->scale * (double)m[i * xb->cols + j] * from[j];
  }
}

/* D and D' g of all hidden layers, at the sample's potentials; `room` [2 x widest]. */
static void find_all_slopes(linear *x, mho_real *room) {
  const double h = sizeof(mho_real) == 8 ? 1e-5 : 1e-2;
  bool chain = x->net->path == MHO_PATH_CHAIN;

  for (int l = x->last; l >= 1; l--) {
    int n = units_of(x, l);
    const mho_real *a = x->r->w->sums[l] + (size_t)x->sample * (size_t)n;
    const mho_real *f = mho__dfc_control(x->r, l) + (size_t)x->sample * (size_t)n;
    double *v = x->in + x->first[l], *bend = x->bend + x->first[l];
    mho_real *slope = room + n;
    for (int i = 0; i < n; i++) {
      x->f[x->first[l] + i] = x->controlled ? (double)f[i] : 0;
      v[i] = (double)a[i] + x->f[x->first[l] + i];
    }
    if (l == x->last)
      continue;

    find_slopes(x, l, v, 0, room, slope);
    for (int i = 0; i < n; i++)
      x->slope[x->first[l] + i] = (double)slope[i];
    if (!chain)
      continue;

    lead_back(x, l, x->f, bend);
    find_slopes(x, l, v, h, room, slope);
    for (int i = 0; i < n; i++)
      x->z[i] = (double)slope[i];
    find_slopes(x, l, v, -h, room, slope);
    for (int i = 0; i < n; i++)
      bend[i] *= (x->z[i] - (double)slope[i]) / (2 * h);
  }
}

/* ---------------------------------------------------------------- rates */

/* Rates of q from deviations of v_o and q, and u. */
static void control(const linear *x) {
  const dfc_params *p = x->r->p;
  int n = x->r->w->classes;
  const double *v = x->in + x->first[x->last], *q = x->in + x->n;
  double alpha = mho__dfc_integral_leak(p), mean = 0;
  for (int i = 0; x->p && i < n; i++)
    mean += x->p[i] * v[i];

  for (int i = 0; i < n; i++) {
    double e = x->p ? -x->p[i] * (v[i] - mean) : -v[i];
    x->u[i] = q[i] + p->proportional * e;
    x->out[x->n + i] = e - alpha * (p->leak_on == DFC_LEAK_OF_CONTROL ? x->u[i] : q[i]);
  }
}

/* f of layer l, directly. */
static void lead_directly(const linear *x, int l, double *f) {
  const mho_layer *layer = &x->net->layer[l];
  memset(f, 0, (size_t)layer->n * sizeof *f);
  for (int i = layer->other; i < layer->other + layer->n_other; i++) {
    const mho_link *k = &x->net->link[i];
    if (!mho_link_has_control(x->net, k))
      continue;
    const mho_real *q = mho_crossbar_matrix(x->net->connection[k->connection].xb);
    for (int c = 0; c < x->r->w->classes; c++)
      for (int j = 0; j < layer->n; j++)
        f[j] += (double)k->scale * x->u[c] * (double)q[c * layer->n + j];
  }
}

static void lead_all(const linear *x) {
  memcpy(x->f + x->first[x->last], x->u, (size_t)x->r->w->classes * sizeof *x->u);
  for (int l = x->last - 1; l >= 1; l--) {
    int at = x->first[l];
    if (x->net->path == MHO_PATH_DIRECT) {
      lead_directly(x, l, x->f + at);
      continue;
    }
    lead_back(x, l, x->f, x->f + at);
    for (int i = at; i < at + units_of(x, l); i++)
      x->f[i] = x->slope[i] * x->f[i] + x->bend[i] * x->in[i];
  }
}

/* out = the rate of the deviation in. */
static void find_rate(const linear *x) {
  control(x);
  lead_all(x);
  for (int i = 0; i < x->n; i++) {
    x->z[i] = i < x->first[x->last] ? x->slope[i] * x->in[i] : 0;
    x->out[i] = x->f[i] - x->in[i];
  }

  for (int k = 0; k < x->r->lesson->net->n_links; k++) {
    const mho_link *link = &x->r->lesson->net->link[k];
    if (link->role != MHO_FORWARD || link->from == 0)
      continue;
    const mho_crossbar *xb = x->r->lesson->net->connection[link->connection].xb;
    const mho_real *m = mho_crossbar_matrix(xb);
    const double *from = x->z + x->first[link->from];
    double *to = x->out + x->first[link->to];
    for (int i = 0; i < units_of(x, link->from); i++)
      for (int j = 0; j < xb->cols; j++)
        to[j] += (double)link->scale * from[i] * (double)m[i * xb->cols + j];
  }
  for (int i = 0; i < x->n; i++)
    x->out[i] /= x->r->p->ratio;
}

/* ---------------------------------------------------------------- the largest real part */

static double largest_part(const linear *x) {
  double most = -INFINITY, *re = x->in, *im = x->out;
  for (int j = 0; j < x->size; j++) {
    memset(x->in, 0, (size_t)x->size * sizeof *x->in);
    x->in[j] = 1;
    find_rate(x);
    for (int i = 0; i < x->size; i++)
      x->matrix[i * x->size + j] = x->out[i];
  }

  if (mho_eigen_dense(x->size, x->matrix, re, im, NULL))
    return (double)NAN;
  for (int i = 0; i < x->size; i++)
    most = fmax(most, re[i]);
  return most;
}

/* Whether only matrices lie between layers. */
static bool is_dense(const mho_network *net) {
  for (int c = 0; c < net->n_connections; c++)
    if (net->connection[c].conv.kernel)
      return false;
  for (int l = 0; l < net->n_layers; l++)
    if (net->layer[l].pool.size)
      return false;
  return true;
}

/* The softmax of the read-out that e is of, at potentials v. */
static void find_answers(const linear *x, const double *v, double *p) {
  int n = x->r->w->classes;
  double top = v[0], sum = 0;
  for (int i = 1; i < n; i++)
    top = fmax(top, v[i]);
  for (int i = 0; i < n; i++) {
    p[i] = exp(v[i] - top);
    sum += p[i];
  }
  for (int i = 0; i < n; i++)
    p[i] /= sum;
}

/* A sample's system, without its memory. widest: the most units of a layer. */
static linear linear_of(const dfc_run *r, const mho_network *net, int sample, bool controlled,
                        int *widest) {
  linear x = {.r = r,
              .net = net,
              .last = mho_network_output(net),
              .sample = sample,
              .controlled = controlled};
  *widest = 0;
  for (int l = 1; l <= x.last; l++) {
    x.first[l] = x.n;
    x.n += net->layer[l].n;
    *widest = mho_max(*widest, net->layer[l].n);
  }
  x.size = x.n + r->w->classes;
  return x;
}

/* Give the system its memory: of slopes and deviations of n neurons each, and `in` behind them. */
static void lay_out(linear *x, double *room) {
  size_t n = (size_t)x->n;
  x->slope = room;
  x->bend = x->slope + n;
  x->z = x->bend + n;
  x->f = x->z + n;
  x->in = x->f + n;
}

double mho__dfc_growth(const dfc_run *r, const mho_network *net, int sample, bool controlled) {
  int widest;
  linear x = linear_of(r, net, sample, controlled, &widest);
  bool bends = mho__dfc_has_softmax(r);
  if (x.size > MHO_OBSERVE_DENSE || !is_dense(net))
    return (double)NAN;

  size_t n = (size_t)x.n, size = (size_t)x.size, classes = (size_t)r->w->classes;
  double *room = mho_alloc(4 * n + 2 * size + 2 * classes + size * size, sizeof *room);
  mho_real *slopes = mho_alloc(2 * (size_t)widest, sizeof *slopes);
  double growth = NAN;
  if (room && slopes) {
    lay_out(&x, room);
    x.out = x.in + size;
    x.u = x.out + size;
    x.p = bends ? x.u + classes : NULL;
    x.matrix = x.u + 2 * classes;
    find_all_slopes(&x, slopes);
    if (bends)
      find_answers(&x, x.in + x.first[x.last], x.p);
    growth = largest_part(&x);
  }
  mho_free(room);
  mho_free(slopes);
  return growth;
}

/* ---------------------------------------------------------------- a least of G */

/* 1 - A of the hidden layers, [n x n]: what potentials make of those above them. */
static void subtract_links(const linear *x, int n, double *m) {
  const mho_network *net = x->r->lesson->net;
  memset(m, 0, (size_t)n * (size_t)n * sizeof *m);
  for (int i = 0; i < n; i++)
    m[i * n + i] = 1;

  for (int k = 0; k < net->n_links; k++) {
    const mho_link *link = &net->link[k];
    if (link->role != MHO_FORWARD || link->from == 0 || link->to == x->last)
      continue;
    const mho_crossbar *xb = net->connection[link->connection].xb;
    const mho_real *w = mho_crossbar_matrix(xb);
    const double *slope = x->slope + x->first[link->from];
    for (int i = 0; i < units_of(x, link->from); i++)
      for (int j = 0; j < xb->cols; j++)
        m[(x->first[link->to] + j) * n + x->first[link->from] + i] -=
            (double)link->scale * (double)w[i * xb->cols + j] * slope[i];
  }
}

/* Whether H of the sample is definite; room [2 x hidden x hidden]. */
static bool is_definite(const linear *x, int hidden, double *room) {
  size_t n = (size_t)hidden;
  double *h = room + n * n;
  gsl_matrix_view view = gsl_matrix_view_array(h, n, n);
  subtract_links(x, hidden, room);
  mho_gemm_double(true, false, hidden, hidden, hidden, 1, room, hidden, room, hidden, 0, h, hidden);
  for (int i = 0; i < hidden; i++)
    h[i * hidden + i] -= x->bend[i];
  return !gsl_linalg_cholesky_decomp1(&view.matrix);
}

bool mho__dfc_is_judged(const mho_network *net) {
  int hidden = 0;
  for (int l = 1; l < mho_hidden_end(net); l++)
    hidden += net->layer[l].n;
  return hidden <= JUDGED && is_dense(net);
}

bool mho__dfc_is_least(const dfc_run *r, int sample) {
  int widest;
  linear x = linear_of(r, r->lesson->net, sample, true, &widest);
  size_t n = (size_t)x.n, hidden = (size_t)x.first[x.last];
  double *room = mho_alloc(5 * n + 2 * hidden * hidden, sizeof *room);
  mho_real *slopes = mho_alloc(2 * (size_t)widest, sizeof *slopes);
  bool is_least = false;

  if (room && slopes) {
    lay_out(&x, room);
    find_all_slopes(&x, slopes);
    is_least = is_definite(&x, (int)hidden, x.in + n);
  }
  mho_free(room);
  mho_free(slopes);
  return is_least;
}
