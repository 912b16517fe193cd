/* stability.c - Lyapunov exponent and settling time of the synchronous free phase.
 *
 * In double precision, whatever mho_real is: a summed input of ten rounds to 1e-6 in single
 * precision, the very change that counts as settled. In a wholly single-precision map samples
 * settle late or, near the edge of chaos, never, that do in double. What stays single are the
 * neurons' functions, a relative 6e-8 of an activity, and the input's share x W_0, which is the
 * same in all steps.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "base/streams.h"
#include "mho/model/check.h"
#include "mho/model/num.h"
#include "settle/links.h"

static const char *without_cosine(const mho_experiment *e) {
  return e->observe.cosine ? NULL : "no cosine is observed (observe.cosine)";
}

static const char *without_samples(const mho_experiment *e) {
  bool any = e->observe.lyapunov || e->observe.settling;
  return any ? NULL : "nothing is observed of samples (observe.lyapunov, observe.settling)";
}

static const char *without_controller(const mho_experiment *e) {
  return ((const mho_rule *)e->rule.entry)->controls ? NULL : "there is no controller (rule.name)";
}

static const mho_param table[] = {
    MHO_P_BOOL(mho_observe_config, spectral_radius, "spectral_radius", false,
               "after every epoch: largest |eigenvalue| of the hidden-to-hidden matrix"),
    MHO_P_BOOL(mho_observe_config, lyapunov, "lyapunov", false,
               "after every epoch: finite-time maximal Lyapunov exponent of the free phase"),
    MHO_P_BOOL(mho_observe_config, settling, "settling", false,
               "after every epoch: steps of the synchronous map from rest until it changes by less "
               "than 1e-6"),
    MHO_P_BOOL(mho_observe_config, cosine, "cosine", false,
               "after every epoch: cosine of the rule's gradient with backpropagation's, first "
               "training batch"),
    MHO_P_CHOICE(mho_observe_config, cosine_at, "cosine_at", "forward|settled", MHO_COSINE_FORWARD,
                 "states backpropagation has in the cosine: those of a forward pass, without the "
                 "recurrence; or those that the free phase settled to",
                 .idle = without_cosine),
    MHO_P_BOOL(mho_observe_config, control, "control", false,
               "after every epoch: what a controller makes neurons do, first training batch: size "
               "of the controls, cosines with backpropagation and with the least controls, whether "
               "the network would stay at rest",
               .idle = without_controller),
    MHO_P_INT(mho_observe_config, samples, "samples", 200, 1, 1e6,
              "test images that lyapunov and settling are taken over", .idle = without_samples),
};
const mho_params mho_observe_params = MHO_PARAMS(mho_observe_config, table);

enum {
  TASK_SAMPLES = 32,
  STEPS_PER_LAYER = 10,
  LYAPUNOV_STEPS_MAX = 100,
  SETTLED_RUN = 3, /* steps with a change below SETTLED that make a sample settled */
};
static const double SETTLED = 1e-6;

/* What there is of every hidden neuron and sample. D: the perturbation. */
enum { Z, Z_NEXT, DRIVE, D, D_NEXT, QUANTITIES };

typedef struct map {
  const mho_network *net;
  const mho_state *input;
  int n, steps;
  double **w; /**< [connections] effective matrices that hidden links read */
  double *quantity[QUANTITIES][MHO_LAYERS_MAX]; /**< [n x layer], hidden layers */
  mho_real *real[MHO_LAYERS_MAX];               /**< [n x layer], what the neurons work on, */
  mho_real *slope[MHO_LAYERS_MAX];              /**< and their slopes */
  double *result, *residual;                    /**< [n] */
} map;

/* ---------------------------------------------------------------- memory */

static void map_free(map *m) {
  for (int l = 1; l < mho_hidden_end(m->net); l++) {
    for (int q = 0; q < QUANTITIES; q++)
      mho_free(m->quantity[q][l]);
    mho_free(m->real[l]);
    mho_free(m->slope[l]);
  }
  if (m->w)
    for (int c = 0; c < m->net->n_connections; c++)
      mho_free(m->w[c]);

  mho_free(m->w);
  mho_free(m->result);
  mho_free(m->residual);
}

