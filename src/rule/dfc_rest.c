/* dfc_rest.c - control at rest, where the controller's error e is alpha~ u:
 *
 *   F(u) = e(v_o(u)) - alpha~ u = 0
 *
 * In closed form it is linearized at the free state,
 *
 *   u = (S JQ + alpha~ 1)^-1 e(v_o free)
 *
 * S = -de/dv_o: 1, or diag(p) - p p^T where e is a soft label less the softmax p. The root is
 * found by Newton's method with the S of the present state and the JQ of the free one's mean
 * slopes, which every step corrects by what it has done to the read-out (Broyden's rank one); a
 * step that makes F much larger is halved. By the chain f depends on the activities that it leads
 * to, and both are looked for at once (dfc_mixing.c). Where that comes to no rest the gain is
 * raised in smaller steps, then by shorter ways, and in the end f is brought to rest under every u.
 *
 * Towards a label at a high gain the softmax saturates, and the gain is raised in steps, each from
 * the rest of the one before.
 *
 * A rest is of use if the controlled network stays there: dfc_stability.c.
 *
 * Source: A. Meulemans et al., NeurIPS 2021, arXiv 2106.07887 (closed form); the same, ICML 2022,
 * arXiv 2204.07249 (label as target); C. Broyden, Math. Comp. 19, 577 (1965).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <float.h>
#include <math.h>
#include <string.h>

#include "mho/model/num.h"
#include "rule/dfc_rest.h"

enum {
  ITERATIONS = 100, /* at one gain */
  HASTY = 12,       /* of them with one look at every u */
  LOOKS = 60,       /* at a u after these */
  HALVINGS = 6,     /* of a step */
  OWN_STEPS = 40,   /* of Newton's to a step */
  APPROACHES = 5,   /* of a gain, each twice the one before */
};
/* F that is so many times as large as before was not worth its step; by the chain, which leads f
 * back with a lag, if it is also more than so much of the first error. */
static const double WORSE = 2, MUCH = 0.5;
/* What a step may miss of F where the read-out would follow it exactly: so much of F before, or so
 * much of what a rest may miss. */
static const double OWN_TOLERANCE = 1e-6, OWN_SHARE = 0.1;
/* A step of those that do not settle soon. */
static const double SHORTER = 0.5;
/* Least part of its way that f goes at a look. */
static const double LEAST_PART = 0.25;
/* The first gain where the gain is raised in steps, the factor of a step, and what is missed of the
 * first error at a gain on the way. */
static const double FIRST_LEAK = 0.25, LEAK_STEP = 8, LOOSE = 0.01;

/* ---------------------------------------------------------------- systems of C equations */

/* Solve m x = b by elimination, [n x (n + 1)] with b as its last column; x [n]. false: m has no
 * inverse. */
static bool eliminate(int n, double *m, double *x) {
  int width = n + 1;

  for (int k = 0; k < n; k++) {
    int pivot = k;
    for (int i = k + 1; i < n; i++)
      if (fabs(m[i * width + k]) > fabs(m[pivot * width + k]))
        pivot = i;
    if (!(fabs(m[pivot * width + k]) > 0))
      return false;

    for (int j = k; pivot != k && j < width; j++) {
      double held = m[k * width + j];
      m[k * width + j] = m[pivot * width + j];
      m[pivot * width + j] = held;
    }
    const double *top = m + k * width;
    for (int i = k + 1; i < n; i++) {
      double *row = m + i * width, factor = row[k] / top[k];
#pragma omp simd
      for (int j = k; j < width; j++)
        row[j] -= factor * top[j];
    }
  }

  for (int i = n - 1; i >= 0; i--) {
    double sum = m[i * width + n];
    for (int j = i + 1; j < n; j++)
      sum -= m[i * width + j] * x[j];
    x[i] = sum / m[i * width + i];
  }
  return true;
}

/* The step of Newton's of sample s from potentials v and misses f, at that leak; false: none. */
static bool newton_step(const dfc_run *r, int s, const double *v, const double *f, double leak,
                        double *step) {
  int n = r->w->classes, width = n + 1;
  double *m = r->w->matrix;
  mho__dfc_multiply_slopes(r, s, v, width, m);
  for (int i = 0; i < n; i++) {
    m[i * width + i] += leak;
    m[i * width + n] = f[i];
  }
  return eliminate(n, m, step);
}

