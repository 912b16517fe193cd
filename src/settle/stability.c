/* observe.c - Lyapunov exponent and settling time of the synchronous free phase.
 *
 * In double precision, whatever mho_real is: a summed input of ten rounds to 1e-6 in single
 * precision, the very change that counts as settled. In a wholly single-precision map samples
 * settle late or, near the edge of chaos, never, that do in double. What stays single are the
 * neurons' functions, a relative 6e-8 of an activity, and the input's share x W_0, which is the
 * same in all steps. SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "mho/num.h"
#include "mho/settle.h"

static const mho_param table[] = {
    MHO_P_BOOL(mho_observe_config, spectral_radius, "spectral_radius", false,
               "after every epoch: largest |eigenvalue| of the hidden-to-hidden matrix"),
    MHO_P_BOOL(mho_observe_config, lyapunov, "lyapunov", false,
               "after every epoch: finite-time maximal Lyapunov exponent of the free phase"),
    MHO_P_BOOL(
        mho_observe_config, settling, "settling", false,
        "after every epoch: steps of the synchronous map from rest until it changes by less than 1e-6"),
    MHO_P_BOOL(
        mho_observe_config, cosine, "cosine", false,
        "after every epoch: cosine of the rule's gradient with backpropagation's, first training batch"),
    MHO_P_CHOICE(
        mho_observe_config, cosine_at, "cosine_at", "forward|settled", MHO_COSINE_FORWARD,
        "states backpropagation has in the cosine: those of a forward pass, without the recurrence; or "
        "those that the free phase settled to"),
    MHO_P_INT(mho_observe_config, samples, "samples", 200, 1, 1e6,
              "test images that lyapunov and settling are taken over"),
};
const mho_params mho_observe_params = MHO_PARAMS(mho_observe_config, table);

enum {
  ROWS = 32, /* samples of a task */
  STEPS_PER_LAYER = 10,
  LYAPUNOV_STEPS_MAX = 100,
  SETTLED_RUN = 3,
};
static const double SETTLED = 1e-6;

/* What there is of every hidden neuron and sample. D: the perturbation. */
enum { Z, Z_NEXT, DRIVE, D, D_NEXT, QUANTITIES };

typedef struct map {
  const mho_network *net;
  const mho_state *input;
  int n, steps;
  double **w; /* [connections] effective matrices that hidden links read */
  double *quantity[QUANTITIES][MHO_LAYERS_MAX]; /* [n x layer], hidden layers */
  mho_real *real[MHO_LAYERS_MAX],
      *slope[MHO_LAYERS_MAX]; /* [n x layer], what the neurons work on */
  double *result, *residual;  /* [n] */
} map;

/* ---------------------------------------------------------------- memory */

static bool among_hidden(const mho_network *net, const mho_link *k) {
  return net->layer[k->from].neuron && net->layer[k->to].neuron;
}

static void map_free(map *m) {
  for (int l = 1; l < m->net->n_layers - 1; l++) {
    for (int q = 0; q < QUANTITIES; q++)
      mho_free(m->quantity[q][l]);
    mho_free(m->real[l]);
    mho_free(m->slope[l]);
  }
  for (int c = 0; m->w && c < m->net->n_connections; c++)
    mho_free(m->w[c]);
  mho_free(m->w);
  mho_free(m->result);
  mho_free(m->residual);
}

static bool copy_weights(map *m) {
  const mho_network *net = m->net;
  for (int i = 0; i < net->n_links; i++) {
    int c = net->link[i].connection;
    const mho_crossbar *x = net->connection[c].xb;
    size_t n = (size_t)x->rows * (size_t)x->cols;
    if (!among_hidden(net, &net->link[i]) || m->w[c])
      continue;
    if (!(m->w[c] = mho_alloc(n, sizeof **m->w)))
      return false;
    for (size_t k = 0; k < n; k++)
      m->w[c][k] = (double)mho_crossbar_matrix(x)[k];
  }
  return true;
}

static mho_err map_new(map *m, bool perturbed, mho_errinfo *ei) {
  const mho_network *net = m->net;
  if (m->n < 1)
    return mho_fail(ei, MHO_EINVAL, "there are no samples to observe");
  m->w = mho_alloc((size_t)net->n_connections, sizeof *m->w);
  m->result = mho_alloc((size_t)m->n, sizeof *m->result);
  m->residual = mho_alloc((size_t)m->n, sizeof *m->residual);
  bool ok = m->w && m->result && m->residual && copy_weights(m);
  for (int l = 1; ok && l < net->n_layers - 1; l++) {
    size_t n = (size_t)m->n * (size_t)net->layer[l].n;
    for (int q = 0; ok && q < (perturbed ? QUANTITIES : D); q++)
      ok = (m->quantity[q][l] = mho_alloc(n, sizeof(double))) != NULL;
    ok = ok && (m->real[l] = mho_alloc(n, sizeof(mho_real))) &&
         (m->slope[l] = mho_alloc(n, sizeof(mho_real)));
  }
  return ok ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory to observe %d samples", m->n);
}

