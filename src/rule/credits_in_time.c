/* credits_in_time.c - credits that relax in continuous time, after the states:
 *
 *   tau_c dc/dt = -c + sum of scale (b . c) W^T + noise,  the read-out's  tau_c dc/dt = -c + e
 *
 * or held at e. The states do not depend on the credits and stay at rest meanwhile, so the circuit
 * goes on from where its settler left it: b . c drives the credits' lines, the states theirs as
 * before. Without loops of links the credits of a layer that h links lead to come as the response
 * of h equal lags in a row, 1 - e^-s sum_{k<h} s^k/k! after s = t/tau_c (one lag more where the
 * read-out's relaxes, too).
 *
 * GSL's stepper integrates the samples of a lesson as one system; those that are missing in a
 * smaller one stay 0. Reads have the same noise at all times of a lesson.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "mho/model/num.h"
#include "rule/credits.h"

/* tau_c after which credits count as unsettled; errors allowed a step, over the tolerance: larger
 * ones would keep a stepper from coming to rest. */
static const double LIMIT = 100, ABSOLUTE = 1e-3, RELATIVE = 0.1;
/* Credits over the largest error from which on they run away, and how fast they must still grow
 * then, over tau_c. */
static const double RUNAWAY = 1e6, GROWING = 1e-3;

typedef struct workspace {
  int n;                     /* most samples */
  int first[MHO_LAYERS_MAX]; /* first credit of a layer, over n */
  mho_ode *ode;
  int credits;              /* of n samples */
  double *y, *f, *y_before; /* [credits] */
  double *error;            /* [n x classes] of the read-out */
  bool *settled;            /* [n] */

  const mho_credits *c; /* the lesson under way, whose reads are not counted one by one */
  mho_meter *meter;     /* nullable */
  mho_rule_stats *stats;
  double most; /* credit that is allowed */
} workspace;

static int samples_of(const workspace *w) {
  return w->c->lesson->n;
}

static const mho_network *net_of(const workspace *w) {
  return w->c->lesson->net;
}

/* ---------------------------------------------------------------- the equations */

/* What drives the lines at credits y. */
static void drive_lines(const workspace *w, const double *y) {
  const mho_network *net = net_of(w);
  int last = mho_network_output(net);

  for (int l = 1; l <= last; l++) {
    const double *credit = y + w->first[l];
    mho_real *error = mho__credits_error(w->c, l);
    size_t n = mho__rule_count(w->c->lesson, l);
    if (l == last) {
      for (size_t i = 0; i < n; i++)
        error[i] = (mho_real)credit[i];
      continue;
    }

    const mho_real *gate = mho__credits_of(w->c, MHO_VAR_GATE, l);
    for (size_t i = 0; i < n; i++)
      error[i] = (mho_real)((double)gate[i] * credit[i]);
  }
}

/* f = what comes in - c of a layer; false when credits run away. */
static bool find_rates(const workspace *w, int l, const double *y, double *f) {
  const double *credit = y + w->first[l];
  const mho_real *in = mho__credits_of(w->c, MHO_VAR_CREDIT, l);
  size_t n = mho__rule_count(w->c->lesson, l);
  bool is_fine = true;

  mho__credits_read(w->c, l, w->stats);
  for (size_t i = 0; i < n; i++) {
    f[w->first[l] + (int)i] = (double)in[i] - credit[i];
    is_fine &= fabs(credit[i]) <= w->most;
  }
  return is_fine;
}

static bool rates(void *user, double t, const double *y, double *f) {
  const workspace *w = user;
  const mho_network *net = net_of(w);
  int last = mho_network_output(net);
  size_t n = mho__rule_count(w->c->lesson, last);
  bool is_fine = true;
  memset(f, 0, (size_t)w->credits * sizeof *f);

  drive_lines(w, y);
  for (int l = 1; l < last; l++)
    is_fine &= find_rates(w, l, y, f);
  if (!w->c->way->clamps)
    for (size_t i = 0; i < n; i++)
      f[w->first[last] + (int)i] = w->error[i] - y[w->first[last] + (int)i];
  return is_fine;
}

/* ---------------------------------------------------------------- workspace */

void mho__credits_workspace_free(void *of) {
  workspace *w = of;
  if (!w)
    return;

  mho_ode_free(w->ode);
  mho_free(w->y);
  mho_free(w->f);
  mho_free(w->y_before);
  mho_free(w->error);
  mho_free(w->settled);
  mho_free(w);
}