static double norm(int n, const double *v) {
  double squares = 0;
  for (int i = 0; i < n; i++)
    squares += v[i] * v[i];
  return sqrt(squares);
}

/* f = F of sample s at that leak, if a step on from controls u and potentials v moved these by JQ
 * times it. @return |F|. */
static double predict(const dfc_run *r, int s, const double *u, const double *v, double leak,
                      const double *step, double *moved, double *f) {
  int n = r->w->classes;
  const double *k = r->w->k + (size_t)s * (size_t)(n * n);
  for (int i = 0; i < n; i++) {
    double sum = v[i];
#pragma omp simd reduction(+ : sum)
    for (int j = 0; j < n; j++)
      sum += k[i * n + j] * step[j];
    moved[i] = sum;
  }

  mho__dfc_error(r, s, moved, f);
  for (int i = 0; i < n; i++)
    f[i] -= leak * (u[i] + step[i]);
  return norm(n, f);
}

/* The step of sample s to the root that F would have if the read-out followed u by JQ: where e is a
 * softmax that bends, by Newton's steps of its own, until no more than `enough` is missed of F.
 * false: none. */
bool mho__dfc_find_step(const dfc_run *r, int s, const double *u, const double *v, double leak,
                        double enough, double *step) {
  int n = r->w->classes;
  double *moved = r->w->trial, *f = moved + n, *way = f + n, *last = way + n;
  double length = 1, least;
  memset(step, 0, (size_t)n * sizeof *step);

  double first = predict(r, s, u, v, leak, step, moved, f);
  least = first;
  enough = fmax(enough, OWN_TOLERANCE * first);
  for (int k = 0; k < OWN_STEPS && least > enough; k++) {
    if (length == 1 && !newton_step(r, s, moved, f, leak, way))
      return false;
    memcpy(last, step, (size_t)n * sizeof *step);
    for (int i = 0; i < n; i++)
      step[i] += length * way[i];

    double miss = predict(r, s, u, v, leak, step, moved, f);
    bool is_better = miss < least;
    length = is_better ? 1 : 0.5 * length;
    least = is_better ? miss : least;
    if (!is_better)
      memcpy(step, last, (size_t)n * sizeof *step);
  }
  return isfinite(least);
}

/* ---------------------------------------------------------------- controls */

/* The present controls, as numbers of the network. */
static void set_controls(const dfc_run *r) {
  mho_real *u = mho__dfc_control(r, mho_network_output(r->lesson->net));
  for (int i = 0; i < mho__dfc_controls(r); i++)
    u[i] = (mho_real)r->w->u[i];
}

void mho__dfc_find_potentials(const dfc_run *r) {
  const mho_real *a = r->w->sums[mho_network_output(r->lesson->net)];
  for (int i = 0; i < mho__dfc_controls(r); i++)
    r->w->potential[i] = (double)a[i] + r->w->u[i];
}

void mho__dfc_close(const dfc_run *r) {
  mho_settle_stats unused = {0};
  dfc_run quiet = mho__dfc_uncounted(r, &unused);
  dfc_workspace *w = r->w;

  mho__dfc_jacobian(&quiet);
  for (int s = 0; s < r->lesson->n; s++) {
    size_t at = (size_t)s * (size_t)w->classes;
    w->lost[s] = !newton_step(r, s, w->potential + at, w->first + at, r->leak, w->u + at);
  }
  mho__dfc_drop_unstable(&quiet, false, r->stats);
  r->stats->steps += r->lesson->n;

  set_controls(r);
  if (mho__dfc_is_direct(r) || r->phase.probe) {
    mho__dfc_lead_back(r);
    mho__dfc_pass(r, true);
    return;
  }

  /* nobody watches the reads, and the rows are there */
  mho__dfc_lead_by_rows(r);
  mho__dfc_pass(&quiet, true);
  r->stats->reads += mho__dfc_reads(r);
}

/* ---------------------------------------------------------------- the root */

double mho__dfc_rounding(double size) {
  return 16 * (sizeof(mho_real) == 8 ? DBL_EPSILON : (double)FLT_EPSILON) * size;
}

