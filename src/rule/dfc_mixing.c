/* dfc_mixing.c - control at rest by the chain, where f depends on the activities that it leads to:
 * u and f of a sample are one vector x, and a look at it is a map,
 *
 *   v_o = a_o + u, z      forward under f
 *   u' = u + step         to the root that F would have if v_o followed u by JQ
 *   f' = u' J(z)          back at those activities
 *
 * whose fixed point is the rest. From what the last looks missed, r = x' - x, the next x is mixed:
 *
 *   x = x' - sum g_j (x' - x'_j),  g = argmin |r - sum g_j (r - r_j)|
 *
 * Where a part of the way is asked for, x' is x + part r there. JQ is that of the mean slopes of
 * all samples, C rows for all of them: what is wrong with it the mixing sees. A sample that has
 * come to rest moves behind those that have not, which alone are looked at.
 *
 * A neuron with a corner (relu) has no rest where its control would push it over the corner, where
 * 0 < a < -f: beyond it nothing is led back, which takes it before the corner again. Samples with
 * such a neuron are lost, a share that grows with the gain and with the number of neurons.
 *
 * Source: D. Anderson, J. ACM 12, 547 (1965); H. Walker, P. Ni, SIAM J. Numer. Anal. 49, 1715
 * (2011).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "mho/model/num.h"
#include "rule/dfc_rest.h"

enum {
  MOST_LOOKS = 40, /* at a sample */
  GRAIN = 4,       /* a number of samples that are looked at is a multiple of it */
};
/* A step misses no more than so much of F, or of what a rest may miss. */
static const double OWN_MISS = 0.1;
/* The looks before are used both if what they missed differs in direction by that much. */
static const double LEAST_DETERMINANT = 1e-3;
/* Weights beyond that are no interpolation any more, and the map itself is followed. */
static const double MOST_WEIGHT = 4;

typedef struct mixing {
  dfc_run *r;
  mho_lesson *lesson; /* of r; n of its samples are looked at */
  double leak, tolerance, part;
  int look;
  bool moves; /* rows may change places */
  bool stepped[MHO_CHUNK_MAX], settled[MHO_CHUNK_MAX];
} mixing;

/* What of a sample's history a layer keeps: x' and r of the last two looks. */
static mho_real *history(const mixing *m, int l, int kind, int age, int s) {
  int slot = 2 * kind + (m->look + age) % 2;
  size_t n = (size_t)m->r->lesson->net->layer[l].n;
  return m->r->w->history[l] + ((size_t)slot * (size_t)m->r->w->n + (size_t)s) * n;
}

/* ---------------------------------------------------------------- rows and places */

static void swap_real(mho_real *values, int n, int a, int b) {
  mho_real *x = values + (size_t)a * (size_t)n, *y = values + (size_t)b * (size_t)n;
  for (int i = 0; i < n; i++) {
    mho_real held = x[i];
    x[i] = y[i];
    y[i] = held;
  }
}

static void swap_exact(double *values, int n, int a, int b) {
  double *x = values + (size_t)a * (size_t)n, *y = values + (size_t)b * (size_t)n;
  for (int i = 0; i < n; i++) {
    double held = x[i];
    x[i] = y[i];
    y[i] = held;
  }
}

/* Two samples change places in all that a lesson knows of them. */
static void swap_samples(const dfc_run *r, int a, int b) {
  dfc_workspace *w = r->w;
  int last = mho_network_output(r->lesson->net), order = w->order[a];
  bool lost = w->lost[a];

  for (int l = 1; l <= last; l++) {
    int n = r->lesson->net->layer[l].n;
    if (l < last)
      swap_real(mho__dfc_z(r, l), n, a, b);
    if (w->input[l])
      swap_real(w->input[l], n, a, b);
    if (w->sums[l] != w->input[l])
      swap_real(w->sums[l], n, a, b);
    swap_real(mho__dfc_control(r, l), n, a, b);
    for (int i = 0; i < 4; i++)
      swap_real(w->history[l] + (size_t)i * (size_t)w->n * (size_t)n, n, a, b);
  }

  swap_exact(w->reach, w->classes, a, b);
  swap_exact(w->first, w->classes, a, b);
  swap_exact(w->potential, w->classes, a, b);
  swap_exact(w->u, w->classes, a, b);
  w->order[a] = w->order[b];
  w->order[b] = order;
  w->lost[a] = w->lost[b];
  w->lost[b] = lost;
}

void mho__dfc_put_back(const dfc_run *r) {
  for (int s = 0; s < r->lesson->n; s++)
    while (r->w->order[s] != s)
      swap_samples(r, s, r->w->order[s]);
}