static mho_err fill(workspace *w, const mho_network *net, mho_errinfo *ei) {
  size_t n = (size_t)w->n;
  for (int l = 1; l < net->n_layers; l++) {
    w->first[l] = w->credits;
    w->credits += w->n * net->layer[l].n;
  }

  w->y = mho_alloc((size_t)w->credits, sizeof *w->y);
  w->f = mho_alloc((size_t)w->credits, sizeof *w->f);
  w->y_before = mho_alloc((size_t)w->credits, sizeof *w->y_before);
  w->error = mho_alloc(n * (size_t)mho_network_classes(net), sizeof *w->error);
  w->settled = mho_alloc(n, sizeof *w->settled);
  if (!w->y || !w->f || !w->y_before || !w->error || !w->settled)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the credits of %d samples", w->n);

  mho_ode_system system = {.n = w->credits, .rates = rates};
  return mho_ode_new(MHO_ODE_RKF45, &system, &w->ode, ei);
}

mho_err mho__credits_workspace_new(const mho_network *net, int n, void **out, mho_errinfo *ei) {
  workspace *w = mho_alloc(1, sizeof *w);
  *out = NULL;
  if (!w)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the credits of %d samples", n);

  w->n = n;
  mho_err err = fill(w, net, ei);
  if (err) {
    mho__credits_workspace_free(w);
    return err;
  }
  *out = w;
  return MHO_OK;
}

/* ---------------------------------------------------------------- when credits have settled */

/* The largest rate of a sample's credits in a layer over its largest credit there. */
static double residual_of(const workspace *w, int l, int s, const double *f) {
  int n = net_of(w)->layer[l].n, at = w->first[l] + s * n;
  double rate = 0, credit = 0;

  for (int i = at; i < at + n; i++) {
    rate = fmax(rate, fabs(f[i]));
    credit = fmax(credit, fabs(w->y[i]));
  }
  if (rate == 0)
    return 0;
  return credit > 0 ? rate / credit : (double)INFINITY;
}

/* Take note of the rates f; whether all samples have settled. */
static bool note(const workspace *w, const double *f) {
  bool all = true;
  for (int s = 0; s < samples_of(w); s++) {
    double residual = 0;
    for (int l = 1; l < net_of(w)->n_layers; l++)
      residual = fmax(residual, residual_of(w, l, s, f));

    w->settled[s] = residual <= w->c->way->tolerance;
    all &= w->settled[s];
  }
  return all;
}

/* What a sample's credits become in a step of the credit map, over what they are, along themselves:
 * above 1 they go on growing. */
static double growth_of(const workspace *w, int s) {
  double along = 0, squares = 0;
  for (int l = 1; l < net_of(w)->n_layers; l++) {
    int n = net_of(w)->layer[l].n, at = w->first[l] + s * n;
    for (int i = at; i < at + n; i++) {
      along += w->f[i] * w->y[i];
      squares += w->y[i] * w->y[i];
    }
  }
  double growth = squares > 0 ? along / squares : -1;
  return 1 + (growth > 0 && growth < GROWING ? 0 : growth);
}

/* ---------------------------------------------------------------- energy */

/* Add to what drove a link's lines: the squares of `values`, [n x units], for so long. */
static void meter_lines(const workspace *w, int link, const mho_real *values, int units,
                        double seconds) {
  mho_meter *m = w->meter;
  double gain = (double)net_of(w)->link[link].scale;

  for (int s = 0; s < samples_of(w); s++)
    for (int i = 0; i < units; i++) {
      double v = gain * (double)values[s * units + i];
      m->driven[link][i] += seconds * v * v;
    }
}

/* Whether credits are led through a link. */
static bool is_used(const mho_link *k) {
  return k->scale != 0;
}

/* Credit lines at credits y. */
static void meter_credits(const workspace *w, const double *y, double seconds) {
  const mho_network *net = net_of(w);
  drive_lines(w, y);
  for (int k = net->n_links; k < mho_network_links(net); k++) {
    int from = net->link[k].from;
    if (is_used(&net->link[k]))
      meter_lines(w, k, mho__credits_error(w->c, from), net->layer[from].n, seconds);
  }
}

/* Lines of links that the dynamics reads: states at rest drive them, and 1 a bias's, which lies
 * behind them. */
static void meter_states(const workspace *w, double seconds) {
  const mho_network *net = net_of(w);
  const mho_lesson *lesson = w->c->lesson;
  mho_meter *m = w->meter;

  for (int k = 0; k < net->n_links; k++) {
    const mho_link *link = &net->link[k];
    int units = net->layer[link->from].n;
    if (!mho_link_settles(link) || mho_link_has_error(net, link))
      continue;

    meter_lines(w, k, mho__values(net, lesson->state[0]->z, link->from, lesson->sample0), units,
                seconds);
    if (m->inputs[k] > units)
      m->driven[k][units] += seconds * lesson->n * (double)link->scale * (double)link->scale;
  }
}

