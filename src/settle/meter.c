/* meter.c - what the reads of a settle add up to, line by line: the energy of the cells follows from it and the
 * conductances at the end, without looking at conductances while it is read.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "settle/links.h"

mho_err mho_meter_new(const mho_network *net, mho_meter **out, mho_errinfo *ei) {
  size_t links = (size_t)net->n_links;
  mho_meter *m = *out = mho_alloc(1, sizeof *m);
  bool ok = m && (m->reads = mho_alloc(links, sizeof *m->reads)) &&
            (m->inputs = mho_alloc(links, sizeof *m->inputs)) &&
            (m->squares = mho_alloc(links, sizeof *m->squares));
  if (ok)
    m->n_links = net->n_links;
  for (int k = 0; ok && k < net->n_links; k++) {
    m->inputs[k] = mho_link_inputs(net, &net->link[k]);
    ok = (m->squares[k] = mho_alloc((size_t)m->inputs[k], sizeof **m->squares)) != NULL;
  }
  if (ok)
    return MHO_OK;
  mho_meter_free(m);
  *out = NULL;
  return mho_fail(ei, MHO_ENOMEM, "no memory to count the reads of %d links", net->n_links);
}

void mho_meter_free(mho_meter *m) {
  if (!m)
    return;
  for (int k = 0; k < m->n_links; k++)
    mho_free(m->squares[k]);
  mho_free(m->squares);
  mho_free(m->reads);
  mho_free(m->inputs);
  mho_free(m);
}

void mho_meter_clear(mho_meter *m) {
  memset(m->reads, 0, (size_t)m->n_links * sizeof *m->reads);
  for (int k = 0; k < m->n_links; k++)
    memset(m->squares[k], 0, (size_t)m->inputs[k] * sizeof **m->squares);
  m->steps[0] = m->steps[1] = m->samples = 0;
}

void mho_meter_add(mho_meter *a, const mho_meter *b) {
  for (int k = 0; k < a->n_links; k++) {
    a->reads[k] += b->reads[k];
    for (int i = 0; i < a->inputs[k]; i++)
      a->squares[k][i] += b->squares[k][i];
  }
  a->steps[0] += b->steps[0];
  a->steps[1] += b->steps[1];
  a->samples += b->samples;
}

void mho_meter_read(mho_meter *m, int k, int n, const mho_real *x) {
  int in = m->inputs[k];
  double *squares = m->squares[k];
  m->reads[k] += n;
  for (int s = 0; s < n; s++, x += in)
    for (int i = 0; i < in; i++)
      squares[i] += (double)x[i] * (double)x[i];
}