double mho__dfc_miss(const dfc_run *r, int s, double leak) {
  int n = r->w->classes;
  size_t at = (size_t)s * (size_t)n;
  double *f = r->w->f + at;

  mho__dfc_error(r, s, r->w->potential + at, f);
  for (int i = 0; i < n; i++)
    f[i] -= leak * r->w->u[at + (size_t)i];
  return norm(n, f);
}

double mho__dfc_enough(const dfc_run *r, int s, double tolerance) {
  const dfc_workspace *w = r->w;
  size_t at = (size_t)s * (size_t)w->classes;
  return tolerance * norm(w->classes, w->first + at) +
         mho__dfc_rounding(norm(w->classes, w->potential + at));
}

/* One gain, and what is known of the samples at it. */
typedef struct root {
  const dfc_run *r; /* its reads are not counted */
  double leak, tolerance;
  double full;                  /* length of a step that is not halved */
  bool patient;                 /* f comes to rest at every u */
  bool corrects;                /* it did at the u before, too */
  double least[MHO_CHUNK_MAX];  /* |F| at the best controls */
  double length[MHO_CHUNK_MAX]; /* of the last step */
  int looks;
  double part[MHO_CHUNK_MAX];   /* of its way that f goes */
  double most[MHO_CHUNK_MAX];   /* largest |f| of a neuron, */
  double change[MHO_CHUNK_MAX]; /* and by how much one was off */
  bool settled[MHO_CHUNK_MAX];
} root;

/* By the chain f lags. It goes a part of its way, of every sample that at which its misses would
 * have ended if they go on as they did (Aitken's relaxation). */
static void find_parts(root *x) {
  const dfc_run *r = x->r;
  double along[MHO_CHUNK_MAX] = {0}, squares[MHO_CHUNK_MAX] = {0};

  for (int l = 1; l < mho_hidden_end(r->lesson->net); l++) {
    const mho_real *f = mho__dfc_control(r, l), *before = r->w->other[l], *miss = r->w->miss[l];
    int n = r->lesson->net->layer[l].n;
    for (int s = 0; s < r->lesson->n; s++, f += n, before += n, miss += n) {
      mho_real last_turn = 0, turn_turn = 0;
#pragma omp simd reduction(+ : last_turn, turn_turn)
      for (int i = 0; i < n; i++) {
        mho_real turn = f[i] - before[i] - miss[i];
        last_turn += miss[i] * turn;
        turn_turn += turn * turn;
      }
      along[s] += (double)last_turn;
      squares[s] += (double)turn_turn;
    }
  }
  for (int s = 0; s < r->lesson->n; s++) {
    double part = squares[s] > 0 ? -x->part[s] * along[s] / squares[s] : 1;
    x->part[s] = x->looks == 0 ? 1 : fmin(fmax(part, LEAST_PART), 1);
  }
}

/* How far f of layer l was off, and where it is from here on. */
static void follow(root *x, int l) {
  const dfc_run *r = x->r;
  mho_real *f = mho__dfc_control(r, l), *miss = r->w->miss[l];
  const mho_real *before = r->w->other[l];
  int n = r->lesson->net->layer[l].n;

  for (int s = 0; s < r->lesson->n; s++, f += n, before += n, miss += n) {
    mho_real part = (mho_real)x->part[s], change = 0, most = 0;
#pragma omp simd reduction(max : change, most)
    for (int i = 0; i < n; i++) {
      mho_real off = f[i] - before[i], off_size = off < 0 ? -off : off;
      mho_real size = f[i] < 0 ? -f[i] : f[i];
      change = off_size > change ? off_size : change;
      most = size > most ? size : most;
      miss[i] = off;
      f[i] = before[i] + part * off;
    }
    x->change[s] = fmax(x->change[s], (double)change);
    x->most[s] = fmax(x->most[s], (double)most);
  }
}

/* What the present controls lead back, and forward under it. */
static void look_once(root *x) {
  const dfc_run *r = x->r;
  int end = mho_hidden_end(r->lesson->net);
  bool lags = !mho__dfc_is_direct(r);
  for (int l = 1; l < end && lags; l++)
    memcpy(r->w->other[l], mho__dfc_control(r, l),
           mho__rule_count(r->lesson, l) * sizeof(mho_real));

  mho__dfc_lead_back(r);
  memset(x->change, 0, sizeof x->change);
  memset(x->most, 0, sizeof x->most);
  if (lags)
    find_parts(x);
  for (int l = 1; l < end && lags; l++)
    follow(x, l);
  mho__dfc_pass(r, true);
  x->looks++;
  r->w->looks += r->lesson->n;
}