/* Those that have settled go behind those that have not. @return how many have not. */
static int sort_samples(mixing *m, bool last) {
  int n = m->lesson->n, left = 0;
  for (int s = 0; s < n; s++)
    left += !m->settled[s];
  int looked_at = mho_min(n, (left + GRAIN - 1) / GRAIN * GRAIN);
  if (!m->moves || left == 0 || (!last && 4 * looked_at > 3 * n))
    return left;

  int from = n - 1;
  for (int s = 0; s < left; s++) {
    if (!m->settled[s])
      continue;
    while (m->settled[from])
      from--;
    swap_samples(m->r, s, from);
    m->settled[s] = false;
    m->settled[from] = true;
  }
  m->lesson->n = m->r->phase.n = last ? left : looked_at;
  return left;
}

/* ---------------------------------------------------------------- a look */

/* u' of sample s at the control of the read-out. */
static void step_on(mixing *m, int s) {
  dfc_workspace *w = m->r->w;
  int n = w->classes;
  size_t at = (size_t)s * (size_t)n;
  double *way = w->way + at, miss = mho__dfc_miss(m->r, s, m->leak);
  double enough = mho__dfc_enough(m->r, s, m->tolerance);
  mho_real *u = mho__dfc_control(m->r, mho_network_output(m->r->lesson->net)) + at;

  m->settled[s] = miss <= enough; /* if f stands, too */
  m->stepped[s] = mho__dfc_find_step(m->r, s, w->u + at, w->potential + at, m->leak,
                                     OWN_MISS * fmax(miss, enough), way);
  for (int i = 0; i < n && m->stepped[s]; i++)
    u[i] = (mho_real)(w->u[i + (int)at] + way[i]);
}

/* Whether f of sample s is what is led back at its activities. */
static bool stands(const mixing *m, int s) {
  mho_real change = 0, most = 0;
  for (int l = 1; l < mho_hidden_end(m->r->lesson->net); l++) {
    int n = m->r->lesson->net->layer[l].n;
    const mho_real *f = mho__dfc_control(m->r, l) + (size_t)s * (size_t)n;
    const mho_real *before = m->r->w->before[l] + (size_t)s * (size_t)n;
#pragma omp simd reduction(max : change, most)
    for (int i = 0; i < n; i++) {
      mho_real off = f[i] > before[i] ? f[i] - before[i] : before[i] - f[i];
      mho_real size = f[i] < 0 ? -f[i] : f[i];
      change = off > change ? off : change;
      most = size > most ? size : most;
    }
  }
  return (double)change <= m->tolerance * (double)most + mho__dfc_rounding(1);
}

/* The products that weights of looks before follow from, over all layers of sample s: of changes
 * of r with each other, aa, ab, bb, and with r, ar, br. */
typedef struct products {
  double aa, ab, bb, ar, br;
} products;

static void add_products(const mixing *m, int l, int s, products *sum) {
  int n = m->r->lesson->net->layer[l].n;
  const mho_real *image = mho__dfc_control(m->r, l) + (size_t)s * (size_t)n;
  const mho_real *before = m->r->w->before[l] + (size_t)s * (size_t)n;
  const mho_real *late = history(m, l, 1, 1, s), *early = history(m, l, 1, 0, s);
  mho_real aa = 0, ab = 0, bb = 0, ar = 0, br = 0;

#pragma omp simd reduction(+ : aa, ab, bb, ar, br)
  for (int i = 0; i < n; i++) {
    mho_real r = image[i] - before[i], a = r - late[i], b = r - early[i];
    aa += a * a;
    ab += a * b;
    bb += b * b;
    ar += a * r;
    br += b * r;
  }
  sum->aa += (double)aa;
  sum->ab += (double)ab;
  sum->bb += (double)bb;
  sum->ar += (double)ar;
  sum->br += (double)br;
}

/* Weights of the looks before this one. */
static void find_weights(const mixing *m, int s, double *late, double *early) {
  products p = {0};
  *late = *early = 0;
  if (m->look == 0)
    return;
  for (int l = 1; l <= mho_network_output(m->r->lesson->net); l++)
    add_products(m, l, s, &p);

  double determinant = p.aa * p.bb - p.ab * p.ab;
  if (m->look > 1 && determinant > LEAST_DETERMINANT * p.aa * p.bb) {
    *late = (p.ar * p.bb - p.br * p.ab) / determinant;
    *early = (p.br * p.aa - p.ar * p.ab) / determinant;
  } else if (p.aa > 0) {
    *late = p.ar / p.aa;
  }
  if (!(fabs(*late) + fabs(*early) <= MOST_WEIGHT))
    *late = *early = 0;
}