/* A phase is one read of every link, of the errors at its end. */
static void meter_reads(const workspace *w) {
  const mho_network *net = net_of(w);
  mho_meter *m = w->meter;

  for (int k = net->n_links; k < mho_network_links(net); k++) {
    const mho_link *link = &net->link[k];
    const mho_real *error = mho__credits_error(w->c, link->from);
    int units = net->layer[link->from].n;
    if (!is_used(link))
      continue;

    m->reads[k] += samples_of(w);
    for (int s = 0; s < samples_of(w); s++)
      for (int i = 0; i < units; i++) {
        double v = (double)link->scale * (double)error[s * units + i];
        m->squares[k][i] += v * v;
      }
  }
}

/* Credit lines in a step of that many seconds, by the trapezoid. */
static void meter_step(const workspace *w, double seconds) {
  if (!w->meter)
    return;
  meter_credits(w, w->y_before, seconds / 2);
  meter_credits(w, w->y, seconds / 2);
}

/* Count a phase that ended at `end`; tau: s of a tau_c. */
static void meter_phase(const workspace *w, double end, double tau) {
  mho_meter *m = w->meter;
  if (!m)
    return;

  m->time[1] += end * tau * samples_of(w);
  meter_states(w, end * tau);
  meter_reads(w);
}

/* ---------------------------------------------------------------- a lesson */

/* The read-out's error, and credits at 0 or, of the read-out, held. */
static void begin(workspace *w) {
  int last = mho_network_output(net_of(w));
  const mho_real *error = mho__credits_error(w->c, last);
  size_t n = mho__rule_count(w->c->lesson, last);
  double most = w->c->way->noise;
  memset(w->y, 0, (size_t)w->credits * sizeof *w->y);

  for (size_t i = 0; i < n; i++) {
    w->error[i] = (double)error[i];
    w->y[w->first[last] + (int)i] = w->c->way->clamps ? w->error[i] : 0;
    most = fmax(most, fabs(w->error[i]));
  }
  w->most = RUNAWAY * fmax(most, 1e-30);
  for (int s = 0; s < samples_of(w); s++)
    w->settled[s] = false;
}

/* Integrate until credits are read or have settled. @return the time of the end, in tau_c. tau: s
 * of a tau_c. */
static double integrate(workspace *w, double tau) {
  const mho_credits_way *way = w->c->way;
  double end = way->read > 0 ? way->read / way->tau : LIMIT, t = 0;
  bool done = !rates(w, 0, w->y, w->f) || note(w, w->f);
  mho_ode_start(w->ode, w, 0.01, ABSOLUTE * way->tolerance, RELATIVE * way->tolerance);

  while (t < end && (way->read > 0 || !done)) {
    const double *f;
    double before = t;
    memcpy(w->y_before, w->y, (size_t)w->credits * sizeof *w->y);
    mho_err err = mho_ode_step(w->ode, &t, end, w->y, &f);
    if (err) /* credits ran away: those that have not settled will not */
      break;
    done = note(w, f);
    memcpy(w->f, f, (size_t)w->credits * sizeof *f);
    meter_step(w, (t - before) * tau);
  }
  return t;
}

/* The samples that have not settled; the others relaxed for so many seconds with them. */
static void count(const workspace *w, double end, double seconds, mho_settle_stats *stats) {
  bool was_read = w->c->way->read > 0 && end * w->c->way->tau >= w->c->way->read;
  stats->steps += (double)mho_ode_evaluations(w->ode) * samples_of(w);

  for (int s = 0; s < samples_of(w); s++) {
    if (w->settled[s]) {
      stats->time += seconds;
      stats->time_max = fmax(stats->time_max, seconds);
      stats->timed++;
      continue;
    }

    stats->unsettled++;
    double growth = was_read ? 0 : growth_of(w, s); /* they may be on their way still */
    stats->contraction = fmax(stats->contraction, growth);
    if (growth > 1)
      mho__credits_drop(w->c, s);
  }
}

void mho__credits_relax(const mho_credits *c, mho_rule_stats *stats) {
  mho_thread *thread = c->lesson->thread;
  workspace *w = thread->rule_workspace;
  double tau = c->way->tau * thread->settler->tau(thread->params);
  mho_rule_stats reads = {0};
  mho_credits unmetered = *c;

  /* a phase is one read, however often the stepper looks */
  unmetered.phase.probe = NULL;
  w->c = &unmetered;
  w->meter = mho__meter_of(&c->phase);
  w->stats = &reads;
  thread->step = 1;
  begin(w);
  double end = integrate(w, tau);
  meter_phase(w, end, tau);

  drive_lines(w, w->y);
  count(w, end, end * tau, &stats->nudged);
  for (int k = c->lesson->net->n_links; k < mho_network_links(c->lesson->net); k++)
    stats->nudged.reads += is_used(&c->lesson->net->link[k]) ? c->lesson->n : 0;
}
