/* write_verify.c - pulse and read until the weight is what is wanted, or the tries are spent.
 *
 *   chi += dW;  where |chi| > tolerance: target = W + chi, then up to `tries` times
 *     n = max(1, trunc(|target - W|/step)) pulses towards the target, read W, stop within the tolerance
 *   chi = target - W
 *
 * Reads carry noise. What is missing at the end waits in chi, so that changes below the tolerance are not lost.
 * Write noise that every pulse leaves anew is what this scheme answers: it tries until a good one comes. What a device
 * does after that (device.write_error) shows at the next read.
 *
 * Source: F. Alibart et al., Nanotechnology 23, 075201 (2012).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "base/streams.h"
#include "mho/program.h"

typedef struct write_verify {
  double tolerance, read_noise;
  int64_t tries, max_pulses;
} write_verify;

static const mho_param table[] = {
    MHO_P_REAL(write_verify, tolerance, "tolerance", "", 1, 0.01, 1e6,
               "error of a weight that is let be, in its nominal steps"),
    MHO_P_REAL(write_verify, read_noise, "verify_noise", "", 0, 0, 10,
               "noise of a verifying read, standard deviation, of w_max"),
    MHO_P_INT(write_verify, tries, "tries", 10, 1, MHO_STREAM_ROUNDS - 1,
              "most rounds of pulses and a read in one update"),
    MHO_P_INT(write_verify, max_pulses, "max_pulses", 10, 1, 63, "most pulses of a round"),
};

/* A block of weights on its way to its targets. */
typedef struct block {
  const mho_program_job *job;
  size_t first;
  int n;
  uint64_t step;
  mho_real read[MHO_DEVICE_BLOCK], target[MHO_DEVICE_BLOCK];
  bool open[MHO_DEVICE_BLOCK]; /* outside the tolerance */
} block;

/* Read the open weights; returns how many are still outside. */
static int verify(block *b, mho_pulse_counts *counts) {
  const write_verify *p = b->job->params;
  mho_real near = (mho_real)(p->tolerance * b->job->nominal_step);
  mho_real sigma = (mho_real)(p->read_noise * b->job->xb->w_max);
  float xi[MHO_DEVICE_BLOCK] = {0};
  int outside = 0;
  if (p->read_noise > 0)
    mho_rng_normal(b->job->rounding, b->step, b->first, (size_t)b->n, xi);
  for (int i = 0; i < b->n; i++) {
    if (!b->open[i])
      continue;
    b->read[i] =
        mho_crossbar_programmed(b->job->xb)[b->first + (size_t)i] + sigma * (mho_real)xi[i];
    mho_real error = b->target[i] - b->read[i];
    b->open[i] = error > near || error < -near;
    counts->reads++;
    outside += b->open[i];
  }
  return outside;
}

static void pulse(block *b, mho_pulse_counts *counts) {
  const write_verify *p = b->job->params;
  int16_t count[MHO_DEVICE_BLOCK];
  for (int i = 0; i < b->n; i++) {
    mho_real k = b->open[i] ? (b->target[i] - b->read[i]) / (mho_real)b->job->nominal_step : 0;
    mho_real most = (mho_real)p->max_pulses, size = k < 0 ? -k : k;
    size = size > most ? most : b->open[i] && size < 1 ? 1 : size;
    count[i] = (int16_t)(k < 0 ? -size : size);
  }
  mho_crossbar_change(b->job->xb, b->first, b->n, count, b->step, counts);
}

static void write_block(block *b, size_t i0, mho_pulse_counts *counts) {
  const write_verify *p = b->job->params;
  mho_real near = (mho_real)(p->tolerance * b->job->nominal_step), *chi = b->job->state + i0;
  mho_real asked[MHO_DEVICE_BLOCK];
  int outside = 0;
  for (int i = 0; i < b->n; i++) {
    chi[i] += b->job->dw[i0 + (size_t)i];
    b->open[i] = chi[i] > near || chi[i] < -near;
    outside += b->open[i];
    asked[i] = b->open[i] ? chi[i] : 0;
    b->target[i] = b->read[i] = 0;
  }
  if (!outside)
    return;
  for (int i = 0; i < b->n;
       i++) /* the first read says where it starts from; the target is set against it */
    b->target[i] = b->open[i] ? (mho_real)1e30 : 0;
  verify(b, counts);
  for (int i = 0; i < b->n; i++)
    b->target[i] = b->read[i] + chi[i];
  for (int turn = 0; outside && turn < p->tries; turn++) {
    pulse(b, counts);
    b->step++;
    outside = verify(b, counts);
  }
  counts->clipped += outside;
  for (int i = 0; i < b->n; i++)
    if (asked[i] != 0)
      chi[i] = b->target[i] - b->read[i];
  mho_crossbar_verified(b->job->xb, b->first, b->n, asked, b->step);
}

static void apply(const mho_program_job *job, mho_pulse_counts *counts) {
  for (size_t i0 = 0; i0 < job->n; i0 += MHO_DEVICE_BLOCK) {
    block b = {.job = job, .first = job->first + i0, .step = mho_step_verify(job->update)};
    b.n = job->n - i0 < MHO_DEVICE_BLOCK ? (int)(job->n - i0) : MHO_DEVICE_BLOCK;
    write_block(&b, i0, counts);
  }
}

const mho_scheme mho_scheme_write_verify = {
    .entry = {.abi = MHO_ABI,
              .id = "write_verify",
              .title = "pulse and read until within tolerance",
              .equation = "pulse towards W + dW, read, repeat until |error| <= tolerance",
              .source = "Alibart et al., Nanotechnology 23:075201 (2012)",
              .params = MHO_PARAMS(write_verify, table)},
    .needs_pulses = true,
    .has_state = true,
    .apply = apply,
};
