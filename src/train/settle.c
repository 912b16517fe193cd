/* settle.c - settling for its own sake: per-thread memory of the settler, times and energies of samples, and one sample
 * watched.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "train/trainer.h"

/* ---------------------------------------------------------------- workspaces */

void mho_trainer_workspaces_free(mho_trainer *t) {
  int threads = mho_pool_threads(t->ctx ? t->ctx->pool : NULL);
  for (int i = 0; t->workspace && i < threads; i++)
    t->settler->workspace_free(t->workspace[i]);
  mho_free(t->workspace);
  t->workspace = NULL;
}

mho_err mho_trainer_workspaces_new(mho_trainer *t, mho_errinfo *ei) {
  int threads = mho_pool_threads(t->ctx ? t->ctx->pool : NULL);
  mho_err err = MHO_OK;
  if (!t->settler->workspace_new)
    return MHO_OK;
  if (!(t->workspace = mho_alloc((size_t)threads, sizeof *t->workspace)))
    return mho_fail(ei, MHO_ENOMEM, "no memory to settle on %d threads", threads);
  for (int i = 0; i < threads && !err; i++)
    err = t->settler->workspace_new(t->net, t->e->settler.params, t->chunk, &t->workspace[i], ei);
  return err;
}

/* ---------------------------------------------------------------- energy */

void mho_power_free(const mho_network *net, mho_power *p) {
  for (int c = 0; c < net->n_connections; c++) {
    mho_free(p->rows ? p->rows[c] : NULL);
    mho_free(p->cols ? p->cols[c] : NULL);
  }
  mho_free(p->rows);
  mho_free(p->cols);
}

/* Sums along the rows and columns of a crossbar without wires. */
static mho_err add_up(const mho_trainer *t, int c, mho_power *p, mho_errinfo *ei) {
  const mho_crossbar *x = t->net->connection[c].xb;
  size_t rows = (size_t)x->rows, cols = (size_t)x->cols;
  double *g = mho_alloc(2 * rows * cols, sizeof *g), unit;
  if (!g)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the conductances of %d x %d cells", x->rows,
                    x->cols);

  mho_crossbar_siemens(x, &t->e->device_config, g, g + rows * cols, &unit);
  for (size_t i = 0; i < rows * cols; i++) {
    p->rows[c][i / cols] += g[i] + g[rows * cols + i];
    p->cols[c][i % cols] += g[i] + g[rows * cols + i];
  }
  mho_free(g);
  return MHO_OK;
}

mho_err mho_power_new(const mho_trainer *t, mho_power *p, mho_errinfo *ei) {
  const mho_network *net = t->net;
  *p = (mho_power){.volts = t->e->array_config.read_voltage,
                   .rows = mho_alloc((size_t)net->n_connections, sizeof *p->rows),
                   .cols = mho_alloc((size_t)net->n_connections, sizeof *p->cols)};
  bool ok = p->rows && p->cols;
  for (int c = 0; ok && c < net->n_connections; c++) {
    p->rows[c] = mho_alloc((size_t)net->connection[c].xb->rows, sizeof(double));
    p->cols[c] = mho_alloc((size_t)net->connection[c].xb->cols, sizeof(double));
    ok = p->rows[c] && p->cols[c];
  }

  mho_err err =
      ok ? MHO_OK
         : mho_fail(ei, MHO_ENOMEM, "no memory for the energy of %d crossbars", net->n_connections);
  if (!err && net->wired)
    err = mho_wired_loads(net->wired, p->rows, p->cols, ei);
  for (int c = 0; c < net->n_connections && !err && !net->wired; c++)
    err = add_up(t, c, p, ei);
  if (err)
    mho_power_free(net, p);
  return err;
}

/* ---------------------------------------------------------------- samples of the circuit */

bool mho_trainer_in_time(const mho_trainer *t) {
  return t->settler->in_time;
}