/* ---------------------------------------------------------------- one step */

/* The rows of a task. */
typedef struct rows {
  const map *m;
  int row0, n;
} rows;

static rows rows_of(const map *m, int task) {
  int row0 = task * ROWS;
  return (rows){m, row0, m->n - row0 < ROWS ? m->n - row0 : ROWS};
}
static size_t first(const rows *r, int l) {
  return (size_t)r->row0 * (size_t)r->m->net->layer[l].n;
}
static size_t count(const rows *r, int l) {
  return (size_t)r->n * (size_t)r->m->net->layer[l].n;
}
static double *at(const rows *r, int quantity, int l) {
  return r->m->quantity[quantity][l] + first(r, l);
}

/* What the input and the biases add to the hidden layers in every step: x W + b. */
static void find_drive(const rows *r) {
  const mho_network *net = r->m->net;
  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    const mho_crossbar *x = net->connection[k->connection].xb;
    int in = net->layer[k->from].n;
    if (!net->layer[k->to].neuron || k->transposed)
      continue;
    if (net->connection[k->connection].bias) {
      double *to = at(r, DRIVE, k->to);
      for (size_t j = 0, n = count(r, k->to); j < n; j++)
        to[j] += (double)k->scale *
                 (double)mho_crossbar_matrix(x)[(size_t)in * (size_t)x->cols + j % (size_t)x->cols];
    }
    if (k->from != 0)
      continue;
    mho_real *sum = r->m->real[k->to] + first(r, k->to);
    double *drive = at(r, DRIVE, k->to);
    mho_gemm(false, false, r->n, x->cols, in, k->scale,
             r->m->input->z[0] + (size_t)r->row0 * (size_t)in, in, mho_crossbar_matrix(x), x->cols,
             0, sum, x->cols);
    for (size_t j = 0, n = count(r, k->to); j < n; j++)
      drive[j] += (double)sum[j];
  }
}

/* to[l] += from M, the part of it that enters layer l. */
static void multiply(const rows *r, int from, int l, double *to) {
  const mho_network *net = r->m->net;
  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    if (k->to != l || !among_hidden(net, k))
      continue;
    int in = net->layer[k->from].n, out = net->layer[l].n,
        cols = net->connection[k->connection].xb->cols;
    mho_gemm_double(false, k->transposed, r->n, out, in, (double)k->scale, at(r, from, k->from), in,
                    r->m->w[k->connection], cols, 1, to, out);
  }
}

/* z_t of all layers from z_{t-1}, into quantity Z_NEXT (t odd) or Z; rho' into slope where it is
 * wanted. */
static void step(const rows *r, int t, bool slope) {
  const mho_network *net = r->m->net;
  for (int l = 1; l < net->n_layers - 1; l++) {
    const mho_layer *layer = &net->layer[l];
    size_t n = count(r, l);
    double *then = at(r, t % 2 ? Z_NEXT : Z, l);
    mho_real *real = r->m->real[l] + first(r, l), *rate = r->m->slope[l] + first(r, l);
    memcpy(then, at(r, DRIVE, l), n * sizeof *then);
    multiply(r, t % 2 ? Z : Z_NEXT, l, then);
    for (size_t i = 0; i < n; i++)
      real[i] = (mho_real)then[i];
    mho_layer_activate(layer, r->n, real, real);
    for (size_t i = 0; i < n; i++)
      then[i] = (double)real[i];
    for (size_t i = 0; i < n && slope; i++)
      rate[i] = 1;
    if (slope)
      mho_layer_scale_by_slope(layer, r->n, real, rate);
  }
}

/* ---------------------------------------------------------------- settling time */

/* Largest |z_t - z_{t-1}| of sample i; infinite when one is not a number. */
static double change_of(const rows *r, int i) {
  double most = 0;
  for (int l = 1; l < r->m->net->n_layers - 1; l++) {
    int n = r->m->net->layer[l].n;
    const double *a = at(r, Z, l) + (size_t)i * (size_t)n,
                 *b = at(r, Z_NEXT, l) + (size_t)i * (size_t)n;
    for (int k = 0; k < n; k++) {
      double change = fabs(a[k] - b[k]);
      most = isnan(change) ? (double)INFINITY : fmax(most, change);
    }
  }
  return most;
}

static void settle_rows(void *arg, int task, int thread) {
  rows r = rows_of(arg, task);
  int run[ROWS] = {0}, left = r.n;
  find_drive(&r);
  for (int t = 1; t <= MHO_OBSERVE_STEPS && left > 0; t++) {
    step(&r, t, false);
    for (int i = 0; i < r.n; i++) {
      double *result = &r.m->result[r.row0 + i];
      if (*result > 0)
        continue;
      double change = r.m->residual[r.row0 + i] = change_of(&r, i);
      run[i] = change < SETTLED ? run[i] + 1 : 0;
      if (run[i] == SETTLED_RUN) {
        *result = t;
        left--;
      }
    }
  }
}