/* Whether f of sample s is what is led back at its activities. */
static bool stands(const root *x, int s, double tolerance) {
  return x->change[s] <= tolerance * x->most[s] + mho__dfc_rounding(1);
}

/* Look at the present controls, and go on until all f stand where that is asked for. */
static void look(root *x) {
  bool all = !x->patient;
  set_controls(x->r);
  look_once(x);

  for (int k = 1; k < LOOKS && !all; k++) {
    look_once(x);
    all = true;
    for (int s = 0; s < x->r->lesson->n; s++)
      all &= stands(x, s, 0.1 * x->tolerance);
  }
  mho__dfc_find_potentials(x->r);
}

/* JQ of sample s from what the last change of its controls did to the read-out, unless f lagged. */
static void correct(const root *x, int s) {
  dfc_workspace *w = x->r->w;
  int n = w->classes;
  size_t at = (size_t)s * (size_t)n;
  const double *u = w->u + at, *v = w->potential + at;
  double *k = w->k + at * (size_t)n, *u_last = w->u_last + at, *v_last = w->v_last + at;
  bool follows = mho__dfc_is_direct(x->r) || x->corrects;
  double squares = 0;
  for (int i = 0; i < n; i++)
    squares += (u[i] - u_last[i]) * (u[i] - u_last[i]);

  for (int i = 0; i < n && follows && squares > 0; i++) {
    double miss = v[i] - v_last[i];
    for (int j = 0; j < n; j++)
      miss -= k[i * n + j] * (u[j] - u_last[j]);
    for (int j = 0; j < n; j++)
      k[i * n + j] += miss * (u[j] - u_last[j]) / squares;
  }
  memcpy(u_last, u, (size_t)n * sizeof *u);
  memcpy(v_last, v, (size_t)n * sizeof *v);
}

/* Judge the controls of sample s, and go on from them or half as far from those before. */
static void go_on(root *x, int s) {
  const dfc_run *r = x->r;
  dfc_workspace *w = r->w;
  int n = w->classes;
  size_t at = (size_t)s * (size_t)n;
  double *u = w->u + at, *best = w->u_best + at, *way = w->way + at;
  double miss = mho__dfc_miss(r, s, x->leak), bound = WORSE * x->least[s];
  double enough = mho__dfc_enough(r, s, x->tolerance);
  x->settled[s] = miss <= enough && stands(x, s, x->tolerance);
  if (x->settled[s])
    return;

  correct(x, s);
  if (!mho__dfc_is_direct(r) && !x->patient)
    bound = fmax(bound, MUCH * norm(n, w->first + at));
  if (!(miss <= bound) && x->length[s] > ldexp(1, -HALVINGS)) {
    x->length[s] *= 0.5;
  } else {
    x->least[s] = miss;
    memcpy(best, u, (size_t)n * sizeof *u);
    enough *= OWN_SHARE;
    x->length[s] =
        mho__dfc_find_step(r, s, u, w->potential + at, x->leak, enough, way) ? x->full : 0;
  }
  for (int i = 0; i < n; i++)
    u[i] = best[i] + x->length[s] * way[i];
}

/* Forget how well the samples did. */
static void start_over(root *x) {
  for (int s = 0; s < x->r->lesson->n; s++)
    x->least[s] = INFINITY;
}

/* Iterate at one gain until all samples have settled, from the free state or from the rest at
 * another gain. @return whether they have. */
static bool iterate(root *x, bool from_free) {
  const dfc_run *r = x->r;
  int n = r->lesson->n;

  x->patient = x->corrects = false;
  x->full = 1;
  start_over(x);
  for (int i = 0; i < ITERATIONS; i++) {
    if (i == HASTY || (i == 0 && !mho__dfc_is_direct(r))) {
      x->patient = true;
      x->full = SHORTER;
      start_over(x);
      mho__dfc_jacobian(r);
    }
    if (i > 0 || !from_free) /* of the free state all is known */
      look(x);

    bool all = true;
    for (int s = 0; s < n; s++) {
      go_on(x, s);
      all &= x->settled[s];
    }
    if (all)
      return true;
    x->corrects = x->patient;
  }
  return false;
}