/* The effective matrix in double; NULL without memory. */
static double *copy_matrix(const mho_crossbar *x) {
  size_t n = mho_crossbar_cells(x);
  double *w = mho_alloc(n, sizeof *w);
  if (w)
    for (size_t k = 0; k < n; k++)
      w[k] = (double)mho_crossbar_matrix(x)[k];
  return w;
}

static bool copy_weights(map *m) {
  const mho_network *net = m->net;

  for (int i = 0; i < net->n_links; i++) {
    int c = net->link[i].connection;
    if (!mho_link_is_hidden(net, &net->link[i]) || m->w[c])
      continue;
    m->w[c] = copy_matrix(net->connection[c].xb);
    if (!m->w[c])
      return false;
  }
  return true;
}

static bool allocate_layer(map *m, int l, int quantities) {
  size_t n = (size_t)m->n * (size_t)m->net->layer[l].n;
  for (int q = 0; q < quantities; q++) {
    m->quantity[q][l] = mho_alloc(n, sizeof(double));
    if (!m->quantity[q][l])
      return false;
  }

  m->real[l] = mho_alloc(n, sizeof(mho_real));
  m->slope[l] = mho_alloc(n, sizeof(mho_real));
  return m->real[l] && m->slope[l];
}

static bool allocate(map *m, bool perturbed) {
  m->w = mho_alloc((size_t)m->net->n_connections, sizeof *m->w);
  m->result = mho_alloc((size_t)m->n, sizeof *m->result);
  m->residual = mho_alloc((size_t)m->n, sizeof *m->residual);
  if (!m->w || !m->result || !m->residual || !copy_weights(m))
    return false;

  for (int l = 1; l < mho_hidden_end(m->net); l++)
    if (!allocate_layer(m, l, perturbed ? QUANTITIES : D))
      return false;
  return true;
}

static mho_err map_new(map *m, bool perturbed, mho_errinfo *ei) {
  if (m->n < 1)
    return mho_fail(ei, MHO_EINVAL, "there are no samples to observe");
  if (!allocate(m, perturbed))
    return mho_fail(ei, MHO_ENOMEM, "no memory to observe %d samples", m->n);
  return MHO_OK;
}

/* ---------------------------------------------------------------- one step */

/* The samples of a task. */
typedef struct slice {
  const map *m;
  int sample0, n;
} slice;

static int tasks_of(int n) {
  return (n + TASK_SAMPLES - 1) / TASK_SAMPLES;
}
static slice slice_of(const map *m, int task) {
  int sample0 = task * TASK_SAMPLES;
  return (slice){m, sample0, mho_min(m->n - sample0, TASK_SAMPLES)};
}
static size_t first(const slice *r, int l) {
  return (size_t)r->sample0 * (size_t)r->m->net->layer[l].n;
}
static size_t count(const slice *r, int l) {
  return (size_t)r->n * (size_t)r->m->net->layer[l].n;
}
static double *at(const slice *r, int quantity, int l) {
  return r->m->quantity[quantity][l] + first(r, l);
}
/* The values of sample i of the slice. */
static double *sample_at(const slice *r, int quantity, int l, int i) {
  return at(r, quantity, l) + (size_t)i * (size_t)r->m->net->layer[l].n;
}

static void add_bias(const slice *r, const mho_link *k) {
  const mho_crossbar *x = r->m->net->connection[k->connection].xb;
  size_t in = (size_t)r->m->net->layer[k->from].n, cols = (size_t)x->cols, n = count(r, k->to);
  const mho_real *bias = mho_crossbar_matrix(x) + in * cols;
  double *drive = at(r, DRIVE, k->to);
  for (size_t j = 0; j < n; j++)
    drive[j] += (double)k->scale * (double)bias[j % cols];
}

static void add_input(const slice *r, const mho_link *k) {
  const mho_crossbar *x = r->m->net->connection[k->connection].xb;
  const mho_real *input = mho__values(r->m->net, r->m->input->z, 0, r->sample0);
  int in = r->m->net->layer[0].n;
  size_t n = count(r, k->to);
  mho_real *sum = r->m->real[k->to] + first(r, k->to);
  double *drive = at(r, DRIVE, k->to);

  mho_gemm(false, false, r->n, x->cols, in, k->scale, input, in, mho_crossbar_matrix(x), x->cols, 0,
           sum, x->cols);
  for (size_t j = 0; j < n; j++)
    drive[j] += (double)sum[j];
}

