/* write_verify.c - pulse and read until the weight is what is wanted, or the tries are spent.
 *
 *   chi += dW;  where |chi| > tolerance: target = W + chi, then up to `tries` times
 *     n = max(1, trunc(|target - W|/step)) pulses towards the target, read W, stop within the
 *       tolerance
 *   chi = target - W
 *
 * Reads carry noise. What is missing at the end waits in chi, so that changes below the tolerance
 * are not lost. Write noise that every pulse leaves anew is what this scheme answers: it tries
 * until a good one comes. What a device does after that (device.write_error) shows at the next
 * read.
 *
 * Source: F. Alibart et al., Nanotechnology 23, 075201 (2012).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "base/streams.h"
#include "mho/model/program.h"

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
    MHO_P_INT(write_verify, max_pulses, "max_pulses", 10, 1, MHO_STREAM_ROUNDS - 1,
              "most pulses of a round"),
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

/* Error of a weight that is within the tolerance. */
static mho_real tolerance_of(const mho_program_job *job) {
  const write_verify *p = job->params;
  return (mho_real)(p->tolerance * job->nominal_step);
}

/* Read the open weights; returns how many are still outside. */
static int verify(block *b, mho_pulse_counts *counts) {
  const write_verify *p = b->job->params;
  const mho_real *weight = mho__crossbar_programmed(b->job->xb) + b->first;
  mho_real near = tolerance_of(b->job), sigma = (mho_real)(p->read_noise * b->job->xb->w_max);
  float xi[MHO_DEVICE_BLOCK] = {0};
  int outside = 0;
  if (p->read_noise > 0)
    mho_rng_normal(b->job->rounding, b->step, b->first, (size_t)b->n, xi);

  for (int i = 0; i < b->n; i++) {
    if (!b->open[i])
      continue;
    b->read[i] = weight[i] + sigma * (mho_real)xi[i];
    mho_real error = b->target[i] - b->read[i];
    b->open[i] = error > near || error < -near;
    counts->reads++;
    outside += b->open[i];
  }
  return outside;
}

/* Pulses towards the target for a weight that lacks `steps` nominal steps: one at least, `most` at
 * most. */
static int16_t pulses_for(mho_real steps, mho_real most) {
  mho_real size = steps < 0 ? -steps : steps;
  if (size > most)
    size = most;
  else if (size < 1)
    size = 1;
  return (int16_t)(steps < 0 ? -size : size);
}

static void pulse(block *b, mho_pulse_counts *counts) {
  const mho_program_job *job = b->job;
  mho_real most = (mho_real)((const write_verify *)job->params)->max_pulses;
  int16_t count[MHO_DEVICE_BLOCK];
  for (int i = 0; i < b->n; i++) {
    mho_real steps = (b->target[i] - b->read[i]) / (mho_real)job->nominal_step;
    count[i] = b->open[i] ? pulses_for(steps, most) : 0;
  }
  mho_crossbar_change(job->xb, b->first, b->n, count, b->step, counts);
}

/* Add the wanted changes to chi and open the weights whose chi is outside the tolerance, whose
 * number is returned. asked: their chi, 0 for all others. */
static int open_weights(block *b, size_t i0, mho_real *asked) {
  mho_real near = tolerance_of(b->job), *chi = b->job->state + i0;
  int outside = 0;
  for (int i = 0; i < b->n; i++) {
    chi[i] += b->job->dw[i0 + (size_t)i];
    b->open[i] = chi[i] > near || chi[i] < -near;
    outside += b->open[i];
    asked[i] = b->open[i] ? chi[i] : 0;
    b->target[i] = b->read[i] = 0;
  }
  return outside;
}

static void write_block(block *b, size_t i0, mho_pulse_counts *counts) {
  const write_verify *p = b->job->params;
  mho_real *chi = b->job->state + i0, asked[MHO_DEVICE_BLOCK];
  int outside = open_weights(b, i0, asked);
  if (!outside)
    return;

  /* The target is set against the first read: until then it is far enough away to keep every weight
   * open. */
  for (int i = 0; i < b->n; i++)
    b->target[i] = b->open[i] ? (mho_real)1e30 : 0;
  verify(b, counts);
  for (int i = 0; i < b->n; i++)
    b->target[i] = b->read[i] + chi[i];

  for (int turn = 0; turn < p->tries; turn++) {
    if (!outside)
      break;
    pulse(b, counts);
    b->step++;
    outside = verify(b, counts);
  }

  /* What a weight still lacks waits in chi. */
  counts->clipped += outside;
  for (int i = 0; i < b->n; i++)
    if (asked[i] != 0)
      chi[i] = b->target[i] - b->read[i];
  mho_crossbar_verified(b->job->xb, b->first, b->n, asked, b->step);
}

static void apply(const mho_program_job *job, mho_pulse_counts *counts) {
  for (size_t i0 = 0; i0 < job->n; i0 += MHO_DEVICE_BLOCK) {
    block b = {.job = job,
               .first = job->first + i0,
               .n = (int)mho_min_size(job->n - i0, MHO_DEVICE_BLOCK),
               .step = mho__step_verify(job->update)};
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