/* The leak at which the gain begins. */
static double first_leak(const dfc_run *r) {
  return mho__dfc_has_softmax(r) ? fmax(r->leak, FIRST_LEAK) : r->leak;
}

/* Those first samples that are without a rest once more, from no control on while the gain is
 * raised in smaller steps, by that part of their way at a look. @return how many have none. */
static int approach(const root *x, dfc_run *quiet, mho_lesson *part, int samples, double way) {
  int left = samples;
  for (int k = APPROACHES; k >= 0 && samples > 0; k--) {
    part->n = quiet->phase.n = samples;
    left = mho__dfc_mix(quiet, part, ldexp(x->leak, k), k > 0 ? LOOSE : x->tolerance, way);
  }
  return left;
}

/* To rest at one gain by the chain: what looks at u and f at once do not bring there, patience may.
 * Samples change places on the way. */
static void mix(root *x, dfc_run *quiet, mho_lesson *part) {
  int n = part->n, left = mho__dfc_mix(quiet, part, x->leak, x->tolerance, 1);
  left = approach(x, quiet, part, left, 1);
  left = approach(x, quiet, part, left, LEAST_PART);
  memset(x->settled, true, sizeof x->settled);
  if (left > 0) {
    size_t controls = (size_t)mho__dfc_controls(quiet);
    memset(quiet->w->u_last, 0, controls * sizeof(double));
    memcpy(quiet->w->v_last, quiet->w->potential, controls * sizeof(double));
    iterate(x, false);
  }
  part->n = quiet->phase.n = n;
}

/* A rest is one read of every link, which has been made: where nobody watches it, it is counted. */
static void read_rest(const dfc_run *r) {
  const mho_network *net = r->lesson->net;
  if (!r->phase.probe) {
    r->stats->reads += mho__dfc_reads(r);
    return;
  }

  for (int l = 1; l < mho_hidden_end(net); l++)
    memcpy(r->w->other[l], mho__dfc_control(r, l),
           mho__rule_count(r->lesson, l) * sizeof(mho_real));
  mho__dfc_lead_back(r);
  for (int l = 1; l < mho_hidden_end(net); l++)
    memcpy(mho__dfc_control(r, l), r->w->other[l],
           mho__rule_count(r->lesson, l) * sizeof(mho_real));
  mho__dfc_pass(r, true);
}

void mho__dfc_solve(const dfc_run *r) {
  mho_settle_stats looks = {0};
  mho_lesson part = *r->lesson;
  dfc_run quiet = mho__dfc_uncounted(r, &looks);
  dfc_workspace *w = r->w;
  root x = {.r = &quiet, .leak = first_leak(r)};
  size_t controls = (size_t)mho__dfc_controls(r);
  bool begins = true, last = false;
  quiet.lesson = &part;
  memset(w->u, 0, controls * sizeof *w->u);
  for (int l = 1; l <= mho_network_output(r->lesson->net); l++)
    memset(mho__dfc_control(r, l), 0, mho__rule_count(r->lesson, l) * sizeof(mho_real));
  memset(w->u_last, 0, controls * sizeof *w->u_last);
  memcpy(w->v_last, w->potential, controls * sizeof *w->v_last);

  if (mho__dfc_is_direct(r)) /* which corrects it */
    mho__dfc_mean_jacobian(&quiet);
  for (; !last; x.leak = fmax(x.leak / LEAK_STEP, r->leak)) {
    last = x.leak <= r->leak;
    x.tolerance = last ? mho__dfc_tolerance(r->p) : LOOSE;
    if (mho__dfc_is_direct(r))
      iterate(&x, begins);
    else
      mix(&x, &quiet, &part);
    begins = false;
  }

  for (int s = 0; s < r->lesson->n; s++)
    w->lost[s] = !x.settled[s];
  mho__dfc_put_back(r);
  mho__dfc_drop_unstable(&quiet, true, r->stats);
  r->stats->steps += r->lesson->n;
  read_rest(r);
}