/* What the input and the biases add to the hidden layers in every step: x W + b. */
static void find_drive(const slice *r) {
  const mho_network *net = r->m->net;

  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    if (!mho_layer_is_hidden(&net->layer[k->to]) || k->transposed)
      continue;
    if (net->connection[k->connection].bias)
      add_bias(r, k);
    if (k->from == 0)
      add_input(r, k);
  }
}

/* to[l] += from M, the block column of it that enters layer l. */
static void multiply(const slice *r, int from, int l, double *to) {
  const mho_network *net = r->m->net;

  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    if (k->to != l || !mho_link_is_hidden(net, k))
      continue;
    int in = net->layer[k->from].n, out = net->layer[l].n;
    int cols = net->connection[k->connection].xb->cols;
    mho_gemm_double(false, k->transposed, r->n, out, in, (double)k->scale, at(r, from, k->from), in,
                    r->m->w[k->connection], cols, 1, to, out);
  }
}

/* z_t of all layers from z_{t-1}, into quantity Z_NEXT (t odd) or Z; rho' into slope where it is
 * wanted. */
static void step(const slice *r, int t, bool slope) {
  const mho_network *net = r->m->net;
  int from = t % 2 ? Z : Z_NEXT;
  int to = t % 2 ? Z_NEXT : Z;

  for (int l = 1; l < mho_hidden_end(net); l++) {
    const mho_layer *layer = &net->layer[l];
    size_t n = count(r, l);
    double *then = at(r, to, l);
    mho_real *real = r->m->real[l] + first(r, l), *rate = r->m->slope[l] + first(r, l);
    memcpy(then, at(r, DRIVE, l), n * sizeof *then);
    multiply(r, from, l, then);

    for (size_t i = 0; i < n; i++)
      real[i] = (mho_real)then[i];
    mho_layer_activate(layer, r->n, real, real);
    for (size_t i = 0; i < n; i++)
      then[i] = (double)real[i];

    if (slope) {
      for (size_t i = 0; i < n; i++)
        rate[i] = 1;
      mho_layer_scale_by_slope(layer, r->n, real, rate);
    }
  }
}

/* ---------------------------------------------------------------- settling time */

/* Largest |z_t - z_{t-1}| of sample i; infinite when one is not a number. */
static double change_of(const slice *r, int i) {
  double most = 0;

  for (int l = 1; l < mho_hidden_end(r->m->net); l++) {
    const double *a = sample_at(r, Z, l, i), *b = sample_at(r, Z_NEXT, l, i);
    for (int k = 0; k < r->m->net->layer[l].n; k++) {
      double change = fabs(a[k] - b[k]);
      most = isnan(change) ? (double)INFINITY : fmax(most, change);
    }
  }
  return most;
}

static void settle_samples(void *arg, int task, int thread) {
  slice r = slice_of(arg, task);
  int run[TASK_SAMPLES] = {0}, left = r.n;
  find_drive(&r);

  for (int t = 1; t <= MHO_OBSERVE_STEPS; t++) {
    step(&r, t, false);
    for (int i = 0; i < r.n; i++) {
      int sample = r.sample0 + i;
      if (r.m->result[sample] > 0)
        continue;
      double change = change_of(&r, i);
      r.m->residual[sample] = change;
      run[i] = change < SETTLED ? run[i] + 1 : 0;
      if (run[i] == SETTLED_RUN) {
        r.m->result[sample] = t;
        left--;
      }
    }
    if (left == 0)
      break;
  }
}

static void sum_settling(const map *m, mho_settling *out) {
  double sum = 0, most = 0;
  for (int i = 0; i < m->n; i++) {
    sum += m->result[i];
    most = fmax(most, m->result[i]);
    out->residual = fmax(out->residual, m->residual[i]);
    out->unsettled += !(m->result[i] > 0);
  }

  if (out->unsettled < m->n) {
    out->mean = sum / (double)(m->n - out->unsettled);
    out->max = most;
  }
}

