/* meter.c - what the reads of a settle add up to, line by line: the energy of the cells follows
 * from it and from the conductances at the end, so that no read looks at conductances.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "base/nonzero.h"
#include "settle/links.h"

/* The lines of link k. */
static bool add_lines(mho_meter *m, int k, int inputs) {
  m->inputs[k] = inputs;
  m->squares[k] = mho_alloc((size_t)inputs, sizeof **m->squares);
  m->driven[k] = mho_alloc((size_t)inputs, sizeof **m->driven);
  return m->squares[k] && m->driven[k];
}

static bool fill(mho_meter *m, const mho_network *net, bool analog) {
  size_t links = (size_t)mho_network_links(net);
  m->reads = mho_alloc(links, sizeof *m->reads);
  m->inputs = mho_alloc(links, sizeof *m->inputs);
  m->squares = mho_alloc(links, sizeof *m->squares);
  m->driven = mho_alloc(links, sizeof *m->driven);
  m->edge = mho_alloc(links, sizeof *m->edge);
  if (!m->reads || !m->inputs || !m->squares || !m->driven || !m->edge)
    return false;

  m->net = net;
  m->converters = mho_array_converters_of(net->array.crossbar->model, net->array.crossbar->params);
  m->n_links = mho_network_links(net);
  m->analog = analog;
  for (int k = 0; k < m->n_links; k++)
    if (!add_lines(m, k, mho_link_inputs(net, &net->link[k])))
      return false;
  return true;
}

mho_err mho_meter_new(const mho_network *net, bool analog, mho_meter **out, mho_errinfo *ei) {
  mho_meter *m = mho_alloc(1, sizeof *m);
  bool ok = m && fill(m, net, analog);
  if (!ok) {
    mho_meter_free(m);
    m = NULL;
  }

  *out = m;
  return ok ? MHO_OK
            : mho_fail(ei, MHO_ENOMEM, "no memory to count the reads of %d links",
                       mho_network_links(net));
}

void mho_meter_free(mho_meter *m) {
  if (!m)
    return;

  for (int k = 0; k < m->n_links; k++) {
    mho_free(m->squares[k]);
    mho_free(m->driven[k]);
  }
  mho_free(m->squares);
  mho_free(m->driven);
  mho_free(m->edge);
  mho_free(m->reads);
  mho_free(m->inputs);
  mho_free(m);
}

void mho_meter_clear(mho_meter *m) {
  memset(m->reads, 0, (size_t)m->n_links * sizeof *m->reads);
  for (int k = 0; k < m->n_links; k++) {
    memset(m->squares[k], 0, (size_t)m->inputs[k] * sizeof **m->squares);
    memset(m->driven[k], 0, (size_t)m->inputs[k] * sizeof **m->driven);
  }

  memset(m->edge, 0, (size_t)m->n_links * sizeof *m->edge);
  memset(m->steps, 0, sizeof m->steps);
  memset(m->time, 0, sizeof m->time);
  m->integrated = m->inhibited = 0;
  m->samples = 0;
}

void mho_meter_add(mho_meter *a, const mho_meter *b) {
  for (int k = 0; k < a->n_links; k++) {
    a->reads[k] += b->reads[k];
    a->edge[k].reads += b->edge[k].reads;
    a->edge[k].squares += b->edge[k].squares;
    a->edge[k].driven += b->edge[k].driven;
    for (int i = 0; i < a->inputs[k]; i++) {
      a->squares[k][i] += b->squares[k][i];
      a->driven[k][i] += b->driven[k][i];
    }
  }

  for (int phase = 0; phase < 2; phase++) {
    a->steps[phase] += b->steps[phase];
    a->time[phase] += b->time[phase];
  }
  a->integrated += b->integrated;
  a->inhibited += b->inhibited;
  a->samples += b->samples;
}

bool mho__meter_has_edge(const mho_meter *m, int k) {
  const mho_network *net = m->net;
  const mho_perturbation *p = net->connection[net->link[k].connection].xb->perturbation;
  return p && p->shape == MHO_SHAPE_RANK1 && !p->ideal;
}

/* Whether lines are driven by several slices of a number, one after another. */
static bool is_sliced(const mho_meter *m) {
  return m->converters.slices > 1;
}

/* The square of what drives a line, in all slices of x. */
static inline double driven_square(const mho_meter *m, bool sliced, mho_real x) {
  double v = (double)x;
  return sliced ? mho_array_driven(&m->converters, v) : v * v;
}

/* n vectors x of link k, read with a perturbation at the edge of its array. */
static void count_edge(mho_meter *m, int k, int n, const mho_real *x, double gain) {
  size_t values = (size_t)n * (size_t)m->inputs[k];
  double squares = 0;
  bool sliced = is_sliced(m);
  for (size_t i = 0; x && i < values; i++)
    squares += driven_square(m, sliced, x[i]);

  m->edge[k].reads += n;
  m->edge[k].squares += gain * squares;
}

/* squares += gain x^2 of a vector; where little drives many lines, as of spikes, the others are
 * passed over. */
static void count_lines(const mho_meter *m, int n, double gain, const mho_real *x,
                        const uint64_t *known, double *squares) {
  enum { FEW = MHO_NONZERO_BITS / 8 };
  bool sliced = is_sliced(m);
  for (int i0 = 0; i0 < n; i0 += MHO_NONZERO_BITS) {
    int some = mho_min(n - i0, MHO_NONZERO_BITS);
    if (!known && some == MHO_NONZERO_BITS && !mho__may_be_nonzero(x + i0))
      continue;
    uint64_t driven = known ? known[i0 / MHO_NONZERO_BITS] : mho__nonzero_bits(some, x + i0);
    if (__builtin_popcountll(driven) > FEW) {
      for (int i = i0; i < i0 + some; i++)
        squares[i] += gain * driven_square(m, sliced, x[i]);
      continue;
    }
    for (; driven; driven &= driven - 1) {
      int i = i0 + __builtin_ctzll(driven);
      squares[i] += gain * driven_square(m, sliced, x[i]);
    }
  }
}

void mho__meter_read(mho_meter *m, int k, int n, const mho_real *x, const uint64_t *driven,
                     double scale) {
  int in = m->inputs[k];
  double *squares = m->squares[k], gain = m->analog ? scale * scale : 1;

  m->reads[k] += n;
  if (mho__meter_has_edge(m, k))
    count_edge(m, k, n, x, gain);
  if (!x)
    return;

  for (int s = 0; s < n; s++) {
    count_lines(m, in, gain, x, driven, squares);
    x += in;
  }
}
