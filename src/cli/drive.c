/* drive.c - what a crossbar's lines are driven with while one test image is settled.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/drive.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void subject_states_free(subject_states *s) {
  for (int l = 0; l < MHO_LAYERS_MAX; l++) {
    mho_free(s->free[l]);
    mho_free(s->nudged[l]);
  }
  mho_free(s->image);
  mho_free(s->error);
}

mho_err subject_settle(const subject *of_run, int number, subject_states *s, mho_errinfo *ei) {
  const mho_network *net = mho_trainer_network(of_run->t);
  int last = net->n_layers - 1;
  *s = (subject_states){.image = mho_alloc((size_t)net->layer[0].n, sizeof *s->image),
                        .error = mho_alloc((size_t)net->layer[last].n, sizeof *s->error)};
  bool ok = s->image && s->error;
  for (int l = 0; l <= last && ok; l++)
    ok = (s->free[l] = mho_alloc((size_t)net->layer[l].n, sizeof(double))) &&
         (s->nudged[l] = mho_alloc((size_t)net->layer[l].n, sizeof(double)));
  mho_err err = ok ? subject_samples(of_run, number, 1, s->image, s->label, ei)
                   : mho_fail(ei, MHO_ENOMEM, "no memory for a sample");
  if (!err)
    err = mho_cosim_core(&(mho_cosim_network_options){.net = net,
                                                      .device = &of_run->e->device_config,
                                                      .samples = 1,
                                                      .x = s->image,
                                                      .label = s->label,
                                                      .nudge = subject_nudge(of_run)},
                         s->free, s->nudged, s->error, ei);
  for (int i = 0; i < net->layer[0].n && !err; i++)
    s->free[0][i] = (double)s->image[i];
  return err;
}

/* ---------------------------------------------------------------- the lines of a crossbar */

/* Activities of the free phase, [n_layers] of [n]. */
typedef struct states {
  const mho_network *net;
  mho_real *z[MHO_LAYERS_MAX];
} states;

static void keep(void *user, const mho_trace_point *p) {
  states *s = user;
  for (int l = 1; l < s->net->n_layers - 1 && p->phase == 0; l++)
    for (int i = 0; i < s->net->layer[l].n; i++)
      s->z[l][i] = (mho_real)p->z[l][i];
}

/* What the rows of a connection see, from activities of its source. */
static mho_err source(const states *s, const mho_connection *k, mho_real *v, mho_errinfo *ei) {
  const mho_layer *from = &s->net->layer[k->from];
  int rows = k->xb->rows - k->bias;
  mho_real *pooled = mho_alloc((size_t)from->outputs, sizeof *pooled);
  if (!pooled)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a layer of %d", from->n);
  if (from->pool.size)
    mho_pool_max(&from->pool, 1, s->z[k->from], pooled);
  else
    memcpy(pooled, s->z[k->from], (size_t)from->n * sizeof *pooled);
  if (k->conv.kernel) {
    int middle = k->conv.out_height / 2 * k->conv.out_width + k->conv.out_width / 2;
    mho_conv_gather(&k->conv, pooled, middle, 1, 0, rows, v, rows);
  } else {
    memcpy(v, pooled, (size_t)rows * sizeof *v);
  }
  if (k->bias)
    v[rows] = 1;
  mho_free(pooled);
  return MHO_OK;
}

/* p - y at the read-out: its logits are summed over the connections that lead there. */
static mho_err error(const states *s, int label, mho_real *e, mho_errinfo *ei) {
  const mho_network *net = s->net;
  int last = net->n_layers - 1, classes = net->layer[last].n;
  mho_err err = MHO_OK;
  memset(e, 0, (size_t)classes * sizeof *e);
  for (int c = 0; c < net->n_trained && !err; c++) {
    const mho_connection *k = &net->connection[c];
    if (k->to != last)
      continue;
    mho_real *v = mho_alloc((size_t)k->xb->rows, sizeof *v);
    err = v ? source(s, k, v, ei) : mho_fail(ei, MHO_ENOMEM, "no memory for a crossbar's inputs");
    if (!err)
      mho_gemm(false, false, 1, classes, k->xb->rows, 1, v, k->xb->rows, mho_crossbar_matrix(k->xb),
               classes, 1, e, classes);
    mho_free(v);
  }
  double most = -INFINITY, sum = 0;
  for (int k = 0; k < classes; k++)
    most = fmax(most, (double)e[k]);
  for (int k = 0; k < classes; k++)
    sum += exp((double)e[k] - most);
  for (int k = 0; k < classes; k++)
    e[k] = (mho_real)(exp((double)e[k] - most) / sum - (k == label));
  return err;
}

static mho_err lines(const states *s, const mho_connection *k, bool transposed, int label,
                     mho_real *v, char place[96], mho_errinfo *ei) {
  int y = k->conv.out_height / 2, x = k->conv.out_width / 2;
  place[0] = 0;
  if (k->conv.kernel)
    snprintf(place, 96, ", patch at row %d, column %d of %s", y, x, s->net->layer[k->to].name);
  if (!transposed)
    return source(s, k, v, ei);
  if (k->to == s->net->n_layers - 1)
    return error(s, label, v, ei);
  int first =
      k->conv.kernel ? (y * k->conv.out_width + x) * k->xb->cols : 0; /* position after position */
  memcpy(v, s->z[k->to] + first, (size_t)k->xb->cols * sizeof *v);
  return MHO_OK;
}

mho_err subject_drive(const subject *x, const mho_connection *k, bool transposed, int sample,
                      double *v, char place[96], mho_errinfo *ei) {
  const mho_network *net = mho_trainer_network(x->t);
  int n = transposed ? k->xb->cols : k->xb->rows;
  states s = {.net = net};
  mho_real *driven = mho_alloc((size_t)n, sizeof *driven);
  bool ok = driven != NULL;
  uint8_t label[1];
  mho_watched watched;
  subject_states settled = {0};
  for (int l = 0; l < net->n_layers && ok; l++)
    ok = (s.z[l] = mho_alloc((size_t)net->layer[l].n, sizeof *s.z[l])) != NULL;
  mho_err err = ok ? subject_samples(x, sample, 1, s.z[0], label, ei)
                   : mho_fail(ei, MHO_ENOMEM, "no memory for a sample");
  bool plain = mho_netlist_network_check(net, NULL) == MHO_OK; /* then as far as precision goes */
  if (!err && plain)
    err = subject_settle(x, sample, &settled, ei);
  else if (!err && (k->from > 0 || transposed)) /* the input is there without settling */
    err = mho_trainer_watch(x->t, &mho_trainer_dataset(x->t)->test, sample, keep, &s, &watched, ei);
  for (int l = 1; l < net->n_layers - 1 && !err && plain; l++)
    for (int i = 0; i < net->layer[l].n; i++)
      s.z[l][i] = (mho_real)settled.free[l][i];
  if (!err)
    err = lines(&s, k, transposed, label[0], driven, place, ei);
  for (int i = 0; i < n && !err; i++)
    v[i] = (double)driven[i];
  for (int l = 0; l < net->n_layers; l++)
    mho_free(s.z[l]);
  mho_free(driven);
  subject_states_free(&settled);
  return err;
}