mho_err mho_observe_settling(const mho_network *net, const mho_state *input, int n, mho_pool *pool,
                             mho_settling *out, mho_errinfo *ei) {
  map m = {.net = net, .input = input, .n = n};

  *out = (mho_settling){.mean = NAN, .max = NAN};
  mho_err err = map_new(&m, false, ei);
  if (!err) {
    mho_pool_run(pool, tasks_of(n), settle_samples, &m);
    sum_settling(&m, out);
  }
  map_free(&m);
  return err;
}

/* ---------------------------------------------------------------- Lyapunov exponent */

/* The perturbation that a sample begins with in layer l. */
static void draw_perturbation(mho_rng rng, int sample, int width, double *d) {
  float block[64];
  for (int k = 0; k < width; k += MHO_COUNT(block)) {
    int n = mho_min(width - k, MHO_COUNT(block));
    mho_rng_normal(rng, (uint64_t)sample, (uint64_t)k, (size_t)n, block);
    for (int j = 0; j < n; j++)
      d[k + j] = (double)block[j];
  }
}

static void perturb(const slice *r) {
  for (int l = 1; l < mho_hidden_end(r->m->net); l++) {
    mho_rng rng = mho__stream_perturbation(l);
    for (int i = 0; i < r->n; i++)
      draw_perturbation(rng, r->sample0 + i, r->m->net->layer[l].n, sample_at(r, D, l, i));
  }
}

/* Bring every sample's perturbation to length 1; growth[i] += ln of what its length was, [n]. */
static void renormalize(const slice *r, int quantity, double *growth) {
  const mho_network *net = r->m->net;
  int end = mho_network_output(net);

  for (int i = 0; i < r->n; i++) {
    double sum = 0;
    for (int l = 1; l < end; l++) {
      const double *d = sample_at(r, quantity, l, i);
      for (int k = 0; k < net->layer[l].n; k++)
        sum += d[k] * d[k];
    }

    growth[i] += 0.5 * log(sum); /* -INFINITY when it has died out, and stays so */
    double inverse = sum > 0 ? 1 / sqrt(sum) : 0;
    for (int l = 1; l < end; l++) {
      double *d = sample_at(r, quantity, l, i);
      for (int k = 0; k < net->layer[l].n; k++)
        d[k] *= inverse;
    }
  }
}

/* d_t of all layers, quantity `to`, from d_{t-1} and the slopes of step t. */
static void carry(const slice *r, int from, int to) {
  for (int l = 1; l < mho_hidden_end(r->m->net); l++) {
    const mho_real *slope = r->m->slope[l] + first(r, l);
    double *d = at(r, to, l);
    size_t n = count(r, l);
    memset(d, 0, n * sizeof *d);
    multiply(r, from, l, d);
    for (size_t i = 0; i < n; i++)
      d[i] *= (double)slope[i];
  }
}

static void lyapunov_samples(void *arg, int task, int thread) {
  slice r = slice_of(arg, task);
  double unused[TASK_SAMPLES] = {0};
  find_drive(&r);
  perturb(&r);
  renormalize(&r, D, unused);

  for (int t = 1; t <= r.m->steps; t++) {
    int from = t % 2 ? D : D_NEXT;
    int to = t % 2 ? D_NEXT : D;
    step(&r, t, true);
    carry(&r, from, to);
    renormalize(&r, to, r.m->result + r.sample0);
  }
}

static void mean_exponent(const map *m, mho_lyapunov *out) {
  double sum = 0;
  for (int i = 0; i < m->n; i++) {
    bool extinct = isinf(m->result[i]) && m->result[i] < 0;
    sum += extinct ? 0 : m->result[i] / m->steps;
    out->extinct += extinct;
  }
  if (out->extinct < m->n)
    out->mean = sum / (double)(m->n - out->extinct);
}

mho_err mho_observe_lyapunov(const mho_network *net, const mho_state *input, int n, mho_pool *pool,
                             mho_lyapunov *out, mho_errinfo *ei) {
  int steps = mho_min(STEPS_PER_LAYER * mho_network_hidden(net), LYAPUNOV_STEPS_MAX);
  map m = {.net = net, .input = input, .n = n, .steps = steps};

  *out = (mho_lyapunov){.mean = -INFINITY, .steps = steps};
  mho_err err = map_new(&m, true, ei);
  if (!err) {
    mho_pool_run(pool, tasks_of(n), lyapunov_samples, &m);
    mean_exponent(&m, out);
  }
  map_free(&m);
  return err;
}