mho_err mho_trainer_observe_circuit(mho_trainer *t, const mho_images *part, int n,
                                    mho_settle_row *row, mho_settle_sample *samples,
                                    mho_errinfo *ei) {
  mho_power power;
  double *time = mho_alloc((size_t)t->capacity, sizeof *time),
         *energy = mho_alloc((size_t)t->capacity, sizeof *time);
  mho_err err = time && energy ? mho_power_new(t, &power, ei)
                               : mho_fail(ei, MHO_ENOMEM, "no memory for settling times");
  mho_rule_stats sum = {0};
  double joules = 0;
  if (err) {
    mho_free(time);
    mho_free(energy);
    return err;
  }
  t->watch = (mho_watch){.time = time, .energy = energy, .power = &power};
  for (int first = 0; first < n; first += t->capacity) {
    int m = n - first < t->capacity ? n - first : t->capacity;
    mho_rule_stats s = mho_trainer_settle(t, part, first, m, false);
    sum.free.time += s.free.time;
    sum.free.timed += s.free.timed;
    sum.free.unsettled += s.free.unsettled;
    sum.free.steps += s.free.steps;
    sum.free.residual = fmax(sum.free.residual, s.free.residual);
    for (int i = 0; i < m; i++) {
      samples[first + i] = (mho_settle_sample){.epoch = row->epoch,
                                               .phase = "free",
                                               .sample = first + i,
                                               .settled = isfinite(time[i]),
                                               .time_s = time[i],
                                               .energy_j = energy[i]};
      joules += energy[i];
    }
  }
  t->watch = (mho_watch){0};
  row->steps_mean = sum.free.steps / n;
  row->steps_max = NAN; /* the samples of a group share their steps */
  row->residual_max = sum.free.residual;
  row->time_s = sum.free.timed ? sum.free.time / (double)sum.free.timed : (double)NAN;
  row->energy_j = joules / n;
  row->unsettled = sum.free.unsettled;
  mho_power_free(t->net, &power);
  mho_free(time);
  mho_free(energy);
  return MHO_OK;
}

/* ---------------------------------------------------------------- one sample */

mho_err mho_trainer_watch(mho_trainer *t, const mho_images *part, int sample,
                          void (*point)(void *user, const mho_trace_point *p), void *user,
                          mho_watched *out, mho_errinfo *ei) {
  if (sample < 0 || sample >= part->n)
    return mho_fail(ei, MHO_EINVAL, "there is no sample %d: there are %d, from 0", sample, part->n);
  const mho_network *net = t->net;
  mho_trace trace = {
      .point = point, .user = user, .z = mho_alloc((size_t)net->n_layers, sizeof *trace.z)};
  mho_power power = {0};
  double time = NAN, energy = NAN;
  mho_err err = trace.z ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory to watch a settle");
  for (int l = 1; !err && l < net->n_layers - 1; l++)
    if (!(trace.z[l] = mho_alloc((size_t)net->layer[l].n, sizeof(double))))
      err = mho_fail(ei, MHO_ENOMEM, "no memory to watch a settle");
  if (!err)
    err = mho_power_new(t, &power, ei);
  if (!err) {
    bool direct = t->direct; /* two states are watched, not their difference */
    t->direct =
        direct && !t->state[1]; /* where there is no room for two, the nudged one stays unseen */
    t->watch = (mho_watch){.time = &time, .energy = &energy, .power = &power, .trace = &trace};
    mho_rule_stats s = mho_trainer_settle(t, part, sample, 1, true);
    t->watch = (mho_watch){0};
    t->direct = direct;
    *out = (mho_watched){.label = t->label[0],
                         .correct = s.correct > 0,
                         .steps = s.free.steps,
                         .unsettled = s.free.unsettled > 0 || s.nudged.unsettled > 0,
                         .time_s = time,
                         .energy_j = energy};
  }
  mho_power_free(net, &power);
  for (int l = 0; trace.z && l < net->n_layers; l++)
    mho_free(trace.z[l]);
  mho_free(trace.z);
  return err;
}
