/* initial_weights.c - initial weights written as any others: by the pulses of the programming
 * scheme.
 *
 * Devices begin at the conductances of weight zero. Up to program.rounds times every weight is
 * read, and the scheme is asked, with nothing left over from the round before, for what is missing;
 * less than half of a nominal step is let be. Of weights that were brought, those are written, not
 * what an exact write has made of them. Cells that carry do so after every round. What the devices'
 * noise and spread make of it is what training starts from. Pulses and reads are of the first
 * epoch.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "array/weights.h"
#include "base/streams.h"
#include "train/updater.h"

/* How many weights are still off by half a step or more; dw: what they lack. */
static size_t missing(const mho_crossbar *x, size_t n, const mho_real *target, double step,
                      mho_real *dw) {
  const mho_real *weight = mho__crossbar_programmed(x);
  mho_real near = (mho_real)(0.5 * step);
  size_t off = 0;

  for (size_t i = 0; i < n; i++) {
    mho_real d = target[i] - weight[i];
    bool is_near = d < near && d > -near;
    dw[i] = is_near ? 0 : d;
    off += !is_near;
  }
  return off;
}

/* Write connection c; wanted: its weights; target, dw: [weights] of scratch. */
static void write_connection(mho_updater *u, int c, const mho_real *wanted, mho_real *target,
                             mho_real *dw) {
  mho_crossbar *x = crossbar_of(u->net, c);
  size_t n = mho_crossbar_cells(x);
  mho_real *chi = u->accumulator ? u->accumulator[c] : NULL;

  memcpy(target, wanted, n * sizeof *target);
  memset(dw, 0, n * sizeof *dw);
  mho_crossbar_set(x, 0, n, dw);

  for (int64_t round = 0; round < u->e->initial.rounds; round++) {
    mho_pulse_counts counts = {.reads = (double)n};
    mho_program_job job = {.xb = x,
                           .params = u->e->scheme.params,
                           .n = n,
                           .dw = dw,
                           .state = chi,
                           .nominal_step = u->nominal_step[c],
                           .update = mho__update_initial((uint64_t)round),
                           .rounding = mho__stream_round(u->seeds.noise, c)};

    size_t off = missing(x, n, target, u->nominal_step[c], dw);
    if (off)
      u->scheme->apply(&job, &counts);
    if (off && mho_crossbar_carries(x))
      mho_crossbar_carry(x, 0, n, mho__step_carry_initial((uint64_t)round), &counts);
    if (chi)
      memset(chi, 0, n * sizeof *chi);

    counts.clipped = 0; /* asked for again in the next round */
    mho__standing_count(u->at, c, &counts);
    if (!off)
      return;
  }

  /* What is still missing is given up. */
  u->at->sums.clipped += (double)missing(x, n, target, u->nominal_step[c], dw);
}

mho_err mho__updater_initial(mho_updater *u, mho_real *const *weights, mho_errinfo *ei) {
  const mho_device_model *device = (const mho_device_model *)u->e->device.entry;
  size_t most = 0;

  if (u->e->initial.how != MHO_INITIAL_SCHEME || !device->pulse)
    return MHO_OK;

  for (int c = 0; c < u->net->n_trained; c++) {
    size_t n = mho_crossbar_cells(crossbar_of(u->net, c));
    most = n > most ? n : most;
  }

  mho_real *room = mho_alloc(2 * most, sizeof *room);
  if (!room)
    return mho_fail(ei, MHO_ENOMEM, "no memory to program %zu initial weights", most);

  for (int c = 0; c < u->net->n_trained; c++) {
    const mho_real *drawn = mho__crossbar_programmed(crossbar_of(u->net, c));
    write_connection(u, c, weights ? weights[c] : drawn, room, room + most);
  }
  mho_free(room);
  mho_network_refresh(u->net, u->at->update, true);
  return MHO_OK;
}