mho_err mho_observe_settling(const mho_network *net, const mho_state *input, int n, mho_pool *pool,
                             mho_settling *out, mho_errinfo *ei) {
  map m = {.net = net, .input = input, .n = n};
  double sum = 0, most = 0;
  *out = (mho_settling){.mean = NAN, .max = NAN};
  mho_err err = map_new(&m, false, ei);
  if (!err)
    mho_pool_run(pool, (n + ROWS - 1) / ROWS, settle_rows, &m);
  for (int i = 0; i < n && !err; i++) {
    sum += m.result[i];
    most = fmax(most, m.result[i]);
    out->residual = fmax(out->residual, m.residual[i]);
    out->unsettled += !(m.result[i] > 0);
  }
  if (!err && out->unsettled < n) {
    out->mean = sum / (double)(n - out->unsettled);
    out->max = most;
  }
  map_free(&m);
  return err;
}

/* ---------------------------------------------------------------- Lyapunov exponent */

static void perturb(const rows *r) {
  for (int l = 1; l < r->m->net->n_layers - 1; l++) {
    int width = r->m->net->layer[l].n;
    mho_rng rng = mho_rng_make(0, MHO_RNG_TEST, (uint32_t)l);
    double *d = at(r, D, l);
    float part[64];
    for (int i = 0; i < r->n; i++)
      for (int k = 0; k < width; k += MHO_COUNT(part)) {
        int n = width - k < MHO_COUNT(part) ? width - k : MHO_COUNT(part);
        mho_rng_normal(rng, (uint64_t)(r->row0 + i), (uint64_t)k, (size_t)n, part);
        for (int j = 0; j < n; j++)
          d[i * width + k + j] = (double)part[j];
      }
  }
}

/* Bring every sample's perturbation to length 1; growth[i] += ln of what its length was, [n]. */
static void renormalize(const rows *r, int quantity, double *growth) {
  int end = r->m->net->n_layers - 1;
  for (int i = 0; i < r->n; i++) {
    double sum = 0;
    for (int l = 1; l < end; l++) {
      const double *d = at(r, quantity, l) + (size_t)i * (size_t)r->m->net->layer[l].n;
      for (int k = 0; k < r->m->net->layer[l].n; k++)
        sum += d[k] * d[k];
    }
    growth[i] += 0.5 * log(sum); /* -INFINITY when it has died out, and stays so */
    double inverse = sum > 0 ? 1 / sqrt(sum) : 0;
    for (int l = 1; l < end; l++) {
      double *d = at(r, quantity, l) + (size_t)i * (size_t)r->m->net->layer[l].n;
      for (int k = 0; k < r->m->net->layer[l].n; k++)
        d[k] *= inverse;
    }
  }
}

static void lyapunov_rows(void *arg, int task, int thread) {
  rows r = rows_of(arg, task);
  double unused[ROWS] = {0};
  find_drive(&r);
  perturb(&r);
  renormalize(&r, D, unused);
  for (int t = 1; t <= r.m->steps; t++) {
    int from = t % 2 ? D : D_NEXT, to = t % 2 ? D_NEXT : D;
    step(&r, t, true);
    for (int l = 1; l < r.m->net->n_layers - 1; l++) {
      const mho_real *slope = r.m->slope[l] + first(&r, l);
      double *d = at(&r, to, l);
      size_t n = count(&r, l);
      memset(d, 0, n * sizeof *d);
      multiply(&r, from, l, d);
      for (size_t i = 0; i < n; i++)
        d[i] *= (double)slope[i];
    }
    renormalize(&r, to, r.m->result + r.row0);
  }
}

mho_err mho_observe_lyapunov(const mho_network *net, const mho_state *input, int n, mho_pool *pool,
                             mho_lyapunov *out, mho_errinfo *ei) {
  map m = {.net = net, .input = input, .n = n, .steps = STEPS_PER_LAYER * (net->n_layers - 2)};
  if (m.steps > LYAPUNOV_STEPS_MAX)
    m.steps = LYAPUNOV_STEPS_MAX;
  *out = (mho_lyapunov){.mean = -INFINITY, .steps = m.steps};
  mho_err err = map_new(&m, true, ei);
  if (!err)
    mho_pool_run(pool, (n + ROWS - 1) / ROWS, lyapunov_rows, &m);
  double sum = 0;
  for (int i = 0; i < n && !err; i++) {
    bool extinct = isinf(m.result[i]) && m.result[i] < 0;
    sum += extinct ? 0 : m.result[i] / m.steps;
    out->extinct += extinct;
  }
  if (!err && out->extinct < n)
    out->mean = sum / (double)(n - out->extinct);
  map_free(&m);
  return err;
}
