/* average.c - states averaged over the last steps of a phase.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "settle/average.h"

#include <string.h>

struct mho_average {
  int n_layers;
  /** [n_layers] of [chunk x n], of activities and of summed inputs; hidden layers. */
  mho_real *z[MHO_LAYERS_MAX], *sums[MHO_LAYERS_MAX];
};

/* ---------------------------------------------------------------- memory */

void mho__average_free(void *average) {
  mho_average *a = average;
  for (int l = 0; a && l < a->n_layers; l++) {
    mho_free(a->z[l]);
    mho_free(a->sums[l]);
  }
  mho_free(a);
}

static bool add_layer(mho_average *a, int l, size_t values) {
  a->z[l] = mho_alloc(values, sizeof *a->z[l]);
  a->sums[l] = mho_alloc(values, sizeof *a->sums[l]);
  return a->z[l] && a->sums[l];
}

mho_err mho__average_new(const mho_network *net, int64_t average, int n, mho_average **out,
                         mho_errinfo *ei) {
  *out = NULL;
  if (average <= 1)
    return MHO_OK;

  mho_average *a = mho_alloc(1, sizeof *a);
  bool ok = a != NULL;
  if (ok)
    a->n_layers = net->n_layers;
  for (int l = 1; ok && l < mho_hidden_end(net); l++)
    ok = add_layer(a, l, (size_t)n * (size_t)net->layer[l].n);
  if (!ok) {
    mho__average_free(a);
    return mho_fail(ei, MHO_ENOMEM, "no memory to average the states of %d samples", n);
  }

  *out = a;
  return MHO_OK;
}

/* ---------------------------------------------------------------- a phase */

int mho__average_of(const mho_phase *p, int64_t average) {
  return p->thread->workspace && mho_network_lossy(p->net) ? (int)average : 1;
}

void mho__average_begin(const mho_phase *p, int step, int first, mho_settle_stats *stats) {
  if (step > first)
    p->dyn->begin(p, stats);
}

/* sum += v, or sum = v of the first one. */
static void add(size_t n, const mho_real *v, bool is_first, mho_real *sum) {
  if (is_first) {
    memcpy(sum, v, n * sizeof *sum);
    return;
  }
  for (size_t i = 0; i < n; i++)
    sum[i] += v[i];
}

void mho__average_add(const mho_chunk *c, int step, int first) {
  const mho_phase *p = c->phase;
  mho_average *a = p->thread->workspace;
  if (step < first || !a)
    return;

  for (int l = 1; l < mho_hidden_end(p->net); l++) {
    size_t n = mho__phase_count(p, l);
    add(n, c->now[l], step == first, a->z[l]);
    if (p->s->sums)
      add(n, mho__values(p->net, p->s->sums, l, p->row0), step == first, a->sums[l]);
  }
}

static void divide(size_t n, mho_real share, const mho_real *sum, mho_real *mean) {
  for (size_t i = 0; i < n; i++)
    mean[i] = share * sum[i];
}

void mho__average_finish(const mho_chunk *c, int n) {
  const mho_phase *p = c->phase;
  const mho_average *a = p->thread->workspace;
  mho_real share = 1 / (mho_real)n;

  for (int l = 1; l < mho_hidden_end(p->net); l++) {
    size_t values = mho__phase_count(p, l);
    divide(values, share, a->z[l], mho__values(p->net, p->s->z, l, p->row0));
    if (p->s->sums)
      divide(values, share, a->sums[l], mho__values(p->net, p->s->sums, l, p->row0));
  }
}

/* ---------------------------------------------------------------- the key */

mho_err mho__average_check(int64_t average, int64_t free, int64_t nudged, const char *steps,
                           mho_errinfo *ei) {
  const char *key = free && free < average ? "free" : "nudged";
  int64_t least = free && free < average ? free : nudged;
  if (!least || least >= average)
    return MHO_OK;
  return mho_fail(ei, MHO_ECONFIG,
                  "settle.average: the last %d states of a phase are averaged, and settle.%s gives "
                  "it %d %s: raise that, or leave it out",
                  (int)average, key, (int)least, steps);
}

const char *mho__average_idle(const mho_experiment *e) {
  const char *why = mho_idle_without_settling(e);
  if (why || !mho_experiment_reads_exactly(e))
    return why;
  return "reads are exact, and states at rest stay as they are (array, device.read_noise)";
}