/* The next x of sample s. */
static void mix(const mixing *m, int s) {
  int last = mho_network_output(m->r->lesson->net);
  double weight_late, weight_early;
  find_weights(m, s, &weight_late, &weight_early);

  for (int l = 1; l <= last; l++) {
    int n = m->r->lesson->net->layer[l].n;
    mho_real *x = mho__dfc_control(m->r, l) + (size_t)s * (size_t)n;
    const mho_real *before = m->r->w->before[l] + (size_t)s * (size_t)n;
    const mho_real *late = history(m, l, 0, 1, s);
    mho_real *early = history(m, l, 0, 0, s), *missed = history(m, l, 1, 0, s);
    mho_real g = (mho_real)weight_late, h = (mho_real)weight_early, part = (mho_real)m->part;
    for (int i = 0; i < n; i++) {
      mho_real image = m->part < 1 ? before[i] + part * (x[i] - before[i]) : x[i], next = image;
      if (g != 0 || h != 0)
        next = image - g * (image - late[i]) - h * (image - early[i]);
      missed[i] = x[i] - before[i];
      early[i] = image;
      x[i] = next;
    }
  }

  const mho_real *u = mho__dfc_control(m->r, last) + (size_t)s * (size_t)m->r->w->classes;
  for (int i = 0; i < m->r->w->classes; i++)
    m->r->w->u[s * m->r->w->classes + i] = (double)u[i];
}

/* x of sample s as it was. */
static void stay(const mixing *m, int s) {
  for (int l = 1; l <= mho_network_output(m->r->lesson->net); l++) {
    size_t n = (size_t)m->r->lesson->net->layer[l].n, at = (size_t)s * n;
    memcpy(mho__dfc_control(m->r, l) + at, m->r->w->before[l] + at, n * sizeof(mho_real));
  }
}

/* A sample without a rest begins anew elsewhere: without control. */
static void begin_anew(const mixing *m, int s) {
  int classes = m->r->w->classes;
  for (int l = 1; l <= mho_network_output(m->r->lesson->net); l++) {
    size_t n = (size_t)m->r->lesson->net->layer[l].n;
    memset(mho__dfc_control(m->r, l) + (size_t)s * n, 0, n * sizeof(mho_real));
  }
  memset(m->r->w->u + (size_t)s * (size_t)classes, 0, (size_t)classes * sizeof(double));
}

static void look(mixing *m) {
  const dfc_run *r = m->r;
  bool was[MHO_CHUNK_MAX];
  int n = r->lesson->n;
  if (m->look > 0) {
    mho__dfc_pass(r, true);
    mho__dfc_find_potentials(r);
  }
  for (int l = 1; l <= mho_network_output(r->lesson->net); l++)
    memcpy(r->w->before[l], mho__dfc_control(r, l),
           mho__rule_count(r->lesson, l) * sizeof(mho_real));

  memcpy(was, m->settled, (size_t)n * sizeof *was);
  for (int s = 0; s < n; s++)
    if (!was[s])
      step_on(m, s);
  mho__dfc_lead_back(r);
  r->w->looks += n;
  for (int s = 0; s < n; s++) {
    m->settled[s] = was[s] || (m->settled[s] && stands(m, s));
    if (m->settled[s] || !m->stepped[s])
      stay(m, s);
    else
      mix(m, s);
  }
  m->look++;
}

/* Whether all links are read as they are, without patches and poolings. */
static bool is_plain(const mho_network *net) {
  for (int i = 0; i < net->n_links; i++)
    if (!net->link[i].plain)
      return false;
  return true;
}

int mho__dfc_mix(dfc_run *r, mho_lesson *lesson, double leak, double tolerance, double part) {
  mixing m = {.r = r, .lesson = lesson, .leak = leak, .tolerance = tolerance, .part = part};
  int looks = (int)(MOST_LOOKS / part);
  int left = lesson->n;
  m.moves = is_plain(lesson->net);
  if (m.moves)
    mho__dfc_mean_jacobian(r);
  else
    mho__dfc_jacobian(r);

  for (int i = 0; i < looks && left > 0; i++) {
    look(&m);
    left = sort_samples(&m, i + 1 == looks);
  }
  for (int s = 0; s < lesson->n && left > 0; s++)
    if (!m.settled[s])
      begin_anew(&m, s);
  if (left > 0) {
    mho__dfc_pass(r, true);
    mho__dfc_find_potentials(r);
  }
  return left;
}
